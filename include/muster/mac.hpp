// SPDX-License-Identifier: MIT
// A keyed hash: injected, so that cores need no cryptography of their own.
#pragma once

#include <muster/bytes.hpp>
#include <muster/export.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace muster {

/// A message authentication code: what a server keeps in place of a token, and what proves that a
/// peer knows a password without showing it.
///
/// A server uses HMAC-SHA-256 (`asio::HmacSha256`).
/// @threads distinct objects: safe; shared objects: unsafe
/// @source RFC 2104; FIPS 180-4
class MUSTER_API Mac {
 public:
  using Tag = std::array<std::byte, 32>;

  virtual ~Mac() = default;

  /// @param key       32 bytes for a secret of the server's own; any length is possible
  /// @param message   any length, may be empty
  [[nodiscard]] virtual Tag tag(byte_view key, byte_view message) noexcept = 0;
};

/// Whether both have the same bytes, in a time that depends on their sizes alone.
[[nodiscard]] inline bool equal_in_constant_time(byte_view a, byte_view b) noexcept {
  if (a.size() != b.size()) return false;
  std::uint8_t difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const volatile std::uint8_t bits = std::to_integer<std::uint8_t>(a[i] ^ b[i]);
    difference = static_cast<std::uint8_t>(difference | bits);
  }
  return difference == 0;
}

/// Reproducible tags for tests and simulations (FNV-1a, stretched). Not for servers: it can be
/// forged.
class MUSTER_API WeakMac final : public Mac {
 public:
  [[nodiscard]] Tag tag(byte_view key, byte_view message) noexcept override {
    std::uint64_t state = 0xcbf29ce484222325U;
    const auto mix = [&state](byte_view bytes) {
      for (const std::byte byte : bytes) {
        state = (state ^ std::to_integer<std::uint64_t>(byte)) * 0x100000001b3U;
      }
      state = (state ^ bytes.size()) * 0x100000001b3U;
    };
    mix(key);
    mix(message);
    Tag tag{};
    for (std::size_t i = 0; i < tag.size(); ++i) {
      state = (state ^ (state >> 29U)) * 0xbf58476d1ce4e5b9U + i;
      tag[i] = static_cast<std::byte>(state >> 56U);
    }
    return tag;
  }
};

}  // namespace muster
