// SPDX-License-Identifier: MIT
// A bot: it waits in a lobby, is given a match, and plays it on a connection of its own. Here it is
// Nim: who takes the last stick wins, and a turn takes one to three. The lobby and the match's
// gateway, with the other player behind it, are scripts.
//
//   $ build/dev/examples/04_lobby_client
//   bot: connected
//   bot: match_started
//   bot: takes 3 of 7 sticks
//   bot: takes 2 of 2 sticks
//   bot: match m1 is completed after 2 turns
//   bot: stops: max_matches
#include <muster/lobby/lobby_client.hpp>
#include <muster/memory/dialer.hpp>
#include <muster/memory/network.hpp>

#include <chrono>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace lobby = muster::lobby;
using muster::time_point;
using Game = lobby::RawGame;  // any game: its states and the parameters of its actions are JSON

struct Player {  // one for each match; it may think for long, since it never holds up the network
  void on_turn(const lobby::Turn<Game>& turn, lobby::TurnReply<Game> reply) {
    const int sticks = std::stoi(turn.state);  // if it throws, a legal action is sent in its place
    const int wanted = sticks % 4 == 0 ? 1 : sticks % 4;
    std::cout << "bot: takes " << wanted << " of " << sticks << " sticks\n";
    reply({"take_" + std::to_string(wanted)});
  }
};
using Bot = lobby::LobbyClient<Game, Player>;

struct Log final : Bot::Observer {
  void on_event(const lobby::Event& event, time_point) override {
    std::cout << "bot: " << to_string(event.kind) << '\n';
  }
  void on_result(const lobby::MatchResult& result, time_point) override {
    std::cout << "bot: match " << result.match_id << " is " << to_string(result.outcome)
              << " after " << result.turns << " turns\n";
  }
  void on_stopped(lobby::StopReason reason, time_point) override {
    std::cout << "bot: stops: " << to_string(reason) << '\n';
  }
};

// Runs players between two steps of the network. On sockets, asio::HandlerThreads does it.
class Turns final : public lobby::Executor, public muster::Service {
 public:
  void run(std::function<void()> task) override {
    tasks_.emplace_back([task = std::move(task)](time_point) { task(); });
  }
  bool post(std::function<void(time_point)> task) override {
    tasks_.push_back(std::move(task));
    return true;
  }
  void on_message(muster::Connection&, const muster::Message&, time_point) override {}
  void advance(time_point now) override {
    for (const auto& task : std::exchange(tasks_, {})) task(now);
  }
  [[nodiscard]] time_point next_deadline() const noexcept override {
    return tasks_.empty() ? muster::no_deadline : time_point::min();
  }

 private:
  std::vector<std::function<void(time_point)>> tasks_;
};

// Answers each message with the next lines, whatever it says.
using Lines = std::vector<std::string>;
struct Script final : muster::Service {
  Script(std::string protocol, std::vector<Lines> lines)
      : subprotocol(std::move(protocol)), answers(std::move(lines)) {}
  void on_upgrade(const muster::Request&, muster::Decision decision, time_point) override {
    decision.accept(*this, subprotocol);
  }
  void on_message(muster::Connection& bot, const muster::Message&, time_point) override {
    if (next == answers.size()) return;
    for (const std::string& line : answers[next++]) {
      bot.send({muster::as_bytes(line), muster::MessageKind::text});
    }
  }
  const std::string subprotocol;
  const std::vector<Lines> answers;
  std::size_t next = 0;
};

int main() {
  const std::string match = R"("match_id":"m1","participant_id":"p1","gateway_ws_url":"/m1"})";
  const std::string turn = R"({"type":"turn_request","valid_actions":["take_1","take_2","take_3"])";
  Script hall{"", {Lines{R"({"type":"hello"})", R"({"type":"matched",)" + match}}};
  Script gateway{
      "chipzen-bot-token",
      {Lines{R"({"type":"hello","selected_version":"1.0"})"},
       Lines{R"({"type":"match_start"})", turn + R"(,"request_id":"r1","state":7})"},
       Lines{turn + R"(,"request_id":"r2","state":2})"}, Lines{R"({"type":"match_end"})"}}};
  muster::memory::Network network;
  muster::memory::Dialer dialer{network};
  if (dialer.listen("wss://lobby.test/bot", hall)) return 1;
  if (dialer.listen("wss://lobby.test/m1", gateway)) return 1;

  lobby::Config config;
  config.url = "wss://lobby.test/bot";
  config.token = lobby::Token{"only-this-bot-knows-it"};
  config.max_matches = 1;
  muster::SeededEntropy entropy{1};
  const auto make = [](const lobby::MatchInfo&) { return std::make_unique<Player>(); };
  Turns turns;
  Log log;
  Bot bot{config, dialer, network.outbox(), entropy, turns, make, &log};
  network.add(turns);
  network.add(bot);
  if (bot.start(network.now())) return 1;
  network.run_for(std::chrono::seconds{1});
}
