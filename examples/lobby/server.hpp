// SPDX-License-Identifier: MIT
// What muster-lobby consists of: a listener, the lobby, the gateway, matches, and a few pages.
#pragma once

#include "accounts.hpp"
#include "api.hpp"
#include "dispatcher.hpp"
#include "faults.hpp"
#include "gateway.hpp"
#include "lobby.hpp"
#include "matches.hpp"
#include "options.hpp"
#include "result_store.hpp"
#include "wall_clock.hpp"

#include <muster/address_limits.hpp>
#include <muster/asio/hmac_sha256.hpp>
#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_server.hpp>
#include <muster/router.hpp>
#include <muster/service.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lobby_program {

/// Everything that answers on the program's port.
///
///     GET /             the page
///     GET /healthz      200, or 503 while it drains
///     GET /metrics      for Prometheus
///         the paths of the lobby, the gateway and the API, see there
///
/// @threads the thread that runs the io_context
class Server final : private muster::Service {
 public:
  Server(const Options& options, muster::asio::Loop& loop);
  ~Server() override;

  /// Reads and makes accounts, opens the results, and listens.
  /// @return one sentence if that is not possible; empty if it listens
  [[nodiscard]] std::string start();

  /// Reads the accounts again. A token that is gone is revoked at once.
  /// @return   one sentence if the file is wrong; then nothing changes
  [[nodiscard]] std::string reload();

  /// "http://127.0.0.1:8001", with the port that it got.
  [[nodiscard]] std::string url() const { return url_of(host()); }

  /// The same as a browser on this machine can open it: a wildcard address becomes the loopback.
  [[nodiscard]] std::string page_url() const;

  /// Demo bots and their tokens, `BOT_ID TOKEN NAME` on a line; empty once they are in a file.
  [[nodiscard]] const std::string& tokens() const noexcept { return tokens_; }

  /// Called once when the tournament is over.
  void when_over(std::function<void()> call) { on_over_ = std::move(call); }
  [[nodiscard]] const TournamentRun* tournament() const noexcept {
    return dispatcher_.tournament();
  }

  /// Gives up what runs, tells all, and calls `done` when the last connection is gone.
  void drain(std::function<void()> done);

 private:
  void on_upgrade(const muster::Request& request, muster::Decision decision,
                  muster::time_point now) override;
  void on_request(const muster::Request& request, muster::Decision decision,
                  muster::time_point now) override {
    router_.on_request(request, std::move(decision), now);
  }
  // Connections belong to the service that accepted them.
  void on_message(muster::Connection&, const muster::Message&, muster::time_point) override {}
  void on_drain(muster::time_point now) override;
  void advance(muster::time_point now) override;
  [[nodiscard]] muster::time_point next_deadline() const noexcept override;

  [[nodiscard]] std::unique_ptr<Wire> make_wire();
  void add_pages();
  [[nodiscard]] std::string make_accounts();
  [[nodiscard]] std::string metrics() const;
  [[nodiscard]] std::string host() const;
  [[nodiscard]] std::string url_of(const std::string& host_name) const;

  Options options_;
  muster::asio::Loop& loop_;
  muster::asio::SystemEntropy entropy_;
  muster::asio::HmacSha256 mac_;
  WallClock clock_;
  Accounts accounts_;
  muster::AddressLimits connects_;
  Faults* faults_ = nullptr;  // the wire, if it has any
  std::unique_ptr<Wire> wire_;
  Lobby lobby_;
  Matches matches_;
  Dispatcher dispatcher_;
  Gateway gateway_;
  Api api_;
  ResultStore store_;
  std::string tokens_;
  std::function<void()> on_over_;
  muster::Router router_;
  muster::asio::WebSocketServer server_;
  muster::time_point started_;
  bool is_draining_ = false;
};

}  // namespace lobby_program
