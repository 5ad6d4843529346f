// SPDX-License-Identifier: MIT
#include "swiss_pairing.hpp"

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

namespace lobby_program {

namespace {

/// The largest set of pairs in a graph, no two of which share a vertex: Edmonds' algorithm.
///
/// An alternating tree grows from each free vertex, breadth first. An odd cycle in it (a blossom)
/// is taken for one vertex, its base. Where the tree reaches another free vertex, the path to it
/// gives one more pair.
/// @source Edmonds, "Paths, trees, and flowers", 1965
class Matching {
 public:
  /// Two vertices are joined if they have not met.
  Matching(std::span<const std::size_t> vertices, const Meetings& meetings)
      : vertices_(vertices),
        meetings_(&meetings),
        partner_(vertices.size(), none),
        parent_(vertices.size()),
        base_(vertices.size()),
        is_in_tree_(vertices.size()),
        is_in_blossom_(vertices.size()) {
    // Most are paired by the first one that is free; the search is for the rest.
    for (std::size_t a = 0; a < size(); ++a) {
      for (std::size_t b = a + 1; b < size() && partner_[a] == none; ++b) {
        if (partner_[b] == none && is_joined(a, b)) join(a, b);
      }
    }
    for (std::size_t root = 0; root < size(); ++root) {
      if (partner_[root] == none) grow(root);
    }
  }

  [[nodiscard]] std::size_t pairs() const noexcept { return pairs_; }

 private:
  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();

  [[nodiscard]] std::size_t size() const noexcept { return vertices_.size(); }
  [[nodiscard]] bool is_joined(std::size_t a, std::size_t b) const noexcept {
    return a != b && !meetings_->has_met(vertices_[a], vertices_[b]);
  }

  void join(std::size_t a, std::size_t b) noexcept {
    partner_[a] = b;
    partner_[b] = a;
    ++pairs_;
  }

  /// The nearest base that the ways of both to the root share.
  [[nodiscard]] std::size_t common_base(std::size_t a, std::size_t b) const {
    std::vector<bool> is_on_way(size());
    for (;;) {
      a = base_[a];
      is_on_way[a] = true;
      if (partner_[a] == none) break;  // the root
      a = parent_[partner_[a]];
    }
    for (b = base_[b]; !is_on_way[b]; b = base_[parent_[partner_[b]]]) {
    }
    return b;
  }

  /// Marks the half of a blossom from `vertex` up to `base`, and lets its ways lead over `child`.
  void mark(std::size_t vertex, std::size_t base, std::size_t child) {
    while (base_[vertex] != base) {
      is_in_blossom_[base_[vertex]] = true;
      is_in_blossom_[base_[partner_[vertex]]] = true;
      parent_[vertex] = child;
      child = partner_[vertex];
      vertex = parent_[child];
    }
  }

  void shrink(std::size_t a, std::size_t b) {
    const std::size_t base = common_base(a, b);
    is_in_blossom_.assign(size(), false);
    mark(a, base, b);
    mark(b, base, a);
    for (std::size_t vertex = 0; vertex < size(); ++vertex) {
      if (!is_in_blossom_[base_[vertex]]) continue;
      base_[vertex] = base;
      if (!is_in_tree_[vertex]) {
        is_in_tree_[vertex] = true;
        queue_.push_back(vertex);
      }
    }
  }

  /// Pairs anew along the way from a free vertex to the root.
  void augment(std::size_t end) noexcept {
    while (end != none) {
      const std::size_t before = parent_[end];
      const std::size_t next = partner_[before];
      partner_[end] = before;
      partner_[before] = end;
      end = next;
    }
    ++pairs_;
  }

  void grow(std::size_t root) {
    parent_.assign(size(), none);
    is_in_tree_.assign(size(), false);
    for (std::size_t vertex = 0; vertex < size(); ++vertex) base_[vertex] = vertex;
    is_in_tree_[root] = true;
    queue_.assign(1, root);
    for (std::size_t i = 0; i < queue_.size(); ++i) {
      const std::size_t from = queue_[i];
      for (std::size_t to = 0; to < size(); ++to) {
        if (!is_joined(from, to) || base_[from] == base_[to] || partner_[from] == to) continue;
        const bool is_even = to == root || (partner_[to] != none && parent_[partner_[to]] != none);
        if (is_even) {
          shrink(from, to);
        } else if (parent_[to] == none) {
          parent_[to] = from;
          if (partner_[to] == none) return augment(to);
          is_in_tree_[partner_[to]] = true;
          queue_.push_back(partner_[to]);
        }
      }
    }
  }

  std::span<const std::size_t> vertices_;
  const Meetings* meetings_;
  std::vector<std::size_t> partner_;
  std::vector<std::size_t> parent_;
  std::vector<std::size_t> base_;
  std::vector<bool> is_in_tree_;  // at an even distance from the root: the search goes on from it
  std::vector<bool> is_in_blossom_;
  std::vector<std::size_t> queue_;
  std::size_t pairs_ = 0;
};

/// How many pairs of those who have not met there can be.
std::size_t fresh_pairs(std::span<const std::size_t> entrants, const Meetings& meetings) {
  return Matching{entrants, meetings}.pairs();
}

std::vector<std::size_t> without(std::span<const std::size_t> entrants, std::size_t a,
                                 std::size_t b) {
  std::vector<std::size_t> rest;
  for (const std::size_t entrant : entrants) {
    if (entrant != a && entrant != b) rest.push_back(entrant);
  }
  return rest;
}

std::size_t choose_bye(std::span<const std::size_t> order, const Meetings& meetings) {
  std::uint32_t fewest = std::numeric_limits<std::uint32_t>::max();
  for (const std::size_t entrant : order) fewest = std::min(fewest, meetings.byes(entrant));
  std::optional<std::size_t> best;
  std::size_t most = 0;
  for (std::size_t i = order.size(); i-- > 0;) {
    if (meetings.byes(order[i]) != fewest) continue;
    const std::size_t fresh = fresh_pairs(without(order, order[i], order[i]), meetings);
    if (!best || fresh > most) {
      best = order[i];
      most = fresh;
    }
    if (2 * fresh + 1 == order.size()) break;  // it cannot be better
  }
  return *best;
}

}  // namespace

SwissRound pair_swiss_round(std::span<const std::size_t> order, const Meetings& meetings) {
  SwissRound round;
  std::vector<std::size_t> left{order.begin(), order.end()};
  if (left.size() % 2 == 1) {
    round.bye = choose_bye(order, meetings);
    left = without(order, *round.bye, *round.bye);
  }
  std::size_t fresh = fresh_pairs(left, meetings);
  while (!left.empty()) {
    const std::size_t first = left.front();
    // Those that it has not met, in order; then the others.
    std::vector<std::size_t> candidates{left.begin() + 1, left.end()};
    std::stable_partition(candidates.begin(), candidates.end(), [&](std::size_t candidate) {
      return !meetings.has_met(first, candidate);
    });
    bool is_found = false;
    for (const std::size_t candidate : candidates) {
      const std::size_t own = meetings.has_met(first, candidate) ? 0 : 1;
      std::vector<std::size_t> rest = without(left, first, candidate);
      if (own + fresh_pairs(rest, meetings) < fresh) continue;
      round.pairs.push_back({first, candidate});
      fresh -= own;
      left = std::move(rest);
      is_found = true;
      break;
    }
    assert(is_found);
    if (!is_found) break;
  }
  return round;
}

}  // namespace lobby_program
