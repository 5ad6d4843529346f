// SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <muster/signal/latency_histogram.hpp>

#include <chrono>
#include <cstdint>

using muster::signal::LatencyHistogram;
using namespace std::chrono_literals;

TEST_CASE("latency histogram: every time lies in a bucket that is at most an eighth of it wide",
          "[signal][metrics]") {
  constexpr std::uint64_t ends[] = {100'000, 1'000'000, 1 << 24,
                                    LatencyHistogram::max_microseconds};
  std::uint64_t time = 0;
  for (const std::uint64_t end : ends) {
    for (; time < end; time += 1 + time / 1000) {
      const std::size_t bucket = LatencyHistogram::bucket_of(time);
      REQUIRE(bucket < LatencyHistogram::bucket_count);
      const std::uint64_t first = LatencyHistogram::first_of(bucket);
      REQUIRE(first <= time);
      REQUIRE((time - first) * 8 <= first);
    }
  }
  CHECK(LatencyHistogram::bucket_of(LatencyHistogram::max_microseconds) ==
        LatencyHistogram::bucket_count - 1);
}

TEST_CASE("latency histogram: percentiles are those of the samples, to an eighth",
          "[signal][metrics]") {
  LatencyHistogram histogram;
  CHECK(histogram.average() == 0);
  CHECK(histogram.percentile(0.5) == 0);

  for (int i = 1; i <= 1000; ++i) histogram.record(std::chrono::microseconds{i});
  CHECK(histogram.samples == 1000);
  CHECK(histogram.average() == Approx(500.5));
  CHECK(histogram.percentile(0) == 1);
  CHECK(histogram.percentile(0.5) == 480);
  CHECK(histogram.percentile(0.99) == 960);
  CHECK(histogram.percentile(1) == 960);
}

TEST_CASE("latency histogram: what is out of range counts as the nearest, and is told",
          "[signal][metrics]") {
  LatencyHistogram histogram;
  histogram.record(-1ns);
  histogram.record(24h);
  CHECK(histogram.samples == 2);
  CHECK(histogram.clamped == 2);
  CHECK(histogram.percentile(0) == 0);
  CHECK(histogram.buckets[LatencyHistogram::bucket_count - 1] == 1);
}
