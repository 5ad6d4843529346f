// SPDX-License-Identifier: MIT
#include <muster/shard/server_clock.hpp>

#include "support/catch.hpp"

#include <chrono>

using namespace muster;
using namespace std::chrono_literals;
using muster::shard::ServerClock;

namespace {

// Asks at `now`; the answer says what the server's clock, `ahead` of this one, shows after `there`.
bool ask(ServerClock& clock, time_point& now, duration there, duration back, duration ahead) {
  const auto query = clock.ask(now);
  const auto shown = std::chrono::duration_cast<std::chrono::microseconds>(
      (now + there + ahead).time_since_epoch());
  now += there + back;
  return clock.take({query.t0, static_cast<std::uint64_t>(shown.count()), 1}, now);
}

}  // namespace

TEST_CASE("shard server clock: the shortest of the last round trips counts", "[shard]") {
  ServerClock clock;
  time_point now{1h};
  CHECK_FALSE(clock.is_known());
  CHECK(clock.offset() == 0s);
  CHECK(ask(clock, now, 50ms, 50ms, 7s));
  CHECK(clock.round_trip() == 100ms);
  CHECK(clock.offset() == 7s);
  CHECK(ask(clock, now, 200ms, 20ms, 7s));  // one that waited somewhere
  CHECK(clock.offset() == 7s);
  CHECK(ask(clock, now, 10ms, 10ms, 7s));
  CHECK(clock.round_trip() == 20ms);
  CHECK(clock.server_time(now) == now + 7s);
  // It is forgotten in the end, since clocks drift and ways change.
  for (int i = 0; i < 7; ++i) CHECK(ask(clock, now, 40ms, 40ms, 8s));
  CHECK(clock.offset() == 7s);
  CHECK(ask(clock, now, 40ms, 40ms, 8s));
  CHECK(clock.offset() == 8s);
  CHECK(clock.round_trip() == 80ms);
  CHECK(ask(clock, now, 5ms, 5ms, -1min));  // behind
  CHECK(clock.offset() == -1min);
}

TEST_CASE("shard server clock: only an answer to the open question counts", "[shard]") {
  ServerClock clock;
  const time_point now{1h};
  CHECK_FALSE(clock.take({0, 1, 1}, now));
  const auto first = clock.ask(now);
  const auto second = clock.ask(now + 1s);
  CHECK_FALSE(clock.take({first.t0, 1, 1}, now + 2s));
  CHECK_FALSE(clock.take({second.t0, UINT64_MAX, 1}, now + 2s));
  CHECK(clock.take({second.t0, 1, 1}, now + 2s));
  CHECK_FALSE(clock.take({second.t0, 1, 1}, now + 2s));
  clock.clear();
  CHECK_FALSE(clock.is_known());
}
