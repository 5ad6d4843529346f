// SPDX-License-Identifier: MIT
// Membership. What members receive is in tests/spec/transport_*.
#include "support/catch.hpp"
#include "support/wire_connection.hpp"

using namespace muster;
using namespace muster::test;

TEST_CASE("group: a connection is in at most one group", "[group]") {
  Loop loop;
  WireConnection& a = loop.connect();
  Group red{loop.outbox};
  Group blue{loop.outbox};
  red.join(a);
  red.join(a);
  CHECK(red.size() == 1);
  CHECK(a.group() == &red);
  blue.leave(a);
  CHECK(a.group() == &red);
  blue.join(a);
  CHECK(red.empty());
  CHECK(blue.size() == 1);
  CHECK(&blue.member(0) == &a);
  blue.leave(a);
  CHECK(a.group() == nullptr);
}

TEST_CASE("group: a broadcast to nobody is no work", "[group]") {
  Loop loop;
  Group group{loop.outbox};
  CHECK(group.broadcast(text("x")) == SendStatus::queued);
  CHECK_FALSE(loop.outbox.is_dirty());
}

TEST_CASE("group: a batch has a bound, a broadcast above it reaches nobody", "[group]") {
  Outbox::Config config;
  config.max_batch_bytes = 64 * 1024;
  Loop loop{config};
  WireConnection& a = loop.connect();
  Group group{loop.outbox};
  group.join(a);
  CHECK(group.broadcast(text(std::string(64 * 1024, 'x'))) == SendStatus::over_budget);
  CHECK(group.broadcast(text(std::string(40'000, 'y'))) == SendStatus::queued);
  CHECK(group.broadcast(text(std::string(40'000, 'z'))) == SendStatus::over_budget);
  CHECK(group.broadcast(text("fits")) == SendStatus::queued);
  CHECK(loop.outbox.stats().refused_sends == 2);
  loop.pass();
  CHECK(a.wire->payloads() == Payloads{std::string(40'000, 'y'), "fits"});
}
