// SPDX-License-Identifier: MIT
// From wishes to matches to results.
#include "dispatcher.hpp"

#include <algorithm>
#include <utility>

namespace lobby_program {

using muster::time_point;

std::string_view to_string(Outcome::Status status) noexcept {
  switch (status) {
    case Outcome::Status::completed:
      return "completed";
    case Outcome::Status::cancelled:
      return "cancelled";
    case Outcome::Status::abandoned:
      return "abandoned";
    case Outcome::Status::failed:
      return "failed";
  }
  return "unknown";
}

Dispatcher::Dispatcher(const Config& config, const Accounts& accounts, Lobby& lobby,
                       Matches& matches, muster::Entropy& entropy, const WallClock& clock)
    : config_(config),
      accounts_(&accounts),
      lobby_(&lobby),
      matches_(&matches),
      entropy_(&entropy),
      clock_(&clock),
      queue_(config.queue) {
  lobby.set_listener(*this);
  matches.set_listener(*this);
}

void Dispatcher::run(const TournamentRun::Config& config, std::function<void()> on_over) {
  tournament_.emplace(config);
  on_over_ = std::move(on_over);
}

// Wishes.

std::optional<Denial> Dispatcher::denial_of(const Credential& who) const {
  if (is_stopped_) return Denial::full;
  if (lobby_->online(who.bot_id) == nullptr) return Denial::offline;
  if (tournament_ && tournament_->state() != TournamentRun::State::over) return Denial::ineligible;
  if (matches_->running_for(who.tag) >= config_.matches_per_token) return Denial::at_cap;
  return std::nullopt;
}

const Table* Dispatcher::challenge(const Credential& who, Denial& denial, time_point now) {
  if (const auto denied = denial_of(who)) {
    denial = *denied;
    return nullptr;
  }
  MatchPlan plan;
  plan.players = {{who.bot_id, accounts_->bot(who.bot_id)->name, who.tag}, {.name = "House"}};
  plan.occasion = "challenge";
  entropy_->fill(plan.seed);
  const Table* const table = start(std::move(plan), now);
  if (table == nullptr) denial = Denial::full;
  if (table != nullptr) ++stats_.challenges;
  return table;
}

std::optional<Denial> Dispatcher::join(const Credential& who, time_point now) {
  if (const auto denied = denial_of(who)) return denied;
  if (!queue_.join(who, now)) return Denial::full;
  const auto pair = queue_.take_pair(now);
  if (!pair) return std::nullopt;
  MatchPlan plan;
  for (const Credential& player : {pair->first.who, pair->second.who}) {
    const Bot* const bot = accounts_->bot(player.bot_id);
    plan.players.push_back({player.bot_id, bot == nullptr ? "a bot" : bot->name, player.tag});
  }
  plan.occasion = "queue";
  plan.is_rated = true;
  entropy_->fill(plan.seed);
  if (start(std::move(plan), now) == nullptr) return Denial::full;
  ++stats_.queue_matches;
  return std::nullopt;
}

bool Dispatcher::is_matched(std::string_view bot_id) const {
  bool found = false;
  matches_->list([&](const Table& table) {
    found = !table.match().is_over() && table.plan().occasion == "queue" &&
            table.seat_of_bot(bot_id).has_value();
    return !found;
  });
  return found;
}

// Matches.

Table* Dispatcher::start(MatchPlan plan, time_point now) {
  const bool is_tournament = plan.occasion == "tournament";
  plan.game = config_.game;
  plan.config = is_tournament ? config_.match : config_.casual;
  plan.says_timeout = !is_tournament;
  plan.house_delay = config_.house_delay;
  Table* const table = matches_->start(std::move(plan), now);
  if (table == nullptr) return nullptr;
  for (std::size_t seat = 0; seat < table->plan().players.size(); ++seat) tell(*table, seat, false);
  if (!is_tournament) count_other_matches(table->plan());
  return table;
}

void Dispatcher::tell(const Table& table, std::size_t seat, bool is_resumed) {
  const MatchPlan& plan = table.plan();
  if (plan.players[seat].bot_id.empty()) return;
  const auto timeout =
      std::chrono::duration_cast<std::chrono::milliseconds>(plan.config.turn_timeout);
  lobby_->tell(
      plan.players[seat].bot_id,
      {.match_id = table.id(),
       .participant_id = table.match().seats()[seat].participant_id,
       .is_rated = plan.is_rated,
       .decision_timeout_ms = plan.says_timeout ? static_cast<std::uint32_t>(timeout.count()) : 0,
       .is_resumed = is_resumed});
}

void Dispatcher::count_other_matches(const MatchPlan& plan) {
  if (!tournament_) return;
  for (const Player& player : plan.players) {
    if (player.bot_id.empty()) continue;
    std::uint32_t others = 0;
    matches_->list([&](const Table& table) {
      if (!table.match().is_over() && table.plan().occasion != "tournament" &&
          table.seat_of_bot(player.bot_id)) {
        ++others;
      }
      return true;
    });
    tournament_->set_other_matches(player.bot_id, others);
  }
}

// Starts what the tournament wants. What cannot start, for too many run, counts as a draw: a
// pairing that is never reported would hold up the others for ever.
void Dispatcher::pump(time_point now) {
  if (!tournament_ || is_stopped_) return;
  while (auto plan = tournament_->next()) {
    const std::uint32_t pairing = plan->pairing;
    if (start(std::move(*plan), now) != nullptr) {
      ++stats_.tournament_matches;
    } else {
      tournament_->report(pairing, {.status = Outcome::Status::failed});
    }
  }
  if (tournament_->state() == TournamentRun::State::over && on_over_) {
    std::exchange(on_over_, nullptr)();
  }
}

void Dispatcher::on_online(const Credential& bot, time_point now) {
  matches_->list([&](const Table& table) {
    const auto seat = table.seat_of_bot(bot.bot_id);
    if (seat && !table.match().is_over()) tell(table, *seat, true);
    return true;
  });
  if (!tournament_) return;
  tournament_->come(*accounts_->bot(bot.bot_id), bot.tag, now);
  pump(now);
}

void Dispatcher::on_offline(std::string_view bot_id, time_point now) {
  queue_.leave(bot_id);
  if (tournament_) tournament_->go(bot_id, now);
}

void Dispatcher::on_ended(const Table& table, time_point now) {
  const Outcome& outcome = *table.match().outcome();
  count(outcome);
  store(table, now);
  const MatchPlan& plan = table.plan();
  if (plan.occasion != "tournament") {
    count_other_matches(plan);
  } else if (tournament_ && !is_stopped_) {
    tournament_->report(plan.pairing, outcome);
  }
  pump(now);
}

void Dispatcher::count(const Outcome& outcome) {
  switch (outcome.status) {
    case Outcome::Status::completed:
      ++stats_.completed;
      if (outcome.forfeit) ++stats_.forfeits;
      break;
    case Outcome::Status::cancelled:
      ++stats_.cancelled;
      break;
    case Outcome::Status::abandoned:
      ++stats_.abandoned;
      break;
    case Outcome::Status::failed:
      ++stats_.failed;
      break;
  }
}

void Dispatcher::store(const Table& table, time_point now) {
  const Match& match = table.match();
  const MatchPlan& plan = table.plan();
  StoredMatch stored{.id = match.id(),
                     .occasion = plan.occasion,
                     .game = plan.game,
                     .status = std::string{to_string(match.outcome()->status)},
                     .started = match.record().started(),
                     .ended = clock_->at(now)};
  Json players = Json::array();
  const auto& standing = match.outcome()->result.seats;
  for (std::size_t seat = 0; seat < plan.players.size(); ++seat) {
    Json player{{"name", plan.players[seat].name}, {"bot_id", plan.players[seat].bot_id}};
    if (seat < standing.size()) {
      player["place"] = standing[seat].place;
      player["net"] = standing[seat].net;
    }
    players.push_back(std::move(player));
    stored.players.push_back(
        {plan.players[seat].bot_id, plan.players[seat].name, match.seats()[seat].participant_id});
  }
  Json result{{"id", stored.id},
              {"number", table.number()},
              {"occasion", stored.occasion},
              {"game", stored.game},
              {"status", stored.status},
              {"started_ms", stored.started.time_since_epoch().count()},
              {"ended_ms", stored.ended.time_since_epoch().count()},
              {"rounds", match.outcome()->result.rounds},
              {"players", std::move(players)}};
  if (match.outcome()->forfeit) result["forfeit_seat"] = *match.outcome()->forfeit;
  results_.push_front(std::move(result));
  if (results_.size() > config_.kept_results) results_.pop_back();

  if (store_ == nullptr) return;
  stored.seed = plan.seed;
  stored.rules = to_json(config_.rules);
  stored.config = to_json(plan.config);
  stored.end = match.end_frame();
  stored.record = match.record().to_json();
  ++(store_->insert(stored) ? stats_.stored : stats_.not_stored);
}

void Dispatcher::advance(time_point now) {
  if (!tournament_ || tournament_->next_deadline() > now) return;
  tournament_->advance(now);
  pump(now);
}

time_point Dispatcher::next_deadline() const noexcept {
  return tournament_ ? tournament_->next_deadline() : muster::no_deadline;
}

}  // namespace lobby_program
