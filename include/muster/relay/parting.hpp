// SPDX-License-Identifier: MIT
// Why a player or a host is not in its room, and whether it may come back by itself.
#pragma once

#include <muster/close_reason.hpp>
#include <muster/export.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace muster::relay {

/// Why a member is out of its room. The first ones pass: another attempt is sensible, with the
/// token if there is one. The others are final.
enum class Parting : std::uint8_t {
  // Passing.
  connection_lost,  ///< the transport broke, or closed without a word
  connect_failed,   ///< it never opened
  timed_out,        ///< no answer to the dial or the JoinRequest, or silence
  relay_away,       ///< the relay drains, restarts or has too much to do
  relay_fault,      ///< an internal error of the relay
  too_slow,         ///< this end did not take what was sent, or sent too much
  host_away,        ///< the room waits for its host
  still_connected,  ///< the relay has not noticed yet that the host's old connection is gone
  // Final.
  left,     ///< by its own will, or with its process
  gave_up,  ///< the last attempt that the policy allows failed
  refused,  ///< the relay does not want it: a bad request, an origin, a password, a policy
  unknown_game,
  room_exists,
  no_such_room,    ///< also one that ended while the member was away
  room_is_full,    ///< or closed
  invalid_token,   ///< or somebody else's
  kicked,          ///< or banned
  superseded,      ///< its token was used by another connection
  room_over,       ///< the host ended the room, or did not come back
  protocol_error,  ///< one side sent what the other does not understand
  promoted,        ///< it is the host now, see `Player::Handler::on_promoted`
};

inline constexpr std::size_t parting_count = static_cast<std::size_t>(Parting::promoted) + 1;

[[nodiscard]] constexpr bool is_passing(Parting parting) noexcept {
  return parting <= Parting::still_connected;
}

/// The parting's stable name, for example "room_is_full".
[[nodiscard]] MUSTER_API std::string_view to_string(Parting parting) noexcept;

/// What a SERVER_ERROR means, by its text; nothing when the text is none of the protocol's.
/// @source docs/protocol/relay.md, "Error texts"
[[nodiscard]] MUSTER_API std::optional<Parting> parting_of(std::string_view text) noexcept;

/// What the end of a connection means: by the relay's last words when it knew some, else by how it
/// closed.
/// @param text     of the SERVER_ERROR, or empty
/// @param joined   whether the member had been welcomed on this connection
[[nodiscard]] MUSTER_API Parting parting_of(std::string_view text, const CloseInfo& info,
                                            bool joined) noexcept;

}  // namespace muster::relay
