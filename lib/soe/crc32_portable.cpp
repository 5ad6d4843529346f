// SPDX-License-Identifier: MIT
// CRC-32, slicing by sixteen.
#include "crc32_portable.hpp"

#include <array>
#include <cstddef>

namespace muster::soe {

namespace {

constexpr std::size_t slices = 16;
using Tables = std::array<std::array<std::uint32_t, 256>, slices>;

// Table k tells what a byte does to the register when k more bytes follow it.
constexpr Tables make_tables() noexcept {
  Tables tables{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
    tables[0][i] = crc;
  }
  for (std::size_t k = 1; k < slices; ++k) {
    for (std::size_t i = 0; i < 256; ++i) {
      const std::uint32_t before = tables[k - 1][i];
      tables[k][i] = (before >> 8U) ^ tables[0][before & 0xFFU];
    }
  }
  return tables;
}

constexpr Tables tables = make_tables();

// Compilers make one load of this on a little-endian machine.
std::uint32_t word_at(const std::byte* at) noexcept {
  return std::to_integer<std::uint32_t>(at[0]) | std::to_integer<std::uint32_t>(at[1]) << 8U |
         std::to_integer<std::uint32_t>(at[2]) << 16U |
         std::to_integer<std::uint32_t>(at[3]) << 24U;
}

// What four bytes do when `After` more bytes of the step follow them. A template, because GCC at
// -O2 does not inline a function that is called four times, which takes half as long again.
template <std::size_t After>
std::uint32_t fold(std::uint32_t word) noexcept {
  return tables[After + 3][word & 0xFFU] ^ tables[After + 2][(word >> 8U) & 0xFFU] ^
         tables[After + 1][(word >> 16U) & 0xFFU] ^ tables[After][word >> 24U];
}

}  // namespace

std::uint32_t crc32_portable(std::uint32_t crc, byte_view bytes) noexcept {
  crc = ~crc;
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= slices; at += slices, left -= slices) {
    // What does not wait for the step before comes first.
    const std::uint32_t rest =
        fold<8>(word_at(at + 4)) ^ fold<4>(word_at(at + 8)) ^ fold<0>(word_at(at + 12));
    crc = rest ^ fold<12>(crc ^ word_at(at));
  }
  for (; left > 0; ++at, --left) {
    crc = (crc >> 8U) ^ tables[0][(crc ^ std::to_integer<std::uint32_t>(*at)) & 0xFFU];
  }
  return ~crc;
}

}  // namespace muster::soe
