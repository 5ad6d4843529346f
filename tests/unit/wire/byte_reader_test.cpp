// SPDX-License-Identifier: MIT
// The bounds-checked cursor over received bytes.
#include <muster/wire/byte_reader.hpp>

#include "support/catch.hpp"
#include "support/vectors.hpp"

using muster::errc;
using muster::wire::ByteReader;

TEST_CASE("byte reader: integers are read in both byte orders", "[wire]") {
  const auto bytes = test::from_hex(
      "01"
      "0203"
      "04050607"
      "08090a0b0c0d0e0f"
      "0203"
      "04050607"
      "08090a0b0c0d0e0f");
  ByteReader reader{bytes};
  CHECK(reader.u8() == 0x01);
  CHECK(reader.u16_be() == 0x0203);
  CHECK(reader.u32_be() == 0x04050607);
  CHECK(reader.u64_be() == 0x08090a0b0c0d0e0f);
  CHECK(reader.u16_le() == 0x0302);
  CHECK(reader.u32_le() == 0x07060504);
  CHECK(reader.u64_le() == 0x0f0e0d0c0b0a0908);
  CHECK(reader.ok());
  CHECK(reader.is_at_end());
}

TEST_CASE("byte reader: bytes are views into the input", "[wire]") {
  const auto bytes = test::from_hex("0102030405");
  ByteReader reader{bytes};
  reader.skip(1);
  const auto middle = reader.bytes(2);
  CHECK(middle.data() == bytes.data() + 1);
  CHECK(middle.size() == 2);
  CHECK(reader.remaining() == 2);
  CHECK(test::to_hex(reader.rest()) == "0405");
  CHECK(reader.rest().empty());
  CHECK(reader.bytes(0).empty());
  CHECK(reader.ok());
}

TEST_CASE("byte reader: a read beyond the end takes nothing and fails for good", "[wire]") {
  const auto bytes = test::from_hex("010203");
  ByteReader reader{bytes};
  CHECK(reader.u32_be() == 0);
  REQUIRE_FALSE(reader.ok());
  CHECK(reader.error() == errc::unexpected_end);
  CHECK(reader.u8() == 0);
  CHECK(reader.remaining() == 0);
  CHECK(reader.rest().empty());
  reader.fail(errc::bad_value);
  CHECK(reader.error() == errc::unexpected_end);
}

TEST_CASE("byte reader: a count near the largest number does not overflow", "[wire]") {
  const auto bytes = test::from_hex("010203");
  ByteReader reader{bytes};
  reader.skip(2);
  CHECK(reader.bytes(static_cast<std::size_t>(-1)).empty());
  CHECK_FALSE(reader.ok());
}

TEST_CASE("byte reader: the caller's own failure stops it too", "[wire]") {
  const auto bytes = test::from_hex("010203");
  ByteReader reader{bytes};
  CHECK(reader.u8() == 1);
  reader.fail(errc::bad_value);
  CHECK(reader.u8() == 0);
  CHECK(reader.error() == errc::bad_value);
}

TEST_CASE("byte reader: empty input is at its end without a failure", "[wire]") {
  ByteReader reader{{}};
  CHECK(reader.is_at_end());
  CHECK(reader.rest().empty());
  CHECK(reader.ok());
}
