#include <muster/asio/hmac_sha256.hpp>
#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_server.hpp>
#include <muster/relay/service.hpp>

int main() {
  asio::io_context context{1};  // yours: timers, signals and other sockets run beside
  muster::asio::Loop loop{context};
  muster::asio::SystemEntropy entropy;
  muster::relay::Service::Config config;
  config.games.games = {{"chess", {2}}, {"party", {20}}};
  muster::asio::HmacSha256 mac;
  muster::relay::Service relay{config, loop.outbox(), entropy, mac};
  muster::asio::WebSocketServer server{loop, {}, entropy, relay};
  if (server.listen("127.0.0.1:8080")) return 1;
  context.run();
}
