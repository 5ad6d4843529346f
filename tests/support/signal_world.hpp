// SPDX-License-Identifier: MIT
// A signaling service on the memory transport, and clients that note everything they hear.
#pragma once

#include <muster/memory/network.hpp>
#include <muster/signal/service.hpp>

#include "support/catch.hpp"
#include "support/signal_auditor.hpp"
#include "support/vectors.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace test {

/// The far end of a connection to a signaling service.
class SignalClient final : public muster::Service {
 public:
  void on_message(muster::Connection&, const muster::Message& message,
                  muster::time_point) override {
    if (message.kind == muster::MessageKind::binary) {
      binaries.emplace_back(message.bytes.begin(), message.bytes.end());
      // Game data of version 3 carries what the auditor looks at; of version 2 the sender alone.
      const nlohmann::json read = nlohmann::json::from_msgpack(binaries.back(), true, false);
      nlohmann::json data = {{"hex", to_hex(message.bytes)}};
      if (read.is_object() && read.contains("seq")) {
        const auto& id = read["from_player"].get_binary();
        std::string hex = to_hex(std::as_bytes(std::span{id.data(), id.size()}));
        for (const std::size_t at : {8U, 13U, 18U, 23U}) hex.insert(at, "-");
        data["from_player"] = hex;
        data["seq"] = read["seq"];
        data["epoch"] = read["epoch"];
      }
      inbox.push_back({{"type", "(binary)"}, {"data", data}});
    } else {
      inbox.push_back(nlohmann::json::parse(muster::as_text(message.bytes)));
    }
    if (audits) {
      const std::string complaint = auditor.hear(inbox.back());
      if (!complaint.empty()) complaints.push_back(complaint);
    }
    if (when_data && (inbox.back()["type"] == "GameData" || inbox.back()["type"] == "(binary)")) {
      when_data(inbox.back()["data"]);
      inbox.pop_back();
      binaries.clear();
    }
  }
  void on_close(muster::Connection&, const muster::CloseInfo& info, muster::time_point) override {
    connection = nullptr;
    is_closed = true;
    code = info.code;
    text = info.text;
  }

  [[nodiscard]] bool is_open() const { return connection != nullptr && connection->is_open(); }

  bool send_text(std::string_view text_to_send) {
    return is_open() && connection->send({muster::as_bytes(text_to_send),
                                          muster::MessageKind::text}) == muster::SendStatus::queued;
  }
  bool send(const nlohmann::json& message) { return send_text(message.dump()); }
  bool send(std::string_view type, const nlohmann::json& data) {
    return send(nlohmann::json{{"type", type}, {"data", data}});
  }
  bool send_binary(std::string_view hex) {
    const std::vector<std::byte> bytes = from_hex(hex);
    return is_open() && connection->send({bytes}) == muster::SendStatus::queued;
  }

  /// What came since the last call.
  std::vector<nlohmann::json> take() {
    std::vector<nlohmann::json> out(inbox.begin() + static_cast<std::ptrdiff_t>(taken_),
                                    inbox.end());
    taken_ = inbox.size();
    return out;
  }

  /// The types of what came since the last call.
  std::vector<std::string> take_types() {
    std::vector<std::string> types;
    for (const nlohmann::json& message : take()) types.push_back(message["type"]);
    return types;
  }

  /// The latest message of a type; null if none came.
  [[nodiscard]] nlohmann::json last(std::string_view type) const {
    const auto found = std::find_if(inbox.rbegin(), inbox.rend(), [type](const auto& message) {
      return message["type"] == type;
    });
    return found == inbox.rend() ? nlohmann::json{} : *found;
  }
  [[nodiscard]] std::size_t count(std::string_view type) const {
    return static_cast<std::size_t>(
        std::count_if(inbox.begin(), inbox.end(),
                      [type](const auto& message) { return message["type"] == type; }));
  }

  muster::Connection* connection = nullptr;  ///< null after on_close
  std::vector<nlohmann::json> inbox;
  std::vector<std::vector<std::byte>> binaries;
  bool is_closed = false;
  std::uint16_t code = 0;
  std::string text;
  bool audits = true;
  std::function<void(const nlohmann::json&)>
      when_data;  ///< takes game data, which is not kept then
  SignalAuditor auditor;
  std::vector<std::string> complaints;  ///< of the auditor

  // Of its room.
  [[nodiscard]] std::string player_id() const { return joined()["data"]["player_id"]; }
  [[nodiscard]] std::string room_id() const { return joined()["data"]["room_id"]; }
  [[nodiscard]] std::string room_code() const { return joined()["data"]["room_code"]; }
  [[nodiscard]] std::string token() const {
    const nlohmann::json again = last("Reconnected");
    return (again.is_null() ? joined() : again)["data"].value("reconnection_token", "");
  }
  [[nodiscard]] nlohmann::json joined() const {
    nlohmann::json message = last("RoomJoined");
    REQUIRE_FALSE(message.is_null());
    return message;
  }

 private:
  std::size_t taken_ = 0;
};

using Types = std::vector<std::string>;

struct SignalWorld {
  /// Open to all, and without limits that a test would run into.
  static muster::signal::Config open_config() {
    muster::signal::Config config;
    config.require_authentication = false;
    config.max_room_creations = config.max_join_attempts = 0;
    config.max_signals = config.max_signal_errors = config.max_error_replies = 0;
    return config;
  }

  static muster::signal::Config listed_config() {
    muster::signal::Config config = open_config();
    config.require_authentication = true;
    config.apps = {{"demo-app", "Demo"}, {"other-app", "Other"}};
    return config;
  }

  /// 2026-03-01T12:00:00Z
  static constexpr std::int64_t start = 1'772'366'400'000;

  explicit SignalWorld(const muster::signal::Config& config = open_config())
      : service(config, network.outbox(), entropy, mac, start, network.now()) {
    std::string problem;
    const std::error_code invalid = muster::signal::validate(config, problem);
    INFO(problem);
    REQUIRE_FALSE(invalid);
    network.add(service);
  }
  SignalWorld(const SignalWorld&) = delete;
  SignalWorld& operator=(const SignalWorld&) = delete;
  ~SignalWorld() { network.remove(service); }

  /// A new connection to one of the endpoints.
  SignalClient& connect(std::string_view path = "/v2/ws", const muster::memory::Link& link = {}) {
    SignalClient& client = *clients.emplace_back(std::make_unique<SignalClient>());
    muster::Request request;
    request.path = path;
    client.connection = &network.connect(client, service, request, link);
    network.run_until_quiet();
    return client;
  }

  /// The same, authenticated with version 3 of the protocol.
  SignalClient& connect_v3(const nlohmann::json& more = {}, const muster::memory::Link& link = {}) {
    SignalClient& client = connect("/v2/ws", link);
    nlohmann::json data = {{"app_id", "demo-app"}, {"protocol_version", 3}};
    if (more.is_object()) data.update(more);
    client.send("Authenticate", data);
    settle();
    REQUIRE(client.take_types() == Types{"Authenticated", "ProtocolInfo"});
    return client;
  }
  SignalClient& connect_mesh() {
    return connect_v3({{"supported_transports", {"webrtc", "relay"}},
                       {"supported_topologies", {"mesh", "host", "relay"}}});
  }
  SignalClient& connect_v2(const nlohmann::json& more = {}, const muster::memory::Link& link = {}) {
    SignalClient& client = connect("/v2/ws", link);
    nlohmann::json data = {{"app_id", "demo-app"}};
    if (more.is_object()) data.update(more);
    client.send("Authenticate", data);
    settle();
    REQUIRE(client.take_types() == Types{"Authenticated", "ProtocolInfo"});
    return client;
  }

  void join(SignalClient& client, std::string_view name, std::string_view code = {},
            const nlohmann::json& more = {}) {
    nlohmann::json data = {{"game_name", "tank-duel"}, {"player_name", name}};
    if (!code.empty()) data["room_code"] = code;
    if (more.is_object()) data.update(more);
    client.send("JoinRoom", data);
    settle();
  }

  /// Everybody ready, and the game started by the first.
  void start_game(const std::vector<SignalClient*>& players) {
    for (SignalClient* const player : players) {
      player->send({{"type", "PlayerReady"}});
      settle();
    }
    players.front()->send({{"type", "StartGame"}});
    settle();
  }

  void settle() { network.run_until_quiet(); }

  /// A cut cable.
  void cut(SignalClient& client) {
    network.cut(*client.connection);
    settle();
  }

  muster::memory::Network network;
  muster::SeededEntropy entropy{7};
  muster::WeakMac mac;
  muster::signal::Service service;
  std::vector<std::unique_ptr<SignalClient>> clients;
};

}  // namespace test
