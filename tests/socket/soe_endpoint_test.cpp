// SPDX-License-Identifier: MIT
// A browser and a native client in one room: one comes by WebSocket, the other by SOE over UDP.
#include "support/socket_world.hpp"
#include "support/vectors.hpp"

#include <muster/asio/soe_endpoint.hpp>
#include <muster/relay/join_request.hpp>
#include <muster/relay/service.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;
using test::each_backend;
using test::RawClient;
using Messages = std::vector<std::string>;

namespace {

muster::asio::SoeEndpoint::Config endpoint_config(soe::Config protocol) {
  muster::asio::SoeEndpoint::Config config;
  config.socket.protocol = std::move(protocol);
  config.socket.protocol.protocols = {"relay"};
  return config;
}

struct MixedWorld : test::LoopWorld {
  MixedWorld(test::Backend backend, const soe::Config& protocol)
      : LoopWorld(backend),
        relay(relay_config(), loop.outbox(), entropy, mac),
        server(loop, {}, entropy, relay),
        udp_server(loop, endpoint_config(protocol), entropy, &relay),
        udp_client(loop, endpoint_config(protocol), entropy, nullptr) {
    REQUIRE(!server.listen("127.0.0.1:0"));
    REQUIRE(!udp_server.bind("127.0.0.1:0"));
  }

  static relay::Service::Config relay_config() {
    relay::Service::Config out;
    out.games.games = {{"trictrac", {}}};
    return out;
  }

  static std::vector<std::byte> request(std::uint16_t rule, bool creates) {
    return relay::encode_join_request({"trictrac", "room-42", rule, creates, std::nullopt, {}})
        .value();
  }

  // A host in a browser.
  RawClient& create() {
    browser = std::make_unique<RawClient>(server.port());
    clients.push_back(browser.get());
    browser->send(RawClient::upgrade_request());
    REQUIRE(run_until([&] { return browser->is_upgraded(); }));
    browser->send(RawClient::frame(as_text(request(3, true))));
    REQUIRE(run_until([&] { return !browser->messages().empty(); }));
    return *browser;
  }

  // A player whose client is native.
  Connection& join() {
    native.keeps = true;
    native.echoes = false;
    const auto id = udp_client.connect(udp_server.local(), "relay", {.target = "/ws"}, native);
    REQUIRE(id);
    REQUIRE(run_until([&] { return native.opens == 1; }));
    Connection& connection = *loop.outbox().find(*id);
    connection.send({request(9, false)});
    REQUIRE(run_until([&] { return !native.kept.empty(); }));
    return connection;
  }

  [[nodiscard]] Messages heard_by_browser() const {
    Messages out;
    for (const auto& message : browser->messages()) out.push_back(test::to_hex(as_bytes(message)));
    return out;
  }

  WeakMac mac;
  relay::Service relay;
  muster::asio::WebSocketServer server;
  muster::asio::SoeEndpoint udp_server;
  muster::asio::SoeEndpoint udp_client;
  test::SocketService native;
  std::unique_ptr<RawClient> browser;
};

}  // namespace

TEST_CASE("socket SOE endpoint: a room of the relay with a browser and a native client",
          "[soe][relay]") {
  const bool own_ends = GENERATE(false, true);
  MixedWorld world{each_backend(), own_ends ? soe::Config::for_own_ends() : soe::Config{}};
  RawClient& host = world.create();
  Connection& player = world.join();

  // The host hears of the player, whose id is 1, and answers with the whole state.
  REQUIRE(world.run_until([&] { return host.messages().size() == 2; }));
  CHECK(world.heard_by_browser()[1] == "000001");
  world.native.kept.clear();
  host.send(RawClient::frame(as_text(test::from_hex("03aabbcc"))));
  REQUIRE(world.run_until([&] { return !world.native.kept.empty(); }));
  CHECK(world.native.kept == Messages{std::string{"\x03\xaa\xbb\xcc", 4}});

  // What the player says reaches the browser, with its id in front.
  const auto call = test::from_hex("020102");
  player.send({call});
  REQUIRE(world.run_until([&] { return host.messages().size() == 3; }));
  CHECK(world.heard_by_browser()[2].ends_with("0102"));

  // An update for everybody.
  world.native.kept.clear();
  host.send(RawClient::frame(as_text(test::from_hex("02dd"))));
  REQUIRE(world.run_until([&] { return !world.native.kept.empty(); }));
  CHECK(world.native.kept == Messages{"\x02\xdd"});

  // The browser goes: the relay waits for it for a while, and tells the player in the end.
  player.close(CloseReason::finished);
  REQUIRE(world.run_until([&] { return world.native.closes == 1; }));
  REQUIRE(world.run_until([&] { return host.messages().size() == 4; }));
  CHECK(world.heard_by_browser()[3] == "010001");
}

TEST_CASE("socket SOE endpoint: nobody is let in where there is no service", "[soe]") {
  MixedWorld world{each_backend(), {}};
  muster::asio::SoeEndpoint closed{world.loop, endpoint_config({}), world.entropy, nullptr};
  REQUIRE(!closed.bind("127.0.0.1:0"));
  REQUIRE(world.udp_client.connect(closed.local(), "relay", {}, world.native));
  REQUIRE(world.run_until([&] { return world.native.closes == 1; }));
  CHECK(world.native.opens == 0);
}

TEST_CASE("socket SOE endpoint: closes say why", "[soe]") {
  MixedWorld world{each_backend(), {}};
  test::SocketService service;
  muster::asio::SoeEndpoint server{world.loop, endpoint_config({}), world.entropy, &service};
  REQUIRE(!server.bind("127.0.0.1:0"));
  REQUIRE(world.udp_client.connect(server.local(), "relay", {}, world.native));
  REQUIRE(world.run_until([&] { return service.opens == 1 && world.native.opens == 1; }));
  server.close_all();
  REQUIRE(world.run_until([&] { return world.native.closes == 1; }));
  CHECK(world.native.code == 1001);
  CHECK(world.native.by_peer);
  CHECK(service.reason == CloseReason::draining);
  REQUIRE(world.run_until([&] { return server.multiplexer().session_count() == 0; }));
}
