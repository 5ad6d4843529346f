#include <muster/memory/network.hpp>
#include <muster/relay/join_request.hpp>
#include <muster/relay/service.hpp>

#include <chrono>
#include <cstdio>

struct Peer final : muster::Service {
  void on_message(muster::Connection&, const muster::Message& message,
                  muster::time_point) override {
    std::printf("%zu bytes\n", message.bytes.size());
  }
};

int main() {
  using namespace std::chrono_literals;
  muster::memory::Network network{/*seed=*/7};
  muster::SeededEntropy entropy{7};
  muster::relay::Service::Config config;
  config.games.games = {{"chess", {2}}};
  muster::WeakMac mac;  // in tests; a server has asio::HmacSha256
  muster::relay::Service relay{config, network.outbox(), entropy, mac};
  network.add(relay);

  Peer peer;
  muster::Connection& host = network.connect(peer, relay, {.path = "/ws"}, {.latency = 40ms});
  network.run_for(100ms);  // no time passes but this
  const auto request = muster::relay::encode_join_request(
      {.game_id = "chess", .room_id = "table 1", .create_room = true});
  host.send({*request});
  network.run_for(1h);  // prints "13 bytes": the welcome
}
