// SPDX-License-Identifier: MIT
// An echo server in a process of its own, which says what it has used.
#pragma once

#include "peer.hpp"

#include <sys/types.h>

#include <cstdint>

namespace muster_bench {

class ServerProcess {
 public:
  ServerProcess(const Contestant& contestant, std::uint32_t max_sessions);
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  ~ServerProcess();

  [[nodiscard]] std::uint16_t udp_port() const { return udp_port_; }

  struct Report {
    double wall_seconds = 0;
    double cpu_seconds = 0;
    std::uint64_t messages = 0;  ///< echoed
    std::uint64_t heap_bytes = 0;
    std::uint64_t resident_bytes = 0;
  };
  /// What it has used until now.
  [[nodiscard]] Report report();

 private:
  int channel_ = -1;
  pid_t process_ = -1;
  std::uint16_t udp_port_ = 0;
};

}  // namespace muster_bench
