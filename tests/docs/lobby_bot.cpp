// SPDX-License-Identifier: MIT
#include <muster/asio/handler_threads.hpp>
#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_client.hpp>
#include <muster/lobby/lobby_client.hpp>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace lobby = muster::lobby;
using Game = lobby::RawGame;  // any game: its states and actions are JSON

struct FirstLegal {  // one for each match
  void on_turn(const lobby::Turn<Game>& turn, lobby::TurnReply<Game> reply) {
    reply({turn.legal.front()});  // now, or later, from any thread
  }
};

using Bot = lobby::LobbyClient<Game, FirstLegal>;

struct Watch final : Bot::Observer {
  explicit Watch(asio::io_context& on) : context(&on) {}
  void on_stopped(lobby::StopReason, muster::time_point) override { context->stop(); }
  asio::io_context* context;
};

int main() {
  const char* const token = std::getenv("CHIPZEN_EXTBOT_TOKEN");
  lobby::Config config;
  config.url = "ws://localhost:8001/ws/external/bot/my-bot";
  config.token = lobby::Token{token != nullptr ? token : ""};
  std::string problem;
  if (lobby::validate(config, problem)) return 2;

  asio::io_context context{1};
  muster::asio::Loop loop{context};
  muster::asio::SystemEntropy entropy;
  muster::asio::HandlerThreads threads{loop, 2};
  Watch watch{context};
  const auto make = [](const lobby::MatchInfo&) { return std::make_unique<FirstLegal>(); };
  std::optional<muster::asio::WebSocketClient> dialer{std::in_place, loop,
                                                      muster::websocket::Config{}, entropy};
  Bot bot{config, *dialer, loop.outbox(), entropy, threads, make, &watch};
  loop.add(bot);
  if (bot.start(loop.now())) return 1;
  context.run();
  dialer.reset();  // a bot outlives its connections
}
