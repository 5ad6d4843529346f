// SPDX-License-Identifier: MIT
// How muster-bot plays the matches of a lobby.
#pragma once

#include "holdem_game.hpp"

#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <string_view>

namespace bot_program {

/// In a game that is not hold'em, `random` takes any action that is legal, and all others the
/// first.
enum class Strategy : std::uint8_t {
  fold,    ///< checks where that is free, else folds
  call,    ///< calls or checks whatever comes
  random,  ///< any legal action, and any amount
  tag,     ///< tight and aggressive
};

/// Reads the name of one, as it is written above.
[[nodiscard]] std::optional<Strategy> parse_strategy(std::string_view name) noexcept;

/// @param legal   one or more
/// @param dice    of the match
[[nodiscard]] muster::lobby::Action choose(Strategy strategy, const AnyGame::State& state,
                                           std::span<const std::string> legal,
                                           std::mt19937_64& dice);

/// Dice that fall the same in each run with the same seed, whichever match comes first.
[[nodiscard]] std::mt19937_64 dice_of(std::uint64_t seed, std::string_view match_id,
                                      std::string_view participant_id);

}  // namespace bot_program
