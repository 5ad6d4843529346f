// SPDX-License-Identifier: MIT
// Takes the few kinds of MessagePack value that small maps of known fields consist of.
#pragma once

#include <muster/bytes.hpp>
#include <muster/error.hpp>
#include <muster/wire/byte_reader.hpp>

#include <cstdint>
#include <string_view>

namespace muster::signal {

/// A cursor for maps whose every field is known, so that nothing is ever passed over. A count or a
/// length is only a claim: nothing is asked for on its account. Fails as ByteReader does.
/// @threads       distinct objects: safe; shared objects: unsafe
/// @source        the MessagePack specification, version 5
class MsgpackReader {
 public:
  explicit MsgpackReader(byte_view bytes) noexcept : in_(bytes) {}

  /// The number of members of a map, which follow: each a name and a value.
  /// @error errc::bad_syntax   another kind of value, as for the others
  [[nodiscard]] std::uint32_t map() noexcept {
    const std::uint8_t format = in_.u8();
    if (format >= 0x80 && format <= 0x8F) return format & 0x0FU;
    if (format == 0xDE) return in_.u16_be();
    if (format == 0xDF) return in_.u32_be();
    return fail<std::uint32_t>();
  }

  /// Not checked to be UTF-8.
  [[nodiscard]] std::string_view text() noexcept {
    const std::uint8_t format = in_.u8();
    if (format >= 0xA0 && format <= 0xBF) return as_text(in_.bytes(format & 0x1FU));
    if (format == 0xD9) return as_text(in_.bytes(in_.u8()));
    if (format == 0xDA) return as_text(in_.bytes(in_.u16_be()));
    if (format == 0xDB) return as_text(in_.bytes(in_.u32_be()));
    return fail<std::string_view>();
  }

  [[nodiscard]] byte_view binary() noexcept {
    const std::uint8_t format = in_.u8();
    if (format == 0xC4) return in_.bytes(in_.u8());
    if (format == 0xC5) return in_.bytes(in_.u16_be());
    if (format == 0xC6) return in_.bytes(in_.u32_be());
    return fail<byte_view>();
  }

  /// An integer that is not negative, in a form of any width.
  [[nodiscard]] std::uint64_t natural() noexcept {
    const std::uint8_t format = in_.u8();
    switch (format) {
      case 0xCC:
        return in_.u8();
      case 0xCD:
        return in_.u16_be();
      case 0xCE:
        return in_.u32_be();
      case 0xCF:
        return in_.u64_be();
      case 0xD0:
        return not_negative(static_cast<std::int8_t>(in_.u8()));
      case 0xD1:
        return not_negative(static_cast<std::int16_t>(in_.u16_be()));
      case 0xD2:
        return not_negative(static_cast<std::int32_t>(in_.u32_be()));
      case 0xD3:
        return not_negative(static_cast<std::int64_t>(in_.u64_be()));
      default:
        return format < 0x80 ? format : fail<std::uint64_t>();
    }
  }

  /// Takes a nil, if that is next.
  [[nodiscard]] bool take_nil() noexcept {
    wire::ByteReader ahead = in_;
    if (ahead.u8() != 0xC0) return false;
    in_ = ahead;
    return true;
  }

  [[nodiscard]] bool ok() const noexcept { return in_.ok(); }
  [[nodiscard]] bool is_at_end() const noexcept { return in_.is_at_end(); }
  [[nodiscard]] errc error() const noexcept { return in_.error(); }
  void fail(errc reason) noexcept { in_.fail(reason); }

 private:
  template <class Value>
  Value fail() noexcept {
    in_.fail(errc::bad_syntax);
    return {};
  }

  std::uint64_t not_negative(std::int64_t value) noexcept {
    return value >= 0 ? static_cast<std::uint64_t>(value) : fail<std::uint64_t>();
  }

  wire::ByteReader in_;
};

}  // namespace muster::signal
