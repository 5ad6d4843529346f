// SPDX-License-Identifier: MIT
#include <muster/shard/tick_clock.hpp>

#include <algorithm>

namespace muster::shard {

namespace {

constexpr std::uint64_t second = 1'000'000'000;

}  // namespace

TickClock::TickClock(std::uint32_t hz, CatchUp catch_up, time_point start) noexcept
    : hz_(hz), catch_up_(catch_up), start_(start), deadline_(start), last_taken_(start) {}

// In two parts, which cannot overflow in this life, nor round.
duration TickClock::offset_of(std::uint64_t tick) const noexcept {
  return duration{static_cast<duration::rep>(tick / hz_ * second + tick % hz_ * second / hz_)};
}

duration TickClock::take(time_point now) noexcept {
  const duration interval = offset_of(1);
  lag_ = std::max(now - deadline_, duration{0});
  if (lag_ >= interval) {
    const auto due = static_cast<std::uint64_t>(lag_ / interval) + 1;
    if (catch_up_.kind != CatchUp::Kind::skip) {
      // The schedule begins anew with this tick.
      start_ += lag_;
      deadline_ += lag_;
    } else if (due > catch_up_.most) {
      // The latest of those that are due, on the schedule as it was.
      skipped_ += due - catch_up_.most;
      next_ += due - catch_up_.most;
    }
  }
  duration covered = offset_of(next_ + 1) - offset_of(next_);
  if (catch_up_.kind == CatchUp::Kind::variable) {
    covered = has_taken_ ? now - last_taken_ : duration{0};
  }
  if (has_taken_) {
    // A second's worth of ticks, so that one late tick is no trend.
    const double factor = static_cast<double>((now - last_taken_).count()) /
                          static_cast<double>(std::max<duration::rep>(covered.count(), 1));
    dilation_ += (factor - dilation_) / static_cast<double>(hz_);
  }
  has_taken_ = true;
  last_taken_ = now;
  ++next_;
  set_deadline();
  return covered;
}

}  // namespace muster::shard
