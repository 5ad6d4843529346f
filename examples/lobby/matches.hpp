// SPDX-License-Identifier: MIT
// The matches that run, by id.
#pragma once

#include "agenda.hpp"
#include "table.hpp"
#include "wall_clock.hpp"
#include "wire.hpp"

#include <muster/entropy.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

namespace lobby_program {

/// Makes the rules of a game, not initialised; null if there is none of that name.
using GameFactory = std::function<std::unique_ptr<Game>(std::string_view name)>;

/// Hears of matches that are over.
class MatchListener {
 public:
  virtual ~MatchListener() = default;

  /// The table goes away after the call.
  virtual void on_ended(const Table& table, muster::time_point now) = 0;
};

/// Starts matches, lets their time pass, and lets go of them when they are over.
/// @threads one loop
class Matches {
 public:
  struct Config {
    std::size_t max_running = 10'000;   ///< 1 and more
    std::size_t max_remembered = 4096;  ///< ids of matches that are over
  };

  Matches(const Config& config, GameFactory games, Wire& wire, muster::Entropy& entropy,
          const WallClock& clock);

  void set_listener(MatchListener& listener) noexcept { listener_ = &listener; }

  /// @param plan   with as many players as the game has seats
  /// @return       null: too many run, or there is no such game
  Table* start(MatchPlan plan, muster::time_point now);

  /// The running match of that id, or null.
  [[nodiscard]] Table* find(std::string_view id) const;

  /// Whether it is over, and not for very long.
  [[nodiscard]] bool has_ended(std::string_view id) const;

  /// To be called after each call of the table that is not `advance`.
  void settle(Table& table, muster::time_point now);

  /// Gives all of them up.
  void fail_all(std::string_view message, muster::time_point now);

  /// Visits tables in the order of their starts, until `visit(table)` says false.
  template <class Visit>
  void list(Visit visit) const {
    for (const auto& [number, table] : running_) {
      if (!visit(*table)) return;
    }
  }
  [[nodiscard]] std::size_t running() const noexcept { return running_.size(); }
  [[nodiscard]] std::uint64_t started() const noexcept { return started_; }

  /// Matches that run and count for a token.
  [[nodiscard]] std::size_t running_for(const muster::Mac::Tag& tag) const;

  void advance(muster::time_point now);
  [[nodiscard]] muster::time_point next_deadline() const noexcept {
    return agenda_.next_deadline();
  }

 private:
  Config config_;
  GameFactory games_;
  Wire* wire_;
  muster::Entropy* entropy_;
  const WallClock* clock_;
  MatchListener* listener_ = nullptr;
  std::map<std::uint64_t, std::unique_ptr<Table>> running_;  // by number
  std::map<std::string, Table*, std::less<>> by_id_;
  std::deque<std::string> ended_;  // oldest first
  std::set<std::string, std::less<>> ended_ids_;
  std::uint64_t started_ = 0;
  Agenda<Table> agenda_;
};

}  // namespace lobby_program
