// SPDX-License-Identifier: MIT
// Every way in which the relay ends a connection: its text, its close code, its counter.
#pragma once

#include <muster/close_reason.hpp>
#include <muster/export.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace muster::relay {

/// Why the relay ended a connection, or saw it end. Metrics use the name.
enum class Ending : std::uint8_t {
  // Before the welcome.
  handshake_failed,  ///< the connection failed, or nothing came in time
  bad_join_request,  ///< no valid JoinRequest
  id_too_long,       ///< a game or room id above the limit
  unknown_game,
  room_exists,
  no_such_room,
  room_full,
  out_of_ids,
  too_many_rooms,      ///< the relay's own limit
  relay_busy,          ///< the loop of the room takes nobody more at the moment
  host_not_reachable,  ///< the host could not be told of the newcomer
  room_is_gone,        ///< a token for a room that has ended
  invalid_token,
  wrong_account,      ///< the token is another user's
  too_many_attempts,  ///< at tokens, passwords or empty rooms, from one address
  password_needed,    ///< by a peer that cannot be asked for it
  wrong_password,
  banned,
  room_closed,    ///< its host admits nobody
  no_spectators,  ///< the host could not be told of them
  refused,        ///< by the room's authority, with its own text
  // Anybody.
  connection_lost,
  empty_message,
  relay_drains,  ///< the relay goes away
  superseded,    ///< the same member has a newer connection
  room_idle,     ///< nobody said anything for too long
  // The host.
  host_left,  ///< it said so
  illegal_host_message,
  host_too_slow,  ///< what the host must know did not fit into its budget
  // A client.
  client_left,  ///< it said so
  illegal_client_message,
  kicked,
  host_gone,      ///< its room ended with its host
  sent_too_much,  ///< above the rate, and went on
  client_too_slow,
};

inline constexpr std::size_t ending_count = static_cast<std::size_t>(Ending::client_too_slow) + 1;

/// What belongs to an ending. The text is the one of the original; where that names a room or a
/// game, it is empty here and made when it is needed.
struct EndingRule {
  std::string_view name;
  CloseReason reason;
  std::uint16_t code;  ///< of the WebSocket close, RFC 6455 section 7.4.1
  std::string_view text;
};

[[nodiscard]] MUSTER_API const EndingRule& rule_of(Ending ending) noexcept;

/// How often each ending happened.
using EndingCounts = std::array<std::uint64_t, ending_count>;

}  // namespace muster::relay
