// SPDX-License-Identifier: MIT
// The relay as its peers see it: docs/protocol/relay.md, message by message.
#include <muster/relay/error_text.hpp>

#include "support/relay_world.hpp"

#include <chrono>
#include <map>
#include <set>

using namespace muster;
using namespace std::chrono_literals;
using relay::Ending;
using test::error_hex;
using test::Messages;
using test::Peer;
using test::RelayWorld;
using test::response_hex;
using test::u16_hex;

namespace {

const nlohmann::json& vectors() {
  static const nlohmann::json loaded = test::load_vectors("relay_vectors.json");
  return loaded;
}

// The tokens that a world hands out, in their order.
std::vector<std::uint64_t> tokens(std::size_t count) {
  SeededEntropy entropy{RelayWorld::entropy_seed};
  for (int i = 0; i < 6; ++i) (void)entropy.next_u64();  // what the relay keeps for itself
  std::vector<std::uint64_t> out(count);
  for (std::uint64_t& token : out) token = entropy.next_u64();
  return out;
}

}  // namespace

// Scenarios of the vector file. Its list is fixed here, so that a new one is not forgotten.

TEST_CASE("relay: the vector file has the scenarios that are tested here", "[relay]") {
  std::set<std::string> names;
  for (const auto& scenario : vectors().at("scenarios")) names.insert(scenario.at("name"));
  CHECK(names == std::set<std::string>{"create then join",
                                       "player limit counts the host",
                                       "max_players=1",
                                       "ids are never reused",
                                       "id exhaustion",
                                       "client reconnect",
                                       "wrong token",
                                       "reconnect to a missing room",
                                       "unknown game is checked before everything",
                                       "host reconnect",
                                       "host token while host is connected",
                                       "host gone 30 s",
                                       "stale grace timer",
                                       "intentional host leave",
                                       "rpc during host absence",
                                       "rpc after host reconnect by an old client",
                                       "fresh join during host absence",
                                       "duplicate client reconnect",
                                       "kick",
                                       "text frames"});
}

TEST_CASE("relay scenario: create then join", "[relay][scenario]") {
  RelayWorld world;
  const auto token = tokens(2);
  Peer& host = world.create("room-42", "trictrac", 3);
  CHECK(host.take() == Messages{response_hex(0, 3, token[0])});
  Peer& client = world.ask(RelayWorld::request_hex("trictrac", "room-42", 9, false));
  CHECK(host.take() == Messages{"000001"});
  CHECK(client.take() == Messages{response_hex(1, 3, token[1])});
  world.send(host, "03aa");
  CHECK(client.take() == Messages{"03aa"});
  CHECK(host.take().empty());
  CHECK(world.relay.room_count() == 1);
  CHECK(world.relay.member_count() == 2);
  CHECK(world.relay.stats().rooms_created == 1);
  CHECK(world.relay.stats().clients_joined == 1);
  world.finish();
}

TEST_CASE("relay scenario: player limit counts the host", "[relay][scenario]") {
  RelayWorld world;
  Peer& host = world.create("room-42", "pair");
  Peer& first = world.join("room-42", "pair");
  Peer& second = world.join("room-42", "pair");
  world.expect_end(second, Ending::room_full, "Room room-42 exceeded max amount of players 2.");
  CHECK(second.messages.size() == 1);
  world.send(first, "03");
  Peer& third = world.join("room-42", "pair");
  CHECK(third.messages[0].starts_with("060002"));  // no id was used up
  CHECK(test::without_tokens(host.take()) == Messages{"0600000000", "000001", "010001", "000002"});
  world.finish();
}

TEST_CASE("relay scenario: max_players=1", "[relay][scenario]") {
  RelayWorld world;
  Peer& host = world.create("room-42", "solo");
  for (int i = 0; i < 3; ++i) {
    world.expect_end(world.join("room-42", "solo"), Ending::room_full,
                     "Room room-42 exceeded max amount of players 1.");
  }
  CHECK(host.messages.size() == 1);
  CHECK(world.count(Ending::room_full) == 3);
  world.finish();
}

TEST_CASE("relay scenario: ids are never reused", "[relay][scenario]") {
  RelayWorld world;
  Peer& host = world.create();
  host.take();
  world.send(world.join(), "03");
  Peer& second = world.join();
  CHECK(second.messages[0].starts_with("060002"));
  CHECK(host.take() == Messages{"000001", "010001", "000002"});
  world.finish();
}

TEST_CASE("relay scenario: id exhaustion", "[relay][scenario]") {
  RelayWorld world;
  Peer& host = world.create("R", "trictrac");
  // One service for all of them: only the last message counts.
  struct Guest final : Service {
    void on_open(Connection& connection, time_point) override { connection.send({request}); }
    void on_message(Connection& connection, const Message& message, time_point) override {
      last = test::to_hex(message.bytes);
      connection.close(CloseReason::finished);
    }
    void on_close(Connection&, const CloseInfo&, time_point) override { ++closes; }
    std::vector<std::byte> request =
        test::from_hex(RelayWorld::request_hex("trictrac", "R", 0, false));
    std::string last;
    int closes = 0;
  } guest;
  for (unsigned id = 1; id <= 65435; ++id) {
    world.network.connect(guest, world.relay);
    world.run();
    if (guest.last.substr(0, 6) != "06" + u16_hex(id)) FAIL("id " << id << ": " << guest.last);
  }
  CHECK(guest.closes == 65435);
  CHECK(host.messages.size() == 1 + 2 * 65435);
  CHECK(host.messages.back() == "01ff9b");
  Peer& late = world.join("R");
  world.expect_end(late, Ending::out_of_ids, "Room R run out of client ids.");
  CHECK(host.messages.size() == 1 + 2 * 65435);
  CHECK(host.is_open());
  CHECK(world.relay.room_count() == 1);
}

TEST_CASE("relay scenario: wrong token", "[relay][scenario]") {
  RelayWorld world;
  const auto token = tokens(2);
  Peer& host = world.create();
  Peer& client = world.join();
  for (const std::uint64_t wrong : {token[1] + 1, std::uint64_t{0}, ~std::uint64_t{0}}) {
    world.expect_end(world.reconnect(wrong), Ending::invalid_token, "Invalid reconnect token.");
  }
  CHECK(world.count(Ending::invalid_token) == 3);
  CHECK(host.messages.size() == 2);
  CHECK(client.messages.size() == 1);
  world.finish();
}

TEST_CASE("relay scenario: reconnect to a missing room", "[relay][scenario]") {
  RelayWorld world;
  world.expect_end(world.reconnect(5, "R", "trictrac"), Ending::room_is_gone,
                   "Room R no longer exists for game trictrac.");
  // A token counts for more than the wish to create.
  Peer& creator = world.ask(RelayWorld::request_hex("trictrac", "R", 0, true, 5));
  world.expect_end(creator, Ending::room_is_gone, "Room R no longer exists for game trictrac.");
  CHECK(world.relay.room_count() == 0);
  world.finish();
}

TEST_CASE("relay scenario: unknown game is checked before everything", "[relay][scenario]") {
  RelayWorld world;
  world.create("R", "trictrac");
  for (const bool create : {false, true}) {
    for (const auto token : {std::optional<std::uint64_t>{}, std::optional<std::uint64_t>{1}}) {
      world.expect_end(world.ask(RelayWorld::request_hex("nope", "R", 0, create, token)),
                       Ending::unknown_game, "Unknown game nope.");
    }
  }
  world.finish();
}

TEST_CASE("relay scenario: intentional host leave", "[relay][scenario]") {
  RelayWorld world;
  Peer& host = world.create("R");
  Peer& client = world.join("R");
  world.send(host, "00ffff");  // the rest is ignored
  world.expect_end(host, Ending::host_left, "Server disconnected intentionally");
  world.expect_end(client, Ending::host_gone, "Server has left the game.");
  CHECK(world.relay.room_count() == 0);
  CHECK(world.create("R").is_open());
  world.finish();
}

TEST_CASE("relay scenario: kick", "[relay][scenario]") {
  RelayWorld world;
  const auto token = tokens(2);
  Peer& host = world.create();
  Peer& client = world.join();
  Peer& other = world.join();
  host.take();
  world.send(host, "010001ffff");  // the rest is ignored
  world.expect_end(client, Ending::kicked, "We got rejected by server.");
  CHECK(host.take() == Messages{"010001"});
  CHECK(other.messages.size() == 1);
  world.expect_end(world.reconnect(token[1]), Ending::invalid_token, "Invalid reconnect token.");
  world.send(host, "010001");  // nobody, by now
  CHECK(world.relay.stats().kicks_ignored == 1);
  CHECK(host.take().empty());
  CHECK(other.is_open());
  world.finish();
}

TEST_CASE("relay scenario: text frames", "[relay][scenario]") {
  RelayWorld world;
  Peer& host = world.connect();
  REQUIRE(host.send_text("hello"));
  REQUIRE(host.send_text(""));
  REQUIRE(host.send(RelayWorld::request_hex("trictrac", "room-42", 0, true)));
  world.run();
  Peer& client = world.join();
  for (Peer* const peer : {&host, &client}) {
    REQUIRE(peer->send_text("\x02 looks like an rpc"));
    REQUIRE(peer->send_text(""));
    world.run();
    CHECK(peer->is_open());
  }
  CHECK(test::without_tokens(host.take()) == Messages{"0600000000", "000001"});
  CHECK(client.messages.size() == 1);
  CHECK(world.relay.stats().texts_ignored == 6);
  world.finish();
}

// Vectors of messages.

TEST_CASE("relay vectors: an invalid message ends its sender, and nobody else is touched",
          "[relay][vectors]") {
  const auto& all = vectors().at("invalid_messages");
  REQUIRE(all.size() == 15);
  std::size_t ignored = 0;
  for (const auto& vector : all) {
    const std::string hex = vector.at("hex");
    const bool from_host = vector.at("from") == "host";
    INFO(vector.dump());
    RelayWorld world;
    Peer& host = world.create();
    Peer& client = world.join();
    Peer& other = world.join();
    Peer& elsewhere = world.create("another");
    host.take();
    Peer& sender = from_host ? host : client;
    world.send(sender, hex);
    if (!vector.contains("closing_text")) {
      ++ignored;
      CHECK(host.is_open());
      CHECK(client.is_open());
      CHECK(other.is_open());
      CHECK(world.relay.stats().kicks_ignored == 1);
      CHECK(world.endings() == 0);
    } else {
      const Ending ending = hex.empty() ? Ending::empty_message
                            : from_host ? Ending::illegal_host_message
                                        : Ending::illegal_client_message;
      world.expect_end(sender, ending, vector.at("closing_text").get<std::string>());
      CHECK(sender.code == 1002);
      if (from_host) {  // which may come back
        CHECK(client.is_open());
        CHECK(other.is_open());
      } else {
        CHECK(host.take() == Messages{"010001"});
        CHECK(host.is_open());
        CHECK(other.is_open());
        CHECK(other.messages.size() == 1);
      }
      CHECK(world.endings() == 1);
    }
    CHECK(elsewhere.is_open());
    CHECK(elsewhere.messages.size() == 1);
    world.finish();
  }
  CHECK(ignored == 2);
}

TEST_CASE("relay vectors: an rpc reaches the host with its sender's id", "[relay][vectors]") {
  const auto& all = vectors().at("rpc_rewrite");
  REQUIRE(all.size() == 6);
  std::map<unsigned, std::vector<std::pair<std::string, std::string>>> by_id;
  for (const auto& vector : all) {
    const unsigned id = vector.at("player_id");
    if (id <= 600) by_id[id].emplace_back(vector.at("client_sends"), vector.at("host_receives"));
  }
  REQUIRE(by_id.size() == 4);  // 65435 is looked at with the ids
  RelayWorld world;
  Peer& host = world.create();
  std::uint64_t rpcs = 0;
  for (unsigned id = 1; id <= by_id.rbegin()->first; ++id) {
    Peer& client = world.join();
    host.take();
    for (const auto& [sent, received] : by_id[id]) {
      world.send(client, sent);
      CHECK(host.take() == Messages{received});
      ++rpcs;
    }
    CHECK(client.messages.size() == 1);
  }
  CHECK(world.relay.stats().rpcs == rpcs);
  world.finish();
}

TEST_CASE("relay vectors: the sync filter, through a real room", "[relay][vectors]") {
  const auto& all = vectors().at("sync_filter");
  REQUIRE(all.size() == 7);
  for (const auto& vector : all) {
    const auto sent = vector.at("subscriber_joins_before").get<Messages>();
    const auto delivered = vector.at("delivered").get<Messages>();
    INFO(vector.dump());
    // Each message in a pass of its own, or all in one.
    for (const bool one_pass : {false, true}) {
      RelayWorld world;
      Peer& host = world.create();
      Peer& client = world.join();
      Peer& other = world.join();
      client.take();
      for (const std::string& hex : sent) {
        REQUIRE(host.send(hex));
        if (!one_pass) world.run();
      }
      world.run();
      CHECK(client.take() == delivered);
      other.messages.erase(other.messages.begin());
      CHECK(other.messages == delivered);
      world.finish();
    }
  }
}

// Section 9: every text that this version sends.

TEST_CASE("relay endings: name, code and text of each", "[relay][endings]") {
  struct Row {
    Ending ending;
    std::string_view name;
    CloseReason reason;
    unsigned code;
    std::string_view text;
  };
  const std::vector<Row> rows{
      {Ending::handshake_failed, "handshake_failed", CloseReason::timed_out, 1008,
       "Initial error during handshake."},
      {Ending::bad_join_request, "bad_join_request", CloseReason::protocol_error, 1002,
       "Failed to parse join request."},
      {Ending::id_too_long, "id_too_long", CloseReason::refused, 1008,
       "Failed to parse join request."},
      {Ending::unknown_game, "unknown_game", CloseReason::refused, 1008, ""},
      {Ending::room_exists, "room_exists", CloseReason::refused, 1008, ""},
      {Ending::no_such_room, "no_such_room", CloseReason::refused, 1008, ""},
      {Ending::room_full, "room_full", CloseReason::refused, 1013, ""},
      {Ending::out_of_ids, "out_of_ids", CloseReason::refused, 1013, ""},
      {Ending::too_many_rooms, "too_many_rooms", CloseReason::refused, 1013,
       "The relay has too much to do. Try again later."},
      {Ending::relay_busy, "relay_busy", CloseReason::refused, 1013,
       "The relay has too much to do. Try again later."},
      {Ending::host_not_reachable, "host_not_reachable", CloseReason::refused, 1013,
       "Server unexpectedly left during handshake"},
      {Ending::room_is_gone, "room_is_gone", CloseReason::refused, 1008, ""},
      {Ending::invalid_token, "invalid_token", CloseReason::refused, 1008,
       "Invalid reconnect token."},
      {Ending::wrong_account, "wrong_account", CloseReason::refused, 1008,
       "The token belongs to another account."},
      {Ending::too_many_attempts, "too_many_attempts", CloseReason::refused, 1013,
       "Too many attempts. Try again later."},
      {Ending::password_needed, "password_needed", CloseReason::refused, 1008,
       "The room needs a password."},
      {Ending::wrong_password, "wrong_password", CloseReason::refused, 1008, "Wrong password."},
      {Ending::banned, "banned", CloseReason::refused, 1008, "You are banned from this room."},
      {Ending::room_closed, "room_closed", CloseReason::refused, 1008, "The room is closed."},
      {Ending::no_spectators, "no_spectators", CloseReason::refused, 1008,
       "Spectators cannot watch this room."},
      {Ending::refused, "refused", CloseReason::refused, 1008, ""},
      {Ending::connection_lost, "connection_lost", CloseReason::connection_lost, 1002,
       "Connection lost."},
      {Ending::empty_message, "empty_message", CloseReason::protocol_error, 1002,
       "Illegal empty message received."},
      {Ending::relay_drains, "relay_drains", CloseReason::draining, 1001,
       "Internal channel closed."},
      {Ending::superseded, "superseded", CloseReason::superseded, 1008,
       "Superseded by a newer connection."},
      {Ending::room_idle, "room_idle", CloseReason::room_closed, 1000,
       "The room has been idle for too long."},
      {Ending::host_left, "host_left", CloseReason::finished, 1000,
       "Server disconnected intentionally"},
      {Ending::illegal_host_message, "illegal_host_message", CloseReason::protocol_error, 1002,
       "Illegal Server -> Client command."},
      {Ending::host_too_slow, "host_too_slow", CloseReason::too_slow, 1008,
       "Error in communication with server endpoint."},
      {Ending::client_left, "client_left", CloseReason::finished, 1000,
       "Client disconnected intentionally"},
      {Ending::illegal_client_message, "illegal_client_message", CloseReason::protocol_error, 1002,
       "Illegal Command from client"},
      {Ending::kicked, "kicked", CloseReason::kicked, 1008, "We got rejected by server."},
      {Ending::host_gone, "host_gone", CloseReason::room_closed, 1000, "Server has left the game."},
      {Ending::sent_too_much, "sent_too_much", CloseReason::too_slow, 1008, "You sent too much."},
      {Ending::client_too_slow, "client_too_slow", CloseReason::too_slow, 1008,
       "Lagging on internal channel - Computer too slow."}};
  REQUIRE(rows.size() == relay::ending_count);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const relay::EndingRule& rule = relay::rule_of(rows[i].ending);
    CHECK(static_cast<std::size_t>(rows[i].ending) == i);
    CHECK(rule.name == rows[i].name);
    CHECK(rule.reason == rows[i].reason);
    CHECK(rule.code == rows[i].code);
    CHECK(rule.text == rows[i].text);
  }
}

TEST_CASE("relay endings: refusals of the handshake, each with its text", "[relay][endings]") {
  RelayWorld world;
  world.create("R", "trictrac");
  world.create("P", "pair");
  world.join("P", "pair");
  const auto ask = [&](std::string_view game, std::string_view room, bool create) -> Peer& {
    return world.ask(RelayWorld::request_hex(game, room, 0, create));
  };
  world.expect_end(world.ask("ff"), Ending::bad_join_request, "Failed to parse join request.");
  world.expect_end(world.ask(""), Ending::bad_join_request, "Failed to parse join request.");
  world.expect_end(ask("g", "R", true), Ending::unknown_game, "Unknown game g.");
  world.expect_end(ask("trictrac", "R", true), Ending::room_exists,
                   "Room R already exists for game trictrac.");
  world.expect_end(ask("trictrac", "X", false), Ending::no_such_room,
                   "Room X does not exist for game trictrac.");
  world.expect_end(ask("pair", "P", false), Ending::room_full,
                   "Room P exceeded max amount of players 2.");
  CHECK(world.relay.room_count() == 2);
  CHECK(world.relay.member_count() == 3);
  world.finish();
}

TEST_CASE("relay endings: a client leaves on purpose", "[relay][endings]") {
  RelayWorld world;
  Peer& host = world.create();
  Peer& client = world.join();
  world.send(client, "03ffff");
  world.expect_end(client, Ending::client_left, "Client disconnected intentionally");
  CHECK(host.messages.back() == "010001");
  CHECK(world.relay.member_count() == 1);
  world.finish();
}

TEST_CASE("relay endings: every prefix of a join request is refused", "[relay][endings]") {
  RelayWorld world;
  const std::string whole = RelayWorld::request_hex("trictrac", "room-42", 300, true, 1U << 20U);
  for (std::size_t size = 0; size < whole.size(); size += 2) {
    world.expect_end(world.ask(whole.substr(0, size)), Ending::bad_join_request,
                     "Failed to parse join request.");
  }
  CHECK(world.relay.room_count() == 0);
  world.finish();
}

TEST_CASE("relay endings: a peer that goes before it joined is counted once", "[relay][endings]") {
  RelayWorld world;
  Peer& closes = world.connect();
  closes.connection->close(CloseReason::finished);
  Peer& vanishes = world.connect();
  world.network.cut(*vanishes.connection);
  Peer& at_once = world.connect_later({.latency = 20ms});  // before the relay hears of it
  at_once.connection->close(CloseReason::finished);
  world.run();
  CHECK(world.count(Ending::handshake_failed) == 2);
  CHECK(closes.messages.empty());
  CHECK(at_once.opens == 0);
  world.finish();
}

// Section 3.3.

TEST_CASE("relay order: the response comes first, even if the host answers in the same pass",
          "[relay][order]") {
  for (const FlushWindow window :
       {FlushWindow{}, FlushWindow::lead(50ms), FlushWindow::tick(50ms)}) {
    auto config = RelayWorld::default_config();
    config.rooms.window = window;
    RelayWorld world{config};
    Peer& host = world.create();
    host.when_message = [&host](const std::string& hex) {
      if (hex.starts_with("00")) host.send("03" + hex);
    };
    std::vector<Peer*> clients;
    for (int i = 0; i < 5; ++i) {
      clients.push_back(&world.connect());
    }
    REQUIRE(host.send("04aa"));  // processed in the same pass as the joins
    for (Peer* const client : clients) {
      REQUIRE(client->send(RelayWorld::request_hex("trictrac", "room-42", 0, false)));
    }
    REQUIRE(host.send("04bb"));
    world.run();
    for (std::size_t i = 0; i < clients.size(); ++i) {
      const Messages& got = clients[i]->messages;
      REQUIRE(got.size() >= 2);
      CHECK(got[0].starts_with("06000" + std::to_string(i + 1)));
      CHECK(got[1] == "03000001");
    }
    world.finish();
  }
}

TEST_CASE("relay order: the response does not wait for the room's flush window", "[relay][order]") {
  auto config = RelayWorld::default_config();
  config.rooms.window = FlushWindow::tick(1s);
  RelayWorld world{config};
  world.network.run_for(300ms);
  Peer& host = world.create();
  const time_point before = world.network.now();
  Peer& client = world.connect();
  REQUIRE(client.send(RelayWorld::request_hex("trictrac", "room-42", 0, false)));
  world.network.run_for(0ms);
  REQUIRE(client.messages.size() == 1);
  CHECK(client.times[0] == before);
  REQUIRE(host.send("03"));
  world.network.run_for(500ms);
  CHECK(client.messages.size() == 1);
  world.run();
  CHECK(client.messages.size() == 2);
  CHECK((client.times[1] - before) <= 1s);
  world.finish();
}

TEST_CASE("relay order: the host hears of a client before anything from it", "[relay][order]") {
  RelayWorld world;
  Peer& host = world.create();
  std::vector<Peer*> clients;
  for (int i = 0; i < 8; ++i) {
    Peer& client = *clients.emplace_back(&world.connect());
    REQUIRE(client.send(RelayWorld::request_hex("trictrac", "room-42", 0, false)));
    REQUIRE(client.send("02aa"));  // does not wait for the answer
    REQUIRE(client.send("02bb"));
    REQUIRE(client.send("03"));
    REQUIRE(client.send("02cc"));  // too late
  }
  world.run();
  std::map<std::string, Messages> by_id;
  for (const std::string& hex : host.messages) {
    if (hex.size() < 20) by_id[hex.substr(2, 4)].push_back(hex);
  }
  REQUIRE(by_id.size() == 8);
  for (const auto& [id, got] : by_id) {
    CHECK(got == Messages{"00" + id, "02" + id + "aa", "02" + id + "bb", "01" + id});
  }
  world.finish();
}

TEST_CASE("relay order: all clients see the same order", "[relay][order]") {
  RelayWorld world;
  Peer& host = world.create();
  std::vector<Peer*> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(&world.join("room-42", "trictrac", {.latency = i * 3ms, .window = 64}));
  }
  world.send(host, "0300");
  Messages sent{"0300"};
  for (int i = 0; i < 200; ++i) {
    sent.push_back((i % 7 == 0 ? "04" : "02") + u16_hex(static_cast<unsigned>(i)));
    REQUIRE(host.send(sent.back()));
    if (i % 11 == 0) world.network.run_for(1ms);
  }
  world.run();
  for (Peer* const client : clients) {
    client->messages.erase(client->messages.begin());
    CHECK(client->messages == sent);
  }
  CHECK(world.relay.stats().updates == sent.size());
  world.finish();
}

TEST_CASE("relay order: what was sent before a departure arrives before the last words",
          "[relay][order]") {
  RelayWorld world;
  Peer& host = world.create();
  Peer& kicked = world.join();
  Peer& stays = world.join();
  for (const char* hex : {"0301", "0202", "010001", "0203", "00"}) REQUIRE(host.send(hex));
  world.run();
  kicked.messages.erase(kicked.messages.begin());
  stays.messages.erase(stays.messages.begin());
  CHECK(kicked.messages == Messages{"0301", "0202", error_hex("We got rejected by server.")});
  CHECK(stays.messages == Messages{"0301", "0202", "0203", error_hex("Server has left the game.")});
  world.finish();
}

// Rooms and names.

TEST_CASE("relay rooms: of two creates in one pass the first wins", "[relay][rooms]") {
  RelayWorld world;
  Peer& one = world.connect();
  Peer& two = world.connect();
  REQUIRE(one.send(RelayWorld::request_hex("trictrac", "R", 0, true)));
  REQUIRE(two.send(RelayWorld::request_hex("trictrac", "R", 0, true)));
  world.run();
  CHECK(one.is_open());
  world.expect_end(two, Ending::room_exists, "Room R already exists for game trictrac.");
  world.finish();
}

TEST_CASE("relay rooms: create, join, leave and create again in one pass", "[relay][rooms]") {
  RelayWorld world;
  Peer& one = world.connect();
  Peer& guest = world.connect();
  Peer& two = world.connect();
  Peer& late = world.connect();
  REQUIRE(one.send(RelayWorld::request_hex("trictrac", "R", 1, true)));
  REQUIRE(guest.send(RelayWorld::request_hex("trictrac", "R", 0, false)));
  world.run();
  REQUIRE(one.send("0304"));
  REQUIRE(one.send("00"));
  REQUIRE(two.send(RelayWorld::request_hex("trictrac", "R", 2, true)));
  REQUIRE(late.send(RelayWorld::request_hex("trictrac", "R", 0, false)));
  REQUIRE(guest.send("02aa"));  // to a room that is gone
  world.run();
  world.expect_end(one, Ending::host_left, "Server disconnected intentionally");
  world.expect_end(guest, Ending::host_gone, "Server has left the game.");
  CHECK(guest.messages[1] == "0304");
  CHECK(test::without_tokens(two.messages) == Messages{"0600000002", "000001"});
  CHECK(test::without_tokens(late.messages) == Messages{"0600010002"});
  CHECK(world.relay.room_count() == 1);
  world.finish();
}

TEST_CASE("relay rooms: any name is good, and the empty one", "[relay][rooms]") {
  auto config = RelayWorld::default_config();
  config.games.games[""] = {};
  RelayWorld world{config};
  const std::vector<std::pair<std::string, std::string>> names{{"", ""},
                                                               {"", "trictrac"},
                                                               {"trictrac", ""},
                                                               {"trictrac", "A"},
                                                               {"trictrac", "a"},
                                                               {"trictrac", std::string("a\0", 2)},
                                                               {"trictrac", "\xc3\xa9"},
                                                               {"trictrac", "e\xcc\x81"}};
  std::vector<Peer*> hosts;
  for (const auto& [game, room] : names) hosts.push_back(&world.create(room, game));
  CHECK(world.relay.room_count() == names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    CHECK(world.join(names[i].second, names[i].first).is_open());
    CHECK(hosts[i]->messages.size() == 2);
  }
  world.finish();
}

TEST_CASE("relay rooms: the limit of rooms", "[relay][rooms]") {
  auto config = RelayWorld::default_config();
  config.max_rooms = 2;
  RelayWorld world{config};
  Peer& first = world.create("1");
  world.create("2");
  world.expect_end(world.create("3"), Ending::too_many_rooms,
                   "The relay has too much to do. Try again later.");
  world.expect_end(world.create("2"), Ending::room_exists,
                   "Room 2 already exists for game trictrac.");
  CHECK(world.join("2").is_open());
  world.send(first, "00");
  CHECK(world.create("3").is_open());
  world.finish();
}

TEST_CASE("relay rooms: new games count from the next join on", "[relay][rooms]") {
  RelayWorld world;
  Peer& host = world.create("R", "trio");
  Peer& one = world.join("R", "trio");
  relay::GameConfig games;
  games.games = {{"trio", {2}}};
  world.relay.set_games(games);
  world.expect_end(world.join("R", "trio"), Ending::room_full,
                   "Room R exceeded max amount of players 2.");
  games.games = {{"trio", {1}}};  // below the present count
  world.relay.set_games(games);
  world.expect_end(world.join("R", "trio"), Ending::room_full,
                   "Room R exceeded max amount of players 1.");
  world.relay.set_games({});
  world.expect_end(world.join("R", "trio"), Ending::unknown_game, "Unknown game trio.");
  CHECK(host.is_open());
  world.send(host, "03aa");
  CHECK(one.messages.back() == "03aa");
  world.finish();
}
