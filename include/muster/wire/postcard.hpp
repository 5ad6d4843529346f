// SPDX-License-Identifier: MIT
// The postcard encoding, version 1 of its wire format: JoinRequest and game payloads use it.
#pragma once

#include <muster/bytes.hpp>
#include <muster/export.hpp>
#include <muster/wire/byte_reader.hpp>
#include <muster/wire/byte_writer.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

/// Fields in the order of the struct, without names. Integers wider than a byte are base-128
/// varints, least significant group first, signed ones after zig-zag; `u8` and `i8` are one raw
/// byte; an enum is its variant index, then the variant's fields; an option is a tag, then the
/// value; a sequence or map is its count, then the items; tuples, structs and arrays are their
/// fields alone.
///
/// Every `read_` function reports through the reader (`ByteReader::ok`), and gives zero after a
/// failure. They accept exactly what the Rust crate accepts: an over-long varint is fine as long as
/// it stays within the most bytes its type can need.
/// @source        docs/protocol/relay.md, "JoinRequest"
namespace muster::wire::postcard {

/// The word size of the peer that wrote a length: it decides how long an over-long one may be.
enum class LengthWidth {
  bits32,  ///< at most 5 bytes; what a WebAssembly peer accepts
  bits64,  ///< at most 10 bytes; what a server accepts
};

/// Unsigned integers.
/// @error         errc::unexpected_end   the input ends before the last byte
/// @error         errc::bad_varint       more bytes or bits than the type can need
[[nodiscard]] MUSTER_API std::uint16_t read_u16(ByteReader& reader) noexcept;
[[nodiscard]] MUSTER_API std::uint32_t read_u32(ByteReader& reader) noexcept;
[[nodiscard]] MUSTER_API std::uint64_t read_u64(ByteReader& reader) noexcept;

/// Signed integers. Errors as for the unsigned ones.
[[nodiscard]] MUSTER_API std::int16_t read_i16(ByteReader& reader) noexcept;
[[nodiscard]] MUSTER_API std::int32_t read_i32(ByteReader& reader) noexcept;
[[nodiscard]] MUSTER_API std::int64_t read_i64(ByteReader& reader) noexcept;

/// IEEE 754, least significant byte first. Every bit pattern is accepted, also NaN and infinity.
/// @error         errc::unexpected_end   fewer than 4 or 8 bytes are left
[[nodiscard]] MUSTER_API float read_f32(ByteReader& reader) noexcept;
[[nodiscard]] MUSTER_API double read_f64(ByteReader& reader) noexcept;

/// One byte, 0 or 1.
/// @error         errc::bad_bool   any other byte
[[nodiscard]] MUSTER_API bool read_bool(ByteReader& reader) noexcept;

/// Whether a value follows.
/// @error         errc::bad_option   the tag is neither 0 nor 1
[[nodiscard]] MUSTER_API bool read_option(ByteReader& reader) noexcept;

/// The index of an enum's variant. Whether it exists is for the caller to say.
[[nodiscard]] inline std::uint32_t read_variant(ByteReader& reader) noexcept {
  return read_u32(reader);
}

/// How many items follow.
/// @param min_item_size   bytes that the smallest item takes, at least 1: a count that cannot be
///                        true is refused before the caller reserves memory for it
/// @error         errc::unexpected_end   the items cannot fit into what is left
[[nodiscard]] MUSTER_API std::size_t read_count(ByteReader& reader, std::size_t min_item_size = 1,
                                                LengthWidth width = LengthWidth::bits64) noexcept;

/// A length and as many bytes, as a view into the input.
/// @error         errc::unexpected_end   fewer bytes are left than the length says
[[nodiscard]] MUSTER_API byte_view read_bytes(ByteReader& reader,
                                              LengthWidth width = LengthWidth::bits64) noexcept;

/// A length and as many bytes of UTF-8, as a view into the input. U+0000 is allowed.
/// @error         errc::unexpected_end   fewer bytes are left than the length says
/// @error         errc::bad_utf8         the bytes are not UTF-8
[[nodiscard]] MUSTER_API std::string_view read_string(
    ByteReader& reader, LengthWidth width = LengthWidth::bits64) noexcept;

/// Integers, always in their shortest form.
MUSTER_API void write_u16(ByteWriter& writer, std::uint16_t value);
MUSTER_API void write_u32(ByteWriter& writer, std::uint32_t value);
MUSTER_API void write_u64(ByteWriter& writer, std::uint64_t value);
MUSTER_API void write_i16(ByteWriter& writer, std::int16_t value);
MUSTER_API void write_i32(ByteWriter& writer, std::int32_t value);
MUSTER_API void write_i64(ByteWriter& writer, std::int64_t value);

MUSTER_API void write_f32(ByteWriter& writer, float value);
MUSTER_API void write_f64(ByteWriter& writer, double value);
MUSTER_API void write_bool(ByteWriter& writer, bool value);

/// The tag of an option; when it is true the value must follow.
MUSTER_API void write_option(ByteWriter& writer, bool has_value);

/// The index of an enum's variant; its fields must follow.
inline void write_variant(ByteWriter& writer, std::uint32_t index) { write_u32(writer, index); }

/// The count of a sequence or map; as many items must follow.
MUSTER_API void write_count(ByteWriter& writer, std::size_t count);

MUSTER_API void write_bytes(ByteWriter& writer, byte_view bytes);

/// @param text    must be UTF-8, or the peer will refuse the whole message
MUSTER_API void write_string(ByteWriter& writer, std::string_view text);

}  // namespace muster::wire::postcard
