// SPDX-License-Identifier: MIT
// A lobby client whose server does what the bytes say: frames in every state, closes, silence.
#include "support/lobby_world.hpp"
#include "support/require.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace {

using namespace std::chrono_literals;
using muster::test::LobbyLine;
using muster::test::LobbyWorld;
using test::require;

constexpr std::string_view secret = "cz_extbot_0123456789ABCDEFGHIJabcdefghij01";
constexpr std::string_view origin = "wss://lobby.example/";

// The bytes, taken from the front.
struct Input {
  std::string_view rest;

  std::uint8_t byte() {
    if (rest.empty()) return 0;
    const auto value = static_cast<std::uint8_t>(rest.front());
    rest.remove_prefix(1);
    return value;
  }
  std::string_view text(std::size_t size) {
    const std::string_view value = rest.substr(0, size);
    rest.remove_prefix(value.size());
    return value;
  }
};

// What a server says; "%" becomes a letter of the input, so that ids meet and miss each other.
constexpr std::string_view frames[] = {
    R"({"type":"hello","selected_version":"1.0","capabilities":["reconnect"]})",
    R"({"type":"hello","selected_version":"1.0"})",
    R"({"type":"hello","supported_versions":["2.0"]})",
    R"({"type":"ping"})",
    R"({"type":"matched","match_id":"m%","participant_id":"p","gateway_ws_url":"/m%"})",
    R"({"type":"matched","match_id":"m%","gateway_ws_url":"wss://lobby.example%/"})",
    R"({"type":"evict"})",
    R"({"type":"match_start","seq":1,"turn_timeout_ms":3000})",
    R"({"type":"round_start","seq":%})",
    R"({"type":"turn_request","seq":%,"seat":0,"request_id":"r%","timeout_ms":3000,"valid_actions":["fold","call"]})",
    R"({"type":"turn_request","seat":0,"request_id":%,"valid_actions":["bet"]})",
    R"({"type":"turn_request","request_id":"r%","valid_actions":[]})",
    R"({"type":"turn_result","seq":%,"seat":0})",
    R"({"type":"round_result","seq":%})",
    R"({"type":"action_rejected","request_id":"r%","valid_actions":["fold"]})",
    R"({"type":"reconnected","seq":%,"pending_request":{"request_id":"r%","valid_actions":["call"]}})",
    R"({"type":"error","code":"duplicate_participant"})",
    R"({"type":"match_end","seq":%})",
    R"({"type":"tick","x":"%"})",
};
constexpr std::uint16_t codes[] = {0,    1000, 1001, 1008, 1011, 4000, 4001, 4002, 4003, 4004,
                                   4005, 4006, 4007, 4008, 4009, 4010, 4011, 4012, 4013, 4999};

std::string fill(std::string_view frame, Input& input) {
  std::string out;
  for (const char c : frame) {
    out += c == '%' ? static_cast<char>('0' + input.byte() % 10) : c;
  }
  return out;
}

// What must hold whatever the server does.
void check(LobbyWorld& world) {
  for (std::size_t i = 0; i < world.lines(); ++i) {
    LobbyLine& line = world.line_at(i);
    require(line.dial.url.starts_with(origin));
    for (const std::string& text : line.sent) {
      require(text.size() <= 4096);
      require(nlohmann::json::accept(text));
    }
    line.sent.clear();
  }
  for (const std::string& text : world.event_details) {
    require(text.find(secret) == std::string::npos);
  }
  world.event_details.clear();
  world.events.clear();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Input input{{reinterpret_cast<const char*>(data), size}};
  muster::lobby::Config config;
  config.url = "wss://lobby.example/ws";
  config.token = muster::lobby::Token{secret};
  config.game_frame_types = {"tick"};
  config.max_malformed_frames = 4;
  const std::uint8_t flags = input.byte();
  config.strict_subprotocol = (flags & 1U) != 0;
  config.safe_mode = (flags & 2U) != 0;
  config.retry_handler_on_reject = (flags & 4U) != 0;
  if ((flags & 8U) != 0) config.max_matches = 3;
  LobbyWorld world{config};
  world.start();
  for (int step = 0; step < 300 && !input.rest.empty() && world.lines() < 200; ++step) {
    const std::uint8_t what = input.byte();
    LobbyLine& line = world.line_at(input.byte() % world.lines());
    const std::size_t last = world.lines() - 1;
    auto& connection = static_cast<muster::test::Line&>(world.line_at(last));
    const bool is_dialling = !connection.is_open() && !connection.is_closed && !connection.has_come;
    switch (what % 9) {
      case 0:
      case 1:
        if (!is_dialling) break;
        connection.has_come = true;
        if (what % 7 == 6) {
          world.fail(connection, muster::CloseReason::refused, 503, secret);
        } else {
          constexpr std::string_view chosen[] = {"chipzen-bot-token", "", secret};
          world.accept(last, std::string{chosen[what % 7 > 4 ? what % 3 : 0]});
        }
        break;
      case 2:
      case 3:
      case 4:
        world.say(line, std::string_view{fill(frames[input.byte() % std::size(frames)], input)});
        break;
      case 5:
        world.say(line, input.text(input.byte()),
                  what % 2 == 0 ? muster::MessageKind::text : muster::MessageKind::binary);
        break;
      case 6:
        if (static_cast<muster::test::Line&>(line).is_open()) {
          world.close(line, codes[input.byte() % std::size(codes)],
                      what % 2 == 0 ? "Replaced by new connection" : secret);
        }
        break;
      case 7:
        world.advance(std::chrono::milliseconds{input.byte() * 50});
        break;
      default:
        if (what % 5 == 0) {
          world.stop();
        } else if (what % 5 == 1) {
          world.play.holds_next = true;
        } else if (what % 5 == 2) {
          for (auto& reply : world.play.held) reply({"call", "{}"});
          world.play.held.clear();
          world.settle();
        } else if (what % 5 == 3) {
          world.play.next_throw = "boom";
        } else {
          world.play.next_action = {"bet", std::string{input.text(input.byte())}};
        }
    }
    check(world);
  }
  // It always comes to an end, with one result for each match that was started.
  world.play.held.clear();
  world.stop();
  world.advance(6s);
  check(world);
  require(world.stopped.has_value());
  require(world.client->active_matches() == 0);
  require(world.results.size() == world.client->stats().matches);
  return 0;
}
