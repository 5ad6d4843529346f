// SPDX-License-Identifier: MIT
// Inputs that wait for the tick that they are for.
#pragma once

#include <muster/result.hpp>

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace muster::shard {

/// The inputs of one subscriber. A client that knows the shard's ticks sends each input a little
/// ahead, and names the tick that it is for: so it takes effect in that one, however unevenly the
/// network delivers, and in the same as at the client, which has predicted it.
///
/// Inputs keep their order: none takes effect before one that came earlier. One that comes too late
/// takes effect in the next tick. The margin tells the client whether to send earlier or later.
///
///     buffer.push(target_tick, std::move(input));
///     ...
///     buffer.take(tick, [&](Input& input) { simulation.apply(who, input); });
/// @tparam Input    movable
/// @threads distinct objects: safe; shared objects: unsafe
template <class Input>
class InputJitterBuffer {
 public:
  /// No input may be for a tick that is further ahead than that.
  static constexpr std::uint32_t max_ticks_ahead = 64;

  struct Stats {
    std::uint64_t accepted = 0;    ///< the late ones with them
    std::uint64_t late = 0;        ///< came after the tick that they were for had begun
    std::uint64_t too_early = 0;   ///< refused
    std::uint64_t overflowed = 0;  ///< refused: the buffer was full
    friend bool operator==(const Stats&, const Stats&) = default;
  };

  /// @param next_tick    the one that has not begun
  /// @param max_inputs   that wait at once, at least 1
  explicit InputJitterBuffer(std::uint64_t next_tick, std::size_t max_inputs = 256) noexcept
      : next_(next_tick), max_inputs_(max_inputs) {
    assert(max_inputs >= 1);
  }

  /// Takes in an input.
  /// @param target   the tick that it is for; 0: the next, whichever that is
  /// @return         its margin in ticks: how long it waits for that tick; negative: how late it is
  /// @error          errc::bad_value     it is for a tick more than `max_ticks_ahead` ahead
  /// @error          errc::over_budget   `max_inputs` wait
  result<std::int32_t> push(std::uint64_t target, Input input) {
    if (target > next_ && target - next_ > max_ticks_ahead) {
      ++stats_.too_early;
      return errc::bad_value;
    }
    if (size() == max_inputs_) {
      ++stats_.overflowed;
      return errc::over_budget;
    }
    const std::int32_t margin = target == 0 ? 0 : margin_of(target);
    if (margin < 0) ++stats_.late;
    ++stats_.accepted;
    if (first_ > 0 && waiting_.size() == waiting_.capacity()) {
      waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(first_));
      first_ = 0;
    }
    waiting_.push_back({std::max(target, next_), margin, std::move(input)});
    return margin;
  }

  /// Calls `apply(input)` for all that are due in a tick, in the order in which they came. What
  /// `apply` pushes is for a later one.
  /// @param tick   not below the next; those up to it are over afterwards
  template <class Apply>
  void take(std::uint64_t tick, Apply&& apply) {
    assert(tick >= next_);
    next_ = tick + 1;
    // Only the first is looked at: it holds back those behind it, whatever they are for.
    while (first_ < waiting_.size() && waiting_[first_].due <= tick) {
      Waiting taken = std::move(waiting_[first_++]);
      margin_ = taken.margin;
      apply(taken.input);
    }
    if (first_ == waiting_.size()) {
      waiting_.clear();
      first_ = 0;
    }
  }

  /// Of the input that was taken last, as `push` said; nothing before the first.
  [[nodiscard]] std::optional<std::int32_t> margin() const noexcept { return margin_; }

  /// How many wait.
  [[nodiscard]] std::size_t size() const noexcept { return waiting_.size() - first_; }
  [[nodiscard]] std::uint64_t next_tick() const noexcept { return next_; }
  [[nodiscard]] const Stats& stats() const noexcept { return stats_; }

 private:
  struct Waiting {
    std::uint64_t due;
    std::int32_t margin;
    Input input;
  };

  [[nodiscard]] std::int32_t margin_of(std::uint64_t target) const noexcept {
    constexpr std::uint64_t most = 0x7fffffff;
    if (target >= next_) return static_cast<std::int32_t>(target - next_);
    return -static_cast<std::int32_t>(std::min(next_ - target, most));
  }

  std::uint64_t next_;
  std::size_t max_inputs_;
  std::vector<Waiting> waiting_;  // from first_ on
  std::size_t first_ = 0;
  std::optional<std::int32_t> margin_;
  Stats stats_;
};

}  // namespace muster::shard
