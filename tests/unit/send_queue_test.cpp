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

TEST_CASE("send queue: messages without framing lie one after the other, and keep their ends",
          "[send_queue]") {
  // Written up to every byte; then the newest takes the place of what has not begun.
  const std::string expected = "one\nx\n\ntwo\n";
  for (std::size_t room = 0; room <= expected.size(); ++room) {
    INFO("room " << room);
    Loop loop;
    WireConnection& a = loop.connect(Framing::none);
    a.send(text("one\n"), Delivery::latest(1));
    a.send(text(""));
    a.send(text("x\n"));
    a.send(text("\n"));
    a.send(Frame{text("two\n")}, Delivery::latest(2));
    CHECK(a.backlog() == expected.size());
    a.wire->room = room;
    loop.pass();
    CHECK(a.wire->bytes == expected.substr(0, room));
    CHECK(a.written() == room);
    CHECK(a.backlog() == expected.size() - room);
    a.send(text("new one\n"), Delivery::latest(1));
    a.send(text("new two\n"), Delivery::latest(2));
    a.unblock();
    loop.pass();
    std::string rest = room == 0 ? "x\n\n" : "one\nx\n\n";
    if (room > 7) rest += "two\n";
    CHECK(a.wire->bytes == rest + "new one\nnew two\n");
    CHECK(a.backlog() == 0);
  }
}

TEST_CASE("send queue: a message whose first byte the transport holds is not dropped",
          "[send_queue]") {
  // Several frames in one entry, a batch as it lies, and payloads.
  for (const Framing framing : {Framing::server, Framing::client, Framing::none}) {
    for (const bool in_group : {false, true}) {
      for (int taken = 0; taken < 3; ++taken) {
        INFO("framing " << static_cast<int>(framing) << ", " << in_group << ", " << taken);
        Loop loop;
        WireConnection& a = loop.connect(framing);
        Group group{loop.outbox};
        group.join(a);
        const std::size_t size = 4 + (framing == Framing::none     ? 0U
                                      : framing == Framing::server ? 2U
                                                                   : 6U);
        for (const char* const line : {"one\n", "two\n", "tri\n"}) {
          if (in_group) {
            group.broadcast(text(line));
          } else {
            a.send(text(line));
          }
        }
        a.wire->holds_next = true;
        a.wire->room = size * static_cast<std::size_t>(taken);
        loop.pass();
        CHECK(a.discard_queue() == 2U - static_cast<unsigned>(taken));
        CHECK(a.backlog() == size);
        CHECK(a.discard_queue() == 0);
        a.send(text("end\n"));
        a.wire->holds_next = false;
        a.unblock();
        loop.pass();
        Payloads expected{"one\n", "two\n", "tri\n"};
        expected.resize(static_cast<std::size_t>(taken) + 1);
        expected.emplace_back("end\n");
        CHECK(a.wire->payloads() == expected);
        CHECK(a.backlog() == 0);
      }
    }
  }
}

TEST_CASE("send queue: an empty message without framing is nothing", "[send_queue]") {
  Loop loop;
  WireConnection& a = loop.connect(Framing::none);
  Group group{loop.outbox};
  group.join(a);
  group.broadcast(text(""));
  CHECK(a.send(text("")) == SendStatus::queued);
  CHECK(a.backlog() == 0);
  loop.pass();
  CHECK(a.wire->bytes.empty());
  CHECK(a.is_open());
}

TEST_CASE("send queue: a batch without framing is the payloads, a large one by reference",
          "[send_queue]") {
  Loop loop;
  WireConnection& a = loop.connect(Framing::none);
  WireConnection& b = loop.connect(Framing::server);
  Group group{loop.outbox};
  group.join(a);
  group.join(b);
  const Frame large{text(std::string(3000, 'l') + "\n")};
  group.broadcast(text("1\n"));
  group.broadcast(text("2\n"), &a);
  a.send(large);
  group.broadcast(text("3\n"), nullptr, Delivery::latest(1));
  CHECK(large.block().reference_count() == 2);
  loop.pass();
  CHECK(a.wire->bytes == "1\n" + std::string(3000, 'l') + "\n3\n");
  CHECK(a.wire->writes == 1);
  CHECK(b.wire->payloads() == Payloads{"1\n", "2\n", "3\n"});
  CHECK(large.block().is_unique());
}

TEST_CASE("send queue: a message that the transport takes as such waits whole", "[send_queue]") {
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
