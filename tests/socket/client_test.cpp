// SPDX-License-Identifier: MIT
// Outgoing connections.
#include "support/socket_world.hpp"

using namespace muster;
using namespace std::chrono_literals;
using test::each_backend;
using test::RawClient;
using test::ServerWorld;
using test::SocketService;

namespace {

// A listening socket that answers nothing by itself.
struct Listener {
  explicit Listener(int backlog = 16) {
    fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0);
    REQUIRE(::listen(fd, backlog) == 0);
    REQUIRE(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port = ntohs(address.sin_port);
  }
  ~Listener() { close(); }
  void close() {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  [[nodiscard]] bool has_waiting() const {
    fd_set set;
    FD_ZERO(&set);
    FD_SET(fd, &set);
    timeval none{};
    return ::select(fd + 1, &set, nullptr, nullptr, &none) == 1;
  }
  [[nodiscard]] RawClient accept() const {
    return RawClient{RawClient::Accepted{::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC)}};
  }
  int fd = -1;
  std::uint16_t port = 0;
};

struct ClientWorld : ServerWorld {
  using Config = websocket::Config;
  explicit ClientWorld(test::Backend backend, const Config& config = {})
      : ServerWorld(backend),
        client(std::make_unique<muster::asio::WebSocketClient>(loop, config, entropy)) {
    peer.echoes = false;
    peer.keeps = true;
  }

  [[nodiscard]] std::string url(std::uint16_t to, std::string_view host = "127.0.0.1") const {
    return "ws://" + std::string{host} + ":" + std::to_string(to) + "/path";
  }

  SocketService peer;
  std::unique_ptr<muster::asio::WebSocketClient> client;
};

}  // namespace

TEST_CASE("socket client: connects by address and by name, and talks", "[client]") {
  ClientWorld world{each_backend()};
  world.peer.when_open = [](Connection& connection, time_point) {
    connection.send(Message{as_bytes("hello")});
  };
  world.client->dial({.url = world.url(world.port())}, world.peer);
  // A name may have an address of the other family, where nobody listens, in front.
  world.client->dial({.url = world.url(world.port(), "localhost")}, world.peer);
  REQUIRE(world.run_until([&] { return world.peer.kept.size() == 2; }));
  CHECK(world.peer.kept == std::vector<std::string>{"hello", "hello"});
  Connection* const connection = world.loop.outbox().find(world.peer.last);
  REQUIRE(connection != nullptr);
  CHECK(connection->remote().port == world.port());
  connection->close(CloseReason::finished, 1000, "done");
  REQUIRE(world.run_until([&] { return world.peer.closes == 1 && world.service.closes == 1; }));
  CHECK(world.service.code == 1000);
  CHECK(world.service.text == "done");
  CHECK(world.peer.reason == CloseReason::finished);
}

TEST_CASE("socket client: never calls back from within dial", "[client]") {
  ClientWorld world{each_backend()};
  world.client->dial({.url = "http://127.0.0.1/"}, world.peer);
  world.client->dial({.url = "wss://"}, world.peer);
  world.client->dial({.url = "ws://"}, world.peer);
  CHECK(world.peer.closes == 0);
  REQUIRE(world.run_until([&] { return world.peer.closes == 3; }));
  CHECK(world.peer.reason == CloseReason::connect_failed);
  CHECK_FALSE(world.peer.text.empty());
  CHECK(world.peer.opens == 0);
}

#if !MUSTER_WITH_TLS
TEST_CASE("socket client: without TLS a wss dial fails", "[client]") {
  ClientWorld world{each_backend()};
  world.client->dial({.url = "wss://127.0.0.1/"}, world.peer);
  REQUIRE(world.run_until([&] { return world.peer.closes == 1; }));
  CHECK(world.peer.reason == CloseReason::connect_failed);
  CHECK(world.peer.text == "only ws:// URLs are supported");
  muster::asio::TlsServerContext context;
  std::string problem;
  CHECK(context.load("a", "b", problem) == make_error_code(errc::invalid_config));
  CHECK(problem == "this build of muster has no TLS");
}
#endif

TEST_CASE("socket client: a refused port is connect_failed, with a text", "[client]") {
  ClientWorld world{each_backend()};
  Listener listener;
  const std::uint16_t port = listener.port;
  listener.close();
  world.client->dial({.url = world.url(port)}, world.peer);
  REQUIRE(world.run_until([&] { return world.peer.closes == 1; }));
  CHECK(world.peer.reason == CloseReason::connect_failed);
  CHECK(world.peer.text == "the peer could not be reached: Connection refused");
}

TEST_CASE("socket client: a refused upgrade has the status", "[client]") {
  ClientWorld world{each_backend()};
  Listener listener;
  world.client->dial({.url = world.url(listener.port)}, world.peer);
  REQUIRE(world.run_until([&] { return listener.has_waiting(); }));
  RawClient server = listener.accept();
  world.clients = {&server};
  REQUIRE(world.run_until([&] { return !server.head().empty(); }));
  CHECK_THAT(server.head(), StartsWith("GET /path HTTP/1.1\r\n"));
  CHECK_THAT(server.head(), ContainsSubstring("Host: 127.0.0.1:" + std::to_string(listener.port)));
  server.send("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n");
  REQUIRE(world.run_until([&] { return world.peer.closes == 1; }));
  CHECK(world.peer.reason == CloseReason::refused);
  CHECK(world.peer.code == 429);
  CHECK(world.peer.text == "Too Many Requests");
}

TEST_CASE("socket client: a server that never answers times out", "[client]") {
  websocket::Config config;
  config.upgrade_timeout = 100ms;
  ClientWorld world{each_backend(), config};
  Listener listener;
  world.client->dial({.url = world.url(listener.port)}, world.peer);
  REQUIRE(world.run_until([&] { return world.peer.closes == 1; }));
  CHECK(world.peer.reason == CloseReason::timed_out);
  CHECK_FALSE(world.peer.text.empty());
  CHECK(world.client->endpoint().session_count() == 0);
}

TEST_CASE("socket client: a connection that is never established times out", "[client]") {
  websocket::Config config;
  config.upgrade_timeout = 100ms;
  ClientWorld world{each_backend(), config};
  // A listener whose backlog is full lets further handshakes wait.
  Listener listener{0};
  std::vector<int> fillers;
  for (int i = 0; i < 4; ++i) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(listener.port);
    static_cast<void>(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)));
    fillers.push_back(fd);
  }
  world.settle();  // no pass is under way that would look at the deadline by chance
  world.client->dial({.url = world.url(listener.port)}, world.peer);
  REQUIRE(world.run_until([&] { return world.peer.closes == 1; }));
  CHECK(world.peer.reason == CloseReason::timed_out);
  for (const int fd : fillers) ::close(fd);
}

TEST_CASE("socket client: a dial after a long quiet time has its whole deadline", "[client]") {
  websocket::Config config;
  config.upgrade_timeout = 1s;
  ClientWorld world{each_backend(), config};
  world.settle();
  bool later = false;
  ::asio::steady_timer timer{world.context, 1100ms};
  timer.async_wait([&](const std::error_code&) { later = true; });
  REQUIRE(world.run_until([&] { return later; }));
  world.client->dial({.url = world.url(world.port())}, world.peer);
  REQUIRE(world.run_until([&] { return world.peer.opens + world.peer.closes == 1; }));
  CHECK(world.peer.opens == 1);
}

TEST_CASE("socket client: a server that hangs up during the handshake", "[client]") {
  ClientWorld world{each_backend()};
  Listener listener;
  const bool by_reset = GENERATE(false, true);
  world.client->dial({.url = world.url(listener.port)}, world.peer);
  REQUIRE(world.run_until([&] { return listener.has_waiting(); }));
  RawClient server = listener.accept();
  if (by_reset) {
    server.reset();
  } else {
    server.half_close();  // and never reads: only the end of its side tells
  }
  REQUIRE(world.run_until([&] { return world.peer.closes == 1; }));
  CHECK(world.peer.opens == 0);
}

TEST_CASE("socket client: the answer, a message and the end in one segment", "[client]") {
  ClientWorld world{each_backend()};
  Listener listener;
  world.client->dial({.url = world.url(listener.port)}, world.peer);
  REQUIRE(world.run_until([&] { return listener.has_waiting(); }));
  RawClient server = listener.accept();
  world.clients = {&server};
  REQUIRE(world.run_until([&] { return !server.head().empty(); }));
  const std::string head = server.head();
  const std::size_t at = head.find("Sec-WebSocket-Key: ") + 19;
  const std::string key = head.substr(at, head.find('\r', at) - at);
  // Any server of ours computes the answer to the key.
  RawClient asker{world.port()};
  world.clients = {&server, &asker};
  std::string request = RawClient::upgrade_request();
  request.replace(request.find("dGhlIHNhbXBsZSBub25jZQ=="), 24, key);
  asker.send(request);
  REQUIRE(world.run_until([&] { return asker.is_upgraded(); }));
  const int on = 1;
  const int off = 0;
  ::setsockopt(server.fd(), IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
  server.send(asker.head() + test::encode({0x82, "welcome"}, websocket::Role::client));
  server.half_close();
  ::setsockopt(server.fd(), IPPROTO_TCP, TCP_CORK, &off, sizeof(off));
  REQUIRE(world.run_until([&] { return world.peer.closes == 1; }));
  CHECK(world.peer.opens == 1);
  CHECK(world.peer.kept == std::vector<std::string>{"welcome"});
}

TEST_CASE("socket client: giving up while resolving, connecting, shaking hands", "[client]") {
  websocket::Config config;
  config.close_timeout = 60s;
  ClientWorld world{each_backend(), config};
  Listener listener;
  const int when = GENERATE(0, 1, 2);
  const ConnectionId id = world.client->dial({.url = world.url(listener.port)}, world.peer);
  if (when == 1) {
    world.context.restart();
    world.context.run_one_for(1s);
  }
  std::vector<RawClient> server;
  if (when == 2) {
    REQUIRE(world.run_until([&] { return listener.has_waiting(); }));
    server.push_back(listener.accept());
    world.clients = {&server[0]};
    REQUIRE(world.run_until([&] { return !server[0].head().empty(); }));
  }
  Connection* const connection = world.loop.outbox().find(id);
  REQUIRE(connection != nullptr);
  connection->close(CloseReason::finished);
  REQUIRE(world.run_until([&] { return world.peer.closes == 1; }));
  CHECK(world.peer.opens == 0);
  CHECK(world.peer.reason == CloseReason::finished);
  CHECK(world.client->endpoint().session_count() == 0);
}

TEST_CASE("socket client: who takes the place of one that gave up gets its own connection",
          "[client]") {
  SocketService other;
  ClientWorld world{each_backend()};
  Listener listener;
  const std::uint16_t refused = listener.port;
  listener.close();
  const ConnectionId first = world.client->dial({.url = world.url(refused)}, world.peer);
  world.loop.outbox().find(first)->close(CloseReason::finished);
  // Its place is free, whether its name has been resolved or not.
  world.context.restart();
  while (world.peer.closes == 0 && world.context.run_one_for(test::patience) != 0) {
  }
  REQUIRE(world.peer.closes == 1);
  const ConnectionId second = world.client->dial({.url = world.url(world.port()) + "/2"}, other);
  REQUIRE(world.run_until([&] { return other.opens + other.closes != 0; }));
  CHECK(other.opens == 1);
  CHECK(other.last == second);
  CHECK(second.index == first.index);
  CHECK(world.service.path == "/path/2");
}

TEST_CASE("socket client: destroyed in every state, it tells everybody once", "[client]") {
  ClientWorld world{each_backend()};
  Listener listener;
  world.client->dial({.url = world.url(world.port())}, world.peer);
  REQUIRE(world.run_until([&] { return world.peer.opens == 1; }));
  world.client->dial({.url = world.url(listener.port)}, world.peer);
  REQUIRE(world.run_until([&] { return listener.has_waiting(); }));
  world.client->dial({.url = world.url(world.port())}, world.peer);
  // One who dials again at once gets nothing more.
  muster::asio::WebSocketClient* const dying = world.client.get();
  world.peer.when_close = [&, dying](Connection&, time_point) {
    CHECK(dying->dial({.url = world.url(world.port())}, world.peer) == ConnectionId{});
  };
  world.client.reset();
  CHECK(world.peer.closes == 3);
  CHECK(world.peer.each_closed_once());
  world.settle();
  REQUIRE(world.run_until([&] { return world.service.closes == world.service.opens; }));
}

TEST_CASE("socket client: one that does not exist by name", "[client]") {
  ClientWorld world{each_backend()};
  world.client->dial({.url = "ws://name.invalid/"}, world.peer);
  REQUIRE(world.run_until([&] { return world.peer.closes == 1; }));
  CHECK((world.peer.reason == CloseReason::connect_failed ||
         world.peer.reason == CloseReason::timed_out));
}

TEST_CASE("socket client: hears which of its subprotocols the server chose", "[client]") {
  struct Choosing : SocketService {
    void on_upgrade(const muster::Request& request, muster::Decision decision,
                    time_point) override {
      const bool has_choice = request.subprotocols.size() > 1;
      decision.accept(*this, has_choice ? request.subprotocols[1] : std::string_view{});
    }
  };
  ClientWorld world{each_backend()};
  Choosing choosing;
  muster::asio::WebSocketServer server{world.loop, {}, world.entropy, choosing};
  REQUIRE_FALSE(server.listen("127.0.0.1:0"));
  std::vector<std::string> chosen;
  world.peer.when_open = [&chosen](Connection& connection, time_point) {
    chosen.emplace_back(connection.subprotocol());
  };
  const std::string url = world.url(server.port());
  world.client->dial({.url = url, .subprotocols = {"first", "second"}}, world.peer);
  REQUIRE(world.run_until([&] { return chosen.size() == 1; }));
  world.client->dial({.url = url, .subprotocols = {"first"}}, world.peer);
  REQUIRE(world.run_until([&] { return chosen.size() == 2; }));
  CHECK(chosen == std::vector<std::string>{"second", ""});
  world.client.reset();
}
