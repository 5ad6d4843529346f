// SPDX-License-Identifier: MIT
// Playing cards, and which of two hands is the better one.
#pragma once

#include "seed.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lobby_program {

/// One of 52.
struct Card {
  std::uint8_t rank = 2;  ///< 2 to 14, the ace
  std::uint8_t suit = 0;  ///< 0 to 3: clubs, diamonds, hearts, spades
  friend bool operator==(const Card&, const Card&) = default;
};

/// "Ah", "Td" and so on.
[[nodiscard]] std::string to_string(Card card);

/// All 52, shuffled: the cards by suit and rank, and then, from the last place down, each exchanged
/// with one that `SeedStream::below` draws from itself and those before it.
using Deck = std::array<Card, 52>;
[[nodiscard]] Deck shuffled_deck(const Seed& seed) noexcept;

/// SHA-256 of the seed's bytes and the letters of all cards in order.
[[nodiscard]] Digest deck_commitment(const Seed& seed, const Deck& deck);

/// What five cards are worth.
struct HandValue {
  enum class Category : std::uint8_t {
    high_card,
    pair,
    two_pair,
    three_of_a_kind,
    straight,
    flush,
    full_house,
    four_of_a_kind,
    straight_flush
  };

  /// Greater is better, equal is a tie: the category, then five ranks from the one that counts
  /// most.
  std::uint32_t strength = 0;
  std::array<Card, 5> cards{};  ///< those that count most first

  [[nodiscard]] Category category() const noexcept {
    return static_cast<Category>(strength >> 20U);
  }
};

/// The best five of `cards`.
/// @param cards   5 to 7, all different
[[nodiscard]] HandValue best_hand(std::span<const Card> cards) noexcept;

/// "High Card", "Pair", "Two Pair" and so on.
[[nodiscard]] std::string_view to_string(HandValue::Category category) noexcept;

}  // namespace lobby_program
