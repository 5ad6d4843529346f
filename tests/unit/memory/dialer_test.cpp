// SPDX-License-Identifier: MIT
// Dialling in memory: who answers, what is asked, and what nobody answers.
#include <muster/error.hpp>
#include <muster/memory/dialer.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace memory = muster::memory;
using muster::Connection;
using muster::errc;
using namespace std::chrono_literals;

namespace {

class Server final : public muster::Service {
 public:
  void on_upgrade(const muster::Request& request, muster::Decision decision,
                  muster::time_point) override {
    path = request.path;
    query = request.query;
    host = request.header("host").value_or("");
    token = request.header("Token").value_or("");
    subprotocols = request.subprotocols.size();
    decision.accept(*this, chosen);
  }
  void on_open(Connection&, muster::time_point) override { ++opened; }
  void on_message(Connection&, const muster::Message&, muster::time_point) override {}

  std::string path, query, host, token;
  std::string chosen;
  std::size_t subprotocols = 0;
  int opened = 0;
};

class Client final : public muster::Service {
 public:
  void on_open(Connection& connection, muster::time_point now) override {
    opened_at = now;
    subprotocol = connection.subprotocol();
  }
  void on_message(Connection&, const muster::Message&, muster::time_point) override {}
  void on_close(Connection&, const muster::CloseInfo& info, muster::time_point now) override {
    closes.push_back(info.reason);
    text = info.text;
    code = info.code;
    closed_at = now;
  }

  std::optional<muster::time_point> opened_at, closed_at;
  std::vector<muster::CloseReason> closes;
  std::string text;
  std::string subprotocol;
  unsigned code = 0;
};

}  // namespace

TEST_CASE("memory dialer: the service hears path, query, headers and subprotocols",
          "[memory][dialer]") {
  memory::Network network;
  memory::Dialer dialer{network, {.latency = 20ms}};
  Server server;
  server.chosen = "b";
  Client client;
  CHECK_FALSE(dialer.listen("ws://relay.test:8080/ws", server));
  const auto start = network.now();
  const muster::ConnectionId id = dialer.dial({.url = "ws://RELAY.test:8080/ws?room=7",
                                               .subprotocols = {"a", "b"},
                                               .headers = {{"Token", "t"}}},
                                              client);
  CHECK(network.outbox().find(id) != nullptr);
  network.run_for(1s);
  REQUIRE(client.opened_at);
  CHECK(*client.opened_at - start == 40ms);
  CHECK(server.path == "/ws");
  CHECK(server.query == "room=7");
  CHECK(server.host == "relay.test:8080");
  CHECK(server.token == "t");
  CHECK(server.subprotocols == 2);
  CHECK(client.subprotocol == "b");
  CHECK(server.opened == 1);
  CHECK(dialer.dials() == 1);
}

TEST_CASE("memory dialer: where nobody listens the dial fails a latency later",
          "[memory][dialer]") {
  memory::Network network;
  memory::Dialer dialer{network, {.latency = 20ms}};
  Server server;
  CHECK_FALSE(dialer.listen("ws://relay.test/ws", server));
  for (const char* url : {"ws://relay.test/other", "wss://relay.test/ws", "ws://relay.test:81/ws",
                          "http://relay.test/ws", "nonsense"}) {
    CAPTURE(url);
    Client client;
    const auto start = network.now();
    dialer.dial({.url = url}, client);
    CHECK(client.closes.empty());
    network.run_for(1s);
    CHECK(client.closes == std::vector{muster::CloseReason::connect_failed});
    CHECK_FALSE(client.text.empty());
    CHECK(client.code == 0);
    CHECK(*client.closed_at - start == 20ms);
    CHECK_FALSE(client.opened_at);
  }
  CHECK(server.opened == 0);
  CHECK(dialer.listen("nonsense", server) == errc::bad_syntax);
}

TEST_CASE("memory dialer: dials can be refused, and an address given up", "[memory][dialer]") {
  memory::Network network;
  memory::Dialer dialer{network};
  Server server;
  CHECK_FALSE(dialer.listen("ws://relay.test/ws", server));
  dialer.refuse_next(2);
  Client client;
  for (int i = 0; i < 3; ++i) {
    dialer.dial({.url = "ws://relay.test/ws"}, client);
    network.run_for(1s);
  }
  CHECK(client.closes.size() == 2);
  CHECK(server.opened == 1);
  dialer.stop("ws://relay.test/ws");
  dialer.dial({.url = "ws://relay.test/ws"}, client);
  network.run_for(1s);
  CHECK(client.closes.size() == 3);
  CHECK(server.opened == 1);
}

TEST_CASE("memory dialer: a dial that is given up ends with its own reason", "[memory][dialer]") {
  memory::Network network;
  memory::Dialer dialer{network, {.latency = 20ms}};
  Client client;
  const muster::ConnectionId id = dialer.dial({.url = "ws://nowhere.test/"}, client);
  network.outbox().find(id)->close(muster::CloseReason::finished);
  network.run_for(1s);
  CHECK(client.closes == std::vector{muster::CloseReason::finished});
}
