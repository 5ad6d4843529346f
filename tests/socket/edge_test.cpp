// SPDX-License-Identifier: MIT
// The traps of edge-triggered readiness, on every backend.
#include "support/socket_world.hpp"

#include <array>
#include <cstring>

#include <sys/resource.h>
#include <sys/wait.h>

using namespace muster;
using namespace std::chrono_literals;
using test::each_backend;
using test::RawClient;
using test::ServerWorld;

namespace {

std::string pattern(std::size_t size, unsigned seed = 1) {
  std::string out(size, '\0');
  for (char& c : out) {
    seed = seed * 1664525U + 1013904223U;
    c = static_cast<char>(seed >> 24U);
  }
  return out;
}

}  // namespace

TEST_CASE("socket: a message and the end of the stream in one segment are both seen", "[edge]") {
  ServerWorld world{each_backend()};
  RawClient& client = world.open();
  client.send(RawClient::frame("last"));
  client.half_close();
  REQUIRE(world.run_until([&] { return world.service.closes == 1; }));
  CHECK(world.service.messages == 1);
  CHECK(world.service.reason == CloseReason::connection_lost);
  CHECK(world.service.by_peer);
}

TEST_CASE("socket: an end that arrives after its data was read is seen", "[edge]") {
  ServerWorld world{each_backend()};
  RawClient& client = world.open();
  client.send(RawClient::frame("x"));
  REQUIRE(world.run_until([&] { return world.service.messages == 1; }));
  client.half_close();
  REQUIRE(world.run_until([&] { return world.service.closes == 1; }));
}

TEST_CASE("socket: the request, its first frames and the end come in one segment", "[edge]") {
  ServerWorld world{each_backend()};
  world.service.keeps = true;
  RawClient& client = world.connect();
  const int on = 1;
  const int off = 0;
  ::setsockopt(client.fd(), IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
  client.send(RawClient::upgrade_request() + RawClient::frame("one") + RawClient::frame("two") +
              RawClient::close_frame());
  client.half_close();
  ::setsockopt(client.fd(), IPPROTO_TCP, TCP_CORK, &off, sizeof(off));
  REQUIRE(world.run_until([&] { return world.service.closes == 1 && client.is_at_end(); }));
  CHECK(world.service.kept == std::vector<std::string>{"one", "two"});
  CHECK(client.is_upgraded());
  CHECK(client.messages() == std::vector<std::string>{"one", "two"});
  CHECK(client.close_code() == 1000);
  CHECK(world.service.reason == CloseReason::finished);
  CHECK_FALSE(client.was_reset());
}

TEST_CASE("socket: a request that comes byte by byte is answered", "[edge]") {
  ServerWorld world{each_backend()};
  RawClient& client = world.connect();
  for (const char c : RawClient::upgrade_request()) {
    client.send({&c, 1});
    world.context.restart();
    world.context.poll();
  }
  REQUIRE(world.run_until([&] { return client.is_upgraded(); }));
}

TEST_CASE("socket: what exceeds a pass's share is read later, and others get their turn",
          "[edge]") {
  muster::asio::Loop::Config config;
  config.pass_bytes = 64 * 1024;
  ServerWorld world{each_backend(), {}, config};
  world.service.echoes = false;
  RawClient& heavy = world.open();
  RawClient& light = world.open();
  std::size_t heavy_bytes_at_light = 0;
  world.service.when_message = [&](Connection&, const Message& message) {
    if (message.bytes.size() == 5) heavy_bytes_at_light = world.service.bytes;
  };
  const std::string message = pattern(100'000);
  std::string all;
  for (int i = 0; i < 50; ++i) all += RawClient::frame(message);
  heavy.output = std::move(all);
  heavy.step();  // fills the buffers before the loop gets to see any
  light.send(RawClient::frame("light"));
  REQUIRE(world.run_until([&] { return world.service.messages == 51; }));
  CHECK(world.service.bytes == 50 * message.size() + 5);
  CHECK(heavy_bytes_at_light < 20 * message.size());
}

TEST_CASE("socket: the end behind unread input is seen", "[edge]") {
  muster::asio::Loop::Config config;
  config.pass_bytes = 64 * 1024;
  ServerWorld world{each_backend(), {}, config};
  world.service.echoes = false;
  RawClient& client = world.open();
  // As much as fits without the loop's help, then the end.
  const std::string frame = RawClient::frame(pattern(50'000));
  std::size_t sent = 0;
  while (true) {
    client.output = frame;
    client.step();
    if (!client.has_sent_all()) break;
    ++sent;
    if (sent == 30) break;
  }
  REQUIRE(world.run_until([&] { return client.has_sent_all(); }));
  client.half_close();
  REQUIRE(world.run_until([&] { return world.service.closes == 1; }));
  CHECK(world.service.messages >= sent);
  CHECK(world.service.bytes == world.service.messages * 50'000);
  CHECK(world.service.reason == CloseReason::connection_lost);
}

TEST_CASE("socket: a reset behind unread input ends the connection", "[edge]") {
  muster::asio::Loop::Config config;
  config.pass_bytes = 64 * 1024;
  ServerWorld world{each_backend(), {}, config};
  world.service.echoes = false;
  RawClient& client = world.open();
  for (int i = 0; i < 4; ++i) client.send(RawClient::frame(pattern(50'000)));
  client.reset();
  world.clients.clear();
  REQUIRE(world.run_until([&] { return world.service.closes == 1; }));
  CHECK(world.service.reason == CloseReason::connection_lost);
}

TEST_CASE("socket: a peer that ended its side after its Close still gets all that waits",
          "[edge]") {
  const auto backend = each_backend();
  muster::asio::Loop::Config config;
  config.outbox.budget.bytes = 16 * 1024 * 1024;
  ServerWorld world{backend, {}, config};
  const std::string message = pattern(500'000);
  world.service.when_open = [&](Connection& connection, time_point) {
    for (int i = 0; i < 12; ++i) {
      REQUIRE(connection.send(Message{as_bytes(message)}) == SendStatus::queued);
    }
  };
  RawClient& client = world.connect(64 * 1024);
  client.is_reading = false;
  client.send(RawClient::upgrade_request());
  REQUIRE(world.run_until([&] { return world.service.opens == 1; }));
  client.send(RawClient::close_frame());
  client.half_close();
  world.settle();
  CHECK(world.service.closes == 0);
  // The end of the peer's stream has been read and there is room for nothing: nothing may happen.
  CHECK(world.handlers_while_idle() < 50);
  client.is_reading = true;
  REQUIRE(world.run_until([&] { return client.is_at_end(); }));
  CHECK_FALSE(client.was_reset());
  const auto messages = client.messages();
  REQUIRE(messages.size() == 12);
  for (const auto& got : messages) CHECK((got == message));
  CHECK(client.close_code() == 1000);
  REQUIRE(world.run_until([&] { return world.service.closes == 1; }));
  CHECK(world.service.reason == CloseReason::finished);
}

TEST_CASE("socket: writing to a peer that reads late resumes, in order", "[edge]") {
  const auto backend = each_backend();
  muster::asio::Loop::Config config;
  config.outbox.budget.bytes = 32 * 1024 * 1024;
  ServerWorld world{backend, {}, config};
  RawClient& client = world.open(32 * 1024);
  client.is_reading = false;
  std::vector<std::string> sent;
  for (unsigned i = 0; i < 300; ++i) {
    sent.push_back(pattern(i % 3 == 0 ? 60'000 : i * 7, i + 1));
    REQUIRE(world.last().send(Message{as_bytes(sent.back())}) == SendStatus::queued);
    if (i % 50 == 0) world.settle();
  }
  world.settle();
  CHECK(world.last().backlog() > 0);
  std::size_t step = 0;
  const bool done = world.run_until([&] {
    client.read(1000 + step++ * 777 % 90'000);
    return world.last().backlog() == 0;
  });
  REQUIRE(done);
  client.is_reading = true;
  REQUIRE(world.run_until([&] { return client.messages().size() >= sent.size(); }));
  CHECK((client.messages() == sent));
}

TEST_CASE("socket: a reset while a flush is blocked ends the connection once", "[edge]") {
  const auto backend = each_backend();
  muster::asio::Loop::Config config;
  config.outbox.budget.bytes = 32 * 1024 * 1024;
  ServerWorld world{backend, {}, config};
  RawClient& client = world.open(8 * 1024);
  client.is_reading = false;
  const std::string message = pattern(1'000'000);
  for (int i = 0; i < 10; ++i) world.last().send(Message{as_bytes(message)});
  world.settle();
  REQUIRE(world.last().backlog() > 0);
  client.reset();
  world.clients.clear();
  REQUIRE(world.run_until([&] { return world.service.closes == 1; }));
  CHECK(world.service.reason == CloseReason::connection_lost);
  CHECK(world.loop.outbox().connection_count() == 0);
}

TEST_CASE("socket: a reset that is found by the write ends the connection once", "[edge]") {
  ServerWorld world{each_backend()};
  RawClient& client = world.open();
  Connection& connection = world.last();
  client.reset();
  world.clients.clear();
  connection.send(Message{as_bytes("x")});
  REQUIRE(world.run_until([&] { return world.service.closes == 1; }));
  world.settle();
  CHECK(world.service.closes == 1);
}

TEST_CASE("socket: a thousand sockets that are ready at once are all served", "[edge][many]") {
  ServerWorld world{each_backend()};
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  rlimit raised = limit;
  raised.rlim_cur = std::min<rlim_t>(limit.rlim_max, 4096);
  ::setrlimit(RLIMIT_NOFILE, &raised);
  const int count = raised.rlim_cur >= 4096 ? 1000 : 100;
  // More than one pass's accepts, all waiting in the backlog before the loop looks.
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<RawClient>(world.port()));
    clients.back()->send(RawClient::upgrade_request());
  }
  REQUIRE(world.run_until([&] { return world.service.opens == count; }));
  for (auto& client : clients) client->send(RawClient::frame("all at once"));
  REQUIRE(world.run_until([&] { return world.service.messages == std::size_t(count); }));
  int answered = 0;
  for (auto& client : clients) {
    world.run_until([&] {
      client->step();
      return client->messages().size() == 1;
    });
    answered += client->messages() == std::vector<std::string>{"all at once"} ? 1 : 0;
  }
  CHECK(answered == count);
  clients.clear();
  REQUIRE(world.run_until([&] { return world.service.closes == count; }));
  CHECK(world.service.each_closed_once());
  CHECK(world.loop.outbox().connection_count() == 0);
}

TEST_CASE("socket: connections closed by a message of another in the same pass", "[edge]") {
  ServerWorld world{each_backend()};
  std::vector<RawClient*> clients;
  for (int i = 0; i < 20; ++i) clients.push_back(&world.open());
  std::vector<ConnectionId> ids;
  world.service.when_message = [&](Connection& connection, const Message&) {
    // The first one breaks or closes all, itself included, while they have events waiting.
    for (const ConnectionId id : ids) {
      if (Connection* const other = world.loop.outbox().find(id)) {
        other->close(CloseReason::kicked, 4001, "out");
      }
    }
    CHECK_FALSE(connection.is_open());
  };
  // The ids: by opening order.
  for (std::uint32_t i = 0; i < 64; ++i) {
    for (std::uint32_t generation = 1; generation < 3; ++generation) {
      if (world.loop.outbox().find({i, generation}) != nullptr) ids.push_back({i, generation});
    }
  }
  REQUIRE(ids.size() == 20);
  for (RawClient* const client : clients) {
    client->send(RawClient::frame("a") + RawClient::frame("b") + RawClient::close_frame());
    client->half_close();
  }
  REQUIRE(world.run_until([&] { return world.service.closes == 20; }));
  CHECK(world.service.messages == 1);
  CHECK(world.service.each_closed_once());
  for (RawClient* const client : clients) {
    REQUIRE(world.run_until([&] { return client->is_at_end(); }));
    CHECK(client->close_code() == 4001);
    CHECK_FALSE(client->was_reset());
  }
}

TEST_CASE("socket: running out of descriptors stops accepting only for a while", "[edge]") {
  const auto backend = each_backend();
  // In a child, since the limit is the whole process's. Its status says what went wrong.
  const pid_t child = ::fork();
  if (child == 0) {
    alarm(60);
    ServerWorld world{backend};
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 20; ++i) clients.push_back(std::make_unique<RawClient>(world.port()));
    const rlimit limit{static_cast<rlim_t>(clients.back()->fd() + 6),
                       static_cast<rlim_t>(clients.back()->fd() + 6)};
    if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) ::_exit(2);
    for (auto& client : clients) client->send(RawClient::upgrade_request());
    if (!world.run_until([&] { return world.service.opens >= 5; })) ::_exit(3);
    if (world.service.opens > 6) ::_exit(4);
    if (world.handlers_while_idle() > 100) ::_exit(5);  // it does not spin
    // Each that leaves makes room for another.
    for (auto& client : clients) {
      client->step();
      const bool served = world.run_until([&] {
        client->step();
        return client->is_upgraded();
      });
      if (!served) ::_exit(6);
      client.reset();
    }
    if (!world.run_until([&] { return world.service.closes == 20; })) ::_exit(7);
    ::_exit(0);
  }
  REQUIRE(child > 0);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("socket: a descriptor that a child still holds brings no event of a closed connection",
          "[edge]") {
  ServerWorld world{each_backend()};
  RawClient& client = world.open();
  std::array<int, 2> pipe{};
  REQUIRE(::pipe(pipe.data()) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(pipe[1]);
    char c = 0;
    static_cast<void>(::read(pipe[0], &c, 1));
    ::_exit(0);
  }
  REQUIRE(child > 0);
  client.send(RawClient::close_frame());
  REQUIRE(world.run_until([&] { return world.service.closes == 1; }));
  world.server.reset();
  client.send("more, to a socket that only the child has");
  world.settle();
  CHECK(world.handlers_while_idle() < 50);
  ::close(pipe[0]);
  ::close(pipe[1]);
  int status = 0;
  ::waitpid(child, &status, 0);
}
