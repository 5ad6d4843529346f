// SPDX-License-Identifier: MIT
// The games that the program knows, and their rules as records keep them.
#pragma once

#include "game.hpp"
#include "holdem.hpp"
#include "match_config.hpp"

#include <memory>
#include <string_view>

namespace lobby_program {

/// The rules that can be chosen.
struct GameRules {
  HoldemConfig holdem{};
};

/// @param name   "poker" or "tic_tac_toe"
/// @return       not initialised; null if there is no such game
[[nodiscard]] std::unique_ptr<Game> make_game(std::string_view name, const GameRules& rules);

// For records: what a replay has to know.

[[nodiscard]] Json to_json(const GameRules& rules);
[[nodiscard]] Json to_json(const MatchConfig& config);

/// What is not there keeps its default.
[[nodiscard]] GameRules rules_from_json(const Json& json);
[[nodiscard]] MatchConfig match_config_from_json(const Json& json);

}  // namespace lobby_program
