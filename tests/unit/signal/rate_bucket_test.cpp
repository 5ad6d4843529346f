// SPDX-License-Identifier: MIT
#include "../lib/signal/rate_bucket.hpp"

#include "support/catch.hpp"

#include <chrono>
#include <cstdint>

using muster::signal::RateBucket;
using namespace std::chrono_literals;

namespace {

// How many are let through at once.
int burst(RateBucket& bucket, std::uint64_t limit, muster::time_point now) {
  int taken = 0;
  while (taken < 1000 && bucket.take(1, limit, 60s, now)) ++taken;
  return taken;
}

}  // namespace

TEST_CASE("signal rate: a bucket starts full, and fills evenly", "[signal][rate]") {
  RateBucket bucket;
  muster::time_point now{};
  CHECK(bucket.is_full(now));
  CHECK(burst(bucket, 20, now) == 20);
  CHECK_FALSE(bucket.is_full(now));
  CHECK(burst(bucket, 20, now + 2999ms) == 0);
  CHECK(burst(bucket, 20, now + 3s) == 1);
  CHECK(burst(bucket, 20, now + 33s) == 10);
  CHECK(bucket.is_full(now + 93s));
  CHECK(burst(bucket, 20, now + 1h) == 20);
}

TEST_CASE("signal rate: no window lets twice as many through", "[signal][rate]") {
  RateBucket bucket;
  const muster::time_point start{};
  int taken = 0;
  for (muster::time_point now = start + 30s; now < start + 90s; now += 100ms) {
    taken += burst(bucket, 20, now);
  }
  CHECK(taken < 40);
  CHECK(taken >= 39);
}

TEST_CASE("signal rate: no limit is no limit", "[signal][rate]") {
  RateBucket bucket;
  CHECK(burst(bucket, 0, {}) == 1000);
  CHECK(bucket.is_full({}));
}

TEST_CASE("signal rate: an amount is taken whole, or not at all", "[signal][rate]") {
  RateBucket bucket;
  const muster::time_point now{};
  CHECK(bucket.take(900, 1000, 60s, now));
  CHECK_FALSE(bucket.take(101, 1000, 60s, now));
  CHECK(bucket.take(100, 1000, 60s, now));
  CHECK_FALSE(bucket.take(1, 1000, 60s, now));
}

TEST_CASE("signal rate: more than a whole bucket takes a whole one", "[signal][rate]") {
  RateBucket bucket;
  const muster::time_point now{};
  CHECK(bucket.take(5000, 1000, 60s, now));
  CHECK_FALSE(bucket.take(1, 1000, 60s, now + 1ms));
  CHECK(bucket.take(5000, 1000, 60s, now + 60s));
}
