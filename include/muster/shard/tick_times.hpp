// SPDX-License-Identifier: MIT
// What the ticks of a loop's shards spend their time on, and how late they begin.
#pragma once

#include <muster/duration_histogram.hpp>
#include <muster/export.hpp>
#include <muster/time.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace muster::shard {

/// A clock that is read while something runs, to measure it. Shards have none of their own: a
/// program that wants to know how long ticks take gives their registry one.
class MUSTER_API Stopwatch {
 public:
  /// On the clock of the times that the registry is advanced to, and never before it.
  [[nodiscard]] virtual time_point read() noexcept = 0;

 protected:
  ~Stopwatch() = default;
};

/// The parts of a tick.
enum class TickPhase : std::uint8_t {
  apply,    ///< inputs, joins and leaves reach the simulation
  step,     ///< it moves
  view,     ///< who sees what, and the snapshots that deltas are made of
  encode,   ///< snapshots and deltas become bytes
  publish,  ///< they are queued for each subscriber, and so are events
};
inline constexpr std::size_t tick_phase_count = 5;

/// "apply", "step" ... as metrics name them.
[[nodiscard]] MUSTER_API std::string_view to_string(TickPhase phase) noexcept;

/// Measures the ticks of shards that run one after the other.
///
/// Reading the stopwatch costs two calls for each snapshot that is encoded, and, in a game with
/// view keys, two for each subscriber.
/// @threads distinct objects: safe; shared objects: unsafe
class MUSTER_API TickTimes {
 public:
  struct Stats {
    std::array<DurationHistogram, tick_phase_count> phases{};  ///< each once in a tick
    DurationHistogram lag{};  ///< how late ticks began that are due at a time

    Stats& operator+=(const Stats& other) noexcept;
  };

  /// @param stopwatch   null: only the lag is measured, by the times that shards are advanced to
  void set_stopwatch(Stopwatch* stopwatch) noexcept { stopwatch_ = stopwatch; }

  /// A tick begins with `apply`.
  void begin() noexcept;

  /// It was due at a time.
  /// @param now   the time that its shard is advanced to
  /// @param lag   how late it is by that
  void late(time_point now, duration lag) noexcept;

  /// The tick goes on with another phase. Nothing happens between two ticks.
  void enter(TickPhase phase) noexcept {
    if (is_running_) change(phase);
  }
  void end() noexcept;

  [[nodiscard]] const Stats& stats() const noexcept { return stats_; }

 private:
  void change(TickPhase phase) noexcept;

  Stopwatch* stopwatch_ = nullptr;
  Stats stats_;
  std::array<duration, tick_phase_count> spent_{};  // in the running tick
  time_point read_{};                               // when the phase began
  TickPhase phase_ = TickPhase::apply;
  bool is_running_ = false;  // a tick runs, and there is a stopwatch
};

}  // namespace muster::shard
