// SPDX-License-Identifier: MIT
// Who receives a shard's snapshots, as the simulation knows it.
#pragma once

#include <muster/address.hpp>

#include <cstdint>
#include <string>

namespace muster::shard {

/// One subscription. A participant that connects twice has two, with the same `id` if the shard
/// allows that.
struct Subscriber {
  /// Names the subscription for good: never used again in this shard. Counts from 1 in the order of
  /// joining; 0 is nobody.
  std::uint64_t handle = 0;

  std::string id{};       ///< 1 to 128 bytes: what it joined as (`sid`)
  std::string user{};     ///< its account, as the authenticator said; empty: anonymous
  bool is_admin = false;  ///< may join as anybody
  Address remote{};
};

}  // namespace muster::shard
