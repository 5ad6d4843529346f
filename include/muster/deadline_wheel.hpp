// SPDX-License-Identifier: MIT
// Many coarse deadlines at a few bytes each.
#pragma once

#include <muster/time.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace muster {

/// A node of a `DeadlineWheel`, kept by the thing that has the deadline.
struct DeadlineNode {
  static constexpr std::uint32_t unlinked = 0xffffffff;
  std::uint32_t previous = unlinked;
  std::uint32_t next = unlinked;
  std::uint32_t tick = 0;  ///< when it is due, in ticks since the wheel's start, modulo 2^32
};

/// A hashed timing wheel over nodes that are named by an index.
///
/// A deadline never fires early, and at most one `granularity` late. Setting and clearing one is
/// O(1); `advance` costs the due ones, and each that is further away than the wheel's span once per
/// span. One that is further away than `horizon` fires then. The wheel runs for as long as the
/// clock does.
/// @tparam NodeAt   a function object: `DeadlineNode& operator()(std::uint32_t index) const`, for
///                  indexes below 2^31
/// @tparam Milliseconds   the granularity
/// @threads distinct objects: safe; shared objects: unsafe
template <class NodeAt, std::int64_t Milliseconds = 16>
class DeadlineWheel {
 public:
  static constexpr duration granularity = std::chrono::milliseconds{Milliseconds};
  static constexpr std::uint32_t slot_count = 1024;
  /// A little more than a year.
  static constexpr duration horizon = granularity * 0x7fff'fff0;

  explicit DeadlineWheel(time_point now, NodeAt node_at = {}) : start_(now), node_at_(node_at) {
    for (std::uint32_t i = 0; i < heads_.size(); ++i) heads_[i] = {head_index(i), head_index(i), 0};
  }

  /// The tick that is over at `time`, modulo 2^32.
  [[nodiscard]] std::uint32_t tick_of(time_point time) const noexcept {
    return static_cast<std::uint32_t>(whole_tick_of(time));
  }

  /// When a tick is over that is no further than `horizon` from the time of the last `advance`.
  [[nodiscard]] time_point time_of(std::uint32_t tick) const noexcept {
    return start_ + static_cast<duration::rep>(whole(tick)) * granularity;
  }

  /// Sets a node's deadline, in place of the one it has. What is set during `advance` fires in a
  /// later one.
  void set(std::uint32_t index, time_point deadline) noexcept {
    const std::uint64_t since = since_start(deadline);
    const std::uint64_t tick = since / tick_length + (since % tick_length != 0 ? 1 : 0);
    clear(index);
    node(index).tick = static_cast<std::uint32_t>(
        std::clamp(tick, current_ + 1, current_ + horizon / granularity));
    link(index);
  }

  void clear(std::uint32_t index) noexcept {
    DeadlineNode& that = node(index);
    if (that.next == DeadlineNode::unlinked) return;
    node(that.previous).next = that.next;
    node(that.next).previous = that.previous;
    if (that.previous == that.next && is_head(that.next)) mark(slot_of(that.next), false);
    that.previous = that.next = DeadlineNode::unlinked;
    --size_;
  }

  /// Calls `due(index)` for every node whose deadline has come; it is unlinked by then, and the
  /// call may set and clear any node.
  template <class Due>
  void advance(time_point now, Due due) {
    const std::uint64_t target = whole_tick_of(now);
    if (target <= current_) return;
    // After a long pause one turn of the wheel meets every node.
    std::uint64_t steps = std::min<std::uint64_t>(target - current_, slot_count);
    current_ = target;
    for (std::uint64_t tick = target - steps + 1; steps != 0; --steps, ++tick) {
      const auto slot = static_cast<std::uint32_t>(tick % slot_count);
      const std::uint32_t head = head_index(slot);
      if (node(head).next == head) continue;
      // Take the whole slot aside: what is set meanwhile goes to later slots.
      const std::uint32_t aside = head_index(slot_count);
      std::swap(node(aside), node(head));
      node(node(aside).next).previous = aside;
      node(node(aside).previous).next = aside;
      node(head) = {head, head, 0};
      mark(slot, false);
      while (node(aside).next != aside) {
        const std::uint32_t index = node(aside).next;
        clear(index);
        if (whole(node(index).tick) <= target) {
          due(index);
        } else {
          link(index);
        }
      }
    }
  }

  /// When `advance` next has something to look at, or `no_deadline`.
  [[nodiscard]] time_point next_deadline() const noexcept {
    if (size_ == 0) return no_deadline;
    for (std::uint32_t i = 1; i <= slot_count;) {
      const auto slot = static_cast<std::uint32_t>((current_ + i) % slot_count);
      const std::uint64_t word = occupied_[slot / 64] >> (slot % 64);
      if (word != 0) {
        const auto further = static_cast<std::uint32_t>(std::countr_zero(word));
        return time_of(static_cast<std::uint32_t>(current_ + i + further));
      }
      i += 64 - slot % 64;
    }
    return no_deadline;
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  /// Calls `visit(index)` for every node that has a deadline; it must not set or clear any but that
  /// one.
  template <class Visit>
  void for_each(Visit visit) {
    for (std::uint32_t slot = 0; slot < slot_count; ++slot) {
      const std::uint32_t head = head_index(slot);
      for (std::uint32_t index = node(head).next; index != head;) {
        const std::uint32_t next = node(index).next;
        visit(index);
        index = next;
      }
    }
  }

 private:
  static constexpr std::uint32_t head_bit = 0x80000000U;
  static constexpr std::uint32_t head_index(std::uint32_t slot) noexcept { return head_bit | slot; }
  static constexpr bool is_head(std::uint32_t index) noexcept { return (index & head_bit) != 0; }
  static constexpr std::uint32_t slot_of(std::uint32_t head) noexcept { return head & ~head_bit; }

  static constexpr std::uint64_t tick_length = granularity.count();

  // Nanoseconds; right for the whole range of time_point.
  [[nodiscard]] std::uint64_t since_start(time_point time) const noexcept {
    if (time <= start_) return 0;
    return static_cast<std::uint64_t>(time.time_since_epoch().count()) -
           static_cast<std::uint64_t>(start_.time_since_epoch().count());
  }
  [[nodiscard]] std::uint64_t whole_tick_of(time_point time) const noexcept {
    return since_start(time) / tick_length;
  }

  // Of all ticks with these 32 bits, the one nearest to the current.
  [[nodiscard]] std::uint64_t whole(std::uint32_t tick) const noexcept {
    const auto ahead = static_cast<std::int32_t>(tick - static_cast<std::uint32_t>(current_));
    return current_ + static_cast<std::uint64_t>(std::int64_t{ahead});
  }

  [[nodiscard]] DeadlineNode& node(std::uint32_t index) noexcept {
    return is_head(index) ? heads_[slot_of(index)] : node_at_(index);
  }

  void mark(std::uint32_t slot, bool occupied) noexcept {
    if (slot >= slot_count) return;  // the list set aside
    const std::uint64_t bit = std::uint64_t{1} << (slot % 64);
    if (occupied) {
      occupied_[slot / 64] |= bit;
    } else {
      occupied_[slot / 64] &= ~bit;
    }
  }

  // What is further away than the span waits in the last slot, and is linked again from there.
  void link(std::uint32_t index) noexcept {
    DeadlineNode& that = node(index);
    const std::uint64_t tick = std::min(whole(that.tick), current_ + slot_count - 1);
    const auto slot = static_cast<std::uint32_t>(tick % slot_count);
    const std::uint32_t head = head_index(slot);
    that.previous = node(head).previous;
    that.next = head;
    node(that.previous).next = index;
    node(head).previous = index;
    mark(slot, true);
    ++size_;
  }

  time_point start_;
  NodeAt node_at_;
  std::uint64_t current_ = 0;  // the tick of the last `advance`
  std::size_t size_ = 0;
  std::array<DeadlineNode, slot_count + 1>
      heads_;  // the last: a slot set aside while it is handled
  std::array<std::uint64_t, slot_count / 64> occupied_{};
};

}  // namespace muster
