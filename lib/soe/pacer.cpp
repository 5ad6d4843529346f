// SPDX-License-Identifier: MIT
// The model of the path, and the pace that follows from it.
#include "pacer.hpp"

#include <algorithm>
#include <limits>

namespace muster::soe {

namespace {

using namespace std::chrono_literals;

// Few packets are never held back: they are what a game sends, and no queue.
constexpr std::size_t free_packets = 8;

// Timers are a millisecond coarse. So a burst of that length leaves at once, and what a late timer
// missed is made up for, up to twice as much.
constexpr duration burst = 1ms;
constexpr duration credit = 2ms;

// What the peer has received but not acknowledged yet: 16 packets, or those of 2 ms. And what a
// window has to hold for timers at both ends. On loopback that is nearly all of it.
constexpr std::uint32_t acknowledged_together = 16;  // packets
constexpr double acknowledged_seconds = 0.002;
constexpr double timer_seconds = 0.002;

// BBR's gains. 2.77 (4 ln 2) is the smallest that doubles the rate in each round; its inverse lets
// the queue go in one.
constexpr double startup_gain = 2.77;
constexpr double window_gain = 2.0;

constexpr std::uint8_t rounds_of_rates = 4;  // in each of three, so that the largest holds 8 to 12
constexpr std::uint8_t rounds_of_cruise = 6;

// A whole cycle, with its round of letting go, in which no packet was as fast as the path once was.
constexpr std::uint8_t rounds_of_doubt = 10;

// Up to one lost packet in eight is a bad radio link or somebody else's burst, and slowing down
// would not help. More, while packets also take longer than without a queue, is our own overflow:
// the path became slower, and the largest rate of the last rounds does not know it yet.
constexpr double overflow_share = 0.125;
constexpr double most_random_loss = 0.5;

std::uint32_t to_micros(duration value) noexcept {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(value).count());
}

duration to_duration(double nanoseconds) noexcept {
  return duration{static_cast<duration::rep>(nanoseconds)};
}

}  // namespace

Pacer::Pacer(const Config& config, std::size_t datagram_size, time_point now) noexcept
    : next_send_(now),
      datagram_(static_cast<std::uint16_t>(datagram_size)),
      policy_(config.pacing) {
  if (policy_ == Pacing::fixed_rate) {
    nanoseconds_per_byte_ = static_cast<float>(1e9 / static_cast<double>(config.bytes_per_second));
    next_send_ -= most_credit();
  }
  round_least_ = std::numeric_limits<std::uint32_t>::max();
  update();
}

bool Pacer::may_send(time_point now, std::size_t bytes_in_flight,
                     std::size_t packets_in_flight) const noexcept {
  if (packets_in_flight < free_packets && policy_ != Pacing::fixed_rate) return true;
  // After a timeout nobody knows whether the path still exists: RFC 6298 section 5.4 repeats one
  // packet, and so few are hardly more.
  if (is_after_timeout_ && packets_in_flight >= free_packets) return false;
  return bytes_in_flight < window() &&
         (policy_ == Pacing::fixed_window || next_send_ <= now + burst);
}

time_point Pacer::next_send(std::size_t bytes_in_flight,
                            std::size_t packets_in_flight) const noexcept {
  if (is_after_timeout_ && packets_in_flight >= free_packets) return no_deadline;
  return bytes_in_flight < window() ? next_send_ : no_deadline;
}

// What may be made up for after a pause.
duration Pacer::most_credit() const noexcept {
  if (policy_ != Pacing::fixed_rate) return credit;
  // What is sent seldom leaves at once here too, but is paid for.
  const double few =
      static_cast<double>(free_packets * datagram_) * static_cast<double>(nanoseconds_per_byte_);
  return std::max(credit, to_duration(few));
}

void Pacer::on_sent(time_point now, std::size_t bytes, std::size_t) noexcept {
  if (policy_ == Pacing::fixed_window) return;
  duration most_credit = credit;
  if (policy_ == Pacing::fixed_rate) {
    // What is sent seldom leaves at once here too, but is paid for.
    const double few =
        static_cast<double>(free_packets * datagram_) * static_cast<double>(nanoseconds_per_byte_);
    most_credit = std::max(most_credit, to_duration(few));
  }
  next_send_ = std::max(next_send_, now - most_credit) +
               to_duration(static_cast<double>(bytes) * static_cast<double>(nanoseconds_per_byte_));
  // Packets that left without asking, being few, hold back later ones for a round trip at most.
  if (policy_ == Pacing::model) {
    next_send_ = std::min(next_send_, now + burst + std::chrono::microseconds{base_});
  }
}

void Pacer::on_delivery(time_point, const DeliverySample& sample) noexcept {
  is_after_timeout_ = false;
  if (policy_ == Pacing::fixed_window && window_ != 0) {
    window_ += static_cast<std::uint32_t>(
        std::min<std::size_t>(sample.bytes, std::numeric_limits<std::uint32_t>::max() - window_));
  }
  if (policy_ != Pacing::model) return;
  // Smoothed, since a single packet that overtook all others tells of no path. It is never raised
  // but by `Phase::probe_base`.
  if (sample.smoothed_round_trip > 0s) {
    const std::uint32_t smoothed = to_micros(sample.smoothed_round_trip);
    base_ = base_ == 0 ? smoothed : std::min(base_, smoothed);
  }
  if (sample.round_trip > 0s) {
    round_least_ = std::min(round_least_, to_micros(sample.round_trip));
    if (samples_ < 255) ++samples_;
  }
  // What an application sends that has not more to send tells how much passes at least. Only rounds
  // that were full forget older rates, so it lowers nothing.
  const auto measured = static_cast<float>(sample.bytes_per_second);
  round_rate_ = std::max(round_rate_, measured);
  rates_[0] = std::max(rates_[0], measured);
  if (sample.bytes_per_second > 0 && sample.delivered_before >= round_end_) end_round(sample);
  if ((phase_ == Phase::drain || phase_ == Phase::probe_down) && sample.in_flight <= product()) {
    enter(phase_ == Phase::drain ? Phase::probe_up : Phase::cruise);
  }
  update();
}

void Pacer::on_loss(time_point, std::size_t bytes) noexcept {
  lost_ += static_cast<std::uint32_t>(bytes);
}

// A fixed window that was too much for the path is too much for it again. So it starts anew, as
// after a timeout of RFC 5681 section 3.1, and grows by what arrives until it is no limit.
void Pacer::on_timeout(time_point) noexcept {
  is_after_timeout_ = true;
  if (policy_ == Pacing::fixed_window) {
    window_ = static_cast<std::uint32_t>(free_packets * datagram_);
  }
}

std::size_t Pacer::window() const noexcept {
  const bool is_limited = policy_ == Pacing::model || window_ != 0;
  return is_limited ? window_ : std::numeric_limits<std::size_t>::max();
}

double Pacer::bytes_per_second() const noexcept {
  return nanoseconds_per_byte_ > 0 ? 1e9 / static_cast<double>(nanoseconds_per_byte_) : 0;
}

double Pacer::rate() const noexcept {
  return static_cast<double>(std::max({rates_[0], rates_[1], rates_[2]}));
}

// What is on its way, and with its acknowledgements, when the path is just full.
std::size_t Pacer::product() const noexcept {
  const double together = std::min(static_cast<double>(acknowledged_together * datagram_),
                                   rate() * acknowledged_seconds);
  return static_cast<std::size_t>(rate() * base_ * 1e-6 + together) + 2 * std::size_t{datagram_};
}

void Pacer::end_round(const DeliverySample& sample) noexcept {
  const double arrived = static_cast<double>(sample.delivered - round_end_);
  const bool overflows = has_queue() && lost_ > overflow_share * (lost_ + arrived);
  if (!sample.is_app_limited) {
    if (overflows) {
      rates_ = {round_rate_, 0, 0};
      rounds_in_rates_ = 0;
    } else if (++rounds_in_rates_ >= rounds_of_rates) {
      rates_ = {0, rates_[0], rates_[1]};
      rounds_in_rates_ = 0;
    }
  }
  if (rounds_in_phase_ < 255) ++rounds_in_phase_;
  if (!has_queue() || sample.is_app_limited) {
    rounds_with_queue_ = 0;
  } else if (rounds_with_queue_ < 255) {
    ++rounds_with_queue_;
  }
  switch (phase_) {
    case Phase::startup:
      if (sample.is_app_limited) break;
      if (rate() >= 1.25 * static_cast<double>(full_rate_)) {
        full_rate_ = static_cast<float>(rate());
        rounds_without_growth_ = 0;
        if (!overflows) break;
      }
      // Three rounds without growth, as BBR; one is enough when a queue shows, as in RFC 9406.
      if (++rounds_without_growth_ >= 3 || has_queue()) enter(Phase::drain);
      break;
    case Phase::drain:
      if (rounds_in_phase_ >= 3) enter(Phase::probe_up);
      break;
    case Phase::probe_up:
      enter(Phase::probe_down);
      break;
    case Phase::probe_down:
      if (rounds_in_phase_ >= 3) enter(Phase::cruise);
      break;
    case Phase::cruise:
      if (!has_queue()) {
        random_loss_ = static_cast<float>(std::min(lost_ / (lost_ + arrived), most_random_loss));
      }
      if (rounds_with_queue_ >= rounds_of_doubt) {
        enter(Phase::probe_base);
      } else if (rounds_in_phase_ >= rounds_of_cruise) {
        enter(Phase::probe_up);
      }
      break;
    case Phase::probe_base:
      // The first round empties the queue, the second shows what is left. That is either a longer
      // path, or somebody else's queue that does not go away for our sake.
      if (rounds_in_phase_ < 2) break;
      base_ = to_micros(sample.smoothed_round_trip);
      enter(Phase::probe_up);
      break;
  }
  round_end_ = sample.delivered;
  round_rate_ = 0;
  round_least_ = std::numeric_limits<std::uint32_t>::max();
  samples_ = 0;
  lost_ = 0;
}

// Whether even the fastest packet of a round took longer than usual: RFC 9406's sign, with its
// bounds of 4 and 16 ms and its eight samples. The two packets that `product` allows for are no
// queue either, and take long on a slow path.
bool Pacer::has_queue() const noexcept {
  if (samples_ < 8) return false;
  const double two_packets = 2e6 * datagram_ / std::max(rate(), 1.0);
  const double more = std::clamp(base_ / 8.0, 4000.0, 16000.0) + two_packets;
  return round_least_ > base_ + more;
}

void Pacer::enter(Phase phase) noexcept {
  phase_ = phase;
  rounds_in_phase_ = 0;
  if (phase == Phase::probe_base) rounds_with_queue_ = 0;
}

void Pacer::update() noexcept {
  if (policy_ != Pacing::model) return;
  // RFC 9002 section 7.2: ten datagrams, or 14,720 bytes if they are small.
  const double initial_window = std::max(10U * datagram_, 14720U);
  double gain = 1;
  if (phase_ == Phase::startup) gain = startup_gain;
  if (phase_ == Phase::drain) gain = 1 / startup_gain;
  // A quarter more has to arrive, or losses of a fifth would hide that there is more.
  if (phase_ == Phase::probe_up) gain = 1.25 / (1.0 - static_cast<double>(random_loss_));
  if (phase_ == Phase::probe_down) gain = 0.75;
  double pace = gain * rate();
  double window = window_gain * static_cast<double>(product()) + rate() * timer_seconds;
  if (phase_ == Phase::probe_base) window = static_cast<double>(product()) / 2;
  if (phase_ == Phase::startup) {
    // Before anything but trifles was sent, the start is that of a new session.
    const double seconds = std::max(base_ * 1e-6, 0.001);
    pace = std::max(pace, gain * initial_window / seconds);
    window = std::max(window, initial_window);
  }
  nanoseconds_per_byte_ = static_cast<float>(1e9 / pace);
  window_ = static_cast<std::uint32_t>(std::min(window, 4e9));
}

}  // namespace muster::soe
