// SPDX-License-Identifier: MIT
// postcard: the limits of each varint, and what a payload's author needs.
#include <muster/wire/postcard.hpp>

#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace postcard = muster::wire::postcard;
using muster::errc;
using muster::wire::ByteReader;
using muster::wire::ByteWriter;
using postcard::LengthWidth;

namespace {

// The bytes that a function writes.
std::string written(const std::function<void(ByteWriter&)>& write) {
  std::vector<std::byte> out;
  ByteWriter writer{out};
  write(writer);
  return test::to_hex(out);
}

// Why reading fails; nothing when it does not.
std::optional<errc> failure(const std::string& hex, const std::function<void(ByteReader&)>& read) {
  const auto bytes = test::from_hex(hex);
  ByteReader reader{bytes};
  read(reader);
  if (reader.ok()) return std::nullopt;
  return reader.error();
}

const auto u16 = [](ByteReader& reader) { (void)postcard::read_u16(reader); };
const auto u32 = [](ByteReader& reader) { (void)postcard::read_u32(reader); };
const auto u64 = [](ByteReader& reader) { (void)postcard::read_u64(reader); };
const auto text = [](ByteReader& reader) { (void)postcard::read_string(reader); };

}  // namespace

TEST_CASE("relay 4: an over-long varint within its byte limit is accepted", "[wire][postcard]") {
  const auto check = [](const char* hex, std::uint64_t expected, auto read) {
    CAPTURE(hex);
    const auto bytes = test::from_hex(hex);
    ByteReader reader{bytes};
    CHECK(read(reader) == expected);
    CHECK(reader.ok());
    CHECK(reader.is_at_end());
  };
  check("8000", 0, postcard::read_u16);
  check("808000", 0, postcard::read_u16);
  check("8180808000", 1, postcard::read_u32);
  check("81808080808080808000", 1, postcard::read_u64);
}

TEST_CASE("relay 4: a varint's last permitted byte has a limit", "[wire][postcard]") {
  CHECK(failure("ffff03", u16) == std::nullopt);
  CHECK(failure("ffff04", u16) == errc::bad_varint);
  CHECK(failure("ffffffff0f", u32) == std::nullopt);
  CHECK(failure("ffffffff10", u32) == errc::bad_varint);
  CHECK(failure("ffffffffffffffffff01", u64) == std::nullopt);
  CHECK(failure("ffffffffffffffffff02", u64) == errc::bad_varint);
}

TEST_CASE("relay 4: a varint that continues at its limit is refused without reading on",
          "[wire][postcard]") {
  CHECK(failure("808080", u16) == errc::bad_varint);
  CHECK(failure("8080808080", u32) == errc::bad_varint);
  CHECK(failure("80808080808080808080", u64) == errc::bad_varint);
}

TEST_CASE("relay 4: a varint that the input cuts short is an unexpected end", "[wire][postcard]") {
  for (const char* hex : {"", "80", "8080"}) CHECK(failure(hex, u16) == errc::unexpected_end);
  CHECK(failure("80808080", u32) == errc::unexpected_end);
  CHECK(failure("808080808080808080", u64) == errc::unexpected_end);
}

TEST_CASE("relay 4: a 32-bit peer takes lengths of at most five bytes", "[wire][postcard]") {
  const auto bytes = test::from_hex("81808080800041");
  ByteReader wide{bytes};
  CHECK(postcard::read_string(wide, LengthWidth::bits64) == "A");
  ByteReader narrow{bytes};
  CHECK(postcard::read_string(narrow, LengthWidth::bits32).empty());
  CHECK(narrow.error() == errc::bad_varint);
  const auto at_limit = test::from_hex("818080800041");
  ByteReader five{at_limit};
  CHECK(postcard::read_string(five, LengthWidth::bits32) == "A");
}

TEST_CASE("relay 4: a length beyond the input is refused, however large", "[wire][postcard]") {
  CHECK(failure("0241", text) == errc::unexpected_end);
  CHECK(failure("ffffffffffffffffff0141", text) == errc::unexpected_end);
  CHECK(failure("808080808080808080014141", text) == errc::unexpected_end);
}

TEST_CASE("relay 4: text must be UTF-8 and may hold a zero", "[wire][postcard]") {
  CHECK(failure("0100", text) == std::nullopt);
  CHECK(failure("02c3a9", text) == std::nullopt);
  CHECK(failure("02c328", text) == errc::bad_utf8);
  CHECK(failure("03eda080", text) == errc::bad_utf8);
}

TEST_CASE("relay 4: flags and option tags are 0 or 1", "[wire][postcard]") {
  const auto flag = [](ByteReader& reader) { (void)postcard::read_bool(reader); };
  const auto tag = [](ByteReader& reader) { (void)postcard::read_option(reader); };
  for (const char* hex : {"00", "01"}) {
    CHECK(failure(hex, flag) == std::nullopt);
    CHECK(failure(hex, tag) == std::nullopt);
  }
  for (const char* hex : {"02", "80", "ff"}) {
    CHECK(failure(hex, flag) == errc::bad_bool);
    CHECK(failure(hex, tag) == errc::bad_option);
  }
  CHECK(failure("", flag) == errc::unexpected_end);
  CHECK(failure("", tag) == errc::unexpected_end);
}

TEST_CASE("postcard: signed integers are zig-zag", "[wire][postcard]") {
  CHECK(written([](ByteWriter& w) { postcard::write_i16(w, 0); }) == "00");
  CHECK(written([](ByteWriter& w) { postcard::write_i16(w, -1); }) == "01");
  CHECK(written([](ByteWriter& w) { postcard::write_i32(w, 1); }) == "02");
  CHECK(written([](ByteWriter& w) { postcard::write_i64(w, -64); }) == "7f");
  CHECK(written([](ByteWriter& w) {
          postcard::write_i16(w, std::numeric_limits<std::int16_t>::min());
        }) == "ffff03");

  const auto round_trip = [](auto value, auto write, auto read) {
    std::vector<std::byte> out;
    ByteWriter writer{out};
    write(writer, value);
    ByteReader reader{out};
    CHECK(read(reader) == value);
    CHECK(reader.ok());
    CHECK(reader.is_at_end());
  };
  for (const std::int16_t value : {std::numeric_limits<std::int16_t>::min(), std::int16_t{-1},
                                   std::numeric_limits<std::int16_t>::max()}) {
    round_trip(value, postcard::write_i16, postcard::read_i16);
  }
  for (const std::int32_t value :
       {std::numeric_limits<std::int32_t>::min(), -1, std::numeric_limits<std::int32_t>::max()}) {
    round_trip(value, postcard::write_i32, postcard::read_i32);
  }
  for (const std::int64_t value : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1},
                                   std::numeric_limits<std::int64_t>::max()}) {
    round_trip(value, postcard::write_i64, postcard::read_i64);
  }
}

TEST_CASE("postcard: floats are fixed-width, least significant byte first", "[wire][postcard]") {
  CHECK(written([](ByteWriter& w) { postcard::write_f32(w, 1.5F); }) == "0000c03f");
  CHECK(written([](ByteWriter& w) { postcard::write_f64(w, -2.0); }) == "00000000000000c0");
  const auto bytes = test::from_hex(
      "0000c03f"
      "00000000000000c0"
      "0000c07f");
  ByteReader reader{bytes};
  CHECK(postcard::read_f32(reader) == 1.5F);
  CHECK(postcard::read_f64(reader) == -2.0);
  CHECK(std::isnan(postcard::read_f32(reader)));
  CHECK(reader.ok());
  CHECK(postcard::read_f32(reader) == 0.0F);
  CHECK(reader.error() == errc::unexpected_end);
}

TEST_CASE("postcard: a count that cannot be true is refused", "[wire][postcard]") {
  const auto bytes = test::from_hex(
      "03"
      "010203");
  ByteReader one{bytes};
  CHECK(postcard::read_count(one) == 3);
  ByteReader two{bytes};
  CHECK(postcard::read_count(two, 2) == 0);
  CHECK(two.error() == errc::unexpected_end);
  CHECK(failure("04010203", [](ByteReader& r) { (void)postcard::read_count(r); }) ==
        errc::unexpected_end);
  CHECK(written([](ByteWriter& w) { postcard::write_count(w, 300); }) == "ac02");
}

TEST_CASE("postcard: a payload of every kind reads back", "[wire][postcard]") {
  std::vector<std::byte> out;
  ByteWriter writer{out};
  postcard::write_variant(writer, 130);
  postcard::write_u32(writer, 4'000'000'000U);
  postcard::write_option(writer, true);
  postcard::write_string(writer, "h\xC3\xA9");
  postcard::write_bytes(writer, test::from_hex("00ff"));
  postcard::write_bool(writer, true);
  CHECK(test::to_hex(out) ==
        "8201"
        "80d0acf30e"
        "01"
        "0368c3a9"
        "0200ff"
        "01");
  ByteReader reader{out};
  CHECK(postcard::read_variant(reader) == 130);
  CHECK(postcard::read_u32(reader) == 4'000'000'000U);
  CHECK(postcard::read_option(reader));
  CHECK(postcard::read_string(reader) == "h\xC3\xA9");
  CHECK(test::to_hex(postcard::read_bytes(reader)) == "00ff");
  CHECK(postcard::read_bool(reader));
  CHECK(reader.ok());
  CHECK(reader.is_at_end());
}

TEST_CASE("postcard: an integer goes into a fixed buffer whole or not at all", "[wire][postcard]") {
  std::array<std::byte, 2> buffer{};
  ByteWriter writer{muster::mutable_byte_view{buffer}};
  postcard::write_u32(writer, 16384);  // three bytes
  CHECK_FALSE(writer.ok());
  CHECK(writer.size() == 0);
}
