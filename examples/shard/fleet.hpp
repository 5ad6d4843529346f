// SPDX-License-Identifier: MIT
// The program's loops.
#pragma once

#include <muster/address_limits.hpp>
#include <muster/asio/handover.hpp>
#include <muster/asio/loop_group.hpp>
#include <muster/placement.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace shard_program {

class Server;

/// What every loop knows of all of them. Filled before they run.
struct Fleet {
  Fleet(std::size_t count, const muster::asio::Loop::Config& config,
        const muster::AddressLimits::Config& addresses, muster::Entropy& entropy)
      : limits(addresses, entropy),
        group(count, config),
        handover(group.make_handover()),
        placement(entropy, static_cast<std::uint32_t>(count)) {}

  muster::AddressLimits limits;  ///< of all loops together
  muster::asio::LoopGroup group;
  muster::asio::Handover handover;
  muster::Placement placement;
  std::vector<Server*> servers;
};

}  // namespace shard_program
