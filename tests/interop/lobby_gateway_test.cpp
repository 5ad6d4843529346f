// SPDX-License-Identifier: MIT
// The gateway leg: seats, handshakes, and one connection for each.
#include "lobby_world.hpp"

#include <array>

using test::Json;
using test::LobbyWorld;
using test::Peer;
using test::TestBot;
using namespace std::chrono_literals;

namespace {

using lobby_program::Gateway;

// Two bots that have been told of a match.
struct Pair {
  explicit Pair(const LobbyWorld::Config& config = LobbyWorld::Config{}) : world(config) {
    Peer& ann = world.stay(world.bots[0]);
    Peer& bob = world.stay(world.bots[1]);
    world.match(world.bots[0], world.bots[1]);
    matched[0] = ann.last("matched");
    matched[1] = bob.last("matched");
    id = matched[0]["match_id"];
  }

  Peer& dial(std::size_t seat) { return world.dial_seat(matched[seat], world.bots[seat].token); }
  Peer& sit(std::size_t seat) { return world.take_seat(matched[seat], world.bots[seat].token); }
  void run() { world.network.run_until_quiet(); }

  Json authenticate() const { return {{"type", "authenticate"}, {"match_id", id}, {"token", ""}}; }
  Json hello() const {
    return {{"type", "hello"},
            {"match_id", id},
            {"supported_versions", {"1.0"}},
            {"supported_games", {"tic_tac_toe"}}};
  }

  LobbyWorld world;
  std::array<Json, 2> matched;
  std::string id;
};

LobbyWorld::Config poker() {
  LobbyWorld::Config config;
  config.dispatcher.game = "poker";
  return config;
}

}  // namespace

TEST_CASE("gateway: hello follows authenticate, and the match follows the client's hello",
          "[lobby]") {
  Pair pair;
  Peer& ann = pair.dial(0);
  CHECK(ann.frames.empty());
  ann.say(pair.authenticate());
  pair.run();
  REQUIRE(ann.frames.size() == 1);
  const Json& hello = ann.frames[0];
  CHECK(hello["type"] == "hello");
  CHECK(hello["match_id"] == pair.id);
  CHECK(hello["seq"] == 1);
  CHECK(hello["server_ts"] == "2026-01-01T00:00:00.000Z");
  CHECK(hello["supported_versions"] == Json::array({"1.0"}));
  CHECK(hello["selected_version"] == "1.0");
  CHECK(hello["game_type"] == "tic_tac_toe");
  CHECK(hello["game"]["game_type"] == "tic_tac_toe");
  CHECK(hello["capabilities"] == Json::array({"reconnect"}));
  ann.say(pair.hello());
  pair.run();
  CHECK(ann.frames.size() == 1);  // the other one is not there yet

  Peer& bob = pair.sit(1);
  CHECK(ann.frames[1]["type"] == "match_start");
  CHECK(ann.frames[1]["seq"] == 1);
  CHECK(ann.frames[1]["your_seat"] == 0);
  CHECK(bob.last("match_start")["your_seat"] == 1);
  CHECK(ann.count("turn_request") == 1);
  CHECK(bob.count("turn_request") == 0);
}

TEST_CASE("gateway: a match is played to its end and closes with 1000", "[lobby]") {
  Pair pair;
  Peer& ann = pair.sit(0);
  LobbyWorld::play(ann);
  Peer& bob = pair.sit(1);
  LobbyWorld::play(bob);
  // The first request came before somebody listened.
  if (bob.count("turn_request") == 1) bob.say(LobbyWorld::first_action(bob.last("turn_request")));
  pair.world.network.run_for(10s);
  CHECK(ann.closed == 1000);
  CHECK(bob.closed == 1000);
  CHECK(ann.frames.back()["type"] == "match_end");
  CHECK(ann.frames.back()["reason"] == "complete");
  CHECK(pair.world.dispatcher.stats().completed == 1);
  CHECK(pair.world.matches.running() == 0);
  CHECK(pair.world.gateway.connection_count() == 0);

  // It is over: a gateway does not know it any more.
  CHECK(pair.dial(0).closed == 4002);
  CHECK(pair.world.stay(pair.world.bots[0]).count("matched") == 0);
}

TEST_CASE("gateway: what the published clients send is taken, whatever they leave out or add",
          "[lobby]") {
  const auto [first, second] = GENERATE(table<const char*, const char*>({
      // Rust
      {R"({"type":"authenticate","match_id":"m","client_name":"c","client_version":"1","token":""})",
       R"({"type":"hello","match_id":"m","supported_versions":["1.0"],"client_name":"c",)"
       R"("client_version":"1"})"},
      // Python
      {R"({"type":"authenticate","match_id":"m","token":""})",
       R"({"type":"hello","match_id":"m","supported_versions":["1.0"],"client_name":"c",)"
       R"("client_version":"1","supported_games":["poker"]})"},
      // JavaScript
      {R"({"type":"authenticate","match_id":"m","client_name":"c","client_version":"1"})",
       R"({"type":"hello","match_id":"m","supported_versions":["1.0"]})"},
  }));
  Pair pair{poker()};
  Peer& ann = pair.dial(0);
  ann.say_text(first);
  ann.say_text(second);
  pair.run();
  INFO(first);
  CHECK(!ann.closed);
  CHECK(ann.last("hello")["game_type"] == "poker");
  CHECK(!ann.last("hello").contains("game"));
  CHECK(pair.world.gateway.stats().seated == 1);
}

TEST_CASE("gateway: in strict mode a field that nobody knows is an error", "[lobby]") {
  Pair pair{{.gateway = {.is_strict = true}}};
  Peer& ann = pair.dial(0);
  Json frame = pair.authenticate();
  frame["future"] = 1;
  ann.say(frame);
  pair.run();
  CHECK(ann.last("error")["code"] == "unknown_field");
  CHECK(ann.count("hello") == 0);
  CHECK(!ann.closed);
  CHECK(pair.sit(0).count("hello") == 1);
  CHECK(pair.world.gateway.stats().seated == 1);
}

TEST_CASE("gateway: each frame of the handshake has 5 s", "[lobby]") {
  Pair pair;
  Peer& silent = pair.dial(0);
  pair.world.network.run_for(4999ms);
  CHECK(!silent.closed);
  pair.world.network.run_for(1ms);
  CHECK(silent.closed == 4007);

  Peer& half = pair.dial(0);
  pair.world.network.run_for(4s);
  half.say(pair.authenticate());
  pair.world.network.run_for(4999ms);
  CHECK(!half.closed);
  pair.world.network.run_for(1ms);
  CHECK(half.closed == 4007);
  CHECK(pair.world.gateway.stats().late == 2);
}

TEST_CASE("gateway: no version in common is 4013, and a game it does not play 4002", "[lobby]") {
  Pair pair;
  for (const Json& versions : {Json::array({"2.0", "0.9"}), Json::array(), Json{"1.0"}[0]}) {
    Peer& ann = pair.dial(0);
    Json hello = pair.hello();
    hello["supported_versions"] = versions;
    ann.say(pair.authenticate());
    ann.say(hello);
    pair.run();
    INFO(versions.dump());
    CHECK(ann.closed == 4013);
  }
  // Who lists no games plays only the one without a description.
  for (const Json& games : {Json{}, Json::array(), Json::array({"poker"})}) {
    Peer& ann = pair.dial(0);
    Json hello = pair.hello();
    hello["supported_games"] = games;
    if (games.is_null()) hello.erase("supported_games");
    ann.say(pair.authenticate());
    ann.say(hello);
    pair.run();
    CHECK(ann.closed == 4002);
    CHECK(ann.text == "game_unsupported_by_client");
    CHECK(ann.last("error")["code"] == "EXTAPI_CLIENT_GAME_UNSUPPORTED");
    CHECK(ann.last("error")["game_type"] == "tic_tac_toe");
  }
  CHECK(!pair.sit(0).closed);
}

TEST_CASE("gateway: only the bot that was given the seat gets it", "[lobby]") {
  Pair pair;
  const std::string path = pair.matched[0]["gateway_ws_url"];
  const std::string& ann = pair.world.bots[0].token;
  const std::string& bob = pair.world.bots[1].token;
  const auto code = [&](const std::string& to, const std::vector<std::string_view>& offers) {
    return pair.world.dial(to, offers).closed;
  };
  CHECK(code(path, {"chipzen-bot-token", bob}) == 4001);
  CHECK(code(path, {"chipzen-bot-token", "cz_extbot_0123456789ABCDEFGHIJabcdefghij01"}) == 4001);
  CHECK(code(path, {"chipzen-bot-token"}) == 4001);
  CHECK(code(path, {ann, "chipzen-bot-token"}) == 4001);
  CHECK(code(path, {ann}) == 4001);
  CHECK(code(path, {}) == 4001);
  CHECK(code("/ws/external/match/" + pair.id + "/p_nobody", {"chipzen-bot-token", ann}) == 4001);
  CHECK(code("/ws/external/match/x/p_1", {"chipzen-bot-token", ann}) == 4002);
  CHECK(code("/ws/external/match/", {"chipzen-bot-token", ann}) == 4002);
  CHECK(code("/ws/external/match/" + pair.id, {"chipzen-bot-token", ann}) == 4002);
  CHECK(code("/ws/external/match/" + pair.id + "/", {"chipzen-bot-token", ann}) == 4002);
  CHECK(pair.world.gateway.stats().seated == 0);
  CHECK(!pair.sit(0).closed);
}

TEST_CASE("gateway: a second connection for a live seat is refused", "[lobby]") {
  Pair pair;
  Peer& first = pair.sit(0);
  Peer& second = pair.dial(0);
  CHECK(!second.closed);
  second.say(pair.authenticate());
  pair.run();
  CHECK(second.last("error")["code"] == "duplicate_participant");
  CHECK(second.closed == 4011);
  CHECK(!first.closed);

  // Two that are in the handshake at once: the first to finish has it.
  Peer& bob = pair.dial(1);
  Peer& other = pair.dial(1);
  for (Peer* const peer : {&bob, &other}) peer->say(pair.authenticate());
  pair.run();
  bob.say(pair.hello());
  pair.run();
  other.say(pair.hello());
  pair.run();
  CHECK(other.closed == 4011);
  CHECK(other.last("error")["code"] == "duplicate_participant");
  CHECK(!bob.closed);
  CHECK(bob.count("match_start") == 1);
}

TEST_CASE("gateway: with replace, the newer connection has the seat", "[lobby]") {
  Pair pair{{.gateway = {.duplicate = Gateway::Duplicate::replace}}};
  Peer& first = pair.sit(0);
  pair.sit(1);
  const std::string request = first.last("turn_request")["request_id"];
  Peer& second = pair.sit(0);
  CHECK(first.closed == 4011);
  CHECK(!second.closed);
  CHECK(second.last("turn_request")["request_id"] == request);
  CHECK(pair.world.gateway.stats().replaced == 1);
}

TEST_CASE("gateway: a seat whose connection is gone can be taken again, three times", "[lobby]") {
  Pair pair;
  pair.sit(1);
  Peer* ann = &pair.sit(0);
  const std::string request = ann->last("turn_request")["request_id"];
  for (int i = 0; i < 3; ++i) {
    pair.world.network.cut(*ann->connection);
    pair.world.network.run_for(100ms);
    ann = &pair.sit(0);
    CHECK(!ann->closed);
    CHECK(ann->count("match_start") == 0);  // nothing is played again
    CHECK(ann->last("turn_request")["request_id"] == request);
  }
  pair.world.network.cut(*ann->connection);
  pair.world.network.run_for(100ms);
  Peer& fourth = pair.dial(0);
  fourth.say(pair.authenticate());
  pair.run();
  CHECK(fourth.last("error")["code"] == "budget_exhausted");
  CHECK(fourth.closed == 4011);
}

TEST_CASE("gateway: who does not come within 30 s has the match cancelled", "[lobby]") {
  Pair pair;
  Peer& ann = pair.sit(0);
  pair.world.network.run_for(31s);
  CHECK(ann.last("match_end")["reason"] == "cancelled");
  CHECK(ann.last("match_end")["error_code"] == "connection_timeout");
  CHECK(ann.closed == 1000);
  CHECK(pair.world.dispatcher.stats().cancelled == 1);
}

TEST_CASE("gateway: who takes nothing is closed before a frame is left out", "[lobby]") {
  Pair pair;
  pair.sit(1);
  Peer& ann = pair.world.dial(pair.matched[0]["gateway_ws_url"],
                              {"chipzen-bot-token", pair.world.bots[0].token}, {}, {.window = 1});
  ann.say(pair.authenticate());
  pair.run();
  muster::Connection* const end = pair.world.network.peer_of(*ann.connection);
  REQUIRE(end != nullptr);
  REQUIRE(
      end->set_budget({.bytes = 4096, .frames = 8, .reserve_bytes = 1024, .reserve_frames = 4}));
  ann.say(pair.hello());
  pair.world.network.stall(*ann.connection, true);
  pair.world.network.run_for(200s);  // her turns are acted for
  CHECK(!end->is_open());
  pair.world.network.stall(*ann.connection, false);
  pair.run();
  CHECK(ann.closed == 1011);
  std::int64_t seq = 0;
  for (const Json& frame : ann.frames) {
    if (frame["type"] == "hello") continue;
    CHECK(frame["seq"] == ++seq);
  }
  CHECK(seq >= 3);
}

TEST_CASE("gateway: frames above 4096 bytes close with 4008", "[lobby]") {
  Pair pair;
  Peer& early = pair.dial(0);
  early.say_text(R"({"type":"authenticate","x":")" + std::string(4096, 'x') + "\"}");
  pair.run();
  CHECK(early.closed == 4008);

  Peer& ann = pair.sit(0);
  pair.sit(1);
  ann.say_text(R"({"type":"pong","x":")" + std::string(4096, 'x') + "\"}");
  pair.run();
  CHECK(ann.closed == 4008);
}

TEST_CASE("gateway: frames of no use before the seat are answered, and end at the fifth",
          "[lobby]") {
  Pair pair;
  Peer& ann = pair.dial(0);
  for (const char* const text : {"{bad", "[]", "\"authenticate\"", R"({"type":"hello"})"}) {
    ann.say_text(text);
    pair.run();
    CHECK(ann.last("error")["code"] == "malformed_message");
    CHECK(!ann.closed);
  }
  ann.connection->send({muster::as_bytes(pair.authenticate().dump()), muster::MessageKind::binary});
  pair.run();
  CHECK(ann.closed == 4009);
}

TEST_CASE("gateway: on the direct path the token or ticket is in the frame", "[lobby]") {
  Pair pair;
  const std::string participant = pair.matched[0]["participant_id"];
  const std::string path = "/ws/match/" + pair.id + "/" + participant;
  for (const char* const key : {"token", "ticket"}) {
    Peer& ann = pair.world.dial(path);
    Json frame{{"type", "authenticate"}, {"match_id", pair.id}};
    frame[key] = pair.world.bots[0].token;
    ann.say(frame);
    pair.run();
    CHECK(ann.count("hello") == 1);
    CHECK(!ann.closed);
  }
  Peer& thief = pair.world.dial(path);
  thief.say({{"type", "authenticate"}, {"token", pair.world.bots[1].token}});
  pair.run();
  CHECK(thief.closed == 4001);
  CHECK(pair.world.dial("/ws/match/" + pair.id + "/p_nobody").closed == 4006);
  CHECK(pair.world.dial("/ws/match/none/p_nobody").closed == 4002);

  pair.world.matches.fail_all("the test is over", pair.world.network.now());
  pair.run();
  CHECK(pair.world.dial(path).closed == 4005);
}

TEST_CASE("gateway: a server that goes away fails its matches and says so", "[lobby]") {
  Pair pair;
  Peer& ann = pair.sit(0);
  pair.sit(1);
  Peer& waiting = pair.dial(0);
  const muster::time_point now = pair.world.network.now();
  pair.world.matches.fail_all("the server goes away", now);
  pair.world.gateway.on_drain(now);
  pair.run();
  CHECK(ann.last("match_end")["reason"] == "error");
  CHECK(ann.last("match_end")["error_code"] == "server_error");
  CHECK(ann.closed.has_value());
  CHECK(waiting.closed == 1001);
  CHECK(pair.world.dispatcher.stats().failed == 1);
}
