// SPDX-License-Identifier: MIT
// Plain HTTP on the WebSocket port.
#include "support/socket_world.hpp"

#include <muster/router.hpp>

using namespace muster;
using namespace std::chrono_literals;
using test::each_backend;
using test::RawClient;

namespace {

struct HttpWorld : test::LoopWorld {
  explicit HttpWorld(test::Backend backend) : LoopWorld(backend) {
    router.route("/ws", service)
        .get("/page",
             [](const Request&, Decision decision, time_point) {
               decision.respond(
                   {.status = 200, .content_type = "text/html", .body = as_bytes("<p>")});
             })
        .get("/large", [this](const Request&, Decision decision,
                              time_point) { decision.respond({.body = as_bytes(large)}); })
        .get("/late", [this](const Request&, Decision decision, time_point) {
          late = std::make_unique<Decision>(std::move(decision));
        });
    REQUIRE(!server.listen("127.0.0.1:0"));
  }

  // What comes back until the server ends the connection.
  std::string ask(const std::string& request, bool half_close = false) {
    RawClient client{server.port()};
    clients = {&client};
    client.send(request);
    if (half_close) client.half_close();
    REQUIRE(run_until([&] { return client.is_at_end(); }));
    CHECK_FALSE(client.was_reset());
    clients.clear();
    return client.input;
  }

  std::string large = std::string(5'000'000, 'l');
  std::unique_ptr<Decision> late;
  test::SocketService service;
  Router router;
  muster::asio::WebSocketServer server{loop, {}, entropy, router};
};

std::string get(const std::string& path, const std::string& method = "GET") {
  return method + " " + path + " HTTP/1.1\r\nHost: x\r\n\r\n";
}

}  // namespace

TEST_CASE("socket http: pages, and what is no page", "[http]") {
  HttpWorld world{each_backend()};
  const std::string page = world.ask(get("/page"));
  CHECK_THAT(page, StartsWith("HTTP/1.1 200 OK\r\n"));
  CHECK_THAT(page, ContainsSubstring("Content-Type: text/html\r\n"));
  CHECK_THAT(page, ContainsSubstring("Content-Length: 3\r\n"));
  CHECK_THAT(page, ContainsSubstring("Connection: close\r\n"));
  CHECK_THAT(page, EndsWith("\r\n\r\n<p>"));
  const std::string head = world.ask(get("/page", "HEAD"));
  CHECK_THAT(head, ContainsSubstring("Content-Length: 3\r\n"));
  CHECK_THAT(head, EndsWith("\r\n\r\n"));
  CHECK_THAT(world.ask(get("/none")), StartsWith("HTTP/1.1 404 "));
  CHECK_THAT(world.ask(get("/ws")), StartsWith("HTTP/1.1 426 "));
  CHECK_THAT(world.ask(get("/page", "DELETE")), StartsWith("HTTP/1.1 405 "));
  CHECK_THAT(world.ask("POST /page HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"),
             StartsWith("HTTP/1.1 405 "));
  CHECK_THAT(world.ask("nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  CHECK_THAT(world.ask(RawClient::upgrade_request("/none")), StartsWith("HTTP/1.1 404 "));
  CHECK_THAT(world.ask("GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(9000, 'a') + "\r\n\r\n"),
             StartsWith("HTTP/1.1 431 "));
  CHECK_THAT(world.ask("POST /page HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" +
                       std::string(100'000, 'b')),
             StartsWith("HTTP/1.1 413 "));
  std::string version = RawClient::upgrade_request("/ws");
  version.replace(version.find(": 13"), 4, ": 12");
  CHECK_THAT(world.ask(version), StartsWith("HTTP/1.1 426 "));
  REQUIRE(world.run_until([&] { return world.server.endpoint().session_count() == 0; }));
  CHECK(world.service.opens == 0);
}

TEST_CASE("socket http: a large answer arrives whole, also after the asker ended its side",
          "[http]") {
  HttpWorld world{each_backend()};
  CHECK(world.ask(get("/large")).size() > world.large.size());
  CHECK(world.ask(get("/large"), true).size() > world.large.size());
}

TEST_CASE("socket http: a body that comes late and in pieces", "[http]") {
  HttpWorld world{each_backend()};
  RawClient client{world.server.port()};
  world.clients = {&client};
  client.send("POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n");
  for (int i = 0; i < 20; ++i) {
    world.settle();
    CHECK(client.input.empty());
    client.send(std::string(1000, 'b'));
  }
  REQUIRE(world.run_until([&] { return client.is_at_end(); }));
  CHECK_THAT(client.input, StartsWith("HTTP/1.1 404 "));
}

TEST_CASE("socket http: an answer that is given later, from a timer", "[http]") {
  HttpWorld world{each_backend()};
  RawClient client{world.server.port()};
  world.clients = {&client};
  client.send(get("/late"));
  REQUIRE(world.run_until([&] { return world.late != nullptr; }));
  ::asio::steady_timer timer{world.context, 20ms};
  timer.async_wait([&](const std::error_code&) {
    world.late->respond({.status = 200, .body = as_bytes("at last")});
  });
  REQUIRE(world.run_until([&] { return client.is_at_end(); }));
  CHECK_THAT(client.input, EndsWith("at last"));
}

TEST_CASE("socket http: an answer outlives its asker and its server", "[http]") {
  const auto backend = each_backend();
  auto world = std::make_unique<HttpWorld>(backend);
  {
    RawClient client{world->server.port()};
    client.send(get("/late"));
    REQUIRE(world->run_until([&] { return world->late != nullptr; }));
    client.reset();
  }
  REQUIRE(world->run_until([&] { return world->server.endpoint().session_count() == 0; }));
  world->late->respond({.status = 200});
  world->settle();
}
