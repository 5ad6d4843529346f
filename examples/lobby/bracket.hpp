// SPDX-License-Identifier: MIT
// The tree of a single elimination: who meets whom, and who goes on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace lobby_program {

/// Entrants are indices. The first drawn meet the last drawn; where there are fewer entrants than
/// places, the first drawn go on without a match.
/// @threads distinct objects: safe; shared objects: unsafe
class Bracket {
 public:
  /// Two who are to play, in the order in which they were drawn.
  struct Meeting {
    std::size_t node = 0;  ///< for `decide`
    std::uint32_t round = 1;
    std::array<std::size_t, 2> entrants{};
  };

  /// Somebody goes on without a match.
  struct Bye {
    std::size_t entrant = 0;
  };

  /// @param drawn   all entrants, 2 and more, in the order in which they were drawn
  explicit Bracket(std::span<const std::size_t> drawn);

  /// A meeting that has come about, once. Empty: none until something is decided.
  [[nodiscard]] std::optional<Meeting> next_meeting();

  /// Who went on without a match since the last call.
  [[nodiscard]] std::vector<Bye> take_byes();

  /// Who of a meeting goes on; empty: neither.
  void decide(std::size_t node, std::optional<std::size_t> winner);

  [[nodiscard]] bool is_decided() const noexcept { return nodes_[1].is_decided; }

  /// Whether an entrant did not go on from a meeting.
  [[nodiscard]] bool is_out(std::size_t entrant) const noexcept { return is_out_[entrant]; }

  /// How far an entrant came: the round that it reached; one more than the last for the winner.
  [[nodiscard]] std::uint32_t reached(std::size_t entrant) const noexcept {
    return reached_[entrant];
  }

 private:
  struct Node {
    bool is_decided = false;
    bool is_met = false;  // its meeting was given out
    std::optional<std::size_t> winner{};
  };

  [[nodiscard]] std::uint32_t round_of(std::size_t node) const noexcept;
  [[nodiscard]] bool is_before(std::size_t a, std::size_t b) const noexcept {
    return drawn_at_[a] < drawn_at_[b];
  }

  // A heap: 1 is the final, the children of a node are at twice its index and one more.
  std::vector<Node> nodes_;
  std::vector<std::size_t> drawn_at_;   // by entrant
  std::vector<std::uint32_t> reached_;  // by entrant
  std::vector<bool> is_out_;            // by entrant
  std::vector<Bye> byes_;
};

}  // namespace lobby_program
