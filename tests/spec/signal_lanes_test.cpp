// SPDX-License-Identifier: MIT
// Recipients that are behind, and those that read another form than the sender's.
#include "support/catch.hpp"
#include "support/signal_world.hpp"

#include "../../lib/signal/msgpack.hpp"

#include <algorithm>
#include <string>
#include <vector>

using namespace test;
using namespace std::chrono_literals;
using muster::signal::Config;
using nlohmann::json;

namespace {

// Lanes of few messages, and nobody is closed for being slow.
Config patient_config() {
  Config config = SignalWorld::open_config();
  config.send_queue_capacity = 4;
  config.slow_consumer_timeout = config.max_sojourn = 60s;
  config.activity_timeout = 0s;
  config.ping_interval = 0s;
  return config;
}

const json watch_of(const SignalClient& player) {
  return {
      {"game_name", "tank-duel"}, {"room_code", player.room_code()}, {"spectator_name", "Watcher"}};
}

}  // namespace

TEST_CASE("signal lane: a report has at most 256 ranges, and none is forgotten", "[signal][lane]") {
  SignalWorld world{patient_config()};
  SignalClient& a = world.connect_v3();
  SignalClient& b = world.connect_v3();
  SignalClient& slow = world.connect_v3({}, {.window = 1024});
  world.join(a, "Ada");
  world.join(b, "Bo", a.room_code());
  world.join(slow, "Slow", a.room_code());
  world.network.stall(*slow.connection, true);
  const std::string bulk(4096, 'x');
  for (int i = 0; i < 6; ++i) a.send("GameData", {{"data", bulk}});
  world.network.run_for(1ms);
  // Reasons take turns, so that no two gaps are neighbours.
  for (int i = 0; i < 300; ++i) {
    a.send("GameData", {{"data", i}, {"class", "volatile"}});
    a.send("GameData", {{"data", i}, {"class", "latest"}, {"key", i}});
    world.network.run_for(1ms);
  }
  world.network.stall(*slow.connection, false);
  world.settle();
  a.send("GameData", {{"data", "end"}});
  world.settle();
  CHECK(slow.complaints.empty());
  std::size_t most = 0;
  std::size_t gaps = 0;
  for (const json& message : slow.inbox) {
    if (message["type"] != "DeliveryReport" || !message["data"].contains("gaps")) continue;
    const std::size_t count = message["data"]["gaps"].size();
    most = std::max(most, count);
    gaps += count;
  }
  CHECK(most == 256);
  CHECK(gaps >= 590);
  CHECK(slow.auditor.heard_of(a.player_id(), 1) == 607);
  CHECK(b.count("GameData") == 607);
}

TEST_CASE("signal lane: a slow recipient that changes rooms keeps the values of the old one",
          "[signal][lane]") {
  Config config = patient_config();
  config.send_queue_capacity = 100;
  SignalWorld world{config};
  SignalClient& a = world.connect_v3();
  SignalClient& slow = world.connect_v3({}, {.window = 1024});
  world.join(a, "Ada");
  const std::string code = a.room_code();
  world.join(slow, "Slow", code);
  world.network.stall(*slow.connection, true);
  const std::string bulk(4096, 'x');
  for (int i = 0; i < 3; ++i) a.send("GameData", {{"data", bulk}});
  a.send("GameData", {{"data", "old"}, {"class", "latest"}, {"key", 1}});
  world.network.run_for(1ms);
  slow.send({{"type", "LeaveRoom"}});
  world.network.run_for(1ms);
  slow.send("JoinRoom", {{"game_name", "tank-duel"}, {"player_name", "Slow"}, {"room_code", code}});
  world.network.run_for(1ms);
  a.send("GameData", {{"data", "new"}, {"class", "latest"}, {"key", 1}});
  world.network.run_for(1ms);
  slow.take();
  world.network.stall(*slow.connection, false);
  world.settle();
  CHECK(slow.complaints.empty());
  Types order;
  for (const json& message : slow.take()) {
    const std::string type = message["type"];
    if (type == "GameData" && message["data"]["data"] != bulk) {
      order.push_back(message["data"]["data"]);
    } else if (type == "RoomLeft" || type == "RoomJoined") {
      order.push_back(type);
    }
  }
  CHECK(order == Types{"old", "RoomLeft", "RoomJoined", "new"});
}

TEST_CASE("signal spectators: without a feed nothing counts as delivered to them", "[signal]") {
  Config config = SignalWorld::open_config();
  config.spectator_feed = false;
  config.delivery_stats_interval = 10s;
  config.activity_timeout = 0s;
  config.ping_interval = 0s;
  SignalWorld world{config};
  SignalClient& a = world.connect_v3({{"game_data_format", "message_pack"}});
  SignalClient& b = world.connect_v3();
  world.join(a, "Ada");
  world.join(b, "Bo", a.room_code());
  a.send("GameData", {{"data", 1}});
  a.send_binary("c1");  // that cannot be said in JSON
  world.settle();
  CHECK(b.last("DeliveryReport")["data"]["per_class"]["reliable"] ==
        json{{"delivered", 1}, {"abandoned", 0}, {"unsupported_format", 1}});
  b.send({{"type", "LeaveRoom"}});
  world.settle();
  b.send("JoinAsSpectator", watch_of(a));
  world.settle();
  for (int i = 0; i < 5; ++i) a.send("GameData", {{"data", i}});
  world.network.run_for(10s);
  CHECK(b.last("RelayStats")["data"]["sent_to_you"] == 1);
  b.send({{"type", "LeaveSpectator"}});
  world.settle();
  world.join(b, "Bo", a.room_code());
  a.send_binary("c1");
  world.settle();
  CHECK(b.last("DeliveryReport")["data"]["per_class"]["reliable"] ==
        json{{"delivered", 1}, {"abandoned", 0}, {"unsupported_format", 2}});
  CHECK(b.complaints.empty());
}

TEST_CASE("signal return: who comes back with version 2 is replayed messages of version 2",
          "[signal]") {
  SignalWorld world;
  SignalClient& a = world.connect_v3();
  SignalClient& b = world.connect_v3();
  world.join(a, "Ada");
  world.join(b, "Bo", a.room_code());
  const json request = {
      {"player_id", b.player_id()}, {"room_id", b.room_id()}, {"auth_token", b.token()}};
  world.cut(b);
  SignalClient& c = world.connect_v3();
  world.join(c, "Cy", a.room_code());
  c.send({{"type", "LeaveRoom"}});
  world.settle();
  SignalClient& again = world.connect_v2();
  again.send("Reconnect", request);
  world.settle();
  const json back = again.last("Reconnected");
  REQUIRE(back.is_object());
  CHECK_FALSE(back["data"]["current_players"][0].contains("epoch"));
  const json& missed = back["data"]["missed_events"];
  REQUIRE(missed.size() == 2);
  CHECK(missed[0]["type"] == "PlayerJoined");
  CHECK_FALSE(missed[0]["data"]["player"].contains("epoch"));
  CHECK(missed[1]["type"] == "PlayerLeft");
  CHECK_FALSE(missed[1]["data"].contains("final_seq"));
}

TEST_CASE("signal MessagePack: whatever is taken as JSON reaches those who read MessagePack",
          "[signal][msgpack]") {
  SignalWorld world;
  SignalClient& a = world.connect_v3();
  world.join(a, "Ada");
  SignalClient& packed = *world.clients.emplace_back(std::make_unique<SignalClient>());
  packed.audits = false;
  muster::Request request;
  request.path = "/v3/ws";
  const std::vector<std::string_view> offers{"signalfish.msgpack.v1"};
  request.subprotocols = offers;
  packed.connection = &world.network.connect(packed, world.service, request);
  world.settle();
  packed.send("JoinRoom",
              {{"game_name", "tank-duel"}, {"player_name", "Bo"}, {"room_code", a.room_code()}});
  world.settle();
  REQUIRE(packed.binaries.size() == 1);
  for (const char* const data :
       {"1e308", "123456789012345678901234567890", "1.5e-400", "\"\\u0000\"", "[[[[[[[[]]]]]]]]"}) {
    INFO(data);
    packed.binaries.clear();
    a.send_text(std::string{R"({"type":"GameData","data":{"data":)"} + data + "}}");
    world.settle();
    REQUIRE(packed.binaries.size() == 1);
    std::vector<std::byte> text;
    CHECK_FALSE(muster::signal::msgpack_to_message(packed.binaries[0], text));
  }
  a.take();
  packed.binaries.clear();
  a.send_text(R"({"type":"GameData","data":{"data":1e999}})");  // more than any double
  world.settle();
  CHECK(a.take_types() == Types{"Error"});
  CHECK(packed.binaries.empty());
}
