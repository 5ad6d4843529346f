// SPDX-License-Identifier: MIT
// Last words arrive, whatever the peer goes on sending: no TCP reset takes them away.
#include "support/socket_world.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::each_backend;
using test::RawClient;
using test::ServerWorld;

namespace {

// Sends `first`, and then more and more, and reads only once the server has closed for its part.
void chatter(ServerWorld& world, RawClient& client, const std::string& first) {
  client.is_reading = false;
  client.send(first);
  const std::string more = RawClient::frame(std::string(4000, 'm'));
  for (int i = 0; i < 200; ++i) {
    if (client.has_sent_all()) client.output = more;
    client.step();
    world.context.restart();
    world.context.poll();
  }
  client.is_reading = true;
  client.output.clear();
  REQUIRE(world.run_until([&] { return client.close_code() != 0; }));
}

}  // namespace

TEST_CASE("socket: after a protocol error the close arrives though the peer keeps sending",
          "[last_words]") {
  ServerWorld world{each_backend()};
  RawClient& client = world.open();
  chatter(world, client, RawClient::frame("x", 0xf2));  // reserved bits
  CHECK(client.close_code() == 1002);
  CHECK(world.server->endpoint().stats().protocol_errors == 1);
}

TEST_CASE("socket: after an oversized message the close arrives though the peer keeps sending",
          "[last_words]") {
  ServerWorld::Config config;
  config.max_message = 1000;
  ServerWorld world{each_backend(), config};
  RawClient& client = world.open();
  chatter(world, client, RawClient::frame(std::string(100'000, 'x')));
  CHECK(client.close_code() == 1009);
  CHECK(world.server->endpoint().stats().oversized == 1);
  CHECK(world.service.messages == 0);
}

TEST_CASE("relay defect 32: a kicked peer gets the last words though it keeps sending",
          "[last_words]") {
  ServerWorld world{each_backend()};
  world.service.when_message = [](Connection& connection, const Message&) {
    connection.close(CloseReason::kicked, 4003, "out", Message{as_bytes("last words")});
  };
  RawClient& client = world.open();
  chatter(world, client, RawClient::frame("kick me"));
  CHECK(client.close_code() == 4003);
  CHECK(client.messages() == std::vector<std::string>{"last words"});
  CHECK(world.service.messages == 1);
  client.send(RawClient::close_frame(4003));
  REQUIRE(world.run_until([&] { return world.service.closes == 1; }));
  CHECK(world.service.reason == CloseReason::kicked);
  CHECK_FALSE(world.service.by_peer);
}

TEST_CASE("socket: a peer closed by a timer after a quiet time gets the last words",
          "[last_words]") {
  ServerWorld::Config config;
  config.close_timeout = 500ms;
  ServerWorld world{each_backend(), config};
  RawClient& client = world.open();
  // Longer than the close deadline, in which the loop is told nothing of the time.
  ::asio::steady_timer timer{world.context, 700ms};
  bool fired = false;
  timer.async_wait([&](const std::error_code&) {
    fired = true;
    client.send(RawClient::frame("unread"));
    world.last().close(CloseReason::kicked, 4004, "bye", Message{as_bytes("so long")});
  });
  REQUIRE(world.run_until([&] { return fired; }));
  REQUIRE(world.run_until([&] { return client.is_at_end() || client.close_code() != 0; }));
  CHECK(client.messages() == std::vector<std::string>{"so long"});
  CHECK(client.close_code() == 4004);
  CHECK_FALSE(client.was_reset());
  CHECK(world.service.closes == 0);  // the peer has its time to answer
  REQUIRE(world.run_until([&] { return world.service.closes == 1; }));
  CHECK(world.server->endpoint().stats().close_timeouts == 1);
}

TEST_CASE("socket: a peer that never answers the close costs its deadline only", "[last_words]") {
  ServerWorld::Config config;
  config.close_timeout = 50ms;
  ServerWorld world{each_backend(), config};
  RawClient& client = world.open();
  world.last().close(CloseReason::kicked, 4001, "out");
  REQUIRE(world.run_until([&] { return world.service.closes == 1 && client.is_at_end(); }));
  CHECK(client.close_code() == 4001);
  CHECK(world.service.reason == CloseReason::kicked);
}

TEST_CASE("socket: last words wait behind what a slow peer has yet to read", "[last_words]") {
  const auto backend = each_backend();
  muster::asio::Loop::Config config;
  config.outbox.budget.bytes = 8 * 1024 * 1024;
  ServerWorld world{backend, {}, config};
  RawClient& client = world.open(8 * 1024);
  client.is_reading = false;
  const std::string message(1'000'000, 'm');
  for (int i = 0; i < 5; ++i) world.last().send(Message{as_bytes(message)});
  world.last().close(CloseReason::kicked, 4001, "out", Message{as_bytes("last words")});
  world.settle();
  CHECK(world.service.closes == 0);
  client.is_reading = true;
  REQUIRE(world.run_until([&] { return client.close_code() != 0; }));
  const auto messages = client.messages();
  REQUIRE(messages.size() == 6);
  CHECK(messages.back() == "last words");
}
