// SPDX-License-Identifier: MIT
// The receiver at an end to which no message is sent.
#pragma once

#include "peer.hpp"

namespace muster_bench {

class Nobody final : public Receiver {
 public:
  void on_message(std::uint32_t, muster::byte_view) override {
    throw Failure("a message that nobody sent");
  }
};

}  // namespace muster_bench
