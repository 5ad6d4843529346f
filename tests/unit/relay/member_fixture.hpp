// SPDX-License-Identifier: MIT
// A relay that does what a test tells it, and handlers that write down what they hear.
#pragma once

#include <muster/memory/dialer.hpp>
#include <muster/memory/network.hpp>
#include <muster/relay/error_text.hpp>
#include <muster/relay/extension.hpp>
#include <muster/relay/host.hpp>
#include <muster/relay/join_request.hpp>
#include <muster/relay/player.hpp>

#include "support/vectors.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace test {

inline constexpr const char* relay_url = "ws://relay.test/ws";

inline std::string text_of(muster::byte_view bytes) { return std::string{muster::as_text(bytes)}; }

/// Such as "0 joined 3 seat 1 Zoe"; the first is the flags.
inline std::string text_of(const muster::relay::MemberEvent& event) {
  constexpr std::array names{"joined", "away", "back", "left", "kicked", "expired"};
  std::string text = std::to_string(event.flags) + " " +
                     names.at(static_cast<std::size_t>(event.change)) + " " +
                     std::to_string(event.player_id);
  if (event.seat != muster::relay::no_seat) text += " seat " + std::to_string(event.seat);
  if (!event.name.empty()) text += " " + std::string{event.name};
  return text;
}

/// Answers every JoinRequest as it is told, and writes down what comes.
class ScriptedRelay final : public muster::Service {
 public:
  struct Join {
    std::string game_id, room_id;
    std::uint16_t rule_variation = 0;
    bool create_room = false;
    std::optional<std::uint64_t> token;
    std::string trailer;
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
                       to_hex(request->trailer), now});
      current = &connection;
      answer(connection);
      return;
    }
    heard.push_back(to_hex(message.bytes));
    if (hear) hear(heard.back());
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
  /// With a trailer behind it.
  void welcome(std::uint16_t player, const muster::relay::Trailer& trailer,
               std::uint64_t token = 77) {
    const auto response = muster::relay::encode_handshake_response({player, 5, token});
    std::vector<std::byte> message{response.begin(), response.end()};
    append_trailer(message, trailer);
    current->send({message});
  }
  /// Last words and a close, as a relay ends a connection.
  void end(std::string_view text, std::uint16_t code = 1008) {
    const auto words = muster::relay::encode_server_error(text);
    current->close(muster::CloseReason::refused, code, {}, {words});
  }

  std::function<void(muster::Connection&)> answer = [](muster::Connection&) {};
  std::function<void(const std::string&)> hear;  // what else is done about a message
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

  void on_targeted(muster::byte_view payload, muster::time_point) override {
    add("targeted " + text_of(payload));
  }
  void on_member(const muster::relay::MemberEvent& event, muster::time_point) override {
    add("member " + text_of(event));
    if (then) then();
  }
  void on_host_state(const muster::relay::HostState& state, muster::time_point) override {
    add("host " + std::to_string(static_cast<int>(state.presence)) + " " +
        std::to_string(state.player_id) + " " + std::to_string(state.remaining_ms));
  }
  void on_room_info(const muster::relay::RoomInfo& info, muster::time_point) override {
    add(std::string{info.is_open ? "open" : "closed"} + (info.is_listed ? " listed " : " ") +
        text_of(info.metadata));
  }
  bool on_host_offer(muster::duration remaining, muster::time_point) override {
    add("offer " + std::to_string(remaining / std::chrono::milliseconds{1}));
    return accepts;
  }
  void on_promoted(std::uint64_t token, muster::time_point) override {
    add("promoted " + std::to_string(token));
    if (promoted) promoted(token);
  }

  std::function<void()> then;
  std::function<void(std::uint64_t)> promoted;
  bool accepts = false;
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

  void on_member(const muster::relay::MemberEvent& event, muster::time_point) override {
    add("member " + text_of(event));
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
