// SPDX-License-Identifier: MIT
// The lobby program in virtual time: its services on a network in memory, and bots written by hand.
#pragma once

#include "accounts.hpp"
#include "api.hpp"
#include "client_frame.hpp"
#include "dispatcher.hpp"
#include "faults.hpp"
#include "gateway.hpp"
#include "lobby.hpp"
#include "matches.hpp"

#include <muster/memory/network.hpp>
#include <muster/router.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/catch.hpp"

namespace test {

using lobby_program::Json;
using namespace std::chrono_literals;

/// One end of a connection, which notes what it hears.
struct Peer final : muster::Service {
  void on_open(muster::Connection& opened, muster::time_point) override { connection = &opened; }
  void on_message(muster::Connection&, const muster::Message& message,
                  muster::time_point) override {
    raw.emplace_back(muster::as_text(message.bytes));
    Json json = lobby_program::parse_frame(message);
    if (json.is_null()) return;
    frames.push_back(json);
    if (when_frame) when_frame(frames.back());
  }
  void on_close(muster::Connection&, const muster::CloseInfo& info, muster::time_point) override {
    connection = nullptr;
    closed = info.code;
    text = info.text;
    reason = info.reason;
  }

  void say(const Json& frame) { say_text(frame.dump()); }
  void say_text(std::string_view frame) {
    REQUIRE(connection != nullptr);
    connection->send({muster::as_bytes(frame), muster::MessageKind::text});
  }

  [[nodiscard]] std::size_t count(std::string_view type) const {
    return static_cast<std::size_t>(std::count_if(
        frames.begin(), frames.end(), [&](const Json& frame) { return frame["type"] == type; }));
  }
  /// The newest frame of that type.
  [[nodiscard]] const Json& last(std::string_view type) const {
    const auto found = std::find_if(frames.rbegin(), frames.rend(),
                                    [&](const Json& frame) { return frame["type"] == type; });
    INFO(type);
    REQUIRE(found != frames.rend());
    return *found;
  }

  muster::Connection* connection = nullptr;
  std::vector<std::string> raw;
  std::vector<Json> frames;
  std::optional<std::uint16_t> closed;
  std::string text;
  muster::CloseReason reason{};
  std::function<void(const Json&)> when_frame;
};

/// A bot of the accounts.
struct TestBot {
  lobby_program::Bot bot;
  std::string token;
};

struct LobbyConfig {
  lobby_program::Lobby::Config lobby{};
  lobby_program::Gateway::Config gateway{};
  lobby_program::Dispatcher::Config dispatcher{.game = "tic_tac_toe"};
  std::uint32_t connects_per_minute = 0;
  std::vector<lobby_program::Fault> faults{};
};

class LobbyWorld {
 public:
  using Config = LobbyConfig;

  explicit LobbyWorld(const Config& config = Config{})
      : clock(network.now(), lobby_program::WallTime{1767225600000ms}),
        accounts(mac),
        connects({.max_rooms = 0,
                  .failed_tokens_per_minute = config.connects_per_minute,
                  .empty_rooms_per_minute = 0},
                 entropy),
        faults(config.faults, network.outbox(),
               {.now = [this] { return network.now(); },
                .cut = [this](muster::Connection& end) { network.cut(end); },
                .evict = [this](const std::string& bot) { lobby.evict(bot, network.now()); },
                .revoke = [this](const std::string& bot) { accounts.revoke(bot); }}),
        lobby(config.lobby, accounts, connects, faults, clock),
        matches(
            {},
            [rules = config.dispatcher.rules](std::string_view name) {
              return lobby_program::make_game(name, rules);
            },
            faults, entropy, clock),
        dispatcher(config.dispatcher, accounts, lobby, matches, entropy, clock),
        gateway(config.gateway, accounts, matches, connects, faults, clock),
        api(accounts, lobby, matches, dispatcher, entropy, clock) {
    api.add_to(router);
    network.add(front);
    for (const char* const name : {"Ann", "Bob", "Cid"}) {
      const lobby_program::Bot bot{lobby_program::make_uuid(entropy), name};
      bots.push_back({bot, accounts.issue(bot, entropy)});
    }
  }
  LobbyWorld(const LobbyWorld&) = delete;
  LobbyWorld& operator=(const LobbyWorld&) = delete;

  Peer& dial(const std::string& path, const std::vector<std::string_view>& offers = {},
             muster::Address remote = {}, const muster::memory::Link& link = {}) {
    Peer& peer = *peers.emplace_back(std::make_unique<Peer>());
    network.connect(peer, front, {.path = path, .subprotocols = offers, .remote = remote}, link);
    network.run_until_quiet();
    return peer;
  }

  /// A lobby connection that has said who it is.
  Peer& check_in(const TestBot& bot) {
    Peer& peer = dial("/ws/external/bot/" + bot.bot.id);
    peer.say({{"type", "authenticate"}, {"token", bot.token}});
    network.run_until_quiet();
    return peer;
  }

  /// Answers pings until the end.
  Peer& stay(const TestBot& bot) {
    Peer& peer = check_in(bot);
    peer.when_frame = [&peer](const Json& frame) {
      if (frame["type"] == "ping") peer.say({{"type", "pong"}});
    };
    return peer;
  }

  /// A match between both, which they have been told of.
  void match(const TestBot& first, const TestBot& second) {
    for (const TestBot* const bot : {&first, &second}) {
      const auto answer = request("POST", "/api/external-api/matchmaking/join", bot->token);
      REQUIRE(answer.first == 200);
    }
    network.run_until_quiet();
  }

  /// A gateway connection for the seat that a lobby connection was told of.
  Peer& dial_seat(const Json& matched, const std::string& token) {
    return dial(matched["gateway_ws_url"], {"chipzen-bot-token", token});
  }

  /// The whole handshake.
  Peer& take_seat(const Json& matched, const std::string& token) {
    Peer& peer = dial_seat(matched, token);
    const std::string id = matched["match_id"];
    peer.say({{"type", "authenticate"}, {"match_id", id}, {"token", ""}});
    peer.say({{"type", "hello"},
              {"match_id", id},
              {"supported_versions", {"1.0"}},
              {"client_name", "test"},
              {"client_version", "1"},
              {"supported_games", {"tic_tac_toe", "poker"}}});
    network.run_until_quiet();
    return peer;
  }

  /// Answers each turn with its first action.
  static void play(Peer& peer) {
    peer.when_frame = [&peer](const Json& frame) {
      if (frame["type"] == "turn_request") peer.say(first_action(frame));
    };
  }
  static Json first_action(const Json& turn) {
    return {{"type", "turn_action"},
            {"match_id", turn["match_id"]},
            {"request_id", turn["request_id"]},
            {"action", turn["valid_actions"][0]},
            {"params", Json::object()}};
  }

  /// Status and body.
  std::pair<unsigned, Json> request(std::string_view method, const std::string& path,
                                    const std::string& token = {}, const std::string& body = {}) {
    const std::string bearer = "Bearer " + token;
    const std::vector<muster::HeaderField> headers{{"Authorization", bearer}};
    const auto answer = network.request(
        router,
        {.method = method, .path = path, .headers = headers, .body = muster::as_bytes(body)});
    network.run_until_quiet();
    return {answer->status, Json::parse(answer->body, nullptr, false)};
  }

  // As the program's front.
  struct Front final : muster::Service {
    explicit Front(LobbyWorld& world) : world_(world) {}
    void on_upgrade(const muster::Request& request, muster::Decision decision,
                    muster::time_point now) override {
      const bool is_lobby = request.path.starts_with(lobby_program::Lobby::path_prefix);
      muster::Service& service = is_lobby ? static_cast<muster::Service&>(world_.lobby)
                                          : static_cast<muster::Service&>(world_.gateway);
      service.on_upgrade(request, std::move(decision), now);
    }
    void on_message(muster::Connection&, const muster::Message&, muster::time_point) override {}
    void advance(muster::time_point now) override {
      world_.lobby.advance(now);
      world_.gateway.advance(now);
      world_.matches.advance(now);
      world_.dispatcher.advance(now);
      world_.faults.advance(now);
    }
    [[nodiscard]] muster::time_point next_deadline() const noexcept override {
      return std::min({world_.lobby.next_deadline(), world_.gateway.next_deadline(),
                       world_.matches.next_deadline(), world_.dispatcher.next_deadline(),
                       world_.faults.next_deadline()});
    }

   private:
    LobbyWorld& world_;
  };

  muster::memory::Network network;  // ends the connections, of which nobody is told, last
  std::vector<std::unique_ptr<Peer>> peers;
  muster::SeededEntropy entropy{5};
  muster::WeakMac mac;
  lobby_program::WallClock clock;
  lobby_program::Accounts accounts;
  muster::AddressLimits connects;
  lobby_program::Faults faults;
  lobby_program::Lobby lobby;
  lobby_program::Matches matches;
  lobby_program::Dispatcher dispatcher;
  lobby_program::Gateway gateway;
  lobby_program::Api api;
  muster::Router router;
  Front front{*this};
  std::vector<TestBot> bots;
};

}  // namespace test
