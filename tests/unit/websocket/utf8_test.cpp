// SPDX-License-Identifier: MIT
// UTF-8 that arrives in pieces.
#include <muster/utf8.hpp>
#include <muster/websocket/utf8.hpp>

#include "support/catch.hpp"

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

using muster::as_bytes;
using muster::websocket::Utf8Validator;

namespace {

bool is_valid_in_two(std::string_view text, std::size_t cut) {
  Utf8Validator validator;
  return validator.feed(as_bytes(text.substr(0, cut))) &&
         validator.feed(as_bytes(text.substr(cut))) && validator.is_complete();
}

}  // namespace

TEST_CASE("utf8: in pieces the verdict is that on the whole", "[utf8][websocket]") {
  std::mt19937 random{1};
  constexpr std::string_view octets =
      "az\x80\x8F\x90\x9F\xA0\xBF\xC1\xC2\xC3\xE0\xE2\xED\xEF\xF0\xF4\xF5";
  int valid = 0;
  int wrong = 0;
  for (int round = 0; round < 100000; ++round) {
    std::string text(random() % 3 * 8, 'x');  // whole words of ASCII in front
    for (auto count = random() % 5; count > 0; --count) text += octets[random() % octets.size()];
    const bool expected = muster::is_valid_utf8(as_bytes(text));
    valid += expected ? 1 : 0;
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      wrong += is_valid_in_two(text, cut) == expected ? 0 : 1;
    }
  }
  CHECK(wrong == 0);
  CHECK(valid > 10000);
}

TEST_CASE("utf8: the first impossible byte is the one that is refused", "[utf8][websocket]") {
  for (const std::string_view text : {"\xED\xA0", "\xF4\x90", "\xE0\x9F", "\xF0\x8F", "\xC0",
                                      "\xF5", "\xFF", "\x80", "\xC3\x41", "\xE2\x82\xC3"}) {
    CAPTURE(text);
    Utf8Validator validator;
    CHECK(validator.feed(as_bytes("12345678")));
    CHECK(validator.feed(as_bytes(text.substr(0, text.size() - 1))));
    CHECK_FALSE(validator.feed(as_bytes(text.substr(text.size() - 1))));
  }
}

TEST_CASE("utf8: a text is complete only between characters", "[utf8][websocket]") {
  Utf8Validator validator;
  CHECK(validator.is_complete());
  for (const char octet : std::string_view{"\xF0\x9F\x98"}) {
    CHECK(validator.feed(as_bytes({&octet, 1})));
    CHECK_FALSE(validator.is_complete());
  }
  CHECK(validator.feed({}));
  CHECK_FALSE(validator.is_complete());
  CHECK(validator.feed(as_bytes("\x80")));
  CHECK(validator.is_complete());
  CHECK(validator.feed(as_bytes("\xC3")));
  validator.reset();
  CHECK(validator.is_complete());
  CHECK(validator.feed(as_bytes("a")));
}
