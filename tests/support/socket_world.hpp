// SPDX-License-Identifier: MIT
// A loop on real sockets that a test drives by hand, and a service that notes what it hears.
#pragma once

#include "support/catch.hpp"
#include "support/raw_client.hpp"

#include <muster/asio/loop.hpp>
#include <muster/asio/websocket_client.hpp>
#include <muster/asio/websocket_server.hpp>

#include <asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace test {

using muster::asio::Backend;

/// How long to wait for what must happen; only a failure takes that long.
inline constexpr std::chrono::seconds patience{30};

/// A test case runs once for each.
inline Backend each_backend() {
  const Backend backend = GENERATE(Backend::epoll, Backend::portable);
  UNSCOPED_INFO((backend == Backend::epoll ? "backend epoll" : "backend portable"));
  return backend;
}

/// Echoes, and notes what it hears.
class SocketService : public muster::Service {
 public:
  void on_upgrade(const muster::Request& request, muster::Decision decision,
                  muster::time_point) override {
    path = request.path;
    decision.accept(*this);
  }
  void on_open(muster::Connection& connection, muster::time_point now) override {
    ++opens;
    last = connection.id();
    if (when_open) when_open(connection, now);
  }
  void on_message(muster::Connection& connection, const muster::Message& message,
                  muster::time_point) override {
    if (!connection.is_open()) return;
    ++messages;
    bytes += message.bytes.size();
    if (keeps) kept.emplace_back(muster::as_text(message.bytes));
    if (when_message) {
      when_message(connection, message);
    } else if (echoes) {
      connection.send(message);
    }
  }
  void on_close(muster::Connection& connection, const muster::CloseInfo& info,
                muster::time_point now) override {
    ++closes;
    reason = info.reason;
    by_peer = info.by_peer;
    code = info.code;
    text = info.text;
    const auto id = connection.id();
    ++closes_of[std::uint64_t{id.generation} << 32U | id.index];
    if (when_close) when_close(connection, now);
  }
  void on_drain(muster::time_point) override { ++drains; }
  void advance(muster::time_point now) override {
    deadline = muster::no_deadline;
    ++advances;
    if (when_advance) when_advance(now);
  }
  [[nodiscard]] muster::time_point next_deadline() const noexcept override { return deadline; }

  /// Nobody heard `on_close` twice.
  [[nodiscard]] bool each_closed_once() const {
    for (const auto& [id, count] : closes_of) {
      if (count != 1) return false;
    }
    return static_cast<int>(closes_of.size()) == closes;
  }

  std::function<void(muster::Connection&, muster::time_point)> when_open;
  std::function<void(muster::Connection&, const muster::Message&)> when_message;
  std::function<void(muster::Connection&, muster::time_point)> when_close;
  std::function<void(muster::time_point)> when_advance;
  bool echoes = true;
  bool keeps = false;
  std::vector<std::string> kept;
  std::string path;  ///< of the last upgrade
  muster::time_point deadline = muster::no_deadline;
  muster::ConnectionId last;
  int opens = 0;
  int closes = 0;
  int drains = 0;
  int advances = 0;
  std::size_t messages = 0;
  std::size_t bytes = 0;
  std::map<std::uint64_t, int> closes_of;
  muster::CloseReason reason = muster::CloseReason::none;
  bool by_peer = false;
  std::uint16_t code = 0;
  std::string text;
};

/// A loop, and what drives it.
struct LoopWorld {
  explicit LoopWorld(Backend backend, muster::asio::Loop::Config config = {})
      : loop(context, with(config, backend)) {}

  static muster::asio::Loop::Config with(muster::asio::Loop::Config config, Backend backend) {
    config.backend = backend;
    return config;
  }

  /// Runs the loop and the clients until it is true. False: it did not become true.
  template <class Done>
  bool run_until(Done done) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (true) {
      context.restart();
      context.poll();
      for (RawClient* const client : clients) client->step();
      if (done()) return true;
      if (std::chrono::steady_clock::now() > deadline) return false;
      context.restart();
      context.run_one_for(std::chrono::milliseconds{1});
    }
  }

  /// Runs whatever is ready, a few times.
  void settle() {
    for (int i = 0; i < 20; ++i) {
      context.restart();
      context.poll();
      for (RawClient* const client : clients) client->step();
    }
  }

  /// How many handlers run within a while in which nothing happens: few, or the loop spins.
  std::size_t handlers_while_idle() {
    context.restart();
    return context.run_for(std::chrono::milliseconds{60});
  }

  asio::io_context context{1};
  muster::SeededEntropy entropy{7};
  muster::asio::Loop loop;
  std::vector<RawClient*> clients;  ///< stepped while the loop runs
};

/// And a server on it.
struct ServerWorld : LoopWorld {
  using Config = muster::asio::WebSocketServer::Config;

  explicit ServerWorld(Backend backend, const Config& config = {},
                       muster::asio::Loop::Config loop_config = {})
      : LoopWorld(backend, loop_config) {
    std::string problem;
    const std::error_code invalid = muster::websocket::validate(config, problem);
    INFO(problem);
    REQUIRE(!invalid);
    server = std::make_unique<muster::asio::WebSocketServer>(loop, config, entropy, service);
    REQUIRE(!server->listen("127.0.0.1:0"));
    REQUIRE(server->port() != 0);
  }

  [[nodiscard]] std::uint16_t port() const { return server->port(); }

  /// A client whose upgrade was accepted.
  RawClient& open(int receive_buffer = 0) {
    RawClient& client = connect(receive_buffer);
    client.send(RawClient::upgrade_request());
    REQUIRE(run_until([&] { return client.is_upgraded(); }));
    return client;
  }
  RawClient& connect(int receive_buffer = 0) {
    RawClient& client = *owned.emplace_back(std::make_unique<RawClient>(port(), receive_buffer));
    clients.push_back(&client);
    return client;
  }

  [[nodiscard]] muster::Connection& last() {
    muster::Connection* const connection = loop.outbox().find(service.last);
    REQUIRE(connection != nullptr);
    return *connection;
  }

  SocketService service;
  std::unique_ptr<muster::asio::WebSocketServer> server;
  std::vector<std::unique_ptr<RawClient>> owned;
};

}  // namespace test
