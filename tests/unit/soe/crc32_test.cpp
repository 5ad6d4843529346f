// SPDX-License-Identifier: MIT
// The seeded CRC against one that is computed bit by bit.
#include <muster/soe/crc32.hpp>

#include "../../../lib/soe/crc32_portable.hpp"
#include "support/catch.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

using muster::byte_view;
using namespace muster::soe;

namespace {

std::uint32_t reference_crc(std::uint32_t crc, byte_view bytes) {
  crc = ~crc;
  for (const std::byte byte : bytes) {
    crc ^= std::to_integer<std::uint32_t>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1U) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return ~crc;
}

std::uint32_t reference_seeded_crc(std::uint32_t seed, byte_view bytes) {
  std::vector<std::byte> all;
  for (unsigned shift = 0; shift < 32; shift += 8) {
    all.push_back(static_cast<std::byte>((seed >> shift) & 0xFFU));
  }
  all.insert(all.end(), bytes.begin(), bytes.end());
  return reference_crc(0, all);
}

std::vector<std::byte> random_bytes(std::mt19937& random, std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random() & 0xFFU);
  return bytes;
}

}  // namespace

TEST_CASE("crc32: known values", "[soe][crc]") {
  const byte_view digits = muster::as_bytes("123456789");
  CHECK(reference_crc(0, digits) == 0xCBF43926U);
  CHECK(crc32_portable(0, digits) == 0xCBF43926U);
  CHECK(crc32_portable(0, {}) == 0);
  CHECK(SeededCrc{0}({}) == 0x2144DF1CU);
}

TEST_CASE("crc32: every size and alignment agrees with the reference", "[soe][crc]") {
  std::mt19937 random{20261127};
  const auto bytes = random_bytes(random, 160);
  const SeededCrc crc{0xDEADBEEFU};
  int wrong = 0;
  for (std::size_t at = 0; at < 16; ++at) {
    for (std::size_t size = 0; size <= 130; ++size) {
      const byte_view part = byte_view{bytes}.subspan(at, size);
      if (crc(part) != reference_seeded_crc(0xDEADBEEFU, part)) ++wrong;
      if (crc32_portable(0, part) != reference_crc(0, part)) ++wrong;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("crc32: random seeds and datagrams agree with the reference", "[soe][crc]") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random{seed};
  for (int i = 0; i < 200; ++i) {
    const auto crc_seed = static_cast<std::uint32_t>(random());
    const auto bytes = random_bytes(random, random() % 1500);
    CAPTURE(i, crc_seed, bytes.size());
    const std::uint32_t expected = reference_seeded_crc(crc_seed, bytes);
    REQUIRE(SeededCrc{crc_seed}(bytes) == expected);
    const auto start = static_cast<std::uint32_t>(random());
    REQUIRE(crc32_portable(start, bytes) == reference_crc(start, bytes));
    // In two parts.
    const std::size_t cut = random() % (bytes.size() + 1);
    const byte_view all{bytes};
    REQUIRE(crc32_portable(crc32_portable(start, all.first(cut)), all.subspan(cut)) ==
            reference_crc(start, bytes));
  }
}

TEST_CASE("crc32: an empty view that points nowhere is the seed alone", "[soe][crc]") {
  for (const std::uint32_t seed : {0U, 1U, 0xFFFFFFFFU, 0x12345678U}) {
    CHECK(SeededCrc{seed}(byte_view{}) == reference_seeded_crc(seed, {}));
  }
}

TEST_CASE("crc32: a checksum is the least significant bytes, most significant first",
          "[soe][crc]") {
  constexpr std::uint32_t crc = 0xA1B2C3D4U;
  STATIC_REQUIRE(crc_mask(0) == 0);
  STATIC_REQUIRE(crc_mask(1) == 0xFF);
  STATIC_REQUIRE(crc_mask(2) == 0xFFFF);
  STATIC_REQUIRE(crc_mask(3) == 0xFFFFFF);
  STATIC_REQUIRE(crc_mask(4) == 0xFFFFFFFF);
  constexpr std::array expected{std::byte{0xA1}, std::byte{0xB2}, std::byte{0xC3}, std::byte{0xD4}};
  for (std::size_t length = 0; length <= max_crc_length; ++length) {
    std::array<std::byte, 6> out{};
    out.fill(std::byte{0x55});
    write_crc(out.data(), crc, length);
    for (std::size_t i = 0; i < length; ++i) CHECK(out[i] == expected[4 - length + i]);
    for (std::size_t i = length; i < out.size(); ++i) CHECK(out[i] == std::byte{0x55});
    CHECK(read_crc(out.data(), length) == (crc & crc_mask(length)));
  }
}
