// SPDX-License-Identifier: MIT
// A client and a server with a bad network between them, in virtual time.
#pragma once

#include "memory_ports.hpp"
#include "nobody.hpp"
#include "peer.hpp"

#include <muster/memory/datagram_link.hpp>

#include <algorithm>
#include <chrono>
#include <memory>

namespace muster_bench {

class VirtualPair {
 public:
  /// Connects them.
  /// @param link   of each direction; its seed is the run's
  VirtualPair(const Contestant& contestant, muster::memory::DatagramLink::Config link,
              std::uint64_t run)
      : up_(with_seed(link, 2 * run)), down_(with_seed(link, 2 * run + 1)) {
    server_ = contestant.serve({&server_port_}, 1, now_);
    client_ = contestant.connect({&client_port_}, now_);
    Nobody nobody;
    const muster::time_point give_up = now_ + std::chrono::minutes{1};
    client_->flush(now_);
    while (client_->open_sessions() == 0 || server_->open_sessions() == 0) {
      if (now_ >= give_up) throw Failure("no connection");
      step(give_up, nobody);
    }
  }

  /// Moves time to the next thing that happens, `until` at the latest, and lets the ends
  /// handle it that it concerns.
  void step(muster::time_point until, Receiver& at_server) {
    const muster::time_point due_at_client =
        std::min(down_.next_delivery(), client_->next_deadline(now_));
    const muster::time_point due_at_server =
        std::min(up_.next_delivery(), server_->next_deadline(now_));
    const muster::time_point next = std::min({until, due_at_client, due_at_server});
    if (next > now_) {
      now_ = next;
      standstill_ = 0;
    } else if (++standstill_ > 100'000) {
      throw Failure("time does not move: an end is due and does nothing");
    }
    if (due_at_server <= now_) server_->step(now_, at_server);
    if (due_at_client <= now_) client_->step(now_, nobody_);
  }

  [[nodiscard]] muster::time_point now() const { return now_; }
  [[nodiscard]] End& client() { return *client_; }
  [[nodiscard]] Traffic sent() const { return client_->sent() + server_->sent(); }

 private:
  static muster::memory::DatagramLink::Config with_seed(muster::memory::DatagramLink::Config link,
                                                        std::uint64_t seed) {
    link.seed = seed;
    return link;
  }

  muster::time_point now_{std::chrono::hours{1}};
  int standstill_ = 0;
  Nobody nobody_;
  muster::memory::DatagramLink up_;
  muster::memory::DatagramLink down_;
  LinkPort client_port_{down_, up_};
  LinkPort server_port_{up_, down_};
  std::unique_ptr<End> server_;
  std::unique_ptr<End> client_;
};

}  // namespace muster_bench
