// SPDX-License-Identifier: MIT
// The fields of each type of message, and which type it is.
#include "client_message.hpp"

#include <muster/wire/json_scanner.hpp>

#include "json_fields.hpp"

#include <array>
#include <string_view>
#include <type_traits>
#include <utility>

namespace muster::signal {
namespace {

// What `data` may still open.
constexpr std::size_t max_data_depth = max_message_depth - 1;

// A message without fields: nothing, or null, or an object in which nothing is asked for.
template <class Message>
requires std::is_empty_v<Message>
bool read_data(byte_view data, Message&) {
  wire::JsonScanner scanner{data, max_data_depth};
  if (scanner.kind() != wire::JsonKind::null && scanner.kind() != wire::JsonKind::object) {
    return false;
  }
  scanner.finish();
  return scanner.ok();
}

bool read_data(byte_view data, Authenticate& message) {
  return read_object(data, max_data_depth, required("app_id", message.app_id),
                     optional("sdk_version", message.sdk_version),
                     optional("platform", message.platform),
                     optional("game_data_format", message.game_data_format),
                     optional("protocol_version", message.protocol_version),
                     optional("supported_transports", message.supported_transports),
                     optional("supported_topologies", message.supported_topologies),
                     optional("requested_capabilities", message.requested_capabilities));
}

bool read_data(byte_view data, JoinRoom& message) {
  return read_object(
      data, max_data_depth, required("game_name", message.game_name),
      required("player_name", message.player_name), optional("room_code", message.room_code),
      optional("max_players", message.max_players),
      optional("supports_authority", message.supports_authority),
      optional("relay_transport", message.relay_transport), optional("password", message.password));
}

bool read_data(byte_view data, GameData& message) {
  return read_object(data, max_data_depth, required("data", message.data),
                     absent_or("class", message.delivery), absent_or("key", message.key));
}

bool read_data(byte_view data, AuthorityRequest& message) {
  return read_object(data, max_data_depth, required("become_authority", message.become_authority));
}

bool read_data(byte_view data, ProvideConnectionInfo& message) {
  byte_view json;
  if (!read_object(data, max_data_depth, required("connection_info", json))) return false;
  std::optional<ConnectionInfo> info = read_connection_info(json);
  if (!info) return false;
  message = {std::move(*info), json.size()};
  return true;
}

bool read_data(byte_view data, Reconnect& message) {
  return read_object(data, max_data_depth, required("player_id", message.player_id),
                     required("room_id", message.room_id),
                     required("auth_token", message.auth_token));
}

bool read_data(byte_view data, JoinAsSpectator& message) {
  return read_object(data, max_data_depth, required("game_name", message.game_name),
                     required("room_code", message.room_code),
                     required("spectator_name", message.spectator_name),
                     optional("password", message.password));
}

bool read_data(byte_view data, Signal& message) {
  return read_object(data, max_data_depth, required("to", message.to),
                     absent_or("generation", message.generation),
                     required("signal", message.signal));
}

bool read_data(byte_view data, TransportStatus& message) {
  return read_object(data, max_data_depth, required("transport", message.transport),
                     required("connected", message.connected));
}

template <class Message>
requires std::is_same_v<Message, KickPlayer> || std::is_same_v<Message, BanPlayer> ||
    std::is_same_v<Message, UnbanPlayer> || std::is_same_v<Message, TransferAuthority>
bool read_data(byte_view data, Message& message) {
  return read_object(data, max_data_depth, required("player_id", message.player_id));
}

bool read_data(byte_view data, SetRoomAccess& message) {
  return read_object(data, max_data_depth, optional("password", message.password));
}

bool read_data(byte_view data, RoomOperation& message);

// --- which type it is ----------------------------------------------------------------------------

template <class AnyMessage>
struct Type {
  std::string_view name;
  bool (*read)(byte_view data, AnyMessage& out);
};

template <class AnyMessage, class Message>
bool read_as(byte_view data, AnyMessage& out) {
  Message message;
  if (!read_data(data, message)) return false;
  out = std::move(message);
  return true;
}

using Operation = decltype(RoomOperation::operation);

constexpr std::array operation_types{
    Type<Operation>{"JoinRoom", read_as<Operation, JoinRoom>},
    Type<Operation>{"LeaveRoom", read_as<Operation, LeaveRoom>},
    Type<Operation>{"Reconnect", read_as<Operation, Reconnect>},
    Type<Operation>{"JoinAsSpectator", read_as<Operation, JoinAsSpectator>},
    Type<Operation>{"LeaveSpectator", read_as<Operation, LeaveSpectator>},
    Type<Operation>{"KickPlayer", read_as<Operation, KickPlayer>},
    Type<Operation>{"BanPlayer", read_as<Operation, BanPlayer>},
    Type<Operation>{"UnbanPlayer", read_as<Operation, UnbanPlayer>},
    Type<Operation>{"SetRoomAccess", read_as<Operation, SetRoomAccess>},
    Type<Operation>{"RegenerateRoomCode", read_as<Operation, RegenerateRoomCode>},
    Type<Operation>{"TransferAuthority", read_as<Operation, TransferAuthority>},
};

template <class AnyMessage, std::size_t Count>
bool read_typed(const std::array<Type<AnyMessage>, Count>& types, std::string_view name,
                byte_view data, AnyMessage& out) {
  for (const Type<AnyMessage>& type : types) {
    if (type.name == name) return type.read(data, out);
  }
  return false;
}

// Members in any order.
template <class AnyMessage, std::size_t Count>
bool read_envelope(const std::array<Type<AnyMessage>, Count>& types, byte_view json,
                   AnyMessage& out) {
  std::string_view raw_name;
  std::optional<wire::JsonElement> data;
  if (!read_object(json, max_message_depth, required("type", raw_name), absent_or("data", data))) {
    return false;
  }
  char buffer[64];
  const byte_view value = data ? data->value : as_bytes("null");
  return read_typed(types, short_text(raw_name, buffer), value, out);
}

bool read_data(byte_view data, RoomOperation& message) {
  std::string_view raw_id;
  byte_view operation;
  if (!read_object(data, max_data_depth, required("operation_id", raw_id),
                   required("operation", operation))) {
    return false;
  }
  char buffer[64];
  const std::optional<Uuid> id = read_uuid(short_text(raw_id, buffer), true);
  if (!id) return false;
  message.operation_id = *id;
  return read_envelope(operation_types, operation, message.operation);
}

// The frequent ones first.
constexpr std::array message_types{
    Type<ClientMessage>{"GameData", read_as<ClientMessage, GameData>},
    Type<ClientMessage>{"Signal", read_as<ClientMessage, Signal>},
    Type<ClientMessage>{"Ping", read_as<ClientMessage, Ping>},
    Type<ClientMessage>{"Authenticate", read_as<ClientMessage, Authenticate>},
    Type<ClientMessage>{"JoinRoom", read_as<ClientMessage, JoinRoom>},
    Type<ClientMessage>{"LeaveRoom", read_as<ClientMessage, LeaveRoom>},
    Type<ClientMessage>{"AuthorityRequest", read_as<ClientMessage, AuthorityRequest>},
    Type<ClientMessage>{"PlayerReady", read_as<ClientMessage, PlayerReady>},
    Type<ClientMessage>{"StartGame", read_as<ClientMessage, StartGame>},
    Type<ClientMessage>{"ProvideConnectionInfo", read_as<ClientMessage, ProvideConnectionInfo>},
    Type<ClientMessage>{"Reconnect", read_as<ClientMessage, Reconnect>},
    Type<ClientMessage>{"JoinAsSpectator", read_as<ClientMessage, JoinAsSpectator>},
    Type<ClientMessage>{"LeaveSpectator", read_as<ClientMessage, LeaveSpectator>},
    Type<ClientMessage>{"TransportStatus", read_as<ClientMessage, TransportStatus>},
    Type<ClientMessage>{"RoomOperation", read_as<ClientMessage, RoomOperation>},
};

// {"type":"...","data":...} without white space and with nothing else: what nearly every client
// writes. What stands behind "data" is then looked at once and not twice. False: it is not of that
// form, or it is wrong.
bool read_common_form(std::string_view text, ClientMessage& out) {
  constexpr std::string_view before_type = R"({"type":")";
  constexpr std::string_view before_data = R"(","data":)";
  if (!text.starts_with(before_type) || !text.ends_with('}')) return false;
  text.remove_prefix(before_type.size());
  const std::size_t type_size = text.find('"');
  if (type_size == std::string_view::npos) return false;
  const std::string_view type = text.substr(0, type_size);
  text.remove_prefix(type_size);
  if (!text.starts_with(before_data)) return false;
  text.remove_prefix(before_data.size());
  // If this is one JSON value, then so is the whole: no member can hide in it.
  text.remove_suffix(1);
  return read_typed(message_types, type, as_bytes(text), out);
}

}  // namespace

result<ClientMessage> read_client_message(byte_view text) {
  ClientMessage message;
  if (read_common_form(as_text(text), message) || read_envelope(message_types, text, message)) {
    return message;
  }
  return errc::bad_syntax;
}

}  // namespace muster::signal
