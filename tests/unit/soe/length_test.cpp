// SPDX-License-Identifier: MIT
// The two encodings of lengths.
#include <muster/soe/length.hpp>

#include "support/catch.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

using muster::byte_view;
using namespace muster::soe;

namespace {

struct Encoding {
  std::size_t (*size)(std::uint32_t) noexcept;
  std::byte* (*write)(std::byte*, std::uint32_t) noexcept;
  bool (*read)(byte_view&, std::uint32_t&) noexcept;
};

constexpr Encoding multi{multi_length_size, write_multi_length, read_multi_length};
constexpr Encoding bundle{bundle_length_size, write_bundle_length, read_bundle_length};

// Whether n survives: written in the size announced, with what stands behind it untouched, and read
// from any longer input but from no shorter one.
bool survives(const Encoding& encoding, std::uint32_t n) {
  std::array<std::byte, max_length_size + 2> out;
  out.fill(std::byte{0});  // what follows a length of 255 in a multi packet
  const std::size_t size = encoding.size(n);
  if (encoding.write(out.data(), n) != out.data() + size) return false;
  for (std::size_t i = size; i < out.size(); ++i) {
    if (out[i] != std::byte{0}) return false;
  }
  byte_view in{out};
  std::uint32_t read = n + 1;
  if (!encoding.read(in, read) || read != n || in.size() != out.size() - size) return false;
  for (std::size_t cut = 0; cut < size; ++cut) {
    byte_view part = byte_view{out}.first(cut);
    std::uint32_t unchanged = 12345;
    if (encoding.read(part, unchanged) || part.size() != cut || unchanged != 12345) return false;
  }
  return true;
}

}  // namespace

TEST_CASE("length: every length up to three bytes, and around the borders", "[soe][length]") {
  int wrong = 0;
  for (const Encoding& encoding : {multi, bundle}) {
    for (std::uint32_t n = 0; n < 0x10100; ++n) {
      if (!survives(encoding, n)) ++wrong;
    }
    for (const std::uint32_t n : {0x00FFFFFFU, 0x01000000U, 0x7FFFFFFFU, 0x80000000U, 0xFFFFFFFEU,
                                  0xFFFFFFFFU, 0x00FF00FFU, 0xFF00FF00U}) {
      if (!survives(encoding, n)) ++wrong;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("length: random lengths", "[soe][length]") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 random{seed};
  for (int i = 0; i < 2000; ++i) {
    const auto n = static_cast<std::uint32_t>(random());
    CAPTURE(n);
    REQUIRE(survives(multi, n));
    REQUIRE(survives(bundle, n));
  }
}

TEST_CASE("length: the two differ in 255 alone", "[soe][length]") {
  for (std::uint32_t n = 0; n < 0x10100; ++n) {
    std::array<std::byte, max_length_size> a{};
    std::array<std::byte, max_length_size> b{};
    write_multi_length(a.data(), n);
    write_bundle_length(b.data(), n);
    if ((a != b) != (n == 255)) FAIL(n);
  }
  STATIC_REQUIRE(multi_length_size(255) == 1);
  STATIC_REQUIRE(bundle_length_size(255) == 3);
}

TEST_CASE("length: a lone FF is no length, FF and a zero is 255 in a multi packet",
          "[soe][length]") {
  constexpr std::array bytes{std::byte{0xFF}, std::byte{0}};
  byte_view in = byte_view{bytes}.first(1);
  std::uint32_t n = 0;
  CHECK_FALSE(read_multi_length(in, n));
  CHECK_FALSE(read_bundle_length(in, n));
  in = bytes;
  CHECK_FALSE(read_bundle_length(in, n));
  REQUIRE(read_multi_length(in, n));
  CHECK(n == 255);
  CHECK(in.size() == 1);
}
