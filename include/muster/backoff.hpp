// SPDX-License-Identifier: MIT
// How long to wait before the next attempt to connect.
#pragma once

#include <muster/entropy.hpp>
#include <muster/time.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>

namespace muster {

/// Exponential backoff with full jitter: attempt n waits anything between nothing and
/// first * 2^n, at most `longest`. So thousands of clients that lost one server do not come back at
/// once.
///
///     Backoff backoff{config, entropy};
///     backoff.went_up(now);          // connected
///     backoff.went_down(now);        // lost; a connection that held long enough starts over
///     retry_at = now + backoff.next();
///
/// @threads distinct objects: safe; shared objects: unsafe
class Backoff {
 public:
  struct Config {
    duration first = std::chrono::milliseconds{500};  ///< bound of the first wait, 1 ms to 1 min
    duration longest = std::chrono::seconds{30};      ///< bound of every wait, `first` to 1 h

    /// A connection that held for this long starts the attempts over, 0 to 1 h.
    duration reset_after = std::chrono::seconds{10};
  };

  /// @param config   valid
  Backoff(const Config& config, Entropy& entropy) noexcept : config_(config), entropy_(&entropy) {}

  [[nodiscard]] static constexpr bool is_valid(const Config& config) noexcept {
    using namespace std::chrono_literals;
    return config.first >= 1ms && config.first <= 1min && config.longest >= config.first &&
           config.longest <= 1h && config.reset_after >= 0s && config.reset_after <= 1h;
  }

  /// The longest that attempt `attempt` may wait, counted from 0.
  [[nodiscard]] duration bound(std::uint32_t attempt) const noexcept {
    duration bound = config_.first;
    for (; attempt != 0 && bound < config_.longest; --attempt) bound *= 2;
    return std::min(bound, config_.longest);
  }

  /// Draws the wait before attempt `attempt`, from 0 to `bound(attempt)`, both included. Does not
  /// count.
  [[nodiscard]] duration next(std::uint32_t attempt) const noexcept {
    const auto range = static_cast<std::uint64_t>(bound(attempt).count()) + 1;
    return duration{static_cast<duration::rep>(entropy_->next_u64() % range)};
  }

  /// Draws the wait before the next attempt, and counts that attempt.
  [[nodiscard]] duration next() noexcept {
    const duration wait = next(attempt_);
    if (attempt_ != UINT32_MAX) ++attempt_;
    return wait;
  }

  /// Attempts counted since the last reset.
  [[nodiscard]] std::uint32_t attempt() const noexcept { return attempt_; }

  void reset() noexcept { attempt_ = 0; }

  /// The connection is of use from now on.
  void went_up(time_point now) noexcept { up_since_ = now; }

  /// The connection ended. Does nothing if it was not up.
  void went_down(time_point now) noexcept {
    if (up_since_ && now - *up_since_ >= config_.reset_after) reset();
    up_since_.reset();
  }

 private:
  Config config_;
  Entropy* entropy_;
  std::optional<time_point> up_since_;
  std::uint32_t attempt_ = 0;
};

}  // namespace muster
