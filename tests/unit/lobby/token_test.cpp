// SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <muster/lobby/token.hpp>

#include <ostream>
#include <string>
#include <type_traits>
#include <utility>

using muster::lobby::Token;

namespace {

template <class T>
concept Printable = requires(std::ostream& out, const T& value) {
  out << value;
};

}  // namespace

TEST_CASE("token: it cannot be printed or converted by accident", "[lobby]") {
  STATIC_REQUIRE_FALSE(Printable<Token>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<Token, std::string>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<Token, std::string_view>);
  STATIC_REQUIRE_FALSE(std::is_convertible_v<std::string, Token>);
}

TEST_CASE("token: what cannot stand in a header is not valid", "[lobby]") {
  CHECK(Token{"cz_extbot_0123456789ABCDEFGHIJabcdefghij01"}.is_valid());
  CHECK_FALSE(Token{}.is_valid());
  CHECK(Token{std::string(512, 'a')}.is_valid());
  CHECK_FALSE(Token{std::string(513, 'a')}.is_valid());
  for (const char* text : {"a b", "a,b", "a\r\nX: 1", "a\"b", "a/b", "a@b", "\x80", "a=b"}) {
    INFO(text);
    CHECK_FALSE(Token{text}.is_valid());
  }
  CHECK_FALSE(Token{std::string{"a\0b", 3}}.is_valid());
}

TEST_CASE("token: every place that shows it is covered", "[lobby]") {
  const Token token{"secret"};
  CHECK(token.redact("nothing here") == "nothing here");
  CHECK(token.redact("secret") == "[token]");
  CHECK(token.redact("?token=secret&again=secretsecret") == "?token=[token]&again=[token][token]");
  CHECK(Token{}.redact("text") == "text");
}

TEST_CASE("token: moved from, or assigned, it leaves nothing behind", "[lobby]") {
  Token first{"short"};
  Token second{std::move(first)};
  CHECK(first.is_empty());  // NOLINT: that is the question
  CHECK(second.reveal() == "short");
  Token third;
  third = std::move(second);
  CHECK(second.is_empty());  // NOLINT
  CHECK(third.reveal() == "short");
  Token& same = third;
  third = same;
  CHECK(third.reveal() == "short");
}

TEST_CASE("token: wiping overwrites the bytes, also behind the text's end", "[lobby]") {
  std::string text(100, 'x');
  text.resize(50);
  const char* const bytes = text.data();
  muster::lobby::wipe(text);
  CHECK(text.empty());
  REQUIRE(text.data() == bytes);  // the memory is still the text's own
  bool is_wiped = true;
  for (std::size_t i = 0; i < text.capacity(); ++i) is_wiped &= bytes[i] == '\0';
  CHECK(is_wiped);
}
