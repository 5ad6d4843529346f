// SPDX-License-Identifier: MIT
// Strict UTF-8.
#include <muster/utf8.hpp>

#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <cstdint>
#include <string>

using muster::as_bytes;
using muster::is_valid_utf8;
using muster::replace_invalid_utf8;
using muster::utf8_prefix;

namespace {

std::string encode(std::uint32_t code_point) {
  const auto octet = [](std::uint32_t value) {
    return static_cast<char>(static_cast<unsigned char>(value));
  };
  if (code_point < 0x80) return {octet(code_point)};
  if (code_point < 0x800) return {octet(0xC0 | code_point >> 6), octet(0x80 | (code_point & 0x3F))};
  if (code_point < 0x10000) {
    return {octet(0xE0 | code_point >> 12), octet(0x80 | (code_point >> 6 & 0x3F)),
            octet(0x80 | (code_point & 0x3F))};
  }
  return {octet(0xF0 | code_point >> 18), octet(0x80 | (code_point >> 12 & 0x3F)),
          octet(0x80 | (code_point >> 6 & 0x3F)), octet(0x80 | (code_point & 0x3F))};
}

}  // namespace

TEST_CASE("utf8: every character is valid, and no surrogate is", "[utf8]") {
  int wrong = 0;
  for (std::uint32_t code_point = 0; code_point <= 0x10FFFF; ++code_point) {
    const bool is_surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
    if (is_valid_utf8(as_bytes(encode(code_point))) == is_surrogate) ++wrong;
  }
  CHECK(wrong == 0);
}

TEST_CASE("utf8: over-long, too large, stray and cut-off sequences are invalid", "[utf8]") {
  for (const char* hex :
       {"80", "bf", "c080", "c1bf", "c2", "c241", "e08080", "e09fbf", "e282", "eda080", "edbfbf",
        "f0808080", "f08fbfbf", "f09f98", "f4908080", "f5808080", "fe", "ff",
        // behind eight ASCII bytes, and astride the end of an eight-byte word
        "4141414141414141ff", "41414141414141c3", "414141414141414141e282"}) {
    CAPTURE(hex);
    CHECK_FALSE(is_valid_utf8(test::from_hex(hex)));
  }
  CHECK(is_valid_utf8({}));
  CHECK(is_valid_utf8(test::from_hex("00")));
  CHECK(is_valid_utf8(test::from_hex("41414141414141c3a9")));
}

TEST_CASE("utf8: each damaged part becomes one replacement character", "[utf8]") {
  const std::string mark = "\xEF\xBF\xBD";
  CHECK(replace_invalid_utf8({}).empty());
  CHECK(replace_invalid_utf8(as_bytes("h\xC3\xA9llo")) == "h\xC3\xA9llo");
  CHECK(replace_invalid_utf8(test::from_hex("ff41")) == mark + "A");
  // One for the unfinished character, not one for each of its bytes.
  CHECK(replace_invalid_utf8(test::from_hex("41f09f9841")) == "A" + mark + "A");
  // A surrogate's second byte can continue nothing, so all three bytes stand alone.
  CHECK(replace_invalid_utf8(test::from_hex("eda080")) == mark + mark + mark);
  CHECK(replace_invalid_utf8(test::from_hex("e282")) == mark);
}

TEST_CASE("utf8: a prefix never ends inside a character", "[utf8]") {
  const std::string text =
      "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";  // characters of 1, 2, 3 and 4 bytes
  const std::size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10};
  for (std::size_t most = 0; most <= 10; ++most) {
    CAPTURE(most);
    CHECK(utf8_prefix(text, most).size() == expected[most]);
  }
  CHECK(utf8_prefix(text, 1000) == text);
  CHECK(utf8_prefix(std::string(20, '\x80'), 10).size() == 7);
}
