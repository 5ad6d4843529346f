// SPDX-License-Identifier: MIT
// The one table of well-formed UTF-8 sequences, and what is built on it.
#include <muster/utf8.hpp>

#include <cstdint>
#include <cstring>

namespace muster {
namespace {

struct Sequence {
  std::size_t size;  // bytes that belong together: the character, or the damaged part
  bool is_valid;
};

std::uint8_t octet(byte_view bytes, std::size_t index) noexcept {
  return std::to_integer<std::uint8_t>(bytes[index]);
}

// What starts at bytes[0], which must exist. The bounds of the second byte are those of Unicode
// table 3-7: they are what excludes over-long forms, surrogates and values above U+10FFFF.
Sequence first_sequence(byte_view bytes) noexcept {
  const std::uint8_t lead = octet(bytes, 0);
  if (lead < 0x80) return {1, true};
  std::size_t size = 0;
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    size = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    size = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    size = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {1, false};
  }
  for (std::size_t i = 1; i < size; ++i) {
    if (i == bytes.size()) return {i, false};
    const std::uint8_t next = octet(bytes, i);
    if (next < low || next > high) return {i, false};
    low = 0x80;
    high = 0xBF;
  }
  return {size, true};
}

}  // namespace

bool is_valid_utf8(byte_view bytes) noexcept {
  while (!bytes.empty()) {
    // Most text is ASCII: eight bytes at a time while no top bit is set.
    std::uint64_t word = 0;
    if (bytes.size() >= sizeof word) {
      std::memcpy(&word, bytes.data(), sizeof word);
      if ((word & 0x8080808080808080U) == 0) {
        bytes = bytes.subspan(sizeof word);
        continue;
      }
    }
    const Sequence sequence = first_sequence(bytes);
    if (!sequence.is_valid) return false;
    bytes = bytes.subspan(sequence.size);
  }
  return true;
}

std::string replace_invalid_utf8(byte_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const Sequence sequence = first_sequence(bytes);
    text +=
        sequence.is_valid ? as_text(bytes.first(sequence.size)) : std::string_view{"\xEF\xBF\xBD"};
    bytes = bytes.subspan(sequence.size);
  }
  return text;
}

std::string_view utf8_prefix(std::string_view text, std::size_t max_bytes) noexcept {
  if (text.size() <= max_bytes) return text;
  std::size_t size = max_bytes;
  // A character has at most three continuation bytes; longer runs are damage.
  for (int steps = 0; steps < 3 && size > 0; ++steps) {
    if ((static_cast<unsigned char>(text[size]) & 0xC0U) != 0x80U) break;
    --size;
  }
  return text.substr(0, size);
}

}  // namespace muster
