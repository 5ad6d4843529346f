// SPDX-License-Identifier: MIT
// Tic-tac-toe: the smallest game that a match can run.
#pragma once

#include "game.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace lobby_program {

/// One round. Seat 0 begins with X. The actions are "0" to "8": cells from the upper left, by rows.
///
/// The state is `{"board":[9 of "", "X", "O"],"mark":"X","phase":"play"}`, where `mark` is the
/// seat's own.
/// @threads distinct objects: safe; shared objects: unsafe
class TicTacToe final : public Game {
 public:
  [[nodiscard]] std::string_view type() const noexcept override { return "tic_tac_toe"; }
  [[nodiscard]] Json description() const override;
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
  static constexpr std::uint8_t empty = 2;

  /// The seat that has three in a row.
  [[nodiscard]] std::optional<std::size_t> winner() const noexcept;
  [[nodiscard]] Json board() const;

  std::array<std::uint8_t, 9> cells_{};  // the seat that has it, or `empty`
  std::uint8_t taken_ = 0;
  std::uint8_t told_ = 0;  // events: 1 the start, 2 the result too
  std::optional<std::size_t> resigned_;
};

}  // namespace lobby_program
