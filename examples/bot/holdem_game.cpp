// SPDX-License-Identifier: MIT
// States with nlohmann-json, which is asked not to throw.
#include "holdem_game.hpp"

#include <nlohmann/json.hpp>

#include <cmath>
#include <optional>
#include <utility>

namespace bot_program {

namespace {

using Json = nlohmann::json;
using muster::errc;

constexpr std::int64_t most_chips = 1'000'000'000'000'000;
constexpr std::size_t most_opponents = 22;
constexpr const char* own_cards_key = "your_hole_cards";

const Json* find(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

std::optional<Card> card_of(const Json& json) {
  const auto* const text = json.get_ptr<const std::string*>();
  if (text == nullptr || text->size() != 2) return std::nullopt;
  constexpr std::string_view ranks = "23456789TJQKA";
  constexpr std::string_view suits = "cdhs";
  const std::size_t rank = ranks.find((*text)[0]);
  if (rank == std::string_view::npos || suits.find((*text)[1]) == std::string_view::npos) {
    return std::nullopt;
  }
  return Card{static_cast<std::uint8_t>(rank + 2), (*text)[1]};
}

// Reads the fields of one state; what is wrong with one is wrong with all.
class Reader {
 public:
  explicit Reader(const Json& object) : object_(&object) {}

  std::int64_t chips(const char* key) {
    const Json* const json = find(*object_, key);
    return json == nullptr ? wrong() : chips_of(*json);
  }

  std::vector<std::int64_t> stacks(const char* key) {
    std::vector<std::int64_t> out;
    const Json* const json = find(*object_, key);
    if (json == nullptr || !json->is_array() || json->size() > most_opponents) {
      wrong();
      return out;
    }
    for (const Json& stack : *json) out.push_back(chips_of(stack));
    return out;
  }

  std::vector<Card> cards(const char* key, std::size_t most) {
    std::vector<Card> out;
    const Json* const json = find(*object_, key);
    if (json == nullptr || !json->is_array() || json->size() > most) {
      wrong();
      return out;
    }
    for (const Json& each : *json) {
      const auto card = card_of(each);
      if (!card) {
        wrong();
        return out;
      }
      out.push_back(*card);
      for (const Card& other : seen_) is_good_ = is_good_ && other != *card;
      seen_.push_back(*card);
    }
    return out;
  }

  std::string text(const char* key) {
    const Json* const json = find(*object_, key);
    const auto* const text = json == nullptr ? nullptr : json->get_ptr<const std::string*>();
    if (text != nullptr) return *text;
    wrong();
    return {};
  }

  std::int64_t wrong() {
    is_good_ = false;
    return 0;
  }
  [[nodiscard]] bool is_good() const noexcept { return is_good_; }

 private:
  // Servers compute with floating point, too.
  std::int64_t chips_of(const Json& json) {
    if (!json.is_number()) return wrong();
    const double value = json.get<double>();
    if (!(value >= 0) || value > static_cast<double>(most_chips)) return wrong();
    return static_cast<std::int64_t>(std::floor(value));
  }

  const Json* object_;
  std::vector<Card> seen_;  // no more than a table has
  bool is_good_ = true;
};

muster::result<HoldemGame::State> read_state(const Json& object) {
  if (!object.is_object()) return errc::bad_syntax;
  Reader in{object};
  HoldemGame::State state;
  state.phase = in.text("phase");
  state.board = in.cards("board", 5);
  state.own_cards = in.cards(own_cards_key, 2);
  if (state.own_cards.size() == 1) in.wrong();
  state.pot = in.chips("pot");
  state.own_stack = in.chips("your_stack");
  state.opponent_stacks = in.stacks("opponent_stacks");
  state.to_call = in.chips("to_call");
  state.min_raise = in.chips("min_raise");
  state.max_raise = in.chips("max_raise");
  if (state.min_raise > state.max_raise) in.wrong();
  if (!in.is_good()) return errc::bad_value;
  return state;
}

Json parse(std::string_view json) {
  return Json::parse(json.begin(), json.end(), nullptr, /*allow_exceptions=*/false);
}

}  // namespace

muster::result<HoldemGame::State> HoldemGame::parse_state(std::string_view json) {
  return read_state(parse(json));
}

muster::lobby::Action HoldemGame::encode(const Action& action) {
  switch (action.kind) {
    case Action::Kind::check:
      return {"check"};
    case Action::Kind::call:
      return {"call"};
    case Action::Kind::raise:
      return {"raise", R"({"amount":)" + std::to_string(action.amount) + "}"};
    case Action::Kind::fold:
      break;
  }
  return {"fold"};
}

muster::result<AnyGame::State> AnyGame::parse_state(std::string_view json) {
  const Json object = parse(json);
  if (!object.is_object() || !object.contains(own_cards_key)) return State{std::string{json}};
  auto state = read_state(object);
  if (!state) return state.error();
  return State{std::move(*state)};
}

}  // namespace bot_program
