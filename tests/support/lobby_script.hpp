// SPDX-License-Identifier: MIT
// The recorded conversations of the lobby protocol, and how one is played and judged.
#pragma once

#include "catch.hpp"
#include "lobby_world.hpp"
#include "vectors.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::test {

using nlohmann::json;

inline constexpr const char* bot_url =
    "wss://staging.chipzen.ai/ws/external/bot/8f3a1c2e-0000-4000-8000-000000000001";
inline constexpr const char* bot_token = "cz_extbot_0123456789ABCDEFGHIJabcdefghij01";

inline lobby::Config configure(const json& options) {
  lobby::Config config;
  config.url = bot_url;
  config.token = lobby::Token{options.value("token", std::string{bot_token})};
  const auto ms = [&options](const char* name, auto& field) {
    if (options.contains(name)) field = std::chrono::milliseconds{options[name].get<int>()};
  };
  if (options.contains("max_matches") && !options["max_matches"].is_null()) {
    config.max_matches = options["max_matches"].get<std::uint32_t>();
  }
  config.retry.jitter = options.value("jitter", config.retry.jitter);
  if (options.contains("retry")) {
    const json& retry = options["retry"];
    config.retry.max_reconnect_attempts = retry["max_reconnect_attempts"].get<std::uint32_t>();
    config.retry.initial_backoff =
        std::chrono::milliseconds{retry["initial_backoff_ms"].get<int>()};
    config.retry.max_backoff = std::chrono::milliseconds{retry["max_backoff_ms"].get<int>()};
    config.retry.backoff_multiplier = retry["backoff_multiplier"].get<double>();
  }
  ms("lobby_idle_timeout_ms", config.lobby_idle_timeout);
  ms("drain_grace_ms", config.drain_grace);
  config.safe_mode = options.value("safe_mode", config.safe_mode);
  config.strict_subprotocol = options.value("strict_subprotocol", config.strict_subprotocol);
  config.max_frame = options.value("max_frame_bytes", config.max_frame);
  return config;
}

/// Plays the server's part of one transcript, and checks the client's.
template <class World>
class LobbyPlayer {
 public:
  template <class... Arguments>
  explicit LobbyPlayer(Arguments&&... arguments) : world(std::forward<Arguments>(arguments)...) {
    world.start();
  }

  void play(const json& steps) {
    for (std::size_t i = 0; i < steps.size(); ++i) {
      INFO("step " << i << ": " << steps[i].dump().substr(0, 300));
      prepare_handler(i + 1 < steps.size() ? steps[i + 1] : json::object());
      take(steps[i]);
    }
    for (auto& reply : world.play.held) reply({"call", "{}"});  // too late by now
    world.settle();
  }

  /// Nothing was sent or dialled that the transcript does not have.
  void check_nothing_left() {
    for (std::size_t i = 0; i < world.lines(); ++i) {
      const LobbyLine& line = world.line_at(i);
      // Of a connection that is lost at once the transcripts do not say what it began with.
      if (line.sent.size() == 1 && json::parse(line.sent.front())["type"] == "authenticate") {
        continue;
      }
      INFO("a message that the transcript does not have: "
           << (line.sent.empty() ? "" : line.sent.front()));
      CHECK(line.sent.empty());
    }
    CHECK(next_line == world.lines());
  }

  [[nodiscard]] LobbyLine& line(const std::string& name) { return *named.at(name); }

  World world;
  std::map<std::string, LobbyLine*> named;
  std::size_t next_line = 0;
  std::size_t turn_actions = 0;
  std::size_t lobby_frames = 0;

 private:
  // What the handler does is said behind the request that makes it do so.
  void prepare_handler(const json& next) {
    if (next.contains("handler_returns")) {
      const json& wished = next["handler_returns"];
      json params = wished.value("params", json::object());
      if (params.contains("blob")) params["blob"] = std::string(5000, 'x');
      world.play.next_action = {wished["action"].get<std::string>(), params.dump()};
    } else if (next.contains("handler_throws")) {
      world.play.next_throw = next["handler_throws"].get<std::string>();
    } else if (next.contains("handler_blocks_ms")) {
      world.play.holds_next = true;
    }
  }

  LobbyLine& dialled(const std::string& url) {
    REQUIRE(world.wait([this] { return next_line < world.lines(); }));
    LobbyLine& line = world.line_at(next_line++);
    CHECK(line.dial.url == url);
    return line;
  }

  void answer_dial(LobbyLine& line, const json& step) {
    if (step.contains("subprotocols")) {
      CHECK(json(line.dial.subprotocols) == step["subprotocols"]);
    }
    REQUIRE_FALSE(line.dial.headers.empty());
    CHECK(line.dial.headers.front().first == "User-Agent");
    if (step.contains("fails")) {
      if (step["fails"] == "never completes") return;
      return world.fail(line, CloseReason::connect_failed, 0, step["fails"].get<std::string>());
    }
    if (step.contains("http_status")) {
      return world.fail(line, CloseReason::refused, step["http_status"].get<std::uint16_t>(), "no");
    }
    const json selected = step.value("server_selects", json());
    world.accept(next_line - 1, selected.is_string() ? selected.get<std::string>() : "");
  }

  void expect_sent(const std::string& name, LobbyLine& line, const json& wanted) {
    REQUIRE(world.wait([&line] { return !line.sent.empty(); }));
    json sent = json::parse(line.sent.front());
    line.sent.pop_front();
    if (name[0] == 'L') ++lobby_frames;
    if (sent.value("type", "") == "turn_action") ++turn_actions;
    json expected = wanted;
    for (const char* any : {"client_name", "client_version"}) {
      if (!expected.contains(any)) continue;
      REQUIRE(sent.contains(any));
      CHECK(sent[any].is_string());
      expected[any] = sent[any];
    }
    CHECK(sent == expected);
  }

  void take(const json& step) {
    const std::string name = step.value("conn", std::string{});
    if (step.contains("client_dials")) {
      LobbyLine& line = dialled(step["client_dials"].get<std::string>());
      named[name] = &line;
      return answer_dial(line, step);
    }
    if (step.contains("c2s")) return expect_sent(name, line(name), step["c2s"]);
    if (step.contains("s2c")) return world.say(line(name), step["s2c"]);
    if (step.contains("s2c_raw")) {
      return world.say(line(name), std::string_view{step["s2c_raw"].get_ref<const std::string&>()},
                       step["kind"] == "text" ? MessageKind::text : MessageKind::binary);
    }
    if (step.contains("s2c_size_bytes")) {
      return world.say_too_much(line(name), step["s2c_size_bytes"].get<std::size_t>());
    }
    if (step.contains("server_closes")) {
      world.settle();
      if (line(name).is_closed) return;  // the client was faster
      const json& code = step["server_closes"];
      return world.close(line(name), code.is_null() ? std::uint16_t{0} : code.get<std::uint16_t>(),
                         step.value("reason", ""));
    }
    if (step.contains("tcp_reset")) return world.reset(line(name));
    if (step.contains("client_closes")) {
      const LobbyLine& closed = line(step["client_closes"].get<std::string>());
      CHECK(world.wait([&closed] { return closed.is_closed; }));
      if (step.contains("code")) CHECK(closed.closed_with == step["code"].get<std::uint16_t>());
      return;
    }
    if (step.contains("advance_ms")) {
      return world.advance(std::chrono::milliseconds{step["advance_ms"].get<int>()});
    }
    if (step.contains("call")) {
      REQUIRE(step["call"] == "stop()");
      return world.stop();
    }
    if (step.contains("parallel")) {
      for (const json& dial : step["parallel"]) {
        dialled(dial.get<std::string>().substr(std::string_view{"dial "}.size()));
      }
      return;
    }
    const bool is_handlers = step.contains("handler_returns") || step.contains("handler_throws") ||
                             step.contains("handler_blocks_ms");
    REQUIRE(is_handlers);
  }
};

inline void check_result(const lobby::MatchResult& result, const json& wanted) {
  const json end = result.end.empty() ? json() : json::parse(result.end);
  for (const auto& [name, value] : wanted.items()) {
    INFO(name);
    if (name == "match_id") {
      CHECK(result.match_id == value.get<std::string>());
    } else if (name == "outcome") {
      CHECK(std::string{to_string(result.outcome)} == value.get<std::string>());
    } else if (name == "code") {
      CHECK(result.reason == value.get<std::string>());
    } else if (name == "close_code") {
      CHECK(result.close_code == value.get<std::uint16_t>());
    } else if (name == "end") {
      CHECK(value.is_null());
      CHECK(result.end.empty());
    } else if (name == "end.results") {
      CHECK_FALSE(end.contains("results"));
    } else {
      REQUIRE(name.starts_with("end."));
      CHECK(end.value(name.substr(4), json()) == value);
    }
  }
}

// "name", "name xN", or "name detail".
inline void check_event(const LobbyNotes& world, const std::string& wanted) {
  INFO("event " << wanted);
  const std::size_t space = wanted.find(' ');
  if (space == std::string::npos) {
    CHECK(world.count(wanted) == 1);
  } else if (wanted[space + 1] == 'x') {
    CHECK(world.count(wanted.substr(0, space)) == std::stoul(wanted.substr(space + 2)));
  } else {
    CHECK(world.count_detail(wanted) == 1);
  }
}

template <class World>
void check_expectation(LobbyPlayer<World>& player, const std::string& name, const json& value) {
  World& world = player.world;
  const auto& stats = world.client->stats();
  INFO("expected " << name << " = " << value.dump());
  if (name == "note" || name == "ping_answered_within_ms" || name == "attacker_dials") {
    return;  // said by the steps: what is not in them was not sent, nor dialled
  }
  if (name == "results") {
    REQUIRE(world.results.size() == value.size());
    for (std::size_t i = 0; i < value.size(); ++i) check_result(world.results[i], value[i]);
  } else if (name == "completed") {
    CHECK(stats.completed == value.get<std::uint64_t>());
  } else if (name == "abandoned") {
    CHECK(stats.abandoned == value.get<std::uint64_t>());
  } else if (name == "lobby_dials") {
    CHECK(stats.lobby_dials == value.get<std::uint64_t>());
  } else if (name == "gateway_dials") {
    CHECK(stats.gateway_dials == value.get<std::uint64_t>());
  } else if (name == "stop_reason" || name == "error") {
    REQUIRE(world.stopped);
    CHECK(std::string{to_string(*world.stopped)} == value.get<std::string>());
  } else if (name == "returns_within_ms") {
    CHECK(world.client->state() == lobby::Engine::State::stopped);  // and no time has passed
  } else if (name == "state") {
    REQUIRE(value == "ready");
    CHECK(world.client->state() == lobby::Engine::State::ready);
  } else if (name == "malformed_frames") {
    CHECK(stats.malformed_frames == value.get<std::uint64_t>());
  } else if (name == "lobby_frames_sent") {
    CHECK(player.lobby_frames == value.get<std::size_t>());
  } else if (name == "decide_calls") {
    CHECK(world.play.decisions == value.get<std::size_t>());
  } else if (name == "turn_actions") {
    CHECK(player.turn_actions == value.get<std::size_t>());
  } else if (name == "active_matches") {
    CHECK(world.client->active_matches() == value.get<std::size_t>());
  } else if (name == "reconnects") {
    CHECK(world.results.at(0).reconnects == value.get<std::uint32_t>());
  } else if (name == "gateway_closed_with") {
    CHECK(player.line("G1").closed_with == value.get<std::uint16_t>());
  } else if (name == "budget_ms_for_the_turn") {
    const auto whole = std::chrono::milliseconds{value.get<int>()};
    REQUIRE(world.play.times.size() == 1);
    CHECK(world.play.times[0] ==
          whole - std::max<duration>(std::chrono::milliseconds{200}, whole / 10));
  } else if (name == "handler_calls") {
    std::vector<std::string> calls = world.play.calls;
    if (value[0] != "on_attach(resume=true)") calls.erase(calls.begin());  // it has no name there
    CHECK(json(calls) == value);
  } else if (name == "events") {
    for (const json& event : value) check_event(world, event.get<std::string>());
  } else {
    REQUIRE(name == "error_event");
    const std::string wanted = value.get<std::string>();
    if (wanted == "handshake_failed(307)") {
      CHECK(world.count_detail(wanted) == 1);
    } else {
      CHECK(world.count(wanted) == 1);
    }
  }
}

/// Whether the client has said as much as it should by the end.
inline bool has_come(const LobbyNotes& notes, const json& expect) {
  if (expect.contains("results") && notes.results.size() < expect["results"].size()) return false;
  const bool stops = expect.contains("stop_reason") || expect.contains("error");
  if (stops && !notes.stopped) return false;
  return notes.events.size() >= expect.value("events", json::array()).size();
}

/// Plays one transcript, and judges it.
template <class World, class... Arguments>
void run_transcript(const json& transcript, Arguments&&... arguments) {
  const lobby::Config config = configure(transcript["options"]);
  std::string problem;
  INFO(problem);
  REQUIRE_FALSE(lobby::validate(config, problem));
  LobbyPlayer<World> player{config, std::forward<Arguments>(arguments)...};
  player.play(transcript["steps"]);
  CHECK(player.world.wait([&] { return has_come(player.world, transcript["expect"]); }));
  player.world.settle();
  player.check_nothing_left();
  for (const auto& [name, value] : transcript["expect"].items()) {
    check_expectation(player, name, value);
  }
}

}  // namespace muster::test
