// SPDX-License-Identifier: MIT
#include <muster/duration_histogram.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <cstddef>

using namespace muster;
using namespace std::chrono_literals;

TEST_CASE("duration histogram: bounds go from 10 us to 10 s in steps of 2.5, 5 and 10", "[core]") {
  constexpr auto& bounds = DurationHistogram::bounds;
  CHECK(bounds.front() == 10us);
  CHECK(bounds[1] == 25us);
  CHECK(bounds[2] == 50us);
  CHECK(bounds[3] == 100us);
  CHECK(bounds[9] == 10ms);
  CHECK(bounds[16] == 2500ms);
  CHECK(bounds.back() == 10s);
  for (std::size_t i = 1; i < bounds.size(); ++i) CHECK(bounds[i - 1] < bounds[i]);
}

TEST_CASE("duration histogram: a duration counts at the first bound that it is not above",
          "[core]") {
  DurationHistogram histogram;
  CHECK(histogram.count() == 0);
  histogram.add(0ns);
  histogram.add(-5s);  // clocks that disagree
  histogram.add(10us);
  histogram.add(10us + 1ns);
  histogram.add(10s);
  histogram.add(10s + 1ns);
  histogram.add(24h);
  CHECK(histogram.counts()[0] == 3);
  CHECK(histogram.counts()[1] == 1);
  CHECK(histogram.counts()[DurationHistogram::bound_count - 1] == 1);
  CHECK(histogram.counts()[DurationHistogram::bound_count] == 2);
  CHECK(histogram.count() == 7);
  CHECK(histogram.sum() == 24h + 20s + 20us + 2ns);
}

TEST_CASE("duration histogram: two are added", "[core]") {
  DurationHistogram one;
  DurationHistogram two;
  one.add(1ms);
  two.add(1ms);
  two.add(2s);
  one += two;
  CHECK(one.count() == 3);
  CHECK(one.sum() == 2002ms);
  CHECK(one.counts()[6] == 2);
  CHECK(two.count() == 2);
}
