// SPDX-License-Identifier: MIT
// GameConfig.json: what is accepted, and what the operator is told.
#include <muster/relay/game_config.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

using muster::errc;
using muster::FlushWindow;
using muster::relay::GameRules;
using muster::relay::parse_game_config;
using muster::relay::SlowMember;

namespace {

struct Refusal {
  errc reason;
  std::string problem;
};

Refusal refusal(const std::string& text) {
  std::string problem;
  const auto config = parse_game_config(text, problem);
  REQUIRE_FALSE(config);
  return {config.error(), problem};
}

}  // namespace

TEST_CASE("relay 8.1: a config is looked up by name", "[relay][game_config]") {
  std::string problem = "untouched";
  const auto config = parse_game_config(
      R"([ {"name":"b", "max_players":65535},
           {"max_players":0, "name":"", "x":[{"name":1}, [[]], null]} ])",
      problem);
  REQUIRE(config);
  CHECK(problem == "untouched");
  REQUIRE(config->find("b") != nullptr);
  CHECK(config->find("b")->max_players == 65535);
  REQUIRE(config->find("") != nullptr);
  CHECK(config->find("")->max_players == 0);
  CHECK(config->find("a") == nullptr);
}

TEST_CASE("game config: a game may have rules of its own", "[relay][game_config]") {
  std::string problem;
  const auto config = parse_game_config(
      R"([ {"name":"a", "max_players":4, "flush_window":"lead", "flush_window_ms":5,
            "slow_member":"close", "state_cache":4096, "migrate_host":true},
           {"name":"b", "max_players":0, "flush_window":"end_of_pass", "slow_member":"drop"},
           {"name":"c", "max_players":0} ])",
      problem);
  INFO(problem);
  REQUIRE(config);
  const GameRules& a = *config->find("a");
  CHECK(a.window == FlushWindow::lead(std::chrono::milliseconds{5}));
  CHECK(a.slow_member == SlowMember::close);
  CHECK(a.state_cache == 4096U);
  CHECK(a.migrate_host == true);
  const GameRules& b = *config->find("b");
  CHECK(b.window == FlushWindow{});
  CHECK(b.slow_member == SlowMember::drop);
  CHECK_FALSE(b.state_cache);
  CHECK(*config->find("c") == GameRules{});
}

TEST_CASE("game config: what a game's own rules may be is said", "[relay][game_config]") {
  const std::vector<std::pair<std::string, std::string>> mistakes{
      {R"("flush_window":"soon")", "\"end_of_pass\", \"lead\" or \"tick\""},
      {R"("flush_window":5)", "\"end_of_pass\", \"lead\" or \"tick\""},
      {R"("flush_window":"tick")", "\"flush_window_ms\" must be from 1 to 10000"},
      {R"("flush_window_ms":5)", "no \"flush_window\""},
      {R"("flush_window":"lead","flush_window_ms":10001)", "from 0 to 10000"},
      {R"("slow_member":"kill")", "\"resync\", \"drop\" or \"close\""},
      {R"("state_cache":67108865)", "from 0 (none) to 67108864"},
      {R"("migrate_host":"yes")", "true or false"},
      {R"("migrate_host":true,"migrate_host":true)", "twice"},
      {R"("slow_member":"drop","slow_member":"drop")", "twice"},
  };
  for (const auto& [keys, rule] : mistakes) {
    const auto broken = refusal(R"([{"name":"a","max_players":2,)" + keys + "}]");
    CAPTURE(keys, broken.problem);
    CHECK(broken.reason == errc::bad_value);
    CHECK_THAT(broken.problem, ContainsSubstring("game 1 (\"a\")"));
    CHECK_THAT(broken.problem, ContainsSubstring(rule));
  }
}

TEST_CASE("relay 8.1: a syntax error is reported with its line", "[relay][game_config]") {
  const auto broken = refusal("[\n  {\"name\": \"a\",\n   \"max_players\" 2}\n]");
  CHECK(broken.reason == errc::bad_syntax);
  CHECK_THAT(broken.problem, StartsWith("line 3: this is not JSON (while parsing "));
  CHECK_THAT(broken.problem, ContainsSubstring("\"max_players\": 2"));
  CHECK(refusal("").reason == errc::bad_syntax);
  CHECK_THAT(refusal("").problem, StartsWith("line 1: "));
  CHECK(refusal("[] []").reason == errc::bad_syntax);
  CHECK(refusal("[{\"name\":\"\xFF\",\"max_players\":1}]").reason == errc::bad_syntax);
  CHECK(refusal("[").reason == errc::bad_syntax);
}

TEST_CASE("relay 8.1: a value out of range is reported with its game, its key and the range",
          "[relay][game_config]") {
  const auto large = refusal(R"([{"name":"a","max_players":1},{"name":"b","max_players":65536}])");
  CHECK(large.reason == errc::bad_value);
  CHECK(large.problem ==
        "game 2 (\"b\") has the \"max_players\" 65536; it must be a whole number from 0 (no limit) "
        "to 65535");
  CHECK_THAT(refusal(R"([{"name":"a","max_players":-1}])").problem,
             ContainsSubstring("\"max_players\" -1;"));
  CHECK_THAT(refusal(R"([{"name":"a","max_players":2.0}])").problem,
             ContainsSubstring("\"max_players\" 2.0;"));
  CHECK_THAT(refusal(R"([{"max_players":"2","name":"a"}])").problem,
             StartsWith("game 1 has the \"max_players\" \"2\";"));
  CHECK_THAT(refusal(R"([{"max_players":null}])").problem,
             ContainsSubstring("\"max_players\" null;"));
  CHECK_THAT(refusal(R"([{"max_players":[2]}])").problem,
             ContainsSubstring("\"max_players\" a list;"));
  CHECK_THAT(refusal(R"([{"name":true}])").problem,
             ContainsSubstring("\"name\" true; it must be a text"));
  CHECK(refusal(R"([{"name":"a","max_players":18446744073709551616}])").reason == errc::bad_value);
}

TEST_CASE("relay 8.1: a missing or repeated key is reported by name", "[relay][game_config]") {
  CHECK_THAT(refusal(R"([{"name":"a"}])").problem,
             StartsWith("game 1 (\"a\") has no key \"max_players\"; "));
  CHECK_THAT(refusal(R"([{"max_players":2}])").problem, StartsWith("game 1 has no key \"name\"; "));
  CHECK_THAT(refusal(R"([{"name":"a","name":"b","max_players":2}])").problem,
             ContainsSubstring("has the key \"name\" twice"));
  CHECK_THAT(refusal(R"([{"max_players":2,"max_players":2}])").problem,
             ContainsSubstring("has the key \"max_players\" twice"));
}

TEST_CASE("relay 8.1: another shape is reported with the one that is wanted",
          "[relay][game_config]") {
  CHECK_THAT(refusal(R"({"a":2})").problem,
             StartsWith("the text is an object; expected a list of games"));
  CHECK_THAT(refusal("3").problem, StartsWith("the text is 3;"));
  CHECK_THAT(refusal(R"("a")").problem, StartsWith("the text is \"a\";"));
  CHECK_THAT(refusal(R"([{"name":"a","max_players":1}, 7])").problem,
             StartsWith("game 2 is 7; it must be an object"));
  CHECK_THAT(refusal(R"([["a", 2]])").problem,
             StartsWith("game 1 is a list; it must be an object"));
}

TEST_CASE("relay 8.1: a long value is shortened in the sentence", "[relay][game_config]") {
  const auto long_name = refusal("[{\"name\":\"" + std::string(10'000, 'n') + "\"}]");
  CHECK(long_name.problem.size() < 200);
}

TEST_CASE("relay 8.1: deep nesting costs no stack", "[relay][game_config]") {
  const std::string open(200'000, '[');
  CHECK(refusal(open).reason == errc::bad_value);
  CHECK(refusal("[{\"x\":" + open).reason == errc::bad_syntax);
}
