// SPDX-License-Identifier: MIT
// A server listens, and stops.
#include <muster/asio/hmac_sha256.hpp>
#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_server.hpp>
#include <muster/relay/service.hpp>

#include <cstdio>

int main() {
  asio::io_context context{1};
  muster::asio::Loop loop{context};
  muster::asio::SystemEntropy entropy;
  muster::asio::HmacSha256 mac;
  muster::relay::Service relay{{}, loop.outbox(), entropy, mac};
  muster::asio::WebSocketServer server{loop, {}, entropy, relay};
  if (const auto error = server.listen("127.0.0.1:0")) {
    std::printf("%s\n", error.message().c_str());
    return 1;
  }
  std::printf("a server listened on port %d\n", server.port());
}
