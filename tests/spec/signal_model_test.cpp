// SPDX-License-Identifier: MIT
// Many rooms whose members come, go, are lost, come back, and do not read: whatever happens, each
// recipient gets every message once and in order, or is told which it does not get.
#include "support/catch.hpp"
#include "support/signal_world.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

using namespace test;
using namespace std::chrono_literals;
using muster::signal::Config;
using nlohmann::json;

namespace {

constexpr auto window = 20s;

struct Size {
  std::size_t rooms;
  std::size_t members;  // of each room
  std::size_t steps;
};

class Life {
 public:
  Life(std::uint64_t seed, const Size& size) : random_(seed), world_(config()) {
    for (std::size_t room = 0; room < size.rooms; ++room) {
      for (std::size_t i = 0; i < size.members; ++i) {
        Member& member = *members_.emplace_back(std::make_unique<Member>());
        member.code = code_of(room);
        member.name = "P" + std::to_string(i);
        member.is_v3 = i % 4 != 3;
        member.has_binary = i % 2 == 1;
        enter(member);
      }
    }
    // One room after the other is busy for a while, so that things happen in it within its windows.
    for (std::size_t step = 0; step < size.steps; ++step) {
      if (step % 120 == 0) busy_ = draw(size.rooms) * size.members;
      act(*members_[busy_ + draw(size.members)]);
    }
    end();
  }

  struct Tally {
    std::uint64_t sent = 0;
    std::uint64_t lost = 0;
    std::uint64_t resumed = 0;
    std::uint64_t expired = 0;
    std::uint64_t slow = 0;
    std::uint64_t left_out = 0;
  };
  [[nodiscard]] const Tally& tally() const { return tally_; }

 private:
  struct Member {
    std::string code;
    std::string name;
    bool is_v3 = true;
    bool has_binary = false;
    SignalClient* client = nullptr;
    bool is_stalled = false;
    bool was_stalled = false;  // at some time of this connection: it may have been found too slow
    std::uint64_t sent = 0;    // of this incarnation
    // Of the connection that was lost.
    bool may_resume = false;
    std::string player_id;
    std::string room_id;
    std::string token;
    muster::time_point lost_at{};
    bool knows_when = true;
  };

  static Config config() {
    Config config = SignalWorld::open_config();
    config.reconnection_window = window;
    config.send_queue_capacity = 32;
    config.slow_consumer_timeout = 2s;
    config.max_sojourn = 4s;
    config.activity_timeout = 0s;
    config.inactive_room_timeout = std::chrono::hours{7 * 24};
    config.max_players_limit = 100;
    config.max_rooms_per_game = 10'000;
    config.event_buffer_size = 64;
    config.max_connections = 100'000;
    return config;
  }

  static std::string code_of(std::size_t room) {
    std::string code(6, 'A');
    for (std::size_t i = 6; i-- > 0; room /= 26) code[i] = static_cast<char>('A' + room % 26);
    return code;
  }

  std::uint64_t draw(std::uint64_t below) {
    return std::uniform_int_distribution<std::uint64_t>{0, below - 1}(random_);
  }

  // A connection that has authenticated.
  SignalClient& connect(const Member& member) {
    json more = {{"game_data_format", member.has_binary ? "message_pack" : "json"}};
    const muster::memory::Link link{.latency = 1ms, .window = 4096};
    SignalClient& client =
        member.is_v3 ? world_.connect_v3(more, link) : world_.connect_v2(more, link);
    client.when_data = [](const json& data) {
      // What a message says of its number is what it is stamped with.
      if (data.contains("data") && data.contains("seq")) CHECK(data["data"]["n"] == data["seq"]);
    };
    return client;
  }

  void enter(Member& member) {
    SignalClient& client = connect(member);
    world_.join(client, member.name, member.code, {{"max_players", 100}});
    REQUIRE(client.count("RoomJoined") == 1);
    entered(member, client);
  }

  void entered(Member& member, SignalClient& client) {
    member.client = &client;
    member.is_stalled = member.was_stalled = false;
    member.sent = 0;
    member.may_resume = false;
    const auto latest =
        std::find_if(client.inbox.rbegin(), client.inbox.rend(), [](const json& one) {
          return one["type"] == "RoomJoined" || one["type"] == "Reconnected";
        });
    const json joined = (*latest)["data"];
    member.player_id = joined["player_id"];
    member.room_id = joined["room_id"];
    member.token = joined.value("reconnection_token", "");
  }

  void act(Member& member) {
    if (member.client == nullptr) return come_back(member);
    if (!member.client->is_open()) return gone(member);
    switch (draw(40)) {
      case 0:
        cut(member);
        break;
      case 1:
        member.is_stalled = !member.is_stalled;
        member.was_stalled = true;
        world_.network.stall(*member.client->connection, member.is_stalled);
        break;
      case 2:
        member.client->send({{"type", "PlayerReady"}});
        break;
      case 3:
        member.client->send({{"type", "LeaveRoom"}});
        leave(member);
        break;
      case 4:
        world_.network.run_for(std::chrono::milliseconds{draw(3000)});
        break;
      default:
        speak(member);
    }
    if (draw(8) == 0) world_.network.run_for(5ms);
  }

  void speak(Member& member) {
    const std::uint64_t many = 1 + draw(6);
    for (std::uint64_t i = 0; i < many; ++i) {
      ++member.sent;
      ++tally_.sent;
      if (member.has_binary && draw(4) == 0) {
        // 0x82, "n" and the number, "p" and padding: MessagePack that JSON can say.
        member.client->send_binary("81a16ecd" + hex16(member.sent));
        continue;
      }
      json data = {{"data", {{"n", member.sent}, {"p", std::string(draw(600), 'p')}}}};
      if (member.is_v3) {
        switch (draw(4)) {
          case 0:
            data["class"] = "latest";
            data["key"] = draw(3);
            break;
          case 1:
            data["class"] = "volatile";
            break;
          case 2:
            data["class"] = "reliable";
            break;
          default:
            break;
        }
      }
      member.client->send("GameData", data);
    }
  }

  static std::string hex16(std::uint64_t number) {
    return to_hex(
        std::vector{static_cast<std::byte>(number >> 8U), static_cast<std::byte>(number)});
  }

  void cut(Member& member) {
    ++tally_.lost;
    world_.network.cut(*member.client->connection);
    lose(member, member.is_v3);
    member.knows_when = !member.was_stalled;  // else the server may have closed it before
  }

  // It was closed for being slow, some time ago.
  void gone(Member& member, bool may_resume = true) {
    ++tally_.slow;
    CHECK(member.client->code == 4002);
    lose(member, may_resume && member.is_v3);
    member.knows_when = false;
  }

  void lose(Member& member, bool may_resume) {
    member.knows_when = true;
    check(*member.client);
    member.client = nullptr;
    member.may_resume = may_resume;
    member.lost_at = world_.network.now();
    world_.network.run_for(10ms);
  }

  void leave(Member& member) {
    world_.network.run_for(10ms);
    if (!member.client->is_open()) return gone(member, false);
    if (member.is_stalled) world_.network.stall(*member.client->connection, false);
    world_.network.run_for(50ms);
    SignalClient& client = *member.client;
    if (!client.is_open()) return gone(member, false);
    const std::size_t before = client.count("RoomJoined");
    world_.join(client, member.name, member.code);
    world_.network.run_for(50ms);
    if (!client.is_open()) return gone(member, false);
    if (client.count("RoomJoined") != before + 1) {  // somebody of that name may be awaited
      INFO(client.last("RoomJoinFailed").dump());
      CHECK(client.last("RoomJoinFailed")["data"]["error_code"] == "ROOM_CREATION_FAILED");
      return lose(member, false);
    }
    entered(member, client);
  }

  void come_back(Member& member) {
    if (draw(4) != 0) {
      world_.network.run_for(std::chrono::milliseconds{draw(400)});
      return;
    }
    SignalClient& client = connect(member);
    if (!member.may_resume) {
      world_.join(client, member.name, member.code);
      world_.network.run_for(20ms);
      if (client.count("RoomJoined") == 0) return check(client);
      return entered(member, client);
    }
    client.send("Reconnect", {{"player_id", member.player_id},
                              {"room_id", member.room_id},
                              {"auth_token", member.token}});
    world_.network.run_for(20ms);
    if (client.count("Reconnected") != 0) {
      ++tally_.resumed;
      CHECK(world_.network.now() - member.lost_at < window + 1s);
      return entered(member, client);
    }
    ++tally_.expired;
    const std::string code = client.last("ReconnectionFailed")["data"]["error_code"];
    INFO(code);
    CHECK((code == "RECONNECTION_EXPIRED" || code == "RECONNECTION_FAILED" ||
           code == "PLAYER_ALREADY_CONNECTED"));
    if (member.knows_when) CHECK(world_.network.now() - member.lost_at >= window);
    if (code != "PLAYER_ALREADY_CONNECTED") member.may_resume = false;
    check(client);
  }

  void check(const SignalClient& client) {
    for (const std::string& complaint : client.complaints) FAIL_CHECK(complaint);
  }

  void end() {
    for (const auto& member : members_) {
      if (member->client != nullptr && member->client->is_open() && member->is_stalled) {
        world_.network.stall(*member->client->connection, false);
      }
    }
    world_.network.run_for(5s);
    for (const auto& member : members_) {
      if (member->client == nullptr || !member->client->is_open()) continue;
      check(*member->client);
      for (const auto& other : members_) {
        if (other->code != member->code || other == member || other->client == nullptr ||
            !other->client->is_open() || !member->is_v3) {
          continue;
        }
        const json present = member->client->auditor.epoch_of(other->player_id);
        INFO(member->name << " of " << other->name);
        REQUIRE(present.is_number());
        CHECK(member->client->auditor.heard_of(other->player_id, present) == other->sent);
      }
    }
    const muster::signal::Stats stats = world_.service.stats();
    for (const auto& of_class : {stats.reliable, stats.latest, stats.volatile_}) {
      CHECK(of_class.attempted == of_class.delivered + of_class.superseded + of_class.dropped_full +
                                      of_class.dropped + of_class.abandoned +
                                      of_class.unsupported_format);
      tally_.left_out += of_class.superseded + of_class.dropped_full + of_class.dropped;
    }
    CHECK(stats.errors.internal == 0);
  }

  std::mt19937_64 random_;
  SignalWorld world_;
  std::vector<std::unique_ptr<Member>> members_;
  std::size_t busy_ = 0;  // the first member of the room
  Tally tally_;
};

}  // namespace

TEST_CASE("signal model: each recipient gets every message once, or is told", "[signal]") {
  Life::Tally all;
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    INFO("seed " << seed);
    const Life life{seed, {2, 5, 900}};
    all.sent += life.tally().sent;
    all.lost += life.tally().lost;
    all.resumed += life.tally().resumed;
    all.expired += life.tally().expired;
    all.slow += life.tally().slow;
    all.left_out += life.tally().left_out;
  }
  // Everything that is to be tested did happen.
  CHECK(all.sent > 1000);
  CHECK(all.lost > 10);
  CHECK(all.resumed > 10);
  CHECK(all.expired > 0);
  CHECK(all.slow > 0);
  CHECK(all.left_out > 0);
}

// The whole soak: tests/bench names it, and the label slow keeps it out of the everyday run.
TEST_CASE("signal soak: a thousand rooms of eight, with faults", "[.][signal][soak]") {
  const Life life{1, {1000, 8, 400'000}};
  const Life::Tally& tally = life.tally();
  WARN(tally.sent << " messages sent, " << tally.lost << " connections cut, " << tally.resumed
                  << " resumed, " << tally.expired << " too late, " << tally.slow << " too slow, "
                  << tally.left_out << " deliveries left out and reported");
  CHECK(tally.resumed > 1000);
  CHECK(tally.expired > 100);
  CHECK(tally.slow > 100);
  CHECK(tally.left_out > 1000);
}
