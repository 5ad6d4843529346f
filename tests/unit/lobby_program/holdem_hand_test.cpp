// SPDX-License-Identifier: MIT
// One hand of heads-up hold'em: who acts, how much, and who is paid.
#include "holdem_hand.hpp"

#include "seed.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

using namespace lobby_program;
using Move = HoldemHand::Move;
using Stage = HoldemHand::Stage;
using Street = HoldemHand::Street;
using Chips = HoldemHand::Chips;

namespace {

/// A deck that begins with these cards: two of seat 0, two of seat 1, the board.
Deck deck_of(std::string_view text) {
  Deck rest = shuffled_deck(Seed{});
  std::vector<Card> first;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    const auto found = std::find_if(
        rest.begin(), rest.end(), [&](Card card) { return to_string(card) == text.substr(i, 2); });
    REQUIRE(found != rest.end());
    first.push_back(*found);
  }
  std::vector<Card> all = first;
  for (const Card card : rest) {
    if (std::find(first.begin(), first.end(), card) == first.end()) all.push_back(card);
  }
  Deck deck;
  std::copy(all.begin(), all.end(), deck.begin());
  return deck;
}

const std::string_view aces_against_kings = "As Ad Kc Kd 2c 7h 9s Jd 3h";
const std::string_view board_plays = "2c 3d 2d 3c As Ks Qs Js Ts";
constexpr HoldemHand::Stakes blinds{5, 10, 0};

HoldemHand hand_of(std::string_view cards, Chips stacks, std::size_t dealer = 0,
                   HoldemHand::Stakes stakes = blinds) {
  return {deck_of(cards), dealer, stacks, stakes};
}

void move(HoldemHand& hand, std::size_t seat, Move what, std::int64_t amount = 0) {
  REQUIRE(hand.stage() == Stage::betting);
  REQUIRE(hand.to_act() == seat);
  hand.act(what, amount, false);
}

/// Deals all that is left to deal, with nobody to act.
void run_out(HoldemHand& hand) {
  while (hand.stage() == Stage::street_due) hand.deal_street();
  REQUIRE(hand.stage() == Stage::settlement_due);
}

}  // namespace

TEST_CASE(
    "hold'em hand: the dealer posts the small blind, acts first before the flop and last after it",
    "[lobby_program][holdem]") {
  for (const std::size_t dealer : {0U, 1U}) {
    HoldemHand hand = hand_of(aces_against_kings, {1000, 1000}, dealer);
    CHECK(hand.stacks()[dealer] == 995);
    CHECK(hand.stacks()[1 - dealer] == 990);
    CHECK(hand.pot() == 15);
    const HoldemHand::Choices choices = hand.choices();
    CHECK(choices.to_call == 5);
    CHECK(choices.min_raise == 20);
    CHECK(choices.max_raise == 1000);
    move(hand, dealer, Move::call);
    // The big blind has an option.
    CHECK(hand.choices().to_call == 0);
    CHECK(hand.choices().min_raise == 20);
    move(hand, 1 - dealer, Move::check);
    for (const Street street : {Street::flop, Street::turn, Street::river}) {
      REQUIRE(hand.stage() == Stage::street_due);
      hand.deal_street();
      CHECK(hand.street() == street);
      CHECK(hand.choices().min_raise == 10);
      move(hand, 1 - dealer, Move::check);
      move(hand, dealer, Move::check);
    }
    CHECK(hand.board().size() == 5);
    CHECK(hand.stage() == Stage::settlement_due);
    hand.settle();
    CHECK(hand.stacks() == Chips{1010, 990});
  }
}

TEST_CASE("hold'em hand: a raise is at least as large as the one before it",
          "[lobby_program][holdem]") {
  HoldemHand hand = hand_of(aces_against_kings, {1000, 1000});
  move(hand, 0, Move::raise, 50);  // by 40
  CHECK(hand.choices().to_call == 40);
  CHECK(hand.choices().min_raise == 90);
  move(hand, 1, Move::raise, 200);  // by 150
  CHECK(hand.choices().min_raise == 350);
  move(hand, 0, Move::call);
  CHECK(hand.stage() == Stage::street_due);
  hand.deal_street();
  CHECK(hand.choices().min_raise == 10);  // of a new street, the big blind
}

TEST_CASE("hold'em hand: an amount out of range is moved to its end", "[lobby_program][holdem]") {
  HoldemHand low = hand_of(aces_against_kings, {1000, 1000});
  CHECK(low.act(Move::raise, 1, false) == 20);
  HoldemHand negative = hand_of(aces_against_kings, {1000, 1000});
  CHECK(negative.act(Move::raise, -9'000'000'000'000, false) == 20);
  HoldemHand high = hand_of(aces_against_kings, {1000, 1000});
  CHECK(high.act(Move::raise, 9'000'000'000'000, false) == 1000);
  CHECK(high.stacks()[0] == 0);
}

TEST_CASE("hold'em hand: who has less than the minimum may still raise all in",
          "[lobby_program][holdem]") {
  HoldemHand hand = hand_of(aces_against_kings, {1000, 70});
  move(hand, 0, Move::raise, 50);
  const HoldemHand::Choices choices = hand.choices();
  CHECK(choices.to_call == 40);
  CHECK(choices.can_raise);
  CHECK(choices.min_raise == 70);  // 90 would be the minimum
  CHECK(choices.max_raise == 70);
  move(hand, 1, Move::raise, 70);
  // Who is all in cannot be raised.
  CHECK(hand.choices().to_call == 20);
  CHECK_FALSE(hand.choices().can_raise);
  CHECK(hand.choices().min_raise == 0);
  CHECK(hand.choices().max_raise == 0);
  move(hand, 0, Move::call);
  run_out(hand);
  hand.settle();
  CHECK(hand.stacks() == Chips{1070, 0});
}

TEST_CASE("hold'em hand: who has no more than the call cannot raise", "[lobby_program][holdem]") {
  HoldemHand hand = hand_of(aces_against_kings, {1000, 100});
  move(hand, 0, Move::raise, 300);
  CHECK(hand.choices().to_call == 90);
  CHECK_FALSE(hand.choices().can_raise);
  move(hand, 1, Move::call);
  run_out(hand);
  CHECK(hand.settle().pot == 200);
}

TEST_CASE("hold'em hand: an uncalled bet goes back before the pot is paid",
          "[lobby_program][holdem]") {
  SECTION("after a fold") {
    HoldemHand hand = hand_of(aces_against_kings, {1000, 1000});
    move(hand, 0, Move::raise, 300);
    move(hand, 1, Move::fold);
    const HoldemHand::Settlement& settlement = hand.settle();
    CHECK(settlement.pot == 20);
    CHECK(settlement.payouts == Chips{20, 0});
    CHECK_FALSE(settlement.showdown);
    CHECK(hand.stacks() == Chips{1010, 990});
  }
  SECTION("where the caller has less") {
    HoldemHand hand = hand_of(aces_against_kings, {1000, 400});
    move(hand, 0, Move::raise, 1000);
    move(hand, 1, Move::call);
    run_out(hand);
    const HoldemHand::Settlement& settlement = hand.settle();
    CHECK(settlement.pot == 800);
    CHECK(hand.stacks() == Chips{1400, 0});
  }
  SECTION("of the big blind, against a smaller small blind") {
    HoldemHand hand = hand_of(aces_against_kings, {3, 1000});
    run_out(hand);  // nobody has anything to decide
    CHECK(hand.settle().pot == 6);
    CHECK(hand.stacks() == Chips{6, 997});
  }
}

TEST_CASE("hold'em hand: a big blind that is all in is called, not raised",
          "[lobby_program][holdem]") {
  HoldemHand hand = hand_of(aces_against_kings, {1000, 8});
  CHECK(hand.to_act() == 0);
  CHECK(hand.choices().to_call == 3);
  CHECK_FALSE(hand.choices().can_raise);
  move(hand, 0, Move::call);
  run_out(hand);
  hand.settle();
  CHECK(hand.stacks() == Chips{1008, 0});

  // With less than the small blind there is nothing to decide.
  HoldemHand short_hand = hand_of(aces_against_kings, {1000, 4});
  run_out(short_hand);
  short_hand.settle();
  CHECK(short_hand.stacks() == Chips{1004, 0});
}

TEST_CASE("hold'em hand: a small blind that calls with its last chip leaves no option",
          "[lobby_program][holdem]") {
  HoldemHand hand = hand_of(aces_against_kings, {10, 1000});
  move(hand, 0, Move::call);
  run_out(hand);
  hand.settle();
  CHECK(hand.stacks() == Chips{20, 990});
}

TEST_CASE("hold'em hand: a tie is shared", "[lobby_program][holdem]") {
  HoldemHand hand = hand_of(board_plays, {1000, 700});
  move(hand, 0, Move::raise, 1000);
  move(hand, 1, Move::call);
  run_out(hand);
  const HoldemHand::Settlement& settlement = hand.settle();
  CHECK(settlement.is_winner == std::array<bool, 2>{true, true});
  CHECK(settlement.payouts == Chips{700, 700});
  CHECK(hand.stacks() == Chips{1000, 700});
}

TEST_CASE("hold'em hand: antes are in the pot and no bets", "[lobby_program][holdem]") {
  HoldemHand hand = hand_of(aces_against_kings, {1000, 1000}, 0, {5, 10, 2});
  CHECK(hand.pot() == 19);
  CHECK(hand.choices().to_call == 5);
  CHECK(hand.choices().min_raise == 20);
  CHECK(hand.choices().max_raise == 998);
  REQUIRE(hand.history().size() == 4);
  CHECK(hand.history()[0].action == "post_small_blind");
  CHECK(hand.history()[1].action == "post_big_blind");
  CHECK(hand.history()[2].action == "post_ante");
  CHECK(hand.history()[3].action == "post_ante");
}

TEST_CASE("hold'em hand: the history tells raises by their total and calls by what was added",
          "[lobby_program][holdem]") {
  HoldemHand hand = hand_of(aces_against_kings, {1000, 1000});
  CHECK(hand.act(Move::raise, 60, false) == 60);
  CHECK(hand.act(Move::call, 0, false) == 50);
  hand.deal_street();
  CHECK(hand.act(Move::check, 0, true) == 0);
  const HoldemHand::Entry& last = hand.history().back();
  CHECK(last.seat == 1);
  CHECK(last.action == "check");
  CHECK(last.street == Street::flop);
  CHECK(last.is_substitute);
}

TEST_CASE("hold'em hand: whatever is played, no chip is made, lost or owed",
          "[lobby_program][holdem]") {
  SeedStream dice{derive(Seed{}, "hands")};
  std::size_t showdowns = 0;
  std::size_t folds = 0;
  for (std::uint64_t i = 0; i < 3000; ++i) {
    CAPTURE(i);
    const Chips stacks{static_cast<std::int64_t>(1 + dice.below(300)),
                       static_cast<std::int64_t>(1 + dice.below(300))};
    const std::int64_t all = stacks[0] + stacks[1];
    const HoldemHand::Stakes stakes{5, 10, static_cast<std::int64_t>(dice.below(3))};
    HoldemHand hand{shuffled_deck(derive(Seed{}, "deck", i)),
                    static_cast<std::size_t>(dice.below(2)), stacks, stakes};
    for (int step = 0; hand.stage() != Stage::over; ++step) {
      REQUIRE(step < 500);
      REQUIRE(hand.stacks()[0] + hand.stacks()[1] + hand.pot() == all);
      REQUIRE(hand.stacks()[0] >= 0);
      REQUIRE(hand.stacks()[1] >= 0);
      if (hand.stage() == Stage::street_due) {
        hand.deal_street();
        continue;
      }
      if (hand.stage() == Stage::settlement_due) {
        const HoldemHand::Settlement& settlement = hand.settle();
        REQUIRE(settlement.payouts[0] + settlement.payouts[1] == settlement.pot);
        ++(settlement.showdown ? showdowns : folds);
        continue;
      }
      const HoldemHand::Choices choices = hand.choices();
      REQUIRE(hand.stacks()[hand.to_act()] > 0);
      REQUIRE(choices.to_call >= 0);
      REQUIRE(choices.to_call <= hand.stacks()[hand.to_act()]);
      REQUIRE(choices.min_raise <= choices.max_raise);
      const std::uint64_t die = dice.below(10);
      if (choices.can_raise && die < 4) {
        const auto range = static_cast<std::uint64_t>(choices.max_raise - choices.min_raise + 1);
        const auto amount = choices.min_raise + static_cast<std::int64_t>(dice.below(range));
        REQUIRE(hand.act(Move::raise, amount, false) == amount);
      } else if (die < 5) {
        hand.act(Move::fold, 0, false);
      } else {
        hand.act(choices.to_call == 0 ? Move::check : Move::call, 0, false);
      }
    }
    REQUIRE(hand.pot() == 0);
    REQUIRE(hand.stacks()[0] + hand.stacks()[1] == all);
    // Nobody wins more than the other one had.
    REQUIRE(hand.stacks()[0] <= stacks[0] + std::min(stacks[0], stacks[1]));
    REQUIRE(hand.stacks()[1] <= stacks[1] + std::min(stacks[0], stacks[1]));
  }
  CHECK(showdowns > 100);
  CHECK(folds > 100);
}
