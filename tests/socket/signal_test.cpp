// SPDX-License-Identifier: MIT
// The signaling service over real WebSockets: deadlines of its own, limits by address, and rooms
// that live on other loops.
#include <muster/router.hpp>
#include <muster/signal/service.hpp>

#include "support/service_loops.hpp"
#include "support/signal_auditor.hpp"
#include "support/socket_world.hpp"

#include <nlohmann/json.hpp>

#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;
using nlohmann::json;
using test::each_backend;
using test::RawClient;

namespace {

signal::Config open_config() {
  signal::Config config;
  config.require_authentication = false;
  config.max_room_creations = config.max_join_attempts = 0;
  return config;
}

// The JSON messages of a client that is driven by hand.
std::vector<json> heard(const RawClient& client) {
  std::vector<json> out;
  for (const std::string& text : client.messages()) out.push_back(json::parse(text));
  return out;
}

json last(const RawClient& client, std::string_view type) {
  json found;
  for (const json& message : heard(client)) {
    if (message["type"] == type) found = message["data"];
  }
  return found;
}

bool has(const RawClient& client, std::string_view type) {
  for (const json& message : heard(client)) {
    if (message["type"] == type) return true;
  }
  return false;
}

void say(RawClient& client, const json& message) {
  client.send(RawClient::frame(message.dump(), 0x81));
}

json join_of(std::string_view name, std::string_view code = {}) {
  json data = {{"game_name", "tank-duel"}, {"player_name", name}};
  if (!code.empty()) data["room_code"] = code;
  return {{"type", "JoinRoom"}, {"data", data}};
}

const json authenticate_v3 = {{"type", "Authenticate"},
                              {"data", {{"app_id", "demo"}, {"protocol_version", 3}}}};

// One loop that the test drives, with a signaling service behind a router.
struct SignalSockets : test::LoopWorld {
  explicit SignalSockets(test::Backend backend, const signal::Config& config = open_config())
      : LoopWorld(backend),
        service(config, loop.outbox(), entropy, mac, 0, loop.now()),
        server(loop, {}, entropy, router) {
    router.route("/v2/ws", service).route("/v3/ws", service);
    REQUIRE_FALSE(server.listen("127.0.0.1:0"));
  }
  RawClient& connect(std::string_view path = "/v2/ws", int receive_buffer = 0) {
    RawClient& client = peers.emplace_back(server.port(), receive_buffer);
    clients.push_back(&client);
    client.send(RawClient::upgrade_request(path));
    REQUIRE(run_until([&] { return client.is_upgraded(); }));
    return client;
  }

  SeededEntropy entropy{11};
  WeakMac mac;
  signal::Service service;
  Router router;
  muster::asio::WebSocketServer server;
  std::deque<RawClient> peers;
};

}  // namespace

TEST_CASE("signal defect 9: a peer that answers no ping is closed with 4003", "[signal]") {
  signal::Config config = open_config();
  config.ping_interval = 1s;
  config.pong_timeout = 1s;
  SignalSockets world{each_backend(), config};
  RawClient& silent = world.connect();
  RawClient& alive = world.connect();
  std::size_t answered = 0;
  REQUIRE(world.run_until([&] {
    std::size_t pings = 0;
    for (const test::ServerFrame& frame : alive.frames()) pings += frame.opcode == 9;
    for (; answered < pings; ++answered) alive.send(RawClient::frame({}, 0x8a));
    return silent.close_code() != 0;
  }));
  CHECK(silent.close_code() == 4003);
  CHECK(last(silent, "Error")["error_code"] == "ACTIVITY_TIMEOUT");
  CHECK(answered > 0);
  CHECK(alive.close_code() == 0);
}

TEST_CASE("signal defect 9: without pings, silence of any kind ends with 4004", "[signal]") {
  signal::Config config = open_config();
  config.ping_interval = config.activity_timeout = 0s;
  config.idle_timeout = 1s;
  SignalSockets world{each_backend(), config};
  RawClient& silent = world.connect();
  REQUIRE(world.run_until([&] { return silent.close_code() != 0; }));
  CHECK(silent.close_code() == 4004);
  CHECK(last(silent, "Error")["error_code"] == "CONNECTION_IDLE_TIMEOUT");
}

TEST_CASE("signal defect 10: a frame above the cap is refused before it is read", "[signal]") {
  signal::Config config = open_config();
  config.max_message_size = 4096;
  SignalSockets world{each_backend(), config};
  RawClient& large = world.connect();
  say(large, {{"type", "GameData"}, {"data", {{"data", std::string(5000, 'x')}}}});
  REQUIRE(world.run_until([&] { return has(large, "Error"); }));
  CHECK(last(large, "Error")["error_code"] == "MESSAGE_TOO_LARGE");
  CHECK(large.close_code() == 0);
  // Only the header of it is sent.
  large.send(std::string{"\x81\xff\x00\x00\x00\x00\x40\x00\x00\x00mask", 14});
  REQUIRE(world.run_until([&] { return large.close_code() != 0; }));
  CHECK(large.close_code() == 1009);
}

TEST_CASE("signal defect 14: limits are kept by address, so a new connection gains nothing",
          "[signal]") {
  signal::Config config = open_config();
  config.max_room_creations = 2;
  config.max_connections_per_address = 2;
  SignalSockets world{each_backend(), config};
  std::size_t opened = 0;
  for (int i = 0; i < 6; ++i) {
    RawClient& client = world.connect();
    say(client, join_of("Ada"));
    REQUIRE(world.run_until(
        [&] { return has(client, "RoomJoined") || has(client, "RoomJoinFailed"); }));
    if (has(client, "RoomJoined")) {
      ++opened;
    } else {
      CHECK(last(client, "RoomJoinFailed")["error_code"] == "RATE_LIMIT_EXCEEDED");
    }
    client.close();
    world.settle();
  }
  CHECK(opened == 4);  // of two connections
  RawClient& first = world.connect();
  RawClient& second = world.connect();
  RawClient& third = world.connect();
  REQUIRE(world.run_until([&] { return third.close_code() != 0; }));
  CHECK(last(third, "Error")["error_code"] == "TOO_MANY_CONNECTIONS");
  CHECK(third.close_code() == 1000);
  CHECK(first.close_code() == 0);
  CHECK(second.close_code() == 0);
}

TEST_CASE("signal defect 4: a socket that nobody reads is closed with 4002, and its room hears it",
          "[signal]") {
  signal::Config config = open_config();
  config.send_queue_capacity = 8;
  config.slow_consumer_timeout = 500ms;
  SignalSockets world{each_backend(), config};
  RawClient& a = world.connect();
  RawClient& b = world.connect("/v2/ws", 4096);
  for (RawClient* const client : {&a, &b}) say(*client, authenticate_v3);
  say(a, join_of("Ada", "HK7T3W"));
  REQUIRE(world.run_until([&] { return has(a, "RoomJoined"); }));
  say(b, join_of("Bo", "HK7T3W"));
  REQUIRE(world.run_until([&] { return has(b, "RoomJoined"); }));
  b.is_reading = false;
  const std::string bulk(8192, 'x');
  std::size_t sent = 0;
  REQUIRE(world.run_until([&] {
    if (a.has_sent_all() && sent < 4000) {
      say(a, {{"type", "GameData"}, {"data", {{"data", bulk}}}});
      ++sent;
    }
    return has(a, "PlayerLeft");
  }));
  b.is_reading = true;
  REQUIRE(world.run_until([&] { return b.is_at_end() || b.close_code() != 0; }));
  test::SignalAuditor auditor;
  for (const json& message : heard(b)) CHECK(auditor.hear(message).empty());
  if (b.close_code() != 0) CHECK(b.close_code() == 4002);
}

namespace {

template <class Done>
bool wait_for(std::deque<RawClient>& clients, Done done) {
  const auto deadline = std::chrono::steady_clock::now() + test::patience;
  while (std::chrono::steady_clock::now() < deadline) {
    for (RawClient& client : clients) client.step();
    if (done()) return true;
    std::this_thread::sleep_for(1ms);
  }
  return false;
}

}  // namespace

TEST_CASE("socket signal loops: whoever names a room is taken to its loop, and comes back to it",
          "[signal]") {
  test::ServiceLoops<signal::Service> world{
      3, each_backend(), [](auto& loop, auto& entropy, auto& mac, auto& limits) {
        return signal::Service{open_config(), loop.outbox(), entropy, mac, 0, loop.now(), &limits};
      }};
  constexpr int rooms = 8;
  std::deque<RawClient> clients;
  const auto connect = [&]() -> RawClient& {
    RawClient& client = clients.emplace_back(world.port);
    client.send(RawClient::upgrade_request("/v3/ws"));
    say(client, authenticate_v3);
    return client;
  };
  const auto code_of = [](int room) { return "ROOM0" + std::to_string(room); };
  for (int room = 0; room < rooms; ++room) {
    for (const char* const name : {"Ada", "Bo", "Cy"}) say(connect(), join_of(name, code_of(room)));
  }
  REQUIRE(wait_for(clients, [&] {
    for (const RawClient& client : clients) {
      if (!has(client, "RoomJoined")) return false;
    }
    return true;
  }));
  for (RawClient& client : clients) say(client, {{"type", "GameData"}, {"data", {{"data", 1}}}});
  const auto count = [](const RawClient& client, std::string_view type) {
    std::size_t found = 0;
    for (const json& message : heard(client)) found += message["type"] == type;
    return found;
  };
  REQUIRE(wait_for(clients, [&] {
    for (const RawClient& client : clients) {
      if (count(client, "GameData") < 2) return false;
    }
    return true;
  }));
  // One of each room loses its connection, and comes back from wherever it is let in.
  std::vector<json> lost;
  for (int room = 0; room < rooms; ++room) {
    RawClient& client = clients[static_cast<std::size_t>(room) * 3];
    lost.push_back(last(client, "RoomJoined"));
    client.reset();
  }
  REQUIRE(wait_for(clients, [&] {
    for (int room = 0; room < rooms; ++room) {
      if (!has(clients[static_cast<std::size_t>(room) * 3 + 1], "PlayerLeft")) return false;
    }
    return true;
  }));
  const std::size_t first_back = clients.size();
  for (const json& joined : lost) {
    say(connect(), {{"type", "Reconnect"},
                    {"data",
                     {{"player_id", joined["player_id"]},
                      {"room_id", joined["room_id"]},
                      {"auth_token", joined["reconnection_token"]}}}});
  }
  REQUIRE(wait_for(clients, [&] {
    for (std::size_t i = first_back; i < clients.size(); ++i) {
      if (!has(clients[i], "Reconnected")) return false;
    }
    return true;
  }));
  for (std::size_t i = 0; i < clients.size(); ++i) {
    test::SignalAuditor auditor;
    for (const json& message : heard(clients[i])) CHECK(auditor.hear(message).empty());
  }
  world.stop();
  std::uint64_t active = 0;
  for (const auto& loop : world.loops) active += loop->service.stats().rooms.created;
  CHECK(active == rooms);
}
