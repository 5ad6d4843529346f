// SPDX-License-Identifier: MIT
// The identifiers of players, rooms, plans and operations.
#pragma once

#include <muster/bytes.hpp>
#include <muster/entropy.hpp>

#include <array>
#include <compare>
#include <cstddef>
#include <optional>
#include <string_view>

namespace muster::signal {

/// 16 bytes in network order; compared as an unsigned number.
/// @source RFC 9562
struct Uuid {
  std::array<std::byte, 16> bytes{};

  friend bool operator==(const Uuid&, const Uuid&) = default;
  friend auto operator<=>(const Uuid&, const Uuid&) = default;
};

/// The 36 characters of its text, lower case.
using UuidText = std::array<char, 36>;

[[nodiscard]] UuidText to_text(const Uuid& uuid) noexcept;

[[nodiscard]] inline std::string_view view(const UuidText& text) noexcept {
  return {text.data(), text.size()};
}

/// Nothing: it is not 36 characters of hexadecimal digits and hyphens in their places.
/// @param only_lower   refuses digits in upper case
[[nodiscard]] std::optional<Uuid> read_uuid(std::string_view text,
                                            bool only_lower = false) noexcept;

/// Marks bytes that are as good as random as what they are.
/// @source RFC 9562 section 5.4
inline void make_version_4(Uuid& uuid) noexcept {
  uuid.bytes[6] = (uuid.bytes[6] & std::byte{0x0F}) | std::byte{0x40};
  uuid.bytes[8] = (uuid.bytes[8] & std::byte{0x3F}) | std::byte{0x80};
}

/// A new one of version 4.
[[nodiscard]] Uuid draw_uuid(Entropy& entropy) noexcept;

}  // namespace muster::signal
