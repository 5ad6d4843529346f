// SPDX-License-Identifier: MIT
// The names of the codes.
#include "error_code.hpp"

namespace muster::signal {

std::string_view to_string(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::none:
      return {};
    case ErrorCode::unauthorized:
      return "UNAUTHORIZED";
    case ErrorCode::invalid_app_id:
      return "INVALID_APP_ID";
    case ErrorCode::missing_app_id:
      return "MISSING_APP_ID";
    case ErrorCode::authentication_timeout:
      return "AUTHENTICATION_TIMEOUT";
    case ErrorCode::sdk_version_unsupported:
      return "SDK_VERSION_UNSUPPORTED";
    case ErrorCode::unsupported_protocol_version:
      return "UNSUPPORTED_PROTOCOL_VERSION";
    case ErrorCode::unsupported_game_data_format:
      return "UNSUPPORTED_GAME_DATA_FORMAT";
    case ErrorCode::invalid_input:
      return "INVALID_INPUT";
    case ErrorCode::invalid_game_name:
      return "INVALID_GAME_NAME";
    case ErrorCode::invalid_player_name:
      return "INVALID_PLAYER_NAME";
    case ErrorCode::invalid_max_players:
      return "INVALID_MAX_PLAYERS";
    case ErrorCode::invalid_room_code:
      return "INVALID_ROOM_CODE";
    case ErrorCode::message_too_large:
      return "MESSAGE_TOO_LARGE";
    case ErrorCode::invalid_delivery_class:
      return "INVALID_DELIVERY_CLASS";
    case ErrorCode::room_not_found:
      return "ROOM_NOT_FOUND";
    case ErrorCode::room_full:
      return "ROOM_FULL";
    case ErrorCode::already_in_room:
      return "ALREADY_IN_ROOM";
    case ErrorCode::not_in_room:
      return "NOT_IN_ROOM";
    case ErrorCode::room_creation_failed:
      return "ROOM_CREATION_FAILED";
    case ErrorCode::max_rooms_per_game_exceeded:
      return "MAX_ROOMS_PER_GAME_EXCEEDED";
    case ErrorCode::invalid_room_state:
      return "INVALID_ROOM_STATE";
    case ErrorCode::game_start_not_ready:
      return "GAME_START_NOT_READY";
    case ErrorCode::game_start_forbidden:
      return "GAME_START_FORBIDDEN";
    case ErrorCode::authority_not_supported:
      return "AUTHORITY_NOT_SUPPORTED";
    case ErrorCode::authority_conflict:
      return "AUTHORITY_CONFLICT";
    case ErrorCode::authority_denied:
      return "AUTHORITY_DENIED";
    case ErrorCode::rate_limit_exceeded:
      return "RATE_LIMIT_EXCEEDED";
    case ErrorCode::too_many_connections:
      return "TOO_MANY_CONNECTIONS";
    case ErrorCode::reconnection_failed:
      return "RECONNECTION_FAILED";
    case ErrorCode::reconnection_token_invalid:
      return "RECONNECTION_TOKEN_INVALID";
    case ErrorCode::reconnection_expired:
      return "RECONNECTION_EXPIRED";
    case ErrorCode::player_already_connected:
      return "PLAYER_ALREADY_CONNECTED";
    case ErrorCode::spectator_not_allowed:
      return "SPECTATOR_NOT_ALLOWED";
    case ErrorCode::too_many_spectators:
      return "TOO_MANY_SPECTATORS";
    case ErrorCode::not_a_spectator:
      return "NOT_A_SPECTATOR";
    case ErrorCode::spectator_join_failed:
      return "SPECTATOR_JOIN_FAILED";
    case ErrorCode::cross_room_signal:
      return "CROSS_ROOM_SIGNAL";
    case ErrorCode::unsupported_transport:
      return "UNSUPPORTED_TRANSPORT";
    case ErrorCode::signal_target_not_found:
      return "SIGNAL_TARGET_NOT_FOUND";
    case ErrorCode::signal_rate_limited:
      return "SIGNAL_RATE_LIMITED";
    case ErrorCode::signal_too_large:
      return "SIGNAL_TOO_LARGE";
    case ErrorCode::slow_consumer:
      return "SLOW_CONSUMER";
    case ErrorCode::activity_timeout:
      return "ACTIVITY_TIMEOUT";
    case ErrorCode::connection_idle_timeout:
      return "CONNECTION_IDLE_TIMEOUT";
    case ErrorCode::server_draining:
      return "SERVER_DRAINING";
    case ErrorCode::internal_error:
      return "INTERNAL_ERROR";
    case ErrorCode::room_session_incompatible:
      return "ROOM_SESSION_INCOMPATIBLE";
    case ErrorCode::not_room_authority:
      return "NOT_ROOM_AUTHORITY";
    case ErrorCode::kick_target_not_found:
      return "KICK_TARGET_NOT_FOUND";
    case ErrorCode::kicked:
      return "KICKED";
    case ErrorCode::password_required:
      return "PASSWORD_REQUIRED";
    case ErrorCode::banned:
      return "BANNED";
    case ErrorCode::transfer_target_not_found:
      return "TRANSFER_TARGET_NOT_FOUND";
  }
  return {};
}

std::string_view to_string(CloseCode code) noexcept {
  switch (code) {
    case CloseCode::unregistered:
      return "unregistered";
    case CloseCode::server_shutdown:
      return "server_shutdown";
    case CloseCode::auth_timeout:
      return "auth_timeout";
    case CloseCode::outbound_message_too_large:
      return "outbound_message_too_large";
    case CloseCode::slow_consumer:
      return "slow_consumer";
    case CloseCode::activity_timeout:
      return "activity_timeout";
    case CloseCode::idle_timeout:
      return "idle_timeout";
    case CloseCode::room_inactive:
      return "room_inactive";
    case CloseCode::inbound_rate_limited:
      return "inbound_rate_limited";
    case CloseCode::kicked:
      return "kicked";
  }
  return {};
}

}  // namespace muster::signal
