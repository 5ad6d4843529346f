// SPDX-License-Identifier: MIT
// What one loop of muster-shard consists of: a listener, its shards, and a few pages.
#pragma once

#include "../gatherer.hpp"
#include "account_file.hpp"
#include "fleet.hpp"
#include "metrics.hpp"
#include "options.hpp"

#include <muster/asio/hmac_sha256.hpp>
#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_server.hpp>
#include <muster/router.hpp>
#include <muster/service.hpp>
#include <muster/shard/authenticator.hpp>
#include <muster/shard/registry.hpp>
#include <muster/shard/service.hpp>
#include <muster/shard/tick_times.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace shard_program {

/// Says who somebody is, by a file of tokens.
class Accounts final : public muster::shard::Authenticator {
 public:
  /// @param admin   the user who is an administrator; empty: nobody
  explicit Accounts(std::string admin) : admin_(std::move(admin)) {}

  /// @param problem   on failure, a sentence with file and line
  [[nodiscard]] bool load(const std::string& file, std::string& problem) {
    return accounts_.load(file, problem);
  }

  void authenticate(std::string_view token, const muster::Request& request,
                    muster::shard::Authentication authentication, muster::time_point now) override;

 private:
  std::string admin_;
  relay_program::Accounts accounts_;
  muster::asio::HmacSha256 mac_;
};

/// The clock that loops read too.
class SteadyStopwatch final : public muster::shard::Stopwatch {
 public:
  [[nodiscard]] muster::time_point read() noexcept override {
    return std::chrono::steady_clock::now();
  }
};

/// Everything that answers on the program's port, on one loop. The shards of others are reached
/// too.
///
///     GET /             the page; every upgrade goes to the shards, whatever its path
///     GET /shards       what the page offers to join
///     GET /healthz      200, or 503 while it drains
///     GET /metrics      for Prometheus
///         /api/...      of the shards (docs/protocol/shard.md)
///
/// @threads the thread that runs the io_context
class Server final : private muster::Service {
 public:
  /// @param fleet   whose loops do not run yet; outlives the server
  /// @param index   which of them this one's is, from 0
  Server(const Options& options, Fleet& fleet, std::uint32_t index);
  ~Server() override = default;

  /// To be called once all servers are made: who of them has which shard.
  void join(const std::vector<muster::shard::Service*>& services);

  /// Makes the shards of this loop, and listens.
  /// @param address   that of the options, or with the port that another server has got
  /// @return one sentence if that is not possible; empty if it listens
  [[nodiscard]] std::string start(const std::string& address);

  [[nodiscard]] std::uint16_t port() const noexcept { return server_.port(); }
  [[nodiscard]] muster::shard::Service& service() noexcept { return service_; }

  /// What there is to tell of this loop.
  [[nodiscard]] Snapshot snapshot() const;

  /// "http://127.0.0.1:4324", with the port that it got.
  [[nodiscard]] std::string url() const { return url_of(host()); }

  /// The same as a browser on this machine can open it: a wildcard address becomes the loopback.
  [[nodiscard]] std::string page_url() const;

  /// Tells all subscribers that the program goes away; calls `done` when the last connection is
  /// gone.
  void drain(std::function<void()> done);

 private:
  void on_upgrade(const muster::Request& request, muster::Decision decision,
                  muster::time_point now) override {
    service_.on_upgrade(request, std::move(decision), now);
  }
  void on_request(const muster::Request& request, muster::Decision decision,
                  muster::time_point now) override;
  // Connections belong to the service that accepted them.
  void on_message(muster::Connection&, const muster::Message&, muster::time_point) override {}
  void on_drain(muster::time_point now) override;
  void advance(muster::time_point now) override { service_.advance(now); }
  [[nodiscard]] muster::time_point next_deadline() const noexcept override {
    return service_.next_deadline();
  }

  void add_pages();
  void show_metrics(muster::Decision decision);
  void answer_later(muster::Decision decision,
                    std::function<void(muster::Decision, const Snapshot&)> answer);
  [[nodiscard]] std::string make_shards();
  [[nodiscard]] std::string host() const;
  [[nodiscard]] std::string url_of(const std::string& host_name) const;

  Options options_;
  Fleet& fleet_;
  std::uint32_t index_;
  muster::asio::Loop& loop_;
  muster::asio::SystemEntropy entropy_;
  Accounts accounts_;
  SteadyStopwatch stopwatch_;
  muster::shard::Registry registry_;
  muster::shard::Service service_;
  muster::Router router_;
  muster::asio::WebSocketServer server_;
  examples::Gatherer<Snapshot> snapshots_;
  std::map<std::uint64_t, muster::Decision> asked_;  // those who wait for the other loops
  std::uint64_t next_asked_ = 1;
  muster::time_point started_;
  bool is_draining_ = false;
};

}  // namespace shard_program
