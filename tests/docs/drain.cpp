#include <muster/asio/hmac_sha256.hpp>
#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_server.hpp>
#include <muster/relay/service.hpp>

#include <asio/signal_set.hpp>

#include <chrono>
#include <csignal>
#include <system_error>

int main() {
  asio::io_context context{1};
  muster::asio::Loop loop{context};
  muster::asio::SystemEntropy entropy;
  muster::asio::HmacSha256 mac;
  muster::relay::Service::Config config;
  config.games.games = {{"chess", {2}}};
  muster::relay::Service relay{config, loop.outbox(), entropy, mac};
  muster::asio::WebSocketServer server{loop, {}, entropy, relay};
  if (server.listen("127.0.0.1:8080")) return 1;

  asio::signal_set signals{context, SIGTERM, SIGINT};
  signals.async_wait([&](const std::error_code& error, int) {
    if (error) return;
    signals.clear();  // a second signal ends the program at once
    server.drain(std::chrono::seconds{5}, [&context] { context.stop(); });
  });
  context.run();
}
