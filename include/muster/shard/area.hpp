// SPDX-License-Identifier: MIT
// The shapes of an area of interest. They belong to whoever is asked; `SpatialGrid` finds.
#pragma once

#include <muster/shard/vector.hpp>

#include <cstdint>

namespace muster::shard {

/// All shapes contain their boundary, and none contains a point with a coordinate that is no
/// number.
struct Sphere {
  Vector3 center;
  float radius = 0;  ///< negative: contains nothing

  [[nodiscard]] constexpr bool contains(const Vector3& point) const noexcept {
    const double r = radius;
    return r >= 0 && distance_squared(center, point) <= r * r;
  }
};

struct Box {
  Vector3 min;
  Vector3 max;

  [[nodiscard]] constexpr bool contains(const Vector3& point) const noexcept {
    return point.x >= min.x && point.x <= max.x && point.y >= min.y && point.y <= max.y &&
           point.z >= min.z && point.z <= max.z;
  }
};

/// A square of a plane that is cut into equal ones. Cell 0 begins at coordinate 0.
struct Cell {
  /// No cell is further out: points beyond it lie in the outermost ones.
  static constexpr std::int32_t outermost = std::int32_t{1} << 29;

  std::int32_t x = 0;
  std::int32_t y = 0;
  friend bool operator==(const Cell&, const Cell&) = default;
};

/// floor(coordinate / size), within the outermost cells; a coordinate that is no number lies in the
/// lowest.
/// @param size   of a cell, above 0
[[nodiscard]] constexpr std::int32_t cell_index(double coordinate, float size) noexcept {
  const double quotient = coordinate / size;
  if (!(quotient > -Cell::outermost)) return -Cell::outermost;
  if (quotient >= Cell::outermost) return Cell::outermost;
  const auto truncated = static_cast<std::int32_t>(quotient);
  return truncated - (quotient < truncated ? 1 : 0);
}

[[nodiscard]] constexpr Cell cell_of(const Vector2& point, float size) noexcept {
  return {cell_index(point.x, size), cell_index(point.y, size)};
}

/// The cells around one: those at most `radius` away, by column and by row.
struct CellArea {
  Cell center;
  std::int32_t radius = 1;  ///< cells, 0 to `Cell::outermost`
  float cell_size = 1;      ///< above 0

  [[nodiscard]] constexpr bool contains(const Cell& cell) const noexcept {
    return cell.x >= center.x - radius && cell.x <= center.x + radius &&
           cell.y >= center.y - radius && cell.y <= center.y + radius;
  }
  [[nodiscard]] constexpr bool contains(const Vector2& point) const noexcept {
    return point.x == point.x && point.y == point.y && contains(cell_of(point, cell_size));
  }
};

}  // namespace muster::shard
