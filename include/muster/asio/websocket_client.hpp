// SPDX-License-Identifier: MIT
// Outgoing WebSocket connections on a loop.
#pragma once

#include <muster/asio/loop.hpp>
#include <muster/asio/tls_client_context.hpp>
#include <muster/dialer.hpp>
#include <muster/entropy.hpp>
#include <muster/export.hpp>
#include <muster/websocket/endpoint.hpp>

#include <memory>

namespace muster::asio {

/// Connects to WebSocket servers: resolves the name, tries its addresses in turn, shakes hands.
/// For wss:// URLs it checks the server's certificate and its name.
///
/// A failure is reported as `on_close` with `connect_failed`, `refused` (the code is the HTTP
/// status) or `timed_out`, and a readable text.
/// @threads the loop's thread
class MUSTER_API WebSocketClient final : public Dialer {
 public:
  /// @param config   valid (`websocket::validate`)
  /// @param tls      whom to trust, loaded; outlives the client. Null: the system's roots, which
  ///                 the first wss:// dial reads.
  WebSocketClient(Loop& loop, const websocket::Config& config, Entropy& entropy,
                  const TlsClientContext* tls = nullptr);
  WebSocketClient(const WebSocketClient&) = delete;
  WebSocketClient& operator=(const WebSocketClient&) = delete;

  /// Closes what is open, and tells the services.
  ~WebSocketClient() override;

  /// While this client is being destroyed it opens nothing more: then the answer is no connection,
  /// and the service hears nothing.
  ConnectionId dial(const DialRequest& request, Service& service) override;

  [[nodiscard]] const websocket::Endpoint& endpoint() const noexcept;

  class Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::asio
