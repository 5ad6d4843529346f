// SPDX-License-Identifier: MIT
// What runs in each tick takes nothing from the heap once everything has its size.
#include <muster/entropy.hpp>
#include <muster/shard/input_jitter_buffer.hpp>
#include <muster/shard/interest.hpp>
#include <muster/shard/priority_accumulator.hpp>
#include <muster/shard/snapshot_ring.hpp>
#include <muster/shard/spatial_grid.hpp>

#include "support/catch.hpp"
#include "support/heap_count.hpp"

#include <chrono>
#include <cstdint>

#if MUSTER_TEST_COUNTS_ALLOCATIONS

using namespace muster;
using namespace muster::shard;
using namespace std::chrono_literals;

TEST_CASE("shard helpers: a tick allocates nothing once it is warm", "[shard][memory]") {
  constexpr std::uint32_t count = 500;
  SeededEntropy entropy{1};
  const auto anywhere = [&] {
    return Vector2{static_cast<float>(entropy.next_u64() % 200),
                   static_cast<float>(entropy.next_u64() % 200)};
  };
  SpatialGrid grid{10, count};
  Interest interest{count};
  PriorityAccumulator accumulator{count};
  SnapshotRing<Vector2> ring{20, count};
  InputJitterBuffer<int> inputs{1};
  for (std::uint32_t id = 0; id < count; ++id) grid.insert(id, {100, 100});

  time_point now{1h};
  std::size_t changes = 0;
  std::size_t bytes = 0;
  std::size_t applied = 0;
  std::size_t rewound = 0;
  const auto tick = [&](std::uint64_t number) {
    now += 50ms;
    for (int i = 0; i < 5; ++i) static_cast<void>(inputs.push(number + 3, i));
    inputs.take(number, [&](int) { ++applied; });
    ring.begin(number);
    for (std::uint32_t id = 0; id < count; ++id) {
      if (number > 1) grid.move(id, anywhere());
      ring.record(id, grid.position(id));
    }
    interest.look(grid, {100, 100}, {40, 50});
    interest.update([&](std::uint32_t id, Interest::Change change) {
      if (change == Interest::Change::entered) accumulator.add(id, 1, now);
      if (change == Interest::Change::left) accumulator.remove(id);
      ++changes;
    });
    bytes += accumulator.fill(
        now, {.bytes_per_second = 10000}, [](std::uint32_t) { return std::size_t{20}; },
        [&](std::uint32_t id) { rewound += ring.at(number, id).has_value() ? 1U : 0U; });
  };
  for (std::uint64_t number = 1; number <= 100; ++number) tick(number);  // the first sees everybody
  changes = bytes = applied = rewound = 0;
  const int before = test::allocations;
  for (std::uint64_t number = 101; number <= 600; ++number) tick(number);
  const int after = test::allocations;
  CHECK(after - before == 0);
  CHECK(changes > 10000);
  CHECK(bytes > 100000);
  CHECK(rewound > 5000);
  CHECK(applied == 2500);
}

#endif
