// SPDX-License-Identifier: MIT
// Base64: the vectors of RFC 4648, and texts that are none.
#include "../lib/base64.hpp"

#include "support/catch.hpp"

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

using muster::as_bytes;
using muster::as_text;
using muster::Base64;
using muster::byte_view;
using muster::decode_base64;
using muster::encode_base64;

namespace {

std::optional<std::string> decoded(std::string_view text, Base64 form) {
  std::array<std::byte, 64> bytes;
  const auto size = decode_base64(text, form, bytes);
  if (!size) return std::nullopt;
  return std::string{as_text(byte_view{bytes}.first(*size))};
}

}  // namespace

TEST_CASE("base64: the vectors of RFC 4648", "[base64]") {
  const std::array<std::array<std::string_view, 3>, 7> vectors{
      {{"", "", ""},
       {"f", "Zg==", "Zg"},
       {"fo", "Zm8=", "Zm8"},
       {"foo", "Zm9v", "Zm9v"},
       {"foob", "Zm9vYg==", "Zm9vYg"},
       {"fooba", "Zm9vYmE=", "Zm9vYmE"},
       {"foobar", "Zm9vYmFy", "Zm9vYmFy"}}};
  for (const auto& [text, padded, url] : vectors) {
    CHECK(encode_base64(as_bytes(text), Base64::padded) == padded);
    CHECK(encode_base64(as_bytes(text), Base64::url) == url);
    CHECK(decoded(padded, Base64::padded) == text);
    CHECK(decoded(url, Base64::url) == text);
  }
  CHECK(encode_base64(as_bytes("\xFB\xFF"), Base64::padded) == "+/8=");
  CHECK(encode_base64(as_bytes("\xFB\xFF"), Base64::url) == "-_8");
}

TEST_CASE("base64: each text of bytes has one form", "[base64]") {
  for (const char* text : {"Zg", "Zg=", "Zh==", "Zm9=", "=", "==", "===", "====", "Z===",
                           "Zg==Zg==", "Zg==\n", "Zm 9v", "-_8=", "Zm9v="}) {
    INFO(text);
    CHECK_FALSE(decoded(text, Base64::padded));
  }
  for (const char* text : {"Z", "Zh", "Zg==", "+/8", "Zm9", "Zg "}) {
    INFO(text);
    CHECK_FALSE(decoded(text, Base64::url));
  }
}

TEST_CASE("base64: what does not fit is refused", "[base64]") {
  std::array<std::byte, 2> two{};
  CHECK(decode_base64("Zm8=", Base64::padded, two) == 2U);
  CHECK_FALSE(decode_base64("Zm9v", Base64::padded, two));
}
