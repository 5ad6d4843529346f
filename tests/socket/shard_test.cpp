// SPDX-License-Identifier: MIT
// A shard whose subscribers come by WebSocket and by SOE: the same games as in memory.
#include "support/shard_players.hpp"
#include "support/socket_world.hpp"

#include <muster/asio/soe_endpoint.hpp>
#include <muster/url.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;
using muster::shard::Client;
using muster::shard::Parting;
using muster::shard::Wire;
using test::BoardHandler;
using test::BoardServer;
using test::each_backend;

namespace {

muster::asio::SoeEndpoint::Config soe_config() {
  muster::asio::SoeEndpoint::Config config;
  config.socket.protocol = soe::Config::for_own_ends();
  config.socket.protocol.protocols = {"shard"};
  // What lies in the session cannot be replaced any more.
  config.socket.protocol.send_budget = 128 * 1024;
  return config;
}

// Dials by SOE: of a URL the path and the query go into the hello, of the headers the token. Each
// connection has a socket of its own, since two addresses have one session at a time.
class SoeDialer final : public Dialer {
 public:
  explicit SoeDialer(test::LoopWorld& world) : world_(world) {}
  ConnectionId dial(const DialRequest& request, Service& service) override {
    constexpr std::string_view scheme = "Bearer ";
    soe::Hello hello{.target = parse_url(request.url).value().target,
                     .subprotocols = request.subprotocols};
    for (const auto& [name, value] : request.headers) {
      if (name == "Authorization") hello.token = value.substr(scheme.size());
    }
    endpoints_.push_back(std::make_unique<muster::asio::SoeEndpoint>(world_.loop, soe_config(),
                                                                     world_.entropy, nullptr));
    return endpoints_.back()->connect(server, "shard", hello, service).value();
  }

  Address server;

 private:
  test::LoopWorld& world_;
  std::vector<std::unique_ptr<muster::asio::SoeEndpoint>> endpoints_;
};

// A loop with a server on it, and a loop of its own for clients, so that they can stand still.
template <class Transport>
struct Side {
  explicit Side(test::Backend backend, const BoardServer::Shard::Config& config = {.hz = 50},
                test::Board board = {})
      : here(backend),
        there(backend),
        server(here.loop.outbox(), here.entropy, now(), config, std::move(board)),
        transport(here, there, server.service, origin) {
    here.loop.add(server.service);
  }
  ~Side() { here.loop.remove(server.service); }
  Dialer& dialer() { return transport.dialer(); }
  Outbox& outbox() { return there.loop.outbox(); }
  void add(Service& service) { there.loop.add(service); }
  void remove(Service& service) { there.loop.remove(service); }
  [[nodiscard]] static time_point now() { return std::chrono::steady_clock::now(); }
  template <class Done>
  bool run_until(Done done) {
    return here.run_until([&] {
      if (!is_stalled) there.settle();
      return done();
    });
  }

  static constexpr bool tells_why = Transport::tells_why;
  std::string origin = "ws://127.0.0.1:1";
  test::LoopWorld here;
  test::LoopWorld there;
  SeededEntropy entropy{3};
  BoardServer server;
  Transport transport;
  bool is_stalled = false;  // the clients
};

struct WebSockets {
  static constexpr std::size_t filling = 256 * 1024;
  static constexpr bool tells_why = false;

  WebSockets(test::LoopWorld& here, test::LoopWorld& there, Service& service, std::string& origin)
      : server(here.loop, {}, here.entropy, service), client(there.loop, {}, there.entropy) {
    REQUIRE(!server.listen("127.0.0.1:0"));
    origin = "ws://127.0.0.1:" + std::to_string(server.port());
  }
  Dialer& dialer() { return client; }
  muster::asio::WebSocketServer server;
  muster::asio::WebSocketClient client;
};

struct SoeSessions {
  static constexpr std::size_t filling = 32 * 1024;
  static constexpr bool tells_why = true;

  SoeSessions(test::LoopWorld& here, test::LoopWorld& there, Service& service, std::string&)
      : server(here.loop, soe_config(), here.entropy, &service), client(there) {
    REQUIRE(!server.bind("127.0.0.1:0"));
    client.server = server.local();
  }
  Dialer& dialer() { return client; }
  muster::asio::SoeEndpoint server;
  SoeDialer client;
};

}  // namespace

TEMPLATE_TEST_CASE("socket shard: joins, refusals, inputs and snapshots", "[shard][socket]",
                   WebSockets, SoeSessions) {
  Side<TestType> side{each_backend()};
  test::play_board(side, side.server);
}

TEMPLATE_TEST_CASE("socket shard: a slow subscriber gets the newest, and the shard does not wait",
                   "[shard][socket]", WebSockets, SoeSessions) {
  Side<TestType> side{
      each_backend(), {.hz = 50, .write_timeout = 10s}, {.filling = TestType::filling}};
  BoardHandler handler;
  const Client::Config config{.dial = test::board_dial(side.origin, "/?shard=one", "tok-alice"),
                              .wire = Wire::legacy};
  Client client{config, side.dialer(), side.outbox(), side.entropy, handler};
  side.add(client);
  REQUIRE(!client.start(side.now()));
  auto& shard = *side.server.shard;
  REQUIRE(side.run_until([&] { return client.tick() >= 3; }));

  side.is_stalled = true;
  const std::uint64_t began = shard.tick();
  REQUIRE(side.run_until([&] { return shard.tick() >= began + 100; }));
  CHECK(shard.stats().frames_conflated > 20);
  const std::uint64_t newest = shard.tick();
  const std::size_t before = handler.ticks.size();
  side.is_stalled = false;
  REQUIRE(side.run_until([&] { return client.tick() >= newest; }));
  CHECK(handler.ticks.size() - before < newest - began);
  CHECK(handler.is_in_order());
  CHECK(handler.aways.empty());
  CHECK(handler.board.size() == 12 + TestType::filling);
  client.leave(side.now());
  REQUIRE(side.run_until([&] { return handler.ended.has_value(); }));
  side.remove(client);
}

TEMPLATE_TEST_CASE("socket shard: who takes nothing is closed, and comes back", "[shard][socket]",
                   WebSockets, SoeSessions) {
  Side<TestType> side{
      each_backend(), {.hz = 50, .write_timeout = 300ms}, {.filling = TestType::filling}};
  BoardHandler handler;
  const Client::Config config{.dial = test::board_dial(side.origin, "/?shard=one&v=2", "tok-alice"),
                              .backoff = {.first = 20ms}};
  Client client{config, side.dialer(), side.outbox(), side.entropy, handler};
  side.add(client);
  REQUIRE(!client.start(side.now()));
  auto& shard = *side.server.shard;
  REQUIRE(side.run_until([&] { return client.tick() >= 3; }));
  // Deltas of nothing are too small to fill anything: it wants whole snapshots.
  side.is_stalled = true;
  REQUIRE(side.run_until([&] {
    auto* const subscription = shard.find(std::uint64_t{1});
    if (subscription != nullptr) shard.acknowledge(*subscription, 0);
    return shard.stats().closed_slow == 1;
  }));
  side.is_stalled = false;
  REQUIRE(side.run_until([&] { return handler.joins == 2 && client.tick() > 3; }));
  CHECK(handler.aways.size() == 1);
  client.leave(side.now());
  REQUIRE(side.run_until([&] { return handler.ended.has_value(); }));
  side.remove(client);
}
