// SPDX-License-Identifier: MIT
// TLS between real sockets and sessions.
#include "../lib/asio/tls_engine.hpp"
#include "support/certificates.hpp"
#include "support/proxy_bytes.hpp"
#include "support/socket_world.hpp"

#include <map>
#include <string>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;
using muster::asio::TlsClientContext;
using muster::asio::TlsEngine;
using muster::asio::TlsServerContext;
using test::Authority;
using test::Backend;
using test::CertificateFiles;
using test::each_backend;
using test::RawClient;
using test::ServerWorld;
using test::SocketService;

namespace {

// Certificates, and contexts that use them.
struct Trust {
  Trust() {
    load(files);
    std::string problem;
    REQUIRE(!client.load({.ca_file = authority.ca_file()}, problem));
  }
  void load(const CertificateFiles& from) {
    std::string problem;
    REQUIRE(!server.load(from.certificate, from.key, problem));
  }

  test::TemporaryDirectory directory;
  Authority authority{directory, "root"};
  CertificateFiles files = authority.issue("game", "DNS:localhost,IP:127.0.0.1");
  TlsServerContext server;
  TlsClientContext client;
};

// A peer that speaks TLS when and how a test says.
struct TlsPeer {
  TlsPeer(std::uint16_t port, const TlsClientContext& context, int receive_buffer = 0,
          std::string_view in_front = {})
      : raw(port, receive_buffer), engine(context.impl().make_engine("localhost")) {
    REQUIRE(engine != nullptr);
    raw.send(in_front);
    step();
  }

  void step() {
    if (is_reading) raw.step();
    const std::string input = std::exchange(raw.input, {});
    byte_view rest = as_bytes(input);
    std::vector<std::byte> out(20'000);
    TlsEngine::Read got;
    do {
      got = engine->read(rest, out);
      plain += as_text(byte_view{out}.first(got.size));
    } while (got.state == TlsEngine::State::has_more);
    state = got.state;
    flush();
  }
  void send(std::string_view text) {
    REQUIRE(engine->write(as_bytes(text)));
    flush();
  }
  void flush() {
    const std::string output{as_text(engine->output())};
    if (output.empty()) return;
    engine->sent(output.size());
    if (is_reading) {
      raw.send(output);
    } else {
      raw.output += output;
    }
  }

  RawClient raw;
  std::unique_ptr<TlsEngine> engine;
  std::string plain;
  TlsEngine::State state = TlsEngine::State::wants_input;
  bool is_reading = true;
};

struct TlsWorld : Trust, ServerWorld {
  explicit TlsWorld(Backend backend, const Config& config = {},
                    muster::asio::Loop::Config loop_config = {})
      : ServerWorld(backend, with(config, Trust::server), loop_config),
        dialer(std::make_unique<muster::asio::WebSocketClient>(loop, config, entropy, &client)) {
    peer.echoes = false;
    peer.keeps = true;
  }
  using LoopWorld::with;
  static Config with(Config config, const TlsServerContext& context) {
    config.tls = &context;
    return config;
  }

  [[nodiscard]] muster::asio::WebSocketServer& listener() { return *ServerWorld::server; }
  [[nodiscard]] std::string url(std::string_view host = "localhost") const {
    return "wss://" + std::string{host} + ":" + std::to_string(port()) + "/path";
  }
  ConnectionId dial(std::string_view host = "localhost") {
    return dialer->dial({.url = url(host)}, peer);
  }
  TlsPeer& join(int receive_buffer = 0) {
    return *peers.emplace_back(std::make_unique<TlsPeer>(port(), Trust::client, receive_buffer));
  }
  // A raw peer whose upgrade was accepted.
  TlsPeer& upgrade(int receive_buffer = 0) {
    TlsPeer& joined = join(receive_buffer);
    REQUIRE(run([&] { return joined.engine->may_write(); }));
    joined.send(RawClient::upgrade_request());
    REQUIRE(run([&] { return joined.plain.ends_with("\r\n\r\n"); }));
    REQUIRE(joined.plain.starts_with("HTTP/1.1 101 "));
    joined.plain.clear();
    return joined;
  }
  template <class Done>
  bool run(Done done) {
    return run_until([&] {
      for (const auto& that : peers) that->step();
      return done();
    });
  }

  SocketService peer;
  std::unique_ptr<muster::asio::WebSocketClient> dialer;
  std::vector<std::unique_ptr<TlsPeer>> peers;
};

}  // namespace

TEST_CASE("socket tls: a client and a server talk by name and by address", "[tls]") {
  TlsWorld world{each_backend()};
  world.peer.when_open = [](Connection& connection, time_point) {
    connection.send(Message{as_bytes("hello")});
  };
  world.dial();
  world.dial("127.0.0.1");
  REQUIRE(world.run([&] { return world.peer.kept.size() == 2; }));
  CHECK(world.peer.kept == std::vector<std::string>{"hello", "hello"});
  CHECK(world.service.path == "/path");
  Connection* const connection = world.loop.outbox().find(world.peer.last);
  REQUIRE(connection != nullptr);
  CHECK(connection->remote().port == world.port());
  connection->close(CloseReason::finished, 1000, "done");
  REQUIRE(world.run([&] { return world.peer.closes == 1 && world.service.closes == 1; }));
  CHECK(world.service.code == 1000);
  CHECK(world.service.text == "done");
  CHECK(world.peer.reason == CloseReason::finished);
  CHECK(world.handlers_while_idle() < 20);
}

TEST_CASE("socket tls: large messages, and many small ones, in order", "[tls]") {
  const auto backend = each_backend();
  muster::asio::Loop::Config config;
  config.outbox.budget.bytes = 16 * 1024 * 1024;
  config.pass_bytes = 64 * 1024;
  TlsWorld world{backend, {}, config};
  std::vector<std::string> sent;
  for (std::size_t i = 0; i < 3000; ++i) {
    sent.push_back(std::to_string(i) + std::string(i % 97, 'x'));
  }
  for (const std::size_t size : {2047, 2049, 16'384, 70'000, 1'000'000, 1'048'576}) {
    sent.push_back(std::string(size, static_cast<char>('a' + size % 26)));
    sent.push_back("between");
  }
  world.peer.when_open = [&](Connection& connection, time_point) {
    for (const std::string& message : sent) {
      REQUIRE(connection.send(Message{as_bytes(message)}) == SendStatus::queued);
    }
  };
  world.dial();
  REQUIRE(world.run([&] { return world.peer.kept.size() == sent.size(); }));
  CHECK(world.peer.kept == sent);
  Connection* const connection = world.loop.outbox().find(world.peer.last);
  REQUIRE(connection != nullptr);
  CHECK(connection->backlog() == 0);
}

TEST_CASE("socket tls: broadcasts reach secure and plain members alike", "[tls]") {
  TlsWorld world{each_backend()};
  Group group{world.loop.outbox()};
  world.service.when_open = [&](Connection& connection, time_point) { group.join(connection); };
  for (int i = 0; i < 3; ++i) world.dial();
  REQUIRE(world.run([&] { return world.peer.opens == 3; }));
  for (int i = 0; i < 100; ++i) group.broadcast(Message{as_bytes(std::string(1000, 'b'))});
  REQUIRE(world.run([&] { return world.peer.messages == 300; }));
  CHECK(world.peer.bytes == 300'000);
  world.service.when_open = nullptr;
}

TEST_CASE("socket tls: several messages of one pass leave in one record", "[tls]") {
  TlsWorld world{each_backend()};
  TlsPeer& peer = world.upgrade();
  const auto writes = world.loop.outbox().stats().writes;
  for (int i = 0; i < 10; ++i) world.last().send(Message{as_bytes("0123456789")});
  world.settle();
  CHECK(world.loop.outbox().stats().writes == writes + 1);
  peer.raw.read(std::string::npos);
  REQUIRE(peer.raw.input.size() > 5);
  const auto octet = [&](std::size_t i) { return static_cast<unsigned char>(peer.raw.input[i]); };
  CHECK(octet(0) == 23);  // application data (RFC 8446 section 5.1)
  CHECK(peer.raw.input.size() == 5U + octet(3) * 256U + octet(4));
  REQUIRE(world.run([&] { return peer.plain.size() == 10 * 12; }));
}

TEST_CASE("socket tls: the wrong certificate fails a dial with its reason", "[tls]") {
  TlsWorld world{each_backend()};
  const std::string refused = "the server's certificate is not accepted: ";
  int failures = 0;
  const auto fails = [&](std::string_view host) {
    world.dial(host);
    ++failures;
    REQUIRE(world.run([&] { return world.peer.closes == failures; }));
    CHECK(world.peer.reason == CloseReason::connect_failed);
    CHECK(world.peer.opens == 0);
    return world.peer.text;
  };
  world.load(world.authority.issue("elsewhere", "DNS:game.example"));
  CHECK(fails("localhost") == refused + "hostname mismatch");
  CHECK(fails("127.0.0.1") == refused + "IP address mismatch");
  world.load(world.authority.issue("old", "DNS:localhost", -1));
  CHECK(fails("localhost") == refused + "certificate has expired");
  Authority stranger{world.directory, "stranger"};
  world.load(stranger.issue("strange", "DNS:localhost"));
  CHECK_THAT(fails("localhost"), StartsWith(refused));
  REQUIRE(world.run([&] { return world.listener().endpoint().session_count() == 0; }));
  CHECK(world.listener().endpoint().stats().transport_errors == 4);
  CHECK(world.dialer->endpoint().session_count() == 0);
}

TEST_CASE("socket tls: without a context a client trusts the system's roots only", "[tls]") {
  TlsWorld world{each_backend()};
  muster::asio::WebSocketClient other{world.loop, {}, world.entropy};
  other.dial({.url = world.url()}, world.peer);
  REQUIRE(world.run([&] { return world.peer.closes == 1; }));
  CHECK(world.peer.reason == CloseReason::connect_failed);
  CHECK_THAT(world.peer.text, StartsWith("the server's certificate is not accepted: "));
  const TlsClientContext unloaded;
  muster::asio::WebSocketClient third{world.loop, {}, world.entropy, &unloaded};
  third.dial({.url = world.url()}, world.peer);
  REQUIRE(world.run([&] { return world.peer.closes == 2; }));
  CHECK(world.peer.text == "TLS is not set up: the client's context is not loaded");
}

TEST_CASE("socket tls: a server without a certificate does not listen", "[tls]") {
  test::LoopWorld world{each_backend()};
  const TlsServerContext context;
  SocketService service;
  muster::asio::WebSocketServer::Config config;
  config.tls = &context;
  muster::asio::WebSocketServer server{world.loop, config, world.entropy, service};
  CHECK(server.listen("127.0.0.1:0") == make_error_code(errc::wrong_state));
  CHECK(server.port() == 0);
}

TEST_CASE("socket tls: new connections get the new certificate, old ones go on", "[tls]") {
  TlsWorld world{each_backend()};
  world.dial();
  REQUIRE(world.run([&] { return world.peer.opens == 1; }));
  const ConnectionId old = world.peer.last;
  Authority next{world.directory, "next"};
  world.load(next.issue("renewed", "DNS:localhost"));
  world.dial();
  REQUIRE(world.run([&] { return world.peer.closes == 1; }));  // the client does not know that root
  TlsClientContext trusts_next;
  std::string problem;
  REQUIRE(!trusts_next.load({.ca_file = next.ca_file()}, problem));
  muster::asio::WebSocketClient client{world.loop, {}, world.entropy, &trusts_next};
  client.dial({.url = world.url()}, world.peer);
  REQUIRE(world.run([&] { return world.peer.opens == 2; }));
  CHECK(world.Trust::server.load(world.files.certificate, "missing", problem) ==
        make_error_code(errc::not_found));
  client.dial({.url = world.url()}, world.peer);
  REQUIRE(world.run([&] { return world.peer.opens == 3; }));
  world.loop.outbox().find(old)->send(Message{as_bytes("still here")});
  REQUIRE(world.run([&] { return world.peer.kept.size() == 1; }));
  CHECK(world.peer.kept.back() == "still here");
}

TEST_CASE("socket tls: plain HTTP to a TLS port ends the connection", "[tls]") {
  TlsWorld world{each_backend()};
  RawClient& client = world.connect();
  client.send(RawClient::upgrade_request());
  REQUIRE(world.run([&] { return client.is_at_end(); }));
  CHECK(client.head().empty());
  CHECK(world.listener().endpoint().stats().transport_errors == 1);
  CHECK(world.listener().endpoint().session_count() == 0);
}

TEST_CASE("socket tls: a wss dial to a plain port says so", "[tls]") {
  const Trust trust;
  ServerWorld world{each_backend()};
  muster::asio::WebSocketClient client{world.loop, {}, world.entropy, &trust.client};
  SocketService peer;
  client.dial({.url = "wss://localhost:" + std::to_string(world.port()) + "/"}, peer);
  REQUIRE(world.run_until([&] { return peer.closes == 1; }));
  CHECK(peer.reason == CloseReason::connect_failed);
  CHECK(peer.text == "the peer does not speak TLS");
  CHECK(world.server->endpoint().stats().bad_requests == 1);
}

TEST_CASE("socket tls: a peer that stops in mid-handshake costs its deadline only", "[tls]") {
  ServerWorld::Config config;
  config.upgrade_timeout = 100ms;
  TlsWorld world{each_backend(), config};
  RawClient& silent = world.connect();
  const auto hello = world.Trust::client.impl().make_engine("localhost");
  byte_view nothing;
  hello->read(nothing, {});
  std::vector<std::byte> out(100);
  hello->read(nothing, out);
  const std::string bytes{as_text(hello->output())};
  RawClient& half = world.connect();
  half.send(std::string_view{bytes}.substr(0, bytes.size() / 2));
  RawClient& lazy = world.connect();
  lazy.send(bytes);  // and never the rest of the handshake
  REQUIRE(world.run([&] { return silent.is_at_end() && half.is_at_end() && lazy.is_at_end(); }));
  CHECK(world.listener().endpoint().stats().upgrade_timeouts == 3);
  CHECK(world.listener().endpoint().session_count() == 0);
  CHECK_FALSE(lazy.input.empty());
}

TEST_CASE("socket tls: a server that stops in mid-handshake times a dial out", "[tls]") {
  const bool hangs_up = GENERATE(false, true);
  const Trust trust;
  ServerWorld world{each_backend()};
  // A listener of the test's own, which nobody accepts from.
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0);
  REQUIRE(::listen(fd, 4) == 0);
  REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  websocket::Config config;
  if (!hangs_up) config.upgrade_timeout = 100ms;
  muster::asio::WebSocketClient client{world.loop, config, world.entropy, &trust.client};
  SocketService peer;
  client.dial({.url = "wss://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/"}, peer);
  if (hangs_up) {
    int accepted = -1;
    REQUIRE(world.run_until([&] { return (accepted = ::accept(fd, nullptr, nullptr)) >= 0; }));
    RawClient server{RawClient::Accepted{accepted}};
    world.clients = {&server};
    REQUIRE(world.run_until([&] { return !server.input.empty(); }));
    server.half_close();
    REQUIRE(world.run_until([&] { return peer.closes == 1; }));
    world.clients = {};
    CHECK(peer.reason == CloseReason::connect_failed);
    CHECK(peer.text == "the peer ended the connection during the TLS handshake");
  } else {
    REQUIRE(world.run_until([&] { return peer.closes == 1; }));
    CHECK(peer.reason == CloseReason::timed_out);
  }
  CHECK(client.endpoint().session_count() == 0);
  ::close(fd);
}

TEST_CASE("socket tls: an end with and without close_notify", "[tls]") {
  TlsWorld world{each_backend()};
  TlsPeer& peer = world.upgrade();
  SECTION("close_notify, and the socket stays") {
    peer.engine->finish();
    peer.flush();
  }
  SECTION("a cut") { peer.raw.half_close(); }
  REQUIRE(world.run([&] { return world.service.closes == 1; }));
  CHECK(world.service.reason == CloseReason::connection_lost);
  REQUIRE(world.run([&] { return peer.raw.is_at_end(); }));
  CHECK(peer.state == TlsEngine::State::ended);  // the server said close_notify
}

TEST_CASE("socket tls: the last words arrive, then close_notify, then the end", "[tls]") {
  TlsWorld world{each_backend()};
  TlsPeer& peer = world.upgrade();
  SECTION("of a kick") {
    world.last().close(CloseReason::kicked, 4001, "out", Message{as_bytes("last words")});
    REQUIRE(world.run([&] { return peer.plain.size() == 12 + 4 + 3; }));
    CHECK(peer.plain.substr(2, 10) == "last words");
    peer.send(RawClient::close_frame(4001));
    REQUIRE(world.run([&] { return peer.raw.is_at_end(); }));
    CHECK(peer.state == TlsEngine::State::ended);
  }
  SECTION("after a protocol error, though the peer keeps sending") {
    peer.is_reading = false;
    peer.send(RawClient::frame("x", 0xf2));  // reserved bits
    peer.raw.is_reading = false;
    for (int i = 0; i < 200; ++i) {
      if (peer.raw.has_sent_all()) peer.send(RawClient::frame(std::string(4000, 'm')));
      peer.raw.step();
      world.context.restart();
      world.context.poll();
    }
    peer.raw.is_reading = peer.is_reading = true;
    peer.raw.output.clear();
    REQUIRE(world.run([&] { return peer.state == TlsEngine::State::ended; }));
    REQUIRE(peer.plain.size() > 4);
    peer.raw.half_close();
    CHECK(static_cast<unsigned char>(peer.plain[0]) == 0x88);
    CHECK(static_cast<unsigned char>(peer.plain[2]) * 256 +
              static_cast<unsigned char>(peer.plain[3]) ==
          1002);
  }
  REQUIRE(world.run([&] { return world.service.closes == 1; }));
}

TEST_CASE("socket tls: last words wait behind what a slow peer has yet to read", "[tls]") {
  const auto backend = each_backend();
  muster::asio::Loop::Config config;
  config.outbox.budget.bytes = 8 * 1024 * 1024;
  TlsWorld world{backend, {}, config};
  TlsPeer& peer = world.upgrade(8 * 1024);
  peer.is_reading = peer.raw.is_reading = false;
  const std::string message(1'000'000, 'm');
  for (int i = 0; i < 5; ++i) world.last().send(Message{as_bytes(message)});
  world.last().close(CloseReason::kicked, 4001, "out", Message{as_bytes("last words")});
  world.settle();
  CHECK(world.service.closes == 0);
  peer.is_reading = peer.raw.is_reading = true;
  const std::size_t expected = 5 * (10 + message.size()) + 12 + 7;
  REQUIRE(world.run([&] { return peer.plain.size() == expected; }));
  CHECK(peer.plain.substr(peer.plain.size() - 17, 10) == "last words");
  peer.send(RawClient::close_frame(4001));
  REQUIRE(world.run([&] { return peer.raw.is_at_end() && world.service.closes == 1; }));
  CHECK(peer.state == TlsEngine::State::ended);
  CHECK(world.service.reason == CloseReason::kicked);
}

TEST_CASE("socket tls: a slow reader stays within its budget, and loses nothing", "[tls]") {
  const auto backend = each_backend();
  muster::asio::Loop::Config config;
  config.outbox.budget.bytes = 256 * 1024;
  TlsWorld world{backend, {}, config};
  TlsPeer& peer = world.upgrade(8 * 1024);
  peer.is_reading = peer.raw.is_reading = false;
  Connection& connection = world.last();
  std::string expected;
  int refused = 0;
  // Fills the socket, then the budget.
  for (std::uint32_t i = 0; refused < 50 && i < 100'000; ++i) {
    const std::string text = std::to_string(i) + std::string(900, 's');
    if (connection.send(Message{as_bytes(text)}) == SendStatus::queued) {
      expected += text;
    } else {
      ++refused;
    }
    REQUIRE(connection.backlog() <= 256 * 1024);
    if (i % 16 == 0) world.settle();
  }
  REQUIRE(refused == 50);
  CHECK(connection.is_open());
  const std::uint64_t written = connection.written();
  world.settle();
  CHECK(connection.written() == written);  // nothing is encrypted for a socket that is full
  CHECK(world.handlers_while_idle() < 20);
  peer.is_reading = peer.raw.is_reading = true;
  REQUIRE(world.run([&] { return connection.backlog() == 0; }));
  connection.send(Message{as_bytes("the end")});
  REQUIRE(world.run([&] { return peer.plain.ends_with("the end"); }));
  std::string got;
  for (std::size_t at = 0; at < peer.plain.size();) {
    std::size_t size = static_cast<unsigned char>(peer.plain[at + 1]);
    at += 2;
    if (size == 126) {
      size = static_cast<unsigned char>(peer.plain[at]) * 256U +
             static_cast<unsigned char>(peer.plain[at + 1]);
      at += 2;
    }
    got += peer.plain.substr(at, size);
    at += size;
  }
  CHECK(got == expected + "the end");
}

TEST_CASE("socket tls: an HTTP request is answered, and the answer is whole", "[tls]") {
  TlsWorld world{each_backend()};
  TlsPeer& peer = world.join();
  REQUIRE(world.run([&] { return peer.engine->may_write(); }));
  peer.send("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n");
  REQUIRE(world.run([&] { return peer.state == TlsEngine::State::ended; }));
  CHECK_THAT(peer.plain, StartsWith("HTTP/1.1 404 "));
  peer.engine->finish();
  peer.flush();
  peer.raw.half_close();
  REQUIRE(world.run([&] { return world.listener().endpoint().session_count() == 0; }));
}

TEST_CASE("socket tls: a slow reader of a stream gets the newest events, whole", "[tls][stream]") {
  struct Events final : SocketService {
    void on_request(const Request&, Decision decision, time_point) override {
      decision.accept_stream(*this);
    }
  };
  const auto tick = [](int n) {
    return "id: " + std::to_string(n) + "\ndata: " + std::string(7000, 'd') + "\n\n";
  };
  TlsWorld world{each_backend()};
  Events events;
  ServerWorld::Config config;
  config.tls = &world.Trust::server;
  muster::asio::WebSocketServer server{world.loop, config, world.entropy, events};
  REQUIRE(!server.listen("127.0.0.1:0"));
  TlsPeer& peer = *world.peers.emplace_back(
      std::make_unique<TlsPeer>(server.port(), world.Trust::client, 8 * 1024));
  REQUIRE(world.run([&] { return peer.engine->may_write(); }));
  peer.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  REQUIRE(world.run([&] { return peer.plain.ends_with("\r\n\r\n"); }));
  const std::string head = std::exchange(peer.plain, {});
  CHECK_THAT(head, StartsWith("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"));
  Connection& connection = *world.loop.outbox().find(events.last);
  peer.is_reading = peer.raw.is_reading = false;
  constexpr int count = 3000;
  for (int i = 1; i <= count; ++i) {
    const std::string text = tick(i);
    REQUIRE(connection.send({as_bytes(text)}, Delivery::latest(1)) == SendStatus::queued);
    REQUIRE(connection.backlog() <= 2 * tick(count).size());
    world.settle();
  }
  peer.is_reading = peer.raw.is_reading = true;
  REQUIRE(world.run([&] { return peer.plain.ends_with(tick(count)); }));
  CHECK(connection.written() == head.size() + peer.plain.size());
  int last = 0;
  int got = 0;
  for (std::string_view rest = peer.plain; !rest.empty(); ++got) {
    REQUIRE(rest.starts_with("id: "));
    const int n = std::stoi(std::string{rest.substr(4, 8)});
    REQUIRE(n > last);
    REQUIRE(rest.starts_with(tick(n)));
    rest.remove_prefix(tick(n).size());
    last = n;
  }
  CHECK(got < count);
  connection.close(CloseReason::finished);
  REQUIRE(world.run([&] { return peer.state == TlsEngine::State::ended; }));
}

TEST_CASE("socket tls: a message of which one byte is encrypted is not dropped any more",
          "[tls][stream]") {
  struct Events final : SocketService {
    void on_request(const Request&, Decision decision, time_point) override {
      decision.accept_stream(*this);
    }
  };
  // A batch of 64 KiB is encrypted at a time: all end one byte into a message.
  constexpr std::size_t batch = 64 * 1024;
  const auto text = [](std::size_t i, std::size_t size) {
    return std::string(size - 1, static_cast<char>('a' + i % 26)) + '\n';
  };
  muster::asio::Loop::Config loop_config;
  loop_config.outbox.budget.bytes = 64 * 1024 * 1024;
  TlsWorld world{each_backend(), {}, loop_config};
  Events events;
  ServerWorld::Config config;
  config.tls = &world.Trust::server;
  muster::asio::WebSocketServer server{world.loop, config, world.entropy, events};
  REQUIRE(!server.listen("127.0.0.1:0"));
  TlsPeer& peer = *world.peers.emplace_back(
      std::make_unique<TlsPeer>(server.port(), world.Trust::client, 8 * 1024));
  REQUIRE(world.run([&] { return peer.engine->may_write(); }));
  peer.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  REQUIRE(world.run([&] { return peer.plain.ends_with("\r\n\r\n"); }));
  peer.plain.clear();
  Connection& connection = *world.loop.outbox().find(events.last);
  peer.is_reading = peer.raw.is_reading = false;
  for (std::size_t i = 0; i < 400; ++i) {
    const std::string message = text(i, i == 0 ? batch - 1 : batch);
    REQUIRE(connection.send({as_bytes(message)}) == SendStatus::queued);
  }
  world.settle();
  REQUIRE(connection.backlog() > 0);
  REQUIRE(connection.discard_queue() > 0);
  CHECK(connection.backlog() == batch);  // the one that has begun
  connection.send({as_bytes("the end\n")});
  peer.is_reading = peer.raw.is_reading = true;
  REQUIRE(world.run([&] { return connection.backlog() == 0; }));
  connection.close(CloseReason::finished);
  REQUIRE(world.run([&] { return peer.state == TlsEngine::State::ended; }));
  std::size_t at = 0;
  for (std::size_t i = 0; peer.plain.size() - at > 100; ++i) {
    const std::string message = text(i, i == 0 ? batch - 1 : batch);
    REQUIRE(peer.plain.compare(at, message.size(), message) == 0);
    at += message.size();
  }
  CHECK(peer.plain.substr(at) == "the end\n");
}

TEST_CASE("socket tls: a large answer reaches a slow peer that has ended its side", "[tls]") {
  struct Page final : SocketService {
    void on_request(const Request&, Decision decision, time_point) override {
      decision.respond({.body = as_bytes(body)});
    }
    std::string body = std::string(8'000'000, 'p') + "the end";
  };
  TlsWorld world{each_backend()};
  Page page;
  ServerWorld::Config config;
  config.tls = &world.Trust::server;
  config.close_timeout = 30s;
  muster::asio::WebSocketServer server{world.loop, config, world.entropy, page};
  REQUIRE(!server.listen("127.0.0.1:0"));
  TlsPeer& peer = *world.peers.emplace_back(
      std::make_unique<TlsPeer>(server.port(), world.Trust::client, 8 * 1024));
  REQUIRE(world.run([&] { return peer.engine->may_write(); }));
  peer.raw.is_reading = false;
  peer.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  peer.engine->finish();
  peer.flush();
  peer.raw.half_close();
  world.settle();
  peer.raw.is_reading = true;
  REQUIRE(world.run([&] { return peer.raw.is_at_end(); }));
  CHECK(peer.plain.size() > page.body.size());
  CHECK(peer.plain.ends_with("the end"));
  CHECK(peer.state == TlsEngine::State::ended);
  REQUIRE(world.run([&] { return server.endpoint().session_count() == 0; }));
}

TEST_CASE("socket tls: damaged records end that connection only", "[tls]") {
  TlsWorld world{each_backend()};
  TlsPeer& good = world.upgrade();
  TlsPeer& bad = world.upgrade();
  bad.raw.send("\x17\x03\x03" + std::string("\0\x20", 2) + std::string(32, 'x'));
  REQUIRE(world.run([&] { return world.service.closes == 1; }));
  CHECK(world.service.reason == CloseReason::protocol_error);
  CHECK_THAT(world.service.text, StartsWith("TLS: "));
  REQUIRE(world.run([&] { return bad.raw.is_at_end(); }));
  CHECK(bad.state == TlsEngine::State::failed);  // by the server's alert
  good.send(RawClient::frame("hello"));
  REQUIRE(world.run([&] { return good.plain.ends_with("hello"); }));
}

TEST_CASE("socket tls: a server and a client may go away at any moment", "[tls]") {
  TlsWorld world{each_backend()};
  for (int i = 0; i < 5; ++i) world.dial();
  const int steps = GENERATE(0, 1, 3, 8, 30);
  for (int i = 0; i < steps; ++i) {
    world.context.restart();
    world.context.poll_one();
  }
  SECTION("the server") {
    world.ServerWorld::server.reset();
    REQUIRE(world.run([&] { return world.peer.closes == 5; }));
  }
  SECTION("the client") {
    world.dialer.reset();
    CHECK(world.peer.closes == 5);
    REQUIRE(world.run([&] { return world.listener().endpoint().session_count() == 0; }));
  }
  CHECK(world.peer.each_closed_once());
  CHECK(world.service.each_closed_once());
}

TEST_CASE("socket tls: a PROXY header comes before TLS", "[tls][proxy]") {
  const auto backend = each_backend();
  ServerWorld::Config config;
  config.proxy_protocol = websocket::ProxyProtocol::v1_v2;
  config.trusted_proxies = {*Subnet::parse("127.0.0.0/8")};
  TlsWorld world{backend, config};
  for (const std::string& header : {std::string{"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"},
                                    test::tcp4("192.0.2.7", 56324, "198.51.100.1", 443, "more")}) {
    // The ClientHello lies right behind it.
    TlsPeer& peer = *world.peers.emplace_back(
        std::make_unique<TlsPeer>(world.port(), world.Trust::client, 0, header));
    REQUIRE(world.run([&] { return peer.engine->may_write(); }));
    peer.send(RawClient::upgrade_request());
    REQUIRE(world.run([&] { return peer.plain.ends_with("\r\n\r\n"); }));
    CHECK(peer.plain.starts_with("HTTP/1.1 101 "));
    CHECK(world.last().remote().to_string() == "192.0.2.7:56324");
    world.last().send(Message{as_bytes("hello")});
    REQUIRE(world.run([&] { return peer.plain.ends_with("hello"); }));
  }
  CHECK(world.listener().endpoint().stats().transport_errors == 0);
  // Who begins with TLS is let go.
  TlsPeer& none = world.join();
  REQUIRE(world.run([&] { return none.raw.is_at_end(); }));
  CHECK(world.listener().endpoint().stats().transport_errors == 1);
  // Who says nothing looked whether we are there.
  RawClient& check = world.connect();
  world.settle();
  check.close();
  REQUIRE(world.run([&] { return world.listener().endpoint().session_count() == 2; }));
  CHECK(world.listener().endpoint().stats().transport_errors == 1);
}

TEST_CASE("socket tls: who takes nothing is closed as too slow, and who takes little is not",
          "[tls][deadline]") {
  const auto backend = each_backend();
  ServerWorld::Config config;
  config.ping_interval = config.idle_timeout = 0ms;
  config.write_timeout = 1s;
  config.close_timeout = 100ms;
  muster::asio::Loop::Config loop_config;
  loop_config.outbox.budget.bytes = 64 * 1024 * 1024;
  TlsWorld world{backend, config, loop_config};
  const std::string payload(20'000'000, 'x');
  const Frame large{Message{as_bytes(payload)}};
  TlsPeer& slow = world.upgrade(4096);
  slow.is_reading = false;
  const ConnectionId slow_id = world.last().id();
  world.last().send(large);
  for (std::uint64_t round = 1; round <= 2; ++round) {
    TlsPeer& deaf = world.upgrade(4096);
    deaf.is_reading = false;
    const ConnectionId deaf_id = world.last().id();
    world.last().send(large);
    REQUIRE(world.run([&] {
      slow.raw.read(512);
      slow.raw.input.clear();
      return world.loop.outbox().find(deaf_id) == nullptr;
    }));
    CHECK(world.service.reason == CloseReason::too_slow);
    CHECK(world.listener().endpoint().stats().write_timeouts == round);
  }
  REQUIRE(world.loop.outbox().find(slow_id) != nullptr);
  CHECK(world.loop.outbox().find(slow_id)->is_open());
}
