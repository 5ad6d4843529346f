// SPDX-License-Identifier: MIT
// What one loop of muster-relay consists of: a listener, the relay, signaling rooms, and a few
// pages.
#pragma once

#include "../gatherer.hpp"
#include "accounts.hpp"
#include "fleet.hpp"
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
#include <muster/signal/matchbox.hpp>
#include <muster/signal/service.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace relay_program {

/// Everything that answers on the relay's port, on one loop.
///
/// Signaling rooms, as their reference server has them:
///
///     GET /v2/ws, /v3/ws                        the protocol, in two versions
///     GET /matchbox/ROOM                        matchbox's protocol
///     GET /v2/health, /health                   "OK" while the program runs
///     GET /readyz, /v2/readyz                   503 once it drains
///     GET /v2/client-config, /v3/client-config  limits that clients have to know
///     GET /v1/metrics, /v2/metrics              JSON                      } with a token, if the
///     GET /metrics/prom, /v1/..., /v2/...       Prometheus text, as       } configuration says so
///     GET /metrics                              ... unless JSON is asked for
/// @threads the thread that runs the io_context
class Server {
 public:
  /// @param fleet    whose loops do not run yet; outlives the server, as `shared` does
  /// @param index    which of the program's loops this is, from 0
  Server(Fleet& fleet, Shared& shared, std::uint32_t index);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// To be called once all servers are made: who of them has which room.
  void join(const std::vector<std::unique_ptr<Server>>& servers);

  /// @param address   that of the options, or with the port that another server has got
  /// @return one sentence if that is not possible; empty if it listens
  [[nodiscard]] std::string listen(const std::string& address);

  [[nodiscard]] std::uint16_t port() const noexcept { return server_.port(); }

  /// "http://127.0.0.1:8080", with the port that it got; "https:" with TLS.
  [[nodiscard]] std::string url() const;

  /// The same as a browser on this machine can open it: a wildcard address becomes the loopback.
  [[nodiscard]] std::string page_url() const;

  [[nodiscard]] muster::relay::Service& relay() noexcept { return relay_; }
  [[nodiscard]] muster::signal::Service& signal() noexcept { return signal_; }
  [[nodiscard]] muster::signal::Matchbox& matchbox() noexcept { return matchbox_; }
  [[nodiscard]] Routes& routes() noexcept { return routes_; }

  /// What there is to tell of this loop.
  [[nodiscard]] Snapshot snapshot() const;

  /// Tells all members that the relay goes away; calls `done` when the last connection is gone.
  void drain(std::function<void()> done);

 private:
  void add_pages();
  void add_signal_pages();
  [[nodiscard]] bool may_read_metrics(const muster::Request& request, muster::Decision& decision,
                                      muster::time_point now);
  void show_metrics(muster::Decision decision);
  void show_metrics_json(const muster::Request& request, muster::Decision decision);
  void use(std::shared_ptr<const Content> content);
  void answer_later(muster::Decision decision,
                    std::function<void(muster::Decision, const Snapshot&)> answer);
  [[nodiscard]] std::string host() const;
  [[nodiscard]] std::string url_of(const std::string& host_name) const;

  Fleet* fleet_;
  Shared* shared_;
  std::uint32_t index_;
  muster::asio::Loop& loop_;
  muster::asio::SystemEntropy entropy_;
  muster::asio::HmacSha256 mac_;
  Journal journal_;
  AccountsAuthenticator authenticator_;
  muster::relay::Service relay_;
  muster::signal::Service signal_;
  muster::signal::Matchbox matchbox_;
  Routes routes_;
  muster::Router router_;
  muster::asio::WebSocketServer server_;
  examples::Gatherer<Snapshot> snapshots_;
  std::map<std::uint64_t, muster::Decision> asked_;  // those who wait for the other loops
  std::uint64_t next_asked_ = 1;
  std::shared_ptr<const Content> content_;
  muster::time_point started_;
  bool is_draining_ = false;
  std::shared_ptr<Server*> alive_;  // what a reload posts holds it weakly
};

}  // namespace relay_program
