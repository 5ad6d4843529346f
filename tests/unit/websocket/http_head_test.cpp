// SPDX-License-Identifier: MIT
// HTTP heads: what is accepted, what is refused, and with which status.
#include <muster/websocket/http_head.hpp>

#include "support/catch.hpp"

#include <optional>
#include <string>
#include <string_view>

using muster::as_bytes;
using muster::errc;
using muster::websocket::default_max_head;
using muster::websocket::header_field_capacity;
using muster::websocket::HeadResult;
using muster::websocket::parse_request_head;
using muster::websocket::parse_response_head;
using muster::websocket::RequestHead;
using muster::websocket::ResponseHead;
using State = HeadResult::State;

namespace {

HeadResult parse(std::string_view text, RequestHead& head, std::size_t max = 8192) {
  std::size_t scanned = 0;
  return parse_request_head(as_bytes(text), scanned, head, max);
}

// The status that refuses a head; 0 if it is accepted. The verdict must not depend on how it
// arrives.
unsigned refusal(const std::string& text, std::size_t max = 8192) {
  RequestHead head;
  const HeadResult whole = parse(text, head, max);
  std::size_t scanned = 0;
  HeadResult piecewise;
  for (std::size_t size = 1; size <= text.size() && piecewise.state == State::incomplete; ++size) {
    piecewise = parse_request_head(as_bytes(text).first(size), scanned, head, max);
  }
  CHECK(piecewise.state == whole.state);
  CHECK(piecewise.status == whole.status);
  CHECK(piecewise.error == whole.error);
  CHECK(piecewise.size == whole.size);
  return whole.state == State::complete ? 0 : whole.status;
}

std::string with_field(const std::string& line) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + line + "\r\n\r\n";
}

std::string with_target(const std::string& target) {
  return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

}  // namespace

TEST_CASE("http head: a request's parts are found", "[websocket][http]") {
  const std::string text =
      "POST /rooms/a%20b?x=1&y=2?3 HTTP/1.1\r\n"
      "Host: game.example:8080\r\n"
      "CONTENT-LENGTH: 5\r\n"
      "Empty:\r\n"
      "Padded: \t two words \t\r\n"
      "Connection: keep-alive , Upgrade\r\n"
      "connection: third\r\n"
      "\r\n";
  RequestHead head;
  const std::string with_body = text + "hello";
  const HeadResult parsed = parse(with_body, head);
  REQUIRE(parsed.state == State::complete);
  CHECK(parsed.size == text.size());
  CHECK(head.method == "POST");
  CHECK(head.target == "/rooms/a%20b?x=1&y=2?3");
  CHECK(head.path == "/rooms/a%20b");
  CHECK(head.query == "x=1&y=2?3");
  CHECK(head.minor_version == 1);
  CHECK(head.content_length == 5);
  CHECK(head.headers.all().size() == 6);
  CHECK(head.headers.find("host") == "game.example:8080");
  CHECK(head.headers.find("Empty") == "");
  CHECK(head.headers.find("padded") == "two words");
  CHECK(head.headers.find("missing") == std::nullopt);
  CHECK(head.headers.count("CONNECTION") == 2);
  for (const char* token : {"keep-alive", "upgrade", "UPGRADE", "third"}) {
    CHECK(head.headers.has_token("Connection", token));
  }
  for (const char* token : {"keep", "alive", "keep-alive , upgrade", ""}) {
    CHECK_FALSE(head.headers.has_token("Connection", token));
  }
}

TEST_CASE("http head: targets are split into path and query", "[websocket][http]") {
  const std::pair<std::string, std::pair<std::string, std::string>> cases[] = {
      {"/", {"/", ""}},
      {"/?", {"/", ""}},
      {"/a?b#", {}},
      {"//a", {"//a", ""}},
      {"http://a.b:80/c?d", {"/c", "d"}},
      {"WS://a", {"/", ""}},
      {"wss://a?q", {"/", "q"}},
      {"ftp://a/", {}},
      {"http:///a", {}},
      {"a", {}},
      {"*", {}},
      {"", {}},
      {"/\xC3\xA9", {}},
      {"/a b", {}},
  };
  for (const auto& [target, expected] : cases) {
    CAPTURE(target);
    RequestHead head;
    const std::string text = with_target(target);
    if (expected.first.empty()) {
      CHECK(refusal(text) == 400);
      continue;
    }
    REQUIRE(parse(text, head).state == State::complete);
    CHECK(head.path == expected.first);
    CHECK(head.query == expected.second);
  }
  CHECK(refusal("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n") == 0);
}

TEST_CASE("http head: what parsers read in different ways is refused", "[websocket][http]") {
  using namespace std::literals;
  for (const std::string& text : {
           "GET / HTTP/1.1\nHost: a\n\n"s, "GET / HTTP/1.1\r\nHost: a\n\r\n"s,
           "GET / HTTP/1.1\r\nHost: a\r\n\n"s, "GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n"s,
           "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"s, "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"s,
           "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"s, " GET / HTTP/1.1\r\nHost: a\r\n\r\n"s,
           "GET /\r\nHost: a\r\n\r\n"s, "GET\r\n\r\n"s, "G@T / HTTP/1.1\r\nHost: a\r\n\r\n"s,
           "GET / http/1.1\r\nHost: a\r\n\r\n"s, "GET / HTTP/1.10\r\nHost: a\r\n\r\n"s,
           "GET / HTTP/1.1\r\n\r\n"s, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"s,
           "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"s, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"s,
           "\x16\x03\x01\x02"s,  // a TLS handshake on a port without TLS
       }) {
    CAPTURE(text);
    CHECK(refusal(text) == 400);
  }
  for (const std::string& line : {"Folded: a\r\n b"s,
                                  "Folded: a\r\n\tb"s,
                                  " Leading: a"s,
                                  "Blank : a"s,
                                  "No colon"s,
                                  ": a"s,
                                  "Nul: a\0b"s,
                                  "Bell: \a"s,
                                  "Del: \x7f"s,
                                  "Br(cket: a"s,
                                  "Content-Length: "s,
                                  "Content-Length: -1"s,
                                  "Content-Length: +1"s,
                                  "Content-Length: 1 "s + "1"s,
                                  "Content-Length: 5, 5"s,
                                  "Content-Length: 0x5"s,
                                  "Content-Length: 18446744073709551616"s,
                                  "Content-Length: 5\r\nContent-Length: 5"s,
                                  "Sec-WebSocket-Key: a\r\nSec-WebSocket-Key: a"s,
                                  "Sec-WebSocket-Version: 13\r\nsec-websocket-version: 13"s}) {
    CAPTURE(line);
    CHECK(refusal(with_field(line)) == 400);
  }
  for (const std::string& line :
       {"Tab: a\tb"s, "Latin: caf\xE9"s, "Content-Length: 18446744073709551615"s, "Empty:"s}) {
    CAPTURE(line);
    CHECK(refusal(with_field(line)) == 0);
  }
}

TEST_CASE("http head: versions and transfer codings that are not spoken have their own status",
          "[websocket][http]") {
  CHECK(refusal("GET / HTTP/2.0\r\nHost: a\r\n\r\n") == 505);
  CHECK(refusal("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") == 505);
  CHECK(refusal(with_field("Transfer-Encoding: chunked")) == 501);
  CHECK(refusal("GET / HTTP/1.0\r\n\r\n") == 0);
  RequestHead head;
  REQUIRE(parse("GET / HTTP/1.0\r\n\r\n", head).state == State::complete);
  CHECK(head.minor_version == 0);
}

TEST_CASE("http head: the limit is exact", "[websocket][http]") {
  for (const std::size_t limit : {64U, 512U, 8192U}) {
    const std::size_t rest = with_field("Pad: ").size();
    const std::string fits = with_field("Pad: " + std::string(limit - rest, 'x'));
    REQUIRE(fits.size() == limit);
    CHECK(refusal(fits, limit) == 0);
    CHECK(refusal(fits, limit - 1) == 431);
    CHECK(refusal(fits + "a body that does not count", limit) == 0);
  }
  CHECK(refusal(std::string(8192, 'x')) == 431);
}

TEST_CASE("http head: 100 fields are taken, one more is refused", "[websocket][http]") {
  std::string lines = "F: 1";
  for (int i = 0; i < 98; ++i) lines += "\r\nF: 1";
  CHECK(refusal(with_field(lines)) == 0);  // and Host
  CHECK(refusal(with_field(lines + "\r\nF: 1")) == 431);
}

TEST_CASE("http head: the limit of fields is the caller's, up to what there is room for",
          "[websocket][http]") {
  for (const std::size_t limit : {std::size_t{2}, std::size_t{16}, header_field_capacity}) {
    std::string lines = "F: 1";
    for (std::size_t i = 2; i < limit; ++i) lines += "\r\nF: 1";
    const auto parse_with = [&](const std::string& text) {
      std::size_t scanned = 0;
      RequestHead head;
      return parse_request_head(as_bytes(text), scanned, head, default_max_head, limit).status;
    };
    CHECK(parse_with(with_field(lines)) == 0);
    CHECK(parse_with(with_field(lines + "\r\nF: 1")) == 431);
    std::size_t scanned = 0;
    ResponseHead response;
    const std::string answer = "HTTP/1.1 200 OK\r\n" + lines + "\r\nF: 1\r\n\r\n";
    CHECK(parse_response_head(as_bytes(answer), scanned, response, default_max_head, limit).state ==
          State::complete);
    scanned = 0;
    const std::string more = "HTTP/1.1 200 OK\r\nF: 1\r\n" + lines + "\r\nF: 1\r\n\r\n";
    CHECK(parse_response_head(as_bytes(more), scanned, response, default_max_head, limit).error ==
          errc::too_large);
  }
}

TEST_CASE("http head: bytes that were looked at are not looked at again", "[websocket][http]") {
  const std::string text = with_field("Pad: " + std::string(1000, 'x'));
  std::size_t scanned = 0;
  RequestHead head;
  for (std::size_t size = 0; size < text.size(); ++size) {
    const auto parsed = parse_request_head(as_bytes(text).first(size), scanned, head);
    REQUIRE(parsed.state == State::incomplete);
    REQUIRE(scanned == size);
  }
}

TEST_CASE("http head: a response's parts are found", "[websocket][http]") {
  std::size_t scanned = 0;
  ResponseHead head;
  const std::string text =
      "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\nVia: a\r\nVia: b\r\n\r\n";
  const HeadResult parsed = parse_response_head(as_bytes(text), scanned, head);
  REQUIRE(parsed.state == State::complete);
  CHECK(parsed.size == text.size());
  CHECK(head.status == 404);
  CHECK(head.reason == "Not Found");
  CHECK(head.headers.count("via") == 2);
  for (const char* good : {"HTTP/1.1 200 \r\n\r\n", "HTTP/1.0 200\r\n\r\n"}) {
    scanned = 0;
    CHECK(parse_response_head(as_bytes(good), scanned, head).state == State::complete);
  }
  for (const char* bad :
       {"HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 abc OK\r\n\r\n", "HTTP/3.0 200 OK\r\n\r\n", "ICY 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nSec-WebSocket-Accept: a\r\nSec-WebSocket-Accept: a\r\n\r\n"}) {
    CAPTURE(bad);
    scanned = 0;
    const HeadResult refused = parse_response_head(as_bytes(bad), scanned, head);
    CHECK(refused.state == State::malformed);
    CHECK(refused.status == 0);
  }
}
