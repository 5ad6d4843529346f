// SPDX-License-Identifier: MIT
// What an end of the echo stands on: a socket, or a multiplexer without one.
#pragma once

#include <muster/address.hpp>
#include <muster/bytes.hpp>
#include <muster/result.hpp>
#include <muster/soe/event.hpp>
#include <muster/soe/multiplexer.hpp>

#include <string_view>

namespace soe_echo {

class Carrier {
 public:
  virtual ~Carrier() = default;
  [[nodiscard]] virtual muster::result<muster::soe::SessionId> connect(
      std::string_view protocol) = 0;
  virtual muster::soe::EnqueueStatus enqueue(muster::soe::SessionId session,
                                             muster::byte_view message,
                                             muster::soe::Channel channel) = 0;
  virtual void close(muster::soe::SessionId session) = 0;
  virtual void terminate(muster::soe::SessionId session, muster::soe::DisconnectReason reason) = 0;
  [[nodiscard]] virtual const muster::SoeMultiplexer<>& multiplexer() const = 0;
};

}  // namespace soe_echo
