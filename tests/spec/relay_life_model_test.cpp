// SPDX-License-Identifier: MIT
// Random lives of rooms against a plain model: who is a member, who is away, whose token is good,
// and what each connection has been sent.
#include "support/relay_world.hpp"
#include "support/seeds.hpp"

#include <chrono>
#include <map>
#include <random>
#include <set>

using namespace muster;
using namespace std::chrono_literals;
using test::error_hex;
using test::Messages;
using test::Peer;
using test::RelayWorld;
using test::u16_hex;

namespace {

constexpr duration player_grace = 45s;
constexpr duration id_quarantine = 60s;

struct Room;

// A connection, and what the relay must have sent to it.
struct Line {
  Peer* peer;
  Room* room = nullptr;
  unsigned id = 0;
  bool ended = false;
  bool synced = false;
  unsigned code = 0;  // of the relay's close; 0: it did not close it
  Messages expected{};
};

struct Member {
  std::uint64_t token = 0;
  Line* line = nullptr;  // null: away
  time_point expires{};
  bool host_knows = false;   // it was told of the player at some time
  bool host_counts = false;  // and, when it was lost, took it for present
  Messages rpcs{};           // sent while the host was away
};

struct Room {
  std::string name;
  unsigned rule;
  Line* host;  // null: away
  std::uint64_t host_token = 0;
  time_point host_expires{};
  std::map<unsigned, Member> members{};
  std::set<unsigned> gone{};         // went while the host was away, which took them for present
  std::set<unsigned> may_be_gone{};  // the same, which had heard of them
  std::map<unsigned, time_point> resting{};  // ids that are not given out again before then
};

// What the relay must do, as plainly as possible. The numbers that it draws (ids, tokens) are taken
// from its answers, and checked.
class Model {
 public:
  Model(RelayWorld& world, duration host_grace) : world_(&world), host_grace_(host_grace) {}

  static constexpr unsigned max_players = 4;
  std::map<std::string, Room> rooms;
  std::vector<std::uint64_t> dead_tokens;

  void create(Line& line, const std::string& name, unsigned rule) {
    if (rooms.contains(name)) {
      return end(line, "Room " + name + " already exists for game quad.", 1008);
    }
    Room& room = rooms[name] = {.name = name, .rule = rule, .host = &line};
    line.room = &room;
    room.host_token = welcome(line, room, 0, {});
  }

  void join(Line& line, const std::string& name) {
    const auto found = rooms.find(name);
    if (found == rooms.end()) {
      return end(line, "Room " + name + " does not exist for game quad.", 1008);
    }
    Room& room = found->second;
    if (room.members.size() + 1 >= max_players) {
      return end(line, "Room " + name + " exceeded max amount of players 4.", 1013);
    }
    const unsigned id = drawn_id(line);
    INFO("fresh id " << id);
    REQUIRE(id != 0);
    REQUIRE_FALSE(room.members.contains(id));
    REQUIRE_FALSE((room.resting.contains(id) && now() < room.resting[id]));
    line.room = &room;
    line.id = id;
    room.members[id].line = &line;
    room.members[id].token = welcome(line, room, id, {});
    arrived(room, id);
  }

  void come_back(Line& line, const std::string& name, std::uint64_t token) {
    const auto found = rooms.find(name);
    if (found == rooms.end()) {
      return end(line, "Room " + name + " no longer exists for game quad.", 1008);
    }
    Room& room = found->second;
    if (token == room.host_token) return host_comes_back(line, room);
    for (auto& [id, member] : room.members) {
      if (member.token != token) continue;
      if (member.line != nullptr) supersede(*member.line);
      room.gone.erase(id);
      room.may_be_gone.erase(id);
      line.room = &room;
      line.id = id;
      member.line = &line;
      welcome(line, room, id, token);
      arrived(room, id);
      return;
    }
    end(line, "Invalid reconnect token.", 1008);
  }

  void lost(Line& line) {
    line.ended = true;
    Room* const room = std::exchange(line.room, nullptr);
    if (room == nullptr) return;
    if (room->host == &line) {
      room->host = nullptr;
      room->host_expires = now() + host_grace_;
      for (auto& [id, member] : room->members) member.host_counts = member.line != nullptr;
      return;
    }
    Member& member = room->members.at(line.id);
    member.line = nullptr;
    member.expires = now() + player_grace;
    departed(*room, line.id, member);
  }

  void from_client(Line& line, const std::string& hex) {
    Room& room = *line.room;
    Member& member = room.members.at(line.id);
    if (hex.starts_with("03")) {
      end(line, "Client disconnected intentionally", 1000);
      return remove(room, line.id);
    }
    const std::string rpc = "02" + u16_hex(line.id) + hex.substr(2);
    if (room.host != nullptr) {
      room.host->expected.push_back(rpc);
    } else {
      member.rpcs.push_back(rpc);
    }
  }

  void from_host(Line& line, const std::string& hex) {
    Room& room = *line.room;
    const std::string kind = hex.substr(0, 2);
    if (kind == "00") {
      end(line, "Server disconnected intentionally", 1000);
      return close(room);
    }
    if (kind == "01") {
      const auto id = static_cast<unsigned>(std::stoul(hex.substr(2, 4), nullptr, 16));
      const auto found = room.members.find(id);
      if (found == room.members.end()) return;
      if (found->second.line != nullptr) {
        end(*found->second.line, "We got rejected by server.", 1008);
      }
      return remove(room, id);
    }
    for (auto& [id, member] : room.members) {
      if (member.line == nullptr) continue;
      Line& client = *member.line;
      if (kind == "04" || (kind == "02") == client.synced) client.expected.push_back(hex);
      if (kind != "02") client.synced = true;
    }
  }

  // The time that everything below has, and what it ends.
  void pass() {
    std::vector<Room*> over;
    for (auto& [name, room] : rooms) {
      if (room.host == nullptr && room.host_expires <= now()) {
        over.push_back(&room);
        continue;
      }
      std::vector<unsigned> expired;
      for (const auto& [id, member] : room.members) {
        if (member.line == nullptr && member.expires <= now()) expired.push_back(id);
      }
      for (const unsigned id : expired) {
        room.resting[id] = room.members.at(id).expires + id_quarantine;
        dead_tokens.push_back(room.members.at(id).token);
        room.members.erase(id);
      }
    }
    for (Room* room : over) close(*room);
  }

 private:
  [[nodiscard]] time_point now() const { return world_->network.now(); }

  static void end(Line& line, const std::string& text, unsigned code) {
    line.ended = true;
    line.room = nullptr;
    line.code = code;
    line.expected.push_back(error_hex(text));
  }
  static void supersede(Line& line) { end(line, "Superseded by a newer connection.", 1008); }

  static unsigned drawn_id(const Line& line) {
    REQUIRE(line.peer->messages.size() == 1);
    const std::string& answer = line.peer->messages.front();
    REQUIRE(answer.size() == 26);
    REQUIRE(answer.starts_with("06"));
    return static_cast<unsigned>(std::stoul(answer.substr(2, 4), nullptr, 16));
  }

  // The answer to a request; a new token is not one that anybody has or had.
  std::uint64_t welcome(Line& line, const Room& room, unsigned id,
                        std::optional<std::uint64_t> token) {
    REQUIRE(drawn_id(line) == id);
    const std::uint64_t drawn = std::stoull(line.peer->messages.front().substr(10), nullptr, 16);
    if (token) {
      REQUIRE(drawn == *token);
    } else {
      REQUIRE(tokens_.insert(drawn).second);
    }
    line.expected.push_back(test::response_hex(id, room.rule, drawn));
    line.synced = false;
    return drawn;
  }

  static void arrived(Room& room, unsigned id) {
    if (room.host == nullptr) return;
    room.members.at(id).host_knows = true;
    room.host->expected.push_back("00" + u16_hex(id));
  }

  // `member` is not there any more.
  static void departed(Room& room, unsigned id, Member& member) {
    member.rpcs.clear();
    if (room.host != nullptr) {
      room.host->expected.push_back("01" + u16_hex(id));
    } else if (member.host_counts) {
      room.gone.insert(id);
    } else if (member.host_knows) {
      room.may_be_gone.insert(id);  // once more: it does no harm
    }
  }

  void remove(Room& room, unsigned id) {
    Member& member = room.members.at(id);
    if (std::exchange(member.line, nullptr) != nullptr) departed(room, id, member);
    dead_tokens.push_back(member.token);
    room.resting[id] = now() + id_quarantine;
    room.members.erase(id);
  }

  void close(Room& room) {
    for (auto& [id, member] : room.members) {
      if (member.line != nullptr) end(*member.line, "Server has left the game.", 1000);
      dead_tokens.push_back(member.token);
    }
    dead_tokens.push_back(room.host_token);
    rooms.erase(std::string{room.name});
  }

  // It hears of all who are there and of those who went, in any order; then what was kept for it,
  // each client's in its order.
  void host_comes_back(Line& line, Room& room) {
    if (room.host != nullptr) supersede(*room.host);
    line.room = &room;
    const std::string answer = line.peer->messages.empty() ? "" : line.peer->messages.front();
    REQUIRE(answer == test::response_hex(0, room.rule, room.host_token));
    line.expected.push_back(answer);
    std::set<std::string> news;
    std::map<std::string, Messages> rpcs;
    for (auto& [id, member] : room.members) {
      if (member.line == nullptr) continue;
      news.insert("00" + u16_hex(id));
      member.host_knows = true;
      member.line->synced = false;
      if (!member.rpcs.empty()) rpcs["02" + u16_hex(id)] = std::exchange(member.rpcs, {});
    }
    for (const unsigned id : std::exchange(room.gone, {})) news.insert("01" + u16_hex(id));
    const std::set<std::string> announced = news;
    std::set<std::string> also;
    for (const unsigned id : std::exchange(room.may_be_gone, {})) also.insert("01" + u16_hex(id));
    room.host = &line;
    std::size_t rpcs_seen = 0;
    for (std::size_t i = 1; i < line.peer->messages.size(); ++i) {
      const std::string& message = line.peer->messages[i];
      INFO("replayed " << message);
      if (also.erase(message) != 0) {
        REQUIRE(rpcs_seen == 0);
        REQUIRE((news.contains("00" + message.substr(2)) ||
                 !announced.contains("00" + message.substr(2))));
      } else if (!news.empty()) {
        REQUIRE(news.erase(message) == 1);
        // The id may be another player's by now: the host hears of the former one first.
        if (message.starts_with("00")) REQUIRE_FALSE(news.contains("01" + message.substr(2)));
      } else {
        ++rpcs_seen;
        Messages& kept = rpcs[message.substr(0, 6)];
        REQUIRE_FALSE(kept.empty());
        REQUIRE(message == kept.front());
        kept.erase(kept.begin());
      }
      line.expected.push_back(message);
    }
    REQUIRE(news.empty());
    for (const auto& [id, kept] : rpcs) REQUIRE(kept.empty());
  }

  RelayWorld* world_;
  duration host_grace_;
  std::set<std::uint64_t> tokens_{0};
};

class Life {
 public:
  Life(std::uint64_t seed, duration host_grace)
      : random_(seed),
        host_grace_(host_grace),
        world_(config(host_grace)),
        model_(world_, host_grace) {}

  void play(int steps) {
    for (int step = 0; step < steps; ++step) {
      INFO("step " << step);
      one_step();
      agree();
    }
    world_.network.run_for(host_grace_ + player_grace);
    model_.pass();
    agree();
    for (auto& line : lines_) {
      if (line->ended) continue;
      line->peer->connection->close(CloseReason::finished);
      world_.run();
      model_.lost(*line);
    }
    world_.network.run_for(host_grace_ + player_grace);
    model_.pass();
    REQUIRE(model_.rooms.empty());
    world_.finish();
  }

 private:
  static relay::Service::Config config(duration host_grace) {
    relay::Service::Config config = RelayWorld::default_config();
    config.games.games["quad"] = {Model::max_players};
    config.rooms.host_grace = host_grace;
    config.rooms.player_grace = player_grace;
    config.rooms.id_quarantine = id_quarantine;
    config.rooms.state_cache = 0;
    config.rooms.client_rate = {};
    return config;
  }

  unsigned below(std::uint64_t n) { return static_cast<unsigned>(random_() % n); }

  std::string any_room() { return std::string(1, static_cast<char>('a' + below(3))); }

  Line& ask(const std::string& request) {
    Line& line = *lines_.emplace_back(std::make_unique<Line>());
    line.peer = &world_.ask(request);
    return line;
  }

  // Mostly a good token of that room; otherwise one of another room, of somebody gone, or invented.
  std::uint64_t any_token(const std::string& name) {
    std::vector<std::uint64_t> good;
    std::vector<std::uint64_t> other;
    for (const auto& [key, room] : model_.rooms) {
      auto& tokens = key == name ? good : other;
      tokens.push_back(room.host_token);
      for (const auto& [id, member] : room.members) tokens.push_back(member.token);
    }
    const unsigned dice = below(10);
    if (dice == 0) return random_();
    if (dice == 1 && !other.empty()) return other[below(other.size())];
    if (dice == 2 && !model_.dead_tokens.empty()) {
      return model_.dead_tokens[below(model_.dead_tokens.size())];
    }
    return good.empty() ? 0 : good[below(good.size())];
  }

  Line* any_line() {
    std::vector<Line*> open;
    for (const auto& line : lines_) {
      if (line->room != nullptr) open.push_back(line.get());
    }
    return open.empty() ? nullptr : open[below(open.size())];
  }

  void one_step() {
    const unsigned dice = below(100);
    const std::string name = any_room();
    if (dice < 8) {
      const unsigned rule = below(4);
      model_.create(ask(RelayWorld::request_hex("quad", name, rule, true)), name, rule);
    } else if (dice < 22) {
      model_.join(ask(RelayWorld::request_hex("quad", name, 9, false)), name);
    } else if (dice < 42) {
      const std::uint64_t token = any_token(name);
      const bool create = below(2) == 0;  // does not matter
      model_.come_back(ask(RelayWorld::request_hex("quad", name, 9, create, token)), name, token);
    } else if (dice < 50) {
      world_.network.run_for(below(4) == 0 ? below(50) * 1s : below(2000) * 1ms);
      model_.pass();
    } else if (Line* const line = any_line(); line == nullptr) {
      return;
    } else if (dice < 60) {
      if (below(2) == 0) {
        world_.network.cut(*line->peer->connection);
      } else {
        line->peer->connection->close(CloseReason::finished, 1000);
      }
      world_.run();
      model_.lost(*line);
    } else {
      const std::string payload = u16_hex(below(65536));
      const unsigned kind = below(40);
      if (line->room->host == line) {
        const std::string hex = kind == 0   ? "00"
                                : kind < 5  ? "01" + u16_hex(below(8))
                                : kind < 15 ? "03" + payload
                                : kind < 20 ? "04" + payload
                                            : "02" + payload;
        world_.send(*line->peer, hex);
        model_.from_host(*line, hex);
      } else {
        const std::string hex = kind < 3 ? "03" : "02" + payload;
        world_.send(*line->peer, hex);
        model_.from_client(*line, hex);
      }
    }
  }

  // After every step the relay is where the model is.
  void agree() {
    std::size_t members = 0;  // absent ones too
    std::size_t present = 0;
    for (const auto& [name, room] : model_.rooms) {
      members += 1 + room.members.size();
      present += room.host != nullptr ? 1 : 0;
      for (const auto& [id, member] : room.members) present += member.line != nullptr ? 1 : 0;
    }
    REQUIRE(world_.relay.room_count() == model_.rooms.size());
    REQUIRE(world_.relay.member_count() == members);
    REQUIRE(world_.relay.present_count() == present);
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      const Line& line = *lines_[i];
      INFO("connection " << i);
      REQUIRE(line.peer->messages == line.expected);
      REQUIRE(line.peer->closes == (line.ended ? 1 : 0));
      if (line.code != 0) REQUIRE(line.peer->code == line.code);
    }
  }

  std::mt19937_64 random_;
  duration host_grace_;
  RelayWorld world_;
  Model model_;
  std::vector<std::unique_ptr<Line>> lines_;
};

}  // namespace

TEST_CASE("relay life model: random lives of rooms go as the model says", "[relay][random]") {
  for (std::uint64_t seed = 1; seed <= ::test::share_of(1500); ++seed) {
    INFO("seed " << seed);
    // A host that is waited for so long that meanwhile ids are given out again.
    Life{seed, seed % 3 == 0 ? duration{10min} : duration{30s}}.play(seed % 3 == 0 ? 150 : 60);
  }
}
