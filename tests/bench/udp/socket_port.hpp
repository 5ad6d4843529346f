// SPDX-License-Identifier: MIT
// A port that is a UDP socket on loopback, with or without the kernel's help for runs of datagrams.
#pragma once

#include "port.hpp"

#include <muster/address.hpp>

#include <cstdint>
#include <span>

namespace muster_bench {

/// What of the kernel's offers is used.
struct Offload {
  bool segments = true;   ///< sends runs by UDP_SEGMENT; otherwise a call for each datagram
  bool coalesces = true;  ///< receives runs by UDP_GRO
};

class SocketPort final : public Port {
 public:
  /// @param server_port   of the server on 127.0.0.1 that a client is connected to; 0: a server
  SocketPort(const Offload& offload, std::uint16_t server_port);
  SocketPort(const SocketPort&) = delete;
  SocketPort& operator=(const SocketPort&) = delete;
  ~SocketPort() override;

  /// The buffers are shared by all ports of the process: a view is valid until any of them
  /// receives.
  std::span<Run> receive(muster::time_point now) override;
  void send(const muster::Address& to, std::span<const muster::byte_view> datagrams,
            muster::time_point now) override;
  void flush() override;

  [[nodiscard]] int descriptor() const { return descriptor_; }
  [[nodiscard]] std::uint16_t udp_port() const { return udp_port_; }

 private:
  std::size_t waiting_ = 0;  // runs that the next flush sends
  Offload offload_;
  bool is_connected_;
  int descriptor_;
  std::uint16_t udp_port_ = 0;
};

}  // namespace muster_bench
