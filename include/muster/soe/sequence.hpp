// SPDX-License-Identifier: MIT
// The sequence numbers of reliable packets: 16 bits on the wire, 64 in memory.
#pragma once

#include <cassert>
#include <cstdint>

namespace muster::soe {

/// The sequence number that the 16 bits mean, seen from a number nearby.
///
/// A receiver's reference is the sequence it expects next, a sender's the highest that was
/// acknowledged. A number further away than the window comes back in one of the blocks of 65536
/// around the reference, and the caller finds it outside of its window.
/// @param wire        the low 16 bits
/// @param reference   at most 2^62 from zero; may be negative
/// @param window      1 to 32767: then the result is the only such number within the window
/// @return            may be negative: before the first packet
[[nodiscard]] constexpr std::int64_t expand_sequence(std::uint16_t wire, std::int64_t reference,
                                                     std::int64_t window) noexcept {
  assert(window > 0 && window <= 32767);
  constexpr std::int64_t block = 0x10000;
  std::int64_t offset = (reference & ~(block - 1)) + wire - reference;
  if (offset > window) offset -= block;
  if (offset < -window) offset += block;
  return reference + offset;
}

}  // namespace muster::soe
