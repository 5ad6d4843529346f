// SPDX-License-Identifier: MIT
// How fast a peer may send.
#pragma once

#include <muster/time.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace muster {

/// The rates that a peer must keep to, and how much it may send at once after a silence.
struct RateLimit {
  std::uint32_t messages_per_second = 0;  ///< up to 1 million; 0: no limit
  std::uint32_t bytes_per_second = 0;     ///< 0: no limit

  /// How much of both may come at once: what the rates allow in this time. 1 ms to 1 h.
  duration burst = std::chrono::seconds{2};
};

[[nodiscard]] constexpr bool is_valid(const RateLimit& limit) noexcept {
  using namespace std::chrono_literals;
  return limit.messages_per_second <= 1'000'000 && limit.burst >= 1ms && limit.burst <= 1h;
}

/// What one peer has sent of late, measured against a `RateLimit` that many peers share.
///
///     if (!member.meter.take(message.size(), now, config.rate)) return drop(message);
///
/// A token bucket for messages and one for bytes. They start full, and fill while nobody looks:
/// each is kept as the time at which it is full again. A message that is more than a full bucket
/// holds is taken when the bucket is full, and then paid for in time: a limit of bytes delays large
/// messages and bars none.
/// @threads distinct objects: safe; shared objects: unsafe
class RateMeter {
 public:
  /// Counts a message, if it is within both rates. False, and nothing counted, if it is not.
  /// @param size    bytes, any
  /// @param limit   valid; may change between two calls
  [[nodiscard]] bool take(std::size_t size, time_point now, const RateLimit& limit) noexcept {
    const std::int64_t at = now.time_since_epoch().count();
    const std::uint64_t messages = owed(messages_full_at_, at);
    const std::uint64_t bytes = owed(bytes_full_at_, at);
    const std::uint64_t message_cost = cost(1, limit.messages_per_second);
    const std::uint64_t byte_cost = cost(size, limit.bytes_per_second);
    const auto burst = static_cast<std::uint64_t>(limit.burst.count());
    if (!is_within(messages, message_cost, burst) || !is_within(bytes, byte_cost, burst)) {
      return false;
    }
    messages_full_at_ = later(at, messages + message_cost);
    bytes_full_at_ = later(at, bytes + byte_cost);
    return true;
  }

 private:
  static constexpr std::uint64_t second = 1'000'000'000;
  // Longer than any clock runs, and small enough for the sum of two.
  static constexpr std::uint64_t longest = std::uint64_t{1} << 62U;

  // The time in which the rate allows so much, rounded down: a rate of 3 a second is 6 in a burst
  // of two seconds, not 5. What rounding gives away is at most 1 ns for a message.
  static constexpr std::uint64_t cost(std::uint64_t amount, std::uint64_t rate) noexcept {
    if (rate == 0) return 0;
    const std::uint64_t whole = amount / rate;
    if (whole >= longest / second) return longest;
    return whole * second + amount % rate * second / rate;
  }

  // How long until the bucket is full. What was owed under a rate that was switched off goes on to
  // be paid.
  static constexpr std::uint64_t owed(std::int64_t full_at, std::int64_t now) noexcept {
    if (full_at <= now) return 0;
    return std::min(static_cast<std::uint64_t>(full_at) - static_cast<std::uint64_t>(now), longest);
  }

  static constexpr bool is_within(std::uint64_t owed, std::uint64_t cost,
                                  std::uint64_t burst) noexcept {
    return cost == 0 || owed == 0 || owed + cost <= burst;
  }

  static constexpr std::int64_t later(std::int64_t now, std::uint64_t by) noexcept {
    constexpr std::int64_t last = std::numeric_limits<std::int64_t>::max();
    const std::uint64_t left = static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(now);
    return by >= left ? last : static_cast<std::int64_t>(static_cast<std::uint64_t>(now) + by);
  }

  // Nanoseconds of the caller's clock.
  std::int64_t messages_full_at_ = std::numeric_limits<std::int64_t>::min();
  std::int64_t bytes_full_at_ = std::numeric_limits<std::int64_t>::min();
};

}  // namespace muster
