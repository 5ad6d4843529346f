#include <muster/relay/host.hpp>
#include <muster/relay/player.hpp>

#include <array>
#include <map>
#include <string>

namespace relay = muster::relay;
using muster::byte_view;
using muster::time_point;

relay::MemberConfig card_table(const std::string& url, const std::string& name) {
  relay::MemberConfig config{.url = url, .game_id = "cards", .room_id = "table 1"};
  config.extension = {.capabilities = relay::all_capabilities, .name = name, .is_listed = true};
  return config;
}

// Everybody sees the table, and only its owner sees a hand.
class Cards final : public relay::Host::Handler {
 public:
  void on_created(const relay::HandshakeResponse&, bool, time_point) override {
    (void)host->set_info(/*is_open=*/true, /*is_listed=*/true, muster::as_bytes("beginners"));
  }
  void on_member(const relay::MemberEvent& event, time_point) override {
    names[event.player_id] = event.name;  // players and spectators; empty if there is none
  }
  void on_arrival(std::uint16_t id, time_point) override {
    (void)host->send_to(std::array{id}, muster::as_bytes(hands[id]));  // behind the state
  }
  void on_departure(std::uint16_t, time_point) override {}
  void on_rpc(std::uint16_t id, byte_view, time_point) override {
    (void)host->ban(id, relay::BanScope::user);  // this game has no rules, so everybody cheats
  }
  std::vector<std::byte> full_state() override { return state; }
  void on_end(relay::Parting, std::string_view, time_point) override {}

  relay::Host* host = nullptr;
  std::vector<std::byte> state;
  std::map<std::uint16_t, std::string> names, hands;
};

// Goes on with the game if its host is lost, in a room that is set to.
class Guest final : public relay::Player::Handler {
 public:
  void on_joined(const relay::HandshakeResponse&, bool, time_point) override {}
  void on_full(byte_view bytes, time_point) override { state.assign(bytes.begin(), bytes.end()); }
  void on_reset(byte_view bytes, time_point now) override { on_full(bytes, now); }
  void on_delta(byte_view bytes, time_point) override {
    state.insert(state.end(), bytes.begin(), bytes.end());
  }
  void on_targeted(byte_view bytes, time_point) override { hand = muster::as_text(bytes); }
  bool on_host_offer(muster::duration, time_point) override { return true; }
  void on_promoted(std::uint64_t its_token, time_point) override { token = its_token; }
  void on_end(relay::Parting, std::string_view, time_point) override {}

  std::vector<std::byte> state;
  std::string hand;
  std::optional<std::uint64_t> token;  // start a relay::Host with it, and with `state`
};
