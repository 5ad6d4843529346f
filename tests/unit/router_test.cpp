// SPDX-License-Identifier: MIT
// Which service or handler a path reaches.
#include <muster/memory/network.hpp>
#include <muster/router.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <string>

using namespace muster;
using namespace std::chrono_literals;

namespace {

struct Counting final : Service {
  void on_open(Connection&, time_point) override { ++opens; }
  void on_message(Connection& connection, const Message& message, time_point) override {
    ++messages;
    if (echo) connection.send(message);
  }
  void on_close(Connection&, const CloseInfo& info, time_point) override {
    ++closes;
    code = info.code;
  }
  void on_drain(time_point) override { ++drains; }
  void advance(time_point) override {
    ++advances;
    deadline = no_deadline;
  }
  [[nodiscard]] time_point next_deadline() const noexcept override { return deadline; }

  bool echo = false;
  int opens = 0;
  int messages = 0;
  int closes = 0;
  int drains = 0;
  int advances = 0;
  unsigned code = 0;
  time_point deadline = no_deadline;
};

struct Fixture {
  Fixture() {
    router.route("/ws", relay)
        .route("/other", other)
        .get("/healthz", [](const Request&, Decision decision, time_point) {
          decision.respond({.body = as_bytes("ok\n")});
        });
    relay.echo = true;
    network.add(router);
  }
  unsigned status_of(std::string_view method, std::string_view path) {
    Request request;
    request.method = method;
    request.path = path;
    const auto answer = network.request(router, request);
    REQUIRE(network.run_until_quiet());
    return answer->status;
  }

  Counting client, relay, other;
  Router router;
  memory::Network network;
};

}  // namespace

TEST_CASE("router: an upgrade reaches the service of its path", "[router]") {
  Fixture f;
  Request request;
  request.path = "/ws";
  Connection& connection = f.network.connect(f.client, f.router, request);
  REQUIRE(f.network.run_until_quiet());
  connection.send({as_bytes("hello")});
  REQUIRE(f.network.run_until_quiet());
  CHECK(f.relay.opens == 1);
  CHECK(f.relay.messages == 1);
  CHECK(f.client.messages == 1);
  CHECK(f.other.opens == 0);
}

TEST_CASE("router: an upgrade on an unknown path is refused with 404", "[router]") {
  for (const std::string_view path : {"/", "", "/w", "/ws/", "/WS", "/ws2", "/healthz", "/%77s"}) {
    Fixture f;
    Request request;
    request.path = path;
    f.network.connect(f.client, f.router, request);
    REQUIRE(f.network.run_until_quiet());
    INFO(path);
    CHECK(f.client.closes == 1);
    CHECK(f.client.code == 404);
    CHECK(f.relay.opens == 0);
    CHECK(f.relay.closes == 0);
  }
}

TEST_CASE("router: upgrades below a prefix go to its service, the longest prefix first",
          "[router]") {
  Fixture f;
  Counting below;
  f.router.route_below("/play/", f.other).route_below("/play/deep/", below);
  for (const auto& [path, service] : {std::pair{"/play/room", &f.other},
                                      {"/play/deep/room", &below},
                                      {"/play/deep", &f.other},
                                      {"/ws", &f.relay}}) {
    Request request;
    request.path = path;
    const int before = service->opens;
    f.network.connect(f.client, f.router, request);
    REQUIRE(f.network.run_until_quiet());
    INFO(path);
    CHECK(service->opens == before + 1);
  }
  CHECK(f.status_of("GET", "/play/room") == 426);
  below.deadline = f.network.now() + 1s;
  CHECK(f.router.next_deadline() == below.deadline);
  f.router.advance(f.network.now() + 1s);
  CHECK(below.advances == 1);
  f.router.on_drain(f.network.now());
  CHECK(below.drains == 1);
  CHECK(f.other.drains == 1);
}

TEST_CASE("router: plain requests", "[router]") {
  Fixture f;
  CHECK(f.status_of("GET", "/healthz") == 200);
  CHECK(f.status_of("HEAD", "/healthz") == 200);
  CHECK(f.status_of("POST", "/healthz") == 405);
  CHECK(f.status_of("GET", "/nothing") == 404);
  CHECK(f.status_of("POST", "/nothing") == 404);
  CHECK(f.status_of("GET", "/ws") == 426);
  CHECK(f.status_of("GET", "/healthz/") == 404);
}

TEST_CASE("router: a path may have both a page and a service", "[router]") {
  Fixture f;
  f.router.get("/ws", [](const Request&, Decision decision, time_point) {
    decision.respond({.status = 299});
  });
  CHECK(f.status_of("GET", "/ws") == 299);
}

TEST_CASE("router: a path may take what is posted, with or without a page", "[router]") {
  Fixture f;
  std::string posted;
  f.router
      .post("/results",
            [&posted](const Request& request, Decision decision, time_point) {
              posted = as_text(request.body);
              decision.respond({.status = 201});
            })
      .post("/healthz", [](const Request&, Decision decision, time_point) {
        decision.respond({.status = 299});
      });
  Request request;
  request.method = "POST";
  request.path = "/results";
  request.body = as_bytes("1:0");
  const auto answer = f.network.request(f.router, request);
  REQUIRE(f.network.run_until_quiet());
  CHECK(answer->status == 201);
  CHECK(posted == "1:0");
  CHECK(f.status_of("GET", "/results") == 405);
  CHECK(f.status_of("POST", "/healthz") == 299);
  CHECK(f.status_of("GET", "/healthz") == 200);
  CHECK(f.status_of("PUT", "/healthz") == 405);
  CHECK(f.status_of("PUT", "/results") == 405);
}

TEST_CASE("router: a handler for all that lies below a prefix", "[router]") {
  Fixture f;
  const auto with_status = [](unsigned status) {
    return [status](const Request&, Decision decision, time_point) {
      decision.respond({.status = status});
    };
  };
  f.router.get_below("/games/", with_status(290))
      .get_below("/games/old/", with_status(291))
      .get_below("/games/older/", with_status(292))
      .post("/games/result", with_status(293));
  CHECK(f.status_of("GET", "/games/5") == 290);
  CHECK(f.status_of("HEAD", "/games/") == 290);
  CHECK(f.status_of("GET", "/games/old") == 290);
  CHECK(f.status_of("GET", "/games/old/5") == 291);
  CHECK(f.status_of("GET", "/games/older/5") == 292);
  CHECK(f.status_of("GET", "/games/oldest/5") == 290);
  CHECK(f.status_of("GET", "/games/zzz") == 290);
  CHECK(f.status_of("POST", "/games/5") == 405);
  CHECK(f.status_of("POST", "/games/result") == 293);
  CHECK(f.status_of("GET", "/games/result") == 405);
  CHECK(f.status_of("GET", "/games") == 404);
  CHECK(f.status_of("GET", "/game") == 404);
  f.router.get_below("/", with_status(294));
  CHECK(f.status_of("GET", "/zzz") == 294);
  CHECK(f.status_of("GET", "/games/5") == 290);
  CHECK(f.status_of("GET", "/ws") == 426);
  CHECK(f.status_of("GET", "/healthz") == 200);
}

TEST_CASE("router: a handler that forgets to answer costs a 503", "[router]") {
  Fixture f;
  f.router.get("/forgets", [](const Request&, Decision, time_point) {});
  CHECK(f.status_of("GET", "/forgets") == 503);
}

TEST_CASE("router: the later of two routes for one path counts", "[router]") {
  Fixture f;
  f.router.route("/ws", f.other);
  Request request;
  request.path = "/ws";
  f.network.connect(f.client, f.router, request);
  REQUIRE(f.network.run_until_quiet());
  CHECK(f.other.opens == 1);
  CHECK(f.relay.opens == 0);
}

TEST_CASE("router: deadlines and draining reach each service, once", "[router]") {
  Fixture f;
  CHECK(f.router.next_deadline() == no_deadline);
  f.router.route("/again", f.relay);
  f.relay.deadline = f.network.now() + 5s;
  f.other.deadline = f.network.now() + 2s;
  CHECK(f.router.next_deadline() == f.network.now() + 2s);
  f.network.run_for(3s);
  CHECK(f.other.advances == 1);
  CHECK(f.relay.advances == 0);
  f.network.run_for(3s);
  CHECK(f.relay.advances == 1);
  f.router.on_drain(f.network.now());
  CHECK(f.relay.drains == 1);
  CHECK(f.other.drains == 1);
}
