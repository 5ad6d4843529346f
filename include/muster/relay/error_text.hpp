// SPDX-License-Identifier: MIT
// The texts of SERVER_ERROR. Clients show them and some match them: they are part of the protocol.
#pragma once

#include <muster/export.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// Every text that a relay may send before it closes a connection, letter for letter as in the
/// original, missing full stops included.
/// @source        docs/protocol/relay.md, "Error texts"
namespace muster::relay::error_text {

// During the handshake.

/// The connection failed or ended before a JoinRequest came.
inline constexpr std::string_view initial_error = "Initial error during handshake.";
inline constexpr std::string_view bad_join_request = "Failed to parse join request.";
/// The host's connection went while a client was being admitted.
inline constexpr std::string_view host_left_during_handshake =
    "Server unexpectedly left during handshake";
inline constexpr std::string_view invalid_token = "Invalid reconnect token.";
inline constexpr std::string_view host_already_connected = "Host is already connected.";
/// A client wants to come back while the host is away.
inline constexpr std::string_view host_not_available = "Host is no longer available.";
/// The handshake response could not be written.
inline constexpr std::string_view response_not_sent = "Connection to server lost";

// To whoever sent something wrong, or is lost.

inline constexpr std::string_view connection_lost = "Connection lost.";
inline constexpr std::string_view empty_message = "Illegal empty message received.";
inline constexpr std::string_view channel_closed = "Internal channel closed.";

// To the host.

inline constexpr std::string_view host_left = "Server disconnected intentionally";
inline constexpr std::string_view illegal_host_message = "Illegal Server -> Client command.";
inline constexpr std::string_view unknown_internal_command =
    "Unknown internal Client->Server command";
inline constexpr std::string_view host_write_failed =
    "Error in communication with server endpoint.";
inline constexpr std::string_view host_side_fault = "Internal panic in server side logic.";

// To a client.

inline constexpr std::string_view client_left = "Client disconnected intentionally";
inline constexpr std::string_view illegal_client_message = "Illegal Command from client";
inline constexpr std::string_view broadcast_failed = "Error in internal broadcast.";
inline constexpr std::string_view kicked = "We got rejected by server.";
/// The room ended: its host left, or did not come back in time.
inline constexpr std::string_view host_gone = "Server has left the game.";
inline constexpr std::string_view malformed_message = "Malformed message received.";
inline constexpr std::string_view too_slow = "Lagging on internal channel - Computer too slow.";
inline constexpr std::string_view illegal_message_for_client =
    "Illegal message on client side received.";
inline constexpr std::string_view client_write_failed =
    "Error in communication with client endpoint.";
inline constexpr std::string_view client_side_fault = "Internal panic in client side logic.";

// Ours alone: the original has no such rules.

/// The same player's token was presented on a newer connection, which has taken over.
inline constexpr std::string_view superseded = "Superseded by a newer connection.";
inline constexpr std::string_view wrong_account = "The token belongs to another account.";
inline constexpr std::string_view banned = "You are banned from this room.";
/// The peer did not offer the extension, with which it could have answered a CHALLENGE.
inline constexpr std::string_view password_needed = "The room needs a password.";
inline constexpr std::string_view wrong_password = "Wrong password.";
inline constexpr std::string_view no_spectators = "Spectators cannot watch this room.";
/// The host admits nobody at the moment.
inline constexpr std::string_view room_closed = "The room is closed.";
inline constexpr std::string_view room_idle = "The room has been idle for too long.";
inline constexpr std::string_view sent_too_much = "You sent too much.";
inline constexpr std::string_view overloaded = "The relay has too much to do. Try again later.";
/// From one address, or at one room's password.
inline constexpr std::string_view too_many_attempts = "Too many attempts. Try again later.";

// Texts that name the room or the game. Both come from a stranger: see `echo`.

[[nodiscard]] MUSTER_API std::string unknown_game(std::string_view game_id);
[[nodiscard]] MUSTER_API std::string room_exists(std::string_view room_id,
                                                 std::string_view game_id);
[[nodiscard]] MUSTER_API std::string no_such_room(std::string_view room_id,
                                                  std::string_view game_id);
/// For a token whose room has ended; a fresh join gets `no_such_room`.
[[nodiscard]] MUSTER_API std::string room_is_gone(std::string_view room_id,
                                                  std::string_view game_id);
[[nodiscard]] MUSTER_API std::string room_is_full(std::string_view room_id,
                                                  std::uint16_t max_players);
[[nodiscard]] MUSTER_API std::string out_of_client_ids(std::string_view room_id);

/// The most bytes of an id that a text repeats.
inline constexpr std::size_t max_echo_size = 64;

/// An id as a text repeats it: at most `max_echo_size` bytes, cut between characters, and with a
/// `?` for each control character and line or paragraph separator. Others come back unchanged.
/// @param id      UTF-8
[[nodiscard]] MUSTER_API std::string echo(std::string_view id);

}  // namespace muster::relay::error_text
