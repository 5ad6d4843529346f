// SPDX-License-Identifier: MIT
// What a socket for SOE is made of.
#pragma once

#include <muster/asio/datagram_options.hpp>
#include <muster/soe/config.hpp>
#include <muster/soe/multiplexer.hpp>

namespace muster::asio {

struct SoeOptions {
  soe::Config protocol{};  ///< valid (`soe::validate`)
  DatagramOptions socket{};

  /// Answers a client that wants a session, on the thread that drives the socket. Empty: whoever
  /// asks for one of `protocol.protocols` is accepted.
  SoeMultiplexer<>::Admit admit{};
};

}  // namespace muster::asio
