// SPDX-License-Identifier: MIT
// A multiplexer and its socket: everything but the waiting.
#pragma once

#include "datagram_socket.hpp"

#include <muster/asio/soe_handler.hpp>
#include <muster/asio/soe_options.hpp>
#include <muster/entropy.hpp>
#include <muster/result.hpp>
#include <muster/soe/multiplexer.hpp>
#include <muster/time.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>
#include <vector>

namespace muster::asio {

/// Whoever drives it calls `receive` when the socket is readable, `send` when the socket that was
/// blocked is writable, when `has_to_send` and when `next_deadline` has come.
///
/// It reads the clock itself, once for each batch: a batch may take longer than what the protocol
/// measures.
/// @threads distinct objects: safe; shared objects: unsafe
class SoePort {
 public:
  SoePort(const SoeOptions& options, Entropy& entropy, SoeHandler& handler,
          const DatagramCalls& calls = DatagramCalls::system());

  /// Opens the socket.
  /// @error errc::bad_value     no address
  /// @error errc::wrong_state   it is open already
  /// @error otherwise           what the system says
  [[nodiscard]] std::error_code bind(std::string_view address);

  /// Opens the socket for one peer alone.
  [[nodiscard]] std::error_code open_for(std::string_view peer);

  // As of the multiplexer. What they leave to be sent, `send` sends.

  /// Opens the socket on any port if it is not open.
  /// @error errc::connect_failed   there is no socket, or it does not reach that address
  [[nodiscard]] result<soe::SessionId> connect(const Address& to, std::string_view protocol);
  soe::EnqueueStatus enqueue(soe::SessionId session, byte_view message, soe::Channel channel);
  bool set_encryption(soe::SessionId session, unsigned channels, byte_view key);
  bool terminate(soe::SessionId session, soe::DisconnectReason reason);
  bool close(soe::SessionId session, soe::DisconnectReason reason);
  void terminate_all(soe::DisconnectReason reason);

  /// Reads, and tells what it was, up to some bytes.
  /// @return whether there may be more
  bool receive(std::size_t budget);

  /// Does what is due, tells what comes of it, and sends all that may leave.
  void send();

  /// Something was received or called for since the last `send`, and may leave.
  [[nodiscard]] bool has_to_send() const noexcept { return has_news_ && !socket_.is_blocked(); }

  /// When to `send` in any case.
  [[nodiscard]] time_point next_deadline() const noexcept;

  [[nodiscard]] const DatagramSocket& socket() const noexcept { return socket_; }
  [[nodiscard]] const SoeMultiplexer<>& mux() const noexcept { return mux_; }
  [[nodiscard]] std::uint64_t events_told() const noexcept { return events_told_; }

 private:
  void tell(time_point now);
  bool transmit();
  void remember(soe::SessionId session);
  void forget(soe::SessionId session) noexcept;

  SoeMultiplexer<> mux_;
  DatagramSocket socket_;
  SoeHandler* handler_;
  std::vector<soe::SessionId> sessions_;  // by index: asked for or open, and not closed
  std::uint64_t events_told_ = 0;
  time_point retry_at_ = no_deadline;  // while the socket is blocked
  bool has_news_ = false;
};

}  // namespace muster::asio
