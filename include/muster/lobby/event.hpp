// SPDX-License-Identifier: MIT
// What a lobby client says about itself, for logs and metrics.
#pragma once

#include <muster/export.hpp>

#include <cstdint>
#include <string_view>

namespace muster::lobby {

/// What happened. The names of `to_string` are stable.
enum class EventKind : std::uint8_t {
  // The lobby.
  connected,                ///< the lobby said hello
  lobby_closed,             ///< its connection ended; `code`, and why
  lobby_heartbeat_timeout,  ///< nothing came from it for too long
  backing_off,              ///< it is tried again after `code` milliseconds
  evicted,                  ///< another connection of this bot took its place
  malformed_matched,        ///< a seat was given without saying where
  untrusted_gateway,        ///< a match is played where the token must not go
  duplicate_match_ignored,  ///< a seat that is played, or was played, was given again
  match_declined,           ///< a bound of this side; which

  // Both legs.
  connect_failed,    ///< no connection; why
  handshake_failed,  ///< the answer to the upgrade was another status; `code`
  malformed_frame,   ///< a message that is no JSON object, or lacks what it must have
  unknown_frame,     ///< a message of a type that means nothing here
  frame_too_large,
  closed_before_hello,

  // A match.
  subprotocol_not_echoed,   ///< the gateway has not read the token
  subprotocol_wrong,        ///< it chose another one
  protocol_error,           ///< it began with something else than a hello
  match_started,            ///< its first handshake is over
  match_dropped,            ///< its connection ended before the match; `code`
  match_resumed,            ///< it is played on another connection
  match_id_mismatch,        ///< `match_end` names another match
  sequence_gap,             ///< messages were missed
  error_frame,              ///< the server reports an error; its code
  turn_expired,             ///< a turn was over before it was answered
  turn_deadline_fallback,   ///< the handler took too long
  illegal_action_replaced,  ///< it answered with what is not legal
  action_too_large,         ///< it answered with more than the server takes
  no_legal_action,          ///< the server asks, and offers nothing
  handler_error,            ///< it failed; how
  rejection_unanswered,     ///< more rejections of one request than are answered
  frame_dropped,            ///< more waits to be sent than may
};
[[nodiscard]] MUSTER_API std::string_view to_string(EventKind kind) noexcept;

/// An event. The views are valid during the call; none of them ever shows the token.
struct Event {
  EventKind kind{};
  std::string_view match_id{};  ///< empty: it is about the lobby
  std::string_view detail{};    ///< for people, and for some kinds one word
  std::uint32_t code = 0;       ///< a close code, a status, or as the kind says
};

}  // namespace muster::lobby
