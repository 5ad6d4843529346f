// SPDX-License-Identifier: MIT
// What the lobby answers by plain HTTP.
#pragma once

#include "accounts.hpp"
#include "dispatcher.hpp"
#include "matches.hpp"
#include "wall_clock.hpp"

#include <muster/entropy.hpp>
#include <muster/request.hpp>
#include <muster/router.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lobby_program {

/// The routes:
///
///     POST /api/external-api/challenges/house-bot   } with a bot's token,
///     POST /api/external-api/matchmaking/join       } Authorization: Bearer
///     GET  /api/external-api/matchmaking/status     }
///     POST /api/external-api/matchmaking/leave      }
///     GET  /results.json        matches that are over, newest first
///     GET  /tournament.json     the table, and what runs
///     GET  /matches/ID.json     a running match, as a spectator may see it
///
/// A refusal is `{"error_code": "...", "message": "...", "request_id": "..."}`.
/// @threads one loop
class Api {
 public:
  struct Stats {
    std::uint64_t unauthorized = 0;
    std::uint64_t refused = 0;  ///< for any other reason
  };

  Api(const Accounts& accounts, const Lobby& lobby, const Matches& matches, Dispatcher& dispatcher,
      muster::Entropy& entropy, const WallClock& clock);

  /// Adds the routes. This must outlive the router's last request.
  void add_to(muster::Router& router);

  [[nodiscard]] const Stats& stats() const noexcept { return stats_; }

 private:
  void challenge(const muster::Request& request, muster::Decision decision, muster::time_point now);
  void join(const muster::Request& request, muster::Decision decision, muster::time_point now);
  void status(const muster::Request& request, muster::Decision decision, muster::time_point now);
  void leave(const muster::Request& request, muster::Decision decision, muster::time_point now);
  void results(const muster::Request& request, muster::Decision decision, muster::time_point now);
  void tournament(const muster::Request& request, muster::Decision decision,
                  muster::time_point now);
  void match(const muster::Request& request, muster::Decision decision, muster::time_point now);

  [[nodiscard]] std::optional<Credential> credential_of(const muster::Request& request,
                                                        muster::Decision& decision);
  void refuse(muster::Decision& decision, unsigned status, std::string_view code,
              std::string_view message);
  void refuse(muster::Decision& decision, Denial denial);
  [[nodiscard]] Json queue_place(const Credential& who, muster::time_point now);
  [[nodiscard]] Json standings() const;

  const Accounts* accounts_;
  const Lobby* lobby_;
  const Matches* matches_;
  Dispatcher* dispatcher_;
  muster::Entropy* entropy_;
  const WallClock* clock_;
  Stats stats_;
};

}  // namespace lobby_program
