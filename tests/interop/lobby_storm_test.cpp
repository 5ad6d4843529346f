// SPDX-License-Identifier: MIT
// Tournaments in which all kinds of things go wrong, with bots that come back.
#include "lobby_world.hpp"

#include <array>
#include <map>
#include <random>

using test::Json;
using test::LobbyWorld;
using test::Peer;
using test::TestBot;
using namespace std::chrono_literals;

namespace {

// A bot that dials whatever it was told of until it has heard the end of it.
class Player {
 public:
  Player(LobbyWorld& world, const TestBot& bot) : world_(world), bot_(bot) {}

  void step() {
    if (lobby_ == nullptr || lobby_->closed) {
      lobby_ = &world_.stay(bot_);
      read_ = 0;
    }
    for (; read_ < lobby_->frames.size(); ++read_) {
      const Json& frame = lobby_->frames[read_];
      if (frame["type"] == "matched") seats_.try_emplace(frame["match_id"], Seat{frame});
    }
    for (auto& [id, seat] : seats_) {
      const bool is_gone = seat.peer != nullptr && seat.peer->closed.has_value();
      if (is_gone && seat.peer->closed == 4002) seat.is_over = true;  // it ended without us
      if (!seat.is_over && (seat.peer == nullptr || is_gone)) dial(seat);
    }
  }

  [[nodiscard]] std::size_t told() const { return seats_.size(); }
  [[nodiscard]] std::size_t live() const {
    return static_cast<std::size_t>(
        std::count_if(seats_.begin(), seats_.end(), [](const auto& entry) {
          return !entry.second.is_over && entry.second.peer != nullptr &&
                 !entry.second.peer->closed;
        }));
  }

 private:
  struct Seat {
    Json matched{};
    Peer* peer = nullptr;
    bool is_over = false;
  };

  void dial(Seat& seat) {
    Peer& peer = world_.dial_seat(seat.matched, bot_.token);
    seat.peer = &peer;
    if (peer.closed) return;
    peer.when_frame = [&peer, &seat](const Json& frame) {
      const std::string type = frame.value("type", "");
      const auto reply = [&peer](const Json& json) {
        if (peer.connection != nullptr) peer.say(json);
      };
      if (type == "hello") {
        reply({{"type", "hello"},
               {"match_id", frame["match_id"]},
               {"supported_versions", {"1.0"}},
               {"supported_games", {"tic_tac_toe"}}});
      } else if (type == "turn_request") {
        reply(LobbyWorld::first_action(frame));
      } else if (type == "match_end") {
        seat.is_over = true;
      }
    };
    peer.say({{"type", "authenticate"}, {"match_id", seat.matched["match_id"]}});
    world_.network.run_until_quiet();
  }

  LobbyWorld& world_;
  const TestBot& bot_;
  Peer* lobby_ = nullptr;
  std::size_t read_ = 0;
  std::map<std::string, Seat> seats_;
};

}  // namespace

TEST_CASE("lobby: whatever goes wrong, each match of a tournament ends once and it ends itself",
          "[lobby]") {
  constexpr std::array kinds{"cut",        "close=1012", "duplicate", "unknown",
                             "bad-json",   "binary",     "delay=300", "half-open",
                             "repeat-seq", "no-hello",   "http=503"};
  const auto seed = GENERATE(range(1U, 25U));
  std::mt19937 random{seed};
  LobbyWorld::Config config;
  std::string problem;
  std::string said;
  for (const char* const kind : kinds) {
    if (random() % 3 == 0) continue;
    // A bot may come back three times; each fault happens once in each match.
    const std::string text = std::string{kind} + "@*:" + std::to_string(1 + random() % 8);
    said += text + " ";
    config.faults.push_back(*lobby_program::parse_fault(text, problem));
  }
  for (const char* const text : {"evict@lobby:7", "matched-twice@lobby", "cut@lobby:5",
                                 "resume-always@lobby", "no-hello@lobby:2"}) {
    if (random() % 2 == 0) continue;
    said += std::string{text} + " ";
    config.faults.push_back(*lobby_program::parse_fault(text, problem));
  }
  INFO("seed " << seed << ": " << said);

  LobbyWorld world{config};
  lobby_program::TournamentRun::Config run;
  run.bots = 3;
  run.matches_at_once = 2;
  bool is_over = false;
  world.dispatcher.run(run, [&] { is_over = true; });
  std::vector<Player> players;
  players.reserve(world.bots.size());
  for (const TestBot& bot : world.bots) players.emplace_back(world, bot);
  for (int steps = 0; steps < 4 * 60 * 20 && !is_over; ++steps) {
    for (Player& player : players) player.step();
    world.network.run_for(250ms);
  }
  REQUIRE(is_over);
  world.network.run_for(10s);
  for (Player& player : players) player.step();

  std::uint64_t happened = 0;
  for (const std::uint64_t count : world.faults.counts()) happened += count;
  CHECK(happened > 0);
  const auto& stats = world.dispatcher.stats();
  CHECK(stats.tournament_matches == 6);
  CHECK(stats.completed + stats.cancelled + stats.abandoned + stats.failed == 6);
  CHECK(world.dispatcher.results().size() == 6);
  CHECK(world.matches.running() == 0);
  std::int64_t net = 0;
  std::uint32_t played = 0;
  for (const auto& line : world.dispatcher.tournament()->tournament()->standings()) {
    net += line.net;
    played += line.wins + line.draws + line.losses;
  }
  CHECK(net == 0);
  CHECK(played == 12);
  for (const Player& player : players) {
    CHECK(player.told() == 4);  // nobody heard of a match that is not his
    CHECK(player.live() == 0);
  }
}
