// SPDX-License-Identifier: MIT
// The service as its clients see it: rooms, lobby, game data, coming back, watching.
#include "support/catch.hpp"
#include "support/signal_world.hpp"

#include <string>
#include <vector>

using namespace test;
using namespace std::chrono_literals;
using nlohmann::json;

TEST_CASE("signal: two players of version 2, from the first message to the last", "[signal]") {
  SignalWorld world;
  SignalClient& a = world.connect();
  a.send("Authenticate", {{"app_id", "demo-app"}});
  world.settle();
  CHECK(a.take_types() == Types{"Authenticated", "ProtocolInfo"});
  world.join(a, "Ada", {}, {{"max_players", 2}});
  auto heard = a.take();
  REQUIRE(heard.size() == 2);
  CHECK(heard[0]["type"] == "RoomJoined");
  CHECK(heard[0]["data"]["lobby_state"] == "waiting");
  CHECK(heard[0]["data"]["is_authority"] == true);
  CHECK_FALSE(heard[0]["data"].contains("reconnection_token"));
  CHECK_FALSE(heard[0]["data"]["current_players"][0].contains("epoch"));
  CHECK(heard[1] ==
        json{{"type", "LobbyStateChanged"},
             {"data",
              {{"lobby_state", "lobby"}, {"ready_players", json::array()}, {"all_ready", false}}}});
  SignalClient& b = world.connect_v2();
  world.join(b, "Bo", a.room_code());
  CHECK(b.take_types() == Types{"RoomJoined"});
  CHECK(b.joined()["data"]["lobby_state"] == "lobby");
  CHECK(a.take_types() == Types{"PlayerJoined"});
  a.send({{"type", "PlayerReady"}});
  world.settle();
  const json one_ready = {
      {"lobby_state", "lobby"}, {"ready_players", {a.player_id()}}, {"all_ready", false}};
  CHECK(a.take().back()["data"] == one_ready);
  CHECK(b.take().back()["data"] == one_ready);
  b.send({{"type", "PlayerReady"}});
  world.settle();
  CHECK(a.take().back()["data"] == json{{"lobby_state", "lobby"},
                                        {"ready_players", {a.player_id(), b.player_id()}},
                                        {"all_ready", true}});
  b.take();
  a.send({{"type", "StartGame"}});
  world.settle();
  CHECK(a.take_types() == Types{"GameStarting"});
  CHECK(b.take_types() == Types{"GameStarting"});
  a.send("GameData", {{"data", {{"k", "input"}, {"f", 9e9}}}});
  world.settle();
  CHECK(a.take_types().empty());
  CHECK(b.take() ==
        std::vector<json>{
            {{"type", "GameData"},
             {"data", {{"from_player", a.player_id()}, {"data", {{"k", "input"}, {"f", 9e9}}}}}}});
  a.send({{"type", "LeaveRoom"}});
  world.settle();
  CHECK(a.take_types() == Types{"RoomLeft"});
  heard = b.take();
  REQUIRE(heard.size() == 2);
  CHECK(heard[0] == json{{"type", "PlayerLeft"}, {"data", {{"player_id", a.player_id()}}}});
  CHECK(heard[1] == json{{"type", "AuthorityChanged"},
                         {"data", {{"authority_player", nullptr}, {"you_are_authority", false}}}});
}

TEST_CASE("signal: a player of version 3 loses its connection and comes back", "[signal]") {
  SignalWorld world;
  SignalClient& a = world.connect_v3();
  world.join(a, "Ada");
  world.start_game({&a});
  auto types = a.take_types();
  CHECK(types == Types{"RoomJoined", "LobbyStateChanged", "LobbyStateChanged", "GameStarting",
                       "SessionPlan"});
  const json first_plan = a.last("SessionPlan")["data"];
  CHECK(first_plan["topology"] == "relay");
  CHECK(first_plan["peers"].empty());
  const std::string token = a.token();
  const std::string player = a.player_id();
  const std::string room = a.room_id();
  world.cut(a);
  SignalClient& again = world.connect_v3({{"requested_capabilities", {"room_operation_ids"}}});
  const std::string operation = "3b241101-e2bb-4255-8caf-4136c566a962";
  again.send("RoomOperation",
             {{"operation_id", operation},
              {"operation",
               {{"type", "Reconnect"},
                {"data", {{"player_id", player}, {"room_id", room}, {"auth_token", token}}}}}});
  world.settle();
  const auto heard = again.take();
  REQUIRE(heard.size() == 2);
  CHECK(heard[0]["type"] == "RoomOperationResult");
  CHECK(heard[0]["data"]["operation_id"] == operation);
  const json back = heard[0]["data"]["result"];
  CHECK(back["type"] == "Reconnected");
  CHECK(back["data"]["player_id"] == player);
  CHECK(back["data"]["reconnection_token"] != token);
  CHECK(back["data"]["replay"] == "complete");
  CHECK(back["data"]["is_authority"] == true);
  CHECK(back["data"]["current_players"][0]["epoch"] == 2);
  CHECK(back["data"]["sender_watermarks"][0]["epoch"] == 2);
  CHECK(back["data"]["lobby_state"] == "finalized");
  CHECK(heard[1]["type"] == "SessionPlan");
  CHECK(heard[1]["data"]["generation"] != first_plan["generation"]);
}

TEST_CASE("signal: another host is chosen when the host leaves", "[signal]") {
  muster::signal::Config config = SignalWorld::open_config();
  config.default_topology = muster::signal::DesiredTopology::host;
  SignalWorld world{config};
  SignalClient& a = world.connect_mesh();
  SignalClient& b = world.connect_mesh();
  SignalClient& c = world.connect_mesh();
  world.join(a, "Ada");
  world.network.run_for(1s);
  world.join(b, "Bo", a.room_code());
  world.network.run_for(1s);
  world.join(c, "Cy", a.room_code());
  world.start_game({&a, &b, &c});
  const json plan = b.last("SessionPlan")["data"];
  CHECK(plan["topology"] == "host");
  CHECK(plan["transport"] == "webrtc");
  CHECK(plan["host"] == a.player_id());
  CHECK(plan["peers"].size() == 1);
  CHECK(plan["peers"][0]["initiate"] == true);
  CHECK(a.last("SessionPlan")["data"]["peers"].size() == 2);
  CHECK(a.last("SessionPlan")["data"]["peers"][0]["initiate"] == false);
  CHECK(a.last("SessionPlan")["data"]["generation"] == plan["generation"]);
  a.send("Signal", {{"to", b.player_id()},
                    {"generation", plan["generation"]},
                    {"signal", {{"Offer", "v=0\r\n"}}}});
  world.settle();
  CHECK(b.last("Signal")["data"] == json{{"from", a.player_id()},
                                         {"generation", plan["generation"]},
                                         {"signal", {{"Offer", "v=0\r\n"}}}});
  a.take(), b.take(), c.take();
  a.send({{"type", "LeaveRoom"}});
  world.settle();
  CHECK(a.take_types() == Types{"RoomLeft"});
  CHECK(b.take_types() == Types{"PlayerLeft", "AuthorityChanged", "SessionPlan"});
  CHECK(c.take_types() == Types{"PlayerLeft", "AuthorityChanged", "SessionPlan"});
  const json next = b.last("SessionPlan")["data"];
  CHECK(next["host"] == b.player_id());
  CHECK(next["generation"] != plan["generation"]);
  CHECK(c.last("SessionPlan")["data"]["generation"] == next["generation"]);
}

TEST_CASE("signal: a recipient that does not read is closed, and delays nobody", "[signal]") {
  muster::signal::Config config = SignalWorld::open_config();
  config.send_queue_capacity = 8;
  config.slow_consumer_timeout = 500ms;
  SignalWorld world{config};
  SignalClient& a = world.connect_v3();
  SignalClient& b = world.connect_v3({}, {.window = 4096});
  SignalClient& c = world.connect_v3();
  world.join(a, "Ada");
  world.join(b, "Bo", a.room_code());
  world.join(c, "Cy", a.room_code());
  world.network.stall(*b.connection, true);
  const std::string bulk(8192, 'x');
  for (int i = 0; i < 40; ++i) {
    a.send("GameData", {{"data", bulk}});
    world.network.run_for(1ms);
  }
  CHECK(c.count("GameData") == 40);
  CHECK(c.complaints.empty());
  world.network.run_for(1s);
  CHECK(a.count("PlayerLeft") == 1);
  CHECK(c.count("PlayerLeft") == 1);
  world.network.stall(*b.connection, false);
  world.network.run_for(3s);
  CHECK(b.complaints.empty());
  CHECK(b.code == 4002);
  CHECK(b.text == "slow_consumer");
}

TEST_CASE("signal: a format that nobody has is not fatal", "[signal]") {
  SignalWorld world;
  SignalClient& a = world.connect();
  a.send("Authenticate",
         {{"app_id", "demo-app"}, {"game_data_format", "rkyv"}, {"protocol_version", 3}});
  world.settle();
  CHECK(a.take_types() == Types{"Error", "Authenticated", "ProtocolInfo"});
  CHECK(a.last("ProtocolInfo")["data"]["game_data_formats"] == json{"json", "message_pack"});
  world.join(a, "Ada");
  CHECK(a.take_types() == Types{"RoomJoined", "LobbyStateChanged"});
  a.send("GameData", {{"data", 1}});
  a.send({{"type", "Ping"}});
  world.settle();
  CHECK(a.take_types() == Types{"Pong"});
}

TEST_CASE("signal: a server that drains says so, and closes in the end", "[signal]") {
  SignalWorld world;
  SignalClient& a = world.connect_v3();
  SignalClient& b = world.connect_v2();
  world.join(a, "Ada");
  a.take();
  world.service.on_drain(world.network.now());
  world.settle();
  REQUIRE(a.take_types() == Types{"GoingAway"});
  CHECK(a.last("GoingAway")["data"]["retry_after_secs"] == 30);
  CHECK(b.take_types().empty());
  world.join(b, "Bo");
  CHECK(b.last("RoomJoinFailed")["data"]["error_code"] == "SERVER_DRAINING");
  world.join(b, "Bo", a.room_code());
  CHECK(b.count("RoomJoined") == 1);
  SignalClient& late = world.connect();
  CHECK(late.is_closed);
  CHECK(late.code == 503);
  world.network.run_for(31s);
  CHECK(a.code == 4000);
  CHECK(a.text == "server_shutdown");
  CHECK(b.code == 4000);
}

TEST_CASE("signal stats: players of a room that is closed have left", "[signal]") {
  muster::signal::Config config = SignalWorld::open_config();
  config.activity_timeout = config.ping_interval = 0s;
  config.inactive_room_timeout = 60s;
  SignalWorld world{config};
  SignalClient& a = world.connect_v3();
  SignalClient& b = world.connect_v3();
  world.join(a, "Ada");
  world.join(b, "Bo", a.room_code());
  world.cut(b);  // and it may come back
  world.network.run_for(60s);
  CHECK(a.code == 4005);
  const auto stats = world.service.stats();
  CHECK(stats.players.joined == 2);
  CHECK(stats.players.left == 2);
}
