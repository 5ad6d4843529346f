// SPDX-License-Identifier: MIT
// The relay on four loops in four threads: rooms live where their names say, and whoever connects
// elsewhere is taken there.
#include <muster/asio/loop_group.hpp>
#include <muster/relay/host.hpp>
#include <muster/relay/player.hpp>
#include <muster/relay/service.hpp>

#include "support/socket_world.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;
using test::each_backend;

namespace {

constexpr std::uint32_t loop_count = 4;

relay::Service::Config config() {
  relay::Service::Config out;
  out.games.games = {{"trictrac", {}}};
  out.rooms.client_rate = {};
  return out;
}

// Four loops with a relay and a listener each, on one port.
struct RelayGroup {
  struct OnLoop {
    OnLoop(muster::asio::Loop& loop, AddressLimits& limits, std::uint64_t seed)
        : entropy(seed), relay(config(), loop.outbox(), entropy, mac, &limits) {}
    SeededEntropy entropy;
    WeakMac mac;
    relay::Service relay;
    std::unique_ptr<muster::asio::WebSocketServer> server;
  };

  explicit RelayGroup(test::Backend backend)
      : group(loop_count, loop_config(backend)), handover(group.make_handover()) {
    std::vector<relay::Service*> services;
    for (std::uint32_t i = 0; i < loop_count; ++i) {
      loops.push_back(std::make_unique<OnLoop>(group.loop(i), limits, i + 1));
      services.push_back(&loops[i]->relay);
    }
    muster::asio::WebSocketServer::Config server_config;
    server_config.reuse_port = true;
    std::string address = "127.0.0.1:0";
    for (std::uint32_t i = 0; i < loop_count; ++i) {
      OnLoop& on = *loops[i];
      on.relay.join_loops(placement, i, services);
      on.server = std::make_unique<muster::asio::WebSocketServer>(group.loop(i), server_config,
                                                                  on.entropy, on.relay);
      on.server->join(handover, i);
      REQUIRE(!on.server->listen(address));
      port = on.server->port();
      address = "127.0.0.1:" + std::to_string(port);
    }
    group.start();
  }
  static muster::asio::Loop::Config loop_config(test::Backend backend) {
    muster::asio::Loop::Config out;
    out.backend = backend;
    return out;
  }
  void stop() {
    group.stop([this](std::size_t i, auto done) { loops[i]->server->drain(5s, done); });
  }

  SeededEntropy entropy{9};
  AddressLimits limits{{.slots = 64, .max_rooms = 0}, entropy};
  Placement placement{entropy, loop_count};
  muster::asio::LoopGroup group;
  muster::asio::Handover handover;
  std::vector<std::unique_ptr<OnLoop>> loops;
  std::uint16_t port = 0;
};

// A host whose state is the number of actions that it heard, and answers each with a delta.
struct CountingHost final : relay::Host::Handler {
  void on_created(const relay::HandshakeResponse&, bool, time_point) override { ++created; }
  void on_arrival(std::uint16_t, time_point) override {}
  void on_departure(std::uint16_t, time_point) override {}
  void on_rpc(std::uint16_t, byte_view payload, time_point) override {
    ++actions;
    CHECK_FALSE(host->delta(payload));
  }
  std::vector<std::byte> full_state() override { return {std::byte{1}}; }
  void on_end(relay::Parting parting, std::string_view, time_point) override { ending = parting; }
  relay::Host* host = nullptr;
  int created = 0;
  int actions = 0;
  std::optional<relay::Parting> ending;
};

struct CountingPlayer final : relay::Player::Handler {
  void on_joined(const relay::HandshakeResponse&, bool again, time_point) override {
    ++(again ? returns : joins);
  }
  void on_full(byte_view, time_point) override { ++states; }
  void on_delta(byte_view changes, time_point) override { bytes += changes.size(); }
  void on_reset(byte_view, time_point) override { ++states; }
  void on_away(relay::Parting, std::string_view, time_point, time_point) override { ++losses; }
  void on_end(relay::Parting parting, std::string_view, time_point) override { ending = parting; }
  int joins = 0;
  int returns = 0;
  int losses = 0;
  int states = 0;
  std::size_t bytes = 0;
  std::optional<relay::Parting> ending;
};

struct Table {
  Table(const std::string& url, int number, muster::asio::Loop& loop, Dialer& dialer,
        Entropy& entropy) {
    relay::MemberConfig wish;
    wish.url = url;
    wish.game_id = "trictrac";
    wish.room_id = "room " + std::to_string(number);
    host = std::make_unique<relay::Host>(wish, dialer, loop.outbox(), entropy, host_log);
    host_log.host = host.get();
    loop.add(*host);
    CHECK_FALSE(host->start(loop.now()));
    for (std::size_t i = 0; i < players.size(); ++i) {
      players[i] = std::make_unique<relay::Player>(wish, dialer, loop.outbox(), entropy, logs[i]);
      loop.add(*players[i]);
    }
  }
  CountingHost host_log;
  std::unique_ptr<relay::Host> host;
  std::array<CountingPlayer, 3> logs;
  std::array<std::unique_ptr<relay::Player>, 3> players;
};

}  // namespace

TEST_CASE("socket relay loops: rooms on four loops, and members who connect to any of them",
          "[relay][handover]") {
  const test::Backend backend = each_backend();
  RelayGroup relays{backend};
  test::LoopWorld world{backend};
  muster::asio::WebSocketClient dialer{world.loop, {}, world.entropy};
  const std::string url = "ws://127.0.0.1:" + std::to_string(relays.port) + "/ws";
  std::vector<std::unique_ptr<Table>> rooms;
  for (int i = 0; i < 24; ++i) {
    rooms.push_back(std::make_unique<Table>(url, i, world.loop, dialer, world.entropy));
  }
  const auto all = [&](auto what) {
    return std::all_of(rooms.begin(), rooms.end(), [&](const auto& room) { return what(*room); });
  };
  REQUIRE(world.run_until(
      [&] { return all([](const Table& room) { return room.host->is_joined(); }); }));
  for (const auto& room : rooms) {
    for (const auto& player : room->players) CHECK_FALSE(player->start(world.loop.now()));
  }
  REQUIRE(world.run_until([&] {
    return all([](const Table& room) {
      return std::all_of(room.logs.begin(), room.logs.end(),
                         [](const auto& log) { return log.states != 0; });
    });
  }));
  // Every action comes back to everybody in the room.
  constexpr int rounds = 50;
  for (int round = 0; round < rounds; ++round) {
    for (const auto& room : rooms) {
      for (const auto& player : room->players) {
        CHECK_FALSE(player->send_action(as_bytes("x")));
      }
    }
    world.settle();
  }
  REQUIRE(world.run_until([&] {
    return all([](const Table& room) {
      return room.host_log.actions == 3 * rounds &&
             std::all_of(room.logs.begin(), room.logs.end(),
                         [](const auto& log) { return log.bytes >= 3 * rounds; });
    });
  }));
  for (const auto& room : rooms) {
    CHECK(room->host_log.created == 1);
    for (const auto& log : room->logs) {
      CHECK(log.joins == 1);
      CHECK(log.losses == 0);
      CHECK(log.bytes == 3 * rounds);
    }
  }
  // They leave; the relays end with nobody on them.
  for (const auto& room : rooms) room->host->terminate(world.loop.now());
  REQUIRE(world.run_until([&] {
    return all([](const Table& room) {
      return room.host_log.ending.has_value() &&
             std::all_of(room.logs.begin(), room.logs.end(),
                         [](const auto& log) { return log.ending == relay::Parting::room_over; });
    });
  }));
  relays.stop();
  std::uint64_t given = 0;
  std::size_t used = 0;
  for (const auto& on : relays.loops) {
    CHECK(on->relay.room_count() == 0);
    given += on->relay.stats().connections_given;
    used += on->relay.stats().rooms_created != 0 ? 1U : 0U;
  }
  CHECK(given > 24);  // of 96 connections, three in four land on another loop
  CHECK(used == loop_count);
  for (const auto& room : rooms) {
    world.loop.remove(*room->host);
    for (const auto& player : room->players) world.loop.remove(*player);
  }
}
