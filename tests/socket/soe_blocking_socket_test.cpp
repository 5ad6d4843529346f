// SPDX-License-Identifier: MIT
// SOE sessions that a program steps by itself, over loopback.
#include "support/catch.hpp"
#include "support/soe_notes.hpp"

#include <muster/asio/soe_blocking_socket.hpp>

#include <memory>

using namespace muster;
using namespace std::chrono_literals;
using muster::asio::SoeBlockingSocket;
using muster::asio::SoeOptions;
using soe::Channel;
using soe::DisconnectReason;
using soe::EnqueueStatus;
using soe::SessionId;
using test::soe_bytes;
using test::soe_options;
using test::soe_protocol;
using test::SoeNotes;

namespace {

constexpr auto patience = 30s;

struct End {
  explicit End(const SoeOptions& options, std::uint64_t seed)
      : entropy(seed), socket(options, entropy, notes) {}
  SeededEntropy entropy;
  SoeNotes notes;
  SoeBlockingSocket socket;
};

struct Pair {
  explicit Pair(const SoeOptions& options = soe_options(), const char* address = "127.0.0.1:0")
      : server(options, 1), client(options, 2) {
    REQUIRE(!server.socket.bind(address));
    server.notes.echo = [this](SessionId session, byte_view data, Channel channel) {
      CHECK(server.socket.enqueue(session, data, channel) == EnqueueStatus::queued);
    };
  }

  /// Steps both in turn; the server waits a little.
  template <class Done>
  bool run_until(Done done) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      client.socket.step(0ms);
      server.socket.step(1ms);
    }
    return true;
  }

  SessionId open(bool alone) {
    if (alone) REQUIRE(!client.socket.open_for(server.socket.local().to_string()));
    const auto session = client.socket.connect(server.socket.local(), soe_protocol);
    REQUIRE(session);
    REQUIRE(run_until([&] { return client.notes.opens == 1; }));
    return *session;
  }

  End server;
  End client;
};

}  // namespace

TEST_CASE("soe blocking socket: messages come back, on both families and all channels",
          "[soe][blocking]") {
  const bool own_ends = GENERATE(true, false);
  const bool alone = GENERATE(true, false);
  const std::string address = GENERATE("127.0.0.1:0", "[::1]:0");
  INFO(own_ends << ' ' << alone << ' ' << address);
  Pair pair{soe_options(own_ends), address.c_str()};
  const SessionId session = pair.open(alone);
  CHECK(pair.client.notes.last == session);
  CHECK(pair.client.notes.of(session).remote == pair.server.socket.local());
  const std::vector<Channel> channels{Channel::reliable0, Channel::reliable1,  Channel::reliable2,
                                      Channel::reliable3, Channel::unreliable, Channel::ordered};
  std::size_t seed = 0;
  for (const Channel channel : channels) {
    const auto message = soe_bytes(++seed, 300);
    CHECK(pair.client.socket.enqueue(session, message, channel) == EnqueueStatus::queued);
    REQUIRE(pair.run_until([&] { return pair.client.notes.messages == seed; }));
    CHECK(pair.client.notes.last_channel == channel);
    CHECK((pair.client.notes.of(session).kept.back() == message));
  }
  CHECK(pair.server.notes.messages == channels.size());
  CHECK(pair.server.notes.disorders + pair.client.notes.disorders == 0);
}

TEST_CASE("soe blocking socket: a message of a megabyte passes whole, and many of mixed sizes",
          "[soe][blocking]") {
  SoeOptions options = soe_options(GENERATE(true, false));
  options.socket.gso = GENERATE(true, false);
  options.socket.gro = GENERATE(true, false);
  INFO("gso " << options.socket.gso << " gro " << options.socket.gro);
  Pair pair{options};
  const SessionId session = pair.open(true);
  std::vector<std::vector<std::byte>> expected;
  for (const std::size_t size : {1UL << 20U, 1UL, 511UL, 40'000UL, 2UL, 506UL, 65'536UL, 100UL}) {
    expected.push_back(soe_bytes(size, size));
    REQUIRE(pair.client.socket.enqueue(session, expected.back()) == EnqueueStatus::queued);
  }
  REQUIRE(pair.run_until([&] { return pair.client.notes.messages == expected.size(); }));
  CHECK((pair.client.notes.of(session).kept == expected));
  CHECK((pair.server.notes.sessions.begin()->second.kept == expected));
}

TEST_CASE("soe blocking socket: ends are told, with their reason", "[soe][blocking]") {
  Pair pair;
  const SessionId session = pair.open(false);
  pair.server.notes.echo = {};
  const bool graceful = GENERATE(true, false);
  pair.client.socket.enqueue(session, soe_bytes(1, 100));
  if (graceful) {
    CHECK(pair.client.socket.close(session, DisconnectReason::manager_deleted));
  } else {
    CHECK(pair.client.socket.terminate(session, DisconnectReason::manager_deleted));
  }
  REQUIRE(pair.run_until([&] { return pair.server.notes.closes + pair.client.notes.closes == 2; }));
  CHECK(pair.server.notes.reason == DisconnectReason::manager_deleted);
  CHECK(pair.server.notes.by_peer);
  CHECK(pair.server.notes.closed_remote.port == pair.client.socket.local().port);
  CHECK(pair.client.notes.reason == DisconnectReason::manager_deleted);
  CHECK_FALSE(pair.client.notes.by_peer);
  CHECK(pair.client.notes.closed_remote == pair.server.socket.local());
  if (graceful) CHECK(pair.server.notes.messages == 1);
  CHECK_FALSE(pair.client.socket.terminate(session));
  CHECK(pair.client.socket.enqueue(session, soe_bytes(1, 1)) == EnqueueStatus::not_open);
  CHECK(pair.server.notes.disorders + pair.client.notes.disorders == 0);
}

TEST_CASE("soe blocking socket: a server that is not there is given up, on time alone",
          "[soe][blocking]") {
  SoeOptions options = soe_options();
  options.protocol.request_retry = 10ms;
  options.protocol.connect_timeout = 60ms;
  const bool alone = GENERATE(true, false);
  End client{options, 1};
  std::string nobody;
  {
    End gone{options, 2};
    REQUIRE(!gone.socket.bind("127.0.0.1:0"));
    nobody = gone.socket.local().to_string();
  }
  // A connected socket hears from the system that nobody is there; that ends nothing.
  if (alone) REQUIRE(!client.socket.open_for(nobody));
  REQUIRE(client.socket.connect(nobody, soe_protocol));
  const auto start = std::chrono::steady_clock::now();
  while (client.notes.closes == 0 && std::chrono::steady_clock::now() < start + patience) {
    client.socket.step(10s);
  }
  CHECK(client.notes.closes == 1);
  CHECK(client.notes.opens == 0);
  CHECK(client.notes.reason == DisconnectReason::connect_fail);
  CHECK(std::chrono::steady_clock::now() - start >= 60ms);
  CHECK(client.socket.stats().datagrams_sent >= 3);
}

TEST_CASE("soe blocking socket: what cannot begin says why", "[soe][blocking]") {
  const SoeOptions options = soe_options();
  End end{options, 1};
  CHECK(end.socket.native_handle() == -1);
  CHECK(end.socket.step(0ms) == 0);
  CHECK(end.socket.bind("nowhere") == errc::bad_value);
  CHECK(end.socket.bind("127.0.0.1") == errc::bad_value);
  CHECK(end.socket.bind("127.0.0.1:99999") == errc::bad_value);
  CHECK(end.socket.bind("192.0.2.1:1") == std::errc::address_not_available);
  REQUIRE(!end.socket.bind("127.0.0.1:0"));
  CHECK(end.socket.native_handle() >= 0);
  CHECK(end.socket.bind("127.0.0.1:0") == errc::wrong_state);
  CHECK(end.socket.open_for("127.0.0.1:1") == errc::wrong_state);
  CHECK(end.socket.connect("nowhere", soe_protocol).error() == errc::bad_value);
  CHECK(end.socket.connect("[::1]:1", soe_protocol).error() == errc::connect_failed);
  CHECK(end.socket.connect("127.0.0.1:1", std::string(33, 'x')).error() == errc::bad_value);
  CHECK(end.socket.connect("127.0.0.1:1", soe_protocol).has_value());
  CHECK(end.socket.connect("127.0.0.1:1", soe_protocol).error() == errc::already_exists);
  End other{options, 2};
  REQUIRE(!other.socket.open_for("127.0.0.1:1"));
  CHECK(other.socket.connect("127.0.0.1:2", soe_protocol).error() == errc::connect_failed);
}

TEST_CASE("soe blocking socket: an application refuses", "[soe][blocking]") {
  SoeOptions options = soe_options();
  std::string asked;
  options.admit = [&](const Address&, std::string_view protocol) {
    asked = protocol;
    return soe::Admission::refuse(DisconnectReason::connection_refused);
  };
  Pair pair{options};
  REQUIRE(pair.client.socket.connect(pair.server.socket.local(), "Other_2"));
  REQUIRE(pair.run_until([&] { return pair.client.notes.closes == 1; }));
  CHECK(asked == "Other_2");
  CHECK(pair.client.notes.reason == DisconnectReason::connection_refused);
  CHECK(pair.server.notes.opens == 0);
}

TEST_CASE("soe blocking socket: sixty sessions at once", "[soe][blocking]") {
  SoeOptions options = soe_options();
  options.protocol.requests_per_second_per_host = 0;
  End server{options, 1};
  REQUIRE(!server.socket.bind("[::]:0"));
  server.notes.echo = [&](SessionId session, byte_view data, Channel channel) {
    server.socket.enqueue(session, data, channel);
  };
  const std::string four = "127.0.0.1:" + std::to_string(server.socket.local().port);
  const std::string six = "[::1]:" + std::to_string(server.socket.local().port);
  std::vector<std::unique_ptr<End>> clients;
  for (std::size_t i = 0; i < 60; ++i) {
    clients.push_back(std::make_unique<End>(options, 10 + i));
    REQUIRE(clients[i]->socket.connect(i % 2 == 0 ? four : six, soe_protocol));
    clients[i]->notes.when_opened = [&, i](SessionId session) {
      for (std::size_t k = 0; k < 20; ++k) {
        clients[i]->socket.enqueue(session, soe_bytes(i * 100 + k, 1 + (i * 37 + k * 101) % 3000));
      }
    };
  }
  const auto deadline = std::chrono::steady_clock::now() + patience;
  const auto is_done = [&] {
    for (const auto& client : clients) {
      if (client->notes.messages != 20) return false;
    }
    return true;
  };
  while (!is_done() && std::chrono::steady_clock::now() < deadline) {
    server.socket.step(1ms);
    for (const auto& client : clients) client->socket.step(0ms);
  }
  REQUIRE(is_done());
  CHECK(server.socket.multiplexer().session_count() == 60);
  for (std::size_t i = 0; i < 60; ++i) {
    const auto& kept = clients[i]->notes.sessions.begin()->second.kept;
    for (std::size_t k = 0; k < 20; ++k) {
      CHECK((kept[k] == soe_bytes(i * 100 + k, 1 + (i * 37 + k * 101) % 3000)));
    }
    CHECK(clients[i]->notes.disorders == 0);
  }
  CHECK(server.notes.disorders == 0);
}
