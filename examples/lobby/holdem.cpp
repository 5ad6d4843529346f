// SPDX-License-Identifier: MIT
#include "holdem.hpp"

#include <muster/error.hpp>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

namespace lobby_program {

namespace {

constexpr std::size_t other(std::size_t seat) noexcept { return 1 - seat; }

Json cards_json(std::span<const Card> cards) {
  Json json = Json::array();
  for (const Card card : cards) json.push_back(to_string(card));
  return json;
}

Json history_json(const HoldemHand& hand) {
  Json json = Json::array();
  for (const HoldemHand::Entry& entry : hand.history()) {
    json.push_back({{"seat", entry.seat},
                    {"action", entry.action},
                    {"amount", entry.amount},
                    {"phase", to_string(entry.street)},
                    {"is_timeout", entry.is_substitute}});
  }
  return json;
}

Json showdown_json(const HoldemHand& hand) {
  Json json = Json::array();
  if (!hand.settlement().showdown) return json;
  for (std::size_t seat = 0; seat < 2; ++seat) {
    const HandValue& value = (*hand.settlement().showdown)[seat];
    json.push_back({{"seat", seat},
                    {"hole_cards", cards_json(hand.hole_cards(seat))},
                    {"hand_rank", to_string(value.category())},
                    {"best_hand", cards_json(value.cards)}});
  }
  return json;
}

/// A number of chips that a client wrote. Clients compute with floating point; what is between two
/// numbers is the lower one.
std::optional<std::int64_t> chips_of(const Json& params) {
  const auto found = params.find("amount");
  if (found == params.end() || !found->is_number()) return std::nullopt;
  if (found->is_number_unsigned()) {
    constexpr std::uint64_t top = std::numeric_limits<std::int64_t>::max();
    return static_cast<std::int64_t>(std::min(found->get<std::uint64_t>(), top));
  }
  if (found->is_number_integer()) return found->get<std::int64_t>();
  constexpr double far = 1e15;
  return static_cast<std::int64_t>(std::floor(std::clamp(found->get<double>(), -far, far)));
}

}  // namespace

std::error_code validate(const HoldemConfig& config) noexcept {
  const bool is_good = config.big_blind >= 1 && config.big_blind <= 1'000'000 &&
                       config.small_blind >= 1 && config.small_blind <= config.big_blind &&
                       config.ante >= 0 && config.ante <= 1'000'000 && config.starting_stack >= 1 &&
                       config.starting_stack <= 1000 * config.big_blind && config.max_hands >= 1 &&
                       config.max_hands <= 100'000;
  return is_good ? std::error_code{} : make_error_code(muster::errc::invalid_config);
}

Holdem::Holdem(HoldemConfig config) : config_(config) { assert(!validate(config)); }

void Holdem::init(const Seed& seed, [[maybe_unused]] std::size_t seats) {
  assert(seats == this->seats());
  seed_ = seed;
  stacks_ = {config_.starting_stack, config_.starting_stack};
}

Json Holdem::config() const {
  return {{"variant", "nlhe"},
          {"starting_stack", config_.starting_stack},
          {"small_blind", config_.small_blind},
          {"big_blind", config_.big_blind},
          {"ante", config_.ante},
          {"num_players", seats()}};
}

HoldemHand::Stakes Holdem::stakes_of(std::uint32_t number) const noexcept {
  const std::int64_t all = 2 * config_.starting_stack;
  HoldemHand::Stakes stakes{config_.small_blind, config_.big_blind, config_.ante};
  const std::uint32_t level =
      config_.hands_per_level == 0 ? 0 : (number - 1) / config_.hands_per_level;
  // Beyond all chips there is nothing to double.
  for (std::uint32_t i = 0; i < level && stakes.small_blind < all; ++i) {
    stakes = {2 * stakes.small_blind, 2 * stakes.big_blind, 2 * stakes.ante};
  }
  return stakes;
}

Event Holdem::same_for_all(Event::Kind kind, const Json& content) const {
  return {kind, number_, std::vector<Json>(seats(), content)};
}

Step Holdem::start_hand() {
  ++number_;
  const Seed seed = derive(seed_, "hand", number_);
  const Deck deck = shuffled_deck(seed);
  commitment_ = hex(deck_commitment(seed, deck));
  hand_.emplace(deck, (number_ - 1) % 2, stacks_, stakes_of(number_));
  is_hand_open_ = true;

  Event event{Event::Kind::round_start, number_, {}};
  for (std::size_t seat = 0; seat < seats(); ++seat) {
    event.content.push_back({{"hand_number", number_},
                             {"dealer_seat", hand_->dealer()},
                             {"your_hole_cards", cards_json(hand_->hole_cards(seat))},
                             {"pot", hand_->pot()},
                             {"post_blind_stacks", hand_->stacks()},
                             {"stacks", stacks_},
                             {"deck_commitment", commitment_}});
  }
  return event;
}

Step Holdem::finish_hand() {
  const HoldemHand::Settlement& settlement = hand_->settle();
  stacks_ = hand_->stacks();
  is_hand_open_ = false;
  ++finished_;
  Json winners = Json::array();
  Json payouts = Json::array();
  for (std::size_t seat = 0; seat < seats(); ++seat) {
    if (!settlement.is_winner[seat]) continue;
    ++won_[seat];
    winners.push_back(seat);
    payouts.push_back({{"seat", seat}, {"amount", settlement.payouts[seat]}});
  }
  return same_for_all(Event::Kind::round_result, {{"hand_number", number_},
                                                  {"winner_seats", winners},
                                                  {"pot", settlement.pot},
                                                  {"payouts", payouts},
                                                  {"showdown", showdown_json(*hand_)},
                                                  {"action_history", history_json(*hand_)},
                                                  {"stacks", stacks_},
                                                  {"deck_commitment", commitment_},
                                                  {"deck_reveal", nullptr}});
}

Step Holdem::next() {
  if (!is_hand_open_) {
    if (stacks_[0] == 0 || stacks_[1] == 0 || number_ == config_.max_hands) return End{};
    return start_hand();
  }
  switch (hand_->stage()) {
    case HoldemHand::Stage::betting: {
      const HoldemHand::Choices choices = hand_->choices();
      Turn turn{hand_->to_act(), {"fold", choices.to_call == 0 ? "check" : "call"}};
      if (choices.can_raise) turn.valid_actions.emplace_back("raise");
      return turn;
    }
    case HoldemHand::Stage::street_due:
      hand_->deal_street();
      return same_for_all(Event::Kind::phase_change, {{"phase", to_string(hand_->street())},
                                                      {"board", cards_json(hand_->board())}});
    case HoldemHand::Stage::settlement_due:
    case HoldemHand::Stage::over:
      break;
  }
  return finish_hand();
}

std::variant<Applied, Refused> Holdem::apply(std::size_t seat, const Action& action,
                                             bool is_substitute) {
  using Move = HoldemHand::Move;
  if (!is_hand_open_ || hand_->stage() != HoldemHand::Stage::betting || hand_->to_act() != seat) {
    return Refused{"it is not this seat's turn"};
  }
  const HoldemHand::Choices choices = hand_->choices();
  Move move = Move::fold;
  std::int64_t chips = 0;
  if (action.name == "check") {
    if (choices.to_call != 0) return Refused{"there is a bet to call"};
    move = Move::check;
  } else if (action.name == "call") {
    if (choices.to_call == 0) return Refused{"there is no bet to call"};
    move = Move::call;
  } else if (action.name == "raise") {
    if (!choices.can_raise) return Refused{"a raise is not possible"};
    const std::optional<std::int64_t> amount = chips_of(action.params);
    if (!amount) return Refused{"a raise needs a number as its amount"};
    move = Move::raise;
    chips = *amount;
  } else if (action.name != "fold") {
    return Refused{"there is no such action"};
  }
  const std::int64_t told = hand_->act(move, chips, is_substitute);
  return Applied{{{"action", to_string(move)},
                  {"amount", told},
                  {"pot", hand_->pot()},
                  {"stacks", hand_->stacks()}}};
}

Action Holdem::default_action() const {
  assert(is_hand_open_ && hand_->stage() == HoldemHand::Stage::betting);
  return {hand_->choices().to_call == 0 ? "check" : "fold"};
}

Json Holdem::view(std::size_t seat) const {
  Json json = public_view();
  json.erase("stacks");
  json.erase("dealer_seat");
  const bool acts =
      is_hand_open_ && hand_->stage() == HoldemHand::Stage::betting && hand_->to_act() == seat;
  const HoldemHand::Choices choices = acts ? hand_->choices() : HoldemHand::Choices{};
  const HoldemHand::Chips& stacks = hand_ ? hand_->stacks() : stacks_;
  json["your_hole_cards"] = hand_ ? cards_json(hand_->hole_cards(seat)) : Json::array();
  json["your_stack"] = stacks[seat];
  json["opponent_stacks"] = {stacks[other(seat)]};
  json["to_call"] = choices.to_call;
  json["min_raise"] = choices.min_raise;
  json["max_raise"] = choices.max_raise;
  return json;
}

Json Holdem::public_view() const {
  if (!hand_) {
    return {{"hand_number", 0}, {"phase", "preflop"}, {"board", Json::array()},
            {"pot", 0},         {"stacks", stacks_},  {"action_history", Json::array()},
            {"dealer_seat", 0}};
  }
  return {{"hand_number", number_},
          {"phase", to_string(hand_->street())},
          {"board", cards_json(hand_->board())},
          {"pot", hand_->pot()},
          {"stacks", hand_->stacks()},
          {"action_history", history_json(*hand_)},
          {"dealer_seat", hand_->dealer()}};
}

void Holdem::resign(std::size_t seat) {
  is_hand_open_ = false;
  if (hand_) hand_->concede(seat);
  stacks_[seat] = 0;
  stacks_[other(seat)] = 2 * config_.starting_stack;
}

GameResult Holdem::result() const {
  GameResult result;
  result.rounds = finished_;
  result.is_cut_short = finished_ == config_.max_hands && stacks_[0] > 0 && stacks_[1] > 0;
  HoldemHand::Chips chips = stacks_;
  if (is_hand_open_) {
    for (std::size_t seat = 0; seat < seats(); ++seat) {
      chips[seat] = hand_->stacks()[seat] + hand_->committed()[seat];
    }
  }
  for (std::size_t seat = 0; seat < seats(); ++seat) {
    const std::int64_t net = chips[seat] - config_.starting_stack;
    result.seats.push_back(
        {chips[seat] >= chips[other(seat)] ? 1U : 2U,
         net,
         {{"net_chips", net}, {"hands_won", won_[seat]}, {"final_stack", chips[seat]}}});
  }
  result.fields = {{"total_hands_played", result.rounds}, {"mode", "elimination"}};
  return result;
}

}  // namespace lobby_program
