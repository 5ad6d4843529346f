// SPDX-License-Identifier: MIT
// Points and directions, as far as the helpers of a shard need them.
#pragma once

#include <cmath>

namespace muster::shard {

struct Vector2 {
  float x = 0;
  float y = 0;
  friend bool operator==(const Vector2&, const Vector2&) = default;
};

struct Vector3 {
  float x = 0;
  float y = 0;
  float z = 0;
  friend bool operator==(const Vector3&, const Vector3&) = default;
};

/// A point of a 3-D game, whose y is up, as seen from above: its x and z.
[[nodiscard]] constexpr Vector2 on_ground(const Vector3& point) noexcept {
  return {point.x, point.z};
}

[[nodiscard]] constexpr double distance_squared(const Vector2& a, const Vector2& b) noexcept {
  const double x = static_cast<double>(a.x) - b.x;
  const double y = static_cast<double>(a.y) - b.y;
  return x * x + y * y;
}

[[nodiscard]] constexpr double distance_squared(const Vector3& a, const Vector3& b) noexcept {
  const double z = static_cast<double>(a.z) - b.z;
  return distance_squared(Vector2{a.x, a.y}, Vector2{b.x, b.y}) + z * z;
}

/// What lies between two points; `fraction` 0 is the first and 1 the second.
[[nodiscard]] inline Vector2 lerp(const Vector2& from, const Vector2& to, float fraction) noexcept {
  return {std::lerp(from.x, to.x, fraction), std::lerp(from.y, to.y, fraction)};
}

[[nodiscard]] inline Vector3 lerp(const Vector3& from, const Vector3& to, float fraction) noexcept {
  return {std::lerp(from.x, to.x, fraction), std::lerp(from.y, to.y, fraction),
          std::lerp(from.z, to.z, fraction)};
}

}  // namespace muster::shard
