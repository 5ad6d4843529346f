// SPDX-License-Identifier: MIT
// The program's loops.
#pragma once

#include <muster/asio/handover.hpp>
#include <muster/asio/loop_group.hpp>
#include <muster/asio/mailbox.hpp>
#include <muster/placement.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace relay_program {

class Server;

/// What every loop knows of all of them. Filled before they run.
struct Fleet {
  Fleet(std::size_t count, const muster::asio::Loop::Config& config, muster::Entropy& entropy)
      : group(count, config),
        handover(group.make_handover()),
        placement(entropy, static_cast<std::uint32_t>(count)) {
    for (std::size_t i = 0; i < count; ++i) mailboxes.push_back(group.loop(i).mailbox());
  }

  muster::asio::LoopGroup group;
  muster::asio::Handover handover;
  muster::Placement placement;
  std::vector<muster::asio::Mailbox> mailboxes;
  std::vector<Server*> servers;
};

}  // namespace relay_program
