// SPDX-License-Identifier: MIT
// What one loop of muster-relay consists of: a listener, the relay, and a few pages.
#pragma once

#include "accounts.hpp"
#include "journal.hpp"
#include "metrics.hpp"
#include "routes.hpp"
#include "shared.hpp"

#include <muster/asio/hmac_sha256.hpp>
#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_server.hpp>
#include <muster/relay/service.hpp>
#include <muster/router.hpp>

#include <asio/io_context.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace relay_program {

/// Everything that answers on the relay's port, on one loop.
/// @threads the thread that runs the io_context
class Server {
 public:
  /// @param shared   outlives the server
  /// @param index    which of the program's loops this is, from 0
  Server(asio::io_context& context, Shared& shared, std::uint32_t index = 0);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// @return one sentence if that is not possible; empty if it listens
  [[nodiscard]] std::string listen();

  /// "http://127.0.0.1:8080", with the port that it got; "https:" with TLS.
  [[nodiscard]] std::string url() const;

  /// The same as a browser on this machine can open it: a wildcard address becomes the loopback.
  [[nodiscard]] std::string page_url() const;

  /// Tells all members that the relay goes away; calls `done` when the last connection is gone.
  void drain(std::function<void()> done);

 private:
  void add_pages();
  void use(std::shared_ptr<const Content> content);
  [[nodiscard]] Snapshot snapshot(muster::time_point now);
  [[nodiscard]] std::string host() const;
  [[nodiscard]] std::string url_of(const std::string& host_name) const;

  Shared* shared_;
  muster::asio::SystemEntropy entropy_;
  muster::asio::HmacSha256 mac_;
  muster::asio::Loop loop_;
  Journal journal_;
  AccountsAuthenticator authenticator_;
  muster::relay::Service relay_;
  Routes routes_;
  muster::Router router_;
  muster::asio::WebSocketServer server_;
  std::shared_ptr<const Content> content_;
  muster::time_point started_;
  bool is_draining_ = false;
  std::shared_ptr<Server*> alive_;  // what a reload posts holds it weakly
};

}  // namespace relay_program
