// SPDX-License-Identifier: MIT
// The lobby leg: who is there, and how one stops being there.
#include "lobby_world.hpp"

using test::Json;
using test::LobbyWorld;
using test::Peer;
using namespace std::chrono_literals;

namespace {

Json authenticate(const std::string& token) { return {{"type", "authenticate"}, {"token", token}}; }

muster::Address address(std::uint32_t last) {
  return muster::Address::v4(0xc0000200U | last, 4000);
}

}  // namespace

TEST_CASE("lobby: a bot that says its token first is online and hears hello", "[lobby]") {
  LobbyWorld world;
  Peer& ann = world.check_in(world.bots[0]);
  REQUIRE(ann.frames.size() == 1);
  CHECK(ann.frames[0] == Json{{"type", "hello"},
                              {"match_id", world.bots[0].bot.id},
                              {"seq", 1},
                              {"server_ts", "2026-01-01T00:00:00.000Z"},
                              {"supported_versions", {"1.0"}},
                              {"selected_version", "1.0"},
                              {"server_name", "muster"},
                              {"endpoint", "lobby"}});
  CHECK(world.lobby.online(world.bots[0].bot.id) != nullptr);
  CHECK(world.lobby.online(world.bots[1].bot.id) == nullptr);

  world.network.cut(*ann.connection);
  world.network.run_until_quiet();
  CHECK(world.lobby.online_count() == 0);
}

TEST_CASE("lobby: who is not the bot is refused with 4001", "[lobby]") {
  LobbyWorld world;
  const std::string path = "/ws/external/bot/" + world.bots[0].bot.id;
  const std::vector<std::string> first_frames{
      authenticate("").dump(),
      authenticate("cz_extbot_0123456789ABCDEFGHIJabcdefghij01").dump(),
      authenticate(world.bots[1].token).dump(),  // another bot's
      authenticate(world.bots[0].token + "x").dump(),
      Json{{"type", "authenticate"}, {"token", 7}}.dump(),
      Json{{"type", "pong"}, {"token", world.bots[0].token}}.dump(),
      "{bad",
      "[]",
      ""};
  for (const std::string& frame : first_frames) {
    Peer& peer = world.dial(path);
    peer.say_text(frame);
    world.network.run_until_quiet();
    INFO(frame);
    CHECK(peer.closed == 4001);
    CHECK(peer.frames.empty());
  }
  CHECK(world.lobby.stats().unauthorized == first_frames.size());
  CHECK(world.lobby.online_count() == 0);
}

TEST_CASE("lobby: who says nothing for 5 s is closed", "[lobby]") {
  LobbyWorld world;
  Peer& peer = world.dial("/ws/external/bot/" + world.bots[0].bot.id);
  world.network.run_for(4999ms);
  CHECK(!peer.closed);
  world.network.run_for(1ms);
  CHECK(peer.closed == 4001);
}

TEST_CASE("lobby: paths that name no bot are not found", "[lobby]") {
  LobbyWorld world;
  for (const char* const id : {"", "x", "8F3A1C2E-0000-4000-8000-000000000001",
                               "8f3a1c2e-0000-4000-8000-000000000001/", "..%2f"}) {
    Peer& peer = world.dial(std::string{"/ws/external/bot/"} + id);
    CHECK(peer.closed == 404);
  }
}

TEST_CASE("lobby: a newer connection of a bot evicts the older one", "[lobby]") {
  LobbyWorld world;
  Peer& older = world.stay(world.bots[0]);
  Peer& newer = world.stay(world.bots[0]);
  REQUIRE(older.closed == 4000);
  CHECK(older.text == "Replaced by new connection");
  CHECK(older.frames.back()["type"] == "evict");
  CHECK(newer.count("hello") == 1);
  CHECK(world.lobby.online_count() == 1);

  world.network.run_for(60s);
  CHECK(!newer.closed);
  CHECK(newer.count("ping") == 4);
}

TEST_CASE("lobby: pings come every 15 s and want a pong within 5 s", "[lobby]") {
  LobbyWorld world;
  Peer& deaf = world.check_in(world.bots[0]);
  Peer& alive = world.stay(world.bots[1]);
  world.network.run_for(14999ms);
  CHECK(deaf.count("ping") == 0);
  world.network.run_for(1ms);
  CHECK(deaf.count("ping") == 1);
  deaf.say({{"type", "pong"}});
  world.network.run_for(15s);
  CHECK(deaf.count("ping") == 2);
  deaf.say({{"type", "hello"}});
  world.network.run_for(4999ms);
  CHECK(!deaf.closed);
  world.network.run_for(1ms);
  CHECK(deaf.closed == 4000);
  CHECK(deaf.text == "Heartbeat failed");
  world.network.run_for(60s);
  CHECK(!alive.closed);
  CHECK(world.lobby.online_count() == 1);
}

TEST_CASE("lobby: a token that was revoked is seen at the next heartbeat", "[lobby]") {
  LobbyWorld world;
  Peer& ann = world.stay(world.bots[0]);
  Peer& bob = world.stay(world.bots[1]);
  CHECK(world.accounts.revoke(world.bots[0].bot.id) == 1);
  world.network.run_for(14999ms);
  CHECK(!ann.closed);
  world.network.run_for(1ms);
  CHECK(ann.closed == 4002);
  CHECK(ann.count("ping") == 0);
  CHECK(!bob.closed);

  Peer& again = world.check_in(world.bots[0]);
  CHECK(again.closed == 4001);
}

TEST_CASE("lobby: frames above 4096 bytes close with 1009, others are dropped", "[lobby]") {
  LobbyWorld world;
  Peer& ann = world.stay(world.bots[0]);
  ann.say_text("{bad");
  ann.say_text("[1]");
  ann.say({{"type", "turn_action"}, {"action", "fold"}});
  ann.connection->send({muster::as_bytes("{\"type\":\"pong\"}"), muster::MessageKind::binary});
  const std::string filling = R"({"type":"pong","x":")";
  ann.say_text(filling + std::string(4096 - filling.size() - 2, 'x') + "\"}");
  world.network.run_until_quiet();
  CHECK(!ann.closed);
  CHECK(world.lobby.stats().malformed == 3);
  CHECK(world.lobby.stats().ignored == 2);

  ann.say_text(filling + std::string(4096 - filling.size() - 1, 'x') + "\"}");
  world.network.run_until_quiet();
  CHECK(ann.closed == 1009);
  CHECK(world.lobby.stats().oversized == 1);
}

TEST_CASE("lobby: an address that connects too often is closed with 1008", "[lobby]") {
  LobbyWorld world{{.connects_per_minute = 3}};
  const std::string path = "/ws/external/bot/" + world.bots[0].bot.id;
  for (int i = 0; i < 3; ++i) CHECK(!world.dial(path, {}, address(1)).closed);
  CHECK(world.dial(path, {}, address(1)).closed == 1008);
  CHECK(!world.dial(path, {}, address(2)).closed);
  world.network.run_for(61s);
  CHECK(!world.dial(path, {}, address(1)).closed);
  CHECK(world.lobby.stats().limited == 1);
}

TEST_CASE("lobby: after each connect a bot is told of its unfinished matches", "[lobby]") {
  LobbyWorld world;
  Peer& ann = world.stay(world.bots[0]);
  Peer& bob = world.stay(world.bots[1]);
  world.match(world.bots[0], world.bots[1]);
  const Json matched = ann.last("matched");
  CHECK(matched["match_id"] == bob.last("matched")["match_id"]);
  CHECK(matched["participant_id"] != bob.last("matched")["participant_id"]);
  CHECK(matched["rated"] == true);
  CHECK(matched["decision_timeout_ms"] == 30'000);
  CHECK(!matched.contains("resume"));
  CHECK(matched["gateway_ws_url"] == "/ws/external/match/" + std::string{matched["match_id"]} +
                                         "/" + std::string{matched["participant_id"]});

  Peer& again = world.stay(world.bots[0]);
  Json resumed = again.last("matched");
  CHECK(resumed["resume"] == true);
  resumed.erase("resume");
  CHECK(resumed == matched);
  CHECK(world.check_in(world.bots[2]).count("matched") == 0);
}

TEST_CASE("lobby: a drain says 1001 to all", "[lobby]") {
  LobbyWorld world;
  Peer& ann = world.stay(world.bots[0]);
  Peer& nobody = world.dial("/ws/external/bot/" + world.bots[1].bot.id);
  world.lobby.on_drain(world.network.now());
  world.network.run_until_quiet();
  CHECK(ann.closed == 1001);
  CHECK(nobody.closed == 1001);
  CHECK(world.lobby.online_count() == 0);
}
