// SPDX-License-Identifier: MIT
#include "seed.hpp"

#include <cassert>
#include <limits>

namespace lobby_program {

namespace {

std::array<std::byte, 8> little_endian(std::uint64_t number) noexcept {
  std::array<std::byte, 8> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::byte>(number >> (8 * i));
  }
  return bytes;
}

}  // namespace

std::string hex(muster::byte_view bytes) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const std::byte byte : bytes) {
    text += digits[std::to_integer<std::size_t>(byte >> 4U)];
    text += digits[std::to_integer<std::size_t>(byte & std::byte{15})];
  }
  return text;
}

Seed derive(const Seed& seed, std::string_view label, std::uint64_t number) noexcept {
  return sha256({seed, muster::as_bytes(label), little_endian(number)});
}

void SeedStream::fill(muster::mutable_byte_view out) noexcept {
  for (std::byte& byte : out) {
    if (used_ == block_.size()) {
      block_ = derive(seed_, "stream", blocks_++);
      used_ = 0;
    }
    byte = block_[used_++];
  }
}

std::uint64_t SeedStream::below(std::uint64_t bound) noexcept {
  assert(bound > 0);
  // Numbers of the last, incomplete run of `bound` are drawn again: without that, small results
  // would be likelier.
  constexpr std::uint64_t top = std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t spare = (top % bound + 1) % bound;
  for (;;) {
    std::array<std::byte, 8> bytes{};
    fill(bytes);
    std::uint64_t number = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) {
      number = number << 8U | std::to_integer<std::uint64_t>(bytes[i]);
    }
    if (number <= top - spare) return number % bound;
  }
}

}  // namespace lobby_program
