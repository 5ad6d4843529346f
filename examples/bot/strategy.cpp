// SPDX-License-Identifier: MIT
#include "strategy.hpp"

#include "tag.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <variant>
#include <vector>

namespace bot_program {

namespace {

using muster::lobby::Action;

// The first of the wished actions that is legal, else the first that is.
Action first_of(std::initializer_list<std::string_view> wished,
                std::span<const std::string> legal) {
  for (const std::string_view action : wished) {
    if (std::find(legal.begin(), legal.end(), action) != legal.end()) return {std::string{action}};
  }
  return {legal.front()};
}

const std::string& any_of(std::span<const std::string> legal, std::mt19937_64& dice) {
  return legal[std::uniform_int_distribution<std::size_t>{0, legal.size() - 1}(dice)];
}

Action choose_in_holdem(Strategy strategy, const HoldemGame::State& state,
                        std::span<const std::string> legal, std::mt19937_64& dice) {
  switch (strategy) {
    case Strategy::fold:
      return first_of({"check", "fold"}, legal);
    case Strategy::call:
      return first_of({"call", "check", "fold"}, legal);
    case Strategy::random: {
      const std::string& action = any_of(legal, dice);
      if (action != "raise") return {action};
      const std::int64_t amount =
          std::uniform_int_distribution<std::int64_t>{state.min_raise, state.max_raise}(dice);
      return HoldemGame::encode({HoldemGame::Action::Kind::raise, amount});
    }
    case Strategy::tag:
      break;
  }
  return HoldemGame::encode(tag_action(state, legal));
}

}  // namespace

std::optional<Strategy> parse_strategy(std::string_view name) noexcept {
  constexpr std::array<std::pair<std::string_view, Strategy>, 4> names{
      {{"fold", Strategy::fold},
       {"call", Strategy::call},
       {"random", Strategy::random},
       {"tag", Strategy::tag}}};
  for (const auto& [known, strategy] : names) {
    if (known == name) return strategy;
  }
  return std::nullopt;
}

Action choose(Strategy strategy, const AnyGame::State& state, std::span<const std::string> legal,
              std::mt19937_64& dice) {
  if (const auto* const holdem = std::get_if<HoldemGame::State>(&state)) {
    return choose_in_holdem(strategy, *holdem, legal, dice);
  }
  return {strategy == Strategy::random ? any_of(legal, dice) : legal.front()};
}

std::mt19937_64 dice_of(std::uint64_t seed, std::string_view match_id,
                        std::string_view participant_id) {
  std::vector<std::uint32_t> words{static_cast<std::uint32_t>(seed),
                                   static_cast<std::uint32_t>(seed >> 32U)};
  for (const std::string_view id : {match_id, participant_id}) {
    words.insert(words.end(), id.begin(), id.end());
    words.push_back(0);
  }
  std::seed_seq sequence(words.begin(), words.end());
  return std::mt19937_64{sequence};
}

}  // namespace bot_program
