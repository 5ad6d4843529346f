// SPDX-License-Identifier: MIT
// A signaling service and two strangers, driven by a stream of bytes, beside two players who must
// not notice them: their connections stay, and each of their messages arrives.
#include <muster/address_limits.hpp>
#include <muster/memory/network.hpp>
#include <muster/signal/service.hpp>
#include <muster/wire/byte_reader.hpp>

#include "../../lib/signal/game_data.hpp"
#include "../../lib/signal/msgpack.hpp"
#include "support/signal_auditor.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

void require(bool good, std::string_view what = {}) {
  if (good) return;
  std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

// What it hears must be what the protocol says, in the form that it has negotiated.
struct Client final : Service {
  void on_message(Connection&, const Message& message, time_point) override {
    if (message.kind == MessageKind::binary && !is_packed) {
      require(signal::read_binary_game_data(message.bytes, signal::Version::v2).has_value() ||
                  signal::read_binary_game_data(message.bytes, signal::Version::v3).has_value(),
              "a binary message that is no game data");
      has_binary = true;
      return;
    }
    std::string_view text = as_text(message.bytes);
    std::vector<std::byte> unpacked;
    if (is_packed) {
      require(message.kind == MessageKind::binary, "text for who reads MessagePack only");
      // Game data that came as binary has binary where JSON has none.
      if (text.find("GameDataBinary") != std::string_view::npos) return;
      require(!signal::msgpack_to_message(message.bytes, unpacked), "no message in MessagePack");
      text = as_text(unpacked);
    }
    const json parsed = json::parse(text, nullptr, false);
    require(parsed.is_object() && parsed.contains("type"), "no JSON");
    const json& inner = parsed["type"] == "RoomOperationResult" ? parsed["data"]["result"] : parsed;
    if (inner["type"] == "RoomJoined" || inner["type"] == "Reconnected") {
      player_id = inner["data"]["player_id"];
      room_id = inner["data"]["room_id"];
      token = inner["data"].value("reconnection_token", "");
      room_code = inner["data"]["room_code"];
    }
    if (inner["type"] == "SessionPlan") generation = inner["data"]["generation"];
    if (inner["type"] == "GameData" && inner["data"]["data"] == "tick") ++ticks;
    if (is_audited && !has_binary) {
      const std::string complaint = auditor.hear(parsed);
      require(complaint.empty(), complaint);
    }
  }
  void on_close(Connection&, const CloseInfo&, time_point) override { connection = nullptr; }

  void send(const json& message) {
    if (connection == nullptr) return;
    const std::string text = message.dump(-1, ' ', false, json::error_handler_t::replace);
    (void)connection->send({as_bytes(text), MessageKind::text});
  }

  Connection* connection = nullptr;
  bool is_packed = false;
  bool is_audited = true;
  bool has_binary = false;  // the auditor sees text only
  test::SignalAuditor auditor;
  std::string player_id = "0f0e0d0c-0b0a-4908-8706-050403020100";
  std::string room_id = player_id;
  std::string generation = player_id;
  std::string token;
  std::string room_code = "AAAAAA";
  std::uint64_t ticks = 0;
};

signal::Config config_of(std::uint8_t options, std::uint8_t more) {
  signal::Config config;
  config.require_authentication = (options & 1U) != 0;
  config.apps = {{"a", "A"}, {"b", "B"}};
  config.spectator_feed = (options & 2U) == 0;
  config.reserve_seats = (options & 4U) == 0;
  config.enable_moderation = (options & 8U) != 0;
  config.token_binding = (options & 16U) != 0;
  config.default_topology = static_cast<signal::DesiredTopology>((options >> 5U) % 3);
  config.enable_webrtc = (options & 128U) == 0;
  config.event_buffer_size = more % 4;
  config.send_queue_capacity = (more & 4U) != 0 ? 2 : 1024;
  config.send_queue_bytes = 64 * 1024;
  config.control_queue_capacity = 2;
  config.max_error_replies = (more & 8U) != 0 ? 3 : 0;
  config.max_signals = (more & 16U) != 0 ? 2 : 0;
  config.max_message_size = 2048;
  config.max_signal_bytes = config.max_connection_info_bytes = 64;
  config.max_room_creations = config.max_join_attempts = 0;
  config.delivery_stats_interval = (more & 32U) != 0 ? 10s : 0s;
  config.inactive_room_timeout = 20min;
  config.ping_interval = config.activity_timeout = 0s;  // so that nobody has to send any
  config.max_outbound_message_size = (more & 64U) != 0 ? 4096 : 1024 * 1024;
  config.turn_enabled = true;
  config.turn_secret = "s";
  config.turn_urls = {"turn:t"};
  return config;
}

// One of the messages that do something, with what the stream says.
json message_of(wire::ByteReader& input, const Client& self, const std::vector<Client*>& all) {
  constexpr std::array names{"Ada", "Bo", "Cy", "ada", "", "\xC3\xBC"};
  const auto pick = [&](const auto& list) { return list[input.u8() % list.size()]; };
  const std::uint8_t kind = input.u8();
  const std::uint8_t how = input.u8();
  const Client& other = *pick(all);
  json message;
  switch (kind % 16) {
    case 0:
      message = {
          {"type", "Authenticate"},
          {"data",
           {{"app_id", (how & 1U) != 0 ? "a" : "b"}, {"protocol_version", how % 8 / 2 + 1}}}};
      if ((how & 16U) != 0) message["data"]["game_data_format"] = "message_pack";
      if ((how & 32U) != 0) {
        message["data"]["supported_transports"] = {"webrtc", "direct"};
        message["data"]["supported_topologies"] = {"mesh", "host"};
      }
      if ((how & 64U) != 0) message["data"]["requested_capabilities"] = {"room_operation_ids"};
      return message;
    case 1:
      message = {{"type", "JoinRoom"},
                 {"data", {{"game_name", "g"}, {"player_name", pick(names)}}}};
      if ((how & 1U) == 0) message["data"]["room_code"] = other.room_code;
      if ((how & 2U) != 0) message["data"]["max_players"] = how % 8;
      if ((how & 4U) != 0) message["data"]["supports_authority"] = false;
      if ((how & 8U) != 0) message["data"]["password"] = (how & 16U) != 0 ? "p" : "q";
      break;
    case 2:
      message = {{"type", "LeaveRoom"}};
      break;
    case 3:
      message = {{"type", "Reconnect"},
                 {"data",
                  {{"player_id", other.player_id},
                   {"room_id", other.room_id},
                   {"auth_token", &other == &self || (how & 1U) != 0 ? self.token : "t"}}}};
      break;
    case 4:
      message = {
          {"type", "JoinAsSpectator"},
          {"data", {{"game_name", "g"}, {"room_code", other.room_code}, {"spectator_name", "W"}}}};
      break;
    case 5:
      message = {{"type", "LeaveSpectator"}};
      break;
    case 6:
      return {{"type", "PlayerReady"}};
    case 7:
      return {{"type", "StartGame"}};
    case 8:
      return {{"type", "AuthorityRequest"}, {"data", {{"become_authority", (how & 1U) != 0}}}};
    case 9:
      message = {{"type", "ProvideConnectionInfo"},
                 {"data", {{"connection_info", {{"type", "custom"}, {"data", how}}}}}};
      if ((how & 3U) != 0) {
        message["data"]["connection_info"] = {
            {"type", "direct"}, {"host", (how & 4U) != 0 ? "192.0.2.1" : "h"}, {"port", how / 8}};
      }
      return message;
    case 10:
      return {{"type", "Signal"},
              {"data",
               {{"to", other.player_id},
                {"generation", self.generation},
                {"signal", std::string(how % 80, 's')}}}};
    case 11:
      return {
          {"type", "TransportStatus"},
          {"data",
           {{"transport", (how & 1U) != 0 ? "webrtc" : "direct"}, {"connected", (how & 2U) != 0}}}};
    case 12:
    case 13:
      message = {{"type", "GameData"}, {"data", {{"data", std::string(how * 7U, 'd')}}}};
      if ((how & 3U) == 1) message["data"]["class"] = "volatile";
      if ((how & 3U) >= 2) {
        message["data"]["class"] = "latest";
        message["data"]["key"] = how / 64;
      }
      return message;
    case 14:
      return {{"type", "Ping"}};
    default: {
      constexpr std::array operations{"KickPlayer",    "BanPlayer",          "UnbanPlayer",
                                      "SetRoomAccess", "RegenerateRoomCode", "TransferAuthority"};
      message = {{"type", operations[how % operations.size()]},
                 {"data", {{"player_id", other.player_id}}}};
      if ((how & 64U) != 0) message["data"]["password"] = "p";
      break;
    }
  }
  if ((how & 128U) == 0 && kind % 16 != 15) return message;
  return {{"type", "RoomOperation"},
          {"data", {{"operation_id", self.player_id}, {"operation", message}}}};
}

bool is_conserved(const signal::Stats::Deliveries& of) {
  return of.attempted == of.delivered + of.superseded + of.dropped_full + of.dropped +
                             of.abandoned + of.unsupported_format;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wire::ByteReader input{std::as_bytes(std::span{data, size})};
  const std::uint8_t options = input.u8();
  const signal::Config config = config_of(options, input.u8());
  std::string problem;
  require(!signal::validate(config, problem), problem);
  memory::Network network{1};
  SeededEntropy entropy{7};
  WeakMac mac;
  AddressLimits::Config addresses;
  addresses.slots = 64;
  AddressLimits limits{addresses, entropy};
  signal::Service service{config,        network.outbox(), entropy, mac, 1'772'366'400'000,
                          network.now(), &limits};
  network.add(service);

  // The players: one room, and one of them has the authority. What anybody does to it is a
  // member's right, so moderation is not for strangers.
  std::array<Client, 2> players;
  std::array<Client, 2> strangers;
  Request request;
  request.path = "/v3/ws";
  for (Client& player : players) {
    player.connection = &network.connect(player, service, request);
    (void)network.run_until_quiet();
    player.send({{"type", "Authenticate"}, {"data", {{"app_id", "a"}}}});
    player.send({{"type", "JoinRoom"},
                 {"data",
                  {{"game_name", "g"},
                   {"player_name", &player == &players[0] ? "P" : "Q"},
                   {"room_code", "AAAAAA"}}}});
    (void)network.run_until_quiet();
  }
  const std::vector<Client*> all{&players[0], &players[1], &strangers[0], &strangers[1]};
  std::uint64_t sent = 0;
  const auto tick = [&] {
    players[0].send({{"type", "GameData"}, {"data", {{"data", "tick"}}}});
    ++sent;
    (void)network.run_until_quiet();
    require(players[1].ticks == sent, "a message between the players is lost");
  };
  tick();

  while (input.ok() && input.remaining() != 0) {
    const std::uint8_t action = input.u8();
    Client& client = strangers[(action >> 4U) % strangers.size()];
    switch (action & 15U) {
      case 0:
      case 1: {
        if (client.connection != nullptr) break;
        const std::uint8_t how = input.u8();
        Request stranger;
        stranger.path = (how & 1U) != 0 ? "/v3/ws" : "/v2/ws";
        constexpr std::array<std::string_view, 2> offers{"signalfish.msgpack.v1",
                                                         "signalfish.tokenbinding.v2"};
        constexpr std::array<HeaderField, 1> headers{
            HeaderField{"Sec-WebSocket-Key", "oKGio6SlpqeoqaqrrK2urw=="}};
        if ((how & 6U) == 2) stranger.subprotocols = std::span{offers}.first(1);
        if ((how & 6U) == 4) stranger.subprotocols = std::span{offers}.last(1);
        stranger.headers = headers;
        const std::size_t window = (how & 8U) != 0 ? 64 : 4096;
        client.is_packed = (how & 6U) == 2;
        client.has_binary = false;
        client.auditor = {};
        client.connection = &network.connect(client, service, stranger, {.window = window});
        (void)network.run_until_quiet();
        break;
      }
      case 2:
        if (client.connection != nullptr) network.cut(*client.connection);
        break;
      case 3:
        if (client.connection != nullptr) {
          network.stall(*client.connection, (input.u8() & 1U) != 0);
        }
        break;
      case 4: {
        constexpr std::array<duration, 8> spans{0ms, 1ms, 100ms, 1s, 5s, 15s, 1min, 6min};
        network.run_for(spans[input.u8() % spans.size()]);
        tick();
        break;
      }
      case 5: {  // any text
        const byte_view bytes = input.bytes(std::min<std::size_t>(input.u8(), input.remaining()));
        if (client.connection != nullptr) {
          (void)client.connection->send({bytes, MessageKind::text});
        }
        break;
      }
      case 6: {  // any bytes
        const byte_view bytes = input.bytes(std::min<std::size_t>(input.u8(), input.remaining()));
        if (client.connection != nullptr) (void)client.connection->send({bytes});
        break;
      }
      case 7: {  // any game data
        const std::string_view bytes =
            as_text(input.bytes(std::min<std::size_t>(input.u8(), input.remaining())));
        std::string text = R"({"type":"GameData","data":{"data":)";
        text.append(bytes).append("}}");
        if (client.connection != nullptr) {
          (void)client.connection->send({as_bytes(text), MessageKind::text});
        }
        break;
      }
      default:
        client.send(message_of(input, client, all));
        break;
    }
    if ((action & 128U) == 0) (void)network.run_until_quiet();
    for (const Client& player : players) {
      require(player.connection != nullptr && player.connection->is_open(),
              "a player's connection was closed");
    }
  }

  tick();
  // Whatever happened, everything ends, and everything is accounted for.
  for (Client* const client : all) {
    if (client->connection != nullptr) network.cut(*client->connection);
  }
  network.run_for(1s);
  signal::Stats stats = service.stats();
  require(stats.connections.active == 0, "a connection that is gone is counted");
  require(stats.connections.total == stats.connections.disconnections, "an end is not counted");
  require(stats.players.active == 0 && stats.spectators.active == 0, "a ghost");
  require(is_conserved(stats.reliable), "reliable messages are not conserved");
  require(is_conserved(stats.latest), "latest messages are not conserved");
  require(is_conserved(stats.volatile_), "volatile messages are not conserved");
  network.run_for(1h);
  stats = service.stats();
  require(stats.rooms.active == 0, "a room stays for ever");
  require(stats.reconnection.sessions_active == 0, "an absent player stays for ever");
  require(stats.players.joined == stats.players.left, "a player who came has not left");
  network.remove(service);
  return 0;
}
