// SPDX-License-Identifier: MIT
// Heads-up no-limit hold'em: the game that the published clients play.
#pragma once

#include "game.hpp"
#include "holdem_hand.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace lobby_program {

/// Chips are whole numbers.
struct HoldemConfig {
  std::int64_t starting_stack = 1000;  ///< of each seat, 1 to 1000 big blinds
  std::int64_t small_blind = 5;        ///< of the first hands, 1 to `big_blind`
  std::int64_t big_blind = 10;         ///< 1 to 1,000,000
  std::int64_t ante = 0;               ///< 0 to 1,000,000

  /// Hands after which blinds and ante are doubled, so that somebody is eliminated; 0: never.
  std::uint32_t hands_per_level = 20;

  /// Hands after which the match is over whoever has the chips; 1 to 100,000. Equal stacks share
  /// the first place.
  std::uint32_t max_hands = 1000;
};

/// @error errc::invalid_config   a value is outside its range
[[nodiscard]] std::error_code validate(const HoldemConfig& config) noexcept;

/// Played until one seat has all chips.
///
/// A hand is a round. Seat 0 is dealer of the first, and the deal changes with each. The dealer
/// posts the small blind, acts first before the flop and last after it.
///
/// The deck of a hand is a shuffle (Fisher and Yates, from the last card down) by a `SeedStream` of
/// the hand's seed, which is `derive(seed, "hand", number)`. Cards are dealt from its front: two to
/// seat 0, two to seat 1, then the board, with no card burnt. `deck_commitment` is the SHA-256 of
/// the hand's seed, 32 bytes, and the 104 letters of the deck.
/// @threads distinct objects: safe; shared objects: unsafe
class Holdem final : public Game {
 public:
  explicit Holdem(HoldemConfig config);

  [[nodiscard]] std::string_view type() const noexcept override { return "poker"; }
  [[nodiscard]] Json description() const override { return nullptr; }
  [[nodiscard]] std::size_t seats() const noexcept override { return 2; }
  void init(const Seed& seed, std::size_t seats) override;
  [[nodiscard]] Json config() const override;
  [[nodiscard]] Step next() override;
  [[nodiscard]] std::variant<Applied, Refused> apply(std::size_t seat, const Action& action,
                                                     bool is_substitute) override;
  [[nodiscard]] Action default_action() const override;
  [[nodiscard]] Json view(std::size_t seat) const override;
  [[nodiscard]] Json public_view() const override;
  void resign(std::size_t seat) override;
  [[nodiscard]] GameResult result() const override;

 private:
  /// Blinds and ante of a hand.
  [[nodiscard]] HoldemHand::Stakes stakes_of(std::uint32_t number) const noexcept;
  [[nodiscard]] Step start_hand();
  [[nodiscard]] Step finish_hand();
  [[nodiscard]] Event same_for_all(Event::Kind kind, const Json& content) const;

  HoldemConfig config_;
  Seed seed_{};
  HoldemHand::Chips stacks_{};          // between hands
  std::array<std::uint32_t, 2> won_{};  // hands, by seat; a shared pot is won by both
  std::uint32_t number_ = 0;            // of the hand, from 1
  std::uint32_t finished_ = 0;          // hands
  std::string commitment_;              // to its deck, hexadecimal
  std::optional<HoldemHand> hand_;
  bool is_hand_open_ = false;
};

}  // namespace lobby_program
