// SPDX-License-Identifier: MIT
#include <muster/websocket/session.hpp>

#include "support/catch.hpp"
#include "support/frames.hpp"
#include "support/session_pipe.hpp"

#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;
using test::End;
using test::SessionWorld;
using test::text_frame;
using test::WireFrame;
using websocket::Config;
using websocket::Role;

namespace {

using Notes = std::vector<std::string>;

static_assert(sizeof(websocket::Session) <= 144, "every idle connection is one");

std::string to_server(const WireFrame& frame) { return test::encode(frame, Role::server); }
std::string to_client(const WireFrame& frame) { return test::encode(frame, Role::client); }
std::string ping_frame(std::string text = {}) { return to_server({0x89, std::move(text)}); }
std::string close_payload(unsigned code, std::string_view text = {}) {
  std::string out{static_cast<char>(code >> 8U), static_cast<char>(code & 0xffU)};
  return out.append(text);
}
std::string close_frame(unsigned code, std::string_view text = {}) {
  return to_server({0x88, close_payload(code, text)});
}

/// What a client makes of what a server wrote.
std::vector<test::Decoded> seen(End& end) {
  return test::decode(end.pipe->take(), Role::client, websocket::Limits{});
}
using Seen = std::vector<test::Decoded>;

/// The status of an HTTP answer; 0 if there is none.
int status_of(const std::string& answer) {
  if (!answer.starts_with("HTTP/1.1 ")) return 0;
  return std::stoi(answer.substr(9, 3));
}

std::string post(std::string_view body, std::size_t declared) {
  return "POST /submit HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(declared) +
         "\r\n\r\n" + std::string{body};
}

Config quick() {
  Config config;
  config.upgrade_timeout = 5s;
  config.first_message_timeout = 3s;
  config.ping_interval = 10s;
  config.idle_timeout = 25s;
  config.close_timeout = 2s;
  return config;
}

}  // namespace

// The opening handshake.

TEST_CASE("session: a request is answered and messages behind it are delivered", "[session]") {
  const std::string stream = std::string{test::upgrade_request} + text_frame("one") +
                             to_server({0x82, "two"}) + text_frame("three");
  const Notes expected{"open", "text one", "binary two", "text three"};
  SECTION("whole") {
    SessionWorld world;
    End end = world.accept();
    world.feed(end, stream);
    CHECK(end.pipe->take() == test::upgrade_response);
    CHECK(world.service.take() == expected);
    CHECK(world.endpoint.opening_count() == 0);
  }
  SECTION("byte by byte") {
    SessionWorld world;
    End end = world.accept();
    world.feed(end, stream, test::every_byte(stream.size()));
    CHECK(end.pipe->take() == test::upgrade_response);
    CHECK(world.service.take() == expected);
    CHECK(world.endpoint.opening_count() == 0);
  }
  SECTION("at every split") {
    for (std::size_t cut = 1; cut < stream.size(); ++cut) {
      SessionWorld world;
      End end = world.accept();
      world.feed(end, stream, {cut});
      CHECK(end.pipe->take() == test::upgrade_response);
      CHECK(world.service.take() == expected);
      CHECK(world.endpoint.opening_count() == 0);
    }
  }
}

TEST_CASE("session: a ping behind the request does not cost the answer", "[session]") {
  SessionWorld world;
  End end = world.accept();
  world.feed(end, std::string{test::upgrade_request} + ping_frame("x") + text_frame("one"));
  CHECK(end.pipe->take().starts_with(test::upgrade_response));
  CHECK(world.service.take() == Notes{"open", "text one"});
}

TEST_CASE("session: much may follow a request that came in pieces", "[session]") {
  Config config;
  config.max_body = 0;
  SessionWorld world{config};
  End end = world.accept();
  std::string stream{test::upgrade_request};
  for (int i = 0; i < 30; ++i) stream += to_server({0x82, std::string(4000, 'x')});
  world.feed(end, stream, {50});
  CHECK(end.pipe->take() == test::upgrade_response);
  CHECK(world.service.take().size() == 31);
}

TEST_CASE("session: what on_open sends follows the answer", "[session]") {
  SessionWorld world;
  world.service.when_open = [](Connection& connection) { connection.send({as_bytes("hello")}); };
  End end = world.accept();
  world.feed(end, test::upgrade_request);
  CHECK(end.pipe->take() == std::string{test::upgrade_response} + "\x82\x05hello");
}

TEST_CASE("session: a subprotocol is chosen", "[session]") {
  SessionWorld world;
  std::string chosen;
  world.service.when_upgrade = [&](const Request& request, Decision& decision) {
    REQUIRE(request.subprotocols.size() == 2);
    CHECK(request.path == "/ws");
    CHECK(request.query == "room=7");
    CHECK(decision.accept(world.service, chosen.empty() ? request.subprotocols[1] : chosen));
  };
  const std::string request = test::upgrade_with("Sec-WebSocket-Protocol: a, muster.v1\r\n");
  SECTION("of those offered") {
    End end = world.accept();
    world.feed(end, request);
    CHECK_THAT(end.pipe->take(), ContainsSubstring("\r\nSec-WebSocket-Protocol: muster.v1\r\n"));
    CHECK(world.service.take() == Notes{"open"});
  }
  SECTION("of a great length") {
    chosen = std::string(600, 'p');
    End end = world.accept();
    world.feed(end, request);
    CHECK_THAT(end.pipe->take(), ContainsSubstring("Sec-WebSocket-Protocol: " + chosen + "\r\n"));
  }
  SECTION("that would break the answer") {
    chosen = "a\r\nSet-Cookie: b";
    End end = world.accept();
    world.feed(end, request);
    CHECK(status_of(end.pipe->written) == 500);
    CHECK(end.pipe->half_closed);
    world.finish(end);
    CHECK(world.service.take() == Notes{"close refused 0"});
  }
}

// A late decision.

TEST_CASE("session: a decision may come later", "[session][decision]") {
  SessionWorld world{quick()};
  world.service.when_upgrade = [](const Request&, Decision&) {};
  End end = world.accept();
  SECTION("accepted: what came meanwhile follows on_open, in order") {
    const std::string frames = text_frame("one") + text_frame("two") + text_frame("three");
    world.feed(end, std::string{test::upgrade_request} + frames.substr(0, 4));
    world.feed(end, frames.substr(4, 9));
    CHECK(world.endpoint.opening_count() == 1);
    REQUIRE(world.service.kept.size() == 1);
    CHECK(end.pipe->written.empty());
    CHECK(world.service.kept[0].accept(world.service));
    CHECK(world.service.notes.empty());
    SECTION("in a pass of its own") {
      world.run();
      CHECK(world.service.take() == Notes{"open", "text one"});
      world.feed(end, frames.substr(13));
      CHECK(world.service.take() == Notes{"text two", "text three"});
    }
    SECTION("with new data in the same pass") {
      world.feed(end, frames.substr(13));
      CHECK(world.service.take() == Notes{"open", "text one", "text two", "text three"});
    }
    CHECK(end.pipe->take() == test::upgrade_response);
    CHECK(world.endpoint.opening_count() == 0);
  }
  SECTION("accepted with a Close waiting") {
    world.feed(end, std::string{test::upgrade_request} + close_frame(1000, "bye"));
    CHECK(world.service.kept.at(0).accept(world.service));
    world.run();
    CHECK(world.service.take() == Notes{"open", "close finished by peer 1000 bye"});
    CHECK(end.is_gone());
  }
  SECTION("answered with a response") {
    world.feed(end, test::upgrade_request);
    world.service.kept.at(0).respond({.status = 401, .body = as_bytes("no")});
    world.run();
    CHECK(status_of(end.pipe->written) == 401);
    CHECK(end.pipe->half_closed);
    world.finish(end);
    CHECK(end.is_gone());
    CHECK(world.service.take().empty());
  }
  SECTION("the peer is gone") {
    world.feed(end, test::upgrade_request);
    world.finish(end);
    CHECK(end.is_gone());
    CHECK_FALSE(world.service.kept.at(0).accept(world.service));
    CHECK(world.service.take().empty());
  }
  SECTION("the peer went in this very pass") {
    world.feed(end, test::upgrade_request);
    end.session->receive_end(world.now);
    CHECK_FALSE(world.service.kept.at(0).accept(world.service));
    world.run();
    CHECK(end.is_gone());
    CHECK(world.service.take().empty());
  }
  SECTION("accepted, and the peer goes before on_open") {
    world.feed(end, test::upgrade_request);
    CHECK(world.service.kept.at(0).accept(world.service));
    world.finish(end);
    CHECK(world.service.take() == Notes{"close connection_lost by peer 0"});
    CHECK(end.is_gone());
  }
  SECTION("never answered") {
    world.feed(end, test::upgrade_request);
    world.service.kept.clear();
    world.run();
    CHECK(status_of(end.pipe->written) == 503);
  }
  SECTION("too late") {
    world.feed(end, test::upgrade_request);
    world.wait(4900ms);
    CHECK(end.pipe->written.empty());
    world.wait(200ms);
    CHECK(status_of(end.pipe->written) == 503);
    CHECK(world.endpoint.stats().upgrade_timeouts == 1);
    CHECK_FALSE(world.service.kept.at(0).accept(world.service));
    world.wait(2100ms);
    CHECK(end.is_gone());
    CHECK(world.service.take().empty());
  }
  SECTION("too much came meanwhile") {
    world.feed(end, test::upgrade_request);
    for (int i = 0; i < 10; ++i) world.feed(end, std::string(10'000, 'x'));
    CHECK(status_of(end.pipe->written) == 413);
    CHECK_FALSE(world.service.kept.at(0).accept(world.service));
    CHECK(world.endpoint.stats().bad_requests == 1);
  }
  CHECK((end.is_gone() || world.endpoint.opening_count() <= 1));
}

TEST_CASE("session: one decision is taken while another is asked for", "[session][decision]") {
  SessionWorld world;
  world.service.when_upgrade = [&](const Request&, Decision& decision) {
    if (world.service.kept.empty()) return;
    CHECK(decision.accept(world.service));
    CHECK(world.service.kept[0].accept(world.service));
  };
  End first = world.accept();
  std::string other{test::upgrade_request};
  other.replace(other.find("dGhl"), 4, "AAAA");
  world.feed(first, other);
  End second = world.accept();
  world.feed(second, test::upgrade_request);
  CHECK(second.pipe->take() == test::upgrade_response);
  const std::string answer = first.pipe->take();
  CHECK(status_of(answer) == 101);
  CHECK(answer != test::upgrade_response);
  CHECK(world.service.take() == Notes{"open", "open"});
}

TEST_CASE("session: deadlines after a late acceptance count from it", "[session][deadline]") {
  SessionWorld world{quick()};
  world.service.when_upgrade = [](const Request&, Decision&) {};
  End end = world.accept();
  world.feed(end, test::upgrade_request);
  world.sleep(4s);  // a timer of the application fires; the endpoint has heard nothing since
  CHECK(world.service.kept.at(0).accept(world.service));
  world.run();
  CHECK(world.service.take() == Notes{"open"});
  world.wait(2900ms);
  CHECK(world.service.take().empty());
  world.wait(200ms);
  CHECK(world.service.take() == Notes{"fault timed_out by peer 1008 no message in time"});
}

// Plain HTTP.

TEST_CASE("session: plain requests are answered", "[session][http]") {
  SessionWorld world;
  End end = world.accept();
  SECTION("GET") {
    world.service.when_request = [](const Request& request, Decision& decision) {
      CHECK(request.method == "GET");
      CHECK(request.path == "/status");
      CHECK(request.query == "a=1");
      decision.respond({.content_type = "application/json", .body = as_bytes("{}")});
    };
    world.feed(end, "GET /status?a=1 HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(end.pipe->take() ==
          "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
          "Connection: close\r\n\r\n{}");
  }
  SECTION("HEAD has no body") {
    world.service.when_request = [](const Request& request, Decision& decision) {
      CHECK(request.method == "HEAD");
      decision.respond({.body = as_bytes("body")});
    };
    world.feed(end, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK_THAT(end.pipe->written, ContainsSubstring("Content-Length: 4\r\n"));
    CHECK_THAT(end.pipe->written, EndsWith("\r\n\r\n"));
  }
  SECTION("204 has neither body nor length") {
    world.service.when_request = [](const Request&, Decision& decision) {
      decision.respond({.status = 204, .body = as_bytes("body")});
    };
    world.feed(end, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(end.pipe->take() == "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
  }
  SECTION("by default with 404") {
    class Plain final : public Service {
      void on_message(Connection&, const Message&, time_point) override {}
    } plain;
    world.service.when_request = [&](const Request& request, Decision& decision) {
      plain.on_request(request, std::move(decision), world.now);
    };
    world.feed(end, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(status_of(end.pipe->written) == 404);
  }
  SECTION("never answered") {
    world.service.when_request = [](const Request&, Decision& decision) {
      const Decision dropped = std::move(decision);
    };
    world.feed(end, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(status_of(end.pipe->written) == 503);
  }
  CHECK(world.endpoint.stats().requests == 1);
  // The reply is not lost: the session ends its side, and waits for the peer's end.
  CHECK(end.pipe->half_closed);
  CHECK_FALSE(end.is_gone());
  world.feed(end, "GET /second HTTP/1.1\r\nHost: h\r\n\r\n");  // is not read
  CHECK_FALSE(end.is_gone());
  world.finish(end);
  CHECK(end.is_gone());
  CHECK(world.service.take().empty());
  CHECK(world.service.requests == 1);
  CHECK(world.endpoint.opening_count() == 0);
  CHECK(world.endpoint.stats().protocol_errors == 0);
}

TEST_CASE("session: a reply is not waited for forever", "[session][http]") {
  SessionWorld world{quick()};
  End end = world.accept();
  world.feed(end, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  world.wait(1990ms);
  CHECK_FALSE(end.is_gone());
  world.wait(100ms);
  CHECK(end.is_gone());
}

TEST_CASE("session: the end of the peer's stream behind a request", "[session][http]") {
  SessionWorld world;
  End end = world.accept();
  SECTION("answered in the same pass") {
    end.session->feed("GET / HTTP/1.1\r\nHost: h\r\n\r\n", world.now);
    world.finish(end);
    CHECK(status_of(end.pipe->written) == 200);
  }
  SECTION("answered later") {
    world.service.when_request = [](const Request&, Decision&) {};
    world.feed(end, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    world.finish(end);
    CHECK_FALSE(end.is_gone());
    world.service.kept.at(0).respond({.body = as_bytes("late")});
    world.run();
    CHECK_THAT(end.pipe->written, EndsWith("\r\n\r\nlate"));
  }
  SECTION("in the middle of the head") {
    world.feed(end, "GET / HTTP/1.1\r\nHo");
    world.finish(end);
    CHECK(end.pipe->written.empty());
  }
  CHECK(end.is_gone());
  CHECK(world.endpoint.opening_count() == 0);
}

TEST_CASE("session: what comes behind a plain request is not kept", "[session][http]") {
  SessionWorld world;
  world.service.when_request = [](const Request&, Decision&) {};
  End end = world.accept();
  world.feed(end, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  for (int i = 0; i < 20; ++i) world.feed(end, std::string(10'000, 'x'));
  world.service.kept.at(0).respond({.body = as_bytes("late")});
  world.run();
  CHECK_THAT(end.pipe->written, EndsWith("\r\n\r\nlate"));
}

TEST_CASE("session: a body arrives in whatever pieces", "[session][http]") {
  const std::string stream = post("hello, world", 12);
  std::vector<std::vector<std::size_t>> ways{{}, test::every_byte(stream.size())};
  for (std::size_t cut = 1; cut < stream.size(); ++cut) ways.push_back({cut});
  for (const auto& cuts : ways) {
    SessionWorld world;
    End end = world.accept();
    world.feed(end, stream, cuts);
    CHECK(world.service.body == "hello, world");
    CHECK_THAT(end.pipe->written, EndsWith("\r\n\r\nhello, world"));
    world.finish(end);
    CHECK(end.is_gone());
    CHECK(world.endpoint.opening_count() == 0);
  }
}

TEST_CASE("session: a body has a limit", "[session][http]") {
  Config config;
  config.max_body = 1000;
  SessionWorld world{config};
  End end = world.accept();
  SECTION("at the limit") {
    world.feed(end, post(std::string(1000, 'b'), 1000), {40, 500});
    CHECK(world.service.body == std::string(1000, 'b'));
  }
  SECTION("one more, and the peer goes on sending it") {
    world.feed(end, post("", 1001));
    CHECK(status_of(end.pipe->written) == 413);
    CHECK(end.pipe->half_closed);
    for (int i = 0; i < 20; ++i) world.feed(end, std::string(100, '\xff'));
    CHECK_FALSE(end.is_gone());
    CHECK(world.endpoint.stats().protocol_errors == 0);
    CHECK(world.endpoint.stats().bad_requests == 1);
    CHECK(world.service.requests == 0);
  }
  SECTION("beyond every number") {
    world.feed(end, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 18446744073709551615\r\n\r\n");
    CHECK(status_of(end.pipe->written) == 413);
  }
  SECTION("none at all") {
    world.feed(end, "POST / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(status_of(end.pipe->written) == 200);
    CHECK(world.service.body.empty());
  }
  world.finish(end);
  CHECK(end.is_gone());
}

TEST_CASE("session: requests that are refused", "[session][http]") {
  struct Case {
    std::string name;
    std::string request;
    int status;
    std::string field{};
  };
  std::string version = std::string{test::upgrade_request};
  version.replace(version.find("Version: 13"), 11, "Version: 12");
  std::string not_get = std::string{test::upgrade_request};
  not_get.replace(0, 3, "PUT");
  std::string no_key = std::string{test::upgrade_request};
  no_key.erase(no_key.find("Sec-WebSocket-Key"), 45);
  const std::vector<Case> cases{
      {"garbage", "hello\r\n\r\n", 400},
      {"a TLS hello", std::string("\x16\x03\x01\x00\xa5\x01", 6), 400},
      {"no key", no_key, 400},
      {"version", version, 426, "\r\nSec-WebSocket-Version: 13\r\n"},
      {"upgrade by PUT", not_get, 405, "\r\nAllow: GET\r\n"},
      {"method", "DELETE / HTTP/1.1\r\nHost: h\r\n\r\n", 405, "\r\nAllow: GET, HEAD, POST\r\n"},
      {"chunked", "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501},
      {"HTTP/2", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
      {"head too large", "GET / HTTP/1.1\r\nX: " + std::string(9000, 'x'), 431},
      {"origin", test::upgrade_with("Origin: https://evil.example\r\n"), 403},
      {"origin, almost", test::upgrade_with("Origin: https://game.example.evil\r\n"), 403},
  };
  Config config;
  config.origins = {"https://game.example", "https://other.example"};
  for (const Case& that : cases) {
    INFO(that.name);
    for (const bool in_pieces : {false, true}) {
      SessionWorld world{config};
      End end = world.accept();
      world.feed(end, that.request,
                 in_pieces ? test::every_byte(that.request.size()) : std::vector<std::size_t>{});
      CHECK(status_of(end.pipe->written) == that.status);
      CHECK_THAT(end.pipe->written, ContainsSubstring(that.field));
      CHECK_THAT(end.pipe->written, ContainsSubstring("\r\nConnection: close\r\n"));
      CHECK(end.pipe->half_closed);
      CHECK(world.service.requests + world.service.upgrades == 0);
      const auto& stats = world.endpoint.stats();
      CHECK(stats.bad_requests + stats.origins_refused + stats.requests == 1);
      world.feed(end, close_frame(1000));  // it may have believed that it was let in
      world.feed(end, "more of it\r\n\r\n");
      CHECK_FALSE(end.is_gone());
      world.finish(end);
      CHECK(end.is_gone());
      CHECK(world.endpoint.opening_count() == 0);
      CHECK(world.service.take().empty());
    }
  }
  SECTION("an origin on the list, and none at all, are let in") {
    SessionWorld world{config};
    End page = world.accept();
    world.feed(page, test::upgrade_with("Origin: https://other.example\r\n"));
    CHECK(status_of(page.pipe->written) == 101);
    End program = world.accept();
    world.feed(program, test::upgrade_request);
    CHECK(status_of(program.pipe->written) == 101);
  }
}

TEST_CASE("session: a large head in one read is answered too", "[session][http]") {
  SessionWorld world;
  End end = world.accept();
  world.feed(end, "GET / HTTP/1.1\r\n");
  world.feed(end, "X: " + std::string(200'000, 'x'));
  CHECK(status_of(end.pipe->written) == 431);
}

TEST_CASE("session: a response cannot be broken from inside", "[session][http]") {
  SessionWorld world;
  std::array<HeaderField, 7> fields{{{"X-Good", "yes"},
                                     {"X-Bad", "a\r\nSet-Cookie: b"},
                                     {"X Bad", "c"},
                                     {"X-Bad:\r\nY", "d"},
                                     {"content-length", "77"},
                                     {"Transfer-Encoding", "chunked"},
                                     {"connection", "keep-alive"}}};
  unsigned status = 200;
  world.service.when_request = [&](const Request&, Decision& decision) {
    decision.respond({.status = status,
                      .content_type = "text/plain\r\nX-Injected: 1",
                      .body = as_bytes("ok"),
                      .headers = fields});
  };
  End end = world.accept();
  world.feed(end, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(end.pipe->take() ==
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Good: yes\r\nConnection: close\r\n\r\nok");
  for (const unsigned wrong : {0U, 101U, 199U, 600U, 70000U}) {
    status = wrong;
    End other = world.accept();
    world.feed(other, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(status_of(other.pipe->written) == 500);
  }
}

TEST_CASE("session: a request that takes too long", "[session][deadline]") {
  SessionWorld world{quick()};
  End end = world.accept();
  SECTION("begun: 408") {
    world.feed(end, "GET / HT");
    world.wait(4990ms);  // what trickles in gains no time
    world.feed(end, "TP/1.1\r\n");
    CHECK(end.pipe->written.empty());
    world.wait(100ms);
    CHECK(status_of(end.pipe->written) == 408);
    CHECK(end.pipe->half_closed);
    world.finish(end);
  }
  SECTION("with its body outstanding: 408") {
    world.feed(end, post("1234", 5));
    world.wait(5100ms);
    CHECK(status_of(end.pipe->written) == 408);
    world.finish(end);
  }
  SECTION("not begun: nothing is said") {
    world.wait(5100ms);
    CHECK(end.pipe->written.empty());
  }
  CHECK(end.is_gone());
  CHECK(world.endpoint.stats().upgrade_timeouts == 1);
  CHECK(world.endpoint.opening_count() == 0);
}

// The client's handshake.

TEST_CASE("session: a client connects", "[session][client]") {
  SessionWorld world;
  const std::string frames = to_client({0x81, "one"}) + to_client({0x82, "two"});
  // The answer to the key that the seeded entropy gives comes from a server of ours.
  const auto answer_to = [&](End& client) {
    End server = world.accept();
    world.feed(server, client.pipe->take());
    return server.pipe->take();
  };
  SECTION("with frames right behind the answer, at every split") {
    for (std::size_t cut = 1; cut < test::upgrade_response.size() + frames.size(); ++cut) {
      End client = world.dial();
      const std::string stream = answer_to(client) + frames;
      world.feed(client, stream, {cut});
      CHECK(world.client_service.take() == Notes{"open", "text one", "binary two"});
    }
    CHECK(world.client_endpoint.opening_count() == 0);
  }
  SECTION("byte by byte") {
    End client = world.dial();
    const std::string stream = answer_to(client) + frames;
    world.feed(client, stream, test::every_byte(stream.size()));
    CHECK(world.client_service.take() == Notes{"open", "text one", "binary two"});
  }
  SECTION("and its frames are masked, each with a key of its own") {
    End client = world.dial();
    world.feed(client, answer_to(client));
    client.session->send({as_bytes("secret"), MessageKind::text});
    client.session->send({as_bytes("secret"), MessageKind::text});
    world.run();
    const std::string wire = client.pipe->take();
    REQUIRE(wire.size() == 24);
    CHECK(wire.substr(0, 12) != wire.substr(12));
    CHECK(test::decode(wire, Role::server, websocket::Limits{}) ==
          Seen{test::text("secret"), test::text("secret")});
    client.session->close(CloseReason::finished, 1000, "bye");
    world.run();
    CHECK(test::decode(client.pipe->take(), Role::server, websocket::Limits{}) ==
          Seen{test::closed(1000, "bye")});
    world.feed(client, to_client({0x88, close_payload(1000)}));
    CHECK(client.is_gone());
    CHECK(world.client_service.take() == Notes{"open", "close finished 1000 bye"});
  }
  SECTION("and the server wants what was not offered") {
    const std::array<std::string_view, 1> offered{"a"};
    End client = world.dial({.host = "h", .subprotocols = offered});
    std::string answer = answer_to(client);
    answer.insert(answer.size() - 2, "Sec-WebSocket-Protocol: b\r\n");
    world.feed(client, answer);
    CHECK(client.is_gone());
    CHECK_THAT(world.client_service.take().at(0), StartsWith("close protocol_error by peer 0"));
  }
}

TEST_CASE("session: a client is not let in", "[session][client]") {
  SessionWorld world{quick()};
  End client = world.dial();
  SECTION("refused") {
    world.feed(client, "HTTP/1.1 403 Go Away\r\nContent-Length: 5\r\n\r\nno no", {20});
    CHECK(world.client_service.take() == Notes{"close refused by peer 403 Go Away"});
  }
  SECTION("the answer belongs to another key") {
    world.feed(client, test::upgrade_response);
    CHECK(world.client_service.take() ==
          Notes{"close protocol_error by peer 0 a handshake header is missing or wrong"});
  }
  SECTION("garbage") {
    world.feed(client, "SSH-2.0-OpenSSH\r\n\r\n");
    CHECK_THAT(world.client_service.take().at(0), StartsWith("close protocol_error by peer 0"));
  }
  SECTION("a head without an end") {
    world.feed(client, "HTTP/1.1 200 OK\r\nX: " + std::string(4000, 'x'));
    world.feed(client, std::string(4200, 'x'));
    CHECK(world.client_service.take() ==
          Notes{"close protocol_error by peer 0 larger than the limit"});
  }
  SECTION("silence") {
    world.wait(4990ms);
    CHECK_FALSE(client.is_gone());
    world.wait(100ms);
    CHECK(world.client_service.take() ==
          Notes{"close timed_out by peer 0 no answer to the opening handshake"});
    CHECK(world.client_endpoint.stats().upgrade_timeouts == 1);
  }
  SECTION("the server ends") {
    world.feed(client, "HTTP/1.1 101 Sw");
    world.finish(client);
    CHECK(world.client_service.take() == Notes{"close connection_lost by peer 0"});
  }
  SECTION("the transport could not be established") {
    client.session->fail_to_connect("nobody there");
    world.run();
    CHECK(world.client_service.take() == Notes{"close connect_failed by peer 0 nobody there"});
  }
  SECTION("its owner changes his mind") {
    client.session->close(CloseReason::finished);
    CHECK_FALSE(client.session->is_preparing());
    world.run();
    CHECK(world.client_service.take() == Notes{"close finished 1000"});
  }
  CHECK(client.is_gone());
  CHECK(world.client_endpoint.opening_count() == 0);
  CHECK(world.client_endpoint.session_count() == 0);
}

TEST_CASE("session: a client with a request that must not be sent", "[session][client]") {
  SessionWorld world;
  End client = world.dial({.host = "h", .target = "/a b"});
  CHECK(client.pipe->written.empty());
  CHECK(client.is_gone());
  CHECK_THAT(world.client_service.take().at(0), StartsWith("close connect_failed"));
}

// Deadlines.

TEST_CASE("session: the first message has a deadline", "[session][deadline]") {
  SessionWorld world{quick()};
  End end = world.open();
  SECTION("and pings do not move it") {
    for (int i = 0; i < 29; ++i) {
      world.wait(100ms);
      world.feed(end, ping_frame());
    }
    CHECK(world.service.take().empty());
    world.wait(200ms);
    CHECK(world.service.take() == Notes{"fault timed_out by peer 1008 no message in time"});
    CHECK(world.endpoint.stats().first_message_timeouts == 1);
    CHECK(seen(end).back() == test::closed(1008, "no message in time"));
    CHECK(end.pipe->half_closed);
    world.finish(end);
    CHECK(world.service.take() == Notes{"close timed_out 1008 no message in time"});
  }
  SECTION("and half a message does not meet it") {
    world.feed(end, text_frame("half").substr(0, 8));
    world.wait(3100ms);
    CHECK_THAT(world.service.take().at(0), StartsWith("fault timed_out"));
  }
  SECTION("which the first message ends") {
    world.wait(2900ms);
    world.feed(end, text_frame("x"));
    world.wait(9s);
    CHECK(world.service.take() == Notes{"text x"});
    CHECK(end.pipe->written.empty());
  }
}

TEST_CASE("session: silence brings a ping, and more silence the end", "[session][deadline]") {
  Config config = quick();
  config.first_message_timeout = 0s;
  SessionWorld world{config};
  End end = world.open();
  world.wait(9990ms);
  CHECK(end.pipe->written.empty());
  world.wait(50ms);
  CHECK(seen(end) == Seen{test::ping("")});
  SECTION("no answer") {
    world.wait(14900ms);
    CHECK(world.service.take().empty());
    world.wait(100ms);
    CHECK(world.service.take() == Notes{"fault timed_out by peer 1001 no sign of life"});
    CHECK(seen(end) == Seen{test::closed(1001, "no sign of life")});
    CHECK(world.endpoint.stats().idle_timeouts == 1);
    CHECK(world.endpoint.stats().pings == 1);
    world.wait(2100ms);
    CHECK(end.is_gone());
    CHECK(world.service.take() == Notes{"close timed_out 1001 no sign of life"});
    CHECK(world.endpoint.stats().close_timeouts == 1);
  }
  SECTION("any activity counts: a pong, half a frame, a frame's first byte") {
    for (const std::string& sign : {to_server({0x8a, ""}), text_frame("hello").substr(0, 7),
                                    text_frame("hello").substr(7, 1)}) {
      world.feed(end, sign);
      world.wait(9980ms);
      CHECK(end.pipe->written.empty());
      world.wait(60ms);
      CHECK(seen(end) == Seen{test::ping("")});
    }
    CHECK(world.service.take().empty());
  }
}

TEST_CASE("session: pings keep their interval under a long idle timeout", "[session][deadline]") {
  Config config = quick();
  config.first_message_timeout = 0s;
  config.idle_timeout = 1h;
  SessionWorld world{config};
  End end = world.open();
  for (int i = 0; i < 10; ++i) {
    world.wait(10050ms);
    CHECK(seen(end) == Seen{test::ping("")});
    world.feed(end, to_server({0x8a, ""}));
  }
  world.wait(2h);
  CHECK(end.is_gone());
}

TEST_CASE("session: no deadline at all", "[session][deadline]") {
  Config config;
  config.ping_interval = 0s;
  config.idle_timeout = 0s;
  SessionWorld world{config};
  End end = world.open();
  world.wait(24h * 30);
  CHECK(world.service.take().empty());
  CHECK(end.pipe->written.empty());
  world.feed(end, text_frame("still here"));
  CHECK(world.service.take() == Notes{"text still here"});
}

TEST_CASE("session: no deadline comes early, at whatever time it begins", "[session][deadline]") {
  for (int offset = 0; offset < 40; ++offset) {
    SessionWorld world{quick()};
    world.sleep(offset * 1700us);
    const auto within = [&](duration length, auto happened) {
      world.wait(length - 1us);
      const bool early = happened();
      world.wait(50ms);
      return !early && happened();
    };
    const auto heard = [&](std::string_view what) {
      return [&world, what] {
        return !world.service.notes.empty() && world.service.notes.back().starts_with(what);
      };
    };
    End request = world.accept();
    CHECK(within(5s, [&] { return request.is_gone(); }));
    End first = world.open();
    CHECK(within(3s, heard("fault")));
    CHECK(within(2s - 50ms + 1us, heard("close")));
    End idle = world.open();
    world.feed(idle, text_frame("x"));
    CHECK(within(10s, [&] { return !idle.pipe->written.empty(); }));
    CHECK(within(15s - 50ms + 1us, heard("fault timed_out")));
  }
}

// The end.

TEST_CASE("session: closed by this side", "[session][close]") {
  SessionWorld world{quick()};
  End end = world.open();
  end.session->send({as_bytes("before"), MessageKind::text});
  end.session->close(CloseReason::kicked, 4001, "kicked", {as_bytes("last"), MessageKind::text});
  CHECK(end.session->send({as_bytes("after")}) == SendStatus::closed);
  world.run();
  CHECK(seen(end) == Seen{test::text("before"), test::text("last"), test::closed(4001, "kicked")});
  CHECK_FALSE(end.pipe->half_closed);
  CHECK_FALSE(end.is_gone());
  SECTION("the peer answers; what it sent before that is ignored") {
    world.feed(end, text_frame("ignored") + ping_frame("ignored"));
    CHECK(end.pipe->written.empty());
    world.feed(end, close_frame(4001));
    CHECK(end.is_gone());
    CHECK(world.endpoint.stats().close_timeouts == 0);
  }
  SECTION("the peer just ends") {
    world.finish(end);
    CHECK(end.is_gone());
  }
  SECTION("the peer breaks") {
    end.session->broke();
    world.run();
    CHECK(end.is_gone());
  }
  SECTION("the peer sends what it must not: the last words still arrive") {
    world.feed(end, "\xff\xff\xff");
    CHECK(end.pipe->half_closed);
    CHECK_FALSE(end.is_gone());
    world.feed(end, "\xff\xff\xff");
    CHECK(world.endpoint.stats().protocol_errors == 0);
    world.finish(end);
    CHECK(end.is_gone());
  }
  SECTION("the peer does not answer") {
    world.wait(1990ms);
    world.feed(end, text_frame("I do not care"));
    CHECK_FALSE(end.is_gone());
    world.wait(100ms);
    CHECK(end.is_gone());
    CHECK(world.endpoint.stats().close_timeouts == 1);
  }
  CHECK(world.service.take() == Notes{"close kicked 4001 kicked"});
}

TEST_CASE("session: a close by a timer of the application has its whole time", "[session][close]") {
  SessionWorld world{quick()};
  End end = world.open();
  world.feed(end, text_frame("x"));
  world.sleep(9s);  // nothing was due, so the endpoint was not asked
  end.session->close(CloseReason::kicked);
  world.run();
  world.wait(1990ms);
  CHECK_FALSE(end.is_gone());
  world.wait(100ms);
  CHECK(end.is_gone());
}

TEST_CASE("session: a close with a code that must not be sent has none", "[session][close]") {
  for (const unsigned code : {0U, 999U, 1004U, 1005U, 1006U, 1010U, 1015U, 2999U, 5000U}) {
    SessionWorld world;
    End end = world.open();
    end.session->close(CloseReason::kicked, static_cast<std::uint16_t>(code), "text");
    world.run();
    CHECK(end.pipe->take() == std::string("\x88\x00", 2));
  }
}

TEST_CASE("session: closed by the peer", "[session][close]") {
  SessionWorld world;
  End end = world.open();
  SECTION("with code and text: the code is echoed") {
    world.feed(end, close_frame(4242, "so long") + text_frame("ignored"));
    CHECK(seen(end) == Seen{test::closed(4242)});
    CHECK(world.service.take() == Notes{"close finished by peer 4242 so long"});
  }
  SECTION("without a code") {
    world.feed(end, to_server({0x88, ""}));
    CHECK(end.pipe->take() == std::string("\x88\x00", 2));
    CHECK(world.service.take() == Notes{"close finished by peer 0"});
  }
  SECTION("behind a message whose answer still leaves") {
    world.service.when_message = [](Connection& connection, const Message& message) {
      connection.send(message);
    };
    world.feed(end, text_frame("echo") + close_frame(1000));
    CHECK(seen(end) == Seen{test::text("echo"), test::closed(1000)});
    CHECK(world.service.take() == Notes{"text echo", "close finished by peer 1000"});
  }
  SECTION("and its end in the same pass") {
    end.session->feed(close_frame(1000), world.now);
    world.finish(end);
    CHECK(seen(end) == Seen{test::closed(1000)});
    CHECK(world.service.take() == Notes{"close finished by peer 1000"});
  }
  CHECK(end.is_gone());
}

TEST_CASE("session: closed by both at once", "[session][close]") {
  SessionWorld world;
  End end = world.open();
  SECTION("ours is queued") { end.session->close(CloseReason::finished, 1000, "ours"); }
  SECTION("ours is written") {
    end.session->close(CloseReason::finished, 1000, "ours");
    world.run();
  }
  world.feed(end, close_frame(4000, "theirs"));
  CHECK(seen(end) == Seen{test::closed(1000, "ours")});
  CHECK(end.is_gone());
  CHECK(world.service.take() == Notes{"close finished 1000 ours"});
}

TEST_CASE("session: the peer ends without a Close", "[session][close]") {
  SessionWorld world;
  End end = world.open();
  world.finish(end);
  CHECK(end.is_gone());
  CHECK(end.pipe->written.empty());
  CHECK(world.service.take() == Notes{"close connection_lost by peer 0"});
}

TEST_CASE("session: a broken transport", "[session][close]") {
  SessionWorld world;
  End end = world.open();
  end.pipe->is_broken = true;
  end.session->send({as_bytes("x")});
  CHECK(world.service.take().empty());
  world.run();
  CHECK(end.is_gone());
  CHECK(world.service.take() == Notes{"close connection_lost by peer 0"});
}

TEST_CASE("session: what a peer must not send ends its connection", "[session][fault]") {
  struct Case {
    std::string bytes;
    std::string fault;
    std::uint16_t code;
  };
  Config config = quick();
  config.max_message = 1000;
  const std::vector<Case> cases{
      {to_server({0xc1, "x"}), "protocol_error", 1002},
      {to_server({0x83, "x"}), "protocol_error", 1002},
      {to_client({0x81, "x"}), "protocol_error", 1002},
      {to_server({0x88, "x"}), "protocol_error", 1002},
      {close_frame(1005), "protocol_error", 1002},
      {to_server({0x81, "\xff"}), "protocol_error", 1007},
      {to_server({0x82, std::string(1001, 'x')}), "too_large", 1009},
  };
  for (const Case& that : cases) {
    INFO(that.fault << ' ' << that.code);
    SessionWorld world{config};
    bool has_last_words = true;
    world.service.when_fault = [&](Connection& connection) {
      if (!has_last_words) return;
      connection.close(CloseReason::protocol_error, 4400, "mind your bytes",
                       {as_bytes("last"), MessageKind::text});
    };
    for (const bool speaks : {false, true}) {
      has_last_words = speaks;
      End end = world.open();
      world.feed(end, text_frame("fine") + that.bytes + text_frame("ignored"));
      Notes notes = world.service.take();
      REQUIRE(notes.size() == 2);
      CHECK(notes[0] == "text fine");
      CHECK_THAT(notes[1],
                 StartsWith("fault " + that.fault + " by peer " + std::to_string(that.code)));
      const Seen out = seen(end);
      if (speaks) {
        CHECK(out == Seen{test::text("last"), test::closed(4400, "mind your bytes")});
      } else {
        REQUIRE(out.size() == 1);
        CHECK(out[0].code == that.code);
      }
      // Lingers, so that the last words arrive, until the peer's end or the deadline.
      CHECK(end.pipe->half_closed);
      world.feed(end, "\xff\xff\xff\xff");
      CHECK_FALSE(end.is_gone());
      if (speaks) {
        world.finish(end);
      } else {
        world.wait(2100ms);
      }
      CHECK(end.is_gone());
      CHECK(world.service.take().size() == 1);
    }
    CHECK(world.endpoint.stats().protocol_errors + world.endpoint.stats().oversized == 2);
    CHECK(world.endpoint.stats().oversized == (that.code == 1009 ? 2 : 0));
  }
}

TEST_CASE("session: a write that blocks during the close ends with the deadline",
          "[session][close]") {
  const std::vector<std::function<void(SessionWorld&, End&)>> ways{
      [](SessionWorld&, End& end) { end.session->close(CloseReason::kicked, 4001, "slow"); },
      [](SessionWorld& world, End& end) { world.feed(end, close_frame(4001)); },
      [](SessionWorld& world, End& end) { world.feed(end, "\xff\xff"); },
      [](SessionWorld& world, End& end) {  // answered by the peer, which ends
        end.session->close(CloseReason::kicked, 4001, "slow");
        world.feed(end, close_frame(4001));
        world.finish(end);
      }};
  for (std::size_t way = 0; way < ways.size(); ++way) {
    for (const bool moves : {false, true}) {
      INFO("way " << way << (moves ? ", moves again" : ", stays blocked"));
      SessionWorld world{quick()};
      End end = world.open();
      world.feed(end, text_frame("x"));
      end.session->give_room(3);
      end.session->send({as_bytes("payload")});
      ways[way](world, end);
      world.run();
      CHECK(end.pipe->written.size() == 3);
      world.wait(1980ms);
      CHECK_FALSE(end.is_gone());
      if (moves) {
        end.session->give_room(test::Pipe::unlimited);
        world.run();
        CHECK(end.pipe->written.substr(2, 7) == "payload");
        CHECK(static_cast<unsigned char>(end.pipe->written.at(9)) == 0x88);
      }
      world.wait(100ms);
      CHECK(end.is_gone());
      CHECK_THAT(world.service.take().back(), StartsWith("close "));
    }
  }
}

// Control frames.

TEST_CASE("session: pings are answered", "[session][ping]") {
  SessionWorld world;
  End end = world.open();
  world.feed(end, ping_frame("a"));
  CHECK(seen(end) == Seen{test::pong("a")});
  world.feed(end, ping_frame(std::string(125, 'p')));
  CHECK(seen(end) == Seen{test::pong(std::string(125, 'p'))});
  world.feed(end, to_server({0x01, "frag"}) + ping_frame("between") + to_server({0x80, "ment"}));
  CHECK(seen(end) == Seen{test::pong("between")});
  CHECK(world.service.take() == Notes{"text fragment"});
  SECTION("only the newest while the transport is full") {
    end.session->give_room(1);
    end.session->send({as_bytes("x")});
    world.run();
    for (int i = 0; i < 1000; ++i) world.feed(end, ping_frame(std::to_string(i)));
    end.session->give_room(test::Pipe::unlimited);
    world.run();
    CHECK(seen(end) == Seen{test::binary("x"), test::pong("999")});
  }
}

TEST_CASE("session: a message limit of its own", "[session][limits]") {
  Config config;
  config.max_message = 1000;
  SessionWorld world{config};
  world.service.when_open = [](Connection& connection) { connection.limit_receive(100); };
  End end = world.open();
  SECTION("lowered, rounded up to a power of two") {
    world.feed(end, to_server({0x82, std::string(128, 'x')}));
    CHECK(world.service.take().size() == 1);
    world.feed(end, to_server({0x82, std::string(129, 'x')}));
    CHECK_THAT(world.service.take().at(0), StartsWith("fault too_large"));
  }
  SECTION("raised again, but never above the configured one") {
    end.session->limit_receive(std::size_t{1} << 40);
    world.feed(end, to_server({0x82, std::string(1000, 'x')}));
    CHECK(world.service.take().size() == 1);
    world.feed(end, to_server({0x82, std::string(1001, 'x')}));
    CHECK_THAT(world.service.take().at(0), StartsWith("fault too_large"));
  }
  SECTION("of nothing") {
    end.session->limit_receive(0);
    world.feed(end, to_server({0x82, "x"}) + to_server({0x82, "xy"}));
    CHECK(world.service.take().size() == 2);
  }
}
