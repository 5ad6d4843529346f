// SPDX-License-Identifier: MIT
// The client library's hosts and players with the relay itself: both ends of the extension.
#include <muster/relay/host.hpp>
#include <muster/relay/player.hpp>
#include <muster/relay/service.hpp>

#include "member_fixture.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace relay = muster::relay;
using muster::as_bytes;
using test::Lines;
using namespace std::chrono_literals;

namespace {

struct Together {
  explicit Together(bool migrates = false) : service_config(config(migrates)) {
    (void)dialer.listen(test::relay_url, service);
    network.add(service);
  }
  static relay::Service::Config config(bool migrates) {
    relay::Service::Config out;
    out.games.games = {{"chess", {4}}};
    out.rooms.migrate_host = migrates;
    out.addresses.slots = 64;
    return out;
  }
  relay::MemberConfig wish(std::string name) {
    relay::MemberConfig out = test::MemberFixture::config();
    out.extension =
        relay::ExtensionConfig{.capabilities = relay::all_capabilities, .name = std::move(name)};
    return out;
  }

  struct Hosting {
    Hosting(Together& t, const relay::MemberConfig& wish)
        : host(wish, t.dialer, t.network.outbox(), t.entropy, log) {
      log.value = "S";
    }
    test::HostLog log;
    relay::Host host;
  };
  struct Playing {
    Playing(Together& t, const relay::MemberConfig& wish)
        : player(wish, t.dialer, t.network.outbox(), t.entropy, log) {}
    test::PlayerLog log;
    relay::Player player;
  };

  Hosting& host(const relay::MemberConfig& with) {
    Hosting& made = *hosts.emplace_back(std::make_unique<Hosting>(*this, with));
    network.add(made.host);
    REQUIRE_FALSE(made.host.start(network.now()));
    network.run_for(100ms);
    return made;
  }
  Playing& play(const relay::MemberConfig& with) {
    Playing& made = *players.emplace_back(std::make_unique<Playing>(*this, with));
    network.add(made.player);
    REQUIRE_FALSE(made.player.start(network.now()));
    network.run_for(100ms);
    return made;
  }
  void run() { network.run_for(200ms); }

  // Cuts every connection of the relay's whose peer is that member.
  void cut(const relay::Membership& member) {
    for (std::uint32_t i = 0; i < 64; ++i) {
      for (std::uint32_t g = 1; g < 16; ++g) {
        muster::Connection* const end = network.outbox().find({i, g});
        if (end != nullptr && end->service() == &member) network.cut(*end);
      }
    }
  }

  muster::memory::Network network{42};
  muster::memory::Dialer dialer{network, {.latency = 5ms}};
  muster::SeededEntropy entropy{9};
  muster::WeakMac mac;
  relay::Service::Config service_config;
  relay::Service service{service_config, network.outbox(), entropy, mac};
  std::vector<std::unique_ptr<Hosting>> hosts;
  std::vector<std::unique_ptr<Playing>> players;
};

bool has(const Lines& lines, const std::string& line) {
  return std::find(lines.begin(), lines.end(), line) != lines.end();
}

}  // namespace

TEST_CASE("relay together: names, seats and messages to one player", "[relay][extension]") {
  Together t;
  auto& host = t.host(t.wish("Hana"));
  REQUIRE(host.host.is_joined());
  auto& eve = t.play(t.wish("Eve"));
  auto& tom = t.play(t.wish("Tom"));
  CHECK(eve.player.seat() == 2);
  CHECK(tom.player.seat() == 3);
  CHECK(tom.player.capabilities() == relay::all_capabilities);
  const Lines heard = tom.log.take();
  CHECK(has(heard, "member 2 joined 0 seat 1 Hana"));
  CHECK(has(heard, "member 2 joined 1 seat 2 Eve"));
  CHECK(has(heard, "full S"));
  CHECK(has(eve.log.take(), "member 2 joined 2 seat 3 Tom"));
  const std::uint16_t to_tom = 2;
  CHECK_FALSE(host.host.send_to({&to_tom, 1}, as_bytes("cards")));
  host.host.end_turn(t.network.now());
  t.run();
  CHECK(tom.log.take() == Lines{"targeted cards"});
  CHECK(eve.log.take().empty());
  CHECK_FALSE(host.host.set_info(true, true, as_bytes("level 3")));
  host.host.end_turn(t.network.now());
  t.run();
  CHECK(eve.log.take() == Lines{"open listed level 3"});
}

TEST_CASE("relay together: a player that comes back goes on with what it missed",
          "[relay][extension]") {
  Together t;
  auto& host = t.host(t.wish("Hana"));
  const auto change = [&](std::string_view what) {
    host.log.value += what;
    CHECK_FALSE(host.host.delta(as_bytes(what)));
  };
  auto& stays = t.play(t.wish("Eve"));
  auto& returns = t.play(t.wish("Tom"));
  change("a");
  host.host.end_turn(t.network.now());
  t.run();
  CHECK(returns.log.value == "Sa");
  returns.log.take();
  t.cut(returns.player);
  t.network.run_for(1ms);
  change("b");
  host.host.end_turn(t.network.now());
  t.network.run_for(5s);
  REQUIRE(returns.player.is_joined());
  CHECK(returns.log.value == "Sab");
  CHECK(t.service.stats().resumes == 1);
  CHECK(t.service.stats().clients_returned == 1);
  change("c");
  host.host.end_turn(t.network.now());
  t.run();
  CHECK(returns.log.value == "Sabc");
  CHECK(stays.log.value == "Sabc");
}

TEST_CASE("relay together: a password lets in who knows it", "[relay][extension]") {
  Together t;
  auto secret = t.wish("Hana");
  secret.extension->password = "sesame";
  secret.extension->mac = &t.mac;
  REQUIRE(t.host(secret).host.is_joined());
  auto wrong = secret;
  wrong.extension->password = "open";
  CHECK(t.play(secret).player.is_joined());
  auto& stranger = t.play(wrong);
  CHECK(stranger.log.take() == Lines{"end refused"});
  auto& plain = t.play(test::MemberFixture::config());
  CHECK(plain.log.take() == Lines{"end refused"});
}

TEST_CASE("relay together: spectators see the state and have no place", "[relay][extension]") {
  Together t;
  auto& host = t.host(t.wish("Hana"));
  auto watching = t.wish("Sue");
  watching.extension->is_spectator = true;
  auto& spectator = t.play(watching);
  REQUIRE(spectator.player.is_joined());
  t.run();
  CHECK(spectator.log.value == "S");
  CHECK_FALSE(host.host.delta(as_bytes("x")));
  host.host.end_turn(t.network.now());
  t.run();
  CHECK(spectator.log.value == "Sx");
  CHECK(host.host.spectators().size() == 1);
  CHECK(host.host.members().empty());
}

TEST_CASE("relay together: a player goes on as the host", "[relay][extension]") {
  Together t{true};
  auto& host = t.host(t.wish("Hana"));
  auto& eve = t.play(t.wish("Eve"));
  auto& tom = t.play(t.wish("Tom"));
  t.run();
  eve.log.accepts = true;
  std::uint64_t token = 0;
  eve.log.promoted = [&](std::uint64_t given) { token = given; };
  // The host is lost, and does not come back.
  t.network.remove(host.host);
  t.cut(host.host);
  t.network.run_for(500ms);
  REQUIRE(token != 0);
  auto again = t.wish("Eve");
  again.token = token;
  auto& next = t.host(again);
  t.network.run_for(1s);
  REQUIRE(next.host.is_joined());
  next.log.value = "N";
  CHECK(has(eve.log.take(), "end promoted"));
  CHECK(next.host.members() == std::set<std::uint16_t>{2});
  CHECK_FALSE(next.host.reset(as_bytes("N")));
  next.host.end_turn(t.network.now());
  t.run();
  CHECK(tom.log.value == "N");
  CHECK_FALSE(tom.player.send_action(as_bytes("go")));
  t.run();
  CHECK(has(next.log.take(), "rpc 2 go"));
  CHECK(t.service.stats().hosts_changed == 1);
}
