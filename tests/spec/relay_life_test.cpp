// SPDX-License-Identifier: MIT
// Members that lose their connection, come back, are replaced, and go; and a room without its host.
#include <muster/relay/error_text.hpp>

#include "support/relay_world.hpp"

#include <chrono>
#include <string>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;
using relay::Ending;
using test::error_hex;
using test::Messages;
using test::Peer;
using test::RelayWorld;
using test::response_hex;
using test::token_of;
using test::u16_hex;
using test::without_tokens;

namespace {

relay::Service::Config with(void (*change)(relay::Service::Config&)) {
  auto config = RelayWorld::default_config();
  change(config);
  return config;
}

}  // namespace

// Clients.

TEST_CASE("relay scenario: client reconnect", "[relay][life]") {
  RelayWorld world;
  Peer& host = world.create("room-42", "trictrac", 3);
  Peer& client = world.join();
  Peer& other = world.join();
  const std::uint64_t token = token_of(client);
  world.send(host, "03aa");
  world.lose(client);
  CHECK(host.take() == Messages{host.messages[0], "000001", "000002", "010001"});
  Peer& again = world.reconnect(token);
  CHECK(host.take() == Messages{"000001"});
  // What the cache has comes at once; the next whole state replaces it, and only for this client.
  CHECK(again.take() == Messages{response_hex(1, 3, token), "03aa"});
  world.send(host, "02bb");
  CHECK(again.take() == Messages{"02bb"});
  world.send(host, "03cc");
  CHECK(again.take() == Messages{"03cc"});
  CHECK(other.messages == Messages{response_hex(2, 3, token_of(other)), "03aa", "02bb"});
  world.send(again, "02ee");
  CHECK(host.take() == Messages{"020001ee"});
  CHECK(world.relay.stats().clients_returned == 1);
  world.finish();
}

TEST_CASE("relay 6.4: without a cache, a returning client waits for the whole state",
          "[relay][life]") {
  RelayWorld world{with([](auto& config) { config.rooms.state_cache = 0; })};
  Peer& host = world.create();
  Peer& client = world.join();
  const std::uint64_t token = token_of(client);
  world.send(host, "03aa");
  world.lose(client);
  Peer& again = world.reconnect(token);
  world.send(host, "02bb");
  CHECK(again.messages.size() == 1);
  world.send(host, "03cc");
  CHECK(again.messages.back() == "03cc");
  world.finish();
}

TEST_CASE("relay 6.4: refusals of those who come back", "[relay][life]") {
  RelayWorld world;
  Peer& host = world.create();
  Peer& client = world.join();
  world.create("other");
  const std::uint64_t token = token_of(client);
  world.expect_end(world.reconnect(token + 1), Ending::invalid_token, "Invalid reconnect token.");
  world.expect_end(world.reconnect(0), Ending::invalid_token, "Invalid reconnect token.");
  world.expect_end(world.reconnect(token, "other"), Ending::invalid_token,
                   "Invalid reconnect token.");
  world.expect_end(world.reconnect(token, "none"), Ending::room_is_gone,
                   "Room none no longer exists for game trictrac.");
  world.expect_end(world.reconnect(token, "room-42", "nope"), Ending::unknown_game,
                   "Unknown game nope.");
  CHECK(client.is_open());
  CHECK(host.messages.size() == 2);
  world.finish();
}

TEST_CASE("relay 6.4: a token wins over create_room", "[relay][life]") {
  RelayWorld world;
  world.create();
  Peer& client = world.join();
  const std::uint64_t token = token_of(client);
  world.lose(client);
  Peer& again = world.ask(RelayWorld::request_hex("trictrac", "room-42", 7, true, token));
  CHECK(again.messages[0] == response_hex(1, 0, token));
  world.finish();
}

TEST_CASE("relay scenario: duplicate client reconnect", "[relay][life]") {
  RelayWorld world;
  Peer& host = world.create();
  Peer& client = world.join();
  world.send(host, "03aa");
  host.take();
  Peer& again = world.reconnect(token_of(client));
  world.expect_end(client, Ending::superseded, "Superseded by a newer connection.");
  CHECK(host.take() == Messages{"000001"});  // no departure, one arrival
  CHECK(world.relay.member_count() == 2);
  CHECK(world.relay.stats().takeovers == 1);
  world.send(again, "02ee");
  CHECK(host.take() == Messages{"020001ee"});
  world.lose(again);
  CHECK(host.take() == Messages{"010001"});
  world.finish();
}

TEST_CASE("relay 7: leave and come back in one pass", "[relay][life]") {
  RelayWorld world;
  Peer& host = world.create();
  Peer& client = world.join();
  const std::uint64_t token = token_of(client);
  Peer& again = world.connect();
  host.take();
  world.network.cut(*client.connection);
  REQUIRE(again.send(RelayWorld::request_hex("trictrac", "room-42", 0, false, token)));
  world.run();
  CHECK(again.messages[0] == response_hex(1, 0, token));
  const Messages heard = host.take();
  CHECK((heard == Messages{"010001", "000001"} || heard == Messages{"000001"}));
  CHECK(world.relay.member_count() == 2);
  world.finish();
}

TEST_CASE("relay 7: a token ends with its time, and its place is free then", "[relay][life]") {
  RelayWorld world;
  Peer& host = world.create("R", "pair");
  Peer& client = world.join("R", "pair");
  const std::uint64_t token = token_of(client);
  world.lose(client);
  CHECK_FALSE(world.join("R", "pair").is_open());  // the place is kept
  world.network.run_for(5min - 1ms);
  CHECK_FALSE(world.join("R", "pair").is_open());
  world.network.run_for(20ms);
  world.expect_end(world.reconnect(token, "R", "pair"), Ending::invalid_token,
                   "Invalid reconnect token.");
  Peer& next = world.join("R", "pair");
  CHECK(next.messages[0].starts_with("060002"));
  CHECK(without_tokens(host.messages) == Messages{"0600000000", "000001", "010001", "000002"});
  world.finish();
}

TEST_CASE("relay 7: who says that it leaves is gone, unless the rules keep its token",
          "[relay][life]") {
  for (const bool keeps : {false, true}) {
    auto config = RelayWorld::default_config();
    config.rooms.keep_token_of_leaver = keeps;
    RelayWorld world{config};
    Peer& host = world.create("R", "pair");
    Peer& client = world.join("R", "pair");
    const std::uint64_t token = token_of(client);
    world.send(client, "03");
    CHECK(host.messages.back() == "010001");
    CHECK(world.relay.member_count() == (keeps ? 2U : 1U));
    Peer& again = world.reconnect(token, "R", "pair");
    CHECK(again.is_open() == keeps);
    world.finish();
  }
}

TEST_CASE("relay 7: without a grace, a lost client is gone at once", "[relay][life]") {
  RelayWorld world{with([](auto& config) { config.rooms.player_grace = 0s; })};
  world.create();
  Peer& client = world.join();
  const std::uint64_t token = token_of(client);
  world.lose(client);
  CHECK(world.relay.member_count() == 1);
  world.expect_end(world.reconnect(token), Ending::invalid_token, "Invalid reconnect token.");
  world.finish();
}

TEST_CASE("relay 7: one address keeps so many places while its clients are away, and no more",
          "[relay][life]") {
  auto config = RelayWorld::default_config();
  config.rooms.max_absent_per_address = 2;
  RelayWorld world{config};
  Peer& host = world.create();
  world.address = Address::v4(0xc0000201, 1);
  std::vector<std::uint64_t> tokens;
  for (unsigned i = 0; i < 4; ++i) {
    world.address.port = static_cast<std::uint16_t>(i);
    Peer& client = world.join();
    tokens.push_back(token_of(client));
    world.lose(client);
  }
  CHECK(world.relay.member_count() == 3);
  world.expect_end(world.reconnect(tokens[2]), Ending::invalid_token, "Invalid reconnect token.");
  Peer& again = world.reconnect(tokens[0]);
  CHECK(again.is_open());
  // There is room for one more now; and others have places of their own.
  Peer& next = world.join();
  world.lose(next);
  CHECK(world.reconnect(token_of(next)).is_open());
  world.address = Address::v4(0xc0000202, 1);
  Peer& elsewhere = world.join();
  world.lose(elsewhere);
  CHECK(world.reconnect(token_of(elsewhere)).is_open());
  world.send(host, "010002");  // one that is away
  world.address = Address::v4(0xc0000201, 1);
  world.lose(again);
  CHECK(world.reconnect(tokens[0]).is_open());
  world.finish();
}

TEST_CASE("relay 7: a client that never got its token keeps no place", "[relay][life]") {
  RelayWorld world;
  Peer& host = world.create("R", "pair");
  Peer& client = world.connect();
  REQUIRE(client.send(RelayWorld::request_hex("pair", "R", 0, false)));
  world.network.fail_write(2);  // its request, then the news or the response
  world.run();
  world.network.run_for(1s);
  if (host.is_open()) CHECK(world.relay.member_count() == 1);
  world.finish();
}

TEST_CASE("relay 7: a token may be another one after each return", "[relay][life]") {
  RelayWorld world{with([](auto& config) { config.rooms.rotate_tokens = true; })};
  Peer& host = world.create();
  Peer& client = world.join();
  const std::uint64_t first = token_of(client);
  world.lose(client);
  Peer& second = world.reconnect(first);
  CHECK(second.messages[0].starts_with("0600010000"));
  CHECK(token_of(second) != first);
  world.expect_end(world.reconnect(first), Ending::invalid_token, "Invalid reconnect token.");
  CHECK(second.is_open());
  Peer& third = world.reconnect(token_of(second));
  CHECK(third.is_open());
  world.lose(host);
  Peer& host_again = world.reconnect(token_of(host));
  CHECK(token_of(host_again) != token_of(host));
  world.finish();
}

TEST_CASE("relay 7: a kicked player's token is worth nothing, also while it is away",
          "[relay][life]") {
  RelayWorld world;
  Peer& host = world.create("R", "pair");
  Peer& client = world.join("R", "pair");
  const std::uint64_t token = token_of(client);
  world.lose(client);
  world.send(host, "010001");
  world.expect_end(world.reconnect(token, "R", "pair"), Ending::invalid_token,
                   "Invalid reconnect token.");
  CHECK(world.join("R", "pair").is_open());  // its place is free
  CHECK(host.messages.back() == "000002");
  CHECK(world.relay.stats().kicks_ignored == 0);
  world.finish();
}

// The host.

TEST_CASE("relay scenario: host reconnect, and rpc after it by an old client", "[relay][life]") {
  RelayWorld world;
  Peer& host = world.create("room-42", "trictrac", 3);
  Peer& one = world.join();
  Peer& two = world.join();
  Peer& three = world.join();
  world.send(host, "03aa");
  const std::uint64_t token = token_of(host);
  world.lose(host);
  CHECK(one.is_open());
  world.network.run_for(10s);
  world.send(three, "03");  // goes while the host is away
  Peer& again = world.reconnect(token);
  CHECK(again.take() == Messages{response_hex(0, 3, token), "000001", "000002", "010003"});
  world.send(one, "02ee");
  CHECK(again.take() == Messages{"020001ee"});
  // Everybody gets the state of the returned host, though they had one.
  one.take();
  two.take();
  world.send(again, "02bb");
  CHECK(one.take().empty());
  world.send(again, "03cc");
  CHECK(one.take() == Messages{"03cc"});
  CHECK(two.take() == Messages{"03cc"});
  world.network.run_for(1h);
  CHECK(one.is_open());
  CHECK(world.relay.stats().hosts_returned == 1);
  world.finish();
}

TEST_CASE("relay scenario: host gone 30 s", "[relay][life]") {
  RelayWorld world;
  Peer& host = world.create();
  Peer& client = world.join();
  world.lose(host);
  world.network.run_for(30s - 1ms);
  CHECK(client.is_open());
  CHECK_FALSE(world.create().is_open());
  world.network.run_for(20ms);
  world.expect_end(client, Ending::host_gone, "Server has left the game.");
  CHECK(world.relay.room_count() == 0);
  world.expect_end(world.reconnect(token_of(host)), Ending::room_is_gone,
                   "Room room-42 no longer exists for game trictrac.");
  CHECK(world.create().is_open());
  world.finish();
}

TEST_CASE("relay scenario: stale grace timer", "[relay][life]") {
  RelayWorld world;
  Peer& host = world.create();
  Peer& client = world.join();
  world.lose(host);
  world.network.run_for(29s);
  Peer& again = world.reconnect(token_of(host));
  world.network.run_for(500ms);
  world.lose(again);
  world.network.run_for(30s - 1ms);  // past the end that the first loss would have brought
  CHECK(client.is_open());
  world.network.run_for(20ms);
  world.expect_end(client, Ending::host_gone, "Server has left the game.");
  world.finish();
}

TEST_CASE("relay 6.5: without a grace, a room ends with its host's connection", "[relay][life]") {
  RelayWorld world{with([](auto& config) { config.rooms.host_grace = 0s; })};
  Peer& host = world.create();
  Peer& client = world.join();
  world.lose(host);
  world.expect_end(client, Ending::host_gone, "Server has left the game.");
  CHECK(world.relay.room_count() == 0);
  world.finish();
}

TEST_CASE("relay scenario: host token while host is connected", "[relay][life]") {
  RelayWorld world;
  Peer& host = world.create();
  Peer& client = world.join();
  Peer& again = world.reconnect(token_of(host));
  world.expect_end(host, Ending::superseded, "Superseded by a newer connection.");
  CHECK(again.take() == Messages{response_hex(0, 0, token_of(host)), "000001"});
  world.send(client, "02ee");
  CHECK(again.take() == Messages{"020001ee"});
  world.network.run_for(1h);
  CHECK(client.is_open());
  world.finish();
}

TEST_CASE("relay scenario: rpc during host absence", "[relay][life]") {
  RelayWorld world{with([](auto& config) {
    config.rooms.max_away_rpcs = 3;
    config.rooms.max_away_bytes = 40;
  })};
  Peer& host = world.create();
  Peer& many = world.join();
  Peer& large = world.join();
  world.lose(host);
  for (int i = 1; i <= 5; ++i) world.send(many, "020" + std::to_string(i));
  world.send(large, "02" + std::string(60, 'a'));  // 33 bytes at the host
  world.send(large, "02" + std::string(10, 'b'));  // 8 more are too many
  world.send(large, "02" + std::string(8, 'c'));   // 7 are not
  CHECK(many.is_open());
  Peer& again = world.reconnect(token_of(host));
  CHECK(without_tokens(again.messages) ==
        Messages{"0600000000", "000001", "000002", "02000101", "02000102", "02000103",
                 "020002" + std::string(60, 'a'), "020002" + std::string(8, 'c')});
  CHECK(world.relay.stats().rpcs_dropped == 3);
  CHECK(world.relay.stats().rpcs_kept == 5);
  // The quota is free again.
  world.lose(again);
  world.send(many, "02ff");
  Peer& third = world.reconnect(token_of(host));
  CHECK(third.messages.back() == "020001ff");
  world.finish();
}

TEST_CASE("relay 6.5: what somebody sent who went before the host came back is not delivered",
          "[relay][life]") {
  RelayWorld world;
  Peer& host = world.create();
  Peer& client = world.join();
  world.lose(host);
  world.send(client, "02ee");
  world.send(client, "03");
  Peer& again = world.reconnect(token_of(host));
  CHECK(without_tokens(again.messages) == Messages{"0600000000", "010001"});
  world.finish();
}

TEST_CASE("relay scenario: fresh join during host absence", "[relay][life]") {
  RelayWorld world;
  Peer& host = world.create("R", "trio");
  world.lose(host);
  Peer& client = world.join("R", "trio");
  CHECK(without_tokens(client.messages) == Messages{"0600010000"});
  Peer& came_and_went = world.join("R", "trio");
  world.send(came_and_went, "03");
  Peer& again = world.reconnect(token_of(host), "R", "trio");
  CHECK(without_tokens(again.messages) == Messages{"0600000000", "000001"});
  world.send(again, "03aa");
  CHECK(client.messages.back() == "03aa");
  world.finish();
}

TEST_CASE("relay 6.5: host and client are away at once, and both come back", "[relay][life]") {
  for (const bool host_first : {true, false}) {
    RelayWorld world;
    Peer& host = world.create();
    Peer& client = world.join();
    world.send(host, "03aa");
    world.lose(host_first ? host : client);
    world.lose(host_first ? client : host);
    Peer& client_again = world.reconnect(token_of(client));
    REQUIRE(client_again.is_open());
    Peer& host_again = world.reconnect(token_of(host));
    CHECK(host_again.messages[1] == "000001");
    world.send(client_again, "02ee");
    CHECK(host_again.messages.back() == "020001ee");
    world.finish();
  }
}

TEST_CASE("relay 6.5: a host that leaves ends its room, or not, by the rules", "[relay][life]") {
  for (const bool ends : {true, false}) {
    auto config = RelayWorld::default_config();
    config.rooms.end_with_host = ends;
    RelayWorld world{config};
    Peer& host = world.create();
    Peer& client = world.join();
    world.send(host, "00");
    world.expect_end(host, Ending::host_left, "Server disconnected intentionally");
    CHECK(client.is_open() == !ends);
    CHECK(world.reconnect(token_of(host)).is_open() == !ends);
    world.finish();
  }
}

TEST_CASE("relay 5.3: a host that breaks the protocol is closed, and may come back",
          "[relay][life]") {
  RelayWorld world;
  Peer& host = world.create();
  Peer& client = world.join();
  world.send(host, "05aa");
  world.expect_end(host, Ending::illegal_host_message, "Illegal Server -> Client command.");
  CHECK(client.is_open());
  CHECK(world.reconnect(token_of(host)).is_open());
  world.finish();
}

// Numbers and time.

TEST_CASE("relay scenario: id exhaustion, and what is possible after it", "[relay][life]") {
  RelayWorld world{with([](auto& config) { config.rooms.client_rate = {}; })};
  Peer& host = world.create();
  Peer& first = world.join();
  for (unsigned id = 2; id < 65435; ++id) {
    Peer& peer = world.join();
    REQUIRE(peer.messages[0].starts_with("06" + u16_hex(id)));
    world.send(peer, "03");
    world.peers.pop_back();
  }
  Peer& last = world.join();
  const auto vectors = test::load_vectors("relay_vectors.json");
  const auto& rpc = vectors.at("rpc_rewrite").at(4);
  REQUIRE(rpc.at("player_id") == 65435);
  host.take();
  world.send(last, rpc.at("client_sends").get<std::string>());
  CHECK(host.take() == Messages{rpc.at("host_receives").get<std::string>()});
  world.expect_end(world.join(), Ending::out_of_ids, "Room room-42 run out of client ids.");
  CHECK(world.reconnect(token_of(first)).is_open());
  world.network.run_for(60s);
  CHECK(world.join().messages[0].starts_with("060002"));
  CHECK(host.is_open());
}

TEST_CASE("relay 13.3: a room in which nobody says anything ends", "[relay][life]") {
  RelayWorld world;
  Peer& host = world.create();
  Peer& client = world.join();
  world.network.run_for(5h);
  world.send(client, "02ee");
  world.network.run_for(6h - 1ms);
  CHECK(host.is_open());
  world.network.run_for(20ms);
  world.expect_end(host, Ending::room_idle, "The room has been idle for too long.");
  world.expect_end(client, Ending::room_idle, "The room has been idle for too long.");
  CHECK(world.relay.room_count() == 0);
  world.finish();
}

// The first generation.

TEST_CASE("relay 11: the first generation is refused, or served without tokens, by option",
          "[relay][life]") {
  const auto request = [](std::string_view room, bool create) {
    const std::string hex = RelayWorld::request_hex("trictrac", room, 3, create);
    return hex.substr(0, hex.size() - 2);  // without the option's byte
  };
  {
    RelayWorld world;
    world.expect_end(world.ask(request("R", true)), Ending::bad_join_request,
                     "Failed to parse join request.");
    world.finish();
  }
  RelayWorld world{with([](auto& config) { config.accept_gen1 = true; })};
  Peer& host = world.ask(request("R", true));
  CHECK(host.take() == Messages{"0600000003"});
  Peer& client = world.ask(request("R", false));
  CHECK(client.messages == Messages{"0600010003"});
  Peer& newer = world.join("R");
  CHECK(newer.messages[0].starts_with("0600020003"));
  CHECK(newer.messages[0].size() == 26);
  world.lose(client);  // keeps nothing
  CHECK(world.relay.member_count() == 2);
  CHECK(host.take() == Messages{"000001", "000002", "010001"});
  world.expect_end(world.reconnect(0, "R"), Ending::invalid_token, "Invalid reconnect token.");
  // A request of the second generation that is cut off inside its token is none of the first.
  const std::string cut = RelayWorld::request_hex("trictrac", "R", 0, false, 300);
  world.expect_end(world.ask(cut.substr(0, cut.size() - 2)), Ending::bad_join_request,
                   "Failed to parse join request.");
  world.lose(host);  // and waits for nothing
  world.expect_end(newer, Ending::host_gone, "Server has left the game.");
  world.finish();
}
