// SPDX-License-Identifier: MIT
// Connections that are not read for a while, on real sockets.
#include "support/socket_world.hpp"

#include <algorithm>
#include <string>

using namespace muster;
using namespace std::chrono_literals;
using test::each_backend;
using test::RawClient;
using test::ServerFrame;
using test::ServerWorld;

namespace {

ServerWorld::Config quick() {
  ServerWorld::Config config;
  config.ping_interval = 100ms;
  config.idle_timeout = 300ms;
  config.close_timeout = 100ms;
  return config;
}

// A connection that its service does not read from the first moment on.
struct PausedWorld : ServerWorld {
  explicit PausedWorld(const Config& config = quick()) : ServerWorld(each_backend(), config) {
    service.echoes = false;
    service.keeps = true;
    service.when_open = [this](Connection& connection, time_point) {
      paused = connection.pause_reading();
    };
    client = &open();
    REQUIRE(paused);
  }

  // Long enough for every deadline of silence.
  void wait(duration span = 600ms) {
    const auto until = std::chrono::steady_clock::now() + span;
    REQUIRE(run_until([&] { return std::chrono::steady_clock::now() >= until; }));
  }
  [[nodiscard]] std::ptrdiff_t count(unsigned opcode) const {
    const auto frames = client->frames();
    return std::count_if(frames.begin(), frames.end(),
                         [&](const ServerFrame& frame) { return frame.opcode == opcode; });
  }

  RawClient* client = nullptr;
  bool paused = false;
};

}  // namespace

TEST_CASE("socket pause: what comes meanwhile waits in the network, and is read in its order",
          "[pause]") {
  PausedWorld world;
  // More than the buffers of both systems hold.
  constexpr std::size_t size = 500'000;
  constexpr std::size_t count = 100;
  std::string all;
  for (std::size_t i = 0; i < count; ++i) {
    all += RawClient::frame(std::string(size, static_cast<char>('!' + i % 90)));
  }
  world.client->send(all);
  world.wait();
  CHECK(world.service.messages == 0);
  CHECK(world.server->endpoint().stats().bytes < all.size() / 2);
  CHECK_FALSE(world.client->has_sent_all());
  world.last().resume_reading();
  REQUIRE(world.run_until([&] { return world.service.messages == count; }));
  CHECK(world.client->has_sent_all());
  for (std::size_t i = 0; i < count; ++i) {
    CHECK(world.service.kept[i] == std::string(size, static_cast<char>('!' + i % 90)));
  }
}

TEST_CASE("socket pause: no ping is answered, and silence is no fault", "[pause]") {
  PausedWorld world;
  world.client->send(RawClient::frame("are you there", 0x89));
  world.wait();
  CHECK(world.client->frames().empty());  // and none is sent
  CHECK(world.service.closes == 0);
  CHECK(world.server->endpoint().stats().idle_timeouts == 0);
  world.last().send({as_bytes("still sent")});
  REQUIRE(world.run_until([&] { return world.count(2) == 1; }));
  world.last().resume_reading();
  REQUIRE(world.run_until([&] { return world.count(10) == 1; }));
  // From now on it has to say something.
  REQUIRE(world.run_until([&] { return world.service.closes == 1; }));
  CHECK(world.service.reason == CloseReason::timed_out);
}

TEST_CASE("socket pause: the loop does not spin while input waits", "[pause]") {
  PausedWorld world{[] {
    ServerWorld::Config config;
    config.ping_interval = config.idle_timeout = 0ms;
    return config;
  }()};
  world.client->send(RawClient::frame("hello"));
  world.settle();
  CHECK(world.handlers_while_idle() < 10);
  CHECK(world.service.messages == 0);
  // The end of the peer's stream wakes nobody up either, and is found behind what it said.
  world.client->half_close();
  world.settle();
  CHECK(world.handlers_while_idle() < 10);
  CHECK(world.service.closes == 0);
  world.last().resume_reading();
  REQUIRE(world.run_until([&] { return world.service.closes == 1; }));
  CHECK(world.service.kept == std::vector<std::string>{"hello"});
}

TEST_CASE("socket pause: a close ends it, and what the peer says last is read", "[pause]") {
  auto config = quick();
  config.close_timeout = 10s;
  PausedWorld world{config};
  world.client->send(RawClient::frame("unread"));
  world.settle();
  world.last().close(CloseReason::finished, 4000, "over");
  REQUIRE(world.run_until([&] { return world.client->close_code() == 4000; }));
  world.client->send(RawClient::close_frame(4000));
  REQUIRE(world.run_until([&] { return world.client->is_at_end(); }));
  CHECK_FALSE(world.client->was_reset());
  CHECK(world.server->endpoint().stats().close_timeouts == 0);
  CHECK(world.service.messages == 0);
}

TEST_CASE("socket pause: a message may ask for it, and the next pass reads no more", "[pause]") {
  ServerWorld world{each_backend(), quick()};
  world.service.echoes = false;
  world.service.when_open = nullptr;
  world.service.when_message = [](Connection& connection, const Message&) {
    REQUIRE(connection.pause_reading());
  };
  RawClient& client = world.open();
  client.send(RawClient::frame("first"));
  REQUIRE(world.run_until([&] { return world.service.messages == 1; }));
  client.send(RawClient::frame("second"));
  world.settle();
  CHECK(world.service.messages == 1);
  world.service.when_message = nullptr;
  world.last().resume_reading();
  REQUIRE(world.run_until([&] { return world.service.messages == 2; }));
}

TEST_CASE("socket pause: a client behind a peer that reads nothing finds out by its ping",
          "[pause]") {
  PausedWorld world;
  test::SocketService peer;
  peer.echoes = false;
  websocket::Config config;
  config.ping_interval = 100ms;
  config.idle_timeout = 400ms;
  config.close_timeout = 50ms;
  muster::asio::WebSocketClient dialer{world.loop, config, world.entropy};
  dialer.dial({.url = "ws://127.0.0.1:" + std::to_string(world.port()) + "/"}, peer);
  REQUIRE(world.run_until([&] { return peer.closes == 1; }));
  CHECK(peer.opens == 1);
  CHECK(peer.reason == CloseReason::timed_out);
  CHECK(dialer.endpoint().stats().idle_timeouts == 1);
  CHECK(dialer.endpoint().stats().pings >= 1);
  CHECK(world.service.messages == 0);
}
