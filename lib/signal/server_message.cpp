// SPDX-License-Identifier: MIT
// The members of each message, in the order in which the original writes them.
#include "server_message.hpp"

#include "json_object.hpp"
#include "time_text.hpp"

namespace muster::signal {
namespace {

using wire::ByteWriter;

// {"type":"...","data":{...}}: the members of the inner object.
class MessageObject : public JsonObject {
 public:
  MessageObject(ByteWriter& out, std::string_view type) : JsonObject(open(out, type)), out_(out) {}

  void end() {
    JsonObject::end();
    out_.u8('}');
  }

 private:
  static ByteWriter& open(ByteWriter& out, std::string_view type) {
    out.text(R"({"type":")");
    out.text(type);
    out.text(R"(","data":)");
    return out;
  }

  ByteWriter& out_;
};

void write_unit(ByteWriter& out, std::string_view type) {
  out.text(R"({"type":")");
  out.text(type);
  out.text(R"("})");
}

void add_code(JsonObject& object, ErrorCode code) {
  if (code != ErrorCode::none) object.member("error_code", code);
}

void add_connection_info(JsonObject& object, std::string_view json) {
  if (!json.empty()) object.member("connection_info", RawJson{json});
}

void write_player(ByteWriter& out, const PlayerInfo& player, Version version) {
  JsonObject object{out};
  object.member("id", player.id)
      .member("name", player.name)
      .member("is_authority", player.is_authority)
      .member("is_ready", player.is_ready)
      .name("connected_at");
  write_time(out, player.connected_at);
  add_connection_info(object, player.connection_info);
  if (version == Version::v3) {
    object.member("epoch", player.stamp.epoch).member("seq", player.stamp.seq);
  }
  object.end();
}

void write_spectator(ByteWriter& out, const SpectatorInfo& spectator) {
  JsonObject object{out};
  object.member("id", spectator.id).member("name", spectator.name).name("connected_at");
  write_time(out, spectator.connected_at);
  object.end();
}

void write_player_name_rules(ByteWriter& out, const PlayerNameRules& rules) {
  JsonObject object{out};
  object.member("max_length", rules.max_length)
      .member("min_length", 1)
      .member("allow_unicode_alphanumeric", rules.allow_unicode_alphanumeric)
      .member("allow_spaces", rules.allow_spaces)
      .member("allow_leading_trailing_whitespace", rules.allow_leading_trailing_whitespace)
      .list("allowed_symbols", rules.allowed_symbols)
      .optional("additional_allowed_characters", rules.additional_allowed_characters)
      .end();
}

void add_players(ByteWriter& out, JsonObject& object, std::span<const PlayerInfo> players,
                 Version version) {
  object.name("current_players");
  write_array(out, players, [&](const PlayerInfo& player) { write_player(out, player, version); });
}

void add_spectators(ByteWriter& out, JsonObject& object,
                    std::span<const SpectatorInfo> spectators) {
  object.name("current_spectators");
  write_array(out, spectators,
              [&](const SpectatorInfo& spectator) { write_spectator(out, spectator); });
}

void add_ice_servers(ByteWriter& out, JsonObject& object, std::span<const IceServer> servers) {
  if (servers.empty()) return;
  object.name("ice_servers");
  write_array(out, servers, [&](const IceServer& server) {
    JsonObject entry{out};
    entry.list("urls", server.urls)
        .optional("username", server.username)
        .optional("credential", server.credential)
        .end();
  });
}

// What RoomJoined and Reconnected have in common, up to where they part.
void add_room(ByteWriter& out, JsonObject& object, const RoomView& room, const Uuid& player_id,
              bool is_authority, Version version) {
  object.member("room_id", room.room_id)
      .member("room_code", room.room_code)
      .member("player_id", player_id)
      .member("game_name", room.game_name)
      .member("max_players", room.max_players)
      .member("supports_authority", room.supports_authority);
  add_players(out, object, room.players, version);
  object.member("is_authority", is_authority)
      .member("lobby_state", room.lobby_state)
      .list("ready_players", room.ready_players)
      .member("relay_type", room.relay_type);
  add_spectators(out, object, room.spectators);
}

void write_player_id(ByteWriter& out, std::string_view type, const Uuid& player_id) {
  MessageObject object{out, type};
  object.member("player_id", player_id);
  object.end();
}

}  // namespace

// --- the connection ------------------------------------------------------------------------------

void write(ByteWriter& out, const Authenticated& message) {
  MessageObject object{out, "Authenticated"};
  object.member("app_name", message.app_name)
      .optional("organization", message.organization)
      .name("rate_limits");
  JsonObject limits{out};
  limits.member("per_minute", message.per_minute)
      .member("per_hour", message.per_hour)
      .member("per_day", message.per_day)
      .end();
  object.end();
}

void write(ByteWriter& out, const ProtocolInfo& message, Version version) {
  const std::string_view formats[] = {to_string(GameDataFormat::json),
                                      to_string(GameDataFormat::message_pack)};
  constexpr std::string_view transports[] = {"websocket"};
  MessageObject object{out, "ProtocolInfo"};
  object.optional("platform", message.platform)
      .optional("sdk_version", message.sdk_version)
      .optional("minimum_version", message.minimum_version)
      .optional("recommended_version", message.recommended_version)
      .list("capabilities", message.capabilities)
      .optional("notes", message.notes)
      .list("game_data_formats", std::span{formats}.first(message.has_message_pack ? 2 : 1));
  if (message.player_name_rules != nullptr) {
    object.name("player_name_rules");
    write_player_name_rules(out, *message.player_name_rules);
  }
  if (version == Version::v3) {
    object.member("protocol_version", message.protocol_version)
        .member("min_protocol_version", message.min_protocol_version)
        .member("max_protocol_version", message.max_protocol_version)
        .list("transports", transports);
  }
  object.end();
}

void write(ByteWriter& out, const AuthenticationError& message) {
  MessageObject object{out, "AuthenticationError"};
  object.member("error", message.error).member("error_code", message.code);
  object.end();
}

void write(ByteWriter& out, const Failure& message) {
  MessageObject object{out, message.type};
  object.member("reason", message.reason);
  add_code(object, message.code);
  object.end();
}

void write(ByteWriter& out, const Error& message) {
  MessageObject object{out, "Error"};
  object.member("message", message.message);
  add_code(object, message.code);
  object.end();
}

void write(ByteWriter& out, const Pong&) { write_unit(out, "Pong"); }

void write(ByteWriter& out, const GoingAway& message) {
  MessageObject object{out, "GoingAway"};
  object.member("deadline_ms", message.deadline)
      .optional("retry_after_secs", message.retry_after_seconds);
  object.end();
}

void write(ByteWriter& out, const TokenBindingChallenge& message) {
  MessageObject object{out, "TokenBindingChallenge"};
  object.member("version", 2)
      .member("scheme", std::string_view{"server_nonce_hkdf_sha256"})
      .member("nonce", message.nonce)
      .member("first_sequence", 1);
  object.end();
}

// --- rooms ---------------------------------------------------------------------------------------

void write(ByteWriter& out, const RoomJoined& message, Version version) {
  MessageObject object{out, "RoomJoined"};
  add_room(out, object, message.room, message.player_id, message.is_authority, version);
  if (version == Version::v3) {
    add_ice_servers(out, object, message.ice_servers);
    if (!message.reconnection_token.empty()) {
      object.member("reconnection_token", message.reconnection_token);
    }
  }
  object.end();
}

void write(ByteWriter& out, const Reconnected& message, Version version) {
  MessageObject object{out, "Reconnected"};
  add_room(out, object, message.room, message.player_id, message.is_authority, version);
  object.name("missed_events");
  write_array(out, message.missed_events, [&](const std::string& event) { out.text(event); });
  if (version == Version::v3) {
    object.member("replay", message.replay).name("sender_watermarks");
    write_array(out, message.room.players, [&](const PlayerInfo& player) {
      JsonObject watermark{out};
      watermark.member("player_id", player.id)
          .member("epoch", player.stamp.epoch)
          .member("seq", player.stamp.seq)
          .end();
    });
    add_ice_servers(out, object, message.ice_servers);
    object.member("reconnection_token", message.reconnection_token);
  }
  object.end();
}

void write(ByteWriter& out, const RoomLeft&) { write_unit(out, "RoomLeft"); }

void write(ByteWriter& out, const PlayerJoined& message, Version version) {
  MessageObject object{out, "PlayerJoined"};
  object.name("player");
  write_player(out, message.player, version);
  object.end();
}

void write(ByteWriter& out, const PlayerLeft& message, Version version) {
  MessageObject object{out, "PlayerLeft"};
  object.member("player_id", message.player_id);
  if (version == Version::v3) {
    object.member("epoch", message.last.epoch).member("final_seq", message.last.seq);
  }
  object.end();
}

void write(ByteWriter& out, const PlayerReconnected& message, Version version) {
  MessageObject object{out, "PlayerReconnected"};
  object.member("player_id", message.player_id);
  if (version == Version::v3) object.member("epoch", message.epoch);
  object.end();
}

void write(ByteWriter& out, const AuthorityChanged& message) {
  MessageObject object{out, "AuthorityChanged"};
  object.nullable("authority_player", message.authority_player)
      .member("you_are_authority", message.you_are_authority);
  object.end();
}

void write(ByteWriter& out, const AuthorityResponse& message) {
  MessageObject object{out, "AuthorityResponse"};
  object.member("granted", message.granted).nullable("reason", message.reason);
  add_code(object, message.code);
  object.end();
}

void write(ByteWriter& out, const LobbyStateChanged& message) {
  MessageObject object{out, "LobbyStateChanged"};
  object.member("lobby_state", message.lobby_state)
      .list("ready_players", message.ready_players)
      .member("all_ready", message.all_ready);
  object.end();
}

void write(ByteWriter& out, const GameStarting& message) {
  MessageObject object{out, "GameStarting"};
  object.name("peer_connections");
  write_array(out, message.peers, [&](const PeerConnection& peer) {
    JsonObject entry{out};
    entry.member("player_id", peer.player_id)
        .member("player_name", peer.player_name)
        .member("is_authority", peer.is_authority)
        .member("relay_type", peer.relay_type);
    add_connection_info(entry, peer.connection_info);
    entry.end();
  });
  object.end();
}

void write(ByteWriter& out, const RoomOperationResult& message) {
  MessageObject object{out, "RoomOperationResult"};
  object.member("operation_id", message.operation_id).member("result", RawJson{message.result});
  object.end();
}

void write(ByteWriter& out, const ModerationResult& message) {
  write_player_id(out, message.type, message.player_id);
}

// --- spectators ----------------------------------------------------------------------------------

void write(ByteWriter& out, const SpectatorJoined& message, Version version) {
  MessageObject object{out, "SpectatorJoined"};
  object.member("room_id", message.room.room_id)
      .member("room_code", message.room.room_code)
      .member("spectator_id", message.spectator_id)
      .member("game_name", message.room.game_name);
  add_players(out, object, message.room.players, version);
  add_spectators(out, object, message.room.spectators);
  object.member("lobby_state", message.room.lobby_state).optional("reason", message.reason);
  object.end();
}

void write(ByteWriter& out, const SpectatorLeft& message) {
  MessageObject object{out, "SpectatorLeft"};
  object.optional("room_id", message.room_id)
      .optional("room_code", message.room_code)
      .optional("reason", message.reason);
  add_spectators(out, object, message.spectators);
  object.end();
}

void write(ByteWriter& out, const NewSpectatorJoined& message) {
  MessageObject object{out, "NewSpectatorJoined"};
  object.name("spectator");
  write_spectator(out, message.spectator);
  add_spectators(out, object, message.spectators);
  object.optional("reason", message.reason);
  object.end();
}

void write(ByteWriter& out, const SpectatorDisconnected& message) {
  MessageObject object{out, "SpectatorDisconnected"};
  object.member("spectator_id", message.spectator_id).optional("reason", message.reason);
  add_spectators(out, object, message.spectators);
  object.end();
}

// --- peers ---------------------------------------------------------------------------------------

void write(ByteWriter& out, const PeerSignal& message) {
  MessageObject object{out, "Signal"};
  object.member("from", message.from)
      .member("generation", message.generation)
      .member("signal", RawJson{as_text(message.signal)});
  object.end();
}

void write(ByteWriter& out, const SessionPlan& message) {
  MessageObject object{out, "SessionPlan"};
  object.member("generation", message.generation)
      .member("topology", message.topology)
      .member("transport", message.transport)
      .optional("host", message.host);
  if (message.direct_host) {
    object.name("direct_endpoint");
    JsonObject endpoint{out};
    endpoint.member("host", *message.direct_host).member("port", message.direct_port).end();
  }
  object.name("peers");
  write_array(out, message.peers, [&](const SessionPeer& peer) {
    JsonObject entry{out};
    entry.member("player_id", peer.player_id)
        .member("player_name", peer.player_name)
        .member("is_authority", peer.is_authority)
        .member("initiate", peer.initiate)
        .end();
  });
  add_ice_servers(out, object, message.ice_servers);
  object.member("fallback", Transport::relay);
  object.end();
}

void write(ByteWriter& out, const PeerTransportStatus& message) {
  MessageObject object{out, "PeerTransportStatus"};
  object.member("peer_id", message.peer_id)
      .member("transport", message.transport)
      .member("connected", message.connected);
  object.end();
}

// --- accountability ------------------------------------------------------------------------------

void write(ByteWriter& out, const RelayStats& message) {
  MessageObject object{out, "RelayStats"};
  object.member("interval_ms", message.interval_ms)
      .member("sent_to_you", message.sent_to_you)
      .member("dropped_for_you", message.dropped_for_you)
      .member("backpressure_events", message.backpressure_events);
  object.end();
}

void write(ByteWriter& out, const DeliveryReport& message) {
  MessageObject object{out, "DeliveryReport"};
  object.name("per_class");
  JsonObject classes{out};
  // What can become of a message depends on its class.
  const auto add_class = [&](DeliveryClass delivery, const DeliveryCounters::PerClass& counters) {
    classes.name(to_string(delivery));
    JsonObject entry{out};
    entry.member("delivered", counters.delivered);
    if (delivery == DeliveryClass::latest) {
      entry.member("superseded", counters.superseded).member("dropped_full", counters.dropped);
    } else if (delivery == DeliveryClass::volatile_) {
      entry.member("dropped", counters.dropped);
    }
    entry.member("abandoned", counters.abandoned)
        .member("unsupported_format", counters.unsupported)
        .end();
  };
  add_class(DeliveryClass::reliable, message.counters.reliable);
  add_class(DeliveryClass::latest, message.counters.latest);
  add_class(DeliveryClass::volatile_, message.counters.volatile_);
  classes.end();
  if (!message.gaps.empty()) {
    object.name("gaps");
    write_array(out, message.gaps, [&](const Gap& gap) {
      JsonObject entry{out};
      entry.member("from_player", gap.from_player)
          .member("epoch", gap.epoch)
          .member("from_seq", gap.from_seq)
          .member("to_seq", gap.to_seq)
          .member("reason", gap.reason)
          .end();
    });
  }
  object.end();
}

}  // namespace muster::signal
