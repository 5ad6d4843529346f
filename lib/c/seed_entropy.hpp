// SPDX-License-Identifier: MIT
// Random bytes from a secret seed, and the keyed hash of servers.
#pragma once

#include "../hmac_sha256.hpp"

#include <muster/c/abi.h>
#include <muster/bytes.hpp>
#include <muster/entropy.hpp>
#include <muster/mac.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

namespace muster::c {

/// HMAC-SHA-256 in counter mode, with a new key for each call: what was handed out cannot be worked
/// out from what is in memory later.
class SeedEntropy final : public Entropy {
 public:
  explicit SeedEntropy(byte_view seed) noexcept : key_(hmac_sha256(seed, as_bytes("muster/c"))) {}

  /// Whether somebody has drawn it: all zero is what a forgotten one looks like.
  [[nodiscard]] static bool is_seed(byte_view seed) noexcept {
    return std::any_of(seed.begin(), seed.end(),
                       [](std::byte byte) { return byte != std::byte{0}; });
  }

  void fill(mutable_byte_view out) noexcept override {
    std::array<std::byte, 8> counter{};
    while (!out.empty()) {
      for (std::byte& digit : counter) {
        digit = static_cast<std::byte>(std::to_integer<unsigned>(digit) + 1);
        if (digit != std::byte{0}) break;
      }
      const Mac::Tag block = hmac_sha256(key_, counter);
      const std::size_t size = std::min(block.size(), out.size());
      std::copy_n(block.begin(), size, out.begin());
      out = out.subspan(size);
    }
    key_ = hmac_sha256(key_, as_bytes("next"));
  }

 private:
  Mac::Tag key_;
};

/// HMAC-SHA-256.
class Sha256Mac final : public Mac {
 public:
  [[nodiscard]] Tag tag(byte_view key, byte_view message) noexcept override {
    return hmac_sha256(key, message);
  }
};

}  // namespace muster::c
