// SPDX-License-Identifier: MIT
// A client and a server in one process, in real time, driven in turns.
#pragma once

#include "memory_ports.hpp"
#include "nobody.hpp"
#include "peer.hpp"

#include <chrono>
#include <memory>

namespace muster_bench {

enum class Carrier { sockets, memory };

class Pair {
 public:
  /// Connects them.
  Pair(const Contestant& contestant, Carrier carrier) {
    const bool is_memory = carrier == Carrier::memory;
    server_ = contestant.serve({is_memory ? &server_port_ : nullptr, 0}, 1, now());
    client_ = contestant.connect(
        {is_memory ? &client_port_ : nullptr, is_memory ? std::uint16_t{0} : server_->udp_port()},
        now());
    Nobody nobody;
    const muster::time_point give_up = now() + std::chrono::seconds{5};
    while (client_->open_sessions() == 0 || server_->open_sessions() == 0) {
      if (now() > give_up) throw Failure("no connection");
      client_->step(now(), nobody);
      server_->step(now(), nobody);
    }
  }

  [[nodiscard]] static muster::time_point now() { return std::chrono::steady_clock::now(); }
  [[nodiscard]] End& client() { return *client_; }
  [[nodiscard]] End& server() { return *server_; }
  [[nodiscard]] Traffic sent() const { return client_->sent() + server_->sent(); }

 private:
  MemoryQueue up_;
  MemoryQueue down_;
  QueuePort client_port_{down_, up_};
  QueuePort server_port_{up_, down_};
  std::unique_ptr<End> server_;
  std::unique_ptr<End> client_;
};

}  // namespace muster_bench
