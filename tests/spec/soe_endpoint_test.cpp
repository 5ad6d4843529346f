// SPDX-License-Identifier: MIT
// Connections over SOE: a hello, an answer, messages with their tags, a close.
#include <muster/memory/network.hpp>
#include <muster/soe/endpoint.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;

namespace {

using Strings = std::vector<std::string>;

/// Writes down what it hears; accepts who asks for "/room".
class Recorder : public Service {
 public:
  void on_upgrade(const Request& request, Decision decision, time_point) override {
    heard.push_back("upgrade " + std::string{request.path} + " " +
                    request.query_value("name").value_or("-") + " " +
                    std::string{request.header("Authorization").value_or("-")} + " from " +
                    request.remote.to_string());
    if (is_later) {
      pending.emplace(std::move(decision));
    } else if (request.path == "/room") {
      decision.accept(*this, request.subprotocols.empty() ? "" : request.subprotocols.back());
    } else {
      decision.respond({.status = 404, .body = as_bytes("no such room")});
    }
  }
  void on_open(Connection& connection, time_point) override {
    heard.push_back("open");
    connections.push_back(connection.id());
    if (group != nullptr) group->join(connection);
  }
  void on_message(Connection&, const Message& message, time_point) override {
    heard.push_back((message.kind == MessageKind::text ? "text " : "binary ") +
                    std::string{as_text(message.bytes)});
  }
  void on_close(Connection&, const CloseInfo& info, time_point) override {
    heard.push_back("close " + std::string{to_string(info.reason)} + " " +
                    std::to_string(info.code) + " " + std::string{info.text} +
                    (info.by_peer ? " by peer" : ""));
  }

  Strings take() { return std::exchange(heard, {}); }

  Strings heard;
  std::vector<ConnectionId> connections;
  std::optional<Decision> pending;
  bool is_later = false;
  Group* group = nullptr;
};

/// A server and a client, each with its endpoint, and both services on one outbox.
class World {
 public:
  explicit World(const soe::Config& config = with_protocol(soe::Config{}))
      : server(config, entropy, now),
        client(config, entropy, now),
        server_port(server, now),
        client_port(client, now),
        at_server({}, server_port, network.outbox(), &service),
        at_client({}, client_port, network.outbox(), nullptr) {}

  static soe::Config with_protocol(soe::Config config) {
    config.protocols = {"rooms"};
    return config;
  }

  ConnectionId connect(const std::string& target, const std::string& token = "",
                       const Strings& subprotocols = {}) {
    return at_client.connect(server_address, "rooms", {target, token, subprotocols}, player, now)
        .value();
  }

  /// Lets 20 ms pass, a millisecond at a time.
  void run(int steps = 20) {
    for (; steps != 0; --steps) {
      now += 1ms;
      server_port.set_time(now);
      client_port.set_time(now);
      turn(client, at_client);
      carry(client, client_address, server);
      turn(server, at_server);
      carry(server, server_address, client);
    }
  }

  Connection& player_end(ConnectionId id) { return *network.outbox().find(id); }

  SeededEntropy entropy{7};
  memory::Network network;
  time_point now = network.now();
  Address server_address = Address::v4(0x7f000001, 2000);
  Address client_address = Address::v4(0x7f000001, 3000);
  Recorder service;
  Recorder player;
  SoeMultiplexer<> server;
  SoeMultiplexer<> client;
  soe::MultiplexerPort server_port;
  soe::MultiplexerPort client_port;
  soe::Endpoint at_server;
  soe::Endpoint at_client;

 private:
  void turn(SoeMultiplexer<>& mux, soe::Endpoint& endpoint) {
    for (soe::Event event; mux.poll_event(event);) {
      endpoint.handle(event, *mux.remote(event.session), now);
    }
    endpoint.advance(now);
    network.outbox().run(now);
    mux.advance(now);
  }
  void carry(SoeMultiplexer<>& from, const Address& sender, SoeMultiplexer<>& to) {
    std::vector<std::vector<std::byte>>& bytes = &to == &server ? to_server_ : to_client_;
    bytes.clear();
    for (SoeMultiplexer<>::Transmit transmit; from.poll_transmit(transmit);) {
      for (const byte_view datagram : transmit.datagrams) {
        bytes.emplace_back(datagram.begin(), datagram.end());
      }
    }
    std::vector<SoeMultiplexer<>::Datagram> datagrams;
    for (auto& each : bytes) datagrams.push_back({sender, each, 0});
    to.receive(datagrams, now);
  }

  std::vector<std::vector<std::byte>> to_server_;
  std::vector<std::vector<std::byte>> to_client_;
};

}  // namespace

TEST_CASE("SOE endpoint: a hello becomes a request", "[soe]") {
  World world;
  world.connect("/room?name=ada", "secret", {"v1", "v2"});
  world.run();
  CHECK(world.service.take() ==
        Strings{"upgrade /room ada Bearer secret from 127.0.0.1:3000", "open"});
  CHECK(world.player.take() == Strings{"open"});
}

TEST_CASE("SOE endpoint: messages keep their kind and order", "[soe]") {
  World world;
  const ConnectionId id = world.connect("/room");
  world.run();
  world.service.take();
  world.player.take();
  Connection& player = world.player_end(id);
  Connection& member = *world.network.outbox().find(world.service.connections.front());
  player.send({as_bytes("one"), MessageKind::text});
  player.send({as_bytes("two"), MessageKind::binary});
  player.send({as_bytes(""), MessageKind::binary});
  member.send({as_bytes("three"), MessageKind::text});
  world.run();
  CHECK(world.service.take() == Strings{"text one", "binary two", "binary "});
  CHECK(world.player.take() == Strings{"text three"});
  player.send({as_bytes("fleeting")}, Delivery::volatile_);
  world.run();
  CHECK(world.service.take() == Strings{"binary fleeting"});
  // It went by the unreliable channel: no packet more was sent reliably.
  CHECK(world.client.stats(world.client.find(world.server_address)).packets_sent == 4);
}

TEST_CASE("SOE endpoint: a refusal tells status and reason", "[soe]") {
  World world;
  world.connect("/elsewhere");
  world.run();
  CHECK(world.player.take() == Strings{"close refused 404 no such room by peer"});
  CHECK(world.at_server.connection_count() == 0);
  CHECK(world.at_client.connection_count() == 0);
  world.run();
  CHECK(world.server.session_count() == 0);
}

TEST_CASE("SOE endpoint: an answer may come later, or too late", "[soe]") {
  World world;
  world.service.is_later = true;
  world.connect("/room");
  world.run();
  REQUIRE(world.service.pending);
  CHECK(world.player.take().empty());
  SECTION("later") {
    CHECK(world.service.pending->accept(world.service));
    world.run();
    CHECK(world.player.take() == Strings{"open"});
  }
  SECTION("too late") {
    world.run(5100);
    CHECK(world.player.take() == Strings{"close timed_out 0  by peer"});
    CHECK_FALSE(world.service.pending->accept(world.service));
    CHECK(world.at_server.connection_count() == 0);
  }
}

TEST_CASE("SOE endpoint: a close tells its code, after everything that was sent", "[soe]") {
  World world;
  const ConnectionId id = world.connect("/room");
  world.run();
  world.service.take();
  world.player.take();
  Connection& member = *world.network.outbox().find(world.service.connections.front());
  SECTION("the server closes") {
    member.send({as_bytes("last"), MessageKind::text});
    member.close(CloseReason::kicked, 4001, "go away");
    world.run();
    CHECK(world.player.take() == Strings{"text last", "close finished 4001 go away by peer"});
    CHECK(world.service.take() == Strings{"close kicked 4001 go away"});
  }
  SECTION("the client closes") {
    world.player_end(id).send({as_bytes("last"), MessageKind::text});
    world.player_end(id).close(CloseReason::finished, 1000, "bye");
    world.run();
    CHECK(world.service.take() == Strings{"text last", "close finished 1000 bye by peer"});
    CHECK(world.player.take() == Strings{"close finished 1000 bye"});
  }
  world.run();
  CHECK(world.server.session_count() == 0);
  CHECK(world.client.session_count() == 0);
}

TEST_CASE("SOE endpoint: what is no hello, or no message, ends the connection", "[soe]") {
  World world;
  SECTION("no hello") {
    const auto session = world.client.connect(world.server_address, "rooms", world.now).value();
    world.run();
    world.client.enqueue(session, as_bytes("hello?"));
    world.run();
    CHECK(world.service.take().empty());
    CHECK(world.server.session_count() == 0);
  }
  SECTION("nothing at all") {
    (void)world.client.connect(world.server_address, "rooms", world.now).value();
    world.run();
    const auto session = world.client.find(world.server_address);
    world.client.enqueue(session, as_bytes("x"), soe::Channel::reliable1);
    world.run();
    CHECK(world.server.session_count() == 1);
    world.run(5100);
    CHECK(world.server.session_count() == 0);
  }
  SECTION("an unknown tag") {
    world.connect("/room");
    world.run();
    world.client.enqueue(world.client.find(world.server_address), as_bytes("\x07what"));
    world.run();
    CHECK(world.service.take().back() == "close protocol_error 1002 ");
  }
  SECTION("text that is none") {
    world.connect("/room");
    world.run();
    world.client.enqueue(world.client.find(world.server_address), as_bytes("\x01\xff\xfe"));
    world.run();
    CHECK(world.service.take().back() == "close protocol_error 1007 ");
  }
  SECTION("a message above the limit") {
    world.connect("/room");
    world.run();
    world.network.outbox().find(world.service.connections.front())->limit_receive(4);
    world.client.enqueue(world.client.find(world.server_address), as_bytes("\x02"
                                                                           "12345"));
    world.run();
    CHECK(world.service.take().back() == "close too_large 1009 ");
  }
}

TEST_CASE("SOE endpoint: a lost peer is a lost connection", "[soe]") {
  World world;
  world.connect("/room");
  world.run();
  world.service.take();
  world.server.terminate(world.server.find(world.client_address), soe::DisconnectReason::timeout,
                         world.now);
  world.run();
  CHECK(world.service.take() == Strings{"close timed_out 0 "});
}

TEST_CASE("SOE endpoint: a group has members of both transports", "[soe]") {
  World world{World::with_protocol(soe::Config::for_own_ends())};
  Group group{world.network.outbox()};
  world.service.group = &group;
  world.connect("/room");
  Recorder browser;
  world.network.connect(browser, world.service, {.path = "/room"});
  world.network.run_until_quiet();
  world.run();
  CHECK(browser.take() == Strings{"open"});
  CHECK(world.player.take() == Strings{"open"});
  group.broadcast({as_bytes("to all"), MessageKind::text});
  world.run();
  world.network.run_until_quiet();
  CHECK(browser.take() == Strings{"text to all"});
  CHECK(world.player.take() == Strings{"text to all"});
}

TEST_CASE("SOE endpoint: more than the budget waits, and arrives", "[soe]") {
  auto config = World::with_protocol(soe::Config{});
  config.send_budget = 64 * 1024;
  World world{config};
  const ConnectionId id = world.connect("/room");
  world.run();
  world.service.take();
  Strings wanted;
  for (int i = 0; i < 1000; ++i) {
    const std::string text = std::to_string(i) + std::string(200, '.');
    CHECK(world.player_end(id).send({as_bytes(text), MessageKind::text}) == SendStatus::queued);
    wanted.push_back("text " + text);
  }
  world.run(200);
  CHECK(world.service.take() == wanted);
}
