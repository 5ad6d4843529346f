// SPDX-License-Identifier: MIT
// The wiring of muster-relay: a loop, a listener, the relay, and a few pages.
#pragma once

#include "metrics.hpp"
#include "options.hpp"

#include <muster/asio/hmac_sha256.hpp>
#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_server.hpp>
#include <muster/relay/service.hpp>
#include <muster/router.hpp>

#include <asio/io_context.hpp>

#include <functional>
#include <string>

namespace relay_program {

/// Everything that answers on the relay's port.
/// @threads the thread that runs the io_context
class Server {
 public:
  Server(asio::io_context& context, const Options& options);

  /// @return one sentence if that is not possible; empty if it listens
  [[nodiscard]] std::string listen();

  /// "http://127.0.0.1:8080", with the port that it got.
  [[nodiscard]] std::string url() const;

  /// The same as a browser on this machine can open it: a wildcard address becomes the loopback.
  [[nodiscard]] std::string page_url() const;

  /// Tells all members that the relay goes away; calls `done` when the last connection is gone.
  void drain(std::function<void()> done);

 private:
  [[nodiscard]] Snapshot snapshot(muster::time_point now);
  [[nodiscard]] std::string host() const;

  Options options_;
  muster::asio::SystemEntropy entropy_;
  muster::asio::HmacSha256 mac_;
  muster::asio::Loop loop_;
  muster::relay::Service relay_;
  muster::Router router_;
  muster::asio::WebSocketServer server_;
  muster::time_point started_;
  bool is_draining_ = false;
};

}  // namespace relay_program
