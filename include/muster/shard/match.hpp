// SPDX-License-Identifier: MIT
// A group that was put together, and who makes its shard.
#pragma once

#include <muster/export.hpp>
#include <muster/shard/match_status.hpp>
#include <muster/time.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace muster::shard {

struct MatchSeat {
  std::string player;
  std::string ticket;  ///< for this player and the match's shard: a secret of the player
  std::uint64_t party =
      0;  ///< equal for those who came together, and lower for those who came first
  std::int32_t rating = 0;  ///< of the party
  std::uint16_t team = 0;   ///< from 0
};

struct Match {
  std::string shard;                   ///< id of the shard that is to be made
  std::string mode;                    ///< its name
  std::vector<MatchSeat> seats;        ///< by team, and in a team by party; all are taken
  std::chrono::sys_seconds expires{};  ///< when the tickets do
};

/// The application's side of a `Matchmaker`.
///
/// Both calls may use the matchmaker, but for `advance`.
/// @threads the matchmaker's loop
class MUSTER_API MatchHandler {
 public:
  virtual ~MatchHandler() = default;

  /// Makes the shard of a match.
  ///
  /// The players are out of the queue, and get their seats when this returns true. One that leaves
  /// or queues again during the call gets none: it counts as gone, and what it queued for stands.
  /// @param match   valid during the call
  /// @return   whether there is a shard of that id now. If not, the players go back to their places
  ///           in the queue, with the time that they have waited, and the mode rests until the
  ///           next pass
  [[nodiscard]] virtual bool on_match(const Match& match, time_point now) = 0;

  /// A player is idle that did not ask for it; it may be told so.
  /// @param shard   where its seat was, if it is `unclaimed`; empty otherwise
  virtual void on_idle(std::string_view player, IdleReason reason, std::string_view shard,
                       time_point now) {
    (void)player, (void)reason, (void)shard, (void)now;
  }
};

}  // namespace muster::shard
