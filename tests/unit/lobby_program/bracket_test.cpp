// SPDX-License-Identifier: MIT
// The tree of an elimination.
#include "bracket.hpp"

#include "support/catch.hpp"

#include <array>
#include <numeric>
#include <optional>
#include <set>
#include <vector>

using namespace lobby_program;

namespace {

std::vector<std::size_t> drawn(std::size_t count) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

/// The meetings that have come about, and whom each is for.
std::vector<Bracket::Meeting> meetings_of(Bracket& bracket) {
  std::vector<Bracket::Meeting> meetings;
  while (const auto meeting = bracket.next_meeting()) meetings.push_back(*meeting);
  return meetings;
}

std::set<std::array<std::size_t, 2>> pairs_of(const std::vector<Bracket::Meeting>& meetings) {
  std::set<std::array<std::size_t, 2>> pairs;
  for (const Bracket::Meeting& meeting : meetings) pairs.insert(meeting.entrants);
  return pairs;
}

using Pairs = std::set<std::array<std::size_t, 2>>;

}  // namespace

TEST_CASE("bracket: the first drawn meet the last, and each other as late as can be",
          "[lobby_program][tournament]") {
  Bracket bracket{drawn(8)};
  std::vector<Bracket::Meeting> round = meetings_of(bracket);
  CHECK(pairs_of(round) == Pairs{{0, 7}, {1, 6}, {2, 5}, {3, 4}});
  for (const Bracket::Meeting& meeting : round) {
    CHECK(meeting.round == 1);
    bracket.decide(meeting.node, meeting.entrants[0]);
  }
  round = meetings_of(bracket);
  CHECK(pairs_of(round) == Pairs{{0, 3}, {1, 2}});
  for (const Bracket::Meeting& meeting : round) {
    CHECK(meeting.round == 2);
    bracket.decide(meeting.node, meeting.entrants[0]);
  }
  round = meetings_of(bracket);
  REQUIRE(pairs_of(round) == Pairs{{0, 1}});
  CHECK_FALSE(bracket.is_decided());
  bracket.decide(round[0].node, 1);
  CHECK(bracket.is_decided());
  CHECK(bracket.reached(1) == 4);
  CHECK(bracket.reached(0) == 3);
  CHECK(bracket.reached(7) == 1);
  CHECK(bracket.is_out(0));
  CHECK_FALSE(bracket.is_out(1));
}

TEST_CASE("bracket: where places are left, those drawn first go on without a match",
          "[lobby_program][tournament]") {
  Bracket bracket{drawn(5)};
  const std::vector<Bracket::Meeting> round = meetings_of(bracket);
  // Who has no match in the first round meets in the second at once.
  CHECK(pairs_of(round) == Pairs{{1, 2}, {3, 4}});
  std::set<std::size_t> byes;
  for (const Bracket::Bye& bye : bracket.take_byes()) byes.insert(bye.entrant);
  CHECK(byes == std::set<std::size_t>{0, 1, 2});
  CHECK(bracket.take_byes().empty());
  for (const Bracket::Meeting& meeting : round) {
    CHECK(meeting.round == (meeting.entrants[0] == 3 ? 1U : 2U));
    bracket.decide(meeting.node, meeting.entrants[1]);
  }
  CHECK(pairs_of(meetings_of(bracket)) == Pairs{{0, 4}});
}

TEST_CASE("bracket: where neither goes on, the next one has no opponent",
          "[lobby_program][tournament]") {
  Bracket bracket{drawn(4)};
  const std::vector<Bracket::Meeting> round = meetings_of(bracket);
  REQUIRE(round.size() == 2);
  bracket.decide(round[0].node, std::nullopt);
  bracket.decide(round[1].node, round[1].entrants[0]);
  CHECK_FALSE(bracket.next_meeting());
  CHECK(bracket.is_decided());
  CHECK(bracket.take_byes().size() == 1);
  CHECK(bracket.reached(round[1].entrants[0]) == 3);
  CHECK(bracket.is_out(round[0].entrants[0]));
  CHECK(bracket.is_out(round[0].entrants[1]));
}
