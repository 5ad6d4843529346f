// SPDX-License-Identifier: MIT
#include "tournament.hpp"

#include "bracket.hpp"
#include "swiss_pairing.hpp"

#include <muster/error.hpp>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

namespace lobby_program {

using Format = TournamentConfig::Format;
using Winner = MatchScore::Winner;

namespace {

/// A match that is planned or running.
struct Fixture {
  std::uint32_t round = 1;
  std::array<std::size_t, 2> entrants{};  // by seat
  std::size_t node = 0;                   // of the bracket
  std::uint32_t replays = 0;              // draws before it
};

struct Score {
  bool is_online = false;
  bool is_withdrawn = false;
  std::uint32_t running = 0;
  std::uint32_t other = 0;        // matches outside the tournament
  std::uint32_t first_seats = 0;  // how often it had seat 0
  std::uint32_t wins = 0;
  std::uint32_t draws = 0;
  std::uint32_t losses = 0;
  std::uint32_t byes = 0;
  std::int64_t net = 0;
  double elo = Tournament::first_elo;

  [[nodiscard]] std::uint32_t points() const noexcept { return 2 * wins + draws; }
};

}  // namespace

struct Tournament::Impl {
  Impl(TournamentConfig configured, std::vector<Entrant> who, const Seed& drawn)
      : config(configured),
        entrants(std::move(who)),
        seed(drawn),
        scores(entrants.size()),
        draw(entrants.size()),
        drawn_at(entrants.size()),
        meetings(entrants.size()) {
    assert(entrants.size() >= 2 && entrants.size() <= max_entrants);
    std::iota(draw.begin(), draw.end(), std::size_t{0});
    SeedStream stream{derive(seed, "draw")};
    for (std::size_t i = draw.size() - 1; i > 0; --i) {
      std::swap(draw[i], draw[static_cast<std::size_t>(stream.below(i + 1))]);
    }
    for (std::size_t i = 0; i < draw.size(); ++i) drawn_at[draw[i]] = i;

    rounds = config.rounds != 0 ? config.rounds
                                : static_cast<std::uint32_t>(std::bit_width(entrants.size() - 1));
    if (config.format == Format::round_robin) plan_round_robin();
    if (config.format == Format::elimination) bracket.emplace(draw);
  }

  /// The circle: one stays, the others go around it, and those who are opposite meet. An odd number
  /// has an empty place in it.
  void plan_round_robin() {
    std::vector<std::size_t> circle = draw;
    constexpr std::size_t nobody = max_entrants;
    if (circle.size() % 2 == 1) circle.push_back(nobody);
    const std::size_t size = circle.size();
    const auto legs = static_cast<std::uint32_t>(size - 1);
    std::vector<Fixture> second;
    for (std::uint32_t leg = 1; leg <= legs; ++leg) {
      for (std::size_t i = 0; i < size / 2; ++i) {
        std::array<std::size_t, 2> pair{circle[i], circle[size - 1 - i]};
        if (pair[0] == nobody || pair[1] == nobody) continue;
        if (leg % 2 == 0) std::swap(pair[0], pair[1]);
        planned.push_back({leg, pair});
        second.push_back({leg + legs, {pair[1], pair[0]}});
      }
      std::rotate(circle.begin() + 1, circle.end() - 1, circle.end());
    }
    planned.insert(planned.end(), second.begin(), second.end());
  }

  void plan_swiss_round() {
    std::vector<std::size_t> order;
    for (const std::size_t entrant : draw) {
      if (!scores[entrant].is_withdrawn) order.push_back(entrant);
    }
    if (order.size() < 2) {
      round = rounds;  // nobody is left to meet
      return;
    }
    ++round;
    std::stable_sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
      return std::pair{scores[a].points(), scores[a].net} >
             std::pair{scores[b].points(), scores[b].net};
    });
    const SwissRound paired = pair_swiss_round(order, meetings);
    if (paired.bye) {
      meetings.add_bye(*paired.bye);
      give_bye(*paired.bye);
    }
    for (auto [a, b] : paired.pairs) {
      meetings.add(a, b);
      // Seat 0 goes to who had it less often; the draw decides between equals.
      const auto key = [this](std::size_t entrant) {
        return std::pair{scores[entrant].first_seats, drawn_at[entrant]};
      };
      if (key(b) < key(a)) std::swap(a, b);
      ++scores[a].first_seats;
      planned.push_back({round, {a, b}});
    }
  }

  void plan_bracket() {
    while (const auto meeting = bracket->next_meeting()) {
      planned.push_back({meeting->round, meeting->entrants, meeting->node});
    }
    for (const Bracket::Bye& bye : bracket->take_byes()) give_bye(bye.entrant);
  }

  void give_bye(std::size_t entrant) {
    ++scores[entrant].wins;
    ++scores[entrant].byes;
  }

  /// Takes out what cannot be played any more, and plans what can be played after that.
  void settle() {
    for (;;) {
      if (bracket) plan_bracket();
      const auto is_void = [this](const Fixture& fixture) {
        return scores[fixture.entrants[0]].is_withdrawn || scores[fixture.entrants[1]].is_withdrawn;
      };
      const auto found = std::find_if(planned.begin(), planned.end(), is_void);
      if (found != planned.end()) {
        const Fixture fixture = *found;
        planned.erase(found);
        walk_over(fixture);
        continue;
      }
      const bool is_idle = planned.empty() && running.empty();
      if (config.format != Format::swiss || !is_idle || round >= rounds) return;
      plan_swiss_round();
    }
  }

  void walk_over(const Fixture& fixture) {
    std::optional<std::size_t> winner;
    for (const std::size_t entrant : fixture.entrants) {
      if (scores[entrant].is_withdrawn) {
        ++scores[entrant].losses;
      } else {
        winner = entrant;
        ++scores[entrant].wins;
      }
    }
    if (bracket) bracket->decide(fixture.node, winner);
  }

  [[nodiscard]] bool may_play(std::size_t entrant) const noexcept {
    const Score& score = scores[entrant];
    return score.is_online && score.running + score.other < entrants[entrant].max_matches;
  }

  void count(const Fixture& fixture, const MatchScore& score) {
    Score& first = scores[fixture.entrants[0]];
    Score& second = scores[fixture.entrants[1]];
    double gained = 0.5;  // by seat 0
    switch (score.winner) {
      case Winner::first:
        ++first.wins;
        ++second.losses;
        gained = 1;
        break;
      case Winner::second:
        ++first.losses;
        ++second.wins;
        gained = 0;
        break;
      case Winner::draw:
        ++first.draws;
        ++second.draws;
        break;
      case Winner::nobody:
        ++first.losses;
        ++second.losses;
        return;  // says nothing of who is better
    }
    first.net += score.net[0];
    second.net += score.net[1];
    const double expected = 1 / (1 + std::pow(10, (second.elo - first.elo) / 400));
    const double change = elo_factor * (gained - expected);
    first.elo += change;
    second.elo -= change;
  }

  void decide_meeting(Fixture fixture, Winner winner) {
    const auto [first, second] = fixture.entrants;
    if (winner == Winner::draw && fixture.replays < config.replays_of_draws) {
      std::swap(fixture.entrants[0], fixture.entrants[1]);
      ++fixture.replays;
      planned.insert(planned.begin(), fixture);
      return;
    }
    std::optional<std::size_t> on;
    if (winner == Winner::first) on = first;
    if (winner == Winner::second) on = second;
    if (winner == Winner::draw) on = drawn_at[first] < drawn_at[second] ? first : second;
    bracket->decide(fixture.node, on);
  }

  /// Equal keys share a place; greater is better.
  [[nodiscard]] std::array<std::int64_t, 2> key(std::size_t entrant) const {
    if (bracket) return {bracket->reached(entrant), 0};
    return {scores[entrant].points(), scores[entrant].net};
  }

  [[nodiscard]] bool is_out(std::size_t entrant) const {
    return scores[entrant].is_withdrawn || (bracket && bracket->is_out(entrant));
  }

  TournamentConfig config;
  std::vector<Entrant> entrants;
  Seed seed;
  std::vector<Score> scores;
  std::vector<std::size_t> draw;      // entrants in a drawn order
  std::vector<std::size_t> drawn_at;  // by entrant: its place in the draw
  Meetings meetings;                  // of Swiss
  std::optional<Bracket> bracket;     // of an elimination
  std::vector<Fixture> planned;       // in the order in which they should begin
  std::map<std::uint32_t, Fixture> running;
  std::uint32_t rounds = 0;  // of Swiss
  std::uint32_t round = 0;   // of Swiss: the one that was planned last
  std::uint32_t begun = 0;
  std::uint32_t ended = 0;
};

Tournament::Tournament(TournamentConfig config, std::vector<Entrant> entrants, const Seed& seed)
    : impl_(std::make_unique<Impl>(config, std::move(entrants), seed)) {
  impl_->settle();
}

Tournament::~Tournament() = default;

void Tournament::set_online(std::size_t entrant, bool is_online) {
  impl_->scores[entrant].is_online = is_online;
}

void Tournament::set_other_matches(std::size_t entrant, std::uint32_t count) {
  impl_->scores[entrant].other = count;
}

void Tournament::withdraw(std::size_t entrant) {
  impl_->scores[entrant].is_withdrawn = true;
  impl_->settle();
}

std::optional<Pairing> Tournament::next_pairing() {
  Impl& it = *impl_;
  const auto found =
      std::find_if(it.planned.begin(), it.planned.end(), [&](const Fixture& fixture) {
        return it.may_play(fixture.entrants[0]) && it.may_play(fixture.entrants[1]);
      });
  if (found == it.planned.end()) return std::nullopt;
  const Fixture fixture = *found;
  it.planned.erase(found);
  const std::uint32_t number = ++it.begun;
  it.running.emplace(number, fixture);
  for (const std::size_t entrant : fixture.entrants) ++it.scores[entrant].running;
  return Pairing{number, fixture.round, fixture.entrants, derive(it.seed, "pairing", number)};
}

std::error_code Tournament::report(std::uint32_t number, const MatchScore& score) {
  Impl& it = *impl_;
  const auto found = it.running.find(number);
  if (found == it.running.end()) return make_error_code(muster::errc::not_found);
  const Fixture fixture = found->second;
  it.running.erase(found);
  ++it.ended;
  for (const std::size_t entrant : fixture.entrants) --it.scores[entrant].running;
  it.count(fixture, score);
  if (it.bracket) it.decide_meeting(fixture, score.winner);
  it.settle();
  return {};
}

bool Tournament::is_over() const noexcept {
  return impl_->planned.empty() && impl_->running.empty();
}

std::uint32_t Tournament::running() const noexcept {
  return static_cast<std::uint32_t>(impl_->running.size());
}

std::uint32_t Tournament::played() const noexcept { return impl_->ended; }

const std::vector<Entrant>& Tournament::entrants() const noexcept { return impl_->entrants; }

const TournamentConfig& Tournament::config() const noexcept { return impl_->config; }

std::optional<std::size_t> Tournament::find(std::string_view id) const noexcept {
  const auto& all = impl_->entrants;
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const Entrant& entrant) { return entrant.id == id; });
  if (found == all.end()) return std::nullopt;
  return static_cast<std::size_t>(found - all.begin());
}

std::vector<Standing> Tournament::standings() const {
  const Impl& it = *impl_;
  std::vector<std::size_t> order(it.entrants.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (it.key(a) != it.key(b)) return it.key(a) > it.key(b);
    return std::pair{it.scores[a].net, it.scores[a].elo} >
           std::pair{it.scores[b].net, it.scores[b].elo};
  });
  std::vector<Standing> rows;
  for (const std::size_t entrant : order) {
    const Score& score = it.scores[entrant];
    const bool is_shared = !rows.empty() && it.key(rows.back().entrant) == it.key(entrant);
    rows.push_back(
        {.entrant = entrant,
         .place = is_shared ? rows.back().place : static_cast<std::uint32_t>(rows.size() + 1),
         .wins = score.wins,
         .draws = score.draws,
         .losses = score.losses,
         .byes = score.byes,
         .net = score.net,
         .elo = score.elo,
         .is_out = it.is_out(entrant)});
  }
  return rows;
}

}  // namespace lobby_program
