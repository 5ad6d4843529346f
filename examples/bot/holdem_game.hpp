// SPDX-License-Identifier: MIT
// Hold'em as a lobby's client reads it, and games that it does not know.
#pragma once

#include <muster/lobby/game.hpp>
#include <muster/result.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace bot_program {

/// One of 52.
struct Card {
  std::uint8_t rank = 2;  ///< 2 to 14, the ace
  char suit = 'c';        ///< c, d, h or s
  friend bool operator==(const Card&, const Card&) = default;
};

/// No-limit hold'em, as the protocol's poker tables write it.
struct HoldemGame {
  /// What one seat sees in its turn. All amounts are chips, 0 to 10^15.
  struct State {
    std::string phase;
    std::vector<Card> board;      ///< at most 5
    std::vector<Card> own_cards;  ///< 2, or none: they are hidden
    std::int64_t pot = 0;
    std::int64_t own_stack = 0;
    std::vector<std::int64_t> opponent_stacks;  ///< at most 22
    std::int64_t to_call = 0;
    std::int64_t min_raise = 0;  ///< the bet of this street after the smallest raise; 0: none
    std::int64_t max_raise = 0;  ///< and after the largest
  };

  struct Action {
    enum class Kind : std::uint8_t { fold, check, call, raise };
    Kind kind = Kind::fold;
    std::int64_t amount = 0;  ///< of a raise: the whole bet of this street
  };

  /// @error errc::bad_syntax   no JSON object
  /// @error errc::bad_value    a field is missing, has another type, or is out of its range; a card
  ///                           is none, or there twice
  static muster::result<State> parse_state(std::string_view json);
  static muster::lobby::Action encode(const Action& action);
  static muster::lobby::Action fallback(std::span<const std::string> legal) {
    return muster::lobby::usual_fallback(legal);
  }
};

/// Hold'em where the state is one of hold'em, and otherwise any game, in JSON.
struct AnyGame {
  using State = std::variant<HoldemGame::State, std::string>;
  using Action = muster::lobby::Action;

  /// @error as `HoldemGame::parse_state`, where the state has cards in the hand
  static muster::result<State> parse_state(std::string_view json);
  static muster::lobby::Action encode(const Action& action) { return action; }
  static muster::lobby::Action fallback(std::span<const std::string> legal) {
    return muster::lobby::usual_fallback(legal);
  }
};

static_assert(muster::lobby::Game<HoldemGame> && muster::lobby::Game<AnyGame>);

}  // namespace bot_program
