// SPDX-License-Identifier: MIT
// The estimates that timers are chosen by.
#include "../lib/soe/round_trip.hpp"

#include "support/catch.hpp"

#include <chrono>

using namespace std::chrono_literals;
using muster::time_point;
using muster::soe::Config;
using muster::soe::RoundTrip;

namespace {

constexpr time_point start = time_point{} + 1h;

RoundTrip own_ends() { return {Config::for_own_ends(), start}; }

}  // namespace

TEST_CASE("round trip: nothing is known at first", "[soe][round_trip]") {
  const RoundTrip trip = own_ends();
  CHECK_FALSE(trip.is_known());
  CHECK(trip.smoothed() == 0ms);
  CHECK(trip.least() == 0ms);
  CHECK(trip.timeout() == 300ms);
}

TEST_CASE("round trip: samples are averaged as in RFC 6298", "[soe][round_trip]") {
  RoundTrip trip = own_ends();
  trip.add(80ms, start);
  CHECK(trip.smoothed() == 80ms);
  CHECK(trip.variation() == 40ms);
  CHECK(trip.timeout() == 240ms);
  trip.add(160ms, start);
  CHECK(trip.smoothed() == 90ms);
  CHECK(trip.variation() == 50ms);
  CHECK(trip.latest() == 160ms);
  CHECK(trip.timeout() == 290ms);
}

TEST_CASE("round trip: a bound holds until the first sample", "[soe][round_trip]") {
  RoundTrip trip = own_ends();
  trip.set_bound(800ms);
  CHECK(trip.is_known());
  CHECK(trip.smoothed() == 800ms);
  CHECK(trip.timeout() == 2s);  // the configuration's longest
  CHECK(trip.least() == 0ms);   // it is none of those that are known
  trip.add(80ms, start);
  CHECK(trip.smoothed() == 80ms);
  CHECK(trip.variation() == 40ms);
  CHECK(trip.least() == 80ms);
  trip.add(160ms, start);
  CHECK(trip.smoothed() == 90ms);
}

TEST_CASE("round trip: the smallest is one of the last ten seconds", "[soe][round_trip]") {
  RoundTrip trip = own_ends();
  trip.add(20ms, start);
  for (auto at = 100ms; at <= 4900ms; at += 100ms) trip.add(50ms, start + at);
  CHECK(trip.least() == 20ms);
  trip.add(50ms, start + 5s);
  CHECK(trip.least() == 20ms);
  trip.add(60ms, start + 9900ms);
  CHECK(trip.least() == 20ms);
  trip.add(60ms, start + 10s);
  CHECK(trip.least() == 50ms);
  trip.add(10ms, start + 10s);
  CHECK(trip.least() == 10ms);
}

TEST_CASE("round trip: a peer's lateness is learned at once and forgotten slowly",
          "[soe][round_trip]") {
  RoundTrip trip = own_ends();
  for (int i = 0; i < 40; ++i) trip.add(40ms, start);
  const auto prompt = trip.timeout();
  trip.add_oldest(140ms);
  CHECK(trip.lateness() == 100ms);
  CHECK(trip.timeout() == prompt + 100ms);
  for (int i = 0; i < 20; ++i) trip.add_oldest(40ms);
  CHECK(trip.lateness() > 50ms);
  for (int i = 0; i < 400; ++i) trip.add_oldest(40ms);
  CHECK(trip.lateness() < 1ms);
}

TEST_CASE("round trip: nobody is later than half a second", "[soe][round_trip]") {
  RoundTrip trip = own_ends();
  trip.add(40ms, start);
  trip.add_oldest(30s);
  CHECK(trip.lateness() == 500ms);
}

TEST_CASE("round trip: what is impossible is clamped", "[soe][round_trip]") {
  RoundTrip trip = own_ends();
  trip.add(-5ms, start);
  CHECK(trip.smoothed() == 0ms);
  CHECK(trip.timeout() == 25ms);
  trip.add(24h, start);
  CHECK(trip.latest() == 60s);
  CHECK(trip.timeout() == 2s);
}
