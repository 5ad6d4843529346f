// SPDX-License-Identifier: MIT
// How inputs and pictures of the arena are written.
#include "arena.hpp"

#include <muster/wire/byte_reader.hpp>
#include <muster/wire/byte_writer.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>

namespace shard_program {

namespace {

using muster::shard::Format;
using muster::shard::SpatialGrid;
using muster::wire::ByteReader;
using muster::wire::ByteWriter;

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
    return static_cast<float>(index * Rules::cell_width + Rules::cell_width / 2);
  };
  grid.for_each_around({middle(cell % Rules::cells), middle(cell / Rules::cells)}, 1, visit);
}

// Appends JSON, without anything in between.
class JsonWriter {
 public:
  explicit JsonWriter(std::vector<std::byte>& out) noexcept : out_(out) {}

  JsonWriter& raw(std::string_view text) {
    const auto bytes = muster::as_bytes(text);
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  JsonWriter& number(std::int64_t value) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    return raw({digits.data(), static_cast<std::size_t>(end - digits.data())});
  }
  // An id: it is valid UTF-8 and has no control characters.
  JsonWriter& id(std::string_view text) {
    raw("\"");
    for (const char c : text) {
      if (c == '"' || c == '\\') raw("\\");
      raw({&c, 1});
    }
    return raw("\"");
  }

 private:
  std::vector<std::byte>& out_;
};

}  // namespace

std::optional<Controls> Arena::decode(muster::byte_view bytes, Format format) {
  return format == Format::binary ? decode_binary(bytes) : decode_json(bytes);
}

void Arena::encode(const muster::shard::View& view, std::vector<std::byte>& out) const {
  if (view.format == Format::binary) {
    encode_binary(view.key, out);
  } else {
    encode_json(view.key, out);
  }
}

void Arena::encode_json(std::uint64_t key, std::vector<std::byte>& out) const {
  JsonWriter json{out};
  json.raw(R"({"cell":)").number(static_cast<std::int64_t>(key)).raw(R"(,"bodies":[)");
  const char* between = "";
  visit_near(bodies_near_, key, [&](std::uint32_t i) {
    const Body& body = bodies_[i];
    json.raw(between).raw(R"({"n":)").number(i + 1).raw(R"(,"id":)").id(body.id);
    json.raw(R"(,"x":)").number(units(body.at.x)).raw(R"(,"y":)").number(units(body.at.y));
    json.raw(R"(,"aim":)").number(body.controls.aim).raw(R"(,"health":)").number(body.health);
    json.raw(R"(,"score":)").number(body.score).raw("}");
    between = ",";
  });
  json.raw(R"(],"shots":[)");
  between = "";
  visit_near(shots_near_, key, [&](std::uint32_t i) {
    const Shot& shot = shots_[i];
    json.raw(between).raw(R"({"by":)").number(shot.number).raw(R"(,"x":)");
    json.number(units(shot.at.x)).raw(R"(,"y":)").number(units(shot.at.y));
    json.raw(R"(,"aim":)").number(shot.direction).raw("}");
    between = ",";
  });
  json.raw("]}");
}

// Eleven bytes for a body, eight for a shot; the least significant byte first.
void Arena::encode_binary(std::uint64_t key, std::vector<std::byte>& out) const {
  ByteWriter writer{out};
  const auto count_of = [key](const SpatialGrid& grid) {
    std::uint16_t count = 0;
    visit_near(grid, key, [&count](std::uint32_t) { ++count; });
    return count;
  };
  writer.u8(static_cast<std::uint8_t>(key));
  writer.u16_le(count_of(bodies_near_));
  visit_near(bodies_near_, key, [&](std::uint32_t i) {
    const Body& body = bodies_[i];
    writer.u16_le(static_cast<std::uint16_t>(i + 1));
    writer.u16_le(units(body.at.x));
    writer.u16_le(units(body.at.y));
    writer.u16_le(body.controls.aim);
    writer.u8(static_cast<std::uint8_t>(body.health));
    writer.u16_le(static_cast<std::uint16_t>(std::min<std::uint32_t>(body.score, 0xffff)));
  });
  writer.u16_le(count_of(shots_near_));
  visit_near(shots_near_, key, [&](std::uint32_t i) {
    const Shot& shot = shots_[i];
    writer.u16_le(shot.number);
    writer.u16_le(units(shot.at.x));
    writer.u16_le(units(shot.at.y));
    writer.u16_le(shot.direction);
  });
}

}  // namespace shard_program
