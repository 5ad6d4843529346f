// SPDX-License-Identifier: MIT
// Which packets are lost, when, and what that tells.
#include "recovery.hpp"

#include <algorithm>

namespace muster::soe {

namespace {

using namespace std::chrono_literals;

// Timers of a millisecond, at both ends, and what an end of ours holds an acknowledgement back by:
// a probe is not to be faster than a late acknowledgement.
constexpr duration timer_slack = 4ms;
constexpr duration granularity = 1ms;  // RFC 9002 section 6.1.2

// So few packets are no queue that a repetition too many could hurt, and they are what waits for
// every single one of them (Linux calls such streams thin).
constexpr std::size_t thin_packets = 16;

// RFC 8985 section 7 sends one probe before the timeout. A probe gets lost as often as everything
// else does: two.
constexpr std::uint8_t most_probes = 2;
constexpr std::uint8_t most_doublings = 10;

// The reordering window, in sixteenths of the usual one. It grows by half of that for each packet
// that only seemed lost, and shrinks by a sixteenth for each that was: so it settles where one in
// nine only seems lost. RFC 8985 widens it by a quarter of a round trip, once in a round, which is
// slow to learn and holds for sixteen recoveries.
constexpr std::uint8_t usual_window = 16;
constexpr std::uint8_t widest_window = 8 * 16;
constexpr std::uint8_t window_step_up = 8;

// Packets that `loss` looks back on. It begins as if some had arrived: the first loss of all is not
// one of one.
constexpr std::uint8_t first_outcomes = 16;
constexpr std::uint8_t most_outcomes = 100;

// Of ages, where a negative one means that there is none yet.
template <class Age>
void keep_smallest(Age& kept, duration age) noexcept {
  if (kept < Age{0} || age < kept) kept = age;
}

}  // namespace

Recovery::Recovery(const Config& config, std::size_t datagram_size, time_point now) noexcept
    : pacer_(config, datagram_size, now),
      delivery_rate_(now),
      round_trip_(config, now),
      outcomes_(first_outcomes),
      reordering_(usual_window) {}

void Recovery::on_sent(Packet& packet, time_point now, bool is_app_limited) noexcept {
  ++sent_;
  if (packet.transmissions > 0) {
    ++resent_;
    if (allowance_ > 0) --allowance_;
    if (packet.state == Packet::State::in_flight) return send_echo(packet, now);
    list_of(packet).remove(packet);
    if (packet.transmissions == 1 && echo_ == nullptr && is_thin()) echo_ = &packet;
  } else {
    packet.first_sent = now;
  }
  packet.last_sent = now;
  packet.state = Packet::State::in_flight;
  if (packet.transmissions < 255) ++packet.transmissions;
  delivery_rate_.on_sent(packet, bytes_in_flight_, now, is_app_limited);
  in_flight_.push_back(packet);
  bytes_in_flight_ += packet.size;
  ++packets_in_flight_;
  pacer_.on_sent(now, packet.size, bytes_in_flight_);
}

// It keeps its place, as if it rode along with a later packet: which of the two arrives is the same
// to everything that is waiting for it.
void Recovery::send_echo(Packet& packet, time_point now) noexcept {
  echo_ = nullptr;
  is_echo_due_ = false;
  on_ride(packet, now);
}

void Recovery::on_ride(Packet& packet, time_point now) noexcept {
  if (packet.rides == 0) packet.first_ride = now;
  if (packet.rides < 255) ++packet.rides;
  pacer_.on_sent(now, packet.size, bytes_in_flight_);
}

void Recovery::on_asked(Packet& packet, time_point now) noexcept {
  if (packet.state == Packet::State::in_flight) mark_lost(packet, now);
  on_sent(packet, now, false);
}

bool Recovery::may_send(time_point now) const noexcept {
  return allowance_ > 0 || pacer_.may_send(now, bytes_in_flight_, packets_in_flight_);
}

void Recovery::on_acknowledged(Packet& packet, time_point now) noexcept {
  const bool was_lost = packet.state == Packet::State::lost;
  take_out(packet);
  ++acknowledged_;

  // Which sending was it? Karn's rule says that nobody knows, and takes no sample; but no
  // acknowledgement is faster than the fastest of late (RFC 8985 section 6.2 judges so, too).
  // Unless all of late were slow because of a queue, which is gone by the time that a packet leaves
  // again alone: what comes much later than reordering explains, and just after a repetition, is
  // its.
  const duration least = round_trip_.least();
  const bool is_repeated = packet.transmissions > 1;
  const bool is_earlier_sending = is_repeated && now - packet.last_sent < least - least / 8 &&
                                  now - packet.first_sent < 2 * loss_delay() + least;
  // A ride that soon followed makes little difference to a round trip.
  const bool may_be_ride = packet.rides > 0 && now - packet.first_ride >= least &&
                           packet.first_ride - packet.first_sent > round_trip_.smoothed() / 4;
  // Nor does a packet tell that was sent well before one that has arrived already: its first
  // acknowledgement got lost. (RFC 9002 section 5.1 takes the newest only. Where packets overtake
  // each other, the newest would always be those that did, and reordering would not show.)
  const duration overtaken = delivery_rate_.newest_sent() - packet.first_sent;
  if (!may_be_ride && (!is_repeated || (is_earlier_sending && packet.transmissions == 2)) &&
      overtaken <= std::max(round_trip_.smoothed() / 8, timer_slack)) {
    keep_smallest(batch_sample_, now - packet.first_sent);
  }
  keep_smallest(batch_any_, now - packet.first_sent);
  // The last sending, also of those that left twice: so this is a lower bound.
  batch_oldest_ = std::max<Age>(batch_oldest_, now - packet.last_sent);
  delivery_rate_.on_acknowledged(packet, now, !is_earlier_sending);

  if (packet.rides == 0 && (is_earlier_sending || was_lost)) {
    // It was not lost, only late. If a window twice as wide had known that, it was reordering that
    // wants a wider one (RFC 8985 section 6.2 step 4); if not, an acknowledgement got lost.
    const time_point sent = is_earlier_sending ? packet.first_sent : packet.last_sent;
    if (now - sent <= loss_delay() + reordering_window()) {
      reordering_ =
          static_cast<std::uint8_t>(std::min<int>(reordering_ + window_step_up, widest_window));
    }
    loss_ = std::max(loss_ - 1.0F / most_outcomes, 0.0F);
  } else if (is_repeated && reordering_ > usual_window) {
    --reordering_;
  }
  // Its own datagram got lost if it came with the first that it rode in, rather than before.
  const bool came_by_ride =
      packet.rides > 0 && !is_repeated && !was_lost && round_trip_.is_known() &&
      now - packet.first_sent >
          round_trip_.smoothed() + (packet.first_ride - packet.first_sent) / 2;
  count_outcome(came_by_ride);
}

void Recovery::finish_acknowledgements(time_point now) noexcept {
  if (batch_oldest_ < Age{0}) return;
  const auto length_of = [](Age age) { return std::chrono::duration_cast<duration>(age); };
  duration oldest = length_of(batch_oldest_);
  if (backoff_ > 0 && oldest > loss_delay() + timer_slack) {
    // Everything was sent again because of a timeout, and now something arrives that is older than
    // a round trip all the same: the peer is late, and the timeout was too early. (What RFC 5682
    // finds out of the first acknowledgements after one.) The peer's delay began before it.
    oldest += round_trip_.timeout();
  }
  if (batch_sample_ >= Age{0}) {
    round_trip_.add(length_of(batch_sample_), now);
    starved_since_ = no_deadline;
    backoff_ = 0;
  } else {
    // Packets that all left twice give no sample, and without one the timeout would double for
    // ever. The time since the first sending is too long at worst, and makes the next timeout late
    // enough for clean ones. Where a queue overflows that time grows with each repetition; the
    // timeout itself is the most that can be learned at once.
    starved_since_ = std::min(starved_since_, now);
    if (!round_trip_.is_known() || now - starved_since_ > round_trip_.timeout()) {
      round_trip_.set_bound(std::min(length_of(batch_any_), round_trip_.timeout()));
      starved_since_ = no_deadline;
      backoff_ = 0;
    }
  }
  round_trip_.add_oldest(oldest);
  probes_ = 0;
  detect_losses(now);

  DeliverySample sample;
  sample.bytes = delivery_rate_.bytes();
  sample.delivered = delivery_rate_.delivered();
  sample.smoothed_round_trip = round_trip_.smoothed();
  if (batch_sample_ >= Age{0}) sample.round_trip = length_of(batch_sample_);
  if (delivery_rate_.has_sample()) {
    sample.bytes_per_second =
        delivery_rate_.bytes_per_second(std::max<duration>(round_trip_.least(), 50us));
    sample.is_app_limited = delivery_rate_.is_app_limited();
    sample.delivered_before = delivery_rate_.delivered_before();
  }
  sample.in_flight = bytes_in_flight_;
  pacer_.on_delivery(now, sample);

  delivery_rate_.clear();
  batch_sample_ = batch_any_ = batch_oldest_ = none;
}

void Recovery::forget(Packet& packet) noexcept { take_out(packet); }

void Recovery::advance(time_point now) noexcept {
  detect_losses(now);
  if (in_flight_.is_empty()) return;
  if (now >= echo_deadline()) {
    is_echo_due_ = true;
    allowance_ = 1;
  }
  if (now >= probe_deadline()) {
    probe(now);
  } else if (now >= timeout_deadline()) {
    time_out(now);
  }
}

time_point Recovery::next_deadline(bool has_more) const noexcept {
  time_point deadline = no_deadline;
  if (const Packet* const oldest = in_flight_.first(); oldest != nullptr) {
    deadline = std::min({probe_deadline(), timeout_deadline(), echo_deadline()});
    if (oldest->last_sent < delivery_rate_.newest_sent()) {
      deadline = std::min(deadline, oldest->last_sent + loss_delay());
    }
  }
  if (has_more || first_lost() != nullptr) {
    deadline = std::min(deadline, pacer_.next_send(bytes_in_flight_, packets_in_flight_));
  }
  return deadline;
}

Recovery::Stats Recovery::stats() const noexcept {
  return {.smoothed_rtt = round_trip_.smoothed(),
          .rtt_variation = round_trip_.variation(),
          .min_rtt = round_trip_.least(),
          .rto = std::min(round_trip_.timeout() * (1 << backoff_), round_trip_.longest_timeout()),
          .sent = sent_,
          .resent = resent_,
          .lost = marked_lost_,
          .probes = probe_count_,
          .timeouts = timeout_count_,
          .acknowledged = acknowledged_};
}

PacketList& Recovery::list_of(const Packet& packet) noexcept {
  if (packet.state == Packet::State::in_flight) return in_flight_;
  return packet.transmissions > 1 ? lost_again_ : lost_;
}

void Recovery::take_out(Packet& packet) noexcept {
  if (echo_ == &packet) {
    echo_ = nullptr;
    is_echo_due_ = false;
  }
  list_of(packet).remove(packet);
  if (packet.state == Packet::State::in_flight) {
    bytes_in_flight_ -= packet.size;
    --packets_in_flight_;
  }
  if (first_lost() == nullptr) allowance_ = 0;
}

void Recovery::mark_lost(Packet& packet, time_point now) noexcept {
  take_out(packet);
  packet.state = Packet::State::lost;
  list_of(packet).push_back(packet);
  ++marked_lost_;
  pacer_.on_loss(now, packet.size);
}

// RFC 8985 section 6.2: lost is what left before a packet that has arrived, and is older than a
// round trip and the reordering window. The list is in order of sending, so the first that is not
// lost ends the search.
void Recovery::detect_losses(time_point now) noexcept {
  if (!round_trip_.is_known()) return;
  const duration delay = loss_delay();
  while (Packet* const oldest = in_flight_.first()) {
    if (oldest->last_sent >= delivery_rate_.newest_sent()) break;
    if (now - oldest->last_sent < delay) break;
    mark_lost(*oldest, now);
    count_outcome(true);
  }
}

// RFC 8985 section 7 repeats the newest packet, so that its acknowledgement shows what is missing
// before it. Here the oldest does that too: its own acknowledgement is of a later sending than
// all others, and a cumulative one if it was there already. And the oldest is what all else waits
// for.
void Recovery::probe(time_point now) noexcept {
  ++probes_;
  ++probe_count_;
  if (first_lost() == nullptr) {
    mark_lost(*in_flight_.first(), now);
    count_outcome(true);
  }
  allowance_ = 1;
}

// RFC 6298 section 5.4 to 5.6. What is lost leaves again under the pace, which allows little until
// something is acknowledged.
void Recovery::time_out(time_point now) noexcept {
  ++timeout_count_;
  if (backoff_ < most_doublings) ++backoff_;
  probes_ = most_probes;
  count_outcome(true);
  while (Packet* const oldest = in_flight_.first()) mark_lost(*oldest, now);
  pacer_.on_timeout(now);
}

// An average over about the last hundred, and at first over those that there are.
void Recovery::count_outcome(bool is_loss) noexcept {
  float share = 1.0F / most_outcomes;
  if (outcomes_ < most_outcomes) share = 1.0F / static_cast<float>(++outcomes_);
  loss_ += ((is_loss ? 1.0F : 0.0F) - loss_) * share;
}

bool Recovery::is_thin() const noexcept { return packets_in_flight_ < thin_packets; }

duration Recovery::reordering_window() const noexcept {
  const duration usual = std::max(2 * round_trip_.variation(), granularity);
  const duration most = std::max(round_trip_.smoothed(), granularity);
  return std::min(usual * reordering_ / usual_window, most);
}

duration Recovery::loss_delay() const noexcept {
  // The latest too, as in RFC 9002 section 6.1.2: a queue that grows outruns the average.
  return std::max(round_trip_.smoothed(), round_trip_.latest()) + reordering_window();
}

time_point Recovery::oldest_sent() const noexcept {
  const Packet& oldest = *in_flight_.first();
  return oldest.rides > 0 ? std::max(oldest.last_sent, oldest.first_ride) : oldest.last_sent;
}

time_point Recovery::probe_deadline() const noexcept {
  if (!round_trip_.is_known() || probes_ >= most_probes || allowance_ > 0) return no_deadline;
  time_point since = oldest_sent();
  // Of many that are under way, later ones tell sooner: silence is what counts.
  if (!is_thin()) since = std::max(since, delivery_rate_.delivered_at());
  const duration wait = round_trip_.smoothed() + round_trip_.lateness() +
                        std::max(2 * round_trip_.variation(), timer_slack);
  return since + std::max(wait, round_trip_.shortest_timeout());
}

// Everything behind it waits, and to learn that the repetition got lost too takes one more round
// trip: in a thin stream that, and not the first loss, is the longest delay of one in a hundred.
// An eighth of a round trip later, since losses come in bursts, and since the acknowledgement of
// what was not lost at all often comes within it.
time_point Recovery::echo_deadline() const noexcept {
  if (echo_ == nullptr || is_echo_due_) return no_deadline;
  return echo_->last_sent + std::max(round_trip_.smoothed() / 8, timer_slack);
}

time_point Recovery::timeout_deadline() const noexcept {
  const duration timeout =
      std::min(round_trip_.timeout() * (1 << backoff_), round_trip_.longest_timeout());
  return std::max(delivery_rate_.delivered_at(), oldest_sent()) + timeout;
}

}  // namespace muster::soe
