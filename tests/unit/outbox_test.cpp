// SPDX-License-Identifier: MIT
// Places, generations and counters. The flush is in tests/spec/transport_*.
#include "support/catch.hpp"
#include "support/wire_connection.hpp"

#include <muster/memory/network.hpp>

#include <stdexcept>

using namespace muster;
using namespace muster::test;

TEST_CASE("outbox: places are used again, ids are not", "[outbox]") {
  Loop loop;
  std::vector<ConnectionId> old;
  for (int round = 0; round < 50; ++round) {
    WireConnection& a = loop.connect();
    WireConnection& b = loop.connect();
    CHECK(a.id().index < 2);
    CHECK(b.id().index < 2);
    CHECK(loop.outbox.connection_count() == 2);
    for (const ConnectionId id : old) REQUIRE(loop.outbox.find(id) == nullptr);
    old.insert(old.end(), {a.id(), b.id()});
    loop.destroy(&a);
    b.lose();
    loop.pass();
  }
  CHECK(loop.outbox.connection_count() == 0);
}

TEST_CASE("outbox: a connection may be destroyed in every state without a trace", "[outbox]") {
  Loop loop;
  Group group{loop.outbox};
  WireConnection* connection = &loop.connect();
  SECTION("not yet announced") {}
  SECTION("dirty") { connection->send(text("x")); }
  SECTION("member of a group with a batch") {
    group.join(*connection);
    group.broadcast(text("x"));
  }
  SECTION("ended, not yet told") { connection->lose(); }
  SECTION("overrun and writable, not yet told") {
    connection->set_budget({.bytes = 4096, .frames = 8, .reserve_bytes = 0, .reserve_frames = 0});
    group.join(*connection);
    connection->block();
    for (int i = 0; i < 20; ++i) group.broadcast(text("x"));
    loop.outbox.flush(loop.now);
    connection->unblock();
    loop.outbox.flush(loop.now);
  }
  loop.destroy(connection);
  loop.pass();
  CHECK(loop.service.closed.empty());
  CHECK(loop.service.overruns.empty());
  CHECK(loop.service.writable == 0);
  CHECK(loop.outbox.connection_count() == 0);
  CHECK(group.empty());
}

TEST_CASE("outbox: a flush with nothing to do counts as none", "[outbox]") {
  Loop loop;
  loop.pass();
  CHECK(loop.outbox.stats().flushes == 0);
  CHECK(loop.outbox.next_deadline() == no_deadline);
}

namespace {

class ThrowingService final : public Service {
 public:
  void on_message(Connection&, const Message&, time_point) override {}
  void on_close(Connection&, const CloseInfo&, time_point) override {
    throw std::runtime_error{"the application's"};
  }
};

}  // namespace

TEST_CASE("outbox: an exception of on_close does not leave the connection behind",
          "[outbox][exceptions]") {
  memory::Network network;
  ThrowingService client;
  ThrowingService server;
  Connection& end = network.connect(client, server);
  REQUIRE(network.run_until_quiet());
  end.close(CloseReason::finished);
  int thrown = 0;
  for (int i = 0; i < 4; ++i) {
    try {
      network.run_until_quiet();
      network.step();
      network.outbox().run(network.now());
    } catch (const std::runtime_error&) {
      ++thrown;
    }
  }
  CHECK(thrown == 2);  // once for each end
  network.run_for(std::chrono::seconds{1});
  CHECK(network.outbox().connection_count() == 0);
}
