// SPDX-License-Identifier: MIT
// How long something took, over many times: counters in buckets that grow with what they count.
#pragma once

#include <muster/time.hpp>

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace muster::signal {

/// Each doubling of a time is parted into eight buckets, so what is told of the samples is right to
/// an eighth. Nothing but counters: histograms of several loops are summed as they lie.
/// @complexity   O(1) to record, without an allocation
/// @threads      distinct objects: safe; shared objects: unsafe
struct LatencyHistogram {
  static constexpr std::size_t steps = 8;  ///< of each doubling
  static constexpr std::size_t bucket_count = 28 * steps;

  /// The longest time that is told apart: about 18 minutes.
  static constexpr std::uint64_t max_microseconds = (std::uint64_t{1} << 30) - 1;

  std::array<std::uint64_t, bucket_count> buckets{};  ///< by microseconds, rounded down
  std::uint64_t samples = 0;
  std::uint64_t total_nanoseconds = 0;
  std::uint64_t clamped = 0;  ///< samples that were negative or too long, counted as the nearest

  void record(duration time) noexcept {
    const std::int64_t given = std::chrono::duration_cast<std::chrono::nanoseconds>(time).count();
    std::uint64_t nanoseconds = given < 0 ? 0 : static_cast<std::uint64_t>(given);
    constexpr std::uint64_t longest = max_microseconds * 1000;
    if (given < 0 || nanoseconds > longest) ++clamped;
    if (nanoseconds > longest) nanoseconds = longest;
    ++buckets[bucket_of(nanoseconds / 1000)];
    ++samples;
    total_nanoseconds += nanoseconds;
  }

  /// In microseconds; 0 without samples.
  [[nodiscard]] double average() const noexcept {
    if (samples == 0) return 0;
    return static_cast<double>(total_nanoseconds) / static_cast<double>(samples) / 1000;
  }

  /// The time that this share of the samples does not exceed, in microseconds: the first of its
  /// bucket. 0 without samples.
  /// @param share   0 (the shortest) to 1 (the longest)
  [[nodiscard]] std::uint64_t percentile(double share) const noexcept {
    const double rank = share * static_cast<double>(samples);
    std::uint64_t seen = 0;
    std::uint64_t last = 0;
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      if (buckets[i] == 0) continue;
      seen += buckets[i];
      last = first_of(i);
      if (static_cast<double>(seen) >= rank) break;
    }
    return last;
  }

  /// The bucket of a time: those below `steps` have one each.
  [[nodiscard]] static constexpr std::size_t bucket_of(std::uint64_t microseconds) noexcept {
    if (microseconds < steps) return static_cast<std::size_t>(microseconds);
    const auto doublings = static_cast<std::size_t>(std::bit_width(microseconds)) - width;
    return doublings * steps + static_cast<std::size_t>(microseconds >> doublings);
  }

  /// The shortest time of a bucket.
  [[nodiscard]] static constexpr std::uint64_t first_of(std::size_t bucket) noexcept {
    if (bucket < steps) return bucket;
    return (steps + bucket % steps) << (bucket / steps - 1);
  }

 private:
  static constexpr std::size_t width = 4;  // of `steps` in bits
};

}  // namespace muster::signal
