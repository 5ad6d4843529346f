// SPDX-License-Identifier: MIT
#include <muster/entropy.hpp>
#include <muster/shard/spatial_grid.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <vector>

using namespace muster;
using namespace muster::shard;

namespace {

using Ids = std::vector<std::uint32_t>;

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

// Each query in the order of ids; that none comes twice is part of it.
Ids in_radius(const SpatialGrid& grid, const Vector2& center, float radius) {
  Ids ids;
  grid.for_each_in_radius(center, radius, [&](std::uint32_t id) { ids.push_back(id); });
  std::sort(ids.begin(), ids.end());
  return ids;
}
Ids in_box(const SpatialGrid& grid, const Vector2& min, const Vector2& max) {
  Ids ids;
  grid.for_each_in_box(min, max, [&](std::uint32_t id) { ids.push_back(id); });
  std::sort(ids.begin(), ids.end());
  return ids;
}
Ids around(const SpatialGrid& grid, const Vector2& center, std::int32_t radius) {
  Ids ids;
  grid.for_each_around(center, radius, [&](std::uint32_t id) { ids.push_back(id); });
  std::sort(ids.begin(), ids.end());
  return ids;
}

float random_in(Entropy& entropy, float low, float high) {
  return low + (high - low) * static_cast<float>(entropy.next_u64() >> 40U) / 16777216.0F;
}

}  // namespace

TEST_CASE("spatial grid: the boundary of a query belongs to it", "[shard]") {
  SpatialGrid grid{10, 8};
  grid.insert(0, {0, 0});
  grid.insert(1, {10, 0});
  grid.insert(2, {-10, 0});
  grid.insert(3, {10.01F, 0});
  CHECK(in_radius(grid, {0, 0}, 10) == Ids{0, 1, 2});
  CHECK(in_radius(grid, {0, 0}, 0) == Ids{0});
  CHECK(in_radius(grid, {0, 0}, -1).empty());
  CHECK(in_box(grid, {-10, 0}, {10, 0}) == Ids{0, 1, 2});
  CHECK(in_box(grid, {10, 0}, {-10, 0}).empty());
  CHECK(around(grid, {5, 5}, 0) == Ids{0});
  CHECK(around(grid, {5, 5}, 1) == Ids{0, 1, 2, 3});
}

TEST_CASE("spatial grid: a move says whether the cell is another", "[shard]") {
  SpatialGrid grid{10, 1};
  grid.insert(0, {1, 1});
  CHECK_FALSE(grid.move(0, {9.9F, 0}));
  CHECK(grid.position(0) == Vector2{9.9F, 0});
  CHECK(grid.move(0, {10, 0}));
  CHECK(grid.move(0, {10, -0.5F}));
  CHECK(in_radius(grid, {10, 0}, 1) == Ids{0});
  CHECK(in_radius(grid, {1, 1}, 1).empty());
}

TEST_CASE("spatial grid: what was erased is not found, and its id can come back", "[shard]") {
  SpatialGrid grid{1, 4};
  for (std::uint32_t id = 0; id < 4; ++id) grid.insert(id, {0.5F, 0.5F});
  CHECK(grid.size() == 4);
  grid.erase(3);
  grid.erase(1);
  CHECK(grid.size() == 2);
  CHECK_FALSE(grid.contains(1));
  CHECK_FALSE(grid.contains(4));
  CHECK(around(grid, {0, 0}, 0) == Ids{0, 2});
  CHECK(in_radius(grid, {0, 0}, 1000) == Ids{0, 2});
  grid.insert(1, {0, 0});
  CHECK(around(grid, {0, 0}, 0) == Ids{0, 1, 2});
  grid.erase(0);
  grid.erase(1);
  grid.erase(2);
  CHECK(grid.size() == 0);
  CHECK(in_radius(grid, {0, 0}, 1000).empty());
}

TEST_CASE("spatial grid: random moves and queries find what asking everybody finds", "[shard]") {
  const std::uint64_t seed = GENERATE(range<std::uint64_t>(1, 9));
  SeededEntropy entropy{seed};
  INFO("seed " << seed);
  const std::uint32_t most = seed % 2 == 0 ? 7 : 300;
  const float extent = seed % 3 == 0 ? 1e6F : 60.0F;
  SpatialGrid grid{random_in(entropy, 0.5F, 20), most};
  std::map<std::uint32_t, Vector2> all;
  std::size_t found = 0;
  for (int i = 0; i < 20000; ++i) {
    const auto id = static_cast<std::uint32_t>(entropy.next_u64() % most);
    const Vector2 at{random_in(entropy, -extent, extent), random_in(entropy, -extent, extent)};
    if (!all.contains(id)) {
      grid.insert(id, at);
      all[id] = at;
    } else if (entropy.next_u64() % 8 == 0) {
      grid.erase(id);
      all.erase(id);
    } else {
      grid.move(id, at);
      all[id] = at;
    }
    REQUIRE(grid.size() == all.size());
    if (i % 20 != 0) continue;

    const float radius = random_in(entropy, 0, i % 40 == 0 ? extent : 20);
    const double r = radius;
    const Vector2 max{at.x + radius, at.y + random_in(entropy, 0, 20)};
    const auto cells = static_cast<std::int32_t>(entropy.next_u64() % 4);
    const CellArea area{cell_of(at, grid.cell_size()), cells, grid.cell_size()};
    Ids near;
    Ids boxed;
    Ids close;
    for (const auto& [other, where] : all) {
      if (distance_squared(at, where) <= r * r) near.push_back(other);
      if (Box{{at.x, at.y, 0}, {max.x, max.y, 0}}.contains({where.x, where.y, 0})) {
        boxed.push_back(other);
      }
      if (area.contains(where)) close.push_back(other);
    }
    REQUIRE(in_radius(grid, at, radius) == near);
    REQUIRE(in_box(grid, at, max) == boxed);
    REQUIRE(around(grid, at, cells) == close);
    found += near.size() + boxed.size() + close.size();
  }
  CHECK(found > 1000);
}

TEST_CASE("spatial grid: a huge query costs no more than all there are", "[shard]") {
  SpatialGrid grid{1e-3F, 3};  // a cell by cell walk would never end
  grid.insert(0, {0, 0});
  grid.insert(2, {1e9F, -1e9F});
  CHECK(in_radius(grid, {0, 0}, 3e38F) == Ids{0, 2});
  CHECK(in_radius(grid, {0, 0}, infinity) == Ids{0, 2});
  CHECK(in_box(grid, {-infinity, -infinity}, {infinity, infinity}) == Ids{0, 2});
  CHECK(around(grid, {0, 0}, Cell::outermost) == Ids{0, 2});
}

TEST_CASE("spatial grid: what is no number is kept and not found", "[shard]") {
  SpatialGrid grid{1, 4};
  grid.insert(0, {not_a_number, not_a_number});
  grid.insert(1, {infinity, 0});
  grid.insert(2, {0, 0});
  CHECK(in_radius(grid, {0, 0}, 5) == Ids{2});
  CHECK(in_radius(grid, {not_a_number, 0}, 5).empty());
  CHECK(in_radius(grid, {0, 0}, not_a_number).empty());
  CHECK(in_radius(grid, {0, 0}, infinity).size() >= 1);
  CHECK(in_box(grid, {-9, -9}, {not_a_number, 9}).empty());
  CHECK(grid.move(0, {0, 0}));
  CHECK(grid.move(1, {0.5F, not_a_number}));
  CHECK(in_radius(grid, {0, 0}, 5) == Ids{0, 2});
  grid.erase(1);
  CHECK(grid.size() == 2);
}

TEST_CASE("spatial grid: the order of a query depends on the calls alone", "[shard]") {
  const auto order = [] {
    SpatialGrid grid{4, 100};
    SeededEntropy entropy{5};
    for (std::uint32_t id = 0; id < 100; ++id) {
      grid.insert(id, {random_in(entropy, 0, 20), random_in(entropy, 0, 20)});
    }
    for (std::uint32_t id = 0; id < 100; id += 3) grid.move(id, {random_in(entropy, 0, 20), 1});
    Ids ids;
    grid.for_each_in_radius({10, 10}, 9, [&](std::uint32_t id) { ids.push_back(id); });
    return ids;
  };
  const Ids first = order();
  CHECK(first.size() > 20);
  CHECK(first == order());
}
