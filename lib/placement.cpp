// SPDX-License-Identifier: MIT
// Jump consistent hashing over a keyed hash.
#include <muster/placement.hpp>

namespace muster {

// Walks through the counts at which the key would have moved to the place that was new then. The
// original divides doubles; this does the same with integers, so that every machine agrees.
std::uint32_t Placement::of(byte_view key) const noexcept {
  std::uint64_t hash = sip_hash(seed_, key);
  std::uint64_t place = 0;
  for (std::uint64_t next = 0; next < count_;) {
    place = next;
    hash = hash * 2862933555777941757U + 1;
    next = ((place + 1) << 31U) / ((hash >> 33U) + 1);
  }
  return static_cast<std::uint32_t>(place);
}

}  // namespace muster
