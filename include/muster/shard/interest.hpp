// SPDX-License-Identifier: MIT
// What one subscriber sees, and what has changed about that.
#pragma once

#include <muster/shard/spatial_grid.hpp>
#include <muster/shard/vector.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace muster::shard {

/// How far a subscriber sees. What it sees it keeps until that is a little further away than where
/// it came in sight: so nothing at the edge comes and goes in each tick.
struct InterestRadius {
  float enter = 0;  ///< at most this far away: comes in sight. At least 0
  float leave = 0;  ///< further away: goes out of sight. At least `enter`
};

/// The entities that one subscriber sees: those of the last update, and which of them are new.
///
///     interest.look(grid, avatar, {40.0F, 48.0F});
///     interest.update([&](std::uint32_t id, Interest::Change change) { ... });
///
/// Several looks, or offers by other rules (a team, a room), before one update are one area: their
/// union. The memory is that of what was offered at most; updates of a size that was seen before
/// allocate nothing.
/// @threads distinct objects: safe; shared objects: unsafe
class Interest {
 public:
  enum class Change : std::uint8_t {
    entered,  ///< was not visible at the last update
    stayed,   ///< is visible as before
    left,     ///< is not visible any more: out of sight, or gone
  };

  /// @param max_offers   before one update, at least 1; what comes beyond it is left out, and
  ///                     counted
  explicit Interest(std::size_t max_offers) noexcept : max_offers_(max_offers) {
    assert(max_offers >= 1);
  }

  /// Offers an entity for the next update.
  /// @param is_inside   whether it comes in sight; if not, it stays in sight if it is
  void offer(std::uint32_t id, bool is_inside) {
    if (offers_.size() == max_offers_) {
      ++left_out_;
      return;
    }
    offers_.push_back(std::uint64_t{id} << 1U | (is_inside ? 0U : 1U));
  }

  /// Offers all that are near a point.
  void look(const SpatialGrid& grid, const Vector2& from, const InterestRadius& radius) {
    assert(radius.enter >= 0 && radius.leave >= radius.enter);
    const double enter = radius.enter;
    grid.for_each_in_radius(from, radius.leave, [&](std::uint32_t id) {
      offer(id, distance_squared(grid.position(id), from) <= enter * enter);
    });
  }

  /// Makes what was offered since the last update what is visible.
  /// @param visit   called with an id and its `Change`, in the order of ids, each once. It must not
  ///                change this object, and `visible` is still the former one
  template <class Visit>
  void update(Visit&& visit) {
    std::sort(offers_.begin(), offers_.end());  // of two offers for an id, inside comes first
    next_.clear();
    auto former = visible_.cbegin();
    const auto leave_until = [&](std::uint64_t id) {
      for (; former != visible_.cend() && *former < id; ++former) visit(*former, Change::left);
    };
    std::uint64_t last = no_id;
    for (const std::uint64_t offer : offers_) {
      const auto id = static_cast<std::uint32_t>(offer >> 1U);
      if (id == last) continue;
      last = id;
      leave_until(id);
      const bool was_visible = former != visible_.cend() && *former == id;
      if (was_visible) ++former;
      if (!was_visible && (offer & 1U) != 0) continue;
      next_.push_back(id);
      visit(id, was_visible ? Change::stayed : Change::entered);
    }
    leave_until(no_id);
    std::swap(visible_, next_);
    offers_.clear();
  }

  /// Makes an id unknown, without a `left`: if it is offered again it enters. For an id that
  /// another entity has now.
  void forget(std::uint32_t id) noexcept {
    const auto at = std::lower_bound(visible_.begin(), visible_.end(), id);
    if (at != visible_.end() && *at == id) visible_.erase(at);
  }

  /// The ids of the last update, ascending.
  [[nodiscard]] std::span<const std::uint32_t> visible() const noexcept { return visible_; }

  [[nodiscard]] bool sees(std::uint32_t id) const noexcept {
    return std::binary_search(visible_.begin(), visible_.end(), id);
  }

  /// Offers beyond `max_offers`, ever.
  [[nodiscard]] std::uint64_t left_out() const noexcept { return left_out_; }

 private:
  static constexpr std::uint64_t no_id = std::uint64_t{1} << 32U;  // above all ids

  std::size_t max_offers_;
  std::vector<std::uint64_t> offers_;   // id * 2, + 1 if it is not inside
  std::vector<std::uint32_t> visible_;  // ascending
  std::vector<std::uint32_t> next_;
  std::uint64_t left_out_ = 0;
};

}  // namespace muster::shard
