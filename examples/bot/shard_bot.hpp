// SPDX-License-Identifier: MIT
// Subscribers of a shard that send inputs, and look at all that comes.
#pragma once

#include "bot.hpp"
#include "options.hpp"
#include "shard_report.hpp"

#include <muster/time.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bot_program {

/// How old snapshots are when they come. Tick T leaves the server at T periods after some moment,
/// which the fastest of the last seconds shows; that one took half of the shortest round trip.
class SnapshotAge {
 public:
  void set_period(double nanoseconds) noexcept { period_ = nanoseconds; }
  void note_round_trip(std::uint64_t nanoseconds) noexcept;

  /// The age in nanoseconds of what came at `now`.
  [[nodiscard]] std::uint64_t of(std::uint64_t tick, std::uint64_t now) noexcept;

 private:
  // The shard's ticks may shift against the clock, so what was long ago does not count.
  static constexpr std::uint64_t window = 1'000'000'000;

  double period_ = 0;
  double half_trip_ = 0;
  std::optional<double> zero_;    // when tick 0 would have come, at the earliest: in this window
  std::optional<double> before_;  // and in the one before
  std::uint64_t window_end_ = 0;
};

/// A run against a shard of muster-shard's arena, with version 2 of the protocol in binary: connect
/// everybody, play, leave.
///
/// What is checked: that ticks, numbers of events and acknowledgements go up, that what a delta is
/// based on is there, and that pictures have the length that they say.
class ShardBot final : public Bot {
 public:
  ShardBot(const Options& options, Surroundings around);

  /// The dialer must be gone, so that no connection knows a player any more.
  ~ShardBot() override;

  void start() override;
  void stop() noexcept override { stop_wanted_ = true; }
  [[nodiscard]] int finish() override;

  void advance(muster::time_point now) override;
  [[nodiscard]] muster::time_point next_deadline() const noexcept override;

 private:
  class Seat;  // one subscriber

  enum class Phase : std::uint8_t { connecting, playing, leaving };

  struct Turn {
    muster::time_point at;
    Seat* seat;
    friend bool operator>(const Turn& a, const Turn& b) noexcept { return a.at > b.at; }
  };

  void fill_places();
  void place_taken(muster::time_point now);
  void begin_play(muster::time_point now);
  void take_turns(muster::time_point now);
  void show_line(muster::time_point now, double line_seconds) override;
  void begin_leaving(muster::time_point now);
  void gone(const Seat& seat, const muster::CloseInfo& info);

  Options options_;
  ShardTally tally_;
  SnapshotAge age_;
  double hz_ = 0;
  Phase phase_ = Phase::connecting;
  bool stop_wanted_ = false;
  std::vector<std::unique_ptr<Seat>> seats_;
  std::size_t dialled_ = 0;
  std::size_t ready_ = 0;    // those who have a snapshot
  std::size_t present_ = 0;  // those who have not ended
  std::priority_queue<Turn, std::vector<Turn>, std::greater<>> turns_;
  muster::time_point phase_deadline_ = muster::no_deadline;
  muster::time_point play_start_{};
  muster::time_point play_end_{};
};

}  // namespace bot_program
