// SPDX-License-Identifier: MIT
// Who plays when: challenges, the queue and the tournament become matches, and matches results.
#pragma once

#include "accounts.hpp"
#include "games.hpp"
#include "lobby.hpp"
#include "matches.hpp"
#include "queue.hpp"
#include "result_store.hpp"
#include "tournament_run.hpp"
#include "wall_clock.hpp"

#include <muster/entropy.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace lobby_program {

/// Why a bot gets no match.
enum class Denial : std::uint8_t {
  offline,     ///< its lobby connection is not there
  at_cap,      ///< its token has as many matches as it may
  ineligible,  ///< a tournament has the word
  full         ///< the server has as much as it can take
};

/// Starts matches and tells the bots; hears of those that come, go and are done.
/// @threads one loop
class Dispatcher final : private PresenceListener, private MatchListener {
 public:
  struct Config {
    std::string game = "poker";
    GameRules rules{};
    MatchConfig match{.turn_timeout = std::chrono::seconds{2}};    ///< of tournaments
    MatchConfig casual{.turn_timeout = std::chrono::seconds{30}};  ///< of challenges and the queue
    std::size_t matches_per_token = 4;                             ///< at once, outside tournaments
    muster::duration house_delay = std::chrono::milliseconds{150};
    Queue::Config queue{};
    std::size_t kept_results = 256;  ///< in memory, newest
  };

  struct Stats {
    std::uint64_t challenges = 0;
    std::uint64_t queue_matches = 0;
    std::uint64_t tournament_matches = 0;
    std::uint64_t completed = 0;
    std::uint64_t cancelled = 0;
    std::uint64_t abandoned = 0;
    std::uint64_t failed = 0;
    std::uint64_t forfeits = 0;  ///< among the completed
    std::uint64_t stored = 0;
    std::uint64_t not_stored = 0;  ///< the file could not be written
  };

  /// Becomes the listener of both. All outlive it.
  Dispatcher(const Config& config, const Accounts& accounts, Lobby& lobby, Matches& matches,
             muster::Entropy& entropy, const WallClock& clock);

  void set_store(ResultStore& store) noexcept { store_ = &store; }

  /// Plays a tournament from now on. Once.
  /// @param on_over   called when its last match has ended
  void run(const TournamentRun::Config& config, std::function<void()> on_over);

  /// Starts no match any more, and reports none to the tournament: what is about to fail is
  /// nobody's result.
  void stop() noexcept { is_stopped_ = true; }

  /// Starts a match against a bot of the house.
  /// @param denial   why there is none, on null
  const Table* challenge(const Credential& who, Denial& denial, muster::time_point now);

  /// Puts a bot into the queue, and starts a match if there is another.
  /// @return   nothing if it is queued or matched, or why not
  std::optional<Denial> join(const Credential& who, muster::time_point now);
  [[nodiscard]] Queue& queue() noexcept { return queue_; }

  /// Whether the bot plays a match out of the queue.
  [[nodiscard]] bool is_matched(std::string_view bot_id) const;

  /// Matches that are over, newest first.
  [[nodiscard]] const std::deque<Json>& results() const noexcept { return results_; }
  [[nodiscard]] const TournamentRun* tournament() const noexcept {
    return tournament_ ? &*tournament_ : nullptr;
  }
  [[nodiscard]] const Config& config() const noexcept { return config_; }
  [[nodiscard]] const Stats& stats() const noexcept { return stats_; }

  void advance(muster::time_point now);
  [[nodiscard]] muster::time_point next_deadline() const noexcept;

 private:
  void on_online(const Credential& bot, muster::time_point now) override;
  void on_offline(std::string_view bot_id, muster::time_point now) override;
  void on_ended(const Table& table, muster::time_point now) override;

  [[nodiscard]] std::optional<Denial> denial_of(const Credential& who) const;
  Table* start(MatchPlan plan, muster::time_point now);
  void tell(const Table& table, std::size_t seat, bool is_resumed);
  void pump(muster::time_point now);
  void count_other_matches(const MatchPlan& plan);
  void count(const Outcome& outcome);
  void store(const Table& table, muster::time_point now);

  Config config_;
  const Accounts* accounts_;
  Lobby* lobby_;
  Matches* matches_;
  muster::Entropy* entropy_;
  const WallClock* clock_;
  ResultStore* store_ = nullptr;
  Queue queue_;
  std::optional<TournamentRun> tournament_;
  std::function<void()> on_over_;
  bool is_stopped_ = false;
  std::deque<Json> results_;
  Stats stats_;
};

/// "completed", "cancelled" and so on.
[[nodiscard]] std::string_view to_string(Outcome::Status status) noexcept;

}  // namespace lobby_program
