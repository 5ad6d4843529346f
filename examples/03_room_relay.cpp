// SPDX-License-Identifier: MIT
// A room: a host, which runs the game, and players, who send it what they do. The relay between
// them keeps places and order, and looks into no message. Here it is a tug of war, with the
// programs of all of them in one, and in virtual time.
//
//   $ build/dev/examples/03_room_relay
//   host: player 1 is here
//   player 1: the rope is at 1
//   host: player 2 is here
//   player 2: the rope is at 1
//   player 1: the rope is at 0
//   player 2: the rope is at 0
//   player 2: the end, left
//   host: the end, left
//   player 1: the end, room_over
#include <muster/memory/dialer.hpp>
#include <muster/memory/network.hpp>
#include <muster/relay/host.hpp>
#include <muster/relay/player.hpp>
#include <muster/relay/service.hpp>

#include <charconv>
#include <chrono>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace relay = muster::relay;
using muster::byte_view;
using muster::time_point;
using namespace std::chrono_literals;

// The game: odd players pull one way, even ones the other.
struct Referee final : relay::Host::Handler {
  void on_created(const relay::HandshakeResponse&, bool, time_point) override {}
  void on_arrival(std::uint16_t id, time_point) override {
    std::cout << "host: player " << id << " is here\n";  // who is new is sent full_state()
  }
  void on_departure(std::uint16_t, time_point) override {}
  void on_rpc(std::uint16_t id, byte_view action, time_point) override {
    if (muster::as_text(action) != "pull") return;  // a player's program may send anything
    rope += id % 2 == 1 ? 1 : -1;
    host->delta(muster::as_bytes(id % 2 == 1 ? "+" : "-"));  // to all who have the state
  }
  std::vector<std::byte> full_state() override {
    const std::string text = std::to_string(rope);
    const byte_view bytes = muster::as_bytes(text);
    return {bytes.begin(), bytes.end()};
  }
  void on_end(relay::Parting why, std::string_view, time_point) override {
    std::cout << "host: the end, " << relay::to_string(why) << '\n';
  }

  relay::Host* host = nullptr;
  int rope = 0;
};

struct Puller final : relay::Player::Handler {
  void on_joined(const relay::HandshakeResponse& welcome, bool, time_point) override {
    id = welcome.player_id;
  }
  // A newcomer gets the state that the relay has kept and the changes since, and one of the host's.
  void on_full(byte_view state, time_point) override {
    const std::string_view text = muster::as_text(state);
    std::from_chars(text.data(), text.data() + text.size(), rope);
  }
  void on_reset(byte_view state, time_point now) override { on_full(state, now); }
  void on_delta(byte_view changes, time_point) override {
    for (const char change : muster::as_text(changes)) rope += change == '+' ? 1 : -1;
    std::cout << "player " << id << ": the rope is at " << rope << '\n';
  }
  void on_end(relay::Parting why, std::string_view, time_point) override {
    std::cout << "player " << id << ": the end, " << relay::to_string(why) << '\n';
  }

  std::uint16_t id = 0;
  int rope = 0;
};

int main() {
  muster::memory::Network network;  // on sockets: asio::Loop, WebSocketServer, WebSocketClient
  muster::memory::Dialer dialer{network, {.latency = 20ms}};
  muster::SeededEntropy entropy{1};
  muster::WeakMac mac;
  relay::Service::Config config;
  config.games.games = {{"rope", {.max_players = 10}}};
  relay::Service service{config, network.outbox(), entropy, mac};
  network.add(service);
  if (dialer.listen("ws://relay.test/ws", service)) return 1;

  const relay::MemberConfig lawn{.url = "ws://relay.test/ws", .game_id = "rope", .room_id = "lawn"};
  Referee referee;
  Puller ann, bob;
  relay::Host host{lawn, dialer, network.outbox(), entropy, referee};
  relay::Player first{lawn, dialer, network.outbox(), entropy, ann};
  relay::Player second{lawn, dialer, network.outbox(), entropy, bob};
  referee.host = &host;
  network.add(host);
  network.add(first);
  network.add(second);

  const auto pull = muster::as_bytes("pull");
  if (host.start(network.now())) return 1;
  network.run_for(1s);
  if (first.start(network.now())) return 1;
  network.run_for(1s);
  first.send_action(pull);
  network.run_for(1s);
  if (second.start(network.now())) return 1;
  network.run_for(1s);
  second.send_action(pull);
  network.run_for(1s);
  second.leave(network.now());
  network.run_for(1s);
  host.terminate(network.now());
  network.run_for(1s);
}
