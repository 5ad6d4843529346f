// SPDX-License-Identifier: MIT
// The content of every benchmark message: who sent it, which one it is, when, and a pattern that
// depends on all of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace muster_bench {

/// The first 24 bytes of a message; the rest is the pattern. Host byte order: both ends are the
/// same process.
struct Stamp {
  std::uint32_t magic;
  std::uint32_t sender;
  std::uint64_t sequence;
  std::uint64_t sent_ns;
};
static_assert(sizeof(Stamp) == 24);

inline constexpr std::uint32_t payload_magic = 0x5254534d;
inline constexpr std::size_t min_payload_size = sizeof(Stamp);

/// The finaliser of MurmurHash3: every bit of the stamp changes every word of the pattern.
inline std::uint64_t mix(std::uint64_t value) {
  value ^= value >> 33;
  value *= 0xff51afd7ed558ccdULL;
  value ^= value >> 33;
  value *= 0xc4ceb9fe1a85ec53ULL;
  return value ^ (value >> 33);
}

inline std::uint64_t pattern_seed(const Stamp& stamp, std::size_t size) {
  return mix(stamp.sent_ns ^ mix(stamp.sequence ^ mix((std::uint64_t{stamp.sender} << 32) ^ size)));
}

/// Word `index` of the pattern. A multiply keeps it position-dependent and lets the compiler
/// vectorise the loops.
inline std::uint64_t pattern_word(std::uint64_t seed, std::size_t index) {
  return seed + (index + 1) * 0x9e3779b97f4a7c15ULL;
}

inline void write_payload(unsigned char* out, std::size_t size, const Stamp& stamp) {
  std::memcpy(out, &stamp, sizeof stamp);
  const auto seed = pattern_seed(stamp, size);
  std::size_t at = sizeof stamp;
  std::size_t index = 0;
  for (; at + 8 <= size; at += 8, ++index) {
    const auto word = pattern_word(seed, index);
    std::memcpy(out + at, &word, 8);
  }
  if (at < size) {
    const auto word = pattern_word(seed, index);
    std::memcpy(out + at, &word, size - at);
  }
}

/// Reads the stamp and compares all other bytes with the pattern it implies; false if anything
/// differs.
inline bool check_payload(const unsigned char* bytes, std::size_t size, Stamp& stamp) {
  if (size < sizeof stamp) return false;
  std::memcpy(&stamp, bytes, sizeof stamp);
  if (stamp.magic != payload_magic) return false;
  const auto seed = pattern_seed(stamp, size);
  std::uint64_t difference = 0;
  std::size_t at = sizeof stamp;
  std::size_t index = 0;
  for (; at + 8 <= size; at += 8, ++index) {
    std::uint64_t word;
    std::memcpy(&word, bytes + at, 8);
    difference |= word ^ pattern_word(seed, index);
  }
  if (at < size) {
    const auto word = pattern_word(seed, index);
    difference |= static_cast<std::uint64_t>(std::memcmp(bytes + at, &word, size - at) != 0);
  }
  return difference == 0;
}

}  // namespace muster_bench
