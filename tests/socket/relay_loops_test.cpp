// SPDX-License-Identifier: MIT
// The relay on four loops in four threads: rooms live where their names say, and whoever connects
// elsewhere is taken there.
#include <muster/relay/host.hpp>
#include <muster/relay/player.hpp>
#include <muster/relay/service.hpp>

#include "support/service_loops.hpp"
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

relay::Service::Config config() {
  relay::Service::Config out;
  out.games.games = {{"trictrac", {}}};
  out.rooms.client_rate = {};
  return out;
}

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
  test::ServiceLoops<relay::Service> relays{
      4, backend, [](auto& loop, auto& entropy, auto& mac, auto& limits) {
        return relay::Service{config(), loop.outbox(), entropy, mac, &limits};
      }};
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
    CHECK(on->service.room_count() == 0);
    given += on->service.stats().connections_given;
    used += on->service.stats().rooms_created != 0 ? 1U : 0U;
  }
  CHECK(given > 24);  // of 96 connections, three in four land on another loop
  CHECK(used == 4);
  for (const auto& room : rooms) {
    world.loop.remove(*room->host);
    for (const auto& player : room->players) world.loop.remove(*player);
  }
}
