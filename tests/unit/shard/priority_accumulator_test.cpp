// SPDX-License-Identifier: MIT
#include <muster/entropy.hpp>
#include <muster/shard/priority_accumulator.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <vector>

using namespace muster;
using namespace muster::shard;
using namespace std::chrono_literals;

namespace {

constexpr time_point start{100h};
using Ids = std::vector<std::uint32_t>;

// What one `fill` sends of entities that take `size` bytes each.
Ids fill(PriorityAccumulator& accumulator, time_point now, const RateLimit& budget,
         std::size_t size) {
  Ids ids;
  accumulator.fill(
      now, budget, [&](std::uint32_t) { return size; },
      [&](std::uint32_t id) { ids.push_back(id); });
  return ids;
}

constexpr RateLimit unlimited{};
constexpr RateLimit slow{.bytes_per_second = 1000, .burst = 100ms};  // 100 bytes at once

}  // namespace

TEST_CASE("priority accumulator: the most urgent go first, of equals the lower id", "[shard]") {
  PriorityAccumulator accumulator{10};
  accumulator.add(5, 1, start);
  accumulator.add(3, 1, start);
  accumulator.add(4, 10, start);
  CHECK(fill(accumulator, start, unlimited, 10) == Ids{3, 4, 5});
  CHECK(fill(accumulator, start + 1s, unlimited, 10) == Ids{4, 3, 5});
}

TEST_CASE("priority accumulator: urgency is priority times the time since it was sent", "[shard]") {
  PriorityAccumulator accumulator{10};
  const RateLimit one{.bytes_per_second = 80, .burst = 125ms};  // one of 10 bytes in 125 ms
  accumulator.add(1, 3, start);
  accumulator.add(2, 1, start);
  Ids sent;
  for (int i = 1; i <= 40; ++i) {
    const Ids now = fill(accumulator, start + i * 125ms, one, 10);
    REQUIRE(now.size() == 1);
    sent.push_back(now.front());
  }
  CHECK(std::count(sent.begin(), sent.end(), 1U) == 30);
  CHECK(std::count(sent.begin(), sent.end(), 2U) == 10);
}

TEST_CASE("priority accumulator: the budget is kept to, and what is left of it is kept",
          "[shard]") {
  PriorityAccumulator accumulator{10};
  for (std::uint32_t id = 0; id < 10; ++id) accumulator.add(id, 1, start);
  CHECK(fill(accumulator, start, slow, 30) == Ids{0, 1, 2});  // 90 of 100
  CHECK(fill(accumulator, start, slow, 30).empty());
  CHECK(fill(accumulator, start + 19ms, slow, 30).empty());
  CHECK(fill(accumulator, start + 20ms, slow, 30) == Ids{3});  // 10 + 20
  CHECK(fill(accumulator, start + 10s, slow, 30) == Ids{4, 5, 6});
}

TEST_CASE("priority accumulator: what is larger than the bucket is sent when it is full",
          "[shard]") {
  PriorityAccumulator accumulator{2};
  accumulator.add(0, 100, start);
  CHECK(fill(accumulator, start, slow, 500) == Ids{0});
  accumulator.add(1, 1, start);
  CHECK(fill(accumulator, start + 399ms, slow, 10).empty());  // 500 bytes are paid for
  CHECK(fill(accumulator, start + 410ms, slow, 10) == Ids{0});
}

TEST_CASE("priority accumulator: what has nothing to say costs nothing, and begins anew",
          "[shard]") {
  PriorityAccumulator accumulator{2};
  accumulator.add(0, 100, start);
  accumulator.add(1, 1, start);
  Ids sent;
  const auto tick = [&](time_point now, std::size_t size_of_0) {
    sent.clear();
    return accumulator.fill(
        now, slow, [&](std::uint32_t id) { return id == 0 ? size_of_0 : std::size_t{60}; },
        [&](std::uint32_t id) { sent.push_back(id); });
  };
  CHECK(tick(start + 1s, 0) == 60);
  CHECK(sent == Ids{1});
  CHECK(tick(start + 1s + 1ms, 40) == 40);  // 0 has gathered for 1 ms, and is still first
  CHECK(sent == Ids{0});
}

TEST_CASE("priority accumulator: a priority that is none is never sent", "[shard]") {
  PriorityAccumulator accumulator{4};
  accumulator.add(0, 0, start);
  accumulator.add(1, -1, start);
  accumulator.add(2, std::numeric_limits<float>::quiet_NaN(), start);
  accumulator.add(3, std::numeric_limits<float>::infinity(), start);
  CHECK(fill(accumulator, start + 1h, unlimited, 1) == Ids{3});
  accumulator.set_priority(0, 1, start + 1h);
  accumulator.set_priority(3, 0, start + 1h);
  accumulator.set_priority(99, 1, start + 1h);
  CHECK(fill(accumulator, start + 2h, unlimited, 1) == Ids{0});
}

TEST_CASE("priority accumulator: a new priority counts from then on", "[shard]") {
  PriorityAccumulator accumulator{2};
  accumulator.add(0, 10, start);
  accumulator.add(1, 1, start);
  accumulator.set_priority(0, 1, start + 1s);  // has gathered 10
  CHECK(accumulator.add(1, 6, start + 1s));    // has gathered 1, and is there already
  CHECK(accumulator.size() == 2);
  CHECK(fill(accumulator, start + 2s, slow, 100) == Ids{0});  // 11 against 7
}

TEST_CASE("priority accumulator: no more than its bound, and what was removed is gone", "[shard]") {
  PriorityAccumulator accumulator{2};
  CHECK(accumulator.add(8, 1, start));
  CHECK(accumulator.add(2, 1, start));
  CHECK_FALSE(accumulator.add(5, 1, start));
  accumulator.remove(8);
  accumulator.remove(8);
  CHECK_FALSE(accumulator.contains(8));
  CHECK(accumulator.add(5, 1, start));
  CHECK(fill(accumulator, start, unlimited, 1) == Ids{2, 5});
}

TEST_CASE("priority accumulator: who was never sent goes before its equals", "[shard]") {
  PriorityAccumulator accumulator{4};
  for (const std::uint32_t id : {0U, 1U, 3U}) accumulator.add(id, 1, start);
  CHECK(fill(accumulator, start, slow, 40) == Ids{0, 1});
  CHECK(fill(accumulator, start + 1s, slow, 40) == Ids{3, 0});
}

TEST_CASE("priority accumulator: nothing starves, and the whole budget is used", "[shard]") {
  const std::uint64_t seed = GENERATE(range<std::uint64_t>(1, 7));
  const std::size_t largest =
      GENERATE(std::size_t{200}, std::size_t{1500});  // the full bucket has 1000 bytes
  INFO("seed " << seed << ", up to " << largest << " bytes");
  SeededEntropy entropy{seed};
  constexpr std::uint32_t count = 60;
  constexpr duration interval = 50ms;
  const RateLimit budget{.bytes_per_second = 4000, .burst = 250ms};
  PriorityAccumulator accumulator{count};
  std::vector<float> priorities;
  std::vector<std::size_t> sizes;
  double round = 0;  // seconds that one of each takes
  for (std::uint32_t id = 0; id < count; ++id) {
    priorities.push_back(static_cast<float>(1 + entropy.next_u64() % 50));
    sizes.push_back(id % 20 == 0 ? largest : 10 + entropy.next_u64() % 190);
    round += static_cast<double>(sizes.back()) / budget.bytes_per_second;
    if (sizes.back() > 1000) round += 0.05;
    accumulator.add(id, priorities.back(), start);
  }
  const float highest = *std::max_element(priorities.begin(), priorities.end());
  std::vector<time_point> sent_at(count, start);
  std::vector<double> longest(count, 0);
  std::size_t bytes = 0;
  time_point now = start;
  for (; now < start + 30min; now += interval) {
    bytes += accumulator.fill(
        now, budget, [&](std::uint32_t id) { return sizes[id]; },
        [&](std::uint32_t id) {
          const std::chrono::duration<double> waited = now - sent_at[id];
          longest[id] = std::max(longest[id], waited.count());
          sent_at[id] = now;
        });
  }
  for (std::uint32_t id = 0; id < count; ++id) {
    INFO("entity " << id << " of priority " << priorities[id]);
    longest[id] = std::max(longest[id], std::chrono::duration<double>(now - sent_at[id]).count());
    CHECK(longest[id] <= round * highest / priorities[id] + 0.05);
    CHECK(longest[id] > 0.05);  // all do have to wait
  }
  const double given = 4000.0 * 30 * 60;
  CHECK(static_cast<double>(bytes) > (largest > 1000 ? 0.95 : 0.999) * given);
  CHECK(static_cast<double>(bytes) < 1.001 * given);
}
