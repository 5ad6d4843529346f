// SPDX-License-Identifier: MIT
// What the published clients of the protocol do wrong, and ours must not. The numbers are those of
// docs/protocol/lobby.md.
#include "support/catch.hpp"
#include "support/lobby_script.hpp"

#include <muster/lobby/origin.hpp>

#include <chrono>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

using namespace std::chrono_literals;
using muster::MessageKind;
using muster::lobby::Config;
using muster::lobby::Engine;
using muster::lobby::Outcome;
using muster::lobby::StopReason;
using muster::test::bot_token;
using muster::test::json;
using muster::test::LobbyLine;
using muster::test::LobbyWorld;

namespace {

Config usual() {
  Config config = muster::test::configure(json::object());
  config.retry.jitter = 0;
  return config;
}

json hello() {
  return {{"type", "hello"}, {"selected_version", "1.0"}, {"capabilities", {"reconnect"}}};
}
json matched(const std::string& id, const std::string& gateway = "") {
  return {{"type", "matched"},
          {"match_id", id},
          {"participant_id", "p"},
          {"gateway_ws_url", gateway.empty() ? "/m/" + id : gateway}};
}
json request(const std::string& id, int seq, std::vector<std::string> legal = {"fold", "call"}) {
  return {{"type", "turn_request"}, {"seq", seq},         {"seat", 0},
          {"request_id", id},       {"timeout_ms", 5000}, {"valid_actions", legal}};
}

// A lobby that is up, and matches on it.
struct Bot : LobbyWorld {
  explicit Bot(const Config& config = usual()) : LobbyWorld(config) {
    start();
    ready(0);
  }
  LobbyLine& ready(std::size_t line) {
    REQUIRE(lines() > line);
    accept(line, "");
    say(line_at(line), hello());
    return line_at(line);
  }
  // The match's line, after the handshake.
  LobbyLine& begin(const std::string& id) {
    const std::size_t line = lines();
    say(line_at(0), matched(id));
    REQUIRE(lines() == line + 1);
    return greet(line);
  }
  LobbyLine& greet(std::size_t line) {
    REQUIRE(lines() > line);
    accept(line, "chipzen-bot-token");
    say(line_at(line), hello());
    return line_at(line);
  }
  // The types of what the client sent, and forgets it.
  std::vector<std::string> take(LobbyLine& line) {
    std::vector<std::string> types;
    for (const std::string& text : line.sent) types.push_back(json::parse(text)["type"]);
    line.sent.clear();
    return types;
  }
};

}  // namespace

TEST_CASE("lobby weakness 1: a relative gateway text is never glued to the host", "[lobby]") {
  Bot bot;
  for (const char* gateway : {".attacker.example/x", "@attacker.example/x", ":pw@attacker.example/",
                              "attacker.example/x", "-evil/x", "?x"}) {
    bot.say(bot.line_at(0), matched("m", gateway));
  }
  json empty = matched("m");
  empty["gateway_ws_url"] = "";
  bot.say(bot.line_at(0), empty);
  CHECK(bot.lines() == 1);
  CHECK(bot.count("untrusted_gateway") == 7);
}

TEST_CASE("lobby weakness 2: a scheme in upper case turns no check off", "[lobby]") {
  Config config = usual();
  config.url = "WSS://staging.chipzen.ai/x";
  Bot bot{config};
  bot.say(bot.line_at(0), matched("m", "WS://staging.chipzen.ai/x"));
  bot.say(bot.line_at(0), matched("m", "Wss://attacker.example/x"));
  CHECK(bot.lines() == 1);
  CHECK(bot.count_detail("untrusted_gateway downgrade") == 1);
  CHECK(bot.count_detail("untrusted_gateway cross_origin") == 1);
}

TEST_CASE("lobby weakness 3: another spelling of the same origin is not another origin",
          "[lobby]") {
  Bot bot;
  bot.say(bot.line_at(0), matched("m", "WSS://Staging.CHIPZEN.ai:443/x"));
  REQUIRE(bot.lines() == 2);
  CHECK(bot.line_at(1).dial.url == "wss://staging.chipzen.ai/x");
}

TEST_CASE("lobby weakness 4: a match that is skipped is an event", "[lobby]") {
  Bot bot;
  bot.say(bot.line_at(0), matched("m", "wss://attacker.example/x"));
  bot.say(bot.line_at(0), {{"type", "matched"}, {"match_id", "m"}});
  CHECK(bot.count_detail("untrusted_gateway cross_origin") == 1);
  CHECK(bot.count("malformed_matched") == 1);
  CHECK(bot.results.empty());
}

TEST_CASE("lobby weakness 5: a lobby that accepts and closes is not dialled for ever", "[lobby]") {
  LobbyWorld world{usual()};
  world.start();
  std::vector<muster::duration> waits;
  for (std::size_t i = 0; i < 50 && !world.stopped; ++i) {
    REQUIRE(world.lines() == i + 1);
    world.accept(i, "");
    world.close(world.line_at(i), 1011, "");
    if (world.stopped) break;
    waits.push_back(world.client->next_deadline() - world.now);
    world.advance(waits.back());
  }
  CHECK(waits == std::vector<muster::duration>{500ms, 1s, 2s, 4s, 8s});
  CHECK(world.stopped == StopReason::lobby_unstable);
}

TEST_CASE("lobby weakness 6: a final refusal is dialled once", "[lobby]") {
  for (const int code : {4001, 4003, 4006, 4012, 4013}) {
    INFO(code);
    Bot bot;
    bot.say(bot.line_at(0), matched("m"));
    bot.accept(1, "chipzen-bot-token");
    bot.close(bot.line_at(1), static_cast<std::uint16_t>(code), "");
    bot.advance(60s - 21s);
    REQUIRE(bot.results.size() == 1);
    CHECK(bot.results[0].outcome == Outcome::refused);
    CHECK(bot.client->stats().gateway_dials == 1);
  }
}

TEST_CASE("lobby weakness 7: a match that is being played is not played twice", "[lobby]") {
  Bot bot;
  LobbyLine& match = bot.begin("m");
  json again = matched("m");
  again["resume"] = true;
  bot.say(bot.line_at(0), again);
  CHECK(bot.lines() == 2);
  bot.say(match, {{"type", "match_end"}});
  bot.say(bot.line_at(0), again);  // nor one that was played to its end
  CHECK(bot.lines() == 2);
  CHECK(bot.count("duplicate_match_ignored") == 2);
  CHECK(bot.results.size() == 1);
}

TEST_CASE("lobby weakness 8: a match_end is never lost to its number", "[lobby]") {
  for (const json& seq : {json(1), json(0), json(-7), json("x"), json(), json(1.5)}) {
    INFO(seq.dump());
    Bot bot;
    LobbyLine& match = bot.begin("m");
    for (int i = 1; i < 10; ++i) bot.say(match, {{"type", "round_start"}, {"seq", i}});
    bot.say(match, {{"type", "match_end"}, {"seq", seq}});
    REQUIRE(bot.results.size() == 1);
    CHECK(bot.results[0].outcome == Outcome::completed);
  }
}

TEST_CASE("lobby weakness 9: no frame is lost after a long quiet time", "[lobby]") {
  Bot bot;
  bot.take(bot.line_at(0));
  for (int i = 0; i < 20; ++i) {
    bot.advance(15s);
    bot.say(bot.line_at(0), {{"type", "ping"}});
    CHECK(bot.take(bot.line_at(0)) == std::vector<std::string>{"pong"});
  }
  bot.begin("m");
  CHECK(bot.client->active_matches() == 1);
}

TEST_CASE("lobby weakness 10: a pending request needs no type", "[lobby]") {
  Bot bot;
  LobbyLine& match = bot.begin("m");
  bot.take(match);
  json pending = request("r", 3);
  pending.erase("type");
  bot.say(match, {{"type", "reconnected"}, {"seq", 4}, {"pending_request", pending}});
  CHECK(bot.take(match) == std::vector<std::string>{"turn_action"});
  CHECK(bot.play.decisions == 1);
}

TEST_CASE("lobby weakness 11: every stage has a deadline", "[lobby]") {
  SECTION("the lobby's connect") {
    LobbyWorld world{usual()};
    world.start();
    world.advance(10s);
    CHECK(world.count_detail("connect_failed timeout") == 1);
    world.advance(500ms);
    CHECK(world.lines() == 2);
  }
  SECTION("the lobby's hello") {
    LobbyWorld world{usual()};
    world.start();
    world.accept(0, "");
    world.advance(10s);
    CHECK(world.count_detail("closed_before_hello timeout") == 1);
    CHECK(world.line_at(0).is_closed);
  }
  SECTION("the lobby's silence") {
    Bot bot;
    bot.advance(40s);
    CHECK(bot.count("lobby_heartbeat_timeout") == 1);
    CHECK(bot.line_at(0).is_closed);
  }
  SECTION("the gateway's connect") {
    Bot bot;
    bot.say(bot.line_at(0), matched("m"));
    bot.advance(10s + 500ms);
    CHECK(bot.lines() == 3);
  }
  SECTION("the gateway's handshake") {
    Bot bot;
    bot.say(bot.line_at(0), matched("m"));
    bot.accept(1, "chipzen-bot-token");
    bot.advance(10s + 500ms);
    CHECK(bot.line_at(1).is_closed);
    CHECK(bot.lines() == 3);
  }
}

TEST_CASE("lobby weakness 12: stopping interrupts a wait and a dial at once", "[lobby]") {
  LobbyWorld world{usual()};
  world.start();
  world.stop();
  CHECK(world.stopped == StopReason::stopped);
  CHECK(world.line_at(0).is_closed);

  LobbyWorld waiting{usual()};
  waiting.start();
  waiting.fail(waiting.line_at(0), muster::CloseReason::connect_failed, 0, "refused");
  REQUIRE(waiting.client->state() == Engine::State::backoff);
  waiting.stop();
  CHECK(waiting.stopped == StopReason::stopped);
  waiting.advance(60s);
  CHECK(waiting.lines() == 1);
}

TEST_CASE("lobby weakness 13: no more matches are started than will be played", "[lobby]") {
  Config config = usual();
  config.max_matches = 2;
  Bot bot{config};
  LobbyLine& first = bot.begin("a");
  bot.begin("b");
  bot.say(bot.line_at(0), matched("c"));
  CHECK(bot.lines() == 3);
  CHECK(bot.count_detail("match_declined max_matches") == 1);
  bot.say(first, {{"type", "match_end"}});
  bot.say(bot.line_at(0), matched("d"));  // one is played, one is being played
  CHECK(bot.lines() == 3);
  bot.fail(bot.line_at(2), muster::CloseReason::connection_lost, 0, "");
  bot.advance(60s - 21s);  // it is dialled in vain, and abandoned
  REQUIRE(bot.client->stats().abandoned == 1);
  CHECK(bot.client->stats().completed == 1);
  CHECK_FALSE(bot.stopped);  // one that was abandoned is not one that was played
}

TEST_CASE("lobby weakness 13: an option counts matches that were abandoned", "[lobby]") {
  Config config = usual();
  config.max_matches = 1;
  config.count_abandoned = true;
  config.retry.max_reconnect_attempts = 0;
  Bot bot{config};
  bot.fail(bot.begin("a"), muster::CloseReason::connection_lost, 0, "");
  CHECK(bot.stopped == StopReason::max_matches);
}

TEST_CASE("lobby weakness 14: matches at the same time are bounded, and ended ones are let go",
          "[lobby]") {
  Config config = usual();
  config.max_concurrent_matches = 3;
  Bot bot{config};
  for (int i = 0; i < 10; ++i) bot.say(bot.line_at(0), matched("m" + std::to_string(i)));
  CHECK(bot.client->active_matches() == 3);
  CHECK(bot.count_detail("match_declined max_concurrent_matches") == 7);
  bot.greet(1);
  bot.say(bot.line_at(1), {{"type", "match_end"}});
  CHECK(bot.client->active_matches() == 2);
  bot.say(bot.line_at(0), matched("new"));
  CHECK(bot.client->active_matches() == 3);
}

TEST_CASE("lobby weakness 15: an evicted bot may finish its matches, and all have a result",
          "[lobby]") {
  const bool finishes = GENERATE(true, false);
  Config config = usual();
  config.finish_matches_on_evict = finishes;
  Bot bot{config};
  LobbyLine& match = bot.begin("m");
  bot.say(bot.line_at(0), {{"type", "evict"}});
  bot.advance(10s);
  bot.say(match, {{"type", "match_end"}});
  REQUIRE(bot.results.size() == 1);
  CHECK(bot.results[0].outcome == (finishes ? Outcome::completed : Outcome::cancelled));
  CHECK(bot.stopped == StopReason::evicted);
  CHECK(bot.client->stats().lobby_dials == 1);
}

TEST_CASE("lobby weakness 16: bots that lost one server do not come back in step", "[lobby]") {
  Config config = usual();
  config.retry.jitter = 0.25;
  std::vector<muster::duration> waits;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    LobbyWorld world{config, seed};
    world.start();
    world.fail(world.line_at(0), muster::CloseReason::connect_failed, 0, "refused");
    waits.push_back(world.client->next_deadline() - world.now);
  }
  std::sort(waits.begin(), waits.end());
  CHECK(waits.front() >= 375ms);
  CHECK(waits.back() <= 500ms);
  CHECK(std::unique(waits.begin(), waits.end()) - waits.begin() > 25);
}

TEST_CASE(
    "lobby weakness 17: attempts start over after a turn was answered, the server's budget "
    "does not",
    "[lobby]") {
  Bot bot;
  bot.begin("m");
  for (int drop = 0; drop < 4; ++drop) {
    INFO("drop " << drop);
    LobbyLine& line = bot.line_at(bot.lines() - 1);
    bot.say(line, request("r" + std::to_string(drop), 10 * drop + 1));
    bot.fail(line, muster::CloseReason::connection_lost, 0, "");
    if (drop == 3) break;
    REQUIRE(bot.results.empty());
    CHECK(bot.client->next_deadline() - bot.now == 500ms);
    bot.advance(500ms);
    bot.greet(bot.lines() - 1);
  }
  REQUIRE(bot.results.size() == 1);
  CHECK(bot.results[0].outcome == Outcome::abandoned);
  CHECK(bot.results[0].reason == "server_budget");
  CHECK(bot.results[0].reconnects == 3);
}

TEST_CASE("lobby weakness 18: a resumed turn is answered as before, and the handler is asked once",
          "[lobby]") {
  Bot bot;
  LobbyLine& match = bot.begin("m");
  bot.play.next_action = {"call", R"({"x":1})"};
  bot.say(match, request("r", 1));
  const std::string first = match.sent.back();
  bot.fail(match, muster::CloseReason::connection_lost, 0, "");
  bot.advance(500ms);
  LobbyLine& again = bot.greet(2);
  bot.take(again);
  bot.say(again, request("r", 2));
  REQUIRE(again.sent.size() == 1);
  CHECK(again.sent.back() == first);
  CHECK(bot.play.decisions == 1);
}

TEST_CASE("lobby weakness 18: a turn that is thought about over a drop is not asked twice",
          "[lobby]") {
  Bot bot;
  LobbyLine& match = bot.begin("m");
  bot.play.holds_next = true;
  bot.say(match, request("r", 1));
  bot.fail(match, muster::CloseReason::connection_lost, 0, "");
  bot.advance(500ms);
  SECTION("the answer comes when the new connection is there") {
    LobbyLine& again = bot.greet(2);
    bot.say(again, request("r", 2));
    bot.take(again);
    bot.play.held[0]({"call", "{}"});
    bot.settle();
    CHECK(bot.take(again) == std::vector<std::string>{"turn_action"});
  }
  SECTION("the answer comes in between, and waits") {
    bot.play.held[0]({"call", "{}"});
    bot.settle();
    LobbyLine& again = bot.greet(2);
    CHECK(bot.take(again) == std::vector<std::string>{"authenticate", "hello"});
    bot.say(again, request("r", 2));
    CHECK(bot.take(again) == std::vector<std::string>{"turn_action"});
  }
  CHECK(bot.play.decisions == 1);
}

TEST_CASE("lobby weakness 19: what is sent is bounded in size and in rate", "[lobby]") {
  Config config = usual();
  config.game_frame_types = {"tick"};
  Bot bot{config};
  LobbyLine& match = bot.begin("m");
  bot.take(match);
  const std::string blob(5000, 'x');
  CHECK(bot.client->send(1, "\"x\"", {"move", "{\"b\":\"" + blob + "\"}"}, bot.now) ==
        muster::make_error_code(muster::errc::too_large));
  CHECK(bot.client->send(1, "\"x\"", {"move", "7"}, bot.now) ==
        muster::make_error_code(muster::errc::bad_value));
  CHECK(bot.client->send(1, "[]", {"move", "{}"}, bot.now) ==
        muster::make_error_code(muster::errc::bad_value));
  std::size_t queued = 0;
  while (!bot.client->send(1, "\"x\"", {"move", "{}"}, bot.now)) ++queued;
  CHECK(queued == 10 + 64);  // the rate, and what may wait
  bot.settle();
  CHECK(bot.take(match).size() == 10);
  bot.advance(999ms);
  CHECK(bot.take(match).empty());
  bot.advance(1ms);
  CHECK(bot.take(match).size() == 10);
  bot.advance(10s);
  CHECK(bot.take(match).size() == 54);
}

TEST_CASE("lobby weakness 20: rejections are answered a few times, and with what is legal",
          "[lobby]") {
  Bot bot;
  LobbyLine& match = bot.begin("m");
  bot.say(match, request("r", 1, {"bet", "raise"}));
  bot.take(match);
  for (int i = 0; i < 20; ++i) {
    bot.say(match, {{"type", "action_rejected"},
                    {"seq", 2 + i},
                    {"request_id", "r"},
                    {"valid_actions", {"bet", "raise"}}});
  }
  REQUIRE(match.sent.size() == 4);
  for (const std::string& text : match.sent) CHECK(json::parse(text)["action"] == "bet");
  CHECK(bot.count("rejection_unanswered") == 16);
}

TEST_CASE("lobby weakness 21: the token is nowhere but where it must be", "[lobby]") {
  Bot bot;
  bot.take(bot.line_at(0));
  // A server that sends it back, in every place that is told or sent on.
  const std::string secret = bot_token;
  bot.say(bot.line_at(0), {{"type", secret}});
  bot.say(bot.line_at(0), matched("m" + secret, "/x?token=" + secret));
  REQUIRE(bot.lines() == 2);
  LobbyLine& match = bot.greet(1);
  bot.say(match, {{"type", "error"}, {"code", secret}});
  bot.say(match, {{"type", secret}});
  bot.say(match, {{"type", "match_end"}, {"reason", secret}});
  REQUIRE(bot.results.size() == 1);
  CHECK(bot.results[0].match_id == "m[token]");
  CHECK(bot.results[0].end.find(secret) == std::string::npos);
  bot.close(bot.line_at(0), 1011, secret);
  CHECK(bot.events.size() > 5);
  for (const std::string& text : bot.event_details) {
    INFO(text);
    CHECK(text.find(secret) == std::string::npos);
  }
  // It is in no URL of ours, and in no header of the lobby's dial.
  LobbyWorld fresh{usual()};
  fresh.start();
  const auto& dial = fresh.line_at(0).dial;
  CHECK(dial.url.find(secret) == std::string::npos);
  CHECK(dial.subprotocols.empty());
  for (const auto& [name, value] : dial.headers) CHECK(value.find(secret) == std::string::npos);
  // One that does not fit into a header, or an address in clear text, is refused at once.
  Config config = usual();
  std::string problem;
  config.url = "ws://staging.chipzen.ai/x";
  CHECK(validate(config, problem));
  CHECK(problem.find("lobby_insecure") != std::string::npos);
  CHECK(problem.find(secret) == std::string::npos);
}

TEST_CASE("lobby weakness 22: only the sentinel may be echoed", "[lobby]") {
  for (const std::string& selected : {std::string{bot_token}, std::string{"chat"}}) {
    Bot bot;
    bot.say(bot.line_at(0), matched("m"));
    bot.accept(1, selected);
    CHECK(bot.line_at(1).is_closed);
    CHECK(bot.line_at(1).sent.empty());
    bot.advance(30s);
    CHECK(bot.client->stats().gateway_dials == 1);
    REQUIRE(bot.results.size() == 1);
    CHECK(bot.results[0].reason == "subprotocol_wrong");
  }
  Config lenient = usual();
  lenient.strict_subprotocol = false;
  Bot bot{lenient};
  bot.say(bot.line_at(0), matched("m"));
  bot.accept(1, "");
  CHECK(bot.take(bot.line_at(1)) == std::vector<std::string>{"authenticate"});
}

TEST_CASE("lobby weakness 23: no message ends the run, whatever it is", "[lobby]") {
  Bot bot;
  LobbyLine& match = bot.begin("m");
  bot.take(match);
  for (const char* text :
       {"[]", "null", "{\"type\":null}", "{\"type\":[]}", "{}", "\xff",
        "{\"type\":\"turn_request\"}", "{\"type\":\"turn_request\",\"request_id\":{}}",
        "{\"type\":\"action_rejected\",\"request_id\":7}",
        "{\"type\":\"reconnected\",\"pending_request\":[]}",
        "{\"type\":\"reconnected\",\"pending_request\":{}}",
        "{\"type\":\"turn_result\",\"seat\":\"x\"}",
        "{\"type\":\"match_start\",\"turn_timeout_ms\":-1}",
        "{\"type\":\"matched\",\"match_id\":7,\"gateway_ws_url\":[]}"}) {
    INFO(text);
    bot.say(match, std::string_view{text});
    bot.say(match, std::string_view{text}, MessageKind::binary);
    bot.say(bot.line_at(0), std::string_view{text});
  }
  CHECK(bot.client->state() == Engine::State::ready);
  bot.say(match, request("r", 1));
  CHECK(bot.take(match) == std::vector<std::string>{"turn_action"});
}

TEST_CASE("lobby weakness 24: a request's id comes back as it was", "[lobby]") {
  for (const char* id : {"42", "-1", "1e3", "\"\"", "\"a\\u0041\"", "0.50"}) {
    INFO(id);
    Bot bot;
    LobbyLine& match = bot.begin("m");
    bot.take(match);
    const std::string frame =
        R"({"type":"turn_request","valid_actions":["check"],"request_id":)" + std::string{id} + "}";
    bot.say(match, std::string_view{frame});
    REQUIRE(match.sent.size() == 1);
    CHECK(match.sent[0].find("\"request_id\":" + std::string{id} + ",") != std::string::npos);
  }
}

TEST_CASE("lobby weakness 25: what is sent has the fields of the schema and no others", "[lobby]") {
  Config config = usual();
  config.supported_games = {"poker", "nim"};
  Bot bot{config};
  LobbyLine& match = bot.begin("m");
  REQUIRE(match.sent.size() == 2);
  CHECK(json::parse(match.sent[0]) ==
        json({{"type", "authenticate"}, {"match_id", "m"}, {"token", ""}}));
  CHECK(json::parse(match.sent[1]) == json({{"type", "hello"},
                                            {"match_id", "m"},
                                            {"supported_versions", {"1.0"}},
                                            {"client_name", "muster"},
                                            {"client_version", "0.1"},
                                            {"supported_games", {"poker", "nim"}}}));
}

TEST_CASE("lobby weakness 26: a configuration that cannot work is refused with a sentence",
          "[lobby]") {
  const auto problem_of = [](auto change) {
    Config config = usual();
    change(config);
    std::string problem;
    const bool is_refused = static_cast<bool>(validate(config, problem));
    CHECK(is_refused == !problem.empty());
    return problem;
  };
  CHECK(problem_of([](Config&) {}).empty());
  CHECK(problem_of([](Config& c) { c.url = "staging.chipzen.ai"; }).find("lobby_not_absolute") !=
        std::string::npos);
  CHECK(problem_of([](Config& c) { c.token = {}; }).find("token is missing") == 0);
  CHECK(problem_of([](Config& c) { c.retry.backoff_multiplier = 0.5; }).find("retry") == 0);
  CHECK(problem_of([](Config& c) { c.max_frame = 10; }).find("max_frame") == 0);
  CHECK(problem_of([](Config& c) { c.client_name.clear(); }).find("client_name") == 0);
  CHECK(problem_of([](Config& c) { c.client_version = "1\n"; }).find("client_version") == 0);
  CHECK(problem_of([](Config& c) { c.user_agent = "a\r\nX: 1"; }).find("user_agent") == 0);
  CHECK(problem_of([](Config& c) { c.hello_timeout = 0s; }).find("hello_timeout") == 0);
  CHECK(problem_of([](Config& c) { c.frames_per_second = 0; }).find("frames_per_second") == 0);
}
