// SPDX-License-Identifier: MIT
// Pictures in JSON and in binary, whole and as what has changed.
#include "picture.hpp"

#include <muster/bytes.hpp>
#include <muster/wire/byte_writer.hpp>
#include <muster/wire/json_string.hpp>

#include <array>
#include <charconv>
#include <string_view>

namespace shard_program {

namespace {

using muster::shard::Format;
using muster::wire::ByteWriter;

// Calls `changed(body, before)` for those that are new (`before` is null) or different, and
// `gone(body)` for those that are not there any more. Both lists are in the order of numbers.
template <class Changed, class Gone>
void compare(const Picture& base, const Picture& picture, Changed changed, Gone gone) {
  auto before = base.bodies.begin();
  for (const Picture::Body& body : picture.bodies) {
    while (before != base.bodies.end() && before->number < body.number) gone(*before++);
    const bool is_known = before != base.bodies.end() && before->number == body.number;
    if (!is_known) changed(body, nullptr);
    if (is_known && *before != body) changed(body, &*before);
    if (is_known) ++before;
  }
  while (before != base.bodies.end()) gone(*before++);
}

// JSON, compact.
class JsonWriter {
 public:
  explicit JsonWriter(std::vector<std::byte>& out) noexcept : out_(out) {}

  JsonWriter& raw(std::string_view text) {
    out_.text(text);
    return *this;
  }
  JsonWriter& number(std::uint32_t value) {
    std::array<char, 16> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    return raw({digits.data(), static_cast<std::size_t>(end - digits.data())});
  }
  void body(const Picture::Body& body) {
    raw(R"({"n":)").number(body.number).raw(R"(,"id":)");
    muster::wire::write_json_string(out_, body.id);
    raw(R"(,"x":)").number(body.x).raw(R"(,"y":)").number(body.y);
    raw(R"(,"aim":)").number(body.aim).raw(R"(,"health":)").number(body.health);
    raw(R"(,"score":)").number(body.score).raw("}");
  }
  void shots(const std::vector<Picture::Shot>& shots) {
    raw(R"("shots":[)");
    const char* between = "";
    for (const Picture::Shot& shot : shots) {
      raw(between).raw(R"({"by":)").number(shot.by).raw(R"(,"x":)").number(shot.x);
      raw(R"(,"y":)").number(shot.y).raw(R"(,"aim":)").number(shot.aim).raw("}");
      between = ",";
    }
    raw("]");
  }

 private:
  ByteWriter out_;
};

void write_json(const Picture& picture, std::vector<std::byte>& out) {
  JsonWriter json{out};
  json.raw(R"({"cell":)").number(picture.cell).raw(R"(,"bodies":[)");
  const char* between = "";
  for (const Picture::Body& body : picture.bodies) {
    json.raw(between).body(body);
    between = ",";
  }
  json.raw("],").shots(picture.shots);
  json.raw("}");
}

void write_json_changes(const Picture& base, const Picture& picture, std::vector<std::byte>& out) {
  JsonWriter json{out};
  json.raw(R"({"cell":)").number(picture.cell).raw(R"(,"bodies":[)");
  const char* between = "";
  const auto changed = [&](const Picture::Body& body, const Picture::Body*) {
    json.raw(between).body(body);
    between = ",";
  };
  compare(base, picture, changed, [](const Picture::Body&) {});
  json.raw(R"(],"gone":[)");
  between = "";
  compare(
      base, picture, [](const Picture::Body&, const Picture::Body*) {},
      [&](const Picture::Body& body) {
        json.raw(between).number(body.number);
        between = ",";
      });
  json.raw("],").shots(picture.shots);
  json.raw("}");
}

void write_shots(ByteWriter& out, const std::vector<Picture::Shot>& shots) {
  out.u16_le(static_cast<std::uint16_t>(shots.size()));
  for (const Picture::Shot& shot : shots) {
    for (const std::uint16_t value : {shot.by, shot.x, shot.y, shot.aim}) out.u16_le(value);
  }
}

void write_binary(const Picture& picture, std::vector<std::byte>& out) {
  ByteWriter writer{out};
  writer.u8(picture.cell);
  writer.u16_le(static_cast<std::uint16_t>(picture.bodies.size()));
  for (const Picture::Body& body : picture.bodies) {
    for (const std::uint16_t value : {body.number, body.x, body.y, body.aim}) writer.u16_le(value);
    writer.u8(body.health);
    writer.u16_le(body.score);
  }
  write_shots(writer, picture.shots);
}

void write_binary_body(ByteWriter& out, const Picture::Body& body, const Picture::Body* before) {
  const auto is_new = [before, &body](auto field) {
    return before == nullptr || before->*field != body.*field;
  };
  const bool has_x = is_new(&Picture::Body::x);
  const bool has_y = is_new(&Picture::Body::y);
  const bool has_aim = is_new(&Picture::Body::aim);
  const bool has_health = is_new(&Picture::Body::health);
  const bool has_score = is_new(&Picture::Body::score);
  out.u16_le(body.number);
  out.u8(static_cast<std::uint8_t>((has_x ? 1 : 0) | (has_y ? 2 : 0) | (has_aim ? 4 : 0) |
                                   (has_health ? 8 : 0) | (has_score ? 16 : 0)));
  if (has_x) out.u16_le(body.x);
  if (has_y) out.u16_le(body.y);
  if (has_aim) out.u16_le(body.aim);
  if (has_health) out.u8(body.health);
  if (has_score) out.u16_le(body.score);
}

void write_binary_changes(const Picture& base, const Picture& picture,
                          std::vector<std::byte>& out) {
  std::uint16_t changes = 0;
  std::uint16_t losses = 0;
  compare(
      base, picture, [&changes](const Picture::Body&, const Picture::Body*) { ++changes; },
      [&losses](const Picture::Body&) { ++losses; });
  ByteWriter writer{out};
  writer.u8(picture.cell);
  writer.u16_le(losses);
  compare(
      base, picture, [](const Picture::Body&, const Picture::Body*) {},
      [&writer](const Picture::Body& body) { writer.u16_le(body.number); });
  writer.u16_le(changes);
  compare(
      base, picture,
      [&writer](const Picture::Body& body, const Picture::Body* before) {
        write_binary_body(writer, body, before);
      },
      [](const Picture::Body&) {});
  write_shots(writer, picture.shots);
}

}  // namespace

void write(const Picture& picture, Format format, std::vector<std::byte>& out) {
  if (format == Format::binary) {
    write_binary(picture, out);
  } else {
    write_json(picture, out);
  }
}

bool write_changes(const Picture& base, const Picture& picture, Format format,
                   std::vector<std::byte>& out) {
  if (base == picture) return false;
  if (format == Format::binary) {
    write_binary_changes(base, picture, out);
  } else {
    write_json_changes(base, picture, out);
  }
  return true;
}

}  // namespace shard_program
