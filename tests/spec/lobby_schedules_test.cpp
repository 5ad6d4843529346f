// SPDX-License-Identifier: MIT
// The recorded schedules of lost connections: how long is waited, and how it ends.
#include "support/catch.hpp"
#include "support/lobby_script.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using muster::CloseReason;
using muster::test::json;
using muster::test::LobbyWorld;

muster::lobby::Config without_chance() {
  muster::lobby::Config config = muster::test::configure(json::object());
  config.retry.jitter = 0;
  return config;
}

const json hello{{"type", "hello"}, {"selected_version", "1.0"}, {"capabilities", {"reconnect"}}};

// The seconds in "ready, closed after 30 s".
int seconds_of(const std::string& outcome) {
  return std::stoi(outcome.substr(outcome.find("after ") + 6));
}

// The newest dial of the lobby ends so.
void end_lobby(LobbyWorld& world, const std::string& outcome) {
  const std::size_t line = world.lines() - 1;
  if (outcome == "connect_fail") {
    return world.fail(world.line_at(line), CloseReason::connect_failed, 0, "refused");
  }
  world.accept(line, "");
  if (outcome == "close 1008") return world.close(world.line_at(line), 1008, "");
  if (outcome.starts_with("ready")) {
    world.say(world.line_at(line), hello);
    for (int second = 0; second < seconds_of(outcome); ++second) {
      if (second % 15 == 0) world.say(world.line_at(line), json{{"type", "ping"}});
      world.advance(1s);
    }
  } else {
    REQUIRE(outcome == "accepted, then closed before hello");
  }
  world.close(world.line_at(line), 1011, "");
}

// The newest dial of the gateway ends so.
void end_gateway(LobbyWorld& world, const std::string& outcome, int turn) {
  const std::size_t line = world.lines() - 1;
  if (outcome == "connect_fail") {
    return world.fail(world.line_at(line), CloseReason::connect_failed, 0, "refused");
  }
  world.accept(line, "chipzen-bot-token");
  world.say(world.line_at(line), hello);
  if (outcome.find("progressed") != std::string::npos) {
    world.say(world.line_at(line), json{{"type", "turn_request"},
                                        {"request_id", "r" + std::to_string(turn)},
                                        {"valid_actions", {"check"}}});
  }
  world.reset(world.line_at(line));
}

}  // namespace

TEST_CASE("lobby schedules: every recorded one", "[lobby][vectors]") {
  const json vectors = test::load_vectors("lobby_vectors.json");
  REQUIRE(vectors["retry_schedules"].size() == 8);
  for (const json& schedule : vectors["retry_schedules"]) {
    INFO(schedule["id"].get<std::string>());
    const bool is_lobby = schedule["leg"] == "lobby";
    LobbyWorld world{without_chance()};
    world.start();
    if (!is_lobby) {
      world.accept(0, "");
      world.say(world.line_at(0), hello);
      world.say(world.line_at(0), json{{"type", "matched"},
                                       {"match_id", "m"},
                                       {"participant_id", "p"},
                                       {"gateway_ws_url", "/m"}});
    }
    std::vector<std::int64_t> waits;
    int turn = 0;
    for (const json& outcome : schedule["outcomes"]) {
      const std::size_t dials = world.lines();
      if (is_lobby) {
        end_lobby(world, outcome.get<std::string>());
      } else {
        end_gateway(world, outcome.get<std::string>(), ++turn);
      }
      if (world.stopped || !world.results.empty()) break;
      const muster::time_point lost = world.now;
      // A match's lobby would be missed before the last of these waits.
      while (world.lines() == dials) {
        if (!is_lobby) world.say(world.line_at(0), json{{"type", "ping"}});
        world.advance(1ms);
      }
      waits.push_back((world.now - lost) / 1ms);
    }
    CHECK(json(waits) == schedule["ours_delays_ms"]);

    const std::string end = schedule["ours_end"].get<std::string>();
    INFO(end);
    if (end.starts_with("keeps going") || schedule["id"] == "s08") {
      CHECK_FALSE(world.stopped);
    } else if (is_lobby) {
      REQUIRE(world.stopped);
      CHECK(end.find(to_string(*world.stopped)) != std::string::npos);
    } else {
      REQUIRE(world.results.size() == 1);
      const auto& result = world.results[0];
      const std::string name = std::string{to_string(result.outcome)} + "(" + result.reason + ")";
      CHECK(end.find(name) != std::string::npos);
    }
  }
}
