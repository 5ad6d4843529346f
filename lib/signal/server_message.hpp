// SPDX-License-Identifier: MIT
// What clients are sent as text.
#pragma once

#include <muster/bytes.hpp>
#include <muster/wire/byte_writer.hpp>

#include "error_code.hpp"
#include "uuid.hpp"
#include "vocabulary.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace muster::signal {

// Views are valid during the call that writes them. A field that a version lacks is left out for
// it.

/// A time as RFC 3339 has it, in milliseconds since 1970.
using UnixMilliseconds = std::int64_t;

/// Of a sender's messages: which incarnation, and the last one that is not owed.
struct Stamp {
  std::uint32_t epoch = 1;
  std::uint64_t seq = 0;
};

struct PlayerInfo {
  Uuid id;
  std::string_view name;
  bool is_authority = false;
  bool is_ready = false;
  UnixMilliseconds connected_at = 0;
  std::string_view connection_info{};  ///< JSON; empty: none
  Stamp stamp{};                       ///< v3
};

struct SpectatorInfo {
  Uuid id;
  std::string_view name;
  UnixMilliseconds connected_at = 0;
};

struct IceServer {
  std::vector<std::string> urls;
  std::optional<std::string> username{};
  std::optional<std::string> credential{};
};

struct PlayerNameRules {
  std::uint32_t max_length = 32;
  bool allow_unicode_alphanumeric = true;
  bool allow_spaces = true;
  bool allow_leading_trailing_whitespace = false;
  std::vector<std::string> allowed_symbols{};  ///< one character each
  std::optional<std::string> additional_allowed_characters{};
};

struct Authenticated {
  std::string_view app_name;
  std::optional<std::string_view> organization{};
  std::uint32_t per_minute = 0;
  std::uint32_t per_hour = 0;
  std::uint32_t per_day = 0;
};

struct ProtocolInfo {
  std::optional<std::string_view> platform{};
  std::optional<std::string_view> sdk_version{};
  std::optional<std::string_view> minimum_version{};
  std::optional<std::string_view> recommended_version{};
  std::span<const std::string_view> capabilities{};
  std::optional<std::string_view> notes{};
  bool has_message_pack = true;
  const PlayerNameRules* player_name_rules = nullptr;  ///< null: left out
  std::uint16_t protocol_version = 3;                  ///< v3
  std::uint16_t min_protocol_version = 2;              ///< v3
  std::uint16_t max_protocol_version = 3;              ///< v3
};

struct AuthenticationError {
  std::string_view error;
  ErrorCode code = ErrorCode::internal_error;
};

/// What a member or a spectator is told of its room.
struct RoomView {
  Uuid room_id;
  std::string_view room_code;
  std::string_view game_name;
  std::uint8_t max_players = 0;
  bool supports_authority = true;
  std::span<const PlayerInfo> players{};
  LobbyState lobby_state = LobbyState::waiting;
  std::span<const Uuid> ready_players{};
  std::string_view relay_type{};
  std::span<const SpectatorInfo> spectators{};
};

struct RoomJoined {
  RoomView room;
  Uuid player_id;
  bool is_authority = false;
  std::span<const IceServer> ice_servers{};  ///< v3; none: left out
  std::string_view reconnection_token{};     ///< v3; empty: left out
};

struct Reconnected {
  RoomView room;
  Uuid player_id;
  bool is_authority = false;
  std::span<const std::string> missed_events{};  ///< whole messages, oldest first
  ReplayStatus replay = ReplayStatus::complete;  ///< v3
  std::span<const IceServer> ice_servers{};      ///< v3; none: left out
  std::string_view reconnection_token{};         ///< v3
};

struct SpectatorJoined {
  RoomView room;
  Uuid spectator_id;
  std::optional<SpectatorChange> reason{};
};

/// RoomJoinFailed, SpectatorJoinFailed, OperationFailed, ReconnectionFailed: as its type says.
struct Failure {
  std::string_view type;
  std::string_view reason;
  ErrorCode code = ErrorCode::none;
};

struct RoomLeft {};
struct Pong {};

struct PlayerJoined {
  PlayerInfo player;
};

struct PlayerLeft {
  Uuid player_id;
  Stamp last{};  ///< v3: its epoch, and the last number given in it
};

struct PlayerReconnected {
  Uuid player_id;
  std::uint32_t epoch = 1;  ///< v3
};

struct AuthorityChanged {
  std::optional<Uuid> authority_player{};
  bool you_are_authority = false;
};

struct AuthorityResponse {
  bool granted = false;
  std::optional<std::string_view> reason{};
  ErrorCode code = ErrorCode::none;
};

struct LobbyStateChanged {
  LobbyState lobby_state = LobbyState::lobby;
  std::span<const Uuid> ready_players{};
  bool all_ready = false;
};

struct PeerConnection {
  Uuid player_id;
  std::string_view player_name;
  bool is_authority = false;
  std::string_view relay_type;
  std::string_view connection_info{};  ///< JSON; empty: none
};

struct GameStarting {
  std::span<const PeerConnection> peers{};
};

struct SpectatorLeft {
  std::optional<Uuid> room_id{};
  std::optional<std::string_view> room_code{};
  std::optional<SpectatorChange> reason{};
  std::span<const SpectatorInfo> spectators{};
};

struct NewSpectatorJoined {
  SpectatorInfo spectator;
  std::span<const SpectatorInfo> spectators{};
  std::optional<SpectatorChange> reason{};
};

struct SpectatorDisconnected {
  Uuid spectator_id;
  std::optional<SpectatorChange> reason{};
  std::span<const SpectatorInfo> spectators{};
};

struct Error {
  std::string_view message;
  ErrorCode code = ErrorCode::none;
};

struct PeerSignal {
  Uuid from;
  Uuid generation;
  byte_view signal;  ///< JSON
};

struct SessionPeer {
  Uuid player_id;
  std::string_view player_name;
  bool is_authority = false;
  bool initiate = false;
};

struct SessionPlan {
  Uuid generation;
  Topology topology = Topology::relay;
  Transport transport = Transport::relay;
  std::optional<Uuid> host{};
  std::optional<std::string_view> direct_host{};
  std::uint16_t direct_port = 0;
  std::span<const SessionPeer> peers{};
  std::span<const IceServer> ice_servers{};  ///< none: left out
};

struct PeerTransportStatus {
  Uuid peer_id;
  Transport transport = Transport::relay;
  bool connected = false;
};

struct RelayStats {
  std::uint64_t interval_ms = 1;
  std::uint64_t sent_to_you = 0;
  std::uint64_t dropped_for_you = 0;
  std::uint64_t backpressure_events = 0;
};

/// A run of one sender's messages that a recipient does not get.
struct Gap {
  Uuid from_player;
  std::uint32_t epoch = 1;
  std::uint64_t from_seq = 1;
  std::uint64_t to_seq = 1;
  GapReason reason = GapReason::latest_superseded;
};

/// What became of the messages that were meant for one recipient, since its connection began.
struct DeliveryCounters {
  struct PerClass {
    std::uint64_t delivered = 0;
    std::uint64_t superseded = 0;  ///< latest
    std::uint64_t dropped = 0;     ///< latest: for want of room; volatile
    std::uint64_t abandoned = 0;
    std::uint64_t unsupported = 0;
  };
  PerClass reliable{};
  PerClass latest{};
  PerClass volatile_{};
};

struct DeliveryReport {
  DeliveryCounters counters;
  std::span<const Gap> gaps{};  ///< up to 256; none: left out
};

struct GoingAway {
  UnixMilliseconds deadline = 0;
  std::optional<std::uint32_t> retry_after_seconds{};
};

struct RoomOperationResult {
  Uuid operation_id;
  std::string_view result;  ///< a whole message
};

/// PlayerKicked, PlayerBanned, PlayerUnbanned, AuthorityTransferred: as its type says.
struct ModerationResult {
  std::string_view type;
  Uuid player_id;
};

struct TokenBindingChallenge {
  std::string_view nonce;  ///< base64
};

// Each appends one message.
void write(wire::ByteWriter& out, const Authenticated& message);
void write(wire::ByteWriter& out, const ProtocolInfo& message, Version version);
void write(wire::ByteWriter& out, const AuthenticationError& message);
void write(wire::ByteWriter& out, const RoomJoined& message, Version version);
void write(wire::ByteWriter& out, const Reconnected& message, Version version);
void write(wire::ByteWriter& out, const SpectatorJoined& message, Version version);
void write(wire::ByteWriter& out, const Failure& message);
void write(wire::ByteWriter& out, const RoomLeft& message);
void write(wire::ByteWriter& out, const Pong& message);
void write(wire::ByteWriter& out, const PlayerJoined& message, Version version);
void write(wire::ByteWriter& out, const PlayerLeft& message, Version version);
void write(wire::ByteWriter& out, const PlayerReconnected& message, Version version);
void write(wire::ByteWriter& out, const AuthorityChanged& message);
void write(wire::ByteWriter& out, const AuthorityResponse& message);
void write(wire::ByteWriter& out, const LobbyStateChanged& message);
void write(wire::ByteWriter& out, const GameStarting& message);
void write(wire::ByteWriter& out, const SpectatorLeft& message);
void write(wire::ByteWriter& out, const NewSpectatorJoined& message);
void write(wire::ByteWriter& out, const SpectatorDisconnected& message);
void write(wire::ByteWriter& out, const Error& message);
void write(wire::ByteWriter& out, const PeerSignal& message);
void write(wire::ByteWriter& out, const SessionPlan& message);
void write(wire::ByteWriter& out, const PeerTransportStatus& message);
void write(wire::ByteWriter& out, const RelayStats& message);
void write(wire::ByteWriter& out, const DeliveryReport& message);
void write(wire::ByteWriter& out, const GoingAway& message);
void write(wire::ByteWriter& out, const RoomOperationResult& message);
void write(wire::ByteWriter& out, const ModerationResult& message);
void write(wire::ByteWriter& out, const TokenBindingChallenge& message);

}  // namespace muster::signal
