// SPDX-License-Identifier: MIT
// Server-sent events over sockets: readers that keep up, that are slow, and that leave.
#include "support/socket_world.hpp"

#include <muster/group.hpp>
#include <muster/router.hpp>

#include <string>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;
using test::each_backend;
using test::RawClient;

namespace {

const std::string stream_request = "GET /events HTTP/1.1\r\nHost: x\r\n\r\n";

Message event(std::string_view text) { return {as_bytes(text), MessageKind::text}; }

std::string tick(int n, std::size_t size = 1000) {
  return "id: " + std::to_string(n) + "\ndata: " + std::string(size, 'd') + "\n\n";
}

struct StreamWorld : test::LoopWorld {
  explicit StreamWorld(test::Backend backend,
                       const muster::asio::WebSocketServer::Config& config = {},
                       const muster::asio::Loop::Config& loop_config = {})
      : LoopWorld(backend, loop_config),
        server(std::make_unique<muster::asio::WebSocketServer>(loop, config, entropy, router)) {
    router.route("/ws", service)
        .get("/events", [this](const Request&, Decision decision, time_point) {
          decision.accept_stream(service);
        });
    REQUIRE(!server->listen("127.0.0.1:0"));
  }

  // A reader whose stream is open.
  RawClient& open(int receive_buffer = 0) {
    RawClient& client =
        *owned.emplace_back(std::make_unique<RawClient>(server->port(), receive_buffer));
    clients.push_back(&client);
    client.send(stream_request);
    REQUIRE(run_until([&] { return !client.head().empty(); }));
    CHECK(client.head() ==
          "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
          "Connection: close\r\n\r\n");
    return client;
  }
  Connection& last() {
    Connection* const connection = loop.outbox().find(service.last);
    REQUIRE(connection != nullptr);
    return *connection;
  }

  test::SocketService service;
  Router router;
  std::unique_ptr<muster::asio::WebSocketServer> server;
  std::vector<std::unique_ptr<RawClient>> owned;
};

// The numbers of the events, which are whole; -1 stands for what is not.
std::vector<int> numbers(std::string_view body, std::size_t size = 1000) {
  std::vector<int> out;
  while (!body.empty()) {
    const int n = body.starts_with("id: ") ? std::stoi(std::string{body.substr(4, 12)}) : -1;
    out.push_back(body.starts_with(tick(n, size)) ? n : -1);
    if (out.back() < 0) break;
    body.remove_prefix(tick(n, size).size());
  }
  return out;
}

}  // namespace

TEST_CASE("socket stream: readers and a WebSocket client get the same broadcasts", "[stream]") {
  StreamWorld world{each_backend()};
  Group group{world.loop.outbox()};
  world.service.when_open = [&](Connection& connection, time_point) { group.join(connection); };
  RawClient& one = world.open();
  RawClient& two = world.open();
  RawClient other{world.server->port()};
  world.clients.push_back(&other);
  other.send(RawClient::upgrade_request("/ws"));
  REQUIRE(world.run_until([&] { return other.is_upgraded() && group.size() == 3; }));
  std::string all;
  for (int i = 1; i <= 20; ++i) {
    const std::string text = tick(i, static_cast<std::size_t>(i) * 300);
    group.broadcast(event(text));
    all += text;
    world.settle();
  }
  REQUIRE(world.run_until(
      [&] { return one.body() == all && two.body() == all && other.messages().size() == 20; }));
  CHECK(world.server->endpoint().stats().streams == 2);
  CHECK(world.server->endpoint().session_count() == 3);
  for (RawClient* const client : {&one, &two, &other}) client->close();
  REQUIRE(world.run_until([&] { return world.service.closes == 3; }));
  CHECK(world.service.each_closed_once());
}

TEST_CASE("socket stream: a slow reader gets whole events, the newest, and costs two of them",
          "[stream]") {
  StreamWorld world{each_backend()};
  RawClient& slow = world.open(4096);
  Connection& to_slow = world.last();
  RawClient& quick = world.open();
  Connection& to_quick = world.last();
  slow.is_reading = false;
  constexpr int count = 2000;
  constexpr std::size_t size = 8000;
  std::size_t most = 0;
  for (int i = 1; i <= count; ++i) {
    const std::string text = tick(i, size);
    REQUIRE(to_slow.send(event(text), Delivery::latest(1)) == SendStatus::queued);
    REQUIRE(to_quick.send(event(text)) == SendStatus::queued);
    world.settle();
    most = std::max(most, to_slow.backlog());
  }
  CHECK(to_slow.backlog() > 0);
  CHECK(most <= 2 * tick(count, size).size());
  REQUIRE(world.run_until([&] { return to_quick.backlog() == 0; }));
  REQUIRE(world.run_until([&] { return numbers(quick.body(), size).size() == count; }));
  CHECK(world.handlers_while_idle() < 20);

  slow.is_reading = true;
  REQUIRE(world.run_until([&] { return slow.body().ends_with(tick(count, size)); }));
  const std::vector<int> got = numbers(slow.body(), size);
  CHECK(got.size() < count);
  CHECK(got.front() == 1);
  CHECK(got.back() == count);
  CHECK(std::is_sorted(got.begin(), got.end()));
  CHECK(to_slow.written() == slow.input.size());
  CHECK(world.loop.outbox().stats().replaced_latest == count - got.size());
}

TEST_CASE("socket stream: a service that queues too much for a reader is told, and goes on",
          "[stream]") {
  muster::asio::Loop::Config config;
  config.outbox.budget.bytes = 64 * 1024;
  StreamWorld world{each_backend(), {}, config};
  RawClient& slow = world.open(4096);
  Connection& connection = world.last();
  slow.is_reading = false;
  int sent = 0;
  while (connection.send(event(tick(sent + 1))) == SendStatus::queued) {
    ++sent;
    world.settle();
    REQUIRE(connection.backlog() <= 64 * 1024);
  }
  CHECK(connection.is_open());
  slow.is_reading = true;
  REQUIRE(world.run_until([&] { return connection.backlog() == 0; }));
  CHECK(connection.send(event(tick(++sent))) == SendStatus::queued);
  REQUIRE(world.run_until([&] { return slow.body().ends_with(tick(sent)); }));
  CHECK(static_cast<int>(numbers(slow.body()).size()) == sent);
}

TEST_CASE("socket stream: a reader that goes away", "[stream]") {
  const auto backend = each_backend();
  for (const int how : {0, 1, 2}) {
    INFO("in way " << how);
    StreamWorld world{backend};
    RawClient& client = world.open();
    world.last().send(event(tick(1)));
    REQUIRE(world.run_until([&] { return client.body() == tick(1); }));
    switch (how) {
      case 0:
        client.close();
        break;
      case 1:
        client.reset();
        break;
      default:
        client.half_close();
        break;
    }
    REQUIRE(world.run_until([&] { return world.service.closes == 1; }));
    CHECK(world.service.reason == CloseReason::connection_lost);
    CHECK(world.service.by_peer);
    REQUIRE(world.run_until([&] { return world.server->endpoint().session_count() == 0; }));
    CHECK(world.loop.outbox().connection_count() == 0);
  }
}

TEST_CASE("socket stream: a reader that goes away while much waits for it", "[stream]") {
  muster::asio::Loop::Config config;
  config.outbox.budget.bytes = 64 * 1024 * 1024;
  StreamWorld world{each_backend(), {}, config};
  RawClient& client = world.open(4096);
  client.is_reading = false;
  world.last().send(event(tick(1, 20'000'000)));
  world.settle();
  CHECK(world.last().backlog() > 0);
  client.close();
  REQUIRE(world.run_until([&] { return world.service.closes == 1; }));
  REQUIRE(world.run_until([&] { return world.server->endpoint().session_count() == 0; }));
}

TEST_CASE("socket stream: a close ends the response behind its last event", "[stream]") {
  muster::asio::WebSocketServer::Config config;
  config.close_timeout = 30s;
  muster::asio::Loop::Config loop_config;
  loop_config.outbox.budget.bytes = 64 * 1024 * 1024;
  StreamWorld world{each_backend(), config, loop_config};
  RawClient& client = world.open(4096);
  client.is_reading = false;
  const std::string large = tick(1, 20'000'000);
  world.last().send(event(large));
  world.last().close(CloseReason::room_closed, 4001, "over", event("event: end\ndata:\n\n"));
  client.send("what nobody reads");
  world.settle();
  client.is_reading = true;
  REQUIRE(world.run_until([&] { return client.is_at_end(); }));
  CHECK_FALSE(client.was_reset());
  CHECK(client.body() == large + "event: end\ndata:\n\n");
  client.close();
  REQUIRE(world.run_until([&] { return world.service.closes == 1; }));
  CHECK(world.service.reason == CloseReason::room_closed);
  CHECK(world.service.code == 4001);
}

TEST_CASE("socket stream: a peer that takes nothing is closed, one that is idle gets comments",
          "[stream]") {
  muster::asio::WebSocketServer::Config config;
  config.write_timeout = 400ms;
  config.heartbeat_interval = 200ms;
  config.close_timeout = 100ms;
  StreamWorld world{each_backend(), config};
  RawClient& idle = world.open();
  RawClient& deaf = world.open(4096);
  deaf.is_reading = false;
  const ConnectionId id = world.last().id();
  // More than the sockets' buffers hold.
  for (int i = 0; i < 20; ++i) {
    const Frame frame{event(tick(1, 500'000))};
    Connection* const to_deaf = world.loop.outbox().find(id);
    if (to_deaf == nullptr) break;  // a slow machine needs that long
    to_deaf->send(frame, Delivery::latest(static_cast<std::uint32_t>(i % 2)));
    world.settle();
  }
  REQUIRE(world.run_until([&] { return world.loop.outbox().find(id) == nullptr; }));
  CHECK(world.service.reason == CloseReason::too_slow);
  CHECK(world.server->endpoint().stats().write_timeouts == 1);
  REQUIRE(world.run_until([&] { return idle.body().size() >= 3 * 13; }));
  CHECK_THAT(idle.body(), StartsWith(": heartbeat\n\n: heartbeat\n\n: heartbeat\n\n"));
  CHECK(world.server->endpoint().session_count() == 1);
}

TEST_CASE("socket stream: a drain closes the streams that its service does not", "[stream]") {
  StreamWorld world{each_backend()};
  RawClient& one = world.open();
  RawClient& two = world.open();
  world.last().send(event(tick(1)));
  bool is_drained = false;
  world.server->drain(50ms, [&] { is_drained = true; });
  REQUIRE(world.run_until([&] { return one.is_at_end() && two.is_at_end(); }));
  CHECK(world.service.drains == 1);
  CHECK(two.body() == tick(1));
  CHECK_FALSE(one.was_reset());
  for (RawClient* const client : {&one, &two}) client->close();
  REQUIRE(world.run_until([&] { return is_drained; }));
  CHECK(world.service.closes == 2);
  CHECK(world.service.reason == CloseReason::draining);
  CHECK(world.service.each_closed_once());
}

TEST_CASE("socket stream: the server may go away at any moment", "[stream]") {
  StreamWorld world{each_backend()};
  RawClient& client = world.open(4096);
  client.is_reading = false;
  world.last().send(event(tick(1, 500'000)));
  world.settle();
  world.server.reset();
  CHECK(world.service.closes == 1);
  CHECK(world.loop.outbox().connection_count() == 0);
}

TEST_CASE("socket stream: a HEAD, and a stream that is accepted from a timer", "[stream]") {
  StreamWorld world{each_backend()};
  std::unique_ptr<Decision> late;
  world.router.get("/late", [&](const Request&, Decision decision, time_point) {
    late = std::make_unique<Decision>(std::move(decision));
  });
  RawClient head{world.server->port()};
  RawClient client{world.server->port()};
  world.clients = {&head, &client};
  head.send("HEAD /events HTTP/1.1\r\nHost: x\r\n\r\n");
  client.send("GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
  REQUIRE(world.run_until([&] { return head.is_at_end() && late != nullptr; }));
  CHECK_THAT(head.head(), ContainsSubstring("Content-Type: text/event-stream\r\n"));
  CHECK(head.body().empty());
  CHECK(world.service.opens == 0);
  ::asio::steady_timer timer{world.context, 20ms};
  timer.async_wait([&](const std::error_code&) { CHECK(late->accept_stream(world.service)); });
  REQUIRE(world.run_until([&] { return world.service.opens == 1; }));
  world.last().send(event(tick(7)));
  REQUIRE(world.run_until([&] { return client.body() == tick(7); }));
}
