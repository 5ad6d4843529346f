// SPDX-License-Identifier: MIT
// The reproducible source of bytes.
#include <muster/entropy.hpp>

#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

using muster::SeededEntropy;

TEST_CASE("seeded entropy is SplitMix64, as its author published it", "[entropy]") {
  // The first outputs for the seed 1234567, from the reference implementation's test vectors.
  SeededEntropy entropy{1234567};
  for (const std::uint64_t expected :
       {6457827717110365317U, 3203168211198807973U, 9817491932198370423U, 4593380528125082431U,
        16408922859458223821U}) {
    std::array<std::byte, 8> bytes{};
    entropy.fill(bytes);
    std::uint64_t little_endian = 0;
    for (std::size_t i = 8; i-- > 0;) {
      little_endian = little_endian << 8U | std::to_integer<std::uint64_t>(bytes[i]);
    }
    CHECK(little_endian == expected);
  }
}

TEST_CASE("seeded entropy gives the same bytes for the same seed and calls", "[entropy]") {
  SeededEntropy one{7};
  SeededEntropy other{7};
  SeededEntropy different{8};
  std::vector<std::byte> a(1000);
  std::vector<std::byte> b(1000);
  std::vector<std::byte> c(1000);
  one.fill(a);
  other.fill(b);
  different.fill(c);
  CHECK(a == b);
  CHECK(a != c);
  CHECK(one.next_u64() == other.next_u64());
}

TEST_CASE("seeded entropy fills exactly the view, of any size", "[entropy]") {
  for (std::size_t size = 0; size <= 33; ++size) {
    SeededEntropy entropy{size};
    SeededEntropy whole{size};
    std::vector<std::byte> bytes(size + 2, std::byte{0x5a});
    std::vector<std::byte> expected(64);
    whole.fill(expected);
    entropy.fill(muster::mutable_byte_view{bytes}.subspan(1, size));
    CHECK(bytes.front() == std::byte{0x5a});
    CHECK(bytes.back() == std::byte{0x5a});
    expected.resize(size);
    CHECK(std::vector(bytes.begin() + 1, bytes.end() - 1) == expected);
  }
}

TEST_CASE("seeded entropy does not repeat itself", "[entropy]") {
  SeededEntropy entropy{1};
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 10'000; ++i) seen.insert(entropy.next_u64());
  CHECK(seen.size() == 10'000);
}
