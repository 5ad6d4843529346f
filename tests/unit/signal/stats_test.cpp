// SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <muster/signal/stats.hpp>

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>

using muster::signal::Stats;

TEST_CASE("signal stats: those of several loops are summed, counter by counter",
          "[signal][metrics]") {
  using Counters = std::array<std::uint64_t, sizeof(Stats) / sizeof(std::uint64_t)>;
  Counters ones;
  for (std::size_t i = 0; i < ones.size(); ++i) ones[i] = i;
  auto total = std::bit_cast<Stats>(ones);
  total.add(std::bit_cast<Stats>(ones));
  const auto sums = std::bit_cast<Counters>(total);
  for (std::size_t i = 0; i < sums.size(); ++i) REQUIRE(sums[i] == 2 * i);
}

TEST_CASE("signal stats: the histograms of several loops make one", "[signal][metrics]") {
  Stats here;
  Stats there;
  here.ping_rtt.record(std::chrono::milliseconds{1});
  there.ping_rtt.record(std::chrono::milliseconds{100});
  here.add(there);
  CHECK(here.ping_rtt.samples == 2);
  CHECK(here.ping_rtt.average() == Approx(50'500));
  CHECK(here.ping_rtt.percentile(0) == 960);
  CHECK(here.ping_rtt.percentile(1) == 98'304);
}

TEST_CASE("signal stats: totals are the sums of their parts", "[signal][metrics]") {
  Stats stats;
  stats.rate_limit = {1, 2, 4, 8, 16, 32};
  stats.errors = {64, 128, 256};
  CHECK(stats.rate_limit.rejections() == 63);
  CHECK(stats.errors.total() == 448);
}
