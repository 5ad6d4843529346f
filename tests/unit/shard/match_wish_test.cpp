// SPDX-License-Identifier: MIT
#include <muster/shard/match_wish.hpp>

#include "support/catch.hpp"

#include <string>
#include <vector>

using namespace muster;
using muster::shard::read_match_wish;

namespace {

auto wish_of(std::string_view text) { return read_match_wish(as_bytes(text), "ann"); }

}  // namespace

TEST_CASE("match wish: what is not said has a default, and what is not known is ignored",
          "[shard][match]") {
  auto wish = wish_of("{}");
  REQUIRE(wish);
  CHECK(wish->mode == "default");
  CHECK(wish->rating == 0);
  CHECK(wish->players == std::vector<std::string>{"ann"});
  wish = wish_of(R"( {"map":[{}],"mode":"\u0074eam","rating":-2147483647,"party":["bob","ann"]} )");
  REQUIRE(wish);
  CHECK(wish->mode == "team");
  CHECK(wish->rating == -2'147'483'647);
  CHECK(wish->players == std::vector<std::string>{"ann", "bob"});
  CHECK(wish_of(R"({"rating":2147483647})")->rating == 2'147'483'647);
}

TEST_CASE("match wish: anything else is none", "[shard][match]") {
  for (const char* const text :
       {"", "{", "null", "[]", "7", R"({"mode":7})", R"({"mode":null})", R"({"rating":"1"})",
        R"({"rating":1.0})", R"({"rating":2147483648})", R"({"rating":-2147483648})",
        R"({"rating":18446744073709551615})", R"({"rating":1e400})", R"({"party":"bob"})",
        R"({"party":[1]})", R"({"party":["\ud800"]})", "{\"party\":[\"\xff\"]}", "{} {}"}) {
    CAPTURE(text);
    CHECK_FALSE(wish_of(text));
  }
}
