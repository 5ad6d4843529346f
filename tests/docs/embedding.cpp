#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_server.hpp>
#include <muster/relay/service.hpp>

int main() {
  asio::io_context context{1};  // yours: timers, signals and other sockets run beside
  muster::asio::Loop loop{context};
  muster::asio::SystemEntropy entropy;
  muster::relay::Service::Config config;
  config.games.max_players = {{"chess", 2}, {"party", 20}};
  muster::relay::Service relay{config, loop.outbox(), entropy};
  muster::asio::WebSocketServer server{loop, {}, entropy, relay};
  if (server.listen("127.0.0.1:8080")) return 1;
  context.run();
}
