// SPDX-License-Identifier: MIT
// What clients send as text.
#pragma once

#include <muster/bytes.hpp>
#include <muster/result.hpp>

#include "connection_info.hpp"
#include "uuid.hpp"
#include "vocabulary.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace muster::signal {

struct Authenticate {
  std::string app_id;
  std::optional<std::string> sdk_version{};
  std::optional<std::string> platform{};
  std::optional<GameDataFormat> game_data_format{};
  std::optional<std::uint16_t> protocol_version{};
  std::optional<std::vector<Transport>> supported_transports{};
  std::optional<std::vector<Topology>> supported_topologies{};
  std::optional<std::vector<std::string>> requested_capabilities{};
};

struct JoinRoom {
  std::string game_name;
  std::string player_name;
  std::optional<std::string> room_code{};
  std::optional<std::uint8_t> max_players{};
  std::optional<bool> supports_authority{};
  std::optional<RelayTransport> relay_transport{};
  std::optional<std::string> password{};
};

struct LeaveRoom {};

struct GameData {
  byte_view data;  ///< any JSON value, checked, as it was sent
  std::optional<DeliveryClass> delivery{};
  std::optional<std::uint32_t> key{};
};

struct AuthorityRequest {
  bool become_authority = false;
};

struct PlayerReady {};
struct StartGame {};

struct ProvideConnectionInfo {
  ConnectionInfo info;
  std::size_t size = 0;  ///< bytes as it was sent
};

struct Ping {};

struct Reconnect {
  Uuid player_id;
  Uuid room_id;
  std::string auth_token;
};

struct JoinAsSpectator {
  std::string game_name;
  std::string room_code;
  std::string spectator_name;
  std::optional<std::string> password{};
};

struct LeaveSpectator {};

struct Signal {
  Uuid to;
  std::optional<Uuid> generation{};  ///< the first clients of the third version know none
  byte_view signal;                  ///< any JSON value, checked, as it was sent
};

struct TransportStatus {
  Transport transport = Transport::relay;
  bool connected = false;
};

// Moderation, since the generation after the published client.
struct KickPlayer {
  Uuid player_id;
};
struct BanPlayer {
  Uuid player_id;
};
struct UnbanPlayer {
  Uuid player_id;
};
struct SetRoomAccess {
  std::optional<std::string> password{};  ///< nothing: the room is open
};
struct RegenerateRoomCode {};
struct TransferAuthority {
  Uuid player_id;
};

/// One of the operations whose answer carries the requester's own number.
struct RoomOperation {
  Uuid operation_id;
  std::variant<JoinRoom, LeaveRoom, Reconnect, JoinAsSpectator, LeaveSpectator, KickPlayer,
               BanPlayer, UnbanPlayer, SetRoomAccess, RegenerateRoomCode, TransferAuthority>
      operation;
};

using ClientMessage =
    std::variant<Authenticate, JoinRoom, LeaveRoom, GameData, AuthorityRequest, PlayerReady,
                 StartGame, ProvideConnectionInfo, Ping, Reconnect, JoinAsSpectator, LeaveSpectator,
                 Signal, TransportStatus, RoomOperation>;

/// The deepest message that is read, in arrays and objects open at once.
inline constexpr std::size_t max_message_depth = 64;

/// Reads one message. Views in it point into the text. GameData and Signal allocate nothing.
/// @error         errc   whatever is malformed: clients are told no more than that
/// @source docs/protocol/signal.md, "Envelope" and "Client messages"
[[nodiscard]] result<ClientMessage> read_client_message(byte_view text);

}  // namespace muster::signal
