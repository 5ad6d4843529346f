// SPDX-License-Identifier: MIT
// Simple rules for hands, prices and raises.
#include "tag.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace bot_program {

namespace {

using Action = HoldemGame::Action;

constexpr std::uint8_t ace = 14;

bool is_legal(std::span<const std::string> legal, std::string_view action) noexcept {
  return std::find(legal.begin(), legal.end(), action) != legal.end();
}

// One bit for each rank, and the ace once more below the two.
std::uint32_t ranks_of(std::span<const Card> cards) noexcept {
  std::uint32_t ranks = 0;
  for (const Card card : cards) ranks |= 1U << card.rank | (card.rank == ace ? 2U : 0U);
  return ranks;
}

// The most ranks that lie within five neighbours. Only windows with a rank of one's own count.
int longest_run(std::uint32_t all, std::uint32_t own) noexcept {
  int best = 0;
  for (unsigned low = 1; low + 4 <= ace; ++low) {
    const std::uint32_t window = 31U << low;
    if ((own & window) == 0) continue;
    int count = 0;
    for (std::uint32_t left = all & window; left != 0; left &= left - 1) ++count;
    best = std::max(best, count);
  }
  return best;
}

// How many cards of a suit there are, among suits that one holds.
std::ptrdiff_t most_of_a_suit(std::span<const Card> own, std::span<const Card> board) noexcept {
  std::ptrdiff_t best = 0;
  for (const Card held : own) {
    const auto is_same = [held](Card card) { return card.suit == held.suit; };
    best = std::max(best, std::count_if(own.begin(), own.end(), is_same) +
                              std::count_if(board.begin(), board.end(), is_same));
  }
  return best;
}

// What one is ready to pay, as a share of the pot with it, and whether to raise.
struct Plan {
  double most_share = 0;
  bool raises = false;        // also over others
  bool raises_first = false;  // only if nothing is to be paid
};

Plan before_the_flop(const HoldemGame::State& state) noexcept {
  double points = starting_points(state.own_cards[0], state.own_cards[1]);
  // Against few, more hands are good ones.
  if (state.opponent_stacks.size() <= 1) {
    points += 3;
  } else if (state.opponent_stacks.size() <= 3) {
    points += 1;
  }
  if (points >= 13) return {1.0, true, true};
  // For all the chips, a good hand is not good enough.
  if (points >= 10)
    return {state.to_call > state.own_stack / 3 ? 0.34 : 1.0, state.to_call <= state.own_stack / 10,
            true};
  if (points >= 7) return {0.34, false, true};
  return {};
}

Plan after_the_flop(const HoldemGame::State& state) noexcept {
  switch (read_hand(state.own_cards, state.board)) {
    case Reading::strong:
      return {1.0, true, true};
    case Reading::good_pair:
      return {0.4, false, true};
    case Reading::draw:
      // Two cards to come are twice the chance of one.
      return {state.board.size() == 3 ? 0.33 : 0.18, false, false};
    case Reading::weak_pair:
      return {0.2, false, false};
    case Reading::nothing:
      break;
  }
  return {};
}

}  // namespace

double starting_points(Card a, Card b) noexcept {
  const int high = std::max(a.rank, b.rank);
  const int low = std::min(a.rank, b.rank);
  double points = high / 2.0;
  if (high == ace) points = 10;
  if (high == 13) points = 8;
  if (high == 12) points = 7;
  if (high == 11) points = 6;
  if (high == low) return std::max(5.0, 2 * points);
  if (a.suit == b.suit) points += 2;
  constexpr std::array<double, 5> costs{0, 1, 2, 4, 5};
  const int gap = high - low - 1;
  points -= costs[static_cast<std::size_t>(std::min(gap, 4))];
  if (gap <= 1 && high < 12) points += 1;
  return points;
}

Reading read_hand(std::span<const Card> own, std::span<const Card> board) noexcept {
  std::array<int, 15> on_board{};
  std::uint8_t top = 0;
  for (const Card card : board) {
    ++on_board[card.rank];
    top = std::max(top, card.rank);
  }
  const bool is_pocket_pair = own[0].rank == own[1].rank;
  const std::ptrdiff_t suited = most_of_a_suit(own, board);
  const int run = longest_run(ranks_of(own) | ranks_of(board), ranks_of(own));
  if (suited >= 5 || run >= 5) return Reading::strong;

  int pairs = 0;
  std::uint8_t best = 0;
  for (const Card card : own) {
    const int others = on_board[card.rank] + (is_pocket_pair ? 1 : 0);
    if (others >= 2) return Reading::strong;
    if (others == 0) continue;
    ++pairs;
    best = std::max(best, card.rank);
  }
  if (pairs == 2 && !is_pocket_pair) return Reading::strong;
  if (pairs > 0 && best >= top) return Reading::good_pair;
  if ((suited == 4 || run == 4) && board.size() < 5) return Reading::draw;
  return pairs > 0 ? Reading::weak_pair : Reading::nothing;
}

HoldemGame::Action tag_action(const HoldemGame::State& state,
                              std::span<const std::string> legal) noexcept {
  Plan plan;
  if (state.own_cards.size() == 2) {
    plan = state.board.size() < 3 ? before_the_flop(state) : after_the_flop(state);
  }
  const bool wants_raise = plan.raises || (plan.raises_first && state.to_call == 0);
  if (wants_raise && state.max_raise > 0 && is_legal(legal, "raise")) {
    // Two thirds of the pot, on top of what there is to call.
    const std::int64_t own_bet = std::max<std::int64_t>(state.max_raise - state.own_stack, 0);
    const std::int64_t amount = own_bet + state.to_call + 2 * (state.pot + state.to_call) / 3;
    return {Action::Kind::raise, std::clamp(amount, state.min_raise, state.max_raise)};
  }
  const double share = static_cast<double>(state.to_call) /
                       static_cast<double>(std::max<std::int64_t>(state.pot + state.to_call, 1));
  if (state.to_call > 0 && share <= plan.most_share && is_legal(legal, "call")) {
    return {Action::Kind::call};
  }
  if (is_legal(legal, "check")) return {Action::Kind::check};
  if (is_legal(legal, "fold")) return {Action::Kind::fold};
  if (is_legal(legal, "call")) return {Action::Kind::call};
  return {Action::Kind::raise, state.min_raise};
}

}  // namespace bot_program
