// SPDX-License-Identifier: MIT
// The pairs of one round of a Swiss tournament.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace lobby_program {

/// Who has met whom, and who had no opponent how often. Entrants are indices.
class Meetings {
 public:
  explicit Meetings(std::size_t entrants)
      : entrants_(entrants), met_(entrants * entrants), byes_(entrants) {}

  void add(std::size_t a, std::size_t b) noexcept {
    met_[a * entrants_ + b] = 1;
    met_[b * entrants_ + a] = 1;
  }
  void add_bye(std::size_t entrant) noexcept { ++byes_[entrant]; }
  [[nodiscard]] bool has_met(std::size_t a, std::size_t b) const noexcept {
    return met_[a * entrants_ + b] != 0;
  }
  [[nodiscard]] std::uint32_t byes(std::size_t entrant) const noexcept { return byes_[entrant]; }

 private:
  std::size_t entrants_;
  std::vector<std::uint8_t> met_;  // a square
  std::vector<std::uint32_t> byes_;
};

struct SwissRound {
  std::vector<std::array<std::size_t, 2>> pairs{};  ///< the better of each first, in order
  std::optional<std::size_t> bye{};                 ///< who has no opponent, if they are odd
};

/// Pairs each with the next one in the order that it has not met.
///
/// As few as possible meet again: none, if the others can be paired without it. Of an odd number
/// the last one that had the fewest byes has none to play, or, if that spares a second meeting, one
/// before it with as few.
/// @param order   entrants, the best first
[[nodiscard]] SwissRound pair_swiss_round(std::span<const std::size_t> order,
                                          const Meetings& meetings);

}  // namespace lobby_program
