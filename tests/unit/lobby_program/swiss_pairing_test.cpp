// SPDX-License-Identifier: MIT
// The pairs of a Swiss round, against all pairings there are.
#include "swiss_pairing.hpp"

#include "seed.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <set>
#include <vector>

using namespace lobby_program;

namespace {

/// The fewest second meetings with which these can be paired, by trying all.
std::size_t fewest_rematches(std::vector<std::size_t> left, const Meetings& meetings) {
  if (left.empty()) return 0;
  const std::size_t first = left.front();
  std::size_t best = left.size();
  for (std::size_t i = 1; i < left.size(); ++i) {
    std::vector<std::size_t> rest;
    for (std::size_t j = 1; j < left.size(); ++j) {
      if (j != i) rest.push_back(left[j]);
    }
    const std::size_t own = meetings.has_met(first, left[i]) ? 1 : 0;
    best = std::min(best, own + fewest_rematches(std::move(rest), meetings));
  }
  return best;
}

std::vector<std::size_t> order_of(std::size_t size) {
  std::vector<std::size_t> order(size);
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

}  // namespace

TEST_CASE("swiss pairing: neighbours who have not met", "[lobby_program][swiss]") {
  Meetings meetings{6};
  const auto order = order_of(6);
  SwissRound round = pair_swiss_round(order, meetings);
  using Pairs = std::vector<std::array<std::size_t, 2>>;
  CHECK(round.pairs == Pairs{{0, 1}, {2, 3}, {4, 5}});
  CHECK_FALSE(round.bye);
  for (const auto& [a, b] : round.pairs) meetings.add(a, b);
  round = pair_swiss_round(order, meetings);
  CHECK(round.pairs == Pairs{{0, 2}, {1, 4}, {3, 5}});
}

TEST_CASE("swiss pairing: a pair is not taken if it leaves others only those they have met",
          "[lobby_program][swiss]") {
  // 2 and 3 have met, so 0 must not take 1.
  Meetings meetings{4};
  meetings.add(2, 3);
  const SwissRound round = pair_swiss_round(order_of(4), meetings);
  for (const auto& [a, b] : round.pairs) CHECK_FALSE(meetings.has_met(a, b));
}

TEST_CASE("swiss pairing: there are no more second meetings than there must be",
          "[lobby_program][swiss]") {
  SeedStream dice{derive({}, "meetings")};
  std::set<std::size_t> seen;
  for (int i = 0; i < 400; ++i) {
    CAPTURE(i);
    const std::size_t size = 2 + 2 * static_cast<std::size_t>(dice.below(5));
    Meetings meetings{size};
    const std::uint64_t density = 1 + dice.below(9);
    for (std::size_t a = 0; a < size; ++a) {
      for (std::size_t b = a + 1; b < size; ++b) {
        if (dice.below(10) < density) meetings.add(a, b);
      }
    }
    const SwissRound round = pair_swiss_round(order_of(size), meetings);
    REQUIRE(round.pairs.size() == size / 2);
    std::set<std::size_t> paired;
    std::size_t again = 0;
    for (const auto& [a, b] : round.pairs) {
      paired.insert(a);
      paired.insert(b);
      if (meetings.has_met(a, b)) ++again;
    }
    REQUIRE(paired.size() == size);
    REQUIRE(again == fewest_rematches(order_of(size), meetings));
    seen.insert(again);
  }
  CHECK(seen.size() > 2);
}

TEST_CASE("swiss pairing: the one way without a second meeting is found through odd circles",
          "[lobby_program][swiss]") {
  // Two triangles of those who have not met (1 2 3 and 5 6 7), with a tail each and joined by 2 and
  // 6. Taking neighbours first leaves 8 and 9 over, and a search that follows an odd circle in one
  // direction only does not get from one to the other, from either side.
  constexpr std::array<std::array<std::size_t, 2>, 11> open{
      {{0, 1}, {1, 2}, {1, 3}, {2, 3}, {4, 5}, {5, 6}, {5, 7}, {6, 7}, {2, 6}, {0, 8}, {4, 9}}};
  Meetings meetings{10};
  for (std::size_t a = 0; a < 10; ++a) {
    for (std::size_t b = a + 1; b < 10; ++b) {
      const std::array<std::size_t, 2> pair{a, b};
      if (std::find(open.begin(), open.end(), pair) == open.end()) meetings.add(a, b);
    }
  }
  const SwissRound round = pair_swiss_round(order_of(10), meetings);
  using Pairs = std::vector<std::array<std::size_t, 2>>;
  CHECK(round.pairs == Pairs{{0, 8}, {1, 3}, {2, 6}, {4, 9}, {5, 7}});
}

TEST_CASE("swiss pairing: of an odd number the last without a bye has none to play",
          "[lobby_program][swiss]") {
  Meetings meetings{5};
  CHECK(pair_swiss_round(order_of(5), meetings).bye == 4U);
  meetings.add_bye(4);
  CHECK(pair_swiss_round(order_of(5), meetings).bye == 3U);
  for (const std::size_t entrant : {0U, 1U, 2U, 3U}) meetings.add_bye(entrant);
  CHECK(pair_swiss_round(order_of(5), meetings).bye == 4U);
  meetings.add_bye(4);
  CHECK(pair_swiss_round(order_of(5), meetings).bye == 3U);
}

TEST_CASE("swiss pairing: another one has the bye if that spares a second meeting",
          "[lobby_program][swiss]") {
  Meetings meetings{3};
  meetings.add(0, 1);
  CHECK(pair_swiss_round(order_of(3), meetings).bye == 1U);
}

TEST_CASE("swiss pairing: 256 entrants who have met nearly all others are still paired",
          "[lobby_program][swiss]") {
  // All have met but the neighbours on a circle: two pairings are left.
  constexpr std::size_t size = 256;
  Meetings meetings{size};
  for (std::size_t a = 0; a < size; ++a) {
    for (std::size_t b = a + 1; b < size; ++b) {
      const std::size_t distance = b - a;
      if (distance != 1 && distance != size - 1) meetings.add(a, b);
    }
  }
  const SwissRound round = pair_swiss_round(order_of(size), meetings);
  REQUIRE(round.pairs.size() == size / 2);
  for (const auto& [a, b] : round.pairs) REQUIRE_FALSE(meetings.has_met(a, b));
}
