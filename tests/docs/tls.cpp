#include <muster/asio/hmac_sha256.hpp>
#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/tls_server_context.hpp>
#include <muster/asio/websocket_server.hpp>
#include <muster/relay/service.hpp>

#include <cstdio>
#include <string>

int main() {
  asio::io_context context{1};
  muster::asio::Loop loop{context};
  muster::asio::SystemEntropy entropy;
  muster::asio::HmacSha256 mac;
  muster::relay::Service relay{{}, loop.outbox(), entropy, mac};
  muster::asio::TlsServerContext tls;  // may serve the servers of several loops
  std::string problem;
  if (tls.load("fullchain.pem", "privkey.pem", problem)) {
    std::fprintf(stderr, "%s\n", problem.c_str());
    return 1;
  }
  muster::asio::WebSocketServer::Config config;
  config.tls = &tls;
  muster::asio::WebSocketServer server{loop, config, entropy, relay};
  if (server.listen("0.0.0.0:443")) return 1;
  context.run();
}
