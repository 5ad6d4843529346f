// SPDX-License-Identifier: MIT
// When a shard's ticks are due, and how much time each covers.
#pragma once

#include <muster/export.hpp>
#include <muster/time.hpp>

#include <cstdint>

namespace muster::shard {

/// What happens to ticks that could not run in time.
struct CatchUp {
  enum class Kind : std::uint8_t {
    skip,      ///< at most `most` run at once, and the rest never
    dilate,    ///< none run at once and none is left out: the shard's time runs slower
    variable,  ///< none run at once, and a tick covers the time that has passed
  };
  Kind kind = Kind::skip;
  std::uint16_t most = 2;  ///< for `skip`: 1 to 1000

  [[nodiscard]] static constexpr CatchUp skip() noexcept { return {Kind::skip, 2}; }
  [[nodiscard]] static constexpr CatchUp burst(std::uint16_t most) noexcept {
    return {Kind::skip, most};
  }
  [[nodiscard]] static constexpr CatchUp dilate() noexcept { return {Kind::dilate, 1}; }
  [[nodiscard]] static constexpr CatchUp variable() noexcept { return {Kind::variable, 1}; }
  friend bool operator==(const CatchUp&, const CatchUp&) = default;
};

/// The schedule of ticks: tick k is due at start + k / rate, rounded down to a nanosecond, and
/// covers the time until the next. So an hour of 60 Hz has exactly 216,000 ticks, and they cover an
/// hour: nothing drifts.
///
///     while (clock.is_due(now)) simulation.step(clock.take(now));
///
/// @threads distinct objects: safe; shared objects: unsafe
class MUSTER_API TickClock {
 public:
  /// @param hz      ticks in a second, 1 to 1000
  /// @param start   when the first is due
  TickClock(std::uint32_t hz, CatchUp catch_up, time_point start) noexcept;

  /// When the next tick is due.
  [[nodiscard]] time_point deadline() const noexcept { return deadline_; }
  [[nodiscard]] bool is_due(time_point now) const noexcept { return deadline_ <= now; }

  /// Takes the next tick, which is due.
  /// @return the time that it covers; never negative
  [[nodiscard]] duration take(time_point now) noexcept;

  /// Ticks that never ran.
  [[nodiscard]] std::uint64_t skipped() const noexcept { return skipped_; }

  /// How much slower than the clock the shard's time has run, over about the last second: 1 is not
  /// slower, 2 is half as fast.
  [[nodiscard]] double dilation() const noexcept { return dilation_ < 1 ? 1 : dilation_; }

  /// How late the tick was that was taken last.
  [[nodiscard]] duration lag() const noexcept { return lag_; }

 private:
  [[nodiscard]] duration offset_of(std::uint64_t tick) const noexcept;
  void set_deadline() noexcept { deadline_ = start_ + offset_of(next_); }

  std::uint32_t hz_;
  CatchUp catch_up_;
  time_point start_;        // when tick 0 was due, if all had been in time
  std::uint64_t next_ = 0;  // on the schedule
  time_point deadline_;     // of it
  time_point last_taken_;   // for `variable` and the dilation
  std::uint64_t skipped_ = 0;
  double dilation_ = 1;
  duration lag_{0};
  bool has_taken_ = false;
};

}  // namespace muster::shard
