// SPDX-License-Identifier: MIT
// Messages of the signaling protocol between nlohmann::json and the library's structs, so that a
// test can write any of a server's from its fields, and see the fields of any of a client's.
#pragma once

#include <muster/wire/byte_writer.hpp>

#include "../lib/signal/client_message.hpp"
#include "../lib/signal/server_message.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace test {

namespace signal = muster::signal;
using nlohmann::json;

inline signal::Uuid uuid_of(const json& value) {
  return signal::read_uuid(value.get_ref<const std::string&>()).value();
}

inline std::string text_of(const signal::Uuid& uuid) {
  return std::string{signal::view(signal::to_text(uuid))};
}

/// "2026-03-01T12:00:07.250Z" in milliseconds since 1970.
inline std::int64_t time_of(const json& value) {
  int year = 0;
  unsigned month = 0;
  unsigned day = 0;
  unsigned hour = 0;
  unsigned minute = 0;
  double second = 0;
  const auto& text = value.get_ref<const std::string&>();
  if (std::sscanf(text.c_str(), "%d-%u-%uT%u:%u:%lfZ", &year, &month, &day, &hour, &minute,
                  &second) != 6) {
    throw std::invalid_argument("not a time: " + text);
  }
  using namespace std::chrono;
  const sys_days date = std::chrono::year{year} / std::chrono::month{month} / std::chrono::day{day};
  return date.time_since_epoch() / milliseconds{1} + (hour * 60 + minute) * std::int64_t{60'000} +
         static_cast<std::int64_t>(second * 1000 + 0.5);
}

// --- a client's ----------------------------------------------------------------------------------

/// The fields of a message that was read; a field that is not there is left out.
class ClientFields {
 public:
  static json of(const signal::ClientMessage& message) {
    return std::visit(ClientFields{}, message);
  }

  template <class Message>
  json operator()(const Message& message) const {
    json data = fields(message);
    return data.is_null() ? json{{"type", name(message)}}
                          : json{{"type", name(message)}, {"data", data}};
  }

 private:
  template <class Value>
  static void put(json& data, const char* key, const std::optional<Value>& value) {
    if (!value) return;
    if constexpr (std::is_enum_v<Value>) {
      data[key] = std::string{to_string(*value)};
    } else {
      data[key] = *value;
    }
  }
  template <class Word>
  static void put(json& data, const char* key, const std::optional<std::vector<Word>>& words) {
    if (!words) return;
    data[key] = json::array();
    for (const Word& word : *words) {
      if constexpr (std::is_enum_v<Word>) {
        data[key].push_back(std::string{to_string(word)});
      } else {
        data[key].push_back(word);
      }
    }
  }
  static json parsed(muster::byte_view bytes) { return json::parse(muster::as_text(bytes)); }

  static std::string name(const signal::Authenticate&) { return "Authenticate"; }
  static json fields(const signal::Authenticate& message) {
    json data{{"app_id", message.app_id}};
    put(data, "sdk_version", message.sdk_version);
    put(data, "platform", message.platform);
    put(data, "game_data_format", message.game_data_format);
    put(data, "protocol_version", message.protocol_version);
    put(data, "supported_transports", message.supported_transports);
    put(data, "supported_topologies", message.supported_topologies);
    put(data, "requested_capabilities", message.requested_capabilities);
    return data;
  }
  static std::string name(const signal::JoinRoom&) { return "JoinRoom"; }
  static json fields(const signal::JoinRoom& message) {
    json data{{"game_name", message.game_name}, {"player_name", message.player_name}};
    put(data, "room_code", message.room_code);
    put(data, "max_players", message.max_players);
    put(data, "supports_authority", message.supports_authority);
    put(data, "relay_transport", message.relay_transport);
    put(data, "password", message.password);
    return data;
  }
  static std::string name(const signal::LeaveRoom&) { return "LeaveRoom"; }
  static json fields(const signal::LeaveRoom&) { return {}; }
  static std::string name(const signal::GameData&) { return "GameData"; }
  static json fields(const signal::GameData& message) {
    json data{{"data", parsed(message.data)}};
    put(data, "class", message.delivery);
    put(data, "key", message.key);
    return data;
  }
  static std::string name(const signal::AuthorityRequest&) { return "AuthorityRequest"; }
  static json fields(const signal::AuthorityRequest& message) {
    return {{"become_authority", message.become_authority}};
  }
  static std::string name(const signal::PlayerReady&) { return "PlayerReady"; }
  static json fields(const signal::PlayerReady&) { return {}; }
  static std::string name(const signal::StartGame&) { return "StartGame"; }
  static json fields(const signal::StartGame&) { return {}; }
  static std::string name(const signal::ProvideConnectionInfo&) { return "ProvideConnectionInfo"; }
  static json fields(const signal::ProvideConnectionInfo& message) {
    return {{"connection_info", json::parse(message.info.json)}};
  }
  static std::string name(const signal::Ping&) { return "Ping"; }
  static json fields(const signal::Ping&) { return {}; }
  static std::string name(const signal::Reconnect&) { return "Reconnect"; }
  static json fields(const signal::Reconnect& message) {
    return {{"player_id", text_of(message.player_id)},
            {"room_id", text_of(message.room_id)},
            {"auth_token", message.auth_token}};
  }
  static std::string name(const signal::JoinAsSpectator&) { return "JoinAsSpectator"; }
  static json fields(const signal::JoinAsSpectator& message) {
    json data{{"game_name", message.game_name},
              {"room_code", message.room_code},
              {"spectator_name", message.spectator_name}};
    put(data, "password", message.password);
    return data;
  }
  static std::string name(const signal::LeaveSpectator&) { return "LeaveSpectator"; }
  static json fields(const signal::LeaveSpectator&) { return {}; }
  static std::string name(const signal::Signal&) { return "Signal"; }
  static json fields(const signal::Signal& message) {
    return {{"to", text_of(message.to)},
            {"generation", text_of(message.generation.value())},
            {"signal", parsed(message.signal)}};
  }
  static std::string name(const signal::TransportStatus&) { return "TransportStatus"; }
  static json fields(const signal::TransportStatus& message) {
    return {{"transport", std::string{to_string(message.transport)}},
            {"connected", message.connected}};
  }
  static std::string name(const signal::KickPlayer&) { return "KickPlayer"; }
  static std::string name(const signal::BanPlayer&) { return "BanPlayer"; }
  static std::string name(const signal::UnbanPlayer&) { return "UnbanPlayer"; }
  static std::string name(const signal::TransferAuthority&) { return "TransferAuthority"; }
  template <class Message>
  requires requires(Message m) { requires sizeof m == sizeof m.player_id; }
  static json fields(const Message& message) { return {{"player_id", text_of(message.player_id)}}; }
  static std::string name(const signal::SetRoomAccess&) { return "SetRoomAccess"; }
  static json fields(const signal::SetRoomAccess& message) {
    json data = json::object();
    put(data, "password", message.password);
    return data;
  }
  static std::string name(const signal::RegenerateRoomCode&) { return "RegenerateRoomCode"; }
  static json fields(const signal::RegenerateRoomCode&) { return {}; }
  static std::string name(const signal::RoomOperation&) { return "RoomOperation"; }
  static json fields(const signal::RoomOperation& message) {
    return {{"operation_id", text_of(message.operation_id)},
            {"operation", std::visit(ClientFields{}, message.operation)}};
  }
};

// --- a server's ----------------------------------------------------------------------------------

/// Writes a message of a server from its fields, by the library. Throws for a type that a server
/// does not send.
class ServerMessage {
 public:
  ServerMessage(const json& message, signal::Version version)
      : type_(message.at("type").get<std::string>()),
        data_(message.value("data", json::object())),
        version_(version) {}

  std::string text() {
    std::vector<std::byte> bytes;
    muster::wire::ByteWriter out{bytes};
    write(out);
    return std::string{muster::as_text(bytes)};
  }

 private:
  using Version = signal::Version;

  std::string_view view_of(const json& data, const char* key) const {
    return data.at(key).get_ref<const std::string&>();
  }
  std::string_view string(const char* key) const { return view_of(data_, key); }
  std::optional<std::string_view> maybe(const char* key) const {
    const auto found = data_.find(key);
    if (found == data_.end() || found->is_null()) return std::nullopt;
    return found->get_ref<const std::string&>();
  }
  signal::Uuid uuid(const char* key) const { return uuid_of(data_.at(key)); }
  std::optional<signal::Uuid> maybe_uuid(const char* key) const {
    const auto text = maybe(key);
    return text ? signal::read_uuid(*text) : std::nullopt;
  }
  template <class Integer>
  Integer number(const char* key) const {
    return data_.at(key).get<Integer>();
  }
  bool flag(const char* key) const { return data_.at(key).get<bool>(); }
  template <class Word>
  Word word(const char* key) const {
    return signal::read_word<Word>(string(key)).value();
  }
  std::optional<signal::SpectatorChange> reason() const {
    const auto text = maybe("reason");
    return text ? signal::read_word<signal::SpectatorChange>(*text) : std::nullopt;
  }
  signal::ErrorCode code() const {
    const auto text = maybe("error_code");
    if (!text) return signal::ErrorCode::none;
    for (int i = 1; i < 256; ++i) {
      const auto code = static_cast<signal::ErrorCode>(i);
      if (to_string(code) == *text) return code;
      if (to_string(code).empty()) break;
    }
    throw std::invalid_argument("an error code that the library lacks");
  }

  signal::PlayerInfo player(const json& data) {
    signal::PlayerInfo info;
    info.id = uuid_of(data.at("id"));
    info.name = view_of(data, "name");
    info.is_authority = data.at("is_authority").get<bool>();
    info.is_ready = data.at("is_ready").get<bool>();
    info.connected_at = time_of(data.at("connected_at"));
    if (data.contains("connection_info")) {
      info.connection_info = keep(data.at("connection_info"));
    }
    info.stamp = {data.value("epoch", 1U), data.value("seq", std::uint64_t{0})};
    return info;
  }
  static signal::SpectatorInfo spectator(const json& data) {
    return {uuid_of(data.at("id")), data.at("name").get_ref<const std::string&>(),
            time_of(data.at("connected_at"))};
  }
  void read_players() {
    for (const json& entry : data_.at("current_players")) players_.push_back(player(entry));
  }
  void read_spectators() {
    for (const json& entry : data_.at("current_spectators")) {
      spectators_.push_back(spectator(entry));
    }
  }
  void read_ready_players() {
    for (const json& entry : data_.at("ready_players")) ready_players_.push_back(uuid_of(entry));
  }
  void read_ice_servers() {
    for (const json& entry : data_.value("ice_servers", json::array())) {
      signal::IceServer server{entry.at("urls").get<std::vector<std::string>>()};
      if (entry.contains("username")) server.username = entry.at("username").get<std::string>();
      if (entry.contains("credential")) {
        server.credential = entry.at("credential").get<std::string>();
      }
      ice_servers_.push_back(std::move(server));
    }
  }

  // JSON in the order of the original, as the vectors' text has it.
  std::string_view keep(const json& value) {
    std::string text = value.dump();
    if (value.value("type", "") == "direct") {
      text = R"({"type":"direct","host":)" + value.at("host").dump() + R"(,"port":)" +
             value.at("port").dump() + "}";
    }
    return *kept_.emplace_back(std::make_unique<std::string>(std::move(text)));
  }

  signal::RoomView room() {
    read_players();
    read_spectators();
    signal::RoomView view;
    view.room_id = uuid("room_id");
    view.room_code = string("room_code");
    view.game_name = string("game_name");
    view.players = players_;
    view.lobby_state = word<signal::LobbyState>("lobby_state");
    view.spectators = spectators_;
    if (data_.contains("max_players")) {
      read_ready_players();
      view.max_players = number<std::uint8_t>("max_players");
      view.supports_authority = flag("supports_authority");
      view.ready_players = ready_players_;
      view.relay_type = string("relay_type");
    }
    return view;
  }

  void write(muster::wire::ByteWriter& out);

  std::string type_;
  json data_;
  Version version_;
  std::vector<signal::PlayerInfo> players_;
  std::vector<signal::SpectatorInfo> spectators_;
  std::vector<signal::Uuid> ready_players_;
  std::vector<signal::IceServer> ice_servers_;
  std::vector<std::unique_ptr<std::string>> kept_;
};

inline void ServerMessage::write(muster::wire::ByteWriter& out) {
  namespace s = signal;
  if (type_ == "Authenticated") {
    const json& limits = data_.at("rate_limits");
    s::write(out, s::Authenticated{string("app_name"), maybe("organization"),
                                   limits.at("per_minute").get<std::uint32_t>(),
                                   limits.at("per_hour").get<std::uint32_t>(),
                                   limits.at("per_day").get<std::uint32_t>()});
  } else if (type_ == "ProtocolInfo") {
    std::vector<std::string_view> capabilities;
    for (const json& entry : data_.at("capabilities")) {
      capabilities.push_back(entry.get_ref<const std::string&>());
    }
    s::ProtocolInfo info;
    info.platform = maybe("platform");
    info.sdk_version = maybe("sdk_version");
    info.minimum_version = maybe("minimum_version");
    info.recommended_version = maybe("recommended_version");
    info.capabilities = capabilities;
    info.notes = maybe("notes");
    info.has_message_pack = data_.at("game_data_formats").size() == 2;
    s::PlayerNameRules rules;
    if (data_.contains("player_name_rules")) {
      rules.allowed_symbols = data_["player_name_rules"]["allowed_symbols"];
      info.player_name_rules = &rules;
    }
    s::write(out, info, version_);
  } else if (type_ == "AuthenticationError") {
    s::write(out, s::AuthenticationError{string("error"), code()});
  } else if (type_ == "RoomJoined") {
    read_ice_servers();
    s::RoomJoined message{room(), uuid("player_id"), flag("is_authority"), ice_servers_};
    message.reconnection_token = maybe("reconnection_token").value_or("");
    s::write(out, message, version_);
  } else if (type_ == "Reconnected") {
    read_ice_servers();
    std::vector<std::string> events;
    for (const json& event : data_.at("missed_events")) {
      events.push_back(ServerMessage{event, version_}.text());
    }
    s::Reconnected message{room(), uuid("player_id"), flag("is_authority"), events};
    if (version_ == Version::v3) message.replay = word<s::ReplayStatus>("replay");
    message.ice_servers = ice_servers_;
    message.reconnection_token = maybe("reconnection_token").value_or("");
    s::write(out, message, version_);
  } else if (type_ == "SpectatorJoined") {
    s::write(out, s::SpectatorJoined{room(), uuid("spectator_id"), reason()}, version_);
  } else if (type_ == "RoomJoinFailed" || type_ == "SpectatorJoinFailed" ||
             type_ == "OperationFailed" || type_ == "ReconnectionFailed") {
    s::write(out, s::Failure{type_, string("reason"), code()});
  } else if (type_ == "RoomLeft") {
    s::write(out, s::RoomLeft{});
  } else if (type_ == "Pong") {
    s::write(out, s::Pong{});
  } else if (type_ == "PlayerJoined") {
    s::write(out, s::PlayerJoined{player(data_.at("player"))}, version_);
  } else if (type_ == "PlayerLeft") {
    const s::Stamp last{data_.value("epoch", 1U), data_.value("final_seq", std::uint64_t{0})};
    s::write(out, s::PlayerLeft{uuid("player_id"), last}, version_);
  } else if (type_ == "PlayerReconnected") {
    s::write(out, s::PlayerReconnected{uuid("player_id"), data_.value("epoch", 1U)}, version_);
  } else if (type_ == "AuthorityChanged") {
    s::write(out, s::AuthorityChanged{maybe_uuid("authority_player"), flag("you_are_authority")});
  } else if (type_ == "AuthorityResponse") {
    s::write(out, s::AuthorityResponse{flag("granted"), maybe("reason"), code()});
  } else if (type_ == "LobbyStateChanged") {
    read_ready_players();
    s::write(out, s::LobbyStateChanged{word<s::LobbyState>("lobby_state"), ready_players_,
                                       flag("all_ready")});
  } else if (type_ == "GameStarting") {
    std::vector<s::PeerConnection> peers;
    for (const json& entry : data_.at("peer_connections")) {
      peers.push_back({uuid_of(entry.at("player_id")), view_of(entry, "player_name"),
                       entry.at("is_authority").get<bool>(), view_of(entry, "relay_type")});
      if (entry.contains("connection_info")) {
        peers.back().connection_info = keep(entry.at("connection_info"));
      }
    }
    s::write(out, s::GameStarting{peers});
  } else if (type_ == "SpectatorLeft") {
    read_spectators();
    s::write(out,
             s::SpectatorLeft{maybe_uuid("room_id"), maybe("room_code"), reason(), spectators_});
  } else if (type_ == "NewSpectatorJoined") {
    read_spectators();
    s::write(out, s::NewSpectatorJoined{spectator(data_.at("spectator")), spectators_, reason()});
  } else if (type_ == "SpectatorDisconnected") {
    read_spectators();
    s::write(out, s::SpectatorDisconnected{uuid("spectator_id"), reason(), spectators_});
  } else if (type_ == "Error") {
    s::write(out, s::Error{string("message"), code()});
  } else if (type_ == "Signal") {
    const std::string body = data_.at("signal").dump();
    s::write(out, s::PeerSignal{uuid("from"), uuid("generation"), muster::as_bytes(body)});
  } else if (type_ == "SessionPlan") {
    read_ice_servers();
    s::SessionPlan plan;
    plan.generation = uuid("generation");
    plan.topology = word<s::Topology>("topology");
    plan.transport = word<s::Transport>("transport");
    plan.host = maybe_uuid("host");
    if (data_.contains("direct_endpoint")) {
      plan.direct_host = view_of(data_.at("direct_endpoint"), "host");
      plan.direct_port = data_.at("direct_endpoint").at("port").get<std::uint16_t>();
    }
    std::vector<s::SessionPeer> peers;
    for (const json& entry : data_.at("peers")) {
      peers.push_back({uuid_of(entry.at("player_id")), view_of(entry, "player_name"),
                       entry.at("is_authority").get<bool>(), entry.at("initiate").get<bool>()});
    }
    plan.peers = peers;
    plan.ice_servers = ice_servers_;
    s::write(out, plan);
  } else if (type_ == "PeerTransportStatus") {
    s::write(out, s::PeerTransportStatus{uuid("peer_id"), word<s::Transport>("transport"),
                                         flag("connected")});
  } else if (type_ == "RelayStats") {
    s::write(out, s::RelayStats{number<std::uint64_t>("interval_ms"),
                                number<std::uint64_t>("sent_to_you"),
                                number<std::uint64_t>("dropped_for_you"),
                                number<std::uint64_t>("backpressure_events")});
  } else if (type_ == "DeliveryReport") {
    const auto counters = [&](const char* name) {
      const json& c = data_.at("per_class").at(name);
      return s::DeliveryCounters::PerClass{
          c.at("delivered").get<std::uint64_t>(), c.value("superseded", std::uint64_t{0}),
          c.value("dropped", std::uint64_t{0}) + c.value("dropped_full", std::uint64_t{0}),
          c.at("abandoned").get<std::uint64_t>(), c.at("unsupported_format").get<std::uint64_t>()};
    };
    std::vector<s::Gap> gaps;
    for (const json& entry : data_.value("gaps", json::array())) {
      gaps.push_back({uuid_of(entry.at("from_player")), entry.at("epoch").get<std::uint32_t>(),
                      entry.at("from_seq").get<std::uint64_t>(),
                      entry.at("to_seq").get<std::uint64_t>(),
                      s::read_word<s::GapReason>(view_of(entry, "reason")).value()});
    }
    s::write(out, s::DeliveryReport{
                      {counters("reliable"), counters("latest"), counters("volatile")}, gaps});
  } else if (type_ == "GoingAway") {
    s::GoingAway message{number<std::int64_t>("deadline_ms")};
    if (data_.contains("retry_after_secs")) {
      message.retry_after_seconds = number<std::uint32_t>("retry_after_secs");
    }
    s::write(out, message);
  } else if (type_ == "RoomOperationResult") {
    const std::string inner = ServerMessage{data_.at("result"), version_}.text();
    s::write(out, s::RoomOperationResult{uuid("operation_id"), inner});
  } else if (type_ == "PlayerKicked" || type_ == "PlayerBanned" || type_ == "PlayerUnbanned" ||
             type_ == "AuthorityTransferred") {
    s::write(out, s::ModerationResult{type_, uuid("player_id")});
  } else if (type_ == "TokenBindingChallenge") {
    s::write(out, s::TokenBindingChallenge{string("nonce")});
  } else {
    throw std::invalid_argument("a server does not send " + type_);
  }
}

}  // namespace test
