// SPDX-License-Identifier: MIT
// The rules that every user of connections, groups and the outbox may rely on.
#include "support/catch.hpp"
#include "support/wire_connection.hpp"

#include <muster/memory/network.hpp>

#include <numeric>

using namespace muster;
using namespace muster::test;
using namespace std::chrono_literals;

namespace {

const std::array<Framing, 3> every_framing{Framing::server, Framing::client, Framing::messages};

std::string repeated(char letter, std::size_t size) { return std::string(size, letter); }

}  // namespace

// Order

TEST_CASE("transport: direct messages and broadcasts to one member keep their order",
          "[transport][order]") {
  for (const Framing framing : every_framing) {
    Loop loop;
    WireConnection& a = loop.connect(framing);
    Group group{loop.outbox};
    group.join(a);
    a.send(text("1"));
    group.broadcast(text("2"));
    a.send(text("3"));
    a.send(Frame{text("4")});
    group.broadcast(Frame{text("5")});
    group.broadcast(text("6"));
    const std::string large = repeated('x', 70'000);
    a.send(Frame{text(large)});
    group.broadcast(text("8"));
    loop.pass();
    CHECK(a.wire->payloads() == Payloads{"1", "2", "3", "4", "5", "6", large, "8"});
  }
}

TEST_CASE("transport: a member gets what is broadcast between its join and its leave",
          "[transport][order]") {
  for (const Framing framing : every_framing) {
    Loop loop;
    WireConnection& a = loop.connect(framing);
    WireConnection& b = loop.connect(framing);
    Group group{loop.outbox};
    group.join(b);
    group.broadcast(text("before"));
    group.join(a);
    group.broadcast(text("during"));
    group.leave(a);
    group.broadcast(text("after"));
    group.join(a);
    group.broadcast(text("again"));
    loop.pass();
    CHECK(a.wire->payloads() == Payloads{"during", "again"});
    CHECK(b.wire->payloads() == Payloads{"before", "during", "after", "again"});
  }
}

TEST_CASE(
    "transport: a member that moves between groups in mid-batch gets each group's part in order",
    "[transport][order]") {
  for (const Framing framing : every_framing) {
    Loop loop;
    WireConnection& a = loop.connect(framing);
    WireConnection& b = loop.connect(framing);
    Group red{loop.outbox};
    Group blue{loop.outbox};
    red.join(a);
    blue.join(b);
    red.broadcast(text("r1"));
    blue.broadcast(text("b1"));
    a.send(text("d"));
    blue.join(a);
    CHECK(red.empty());
    red.broadcast(text("r2"));
    blue.broadcast(text("b2"));
    red.join(a);
    red.broadcast(text("r3"));
    blue.broadcast(text("b3"));
    loop.pass();
    CHECK(a.wire->payloads() == Payloads{"r1", "d", "b2", "r3"});
    CHECK(b.wire->payloads() == Payloads{"b1", "b2", "b3"});
  }
}

TEST_CASE(
    "transport: a group that moves as a whole takes every member along, also one that has ended",
    "[transport][order]") {
  Loop loop;
  WireConnection& a = loop.connect();
  WireConnection& b = loop.connect();
  WireConnection& c = loop.connect();
  Group from{loop.outbox};
  Group to{loop.outbox};
  for (WireConnection* const member : {&a, &b, &c}) from.join(*member);
  from.broadcast(text("1"));
  b.lose();
  from.move_all_to(to);
  to.broadcast(text("2"));
  const auto wire = a.wire;
  loop.pass();
  CHECK(from.empty());
  CHECK(to.size() == 2);
  CHECK(wire->payloads() == Payloads{"1", "2"});
  to.move_all_to(to);
  CHECK(to.size() == 2);
}

TEST_CASE("transport: what was broadcast before a close leaves in front of the last words",
          "[transport][order][close]") {
  for (const Framing framing : every_framing) {
    Loop loop;
    WireConnection& a = loop.connect(framing);
    const auto wire = a.wire;
    Group group{loop.outbox};
    group.join(a);
    group.broadcast(text("1"));
    a.send(text("2"));
    group.broadcast(text("3"));
    a.close(CloseReason::kicked, 4001, "out", text("last"));
    CHECK(group.empty());
    group.broadcast(text("4"));
    CHECK(a.send(text("5")) == SendStatus::closed);
    CHECK(a.send(Frame{text(repeated('f', 5000))}) == SendStatus::closed);
    loop.pass();
    CHECK(wire->payloads() == Payloads{"1", "2", "3", "last"});
    if (framing != Framing::messages) CHECK(wire->controls() == Payloads{"\x0f\xa1out"});
  }
}

TEST_CASE("transport: a destroyed group still delivers what was broadcast", "[transport][order]") {
  Loop loop;
  WireConnection& a = loop.connect();
  {
    Group group{loop.outbox, FlushWindow::tick()};
    group.join(a);
    group.broadcast(text("1"));
    a.send(text("2"));
    loop.pass();
    CHECK(a.wire->payloads().empty());
  }
  CHECK(a.group() == nullptr);
  CHECK(loop.outbox.is_dirty());
  loop.pass();
  CHECK(a.wire->payloads() == Payloads{"1", "2"});
}

// Exclusion

TEST_CASE(
    "transport: a member does not get the broadcasts that exclude it, wherever they lie in the "
    "batch",
    "[transport][exclusion]") {
  // Every pattern of seven broadcasts of which some exclude one member.
  for (const Framing framing : every_framing) {
    for (unsigned pattern = 0; pattern < 128; ++pattern) {
      Loop loop;
      WireConnection& a = loop.connect(framing);
      WireConnection& b = loop.connect(framing);
      Group group{loop.outbox};
      group.join(a);
      group.join(b);
      Payloads expected;
      for (unsigned i = 0; i < 7; ++i) {
        const std::string content = std::to_string(i) + repeated('p', i * 30);
        const bool excluded = (pattern >> i & 1U) != 0;
        group.broadcast(text(content), excluded ? &a : nullptr);
        if (!excluded) expected.push_back(content);
      }
      loop.pass();
      if (a.wire->payloads() != expected || b.wire->payloads().size() != 7 ||
          a.wire->writes > (framing == Framing::messages ? 7U : 1U)) {
        FAIL("pattern " << pattern << ", framing " << static_cast<int>(framing));
      }
    }
  }
}

TEST_CASE("transport: several members have holes of their own in one batch",
          "[transport][exclusion]") {
  Loop loop;
  std::vector<WireConnection*> members;
  Group group{loop.outbox};
  for (int i = 0; i < 5; ++i) {
    members.push_back(&loop.connect());
    group.join(*members.back());
  }
  std::vector<Payloads> expected(5);
  for (std::size_t i = 0; i < 20; ++i) {
    const std::string content = std::to_string(i);
    group.broadcast(text(content), members[i % 5]);
    for (std::size_t j = 0; j < 5; ++j) {
      if (j != i % 5) expected[j].push_back(content);
    }
  }
  loop.pass();
  for (std::size_t j = 0; j < 5; ++j) CHECK(members[j]->wire->payloads() == expected[j]);
}

TEST_CASE("transport: the exclusion of a connection that is not in the group excludes nobody",
          "[transport][exclusion]") {
  Loop loop;
  WireConnection& a = loop.connect();
  WireConnection& outsider = loop.connect();
  Group group{loop.outbox};
  group.join(a);
  group.broadcast(text("1"), &outsider);
  loop.pass();
  CHECK(a.wire->payloads() == Payloads{"1"});
  CHECK(outsider.wire->writes == 0);
}

// Mixed groups

TEST_CASE("transport: server, client and message members of one group get the same messages",
          "[transport][group]") {
  Loop loop;
  Group group{loop.outbox};
  std::vector<WireConnection*> members;
  for (const Framing framing : every_framing) {
    members.push_back(&loop.connect(framing));
    group.join(*members.back());
  }
  Payloads expected;
  for (const std::size_t size : {0U, 1U, 125U, 126U, 2048U, 2049U, 65535U, 65536U, 100'000U}) {
    expected.push_back(repeated('m', size));
    group.broadcast(text(expected.back()));
    group.broadcast(Frame{text(expected.back())}, nullptr, Delivery::latest(1));
    expected.push_back(expected.back());
    group.broadcast(text("v"), nullptr, Delivery::volatile_);
    expected.emplace_back("v");
  }
  loop.pass();
  for (const WireConnection* const member : members) {
    CHECK(member->wire->payloads() == expected);
  }
}

// Windows

TEST_CASE("transport: without a window a broadcast leaves with the flush that ends the pass",
          "[transport][window]") {
  Loop loop;
  WireConnection& a = loop.connect();
  Group group{loop.outbox};
  group.join(a);
  group.broadcast(text("1"));
  CHECK(loop.outbox.is_dirty());
  CHECK(a.wire->writes == 0);
  loop.pass();
  CHECK(a.wire->payloads() == Payloads{"1"});
  CHECK(loop.outbox.next_deadline() == no_deadline);
  CHECK_FALSE(loop.outbox.is_dirty());
}

TEST_CASE(
    "transport: a lead window sends the first message at once, then at most one batch per length",
    "[transport][window]") {
  Loop loop;
  WireConnection& a = loop.connect();
  Group group{loop.outbox, FlushWindow::lead(20ms)};
  group.join(a);
  group.broadcast(text("1"));
  loop.pass();
  CHECK(a.wire->payloads() == Payloads{"1"});
  group.broadcast(text("2"));
  loop.pass(5ms);
  group.broadcast(text("3"));
  a.send(text("4"));
  loop.pass(5ms);
  CHECK(a.wire->payloads() == Payloads{"1"});
  CHECK(loop.outbox.next_deadline() == loop.now + 10ms);
  loop.pass(10ms);
  CHECK(a.wire->payloads() == Payloads{"1", "2", "3", "4"});
  CHECK(a.wire->writes == 2);
  CHECK(loop.outbox.next_deadline() == no_deadline);
  loop.now += 50ms;
  group.broadcast(text("5"));
  loop.pass();
  CHECK(a.wire->payloads().back() == "5");
}

TEST_CASE("transport: a tick window sends at multiples of its length", "[transport][window]") {
  Loop loop;
  WireConnection& a = loop.connect();
  Group group{loop.outbox, FlushWindow::tick(50ms)};
  group.join(a);
  loop.now += 10ms;
  group.broadcast(text("1"));
  loop.pass();
  a.send(text("2"));
  loop.pass(20ms);
  CHECK(a.wire->writes == 0);
  CHECK(loop.outbox.next_deadline() == loop.now + 20ms);
  loop.pass(20ms);
  CHECK(a.wire->payloads() == Payloads{"1", "2"});
  CHECK(a.wire->writes == 1);
}

TEST_CASE("transport: a manual window sends when the group is told to tick",
          "[transport][window]") {
  Loop loop;
  WireConnection& a = loop.connect();
  Group group{loop.outbox, FlushWindow::tick()};
  group.join(a);
  group.broadcast(text("1"));
  loop.pass(1h);
  CHECK(a.wire->writes == 0);
  CHECK(loop.outbox.next_deadline() == no_deadline);
  group.tick();
  CHECK(loop.outbox.is_dirty());
  loop.pass();
  CHECK(a.wire->payloads() == Payloads{"1"});

  SECTION("also if only a direct message waits, and in the pass in which it was sent") {
    a.send(text("2"));
    group.tick();
    loop.pass();
    CHECK(a.wire->payloads() == Payloads{"1", "2"});
  }
  SECTION("a tick with nothing to send does not let a later message out") {
    group.tick();
    loop.pass();
    group.broadcast(text("2"));
    loop.pass();
    CHECK(a.wire->payloads() == Payloads{"1"});
  }
}

TEST_CASE(
    "transport: a direct message marked urgent leaves at once, with what was sent to it before",
    "[transport][window]") {
  Loop loop;
  WireConnection& a = loop.connect();
  WireConnection& b = loop.connect();
  Group group{loop.outbox, FlushWindow::tick()};
  group.join(a);
  group.join(b);
  group.broadcast(text("1"));
  a.send(text("2"));
  loop.pass();
  CHECK_FALSE(loop.outbox.is_dirty());
  a.send(text("3"), Delivery::reliable, Urgency::urgent);
  group.broadcast(text("4"));
  CHECK(loop.outbox.is_dirty());
  loop.pass();
  CHECK(a.wire->payloads() == Payloads{"1", "2", "3"});
  CHECK(b.wire->writes == 0);
  group.tick();
  loop.pass();
  CHECK(a.wire->payloads() == Payloads{"1", "2", "3", "4"});
  CHECK(b.wire->payloads() == Payloads{"1", "4"});
}

TEST_CASE("transport: a close does not wait for the window of the group that it leaves",
          "[transport][window][close]") {
  Loop loop;
  WireConnection& a = loop.connect();
  const auto wire = a.wire;
  Group group{loop.outbox, FlushWindow::tick()};
  group.join(a);
  group.broadcast(text("1"));
  a.send(text("2"));
  loop.pass();
  a.close(CloseReason::finished);
  CHECK(loop.outbox.is_dirty());
  loop.pass();
  CHECK(wire->payloads() == Payloads{"1", "2"});
  CHECK(wire->released == 1);
}

TEST_CASE(
    "transport: what waits for a window leaves when the member leaves the group, or the window "
    "ends",
    "[transport][window]") {
  Loop loop;
  WireConnection& a = loop.connect();
  Group group{loop.outbox, FlushWindow::tick()};
  Group other{loop.outbox};
  group.join(a);
  a.send(text("1"));
  loop.pass();
  CHECK_FALSE(loop.outbox.is_dirty());

  SECTION("it leaves") { group.leave(a); }
  SECTION("it moves") { other.join(a); }
  SECTION("the window changes") { group.set_window({}); }

  CHECK(loop.outbox.is_dirty());
  loop.pass();
  CHECK(a.wire->payloads() == Payloads{"1"});
}

// Delivery classes

TEST_CASE(
    "transport: a newer latest message takes the place of the waiting one, at the end of the queue",
    "[transport][delivery]") {
  for (const Framing framing : every_framing) {
    Loop loop;
    WireConnection& a = loop.connect(framing);
    a.block();
    a.send(text("r1"));
    a.send(text("k1 old"), Delivery::latest(1));
    a.send(text("k2"), Delivery::latest(2));
    a.send(text("r2"));
    loop.pass();
    a.send(text("k1 newer"), Delivery::latest(1));
    const std::string newest = repeated('n', 5000);
    a.send(Frame{text(newest)}, Delivery::latest(1));
    a.send(text("r3"));
    loop.pass();
    CHECK(loop.outbox.stats().replaced_latest == 2);
    a.unblock();
    loop.pass();
    CHECK(a.wire->payloads() == Payloads{"r1", "k2", "r2", newest, "r3"});
  }
}

TEST_CASE(
    "transport: a broadcast latest message replaces the waiting one of members that are behind "
    "only",
    "[transport][delivery]") {
  for (const Framing framing : every_framing) {
    Loop loop;
    WireConnection& quick = loop.connect(framing);
    WireConnection& slow = loop.connect(framing);
    Group group{loop.outbox};
    group.join(quick);
    group.join(slow);
    slow.block();
    for (const std::string_view content : {"1", "2", "3"}) {
      group.broadcast(text(content), nullptr, Delivery::latest(7));
      group.broadcast(text("event"));
      loop.pass();
    }
    group.broadcast(text("4"), nullptr, Delivery::latest(7));
    group.broadcast(text("5"), nullptr, Delivery::latest(7));
    slow.unblock();
    loop.pass();
    CHECK(quick.wire->payloads() == Payloads{"1", "event", "2", "event", "3", "event", "4", "5"});
    CHECK(slow.wire->payloads().size() <= 6);
    CHECK(slow.wire->payloads().front() == "event");
    CHECK(slow.wire->payloads().back() == "5");
  }
}

TEST_CASE("transport: a latest message that does not fit leaves the older one in its place",
          "[transport][delivery][budget]") {
  Loop loop;
  WireConnection& a = loop.connect();
  REQUIRE(a.set_budget({.bytes = 4096, .frames = 8, .reserve_bytes = 0, .reserve_frames = 0}));
  a.block();
  CHECK(a.send(text("old"), Delivery::latest(1)) == SendStatus::queued);
  CHECK(a.send(text(repeated('x', 4200)), Delivery::latest(1)) == SendStatus::over_budget);
  CHECK(a.send(text(repeated('y', 4000)), Delivery::latest(2)) == SendStatus::queued);
  // Only with the room of the one that it replaces does it fit.
  CHECK(a.send(text(repeated('z', 4001)), Delivery::latest(2)) == SendStatus::queued);
  loop.pass();
  a.unblock();
  loop.pass();
  CHECK(a.wire->payloads() == Payloads{"old", repeated('z', 4001)});
}

TEST_CASE(
    "transport: a volatile message is dropped and counted if its receiver is behind at the flush",
    "[transport][delivery]") {
  for (const Framing framing : every_framing) {
    Loop loop;
    WireConnection& quick = loop.connect(framing);
    WireConnection& slow = loop.connect(framing);
    Group group{loop.outbox};
    group.join(quick);
    group.join(slow);
    slow.block();
    slow.send(text("1"));
    group.broadcast(text("v1"), nullptr, Delivery::volatile_);
    slow.send(text("v2"), Delivery::volatile_);
    loop.pass();
    CHECK(loop.outbox.stats().dropped_volatile == 2);
    group.broadcast(text("v3"), nullptr, Delivery::volatile_);
    group.broadcast(text("2"));
    loop.pass();
    CHECK(loop.outbox.stats().dropped_volatile == 3);
    slow.unblock();
    slow.send(text("v4"), Delivery::volatile_);
    loop.pass();
    CHECK(slow.wire->payloads() == Payloads{"1", "2", "v4"});
    CHECK(quick.wire->payloads() == Payloads{"v1", "v3", "2"});
  }
}

// Nothing calls upward

TEST_CASE("transport: send, broadcast, close and flush never call a service",
          "[transport][upward]") {
  for (const Framing framing : every_framing) {
    Loop loop;
    WireConnection& a = loop.connect(framing);
    WireConnection& b = loop.connect(framing);
    WireConnection& c = loop.connect(framing);
    Group group{loop.outbox};
    for (WireConnection* const member : {&a, &b, &c}) group.join(*member);
    REQUIRE(a.set_budget({.bytes = 4096, .frames = 8, .reserve_bytes = 0, .reserve_frames = 0}));
    a.block();
    b.wire->fails_after = 0;
    loop.service.must_be_silent = true;
    for (int i = 0; i < 20; ++i) {
      a.send(text("direct"));
      group.broadcast(text("broadcast"));
    }
    c.close(CloseReason::finished);
    loop.outbox.flush(loop.now);
    a.unblock();
    loop.outbox.flush(loop.now);
    CHECK(loop.service.upward_calls == 0);
    loop.service.must_be_silent = false;
    loop.service.when_overrun = [](Connection&) {};
    loop.outbox.dispatch(loop.now);
    CHECK(loop.service.closed.size() == 2);
    CHECK(loop.service.overruns.size() == 1);
    CHECK(loop.service.writable == 1);
  }
}

TEST_CASE("transport: the hook for a sleeping loop is called once until the next flush",
          "[transport][upward]") {
  Loop loop;
  WireConnection& a = loop.connect();
  Group group{loop.outbox};
  group.join(a);
  loop.pass();
  int calls = 0;
  loop.outbox.on_dirty([&calls] { ++calls; });
  a.send(text("1"));
  group.broadcast(text("2"));
  a.send(text("3"));
  CHECK(calls == 1);
  loop.pass();
  CHECK(calls == 1);
  group.broadcast(text("4"));
  CHECK(calls == 2);
}

// Ends

TEST_CASE("transport: on_close is called exactly once, however a connection ends",
          "[transport][close]") {
  for (const Framing framing : every_framing) {
    Loop loop;
    WireConnection& a = loop.connect(framing);
    const auto wire = a.wire;
    const ConnectionId id = a.id();
    Group group{loop.outbox};
    group.join(a);
    CloseReason reason = CloseReason::connection_lost;
    bool by_peer = true;

    a.send(text("1"));
    switch (GENERATE(range(0, 6))) {
      case 0:
        a.close(CloseReason::kicked, 4000, "bye");
        a.close(CloseReason::finished);
        reason = CloseReason::kicked;
        by_peer = false;
        break;
      case 1:
        a.lose();
        break;
      case 2:
        a.ended(CloseReason::finished, true, 1000, "done");
        a.ended(CloseReason::connection_lost, true);
        a.close(CloseReason::kicked);
        reason = CloseReason::finished;
        break;
      case 3:
        wire->fails_after = 0;
        group.broadcast(text("2"));
        break;
      case 4:  // the close cannot be written any more
        wire->fails_after = 1;
        loop.pass();
        a.send(text("2"));
        a.close(CloseReason::kicked);
        reason = CloseReason::kicked;
        by_peer = false;
        break;
      case 5:
        a.close(CloseReason::too_slow);
        a.lose();
        reason = CloseReason::too_slow;
        by_peer = false;
        break;
      default:
        break;
    }
    loop.pass();
    loop.pass();
    REQUIRE(loop.service.closed.size() == 1);
    CHECK(loop.service.closed[0].id == id);
    CHECK(loop.service.closed[0].reason == reason);
    CHECK(loop.service.closed[0].by_peer == by_peer);
    CHECK(wire->released == 1);
    CHECK(loop.outbox.connection_count() == 0);
    CHECK(group.empty());
    CHECK(loop.outbox.find(id) == nullptr);
  }
}

TEST_CASE("transport: every callback may close its connection and others, and destroy its group",
          "[transport][close]") {
  Loop loop;
  auto group = std::make_unique<Group>(loop.outbox);
  std::vector<WireConnection*> members;
  std::vector<ConnectionId> ids;
  for (int i = 0; i < 4; ++i) {
    members.push_back(&loop.connect(every_framing[static_cast<std::size_t>(i) % 3]));
    ids.push_back(members.back()->id());
    group->join(*members.back());
    members.back()->set_budget(
        {.bytes = 4096, .frames = 8, .reserve_bytes = 0, .reserve_frames = 0});
  }
  const auto wreck = [&](Connection& self) {
    self.close(CloseReason::finished);
    if (Connection* const other = loop.outbox.find(ids[3])) other->close(CloseReason::kicked);
    group.reset();
  };
  SECTION("on_close") {
    loop.service.when_close = wreck;
    members[0]->lose();
    members[1]->lose();
  }
  SECTION("on_overrun") {
    loop.service.when_overrun = wreck;
    for (const std::size_t i : {0U, 1U, 3U}) members[i]->block();
    for (int i = 0; i < 20; ++i) group->broadcast(text("x"));
  }
  SECTION("on_writable") {
    loop.service.when_writable = wreck;
    for (const std::size_t i : {0U, 1U, 3U}) {
      members[i]->block();
      while (members[i]->send(text("x")) == SendStatus::queued) {
      }
    }
    loop.pass();
    for (const std::size_t i : {0U, 1U, 3U}) members[i]->unblock();
  }
  loop.pass();
  loop.pass();
  CHECK(group == nullptr);
  for (const ConnectionId id : ids) {
    auto* const member = static_cast<WireConnection*>(loop.outbox.find(id));
    if (member == nullptr) continue;
    member->unblock();
    member->close(CloseReason::finished);
  }
  loop.pass();
  for (const ConnectionId id : ids) CHECK(loop.service.closes(id) == 1);
  CHECK(loop.outbox.connection_count() == 0);
}

TEST_CASE(
    "transport: a connection that closes another one's queue in on_close is heard of once each",
    "[transport][close]") {
  Loop loop;
  std::vector<ConnectionId> ids;
  for (int i = 0; i < 10; ++i) ids.push_back(loop.connect().id());
  std::size_t next = 1;
  loop.service.when_close = [&](Connection&) {
    if (next == ids.size()) return;
    if (Connection* const other = loop.outbox.find(ids[next++])) {
      static_cast<WireConnection*>(other)->lose();
    }
  };
  static_cast<WireConnection*>(loop.outbox.find(ids[0]))->lose();
  for (int i = 0; i < 4; ++i) loop.pass();
  for (const ConnectionId id : ids) CHECK(loop.service.closes(id) == 1);
}

TEST_CASE("transport: a stale id finds nothing, and a re-used place has another generation",
          "[transport][id]") {
  Loop loop;
  WireConnection& a = loop.connect();
  const ConnectionId old = a.id();
  CHECK(loop.outbox.find(old) == &a);
  CHECK(loop.outbox.find({}) == nullptr);
  CHECK(loop.outbox.find({1000, 1}) == nullptr);
  Connection* found_in_close = &a;
  loop.service.when_close = [&](Connection& self) {
    found_in_close = loop.outbox.find(self.id());
    CHECK(self.send(text("late")) == SendStatus::closed);
    self.close(CloseReason::kicked);
  };
  a.close(CloseReason::finished);
  loop.pass();
  CHECK(loop.outbox.find(old) == nullptr);
  WireConnection& b = loop.connect();
  CHECK(b.id().index == old.index);
  CHECK(b.id().generation != old.generation);
  CHECK(loop.outbox.find(old) == nullptr);
  CHECK(loop.outbox.find(b.id()) == &b);
}

TEST_CASE("transport: a connection that is closed before it opens ends without a word on the wire",
          "[transport][close]") {
  Loop loop;
  WireConnection& a = loop.connect_unopened();
  const auto wire = a.wire;
  CHECK(a.send(text("early")) == SendStatus::closed);
  Group group{loop.outbox};
  group.join(a);
  CHECK(group.empty());
  a.close(CloseReason::draining, 1001, "later");
  loop.pass();
  CHECK(wire->writes == 0);
  CHECK(wire->finished == 1);
  CHECK(wire->finish_reason == CloseReason::draining);
  CHECK(wire->finish_text == "later");
  CHECK(loop.service.closed.empty());  // nobody had accepted it
}

// Budgets

TEST_CASE("transport: sends stop at the reserve, last words and the close still go out",
          "[transport][budget]") {
  for (const Framing framing : every_framing) {
    Loop loop;
    WireConnection& a = loop.connect(framing);
    const auto wire = a.wire;
    REQUIRE(
        a.set_budget({.bytes = 4096, .frames = 100, .reserve_bytes = 512, .reserve_frames = 4}));
    a.block();
    std::size_t queued = 0;
    while (a.send(text(repeated('d', 90))) == SendStatus::queued) ++queued;
    CHECK(a.backlog() <= 4096 - 512);
    CHECK(a.backlog() + 96 > 4096 - 512);
    CHECK(loop.outbox.stats().refused_sends == 1);
    loop.pass();
    const std::string words = repeated('w', 480);
    a.close(CloseReason::too_slow, 1008, "slow", text(words));
    CHECK(a.backlog() <= 4096);
    loop.pass();
    CHECK(wire->released == 0);
    a.unblock();
    loop.pass();
    Payloads expected(queued, repeated('d', 90));
    expected.push_back(words);
    CHECK(wire->payloads() == expected);
    CHECK(wire->finished == 1);
    CHECK(wire->released == 1);
  }
}

TEST_CASE(
    "transport: last words that fit into no reserve are dropped and counted, the close goes out",
    "[transport][budget]") {
  Loop loop;
  WireConnection& a = loop.connect();
  const auto wire = a.wire;
  REQUIRE(a.set_budget({.bytes = 4096, .frames = 8, .reserve_bytes = 64, .reserve_frames = 2}));
  a.block();
  a.send(text(repeated('d', 4000)));
  a.close(CloseReason::kicked, 4002, "x", text(repeated('w', 92)));
  CHECK(loop.outbox.stats().lost_last_words == 1);
  loop.pass();
  a.unblock();
  loop.pass();
  CHECK(wire->payloads() == Payloads{repeated('d', 4000)});
  CHECK(wire->controls() == Payloads{"\x0f\xa2x"});
}

TEST_CASE("transport: a budget counts frames as well as bytes", "[transport][budget]") {
  Loop loop;
  WireConnection& a = loop.connect();
  REQUIRE(a.set_budget({.bytes = 65536, .frames = 10, .reserve_bytes = 0, .reserve_frames = 3}));
  a.block();
  for (int i = 0; i < 7; ++i) CHECK(a.send(text("")) == SendStatus::queued);
  CHECK(a.send(text("")) == SendStatus::over_budget);
}

TEST_CASE(
    "transport: an overrun is told once per flush, with what was lost, what was queued stays in "
    "order",
    "[transport][budget]") {
  for (const Framing framing : every_framing) {
    Loop loop;
    WireConnection& a = loop.connect(framing);
    WireConnection& other = loop.connect(framing);
    REQUIRE(a.set_budget({.bytes = 4096, .frames = 10, .reserve_bytes = 0, .reserve_frames = 0}));
    Group group{loop.outbox};
    group.join(a);
    group.join(other);
    loop.service.when_overrun = [](Connection&) {};
    a.block();
    Payloads expected;
    for (int i = 0; i < 8; ++i) {
      expected.push_back("k" + std::to_string(i));
      group.broadcast(text(expected.back()));
      // Holes split the batch.
      group.broadcast(text("hole"), &a);
    }
    loop.pass();
    CHECK(loop.service.overruns.empty());
    for (const std::string_view content : {"k8", "k9", "lost", "lost"})
      group.broadcast(text(content));
    group.broadcast(text("hole"), &a);
    for (int i = 0; i < 3; ++i) group.broadcast(text("lost"));
    loop.pass();
    CHECK(loop.service.overruns == std::vector<std::uint32_t>{5});
    CHECK(loop.outbox.stats().dropped_overrun == 5);
    a.unblock();
    loop.pass();
    expected.emplace_back("k8");
    expected.emplace_back("k9");
    CHECK(a.wire->payloads() == expected);
    CHECK(loop.service.writable == 1);
    group.broadcast(text("again"));
    loop.pass();
    CHECK(a.wire->payloads().back() == "again");
  }
}

TEST_CASE(
    "transport: after an overrun no smaller broadcast slips through before the service is told",
    "[transport][budget]") {
  Loop loop;
  WireConnection& a = loop.connect();
  REQUIRE(a.set_budget({.bytes = 4096, .frames = 100, .reserve_bytes = 0, .reserve_frames = 0}));
  Group group{loop.outbox};
  group.join(a);
  loop.service.when_overrun = [](Connection&) {};
  a.block();
  a.send(text("1"));
  loop.pass();
  group.broadcast(text(repeated('x', 5000)));
  group.broadcast(text("small"), nullptr);
  a.send(text("direct"));
  group.broadcast(text("small"));
  loop.pass();
  CHECK(loop.service.overruns == std::vector<std::uint32_t>{3});
  a.unblock();
  loop.pass();
  CHECK(a.wire->payloads() == Payloads{"1", "direct"});
}

TEST_CASE("transport: the default policy closes a connection that overruns as too slow",
          "[transport][budget]") {
  Loop loop;
  WireConnection& a = loop.connect();
  const auto wire = a.wire;
  REQUIRE(a.set_budget({.bytes = 4096, .frames = 10, .reserve_bytes = 0, .reserve_frames = 0}));
  Group group{loop.outbox};
  group.join(a);
  wire->room = 1;
  for (int i = 0; i < 30; ++i) group.broadcast(text("message"));
  loop.pass();
  CHECK_FALSE(a.is_open());
  a.unblock();
  loop.pass();
  CHECK(wire->payloads() == Payloads{"message"});  // the one that had begun
  CHECK(loop.service.closed.at(0).reason == CloseReason::too_slow);
  CHECK(loop.service.closed.at(0).code == 1008);
}

TEST_CASE("transport: a large batch does not overrun a member that takes all of it",
          "[transport][budget]") {
  for (const Framing framing : every_framing) {
    Loop loop;
    WireConnection& a = loop.connect(framing);
    REQUIRE(a.set_budget({.bytes = 4096, .frames = 8, .reserve_bytes = 0, .reserve_frames = 0}));
    Group group{loop.outbox};
    group.join(a);
    for (int i = 0; i < 100; ++i) {
      group.broadcast(text(repeated('b', 100)));
      group.broadcast(text("hole"), &a);
    }
    group.broadcast(text(repeated('c', 5000)));
    loop.pass();
    CHECK(loop.service.overruns.empty());
    CHECK(a.wire->payloads().size() == 101);
  }
}

TEST_CASE("transport: on_writable comes after a refusal, when half of the budget is free",
          "[transport][budget]") {
  Loop loop;
  WireConnection& a = loop.connect();
  REQUIRE(a.set_budget({.bytes = 8192, .frames = 100, .reserve_bytes = 0, .reserve_frames = 0}));
  a.block();
  while (a.send(text(repeated('w', 198))) == SendStatus::queued) {
  }
  loop.pass();
  a.unblock(2000);
  loop.pass();
  CHECK(a.backlog() > 4096);
  CHECK(loop.service.writable == 0);
  a.unblock(2200);
  loop.pass();
  CHECK(a.backlog() <= 4096);
  CHECK(loop.service.writable == 1);
  a.unblock();
  loop.pass();
  CHECK(loop.service.writable == 1);
}

TEST_CASE("transport: a service that asks hears once of a backlog, and once of its end",
          "[transport][budget]") {
  Loop loop;
  WireConnection& a = loop.connect();
  Group group{loop.outbox};
  group.join(a);
  const bool by_group = GENERATE(true, false);
  const auto say = [&] {
    by_group ? (void)group.broadcast(text("more")) : (void)a.send(text("more"));
  };
  a.block();
  say();
  loop.pass();
  CHECK(loop.service.backlogs == 0);  // nobody asked
  a.unblock();
  loop.pass();
  CHECK(loop.service.writable == 0);

  a.watch_backlog();
  say();
  loop.pass();
  CHECK(loop.service.backlogs == 0);  // all of it left at once
  a.block();
  for (int i = 0; i < 3; ++i) {
    say();
    loop.pass();
    CHECK(loop.service.backlogs == 1);
  }
  a.unblock(2);  // some of it leaves
  loop.pass();
  CHECK(loop.service.writable == 0);
  a.unblock();
  loop.pass();
  CHECK(loop.service.writable == 1);
  a.block();
  say();
  loop.pass();
  a.unblock();
  loop.pass();
  CHECK(loop.service.backlogs == 1);
  CHECK(loop.service.writable == 1);
}

TEST_CASE("transport: a service that asks hears when nothing waits, also if nothing did",
          "[transport][budget]") {
  Loop loop;
  WireConnection& a = loop.connect();
  a.report_drained();
  loop.pass();
  CHECK(loop.service.writable == 1);
  a.block();
  a.send(text("more"));
  a.report_drained();
  loop.pass();
  CHECK(loop.service.writable == 1);
  a.unblock();
  loop.pass();
  CHECK(loop.service.writable == 2);
  loop.pass();
  CHECK(loop.service.writable == 2);
  CHECK(loop.service.backlogs == 0);
}

TEST_CASE(
    "transport: a callback that overruns again is called again after the next flush, not at once",
    "[transport][budget]") {
  Loop loop;
  WireConnection& a = loop.connect();
  REQUIRE(a.set_budget({.bytes = 4096, .frames = 8, .reserve_bytes = 0, .reserve_frames = 0}));
  Group group{loop.outbox};
  group.join(a);
  a.block();
  loop.service.when_overrun = [&](Connection& self) {
    group.broadcast(text("still"));
    self.send(text("direct"));  // moves the broadcast into the full queue
  };
  for (int i = 0; i < 12; ++i) group.broadcast(text("x"));
  loop.pass();
  CHECK(loop.service.overruns.size() == 4);  // as often as a pass flushes
  loop.service.when_overrun = nullptr;
  loop.pass();
}

// Writes

TEST_CASE("transport: ten messages in one pass cost one write", "[transport][writes]") {
  for (const Framing framing : {Framing::server, Framing::client}) {
    Loop loop;
    WireConnection& a = loop.connect(framing);
    Group group{loop.outbox};
    group.join(a);
    for (int i = 0; i < 5; ++i) {
      a.send(text("direct"));
      group.broadcast(text("broadcast"));
    }
    loop.pass();
    CHECK(a.wire->payloads().size() == 10);
    CHECK(a.wire->writes == 1);
    CHECK(loop.outbox.stats().writes == 1);
    CHECK(loop.outbox.stats().messages == 10);
    CHECK(a.written() == a.wire->bytes.size());
    CHECK(a.backlog() == 0);
  }
}

TEST_CASE("transport: a batch costs one write per member, from where it was encoded",
          "[transport][writes]") {
  Loop loop;
  Group group{loop.outbox};
  std::vector<WireConnection*> members;
  for (int i = 0; i < 50; ++i) {
    members.push_back(&loop.connect());
    group.join(*members.back());
  }
  for (int i = 0; i < 16; ++i) group.broadcast(text("the same for all"));
  loop.pass();
  CHECK(loop.outbox.stats().writes == 50);
  for (const WireConnection* const member : members) {
    REQUIRE(member->wire->last_pieces == members[0]->wire->last_pieces);
    REQUIRE(member->wire->last_pieces.size() == 1);
  }
}

TEST_CASE("transport: a large frame leaves from where it was encoded, also after it has waited",
          "[transport][writes]") {
  Loop loop;
  const std::string content = repeated('L', 100'000);
  const Frame frame{text(content)};
  WireConnection& a = loop.connect();
  WireConnection& b = loop.connect();
  WireConnection& c = loop.connect(Framing::messages);
  b.block();
  for (WireConnection* const connection : {&a, &b, &c}) connection->send(frame);
  CHECK(frame.block().reference_count() == 4);
  loop.pass();
  CHECK(a.wire->last_pieces == std::vector{frame.encoded().data()});
  CHECK(c.wire->last_pieces == std::vector{frame.payload().data()});
  CHECK(frame.block().reference_count() == 2);
  b.unblock();
  loop.pass();
  CHECK(b.wire->last_pieces == std::vector{frame.encoded().data()});
  CHECK(b.wire->payloads() == Payloads{content});
  CHECK(frame.block().is_unique());
}

TEST_CASE("transport: a write that ends at any byte never corrupts framing",
          "[transport][partial]") {
  // The same queue, written up to every byte, then something happens, then the rest is written in
  // steps.
  const auto fill = [](Loop& loop, WireConnection& a, Group& group) {
    static_cast<void>(loop);
    group.broadcast(text("first"));
    group.broadcast(text("second"));
    a.send(text("key"), Delivery::latest(1));
    a.send(text("maybe"), Delivery::volatile_);
    group.broadcast(text(repeated('b', 200)));
    a.send(Frame{text(repeated('f', 2100))});
    group.broadcast(text("hole"), &a);
    group.broadcast(text("last"));
  };
  for (const Framing framing : {Framing::server, Framing::client}) {
    std::size_t total = 0;
    Payloads all;
    {
      Loop loop;
      WireConnection& a = loop.connect(framing);
      Group group{loop.outbox};
      group.join(a);
      fill(loop, a, group);
      loop.pass();
      total = a.wire->bytes.size();
      all = a.wire->payloads();
    }
    REQUIRE(all.size() == 7);
    for (int event = 0; event < 6; ++event) {
      for (std::size_t split = 0; split < total; ++split) {
        Loop loop;
        WireConnection& a = loop.connect(framing);
        const auto wire = a.wire;
        Group group{loop.outbox};
        group.join(a);
        loop.service.when_overrun = [](Connection&) {};
        fill(loop, a, group);
        wire->room = split;
        loop.pass();
        Payloads extra;
        switch (event) {
          case 1:
            a.discard_queue();
            break;
          case 2:
            a.send(text("new key"), Delivery::latest(1));
            extra = {"new key"};
            break;
          case 3:
            a.send(text("no"), Delivery::volatile_);
            break;
          case 4:
            a.set_budget({.bytes = 4096, .frames = 8, .reserve_bytes = 0, .reserve_frames = 0});
            for (int i = 0; i < 10; ++i) group.broadcast(text("over"));
            break;
          case 5:
            a.close(CloseReason::kicked, 4000, "x", text("words"));
            extra = {"words"};
            break;
          default:
            break;
        }
        loop.pass();
        wire->per_write = 700;
        for (int i = 0; i < 10 && wire->released == 0; ++i) {
          a.unblock();
          loop.pass();
        }
        Payloads got = wire->payloads();
        const bool whole = wire->is_whole() && (wire->released != 0 || a.backlog() == 0);
        if (event == 4) std::erase(got, "over");
        const bool ends_right = std::equal(
            extra.rbegin(), extra.rend(), got.rbegin(),
            got.rbegin() + static_cast<std::ptrdiff_t>(std::min(extra.size(), got.size())));
        // What is left must be the whole sequence, but for what the event or the wait may take
        // away.
        std::size_t missing = 0;
        bool other_missing = false;
        auto next = got.begin();
        for (const std::string& payload : all) {
          if (next != got.end() && *next == payload) {
            ++next;
          } else {
            ++missing;
            if (payload != "maybe" && !(event == 2 && payload == "key")) other_missing = true;
          }
        }
        const bool rest_is_extra = static_cast<std::size_t>(got.end() - next) == extra.size();
        if (!whole || !ends_right || !rest_is_extra || (other_missing && event != 1)) {
          FAIL("framing " << static_cast<int>(framing) << ", event " << event << ", split " << split
                          << ", missing " << missing);
        }
      }
    }
  }
}

TEST_CASE("transport: a batch that is taken up to any byte is continued there",
          "[transport][partial]") {
  for (const bool classes : {false, true}) {
    for (std::size_t split = 0; split < 260; ++split) {
      Loop loop;
      WireConnection& a = loop.connect();
      Group group{loop.outbox};
      group.join(a);
      Payloads expected;
      for (int i = 0; i < 20; ++i) {
        expected.push_back(std::to_string(i) + repeated('s', static_cast<std::size_t>(i)));
        group.broadcast(text(expected.back()), nullptr,
                        classes && i % 3 == 0 ? Delivery::latest(static_cast<std::uint32_t>(i))
                                              : Delivery::reliable);
      }
      a.wire->room = split;
      loop.pass();
      const bool counted = a.written() + a.backlog() == 20 * 2 + 30 + 190;
      a.unblock();
      loop.pass();
      if (!counted || a.wire->payloads() != expected || loop.outbox.stats().messages != 20) {
        FAIL("split " << split);
      }
    }
  }
}

// Control messages of the transport

TEST_CASE(
    "transport: of several waiting control messages only the newest leaves, and none after a close",
    "[transport][control]") {
  Loop loop;
  WireConnection& a = loop.connect();
  const auto wire = a.wire;
  a.block();
  a.send(text("1"));
  CHECK(a.send_control(as_bytes("\x8a\x01p")));
  CHECK(a.send_control(as_bytes("\x8a\x01q")));
  a.send(text("2"));
  loop.pass();
  a.close(CloseReason::finished, 1000);
  CHECK_FALSE(a.send_control(as_bytes("\x8a\x01r")));
  a.unblock();
  loop.pass();
  CHECK(wire->payloads() == Payloads{"1", "2"});
  CHECK(wire->controls() == Payloads{"q", "\x03\xe8"});
}

TEST_CASE("transport: discarding drops what waits here and in the batch, and says how much",
          "[transport][budget]") {
  Loop loop;
  WireConnection& a = loop.connect();
  const auto wire = a.wire;
  Group group{loop.outbox};
  group.join(a);
  a.block();
  a.send(text("1"));
  loop.pass();
  group.broadcast(text("2"));
  group.broadcast(text("3"), &a);
  group.broadcast(text("4"));
  CHECK(a.discard_queue() == 3);
  CHECK(a.backlog() == 0);
  a.send(text("5"));
  a.unblock();
  loop.pass();
  CHECK(wire->payloads() == Payloads{"5"});
  a.block();
  a.send(text("6"));
  a.close(CloseReason::finished, 1000, {}, text("7"));
  CHECK(a.discard_queue() == 1);
  a.unblock();
  loop.pass();
  CHECK(wire->payloads() == Payloads{"5", "7"});
}
