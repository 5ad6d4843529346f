// SPDX-License-Identifier: MIT
// Games that run in the server's process, and rooms that change their authority.
#include <muster/relay/authority.hpp>

#include "support/relay_world.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;
using relay::Departure;
using relay::Ending;
using relay::HostedRoom;
using relay::PlayerInfo;
using test::Messages;
using test::Peer;
using test::RelayWorld;
using test::token_of;
using test::without_tokens;

namespace {

// Notes what it is told; its state is a text.
struct Game final : relay::Authority {
  void on_attached(HostedRoom& attached, time_point) override {
    room = &attached;
    heard.emplace_back("attached");
  }
  void on_detached(time_point) override {
    room = nullptr;
    heard.emplace_back("detached");
  }
  bool on_admit(const PlayerInfo& player, std::string& refusal, time_point) override {
    if (player.user == "bad" || when_admit) refusal = when_admit ? when_admit() : "Not you.";
    return refusal.empty();
  }
  void on_join(const PlayerInfo& player, time_point) override { note("join", player); }
  void on_back(const PlayerInfo& player, time_point) override { note("back", player); }
  void on_depart(const PlayerInfo& player, Departure why, time_point) override {
    note(std::string{to_string(why)}, player);
  }
  void on_rpc(const PlayerInfo& player, byte_view payload, time_point now) override {
    note("rpc " + test::to_hex(payload), player);
    if (when_rpc) when_rpc(player, now);
  }
  std::vector<std::byte> full_state() override {
    ++states;
    const byte_view bytes = as_bytes(state);
    return {bytes.begin(), bytes.end()};
  }
  bool on_state_wanted(time_point) override {
    wishes += static_cast<int>(is_elsewhere);
    return is_elsewhere;
  }
  void on_timer(std::uint16_t id, time_point now) override {
    heard.push_back("timer " + std::to_string(id));
    if (when_timer) when_timer(id, now);
  }
  void note(const std::string& what, const PlayerInfo& player) {
    heard.push_back(what + " " + std::to_string(player.id));
  }
  Messages take() { return std::exchange(heard, {}); }

  HostedRoom* room = nullptr;
  Messages heard;
  std::string state = "S";
  int states = 0;
  int wishes = 0;
  bool is_elsewhere = false;  // the state is
  std::function<std::string()> when_admit;
  std::function<void(const PlayerInfo&, time_point)> when_rpc;
  std::function<void(std::uint16_t, time_point)> when_timer;
};

struct GameWorld : RelayWorld {
  explicit GameWorld(const relay::Service::Config& config = default_config()) : RelayWorld(config) {
    const auto opened = relay.open_room({"trictrac", "R"}, 7, game, network.now());
    REQUIRE(opened);
    room = *opened;
    CHECK(game.take() == Messages{"attached"});
  }
  Game game;
  HostedRoom* room = nullptr;
};

const std::string state_s = "03" + test::hex_of("S");

}  // namespace

TEST_CASE("relay authority: a game in the process has players, actions, deltas and states",
          "[relay][authority]") {
  GameWorld world;
  Peer& one = world.join("R");
  Peer& two = world.join("R");
  CHECK(world.game.take() == Messages{"join 1", "join 2"});
  CHECK(without_tokens(one.take()) == Messages{"0600010007", state_s});
  CHECK(without_tokens(two.take()) == Messages{"0600020007", state_s});
  world.send(one, "02abcd");
  CHECK(world.game.take() == Messages{"rpc abcd 1"});
  CHECK_FALSE(world.room->delta(as_bytes("d")));
  CHECK_FALSE(world.room->reset(as_bytes("r")));
  world.run();
  CHECK(one.take() == Messages{"0264", "0472"});
  CHECK(two.take() == Messages{"0264", "0472"});
  CHECK(world.room->player_count() == 2);
  CHECK(world.room->has_host());
  world.room->terminate();
  world.run();
  world.expect_end(one, Ending::host_gone, "Server has left the game.");
  CHECK(world.game.take() == Messages{"detached"});
  CHECK(world.relay.room_count() == 0);
  world.finish();
}

TEST_CASE("relay authority: the state is asked for once for all who came in one pass",
          "[relay][authority]") {
  GameWorld world;
  std::vector<Peer*> peers;
  for (int i = 0; i < 20; ++i) peers.push_back(&world.connect());
  for (Peer* const peer : peers) {
    REQUIRE(peer->send(RelayWorld::request_hex("trictrac", "R", 0, false)));
  }
  world.run();
  CHECK(world.game.states == 1);
  for (const Peer* const peer : peers) CHECK(peer->messages.back() == state_s);
  world.room->terminate();
  world.finish();
}

TEST_CASE("relay authority: one that has the state elsewhere gives it later",
          "[relay][authority]") {
  GameWorld world;
  world.game.is_elsewhere = true;
  Peer& one = world.join("R");
  CHECK(without_tokens(one.take()) == Messages{"0600010007"});
  CHECK(world.game.wishes == 1);
  CHECK_FALSE(world.room->delta(as_bytes("d")));  // it is part of the state that is to come
  world.run();
  CHECK(one.take().empty());
  CHECK_FALSE(world.room->full_update(as_bytes("S")));
  world.run();
  CHECK(one.take() == Messages{state_s});
  CHECK_FALSE(world.room->delta(as_bytes("e")));
  CHECK_FALSE(world.room->full_update(as_bytes("S")));  // nobody waits for it
  world.run();
  CHECK(one.take() == Messages{"0265"});
  CHECK(world.game.states == 0);
  CHECK(world.game.wishes == 1);
  const std::vector<std::byte> large(RelayWorld::default_config().max_host_message);
  CHECK(world.room->full_update(large) == errc::too_large);
  world.room->terminate();
  CHECK(world.room->full_update(as_bytes("S")) == errc::closed);
  world.finish();
}

TEST_CASE("relay authority: it may refuse a newcomer, with its own words", "[relay][authority]") {
  GameWorld world;
  world.game.when_admit = [] { return std::string{"Only on Sundays."}; };
  world.expect_end(world.join("R"), Ending::refused, "Only on Sundays.");
  world.game.when_admit = nullptr;
  CHECK(without_tokens(world.join("R").messages)[0] == "0600010007");  // no id was used up
  world.room->terminate();
  world.finish();
}

TEST_CASE("relay authority: what a verb causes is told after the call that used it",
          "[relay][authority]") {
  GameWorld world;
  Peer& one = world.join("R");
  Peer& two = world.join("R");
  world.game.take();
  world.game.when_rpc = [&](const PlayerInfo& player, time_point) {
    const std::string name_before{player.name};
    CHECK_FALSE(world.room->kick(1));  // the very player that is speaking
    CHECK_FALSE(world.room->kick(2));
    CHECK(world.room->kick(2) == make_error_code(errc::not_found));
    CHECK(player.name == name_before);  // what it was told is still valid
    world.game.heard.emplace_back("end of call");
  };
  world.send(one, "02aa");
  CHECK(world.game.take() == Messages{"rpc aa 1", "end of call", "kicked 1", "kicked 2"});
  CHECK(one.closes == 1);
  CHECK(two.closes == 1);
  world.room->terminate();
  world.finish();
}

TEST_CASE("relay authority: it may end the room from within any call", "[relay][authority]") {
  for (int kind = 0; kind < 4; ++kind) {
    GameWorld world;
    Peer& one = world.join("R");
    Peer& two = world.join("R");
    world.game.take();
    const auto end = [&] { world.game.room->terminate(); };
    if (kind == 0) {
      world.game.when_rpc = [&](const PlayerInfo&, time_point) { end(); };
      world.send(one, "02aa");
    } else if (kind == 1) {
      world.game.when_timer = [&](std::uint16_t, time_point) { end(); };
      CHECK_FALSE(world.room->set_timer(1, 1s, world.network.now()));
      CHECK_FALSE(world.room->set_timer(2, 1s, world.network.now()));
      world.network.run_for(2s);
      CHECK(std::count(world.game.heard.begin(), world.game.heard.end(), "timer 2") == 0);
    } else if (kind == 2) {
      world.game.when_admit = [&] {
        end();
        return std::string{"Too late."};
      };
      Peer& third = world.join("R");
      CHECK(third.closes == 1);
    } else {
      end();
      world.run();
    }
    CHECK(world.game.heard.back() == "detached");
    CHECK(one.closes == 1);
    CHECK(two.closes == 1);
    CHECK(world.relay.room_count() == 0);
    CHECK(world.create("R").is_open());
    world.finish();
  }
}

TEST_CASE("relay authority: timers fire in order, are replaced and cancelled",
          "[relay][authority]") {
  GameWorld world;
  const auto now = world.network.now();
  CHECK_FALSE(world.room->set_timer(1, 3s, now));
  CHECK_FALSE(world.room->set_timer(2, 1s, now));
  CHECK_FALSE(world.room->set_timer(3, 2s, now));
  CHECK_FALSE(world.room->set_timer(1, 500ms, now));
  CHECK(world.room->cancel_timer(3));
  CHECK_FALSE(world.room->cancel_timer(3));
  CHECK(world.room->set_timer(4, -1s, now) == make_error_code(errc::bad_value));
  int again = 0;
  world.game.when_timer = [&](std::uint16_t id, time_point at) {
    if (id == 2 && again++ < 2) CHECK_FALSE(world.room->set_timer(2, 0s, at));
  };
  world.network.run_for(10s);
  CHECK(world.game.take() == Messages{"timer 1", "timer 2", "timer 2", "timer 2"});
  world.room->terminate();
  world.finish();
}

TEST_CASE("relay authority: a game that runs on timers alone is not idle", "[relay][authority]") {
  GameWorld world;
  Peer& one = world.join("R");
  world.game.when_timer = [&](std::uint16_t id, time_point now) {
    CHECK_FALSE(world.room->delta(as_bytes("d")));
    CHECK_FALSE(world.room->set_timer(id, 1h, now));
  };
  CHECK_FALSE(world.room->set_timer(1, 1h, world.network.now()));
  world.network.run_for(24h);
  CHECK(one.is_open());
  world.room->terminate();
  world.finish();
}

TEST_CASE("relay authority: players come back to it, and are reported away, back and expired",
          "[relay][authority]") {
  GameWorld world;
  Peer& one = world.join("R");
  const std::uint64_t token = token_of(one);
  world.lose(one);
  Peer& again = world.reconnect(token, "R");
  CHECK(again.messages.back() == state_s);
  CHECK(world.game.take() == Messages{"join 1", "away 1", "back 1"});
  world.lose(again);
  world.network.run_for(5min + 1s);
  CHECK(world.game.take() == Messages{"away 1", "expired 1"});
  CHECK(world.room->player_count() == 0);
  world.room->terminate();
  world.finish();
}

TEST_CASE("relay authority: an in-process game takes no place", "[relay][authority]") {
  auto config = RelayWorld::default_config();
  RelayWorld world{config};
  Game game;
  const auto room = world.relay.open_room({"pair", "R"}, 0, game, world.network.now());
  REQUIRE(room);
  CHECK(world.join("R", "pair").is_open());
  CHECK(world.join("R", "pair").is_open());
  CHECK_FALSE(world.join("R", "pair").is_open());
  (*room)->terminate();
  world.finish();
}

TEST_CASE("relay authority: why a room is not opened", "[relay][authority]") {
  auto config = RelayWorld::default_config();
  config.max_rooms = 2;
  RelayWorld world{config};
  Game a;
  Game b;
  const auto now = world.network.now();
  CHECK(world.relay.open_room({"nope", "R"}, 0, a, now).error() == errc::not_found);
  CHECK(world.relay.open_room({"trictrac", std::string(200, 'r')}, 0, a, now).error() ==
        errc::too_large);
  const auto first = world.relay.open_room({"trictrac", "R"}, 0, a, now);
  REQUIRE(first);
  CHECK(world.relay.open_room({"trictrac", "R"}, 0, b, now).error() == errc::already_exists);
  world.create("S");
  CHECK(world.relay.open_room({"trictrac", "T"}, 0, b, now).error() == errc::limit_reached);
  CHECK(world.relay.find_room("trictrac", "R") == *first);
  (*first)->terminate();
  CHECK(world.relay.find_room("trictrac", "R") == nullptr);
  world.finish();
}

TEST_CASE("relay authority: a room moves from its host to the application, and back to a host",
          "[relay][authority]") {
  RelayWorld world;
  Peer& host = world.create("R");
  Peer& client = world.join("R");
  world.send(host, "03aa");
  HostedRoom& room = *world.relay.find_room("trictrac", "R");
  Game game;
  room.attach(game, world.network.now());
  world.run();
  world.expect_end(host, Ending::superseded, "Superseded by a newer connection.");
  CHECK(client.messages.back() == state_s);
  CHECK(game.take() == Messages{"attached"});
  world.expect_end(world.reconnect(token_of(host), "R"), Ending::invalid_token,
                   "Invalid reconnect token.");
  world.send(client, "02bb");
  CHECK(game.take() == Messages{"rpc bb 1"});

  const auto token = room.detach(world.network.now());
  REQUIRE(token);
  CHECK(game.take() == Messages{"detached"});
  CHECK_FALSE(room.has_host());
  CHECK(room.detach(world.network.now()).error() == errc::wrong_state);
  world.send(client, "02cc");  // waits
  Peer& next = world.reconnect(*token, "R");
  CHECK(without_tokens(next.messages) == Messages{"0600000000", "000001", "020001cc"});
  world.send(next, "03dd");
  CHECK(client.messages.back() == "03dd");
  CHECK(room.has_host());
  CHECK(world.relay.stats().hosts_changed == 1);
  world.finish();
}

TEST_CASE("relay authority: one that is handed to nobody ends with its grace",
          "[relay][authority]") {
  GameWorld world;
  Peer& client = world.join("R");
  REQUIRE(world.room->detach(world.network.now()));
  world.network.run_for(30s + 20ms);
  world.expect_end(client, Ending::host_gone, "Server has left the game.");
  CHECK(world.relay.room_count() == 0);
  world.finish();
}

TEST_CASE("relay windows: chosen by the game's rules or by the application", "[relay][authority]") {
  auto config = RelayWorld::default_config();
  config.games.games["slow"].window = FlushWindow::tick(100ms);
  RelayWorld world{config};
  Peer& host = world.ask(RelayWorld::request_hex("slow", "R", 0, true));
  Peer& client = world.ask(RelayWorld::request_hex("slow", "R", 0, false));
  REQUIRE(client.messages.size() == 1);  // the welcome waits for no window
  CHECK(client.times.back() == time_point{} + 1h);
  world.network.run_for(10ms);
  world.send(host, "03aa");
  CHECK(client.times.back() == time_point{} + 1h + 100ms);
  world.network.run_for(10ms);
  world.relay.find_room("slow", "R")->set_window({});
  world.send(host, "02bb");
  CHECK(client.messages.size() == 3);
  CHECK(client.times.back() == time_point{} + 1h + 110ms);
  world.finish();
}
