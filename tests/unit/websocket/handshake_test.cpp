// SPDX-License-Identifier: MIT
// The opening handshake, both sides.
#include <muster/websocket/handshake.hpp>

#include "support/catch.hpp"

#include <array>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

using muster::as_bytes;
using muster::errc;
using muster::HeaderField;
using muster::websocket::check_upgrade;
using muster::websocket::check_upgrade_response;
using muster::websocket::ClientHandshake;
using muster::websocket::HandshakeKey;
using muster::websocket::HeadResult;
using muster::websocket::make_handshake_key;
using muster::websocket::make_upgrade_request;
using muster::websocket::RequestHead;
using muster::websocket::ResponseHead;
using muster::websocket::upgrade_response_size;
using muster::websocket::UpgradeCheck;
using muster::websocket::UpgradeOffer;
using muster::websocket::write_upgrade_response;

namespace {

struct Checked {
  UpgradeCheck check;
  std::string accept;
  std::vector<std::string> subprotocols;
};

Checked check_request(const std::string& text) {
  RequestHead head;
  std::size_t scanned = 0;
  REQUIRE(parse_request_head(as_bytes(text), scanned, head).state == HeadResult::State::complete);
  UpgradeOffer offer;
  Checked out{check_upgrade(head, offer), {offer.accept.data(), offer.accept.size()}, {}};
  out.subprotocols.assign(offer.subprotocols().begin(), offer.subprotocols().end());
  return out;
}

// The example of RFC 6455 section 1.2, with some fields replaced, added, or (empty) left out.
std::string request(std::initializer_list<HeaderField> changes = {},
                    std::string_view line = "GET /chat HTTP/1.1") {
  std::vector<HeaderField> fields{{"Host", "server.example.com"},
                                  {"Upgrade", "websocket"},
                                  {"Connection", "Upgrade"},
                                  {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                                  {"Sec-WebSocket-Version", "13"}};
  for (const HeaderField& change : changes) {
    bool is_new = true;
    for (HeaderField& field : fields) {
      if (field.name == change.name) {
        field.value = change.value;
        is_new = false;
      }
    }
    if (is_new) fields.push_back(change);
  }
  std::string text{line};
  text += "\r\n";
  for (const HeaderField& field : fields) {
    if (field.value.empty()) continue;
    text.append(field.name).append(": ").append(field.value).append("\r\n");
  }
  return text + "\r\n";
}

HandshakeKey sample_key() {
  HandshakeKey key{};
  std::string_view{"dGhlIHNhbXBsZSBub25jZQ=="}.copy(key.data(), key.size());
  return key;
}

struct Answer {
  errc error{};
  std::string subprotocol;
};

Answer check_answer(const std::string& text, std::initializer_list<std::string_view> offered = {}) {
  ResponseHead head;
  std::size_t scanned = 0;
  REQUIRE(parse_response_head(as_bytes(text), scanned, head).state == HeadResult::State::complete);
  const auto answer = check_upgrade_response(head, sample_key(), {offered.begin(), offered.size()});
  return answer ? Answer{errc{}, std::string{answer.value()}} : Answer{answer.error(), {}};
}

const std::string good_answer =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

}  // namespace

TEST_CASE("rfc6455 4.2.2: the example's key has the example's answer", "[websocket][handshake]") {
  const Checked checked = check_request(request());
  CHECK(checked.check.error == errc{});
  CHECK(checked.check.status == 101);
  CHECK(checked.accept == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(checked.subprotocols.empty());
}

TEST_CASE("rfc6455 4.2.1: fields are lists of tokens without regard to case",
          "[websocket][handshake]") {
  CHECK(check_request(request({{"Upgrade", "WebSocket"}, {"Connection", "keep-alive, UPGRADE"}}))
            .check.error == errc{});
  CHECK(check_request(request({{"Upgrade", "h2c, websocket"}})).check.error == errc{});
  // This key is printed in section 4.1, although its last character has bits that no byte uses.
  CHECK(check_request(request({{"Sec-WebSocket-Key", "AQIDBAUGBwgJCgsMDQ4PEC=="}})).check.error ==
        errc{});
}

TEST_CASE("rfc6455 4.2.1: an incomplete or wrong request is refused with its status",
          "[websocket][handshake]") {
  struct Case {
    std::string text;
    errc error;
    unsigned status;
  };
  const Case cases[] = {
      {request({}, "POST /chat HTTP/1.1"), errc::not_websocket, 405},
      {request({}, "get /chat HTTP/1.1"), errc::not_websocket, 405},
      {request({}, "HEAD /chat HTTP/1.1"), errc::not_websocket, 405},
      {request({}, "GET /chat HTTP/1.0"), errc::not_websocket, 426},
      {request({{"Host", ""}}, "GET /chat HTTP/1.0"), errc::not_websocket, 426},
      {request({{"Upgrade", ""}}), errc::not_websocket, 400},
      {request({{"Upgrade", "h2c"}}), errc::not_websocket, 400},
      {request({{"Upgrade", "notwebsocket"}}), errc::not_websocket, 400},
      {request({{"Connection", ""}}), errc::bad_handshake, 400},
      {request({{"Connection", "keep-alive"}}), errc::bad_handshake, 400},
      {request({{"Connection", "no-upgrade"}}), errc::bad_handshake, 400},
      {request({{"Sec-WebSocket-Version", ""}}), errc::bad_handshake, 400},
      {request({{"Sec-WebSocket-Version", "8"}}), errc::unsupported_version, 426},
      {request({{"Sec-WebSocket-Version", "14"}}), errc::unsupported_version, 426},
      {request({{"Sec-WebSocket-Version", "013"}}), errc::unsupported_version, 426},
      {request({{"Sec-WebSocket-Version", "13, 8"}}), errc::unsupported_version, 426},
      {request({{"Sec-WebSocket-Version", "13x"}}), errc::unsupported_version, 426},
      {request({{"Sec-WebSocket-Key", ""}}), errc::bad_handshake, 400},
      {request({{"Sec-WebSocket-Key", "short=="}}), errc::bad_handshake, 400},
      {request({{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ="}}), errc::bad_handshake, 400},
      {request({{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZWE="}}), errc::bad_handshake, 400},
      {request({{"Sec-WebSocket-Key", "dGhlIHNhbX-sZSBub25jZQ=="}}), errc::bad_handshake, 400},
      {request({{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==dGhl"}}), errc::bad_handshake, 400},
      {request({{"Sec-WebSocket-Protocol", "a, b c"}}), errc::bad_handshake, 400},
      {request({{"Sec-WebSocket-Protocol", "a, b, a"}}), errc::bad_handshake, 400},
      {request({{"Sec-WebSocket-Protocol", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q"}}),
       errc::bad_handshake, 400},
      {request({{"Content-Length", "1"}}), errc::bad_handshake, 400},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    const Checked checked = check_request(c.text);
    CHECK(checked.check.error == c.error);
    CHECK(checked.check.status == c.status);
  }
  CHECK(check_request(request({{"Content-Length", "0"}})).check.status == 101);
}

TEST_CASE("rfc6455 4.2.2: the offered subprotocols are listed in the client's order",
          "[websocket][handshake]") {
  CHECK(check_request(request({{"Sec-WebSocket-Protocol", "chat, superchat,v2.game"}}))
            .subprotocols == std::vector<std::string>{"chat", "superchat", "v2.game"});
  CHECK(check_request(request({{"Sec-WebSocket-Protocol", "b"}, {"sec-websocket-protocol", "a"}}))
            .subprotocols == std::vector<std::string>{"b", "a"});
  // No tokens, but what clients send who carry a credential there.
  CHECK(check_request(request({{"Sec-WebSocket-Protocol", "bearer.a/b+c=, x:y@z"}})).subprotocols ==
        std::vector<std::string>{"bearer.a/b+c=", "x:y@z"});
}

TEST_CASE("rfc6455 4.2.2: the response says what was agreed", "[websocket][handshake]") {
  muster::websocket::AcceptValue accept{};
  std::string_view{"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}.copy(accept.data(), accept.size());
  std::array<std::byte, 256> out{};
  const auto text = [&out](std::size_t size) {
    return std::string{muster::as_text(muster::byte_view{out}.first(size))};
  };
  CHECK(text(write_upgrade_response(out, accept)) == good_answer + "\r\n");
  CHECK(upgrade_response_size({}) == good_answer.size() + 2);
  const std::string with_protocol = text(write_upgrade_response(out, accept, "chat"));
  CHECK(with_protocol == good_answer + "Sec-WebSocket-Protocol: chat\r\n\r\n");
  CHECK(upgrade_response_size("chat") == with_protocol.size());
  CHECK(check_answer(with_protocol, {"chat"}).subprotocol == "chat");
  CHECK(write_upgrade_response(out, accept, "a\r\nb: c") == 0);
  CHECK(write_upgrade_response(muster::mutable_byte_view{out}.first(128), accept) == 0);
}

TEST_CASE("rfc6455 4.1: a client's request is one that a server accepts",
          "[websocket][handshake]") {
  std::array<std::byte, 16> random{};
  for (std::size_t i = 0; i < random.size(); ++i) random[i] = static_cast<std::byte>(i + 1);
  const HandshakeKey key = make_handshake_key(random);
  CHECK(std::string_view{key.data(), key.size()} == "AQIDBAUGBwgJCgsMDQ4PEA==");
  const std::string_view subprotocols[] = {"a", "b"};
  const HeaderField headers[] = {{"Authorization", "Bearer x"}};
  const auto text = make_upgrade_request({.host = "game.example:8080",
                                          .target = "/room?id=%20",
                                          .origin = "https://game.example",
                                          .subprotocols = subprotocols,
                                          .headers = headers},
                                         key);
  REQUIRE(text.has_value());
  const Checked checked = check_request(text.value());
  CHECK(checked.check.error == errc{});
  CHECK(checked.subprotocols == std::vector<std::string>{"a", "b"});
  RequestHead head;
  std::size_t scanned = 0;
  REQUIRE(parse_request_head(as_bytes(text.value()), scanned, head).state ==
          HeadResult::State::complete);
  CHECK(head.target == "/room?id=%20");
  CHECK(head.headers.find("Host") == "game.example:8080");
  CHECK(head.headers.find("Origin") == "https://game.example");
  CHECK(head.headers.find("Authorization") == "Bearer x");
}

TEST_CASE("rfc6455 4.1: what would break a client's request is refused", "[websocket][handshake]") {
  const auto is_refused = [](const ClientHandshake& handshake) {
    const auto text = make_upgrade_request(handshake, sample_key());
    return !text && text.error() == errc::bad_value;
  };
  CHECK_FALSE(is_refused({.host = "[::1]:80"}));
  for (const char* host : {"", "a b", "a\r\nX: y", "a/b", "user@a"}) {
    CAPTURE(host);
    CHECK(is_refused({.host = host}));
  }
  for (const char* target : {"", "room", "/a b", "/a\r\nX: y", "/a#b", "/\xC3\xA9"}) {
    CAPTURE(target);
    CHECK(is_refused({.host = "a", .target = target}));
  }
  CHECK(is_refused({.host = "a", .origin = "x\r\ny"}));
  for (const auto& names : {std::array<std::string_view, 2>{"a", "a"}, {"a", "b c"}, {"a", ""}}) {
    CHECK(is_refused({.host = "a", .subprotocols = names}));
  }
  for (const HeaderField field : {HeaderField{"X", "a\r\nb"},
                                  {"X:", "a"},
                                  {"", "a"},
                                  {"sec-websocket-key", "a"},
                                  {"Host", "b"},
                                  {"X", " a"}}) {
    CAPTURE(field.name, field.value);
    CHECK(is_refused({.host = "a", .headers = {&field, 1}}));
  }
}

TEST_CASE("rfc6455 4.1: a client fails an answer that is not to its request",
          "[websocket][handshake]") {
  CHECK(check_answer(good_answer + "\r\n").error == errc{});
  CHECK(check_answer(good_answer + "\r\n", {"chat"}).subprotocol.empty());
  const auto replaced = [](std::string_view what, std::string_view by) {
    std::string text = good_answer + "\r\n";
    return text.replace(text.find(what), what.size(), by);
  };
  CHECK(check_answer(replaced("101 Switching Protocols", "200 OK")).error == errc::upgrade_refused);
  CHECK(check_answer(replaced("101 Switching Protocols", "404 Not Found")).error ==
        errc::upgrade_refused);
  for (const std::string& text :
       {replaced("HTTP/1.1", "HTTP/1.0"), replaced("Upgrade: websocket", "Upgrade: websockets"),
        replaced("Upgrade: websocket", "X: y"),
        replaced("Connection: Upgrade", "Connection: close"), replaced("s3p", "S3p"),
        replaced("Sec-WebSocket-Accept", "Sec-WebSocket-Except"),
        good_answer + "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
        good_answer + "Sec-WebSocket-Protocol: chat\r\n\r\n"}) {
    CAPTURE(text);
    CHECK(check_answer(text).error == errc::bad_handshake);
  }
  CHECK(check_answer(good_answer + "Sec-WebSocket-Protocol: chat\r\n\r\n", {"x", "Chat"}).error ==
        errc::bad_handshake);
}
