// SPDX-License-Identifier: MIT
// A WebSocket and small-page HTTP server on a loop.
#pragma once

#include <muster/asio/handover.hpp>
#include <muster/asio/loop.hpp>
#include <muster/asio/tls_server_context.hpp>
#include <muster/entropy.hpp>
#include <muster/export.hpp>
#include <muster/service.hpp>
#include <muster/websocket/endpoint.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <system_error>

namespace muster::asio {

/// Listens, accepts, and lets one service answer.
///
/// Everything it uses must outlive it: the loop, the entropy, and every service that a connection
/// was given to. Its end closes what is open, and tells the services.
/// @threads the loop's thread
class MUSTER_API WebSocketServer {
 public:
  struct Config : websocket::Config {
    int backlog = 1024;         ///< of the listening socket, 1 to 65535
    bool reuse_port = false;    ///< several loops listen on one port (Linux)
    bool defer_accept = false;  ///< wake up only when the first bytes are there (Linux)
    int send_buffer = 0;        ///< bytes of the kernel for what was sent, asked for; 0: its own

    /// Every connection speaks TLS with the certificate that it has; null: none does. Outlives the
    /// server.
    const TlsServerContext* tls = nullptr;
  };

  /// @param config   valid (`websocket::validate`)
  WebSocketServer(Loop& loop, const Config& config, Entropy& entropy, Service& service);
  WebSocketServer(const WebSocketServer&) = delete;
  WebSocketServer& operator=(const WebSocketServer&) = delete;
  ~WebSocketServer();

  /// Starts to listen.
  /// @param address   "127.0.0.1:8080", "[::1]:0"; port 0: any free one
  /// @error errc::bad_value     not of that form
  /// @error errc::wrong_state   the TLS context has no certificate
  /// @error otherwise           what the system says
  [[nodiscard]] std::error_code listen(const std::string& address);

  /// Lets connections move between this server and those of other loops that join the same
  /// handover. What arrives counts towards this server's caps; above them, or while it drains, it
  /// is closed with 1013. Once, on the loop's thread or before the loop runs.
  /// @param loop   the number of this server's loop; its mailbox stands there in the handover
  void join(const Handover& handover, std::size_t loop);

  /// The port it listens on, or 0.
  [[nodiscard]] std::uint16_t port() const noexcept;

  /// Stops listening and tells the services to end what they have. Connections that are still open
  /// after `limit` are closed with 1001.
  /// @param done   called on the loop when the last connection is gone
  void drain(duration limit, std::function<void()> done);

  [[nodiscard]] const websocket::Endpoint& endpoint() const noexcept;

  class Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::asio
