// SPDX-License-Identifier: MIT
#include <muster/entropy.hpp>
#include <muster/shard/input_jitter_buffer.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

using namespace muster;
using namespace muster::shard;

namespace {

using Buffer = InputJitterBuffer<int>;
using Inputs = std::vector<int>;

Inputs take(Buffer& buffer, std::uint64_t tick) {
  Inputs inputs;
  buffer.take(tick, [&](int input) { inputs.push_back(input); });
  return inputs;
}

int margin(result<std::int32_t> pushed) {
  REQUIRE(pushed.has_value());
  return *pushed;
}

}  // namespace

TEST_CASE("input jitter buffer: an input waits for its tick", "[shard]") {
  Buffer buffer{10};
  CHECK(margin(buffer.push(12, 1)) == 2);
  CHECK(margin(buffer.push(12, 2)) == 2);
  CHECK(margin(buffer.push(13, 3)) == 3);
  CHECK(buffer.size() == 3);
  CHECK_FALSE(buffer.margin().has_value());
  CHECK(take(buffer, 10).empty());
  CHECK(take(buffer, 11).empty());
  CHECK(take(buffer, 12) == Inputs{1, 2});
  CHECK(buffer.margin() == 2);
  CHECK(take(buffer, 13) == Inputs{3});
  CHECK(buffer.margin() == 3);
  CHECK(buffer.size() == 0);
}

TEST_CASE("input jitter buffer: a late input is for the next tick, and its margin says so",
          "[shard]") {
  Buffer buffer{10};
  CHECK(margin(buffer.push(10, 1)) == 0);
  CHECK(margin(buffer.push(7, 2)) == -3);
  CHECK(take(buffer, 10) == Inputs{1, 2});
  CHECK(buffer.margin() == -3);
  CHECK(buffer.stats() == Buffer::Stats{.accepted = 2, .late = 1});
}

TEST_CASE("input jitter buffer: an input that names no tick is for the next", "[shard]") {
  Buffer buffer{10};
  CHECK(margin(buffer.push(0, 1)) == 0);
  CHECK(take(buffer, 10) == Inputs{1});
  CHECK(buffer.margin() == 0);
  CHECK(buffer.stats().late == 0);
}

TEST_CASE("input jitter buffer: 64 ticks ahead are taken, 65 are refused", "[shard]") {
  Buffer buffer{10};
  CHECK(margin(buffer.push(74, 1)) == 64);
  CHECK(buffer.push(75, 2).error() == errc::bad_value);
  CHECK(buffer.push(std::numeric_limits<std::uint64_t>::max(), 3).error() == errc::bad_value);
  CHECK(buffer.stats() == Buffer::Stats{.accepted = 1, .too_early = 2});
  CHECK(buffer.size() == 1);
  CHECK(take(buffer, 74) == Inputs{1});
}

TEST_CASE("input jitter buffer: none overtakes one that came earlier", "[shard]") {
  Buffer buffer{10};
  CHECK(margin(buffer.push(13, 1)) == 3);
  CHECK(margin(buffer.push(11, 2)) == 1);  // that is what the client has to know
  CHECK(margin(buffer.push(0, 3)) == 0);
  CHECK(take(buffer, 10).empty());
  CHECK(take(buffer, 12).empty());
  CHECK(take(buffer, 13) == Inputs{1, 2, 3});
}

TEST_CASE("input jitter buffer: no more wait than its bound", "[shard]") {
  Buffer buffer{1, 3};
  for (int i = 0; i < 3; ++i) CHECK(buffer.push(5, i).has_value());
  CHECK(buffer.push(1, 3).error() == errc::over_budget);
  CHECK(buffer.stats() == Buffer::Stats{.accepted = 3, .overflowed = 1});
  CHECK(take(buffer, 5) == Inputs{0, 1, 2});
  CHECK(buffer.push(6, 4).has_value());
  CHECK(take(buffer, 6) == Inputs{4});
}

TEST_CASE("input jitter buffer: ticks that were left out are over", "[shard]") {
  Buffer buffer{10};
  CHECK(buffer.push(11, 1).has_value());
  CHECK(buffer.push(15, 2).has_value());
  CHECK(take(buffer, 14) == Inputs{1});
  CHECK(buffer.next_tick() == 15);
  CHECK(take(buffer, 15) == Inputs{2});
}

TEST_CASE("input jitter buffer: a margin that no number holds is the largest", "[shard]") {
  Buffer buffer{std::numeric_limits<std::uint64_t>::max() - 1};
  CHECK(margin(buffer.push(1, 1)) == -0x7fffffff);
  CHECK(margin(buffer.push(std::numeric_limits<std::uint64_t>::max(), 2)) == 1);
}

TEST_CASE("input jitter buffer: what is pushed while a tick is applied is for a later one",
          "[shard]") {
  InputJitterBuffer<std::unique_ptr<int>> buffer{1, 1000};
  for (int i = 0; i < 3; ++i) CHECK(buffer.push(1, std::make_unique<int>(i)).has_value());
  Inputs inputs;
  const auto apply = [&](const std::unique_ptr<int>& input) {
    inputs.push_back(*input);
    for (int i = 0; i < 20; ++i) CHECK(buffer.push(0, std::make_unique<int>(100)).has_value());
  };
  buffer.take(1, apply);
  CHECK(inputs == Inputs{0, 1, 2});
  CHECK(buffer.size() == 60);
}

TEST_CASE("input jitter buffer: over a network that jitters each takes effect once, in order",
          "[shard]") {
  const std::uint64_t seed = GENERATE(range<std::uint64_t>(1, 6));
  INFO("seed " << seed);
  SeededEntropy entropy{seed};
  constexpr int count = 2000;
  Buffer buffer{1, 64};
  Inputs applied;
  int sent = 0;
  int arrived = 0;
  std::size_t in_time = 0;
  for (std::uint64_t tick = 1; applied.size() < count; ++tick) {
    REQUIRE(tick < count + 200);
    if (sent < count) ++sent;  // input n is for tick n + 4, and is on its way for up to 6 ticks
    while (arrived < sent &&
           (tick >= static_cast<std::uint64_t>(arrived) + 6 || entropy.next_u64() % 4 != 0)) {
      const result<std::int32_t> pushed =
          buffer.push(static_cast<std::uint64_t>(arrived) + 4, arrived);
      REQUIRE(pushed.has_value());
      if (*pushed >= 0) ++in_time;
      ++arrived;
    }
    buffer.take(tick, [&](int input) {
      REQUIRE(tick >= static_cast<std::uint64_t>(input) + 4);
      applied.push_back(input);
    });
  }
  CHECK(std::is_sorted(applied.begin(), applied.end()));
  CHECK(applied.size() == count);
  CHECK(buffer.stats().late == count - in_time);
  CHECK(in_time > count / 2);
  CHECK(in_time < count);
}
