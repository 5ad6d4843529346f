// SPDX-License-Identifier: MIT
// A tight-aggressive player: few hands, and those with raises.
#pragma once

#include "holdem_game.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace bot_program {

/// What two cards of one's own are worth before the flop, about -1 to 20: the ranks, more for a
/// pair, for one suit and for neighbours (Chen's formula).
[[nodiscard]] double starting_points(Card a, Card b) noexcept;

/// What one's own cards make of the board. What the board alone shows is everybody's, and counts
/// as nothing.
enum class Reading : std::uint8_t {
  nothing,
  weak_pair,  ///< below the board's highest rank
  draw,       ///< one card short of a straight or a flush
  good_pair,  ///< of the board's highest rank, or above it
  strong,     ///< two pairs or better
};

/// @param own     2 cards
/// @param board   3 to 5
[[nodiscard]] Reading read_hand(std::span<const Card> own, std::span<const Card> board) noexcept;

/// @param legal   one or more of fold, check, call and raise
[[nodiscard]] HoldemGame::Action tag_action(const HoldemGame::State& state,
                                            std::span<const std::string> legal) noexcept;

}  // namespace bot_program
