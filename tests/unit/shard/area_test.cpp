// SPDX-License-Identifier: MIT
#include <muster/shard/area.hpp>

#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <cstddef>
#include <limits>
#include <string>

using namespace muster::shard;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

Vector3 point_of(const nlohmann::json& json) {
  return {json.at(0).get<float>(), json.at(1).get<float>(), json.at(2).get<float>()};
}

bool is_inside(const nlohmann::json& area, const Vector3& point) {
  const std::string shape = area.at("shape");
  if (shape == "sphere") {
    return Sphere{point_of(area.at("center")), area.at("radius")}.contains(point);
  }
  if (shape == "box")
    return Box{point_of(area.at("min")), point_of(area.at("max"))}.contains(point);
  REQUIRE(shape == "grid");
  REQUIRE(area.at("plane") == "x,z");
  const Cell center{area.at("cell").at(0), area.at("cell").at(1)};
  return CellArea{center, area.at("radius_cells"), area.at("cell_size")}.contains(on_ground(point));
}

}  // namespace

TEST_CASE("area of interest: the vectors", "[shard]") {
  const nlohmann::json vectors = test::load_vectors("shard_vectors.json");
  std::size_t points = 0;
  for (const nlohmann::json& area : vectors.at("area_of_interest")) {
    for (const nlohmann::json& point : area.at("in")) {
      INFO(area.dump() << " " << point.dump());
      CHECK(is_inside(area, point_of(point)));
      ++points;
    }
    for (const nlohmann::json& point : area.at("out")) {
      INFO(area.dump() << " " << point.dump());
      CHECK_FALSE(is_inside(area, point_of(point)));
      ++points;
    }
  }
  CHECK(points >= 13);
}

TEST_CASE("area of interest: what is no number is nowhere", "[shard]") {
  for (int axis = 0; axis < 3; ++axis) {
    const Vector3 point{axis == 0 ? not_a_number : 0, axis == 1 ? not_a_number : 0,
                        axis == 2 ? not_a_number : 0};
    CHECK_FALSE(Sphere{{}, infinity}.contains(point));
    CHECK_FALSE(Box{{-1, -1, -1}, {1, 1, 1}}.contains(point));
  }
  CHECK_FALSE(CellArea{{}, Cell::outermost, 1}.contains(Vector2{not_a_number, 0}));
  CHECK_FALSE(CellArea{{}, Cell::outermost, 1}.contains(Vector2{0, not_a_number}));
  CHECK_FALSE(Sphere{{}, not_a_number}.contains({}));
  CHECK_FALSE(Sphere{{}, -1}.contains({}));
  CHECK(Sphere{{}, 0}.contains({}));
}

TEST_CASE("area of interest: a cell is the floor of the quotient, and has an end", "[shard]") {
  CHECK(cell_of({0, 9.99F}, 10) == Cell{0, 0});
  CHECK(cell_of({10, -0.0F}, 10) == Cell{1, 0});
  CHECK(cell_of({-10, -10.01F}, 10) == Cell{-1, -2});
  CHECK(cell_of({-0.01F, 25}, 10) == Cell{-1, 2});
  CHECK(cell_of({infinity, -infinity}, 10) == Cell{Cell::outermost, -Cell::outermost});
  CHECK(cell_of({3e38F, -3e38F}, 1e-30F) == Cell{Cell::outermost, -Cell::outermost});
  CHECK(cell_of({not_a_number, 5}, 10) == Cell{-Cell::outermost, 0});
}

TEST_CASE("area of interest: a 3-D game is seen from above", "[shard]") {
  CHECK(on_ground({1, 2, 3}) == Vector2{1, 3});
  CHECK(distance_squared(Vector3{1, 2, 3}, Vector3{2, 4, 5}) == 9);
}
