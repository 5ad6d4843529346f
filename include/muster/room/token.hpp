// SPDX-License-Identifier: MIT
// Tokens that prove that a new connection is a participant that was there before.
#pragma once

#include <muster/entropy.hpp>
#include <muster/mac.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace muster {

/// What is kept of a token: whoever reads the server's memory cannot present it.
using TokenTag = std::array<std::byte, 16>;

/// Draws tokens and makes their tags, under a key that nobody else ever sees.
/// @threads one loop; what it uses belongs to that loop too
class TokenMint {
 public:
  TokenMint(Mac& mac, Entropy& entropy) noexcept : mac_(&mac), entropy_(&entropy) {
    entropy.fill(key_);
  }

  [[nodiscard]] std::uint64_t draw() noexcept { return entropy_->next_u64(); }

  [[nodiscard]] TokenTag tag(std::uint64_t token) noexcept {
    return tag(std::bit_cast<std::array<std::byte, sizeof token>>(token));
  }

  /// Of a token that is drawn elsewhere.
  [[nodiscard]] TokenTag tag(byte_view token) noexcept {
    const Mac::Tag whole = mac_->tag(key_, token);
    TokenTag tag;
    std::copy_n(whole.begin(), tag.size(), tag.begin());
    return tag;
  }

 private:
  Mac* mac_;
  Entropy* entropy_;
  std::array<std::byte, 32> key_{};
};

}  // namespace muster
