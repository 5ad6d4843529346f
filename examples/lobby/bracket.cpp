// SPDX-License-Identifier: MIT
#include "bracket.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <utility>

namespace lobby_program {

namespace {

/// Which entrant in the order of the draw has each place, so that the first two can meet in the
/// final only, the first four in the semifinals, and so on.
std::vector<std::size_t> places(std::size_t size) {
  std::vector<std::size_t> order{0};
  while (order.size() < size) {
    std::vector<std::size_t> larger;
    for (const std::size_t place : order) {
      larger.push_back(place);
      larger.push_back(2 * order.size() - 1 - place);
    }
    order = std::move(larger);
  }
  return order;
}

}  // namespace

Bracket::Bracket(std::span<const std::size_t> drawn)
    : nodes_(2 * std::bit_ceil(drawn.size())),
      drawn_at_(drawn.size()),
      reached_(drawn.size(), 1),
      is_out_(drawn.size()) {
  assert(drawn.size() >= 2);
  for (std::size_t i = 0; i < drawn.size(); ++i) drawn_at_[drawn[i]] = i;
  const std::size_t leaves = nodes_.size() / 2;
  const std::vector<std::size_t> order = places(leaves);
  for (std::size_t i = 0; i < leaves; ++i) {
    Node& leaf = nodes_[leaves + i];
    leaf.is_decided = true;
    if (order[i] < drawn.size()) leaf.winner = drawn[order[i]];
  }
}

std::uint32_t Bracket::round_of(std::size_t node) const noexcept {
  return static_cast<std::uint32_t>(std::bit_width(nodes_.size() / 2) - std::bit_width(node));
}

std::optional<Bracket::Meeting> Bracket::next_meeting() {
  // From the first round to the final, so that a bye is seen by the round after it.
  for (std::size_t level = nodes_.size() / 4; level >= 1; level /= 2) {
    for (std::size_t i = level; i < 2 * level; ++i) {
      Node& node = nodes_[i];
      const Node& a = nodes_[2 * i];
      const Node& b = nodes_[2 * i + 1];
      if (node.is_decided || node.is_met || !a.is_decided || !b.is_decided) continue;
      if (a.winner && b.winner) {
        node.is_met = true;
        const auto [high, low] = is_before(*a.winner, *b.winner) ? std::pair{*a.winner, *b.winner}
                                                                 : std::pair{*b.winner, *a.winner};
        return Meeting{i, round_of(i), {high, low}};
      }
      const std::optional<std::size_t> alone = a.winner ? a.winner : b.winner;
      if (alone) byes_.push_back({*alone});
      decide(i, alone);
    }
  }
  return std::nullopt;
}

std::vector<Bracket::Bye> Bracket::take_byes() { return std::exchange(byes_, {}); }

void Bracket::decide(std::size_t node, std::optional<std::size_t> winner) {
  assert(node >= 1 && node < nodes_.size() / 2 && !nodes_[node].is_decided);
  nodes_[node].is_decided = true;
  nodes_[node].winner = winner;
  for (const std::size_t child : {2 * node, 2 * node + 1}) {
    const std::optional<std::size_t> entrant = nodes_[child].winner;
    if (entrant && entrant != winner) is_out_[*entrant] = true;
  }
  if (winner) reached_[*winner] = round_of(node) + 1;
}

}  // namespace lobby_program
