// SPDX-License-Identifier: MIT
// The round trip of a session: smoothed, smallest, and how late the peer acknowledges.
#pragma once

#include <muster/soe/config.hpp>
#include <muster/time.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>

namespace muster::soe {

/// RFC 6298's estimate, and what else timers and pace are chosen by. Kept in microseconds, in half
/// of the memory: a session has one.
class RoundTrip {
 public:
  RoundTrip(const Config& config, time_point now) noexcept;

  /// @param value   from a packet's only sending to its acknowledgement
  void add(duration value, time_point now) noexcept;

  /// What to go by until there is a sample: too long at worst. The next sample starts anew.
  void set_bound(duration value) noexcept;

  /// How long ago the oldest packet left that an acknowledgement covers. Peers that acknowledge
  /// from time to time cover old ones and new ones together: the newest tells the round trip, the
  /// oldest tells what timers have to allow for.
  void add_oldest(duration age) noexcept;

  [[nodiscard]] bool is_known() const noexcept { return smoothed_ != unset; }
  [[nodiscard]] duration smoothed() const noexcept { return Micros{is_known() ? smoothed_ : 0}; }
  [[nodiscard]] duration variation() const noexcept { return Micros{variation_}; }
  [[nodiscard]] duration latest() const noexcept { return Micros{latest_}; }

  /// The smallest of the last 5 to 10 s: no acknowledgement takes less. Zero: not known.
  [[nodiscard]] duration least() const noexcept {
    const std::int32_t least = std::min(least_[0], least_[1]);
    return Micros{least == unset ? 0 : least};
  }

  /// How much later than after a round trip packets are acknowledged, usually at most.
  [[nodiscard]] duration lateness() const noexcept { return Micros{lateness_}; }

  /// How long to wait for an acknowledgement before everything counts as lost.
  [[nodiscard]] duration timeout() const noexcept;
  [[nodiscard]] duration shortest_timeout() const noexcept { return Micros{min_rto_}; }
  [[nodiscard]] duration longest_timeout() const noexcept { return Micros{max_rto_}; }

 private:
  using Micros = std::chrono::duration<std::int32_t, std::micro>;
  static constexpr std::int32_t unset = std::numeric_limits<std::int32_t>::max();

  std::int32_t smoothed_ = unset;
  std::int32_t variation_ = 0;
  std::int32_t latest_ = 0;
  std::int32_t lateness_ = 0;
  std::int32_t least_[2] = {unset, unset};  // of the running 5 s, and of those before
  std::int32_t initial_rto_;
  std::int32_t min_rto_;
  std::int32_t max_rto_;
  bool is_bound_ = false;  // no sample yet, but what `set_bound` said
  time_point turned_at_;   // when the running 5 s began
};

}  // namespace muster::soe
