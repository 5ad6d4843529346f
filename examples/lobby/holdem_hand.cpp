// SPDX-License-Identifier: MIT
#include "holdem_hand.hpp"

#include <algorithm>
#include <cassert>

namespace lobby_program {

namespace {

constexpr std::size_t other(std::size_t seat) noexcept { return 1 - seat; }

}  // namespace

HoldemHand::HoldemHand(const Deck& deck, std::size_t dealer, Chips stacks, Stakes stakes)
    : deck_(deck),
      dealer_(dealer),
      stacks_(stacks),
      big_blind_(stakes.big_blind),
      last_raise_(stakes.big_blind) {
  assert(dealer < 2 && stacks[0] > 0 && stacks[1] > 0);
  post(dealer, "post_small_blind", stakes.small_blind, true);
  post(other(dealer), "post_big_blind", stakes.big_blind, true);
  if (stakes.ante > 0) {
    post(dealer, "post_ante", stakes.ante, false);
    post(other(dealer), "post_ante", stakes.ante, false);
  }
  find_next(dealer);
}

void HoldemHand::put_in(std::size_t seat, std::int64_t chips) noexcept {
  stacks_[seat] -= chips;
  committed_[seat] += chips;
}

void HoldemHand::post(std::size_t seat, std::string_view action, std::int64_t chips, bool is_bet) {
  chips = std::min(chips, stacks_[seat]);
  put_in(seat, chips);
  if (is_bet) bets_[seat] += chips;
  history_.push_back({seat, action, chips, street_, false});
}

bool HoldemHand::must_act(std::size_t seat) const noexcept {
  if (stacks_[seat] == 0) return false;
  if (bets_[seat] < bets_[other(seat)]) return true;
  return stacks_[other(seat)] > 0 && !has_acted_[seat];
}

void HoldemHand::find_next(std::size_t first) {
  for (const std::size_t seat : {first, other(first)}) {
    if (must_act(seat)) {
      to_act_ = seat;
      stage_ = Stage::betting;
      return;
    }
  }
  stage_ = street_ == Street::river ? Stage::settlement_due : Stage::street_due;
}

HoldemHand::Choices HoldemHand::choices() const noexcept {
  assert(stage_ == Stage::betting);
  const std::size_t opponent = other(to_act_);
  const std::int64_t owed = std::max<std::int64_t>(bets_[opponent] - bets_[to_act_], 0);
  Choices choices{.to_call = std::min(owed, stacks_[to_act_])};
  choices.can_raise = stacks_[to_act_] > owed && stacks_[opponent] > 0;
  if (choices.can_raise) {
    choices.max_raise = bets_[to_act_] + stacks_[to_act_];
    choices.min_raise =
        std::min(std::max(bets_[opponent], bets_[to_act_]) + last_raise_, choices.max_raise);
  }
  return choices;
}

std::int64_t HoldemHand::act(Move move, std::int64_t amount, bool is_substitute) {
  const Choices allowed = choices();
  const std::size_t seat = to_act_;
  switch (move) {
    case Move::fold:
      amount = 0;
      folded_ = seat;
      break;
    case Move::check:
      assert(allowed.to_call == 0);
      amount = 0;
      break;
    case Move::call:
      assert(allowed.to_call > 0);
      amount = allowed.to_call;
      put_in(seat, amount);
      bets_[seat] += amount;
      break;
    case Move::raise: {
      assert(allowed.can_raise);
      amount = std::clamp(amount, allowed.min_raise, allowed.max_raise);
      const std::int64_t above = amount - std::max(bets_[0], bets_[1]);
      // What an all-in raises by less than the minimum is not what the next raise is measured by.
      last_raise_ = std::max(last_raise_, above);
      put_in(seat, amount - bets_[seat]);
      bets_[seat] = amount;
      break;
    }
  }
  history_.push_back({seat, to_string(move), amount, street_, is_substitute});
  has_acted_[seat] = true;
  if (folded_) {
    stage_ = Stage::settlement_due;
  } else {
    find_next(other(seat));
  }
  return amount;
}

void HoldemHand::deal_street() {
  assert(stage_ == Stage::street_due);
  street_ = static_cast<Street>(static_cast<int>(street_) + 1);
  bets_ = {};
  has_acted_ = {};
  last_raise_ = big_blind_;
  find_next(other(dealer_));
}

const HoldemHand::Settlement& HoldemHand::settle() {
  assert(stage_ == Stage::settlement_due);
  // What the other one did not match was never at stake.
  const std::size_t larger = committed_[0] > committed_[1] ? 0 : 1;
  put_in(larger, committed_[other(larger)] - committed_[larger]);

  settlement_.pot = pot();
  if (folded_) {
    settlement_.is_winner[other(*folded_)] = true;
  } else {
    std::array<HandValue, 2> values;
    for (std::size_t seat = 0; seat < 2; ++seat) {
      std::array<Card, 7> cards;
      const auto end = std::copy_n(hole_cards(seat).begin(), 2, cards.begin());
      std::copy_n(deck_.begin() + 4, 5, end);
      values[seat] = best_hand(cards);
    }
    settlement_.is_winner = {values[0].strength >= values[1].strength,
                             values[1].strength >= values[0].strength};
    settlement_.showdown = values;
  }
  const bool is_shared = settlement_.is_winner[0] && settlement_.is_winner[1];
  if (is_shared) {
    settlement_.payouts = {settlement_.pot - settlement_.pot / 2, settlement_.pot / 2};
  } else {
    settlement_.payouts[settlement_.is_winner[0] ? 0 : 1] = settlement_.pot;
  }
  for (std::size_t seat = 0; seat < 2; ++seat) stacks_[seat] += settlement_.payouts[seat];
  committed_ = {};
  bets_ = {};
  stage_ = Stage::over;
  return settlement_;
}

void HoldemHand::concede(std::size_t seat) {
  stacks_[other(seat)] += stacks_[seat] + pot();
  stacks_[seat] = 0;
  committed_ = {};
  bets_ = {};
  stage_ = Stage::over;
}

std::span<const Card> HoldemHand::board() const noexcept {
  static constexpr std::array<std::size_t, 4> sizes{0, 3, 4, 5};
  return std::span{deck_}.subspan(4, sizes[static_cast<std::size_t>(street_)]);
}

std::string_view to_string(HoldemHand::Street street) noexcept {
  static constexpr std::array<std::string_view, 4> names{"preflop", "flop", "turn", "river"};
  return names[static_cast<std::size_t>(street)];
}

std::string_view to_string(HoldemHand::Move move) noexcept {
  static constexpr std::array<std::string_view, 4> names{"fold", "check", "call", "raise"};
  return names[static_cast<std::size_t>(move)];
}

}  // namespace lobby_program
