// SPDX-License-Identifier: MIT
// SOE sessions in the passes of a loop, over loopback.
#include "../lib/asio/soe_socket_impl.hpp"

#include "support/failing_datagrams.hpp"
#include "support/socket_world.hpp"
#include "support/soe_notes.hpp"

#include <muster/asio/loop_group.hpp>
#include <muster/asio/soe_socket.hpp>

#include <asio/post.hpp>

#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

using namespace muster;
using namespace std::chrono_literals;
using muster::asio::Loop;
using muster::asio::SoeOptions;
using muster::asio::SoeSocket;
using soe::Channel;
using soe::DisconnectReason;
using soe::EnqueueStatus;
using soe::SessionId;
using test::Backend;
using test::each_backend;
using test::FailingDatagrams;
using test::LoopWorld;
using test::soe_bytes;
using test::soe_options;
using test::soe_protocol;
using test::SoeNotes;

namespace {

struct End {
  End(Loop& loop, const SoeOptions& options, std::uint64_t seed)
      : entropy(seed), socket(loop, options, entropy, notes) {}
  SeededEntropy entropy;
  SoeNotes notes;
  SoeSocket socket;
};

/// A server that echoes, and a client, on one loop.
struct SoeWorld : LoopWorld {
  explicit SoeWorld(Backend backend, const SoeOptions& options = soe_options(),
                    const char* address = "127.0.0.1:0", const Loop::Config& loop_config = {})
      : LoopWorld(backend, loop_config),
        soe(options),
        server(std::in_place, loop, options, 1),
        client(std::in_place, loop, options, 2) {
    REQUIRE(!server->socket.bind(address));
    server->notes.echo = [this](SessionId session, byte_view data, Channel channel) {
      server->socket.enqueue(session, data, channel);
    };
  }

  SessionId open() { return open(*client); }
  SessionId open(End& end) {
    const auto session = end.socket.connect(server->socket.local(), soe_protocol);
    REQUIRE(session);
    REQUIRE(run_until([&] { return end.notes.opens == 1; }));
    return *session;
  }

  [[nodiscard]] bool is_in_order() const {
    return server->notes.disorders + client->notes.disorders == 0;
  }

  SoeOptions soe;
  std::optional<End> server;
  std::optional<End> client;
};

}  // namespace

TEST_CASE("soe socket: messages come back, on both families, with and without offload",
          "[soe][socket]") {
  SoeOptions options = soe_options(GENERATE(true, false));
  options.socket.gso = GENERATE(true, false);
  options.socket.gro = GENERATE(true, false);
  const bool v6 = GENERATE(true, false);
  INFO("gso " << options.socket.gso << " gro " << options.socket.gro << " v6 " << v6);
  SoeWorld world{each_backend(), options, v6 ? "[::1]:0" : "127.0.0.1:0"};
  if (v6) REQUIRE(!world.client->socket.open_for(world.server->socket.local().to_string()));
  const SessionId session = world.open();
  CHECK(world.client->notes.of(session).remote == world.server->socket.local());
  std::vector<std::vector<std::byte>> expected;
  for (const std::size_t size : {1UL << 20U, 1UL, 511UL, 40'000UL, 2UL, 506UL, 65'536UL, 100UL}) {
    expected.push_back(soe_bytes(size, size));
    CHECK(world.client->socket.enqueue(session, expected.back()) == EnqueueStatus::queued);
  }
  REQUIRE(world.run_until([&] { return world.client->notes.messages == expected.size(); }));
  CHECK((world.client->notes.of(session).kept == expected));
  CHECK(world.is_in_order());
  CHECK(world.server->socket.multiplexer().session_count() == 1);
  const auto& stats = world.client->socket.stats();
  CHECK(stats.send_errors + stats.receive_errors == 0);
  if (stats.gso && world.soe.protocol.bundles) {
    CHECK(stats.datagrams_in_groups * 10 > stats.datagrams_sent * 5);
  }
}

TEST_CASE("soe socket: what is enqueued between passes leaves at once, and together",
          "[soe][socket]") {
  SoeWorld world{each_backend()};
  const SessionId session = world.open();
  world.settle();
  const auto calls = world.client->socket.stats().send_calls;
  for (int i = 0; i < 20; ++i) world.client->socket.enqueue(session, soe_bytes(1, 1000));
  CHECK(world.client->socket.stats().send_calls == calls);
  world.context.restart();
  world.context.run_one();
  CHECK(world.client->socket.stats().send_calls == calls + 1);
  REQUIRE(world.run_until([&] { return world.client->notes.messages == 20; }));
}

TEST_CASE("soe socket: what a handler enqueues leaves with the pass that called it",
          "[soe][socket]") {
  SoeWorld world{each_backend()};
  const SessionId session = world.open();
  world.settle();
  const auto calls = world.server->socket.stats().send_calls;
  // One datagram of a hundred messages; a hundred answers in one.
  for (int i = 0; i < 100; ++i) world.client->socket.enqueue(session, soe_bytes(1, 5));
  REQUIRE(world.run_until([&] { return world.client->notes.messages == 100; }));
  CHECK(world.server->socket.stats().send_calls <= calls + 2);
}

TEST_CASE("soe socket: a service and a socket share the passes of a loop", "[soe][socket]") {
  // What a member of the other kind is sent in a handler leaves in time too.
  test::ServerWorld web{each_backend()};
  End server{web.loop, soe_options(), 1};
  End client{web.loop, soe_options(), 2};
  REQUIRE(!server.socket.bind("127.0.0.1:0"));
  test::RawClient& browser = web.open();
  const auto session = client.socket.connect(server.socket.local(), soe_protocol);
  REQUIRE(session);
  REQUIRE(web.run_until([&] { return client.notes.opens == 1; }));
  client.socket.enqueue(*session, soe_bytes(1, 1));  // a server sees those only who speak
  REQUIRE(web.run_until([&] { return server.notes.opens == 1; }));
  web.service.echoes = false;
  web.service.when_message = [&](Connection&, const Message& message) {
    server.socket.enqueue(server.notes.last, message.bytes);
  };
  client.notes.when_data = [&](SessionId, byte_view data, Channel) {
    client.socket.enqueue(*session, data);
  };
  // All that a pass calls has the pass's time.
  std::size_t other_times = 0;
  server.notes.when_data = [&](SessionId, byte_view data, Channel) {
    if (server.notes.time != web.loop.now()) ++other_times;
    web.last().send(Message{data});
  };
  browser.send(test::RawClient::frame("around"));
  REQUIRE(web.run_until([&] { return browser.messages().size() == 1; }));
  CHECK(browser.messages().front() == "around");
  CHECK(other_times == 0);
}

TEST_CASE("soe socket: deadlines are kept by the loop alone, and an idle socket costs nothing",
          "[soe][socket]") {
  SoeOptions options = soe_options();
  options.protocol.heartbeat_after = 30ms;
  options.protocol.inactivity_timeout = 1100ms;
  SoeWorld world{each_backend(), options};
  world.open();
  world.settle();
  // Heartbeats leave, and are answered.
  const auto received = world.client->socket.stats().datagrams_received;
  REQUIRE(
      world.run_until([&] { return world.client->socket.stats().datagrams_received > received; }));
  CHECK(world.client->notes.closes == 0);
  CHECK(world.server->notes.opens == 1);
  CHECK(world.handlers_while_idle() < 60);
  // The server is gone without a word.
  world.server.reset();
  REQUIRE(world.run_until([&] { return world.client->notes.closes == 1; }));
  CHECK(world.client->notes.reason == DisconnectReason::timeout);
  CHECK(world.handlers_while_idle() < 10);
}

TEST_CASE("soe socket: a server that is not there is given up", "[soe][socket]") {
  SoeOptions options = soe_options();
  options.protocol.request_retry = 10ms;
  options.protocol.connect_timeout = 50ms;
  LoopWorld world{each_backend()};
  End client{world.loop, options, 1};
  REQUIRE(!client.socket.open_for("127.0.0.1:9"));
  REQUIRE(client.socket.connect("127.0.0.1:9", soe_protocol));
  REQUIRE(world.run_until([&] { return client.notes.closes == 1; }));
  CHECK(client.notes.reason == DisconnectReason::connect_fail);
  CHECK(client.notes.opens == 0);
}

TEST_CASE("soe socket: a hundred sessions, of mixed sizes", "[soe][socket]") {
  SoeOptions options = soe_options();
  options.protocol.requests_per_second_per_host = 0;
  SoeWorld world{each_backend(), options, "[::]:0"};
  const std::string four = "127.0.0.1:" + std::to_string(world.server->socket.local().port);
  const std::string six = "[::1]:" + std::to_string(world.server->socket.local().port);
  std::vector<std::unique_ptr<End>> ends;
  std::size_t done = 0;
  const auto size_of = [](std::size_t i, std::size_t k) { return 1 + (i * 37 + k * 1013) % 9000; };
  for (std::size_t i = 0; i < 100; ++i) {
    ends.push_back(std::make_unique<End>(world.loop, options, 10 + i));
    End& end = *ends.back();
    end.notes.when_opened = [&, i](SessionId session) {
      end.socket.enqueue(session, soe_bytes(i * 100, size_of(i, 0)));
    };
    end.notes.when_data = [&, i](SessionId session, byte_view, Channel) {
      const std::size_t k = end.notes.messages;
      if (k == 10) {
        ++done;
      } else {
        end.socket.enqueue(session, soe_bytes(i * 100 + k, size_of(i, k)));
      }
    };
    REQUIRE(end.socket.connect(i % 2 == 0 ? four : six, soe_protocol));
  }
  REQUIRE(world.run_until([&] { return done == 100; }));
  CHECK(world.server->socket.multiplexer().session_count() == 100);
  for (std::size_t i = 0; i < 100; ++i) {
    const auto& kept = ends[i]->notes.sessions.begin()->second.kept;
    REQUIRE(kept.size() == 10);
    for (std::size_t k = 0; k < 10; ++k) CHECK((kept[k] == soe_bytes(i * 100 + k, size_of(i, k))));
    CHECK(ends[i]->notes.disorders == 0);
  }
  CHECK(world.is_in_order());
}

TEST_CASE("soe socket: while it is paused nothing is told and nothing spins, then all comes",
          "[soe][socket]") {
  SoeWorld world{each_backend()};
  const SessionId session = world.open();
  world.settle();
  world.server->socket.pause();
  world.server->socket.pause();
  const auto message = soe_bytes(3, 200'000);
  for (int i = 0; i < 5; ++i) world.client->socket.enqueue(session, message);
  world.settle();
  const auto until = std::chrono::steady_clock::now() + 100ms;
  REQUIRE(world.run_until([&] { return std::chrono::steady_clock::now() > until; }));
  CHECK(world.server->notes.messages == 0);
  CHECK(world.handlers_while_idle() < 200);  // the client's timers
  world.server->socket.resume();
  REQUIRE(world.run_until([&] { return world.client->notes.messages == 5; }));
  CHECK((world.client->notes.of(session).kept[4] == message));
  // And from within a handler.
  world.server->notes.when_data = [&](SessionId, byte_view, Channel) {
    world.server->socket.pause();
    world.server->socket.resume();
  };
  for (int i = 0; i < 5; ++i) world.client->socket.enqueue(session, message);
  REQUIRE(world.run_until([&] { return world.client->notes.messages == 10; }));
}

TEST_CASE("soe socket: what a handler throws leaves the run, and the rest follows",
          "[soe][socket]") {
  SoeWorld world{each_backend()};
  const SessionId session = world.open();
  world.settle();
  world.server->notes.when_data = [&](SessionId, byte_view, Channel) {
    if (world.server->notes.messages == 3) throw std::runtime_error{"handler"};
  };
  for (int i = 0; i < 10; ++i) world.client->socket.enqueue(session, soe_bytes(1, 10));
  CHECK_THROWS_WITH(world.run_until([&] { return world.client->notes.messages == 10; }), "handler");
  // The third was not answered.
  REQUIRE(world.run_until([&] { return world.client->notes.messages == 9; }));
  CHECK(world.server->notes.messages == 10);
  // Of a timer's event as well.
  world.client->notes.when_closed = [](SessionId) { throw std::runtime_error{"closed"}; };
  world.client->socket.terminate(session);
  CHECK_THROWS_WITH(world.run_until([&] { return world.server->notes.closes == 1; }), "closed");
  REQUIRE(world.run_until([&] { return world.server->notes.closes == 1; }));
}

TEST_CASE("soe socket: bulk leaves the others of the loop their turn", "[soe][socket]") {
  Loop::Config loop_config;
  loop_config.pass_bytes = 64 * 1024;
  SoeWorld world{each_backend(), soe_options(), "127.0.0.1:0", loop_config};
  const SessionId session = world.open();
  world.client->notes.keeps = world.server->notes.keeps = false;
  const auto message = soe_bytes(1, 500'000);
  for (int i = 0; i < 8; ++i) {
    REQUIRE(world.client->socket.enqueue(session, message) == EnqueueStatus::queued);
  }
  std::size_t turns = 0;
  std::function<void()> turn = [&] {
    ++turns;
    if (world.client->notes.messages < 8) ::asio::post(world.context, turn);
  };
  ::asio::post(world.context, turn);
  REQUIRE(world.run_until([&] { return world.client->notes.messages == 8; }));
  CHECK(turns > 8);  // 8 MB in passes of 64 KB, and a look at the socket may bring some more
}

TEST_CASE("soe socket: the handler is told when there is room again", "[soe][socket]") {
  SoeOptions options = soe_options();
  options.protocol.send_budget = 256 * 1024;
  SoeWorld world{each_backend(), options};
  world.client->notes.keeps = world.server->notes.keeps = false;
  world.server->notes.echo = {};
  std::size_t sent = 0;
  const auto message = soe_bytes(1, 10'000);
  const auto fill = [&](SessionId to) {
    while (sent < 500 && world.client->socket.enqueue(to, message) == EnqueueStatus::queued) ++sent;
  };
  world.client->notes.when_writable = fill;
  // From a handler, also of the opening, and from outside.
  const bool from_outside = GENERATE(true, false);
  if (!from_outside) world.client->notes.when_opened = fill;
  const SessionId session = world.open();
  if (from_outside) {
    fill(session);
    CHECK(sent < 30);
  }
  CHECK(world.client->socket.enqueue(session, soe_bytes(1, 300'000)) == EnqueueStatus::too_large);
  REQUIRE(world.run_until([&] { return world.server->notes.messages == 500; }));
  CHECK(world.client->notes.writables > 5);
  CHECK(world.is_in_order());
}

TEST_CASE("soe socket: all sessions can be told that it ends", "[soe][socket]") {
  SoeOptions options = soe_options();
  SoeWorld world{each_backend(), options};
  std::vector<std::unique_ptr<End>> ends;
  for (std::size_t i = 0; i < 10; ++i) {
    ends.push_back(std::make_unique<End>(world.loop, options, 10 + i));
    ends[i]->socket.enqueue(world.open(*ends[i]), soe_bytes(1, 1));
  }
  REQUIRE(world.run_until([&] { return world.server->notes.opens == 10; }));
  // One has closed already, one is asked for.
  ends[0]->socket.terminate(ends[0]->notes.last);
  REQUIRE(world.run_until([&] { return world.server->notes.closes == 1; }));
  REQUIRE(world.server->socket.connect("127.0.0.1:9", soe_protocol));
  world.server->socket.terminate_all(DisconnectReason::manager_deleted);
  world.context.restart();
  world.context.poll();
  CHECK(world.server->notes.closes == 11);
  CHECK(world.server->socket.multiplexer().session_count() == 0);
  world.server.reset();
  REQUIRE(world.run_until([&] {
    return std::all_of(ends.begin(), ends.end(), [](auto& end) { return end->notes.closes == 1; });
  }));
  CHECK(ends[1]->notes.reason == DisconnectReason::manager_deleted);
  CHECK(ends[1]->notes.by_peer);
}

TEST_CASE("soe socket: a key encrypts both ways", "[soe][socket]") {
  SoeOptions options = soe_options();
  const auto key = soe_bytes(9, 16);
  options.protocol.encryption_key = key;
  SoeWorld world{each_backend(), options};
  const SessionId session = world.open();
  const auto message = soe_bytes(1, 10'000);
  world.client->socket.enqueue(session, message);
  REQUIRE(world.run_until([&] { return world.client->notes.messages == 1; }));
  CHECK((world.client->notes.of(session).kept[0] == message));
  CHECK(world.client->socket.set_encryption(session, 0b0010, {}));
  CHECK_FALSE(world.client->socket.set_encryption({}, 0b0010, {}));
  world.client->socket.enqueue(session, message, Channel::reliable1);
  REQUIRE(world.run_until([&] { return world.server->notes.messages == 2; }));
  CHECK_FALSE((world.server->notes.sessions.begin()->second.kept[1] == message));
}

TEST_CASE("soe socket: loops share a port, and each peer stays with one", "[soe][socket]") {
  SoeOptions options = soe_options();
  options.socket.reuse_port = true;
  options.protocol.requests_per_second_per_host = 0;
  LoopWorld world{each_backend()};
  End one{world.loop, options, 1};
  End two{world.loop, options, 2};
  REQUIRE(!one.socket.bind("127.0.0.1:0"));
  REQUIRE(!two.socket.bind(one.socket.local().to_string()));
  for (End* const end : {&one, &two}) {
    end->notes.echo = [end](SessionId session, byte_view data, Channel channel) {
      end->socket.enqueue(session, data, channel);
    };
  }
  const SoeOptions client_options = soe_options();
  std::vector<std::unique_ptr<End>> ends;
  for (std::size_t i = 0; i < 40; ++i) {
    ends.push_back(std::make_unique<End>(world.loop, client_options, 10 + i));
    End& end = *ends.back();
    const auto session = end.socket.connect(one.socket.local(), soe_protocol);
    REQUIRE(session);
    end.notes.when_opened = [&end](SessionId opened) {
      for (int k = 0; k < 5; ++k) end.socket.enqueue(opened, soe_bytes(1, 2000));
    };
  }
  REQUIRE(world.run_until([&] {
    return std::all_of(ends.begin(), ends.end(),
                       [](auto& end) { return end->notes.messages == 5; });
  }));
  CHECK(one.notes.opens + two.notes.opens == 40);
  CHECK(one.notes.opens > 0);
  CHECK(two.notes.opens > 0);
}

namespace {

/// A client whose calls to the system fail as a test likes.
struct FailingWorld : SoeWorld {
  explicit FailingWorld(Backend backend)
      : SoeWorld(backend), bad_entropy(5), bad(loop, soe, bad_entropy, notes, failing.calls) {}

  SessionId open_bad() {
    const auto session = bad.connect(server->socket.local(), soe_protocol);
    REQUIRE(session);
    REQUIRE(run_until([&] { return notes.opens == 1; }));
    return *session;
  }

  FailingDatagrams failing;
  SeededEntropy bad_entropy;
  SoeNotes notes;
  SoeSocket::Impl bad;
};

}  // namespace

TEST_CASE("soe socket: a full socket keeps what it could not send, and goes on", "[soe][socket]") {
  FailingWorld world{each_backend()};
  const SessionId session = world.open_bad();
  const auto message = soe_bytes(1, 100'000);
  for (int round = 0; round < 5; ++round) {
    // Now and then, and for a while.
    FailingDatagrams::errors = {0, EAGAIN, 0, 0, EAGAIN, EAGAIN, EAGAIN, 0, EAGAIN};
    FailingDatagrams::most_at_once = 1;
    const std::size_t before = world.notes.messages;
    for (int i = 0; i < 4; ++i) world.bad.enqueue(session, message, Channel::reliable0);
    REQUIRE(world.run_until([&] { return world.notes.messages == before + 4; }));
    CHECK((world.notes.of(session).kept.back() == message));
  }
  CHECK(world.bad.port().socket().stats().times_blocked > 5);
  CHECK_FALSE(world.bad.port().socket().is_blocked());
  FailingDatagrams::most_at_once = 1000;
  // Having been full leaves no watch behind that would fire with each datagram.
  REQUIRE(world.run_until([&] { return FailingDatagrams::errors.empty(); }));
  world.settle();
  CHECK(world.handlers_while_idle() < 10);
}

TEST_CASE("soe socket: what is sent while it is full waits, and deadlines do not spin",
          "[soe][socket]") {
  FailingWorld world{each_backend()};
  const SessionId session = world.open_bad();
  world.settle();
  bool is_full = true;
  FailingDatagrams::when_sending = [&](const msghdr&) { return is_full ? EAGAIN : 0; };
  world.bad.enqueue(session, soe_bytes(1, 1000), Channel::reliable0);
  world.settle();
  world.bad.enqueue(session, soe_bytes(2, 1000), Channel::reliable0);
  world.settle();
  CHECK(world.server->notes.messages == 0);
  is_full = false;
  REQUIRE(world.run_until([&] { return world.notes.messages == 2; }));
}

TEST_CASE("soe socket: groups that are refused leave one by one", "[soe][socket]") {
  FailingWorld world{each_backend()};
  const SessionId session = world.open_bad();
  const int error = GENERATE(EIO, EINVAL);
  FailingDatagrams::when_sending = [&](const msghdr& header) {
    return header.msg_controllen != 0 ? error : 0;
  };
  const auto message = soe_bytes(1, 1 << 20);
  for (int i = 0; i < 3; ++i) world.bad.enqueue(session, message, Channel::reliable0);
  REQUIRE(world.run_until([&] { return world.notes.messages == 3; }));
  CHECK((world.notes.of(session).kept.back() == message));
  CHECK_FALSE(world.bad.port().socket().stats().gso);
}

TEST_CASE("soe socket: errors of the system's end no session", "[soe][socket]") {
  FailingWorld world{each_backend()};
  const SessionId session = world.open_bad();
  SeededEntropy chance{GENERATE(1, 2, 3)};
  // The first, since all of it may leave in a few groups, and then one of ten.
  bool is_first = true;
  FailingDatagrams::when_sending = [&](const msghdr&) {
    constexpr std::array errors{ENETUNREACH, EPERM, ENOBUFS, EHOSTUNREACH};
    const std::uint64_t number = chance.next_u64();
    const bool fails = std::exchange(is_first, false) || number % 10 == 0;
    return fails ? errors[number / 10 % errors.size()] : 0;
  };
  const auto message = soe_bytes(1, 200'000);
  for (int i = 0; i < 3; ++i) {
    FailingDatagrams::receive_errors = {ECONNREFUSED, EINTR, ENETDOWN};
    world.bad.enqueue(session, message, Channel::reliable0);
    const bool has_come =
        world.run_until([&] { return world.notes.messages == static_cast<std::size_t>(i) + 1; });
    const soe::SessionStats stats = world.bad.port().mux().stats(session);
    INFO(world.notes.messages << " of " << i + 1 << ", closed " << world.notes.closes << ", sent "
                              << stats.packets_sent << ", resent " << stats.packets_resent
                              << ", in flight " << stats.bytes_in_flight << ", timeouts "
                              << stats.timeouts);
    REQUIRE(has_come);
  }
  CHECK((world.notes.of(session).kept.back() == message));
  CHECK(world.notes.closes == 0);
  CHECK(world.bad.port().socket().stats().send_errors > 0);
}
