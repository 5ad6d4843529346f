// SPDX-License-Identifier: MIT
// A fast keyed hash for what strangers choose: names, keys of tables.
#pragma once

#include <muster/bytes.hpp>
#include <muster/export.hpp>

#include <cstdint>

namespace muster {

/// The key of a `sip_hash`: 128 bits that nobody outside can predict.
struct SipKey {
  std::uint64_t k0 = 0;
  std::uint64_t k1 = 0;
  friend bool operator==(const SipKey&, const SipKey&) = default;
};

/// SipHash-2-4. Whoever does not know the key cannot choose inputs that collide. It is no proof of
/// who sent something: that is `Mac`'s.
/// @source Aumasson and Bernstein, "SipHash: a fast short-input PRF"
[[nodiscard]] MUSTER_API std::uint64_t sip_hash(const SipKey& key, byte_view bytes) noexcept;

}  // namespace muster
