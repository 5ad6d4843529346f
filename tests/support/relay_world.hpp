// SPDX-License-Identifier: MIT
// A relay on the memory transport, and peers that note everything they hear.
#pragma once

#include <muster/memory/network.hpp>
#include <muster/relay/service.hpp>

#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace test {

/// The far end of a connection to the relay: a host, a client, or whoever.
class Peer final : public muster::Service {
 public:
  void on_open(muster::Connection&, muster::time_point) override { ++opens; }
  void on_message(muster::Connection&, const muster::Message& message,
                  muster::time_point now) override {
    messages.push_back(to_hex(message.bytes));
    times.push_back(now);
    if (when_message) when_message(messages.back());
  }
  void on_close(muster::Connection&, const muster::CloseInfo& info, muster::time_point) override {
    ++closes;
    reason = info.reason;
    by_peer = info.by_peer;
    code = info.code;
    text = info.text;
    connection = nullptr;
  }

  [[nodiscard]] bool is_open() const { return connection != nullptr && connection->is_open(); }

  /// Sends one binary message; false if it cannot.
  bool send(std::string_view hex) {
    const std::vector<std::byte> bytes = from_hex(hex);
    return is_open() && connection->send({bytes}) == muster::SendStatus::queued;
  }
  bool send_text(std::string_view content) {
    return is_open() && connection->send({muster::as_bytes(content), muster::MessageKind::text}) ==
                            muster::SendStatus::queued;
  }

  /// What came since the last call.
  std::vector<std::string> take() {
    std::vector<std::string> out(messages.begin() + static_cast<std::ptrdiff_t>(taken_),
                                 messages.end());
    taken_ = messages.size();
    return out;
  }

  muster::Connection* connection = nullptr;  ///< null after on_close
  std::vector<std::string> messages;         ///< all that came, in hex
  std::vector<muster::time_point> times;
  std::function<void(const std::string&)> when_message;
  int opens = 0;
  int closes = 0;
  muster::CloseReason reason = muster::CloseReason::none;
  bool by_peer = false;
  std::uint16_t code = 0;
  std::string text;

 private:
  std::size_t taken_ = 0;
};

inline std::string hex_of(std::string_view text) { return to_hex(muster::as_bytes(text)); }

/// SERVER_ERROR with that text.
inline std::string error_hex(std::string_view text) { return "05" + hex_of(text); }

inline std::string u16_hex(unsigned value) {
  return to_hex(std::vector{static_cast<std::byte>(value >> 8U), static_cast<std::byte>(value)});
}

inline std::string response_hex(unsigned id, unsigned rule, std::uint64_t token) {
  std::string hex = "06" + u16_hex(id) + u16_hex(rule);
  for (unsigned shift = 64; shift != 0; shift -= 16) {
    hex += u16_hex(static_cast<unsigned>(token >> (shift - 16)) & 0xffffU);
  }
  return hex;
}

/// What a message of those names is cut to, where the token does not matter.
inline std::string without_token(const std::string& hex) {
  return hex.starts_with("06") && hex.size() == 26 ? hex.substr(0, 10) : hex;
}
inline std::vector<std::string> without_tokens(std::vector<std::string> messages) {
  for (std::string& message : messages) message = without_token(message);
  return messages;
}

using Messages = std::vector<std::string>;

/// The token that a peer was welcomed with.
inline std::uint64_t token_of(const Peer& peer) {
  REQUIRE_FALSE(peer.messages.empty());
  REQUIRE(peer.messages[0].starts_with("06"));
  REQUIRE(peer.messages[0].size() >= 26);
  return std::stoull(peer.messages[0].substr(10, 16), nullptr, 16);
}

struct RelayWorld {
  static constexpr std::uint64_t entropy_seed = 42;

  static muster::relay::Service::Config default_config() {
    muster::relay::Service::Config config;
    config.games.games = {{"trictrac", {}}, {"pair", {2}}, {"solo", {1}}, {"trio", {3}}};
    config.addresses.slots = 64;  // peers in memory are not limited by address
    return config;
  }

  /// A relay that keeps nothing for those who are lost, and closes whoever is slow.
  static muster::relay::Service::Config without_grace() {
    muster::relay::Service::Config config = default_config();
    config.rooms.host_grace = config.rooms.player_grace = {};
    config.rooms.slow_member = muster::relay::SlowMember::close;
    config.rooms.client_rate = {};
    config.rooms.idle = {};
    config.rooms.state_cache = 0;
    return config;
  }

  explicit RelayWorld(const muster::relay::Service::Config& config = default_config(),
                      const muster::Outbox::Config& outbox = {})
      : network(1, outbox), relay(config, network.outbox(), entropy, mac) {
    std::string problem;
    const std::error_code invalid = muster::relay::Service::validate(config, problem);
    INFO(problem);
    REQUIRE(!invalid);
    network.add(relay);
  }

  void run() { REQUIRE(network.run_until_quiet()); }

  /// A connection that is asked for but not yet open.
  Peer& connect_later(const muster::memory::Link& link = {}) {
    Peer& peer = *peers.emplace_back(std::make_unique<Peer>());
    peer.connection = &network.connect(peer, relay, {.query = query, .remote = address}, link);
    return peer;
  }
  Peer& connect(const muster::memory::Link& link = {}) {
    Peer& peer = connect_later(link);
    run();
    REQUIRE(peer.opens == 1);
    return peer;
  }

  static std::string request_hex(std::string_view game, std::string_view room, unsigned rule,
                                 bool create, std::optional<std::uint64_t> token = {}) {
    const auto bytes = muster::relay::encode_join_request(
        {game, room, static_cast<std::uint16_t>(rule), create, token, {}});
    REQUIRE(bytes);
    return to_hex(*bytes);
  }

  Peer& ask(const std::string& request, const muster::memory::Link& link = {}) {
    Peer& peer = connect(link);
    REQUIRE(peer.send(request));
    run();
    return peer;
  }
  Peer& create(std::string_view room = "room-42", std::string_view game = "trictrac",
               unsigned rule = 0, const muster::memory::Link& link = {}) {
    return ask(request_hex(game, room, rule, true), link);
  }
  Peer& join(std::string_view room = "room-42", std::string_view game = "trictrac",
             const muster::memory::Link& link = {}) {
    return ask(request_hex(game, room, 0, false), link);
  }
  Peer& reconnect(std::uint64_t token, std::string_view room = "room-42",
                  std::string_view game = "trictrac") {
    return ask(request_hex(game, room, 0, false, token));
  }

  void send(Peer& peer, std::string_view hex) {
    REQUIRE(peer.send(hex));
    run();
  }

  /// Breaks a peer's connection: no close, no last words.
  void lose(Peer& peer) {
    network.cut(*peer.connection);
    run();
  }

  /// The relay's end of a connection.
  [[nodiscard]] muster::Connection& relay_end(const Peer& peer) {
    return *network.peer_of(*peer.connection);
  }

  [[nodiscard]] std::uint64_t count(muster::relay::Ending ending) const {
    return relay.stats().endings[static_cast<std::size_t>(ending)];
  }
  [[nodiscard]] std::uint64_t endings() const {
    const auto& all = relay.stats().endings;
    return std::accumulate(all.begin(), all.end(), std::uint64_t{0});
  }

  /// The peer got the text as its last message, then the close that belongs to the ending.
  void expect_end(const Peer& peer, muster::relay::Ending ending, std::string_view last_text) {
    INFO("ending " << muster::relay::rule_of(ending).name);
    REQUIRE_FALSE(peer.messages.empty());
    CHECK(peer.messages.back() == error_hex(last_text));
    CHECK(peer.closes == 1);
    CHECK(peer.by_peer);
    CHECK(peer.code == muster::relay::rule_of(ending).code);
    CHECK(peer.reason == muster::relay::rule_of(ending).reason);
    CHECK(count(ending) != 0);
  }

  /// Everybody leaves: nothing may be left, every connection was closed once and counted once.
  void finish() {
    for (const auto& peer : peers) {
      if (peer->connection == nullptr) continue;
      network.stall(*peer->connection, false);
      peer->connection->close(muster::CloseReason::finished);
    }
    run();
    network.run_for(std::chrono::hours{1});  // past every grace
    for (std::size_t i = 0; i < peers.size(); ++i) {
      INFO("peer " << i);
      CHECK(peers[i]->closes == 1);
      CHECK(peers[i]->opens <= 1);
    }
    CHECK(relay.room_count() == 0);
    CHECK(relay.member_count() == 0);
    CHECK(network.outbox().connection_count() == 0);
    const auto opened = std::count_if(peers.begin(), peers.end(),
                                      [](const auto& peer) { return peer->opens != 0; });
    CHECK(endings() == static_cast<std::uint64_t>(opened));
  }

  std::string query;        ///< of those who connect from now on
  muster::Address address;  ///< where they connect from
  std::vector<std::unique_ptr<Peer>> peers;
  muster::SeededEntropy entropy{entropy_seed};
  muster::WeakMac mac;
  muster::memory::Network network;
  muster::relay::Service relay;
};

}  // namespace test
