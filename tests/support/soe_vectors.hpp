// SPDX-License-Identifier: MIT
// How the SOE vectors write bytes and random numbers.
#pragma once

#include <muster/entropy.hpp>
#include <muster/soe/crc32.hpp>

#include "support/vectors.hpp"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace test {

/// The vectors' generator of test data.
inline std::vector<std::byte> soe_pattern(std::size_t size, std::uint32_t seed) {
  std::vector<std::byte> bytes(size);
  std::uint32_t x = seed;
  for (std::byte& byte : bytes) {
    x = x * 1664525U + 1013904223U;
    byte = static_cast<std::byte>(x >> 24U);
  }
  return bytes;
}

/// "pat(1514,7)" as bytes.
inline std::vector<std::byte> soe_pattern(const std::string& text) {
  std::size_t size = 0;
  std::uint32_t seed = 0;
  if (std::sscanf(text.c_str(), "pat(%zu,%u)", &size, &seed) != 2) {
    throw std::invalid_argument("not a pattern: " + text);
  }
  return soe_pattern(size, seed);
}

/// Whether bytes are what a vector describes: all of them, or for long ones the first, the last and
/// a digest.
inline bool matches(muster::byte_view bytes, const nlohmann::json& described) {
  if (described.is_string()) return to_hex(bytes) == described.get<std::string>();
  if (bytes.size() != described.at("len").get<std::size_t>()) return false;
  if (described.contains("hex")) return to_hex(bytes) == described.at("hex").get<std::string>();
  const auto head = described.at("head").get<std::string>();
  const auto tail = described.at("tail").get<std::string>();
  return to_hex(bytes.first(head.size() / 2)) == head &&
         to_hex(bytes.last(tail.size() / 2)) == tail &&
         muster::soe::SeededCrc{0}(bytes) == described.at("soe_crc_seed0").get<std::uint32_t>();
}

/// The published crate's generator, of which the transcripts' ids and seeds are. What is larger
/// than a number of 32 bits (keys of hash tables) is zero.
class CrateEntropy final : public muster::Entropy {
 public:
  explicit CrateEntropy(std::uint64_t seed) noexcept : state_(seed ^ 0x9E3779B97F4A7C15U) {}

  std::uint32_t next() noexcept {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::uint32_t>(state_ >> 32U);
  }

  void fill(muster::mutable_byte_view out) noexcept override {
    if (out.size() != 4) {
      std::memset(out.data(), 0, out.size());
      return;
    }
    const std::uint32_t value = next();
    std::memcpy(out.data(), &value, 4);
  }

 private:
  std::uint64_t state_;
};

}  // namespace test
