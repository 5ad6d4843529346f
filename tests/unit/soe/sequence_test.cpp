// SPDX-License-Identifier: MIT
// Sequence numbers around the wraps of their 16 bits.
#include <muster/soe/sequence.hpp>

#include "support/catch.hpp"

#include <cstdint>

using muster::soe::expand_sequence;

TEST_CASE("sequence: every number within the window comes back", "[soe][sequence]") {
  std::int64_t wrong = 0;
  for (const std::int64_t window : {1, 196, 256, 400, 32767}) {
    for (const std::int64_t base :
         {std::int64_t{0}, std::int64_t{0x10000}, std::int64_t{0x7FFF0000},
          std::int64_t{0x80000000}, std::int64_t{1} << 32, (std::int64_t{1} << 62) - 0x20000}) {
      for (std::int64_t reference = base - 3; reference <= base + 3; ++reference) {
        for (std::int64_t offset = -window; offset <= window; ++offset) {
          const std::int64_t sequence = reference + offset;
          const auto wire = static_cast<std::uint16_t>(sequence & 0xFFFF);
          if (expand_sequence(wire, reference, window) != sequence) ++wrong;
        }
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("sequence: what is outside of the window stays outside", "[soe][sequence]") {
  for (const std::int64_t reference : {0, 5, 65535, 65536, 131071}) {
    for (std::uint32_t wire = 0; wire < 0x10000; ++wire) {
      const std::int64_t sequence =
          expand_sequence(static_cast<std::uint16_t>(wire), reference, 256);
      const std::int64_t offset = sequence - reference;
      if ((sequence & 0xFFFF) != wire || offset > 0x10000 || offset < -0x10000) {
        FAIL("reference " << reference << ", wire " << wire << ": " << sequence);
      }
      const auto distance =
          static_cast<std::uint16_t>(wire - static_cast<std::uint16_t>(reference));
      const bool is_near = distance <= 256 || distance >= 0x10000 - 256;
      if ((offset >= -256 && offset <= 256) != is_near) {
        FAIL("reference " << reference << ", wire " << wire << ": " << sequence);
      }
    }
  }
}
