// SPDX-License-Identifier: MIT
// Masking at every length and alignment.
#include <muster/wire/mask.hpp>

#include "support/catch.hpp"

#include <cstring>
#include <string_view>
#include <vector>

using muster::mutable_byte_view;
using muster::wire::apply_mask;
using muster::wire::copy_masked;
using muster::wire::MaskKey;

namespace {

constexpr unsigned key_bytes[] = {0x37, 0xfa, 0x21, 0x3d};

MaskKey key() {
  MaskKey value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const auto octet = static_cast<std::byte>(key_bytes[i]);
    std::memcpy(reinterpret_cast<std::byte*>(&value) + i, &octet, 1);
  }
  return value;
}

}  // namespace

TEST_CASE("mask: RFC 6455's example", "[websocket][mask]") {
  constexpr unsigned masked[] = {0x7f, 0x9f, 0x4d, 0x51, 0x58};  // section 5.7
  std::vector<std::byte> bytes;
  for (const unsigned octet : masked) bytes.push_back(static_cast<std::byte>(octet));
  apply_mask(bytes, key());
  CHECK(muster::as_text(bytes) == "Hello");
}

TEST_CASE("mask: every size, alignment and offset gives each byte its own key byte",
          "[websocket][mask]") {
  std::vector<std::byte> source(120);
  for (std::size_t i = 0; i < source.size(); ++i) source[i] = static_cast<std::byte>(i * 7 + 3);
  int wrong = 0;
  for (std::size_t alignment = 0; alignment < 16; ++alignment) {
    for (std::size_t size = 0; size <= 100; ++size) {
      for (std::size_t offset = 0; offset < 9; ++offset) {
        std::vector<std::byte> in_place = source;
        std::vector<std::byte> copy = source;
        apply_mask(mutable_byte_view{in_place}.subspan(alignment, size), key(), offset);
        copy_masked(copy.data() + alignment, muster::byte_view{source}.subspan(alignment, size),
                    key(), offset);
        for (std::size_t i = 0; i < source.size(); ++i) {
          const bool is_inside = i >= alignment && i < alignment + size;
          const auto mask = is_inside ? key_bytes[(i - alignment + offset) % 4] : 0U;
          const std::byte expected = source[i] ^ static_cast<std::byte>(mask);
          if (in_place[i] != expected || copy[i] != expected) ++wrong;
        }
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("mask: a payload may be masked in pieces", "[websocket][mask]") {
  std::vector<std::byte> whole(50, std::byte{0x5a});
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    std::vector<std::byte> pieces(50, std::byte{0x5a});
    apply_mask(mutable_byte_view{pieces}.first(cut), key());
    apply_mask(mutable_byte_view{pieces}.subspan(cut), key(), cut);
    apply_mask(pieces, key());
    CHECK(pieces == whole);
  }
}
