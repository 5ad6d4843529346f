// SPDX-License-Identifier: MIT
// Varints with the exact limits of the Rust crate, and everything that stands on them.
#include <muster/wire/postcard.hpp>

#include <muster/utf8.hpp>

#include <array>
#include <bit>
#include <limits>

namespace muster::wire::postcard {
namespace {

// A type of `bits` bits needs at most ceil(bits / 7) bytes, and the last of them holds the bits
// that are left over. The crate checks these two things and nothing else, so over-long forms pass.
std::uint64_t read_varint(ByteReader& reader, unsigned bits) noexcept {
  const unsigned max_bytes = (bits + 6) / 7;
  const unsigned last_shift = 7 * (max_bytes - 1);
  const std::uint64_t last_limit = (std::uint64_t{1} << (bits - last_shift)) - 1;
  std::uint64_t value = 0;
  for (unsigned shift = 0;; shift += 7) {
    const std::uint8_t octet = reader.u8();
    if (!reader.ok()) return 0;
    if (shift == last_shift && octet > last_limit) {  // also true when its continuation bit is set
      reader.fail(errc::bad_varint);
      return 0;
    }
    value |= std::uint64_t{octet & 0x7FU} << shift;
    if ((octet & 0x80U) == 0) return value;
  }
}

std::uint64_t read_length(ByteReader& reader, LengthWidth width) noexcept {
  return read_varint(reader, width == LengthWidth::bits32 ? 32 : 64);
}

template <class Signed, class Unsigned>
Signed from_zig_zag(Unsigned value) noexcept {
  const auto half = static_cast<Unsigned>(value >> 1U);
  return static_cast<Signed>((value & 1U) != 0 ? static_cast<Unsigned>(~half) : half);
}

// 0, -1, 1, -2 ... become 0, 1, 2, 3 ..., in arithmetic that cannot overflow.
template <class Unsigned, class Signed>
Unsigned to_zig_zag(Signed value) noexcept {
  const auto doubled = static_cast<Unsigned>(static_cast<Unsigned>(value) << 1U);
  return value < 0 ? static_cast<Unsigned>(~doubled) : doubled;
}

bool read_flag(ByteReader& reader, errc reason) noexcept {
  const std::uint8_t octet = reader.u8();
  if (octet > 1) reader.fail(reason);
  return octet == 1;
}

}  // namespace

std::uint16_t read_u16(ByteReader& reader) noexcept {
  return static_cast<std::uint16_t>(read_varint(reader, 16));
}
std::uint32_t read_u32(ByteReader& reader) noexcept {
  return static_cast<std::uint32_t>(read_varint(reader, 32));
}
std::uint64_t read_u64(ByteReader& reader) noexcept { return read_varint(reader, 64); }

std::int16_t read_i16(ByteReader& reader) noexcept {
  return from_zig_zag<std::int16_t>(read_u16(reader));
}
std::int32_t read_i32(ByteReader& reader) noexcept {
  return from_zig_zag<std::int32_t>(read_u32(reader));
}
std::int64_t read_i64(ByteReader& reader) noexcept {
  return from_zig_zag<std::int64_t>(read_u64(reader));
}

float read_f32(ByteReader& reader) noexcept { return std::bit_cast<float>(reader.u32_le()); }
double read_f64(ByteReader& reader) noexcept { return std::bit_cast<double>(reader.u64_le()); }

bool read_bool(ByteReader& reader) noexcept { return read_flag(reader, errc::bad_bool); }
bool read_option(ByteReader& reader) noexcept { return read_flag(reader, errc::bad_option); }

std::size_t read_count(ByteReader& reader, std::size_t min_item_size, LengthWidth width) noexcept {
  const std::uint64_t count = read_length(reader, width);
  const std::size_t most = reader.remaining() / (min_item_size == 0 ? 1 : min_item_size);
  if (count > most) {
    reader.fail(errc::unexpected_end);
    return 0;
  }
  return static_cast<std::size_t>(count);
}

byte_view read_bytes(ByteReader& reader, LengthWidth width) noexcept {
  return reader.bytes(read_count(reader, 1, width));
}

std::string_view read_string(ByteReader& reader, LengthWidth width) noexcept {
  const byte_view bytes = read_bytes(reader, width);
  if (!is_valid_utf8(bytes)) {
    reader.fail(errc::bad_utf8);
    return {};
  }
  return as_text(bytes);
}

void write_u16(ByteWriter& writer, std::uint16_t value) { write_u64(writer, value); }
void write_u32(ByteWriter& writer, std::uint32_t value) { write_u64(writer, value); }

void write_u64(ByteWriter& writer, std::uint64_t value) {
  // Built apart and written at once: a fixed buffer gets the whole integer or none of it.
  std::array<std::byte, 10> octets{};
  std::size_t size = 0;
  while (value >= 0x80) {
    octets[size++] = static_cast<std::byte>((value & 0x7FU) | 0x80U);
    value >>= 7U;
  }
  octets[size++] = static_cast<std::byte>(value);
  writer.bytes(byte_view{octets}.first(size));
}

void write_i16(ByteWriter& writer, std::int16_t value) {
  write_u16(writer, to_zig_zag<std::uint16_t>(value));
}
void write_i32(ByteWriter& writer, std::int32_t value) {
  write_u32(writer, to_zig_zag<std::uint32_t>(value));
}
void write_i64(ByteWriter& writer, std::int64_t value) {
  write_u64(writer, to_zig_zag<std::uint64_t>(value));
}

void write_f32(ByteWriter& writer, float value) {
  writer.u32_le(std::bit_cast<std::uint32_t>(value));
}
void write_f64(ByteWriter& writer, double value) {
  writer.u64_le(std::bit_cast<std::uint64_t>(value));
}

void write_bool(ByteWriter& writer, bool value) { writer.u8(value ? 1 : 0); }
void write_option(ByteWriter& writer, bool has_value) { writer.u8(has_value ? 1 : 0); }
void write_count(ByteWriter& writer, std::size_t count) { write_u64(writer, count); }

void write_bytes(ByteWriter& writer, byte_view bytes) {
  write_count(writer, bytes.size());
  writer.bytes(bytes);
}

void write_string(ByteWriter& writer, std::string_view text) {
  write_bytes(writer, as_bytes(text));
}

static_assert(std::numeric_limits<float>::is_iec559 && std::numeric_limits<double>::is_iec559);

}  // namespace muster::wire::postcard
