// SPDX-License-Identifier: MIT
// A bounds-checked cursor over bytes that somebody else sent.
#pragma once

#include <muster/bytes.hpp>
#include <muster/error.hpp>

#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace muster::wire {

/// Reads fields from the front of a message. Never throws, allocates, or reads beyond the end.
///
/// The first failure stays: from then on every read gives zero or an empty view and `remaining()`
/// is 0, so a decoder reads all its fields and asks once at the end, and a loop over a damaged
/// message ends.
/// @threads       distinct objects: safe; shared objects: unsafe
class ByteReader {
 public:
  /// @param bytes   not copied; must outlive the reader and every view it gives out
  explicit ByteReader(byte_view bytes) noexcept : rest_(bytes) {}

  /// Fixed-width integers, most (`_be`) or least significant byte first (`_le`).
  /// @error         errc::unexpected_end   fewer bytes are left
  [[nodiscard]] std::uint8_t u8() noexcept { return big_endian<std::uint8_t>(); }
  [[nodiscard]] std::uint16_t u16_be() noexcept { return big_endian<std::uint16_t>(); }
  [[nodiscard]] std::uint32_t u32_be() noexcept { return big_endian<std::uint32_t>(); }
  [[nodiscard]] std::uint64_t u64_be() noexcept { return big_endian<std::uint64_t>(); }
  [[nodiscard]] std::uint16_t u16_le() noexcept { return little_endian<std::uint16_t>(); }
  [[nodiscard]] std::uint32_t u32_le() noexcept { return little_endian<std::uint32_t>(); }
  [[nodiscard]] std::uint64_t u64_le() noexcept { return little_endian<std::uint64_t>(); }

  /// The next `count` bytes, as a view into the input.
  /// @error         errc::unexpected_end   fewer bytes are left; none is taken
  [[nodiscard]] byte_view bytes(std::size_t count) noexcept {
    if (count > rest_.size()) {
      fail(errc::unexpected_end);
      return {};
    }
    const byte_view taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

  /// Passes over `count` bytes; otherwise like `bytes`.
  void skip(std::size_t count) noexcept { (void)bytes(count); }

  /// Everything that is left; empty after a failure.
  [[nodiscard]] byte_view rest() noexcept { return bytes(rest_.size()); }

  /// How many bytes are left; 0 after a failure.
  [[nodiscard]] std::size_t remaining() const noexcept { return rest_.size(); }
  [[nodiscard]] bool is_at_end() const noexcept { return rest_.empty(); }

  /// Whether every read so far succeeded.
  [[nodiscard]] bool ok() const noexcept { return !error_.has_value(); }

  /// The first failure. May be called only when `ok()` is false.
  [[nodiscard]] errc error() const noexcept {
    assert(error_.has_value());
    return error_.value_or(errc::bad_value);
  }

  /// Records a failure that only the caller sees, such as a value out of range.
  void fail(errc reason) noexcept {
    if (!error_) error_ = reason;
    rest_ = {};
  }

 private:
  template <std::unsigned_integral Integer>
  Integer big_endian() noexcept {
    std::uint64_t value = 0;
    for (const std::byte octet : bytes(sizeof(Integer))) {
      value = (value << 8U) | std::to_integer<std::uint64_t>(octet);
    }
    return static_cast<Integer>(value);
  }

  template <std::unsigned_integral Integer>
  Integer little_endian() noexcept {
    std::uint64_t value = 0;
    unsigned shift = 0;
    for (const std::byte octet : bytes(sizeof(Integer))) {
      value |= std::to_integer<std::uint64_t>(octet) << shift;
      shift += 8;
    }
    return static_cast<Integer>(value);
  }

  byte_view rest_;
  std::optional<errc> error_;
};

}  // namespace muster::wire
