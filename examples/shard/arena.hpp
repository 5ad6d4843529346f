// SPDX-License-Identifier: MIT
// A small game for shards: bodies that move, shoot and are hit.
#pragma once

#include "picture.hpp"

#include <muster/bytes.hpp>
#include <muster/shard/format.hpp>
#include <muster/shard/simulation.hpp>
#include <muster/shard/spatial_grid.hpp>
#include <muster/shard/subscriber.hpp>
#include <muster/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace shard_program {

/// What holds for everybody. Lengths are in units; the arena is as wide as 16 bits can say.
struct Rules {
  static constexpr std::int32_t width = 1 << 16;  ///< and height
  static constexpr std::int32_t cells = 8;        ///< on a side
  static constexpr std::int32_t cell_width = width / cells;
  static constexpr std::int32_t radius = 320;  ///< of a body
  static constexpr std::int32_t speed = 5120;  ///< units in a second
  static constexpr std::int32_t shot_speed = 16'000;

  /// A shot ends before it leaves the sight of who fired it.
  static constexpr muster::duration shot_time = std::chrono::milliseconds{500};
  static constexpr muster::duration reload_time = std::chrono::milliseconds{250};
  static constexpr muster::duration down_time = std::chrono::seconds{2};
  static constexpr std::int32_t health = 100;
  static constexpr std::int32_t damage = 25;

  /// Everybody begins this near to the centre, where four cells meet: newcomers see each other.
  static constexpr std::int32_t spawn_reach = 5120;
};

/// What a player holds down. It lasts until the next input.
struct Controls {
  std::int8_t x = 0;      ///< to the right, -127 to 127
  std::int8_t y = 0;      ///< downwards
  std::uint16_t aim = 0;  ///< 65536 to a turn; 0 is to the right, a quarter is downwards
  bool fire = false;
  friend bool operator==(const Controls&, const Controls&) = default;
};

/// The game as a `muster::shard::Simulation`.
///
/// Its arithmetic is of integers, and its dice are seeded: the same joins, inputs and steps give
/// the same state on every machine. A player is shown the cells around its own and nothing else, so
/// all who are in one cell share one picture.
/// @threads the shard's
class Arena {
 public:
  using Input = Controls;

  /// @param capacity   bodies that there may be, 1 to 10,000. A player who replaces itself is there
  ///                   twice for a moment
  Arena(std::uint64_t seed, std::uint16_t capacity);

  /// JSON: `{"x":1,"y":-0.5,"aim":3.14,"fire":true}`, x and y from -1 to 1, the aim in radians;
  /// what is missing is zero. Binary: x:i8 y:i8 aim:u16 buttons:u8, least significant byte first.
  [[nodiscard]] static std::optional<Controls> decode(muster::byte_view bytes,
                                                      muster::shard::Format format);
  [[nodiscard]] static bool writes(muster::shard::Format format) noexcept {
    return format != muster::shard::Format::msgpack;
  }

  void on_join(const muster::shard::Subscriber& who);
  void on_leave(const muster::shard::Subscriber& who);
  bool apply(const muster::shard::Subscriber& from, const Controls& controls);
  void step(muster::duration covered, muster::shard::Events& events);

  /// The cell of who asks, from 1; 0: it is not in the game yet, and is shown an empty arena.
  [[nodiscard]] std::uint64_t view_key(const muster::shard::Subscriber& who) const;

  /// As `Picture` says. Binary pictures have no ids: events tell them, as JSON.
  /// `{"you":1,"width":65536,...}` begins, with the rules; `{"in":[[1,"ann",0]]}` names players
  /// with their scores, `{"out":1}` says who left, and `{"down":2,"by":1,"score":1}` who was put
  /// down.
  void encode(const muster::shard::View& view, std::vector<std::byte>& out) const;

  using Snapshot = Picture;
  [[nodiscard]] Picture snapshot(std::uint64_t view_key) const;
  [[nodiscard]] static bool encode_delta(const Picture& base, const Picture& now,
                                         muster::shard::Format format,
                                         std::vector<std::byte>& out) {
    return write_changes(base, now, format, out);
  }

  [[nodiscard]] std::uint64_t hash() const noexcept;

  /// In units and 256 parts of each.
  struct Point {
    std::int32_t x = 0;
    std::int32_t y = 0;
    friend bool operator==(const Point&, const Point&) = default;
  };
  struct Body {
    std::uint64_t handle = 0;  ///< of the subscriber; 0: nobody
    std::string id{};
    Point at{};
    Controls controls{};
    bool wants_shot = false;  ///< fire was pressed since the last step
    std::int32_t health = 0;  ///< 0: down
    muster::duration reload{0};
    muster::duration down{0};  ///< how much longer
    std::uint32_t score = 0;
  };
  struct Shot {
    std::uint64_t by = 0;  ///< a handle, of somebody who may have left
    std::uint16_t number = 0;
    std::uint16_t direction = 0;
    Point at{};
    muster::duration left{0};  ///< 0: there is no such shot
  };

  /// The body of a subscriber, or null.
  [[nodiscard]] const Body* find(std::uint64_t handle) const noexcept;

  /// What messages call a body, from 1: the lowest that was free.
  [[nodiscard]] std::uint16_t number_of(const Body& body) const noexcept {
    return static_cast<std::uint16_t>(&body - bodies_.data() + 1);
  }
  [[nodiscard]] std::size_t body_count() const noexcept { return numbers_.size(); }
  [[nodiscard]] std::size_t shot_count() const noexcept { return shots_near_.size(); }

  /// In the order of numbers, with gaps.
  [[nodiscard]] const std::vector<Body>& bodies() const noexcept { return bodies_; }
  [[nodiscard]] const std::vector<Shot>& shots() const noexcept { return shots_; }

 private:
  [[nodiscard]] Body* body_of(std::uint64_t handle) noexcept;
  [[nodiscard]] std::uint64_t roll() noexcept;
  void spawn(Body& body) noexcept;
  void move(Body& body, muster::duration covered) noexcept;
  void shoot(const Body& body);
  [[nodiscard]] bool fly(Shot& shot, muster::duration covered, muster::shard::Events& events);
  void hit(Body& body, const Shot& shot, muster::shard::Events& events);
  void introduce(muster::shard::Events& events);
  void draw(std::uint64_t key, Picture& picture) const;

  std::uint64_t dice_;
  std::vector<Body> bodies_;  // by number - 1
  std::vector<Shot> shots_;
  std::unordered_map<std::uint64_t, std::uint16_t> numbers_;  // by handle
  muster::shard::SpatialGrid bodies_near_;                    // indices into the lists above
  muster::shard::SpatialGrid shots_near_;
  std::vector<std::uint64_t> newcomers_;  // handles, since the last step
  std::vector<std::uint16_t> gone_;
  mutable Picture drawn_;  // only its memory is used again
};

/// Sine and cosine of an angle of 65536 to a turn, 16384 times as large.
[[nodiscard]] std::int32_t sine(std::uint16_t angle) noexcept;
[[nodiscard]] inline std::int32_t cosine(std::uint16_t angle) noexcept {
  return sine(static_cast<std::uint16_t>(angle + 0x4000U));
}

}  // namespace shard_program
