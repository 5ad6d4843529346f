// SPDX-License-Identifier: MIT
// Passes, flushes, deadlines and lifetimes of a loop.
#include "support/socket_world.hpp"

#include <muster/group.hpp>

#include <asio/post.hpp>

#include <optional>
#include <stdexcept>
#include <thread>

using namespace muster;
using namespace std::chrono_literals;
using test::each_backend;
using test::LoopWorld;
using test::RawClient;
using test::ServerWorld;
using test::SocketService;

TEST_CASE("socket loop: what a timer or a post sends leaves without any input", "[loop]") {
  ServerWorld world{each_backend()};
  RawClient& client = world.open();
  world.settle();
  const auto writes = world.loop.outbox().stats().writes;
  ::asio::steady_timer timer{world.context, 5ms};
  timer.async_wait([&](const std::error_code&) {
    for (int i = 0; i < 10; ++i) world.last().send(Message{as_bytes("tick")});
  });
  REQUIRE(world.run_until([&] { return client.messages().size() == 10; }));
  CHECK(world.loop.outbox().stats().writes == writes + 1);
  ::asio::post(world.context, [&] { world.last().send(Message{as_bytes("post")}); });
  REQUIRE(world.run_until([&] { return client.messages().size() == 11; }));
  CHECK(world.loop.outbox().stats().writes == writes + 2);
}

TEST_CASE("socket loop: many messages of one pass are answered with one write", "[loop]") {
  ServerWorld world{each_backend()};
  RawClient& client = world.open();
  world.settle();
  const auto writes = world.loop.outbox().stats().writes;
  std::string all;
  for (int i = 0; i < 100; ++i) all += RawClient::frame("x");
  client.send(all);
  REQUIRE(world.run_until([&] { return client.messages().size() == 100; }));
  CHECK(world.loop.outbox().stats().writes == writes + 1);
}

TEST_CASE("socket loop: a service's deadline is honoured, also one that moved earlier", "[loop]") {
  ServerWorld world{each_backend()};
  world.service.deadline = std::chrono::steady_clock::now() + 20ms;
  world.loop.wake();
  REQUIRE(world.run_until([&] { return world.service.advances == 1; }));
  // Far away, then near.
  world.service.deadline = std::chrono::steady_clock::now() + 1h;
  world.loop.wake();
  world.settle();
  RawClient& client = world.open();
  world.service.when_message = [&](Connection&, const Message&) {
    world.service.deadline = std::chrono::steady_clock::now() + 20ms;
  };
  client.send(RawClient::frame("sooner"));
  time_point advanced_at{};
  world.service.when_advance = [&](time_point now) { advanced_at = now; };
  REQUIRE(world.run_until([&] { return world.service.advances == 2; }));
  world.service.deadline = std::chrono::steady_clock::now() + 20ms;
  const time_point due = world.service.deadline;
  world.loop.wake();
  REQUIRE(world.run_until([&] { return world.service.advances == 3; }));
  CHECK(advanced_at >= due);
}

TEST_CASE("socket loop: flush windows open by time alone", "[loop]") {
  ServerWorld world{each_backend()};
  const bool tick = GENERATE(true, false);
  Group group{world.loop.outbox(), tick ? FlushWindow::tick(30ms) : FlushWindow::lead(30ms)};
  world.service.when_open = [&](Connection& connection, time_point) { group.join(connection); };
  RawClient& client = world.open();
  world.settle();
  const auto writes = world.loop.outbox().stats().writes;
  std::size_t sent = 0;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 5; ++i) {
      group.broadcast(Message{as_bytes("x")});
      ++sent;
      world.settle();
    }
    REQUIRE(world.run_until([&] { return client.messages().size() == sent; }));
  }
  // A lead sends the first at once, and what follows by the window.
  CHECK(world.loop.outbox().stats().writes <= writes + sent);
  world.server.reset();
}

TEST_CASE("socket loop: services share a loop, and one service several servers", "[loop]") {
  ServerWorld world{each_backend()};
  SocketService other;
  muster::asio::WebSocketServer second{world.loop, {}, world.entropy, other};
  REQUIRE(!second.listen("127.0.0.1:0"));
  auto third = std::make_unique<muster::asio::WebSocketServer>(world.loop, ServerWorld::Config{},
                                                               world.entropy, world.service);
  REQUIRE(!third->listen("[::1]:0"));
  world.open();
  RawClient client{second.port()};
  client.send(RawClient::upgrade_request());
  world.clients.push_back(&client);
  REQUIRE(world.run_until([&] { return other.opens == 1; }));
  // The service of the server that goes has another one left.
  third.reset();
  world.service.deadline = std::chrono::steady_clock::now() + 10ms;
  world.loop.wake();
  REQUIRE(world.run_until([&] { return world.service.advances == 1; }));
}

TEST_CASE("socket loop: two loops on two threads have nothing in common", "[loop][threads]") {
  const auto backend = each_backend();
  const auto run = [backend](int& answered) {
    ::asio::io_context context{1};
    SeededEntropy entropy{1};
    muster::asio::Loop loop{context, LoopWorld::with({}, backend)};
    SocketService service;
    muster::asio::WebSocketServer server{loop, {}, entropy, service};
    if (server.listen("127.0.0.1:0")) return;
    SocketService peer;
    peer.when_open = [](Connection& connection, time_point) {
      connection.send(Message{as_bytes("0")});
    };
    peer.when_message = [&](Connection& connection, const Message& message) {
      if (++answered == 200) {
        connection.close(CloseReason::finished);
      } else {
        connection.send(message);
      }
    };
    peer.when_close = [&](Connection&, time_point) { context.stop(); };
    muster::asio::WebSocketClient client{loop, {}, entropy};
    client.dial({.url = "ws://127.0.0.1:" + std::to_string(server.port())}, peer);
    context.run_for(test::patience);
  };
  int first = 0;
  int second = 0;
  std::thread thread{run, std::ref(first)};
  run(second);
  thread.join();
  CHECK(first == 200);
  CHECK(second == 200);
}

TEST_CASE("socket loop: an io_context that was stopped runs again", "[loop]") {
  ServerWorld world{each_backend()};
  RawClient& client = world.open();
  for (int i = 1; i <= 3; ++i) {
    client.send(RawClient::frame("x"));
    ::asio::post(world.context, [&] { world.context.stop(); });
    world.context.restart();
    world.context.run();
    REQUIRE(world.run_until([&] { return client.messages().size() == std::size_t(i); }));
  }
}

TEST_CASE("socket loop: what a service throws leaves run, and the loop goes on", "[loop]") {
  ServerWorld world{each_backend()};
  RawClient& bad = world.open();
  std::vector<RawClient*> good;
  for (int i = 0; i < 5; ++i) good.push_back(&world.open());
  world.service.when_message = [](Connection& connection, const Message& message) {
    if (as_text(message.bytes) == "throw") throw std::runtime_error{"a service's mistake"};
    connection.send(message);
  };
  for (RawClient* const client : good) client->send(RawClient::frame("x"));
  bad.send(RawClient::frame("throw"));
  int thrown = 0;
  for (int i = 0; i < 1000 && thrown == 0; ++i) {
    try {
      world.context.restart();
      world.context.run_one_for(10ms);
    } catch (const std::runtime_error&) {
      ++thrown;
    }
  }
  REQUIRE(thrown == 1);
  REQUIRE(world.run_until([&] {
    for (const RawClient* const client : good) {
      if (client->messages().size() != 1) return false;
    }
    return bad.is_at_end();
  }));
  CHECK(world.service.closes == 1);
  CHECK(world.service.reason == CloseReason::internal_error);
}

TEST_CASE("socket loop: a server that goes tells its services once", "[lifetime]") {
  ServerWorld world{each_backend()};
  for (int i = 0; i < 10; ++i) world.open();
  RawClient& half_way = world.connect();
  half_way.send("GET / HT");
  world.settle();
  world.last().send(Message{as_bytes("queued")});
  world.service.when_close = [&](Connection&, time_point) {
    // Whoever is told may still talk to others: they are gone too.
    if (Connection* const other = world.loop.outbox().find(world.service.last)) {
      other->send(Message{as_bytes("x")});
      other->close(CloseReason::finished);
    }
  };
  world.server.reset();
  CHECK(world.service.closes == 10);
  CHECK(world.service.each_closed_once());
  CHECK(world.loop.outbox().connection_count() == 0);
  world.settle();
  CHECK(world.service.closes == 10);
}

TEST_CASE("socket loop: handlers outlive a loop and its servers", "[lifetime]") {
  const auto backend = each_backend();
  ::asio::io_context context{1};
  SeededEntropy entropy{1};
  for (int i = 0; i < 3; ++i) {
    SocketService service;
    {
      muster::asio::Loop loop{context, LoopWorld::with({}, backend)};
      CHECK(loop.backend() == backend);
      muster::asio::WebSocketServer server{loop, {}, entropy, service};
      REQUIRE(!server.listen("127.0.0.1:0"));
      muster::asio::WebSocketClient client{loop, {}, entropy};
      client.dial({.url = "ws://127.0.0.1:" + std::to_string(server.port())}, service);
      RawClient raw{server.port()};
      raw.send(RawClient::upgrade_request() + RawClient::frame("x"));
      for (int step = 0; step <= i * 3; ++step) context.run_one_for(100ms);
      loop.wake();
    }
    CHECK(service.each_closed_once());
  }
  context.restart();
  context.poll();
}

TEST_CASE("socket loop: a context that never ran", "[lifetime]") {
  const auto backend = each_backend();
  SeededEntropy entropy{1};
  SocketService service;
  ::asio::io_context context{1};
  muster::asio::Loop loop{context, LoopWorld::with({}, backend)};
  muster::asio::WebSocketServer server{loop, {}, entropy, service};
  REQUIRE(!server.listen("127.0.0.1:0"));
  muster::asio::WebSocketClient client{loop, {}, entropy};
  client.dial({.url = "ws://127.0.0.1:1"}, service);
}

TEST_CASE("socket loop: listening where it is not possible says why", "[loop]") {
  ServerWorld world{each_backend()};
  SocketService other;
  muster::asio::WebSocketServer second{world.loop, {}, world.entropy, other};
  CHECK(second.listen("nonsense") == errc::bad_value);
  CHECK(second.listen("127.0.0.1:70000") == errc::bad_value);
  CHECK(second.listen("localhost:0") == errc::bad_value);
  CHECK(second.listen("127.0.0.1:" + std::to_string(world.port())) == std::errc::address_in_use);
  CHECK(second.port() == 0);
  REQUIRE(!second.listen("127.0.0.1:0"));
  const auto first_port = second.port();
  REQUIRE(!second.listen("127.0.0.1:0"));
  CHECK(second.port() != first_port);
}

TEST_CASE("socket drain: it is done when the last one has left", "[drain]") {
  ServerWorld world{each_backend()};
  RawClient& client = world.open();
  const auto port = world.port();
  bool done = false;
  world.server->drain(1h, [&] { done = true; });
  CHECK(world.service.drains == 1);
  world.settle();
  CHECK_FALSE(done);
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  CHECK(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0);
  ::close(fd);
  client.send(RawClient::frame("still served"));
  REQUIRE(world.run_until([&] { return client.messages().size() == 1; }));
  client.send(RawClient::close_frame());
  REQUIRE(world.run_until([&] { return done; }));
}

TEST_CASE("socket drain: nobody there, no limit to wait for", "[drain]") {
  ServerWorld world{each_backend()};
  bool done = false;
  world.server->drain(duration::max(), [&] {
    done = true;
    world.server.reset();  // the owner may
  });
  REQUIRE(world.run_until([&] { return done; }));
  CHECK(world.server == nullptr);
}

TEST_CASE("socket drain: who does not go is closed with 1001", "[drain]") {
  ServerWorld::Config config;
  config.close_timeout = 50ms;
  ServerWorld world{each_backend(), config};
  RawClient& polite = world.open();
  RawClient& stubborn = world.open();
  RawClient& silent = world.connect();
  world.settle();
  bool done = false;
  world.server->drain(50ms, [&] { done = true; });
  bool answered = false;
  REQUIRE(world.run_until([&] {
    if (!answered && polite.close_code() != 0) {
      answered = true;
      polite.send(RawClient::close_frame(1001));
    }
    return done;
  }));
  REQUIRE(world.run_until(
      [&] { return polite.is_at_end() && stubborn.is_at_end() && silent.is_at_end(); }));
  CHECK(polite.close_code() == 1001);
  CHECK(stubborn.close_code() == 1001);
  CHECK(world.service.closes == 2);
  CHECK(world.service.each_closed_once());
  CHECK(world.service.reason == CloseReason::draining);
}
