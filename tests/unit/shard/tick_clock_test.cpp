// SPDX-License-Identifier: MIT
#include <muster/shard/tick_clock.hpp>

#include "support/catch.hpp"

#include <chrono>

using namespace muster;
using namespace muster::shard;
using namespace std::chrono_literals;

namespace {

constexpr time_point start{100h};

}  // namespace

TEST_CASE("tick clock: the first tick is due at once, and the next an interval later", "[shard]") {
  TickClock clock{20, CatchUp::skip(), start};
  CHECK(clock.deadline() == start);
  CHECK_FALSE(clock.is_due(start - 1ns));
  CHECK(clock.is_due(start));
  CHECK(clock.take(start) == 50ms);
  CHECK(clock.deadline() == start + 50ms);
  CHECK_FALSE(clock.is_due(start + 49ms));
}

TEST_CASE("tick clock: nothing drifts in an hour, and what ticks cover is that hour", "[shard]") {
  const std::uint32_t hz = GENERATE(1U, 3U, 7U, 30U, 60U, 64U, 128U, 144U, 999U, 1000U);
  INFO(hz);
  TickClock clock{hz, CatchUp::skip(), start};
  duration covered{0};
  const std::uint64_t ticks = std::uint64_t{hz} * 3600;
  duration longest{0};
  duration shortest = 1h;
  for (std::uint64_t i = 0; i < ticks; ++i) {
    const duration one = clock.take(clock.deadline());
    covered += one;
    longest = std::max(longest, one);
    shortest = std::min(shortest, one);
  }
  CHECK(covered == 1h);
  CHECK(clock.deadline() == start + 1h);
  CHECK(longest - shortest <= 1ns);
  CHECK(clock.skipped() == 0);
  CHECK(clock.dilation() < 1.000001);
}

TEST_CASE("tick clock: what is a little late changes nothing", "[shard]") {
  const CatchUp catch_up = GENERATE(CatchUp::skip(), CatchUp::dilate());
  TickClock clock{10, catch_up, start};
  for (int i = 0; i < 10; ++i) {
    CHECK(clock.take(clock.deadline() + 99ms) == 100ms);
    CHECK(clock.lag() == 99ms);
  }
  CHECK(clock.deadline() == start + 1s);
  CHECK(clock.skipped() == 0);
}

TEST_CASE("tick clock: skip makes up for two ticks, and leaves the others out", "[shard]") {
  TickClock clock{10, CatchUp::skip(), start};
  CHECK(clock.take(start) == 100ms);
  const time_point late = start + 1030ms;  // ticks 1 to 10 are due
  int taken = 0;
  for (; clock.is_due(late); ++taken) CHECK(clock.take(late) == 100ms);
  CHECK(taken == 2);
  CHECK(clock.skipped() == 8);
  CHECK(clock.deadline() == start + 1100ms);  // the schedule is what it was
}

TEST_CASE("tick clock: a burst makes up for as many as it says", "[shard]") {
  TickClock clock{10, CatchUp::burst(20), start};
  const time_point late = start + 1s;
  int taken = 0;
  for (; clock.is_due(late); ++taken) CHECK(clock.take(late) == 100ms);
  CHECK(taken == 11);
  CHECK(clock.skipped() == 0);
}

TEST_CASE("tick clock: dilate runs them all, and later", "[shard]") {
  TickClock clock{10, CatchUp::dilate(), start};
  time_point now = start;
  for (int i = 0; i < 100; ++i) {
    CHECK(clock.is_due(now));
    CHECK(clock.take(now) == 100ms);
    CHECK_FALSE(clock.is_due(now));
    now += 200ms;  // what a tick takes on this machine
  }
  CHECK(clock.skipped() == 0);
  CHECK(clock.dilation() > 1.9);
  CHECK(clock.dilation() < 2.1);
  // Back in time, it is no slower than the clock.
  for (int i = 0; i < 100; ++i) static_cast<void>(clock.take(clock.deadline()));
  CHECK(clock.dilation() < 1.01);
}

TEST_CASE("tick clock: variable covers the time that has passed", "[shard]") {
  TickClock clock{20, CatchUp::variable(), start};
  CHECK(clock.take(start + 3ms) == 0ms);
  CHECK(clock.take(start + 53ms) == 50ms);
  CHECK(clock.take(start + 253ms) == 200ms);
  CHECK_FALSE(clock.is_due(start + 253ms));
  CHECK(clock.deadline() == start + 303ms);
}
