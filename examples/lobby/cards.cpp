// SPDX-License-Identifier: MIT
#include "cards.hpp"

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <utility>

namespace lobby_program {

namespace {

constexpr std::string_view rank_letters = "23456789TJQKA";
constexpr std::string_view suit_letters = "cdhs";
constexpr std::uint8_t ace = 14;

/// Takes cards out of a hand, best first, into its best five.
class Picker {
 public:
  /// @param cards   from the highest rank to the lowest
  explicit Picker(std::span<const Card> cards) : cards_(cards) {}

  /// The first of that rank that are not taken, of one suit where `suit` is 0 to 3.
  void take(std::uint8_t rank, std::size_t count, int suit = -1) {
    for (std::size_t i = 0; i < cards_.size() && count > 0; ++i) {
      if (is_taken_[i] || cards_[i].rank != rank || (suit >= 0 && cards_[i].suit != suit)) continue;
      add(i);
      --count;
    }
  }

  /// The highest that are left, until there are five.
  void fill(int suit = -1) {
    for (std::size_t i = 0; i < cards_.size(); ++i) {
      if (!is_taken_[i] && (suit < 0 || cards_[i].suit == suit)) add(i);
    }
  }

  /// From `high` down; an ace is the lowest of 5 to A.
  void take_straight(std::uint8_t high, int suit = -1) {
    for (int rank = high; rank > high - 5; --rank) {
      take(rank == 1 ? ace : static_cast<std::uint8_t>(rank), 1, suit);
    }
  }

  [[nodiscard]] HandValue value(HandValue::Category category) const {
    assert(count_ == 5);
    HandValue value{static_cast<std::uint32_t>(category), five_};
    for (std::size_t i = 0; i < five_.size(); ++i) {
      // An ace after a two ends the lowest straight. Nothing else has a rank after a lower one.
      const bool is_low = i == 4 && five_[i].rank == ace && five_[3].rank == 2 &&
                          (category == HandValue::Category::straight ||
                           category == HandValue::Category::straight_flush);
      value.strength = value.strength << 4U | (is_low ? 1U : five_[i].rank);
    }
    return value;
  }

 private:
  void add(std::size_t index) {
    if (count_ == five_.size()) return;
    is_taken_[index] = true;
    five_[count_++] = cards_[index];
  }

  std::span<const Card> cards_;
  std::array<bool, 7> is_taken_{};
  std::array<Card, 5> five_{};
  std::size_t count_ = 0;
};

/// The highest rank of five in a row; 0: there are none.
/// @param ranks   one bit for each
std::uint8_t straight_of(std::uint32_t ranks) noexcept {
  if ((ranks >> ace & 1U) != 0) ranks |= 2U;
  for (std::uint8_t high = ace; high >= 5; --high) {
    if ((ranks >> (high - 4U) & 31U) == 31U) return high;
  }
  return 0;
}

}  // namespace

std::string to_string(Card card) {
  return {rank_letters[card.rank - std::size_t{2}], suit_letters[card.suit]};
}

Deck shuffled_deck(const Seed& seed) noexcept {
  Deck deck;
  for (std::size_t i = 0; i < deck.size(); ++i) {
    deck[i] = {static_cast<std::uint8_t>(2 + i % 13), static_cast<std::uint8_t>(i / 13)};
  }
  SeedStream stream{seed};
  for (std::size_t i = deck.size() - 1; i > 0; --i) {
    std::swap(deck[i], deck[static_cast<std::size_t>(stream.below(i + 1))]);
  }
  return deck;
}

Digest deck_commitment(const Seed& seed, const Deck& deck) {
  std::string letters;
  for (const Card card : deck) letters += to_string(card);
  return sha256({seed, muster::as_bytes(letters)});
}

HandValue best_hand(std::span<const Card> cards) noexcept {
  assert(cards.size() >= 5 && cards.size() <= 7);
  std::array<Card, 7> sorted{};
  const auto end = std::copy(cards.begin(), cards.end(), sorted.begin());
  std::sort(sorted.begin(), end,
            [](Card a, Card b) { return a.rank != b.rank ? a.rank > b.rank : a.suit > b.suit; });

  std::array<std::uint8_t, 15> count{};          // of cards, by rank
  std::array<std::uint32_t, 4> ranks_of_suit{};  // one bit for each rank
  std::array<std::uint8_t, 4> size_of_suit{};
  std::uint32_t ranks = 0;
  for (const Card card : cards) {
    ++count[card.rank];
    ++size_of_suit[card.suit];
    ranks_of_suit[card.suit] |= 1U << card.rank;
    ranks |= 1U << card.rank;
  }
  // The two ranks that there are most of: of equal counts the higher one. Three, and three again,
  // are a full house; of three pairs the third is a kicker.
  std::uint8_t most = 0;
  std::uint8_t second = 0;
  for (std::uint8_t rank = ace; rank >= 2; --rank) {
    if (count[rank] > count[most]) {
      second = most;
      most = rank;
    } else if (count[rank] > count[second]) {
      second = rank;
    }
  }
  const auto flush = static_cast<int>(std::find_if(size_of_suit.begin(), size_of_suit.end(),
                                                   [](std::uint8_t size) { return size >= 5; }) -
                                      size_of_suit.begin());
  const bool has_flush = flush < 4;

  using Category = HandValue::Category;
  Picker picker{{sorted.data(), cards.size()}};
  if (has_flush) {
    const std::uint8_t high = straight_of(ranks_of_suit[static_cast<std::size_t>(flush)]);
    if (high != 0) {
      picker.take_straight(high, flush);
      return picker.value(Category::straight_flush);
    }
  }
  if (count[most] == 4) {
    picker.take(most, 4);
    picker.fill();
    return picker.value(Category::four_of_a_kind);
  }
  if (count[most] == 3 && count[second] >= 2) {
    picker.take(most, 3);
    picker.take(second, 2);
    return picker.value(Category::full_house);
  }
  if (has_flush) {
    picker.fill(flush);
    return picker.value(Category::flush);
  }
  if (const std::uint8_t high = straight_of(ranks); high != 0) {
    picker.take_straight(high);
    return picker.value(Category::straight);
  }
  if (count[most] == 3) {
    picker.take(most, 3);
    picker.fill();
    return picker.value(Category::three_of_a_kind);
  }
  if (count[most] == 2) picker.take(most, 2);
  if (count[second] == 2) picker.take(second, 2);
  picker.fill();
  if (count[second] == 2) return picker.value(Category::two_pair);
  return picker.value(count[most] == 2 ? Category::pair : Category::high_card);
}

std::string_view to_string(HandValue::Category category) noexcept {
  static constexpr std::array<std::string_view, 9> names{
      "High Card", "Pair",       "Two Pair",       "Three of a Kind", "Straight",
      "Flush",     "Full House", "Four of a Kind", "Straight Flush"};
  return names[static_cast<std::size_t>(category)];
}

}  // namespace lobby_program
