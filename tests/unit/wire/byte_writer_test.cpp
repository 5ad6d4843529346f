// SPDX-License-Identifier: MIT
// The cursor that writes fields.
#include <muster/wire/byte_writer.hpp>

#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <array>
#include <cstddef>
#include <vector>

using muster::errc;
using muster::mutable_byte_view;
using muster::wire::ByteWriter;

TEST_CASE("byte writer: integers are written in both byte orders", "[wire]") {
  std::vector<std::byte> out;
  ByteWriter writer{out};
  writer.u8(0x01);
  writer.u16_be(0x0203);
  writer.u32_be(0x04050607);
  writer.u64_be(0x08090a0b0c0d0e0f);
  writer.u16_le(0x0203);
  writer.u32_le(0x04050607);
  writer.u64_le(0x08090a0b0c0d0e0f);
  writer.text("hi");
  CHECK(test::to_hex(out) ==
        "01"
        "0203"
        "04050607"
        "08090a0b0c0d0e0f"
        "0302"
        "07060504"
        "0f0e0d0c0b0a0908"
        "6869");
  CHECK(writer.size() == out.size());
  CHECK(writer.ok());
}

TEST_CASE("byte writer: a vector keeps what it had", "[wire]") {
  auto out = test::from_hex("aa");
  ByteWriter writer{out};
  writer.bytes(test::from_hex("bbcc"));
  writer.bytes({});
  CHECK(test::to_hex(out) == "aabbcc");
  CHECK(test::to_hex(writer.written()) == "bbcc");
}

TEST_CASE("byte writer: a field that does not fit is not begun, and nothing follows it", "[wire]") {
  std::array<std::byte, 6> buffer{};
  ByteWriter writer{mutable_byte_view{buffer}.first(5)};
  writer.u32_be(0x01020304);
  CHECK(writer.ok());
  writer.u16_be(0x0506);
  REQUIRE_FALSE(writer.ok());
  CHECK(writer.error() == errc::too_large);
  writer.u8(0x07);  // would fit, but behind a hole
  writer.bytes({});
  CHECK_FALSE(writer.ok());
  CHECK(test::to_hex(writer.written()) == "01020304");
  CHECK(test::to_hex(buffer) == "010203040000");
}

TEST_CASE("byte writer: a fixed buffer may be filled to its last byte", "[wire]") {
  std::array<std::byte, 3> buffer{};
  ByteWriter writer{mutable_byte_view{buffer}};
  writer.u16_be(0x0102);
  writer.u8(3);
  CHECK(writer.ok());
  CHECK(test::to_hex(buffer) == "010203");
}
