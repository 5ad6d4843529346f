#include <muster/memory/dialer.hpp>
#include <muster/memory/network.hpp>
#include <muster/relay/host.hpp>
#include <muster/relay/player.hpp>
#include <muster/relay/service.hpp>

#include <chrono>
#include <cstdio>
#include <vector>

namespace relay = muster::relay;
using muster::byte_view;
using muster::time_point;
using namespace std::chrono_literals;

// Runs the game: every action is a move, and everybody sees all moves.
struct Dealer final : relay::Host::Handler {
  void on_created(const relay::HandshakeResponse&, bool again, time_point) override {
    std::puts(again ? "host: back" : "host: the room is there");
  }
  void on_arrival(std::uint16_t id, time_point) override { std::printf("host: +%u\n", id); }
  void on_departure(std::uint16_t id, time_point) override { std::printf("host: -%u\n", id); }
  void on_rpc(std::uint16_t, byte_view move, time_point) override {
    moves.insert(moves.end(), move.begin(), move.end());
    (void)host->delta(move);
  }
  std::vector<std::byte> full_state() override { return moves; }
  void on_end(relay::Parting, std::string_view, time_point) override { std::puts("host: end"); }

  relay::Host* host = nullptr;
  std::vector<std::byte> moves;
};

struct Guest final : relay::Player::Handler {
  void on_joined(const relay::HandshakeResponse& response, bool again, time_point) override {
    std::printf("player %u: %s\n", response.player_id, again ? "back" : "in");
  }
  void on_full(byte_view state, time_point) override { moves.assign(state.begin(), state.end()); }
  void on_reset(byte_view state, time_point now) override { on_full(state, now); }
  void on_delta(byte_view move, time_point) override {
    moves.insert(moves.end(), move.begin(), move.end());
  }
  void on_away(relay::Parting, std::string_view, time_point, time_point) override {
    std::puts("player: away, and tries again");
  }
  void on_end(relay::Parting, std::string_view, time_point) override { std::puts("player: end"); }

  std::vector<std::byte> moves;
};

int main() {
  muster::memory::Network network;
  muster::SeededEntropy entropy{1};
  muster::WeakMac mac;
  relay::Service::Config config;
  config.games.games = {{"chess", {2}}};
  relay::Service service{config, network.outbox(), entropy, mac};
  network.add(service);
  muster::memory::Dialer dialer{network, {.latency = 20ms}};
  (void)dialer.listen("ws://relay.test/ws", service);

  const relay::MemberConfig table{
      .url = "ws://relay.test/ws", .game_id = "chess", .room_id = "table 1"};
  Dealer dealer;
  relay::Host host{table, dialer, network.outbox(), entropy, dealer};
  dealer.host = &host;
  network.add(host);
  (void)host.start(network.now());
  network.run_for(1s);

  Guest guest;
  relay::Player player{table, dialer, network.outbox(), entropy, guest};
  network.add(player);
  (void)player.start(network.now());
  network.run_for(1s);
  (void)player.send_action(muster::as_bytes("e4 "));
  network.run_for(1s);

  network.fail_write(1);  // its connection breaks, and the move with it
  (void)player.send_action(muster::as_bytes("?? "));
  network.run_for(5s);
  (void)player.send_action(muster::as_bytes("d4 "));
  network.run_for(1s);
  std::printf("%zu and %zu bytes\n", dealer.moves.size(), guest.moves.size());
  host.terminate(network.now());
  network.run_for(1s);
}
