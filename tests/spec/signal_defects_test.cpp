// SPDX-License-Identifier: MIT
// What the original got wrong, each by the number of docs/protocol/signal.md, "Differences".
#include "support/catch.hpp"
#include "support/heap_count.hpp"
#include "support/signal_world.hpp"

#include <algorithm>
#include <deque>
#include <set>
#include <string>
#include <vector>

using namespace test;
using namespace std::chrono_literals;
using muster::signal::Config;
using nlohmann::json;

namespace {

const json reconnect_of(const SignalClient& lost) {
  return {{"type", "Reconnect"},
          {"data",
           {{"player_id", lost.player_id()},
            {"room_id", lost.room_id()},
            {"auth_token", lost.token()}}}};
}

}  // namespace

TEST_CASE("signal defect 1: no operation on a room waits for an earlier one", "[signal]") {
  SignalWorld world;
  SignalClient& a = world.connect_v2();
  world.join(a, "Ada");
  a.take();
  for (int i = 0; i < 5; ++i) a.send({{"type", "PlayerReady"}});
  a.send("AuthorityRequest", {{"become_authority", false}});
  a.send("AuthorityRequest", {{"become_authority", true}});
  a.send({{"type", "Ping"}});
  const auto before = world.network.now();
  world.settle();
  CHECK(world.network.now() == before);
  CHECK(a.take_types() == Types{"LobbyStateChanged", "LobbyStateChanged", "LobbyStateChanged",
                                "LobbyStateChanged", "LobbyStateChanged", "AuthorityResponse",
                                "AuthorityChanged", "AuthorityResponse", "AuthorityChanged",
                                "Pong"});
}

TEST_CASE("signal defect 2: coming back works, with id, seat, readiness and what was missed",
          "[signal]") {
  SignalWorld world;
  SignalClient& a = world.connect_v3();
  SignalClient& b = world.connect_v3();
  world.join(a, "Ada", {}, {{"max_players", 3}});
  world.join(b, "Bo", a.room_code());
  b.send({{"type", "PlayerReady"}});
  world.settle();
  const std::string token = b.token();
  CHECK(token.size() == 36);
  a.take();
  world.cut(b);
  CHECK(a.take_types() == Types{"PlayerLeft"});
  SignalClient& c = world.connect_v3();
  world.join(c, "Cy", a.room_code());
  SignalClient& late = world.connect_v3();
  world.join(late, "Di", a.room_code());
  CHECK(late.last("RoomJoinFailed")["data"]["error_code"] == "ROOM_FULL");  // the seat is kept
  a.take(), c.take();

  SignalClient& again = world.connect_v3();
  again.send(reconnect_of(b));
  world.settle();
  const json back = again.last("Reconnected")["data"];
  REQUIRE(back.is_object());
  CHECK(back["player_id"] == b.player_id());
  CHECK(back["ready_players"] == json{b.player_id()});
  CHECK(back["current_players"].size() == 3);
  REQUIRE(back["missed_events"].size() == 1);
  CHECK(back["missed_events"][0]["type"] == "PlayerJoined");
  CHECK(back["missed_events"][0]["data"]["player"]["name"] == "Cy");
  CHECK(a.take_types() == Types{"PlayerReconnected"});
  CHECK(a.last("PlayerReconnected")["data"]["epoch"] == 2);
  again.take();
  a.send("GameData", {{"data", "to you"}});
  again.send("GameData", {{"data", "to me"}});
  world.settle();
  CHECK(again.take_types() == Types{"GameData"});
  CHECK(a.last("GameData")["data"]["from_player"] == b.player_id());
  CHECK(a.last("GameData")["data"]["epoch"] == 2);
  CHECK(a.last("GameData")["data"]["seq"] == 1);
  CHECK(a.complaints.empty());
  CHECK(again.complaints.empty());

  // The token is worth nothing a second time.
  SignalClient& thief = world.connect_v3();
  thief.send(reconnect_of(b));
  world.settle();
  CHECK(thief.last("ReconnectionFailed")["data"]["error_code"] == "RECONNECTION_TOKEN_INVALID");

  // Who does not come back is forgotten, and its seat is free.
  world.cut(again);
  world.network.run_for(300s);
  world.join(late, "Di", a.room_code());
  CHECK(late.count("RoomJoined") == 1);
  CHECK(world.service.stats().cleanup.expired_players == 1);
}

TEST_CASE("signal defect 3: who has left hears nothing more", "[signal]") {
  SignalWorld world;
  SignalClient& a = world.connect_v2();
  SignalClient& b = world.connect_v3();
  world.join(a, "Ada");
  world.join(b, "Bo", a.room_code());
  a.send("GameData", {{"data", 1}});
  b.take();
  world.settle();
  b.send({{"type", "LeaveRoom"}});
  world.settle();
  a.send("GameData", {{"data", 2}});
  world.settle();
  CHECK(b.take_types() == Types{"GameData", "RoomLeft"});
}

TEST_CASE("signal defect 4: nothing is lost silently, and control goes before data", "[signal]") {
  Config config = SignalWorld::open_config();
  config.send_queue_capacity = 16;
  config.slow_consumer_timeout = config.max_sojourn = 60s;
  config.activity_timeout = 0s;
  SignalWorld world{config};
  SignalClient& a = world.connect_v3();
  SignalClient& b = world.connect_v3({}, {.window = 4096});
  world.join(a, "Ada");
  world.join(b, "Bo", a.room_code());
  world.network.stall(*b.connection, true);
  const std::string bulk(1000, 'x');
  for (int i = 0; i < 200; ++i) {
    switch (i % 4) {
      case 0:
        a.send("GameData", {{"data", bulk}, {"class", "latest"}, {"key", i % 3}});
        break;
      case 1:
        a.send("GameData", {{"data", bulk}, {"class", "volatile"}});
        break;
      case 2:
        a.send("GameData", {{"data", bulk}, {"class", "latest"}, {"key", 7}});
        break;
      default:
        if (i % 20 == 3) a.send("GameData", {{"data", bulk}});
    }
    world.network.run_for(1ms);
  }
  b.send({{"type", "Ping"}});
  world.network.run_for(1ms);
  const std::size_t heard = b.inbox.size();
  world.network.stall(*b.connection, false);
  world.settle();
  CHECK(b.complaints.empty());
  CHECK(b.auditor.heard_of(a.player_id(), 1) == 160);
  CHECK(b.count("DeliveryReport") > 0);
  const auto& inbox = b.inbox;
  const auto place = [&](std::string_view type) {
    return std::find_if(inbox.begin() + static_cast<std::ptrdiff_t>(heard), inbox.end(),
                        [&](const json& message) { return message["type"] == type; }) -
           inbox.begin();
  };
  CHECK(place("Pong") < place("DeliveryReport"));
  const auto stats = world.service.stats();
  CHECK(stats.latest.attempted == stats.latest.delivered + stats.latest.superseded +
                                      stats.latest.dropped_full + stats.latest.abandoned);
  CHECK(stats.latest.superseded > 0);
  CHECK(stats.volatile_.attempted ==
        stats.volatile_.delivered + stats.volatile_.dropped + stats.volatile_.abandoned);
  CHECK(stats.volatile_.dropped > 0);
  CHECK(stats.reliable.attempted == stats.reliable.delivered);
}

TEST_CASE("signal defect 4: what does not even fit into a lane is counted, and ends the recipient",
          "[signal]") {
  Config config = SignalWorld::open_config();
  config.send_queue_bytes = 64 * 1024;
  config.send_queue_capacity = 1000;
  for (const bool is_v3 : {false, true}) {
    SignalWorld world{config};
    SignalClient& a = world.connect_v3();
    SignalClient& b =
        is_v3 ? world.connect_v3({}, {.window = 4096}) : world.connect_v2({}, {.window = 4096});
    world.join(a, "Ada");
    world.join(b, "Bo", a.room_code());
    world.network.stall(*b.connection, true);
    const std::string bulk(1000, 'x');
    for (int i = 0; i < 200; ++i) {
      a.send("GameData", {{"data", bulk}});
      world.network.run_for(1ms);
    }
    world.network.run_for(1s);
    CHECK(a.count("PlayerLeft") == 1);
    const auto stats = world.service.stats();
    CHECK(stats.reliable.attempted == stats.reliable.delivered + stats.reliable.abandoned);
    CHECK(stats.reliable.abandoned > 40);
  }
}

TEST_CASE("signal defect 5: the state of the lobby is kept", "[signal]") {
  SignalWorld world;
  SignalClient& a = world.connect_v2();
  SignalClient& b = world.connect_v2();
  SignalClient& c = world.connect_v2();
  world.join(a, "Ada");
  world.join(b, "Bo", a.room_code());
  b.send({{"type", "PlayerReady"}});
  world.settle();
  b.send({{"type", "LeaveRoom"}});
  world.settle();
  world.join(c, "Cy", a.room_code());
  CHECK(c.joined()["data"]["lobby_state"] == "lobby");
  CHECK(c.joined()["data"]["ready_players"].empty());
  world.start_game({&a, &c});
  CHECK(c.count("GameStarting") == 1);
  a.send({{"type", "StartGame"}});
  world.settle();
  CHECK(c.count("GameStarting") == 1);
  CHECK(a.last("Error")["data"]["error_code"] == "INVALID_ROOM_STATE");
  world.join(b, "Bo", a.room_code());
  CHECK(b.joined()["data"]["lobby_state"] == "finalized");
}

TEST_CASE("signal defect 6: authority is answered once, and told to all", "[signal]") {
  SignalWorld world;
  SignalClient& a = world.connect_v2();
  SignalClient& b = world.connect_v3();
  world.join(a, "Ada");
  world.join(b, "Bo", a.room_code());
  a.take(), b.take();
  b.send("AuthorityRequest", {{"become_authority", true}});
  world.settle();
  CHECK(b.take_types() == Types{"AuthorityResponse"});
  a.send("AuthorityRequest", {{"become_authority", false}});
  b.send("AuthorityRequest", {{"become_authority", true}});
  world.settle();
  CHECK(a.take_types() == Types{"AuthorityResponse", "AuthorityChanged", "AuthorityChanged"});
  CHECK(a.last("AuthorityChanged")["data"] ==
        json{{"authority_player", b.player_id()}, {"you_are_authority", false}});
  CHECK(b.last("AuthorityChanged")["data"]["you_are_authority"] == true);
  CHECK(b.last("AuthorityResponse")["data"] == json{{"granted", true}, {"reason", nullptr}});
  a.take(), b.take();
  b.send({{"type", "LeaveRoom"}});
  world.settle();
  CHECK(a.take_types() == Types{"PlayerLeft", "AuthorityChanged"});

  SignalClient& c = world.connect_v2();
  world.join(c, "Cy", {}, {{"supports_authority", false}});
  CHECK(c.joined()["data"]["is_authority"] == false);
  CHECK(c.joined()["data"]["current_players"][0]["is_authority"] == false);
}

TEST_CASE("signal defect 7: each failure has the message and the code of its own", "[signal]") {
  SignalWorld world;
  SignalClient& a = world.connect_v2();
  SignalClient& b = world.connect_v2();
  world.join(a, "Ada", "HK7T3W", {{"max_players", 1}});
  world.join(b, "Bo", "HK7T3W");
  CHECK(b.last("RoomJoinFailed")["data"]["error_code"] == "ROOM_FULL");
  b.send("JoinAsSpectator",
         {{"game_name", "tank-duel"}, {"room_code", "nowher"}, {"spectator_name", "Bo"}});
  world.settle();
  CHECK(b.last("SpectatorJoinFailed")["data"]["error_code"] == "ROOM_NOT_FOUND");
  CHECK(b.count("Error") == 0);
}

TEST_CASE("signal defect 8: an open server answers Authenticate, and speaks MessagePack",
          "[signal]") {
  SignalWorld world;
  SignalClient& a = world.connect_v2({{"game_data_format", "message_pack"}});
  SignalClient& b = world.connect_v3({{"game_data_format", "message_pack"}});
  SignalClient& c = world.connect_v3();
  world.join(a, "Ada");
  world.join(b, "Bo", a.room_code());
  world.join(c, "Cy", a.room_code());
  a.send_binary("82a166cd04b7a2696e93010203");
  world.settle();
  REQUIRE(b.binaries.size() == 1);
  CHECK(to_hex(b.binaries[0]).starts_with("85ab66726f6d5f706c61796572c410"));
  CHECK(c.last("GameData")["data"]["data"] == json{{"f", 1207}, {"in", {1, 2, 3}}});
  CHECK(c.last("GameData")["data"]["seq"] == 1);
  b.send_binary("c1");  // no MessagePack at all: those who read JSON are told
  world.settle();
  REQUIRE(a.binaries.size() == 1);
  CHECK(to_hex(a.binaries[0]).starts_with("83ab66726f6d5f706c61796572c410"));
  CHECK(c.last("DeliveryReport")["data"]["gaps"][0]["reason"] == "unsupported_format");
  CHECK(c.last("Error")["data"]["error_code"] == "UNSUPPORTED_GAME_DATA_FORMAT");
  b.send_binary("c1");
  world.settle();
  CHECK(c.count("Error") == 1);  // at most one a second
  CHECK(c.count("DeliveryReport") == 2);
  CHECK(c.complaints.empty());
}

TEST_CASE("signal defect 9: silence has deadlines, and busy senders are not evicted", "[signal]") {
  Config config = SignalWorld::open_config();
  SignalWorld world{config};
  REQUIRE(world.service.liveness() != nullptr);
  CHECK(world.service.liveness()->ping_interval == 10s);
  CHECK(world.service.liveness()->idle_timeout == 15s);

  config.ping_interval = 0s;
  SignalWorld quiet{config};
  CHECK(quiet.service.liveness()->ping_interval == 0s);
  CHECK(quiet.service.liveness()->idle_timeout == 300s);
  SignalClient& busy = quiet.connect_v2();
  SignalClient& silent = quiet.connect_v2();
  quiet.join(busy, "Ada");
  for (int i = 0; i < 10; ++i) {
    busy.send("GameData", {{"data", i}});
    quiet.network.run_for(10s);
  }
  CHECK_FALSE(busy.is_closed);
  CHECK(silent.is_closed);
  CHECK(silent.code == 4003);
  CHECK(silent.text == "activity_timeout");
  CHECK(silent.last("Error")["data"]["error_code"] == "ACTIVITY_TIMEOUT");
}

TEST_CASE("signal defect 11: a busy room lives, and one that is closed tells its members",
          "[signal]") {
  SignalWorld world;
  SignalClient& a = world.connect_v2();
  SignalClient& b = world.connect_v3();
  world.join(a, "Ada");
  world.join(b, "Bo", a.room_code());
  for (int i = 0; i < 8; ++i) {
    world.network.run_for(1000s);
    a.send("GameData", {{"data", i}});
    world.settle();
  }
  CHECK(b.count("GameData") == 8);
  SignalClient& watcher = world.connect_v3();
  watcher.send("JoinAsSpectator",
               {{"game_name", "tank-duel"}, {"room_code", a.room_code()}, {"spectator_name", "W"}});
  world.network.run_for(3600s);
  CHECK(a.code == 4005);
  CHECK(a.text == "room_inactive");
  CHECK(a.last("Error")["data"]["error_code"] == "ROOM_NOT_FOUND");
  CHECK(b.code == 4005);
  CHECK(watcher.last("SpectatorLeft")["data"]["reason"] == "room_closed");
  CHECK_FALSE(watcher.is_closed);
  CHECK(world.service.stats().rooms.active == 0);
}

namespace {

// The first two codes that are drawn are the same.
class StutteringEntropy final : public muster::Entropy {
 public:
  void fill(muster::mutable_byte_view out) noexcept override {
    if (!stutters) return seeded.fill(out);
    std::fill(out.begin(), out.end(), std::byte{0x5a});
  }
  bool stutters = false;
  muster::SeededEntropy seeded{3};
};

}  // namespace

TEST_CASE("signal defect 12: a code that is taken is never joined by chance", "[signal]") {
  StutteringEntropy entropy;
  muster::memory::Network network;
  muster::WeakMac mac;
  muster::signal::Service service{SignalWorld::open_config(), network.outbox(), entropy, mac,
                                  SignalWorld::start,         network.now()};
  network.add(service);
  std::deque<SignalClient> clients(2);
  for (SignalClient& client : clients) client.connection = &network.connect(client, service);
  network.run_until_quiet();
  entropy.stutters = true;
  const auto join = [&](SignalClient& client, std::string_view name) {
    client.send("JoinRoom", {{"game_name", "tank-duel"}, {"player_name", name}});
    network.run_until_quiet();
  };
  join(clients[0], "Ada");
  join(clients[1], "Bo");
  CHECK(clients[0].count("RoomJoined") == 1);
  CHECK(clients[0].count("PlayerJoined") == 0);
  CHECK(clients[1].last("RoomJoinFailed")["data"]["error_code"] == "ROOM_CREATION_FAILED");
  network.remove(service);
}

TEST_CASE("signal defect 12: spectators are let in by any case of the code, see all, and play not",
          "[signal]") {
  SignalWorld world;
  SignalClient& a = world.connect_v3();
  world.join(a, "Ada", "HK7T3W");
  SignalClient& watcher = world.connect_v3();
  watcher.send("JoinAsSpectator",
               {{"game_name", "tank-duel"}, {"room_code", "hk7t3w"}, {"spectator_name", "W"}});
  world.settle();
  CHECK(watcher.take_types() == Types{"SpectatorJoined"});
  CHECK(a.last("NewSpectatorJoined")["data"]["current_spectators"].size() == 1);
  a.take();
  SignalClient& b = world.connect_v2();
  world.join(b, "Bo", "HK7T3W");
  a.send("GameData", {{"data", 1}});
  world.start_game({&a, &b});
  CHECK(watcher.take_types() == Types{"PlayerJoined", "GameData", "LobbyStateChanged",
                                      "LobbyStateChanged", "GameStarting"});
  CHECK(watcher.complaints.empty());
  for (const char* const type : {"PlayerReady", "StartGame"}) {
    watcher.send({{"type", type}});
    world.settle();
    CHECK(watcher.last("Error")["data"]["error_code"] == "NOT_IN_ROOM");
  }
  watcher.send("GameData", {{"data", 1}});
  world.settle();
  CHECK(a.count("GameData") == 0);
  world.join(watcher, "Will", "HK7T3W");
  CHECK(watcher.last("RoomJoinFailed")["data"]["error_code"] == "ALREADY_IN_ROOM");
  a.send("JoinAsSpectator",
         {{"game_name", "tank-duel"}, {"room_code", "HK7T3W"}, {"spectator_name", "A"}});
  world.settle();
  CHECK(a.last("SpectatorJoinFailed")["data"]["error_code"] == "SPECTATOR_NOT_ALLOWED");
  watcher.take();
  watcher.send({{"type", "LeaveSpectator"}});
  world.settle();
  CHECK(watcher.take_types() == Types{"SpectatorLeft"});
  CHECK(watcher.last("SpectatorLeft")["data"]["reason"] == "voluntary_leave");
  CHECK(a.last("SpectatorDisconnected")["data"]["current_spectators"].empty());
}

TEST_CASE("signal defect 14: limits of an application hold, and applications do not meet",
          "[signal]") {
  Config config = SignalWorld::listed_config();
  config.apps[0].max_rooms = 1;
  config.apps[0].max_players_per_room = 2;
  SignalWorld world{config};
  SignalClient& a = world.connect_v2();
  SignalClient& b = world.connect_v2();
  SignalClient& stranger = world.connect_v2({{"app_id", "other-app"}});
  world.join(a, "Ada", "HK7T3W", {{"max_players", 3}});
  CHECK(a.last("RoomJoinFailed")["data"]["error_code"] == "INVALID_MAX_PLAYERS");
  world.join(a, "Ada", "HK7T3W");
  CHECK(a.joined()["data"]["max_players"] == 2);
  world.join(b, "Bo");
  CHECK(b.last("RoomJoinFailed")["data"]["error_code"] == "ROOM_CREATION_FAILED");
  world.join(stranger, "Sy", "HK7T3W");
  CHECK(stranger.last("RoomJoinFailed")["data"]["error_code"] == "ROOM_NOT_FOUND");
  stranger.send("JoinAsSpectator",
                {{"game_name", "tank-duel"}, {"room_code", "HK7T3W"}, {"spectator_name", "S"}});
  world.settle();
  CHECK(stranger.last("SpectatorJoinFailed")["data"]["error_code"] == "ROOM_NOT_FOUND");
}

TEST_CASE("signal defect 16: nothing is delayed to be sent together", "[signal]") {
  SignalWorld world;
  SignalClient& a = world.connect_v2();
  SignalClient& b = world.connect_v2();
  world.join(a, "Ada");
  world.join(b, "Bo", a.room_code());
  const auto before = world.network.now();
  a.send("GameData", {{"data", 1}});
  world.settle();
  CHECK(b.count("GameData") == 1);
  CHECK(world.network.now() == before);
}

TEST_CASE("signal defect: no moment lets twice the rate through", "[signal]") {
  Config config = SignalWorld::open_config();
  config.max_join_attempts = 20;
  SignalWorld world{config};
  SignalClient& owner = world.connect_v2();
  world.join(owner, "Bo", "HK7T3W");
  SignalClient& a = world.connect_v2();
  const auto try_many = [&] {
    const std::size_t before = a.count("RoomJoined");
    for (int i = 0; i < 20; ++i) {
      world.join(a, "Ada", "HK7T3W");
      a.send({{"type", "LeaveRoom"}});
      world.settle();
    }
    return a.count("RoomJoined") - before;
  };
  world.network.run_for(59s);  // the end of a fixed window
  CHECK(try_many() == 20);
  world.network.run_for(2s);  // and the start of the next
  CHECK(try_many() == 0);
  world.network.run_for(3s);
  CHECK(try_many() == 1);
}

TEST_CASE("signal defect: a slow reliable recipient changes nothing for the others", "[signal]") {
  const auto deliveries = [](bool with_slow) {
    SignalWorld world;
    SignalClient& a = world.connect_v3();
    SignalClient& b = world.connect_v3();
    SignalClient& slow = world.connect_v3({}, {.window = 2048});
    world.join(a, "Ada");
    world.join(b, "Bo", a.room_code());
    world.join(slow, "Slow", a.room_code());
    if (with_slow) world.network.stall(*slow.connection, true);
    std::vector<std::pair<muster::time_point, json>> heard;
    const std::string bulk(1024, 'x');
    b.take();
    for (int i = 0; i < 300; ++i) {
      a.send("GameData", {{"data", {i, bulk}}});
      world.network.run_for(2ms);
      for (json& message : b.take()) heard.emplace_back(world.network.now(), std::move(message));
    }
    CHECK(heard.size() == 300);
    return heard;
  };
  CHECK(deliveries(true) == deliveries(false));
}
