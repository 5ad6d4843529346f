// SPDX-License-Identifier: MIT
// The seeded CRC, by libdeflate or without.
#include <muster/soe/crc32.hpp>

#if MUSTER_WITH_DEFLATE
#include <libdeflate.h>
#else
#include "crc32_portable.hpp"
#endif

#include <array>

namespace muster::soe {

namespace {

std::uint32_t continued(std::uint32_t crc, byte_view bytes) noexcept {
#if MUSTER_WITH_DEFLATE
  // An empty view may hold a null pointer, for which libdeflate answers 0, whatever came before.
  if (bytes.empty()) return crc;
  return libdeflate_crc32(crc, bytes.data(), bytes.size());
#else
  return crc32_portable(crc, bytes);
#endif
}

std::uint32_t crc_of(std::uint32_t seed) noexcept {
  std::array<std::byte, 4> bytes;
  for (std::byte& byte : bytes) {
    byte = static_cast<std::byte>(seed & 0xFFU);
    seed >>= 8U;
  }
  return continued(0, bytes);
}

}  // namespace

SeededCrc::SeededCrc(std::uint32_t seed) noexcept : start_(crc_of(seed)) {}

std::uint32_t SeededCrc::operator()(byte_view bytes) const noexcept {
  return continued(start_, bytes);
}

}  // namespace muster::soe
