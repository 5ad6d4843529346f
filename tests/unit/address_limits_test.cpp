// SPDX-License-Identifier: MIT
// What an address may hold and get wrong, and what a crowd of addresses cannot do to others.
#include <muster/address_limits.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <string>
#include <vector>

using muster::Address;
using muster::AddressLimits;
using muster::duration;
using muster::time_point;
using namespace std::chrono_literals;

namespace {

struct World {
  explicit World(const AddressLimits::Config& config = {}) : limits(config, entropy) {}

  muster::SeededEntropy entropy{1};
  AddressLimits limits;
  time_point now{1h};

  [[nodiscard]] bool guess(const Address& address) {
    if (!limits.may_present_token(address, now)) return false;
    limits.count_failed_token(address, now);
    return true;
  }
  [[nodiscard]] int guesses(const Address& address) {
    int count = 0;
    while (count < 100'000 && guess(address)) ++count;
    return count;
  }
  [[nodiscard]] int connections(const Address& address) {
    int count = 0;
    while (count < 100'000 && limits.take_connection(address, now)) ++count;
    return count;
  }
  [[nodiscard]] int rooms(const Address& address) {
    int count = 0;
    while (count < 100'000 && limits.take_room(address)) ++count;
    return count;
  }
};

Address v6(std::uint64_t prefix, std::uint64_t rest) {
  Address address;
  for (unsigned i = 0; i < 8; ++i) {
    address.ip[i] = static_cast<std::uint8_t>(prefix >> (56 - 8 * i));
    address.ip[8 + i] = static_cast<std::uint8_t>(rest >> (56 - 8 * i));
  }
  return address;
}

Address v4(std::uint32_t ip, std::uint16_t port = 1) { return Address::v4(ip, port); }

std::string problem_with(const AddressLimits::Config& config) {
  std::string problem;
  const auto error = AddressLimits::validate(config, problem);
  CHECK(bool(error) == !problem.empty());
  return problem;
}

}  // namespace

TEST_CASE("address limits: rooms are counted up to the limit, and given back", "[address_limits]") {
  World world{{.max_rooms = 3}};
  const Address one = v4(0x0a000001);
  for (int round = 0; round < 100; ++round) {
    REQUIRE(world.rooms(one) == 3);
    CHECK(world.limits.take_room(v4(0x0a000002)));
    world.limits.give_room(v4(0x0a000002));
    world.limits.give_room(one);
    REQUIRE(world.rooms(one) == 1);
    for (int i = 0; i < 3; ++i) world.limits.give_room(one);
  }
  world.limits.give_room(one);  // nothing to give back: the count does not go below nothing
  CHECK(world.rooms(one) == 3);
}

TEST_CASE("address limits: IPv4 counts by the address, IPv6 by its /64", "[address_limits]") {
  World world{{.max_rooms = 1, .failed_tokens_per_minute = 1}};
  CHECK(world.rooms(v4(0xc0000201, 5)) == 1);
  CHECK(world.rooms(v4(0xc0000201, 6)) == 0);
  CHECK(world.rooms(v4(0xc0000202)) == 1);
  const std::uint64_t prefix = 0x20010db800000001;
  CHECK(world.rooms(v6(prefix, 1)) == 1);
  CHECK(world.rooms(v6(prefix, ~std::uint64_t{0})) == 0);
  CHECK(world.rooms(v6(prefix + 1, 1)) == 1);
  CHECK(world.guesses(v6(prefix, 2)) == 1);
  CHECK(world.guesses(v6(prefix, 3)) == 0);
  CHECK(world.guesses(v6(0, 1)) == 1);  // ::1
  CHECK(world.guesses(v4(0)) == 1);     // not the all-zero address
  CHECK(world.guesses(v4(0)) == 0);
}

TEST_CASE("address limits: peers in memory, and limits of 0, are never limited",
          "[address_limits]") {
  World world;
  Address memory;
  memory.port = 7;
  CHECK(world.rooms(memory) == 100'000);
  CHECK(world.guesses(memory) == 100'000);
  CHECK(world.connections(memory) == 100'000);
  World off{{.max_rooms = 0,
             .failed_tokens_per_minute = 0,
             .empty_rooms_per_minute = 0,
             .connections_per_second = 0}};
  CHECK(off.rooms(v4(1)) == 100'000);
  off.limits.give_room(v4(1));
  CHECK(off.guesses(v4(1)) == 100'000);
  CHECK(off.connections(v4(1)) == 100'000);
  off.limits.count_empty_room(v4(1), off.now);
  CHECK(off.limits.may_create(v4(1), off.now));
}

TEST_CASE("address limits: failures are forgiven one after the other", "[address_limits]") {
  World world{{.failed_tokens_per_minute = 10}};
  const Address one = v4(1);
  CHECK(world.guesses(one) == 10);
  world.now += 5999ms;
  CHECK(world.guesses(one) == 0);
  world.now += 1ms;
  CHECK(world.guesses(one) == 1);
  world.now += 30s;
  CHECK(world.guesses(one) == 5);
  world.now += 1min;
  CHECK(world.guesses(one) == 10);
  // Over an hour of trying without pause: the limit, and what may be wrong at once.
  world.now += 1min;
  int count = 0;
  for (int i = 0; i < 36'000; ++i, world.now += 100ms) count += world.guesses(one);
  CHECK(count == 600 + 10 - 1);
}

TEST_CASE("address limits: failures that others count do not add to the wait", "[address_limits]") {
  World world;
  for (int i = 0; i < 1000; ++i) world.limits.count_failed_token(v4(1), world.now);
  world.now += 6s;
  CHECK(world.guesses(v4(1)) == 1);
}

TEST_CASE("address limits: empty rooms and tokens are counted apart", "[address_limits]") {
  World world{{.max_rooms = 1, .failed_tokens_per_minute = 1, .empty_rooms_per_minute = 2}};
  const Address one = v4(1);
  world.limits.count_empty_room(one, world.now);
  CHECK(world.limits.may_create(one, world.now));
  world.limits.count_empty_room(one, world.now);
  CHECK_FALSE(world.limits.may_create(one, world.now));
  CHECK(world.limits.may_create(v4(2), world.now));
  CHECK(world.guesses(one) == 1);
  CHECK(world.rooms(one) == 1);
  CHECK(world.limits.may_create(one, world.now + 30s));
}

TEST_CASE("address limits: any clock will do, and none wraps a failure back", "[address_limits]") {
  constexpr duration wrap = 100us * (std::int64_t{1} << 36U);
  for (const duration start : {-wrap, duration{-30s}, duration{0}, wrap - 30s, wrap, 3 * wrap,
                               duration{time_point::max().time_since_epoch() - 10min}}) {
    World world{{.failed_tokens_per_minute = 2}};
    world.now = time_point{start};
    for (int i = 0; i < 4; ++i) {
      CHECK(world.guesses(v4(1)) == 2);
      world.now += 60s;
    }
    // A thread whose time is a little behind sees a little more to forgive, and nothing else.
    CHECK(world.guesses(v4(1)) == 2);
    world.now -= 1s;
    CHECK(world.guesses(v4(1)) == 0);
    world.now += 31s;
    CHECK(world.guesses(v4(1)) == 1);
  }
}

TEST_CASE("address limits: new connections in a second, and at once", "[address_limits]") {
  World world;
  const Address one = v4(1);
  CHECK(world.connections(one) == 80);
  CHECK(world.connections(v4(2)) == 80);
  world.now += 49ms;
  CHECK(world.connections(one) == 0);
  world.now += 1ms;
  CHECK(world.connections(one) == 1);
  world.now += 1s;
  CHECK(world.connections(one) == 20);
  world.now += 1h;
  CHECK(world.connections(one) == 80);
  // Who knocks all the time gets the rate, and not less: what is refused is not counted.
  int count = 0;
  for (int i = 0; i < 100'000; ++i, world.now += 100us) {
    count += world.limits.take_connection(one, world.now) ? 1 : 0;
  }
  CHECK(count == 199);
  // Nothing else is counted with it.
  CHECK(world.guesses(one) == 10);
  CHECK(world.rooms(one) == 16);
  const std::uint64_t prefix = 0x20010db800000001;
  CHECK(world.connections(v6(prefix, 1)) == 80);
  CHECK(world.connections(v6(prefix, 2)) == 0);
  CHECK(world.connections(v6(prefix + 1, 2)) == 80);
}

TEST_CASE("address limits: the ends of the rates of connections", "[address_limits]") {
  World most{{.connections_per_second = 1000, .connection_burst = 30s}};
  CHECK(most.connections(v4(1)) == 30'000);
  most.now += 1s;
  CHECK(most.connections(v4(1)) == 1000);
  World least{{.connections_per_second = 1, .connection_burst = 1s}};
  for (int i = 0; i < 5; ++i, least.now += 1s) CHECK(least.connections(v4(1)) == 1);
  // A rate that does not divide a second into whole ticks is a little lower, never higher.
  World odd{{.connections_per_second = 999, .connection_burst = 1s}};
  CHECK(odd.connections(v4(1)) == 999);
  odd.now += 1s;
  CHECK(odd.connections(v4(1)) == 909);
}

TEST_CASE("address limits: however many addresses, new connections are limited",
          "[address_limits]") {
  World world{{.slots = 64, .connections_per_second = 20, .connection_burst = 1s}};
  const auto flood = [&] {
    int count = 0;
    for (std::uint32_t i = 1; i <= 5000; ++i) count += world.connections(v4(i));
    return count;
  };
  CHECK(flood() <= 2 * 64 * 20);
  int later = 0;
  for (int second = 0; second < 60; ++second) {
    world.now += 1s;
    later += flood();
  }
  CHECK(later <= 60 * 2 * 64 * 20);
}

TEST_CASE("address limits: a full table of rooms keeps nobody out", "[address_limits]") {
  World world{{.slots = 64, .max_rooms = 2}};
  for (std::uint32_t i = 1; i <= 1000; ++i) REQUIRE(world.limits.take_room(v4(i)));
  for (std::uint32_t i = 1001; i <= 1100; ++i) REQUIRE(world.limits.take_room(v4(i)));
  // What was not counted takes nothing away that would be missed for ever.
  for (std::uint32_t i = 1; i <= 1100; ++i) world.limits.give_room(v4(i));
  for (std::uint32_t i = 1; i <= 1100; ++i) {
    REQUIRE(world.rooms(v4(i)) == 2);
    world.limits.give_room(v4(i));
    world.limits.give_room(v4(i));
  }
}

TEST_CASE("address limits: however many addresses, guesses are limited", "[address_limits]") {
  constexpr std::uint32_t addresses = 20'000;
  World world{{.slots = 64, .failed_tokens_per_minute = 10}};
  const auto attack = [&] {
    int count = 0;
    for (std::uint32_t i = 1; i <= addresses; ++i) count += world.guesses(v4(i));
    return count;
  };
  const int at_once = attack();
  CHECK(at_once <= 2 * 64 * 10);
  CHECK(at_once >= 64 * 10);
  int later = 0;
  for (int second = 0; second < 300; ++second) {
    world.now += 1s;
    later += attack();
  }
  CHECK(later <= 5 * 2 * 64 * 10);
}

TEST_CASE("address limits: a crowd with few failures each keeps nobody out", "[address_limits]") {
  World world{{.slots = 1024, .failed_tokens_per_minute = 10}};
  // Five times as many addresses as places, each with one failure.
  for (std::uint32_t i = 1; i <= 5120; ++i) REQUIRE(world.guess(v4(i)));
  for (std::uint32_t i = 1; i <= 1000; ++i) {
    REQUIRE(world.limits.may_present_token(v4(0x0a000000 + i), world.now));
  }
  // As soon as their failures are forgiven, nothing is left of them.
  world.now += 60s;
  CHECK(world.guesses(v4(0x0a000000)) == 10);
}

TEST_CASE("address limits: those who use their limit up keep out only themselves",
          "[address_limits]") {
  World world;
  for (std::uint32_t i = 1; i <= 10'000; ++i) REQUIRE(world.guesses(v4(i)) == 10);
  for (std::uint32_t i = 1; i <= 10'000; ++i) {
    REQUIRE_FALSE(world.limits.may_present_token(v4(i), world.now));
    REQUIRE(world.limits.may_present_token(v4(0x0a000000 + i), world.now));
  }
}

TEST_CASE("address limits: ranges of the configuration", "[address_limits]") {
  CHECK(problem_with({}).empty());
  CHECK(problem_with({.slots = 64}).empty());
  CHECK(problem_with({.slots = 1U << 24U}).empty());
  CHECK(problem_with({.slots = 32}) == "slots must be a power of two between 64 and 16777216");
  CHECK(problem_with({.slots = 100}).starts_with("slots must"));
  CHECK(problem_with({.slots = 1U << 25U}).starts_with("slots must"));
  CHECK(problem_with({.max_rooms = 65'536}) == "max_rooms must be at most 65535");
  CHECK(problem_with({.failed_tokens_per_minute = 1001}) ==
        "failed_tokens_per_minute must be at most 1000");
  CHECK(problem_with({.empty_rooms_per_minute = 1001}) ==
        "empty_rooms_per_minute must be at most 1000");
  CHECK(problem_with({.connections_per_second = 1001}) ==
        "connections_per_second must be at most 1000");
  CHECK(problem_with({.connection_burst = 999ms}) ==
        "connection_burst must be between 1 s and 30 s");
  CHECK(problem_with({.connection_burst = 31s}).starts_with("connection_burst must"));
  CHECK(problem_with({.connection_burst = duration::min()}).starts_with("connection_burst must"));
  // At its ends, each limit is what it says.
  World most{{.max_rooms = 65'535, .failed_tokens_per_minute = 1000}};
  CHECK(most.rooms(v4(1)) == 65'535);
  CHECK(most.guesses(v4(1)) == 1000);
}
