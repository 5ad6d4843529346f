// SPDX-License-Identifier: MIT
#include "../lib/c/seed_entropy.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <set>

using muster::as_bytes;
using muster::c::SeedEntropy;

namespace {

std::array<std::byte, 1000> drawn(SeedEntropy& entropy) {
  std::array<std::byte, 1000> bytes{};
  entropy.fill(bytes);
  return bytes;
}

}  // namespace

TEST_CASE("SeedEntropy: the same seed gives the same bytes, another one others", "[c][entropy]") {
  SeedEntropy one{as_bytes("a seed")};
  SeedEntropy same{as_bytes("a seed")};
  SeedEntropy other{as_bytes("a seee")};
  const auto first = drawn(one);
  CHECK(first == drawn(same));
  CHECK(first != drawn(other));
  const auto second = drawn(one);
  CHECK(first != second);
  CHECK(second == drawn(same));
}

TEST_CASE("SeedEntropy: no word comes twice, and half of all bits are set", "[c][entropy]") {
  SeedEntropy entropy{as_bytes("a seed")};
  std::set<std::uint64_t> words;
  int bits = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t word = entropy.next_u64();
    CHECK(words.insert(word).second);
    bits += std::popcount(word);
  }
  std::set<std::array<std::byte, 8>> parts;  // of one call
  const auto bytes = drawn(entropy);
  for (std::size_t i = 0; i + 8 <= bytes.size(); i += 8) {
    std::array<std::byte, 8> part{};
    std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(i), 8, part.begin());
    CHECK(parts.insert(part).second);
    bits += std::popcount(std::bit_cast<std::uint64_t>(part));
  }
  CHECK(bits > 1125 * 64 * 49 / 100);
  CHECK(bits < 1125 * 64 * 51 / 100);
}

TEST_CASE("SeedEntropy: all zero is no seed", "[c][entropy]") {
  std::array<std::byte, 32> seed{};
  CHECK_FALSE(SeedEntropy::is_seed(seed));
  seed.back() = std::byte{1};
  CHECK(SeedEntropy::is_seed(seed));
}
