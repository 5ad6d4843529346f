// SPDX-License-Identifier: MIT
// SOE sessions without a loop or a thread: the program calls `step`.
#pragma once

#include <muster/asio/datagram_stats.hpp>
#include <muster/asio/soe_handler.hpp>
#include <muster/asio/soe_options.hpp>
#include <muster/entropy.hpp>
#include <muster/export.hpp>
#include <muster/result.hpp>
#include <muster/soe/multiplexer.hpp>
#include <muster/time.hpp>

#include <cstddef>
#include <memory>
#include <string_view>
#include <system_error>

namespace muster::asio {

/// For tools, tests and games that have a loop of their own.
///
///     muster::asio::SoeBlockingSocket socket{options, entropy, handler};
///     if (socket.bind("127.0.0.1:0")) ...
///     while (running) socket.step(10ms);
///
/// Everything it uses must outlive it: the entropy, the handler.
/// @threads distinct objects: safe; shared objects: unsafe
class MUSTER_API SoeBlockingSocket {
 public:
  SoeBlockingSocket(const SoeOptions& options, Entropy& entropy, SoeHandler& handler);
  SoeBlockingSocket(const SoeBlockingSocket&) = delete;
  SoeBlockingSocket& operator=(const SoeBlockingSocket&) = delete;
  ~SoeBlockingSocket();

  // As of `SoeSocket`. What they leave to be sent leaves with the next `step`.

  [[nodiscard]] std::error_code bind(std::string_view address);
  [[nodiscard]] std::error_code open_for(std::string_view server);
  [[nodiscard]] result<soe::SessionId> connect(const Address& to, std::string_view protocol);
  [[nodiscard]] result<soe::SessionId> connect(std::string_view to, std::string_view protocol);
  soe::EnqueueStatus enqueue(soe::SessionId session, byte_view message,
                             soe::Channel channel = soe::Channel::reliable0);
  bool set_encryption(soe::SessionId session, unsigned channels, byte_view key);
  bool terminate(soe::SessionId session,
                 soe::DisconnectReason reason = soe::DisconnectReason::application);
  void terminate_all(soe::DisconnectReason reason = soe::DisconnectReason::application);
  bool close(soe::SessionId session,
             soe::DisconnectReason reason = soe::DisconnectReason::application);

  /// Sends what waits, then waits for the first of: datagrams, something that is due, `max_wait`;
  /// and takes care of it. The handler is called from here and from nowhere else.
  /// @param max_wait   0: not at all
  /// @return how many events the handler was told; 0 does not mean that all of `max_wait` is over
  std::size_t step(duration max_wait);

  /// What a program waits for that has more than this to wait for: the descriptor to read from, -1
  /// while it is not open, and the time; then `step(0)`.
  [[nodiscard]] int native_handle() const noexcept;
  [[nodiscard]] time_point next_deadline() const noexcept;

  [[nodiscard]] Address local() const noexcept;
  [[nodiscard]] const SoeMultiplexer<>& multiplexer() const noexcept;
  [[nodiscard]] const DatagramStats& stats() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::asio
