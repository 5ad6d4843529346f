// SPDX-License-Identifier: MIT
// A hash that nobody without the key can find collisions of, for tables that strangers fill.
#pragma once

#include <muster/bytes.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace muster {

/// SipHash-2-4. The key is two words, each of eight bytes with the least significant first.
/// @source Aumasson, Bernstein: SipHash: a fast short-input PRF (2012)
[[nodiscard]] constexpr std::uint64_t siphash(const std::array<std::uint64_t, 2>& key,
                                              byte_view message) noexcept {
  std::array<std::uint64_t, 4> v{key[0] ^ 0x736f6d6570736575U, key[1] ^ 0x646f72616e646f6dU,
                                 key[0] ^ 0x6c7967656e657261U, key[1] ^ 0x7465646279746573U};
  const auto rounds = [&v](int count) {
    for (; count != 0; --count) {
      v[0] += v[1];
      v[2] += v[3];
      v[1] = std::rotl(v[1], 13) ^ v[0];
      v[3] = std::rotl(v[3], 16) ^ v[2];
      v[0] = std::rotl(v[0], 32);
      v[2] += v[1];
      v[0] += v[3];
      v[1] = std::rotl(v[1], 17) ^ v[2];
      v[3] = std::rotl(v[3], 21) ^ v[0];
      v[2] = std::rotl(v[2], 32);
    }
  };
  const auto take = [&v, &rounds](std::uint64_t word) {
    v[3] ^= word;
    rounds(2);
    v[0] ^= word;
  };
  // The last word has what is left of the message, and its size in the topmost byte.
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < message.size(); ++i) {
    word |= std::to_integer<std::uint64_t>(message[i]) << (8 * (i % 8));
    if (i % 8 != 7) continue;
    take(word);
    word = 0;
  }
  take(word | std::uint64_t{message.size()} << 56U);
  v[2] ^= 0xffU;
  rounds(4);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

namespace siphash_vectors {

// From the paper's appendix A and the authors' vectors: key and message count up from 0.
constexpr std::array<std::uint64_t, 2> key{0x0706050403020100U, 0x0f0e0d0c0b0a0908U};
constexpr std::array<std::byte, 15> bytes = [] {
  std::array<std::byte, 15> all{};
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::byte>(i);
  return all;
}();
static_assert(siphash(key, byte_view{bytes}.first(0)) == 0x726fdb47dd0e0e31U);
static_assert(siphash(key, byte_view{bytes}.first(8)) == 0x93f5f5799a932462U);
static_assert(siphash(key, byte_view{bytes}) == 0xa129ca6149be45e5U);

}  // namespace siphash_vectors

}  // namespace muster
