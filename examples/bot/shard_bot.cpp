// SPDX-License-Identifier: MIT
// The phases of a run, and what a subscriber checks.
#include "shard_bot.hpp"

#include <muster/bytes.hpp>
#include <muster/frame.hpp>
#include <muster/shard/v2_message.hpp>
#include <muster/wire/byte_reader.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <deque>

namespace bot_program {

namespace {

using namespace std::chrono_literals;
using muster::byte_view;
using muster::duration;
using muster::time_point;
namespace v2 = muster::shard::v2;

constexpr duration connect_limit = 15s;  // for everybody together, plus 1 ms for each
constexpr duration leave_limit = 5s;
constexpr std::uint64_t clock_interval_ns = 500'000'000;
constexpr std::size_t most_dialling = 100;      // at the same time: a listener's backlog is finite
constexpr std::size_t remembered_ticks = 1024;  // what a delta may be based on

// A picture of the arena: cell:u8, bodies:u16 of 11 bytes each, shots:u16 of 8 bytes each.
bool is_picture(byte_view payload) noexcept {
  muster::wire::ByteReader in{payload};
  in.skip(1);
  in.skip(std::size_t{in.u16_le()} * 11);
  in.skip(std::size_t{in.u16_le()} * 8);
  return in.ok() && in.is_at_end();
}

// What has changed: cell:u8, gone:u16 of 2 bytes each, bodies:u16 with a byte that says which
// fields follow, shots:u16 of 8 bytes each.
bool is_change(byte_view payload) noexcept {
  muster::wire::ByteReader in{payload};
  in.skip(1);
  in.skip(std::size_t{in.u16_le()} * 2);
  for (unsigned left = in.u16_le(); left > 0 && in.ok(); --left) {
    in.skip(2);
    const std::uint8_t fields = in.u8();
    if (fields == 0 || fields > 31) return false;
    for (const unsigned bit : {1U, 2U, 4U, 16U}) in.skip((fields & bit) != 0 ? 2 : 0);
    in.skip((fields & 8U) != 0 ? 1 : 0);
  }
  in.skip(std::size_t{in.u16_le()} * 8);
  return in.ok() && in.is_at_end();
}

}  // namespace

void SnapshotAge::note_round_trip(std::uint64_t nanoseconds) noexcept {
  const double half = static_cast<double>(nanoseconds) / 2;
  half_trip_ = half_trip_ == 0 ? half : std::min(half_trip_, half);
}

std::uint64_t SnapshotAge::of(std::uint64_t tick, std::uint64_t now) noexcept {
  if (now >= window_end_) {
    before_ = std::exchange(zero_, std::nullopt);
    window_end_ = now + window;
  }
  const double zero = static_cast<double>(now) - static_cast<double>(tick) * period_;
  zero_ = zero_ ? std::min(*zero_, zero) : zero;
  const double earliest = before_ ? std::min(*before_, *zero_) : *zero_;
  return static_cast<std::uint64_t>(zero - earliest + half_trip_);
}

// Walks about, aims somewhere and fires, and looks at what comes.
class ShardBot::Seat final : public muster::Service {
 public:
  Seat(ShardBot& bot, std::uint32_t number) : bot_(&bot), number_(number) {}

  void dial() {
    const std::string sid = "&sid=bot-" + std::to_string(number_);
    id_ = bot_->dialer().dial({.url = bot_->options_.shard + sid + "&v=2&format=binary"}, *this);
  }

  void leave() {
    if (connection_ != nullptr) {
      connection_->close(muster::CloseReason::finished);
    } else if (auto* const dialling = bot_->loop().outbox().find(id_)) {
      dialling->close(muster::CloseReason::finished);
    }
  }

  void take_turn() {
    if (connection_ == nullptr || !has_snapshot_) return;
    // x:i8 y:i8 aim:u16 buttons:u8
    if (sent_ % 16 == 0) {
      const std::uint64_t dice = bot_->entropy().next_u64();
      for (std::size_t i = 0; i < 4; ++i) input_[i] = static_cast<std::byte>(dice >> (8 * i));
      input_[4] = static_cast<std::byte>(dice >> 40U & 1U);
    }
    v2::Input input{.client_seq = sent_ + 1, .last_received_tick = newest_, .payload = input_};
    words_.clear();
    v2::encode(input, words_);
    if (connection_->send({words_}) != muster::SendStatus::queued) {
      ++bot_->tally_.unsent;
      return;
    }
    waiting_.push_back({++sent_, clock_ns()});
    ++bot_->tally_.inputs;
    if (number_ == 1) ask_clock();
  }

  void on_open(muster::Connection& connection, time_point) override {
    connection_ = &connection;
    ++bot_->tally_.connections;
  }

  void on_message(muster::Connection&, const muster::Message& message, time_point now) override {
    ShardTally& tally = bot_->tally_;
    tally.bytes += message.bytes.size();
    const auto decoded = v2::decode_server_message(message.bytes);
    if (message.kind != muster::MessageKind::binary || !decoded) {
      ++tally.wrong;
      return;
    }
    const bool is_first = !std::exchange(has_hello_, true);
    const auto take = [&](const auto& said) { on(said, now); };
    if (is_first != std::holds_alternative<v2::Hello>(*decoded)) ++tally.wrong;
    std::visit(take, *decoded);
  }

  void on_close(muster::Connection&, const muster::CloseInfo& info, time_point) override {
    connection_ = nullptr;
    bot_->gone(*this, info);
  }

  [[nodiscard]] std::string name() const { return "player " + std::to_string(number_); }

 private:
  struct Sent {
    std::uint64_t seq;
    std::uint64_t at_ns;
  };

  void on(const v2::Hello& hello, time_point) {
    if (hello.format != muster::shard::Format::binary || hello.rate_mhz == 0) {
      ++bot_->tally_.wrong;
      return;
    }
    bot_->hz_ = static_cast<double>(hello.rate_mhz) / 1000;
    bot_->age_.set_period(1e9 / bot_->hz_);
  }

  void on(const v2::Full& full, time_point now) {
    if (!is_picture(full.payload)) ++bot_->tally_.wrong;
    came(full.tick, now);
  }
  void on(const v2::Delta& delta, time_point now) {
    ++bot_->tally_.deltas;
    if (!is_change(delta.payload)) ++bot_->tally_.wrong;
    check_base(delta.base_tick);
    came(delta.tick, now);
  }
  void on(const v2::Unchanged& same, time_point now) {
    ++bot_->tally_.unchanged;
    check_base(same.base_tick);
    came(same.tick, now);
  }

  void on(const v2::Event& event, time_point) {
    ++bot_->tally_.events;
    if (event.sequence != ++events_) ++bot_->tally_.wrong;
  }

  void on(const v2::InputAck& ack, time_point) {
    const std::uint64_t seq = ack.client_seq.value_or(0);
    if (seq < acked_ || seq > sent_) ++bot_->tally_.wrong;
    acked_ = seq;
    const std::uint64_t now = clock_ns();
    while (!waiting_.empty() && waiting_.front().seq <= seq) {
      bot_->tally_.recent_reply.record(now - waiting_.front().at_ns);
      ++bot_->tally_.applied;
      waiting_.pop_front();
    }
  }

  void on(const v2::Nack& nack, time_point) {
    ++bot_->tally_.refused;
    std::erase_if(waiting_, [&nack](const Sent& sent) { return sent.seq == nack.client_seq; });
  }

  void on(const v2::ClockReply& reply, time_point) {
    bot_->age_.note_round_trip(clock_ns() - reply.t0);
  }

  void on(const v2::Bye&, time_point) {}

  void came(std::uint64_t tick, time_point now) {
    ShardTally& tally = bot_->tally_;
    // The first may show the state as it was when somebody joined; the tick is then seen again.
    if (has_snapshot_ && tick <= newest_) {
      ++tally.wrong;
      return;
    }
    if (has_snapshot_) tally.skipped += tick - newest_ - 1;
    newest_ = tick;
    known_[tick % known_.size()] = tick;
    ++tally.snapshots;
    if (!std::exchange(has_snapshot_, true)) {
      bot_->place_taken(now);
    } else {
      tally.recent_age.record(bot_->age_.of(tick, clock_ns()));
    }
  }

  void check_base(std::uint64_t tick) {
    if (tick == 0 || known_[tick % known_.size()] != tick) ++bot_->tally_.wrong;
  }

  void ask_clock() {
    const std::uint64_t now = clock_ns();
    if (now < next_clock_) return;
    next_clock_ = now + clock_interval_ns;
    words_.clear();
    v2::encode(v2::ClockQuery{now}, words_);
    (void)connection_->send({words_});
  }

  ShardBot* bot_;
  std::uint32_t number_;
  muster::ConnectionId id_;
  muster::Connection* connection_ = nullptr;
  bool has_hello_ = false;
  bool has_snapshot_ = false;
  std::uint64_t newest_ = 0;  // tick
  std::uint64_t events_ = 0;
  std::uint64_t sent_ = 0;
  std::uint64_t acked_ = 0;
  std::uint64_t next_clock_ = 0;
  std::deque<Sent> waiting_;  // inputs that no acknowledgement has covered
  std::array<std::uint64_t, remembered_ticks> known_{};  // ticks, by their remainder
  std::array<std::byte, 5> input_{};
  std::vector<std::byte> words_;
};

ShardBot::ShardBot(const Options& options, Surroundings around)
    : Bot(std::move(around), options.json), options_(options) {
  for (std::uint32_t i = 1; i <= options_.players; ++i) {
    seats_.push_back(std::make_unique<Seat>(*this, i));
  }
}

ShardBot::~ShardBot() = default;

void ShardBot::start() {
  const time_point now = std::chrono::steady_clock::now();
  phase_deadline_ = now + connect_limit + 1ms * seats_.size();
  begin_lines(now);
  fill_places();
  loop().add(*this);
}

void ShardBot::fill_places() {
  while (phase_ == Phase::connecting && dialled_ < seats_.size() &&
         dialled_ - ready_ < most_dialling) {
    ++present_;
    seats_[dialled_++]->dial();
  }
}

void ShardBot::place_taken(time_point now) {
  ++ready_;
  fill_places();
  if (ready_ == seats_.size() && phase_ == Phase::connecting) begin_play(now);
}

void ShardBot::begin_play(time_point now) {
  phase_ = Phase::playing;
  play_start_ = now;
  begin_lines(now);
  phase_deadline_ = muster::no_deadline;
  if (options_.duration_seconds > 0) {
    phase_deadline_ = now + std::chrono::duration_cast<duration>(
                                std::chrono::duration<double>{options_.duration_seconds});
  }
  // What came while others were joining is not counted.
  tally_.snapshots = tally_.deltas = tally_.unchanged = tally_.skipped = tally_.bytes = 0;
  tally_.recent_age = {};
  if (options_.rate <= 0) return;
  // Everybody begins at another moment of the period.
  const auto period = std::chrono::duration<double>{1 / options_.rate};
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    const auto share = period * (static_cast<double>(i) / static_cast<double>(seats_.size()));
    turns_.push({now + std::chrono::duration_cast<duration>(share), seats_[i].get()});
  }
}

void ShardBot::take_turns(time_point now) {
  const auto period =
      std::chrono::duration_cast<duration>(std::chrono::duration<double>{1 / options_.rate});
  while (!turns_.empty() && turns_.top().at <= now) {
    Turn turn = turns_.top();
    turns_.pop();
    turn.seat->take_turn();
    // What was missed is not made up for: the server would refuse too many at once.
    turn.at = std::max(turn.at + period, now - period);
    turns_.push(turn);
  }
}

void ShardBot::show_line(time_point now, double line_seconds) {
  if (phase_ == Phase::connecting) {
    screen().live("connecting: " + std::to_string(ready_) + " of " + std::to_string(seats_.size()) +
                  " players are there");
  } else if (phase_ == Phase::playing) {
    screen().live(live_line(tally_, seconds(now - play_start_), line_seconds));
  }
}

void ShardBot::advance(time_point now) {
  if (is_over()) return;
  if (phase_ == Phase::playing) take_turns(now);
  show_due_line(now);
  switch (phase_) {
    case Phase::connecting:
      if (phase_deadline_ <= now) note_problem("not all players found their place in time");
      if (stop_wanted_) note_problem("stopped before all players were there");
      if (has_problem()) begin_leaving(now);
      return;
    case Phase::playing:
      if (stop_wanted_ || has_problem() || phase_deadline_ <= now) begin_leaving(now);
      return;
    case Phase::leaving:
      if (phase_deadline_ <= now) end();
      return;
  }
}

time_point ShardBot::next_deadline() const noexcept {
  if (is_over()) return muster::no_deadline;
  if (phase_ <= Phase::playing && (stop_wanted_ || has_problem())) return time_point::min();
  const time_point next = std::min(phase_deadline_, next_line());
  if (phase_ != Phase::playing || turns_.empty()) return next;
  return std::min(next, turns_.top().at);
}

void ShardBot::begin_leaving(time_point now) {
  if (phase_ == Phase::playing) play_end_ = now;
  phase_ = Phase::leaving;
  end_lines();
  phase_deadline_ = now + leave_limit;
  for (std::size_t i = 0; i < dialled_; ++i) seats_[i]->leave();
  if (present_ == 0) end();
}

void ShardBot::gone(const Seat& seat, const muster::CloseInfo& info) {
  --present_;
  if (phase_ == Phase::leaving) {
    if (present_ == 0) end();
    return;
  }
  ++tally_.breaks;
  note_problem(seat.name() + " is out (" + std::string{to_string(info.reason)} + " " +
               std::to_string(info.code) + "): " + std::string{info.text});
}

int ShardBot::finish() {
  const bool has_played = play_end_ != time_point{};
  tally_.fold();
  const double span = seconds(play_end_ - play_start_);
  if (options_.json) {
    screen().print(json_line(tally_, options_.players, hz_, span) + "\n");
  } else if (has_played) {
    screen().print(summary(tally_, options_.players, hz_, span));
  }
  print_problem();
  return has_played && !has_problem() && tally_.is_clean() ? 0 : 1;
}

}  // namespace bot_program
