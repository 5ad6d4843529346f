// SPDX-License-Identifier: MIT
// Who is near a point, without asking everybody.
#pragma once

#include <muster/shard/area.hpp>
#include <muster/shard/vector.hpp>

#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace muster::shard {

/// Entities on a plane, found by where they are.
///
///     SpatialGrid grid{16.0F, 5000};
///     grid.insert(id, {x, y});
///     grid.for_each_in_radius({x, y}, 40.0F, [&](std::uint32_t other) { ... });
///
/// The plane has no bounds: cells lie in a hash table, and all memory is taken at construction, 72
/// to 76 bytes for each entity. A 3-D game whose y is up puts in `on_ground(position)`, and asks
/// `Sphere` or `Box` about what it finds where height matters.
///
/// A query costs the cells that it touches and the entities in them; a huge one asks all there are,
/// each once. Half the usual radius is a good size for a cell. What it visits comes in an order
/// that the calls made so far decide, and nothing else; a visit must not change the grid. A
/// position that is no number is found by no query in a radius or a box.
/// @threads distinct objects: safe; shared objects: unsafe
class SpatialGrid {
 public:
  /// @param cell_size      above 0, in the unit of positions
  /// @param max_entities   1 to 2^24; ids are below it
  SpatialGrid(float cell_size, std::uint32_t max_entities)
      : cell_size_(cell_size),
        heads_(std::bit_ceil(std::size_t{max_entities}), none),
        blocks_(max_entities),
        places_(max_entities, none) {
    assert(cell_size > 0 && max_entities >= 1 && max_entities <= (1U << 24U));
  }

  /// @param id   not in the grid, and below `max_entities`
  void insert(std::uint32_t id, const Vector2& position) noexcept {
    assert(id < places_.size() && !contains(id));
    link({position, id}, cell_of(position, cell_size_));
    ++size_;
  }

  /// Moves what is in the grid. Cheap as long as it stays in its cell.
  /// @return        whether it is in another cell now
  bool move(std::uint32_t id, const Vector2& position) noexcept {
    assert(contains(id));
    const Cell cell = cell_of(position, cell_size_);
    if (cell == blocks_[places_[id] / in_block].cell) {
      entry(places_[id]).position = position;
      return false;
    }
    unlink(id);
    link({position, id}, cell);
    return true;
  }

  /// Removes what is in the grid.
  void erase(std::uint32_t id) noexcept {
    assert(contains(id));
    unlink(id);
    places_[id] = none;
    --size_;
  }

  [[nodiscard]] bool contains(std::uint32_t id) const noexcept {
    return id < places_.size() && places_[id] != none;
  }

  /// Of what is in the grid.
  [[nodiscard]] const Vector2& position(std::uint32_t id) const noexcept {
    assert(contains(id));
    return blocks_[places_[id] / in_block].entries[places_[id] % in_block].position;
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] float cell_size() const noexcept { return cell_size_; }

  /// Calls `visit(id)` for all that are at most `radius` away.
  template <class Visit>
  void for_each_in_radius(const Vector2& center, float radius, Visit&& visit) const {
    if (!(radius >= 0)) return;
    const double r = radius;
    const double x = center.x;
    const double y = center.y;
    for_each_in_cells({cell_index(x - r, cell_size_), cell_index(y - r, cell_size_)},
                      {cell_index(x + r, cell_size_), cell_index(y + r, cell_size_)},
                      [&](const Entry& entry) {
                        if (distance_squared(entry.position, center) <= r * r) visit(entry.id);
                      });
  }

  /// Calls `visit(id)` for all in a rectangle, its boundary included.
  template <class Visit>
  void for_each_in_box(const Vector2& min, const Vector2& max, Visit&& visit) const {
    for_each_in_cells(cell_of(min, cell_size_), cell_of(max, cell_size_), [&](const Entry& entry) {
      const Vector2& at = entry.position;
      if (at.x >= min.x && at.x <= max.x && at.y >= min.y && at.y <= max.y) visit(entry.id);
    });
  }

  /// Calls `visit(id)` for all in the cell of a point and in those up to `radius` cells around it.
  /// Their distance is not looked at, which makes this the cheapest.
  /// @param radius   0 to `Cell::outermost`
  template <class Visit>
  void for_each_around(const Vector2& center, std::int32_t radius, Visit&& visit) const {
    assert(radius >= 0 && radius <= Cell::outermost);
    const Cell cell = cell_of(center, cell_size_);
    for_each_in_cells({cell.x - radius, cell.y - radius}, {cell.x + radius, cell.y + radius},
                      [&](const Entry& entry) { visit(entry.id); });
  }

 private:
  static constexpr std::uint32_t none = 0xffffffff;
  static constexpr std::uint32_t in_block = 4;

  struct Entry {
    Vector2 position;
    std::uint32_t id;
  };

  // Some entities of one cell, in a cache line: what a query costs is the lines that it reads. Of a
  // cell's blocks all are full but the first.
  struct alignas(64) Block {
    Cell cell;
    std::uint32_t next;       // of the cells with this hash; of the blocks that are not used
    std::uint32_t count = 0;  // 0: not used
    std::array<Entry, in_block> entries;
  };
  static_assert(sizeof(Block) == 64);

  // The cells of a row lie side by side, so that a query finds its heads in few cache lines.
  [[nodiscard]] std::size_t bucket_of(const Cell& cell) const noexcept {
    const std::uint64_t row = static_cast<std::uint32_t>(cell.y) * 0x9e3779b97f4a7c15U >> 32U;
    return (row + static_cast<std::uint32_t>(cell.x)) & (heads_.size() - 1);
  }

  [[nodiscard]] Entry& entry(std::uint32_t place) noexcept {
    return blocks_[place / in_block].entries[place % in_block];
  }

  // What refers to the first block of a cell: its `next` or the head; or to the end of the list.
  [[nodiscard]] std::uint32_t& first_of(const Cell& cell) noexcept {
    std::uint32_t* at = &heads_[bucket_of(cell)];
    while (*at != none && blocks_[*at].cell != cell) at = &blocks_[*at].next;
    return *at;
  }

  void link(const Entry& added, const Cell& cell) noexcept {
    std::uint32_t index = first_of(cell);
    if (index == none || blocks_[index].count == in_block) {
      index = unused_ != none ? unused_ : end_++;
      Block& block = blocks_[index];
      if (index == unused_) unused_ = block.next;
      std::uint32_t& head = heads_[bucket_of(cell)];
      block.cell = cell;
      block.next = head;
      head = index;
    }
    const std::uint32_t place = index * in_block + blocks_[index].count++;
    entry(place) = added;
    places_[added.id] = place;
  }

  // The last entry of the cell's first block takes the place.
  void unlink(std::uint32_t id) noexcept {
    const std::uint32_t place = places_[id];
    std::uint32_t& first = first_of(blocks_[place / in_block].cell);
    const std::uint32_t index = first;
    Block& block = blocks_[index];
    const Entry last = block.entries[--block.count];
    entry(place) = last;
    places_[last.id] = place;
    if (block.count > 0) return;
    first = block.next;
    block.next = unused_;
    unused_ = index;
  }

  template <class Visit>
  static void for_each_of(const Block& block, Visit& visit) {
    for (std::uint32_t i = 0; i < block.count; ++i) visit(block.entries[i]);
  }

  template <class Visit>
  void for_each_in_cells(const Cell& low, const Cell& high, Visit visit) const {
    if (low.x > high.x || low.y > high.y) return;
    const std::uint64_t columns = static_cast<std::uint64_t>(std::int64_t{high.x} - low.x) + 1;
    const std::uint64_t rows = static_cast<std::uint64_t>(std::int64_t{high.y} - low.y) + 1;
    if (columns * rows > end_) {  // both are at most 2^31; asking all is cheaper
      for (std::uint32_t i = 0; i < end_; ++i) {
        const Cell& cell = blocks_[i].cell;
        if (cell.x >= low.x && cell.x <= high.x && cell.y >= low.y && cell.y <= high.y) {
          for_each_of(blocks_[i], visit);
        }
      }
      return;
    }
    for (Cell cell{low.x, low.y}; cell.y <= high.y; ++cell.y) {
      for (cell.x = low.x; cell.x <= high.x; ++cell.x) {
        for (std::uint32_t i = heads_[bucket_of(cell)]; i != none; i = blocks_[i].next) {
          if (blocks_[i].cell == cell) for_each_of(blocks_[i], visit);
        }
      }
    }
  }

  float cell_size_;
  std::vector<std::uint32_t> heads_;  // by the hash of a cell: the first of a list of blocks
  std::vector<Block> blocks_;
  std::vector<std::uint32_t> places_;  // by id: its block and which entry of it
  std::uint32_t unused_ = none;        // the first of a list of blocks
  std::uint32_t end_ = 0;              // no block from here on was ever used
  std::size_t size_ = 0;
};

}  // namespace muster::shard
