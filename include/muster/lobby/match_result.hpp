// SPDX-License-Identifier: MIT
// How a match ended for this bot, and why it plays no more.
#pragma once

#include <muster/export.hpp>
#include <muster/time.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace muster::lobby {

/// How a match ended, as seen from one seat.
enum class Outcome : std::uint8_t {
  completed,        ///< the server said that it is over
  abandoned,        ///< given up: its connection was lost and could not be had again
  refused,          ///< the server does not let this bot play it
  ended_elsewhere,  ///< it was over when this bot came back
  cancelled,        ///< this client stopped
  failed,           ///< the handler failed, and safe mode is off
};
[[nodiscard]] MUSTER_API std::string_view to_string(Outcome outcome) noexcept;

/// What is known of a match that is over for this bot. None of the texts ever shows the token.
struct MatchResult {
  std::string match_id;
  std::string participant_id;
  Outcome outcome = Outcome::completed;

  /// Why, in one word, where the outcome does not say it: an error's code, or "budget",
  /// "server_budget", "grace", "not_resumable".
  std::string reason;
  std::uint16_t close_code = 0;  ///< of the gateway's last close; 0: none was seen
  std::string end;               ///< the `match_end` message as it came; empty without one

  std::uint32_t reconnects = 0;  ///< connections beyond the first on which it was played
  std::uint32_t turns = 0;       ///< answered
  std::uint32_t fallbacks = 0;   ///< of those: not by the handler
  time_point started{};
  time_point ended{};
};

/// Why a client plays no more.
enum class StopReason : std::uint8_t {
  none,            ///< it has not stopped
  max_matches,     ///< it has played as many as it should
  stopped,         ///< it was told to
  evicted,         ///< another connection of the same bot took its place
  connect_failed,  ///< the lobby could not be reached, not once
  lobby_unstable,  ///< the lobby could be reached, and closed before it said hello
  lobby_lost,      ///< the lobby was lost and did not come back
  auth_failed,     ///< the lobby does not accept the token
  token_revoked,   ///< the lobby does not accept the token any more
  handler_failed,  ///< a handler failed, and safe mode is off
};
[[nodiscard]] MUSTER_API std::string_view to_string(StopReason reason) noexcept;

}  // namespace muster::lobby
