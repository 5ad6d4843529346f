// SPDX-License-Identifier: MIT
// Where unpredictable bytes come from: injected, so that cores stay deterministic in tests.
#pragma once

#include <muster/bytes.hpp>
#include <muster/export.hpp>

#include <array>
#include <bit>
#include <cstdint>

namespace muster {

/// A source of random bytes for tokens, masks and handshake keys.
///
/// A server uses the operating system's (`asio::SystemEntropy`). What a test uses must never reach
/// a server: whoever can predict tokens can take over players.
/// @threads distinct objects: safe; shared objects: unsafe
class MUSTER_API Entropy {
 public:
  virtual ~Entropy() = default;

  /// Fills the whole view.
  virtual void fill(mutable_byte_view out) noexcept = 0;

  [[nodiscard]] std::uint64_t next_u64() noexcept {
    std::array<std::byte, 8> bytes{};
    fill(bytes);
    return std::bit_cast<std::uint64_t>(bytes);
  }
};

/// Reproducible bytes for tests and simulations (SplitMix64). Not for servers: it can be predicted.
class MUSTER_API SeededEntropy final : public Entropy {
 public:
  explicit SeededEntropy(std::uint64_t seed) noexcept : state_(seed) {}

  void fill(mutable_byte_view out) noexcept override {
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (i % 8 == 0) word = next();
      out[i] = static_cast<std::byte>(word >> (8 * (i % 8)));
    }
  }

 private:
  std::uint64_t next() noexcept {
    state_ += 0x9e3779b97f4a7c15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }

  std::uint64_t state_;
};

}  // namespace muster
