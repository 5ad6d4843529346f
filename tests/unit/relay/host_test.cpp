// SPDX-License-Identifier: MIT
// A host creates a room, runs its game, and comes back to it.
#include <muster/relay/host.hpp>
#include <muster/relay/service.hpp>

#include "member_fixture.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace relay = muster::relay;
namespace text = muster::relay::error_text;
using muster::as_bytes;
using muster::errc;
using test::Lines;
using namespace std::chrono_literals;

namespace {

struct HostFixture : test::MemberFixture {
  explicit HostFixture(const relay::MemberConfig& with = config())
      : host(with, dialer, network.outbox(), entropy, log) {
    network.add(host);
    relay.answer = [this](muster::Connection&) { relay.welcome(0); };
  }
  ~HostFixture() { network.remove(host); }

  void create() {
    REQUIRE_FALSE(host.start(network.now()));
    network.run_for(100ms);
    REQUIRE(host.is_joined());
    log.take();
  }
  void say(std::string_view hex) {
    relay.say(hex);
    network.run_for(50ms);
  }
  /// What the relay heard since the last call.
  Lines heard() {
    network.run_for(50ms);
    return std::exchange(relay.heard, {});
  }
  void cut() {
    if (relay.current != nullptr) network.cut(*relay.current);
  }
  void delta(std::string_view changes) { CHECK_FALSE(host.delta(as_bytes(changes))); }
  void end_turn() { host.end_turn(network.now()); }

  test::HostLog log;
  relay::Host host;
};

// The relay itself, with a host and players that may be any number.
struct RoomFixture {
  RoomFixture() {
    (void)dialer.listen(test::relay_url, service);
    network.add(service);
    network.add(host);
    REQUIRE_FALSE(host.start(network.now()));
    network.run_for(100ms);
    REQUIRE(host.is_joined());
  }

  struct Seat {
    explicit Seat(RoomFixture& f)
        : player(test::MemberFixture::config(), f.dialer, f.network.outbox(), f.entropy, log) {}
    test::PlayerLog log;
    relay::Player player;
  };

  Seat& join() {
    Seat& seat = *seats.emplace_back(std::make_unique<Seat>(*this));
    network.add(seat.player);
    REQUIRE_FALSE(seat.player.start(network.now()));
    network.run_for(100ms);
    return seat;
  }
  void delta(std::string_view changes) {
    host_log.value += changes;
    CHECK_FALSE(host.delta(as_bytes(changes)));
  }
  void end_turn() {
    host.end_turn(network.now());
    network.run_for(100ms);
  }

  static relay::Service::Config service_config() {
    relay::Service::Config config;
    config.games.games = {{"chess", {3}}};
    return config;
  }

  muster::memory::Network network{42};
  muster::memory::Dialer dialer{network, {.latency = 5ms}};
  muster::SeededEntropy entropy{9};
  muster::WeakMac mac;
  relay::Service service{service_config(), network.outbox(), entropy, mac};
  test::HostLog host_log;
  relay::Host host{test::MemberFixture::config(), dialer, network.outbox(), entropy, host_log};
  std::vector<std::unique_ptr<Seat>> seats;
};

}  // namespace

TEST_CASE("relay host: creates its room", "[relay][host]") {
  HostFixture f;
  CHECK(f.host.kick(1) == errc::not_found);
  REQUIRE_FALSE(f.host.start(f.network.now()));
  f.network.run_for(100ms);
  CHECK(f.log.take() == Lines{"created"});
  REQUIRE(f.relay.joins.size() == 1);
  CHECK(f.relay.joins[0].create_room);
  CHECK(f.relay.joins[0].rule_variation == 5);
  CHECK(f.host.player_id() == relay::host_player_id);
  CHECK(f.host.next_deadline() == muster::no_deadline);
}

TEST_CASE("relay 10: nothing is sent while nobody is there", "[relay][host]") {
  HostFixture f;
  f.create();
  f.delta("a");
  CHECK_FALSE(f.host.reset(as_bytes("R")));
  CHECK(f.heard().empty());
  CHECK(f.log.asked == 0);
  CHECK(f.host.next_deadline() == muster::no_deadline);
  // What was said to nobody is not said later.
  f.say("000001");
  CHECK(f.heard() == Lines{"0353"});
  f.say("010001");
  f.delta("b");
  CHECK(f.heard().empty());
  CHECK(f.log.take() == Lines{"arrival 1", "departure 1"});
}

TEST_CASE("relay 10: a turn's deltas are one message, and the state for newcomers is last",
          "[relay][host]") {
  HostFixture f;
  f.create();
  f.say("000001");
  (void)f.heard();
  f.delta("a");
  f.delta("b");
  f.end_turn();
  f.delta("c");
  CHECK(f.heard() == Lines{"026162", "0263"});
  // In one turn: an action is answered, and somebody arrives.
  f.log.rpc = [&f](std::uint16_t, const std::string& action, muster::time_point) {
    f.delta(action);
  };
  f.relay.say("02000178");
  f.relay.say("000003");
  f.relay.say("02000179");
  CHECK(f.heard() == Lines{"027879", "0353"});
  CHECK(f.host.stats().deltas == 3);
  CHECK(f.host.stats().rpcs == 2);
}

TEST_CASE("relay 10: a reset discards the turn's deltas, and newcomers have it too",
          "[relay][host]") {
  HostFixture f;
  f.create();
  f.say("000001");
  (void)f.heard();
  f.delta("a");
  CHECK_FALSE(f.host.reset(as_bytes("R")));
  f.end_turn();
  CHECK(f.heard() == Lines{"0452"});
  // What follows a reset belongs to the new state.
  f.delta("a");
  CHECK_FALSE(f.host.reset(as_bytes("Q")));
  CHECK_FALSE(f.host.reset(as_bytes("R")));
  f.delta("b");
  f.end_turn();
  CHECK(f.heard() == Lines{"0452", "0262"});
  f.log.rpc = [&f](std::uint16_t, const std::string&, muster::time_point) {
    CHECK_FALSE(f.host.reset(as_bytes("R")));
  };
  f.relay.say("000002");
  f.relay.say("020001");
  CHECK(f.heard() == Lines{"0452"});
}

TEST_CASE("relay defects 15 and 16: members are a set of ids", "[relay][host]") {
  HostFixture f;
  f.create();
  f.say("010007");  // somebody long gone
  f.say("010007");
  f.say("000001");
  f.say("000001");
  f.say("000001");
  CHECK(f.log.take() == Lines{"arrival 1"});
  CHECK(f.host.members() == std::set<std::uint16_t>{1});
  CHECK(f.heard() == Lines{"0353", "0353", "0353"});  // each time it was said, it needs the state
  f.delta("a");
  CHECK(f.heard() == Lines{"0261"});
  f.say("010001");
  f.say("010001");
  CHECK(f.log.take() == Lines{"departure 1"});
  CHECK(f.host.members().empty());
  CHECK(f.host.stats().news_repeated == 5);
  f.say("0200017a");  // an action of nobody
  CHECK(f.log.lines.empty());
  CHECK(f.host.stats().rpcs_of_strangers == 1);
  CHECK(f.host.is_joined());
}

TEST_CASE("relay defect 4: an action may be any bytes", "[relay][host]") {
  HostFixture f;
  f.create();
  f.say("000001");
  f.say("020001");
  f.say("020001ff");
  f.say("00ff9bffff");  // more than is needed is ignored
  CHECK(f.log.take() == Lines{"arrival 1", "rpc 1 ", "rpc 1 \xff", "arrival 65435"});
}

TEST_CASE("relay defect 37: malformed news ends the host's session and nothing else",
          "[relay][host]") {
  const std::string hex = GENERATE("", "00", "0000", "000000", "01", "0100", "02", "0200", "03",
                                   "030001", "04", "06", "06000000050000000000000001", "ff0001");
  CAPTURE(hex);
  HostFixture f;
  f.create();
  f.say(hex);
  f.network.run_for(1h);
  CHECK(f.log.take() == Lines{"end protocol_error"});
  CHECK(f.log.ends == 1);
  CHECK(f.host.stats().malformed == 1);
  CHECK(f.relay.closes == std::vector<std::uint16_t>{1002});
}

TEST_CASE("relay host: a welcome as a player is no welcome", "[relay][host]") {
  HostFixture f;
  f.relay.answer = [&f](muster::Connection&) { f.relay.welcome(1); };
  REQUIRE_FALSE(f.host.start(f.network.now()));
  f.network.run_for(1h);
  CHECK(f.log.take() == Lines{"end protocol_error"});
}

TEST_CASE("relay host: kicks go first, and only of those who are there", "[relay][host]") {
  HostFixture f;
  f.create();
  f.say("000001");
  f.say("000002");
  (void)f.heard();
  f.delta("a");
  CHECK_FALSE(f.host.kick(2));
  CHECK_FALSE(f.host.kick(2));
  CHECK(f.host.kick(3) == errc::not_found);
  CHECK(f.host.kick(0) == errc::not_found);
  f.end_turn();
  CHECK(f.heard() == Lines{"010002", "0261"});
  f.say("010002");
  CHECK(f.log.take().back() == "departure 2");
  // While it is away, the wish stays.
  f.cut();
  f.network.run_for(1ms);
  CHECK_FALSE(f.host.kick(1));
  f.network.run_for(10s);
  CHECK(f.heard().front() == "010001");
}

TEST_CASE("relay defect 37: timers", "[relay][host]") {
  HostFixture f;
  f.create();
  const auto now = f.network.now();
  CHECK_FALSE(f.host.set_timer(1, 3s, now));
  CHECK_FALSE(f.host.set_timer(2, 1s, now));
  CHECK_FALSE(f.host.set_timer(65535, 2s, now));
  CHECK_FALSE(f.host.set_timer(3, 1s, now));
  CHECK_FALSE(f.host.set_timer(1, 500ms, now));  // takes its own place
  CHECK(f.host.cancel_timer(3));
  CHECK_FALSE(f.host.cancel_timer(3));
  CHECK(f.host.next_deadline() == now + 500ms);
  f.network.run_for(10s);
  CHECK(f.log.take() == Lines{"timer 1", "timer 2", "timer 65535"});
  CHECK(f.host.set_timer(1, -1ns, now) == errc::bad_value);
  CHECK(f.host.set_timer(1, relay::Host::max_timer_delay + 1ns, now) == errc::bad_value);
  CHECK(f.host.set_timer(1, muster::duration::max(), now) == errc::bad_value);
  CHECK(f.host.set_timer(1, muster::duration::min(), now) == errc::bad_value);
  CHECK_FALSE(f.host.set_timer(1, relay::Host::max_timer_delay, now));
  CHECK(f.host.cancel_timer(1));

  // One that sets itself again, at once, does not keep the loop.
  int rounds = 0;
  f.log.timer = [&](std::uint16_t id, muster::time_point at) {
    if (++rounds < 5) CHECK_FALSE(f.host.set_timer(id, 0s, at));
    f.host.cancel_timer(6);
  };
  const auto later = f.network.now();
  CHECK_FALSE(f.host.set_timer(5, 0s, later));
  CHECK_FALSE(f.host.set_timer(6, 0s, later));
  f.host.advance(later);
  CHECK(rounds == 1);
  f.network.run_for(1s);
  CHECK(rounds == 5);
  CHECK(f.log.take() == Lines{"timer 5", "timer 5", "timer 5", "timer 5", "timer 5"});

  // All that there can be.
  f.log.timer = nullptr;
  for (unsigned id = 0; id < 65536; ++id) {
    CHECK_FALSE(f.host.set_timer(static_cast<std::uint16_t>(id), 1s, f.network.now()));
  }
  f.host.terminate(f.network.now());
  f.network.run_for(1min);
  CHECK(f.log.take() == Lines{"end left"});
  CHECK(f.host.set_timer(1, 1s, f.network.now()) == errc::closed);
}

TEST_CASE("relay host: bounds of what it says", "[relay][host]") {
  relay::MemberConfig config = test::MemberFixture::config();
  config.max_host_message = 1024;
  HostFixture f{config};
  f.create();
  f.say("000001");
  (void)f.heard();
  const std::vector<std::byte> bytes(1024);
  const muster::byte_view most = muster::byte_view{bytes}.first(1023);
  CHECK(f.host.delta({}) == errc::bad_value);
  CHECK(f.host.delta(bytes) == errc::too_large);
  CHECK(f.host.reset(bytes) == errc::too_large);
  CHECK_FALSE(f.host.delta(most));
  CHECK(f.host.delta(as_bytes("a")) == errc::over_budget);
  CHECK_FALSE(f.host.reset(most));
  f.delta("a");
  f.end_turn();
  CHECK(f.heard().size() == 2);
  f.log.value = std::string(1024, 'x');
  f.say("000001");
  CHECK(f.heard().empty());
  CHECK(f.host.stats().states_too_large == 1);
  CHECK(f.host.is_joined());
}

TEST_CASE("relay host: players get the whole state after the relay took nothing", "[relay][host]") {
  relay::MemberConfig config = test::MemberFixture::config();
  config.budget = {.bytes = 2 * 1024 * 1024, .frames = 8, .reserve_frames = 4};
  HostFixture f{config};
  f.create();
  f.say("000001");
  (void)f.heard();
  for (int i = 0; i < 10; ++i) {
    f.delta("a");
    f.end_turn();
  }
  CHECK(f.host.stats().sends_refused == 1);
  CHECK(f.heard() == Lines{"0261", "0261", "0261", "0261", "0453"});
  f.delta("b");
  CHECK(f.heard() == Lines{"0262"});
  CHECK(f.host.stats().resyncs == 1);
}

TEST_CASE("relay host: comes back with its token, and everybody gets the state", "[relay][host]") {
  HostFixture f;
  f.create();
  f.say("000001");
  f.say("000002");
  (void)f.heard();
  f.log.take();
  f.relay.answer = [&f](muster::Connection&) {
    f.relay.welcome(0);
    f.relay.say("000002");
    f.relay.say("000003");
    f.relay.say("010001");
  };
  f.delta("lost");
  f.cut();
  f.network.run_for(1ms);
  CHECK(f.log.take() == Lines{"away connection_lost"});
  f.delta("unheard");
  CHECK_FALSE(f.host.reset(as_bytes("unheard")));
  f.log.value = "T";
  f.network.run_for(10s);
  REQUIRE(f.relay.joins.size() == 2);
  CHECK_FALSE(f.relay.joins[1].create_room);
  CHECK(f.relay.joins[1].token == 77U);
  CHECK(f.log.take() == Lines{"again", "arrival 3", "departure 1"});
  // To all, and once for all who were announced in one turn.
  CHECK(f.heard().front() == "0454");
  CHECK(f.host.members() == std::set<std::uint16_t>{2, 3});
  f.delta("b");
  CHECK(f.heard() == Lines{"0262"});
}

TEST_CASE("relay host: in another process, with a token, it waits for who is there",
          "[relay][host]") {
  relay::MemberConfig config = test::MemberFixture::config();
  config.token = 77;
  HostFixture f{config};
  REQUIRE_FALSE(f.host.start(f.network.now()));
  f.network.run_for(1s);
  CHECK(f.log.take() == Lines{"again"});
  CHECK(f.heard().empty());
  CHECK(f.host.next_deadline() == muster::no_deadline);
  f.say("000004");
  CHECK(f.heard() == Lines{"0453"});
  f.say("000005");
  CHECK(f.heard() == Lines{"0353"});
}

TEST_CASE("relay defect 10: a host that is still thought to be connected tries again",
          "[relay][host]") {
  HostFixture f;
  f.create();
  int refusals = 4;
  f.relay.answer = [&](muster::Connection&) {
    if (refusals-- > 0) {
      f.relay.end(text::host_already_connected);
    } else {
      f.relay.welcome(0);
    }
  };
  f.cut();
  f.network.run_for(2min);
  CHECK(f.host.is_joined());
  CHECK(f.relay.joins.size() == 6);
  CHECK(f.relay.most_open == 1);
  f.relay.end(text::superseded);
  f.network.run_for(1min);
  CHECK(f.log.take().back() == "end superseded");
}

TEST_CASE("relay host: timers run on while it is away", "[relay][host]") {
  HostFixture f;
  f.create();
  CHECK_FALSE(f.host.set_timer(1, 1min, f.network.now()));
  f.dialer.refuse_next(100000);
  f.cut();
  f.network.run_for(61s);
  const Lines lines = f.log.take();
  CHECK(std::count(lines.begin(), lines.end(), "timer 1") == 1);
  CHECK_FALSE(f.host.is_joined());
  CHECK_FALSE(f.host.cancel_timer(1));
}

TEST_CASE("relay host: terminates with its last words", "[relay][host]") {
  HostFixture f;
  f.create();
  f.say("000001");
  (void)f.heard();
  f.delta("a");
  f.end_turn();
  f.host.terminate(f.network.now());
  CHECK(f.host.delta(as_bytes("b")) == errc::closed);
  CHECK(f.host.reset({}) == errc::closed);
  CHECK(f.host.kick(1) == errc::closed);
  CHECK(f.heard() == Lines{"0261", "00"});
  CHECK(f.log.take() == Lines{"arrival 1", "end left"});
  f.network.run_for(1h);
  CHECK(f.log.ends == 1);
}

TEST_CASE("relay host: any write may fail", "[relay][host]") {
  for (std::uint64_t n = 1;; ++n) {
    CAPTURE(n);
    HostFixture f;
    f.relay.answer = [&f](muster::Connection&) {
      f.relay.welcome(0);
      f.relay.say("000001");
    };
    const std::uint64_t before = f.network.writes();
    f.network.fail_write(n);
    REQUIRE_FALSE(f.host.start(f.network.now()));
    f.network.run_for(30s);
    REQUIRE(f.host.is_joined());
    f.delta("a");
    f.end_turn();
    f.network.run_for(30s);
    REQUIRE(f.host.is_joined());
    f.host.terminate(f.network.now());
    f.network.run_for(30s);
    CHECK(f.log.ends == 1);
    CHECK(f.log.take().back() == "end left");
    CHECK(f.relay.most_open == 1);
    if (f.network.writes() - before < n) break;
    REQUIRE(n < 50);
  }
}

TEST_CASE("relay room: a host and players over the relay", "[relay][host][player]") {
  RoomFixture f;
  CHECK(f.host_log.take() == Lines{"created"});
  auto& one = f.join();
  CHECK(one.log.take() == Lines{"joined 1", "full S"});
  f.delta("a");
  f.delta("b");
  f.end_turn();
  CHECK(one.log.take() == Lines{"delta ab"});
  auto& two = f.join();
  // First what the relay knows of the state, then the host's answer to its arrival.
  CHECK(two.log.take() == Lines{"joined 2", "full S", "delta ab", "full Sab"});
  CHECK(one.log.take().empty());
  auto& three = f.join();
  CHECK(three.log.take() == Lines{"end room_is_full"});

  f.host_log.rpc = [&f](std::uint16_t, const std::string& action, muster::time_point) {
    f.delta(action);
  };
  CHECK_FALSE(two.player.send_action(as_bytes("x")));
  CHECK_FALSE(two.player.send_action(as_bytes("y")));
  f.network.run_for(100ms);
  CHECK(one.log.take() == Lines{"delta xy"});
  CHECK(two.log.take() == Lines{"delta xy"});
  CHECK(one.log.value == f.host_log.value);

  CHECK_FALSE(f.host.reset(as_bytes("N")));
  f.end_turn();
  CHECK(one.log.take() == Lines{"reset N"});
  f.host_log.take();
  CHECK_FALSE(f.host.kick(1));
  f.end_turn();
  CHECK(one.log.take() == Lines{"end kicked"});
  CHECK(f.host_log.take() == Lines{"departure 1"});
  two.player.leave(f.network.now());
  f.network.run_for(1s);
  CHECK(two.log.take() == Lines{"reset N", "end left"});
  CHECK(f.host_log.take() == Lines{"departure 2"});
  CHECK(f.host.members().empty());

  auto& four = f.join();
  CHECK(four.player.is_joined());
  f.host.terminate(f.network.now());
  f.network.run_for(1min);
  CHECK(f.host_log.take().back() == "end left");
  CHECK(four.log.take().back() == "end room_over");
  CHECK(f.service.room_count() == 0);
  for (const auto& seat : f.seats) CHECK(seat->log.ends == 1);
  CHECK(f.host_log.ends == 1);
}

TEST_CASE("relay room: a relay that drains is tried again until it gives up",
          "[relay][host][player]") {
  RoomFixture f;
  auto& one = f.join();
  one.log.take();
  f.host_log.take();
  f.service.on_drain(f.network.now());
  f.network.run_for(100ms);
  CHECK(one.log.lines.front() == "away relay_away");
  CHECK(f.host_log.lines.front() == "away relay_away");
  f.network.run_for(10min);
  CHECK(one.log.take().back() == "end gave_up");
  CHECK(f.host_log.take().back() == "end gave_up");
}

TEST_CASE("relay room: a join, and a room that exists", "[relay][host][player]") {
  RoomFixture f;
  test::HostLog log;
  relay::Host second{test::MemberFixture::config(), f.dialer, f.network.outbox(), f.entropy, log};
  f.network.add(second);
  REQUIRE_FALSE(second.start(f.network.now()));
  f.network.run_for(1min);
  CHECK(log.take() == Lines{"end room_exists"});
  f.network.remove(second);

  relay::MemberConfig config = test::MemberFixture::config();
  config.game_id = "go";
  test::PlayerLog stranger;
  relay::Player player{config, f.dialer, f.network.outbox(), f.entropy, stranger};
  f.network.add(player);
  REQUIRE_FALSE(player.start(f.network.now()));
  f.network.run_for(1min);
  CHECK(stranger.take() == Lines{"end unknown_game"});
  f.network.remove(player);
}
