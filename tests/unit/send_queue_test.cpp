// SPDX-License-Identifier: MIT
// The queue of one connection. Its rules as users see them are in tests/spec/transport_*.
#include "support/catch.hpp"
#include "support/wire_connection.hpp"

using namespace muster;
using namespace muster::test;

TEST_CASE("send queue: a queue of many pieces leaves in few writes, in order", "[send_queue]") {
  Loop loop;
  WireConnection& a = loop.connect();
  Payloads expected;
  // Small and large in turn, more than one gathered write takes.
  for (std::size_t i = 0; i < 100; ++i) {
    expected.push_back(std::to_string(i) + std::string(i % 2 == 0 ? 10 : 3000, 'p'));
    a.send(Frame{text(expected.back())});
  }
  loop.pass();
  CHECK(a.wire->payloads() == expected);
  CHECK(a.wire->writes <= 3);
}

TEST_CASE("send queue: a byte at a time is enough", "[send_queue]") {
  for (const Framing framing : {Framing::server, Framing::client}) {
    Loop loop;
    WireConnection& a = loop.connect(framing);
    Payloads expected;
    for (const std::size_t size : {0U, 1U, 125U, 126U, 300U}) {
      expected.push_back(std::string(size, 'b'));
      a.send(text(expected.back()));
    }
    a.wire->per_write = 1;
    const std::size_t total = a.backlog();
    for (std::size_t i = 0; i < total; ++i) {
      loop.pass();
      a.unblock();
      if (a.written() + a.backlog() != total) FAIL("after byte " << i);
    }
    CHECK(a.backlog() == 0);
    CHECK(a.wire->payloads() == expected);
  }
}

TEST_CASE("send queue: a message without framing waits whole", "[send_queue]") {
  Loop loop;
  WireConnection& a = loop.connect(Framing::messages);
  a.send(text(""));
  a.send(text("1"));
  a.send(text(""));
  a.wire->room = 1;
  loop.pass();
  CHECK(a.wire->payloads() == Payloads{""});
  a.unblock();
  loop.pass();
  CHECK(a.wire->payloads() == Payloads{"", "1", ""});
}
