// SPDX-License-Identifier: MIT
#include <muster/entropy.hpp>
#include <muster/shard/interest.hpp>

#include "support/catch.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

using namespace muster;
using namespace muster::shard;

namespace {

// "+3 =5 -7": what an update said, in its order.
std::string update(Interest& interest) {
  std::string changes;
  interest.update([&](std::uint32_t id, Interest::Change change) {
    if (!changes.empty()) changes += ' ';
    changes += change == Interest::Change::entered ? '+'
               : change == Interest::Change::left  ? '-'
                                                   : '=';
    changes += std::to_string(id);
  });
  return changes;
}

std::string offer(Interest& interest, std::initializer_list<std::uint32_t> inside,
                  std::initializer_list<std::uint32_t> edge = {}) {
  for (const std::uint32_t id : inside) interest.offer(id, true);
  for (const std::uint32_t id : edge) interest.offer(id, false);
  return update(interest);
}

}  // namespace

TEST_CASE("interest: an update says what entered, stayed and left", "[shard]") {
  Interest interest{100};
  CHECK(update(interest).empty());
  CHECK(offer(interest, {7, 3}) == "+3 +7");
  CHECK(offer(interest, {3, 5, 7}) == "=3 +5 =7");
  CHECK(offer(interest, {9, 5}) == "-3 =5 -7 +9");
  CHECK(interest.sees(9));
  CHECK_FALSE(interest.sees(3));
  CHECK(std::vector<std::uint32_t>(interest.visible().begin(), interest.visible().end()) ==
        std::vector<std::uint32_t>{5, 9});
  CHECK(update(interest) == "-5 -9");
  CHECK(update(interest).empty());
}

TEST_CASE("interest: the edge keeps what is in sight, and lets nothing in", "[shard]") {
  Interest interest{100};
  CHECK(offer(interest, {1}, {2}) == "+1");
  CHECK(offer(interest, {}, {1, 2}) == "=1");
  CHECK(offer(interest, {2}, {1}) == "=1 +2");
  CHECK(offer(interest, {}, {2}) == "-1 =2");
  CHECK(offer(interest, {}, {1, 2}) == "=2");
}

TEST_CASE("interest: what two areas show is seen once", "[shard]") {
  Interest interest{100};
  CHECK(offer(interest, {4, 4, 4}, {4, 5}) == "+4");
  CHECK(offer(interest, {5, 4}, {5, 5, 4, 4}) == "=4 +5");
}

TEST_CASE("interest: who walks along the edge neither comes nor goes", "[shard]") {
  SpatialGrid grid{8, 2};
  grid.insert(0, {0, 0});
  grid.insert(1, {20, 0});
  Interest interest{2};
  const auto look = [&](float x) {
    grid.move(1, {x, 0});
    interest.look(grid, {0, 0}, {10, 12});
    return update(interest);
  };
  CHECK(look(20) == "+0");
  CHECK(look(11) == "=0");
  CHECK(look(10) == "=0 +1");
  for (int i = 0; i < 20; ++i) CHECK(look(i % 2 == 0 ? 9.9F : 11.9F) == "=0 =1");
  CHECK(look(12) == "=0 =1");
  CHECK(look(12.1F) == "=0 -1");
  CHECK(look(11) == "=0");
}

TEST_CASE("interest: an id that another entity has now enters again", "[shard]") {
  Interest interest{100};
  CHECK(offer(interest, {1, 2, 3}) == "+1 +2 +3");
  interest.forget(2);
  interest.forget(77);
  CHECK_FALSE(interest.sees(2));
  CHECK(offer(interest, {1, 2, 3}) == "=1 +2 =3");
  interest.forget(2);
  CHECK(offer(interest, {1}) == "=1 -3");
}

TEST_CASE("interest: offers beyond the bound are left out and counted", "[shard]") {
  Interest interest{3};
  CHECK(offer(interest, {1, 2, 3, 4, 5}) == "+1 +2 +3");
  CHECK(interest.left_out() == 2);
  CHECK(offer(interest, {4, 0xffffffff}) == "-1 -2 -3 +4 +4294967295");
  CHECK(update(interest) == "-4 -4294967295");
}

TEST_CASE("interest: random offers give what two sets give", "[shard]") {
  SeededEntropy entropy{17};
  Interest interest{1000};
  std::set<std::uint32_t> former;
  std::size_t changes = 0;
  for (int round = 0; round < 500; ++round) {
    std::set<std::uint32_t> now;
    for (std::uint64_t i = entropy.next_u64() % 60; i > 0; --i) {
      const auto id = static_cast<std::uint32_t>(entropy.next_u64() % 50);
      const bool is_inside = entropy.next_u64() % 2 == 0;
      interest.offer(id, is_inside);
      if (is_inside || former.contains(id)) now.insert(id);
    }
    std::set<std::uint32_t> seen = former;
    interest.update([&](std::uint32_t id, Interest::Change change) {
      const bool was = former.contains(id);
      const bool is = now.contains(id);
      REQUIRE((was || is));
      REQUIRE(change == (!was ? Interest::Change::entered
                         : is ? Interest::Change::stayed
                              : Interest::Change::left));
      if (is) seen.insert(id);
      if (!is) seen.erase(id);
      if (was != is) ++changes;
    });
    REQUIRE(seen == now);
    former = std::move(now);
  }
  CHECK(changes > 1000);
}
