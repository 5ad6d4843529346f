// SPDX-License-Identifier: MIT
// Masking, eight bytes at a time and unrolled so that compilers use vector registers.
#include <muster/wire/mask.hpp>

#include <bit>
#include <cstring>

namespace muster::wire {

namespace {

// The key as it applies from `offset` on: byte i of the result is byte (i + offset) % 4 of the key.
std::uint64_t key_from(MaskKey key, std::size_t offset) noexcept {
  const int bits = static_cast<int>(offset % 4) * 8;
  const MaskKey turned =
      std::endian::native == std::endian::little ? std::rotr(key, bits) : std::rotl(key, bits);
  return turned | std::uint64_t{turned} << 32U;
}

template <class Word>
void mask_word(std::byte* out, const std::byte* in, std::uint64_t key) noexcept {
  Word word = 0;
  std::memcpy(&word, in, sizeof word);
  Word mask = 0;
  std::memcpy(&mask, &key,
              sizeof mask);  // the key's first bytes in memory, whatever the byte order
  word ^= mask;
  std::memcpy(out, &word, sizeof word);
}

// `out` is `in`, or does not overlap it. Every step but the last is a multiple of four bytes, so
// the key need not be turned again until the last two.
void mask(std::byte* out, const std::byte* in, std::size_t size, std::uint64_t key) noexcept {
  for (; size >= 32; size -= 32, in += 32, out += 32) {
    std::uint64_t words[4];
    std::memcpy(words, in, sizeof words);
    for (std::uint64_t& word : words) word ^= key;
    std::memcpy(out, words, sizeof words);
  }
  for (; size >= 8; size -= 8, in += 8, out += 8) mask_word<std::uint64_t>(out, in, key);
  if (size >= 4) {
    mask_word<std::uint32_t>(out, in, key);
    in += 4;
    out += 4;
    size -= 4;
  }
  std::byte bytes[4];
  std::memcpy(bytes, &key, sizeof bytes);
  for (std::size_t i = 0; i < size; ++i) out[i] = in[i] ^ bytes[i];
}

}  // namespace

void apply_mask(mutable_byte_view bytes, MaskKey key, std::size_t offset) noexcept {
  mask(bytes.data(), bytes.data(), bytes.size(), key_from(key, offset));
}

void copy_masked(std::byte* out, byte_view bytes, MaskKey key, std::size_t offset) noexcept {
  mask(out, bytes.data(), bytes.size(), key_from(key, offset));
}

}  // namespace muster::wire
