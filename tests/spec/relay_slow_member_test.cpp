// SPDX-License-Identifier: MIT
// Members that fall behind, and the state that the relay keeps for them and for those who are late.
#include <muster/relay/state_cache.hpp>

#include "support/relay_world.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;
using relay::Ending;
using relay::SlowMember;
using test::Messages;
using test::Peer;
using test::RelayWorld;
using test::token_of;
using test::u16_hex;
using test::without_tokens;

namespace {

// A relay whose clients may have 32 messages waiting.
relay::Service::Config narrow(SlowMember policy, std::size_t cache = 256 * 1024) {
  auto config = RelayWorld::default_config();
  config.client_budget.frames = 32;
  config.rooms.slow_member = policy;
  config.rooms.state_cache = cache;
  return config;
}

// Sends a hundred changes, which the stalled peer does not take.
void flood(RelayWorld& world, Peer& host, Peer& slow) {
  world.network.stall(*slow.connection, true);
  for (unsigned i = 0; i < 100; ++i) world.send(host, "02" + u16_hex(i));
}

}  // namespace

TEST_CASE("relay slow member: resync drops what waits, and the cache brings it up to date",
          "[relay][slow]") {
  RelayWorld world{narrow(SlowMember::resync)};
  Peer& host = world.create();
  Peer& slow = world.join("room-42", "trictrac", {.window = 4});
  Peer& fast = world.join();
  world.send(host, "03aa");
  world.network.stall(*slow.connection, true);
  for (unsigned i = 0; i < 100; ++i) {
    world.send(host, "02" + u16_hex(i));
    if (i % 10 == 0) world.send(host, "04bb");  // a state, so that the cache stays short
  }
  CHECK(fast.messages.size() == 1 + 1 + 100 + 10);
  CHECK(world.relay.stats().resyncs != 0);
  CHECK(world.relay.stats().updates_missed != 0);
  world.network.stall(*slow.connection, false);
  world.run();
  REQUIRE(slow.is_open());
  // Whatever it missed, from some whole state on it has every change.
  const auto state = std::find(slow.messages.rbegin(), slow.messages.rend(), "04bb").base();
  REQUIRE(state != slow.messages.begin());
  Messages since(state, slow.messages.end());
  CHECK(since == Messages{"02005b", "02005c", "02005d", "02005e", "02005f", "020060", "020061",
                          "020062", "020063"});
  CHECK(host.messages.size() == 3);  // it was not asked
  world.finish();
}

TEST_CASE("relay slow member: without a cache, the host is asked for the state once more",
          "[relay][slow]") {
  RelayWorld world{narrow(SlowMember::resync, 0)};
  Peer& host = world.create();
  Peer& slow = world.join("room-42", "trictrac", {.window = 4});
  world.send(host, "03aa");
  flood(world, host, slow);
  CHECK(without_tokens(host.messages) == Messages{"0600000000", "000001", "000001"});
  world.network.stall(*slow.connection, false);
  world.run();
  world.send(host, "02cc");
  world.send(host, "03dd");
  world.send(host, "02ee");
  const std::size_t n = slow.messages.size();
  REQUIRE(n > 2);
  CHECK(slow.messages[n - 2] == "03dd");
  CHECK(slow.messages[n - 1] == "02ee");
  world.finish();
}

TEST_CASE("relay slow member: drop leaves a gap and nothing else", "[relay][slow]") {
  RelayWorld world{narrow(SlowMember::drop)};
  Peer& host = world.create();
  Peer& slow = world.join("room-42", "trictrac", {.window = 4});
  world.send(host, "03aa");
  flood(world, host, slow);
  world.network.stall(*slow.connection, false);
  world.run();
  CHECK(slow.messages.size() < 60);
  world.send(host, "02ee");
  CHECK(slow.messages.back() == "02ee");
  CHECK(world.relay.stats().resyncs == 0);
  CHECK(world.relay.stats().updates_missed != 0);
  world.finish();
}

TEST_CASE("relay slow member: close ends the connection, and the member may come back",
          "[relay][slow]") {
  RelayWorld world{narrow(SlowMember::close)};
  Peer& host = world.create();
  Peer& slow = world.join("room-42", "trictrac", {.window = 4});
  world.send(host, "03aa");
  flood(world, host, slow);
  world.network.stall(*slow.connection, false);
  world.run();
  world.expect_end(slow, Ending::client_too_slow,
                   "Lagging on internal channel - Computer too slow.");
  CHECK(world.reconnect(token_of(slow)).is_open());
  world.finish();
}

TEST_CASE("relay slow member: one that takes nothing at all is closed in the end",
          "[relay][slow]") {
  for (const SlowMember policy : {SlowMember::resync, SlowMember::drop}) {
    RelayWorld world{narrow(policy)};
    Peer& host = world.create();
    Peer& slow = world.join("room-42", "trictrac", {.window = 4});
    world.send(host, "03aa");
    flood(world, host, slow);
    world.send(host, "03bb");  // it was asked for the state
    world.network.run_for(20s - 1ms);
    CHECK(world.count(Ending::client_too_slow) == 0);
    world.network.run_for(2ms);
    CHECK(world.count(Ending::client_too_slow) == 1);
    CHECK(host.messages.back() == "010001");
    world.network.stall(*slow.connection, false);
    world.run();
    world.finish();
  }
}

TEST_CASE("relay slow member: one that makes progress is not closed", "[relay][slow]") {
  RelayWorld world{narrow(SlowMember::resync)};
  Peer& host = world.create();
  Peer& slow = world.join("room-42", "trictrac", {.window = 4});
  world.send(host, "03aa");
  for (int round = 0; round < 12; ++round) {
    flood(world, host, slow);
    world.send(host, "03bb");
    world.network.run_for(5s);
    world.network.stall(*slow.connection, false);
    world.run();
    world.network.run_for(5s);
    REQUIRE(slow.is_open());
  }
  CHECK(world.relay.stats().resyncs > 5);
  world.finish();
}

TEST_CASE("relay rate: what is above it is dropped, and who goes on is closed", "[relay][slow]") {
  auto config = RelayWorld::default_config();
  config.rooms.client_rate = {.messages_per_second = 10, .bytes_per_second = 1000};
  RelayWorld world{config};
  Peer& host = world.create();
  Peer& hasty = world.join();
  Peer& calm = world.join();
  for (int i = 0; i < 30; ++i) REQUIRE(hasty.send("02aa"));  // 20 is a burst
  world.run();
  CHECK(std::count(host.messages.begin(), host.messages.end(), "020001aa") == 20);
  CHECK(world.relay.stats().rate_dropped == 10);
  CHECK(hasty.is_open());
  world.network.run_for(1s);
  for (int i = 0; i < 12; ++i) REQUIRE(hasty.send("02bb"));
  world.run();
  CHECK(std::count(host.messages.begin(), host.messages.end(), "020001bb") == 10);
  world.send(calm, "02cc");
  CHECK(host.messages.back() == "020002cc");
  for (int i = 0; i < 30; ++i) (void)hasty.send("02dd");
  world.run();
  world.expect_end(hasty, Ending::sent_too_much, "You sent too much.");
  CHECK(host.messages.back() == "010001");
  // Bytes count as well: 2000 at once.
  world.send(calm, "02" + std::string(2 * 1900, 'e'));
  world.send(calm, "02" + std::string(2 * 1900, 'f'));
  CHECK(host.messages.back().starts_with("020002ee"));
  CHECK(calm.is_open());
  world.finish();
}

TEST_CASE("relay cache: who comes late has the state at once, and the host's own when it comes",
          "[relay][slow]") {
  RelayWorld world;
  Peer& host = world.create();
  world.join();
  world.send(host, "03aa");
  world.send(host, "02bb");
  Peer& late = world.join();
  CHECK(without_tokens(late.take()) == Messages{"0600020000", "03aa", "02bb"});
  world.send(host, "02cc");
  world.send(host, "03dd");  // the answer to its arrival: only for it
  world.send(host, "03ee");
  CHECK(late.take() == Messages{"02cc", "03dd"});
  CHECK(world.relay.stats().states_served == 1);
  world.finish();
}

TEST_CASE("relay cache: it ends when nobody is left whom a host would tell", "[relay][slow]") {
  RelayWorld world;
  Peer& host = world.create();
  Peer& only = world.join();
  world.send(host, "03aa");
  world.lose(only);
  world.send(host, "02bb");  // an original host would not even send it
  Peer& late = world.join();
  CHECK(late.messages.size() == 1);
  world.send(host, "03cc");
  CHECK(late.messages.back() == "03cc");
  world.finish();
}

TEST_CASE("relay cache: a change that does not fit ends it until the next state", "[relay][slow]") {
  for (const bool by_count : {false, true}) {
    auto config = RelayWorld::default_config();
    config.rooms.state_cache = 1000;
    config.client_budget.frames = by_count ? 8 : 512;
    RelayWorld world{config};
    Peer& host = world.create();
    world.join();
    world.send(host, "03aa");
    for (int i = 0; i < (by_count ? 4 : 1); ++i) {
      world.send(host, "02" + std::string(by_count ? 2 : 2 * 1000, 'b'));
    }
    CHECK(world.join().messages.size() == 1);
    world.send(host, "04cc");
    CHECK(world.join().messages.size() == 2);
    world.finish();
  }
}

TEST_CASE("relay cache: all rooms together keep within their bound", "[relay][slow]") {
  auto config = RelayWorld::default_config();
  config.max_state_caches = 100;
  RelayWorld world{config};
  Peer& first = world.create("1");
  world.join("1");
  Peer& second = world.create("2");
  world.join("2");
  world.send(first, "03" + std::string(2 * 80, 'a'));
  world.send(second, "03" + std::string(2 * 80, 'b'));
  CHECK(world.join("1").messages.size() == 2);
  CHECK(world.join("2").messages.size() == 1);
  world.send(first, "00");  // gives back what it held
  world.send(second, "04" + std::string(2 * 80, 'c'));
  CHECK(world.join("2").messages.size() == 2);
  world.finish();
}
