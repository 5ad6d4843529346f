#include <muster/memory/dialer.hpp>
#include <muster/memory/network.hpp>
#include <muster/relay/player.hpp>
#include <muster/relay/service.hpp>

#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

namespace relay = muster::relay;
using muster::byte_view;
using muster::time_point;
using namespace std::chrono_literals;

// Everybody may raise one number; a minute later it starts again. Who does anything else goes.
class Count final : public relay::Authority {
 public:
  void on_attached(relay::HostedRoom& room, time_point now) override {
    room_ = &room;
    (void)room.set_timer(round_over, 60s, now);
  }
  void on_detached(time_point) override { room_ = nullptr; }
  void on_join(const relay::PlayerInfo& player, time_point) override {
    std::printf("%u is here\n", player.id);  // nothing to send: it gets `full_state`
  }
  void on_depart(const relay::PlayerInfo& player, relay::Departure why, time_point) override {
    std::printf("%u is gone: %s\n", player.id, std::string{to_string(why)}.c_str());
  }
  void on_rpc(const relay::PlayerInfo& player, byte_view action, time_point) override {
    if (muster::as_text(action) != "up") {
      (void)room_->kick(player.id);
      return;
    }
    ++number_;
    (void)room_->delta(muster::as_bytes("+1"));
  }
  void on_timer(std::uint16_t, time_point now) override {
    number_ = 0;
    (void)room_->reset(full_state());
    (void)room_->set_timer(round_over, 60s, now);
  }
  std::vector<std::byte> full_state() override {
    const std::string text = std::to_string(number_);
    const byte_view bytes = muster::as_bytes(text);
    return {bytes.begin(), bytes.end()};
  }

 private:
  static constexpr std::uint16_t round_over = 1;
  relay::HostedRoom* room_ = nullptr;
  int number_ = 0;
};

struct Screen final : relay::Player::Handler {
  void on_joined(const relay::HandshakeResponse&, bool, time_point) override {}
  void on_full(byte_view state, time_point) override { show("state", state); }
  void on_delta(byte_view changes, time_point) override { show("change", changes); }
  void on_reset(byte_view state, time_point) override { show("new state", state); }
  void on_end(relay::Parting why, std::string_view, time_point) override {
    show("end", muster::as_bytes(relay::to_string(why)));
  }
  static void show(const char* what, byte_view bytes) {
    std::printf("  %s %s\n", what, std::string{muster::as_text(bytes)}.c_str());
  }
};

int main() {
  muster::memory::Network network;
  muster::SeededEntropy entropy{1};
  muster::WeakMac mac;
  relay::Service::Config config;
  config.games.games = {{"count", {}}};
  relay::Service service{config, network.outbox(), entropy, mac};
  network.add(service);
  Count game;
  if (!service.open_room({"count", "lobby"}, 0, game, network.now())) return 1;

  muster::memory::Dialer dialer{network, {.latency = 20ms}};
  (void)dialer.listen("ws://relay.test/ws", service);
  Screen screen;
  relay::Player player{{.url = "ws://relay.test/ws", .game_id = "count", .room_id = "lobby"},
                       dialer,
                       network.outbox(),
                       entropy,
                       screen};
  network.add(player);
  (void)player.start(network.now());
  network.run_for(1s);
  (void)player.send_action(muster::as_bytes("up"));
  network.run_for(60s);
  (void)player.send_action(muster::as_bytes("down"));
  network.run_for(1s);
}
