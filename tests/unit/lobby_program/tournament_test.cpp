// SPDX-License-Identifier: MIT
// Tournaments: who meets whom, when, and how the table stands.
#include "tournament.hpp"

#include "support/catch.hpp"

#include <muster/error.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

using namespace lobby_program;
using Format = TournamentConfig::Format;
using Winner = MatchScore::Winner;

namespace {

std::vector<Entrant> entrants_of(std::size_t count, std::uint32_t max_matches = 1) {
  std::vector<Entrant> entrants;
  for (std::size_t i = 0; i < count; ++i) {
    entrants.push_back({"bot-" + std::to_string(i), "Bot " + std::to_string(i), max_matches});
  }
  return entrants;
}

void all_online(Tournament& tournament) {
  for (std::size_t i = 0; i < tournament.entrants().size(); ++i) tournament.set_online(i, true);
}

using Referee = std::function<MatchScore(const Pairing&)>;

/// The one with the lower index wins.
MatchScore lower_wins(const Pairing& pairing) {
  const bool is_first = pairing.entrants[0] < pairing.entrants[1];
  return {is_first ? Winner::first : Winner::second, {is_first ? 10 : -10, is_first ? -10 : 10}};
}

Referee random_referee(std::uint64_t number, bool has_draws) {
  auto dice = std::make_shared<SeedStream>(derive({}, "referee", number));
  return [dice, has_draws](const Pairing&) {
    const std::uint64_t die = dice->below(has_draws ? 3 : 2);
    const auto net = static_cast<std::int64_t>(dice->below(1000));
    if (die == 0) return MatchScore{Winner::first, {net, -net}};
    if (die == 1) return MatchScore{Winner::second, {-net, net}};
    return MatchScore{};
  };
}

/// Plays to the end with everybody online; matches end in the order in which they began.
std::vector<Pairing> play(Tournament& tournament, const Referee& referee) {
  all_online(tournament);
  std::vector<Pairing> played;
  std::size_t reported = 0;
  for (;;) {
    while (const auto pairing = tournament.next_pairing()) played.push_back(*pairing);
    if (reported == played.size()) break;
    const Pairing& pairing = played[reported++];
    REQUIRE_FALSE(tournament.report(pairing.number, referee(pairing)));
  }
  REQUIRE(tournament.is_over());
  REQUIRE(tournament.running() == 0);
  REQUIRE(tournament.played() == played.size());
  return played;
}

}  // namespace

TEST_CASE("tournament: in a round-robin everybody meets everybody twice, with seats changed",
          "[lobby_program][tournament]") {
  for (std::size_t count = 2; count <= 9; ++count) {
    CAPTURE(count);
    Tournament tournament{{Format::round_robin}, entrants_of(count), derive({}, "t", count)};
    const std::vector<Pairing> played = play(tournament, lower_wins);
    CHECK(played.size() == count * (count - 1));
    std::set<std::array<std::size_t, 2>> met;
    std::map<std::uint32_t, std::set<std::size_t>> busy;
    std::uint32_t number = 0;
    for (const Pairing& pairing : played) {
      CHECK(met.insert(pairing.entrants).second);
      CHECK(pairing.number == ++number);
      for (const std::size_t entrant : pairing.entrants) {
        CHECK(busy[pairing.round].insert(entrant).second);  // once in each round
      }
    }
    const std::vector<Standing> table = tournament.standings();
    REQUIRE(table.size() == count);
    for (std::size_t i = 0; i < count; ++i) {
      CHECK(table[i].entrant == i);
      CHECK(table[i].place == i + 1);
      CHECK(table[i].wins == 2 * (count - 1 - i));
      CHECK(table[i].losses == 2 * i);
    }
    CHECK(table.front().elo > table.back().elo);
  }
}

TEST_CASE("tournament: a Swiss one has no second meeting while there need be none",
          "[lobby_program][tournament]") {
  for (std::size_t count = 4; count <= 17; ++count) {
    for (std::uint64_t number = 0; number < 10; ++number) {
      CAPTURE(count, number);
      Tournament tournament{{Format::swiss}, entrants_of(count), derive({}, "swiss", number)};
      const std::vector<Pairing> played = play(tournament, random_referee(number, true));
      std::uint32_t rounds = 0;
      while ((std::size_t{1} << rounds) < count) ++rounds;
      CHECK(played.size() == rounds * (count / 2));
      std::set<std::set<std::size_t>> met;
      for (const Pairing& pairing : played) {
        CHECK(met.insert({pairing.entrants[0], pairing.entrants[1]}).second);
        CHECK(pairing.round <= rounds);
      }
      std::uint32_t byes = 0;
      for (const Standing& row : tournament.standings()) {
        CHECK(row.byes <= 1);
        byes += row.byes;
        CHECK(row.wins + row.draws + row.losses == rounds);
      }
      CHECK(byes == (count % 2 == 1 ? rounds : 0));
    }
  }
}

TEST_CASE("tournament: a Swiss one of more rounds than there are opponents pairs again",
          "[lobby_program][tournament]") {
  Tournament tournament{{Format::swiss, 7}, entrants_of(4), derive({}, "long")};
  const std::vector<Pairing> played = play(tournament, random_referee(1, false));
  CHECK(played.size() == 14);
  // The first three rounds are a whole round-robin.
  std::map<std::set<std::size_t>, int> met;
  for (const Pairing& pairing : played) {
    if (pairing.round <= 3) ++met[{pairing.entrants[0], pairing.entrants[1]}];
  }
  CHECK(met.size() == 6);
}

TEST_CASE("tournament: Swiss rounds pair those of equal score, and seats are shared out evenly",
          "[lobby_program][tournament]") {
  Tournament tournament{{Format::swiss}, entrants_of(16), derive({}, "scores")};
  std::map<std::size_t, int> wins;
  std::map<std::size_t, int> first_seats;
  play(tournament, [&](const Pairing& pairing) {
    // Matches of a round end after all of it has begun, so scores are of the round before.
    CHECK(wins[pairing.entrants[0]] + 1 >= wins[pairing.entrants[1]]);
    CHECK(wins[pairing.entrants[1]] + 1 >= wins[pairing.entrants[0]]);
    ++first_seats[pairing.entrants[0]];
    const MatchScore score = lower_wins(pairing);
    ++wins[pairing.entrants[score.winner == Winner::first ? 0 : 1]];
    return score;
  });
  CHECK(tournament.standings().front().entrant == 0);
  CHECK(tournament.standings().front().wins == 4);
  for (std::size_t entrant = 0; entrant < 16; ++entrant) {
    CHECK(first_seats[entrant] >= 1);
    CHECK(first_seats[entrant] <= 3);
  }
}

TEST_CASE("tournament: an elimination of n has n - 1 matches, and who loses is out",
          "[lobby_program][tournament]") {
  for (std::size_t count = 2; count <= 33; ++count) {
    CAPTURE(count);
    Tournament tournament{{Format::elimination}, entrants_of(count), derive({}, "out", count)};
    std::set<std::size_t> out;
    std::uint32_t last_round = 0;
    const std::vector<Pairing> played = play(tournament, [&](const Pairing& pairing) {
      CHECK(out.count(pairing.entrants[0]) == 0);
      CHECK(out.count(pairing.entrants[1]) == 0);
      const MatchScore score = lower_wins(pairing);
      out.insert(pairing.entrants[score.winner == Winner::first ? 1 : 0]);
      last_round = std::max(last_round, pairing.round);
      return score;
    });
    CHECK(played.size() == count - 1);
    CHECK(out.size() == count - 1);
    CHECK((std::size_t{1} << last_round) >= count);
    CHECK((std::size_t{1} << (last_round - 1)) < count);
    const std::vector<Standing> table = tournament.standings();
    CHECK(table[0].entrant == 0);  // the best one wins every match
    CHECK(table[0].place == 1);
    CHECK_FALSE(table[0].is_out);
    CHECK(table[1].place == 2);
    std::uint32_t byes = 0;
    for (const Standing& row : table) {
      CHECK(row.is_out == (row.entrant != 0));
      CHECK(row.byes <= 1);
      byes += row.byes;
    }
    CHECK(byes == (std::size_t{1} << last_round) - count);
    if (count >= 4) CHECK(table[3].place == 3);  // both who lost in the semifinals
    if (count >= 5) CHECK(table[4].place == 5);
  }
}

TEST_CASE("tournament: a drawn match of an elimination is played again, with seats changed",
          "[lobby_program][tournament]") {
  Tournament tournament{{Format::elimination, 0, 2}, entrants_of(2), derive({}, "draws")};
  const std::vector<Pairing> played = play(tournament, [](const Pairing&) { return MatchScore{}; });
  REQUIRE(played.size() == 3);
  CHECK(played[1].entrants[0] == played[0].entrants[1]);
  CHECK(played[2].entrants == played[0].entrants);
  // Then who was drawn higher goes on: it had seat 0 in the first one.
  const std::vector<Standing> table = tournament.standings();
  CHECK(table[0].entrant == played[0].entrants[0]);
  CHECK(table[0].draws == 3);
  CHECK(table[1].is_out);
}

TEST_CASE("tournament: only those who are online are paired", "[lobby_program][tournament]") {
  Tournament tournament{{Format::round_robin}, entrants_of(4), derive({}, "online")};
  CHECK_FALSE(tournament.next_pairing());
  tournament.set_online(0, true);
  CHECK_FALSE(tournament.next_pairing());
  tournament.set_online(3, true);
  const auto first = tournament.next_pairing();
  REQUIRE(first);
  CHECK(std::set<std::size_t>{first->entrants[0], first->entrants[1]} ==
        std::set<std::size_t>{0, 3});
  CHECK_FALSE(tournament.next_pairing());  // both are playing
  // Who goes offline is not paired again; the running match is not touched.
  tournament.set_online(0, false);
  REQUIRE_FALSE(tournament.report(first->number, {Winner::first, {5, -5}}));
  CHECK_FALSE(tournament.next_pairing());
  CHECK_FALSE(tournament.is_over());
  tournament.set_online(0, true);
  CHECK(tournament.next_pairing());
}

TEST_CASE("tournament: nobody plays more matches at once than it may",
          "[lobby_program][tournament]") {
  for (const std::uint32_t limit : {1U, 2U, 3U}) {
    Tournament tournament{{Format::round_robin}, entrants_of(8, limit), derive({}, "limit")};
    all_online(tournament);
    std::map<std::size_t, std::uint32_t> running;
    std::vector<Pairing> open;
    std::size_t played = 0;
    std::uint32_t most = 0;
    for (;;) {
      while (const auto pairing = tournament.next_pairing()) {
        for (const std::size_t entrant : pairing->entrants) {
          most = std::max(most, ++running[entrant]);
        }
        open.push_back(*pairing);
      }
      REQUIRE(tournament.running() == open.size());
      if (open.empty()) break;
      const Pairing pairing = open.back();
      open.pop_back();
      for (const std::size_t entrant : pairing.entrants) --running[entrant];
      REQUIRE_FALSE(tournament.report(pairing.number, lower_wins(pairing)));
      ++played;
    }
    CHECK(most == limit);
    CHECK(played == 56);
  }
}

TEST_CASE("tournament: matches outside of it count towards the limit",
          "[lobby_program][tournament]") {
  Tournament tournament{{Format::round_robin}, entrants_of(2, 2), derive({}, "others")};
  all_online(tournament);
  tournament.set_other_matches(1, 2);
  CHECK_FALSE(tournament.next_pairing());
  tournament.set_other_matches(1, 1);
  CHECK(tournament.next_pairing());
  CHECK_FALSE(tournament.next_pairing());
}

TEST_CASE("tournament: who is withdrawn loses what it has not played",
          "[lobby_program][tournament]") {
  SECTION("of a round-robin") {
    Tournament tournament{{Format::round_robin}, entrants_of(4), derive({}, "withdrawn")};
    tournament.withdraw(2);
    const std::vector<Pairing> played = play(tournament, lower_wins);
    CHECK(played.size() == 6);
    for (const Standing& row : tournament.standings()) {
      CHECK(row.wins + row.losses == 6);
      CHECK(row.is_out == (row.entrant == 2));
      if (row.entrant == 2) CHECK(row.losses == 6);
      if (row.entrant == 3) CHECK(row.wins == 2);
    }
  }
  SECTION("of an elimination") {
    Tournament tournament{{Format::elimination}, entrants_of(8), derive({}, "withdrawn")};
    tournament.withdraw(0);
    tournament.withdraw(1);
    tournament.withdraw(1);
    play(tournament, lower_wins);
    const std::vector<Standing> table = tournament.standings();
    CHECK(table[0].entrant == 2);
  }
  SECTION("of a Swiss one, in the middle") {
    Tournament tournament{{Format::swiss}, entrants_of(8), derive({}, "withdrawn")};
    int matches = 0;
    const std::vector<Pairing> played = play(tournament, [&](const Pairing& pairing) {
      if (++matches == 4) tournament.withdraw(0);
      return lower_wins(pairing);
    });
    // 4 pairs, then 7 of 8 entrants: three pairs and a bye.
    CHECK(played.size() == 4 + 3 + 3);
    for (const Pairing& pairing : played) {
      if (pairing.round > 1) CHECK(pairing.entrants[0] != 0);
      if (pairing.round > 1) CHECK(pairing.entrants[1] != 0);
    }
  }
  SECTION("all but one") {
    for (const Format format : {Format::round_robin, Format::swiss, Format::elimination}) {
      Tournament tournament{{format}, entrants_of(5), derive({}, "withdrawn")};
      for (std::size_t entrant = 1; entrant < 5; ++entrant) tournament.withdraw(entrant);
      CHECK(tournament.is_over());
      CHECK(tournament.standings()[0].entrant == 0);
    }
  }
  SECTION("all") {
    for (const Format format : {Format::round_robin, Format::swiss, Format::elimination}) {
      Tournament tournament{{format}, entrants_of(6), derive({}, "withdrawn")};
      for (std::size_t entrant = 0; entrant < 6; ++entrant) tournament.withdraw(entrant);
      CHECK(tournament.is_over());
    }
  }
}

TEST_CASE("tournament: a match that nobody won is lost by both", "[lobby_program][tournament]") {
  Tournament tournament{{Format::elimination}, entrants_of(4), derive({}, "nobody")};
  std::set<std::size_t> lost;
  const std::vector<Pairing> played = play(tournament, [&](const Pairing& pairing) {
    if (!lost.empty()) return lower_wins(pairing);
    lost = {pairing.entrants[0], pairing.entrants[1]};
    return MatchScore{Winner::nobody, {50, -50}};
  });
  CHECK(played.size() == 2);  // the other semifinal; its winner has no final to play
  const std::vector<Standing> table = tournament.standings();
  CHECK(table[0].byes == 1);
  CHECK(lost.count(table[0].entrant) == 0);
  for (const Standing& row : table) {
    if (lost.count(row.entrant) == 0) continue;
    CHECK(row.is_out);
    CHECK(row.losses == 1);
    CHECK(row.net == 0);
    CHECK(row.elo == Tournament::first_elo);
  }
}

TEST_CASE("tournament: a match is reported once", "[lobby_program][tournament]") {
  Tournament tournament{{Format::round_robin}, entrants_of(2), derive({}, "once")};
  CHECK(tournament.report(1, {}) == muster::errc::not_found);
  all_online(tournament);
  const auto pairing = tournament.next_pairing();
  REQUIRE(pairing);
  CHECK_FALSE(tournament.report(pairing->number, {Winner::first, {1, -1}}));
  CHECK(tournament.report(pairing->number, {Winner::first, {1, -1}}) == muster::errc::not_found);
  CHECK(tournament.played() == 1);
}

TEST_CASE("tournament: the same seed and calls give the same pairings, another seed others",
          "[lobby_program][tournament]") {
  for (const Format format : {Format::round_robin, Format::swiss, Format::elimination}) {
    const auto run = [&](std::uint64_t number) {
      Tournament tournament{{format}, entrants_of(12), derive({}, "seeds", number)};
      std::vector<std::pair<std::array<std::size_t, 2>, Seed>> all;
      for (const Pairing& pairing : play(tournament, random_referee(4, true))) {
        all.emplace_back(pairing.entrants, pairing.seed);
      }
      return all;
    };
    CHECK(run(1) == run(1));
    CHECK(run(1) != run(2));
  }
}

TEST_CASE("tournament: every match has a seed of its own", "[lobby_program][tournament]") {
  Tournament tournament{{Format::round_robin}, entrants_of(8), derive({}, "own")};
  std::set<Seed> seeds;
  for (const Pairing& pairing : play(tournament, lower_wins)) seeds.insert(pairing.seed);
  CHECK(seeds.size() == 56);
}

TEST_CASE("tournament: ratings move by what was not expected, and none is lost",
          "[lobby_program][tournament]") {
  Tournament tournament{{Format::round_robin}, entrants_of(2), derive({}, "elo")};
  all_online(tournament);
  const auto first = tournament.next_pairing();
  REQUIRE(first);
  const std::size_t winner = first->entrants[0];
  REQUIRE_FALSE(tournament.report(first->number, {Winner::first, {7, -7}}));
  std::vector<Standing> table = tournament.standings();
  CHECK(table[0].entrant == winner);
  CHECK(table[0].elo == 1516);  // equals: half of 32
  CHECK(table[1].elo == 1484);
  CHECK(table[0].net == 7);
  CHECK(table[1].net == -7);

  const auto second = tournament.next_pairing();
  REQUIRE(second);
  CHECK(second->entrants[1] == winner);
  REQUIRE_FALSE(tournament.report(second->number, {Winner::second, {0, 0}}));
  table = tournament.standings();
  CHECK(table[0].elo > 1516);
  CHECK(table[0].elo < 1532);  // less than the first time: it was expected
  CHECK(table[0].elo + table[1].elo == Approx(3000));
}

TEST_CASE("tournament: points decide, then the net, and equals share a place",
          "[lobby_program][tournament]") {
  Tournament tournament{{Format::round_robin}, entrants_of(4), derive({}, "ties")};
  play(tournament, [](const Pairing&) { return MatchScore{}; });
  for (const Standing& row : tournament.standings()) {
    CHECK(row.place == 1);
    CHECK(row.draws == 6);
    CHECK(row.net == 0);
  }
}

TEST_CASE("tournament: entrants are found by id", "[lobby_program][tournament]") {
  const Tournament tournament{{}, entrants_of(3), {}};
  CHECK(tournament.find("bot-2") == 2U);
  CHECK_FALSE(tournament.find("bot-3"));
  CHECK_FALSE(tournament.find(""));
}
