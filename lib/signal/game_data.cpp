// SPDX-License-Identifier: MIT
// What stands around game data: a JSON message, or a MessagePack map.
#include "game_data.hpp"

#include <muster/wire/byte_writer.hpp>

#include "json_object.hpp"
#include "msgpack_reader.hpp"

#include <algorithm>
#include <cassert>
#include <limits>
#include <string_view>

namespace muster::signal {
namespace {

using wire::ByteWriter;

ByteWriter writer_of(std::array<char, 128>& buffer) noexcept {
  return ByteWriter{std::as_writable_bytes(std::span{buffer})};
}

void write_text_head(ByteWriter& out, const GameDataStamp& stamp) {
  out.text(R"({"type":"GameData","data":{"from_player":)");
  write_value(out, stamp.from_player);
  out.text(R"(,"data":)");
}

void write_text_tail(ByteWriter& out, const GameDataStamp& stamp, Version version) {
  if (version == Version::v3) {
    out.text(R"(,"seq":)");
    write_value(out, stamp.seq);
    out.text(R"(,"epoch":)");
    write_value(out, stamp.epoch);
    if (stamp.delivery) {
      out.text(R"(,"class":)");
      write_value(out, *stamp.delivery);
    }
    if (stamp.key) {
      out.text(R"(,"key":)");
      write_value(out, *stamp.key);
    }
  }
  out.text("}}");
}

// The smallest form of each (MessagePack specification, version 5).

void pack_text(ByteWriter& out, std::string_view text) {
  assert(text.size() < 32);
  out.u8(static_cast<std::uint8_t>(0xA0 + text.size()));
  out.text(text);
}

void pack_binary_size(ByteWriter& out, std::size_t size) {
  assert(size <= std::numeric_limits<std::uint32_t>::max());
  if (size <= 0xFF) {
    out.u8(0xC4);
    out.u8(static_cast<std::uint8_t>(size));
  } else if (size <= 0xFFFF) {
    out.u8(0xC5);
    out.u16_be(static_cast<std::uint16_t>(size));
  } else {
    out.u8(0xC6);
    out.u32_be(static_cast<std::uint32_t>(size));
  }
}

void pack_natural(ByteWriter& out, std::uint64_t value) {
  if (value < 0x80) {
    out.u8(static_cast<std::uint8_t>(value));
  } else if (value <= 0xFF) {
    out.u8(0xCC);
    out.u8(static_cast<std::uint8_t>(value));
  } else if (value <= 0xFFFF) {
    out.u8(0xCD);
    out.u16_be(static_cast<std::uint16_t>(value));
  } else if (value <= 0xFFFFFFFF) {
    out.u8(0xCE);
    out.u32_be(static_cast<std::uint32_t>(value));
  } else {
    out.u8(0xCF);
    out.u64_be(value);
  }
}

void write_binary_head(ByteWriter& out, const GameDataStamp& stamp, std::size_t data_size,
                       Version version) {
  out.u8(version == Version::v3 ? 0x85 : 0x83);
  pack_text(out, "from_player");
  pack_binary_size(out, stamp.from_player.bytes.size());
  out.bytes(stamp.from_player.bytes);
  pack_text(out, "encoding");
  pack_text(out, to_string(GameDataFormat::message_pack));
  pack_text(out, "payload");
  pack_binary_size(out, data_size);
}

void write_binary_tail(ByteWriter& out, const GameDataStamp& stamp, Version version) {
  if (version != Version::v3) return;
  pack_text(out, "seq");
  pack_natural(out, stamp.seq);
  pack_text(out, "epoch");
  pack_natural(out, stamp.epoch);
}

// Which fields of a binary message were there.
enum Field : unsigned { from_player = 1, encoding = 2, payload = 4, seq = 8, epoch = 16 };

unsigned field_of(std::string_view name, Version version) noexcept {
  if (name == "from_player") return from_player;
  if (name == "encoding") return encoding;
  if (name == "payload") return payload;
  if (version == Version::v3 && name == "seq") return seq;
  if (version == Version::v3 && name == "epoch") return epoch;
  return 0;
}

void read_field(MsgpackReader& in, unsigned field, Version version, BinaryGameData& out) noexcept {
  switch (field) {
    case from_player: {
      const byte_view bytes = in.binary();
      if (bytes.size() != out.from_player.bytes.size()) return in.fail(errc::bad_value);
      std::copy(bytes.begin(), bytes.end(), out.from_player.bytes.begin());
      return;
    }
    case encoding: {
      const auto word = read_word<GameDataFormat>(in.text());
      const bool is_possible = version == Version::v3 || word == GameDataFormat::message_pack;
      if (!word || !is_possible) return in.fail(errc::bad_value);
      out.encoding = *word;
      return;
    }
    case payload:
      out.payload = in.binary();
      return;
    case seq:
      out.seq = in.natural();
      if (out.seq == 0) in.fail(errc::bad_value);
      return;
    case epoch: {
      const std::uint64_t value = in.natural();
      if (value == 0 || value > std::numeric_limits<std::uint32_t>::max()) {
        return in.fail(errc::bad_value);
      }
      out.epoch = static_cast<std::uint32_t>(value);
      return;
    }
    default:
      in.fail(errc::bad_value);
  }
}

}  // namespace

GameDataParts::GameDataParts(MessageKind kind, const GameDataStamp& stamp, byte_view data,
                             Version version) noexcept {
  ByteWriter head = writer_of(head_);
  ByteWriter tail = writer_of(tail_);
  if (kind == MessageKind::text) {
    write_text_head(head, stamp);
    write_text_tail(tail, stamp, version);
  } else {
    write_binary_head(head, stamp, data.size(), version);
    write_binary_tail(tail, stamp, version);
  }
  assert(head.ok() && tail.ok());
  parts_ = {head.written(), data, tail.written()};
}

result<BinaryGameData> read_binary_game_data(byte_view frame, Version version) {
  BinaryGameData message;
  MsgpackReader in{frame};
  const std::uint32_t expected = version == Version::v3 ? 5 : 3;
  if (in.map() != expected) in.fail(errc::bad_syntax);
  unsigned seen = 0;
  for (std::uint32_t i = 0; i < expected && in.ok(); ++i) {
    const unsigned field = field_of(in.text(), version);
    // As many as there are, and none twice: so none is missing.
    if ((seen & field) != 0) in.fail(errc::bad_value);
    seen |= field;
    read_field(in, field, version, message);
  }
  if (!in.ok()) return in.error();
  if (!in.is_at_end()) return errc::bad_syntax;
  return message;
}

}  // namespace muster::signal
