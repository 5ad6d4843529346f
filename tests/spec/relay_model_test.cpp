// SPDX-License-Identifier: MIT
// Random games against a plain model of who must receive what, message by message.
#include "support/relay_world.hpp"

#include <chrono>
#include <map>
#include <random>

using namespace muster;
using namespace std::chrono_literals;
using relay::Ending;
using test::error_hex;
using test::Messages;
using test::Peer;
using test::RelayWorld;
using test::u16_hex;

namespace {

struct RoomModel;

struct PeerModel {
  RoomModel* room = nullptr;
  unsigned id = 0;
  bool synced = false;
  bool ended = false;
  Messages expected;
  unsigned code = 0;  // of the close; 0: it was cut or closed itself
};

struct RoomModel {
  std::string game;
  unsigned rule = 0;
  unsigned next_id = 1;
  PeerModel* host = nullptr;
  std::map<unsigned, PeerModel*> clients;
};

// What the relay must do, written as plainly as possible.
class Model {
 public:
  using Games = std::map<std::string, relay::GameRules, std::less<>>;
  explicit Model(Games games) : games_(std::move(games)) {}

  void request(PeerModel& peer, const std::string& game, const std::string& room, unsigned rule,
               bool create) {
    if (skip(peer)) return;
    const auto found_game = games_.find(game);
    const std::pair key{game, room};
    const auto found = rooms.find(key);
    if (found_game == games_.end()) return end(peer, "Unknown game " + game + ".", 1008);
    if (create) {
      if (found != rooms.end()) {
        return end(peer, "Room " + room + " already exists for game " + game + ".", 1008);
      }
      RoomModel& made = rooms[key];
      made.game = game;
      made.rule = rule;
      made.host = &peer;
      peer.room = &made;
      peer.expected.push_back("060000" + u16_hex(rule));
      return;
    }
    if (found == rooms.end()) {
      return end(peer, "Room " + room + " does not exist for game " + game + ".", 1008);
    }
    RoomModel& joined = found->second;
    const unsigned limit = found_game->second.max_players;
    if (limit != 0 && joined.clients.size() + 1 >= limit) {
      return end(peer,
                 "Room " + room + " exceeded max amount of players " + std::to_string(limit) + ".",
                 1013);
    }
    peer.room = &joined;
    peer.id = joined.next_id++;
    joined.clients[peer.id] = &peer;
    joined.host->expected.push_back("00" + u16_hex(peer.id));
    peer.expected.push_back("06" + u16_hex(peer.id) + u16_hex(joined.rule));
  }

  void message(PeerModel& peer, const std::string& hex) {
    if (skip(peer)) return;
    if (peer.room == nullptr) return end(peer, "Failed to parse join request.", 1002);
    if (hex.empty()) return leave(peer, "Illegal empty message received.", 1002);
    if (peer.room->host == &peer) {
      from_host(peer, hex);
    } else if (hex.starts_with("02")) {
      peer.room->host->expected.push_back("02" + u16_hex(peer.id) + hex.substr(2));
    } else if (hex.starts_with("03")) {
      leave(peer, "Client disconnected intentionally", 1000);
    } else {
      leave(peer, "Illegal Command from client", 1002);
    }
  }

  void lost(PeerModel& peer) {
    if (skip(peer)) return;
    peer.ended = true;
    gone(peer);
  }

  std::map<std::pair<std::string, std::string>, RoomModel> rooms;

 private:
  static bool skip(const PeerModel& peer) { return peer.ended; }

  static void end(PeerModel& peer, const std::string& text, unsigned code) {
    peer.ended = true;
    peer.code = code;
    peer.expected.push_back(error_hex(text));
  }

  void leave(PeerModel& peer, const std::string& text, unsigned code) {
    end(peer, text, code);
    gone(peer);
  }

  void gone(PeerModel& peer) {
    RoomModel* const room = std::exchange(peer.room, nullptr);
    if (room == nullptr) return;
    if (room->host != &peer) {
      room->clients.erase(peer.id);
      room->host->expected.push_back("01" + u16_hex(peer.id));
      return;
    }
    for (const auto& [id, client] : room->clients) {
      client->room = nullptr;
      end(*client, "Server has left the game.", 1000);
    }
    std::erase_if(rooms, [room](const auto& entry) { return &entry.second == room; });
  }

  void from_host(PeerModel& host, const std::string& hex) {
    RoomModel& room = *host.room;
    const std::string id = hex.substr(0, 2);
    if (id == "00") return leave(host, "Server disconnected intentionally", 1000);
    if (id == "01") {
      if (hex.size() < 6) return;
      const auto found =
          room.clients.find(static_cast<unsigned>(std::stoul(hex.substr(2, 4), nullptr, 16)));
      if (found != room.clients.end()) leave(*found->second, "We got rejected by server.", 1008);
      return;
    }
    if (id != "02" && id != "03" && id != "04") {
      return leave(host, "Illegal Server -> Client command.", 1002);
    }
    for (const auto& [number, client] : room.clients) {
      const bool gets = id == "04" || (id == "02" ? client->synced : !client->synced);
      if (gets) client->expected.push_back(hex);
      if (id != "02") client->synced = true;
    }
  }

  Games games_;
};

// One random game. False if it went otherwise than the model.
void play(std::uint64_t seed) {
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  const auto below = [&](std::uint64_t n) { return static_cast<unsigned>(random() % n); };
  auto config = RelayWorld::without_grace();
  switch (below(4)) {
    case 0:
      config.rooms.window = FlushWindow::lead(20ms);
      break;
    case 1:
      config.rooms.window = FlushWindow::tick(20ms);
      break;
    default:
      break;
  }
  // The same for all: then what was sent first is first at the relay.
  const memory::Link link{.latency = below(2) * 5ms};
  RelayWorld world{config};
  Model model{config.games.games};
  std::vector<std::pair<Peer*, std::unique_ptr<PeerModel>>> peers;
  std::size_t alive_from = 0;
  const std::vector<std::string> games{"trictrac", "trio", "nope"};

  const auto random_message = [&](const PeerModel& peer) -> std::string {
    const std::string payload = u16_hex(below(65536)) + std::string(2 * below(30), 'd');
    const bool host = peer.room != nullptr && peer.room->host == &peer;
    switch (below(host ? 24 : 20)) {
      case 0:
        return below(2) == 0 ? "" : "ff" + payload;
      case 1:
        return below(2) == 0 ? "03" : "02";
      case 2:
        return host ? (below(3) == 0 ? "00" : "01") : "02" + payload;
      case 3:
      case 4:
        return host ? "01" + u16_hex(below(9)) : "02" + payload;
      case 5:
      case 6:
        return host ? "03" + payload : "02";
      case 7:
        return host ? "04" + payload : "02" + payload;
      default:
        return "02" + payload;
    }
  };

  for (int step = 0; step < 120; ++step) {
    // About eight at a time.
    std::size_t open = 0;
    for (const auto& [peer, expected] : peers) open += expected->ended ? 0 : 1;
    while (open < 8) {
      peers.emplace_back(&world.connect(link), std::make_unique<PeerModel>());
      ++open;
    }
    std::vector<std::size_t> alive;
    for (std::size_t i = alive_from; i < peers.size(); ++i) {
      if (!peers[i].second->ended) alive.push_back(i);
    }
    if (below(12) == 0) {  // somebody is lost, or closes
      auto& [peer, expected] = peers[alive[below(alive.size())]];
      if (below(2) == 0) {
        world.network.cut(*peer->connection);
      } else {
        peer->connection->close(CloseReason::finished, 1000);
      }
      world.run();
      model.lost(*expected);
      continue;
    }
    // Some messages in one pass: they arrive peer by peer, in the order of each one's first.
    std::vector<std::pair<std::size_t, std::vector<std::function<void()>>>> batch;
    for (unsigned n = 1 + below(6) * below(3); n != 0; --n) {
      const std::size_t index = alive[below(alive.size())];
      Peer& peer = *peers[index].first;
      PeerModel& expected = *peers[index].second;
      auto found = std::find_if(batch.begin(), batch.end(),
                                [&](const auto& entry) { return entry.first == index; });
      if (found == batch.end()) found = batch.insert(batch.end(), {index, {}});
      if (expected.room == nullptr && found->second.empty() && below(8) != 0) {
        const std::string game = games[below(20) == 0 ? 2 : below(2)];
        const std::string room = below(3) == 0 ? "b" : "a";
        const unsigned rule = below(4);
        const bool create = !model.rooms.contains({game, room}) || below(10) == 0;
        REQUIRE(peer.send(RelayWorld::request_hex(game, room, rule, create)));
        found->second.push_back([&model, &expected, game, room, rule, create] {
          model.request(expected, game, room, rule, create);
        });
      } else {
        // Never a join request by accident: that would need four zero bytes or more.
        const std::string hex = random_message(expected);
        REQUIRE(peer.send(hex));
        found->second.push_back([&model, &expected, hex] { model.message(expected, hex); });
      }
      if (below(10) == 0) REQUIRE(peer.send_text("ignored"));
    }
    world.run();
    for (const auto& [index, effects] : batch) {
      for (const auto& effect : effects) effect();
    }
    if (below(10) == 0) world.network.run_for(below(30) * 1ms);
    if (step % 20 == 19) {
      // Who waits for long is closed by a deadline, which the model does not know; it is far away.
      REQUIRE(world.network.now() < time_point{} + 1h + 9s);
    }
  }
  for (std::size_t i = 0; i < peers.size(); ++i) {
    INFO("peer " << i);
    const auto& [peer, expected] = peers[i];
    REQUIRE(test::without_tokens(peer->messages) == expected->expected);
    CHECK(peer->closes == (expected->ended ? 1 : 0));
    if (expected->code != 0) CHECK(peer->code == expected->code);
  }
  std::size_t members = 0;
  for (const auto& [key, room] : model.rooms) members += 1 + room.clients.size();
  CHECK(world.relay.room_count() == model.rooms.size());
  CHECK(world.relay.member_count() == members);
  CHECK(world.relay.stats().rpcs_dropped == 0);
  world.finish();
}

}  // namespace

TEST_CASE("relay model: random games go as the model says", "[relay][random]") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) play(seed);
}
