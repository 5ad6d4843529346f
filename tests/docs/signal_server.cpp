#include <muster/asio/hmac_sha256.hpp>
#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_server.hpp>
#include <muster/router.hpp>
#include <muster/signal/matchbox.hpp>
#include <muster/signal/service.hpp>

#include <chrono>

int main() {
  using namespace std::chrono;
  asio::io_context context{1};
  muster::asio::Loop loop{context};
  muster::asio::SystemEntropy entropy;
  muster::asio::HmacSha256 mac;
  muster::signal::Config config;
  config.require_authentication = false;  // open to all; else config.apps lists who may come
  config.default_topology = muster::signal::DesiredTopology::mesh;  // WebRTC, if all can do it
  const auto unix_now = duration_cast<milliseconds>(system_clock::now().time_since_epoch());
  muster::signal::Service signal{config, loop.outbox(), entropy, mac, unix_now.count(), loop.now()};
  muster::signal::Matchbox matchbox{{}, loop.outbox(), entropy};
  muster::Router router;
  router.route("/v2/ws", signal).route("/v3/ws", signal).route_below("/matchbox", matchbox);
  muster::asio::WebSocketServer server{loop, {}, entropy, router};
  if (server.listen("127.0.0.1:3536")) return 1;
  context.run();
}
