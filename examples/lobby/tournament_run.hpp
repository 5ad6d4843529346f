// SPDX-License-Identifier: MIT
// One tournament of the program: from waiting for bots to the final table.
#pragma once

#include "accounts.hpp"
#include "table.hpp"
#include "tournament.hpp"

#include <muster/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lobby_program {

/// Waits until so many bots are online, plays the tournament with them, and withdraws who stays
/// away for too long, so that it always ends.
/// @threads distinct objects: safe; shared objects: unsafe
class TournamentRun {
 public:
  struct Config {
    TournamentConfig tournament{};
    std::size_t bots = 2;               ///< to wait for
    std::size_t house_bots = 0;         ///< that play too; 2 to 256 entrants in all
    std::uint32_t matches_at_once = 1;  ///< of one entrant
    muster::duration patience = std::chrono::minutes{1};  ///< with an entrant who is away
    Seed seed{};
  };

  enum class State : std::uint8_t { waiting, running, over };

  explicit TournamentRun(const Config& config) : config_(config) {}

  // A bot came or went. Who comes first takes part.
  void come(const Bot& bot, const muster::Mac::Tag& tag, muster::time_point now);
  void go(std::string_view bot_id, muster::time_point now);

  /// A match of a bot outside the tournament began or ended.
  void set_other_matches(std::string_view bot_id, std::uint32_t count);

  /// What is to be played now; poll until it is empty. It has a seed, players, pairing.
  [[nodiscard]] std::optional<MatchPlan> next();

  /// A match of it has ended.
  void report(std::uint32_t pairing, const Outcome& outcome);

  void advance(muster::time_point now);
  [[nodiscard]] muster::time_point next_deadline() const noexcept;

  [[nodiscard]] State state() const noexcept;
  [[nodiscard]] const Config& config() const noexcept { return config_; }

  /// Bots that wait for it to begin.
  [[nodiscard]] std::size_t gathered() const noexcept { return online_.size(); }

  /// Null until it has begun.
  [[nodiscard]] const Tournament* tournament() const noexcept { return tournament_.get(); }

  /// Whether an entrant is there.
  [[nodiscard]] bool is_online(std::size_t entrant) const;

  /// The table as text, for a terminal. Empty until it has begun.
  [[nodiscard]] std::string table() const;

 private:
  struct Guest {
    Bot bot{};
    muster::Mac::Tag tag{};
  };

  void begin(muster::time_point now);

  Config config_;
  std::map<std::string, Guest, std::less<>> online_;
  std::vector<std::string> order_;  // in which they came, until it begins
  std::map<std::string, muster::time_point, std::less<>> away_;  // entrants, since when
  std::unique_ptr<Tournament> tournament_;
};

/// What the result of a match is worth.
[[nodiscard]] MatchScore score_of(const Outcome& outcome);

/// "round-robin", "swiss" or "elimination".
[[nodiscard]] std::string_view to_string(TournamentConfig::Format format) noexcept;

}  // namespace lobby_program
