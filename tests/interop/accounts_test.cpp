// SPDX-License-Identifier: MIT
// The two headers that can carry an account's token.
#include "accounts.hpp"

#include "support/catch.hpp"

#include <array>
#include <string_view>

using muster::HeaderField;
using muster::Request;
using relay_program::bearer_token;
using relay_program::cookie_value;

TEST_CASE("accounts: a cookie among others", "[relay][accounts]") {
  CHECK(cookie_value("sid=abc", "sid") == "abc");
  CHECK(cookie_value("a=1; sid=abc; b=2", "sid") == "abc");
  CHECK(cookie_value("a=1;sid=\"abc\"", "sid") == "abc");
  CHECK(cookie_value("sid=a=b=", "sid") == "a=b=");
  CHECK(cookie_value("sid=", "sid") == "");
  CHECK(cookie_value("xsid=1; sid2=2; Sid=3", "sid") == std::nullopt);
  CHECK(cookie_value("sid; =; ;;", "sid") == std::nullopt);
  CHECK(cookie_value("", "sid") == std::nullopt);
}

TEST_CASE("accounts: a bearer token", "[relay][accounts]") {
  const auto token_of = [](std::string_view value) {
    const std::array headers{HeaderField{"authorization", value}};
    Request request;
    request.headers = headers;
    return bearer_token(request);
  };
  CHECK(token_of("Bearer abc") == "abc");
  CHECK(token_of("bearer  abc") == "abc");
  CHECK(token_of("Basic abc") == std::nullopt);
  CHECK(token_of("Bearer") == std::nullopt);
  CHECK(token_of("Bearer ") == std::nullopt);
  CHECK(token_of("Bearerabc") == std::nullopt);
  CHECK(bearer_token(Request{}) == std::nullopt);
}
