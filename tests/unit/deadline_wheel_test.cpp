// SPDX-License-Identifier: MIT
// The wheel against a list of deadlines that is searched from end to end.
#include <muster/deadline_wheel.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <random>
#include <vector>

using muster::DeadlineNode;
using muster::duration;
using muster::no_deadline;
using muster::time_point;
using namespace std::chrono_literals;

namespace {

struct Nodes {
  DeadlineNode& operator()(std::uint32_t index) const { return (*all)[index]; }
  std::vector<DeadlineNode>* all;
};
using Wheel = muster::DeadlineWheel<Nodes>;

constexpr time_point start = time_point{} + 1h;

struct Fixture {
  explicit Fixture(std::size_t count = 64, time_point at = start)
      : nodes(count), wheel(at, Nodes{&nodes}), now(at) {}

  // Moves time and returns who was due, in order.
  std::vector<std::uint32_t> advance(duration span) {
    now += span;
    std::vector<std::uint32_t> due;
    wheel.advance(now, [&](std::uint32_t index) { due.push_back(index); });
    return due;
  }

  std::vector<DeadlineNode> nodes;
  Wheel wheel;
  time_point now;
};

using Due = std::vector<std::uint32_t>;

}  // namespace

TEST_CASE("deadline wheel: nothing set, nothing due", "[wheel]") {
  Fixture f;
  CHECK(f.wheel.size() == 0);
  CHECK(f.wheel.next_deadline() == no_deadline);
  CHECK(f.advance(1000h).empty());
  f.wheel.clear(3);
  CHECK(f.wheel.size() == 0);
}

TEST_CASE("deadline wheel: a deadline is never early and at most one granularity late", "[wheel]") {
  for (const duration span : {duration{0}, duration{1}, duration{1ms}, duration{16ms} - duration{1},
                              duration{16ms}, duration{16ms} + duration{1}, duration{5s},
                              duration{16384ms}, duration{16400ms}, duration{1h}, duration{400h}}) {
    Fixture f;
    f.wheel.set(5, start + span);
    time_point fired = no_deadline;
    while (f.wheel.size() != 0) {
      const time_point next = f.wheel.next_deadline();
      REQUIRE(next > f.now);
      if (!f.advance(next - f.now).empty()) fired = f.now;
    }
    INFO(span.count());
    CHECK(fired >= start + span);
    CHECK(fired <= start + span + Wheel::granularity);
  }
}

TEST_CASE("deadline wheel: a deadline in the past is due with the next tick", "[wheel]") {
  Fixture f;
  CHECK(f.advance(1h).empty());
  f.wheel.set(1, start - 5h);
  f.wheel.set(2, f.now);
  CHECK(f.wheel.next_deadline() <= f.now + Wheel::granularity);
  CHECK(f.advance(Wheel::granularity) == Due{1, 2});
}

TEST_CASE("deadline wheel: setting again replaces, clearing takes away", "[wheel]") {
  Fixture f;
  f.wheel.set(1, start + 1s);
  f.wheel.set(1, start + 2s);
  f.wheel.set(2, start + 1s);
  f.wheel.clear(2);
  f.wheel.clear(2);
  CHECK(f.wheel.size() == 1);
  CHECK(f.advance(1900ms).empty());
  CHECK(f.advance(200ms) == Due{1});
  CHECK(f.wheel.size() == 0);
  CHECK(f.wheel.next_deadline() == no_deadline);
}

TEST_CASE("deadline wheel: never is further than the horizon", "[wheel]") {
  Fixture f;
  f.wheel.set(1, no_deadline);
  f.wheel.set(2, start + 300 * 24h);
  f.wheel.set(3, start + 795 * 24h + 1s);  // 2^32 ticks and a little
  CHECK(f.advance(1s).empty());
  CHECK(f.advance(299 * 24h).empty());
  CHECK(f.advance(24h) == Due{2});
  CHECK(f.advance(Wheel::horizon - 300 * 24h - 2s).empty());
  CHECK(f.advance(2s + Wheel::granularity).size() == 2);
}

TEST_CASE("deadline wheel: it goes on when its ticks no longer fit into 32 bits", "[wheel]") {
  Fixture f;
  for (int day = 0; day < 2000; day += 100) {
    INFO("day " << day);
    CHECK(f.advance(100 * 24h).empty());
    const std::uint32_t tick = f.wheel.tick_of(f.now);
    CHECK(f.wheel.time_of(tick) <= f.now);
    CHECK(f.wheel.time_of(tick) > f.now - Wheel::granularity);
    f.wheel.set(1, f.now + 10s);
    f.wheel.set(2, f.now + 30s);
    CHECK(f.wheel.next_deadline() > f.now);
    CHECK(f.advance(9900ms).empty());
    CHECK(f.advance(200ms) == Due{1});
    CHECK(f.advance(19s).empty());  // more than one turn of the wheel
    CHECK(f.advance(1min) == Due{2});
  }
}

TEST_CASE("deadline wheel: it works for the whole range of the clock", "[wheel]") {
  for (const time_point at : {time_point{} - 1000h, time_point{}, time_point::max() - 1000h}) {
    Fixture f{8, at};
    f.wheel.set(1, no_deadline);
    f.wheel.set(2, at + 1s);
    f.wheel.set(3, time_point::min());
    CHECK(f.advance(16ms) == Due{3});
    CHECK(f.advance(1s) == Due{2});
    CHECK(f.advance(100h).empty());
    CHECK(f.wheel.size() == 1);
  }
}

TEST_CASE("deadline wheel: what a callback sets waits for a later advance", "[wheel]") {
  Fixture f;
  f.wheel.set(1, start + 1s);
  f.now = start + 60s;  // a long pause: thousands of ticks at once
  int calls = 0;
  f.wheel.advance(f.now, [&](std::uint32_t index) {
    ++calls;
    f.wheel.set(index, f.now - 30s);
  });
  CHECK(calls == 1);
  CHECK(f.wheel.size() == 1);
  CHECK(f.advance(Wheel::granularity) == Due{1});
}

TEST_CASE("deadline wheel: a callback may clear who is due in the same moment", "[wheel]") {
  Fixture f;
  for (std::uint32_t i = 0; i < 5; ++i) f.wheel.set(i, start + 1s);
  std::vector<std::uint32_t> due;
  f.wheel.advance(start + 2s, [&](std::uint32_t index) {
    due.push_back(index);
    f.wheel.clear(0);
    f.wheel.clear(1);
    f.wheel.clear(3);
    if (index == 2) f.wheel.set(4, start + 10s);
  });
  CHECK(due == Due{0, 2});
  CHECK(f.wheel.size() == 1);
}

TEST_CASE("deadline wheel: time that runs backwards changes nothing", "[wheel]") {
  Fixture f;
  CHECK(f.advance(10s).empty());
  f.wheel.set(1, f.now + 1s);
  CHECK(f.advance(-5s).empty());
  CHECK(f.advance(5s).empty());
  CHECK(f.advance(1100ms) == Due{1});
}

TEST_CASE("deadline wheel: for_each visits every node once and may clear it", "[wheel]") {
  Fixture f;
  for (std::uint32_t i = 0; i < 40; ++i) f.wheel.set(i, start + i * 900ms);
  std::vector<std::uint32_t> seen;
  f.wheel.for_each([&](std::uint32_t index) {
    seen.push_back(index);
    if (index % 2 == 0) f.wheel.clear(index);
  });
  std::sort(seen.begin(), seen.end());
  CHECK(seen.size() == 40);
  CHECK(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
  CHECK(f.wheel.size() == 20);
}

TEST_CASE("deadline wheel: random actions agree with a plain list", "[wheel][random]") {
  constexpr std::uint32_t count = 40;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    INFO("seed " << seed);
    std::mt19937_64 random{seed};
    const auto below = [&](std::uint64_t n) { return random() % n; };
    const auto some_span = [&]() -> duration {
      switch (below(6)) {
        case 0:
          return duration{static_cast<duration::rep>(below(1000))};
        case 1:
          return std::chrono::microseconds{below(40'000)};
        case 2:
          return std::chrono::milliseconds{below(1000)};
        case 3:
          return std::chrono::milliseconds{below(40'000)};
        case 4:
          return std::chrono::seconds{below(7200)};
        default:
          return -std::chrono::milliseconds{below(100)};
      }
    };
    Fixture f{count};
    std::map<std::uint32_t, time_point> model;  // index to deadline
    bool good = true;
    const auto change = [&] {
      const auto index = static_cast<std::uint32_t>(below(count));
      if (below(4) == 0) {
        f.wheel.clear(index);
        model.erase(index);
      } else {
        const time_point deadline = below(20) == 0 ? no_deadline : f.now + some_span();
        f.wheel.set(index, deadline);
        // Nothing is due in the past: a deadline counts from when it was set.
        model[index] = std::max(deadline, f.now);
      }
    };
    for (int step = 0; step < 300 && good; ++step) {
      for (std::uint64_t i = below(4); i != 0; --i) change();
      // Sometimes to the moment that the wheel asks for, sometimes anywhere, sometimes after a
      // pause.
      const time_point next = f.wheel.next_deadline();
      if (below(2) == 0 && next != no_deadline && next - f.now < 100h) {
        f.now = std::max(f.now, next);
      } else {
        f.now += std::max(some_span(), duration{0});
      }
      f.wheel.advance(f.now, [&](std::uint32_t index) {
        const auto found = model.find(index);
        good = good && found != model.end() && found->second <= f.now;
        model.erase(index);
        if (below(3) == 0) change();
      });
      for (const auto& [index, deadline] : model) {
        good = good && (deadline == no_deadline || deadline > f.now - Wheel::granularity);
      }
      time_point first = no_deadline;
      for (const auto& [index, deadline] : model) first = std::min(first, deadline);
      good = good && f.wheel.size() == model.size();
      good = good && (model.empty() ? f.wheel.next_deadline() == no_deadline
                                    : f.wheel.next_deadline() > f.now - Wheel::granularity);
      good =
          good && (first == no_deadline || f.wheel.next_deadline() <= first + Wheel::granularity);
    }
    REQUIRE(good);
  }
}
