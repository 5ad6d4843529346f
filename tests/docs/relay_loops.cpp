#include <muster/address_limits.hpp>
#include <muster/asio/hmac_sha256.hpp>
#include <muster/asio/loop_group.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_server.hpp>
#include <muster/placement.hpp>
#include <muster/relay/service.hpp>

#include <asio/signal_set.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

int main() {
  const std::uint32_t count = std::max(1U, std::thread::hardware_concurrency());
  muster::relay::Service::Config config;
  config.games.games = {{"chess", {2}}, {"party", {20}}};
  muster::asio::WebSocketServer::Config server_config;
  server_config.reuse_port = true;  // each loop accepts for itself

  // What the loops share: where a room lives, and what an address may do.
  muster::asio::SystemEntropy entropy;
  const muster::Placement placement{entropy, count};
  muster::AddressLimits limits{config.addresses, entropy};

  muster::asio::LoopGroup group{count};
  const muster::asio::Handover handover = group.make_handover();
  struct OnLoop {
    OnLoop(muster::asio::Loop& loop, const muster::relay::Service::Config& config,
           const muster::asio::WebSocketServer::Config& server_config,
           muster::AddressLimits& limits)
        : relay(config, loop.outbox(), entropy, mac, &limits),
          server(loop, server_config, entropy, relay) {}
    muster::asio::SystemEntropy entropy;
    muster::asio::HmacSha256 mac;
    muster::relay::Service relay;
    muster::asio::WebSocketServer server;
  };
  std::vector<std::unique_ptr<OnLoop>> loops;
  std::vector<muster::relay::Service*> relays;
  for (std::uint32_t i = 0; i < count; ++i) {
    loops.push_back(std::make_unique<OnLoop>(group.loop(i), config, server_config, limits));
    relays.push_back(&loops[i]->relay);
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    loops[i]->relay.join_loops(placement, i, relays);
    loops[i]->server.join(handover, i);
    if (loops[i]->server.listen("127.0.0.1:8080")) return 1;
  }

  group.start();
  asio::io_context context{1};
  asio::signal_set signals{context, SIGINT, SIGTERM};
  signals.async_wait([](const std::error_code&, int) {});
  context.run();
  group.stop([&loops](std::size_t i, std::function<void()> done) {
    loops[i]->server.drain(std::chrono::seconds{5}, std::move(done));
  });
}
