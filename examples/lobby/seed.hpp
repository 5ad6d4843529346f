// SPDX-License-Identifier: MIT
// Where a match's chance comes from: one secret, and streams of bytes that are made from it.
#pragma once

#include "digest.hpp"

#include <muster/bytes.hpp>
#include <muster/entropy.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lobby_program {

/// 32 bytes that decide all the chance of a match or of a tournament. A server draws it from the
/// system's entropy, keeps it secret while the match runs, and records it.
using Seed = std::array<std::byte, 32>;

/// A seed for a part of what the seed decides: SHA-256(seed, label, number as 8 bytes, least
/// significant first). Who knows it knows nothing of the seed, nor of any other part's.
[[nodiscard]] Seed derive(const Seed& seed, std::string_view label,
                          std::uint64_t number = 0) noexcept;

/// Reproducible bytes: the seeds that are derived from `seed` with the label "stream" and the
/// numbers 0, 1, 2 and on, one after the other. Unlike with `muster::SeededEntropy`, who sees some
/// of the bytes cannot tell the others: clients are shown numbers from it.
class SeedStream final : public muster::Entropy {
 public:
  explicit SeedStream(const Seed& seed) noexcept : seed_(seed) {}

  void fill(muster::mutable_byte_view out) noexcept override;

  /// An even draw from 0 to `bound` - 1.
  /// @param bound   1 and more
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) noexcept;

 private:
  Seed seed_;
  Digest block_{};
  std::uint64_t blocks_ = 0;
  std::size_t used_ = sizeof(Digest);
};

}  // namespace lobby_program
