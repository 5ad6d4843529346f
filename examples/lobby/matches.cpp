// SPDX-License-Identifier: MIT
// Starts, deadlines and ends of tables.
#include "matches.hpp"

#include "accounts.hpp"

#include <utility>

namespace lobby_program {

using muster::time_point;

Matches::Matches(const Config& config, GameFactory games, Wire& wire, muster::Entropy& entropy,
                 const WallClock& clock)
    : config_(config), games_(std::move(games)), wire_(&wire), entropy_(&entropy), clock_(&clock) {}

Table* Matches::start(MatchPlan plan, time_point now) {
  if (running_.size() >= config_.max_running) return nullptr;
  std::unique_ptr<Game> game = games_(plan.game);
  if (game == nullptr) return nullptr;
  std::vector<Match::Seat> seats;
  for (const Player& player : plan.players) {
    seats.push_back({"p_" + make_uuid(*entropy_), player.name});
  }
  const std::uint64_t number = ++started_;
  auto owned =
      std::make_unique<Table>(number, make_uuid(*entropy_), std::move(plan), std::move(game),
                              std::move(seats), *wire_, now, clock_->at(now));
  Table& table = *owned;
  running_.emplace(number, std::move(owned));
  by_id_.emplace(table.id(), &table);
  settle(table, now);
  return &table;
}

Table* Matches::find(std::string_view id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() || found->second->match().is_over() ? nullptr : found->second;
}

bool Matches::has_ended(std::string_view id) const {
  return by_id_.find(id) != by_id_.end() ? find(id) == nullptr : ended_ids_.contains(id);
}

// What is over waits for `advance`: whoever called may still use it.
void Matches::settle(Table& table, time_point now) {
  agenda_.set(table, table.match().is_over() ? now : table.next_deadline());
}

void Matches::fail_all(std::string_view message, time_point now) {
  for (const auto& [number, table] : running_) {
    if (table->match().is_over()) continue;
    table->fail(message, now);
    settle(*table, now);
  }
}

std::size_t Matches::running_for(const muster::Mac::Tag& tag) const {
  std::size_t count = 0;
  for (const auto& [number, table] : running_) {
    if (table->match().is_over()) continue;
    for (const Player& player : table->plan().players) {
      if (!player.bot_id.empty() && player.tag == tag) ++count;
    }
  }
  return count;
}

void Matches::advance(time_point now) {
  while (Table* const table = agenda_.take_due(now)) {
    if (!table->match().is_over()) table->advance(now);
    if (!table->match().is_over()) {
      settle(*table, now);
      continue;
    }
    if (listener_ != nullptr) listener_->on_ended(*table, now);
    ended_ids_.insert(table->id());
    ended_.push_back(table->id());
    if (ended_.size() > config_.max_remembered) {
      ended_ids_.erase(ended_.front());
      ended_.pop_front();
    }
    by_id_.erase(table->id());
    running_.erase(table->number());
  }
}

}  // namespace lobby_program
