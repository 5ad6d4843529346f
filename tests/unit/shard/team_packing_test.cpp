// SPDX-License-Identifier: MIT
#include "../lib/shard/team_packing.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <set>
#include <utility>
#include <vector>

using muster::shard::TeamPacking;

namespace {

using Sizes = std::vector<std::uint16_t>;

// Whether some of the sizes, with the first, fill the teams: by trying everything.
bool can_fill(Sizes& room, const Sizes& sizes, std::size_t at) {
  if (std::all_of(room.begin(), room.end(), [](auto left) { return left == 0; })) return true;
  if (at == sizes.size()) return false;
  if (at > 0 && can_fill(room, sizes, at + 1)) return true;
  for (auto& left : room) {
    if (left < sizes[at]) continue;
    left = static_cast<std::uint16_t>(left - sizes[at]);
    const bool filled = can_fill(room, sizes, at + 1);
    left = static_cast<std::uint16_t>(left + sizes[at]);
    if (filled) return true;
  }
  return false;
}

// How many are offered until the teams are full; 0: they never are.
std::size_t offer_all(TeamPacking& packing, const Sizes& sizes) {
  bool is_full = packing.begin(sizes[0]);
  std::size_t offered = 1;
  while (!is_full && offered < sizes.size()) is_full = packing.offer(sizes[offered++]);
  return is_full ? offered : 0;
}

}  // namespace

TEST_CASE("team packing: the ways to fill teams are counted", "[shard]") {
  CHECK(TeamPacking::count_states(1, 2) == 3);
  CHECK(TeamPacking::count_states(2, 1) == 3);
  CHECK(TeamPacking::count_states(2, 3) == 10);
  CHECK(TeamPacking::count_states(5, 5) == 252);
  CHECK(TeamPacking::count_states(50, 2) == 1326);
  CHECK(TeamPacking::count_states(20, 3) == 1771);
  CHECK(TeamPacking::count_states(2, 62) == 2016);
  CHECK(TeamPacking::count_states(5, 8) == 1287);
  CHECK(TeamPacking::count_states(2, 63) > TeamPacking::max_states);
  CHECK(TeamPacking::count_states(1, 2047) == 2048);
  CHECK(TeamPacking::count_states(1, 2048) > TeamPacking::max_states);
  CHECK(TeamPacking::count_states(65535, 65535) > TeamPacking::max_states);
}

TEST_CASE("team packing: teams are full as soon as they can be, with the first party in them",
          "[shard]") {
  const auto [teams, team_size] = GENERATE(
      std::pair<std::uint16_t, std::uint16_t>{1, 5}, std::pair<std::uint16_t, std::uint16_t>{5, 1},
      std::pair<std::uint16_t, std::uint16_t>{2, 3}, std::pair<std::uint16_t, std::uint16_t>{2, 5},
      std::pair<std::uint16_t, std::uint16_t>{3, 3}, std::pair<std::uint16_t, std::uint16_t>{3, 4});
  TeamPacking packing{teams, team_size};
  std::mt19937 random{teams * 100U + team_size};
  std::vector<TeamPacking::Choice> chosen;
  int filled = 0;
  for (int round = 0; round < 300; ++round) {
    Sizes sizes(1 + random() % 9);
    for (auto& size : sizes) size = static_cast<std::uint16_t>(1 + random() % team_size);
    const std::size_t offered = offer_all(packing, sizes);
    Sizes room(teams, team_size);
    if (offered == 0) {
      REQUIRE_FALSE(can_fill(room, sizes, 0));
      continue;
    }
    ++filled;
    const auto count = static_cast<std::ptrdiff_t>(offered);
    REQUIRE(can_fill(room, Sizes(sizes.begin(), sizes.begin() + count), 0));
    REQUIRE_FALSE(can_fill(room, Sizes(sizes.begin(), sizes.begin() + count - 1), 0));
    packing.choose(chosen);
    REQUIRE(chosen.front().offered == 0);
    Sizes fills(teams, 0);
    std::set<std::uint32_t> once;
    for (const auto& choice : chosen) {
      REQUIRE(once.insert(choice.offered).second);
      fills.at(choice.team) =
          static_cast<std::uint16_t>(fills[choice.team] + sizes.at(choice.offered));
    }
    REQUIRE(fills == Sizes(teams, team_size));
  }
  CHECK(filled > 20);
}

TEST_CASE("team packing: a party that spoils a greedy choice is left out", "[shard]") {
  // Five that are alone leave room for one, and there are only pairs then: one of them stays out.
  TeamPacking packing{2, 3};
  CHECK(offer_all(packing, {1, 1, 1, 1, 1, 2}) == 6);
  // First fit puts the pairs of 2 together and finds no room for the last.
  TeamPacking dozen{2, 12};
  CHECK(offer_all(dozen, {6, 5, 4, 4, 3, 2}) == 6);
}
