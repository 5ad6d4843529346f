// SPDX-License-Identifier: MIT
// The incremental form of the UTF-8 rules.
#include <muster/websocket/utf8.hpp>

#include <cstddef>
#include <cstring>

namespace muster::websocket {

bool Utf8Validator::feed(byte_view bytes) noexcept {
  constexpr std::uint64_t top_bits = 0x8080808080808080U;
  const std::byte* at = bytes.data();
  const std::byte* const end = at + bytes.size();
  while (at != end) {
    if (missing_ == 0) {
      // Most text is ASCII: eight bytes at a time while no top bit is set.
      while (end - at >= 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, sizeof word);
        if ((word & top_bits) != 0) break;
        at += 8;
      }
      if (at == end) break;
    }
    const auto octet = std::to_integer<std::uint8_t>(*at++);
    if (missing_ != 0) {
      if (octet < low_ || octet > high_) return false;
      --missing_;
      low_ = 0x80;
      high_ = 0xBF;
    } else if (octet >= 0x80) {
      // The bounds of the second byte are those of Unicode table 3-7: they are what excludes
      // over-long forms, surrogates and values above U+10FFFF, at the earliest byte possible.
      if (octet < 0xC2 || octet > 0xF4) return false;
      missing_ = octet < 0xE0 ? 1 : octet < 0xF0 ? 2 : 3;
      low_ = octet == 0xE0 ? 0xA0 : octet == 0xF0 ? 0x90 : 0x80;
      high_ = octet == 0xED ? 0x9F : octet == 0xF4 ? 0x8F : 0xBF;
    }
  }
  return true;
}

}  // namespace muster::websocket
