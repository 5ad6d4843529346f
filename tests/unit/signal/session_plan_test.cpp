// SPDX-License-Identifier: MIT
// Which plan a room starts with, who is its host, and who offers.
#include "../lib/signal/session_plan.hpp"

#include "support/catch.hpp"

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

using namespace muster::signal;

namespace {

// Players in the order in which they came.
struct Players {
  Seat& add(std::uint8_t id, std::initializer_list<Transport> transports,
            std::initializer_list<Topology> topologies, UnixMilliseconds at = 0) {
    Seat& seat = *owned.emplace_back(std::make_unique<Seat>());
    seat.player_id.bytes[0] = std::byte{id};
    seat.connected_at = at == 0 ? static_cast<UnixMilliseconds>(owned.size()) : at;
    seat.abilities.version = Version::v3;
    for (const Transport one : transports) {
      seat.abilities.transports |= static_cast<std::uint8_t>(1U << static_cast<unsigned>(one));
    }
    for (const Topology one : topologies) {
      seat.abilities.topologies |= static_cast<std::uint8_t>(1U << static_cast<unsigned>(one));
    }
    all.push_back(&seat);
    return seat;
  }
  Seat& add_mesh(std::uint8_t id) {
    return add(id, {Transport::webrtc, Transport::direct}, {Topology::host, Topology::mesh});
  }
  Seat& add_host(std::uint8_t id, std::initializer_list<Transport> transports) {
    return add(id, transports, {Topology::host});
  }

  std::vector<std::unique_ptr<Seat>> owned;
  std::vector<const Seat*> all;
};

ConnectionInfo direct_at(std::string host, std::uint16_t port) {
  ConnectionInfo info;
  info.direct = DirectEndpoint{std::move(host), port};
  return info;
}

Config wishing(DesiredTopology wished) {
  Config config;
  config.default_topology = wished;
  return config;
}

bool is_plan(const PlanChoice& plan, Topology topology, Transport transport,
             const Seat* host = nullptr) {
  return plan.topology == topology && plan.transport == transport && plan.host == host;
}

}  // namespace

TEST_CASE("signal plan: the most that is wished for and that all can do is chosen",
          "[signal][plan]") {
  Players players;
  Seat& a = players.add_mesh(1);
  players.add_mesh(2);
  const auto choose = [&](DesiredTopology wished) {
    return choose_plan(wishing(wished), "game", players.all, nullptr);
  };
  CHECK(is_plan(choose(DesiredTopology::mesh), Topology::mesh, Transport::webrtc));
  CHECK(is_plan(choose(DesiredTopology::host), Topology::host, Transport::webrtc, &a));
  CHECK(is_plan(choose(DesiredTopology::relay), Topology::relay, Transport::relay));

  players.add_host(3, {Transport::webrtc});
  CHECK(is_plan(choose(DesiredTopology::mesh), Topology::host, Transport::webrtc, &a));
  players.add_host(4, {Transport::direct});  // webrtc is not everybody's any more
  CHECK(is_plan(choose(DesiredTopology::mesh), Topology::relay, Transport::relay));
}

TEST_CASE("signal plan: a game has the topology of its own", "[signal][plan]") {
  Config config = wishing(DesiredTopology::relay);
  config.game_topologies = {{"chess", DesiredTopology::mesh}};
  CHECK(desired_topology(config, "chess") == DesiredTopology::mesh);
  CHECK(desired_topology(config, "go") == DesiredTopology::relay);
}

TEST_CASE("signal plan: one member of version 2 makes it the relay", "[signal][plan]") {
  Players players;
  players.add_mesh(1);
  players.add_mesh(2).abilities.version = Version::v2;
  CHECK(is_plan(choose_plan(wishing(DesiredTopology::mesh), "g", players.all, nullptr),
                Topology::relay, Transport::relay));
}

TEST_CASE("signal plan: what is switched off is not chosen", "[signal][plan]") {
  Players players;
  Seat& a = players.add_mesh(1);
  players.add_mesh(2);
  a.connection_info = direct_at("203.0.113.9", 7777);
  Config config = wishing(DesiredTopology::mesh);
  config.enable_webrtc = false;
  CHECK(is_plan(choose_plan(config, "g", players.all, nullptr), Topology::host, Transport::direct,
                &a));
  config.enable_direct = false;
  CHECK(is_plan(choose_plan(config, "g", players.all, nullptr), Topology::relay, Transport::relay));
}

TEST_CASE("signal plan: a direct host is somebody that can be reached", "[signal][plan]") {
  Config config = wishing(DesiredTopology::host);
  Players players;
  Seat& a = players.add_host(1, {Transport::direct});
  Seat& b = players.add_host(2, {Transport::direct});
  const auto choose = [&] { return choose_plan(config, "g", players.all, nullptr); };
  CHECK(is_plan(choose(), Topology::relay, Transport::relay));
  a.connection_info = direct_at("0.0.0.0", 7777);
  CHECK(is_plan(choose(), Topology::relay, Transport::relay));
  a.connection_info = direct_at("203.0.113.9", 0);
  CHECK(is_plan(choose(), Topology::relay, Transport::relay));
  b.connection_info = direct_at("game.example", 7777);
  CHECK(is_plan(choose(), Topology::host, Transport::direct, &b));
  a.connection_info = direct_at("203.0.113.9", 7777);
  CHECK(is_plan(choose(), Topology::host, Transport::direct, &a));
  CHECK(choose_plan(config, "g", players.all, &b).host == &b);  // the authority
}

TEST_CASE("signal plan: the host is the authority, else who came first, else the smaller id",
          "[signal][plan]") {
  Players players;
  Seat& late = players.add(1, {Transport::webrtc}, {Topology::host}, 30);
  Seat& early = players.add(9, {Transport::webrtc}, {Topology::host}, 10);
  Seat& smaller = players.add(8, {Transport::webrtc}, {Topology::host}, 10);
  Seat& unable = players.add(0, {}, {}, 5);
  const auto elect = [&](const Seat* authority) {
    return elect_host(players.all, authority, Topology::host, Transport::webrtc);
  };
  CHECK(elect(&late) == &late);
  CHECK(elect(nullptr) == &smaller);
  CHECK(elect(&unable) == &smaller);
  smaller.abilities.transports = 1;
  CHECK(elect(nullptr) == &early);
  CHECK(elect_host({}, nullptr, Topology::host, Transport::webrtc) == nullptr);
  CHECK(elect_host(players.all, nullptr, Topology::mesh, Transport::webrtc) == nullptr);
}

TEST_CASE("signal plan: an empty room has the relay", "[signal][plan]") {
  CHECK(is_plan(choose_plan(wishing(DesiredTopology::mesh), "g", {}, nullptr), Topology::relay,
                Transport::relay));
}

TEST_CASE("signal plan: of two peers exactly one offers", "[signal][plan]") {
  Uuid a;
  Uuid b;
  b.bytes[15] = std::byte{1};
  CHECK(initiates(a, b));
  CHECK_FALSE(initiates(b, a));
  a.bytes[0] = std::byte{0x80};  // compared without a sign
  CHECK(initiates(b, a));
}

TEST_CASE("signal plan: servers are named in one order, with credentials for each player",
          "[signal][plan]") {
  Config config;
  config.ice_servers = {{{"stun:own.example"}, "user", "word"}};
  config.stun_urls = {"stun:stun.example"};
  config.turn_enabled = true;
  config.turn_secret = "secret";
  config.turn_urls = {"turn:turn.example"};
  Stats stats;
  const UnixClock clock{1'772'366'400'000, {}};
  IceServers ice{config, stats, clock};
  Uuid a;
  Uuid b;
  b.bytes[15] = std::byte{1};
  const auto list = ice.of(a, {});
  REQUIRE(list.size() == 3);
  CHECK(list[0].urls == std::vector<std::string>{"stun:own.example"});
  CHECK(list[0].credential == "word");
  CHECK(list[1].urls == std::vector<std::string>{"stun:stun.example"});
  CHECK_FALSE(list[1].username);
  REQUIRE(list[2].username);
  CHECK(*list[2].username == "1772370000:00000000-0000-0000-0000-000000000000");
  const std::string first = *list[2].credential;
  CHECK(*ice.of(b, {})[2].credential != first);
  CHECK(stats.transport.turn_credentials_issued == 2);
  config.turn_enabled = false;
  CHECK(ice.of(a, {}).size() == 2);
}
