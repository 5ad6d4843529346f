// SPDX-License-Identifier: MIT
// A test for each defect of the original that shows in a room. Those of the client library are in
// tests/unit/relay, and those of its program in tests/interop, under the same numbers.
#include <muster/relay/error_text.hpp>

#include "support/relay_world.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;
using relay::Ending;
using test::error_hex;
using test::Messages;
using test::Peer;
using test::RelayWorld;
using test::token_of;
using test::u16_hex;

TEST_CASE("relay defect 5: sizes and names are limited", "[relay][defect]") {
  RelayWorld world;
  Peer& huge = world.connect();
  world.send(huge, std::string(2 * 4097, '0'));
  CHECK(huge.closes == 1);
  Peer& host = world.create();
  Peer& client = world.join();
  world.send(client, "02" + std::string(2 * 65536, '0'));
  CHECK(client.code == 1009);
  CHECK(host.is_open());
  world.finish();
}

TEST_CASE("relay defect 6: a silent connection does not stay", "[relay][defect]") {
  RelayWorld world;
  Peer& silent = world.connect();
  world.network.run_for(10s);
  world.expect_end(silent, Ending::handshake_failed, "Initial error during handshake.");
  world.finish();
}

TEST_CASE("relay defect 8: a new room of the same name owes nothing to the old one",
          "[relay][defect]") {
  RelayWorld world;
  Peer& old_host = world.create("R");
  Peer& old_client = world.join("R");
  world.send(old_host, "00");
  Peer& host = world.create("R");
  Peer& client = world.join("R");
  world.network.run_for(2min);  // past any grace
  CHECK(host.is_open());
  CHECK(client.is_open());
  CHECK(old_client.closes == 1);
  world.finish();
}

TEST_CASE("relay defect 9: late ends of a dead room do not touch its successor",
          "[relay][defect]") {
  RelayWorld world;
  Peer& old_host = world.create("R", "trio");
  // Their connections end much later than their membership.
  Peer& a = world.join("R", "trio", {.latency = 500ms});
  Peer& b = world.join("R", "trio", {.latency = 700ms});
  Peer& host = world.connect();
  Peer& client = world.connect();
  REQUIRE(a.send("02aa"));
  REQUIRE(old_host.send("00"));
  REQUIRE(host.send(RelayWorld::request_hex("trio", "R", 0, true)));
  world.network.run_for(1ms);
  REQUIRE(client.send(RelayWorld::request_hex("trio", "R", 0, false)));
  world.network.run_for(1ms);
  REQUIRE(client.messages.size() == 1);
  REQUIRE(a.closes == 0);
  world.run();
  CHECK(a.closes == 1);
  CHECK(b.closes == 1);
  CHECK(test::without_tokens(host.messages) == Messages{"0600000000", "000001"});
  CHECK(world.relay.member_count() == 2);
  Peer& second = world.join("R", "trio");
  CHECK(second.is_open());
  world.expect_end(world.join("R", "trio"), Ending::room_full,
                   "Room R exceeded max amount of players 3.");
  world.finish();
}

TEST_CASE("relay defect 13: a refused join leaves no trace", "[relay][defect]") {
  RelayWorld world;
  Peer& host = world.create("R", "pair");
  Peer& client = world.join("R", "pair");
  for (int i = 0; i < 10; ++i) CHECK_FALSE(world.join("R", "pair").is_open());
  CHECK(host.messages.size() == 2);
  CHECK(world.relay.member_count() == 2);
  world.send(client, "03");
  CHECK(world.join("R", "pair").messages[0].starts_with("060002"));
  world.finish();
}

TEST_CASE("relay defect 18: an intentional leave frees the name at once", "[relay][defect]") {
  RelayWorld world;
  for (int i = 0; i < 5; ++i) {
    Peer& host = world.create("R");
    REQUIRE(host.is_open());
    Peer& client = world.join("R");
    world.send(host, "00");
    CHECK(client.closes == 1);
  }
  CHECK(world.network.now() == time_point{} + 1h);  // no time has passed
  world.finish();
}

TEST_CASE("relay defect 19: a kicked player's token is revoked", "[relay][defect]") {
  RelayWorld world;
  Peer& host = world.create();
  Peer& client = world.join();
  const std::uint64_t token = test::token_of(client);
  world.send(host, "010001");
  world.expect_end(world.reconnect(token), Ending::invalid_token, "Invalid reconnect token.");
  world.finish();
}

TEST_CASE("relay defect 20: a short kick closes nobody", "[relay][defect]") {
  for (const char* hex : {"01", "0100", "0101"}) {
    RelayWorld world;
    Peer& host = world.create();
    Peer& one = world.join();
    Peer& two = world.join();
    world.send(host, hex);
    CHECK(host.is_open());
    CHECK(one.is_open());
    CHECK(two.is_open());
    CHECK(one.messages.size() == 1);
    CHECK(world.relay.stats().kicks_ignored == 1);
    world.finish();
  }
}

TEST_CASE("relay defect 20: a kick of the host or of nobody closes nobody", "[relay][defect]") {
  RelayWorld world;
  Peer& host = world.create();
  Peer& one = world.join();
  for (const char* hex : {"010000", "010002", "01ffff", "010100"}) world.send(host, hex);
  CHECK(host.is_open());
  CHECK(one.is_open());
  CHECK(world.relay.stats().kicks_ignored == 4);
  world.finish();
}

TEST_CASE("relay defect 21: an old room is not swept away", "[relay][defect]") {
  RelayWorld world{RelayWorld::without_grace()};
  Peer& host = world.create();
  Peer& client = world.join();
  world.network.run_for(24h);
  world.send(host, "03aa");
  CHECK(client.messages.back() == "03aa");
  world.finish();
}

TEST_CASE("relay defect 22: a seat is free as soon as its player is gone", "[relay][defect]") {
  RelayWorld world;
  Peer& host = world.create("R", "pair", 0, {.window = 1});
  Peer& client = world.join("R", "pair");
  world.network.stall(*host.connection, true);
  Peer& next = world.connect();
  REQUIRE(client.send("03"));
  REQUIRE(next.send(RelayWorld::request_hex("pair", "R", 0, false)));
  world.run();
  CHECK(next.messages[0].starts_with("060002"));
  world.network.stall(*host.connection, false);
  world.run();
  CHECK(test::without_tokens(host.messages) ==
        Messages{"0600000000", "000001", "010001", "000002"});
  world.finish();
}

TEST_CASE("relay defect 23: a creator that never got its token leaves no room", "[relay][defect]") {
  RelayWorld world;
  Peer& host = world.connect();
  REQUIRE(host.send(RelayWorld::request_hex("trictrac", "R", 0, true)));
  world.network.fail_write(2);  // its request, then the response
  world.run();
  CHECK(host.messages.empty());
  CHECK(host.closes == 1);
  CHECK(world.relay.room_count() == 0);
  CHECK(world.create("R").is_open());
  world.finish();
}

TEST_CASE("relay defect 28: every token is another", "[relay][defect]") {
  RelayWorld world;
  world.create();
  std::set<std::string> tokens;
  for (int i = 0; i < 200; ++i) {
    Peer& client = world.join();
    CHECK(tokens.insert(client.messages[0].substr(10)).second);
    world.send(client, "03");
  }
  world.finish();
}

TEST_CASE("relay defect 29: a room's name and its game's are two things", "[relay][defect]") {
  auto config = RelayWorld::default_config();
  config.games.games = {{"c", {}}, {"b#c", {}}, {"", {}}, {"a#b#c", {}}};
  RelayWorld world{config};
  const std::vector<std::pair<std::string, std::string>> names{
      {"a#b", "c"}, {"a", "b#c"}, {"a#b#c", ""}, {"", "a#b#c"}};
  std::vector<Peer*> hosts;
  for (const auto& [room, game] : names) {
    hosts.push_back(&world.create(room, game));
    REQUIRE(hosts.back()->is_open());
  }
  CHECK(world.relay.room_count() == 4);
  for (const auto& [room, game] : names) world.join(room, game);
  for (const Peer* const host : hosts) CHECK(host->messages.back() == "000001");
  world.send(*hosts[0], "00");
  for (std::size_t i = 1; i < hosts.size(); ++i) CHECK(hosts[i]->is_open());
  world.finish();
}

TEST_CASE("relay defect 29: ids have at most 128 bytes", "[relay][defect]") {
  auto config = RelayWorld::default_config();
  config.games.games[std::string(128, 'g')] = {};
  config.games.games[std::string(129, 'g')] = {};
  RelayWorld world{config};
  CHECK(world.create(std::string(128, 'r'), std::string(128, 'g')).is_open());
  CHECK(world.join(std::string(128, 'r'), std::string(128, 'g')).is_open());
  for (const bool create : {true, false}) {
    for (const auto& [room, game] : {std::pair{std::string(129, 'r'), std::string("trictrac")},
                                     std::pair{std::string("r"), std::string(129, 'g')},
                                     std::pair{std::string(1000, 'r'), std::string("nope")}}) {
      world.expect_end(world.ask(RelayWorld::request_hex(game, room, 0, create)),
                       Ending::id_too_long, "Failed to parse join request.");
    }
  }
  CHECK(world.relay.room_count() == 1);
  world.finish();
}

TEST_CASE("relay defect 29: a text repeats at most 64 bytes of an id, cut at a character",
          "[relay][defect]") {
  RelayWorld world;
  const std::string room = std::string(63, 'x') + "\xc3\xa9" + std::string(40, 'y');
  world.expect_end(world.join(room), Ending::no_such_room,
                   "Room " + std::string(63, 'x') + " does not exist for game trictrac.");
  world.expect_end(world.join("a\nb\x7f"), Ending::no_such_room,
                   "Room a?b? does not exist for game trictrac.");
  const std::string game(100, 'g');
  world.expect_end(world.create("R", game), Ending::unknown_game,
                   "Unknown game " + std::string(64, 'g') + ".");
  world.finish();
}

TEST_CASE("relay defect 34: a client's lag ends the client, not the game", "[relay][defect]") {
  RelayWorld world{RelayWorld::without_grace()};
  Peer& host = world.create();
  Peer& slow = world.join("room-42", "trictrac", {.window = 100});
  Peer& fast = world.join();
  world.send(host, "03aa");
  world.network.stall(*slow.connection, true);
  for (unsigned i = 0; i < 2000; ++i) {
    REQUIRE(host.send("02" + u16_hex(i)));
    if (i % 50 == 0) world.run();
  }
  world.run();
  CHECK(fast.messages.size() == 2002);
  CHECK(host.messages.back() == "010001");
  CHECK(world.count(Ending::client_too_slow) == 1);
  world.network.stall(*slow.connection, false);
  world.run();
  CHECK(slow.messages.size() < 60);  // what was under way, and not all that waited
  world.expect_end(slow, Ending::client_too_slow,
                   "Lagging on internal channel - Computer too slow.");
  world.finish();
}

TEST_CASE("relay defect 35: a slow host does not stop its clients", "[relay][defect]") {
  RelayWorld world{RelayWorld::without_grace()};
  Peer& host = world.create("R", "trictrac", 0, {.window = 100});
  Peer& client = world.join("R");
  world.send(host, "03aa");
  world.network.stall(*host.connection, true);
  for (unsigned i = 0; i < 500; ++i) {
    REQUIRE(client.send("02" + u16_hex(i)));
    world.run();
  }
  world.send(host, "02bb");
  CHECK(client.messages.back() == "02bb");
  world.send(client, "03");
  world.expect_end(client, Ending::client_left, "Client disconnected intentionally");
  world.finish();
}

TEST_CASE("relay defect 39: every close has a code", "[relay][defect]") {
  RelayWorld world;
  Peer& host = world.create();
  Peer& leaves = world.join();
  Peer& kicked = world.join();
  Peer& wrong = world.join();
  Peer& last = world.join();
  world.send(leaves, "03");
  world.send(host, "010002");
  world.send(wrong, "ff");
  Peer& full = world.ask(RelayWorld::request_hex("trictrac", "room-42", 0, true));
  world.send(host, "00");
  CHECK(leaves.code == 1000);
  CHECK(kicked.code == 1008);
  CHECK(wrong.code == 1002);
  CHECK(full.code == 1008);
  CHECK(host.code == 1000);
  CHECK(last.code == 1000);
  world.finish();
}

TEST_CASE("relay defect 40: admission and announcement are one step", "[relay][defect]") {
  // The host leaves, and somebody joins, in one pass and in either order.
  for (const bool join_first : {true, false}) {
    RelayWorld world;
    Peer& host = world.create("R");
    Peer& client = world.connect();
    const std::string request = RelayWorld::request_hex("trictrac", "R", 0, false);
    if (join_first) REQUIRE(client.send(request));
    REQUIRE(host.send("00"));
    if (!join_first) REQUIRE(client.send(request));
    world.run();
    if (join_first) {
      CHECK(test::without_tokens(client.messages) ==
            Messages{"0600010000", error_hex("Server has left the game.")});
      CHECK(host.messages[1] == "000001");
    } else {
      CHECK(client.messages == Messages{error_hex("Room R does not exist for game trictrac.")});
      CHECK(host.messages.size() == 2);
    }
    CHECK(world.relay.member_count() == 0);
    world.finish();
  }
}

TEST_CASE("relay defect 1: after a host's return, clients that stayed reach the new connection",
          "[relay][defect]") {
  RelayWorld world;
  Peer& host = world.create();
  Peer& one = world.join();
  Peer& two = world.join();
  world.lose(host);
  Peer& again = world.reconnect(token_of(host));
  world.send(one, "02aa");
  world.send(two, "02bb");
  CHECK(again.messages.back() == "020002bb");
  CHECK(one.is_open());
  CHECK(two.is_open());
  world.finish();
}

TEST_CASE("relay defect 2: an action during the host's absence closes nobody", "[relay][defect]") {
  RelayWorld world;
  Peer& host = world.create();
  Peer& client = world.join();
  world.lose(host);
  for (int i = 0; i < 100; ++i) REQUIRE(client.send("02aa"));
  world.run();
  CHECK(client.is_open());
  Peer& again = world.reconnect(token_of(host));
  CHECK(std::count(again.messages.begin(), again.messages.end(), "020001aa") == 64);
  CHECK(world.relay.stats().rpcs_dropped == 36);
  world.finish();
}

TEST_CASE("relay defect 3: a host comes back to any number of players, gone ones or present",
          "[relay][defect]") {
  auto config = RelayWorld::default_config();
  config.host_budget.frames = 300;  // fewer than there are news: they follow as it reads
  config.host_budget.reserve_frames = 4;
  RelayWorld world{config};
  Peer& host = world.create();
  for (int i = 0; i < 600; ++i) world.send(world.join(), "03");  // history that concerns nobody
  for (int i = 0; i < 700; ++i) world.join();
  world.lose(host);
  Peer& again = world.reconnect(token_of(host));
  REQUIRE(again.messages.size() == 701);
  CHECK(again.messages[1] == "00" + u16_hex(601));
  CHECK(again.messages.back() == "00" + u16_hex(1300));
  CHECK(again.is_open());
  world.finish();
}

TEST_CASE("relay defect 7: a grace that is over does not end a later one", "[relay][defect]") {
  RelayWorld world;
  Peer* host = &world.create();
  Peer& client = world.join();
  for (int i = 0; i < 20; ++i) {
    world.lose(*host);
    world.network.run_for(29s);
    host = &world.reconnect(token_of(*host));
    REQUIRE(host->is_open());
    world.network.run_for(1500ms);
    REQUIRE(client.is_open());
  }
  world.finish();
}

TEST_CASE("relay defect 8: a grace ends the room that it belongs to, and no namesake",
          "[relay][defect]") {
  RelayWorld world;
  Peer& old_host = world.create("R");
  world.lose(old_host);
  world.network.run_for(20s);
  Peer& ender = world.reconnect(token_of(old_host), "R");
  world.send(ender, "00");
  Peer& host = world.create("R");
  Peer& client = world.join("R");
  world.network.run_for(9s);
  world.lose(host);
  world.network.run_for(29s);  // past the end of the first grace
  CHECK(client.is_open());
  CHECK(world.reconnect(token_of(host), "R").is_open());
  world.finish();
}

TEST_CASE("relay defect 10: a host's reload takes over at once", "[relay][defect]") {
  RelayWorld world;
  Peer& host = world.create("R", "trictrac", 0, {.window = 1});
  Peer& client = world.join("R");
  world.network.stall(*host.connection, true);  // a dead link that nobody has noticed
  Peer& again = world.reconnect(token_of(host), "R");
  CHECK(again.is_open());
  world.send(client, "02aa");
  CHECK(again.messages.back() == "020001aa");
  world.network.stall(*host.connection, false);
  world.run();
  CHECK(host.closes == 1);
  world.finish();
}

TEST_CASE("relay defect 11: a player never has two live connections", "[relay][defect]") {
  RelayWorld world;
  Peer& host = world.create("R", "pair");
  Peer& first = world.join("R", "pair");
  const std::uint64_t token = token_of(first);
  Peer* current = &first;
  for (int i = 0; i < 10; ++i) {
    Peer& next = world.reconnect(token, "R", "pair");
    CHECK_FALSE(current->is_open());
    CHECK_FALSE(current->send("02aa"));
    CHECK(world.relay.member_count() == 2);
    current = &next;
  }
  CHECK(std::count(host.messages.begin(), host.messages.end(), "010001") == 0);
  world.send(*current, "02bb");
  CHECK(host.messages.back() == "020001bb");
  world.lose(*current);
  CHECK(host.messages.back() == "010001");
  world.finish();
}

TEST_CASE("relay defect 12: a reconnect cannot exceed the limit of players", "[relay][defect]") {
  RelayWorld world;
  world.create("R", "trio");
  Peer& one = world.join("R", "trio");
  Peer& two = world.join("R", "trio");
  world.lose(one);
  world.lose(two);
  for (int i = 0; i < 5; ++i) {
    world.expect_end(world.join("R", "trio"), Ending::room_full,
                     "Room R exceeded max amount of players 3.");
  }
  CHECK(world.reconnect(token_of(one), "R", "trio").is_open());
  CHECK(world.reconnect(token_of(two), "R", "trio").is_open());
  CHECK(world.relay.present_count() == 3);
  world.finish();
}

TEST_CASE("relay defect 14: a returned host's state reaches those who had an older one",
          "[relay][defect]") {
  RelayWorld world;
  Peer& host = world.create();
  Peer& client = world.join();
  world.send(host, "03aa");
  world.lose(host);
  Peer& again = world.reconnect(token_of(host));
  world.send(again, "02dd");  // a change of a state that the client does not have
  world.send(again, "03bb");
  world.send(again, "02ee");
  CHECK(test::without_tokens(client.messages) == Messages{"0600010000", "03aa", "03bb", "02ee"});
  world.finish();
}

TEST_CASE("relay defect 17: host and client reload at once, and both are in again",
          "[relay][defect]") {
  RelayWorld world;
  Peer& host = world.create();
  Peer& client = world.join();
  world.lose(client);
  world.lose(host);
  Peer& client_again = world.reconnect(token_of(client));
  CHECK(client_again.messages[0] == client.messages[0]);
  Peer& host_again = world.reconnect(token_of(host));
  CHECK(host_again.messages.back() == "000001");
  world.send(host_again, "03aa");
  CHECK(client_again.messages.back() == "03aa");
  world.finish();
}

TEST_CASE("relay defect 27: ids of those who are gone are used again after a quarantine",
          "[relay][defect]") {
  // A join-leave loop exhausts nothing: see also "id exhaustion, and what is possible after it".
  memory::Network network;
  Room room{1, {.first_id = 1, .last_id = 50}, network.outbox(), nullptr};
  Peer guest;
  struct Silent final : Service {
    void on_open(Connection& opened, time_point) override { end = &opened; }
    void on_message(Connection&, const Message&, time_point) override {}
    Connection* end = nullptr;
  } server;
  network.connect(guest, server);
  REQUIRE(network.run_until_quiet());
  time_point now{};
  for (int i = 0; i < 5000; ++i) {
    now += 2s;  // 30 ids are in quarantine at a time
    REQUIRE(room.next_id(now));
    room.remove(room.admit(*server.end, now), now);
  }
}

TEST_CASE("relay defect 28: guesses at tokens are limited by address", "[relay][defect]") {
  auto config = RelayWorld::default_config();
  config.addresses.failed_tokens_per_minute = 3;
  RelayWorld world{config};
  world.address = Address::v4(0xc0000201, 4000);
  world.create();
  Peer& client = world.join();
  const std::uint64_t token = token_of(client);
  for (std::uint64_t i = 1; i <= 3; ++i) {
    world.expect_end(world.reconnect(token + i), Ending::invalid_token, "Invalid reconnect token.");
  }
  // From there, not even the right one, for a while; from elsewhere, at once.
  world.expect_end(world.reconnect(token), Ending::too_many_attempts,
                   "Too many attempts. Try again later.");
  world.address = Address::v4(0xc0000202, 4000);
  Peer& elsewhere = world.reconnect(token);
  CHECK(elsewhere.is_open());
  world.address = Address::v4(0xc0000201, 4000);
  world.network.run_for(21s);
  CHECK(world.reconnect(token).is_open());
  world.finish();
}

TEST_CASE("relay defect 28: what the relay keeps of a token cannot be presented",
          "[relay][defect]") {
  SeededEntropy entropy{1};
  WeakMac mac;
  TokenMint mint{mac, entropy};
  TokenMint other{mac, entropy};
  const std::uint64_t token = mint.draw();
  const TokenTag tag = mint.tag(token);
  CHECK(mint.tag(token) == tag);
  CHECK(other.tag(token) != tag);  // another process has another key
  std::uint64_t shown = 0;
  std::memcpy(&shown, tag.data(), sizeof shown);
  CHECK(shown != token);
  CHECK(mint.tag(shown) != tag);
}

TEST_CASE("relay defect 33: an update is encoded once, and written once for each member and pass",
          "[relay][defect]") {
  RelayWorld world;
  Peer& host = world.create();
  for (int i = 0; i < 50; ++i) world.join();
  world.send(host, "03aa");
  const Outbox::Stats before = world.network.outbox().stats();
  for (int i = 0; i < 10; ++i) REQUIRE(host.send("02bb"));
  world.run();
  const Outbox::Stats& after = world.network.outbox().stats();
  CHECK(after.messages - before.messages == 10 * 50 + 10);
  // The memory transport takes messages one by one; what counts is that one flush wrote them.
  CHECK(after.flushes - before.flushes <= 3);
  world.finish();
}

TEST_CASE("relay defect 38: an authority is told why somebody is gone", "[relay][defect]") {
  struct Game final : relay::Authority {
    void on_join(const relay::PlayerInfo&, time_point) override {}
    void on_depart(const relay::PlayerInfo& player, relay::Departure why, time_point) override {
      heard.push_back(std::to_string(player.id) + " " + std::string{to_string(why)});
    }
    void on_rpc(const relay::PlayerInfo&, byte_view, time_point) override {}
    std::vector<std::byte> full_state() override { return {}; }
    Messages heard;
  } game;
  RelayWorld world;
  const auto room = world.relay.open_room({"trictrac", "R"}, 0, game, world.network.now());
  REQUIRE(room);
  Peer& leaves = world.join("R");
  Peer& lost = world.join("R");
  Peer& kicked = world.join("R");
  world.send(leaves, "03");
  world.lose(lost);
  CHECK_FALSE((*room)->kick(3));
  world.run();
  CHECK(kicked.closes == 1);
  world.network.run_for(5min + 1s);
  CHECK(game.heard == Messages{"1 left", "2 away", "3 kicked", "2 expired"});
  (*room)->terminate();
  world.finish();
}

TEST_CASE("relay defect 25: nobody is told of a room that was not made", "[relay][defect]") {
  struct Records final : relay::Observer {
    void on_room_opened(const relay::RoomFacts& room, const relay::PlayerInfo*,
                        time_point) override {
      opened.push_back(room.instance);
    }
    void on_room_closed(const relay::RoomFacts& room, Ending, time_point) override {
      closed.push_back(room.instance);
    }
    std::vector<std::uint64_t> opened, closed;
  } records;
  RelayWorld world;
  world.relay.set_observer(&records);
  Peer& host = world.create("R");
  for (int i = 0; i < 5; ++i) CHECK_FALSE(world.create("R").is_open());
  CHECK(records.opened.size() == 1);
  world.send(host, "00");
  CHECK(records.closed == records.opened);
  world.finish();
  CHECK(records.opened.size() == 1);
}

TEST_CASE("relay defect 24: a token is worth nothing to another account", "[relay][defect]") {
  struct Door final : relay::Authenticator {
    void authenticate(const Request& request, relay::Admission admission, time_point) override {
      const auto user = request.query_value("user");
      if (user == "nobody") return admission.refuse(401, "who are you?");
      admission.admit(user.value_or(""));
    }
  } door;
  RelayWorld world;
  world.relay.set_authenticator(&door);
  world.query = "user=ann";
  Peer& host = world.create();
  Peer& client = world.join();
  world.lose(client);
  for (const char* other : {"user=bob", ""}) {
    world.query = other;
    world.expect_end(world.reconnect(token_of(client)), Ending::wrong_account,
                     "The token belongs to another account.");
  }
  world.query = "user=ann";
  CHECK(world.reconnect(token_of(client)).is_open());
  CHECK(host.is_open());
  world.finish();
}
