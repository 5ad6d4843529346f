// SPDX-License-Identifier: MIT
// Two bytes, most significant first, where the caller has made sure that they are there.
#pragma once

#include <muster/bytes.hpp>

#include <cstddef>
#include <cstdint>

namespace muster::soe {

[[nodiscard]] inline std::uint16_t read_u16(byte_view bytes) noexcept {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[0]) << 8U |
                                    std::to_integer<unsigned>(bytes[1]));
}

/// @return where the next byte goes
inline std::byte* write_u16(std::byte* out, std::uint16_t value) noexcept {
  out[0] = static_cast<std::byte>(value >> 8U);
  out[1] = static_cast<std::byte>(value & 0xFFU);
  return out + 2;
}

}  // namespace muster::soe
