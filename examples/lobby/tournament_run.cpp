// SPDX-License-Identifier: MIT
// Presence, plans and scores.
#include "tournament_run.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace lobby_program {

using muster::time_point;

namespace {

std::string house_id(std::size_t number) { return "house-" + std::to_string(number); }

bool is_house(std::string_view id) { return id.starts_with("house-"); }

}  // namespace

MatchScore score_of(const Outcome& outcome) {
  MatchScore score;
  const auto& seats = outcome.result.seats;
  if (seats.size() == 2) score.net = {seats[0].net, seats[1].net};
  const auto wins = [](std::size_t seat) {
    return seat == 0 ? MatchScore::Winner::first : MatchScore::Winner::second;
  };
  switch (outcome.status) {
    case Outcome::Status::completed:
      if (outcome.forfeit) {
        score.winner = wins(1 - *outcome.forfeit);
      } else if (seats.size() == 2 && seats[0].place != seats[1].place) {
        score.winner = wins(seats[0].place < seats[1].place ? 0 : 1);
      }
      break;
    case Outcome::Status::cancelled:
      score.winner = outcome.absent.size() == 1 ? wins(1 - outcome.absent.front())
                                                : MatchScore::Winner::nobody;
      break;
    case Outcome::Status::abandoned:
      score.winner = MatchScore::Winner::nobody;
      break;
    case Outcome::Status::failed:
      break;  // nobody's fault: a draw
  }
  return score;
}

std::string_view to_string(TournamentConfig::Format format) noexcept {
  switch (format) {
    case TournamentConfig::Format::round_robin:
      return "round-robin";
    case TournamentConfig::Format::swiss:
      return "swiss";
    case TournamentConfig::Format::elimination:
      return "elimination";
  }
  return "unknown";
}

void TournamentRun::come(const Bot& bot, const muster::Mac::Tag& tag, time_point now) {
  const bool is_new = online_.insert_or_assign(bot.id, Guest{bot, tag}).second;
  if (tournament_ == nullptr) {
    if (is_new) order_.push_back(bot.id);
    if (order_.size() >= config_.bots) begin(now);
    return;
  }
  away_.erase(bot.id);
  if (const auto entrant = tournament_->find(bot.id)) tournament_->set_online(*entrant, true);
}

void TournamentRun::go(std::string_view bot_id, time_point now) {
  const auto found = online_.find(bot_id);
  if (found != online_.end()) online_.erase(found);
  if (tournament_ == nullptr) {
    std::erase(order_, bot_id);
    return;
  }
  if (const auto entrant = tournament_->find(bot_id)) {
    tournament_->set_online(*entrant, false);
    away_.emplace(bot_id, now);
  }
}

void TournamentRun::set_other_matches(std::string_view bot_id, std::uint32_t count) {
  if (tournament_ == nullptr) return;
  if (const auto entrant = tournament_->find(bot_id)) {
    tournament_->set_other_matches(*entrant, count);
  }
}

void TournamentRun::begin(time_point) {
  std::vector<Entrant> entrants;
  for (const std::string& id : order_) {
    entrants.push_back({id, online_.find(id)->second.bot.name, config_.matches_at_once});
  }
  for (std::size_t number = 1; number <= config_.house_bots; ++number) {
    entrants.push_back(
        {house_id(number), "House " + std::to_string(number), config_.matches_at_once});
  }
  tournament_ = std::make_unique<Tournament>(config_.tournament, std::move(entrants), config_.seed);
  for (std::size_t i = 0; i < tournament_->entrants().size(); ++i) tournament_->set_online(i, true);
}

std::optional<MatchPlan> TournamentRun::next() {
  if (tournament_ == nullptr) return std::nullopt;
  const auto pairing = tournament_->next_pairing();
  if (!pairing) return std::nullopt;
  MatchPlan plan;
  plan.occasion = "tournament";
  plan.pairing = pairing->number;
  plan.seed = pairing->seed;
  plan.is_rated = true;
  for (const std::size_t index : pairing->entrants) {
    const Entrant& entrant = tournament_->entrants()[index];
    Player player{.name = entrant.name};
    if (!is_house(entrant.id)) {
      player.bot_id = entrant.id;
      player.tag = online_.find(entrant.id)->second.tag;
    }
    plan.players.push_back(std::move(player));
  }
  return plan;
}

void TournamentRun::report(std::uint32_t pairing, const Outcome& outcome) {
  if (tournament_ != nullptr) static_cast<void>(tournament_->report(pairing, score_of(outcome)));
}

void TournamentRun::advance(time_point now) {
  if (tournament_ == nullptr) {
    if (config_.bots == 0) begin(now);
    return;
  }
  for (auto it = away_.begin(); it != away_.end();) {
    if (now - it->second < config_.patience) {
      ++it;
      continue;
    }
    tournament_->withdraw(*tournament_->find(it->first));
    it = away_.erase(it);
  }
}

time_point TournamentRun::next_deadline() const noexcept {
  if (state() == State::over) return muster::no_deadline;
  if (tournament_ == nullptr) return config_.bots == 0 ? time_point::min() : muster::no_deadline;
  time_point next = muster::no_deadline;
  for (const auto& [id, since] : away_) next = std::min(next, since + config_.patience);
  return next;
}

TournamentRun::State TournamentRun::state() const noexcept {
  if (tournament_ == nullptr) return State::waiting;
  return tournament_->is_over() ? State::over : State::running;
}

bool TournamentRun::is_online(std::size_t entrant) const {
  const std::string& id = tournament_->entrants()[entrant].id;
  return is_house(id) || online_.contains(id);
}

std::string TournamentRun::table() const {
  if (tournament_ == nullptr) return {};
  std::string text = "place  name                      wins draws losses       net    elo\n";
  for (const Standing& line : tournament_->standings()) {
    const std::string& name = tournament_->entrants()[line.entrant].name;
    std::array<char, 192> row{};
    std::snprintf(row.data(), row.size(), "%5u  %-24.64s %5u %5u %6u %+9lld %6.0f\n", line.place,
                  name.c_str(), line.wins, line.draws, line.losses,
                  static_cast<long long>(line.net), line.elo);
    text += row.data();
  }
  return text;
}

}  // namespace lobby_program
