// SPDX-License-Identifier: MIT
// Reads two types of frame.
#include "house_bot.hpp"

#include "game.hpp"

#include <algorithm>
#include <cstddef>

namespace lobby_program {

namespace {

constexpr std::uint64_t adventure = 6;  // one turn in so many

}  // namespace

std::optional<std::string> HouseBot::answer(std::string_view frame) {
  const Json json = Json::parse(frame, nullptr, false);
  const std::string type = json.value("type", "");
  if (type != "turn_request" && type != "action_rejected") return std::nullopt;
  const auto actions = json.find("valid_actions");
  if (actions == json.end() || actions->empty()) return std::nullopt;

  const auto has = [&](std::string_view name) {
    return std::find(actions->begin(), actions->end(), name) != actions->end();
  };
  std::string action = (*actions)[entropy_.next_u64() % actions->size()];
  const bool is_calm = type == "action_rejected" || entropy_.next_u64() % adventure != 0;
  if (is_calm && has("check")) {
    action = "check";
  } else if (is_calm && has("call")) {
    action = "call";
  }
  Json params = Json::object();
  // What a game calls a raise has an amount; the least that is allowed is in the state.
  const auto state = json.find("state");
  if (action == "raise" && state != json.end() && state->contains("min_raise")) {
    params["amount"] = (*state)["min_raise"];
  }
  return Json{{"type", "turn_action"},
              {"match_id", json.value("match_id", "")},
              {"request_id", json.value("request_id", "")},
              {"action", action},
              {"params", params}}
      .dump();
}

}  // namespace lobby_program
