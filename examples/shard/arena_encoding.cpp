// SPDX-License-Identifier: MIT
// How inputs and pictures of the arena are written.
#include "arena.hpp"

#include <muster/wire/byte_reader.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <string_view>

namespace shard_program {

namespace {

using muster::shard::Format;
using muster::shard::SpatialGrid;
using muster::wire::ByteReader;

constexpr std::int32_t parts = 256;
constexpr double full_turn = 6.283185307179586;

std::uint16_t units(std::int32_t place) noexcept {
  return static_cast<std::uint16_t>(place / parts);
}

// A number of an object: zero if it is missing, nothing if it is something else.
std::optional<double> number(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return 0;
  if (!found->is_number()) return std::nullopt;
  return found->get<double>();
}

std::int8_t tilt(double value) {
  return static_cast<std::int8_t>(std::lround(std::clamp(value, -1.0, 1.0) * 127));
}

std::optional<Controls> decode_json(muster::byte_view bytes) {
  const std::string_view text = muster::as_text(bytes);
  const auto value = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  if (!value.is_object()) return std::nullopt;
  const auto x = number(value, "x");
  const auto y = number(value, "y");
  const auto aim = number(value, "aim");
  const auto fire = value.find("fire");
  if (!x || !y || !aim || (fire != value.end() && !fire->is_boolean())) return std::nullopt;
  Controls controls{.x = tilt(*x), .y = tilt(*y)};
  const double turns = std::fmod(*aim, full_turn) / full_turn;
  controls.aim = static_cast<std::uint16_t>(std::lround(turns * 0x10000) & 0xffff);
  controls.fire = fire != value.end() && fire->get<bool>();
  return controls;
}

std::optional<Controls> decode_binary(muster::byte_view bytes) {
  ByteReader in{bytes};
  const auto signed_tilt = [&in] {
    return static_cast<std::int8_t>(std::max(-127, int{static_cast<std::int8_t>(in.u8())}));
  };
  Controls controls;
  controls.x = signed_tilt();
  controls.y = signed_tilt();
  controls.aim = in.u16_le();
  const std::uint8_t buttons = in.u8();
  controls.fire = (buttons & 1U) != 0;
  if (!in.ok() || !in.is_at_end() || buttons > 1) return std::nullopt;
  return controls;
}

// What is in the cell of a view and in those around it; of view 0, nothing.
template <class Visit>
void visit_near(const SpatialGrid& grid, std::uint64_t key, Visit visit) {
  if (key == 0) return;
  const auto cell = static_cast<std::int32_t>(key - 1);
  const auto middle = [](std::int32_t index) {
    const std::int32_t place = index * Rules::cell_width + Rules::cell_width / 2;
    return static_cast<float>(place);
  };
  grid.for_each_around({middle(cell % Rules::cells), middle(cell / Rules::cells)}, 1, visit);
}

}  // namespace

std::optional<Controls> Arena::decode(muster::byte_view bytes, Format format) {
  return format == Format::binary ? decode_binary(bytes) : decode_json(bytes);
}

void Arena::draw(std::uint64_t key, Picture& picture) const {
  picture.cell = static_cast<std::uint8_t>(key);
  std::size_t used = 0;
  visit_near(bodies_near_, key, [&](std::uint32_t i) {
    if (used == picture.bodies.size()) picture.bodies.emplace_back();
    Picture::Body& shown = picture.bodies[used++];
    const Body& body = bodies_[i];
    shown.number = static_cast<std::uint16_t>(i + 1);
    shown.x = units(body.at.x);
    shown.y = units(body.at.y);
    shown.aim = body.controls.aim;
    shown.health = static_cast<std::uint8_t>(body.health);
    shown.score = static_cast<std::uint16_t>(std::min<std::uint32_t>(body.score, 0xffff));
    shown.id = body.id;
  });
  picture.bodies.resize(used);
  std::sort(picture.bodies.begin(), picture.bodies.end(),
            [](const auto& a, const auto& b) { return a.number < b.number; });
  picture.shots.clear();
  visit_near(shots_near_, key, [&](std::uint32_t i) {
    const Shot& shot = shots_[i];
    picture.shots.push_back({shot.number, units(shot.at.x), units(shot.at.y), shot.direction});
  });
}

Picture Arena::snapshot(std::uint64_t view_key) const {
  Picture picture;
  draw(view_key, picture);
  return picture;
}

void Arena::encode(const muster::shard::View& view, std::vector<std::byte>& out) const {
  draw(view.key, drawn_);
  write(drawn_, view.format, out);
}

}  // namespace shard_program
