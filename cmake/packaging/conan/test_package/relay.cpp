// SPDX-License-Identifier: MIT
// A host opens a room on a relay, in memory.
#include <muster/memory/network.hpp>
#include <muster/relay/join_request.hpp>
#include <muster/relay/service.hpp>

#include <chrono>
#include <cstdio>

namespace {

struct Host final : muster::Service {
  void on_message(muster::Connection&, const muster::Message& message,
                  muster::time_point) override {
    answer = message.bytes.size();
  }
  std::size_t answer = 0;
};

}  // namespace

int main() {
  muster::memory::Network network;
  muster::SeededEntropy entropy{1};
  muster::WeakMac mac;
  muster::relay::Service::Config config;
  config.games.games = {{"chess", {2}}};
  muster::relay::Service relay{config, network.outbox(), entropy, mac};
  network.add(relay);
  Host host;
  muster::Connection& connection = network.connect(host, relay, {.path = "/ws"});
  network.run_for(std::chrono::seconds{1});
  const auto request = muster::relay::encode_join_request(
      {.game_id = "chess", .room_id = "table", .create_room = true});
  connection.send({*request});
  network.run_for(std::chrono::seconds{1});
  std::printf("the relay answers with %zu bytes\n", host.answer);
  return host.answer == 13 ? 0 : 1;
}
