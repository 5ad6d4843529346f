// SPDX-License-Identifier: MIT
// One hand of heads-up no-limit hold'em: blinds, bets, streets and the pot.
#pragma once

#include "cards.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace lobby_program {

/// A hand between two seats, from the blinds to the payment of the pot. Chips are whole numbers.
///
/// Work by `stage`: `act` while it is betting, `deal_street` and `settle` when they are due.
/// @threads distinct objects: safe; shared objects: unsafe
class HoldemHand {
 public:
  using Chips = std::array<std::int64_t, 2>;  // by seat

  enum class Street : std::uint8_t { preflop, flop, turn, river };
  enum class Stage : std::uint8_t { betting, street_due, settlement_due, over };
  enum class Move : std::uint8_t { fold, check, call, raise };

  /// What is posted, each 0 and more; less by a seat that has less.
  struct Stakes {
    std::int64_t small_blind = 0;
    std::int64_t big_blind = 0;
    std::int64_t ante = 0;
  };

  /// What the seat that is to act may do. Fold is always possible.
  struct Choices {
    std::int64_t to_call = 0;  ///< 0: it may check; else it may call, with what it has at most
    bool can_raise = false;
    std::int64_t min_raise = 0;  ///< to this bet of the street; 0: it cannot
    std::int64_t max_raise = 0;
  };

  struct Entry {
    std::size_t seat = 0;
    std::string_view action;  ///< "raise", "post_ante" and so on
    std::int64_t amount = 0;  ///< of a raise the bet of the street, else what was added
    Street street = Street::preflop;
    bool is_substitute = false;
  };

  /// How the pot was paid.
  struct Settlement {
    std::int64_t pot = 0;  ///< what both could win; an uncalled bet went back before
    Chips payouts{};       ///< out of the pot
    std::array<bool, 2> is_winner{};
    std::optional<std::array<HandValue, 2>> showdown{};  ///< empty after a fold
  };

  /// Posts the blinds, then the antes.
  /// @param dealer   the seat that posts the small blind, acts first before the flop, and last
  ///                 after it
  /// @param stacks   1 and more for each
  HoldemHand(const Deck& deck, std::size_t dealer, Chips stacks, Stakes stakes);

  [[nodiscard]] Stage stage() const noexcept { return stage_; }

  /// While it is betting.
  [[nodiscard]] std::size_t to_act() const noexcept { return to_act_; }
  [[nodiscard]] Choices choices() const noexcept;

  /// Does a move that `choices` allows, for the seat that is to act.
  /// @param amount   of a raise: the bet of the street; what is out of range is moved to its end
  /// @return         the amount of the entry in the history
  std::int64_t act(Move move, std::int64_t amount, bool is_substitute);

  void deal_street();

  /// Pays the pot. A tie is shared; an odd chip goes to seat 0.
  const Settlement& settle();

  /// All has been paid as a gift of `seat`, that gives up.
  void concede(std::size_t seat);

  /// What each has before it; committed chips are not in it.
  [[nodiscard]] const Chips& stacks() const noexcept { return stacks_; }
  [[nodiscard]] const Chips& committed() const noexcept { return committed_; }
  [[nodiscard]] std::int64_t pot() const noexcept { return committed_[0] + committed_[1]; }
  [[nodiscard]] std::size_t dealer() const noexcept { return dealer_; }
  [[nodiscard]] Street street() const noexcept { return street_; }
  [[nodiscard]] std::span<const Card> hole_cards(std::size_t seat) const noexcept {
    return std::span{deck_}.subspan(2 * seat, 2);
  }
  [[nodiscard]] std::span<const Card> board() const noexcept;
  [[nodiscard]] const std::vector<Entry>& history() const noexcept { return history_; }
  [[nodiscard]] const Settlement& settlement() const noexcept { return settlement_; }

 private:
  void put_in(std::size_t seat, std::int64_t chips) noexcept;
  void post(std::size_t seat, std::string_view action, std::int64_t chips, bool is_bet);
  void find_next(std::size_t first);
  [[nodiscard]] bool must_act(std::size_t seat) const noexcept;

  Deck deck_;
  std::size_t dealer_;
  Chips stacks_;
  Chips committed_{};  // in the pot, bets of this street included
  Chips bets_{};       // of this street
  std::array<bool, 2> has_acted_{};
  std::optional<std::size_t> folded_;
  std::int64_t big_blind_;
  std::int64_t last_raise_;  // by how much
  Street street_ = Street::preflop;
  Stage stage_ = Stage::betting;
  std::size_t to_act_ = 0;
  std::vector<Entry> history_;
  Settlement settlement_;
};

[[nodiscard]] std::string_view to_string(HoldemHand::Street street) noexcept;
[[nodiscard]] std::string_view to_string(HoldemHand::Move move) noexcept;

}  // namespace lobby_program
