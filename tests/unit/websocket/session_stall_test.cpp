// SPDX-License-Identifier: MIT
// Peers that do not take what is sent to them.
#include <muster/websocket/session.hpp>

#include <muster/group.hpp>

#include "support/catch.hpp"
#include "support/frames.hpp"
#include "support/heap_count.hpp"
#include "support/session_pipe.hpp"

#include <chrono>
#include <string>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;
using test::End;
using test::SessionWorld;
using websocket::Config;
using websocket::Role;

namespace {

using Notes = std::vector<std::string>;

// Nobody answers pings here, and it does not matter.
Config quiet() {
  Config config;
  config.ping_interval = config.idle_timeout = 0s;
  return config;
}

void send(End& end, std::string_view text) { end.session->send({as_bytes(text)}); }

}  // namespace

TEST_CASE("session stall: a peer that takes nothing is closed as too slow", "[session][deadline]") {
  SessionWorld world{quiet()};
  End deaf = world.open();
  deaf.pipe->room = 3;
  send(deaf, "hello");
  world.run();
  CHECK(deaf.pipe->written.size() == 3);
  world.wait(9900ms);
  CHECK(deaf.session->is_open());
  world.wait(300ms);
  CHECK(world.service.take() == Notes{"fault too_slow by peer 1013 too slow"});
  CHECK(world.endpoint.stats().write_timeouts == 1);
  CHECK_FALSE(deaf.is_gone());
  world.wait(2100ms);
  CHECK(deaf.is_gone());
  CHECK(world.service.take() == Notes{"close too_slow 1013 too slow"});
  CHECK(world.endpoint.session_count() == 0);
  CHECK(world.endpoint.next_deadline() == no_deadline);
}

TEST_CASE("session stall: one that takes bytes again within the close deadline reads why",
          "[session][deadline]") {
  SessionWorld world{quiet()};
  End end = world.open();
  end.pipe->room = 0;
  send(end, "hello");
  world.run();
  while (end.session->is_open()) world.wait(100ms);
  end.session->give_room(test::Pipe::unlimited);
  world.run();
  CHECK(test::decode(end.pipe->written, Role::client, websocket::Limits{}) ==
        std::vector{test::binary("hello"), test::closed(1013, "too slow")});
}

TEST_CASE("session stall: silence is no stall, nor is a full socket with nothing to send",
          "[session][deadline]") {
  SessionWorld world{quiet()};
  End silent = world.open();
  End busy = world.open();
  End full = world.open();
  full.pipe->room = 4;
  send(full, "hello");
  world.run();
  world.wait(6s);
  full.session->give_room(3);  // the message, and not one byte more
  world.run();
  CHECK(full.session->backlog() == 0);
  // Dropped since it has not begun.
  End dropped = world.open();
  dropped.pipe->room = 0;
  send(dropped, "never");
  world.run();
  dropped.session->discard_queue();
  CHECK(dropped.session->backlog() == 0);
  for (int i = 0; i < 100; ++i) {
    send(busy, "x");
    world.run();
    world.wait(7s);
  }
  for (End* const end : {&silent, &busy, &full, &dropped}) CHECK(end->session->is_open());
  CHECK(world.service.take().empty());
  // What it is sent now waits from now on.
  send(dropped, "again");
  world.run();
  world.wait(9900ms);
  CHECK(dropped.session->is_open());
  world.wait(10200ms);
  CHECK(dropped.is_gone());
  CHECK(world.endpoint.stats().write_timeouts == 1);
}

TEST_CASE("session stall: the least progress is enough, and a new stall starts anew",
          "[session][deadline]") {
  SessionWorld world{quiet()};
  End slow = world.open();
  slow.pipe->room = 0;
  send(slow, std::string(500, 'x'));
  world.run();
  for (int i = 0; i < 50; ++i) {
    world.wait(9s);
    REQUIRE(slow.session->is_open());
    slow.session->give_room(1);
    world.run();
  }
  slow.session->give_room(test::Pipe::unlimited);
  world.run();
  CHECK(slow.session->backlog() == 0);
  // Wherever in the looks' period the next begins.
  for (int ms = 0; ms < 6000; ms += 250) {
    INFO(ms);
    world.wait(std::chrono::milliseconds{ms});
    slow.pipe->room = 0;
    send(slow, "x");
    world.run();
    world.wait(9900ms);
    REQUIRE(slow.session->is_open());
    slow.session->give_room(test::Pipe::unlimited);
    world.run();
  }
  CHECK(world.endpoint.stats().write_timeouts == 0);
  slow.pipe->room = 0;
  send(slow, "x");
  world.run();
  const time_point since = world.now;
  while (slow.session->is_open()) world.wait(100ms);
  CHECK(world.now - since >= 10s);
  CHECK(world.now - since <= 15200ms);
}

TEST_CASE("session stall: what a peer says does not help it", "[session][deadline]") {
  SessionWorld world;
  End end = world.open();
  end.pipe->room = 0;
  send(end, "hello");
  world.run();
  for (int i = 0; i < 16 && end.session->is_open(); ++i) {
    world.feed(end, test::encode({0x81, "I am here"}, Role::server));
    world.wait(1s);
  }
  CHECK_FALSE(end.session->is_open());
  CHECK(world.endpoint.stats().idle_timeouts == 0);
  CHECK(world.endpoint.stats().write_timeouts == 1);
}

TEST_CASE("session stall: broadcasts, event streams and clients have the same deadline",
          "[session][stream][deadline]") {
  SessionWorld world{quiet()};
  world.service.when_request = [&](const Request&, Decision& decision) {
    decision.accept_stream(world.service);
  };
  Group group{world.outbox};
  End member = world.open();
  End reader = world.accept();
  world.feed(reader, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  test::SessionPair pair{world, 1};
  pair.run_until_quiet();
  REQUIRE(pair.client.session->is_open());
  for (End* const end : {&member, &reader}) group.join(*end->session);
  for (End* const end : {&member, &reader, &pair.client}) end->pipe->room = 0;
  group.broadcast({as_bytes("data: x\n\n"), MessageKind::text});
  send(pair.client, "hello");
  world.run();
  world.wait(9900ms);
  for (End* const end : {&member, &reader, &pair.client}) CHECK(end->session->is_open());
  world.service.take();
  world.client_service.take();
  world.wait(300ms);
  CHECK(world.service.take() ==
        Notes{"fault too_slow by peer 1013 too slow", "fault too_slow by peer 1013 too slow"});
  CHECK(world.client_service.take() == Notes{"fault too_slow by peer 1013 too slow"});
}

TEST_CASE("session stall: the service may say last words, or end it itself",
          "[session][deadline]") {
  SessionWorld world{quiet()};
  End end = world.open();
  world.service.when_fault = [](Connection& connection) {
    connection.discard_queue();
    connection.close(CloseReason::kicked, 4001, "go", {as_bytes("bye")});
  };
  end.pipe->room = 0;
  send(end, "hello");
  world.run();
  while (end.session->is_open()) world.wait(100ms);
  end.session->give_room(test::Pipe::unlimited);
  world.run();
  CHECK(test::decode(end.pipe->written, Role::client, websocket::Limits{}) ==
        std::vector{test::binary("bye"), test::closed(4001, "go")});
  world.wait(2100ms);
  CHECK(world.service.take() ==
        Notes{"fault too_slow by peer 1013 too slow", "close kicked 4001 go"});
}

TEST_CASE("session stall: a close in the middle has its own deadline", "[session][deadline]") {
  SessionWorld world{quiet()};
  End end = world.open();
  end.pipe->room = 0;
  send(end, "hello");
  world.run();
  world.wait(9900ms);
  end.session->close(CloseReason::finished, 1000, "done");
  world.run();
  world.wait(1900ms);
  CHECK_FALSE(end.is_gone());
  world.wait(200ms);
  CHECK(end.is_gone());
  CHECK(world.service.take() == Notes{"close finished 1000 done"});
  CHECK(world.endpoint.stats().write_timeouts == 0);
}

TEST_CASE("session stall: without the deadline a peer may take nothing for ever",
          "[session][deadline]") {
  Config config = quiet();
  config.write_timeout = 0s;
  SessionWorld world{config};
  End end = world.open();
  end.pipe->room = 0;
  send(end, "hello");
  world.run();
  world.wait(48h);
  CHECK(end.session->is_open());
}

#if MUSTER_TEST_COUNTS_ALLOCATIONS
TEST_CASE(
    "session stall: looking after a peer that is slow all the time costs no memory per message",
    "[session][deadline]") {
  // What waits is copied, so a stalled message costs some memory of its own.
  const auto allocations_with = [](duration write_timeout) {
    Config config = quiet();
    config.write_timeout = write_timeout;
    SessionWorld world{config};
    End end = world.open();
    end.pipe->written.reserve(1024 * 1024);
    const auto stall_and_go_on = [&](int count) {
      for (int i = 0; i < count; ++i) {
        end.pipe->room = 3;
        send(end, "hello");
        world.run();
        end.session->give_room(test::Pipe::unlimited);
        world.run();
      }
    };
    stall_and_go_on(100);
    world.wait(100ms);
    stall_and_go_on(100);
    const int before = test::allocations;
    stall_and_go_on(1000);
    return test::allocations - before;
  };
  CHECK(allocations_with(10s) == allocations_with(0s));
}
#endif
