// SPDX-License-Identifier: MIT
// A relay that does what a test tells it, and handlers that write down what they hear.
#pragma once

#include <muster/memory/dialer.hpp>
#include <muster/memory/network.hpp>
#include <muster/relay/error_text.hpp>
#include <muster/relay/host.hpp>
#include <muster/relay/join_request.hpp>
#include <muster/relay/player.hpp>

#include "support/vectors.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace test {

inline constexpr const char* relay_url = "ws://relay.test/ws";

inline std::string text_of(muster::byte_view bytes) { return std::string{muster::as_text(bytes)}; }

/// Answers every JoinRequest as it is told, and writes down what comes.
class ScriptedRelay final : public muster::Service {
 public:
  struct Join {
    std::string game_id, room_id;
    std::uint16_t rule_variation = 0;
    bool create_room = false;
    std::optional<std::uint64_t> token;
    muster::time_point at;
  };

  void on_open(muster::Connection& connection, muster::time_point) override {
    ++open_;
    most_open = std::max(most_open, open_);
    connection.set_context(this);
  }

  void on_message(muster::Connection& connection, const muster::Message& message,
                  muster::time_point now) override {
    if (current != &connection) {
      const auto request = muster::relay::decode_join_request(message.bytes);
      if (!request) return;
      joins.push_back({std::string{request->game_id}, std::string{request->room_id},
                       request->rule_variation, request->create_room, request->reconnect_token,
                       now});
      current = &connection;
      answer(connection);
      return;
    }
    heard.push_back(to_hex(message.bytes));
  }

  void on_close(muster::Connection& connection, const muster::CloseInfo& info,
                muster::time_point) override {
    if (connection.context<ScriptedRelay>() != nullptr) --open_;
    if (current == &connection) current = nullptr;
    closes.push_back(info.code);
  }

  void say(std::string_view hex) {
    if (current != nullptr) current->send({from_hex(hex)});
  }
  void welcome(std::uint16_t player, std::uint64_t token = 77) {
    current->send({muster::relay::encode_handshake_response({player, 5, token})});
  }
  /// Last words and a close, as a relay ends a connection.
  void end(std::string_view text, std::uint16_t code = 1008) {
    const auto words = muster::relay::encode_server_error(text);
    current->close(muster::CloseReason::refused, code, {}, {words});
  }

  std::function<void(muster::Connection&)> answer = [](muster::Connection&) {};
  std::vector<Join> joins;
  std::vector<std::string> heard;
  std::vector<std::uint16_t> closes;
  muster::Connection* current = nullptr;
  int most_open = 0;

 private:
  int open_ = 0;
};

/// Lines such as "joined 1", "away connection_lost", "end left".
template <class Base>
class Log : public Base {
 public:
  void on_away(muster::relay::Parting parting, std::string_view text, muster::time_point next,
               muster::time_point now) override {
    add("away " + std::string{to_string(parting)});
    last_text = text;
    waits.push_back(next - now);
  }
  void on_end(muster::relay::Parting parting, std::string_view text, muster::time_point) override {
    add("end " + std::string{to_string(parting)});
    last_text = text;
    ++ends;
  }

  void add(std::string line) { lines.push_back(std::move(line)); }
  /// What was heard since the last call.
  std::vector<std::string> take() { return std::exchange(lines, {}); }

  std::vector<std::string> lines;
  std::vector<muster::duration> waits;
  std::string last_text;
  int ends = 0;
};

class PlayerLog : public Log<muster::relay::Player::Handler> {
 public:
  void on_joined(const muster::relay::HandshakeResponse& response, bool again,
                 muster::time_point) override {
    add((again ? "again " : "joined ") + std::to_string(response.player_id));
    if (then) then();
  }
  void on_full(muster::byte_view state, muster::time_point) override {
    add("full " + text_of(state));
    value = text_of(state);
  }
  void on_delta(muster::byte_view changes, muster::time_point) override {
    add("delta " + text_of(changes));
    value += text_of(changes);
  }
  void on_reset(muster::byte_view state, muster::time_point) override {
    add("reset " + text_of(state));
    value = text_of(state);
  }

  std::function<void()> then;
  std::string value;  // a state is a text, and a delta what follows it
};

class HostLog : public Log<muster::relay::Host::Handler> {
 public:
  void on_created(const muster::relay::HandshakeResponse&, bool again,
                  muster::time_point) override {
    add(again ? "again" : "created");
  }
  void on_arrival(std::uint16_t id, muster::time_point) override {
    add("arrival " + std::to_string(id));
  }
  void on_departure(std::uint16_t id, muster::time_point) override {
    add("departure " + std::to_string(id));
  }
  void on_rpc(std::uint16_t id, muster::byte_view payload, muster::time_point now) override {
    add("rpc " + std::to_string(id) + " " + text_of(payload));
    if (rpc) rpc(id, text_of(payload), now);
  }
  std::vector<std::byte> full_state() override {
    ++asked;
    const auto bytes = muster::as_bytes(value);
    return {bytes.begin(), bytes.end()};
  }
  void on_timer(std::uint16_t id, muster::time_point now) override {
    add("timer " + std::to_string(id));
    if (timer) timer(id, now);
  }

  std::function<void(std::uint16_t, const std::string&, muster::time_point)> rpc;
  std::function<void(std::uint16_t, muster::time_point)> timer;
  std::string value = "S";
  int asked = 0;
};

using Lines = std::vector<std::string>;

/// A network with a scripted relay on it.
struct MemberFixture {
  MemberFixture() { (void)dialer.listen(relay_url, relay); }

  [[nodiscard]] static muster::relay::MemberConfig config() {
    muster::relay::MemberConfig config;
    config.url = relay_url;
    config.game_id = "chess";
    config.room_id = "r";
    config.rule_variation = 5;
    return config;
  }

  muster::memory::Network network{42};
  muster::memory::Dialer dialer{network, {.latency = std::chrono::milliseconds{5}}};
  muster::SeededEntropy entropy{9};
  ScriptedRelay relay;
};

}  // namespace test
