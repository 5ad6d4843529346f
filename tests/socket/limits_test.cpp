// SPDX-License-Identifier: MIT
// Deadlines, caps and pings on real sockets.
#include <muster/address_limits.hpp>

#include "support/socket_world.hpp"

#include <algorithm>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;
using test::each_backend;
using test::RawClient;
using test::ServerWorld;

TEST_CASE("socket: a silent connection ends at the upgrade deadline", "[deadline]") {
  ServerWorld::Config config;
  config.upgrade_timeout = 100ms;
  ServerWorld world{each_backend(), config};
  RawClient& client = world.connect();
  REQUIRE(world.run_until([&] { return client.is_at_end(); }));
  CHECK(client.input.empty());
  CHECK(world.server->endpoint().stats().upgrade_timeouts == 1);
  REQUIRE(world.run_until([&] { return world.server->endpoint().session_count() == 0; }));
}

TEST_CASE("socket: a slow head is answered with 408 at the deadline", "[deadline]") {
  ServerWorld::Config config;
  config.upgrade_timeout = 150ms;
  config.close_timeout = 50ms;
  ServerWorld world{each_backend(), config};
  RawClient& client = world.connect();
  std::string request = RawClient::upgrade_request("/", std::string(4000, 'x') + ": 1\r\n");
  std::size_t at = 0;
  REQUIRE(world.run_until([&] {
    if (at + 1 < request.size() && client.input.empty()) client.send(request.substr(at++, 1));
    return client.is_at_end();
  }));
  CHECK(client.head().starts_with("HTTP/1.1 408 "));
  CHECK(world.service.opens == 0);
}

TEST_CASE("socket: the first message has a deadline", "[deadline]") {
  ServerWorld::Config config;
  config.first_message_timeout = 500ms;
  ServerWorld world{each_backend(), config};
  RawClient& silent = world.open();
  RawClient& talker = world.open();
  talker.send(RawClient::frame("here"));
  REQUIRE(world.run_until([&] { return silent.close_code() != 0; }));
  CHECK(silent.close_code() == 1008);
  CHECK(world.server->endpoint().stats().first_message_timeouts == 1);
  REQUIRE(world.run_until([&] { return talker.messages().size() == 1; }));
  CHECK(talker.close_code() == 0);
}

TEST_CASE("socket: who answers pings stays, and who does not is closed", "[deadline]") {
  ServerWorld::Config config;
  config.ping_interval = 100ms;
  config.idle_timeout = 1500ms;
  config.close_timeout = 50ms;
  ServerWorld world{each_backend(), config};
  RawClient& dead = world.open();
  RawClient& alive = world.open();
  std::size_t answered = 0;
  const auto pings = [](const RawClient& client) {
    std::size_t count = 0;
    for (const auto& frame : client.frames()) count += frame.opcode == 9 ? 1 : 0;
    return count;
  };
  REQUIRE(world.run_until([&] {
    for (; answered < pings(alive); ++answered) alive.send(RawClient::frame("", 0x8a));
    return dead.is_at_end() && answered >= 6 && world.service.closes != 0;
  }));
  CHECK(pings(dead) >= 1);
  CHECK(dead.close_code() == 1001);
  CHECK(alive.close_code() == 0);
  CHECK(world.service.closes == 1);
  CHECK(world.service.reason == CloseReason::timed_out);
  CHECK(world.server->endpoint().stats().idle_timeouts == 1);
}

TEST_CASE("socket: who takes nothing is closed as too slow, and who takes little is not",
          "[deadline]") {
  ServerWorld::Config config;
  config.ping_interval = config.idle_timeout = 0ms;
  config.write_timeout = 1s;
  config.close_timeout = 100ms;
  muster::asio::Loop::Config loop_config;
  loop_config.outbox.budget.bytes = 64 * 1024 * 1024;
  ServerWorld world{each_backend(), config, loop_config};
  // More than the sockets' buffers hold.
  const std::string payload(20'000'000, 'x');
  const Frame large{Message{as_bytes(payload)}};
  RawClient& idle = world.open();
  RawClient& slow = world.open(4096);
  slow.is_reading = false;
  const ConnectionId slow_id = world.last().id();
  world.last().send(large);
  // The second round shows that the slow one lives through several deadlines.
  for (std::uint64_t round = 1; round <= 2; ++round) {
    RawClient& deaf = world.open(4096);
    deaf.is_reading = false;
    const ConnectionId deaf_id = world.last().id();
    world.last().send(large);
    REQUIRE(world.run_until([&] {
      slow.read(512);
      return world.loop.outbox().find(deaf_id) == nullptr;
    }));
    CHECK(world.service.reason == CloseReason::too_slow);
    CHECK(world.service.code == 1013);
    CHECK(world.server->endpoint().stats().write_timeouts == round);
  }
  REQUIRE(world.loop.outbox().find(slow_id) != nullptr);
  CHECK(world.loop.outbox().find(slow_id)->is_open());
  CHECK(world.loop.outbox().find(slow_id)->backlog() > 0);
  CHECK_FALSE(idle.is_at_end());
}

TEST_CASE("socket: a ping is answered with its payload", "[deadline]") {
  ServerWorld world{each_backend()};
  RawClient& client = world.open();
  client.send(RawClient::frame("are you there", 0x89));
  REQUIRE(world.run_until([&] { return !client.frames().empty(); }));
  CHECK(client.frames()[0].opcode == 10);
  CHECK(client.frames()[0].payload == "are you there");
}

TEST_CASE("socket: connections of one address are capped, and the place is given back", "[caps]") {
  ServerWorld::Config config;
  config.max_connections_per_address = 3;
  ServerWorld world{each_backend(), config};
  for (int i = 0; i < 3; ++i) world.open();
  RawClient& fourth = world.connect();
  fourth.send(RawClient::upgrade_request());
  REQUIRE(world.run_until([&] { return fourth.is_at_end(); }));
  CHECK_THAT(fourth.head(), StartsWith("HTTP/1.1 429 Too Many Requests\r\n"));
  CHECK_THAT(fourth.head(), ContainsSubstring("\r\nRetry-After: 5\r\n"));
  CHECK_FALSE(fourth.was_reset());
  CHECK(world.server->endpoint().stats().refused_connections == 1);
  world.owned[0]->reset();
  REQUIRE(world.run_until([&] { return world.service.closes == 1; }));
  world.open();
  CHECK(world.service.opens == 4);
}

TEST_CASE(
    "socket: a crowd above the cap is partly told and partly dropped, and nobody inside notices",
    "[caps]") {
  ServerWorld::Config config;
  config.max_connections_per_address = 1;
  ServerWorld world{each_backend(), config};
  RawClient& inside = world.open();
  constexpr std::size_t crowd = websocket::max_refusals + 20;
  // They are silent, so that those who are to be told stay.
  std::vector<RawClient*> silent;
  for (std::size_t i = 0; i < crowd; ++i) silent.push_back(&world.connect());
  const auto dropped = [&] {
    return std::count_if(silent.begin(), silent.end(),
                         [](const RawClient* client) { return client->is_at_end(); });
  };
  REQUIRE(world.run_until([&] { return dropped() == 20; }));
  CHECK(world.server->endpoint().session_count() == 1 + websocket::max_refusals);
  inside.send(RawClient::frame("here"));
  REQUIRE(world.run_until([&] { return inside.messages().size() == 1; }));
  for (RawClient* const client : silent) {
    if (!client->is_at_end()) client->send(RawClient::upgrade_request());
  }
  REQUIRE(world.run_until([&] { return static_cast<std::size_t>(dropped()) == crowd; }));
  CHECK(std::count_if(silent.begin(), silent.end(), [](const RawClient* client) {
          return client->head().starts_with("HTTP/1.1 429 ");
        }) == websocket::max_refusals);
  for (RawClient* const client : silent) client->close();
  REQUIRE(world.run_until([&] { return world.server->endpoint().session_count() == 1; }));
  CHECK(world.service.opens == 1);
}

TEST_CASE("socket: new connections of one address have a rate", "[caps]") {
  SeededEntropy entropy{1};
  AddressLimits limits{{.connections_per_second = 1, .connection_burst = 30s}, entropy};
  ServerWorld::Config config;
  config.limits = &limits;
  ServerWorld world{each_backend(), config};
  // Another loop's connections count too. So many that no time which passes here matters.
  const time_point now = std::chrono::steady_clock::now();
  for (int i = 0; i < 28; ++i) {
    REQUIRE(limits.take_connection(Address::v4(INADDR_LOOPBACK, 1), now));
  }
  int opened = 0;
  for (int i = 0; i < 40; ++i) {
    RawClient& client = world.connect();
    client.send(RawClient::upgrade_request());
    REQUIRE(world.run_until([&] { return client.is_upgraded() || client.is_at_end(); }));
    opened += client.is_upgraded() ? 1 : 0;
    if (opened >= 2 && client.is_at_end()) break;
  }
  CHECK(opened >= 2);
  CHECK(world.server->endpoint().stats().refused_connections == 1);
  CHECK_THAT(world.owned.back()->head(), StartsWith("HTTP/1.1 429 Too Many Requests\r\n"));
}

TEST_CASE("socket: connections are capped in all", "[caps]") {
  ServerWorld::Config config;
  config.max_connections = 2;
  ServerWorld world{each_backend(), config};
  world.open();
  RawClient& second = world.open();
  RawClient& third = world.connect();
  REQUIRE(world.run_until([&] { return third.is_at_end(); }));
  second.reset();
  REQUIRE(world.run_until([&] { return world.service.closes == 1; }));
  world.open();
}

TEST_CASE("relay defect 36: pages of other origins are refused", "[caps]") {
  ServerWorld::Config config;
  config.origins = {"https://game.example"};
  ServerWorld world{each_backend(), config};
  RawClient& good = world.connect();
  good.send(RawClient::upgrade_request("/", "Origin: https://game.example\r\n"));
  RawClient& bad = world.connect();
  bad.send(RawClient::upgrade_request("/", "Origin: https://game.example.evil\r\n"));
  RawClient& none = world.connect();
  none.send(RawClient::upgrade_request());
  REQUIRE(
      world.run_until([&] { return good.is_upgraded() && none.is_upgraded() && bad.is_at_end(); }));
  CHECK(bad.head().starts_with("HTTP/1.1 403 "));
  CHECK(world.server->endpoint().stats().origins_refused == 1);
}
