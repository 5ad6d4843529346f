// SPDX-License-Identifier: MIT
// How often something took how long.
#pragma once

#include <muster/time.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace muster {

/// Counts durations by their length, as metrics want it: how many were not longer than each of some
/// bounds, and the sum of all.
/// @threads distinct objects: safe; shared objects: unsafe
class DurationHistogram {
 public:
  static constexpr std::size_t bound_count = 19;

  /// From 10 µs, which a small tick takes, to 10 s, after which a peer is as good as gone.
  static constexpr std::array<duration, bound_count> bounds = [] {
    std::array<duration, bound_count> made{};
    duration decade = std::chrono::microseconds{10};
    for (std::size_t i = 0; i < bound_count; ++i) {
      if (i % 3 == 0 && i != 0) decade *= 10;
      made[i] = i % 3 == 0 ? decade : i % 3 == 1 ? decade * 5 / 2 : decade * 5;
    }
    return made;
  }();

  /// @param length   one that is negative counts as 0
  void add(duration length) noexcept {
    length = std::max(length, duration{0});
    const auto at = std::lower_bound(bounds.begin(), bounds.end(), length) - bounds.begin();
    ++counts_[static_cast<std::size_t>(at)];
    sum_ += length;
  }

  DurationHistogram& operator+=(const DurationHistogram& other) noexcept {
    for (std::size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
    sum_ += other.sum_;
    return *this;
  }

  /// Those above the bound before, and not above the bound of that number; the last: above all.
  [[nodiscard]] const std::array<std::uint64_t, bound_count + 1>& counts() const noexcept {
    return counts_;
  }
  [[nodiscard]] std::uint64_t count() const noexcept {
    std::uint64_t all = 0;
    for (const std::uint64_t count : counts_) all += count;
    return all;
  }
  [[nodiscard]] duration sum() const noexcept { return sum_; }

 private:
  std::array<std::uint64_t, bound_count + 1> counts_{};
  duration sum_{0};
};

}  // namespace muster
