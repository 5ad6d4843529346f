// SPDX-License-Identifier: MIT
// The checksum at the end of SOE packets.
#pragma once

#include <muster/bytes.hpp>
#include <muster/export.hpp>

#include <cassert>
#include <cstddef>
#include <cstdint>

namespace muster::soe {

/// The longest checksum of a packet, in bytes.
inline constexpr std::size_t max_crc_length = 4;

/// The CRC-32 of zlib and Ethernet over the seed's four bytes, least significant first, and then
/// the data. It finds damage; it keeps nobody out who can guess the seed.
///
/// The part over the seed is computed once: keep one object per session.
/// @threads       distinct objects: safe; shared objects: safe, nothing changes
class MUSTER_API SeededCrc {
 public:
  explicit SeededCrc(std::uint32_t seed) noexcept;

  /// @param bytes   from the packet's first byte to the one before the checksum; may be empty
  [[nodiscard]] std::uint32_t operator()(byte_view bytes) const noexcept;

 private:
  std::uint32_t start_;  // the CRC of the seed
};

/// Which bits of the CRC a checksum of this length has: the least significant ones.
/// @param length   0 to 4 bytes
[[nodiscard]] constexpr std::uint32_t crc_mask(std::size_t length) noexcept {
  assert(length <= max_crc_length);
  return static_cast<std::uint32_t>((std::uint64_t{1} << (8 * length)) - 1);
}

/// Writes the checksum, most significant byte first.
/// @param out      room for `length` bytes
/// @param length   0 to 4 bytes
inline void write_crc(std::byte* out, std::uint32_t crc, std::size_t length) noexcept {
  assert(length <= max_crc_length);
  for (std::size_t i = length; i > 0; --i) {
    out[i - 1] = static_cast<std::byte>(crc & 0xFFU);
    crc >>= 8U;
  }
}

/// The checksum that stands at `in`, to be compared with the CRC's bits in `crc_mask(length)`.
/// @param length   0 to 4 bytes; of 0 nothing is read and the result is 0
[[nodiscard]] inline std::uint32_t read_crc(const std::byte* in, std::size_t length) noexcept {
  assert(length <= max_crc_length);
  std::uint32_t crc = 0;
  for (std::size_t i = 0; i < length; ++i) {
    crc = (crc << 8U) | std::to_integer<std::uint32_t>(in[i]);
  }
  return crc;
}

}  // namespace muster::soe
