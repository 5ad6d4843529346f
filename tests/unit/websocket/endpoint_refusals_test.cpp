// SPDX-License-Identifier: MIT
// Handshakes that are answered with something else than 101, and what is said to whom is refused.
#include <muster/websocket/session.hpp>

#include "support/catch.hpp"
#include "support/session_pipe.hpp"

#include <chrono>
#include <map>
#include <string>

using namespace muster;
using namespace std::chrono_literals;
using test::End;
using test::SessionWorld;
using websocket::Config;

namespace {

using Refused = std::map<unsigned, std::uint64_t>;

}  // namespace

TEST_CASE("endpoint: refused handshakes are counted by their status", "[endpoint]") {
  Config config;
  config.origins = {"https://game.example"};
  config.upgrade_timeout = 5s;
  SessionWorld world{config};
  const auto request = [&](std::string_view bytes) {
    End end = world.accept();
    world.feed(end, bytes);
    world.finish(end);
  };
  request(test::upgrade_with("Origin: https://game.example\r\n"));
  CHECK(world.endpoint.handshakes_refused().empty());
  request(test::upgrade_with("Origin: https://evil.example\r\n"));
  request(test::upgrade_with("Origin: https://evil.example\r\n"));
  CHECK(world.endpoint.handshakes_refused() == Refused{{403, 2}});
  // By a service.
  world.service.when_upgrade = [](const Request&, Decision& decision) {
    decision.respond({.status = 401});
  };
  request(test::upgrade_request);
  // A service that never answers.
  world.service.when_upgrade = [](const Request&, Decision&) {};
  End late = world.accept();
  world.feed(late, test::upgrade_request);
  world.wait(6s);
  // What is no request at all, and an address above its limits.
  request("garbage\r\n\r\n");
  End many = world.refuse();
  world.feed(many, test::upgrade_request);
  CHECK(world.endpoint.handshakes_refused() ==
        Refused{{400, 1}, {401, 1}, {403, 2}, {429, 1}, {503, 1}});
}

TEST_CASE("endpoint: a plain request that is refused is no handshake", "[endpoint]") {
  SessionWorld world;
  world.service.when_request = [](const Request&, Decision& decision) {
    decision.respond({.status = 404});
  };
  for (const std::string_view method : {"GET", "HEAD", "POST", "PUT"}) {
    End end = world.accept();
    world.feed(end, std::string{method} + " / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK_FALSE(end.pipe->written.empty());
  }
  CHECK(world.service.requests == 3);  // no PUT
  CHECK(world.endpoint.handshakes_refused().empty());
}

TEST_CASE("endpoint: who is refused gets the configured body", "[endpoint][caps]") {
  Config config;
  config.refusal_body = R"({"error":"too many"})";
  config.refusal_type = "application/json";
  SessionWorld world{config};
  End end = world.refuse();
  world.feed(end, test::upgrade_request);
  CHECK(end.pipe->take() ==
        "HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/json\r\nContent-Length: 20\r\n"
        "Retry-After: 5\r\nConnection: close\r\n\r\n{\"error\":\"too many\"}");
  std::string problem;
  config.refusal_body.resize(4096);
  CHECK_FALSE(validate(config, problem));
  config.refusal_body.resize(4097);
  CHECK(validate(config, problem));
  CHECK_THAT(problem, StartsWith("refusal_body"));
}
