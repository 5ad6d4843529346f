// SPDX-License-Identifier: MIT
// Why a request was refused, as clients are told: a closed list.
#pragma once

#include <cstdint>
#include <string_view>

namespace muster::signal {

/// A client of the published library cannot read a message with a code that is not on its list.
/// Those marked "later" are not on it, and sent only to who opted in.
/// @source docs/protocol/signal.md, "Errors"
enum class ErrorCode : std::uint8_t {
  none,  ///< the message carries no code
  unauthorized,
  invalid_app_id,
  missing_app_id,
  authentication_timeout,
  sdk_version_unsupported,
  unsupported_protocol_version,
  unsupported_game_data_format,
  invalid_input,
  invalid_game_name,
  invalid_player_name,
  invalid_max_players,
  invalid_room_code,
  message_too_large,
  invalid_delivery_class,
  room_not_found,
  room_full,
  already_in_room,
  not_in_room,
  room_creation_failed,
  max_rooms_per_game_exceeded,
  invalid_room_state,
  game_start_not_ready,
  game_start_forbidden,
  authority_not_supported,
  authority_conflict,
  authority_denied,
  rate_limit_exceeded,
  too_many_connections,
  reconnection_failed,
  reconnection_token_invalid,
  reconnection_expired,
  player_already_connected,
  spectator_not_allowed,
  too_many_spectators,
  not_a_spectator,
  spectator_join_failed,
  cross_room_signal,
  unsupported_transport,
  signal_target_not_found,
  signal_rate_limited,
  signal_too_large,
  slow_consumer,
  activity_timeout,
  connection_idle_timeout,
  server_draining,
  internal_error,
  room_session_incompatible,  ///< later
  not_room_authority,         ///< later
  kick_target_not_found,      ///< later
  kicked,                     ///< later
  password_required,          ///< later
  banned,                     ///< later
  transfer_target_not_found,  ///< later
};

/// As it stands on the wire: "ROOM_FULL". Empty for `none`.
[[nodiscard]] std::string_view to_string(ErrorCode code) noexcept;

/// Whether clients of generation R7 know it.
[[nodiscard]] constexpr bool is_on_the_list(ErrorCode code) noexcept {
  return code < ErrorCode::room_session_incompatible;
}

/// The close codes of the protocol's own.
enum class CloseCode : std::uint16_t {
  unregistered = 1000,
  outbound_message_too_large = 1009,
  server_shutdown = 4000,
  auth_timeout = 4001,  ///< also `auth_failed`, after a refusal that ends the connection
  slow_consumer = 4002,
  activity_timeout = 4003,
  idle_timeout = 4004,
  room_inactive = 4005,
  inbound_rate_limited = 4006,
  kicked = 4007,
};

/// The reason text of a close with that code.
[[nodiscard]] std::string_view to_string(CloseCode code) noexcept;

}  // namespace muster::signal
