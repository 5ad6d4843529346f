// SPDX-License-Identifier: MIT
// A log-linear histogram of durations with about 1.5 % resolution and no allocation per sample.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace muster_bench {

class Histogram {
 public:
  void record(std::uint64_t nanoseconds) {
    ++counts_[slot_of(nanoseconds)];
    ++total_;
  }

  void clear() {
    counts_.fill(0);
    total_ = 0;
  }

  /// The upper edge of the slot that holds the given share (0 to 1) of the samples; 0 without
  /// samples.
  std::uint64_t percentile(double share) const {
    if (total_ == 0) return 0;
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total_ - 1)) + 1;
    std::uint64_t seen = 0;
    for (std::size_t slot = 0; slot < counts_.size(); ++slot) {
      seen += counts_[slot];
      if (seen >= wanted) return upper_edge(slot);
    }
    return upper_edge(counts_.size() - 1);
  }

 private:
  // 64 slots per power of two: values below 64 have a slot each, larger ones keep their top 7 bits.
  static constexpr unsigned bits = 6;
  static constexpr std::size_t per_octave = std::size_t{1} << bits;

  static std::size_t slot_of(std::uint64_t value) {
    if (value < per_octave) return static_cast<std::size_t>(value);
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - (bits + 1);
    return shift * per_octave + static_cast<std::size_t>(value >> shift);
  }

  static std::uint64_t upper_edge(std::size_t slot) {
    if (slot < 2 * per_octave) return slot;
    const auto shift = slot / per_octave - 1;
    return ((slot - shift * per_octave + 1) << shift) - 1;
  }

  std::array<std::uint64_t, (64 - bits + 1) * per_octave> counts_{};
  std::uint64_t total_ = 0;
};

}  // namespace muster_bench
