// SPDX-License-Identifier: MIT
// How much passes a rate limit, and when.
#include <muster/rate_limit.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <cstdint>
#include <ratio>

using muster::duration;
using muster::is_valid;
using muster::RateLimit;
using muster::RateMeter;
using muster::time_point;
using namespace std::chrono_literals;

static_assert(sizeof(RateMeter) <= 16);

namespace {

using years = std::chrono::duration<std::int64_t, std::ratio<31'556'952>>;

struct Peer {
  RateLimit limit;
  time_point now{};
  RateMeter meter{};

  bool send(std::size_t size = 0) { return meter.take(size, now, limit); }
  int send_all(std::size_t size = 0) {
    int count = 0;
    while (count < 100'000 && send(size)) ++count;
    return count;
  }
};

}  // namespace

TEST_CASE("rate limit: a burst, then the rate", "[rate_limit]") {
  for (const std::uint32_t rate : {1U, 3U, 7U, 200U, 999U, 10'000U}) {
    Peer peer{.limit = {.messages_per_second = rate}};
    CHECK(peer.send_all() == int(2 * rate));
    peer.now += 1s;
    CHECK(peer.send_all() == int(rate));
    peer.now += 2s;
    CHECK(peer.send_all() == int(2 * rate));
    peer.now += 1h;
    CHECK(peer.send_all() == int(2 * rate));
  }
  Peer peer{.limit = {.messages_per_second = 10, .burst = 500ms}};
  CHECK(peer.send_all() == 5);
}

TEST_CASE("rate limit: what is refused costs nothing", "[rate_limit]") {
  Peer peer{.limit = {.messages_per_second = 10, .bytes_per_second = 1000}};
  CHECK(peer.send_all() == 20);
  for (int i = 0; i < 1000; ++i) CHECK_FALSE(peer.send());
  peer.now += 100ms;
  CHECK(peer.send_all() == 1);
  // Refused for its bytes, it is not counted as a message either.
  peer.now += 1h;
  CHECK(peer.send(2000));
  for (int i = 0; i < 1000; ++i) CHECK_FALSE(peer.send(1));
  CHECK(peer.send_all(0) == 19);
}

TEST_CASE("rate limit: bytes", "[rate_limit]") {
  Peer peer{.limit = {.bytes_per_second = 256 * 1024}};
  CHECK(peer.send_all(1024) == 512);
  CHECK(peer.send(0));
  CHECK_FALSE(peer.send(1));
  peer.now += 250ms;
  CHECK(peer.send_all(1024) == 64);
}

TEST_CASE("rate limit: over a day, exactly the rate", "[rate_limit]") {
  // A peer that always tries: every 7 ms, against a rate that 1 s is no multiple of.
  Peer peer{.limit = {.messages_per_second = 3, .bytes_per_second = 700}};
  std::int64_t messages = 0;
  constexpr auto tries = std::chrono::hours{24} / 7ms;
  for (std::int64_t i = 0; i < tries; ++i, peer.now += 7ms) messages += peer.send(100) ? 1 : 0;
  CHECK(messages >= 3 * 86'400);
  CHECK(messages <= 3 * 86'400 + 6);
}

TEST_CASE("rate limit: 0 is off, for each alone and for both", "[rate_limit]") {
  CHECK(Peer{}.send_all(1 << 30) == 100'000);
  CHECK(Peer{.limit = {.messages_per_second = 5}}.send_all(1 << 30) == 10);
  CHECK(Peer{.limit = {.bytes_per_second = 5}}.send_all(1) == 10);
  CHECK(Peer{.limit = {.bytes_per_second = 5}}.send_all(0) == 100'000);
}

TEST_CASE("rate limit: time that stands still, and years of silence", "[rate_limit]") {
  Peer peer{.limit = {.messages_per_second = 2}};
  CHECK(peer.send_all() == 4);
  for (int i = 0; i < 10'000; ++i) CHECK_FALSE(peer.send());
  peer.now += years{200};
  CHECK(peer.send_all() == 4);
  for (const time_point start : {time_point::min(), time_point{-1ns}, time_point::max() - 1h}) {
    Peer other{.limit = {.messages_per_second = 2, .bytes_per_second = 100}, .now = start};
    CHECK(other.send_all(10) == 4);
    other.now += 500ms;
    CHECK(other.send_all(10) == 1);
  }
  Peer last{.limit = {.messages_per_second = 2}, .now = time_point::max()};
  CHECK(last.send());  // and whatever follows is beyond any clock
}

TEST_CASE("rate limit: a huge message passes a full bucket and is paid for", "[rate_limit]") {
  Peer peer{.limit = {.bytes_per_second = 1000}};
  CHECK(peer.send(1));
  CHECK_FALSE(peer.send(10'000));
  peer.now += 1ms;
  CHECK(peer.send(10'000));
  CHECK_FALSE(peer.send(1));
  peer.now += 8s;
  CHECK_FALSE(peer.send(1));
  peer.now += 1s;
  CHECK(peer.send_all(1) == 1000);
}

TEST_CASE("rate limit: nothing overflows", "[rate_limit]") {
  for (const std::uint32_t rate : {1U, 1000U, 0xffffffffU}) {
    for (const std::size_t size : {SIZE_MAX, SIZE_MAX / 2, std::size_t{1} << 62U}) {
      for (const time_point start : {time_point::min(), time_point{}, time_point::max()}) {
        Peer peer{.limit = {.bytes_per_second = rate}, .now = start};
        CHECK(peer.send(size));
        if (start == time_point::max()) continue;
        CHECK_FALSE(peer.send(size));
        if (start == time_point{}) {
          // 2^62 bytes at 4 GiB/s are 34 years.
          peer.now += years{30};
          CHECK_FALSE(peer.send(1'000'000'000'000));
        }
      }
    }
  }
}

TEST_CASE("rate limit: the limit may change while it is in use", "[rate_limit]") {
  Peer peer{.limit = {.messages_per_second = 1}};
  CHECK(peer.send_all() == 2);
  peer.limit.messages_per_second = 0;
  CHECK(peer.send());
  peer.limit.messages_per_second = 100;
  CHECK_FALSE(peer.send());
  peer.now += 1s;
  CHECK(peer.send_all() == 100);
}

TEST_CASE("rate limit: ranges of the configuration", "[rate_limit]") {
  CHECK(is_valid(RateLimit{}));
  CHECK(is_valid({.messages_per_second = 1'000'000, .bytes_per_second = 0xffffffff}));
  CHECK_FALSE(is_valid({.messages_per_second = 1'000'001}));
  CHECK_FALSE(is_valid({.burst = 0s}));
  CHECK_FALSE(is_valid({.burst = 1h + 1ns}));
}
