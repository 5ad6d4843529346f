// SPDX-License-Identifier: MIT
// Where everything was a moment ago: lag compensation.
#pragma once

#include <muster/result.hpp>
#include <muster/time.hpp>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <vector>

namespace muster::shard {

/// Between two numbers, or two values with a `lerp(from, to, fraction)` of their own, as `Vector2`
/// has. Integers are rounded to the nearest.
struct Lerp {
  template <class T>
  [[nodiscard]] T operator()(const T& from, const T& to, float fraction) const {
    if constexpr (std::floating_point<T>) {
      return std::lerp(from, to, static_cast<T>(fraction));
    } else if constexpr (std::integral<T>) {
      static_assert(!std::same_as<T, bool>, "there is nothing between false and true");
      using Unsigned = std::make_unsigned_t<T>;
      // The difference may need one bit more than T has.
      const bool is_rising = to >= from;
      const auto a = static_cast<Unsigned>(from);
      const auto b = static_cast<Unsigned>(to);
      const auto way = static_cast<Unsigned>(is_rising ? b - a : a - b);
      const double part = std::round(static_cast<double>(way) * fraction);
      const auto step = part >= static_cast<double>(way) ? way : static_cast<Unsigned>(part);
      return static_cast<T>(static_cast<Unsigned>(is_rising ? a + step : a - step));
    } else {
      return lerp(from, to, fraction);
    }
  }
};

/// A value of each entity for the last ticks, to ask what a player saw when it acted.
///
///     ring.begin(tick);
///     for (...) ring.record(id, position);
///     ...
///     if (const auto then = ring.between(seen_tick, fraction, id)) hit = is_hit(shot, *then);
///
/// How far back a player may reach is a rule of the game, and the ring keeps no more than that: the
/// further back, the longer others are hit behind their cover. Ticks and fractions may come from
/// players: a wrong one is an error, not a guess. All memory is taken at construction.
/// @tparam T        default constructible and copyable
/// @threads distinct objects: safe; shared objects: unsafe
template <class T, class Between = Lerp>
class SnapshotRing {
 public:
  static constexpr duration max_length = std::chrono::seconds{1};

  /// @param hz             ticks in a second, 1 to 1000
  /// @param max_entities   1 to 2^24; ids are below it
  /// @param length         0 to `max_length`; the ring reaches back that far, rounded up to a tick
  SnapshotRing(std::uint32_t hz, std::uint32_t max_entities,
               duration length = std::chrono::milliseconds{250}, Between between = {})
      : between_(between),
        max_entities_(max_entities),
        words_((max_entities + 63U) / 64U),
        rows_(row_count(hz, length)) {
    assert(hz >= 1 && hz <= 1000 && max_entities >= 1 && max_entities <= (1U << 24U));
    assert(length >= duration::zero() && length <= max_length);
    values_.resize(rows_.size() * max_entities_);
    known_.resize(rows_.size() * words_);
  }

  /// Begins a tick, of which nothing is known yet; the oldest falls out. Ticks that are left out
  /// have their place in the ring, and nothing in it.
  /// @param tick   above that of the last call
  void begin(std::uint64_t tick) noexcept {
    assert(!newest_ || tick > *newest_);
    newest_ = tick;
    const std::size_t row = row_of(tick);
    rows_[row] = tick;
    std::fill_n(known_.begin() + static_cast<std::ptrdiff_t>(row * words_), words_,
                std::uint64_t{0});
  }

  /// Sets the value of an entity in the tick that was begun last.
  void record(std::uint32_t id, const T& value) {
    assert(newest_ && id < max_entities_);
    const std::size_t row = row_of(*newest_);
    values_[row * max_entities_ + id] = value;
    known_[row * words_ + id / 64] |= std::uint64_t{1} << id % 64;
  }

  /// The value of an entity in a tick.
  /// @error         errc::timed_out   the tick is older than the ring
  /// @error         errc::bad_value   the tick has not begun
  /// @error         errc::not_found   nothing was recorded of the entity then
  [[nodiscard]] result<T> at(std::uint64_t tick, std::uint32_t id) const {
    if (!newest_ || tick > *newest_) return errc::bad_value;
    if (*newest_ - tick >= rows_.size()) return errc::timed_out;
    const std::size_t row = row_of(tick);
    if (rows_[row] != tick || id >= max_entities_ ||
        (known_[row * words_ + id / 64] >> id % 64 & 1U) == 0) {
      return errc::not_found;
    }
    return values_[row * max_entities_ + id];
  }

  /// The value between a tick and the next.
  /// @param fraction   0: of the tick, to 1: of the next
  /// @error         errc::bad_value   the fraction is another number or none, or a tick that is
  ///                                  needed has not begun
  /// @error         errc::timed_out   the tick is older than the ring
  /// @error         errc::not_found   nothing was recorded of the entity in one of both
  [[nodiscard]] result<T> between(std::uint64_t tick, float fraction, std::uint32_t id) const {
    if (!(fraction >= 0 && fraction <= 1)) return errc::bad_value;
    result<T> from = at(tick, id);
    if (!from || fraction == 0) return from;
    if (tick == *newest_) return errc::bad_value;
    const result<T> to = at(tick + 1, id);
    if (!to) return to.error();
    return between_(*from, *to, fraction);
  }

  /// The tick that was begun last; nothing before the first.
  [[nodiscard]] std::optional<std::uint64_t> newest() const noexcept { return newest_; }

  /// How many ticks the ring holds, the newest with them.
  [[nodiscard]] std::size_t capacity() const noexcept { return rows_.size(); }

 private:
  static std::size_t row_count(std::uint32_t hz, duration length) noexcept {
    constexpr std::int64_t second = 1'000'000'000;
    return static_cast<std::size_t>((length.count() * hz + second - 1) / second) + 1;
  }
  [[nodiscard]] std::size_t row_of(std::uint64_t tick) const noexcept {
    return static_cast<std::size_t>(tick % rows_.size());
  }

  [[no_unique_address]] Between between_;
  std::size_t max_entities_;
  std::size_t words_;                               // of bits for each row
  std::vector<std::optional<std::uint64_t>> rows_;  // the tick in each
  std::vector<T> values_;
  std::vector<std::uint64_t> known_;
  std::optional<std::uint64_t> newest_;
};

}  // namespace muster::shard
