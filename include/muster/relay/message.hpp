// SPDX-License-Identifier: MIT
// The relay protocol's messages: ids, sizes, and the bytes of those that the relay itself makes.
#pragma once

#include <muster/bytes.hpp>
#include <muster/export.hpp>
#include <muster/result.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace muster::relay {

// The first byte of a message is its id, and what it means depends on the direction: one enum each.

/// Relay to host.
enum class ToHost : std::uint8_t {
  new_client = 0,          ///< a player came or came back; its id
  client_disconnects = 1,  ///< a player went; its id
  server_rpc = 2,          ///< a player's id, then its payload
  server_error = 5,        ///< UTF-8 text; the connection is closed after it
  handshake_response = 6,  ///< see HandshakeResponse
};

/// Client to relay.
enum class FromClient : std::uint8_t {
  server_rpc = 2,               ///< payload for the host
  client_disconnects_self = 3,  ///< leaves; the rest is ignored
};

/// Host to relay.
enum class FromHost : std::uint8_t {
  server_disconnects = 0,  ///< ends the room; the rest is ignored
  client_gets_kicked = 1,  ///< a player's id; the rest is ignored
  delta_update = 2,        ///< payload for the clients that have the state
  full_update = 3,         ///< the state, for the clients that do not have it
  reset = 4,               ///< a new state, for everybody
};

/// Relay to client.
enum class ToClient : std::uint8_t {
  delta_update = 2,        ///< the host's message, unchanged
  full_update = 3,         ///< the host's message, unchanged
  reset = 4,               ///< the host's message, unchanged
  server_error = 5,        ///< UTF-8 text; the connection is closed after it
  handshake_response = 6,  ///< see HandshakeResponse
};

/// The player id of the host, who counts as a player of the room.
inline constexpr std::uint16_t host_player_id = 0;

/// Clients get ids from here on, in the order in which they join.
inline constexpr std::uint16_t first_client_id = 1;

/// The last id that is handed out: 65535 - 100, as in the original.
inline constexpr std::uint16_t max_client_id = 65435;

inline constexpr std::size_t message_id_size = 1;      ///< bytes
inline constexpr std::size_t client_id_size = 2;       ///< bytes
inline constexpr std::size_t player_message_size = 3;  ///< bytes of an id and a player, no payload
inline constexpr std::size_t handshake_response_size = 13;      ///< bytes, without a trailer
inline constexpr std::size_t handshake_response_size_gen1 = 5;  ///< the same, without the token

/// How long a room waits for its host, in the original and by default here.
inline constexpr std::chrono::seconds reference_host_grace{30};

/// What a message is: its first byte, when the direction has such an id.
/// @param message   a whole binary message
/// @error         errc::unexpected_end   the message is empty
/// @error         errc::bad_value        this direction has no such id
[[nodiscard]] MUSTER_API result<ToHost> read_to_host(byte_view message) noexcept;
[[nodiscard]] MUSTER_API result<FromClient> read_from_client(byte_view message) noexcept;
[[nodiscard]] MUSTER_API result<FromHost> read_from_host(byte_view message) noexcept;
[[nodiscard]] MUSTER_API result<ToClient> read_to_client(byte_view message) noexcept;

/// The player in bytes 1 and 2 of NEW_CLIENT, CLIENT_DISCONNECTS, CLIENT_GETS_KICKED and of the
/// host's SERVER_RPC. The message's id is not looked at, nor what follows.
/// @error         errc::unexpected_end   shorter than player_message_size
[[nodiscard]] MUSTER_API result<std::uint16_t> read_player_id(byte_view message) noexcept;

/// A message of an id and a player: small enough to be made without an allocation.
using PlayerMessage = std::array<std::byte, player_message_size>;

[[nodiscard]] MUSTER_API PlayerMessage encode_new_client(std::uint16_t player_id) noexcept;
[[nodiscard]] MUSTER_API PlayerMessage encode_client_disconnects(std::uint16_t player_id) noexcept;
[[nodiscard]] MUSTER_API PlayerMessage encode_client_gets_kicked(std::uint16_t player_id) noexcept;

/// What the relay puts in place of a client's id byte: the host gets this, then the client's
/// message from its second byte on. That is two bytes more than the client sent.
[[nodiscard]] MUSTER_API PlayerMessage server_rpc_header(std::uint16_t player_id) noexcept;

/// SERVER_ERROR, the last message before the relay closes a connection.
/// @param text    UTF-8
[[nodiscard]] MUSTER_API std::vector<std::byte> encode_server_error(std::string_view text);

/// The text of a SERVER_ERROR. Damaged UTF-8 becomes U+FFFD: a text to show is no reason to fail.
/// @error         errc::unexpected_end   the message is empty
/// @error         errc::bad_value        it is no SERVER_ERROR
[[nodiscard]] MUSTER_API result<std::string> decode_server_error(byte_view message);

/// The relay's welcome, and always the first message that a peer gets.
struct HandshakeResponse {
  std::uint16_t player_id = host_player_id;
  std::uint16_t rule_variation = 0;  ///< of the room
  std::uint64_t token = 0;           ///< proves later that a new connection is the same player

  [[nodiscard]] bool is_host() const noexcept { return player_id == host_player_id; }
  friend bool operator==(const HandshakeResponse&, const HandshakeResponse&) = default;
};

[[nodiscard]] MUSTER_API std::array<std::byte, handshake_response_size> encode_handshake_response(
    const HandshakeResponse& response) noexcept;

/// The relay said no, and why. The text is UTF-8, for people; it may be empty.
struct HandshakeRefusal {
  std::string text;
};

/// A welcome with what was appended to it (a view into the decoded bytes), or a refusal.
struct HandshakeReply {
  std::variant<HandshakeResponse, HandshakeRefusal> outcome;
  byte_view trailer;
};

/// Reads the relay's answer to a JoinRequest, as a client or host does.
///
/// What follows the 13th byte is accepted and given back. The 5-byte answer of an older relay,
/// which knows no tokens, is refused.
/// @error         errc::unexpected_end   empty, or a welcome of fewer than 13 bytes
/// @error         errc::bad_value        neither a welcome nor a SERVER_ERROR
[[nodiscard]] MUSTER_API result<HandshakeReply> decode_handshake_reply(byte_view message);

}  // namespace muster::relay
