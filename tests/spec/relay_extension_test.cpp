// SPDX-License-Identifier: MIT
// The extension as the relay speaks it: to those who offer it, beside those who do not.
#include <muster/relay/extension.hpp>

#include "support/relay_world.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;
using relay::Capability;
using relay::Ending;
using relay::Trailer;
using test::error_hex;
using test::hex_of;
using test::Messages;
using test::Peer;
using test::RelayWorld;
using test::to_hex;
using test::token_of;
using test::u16_hex;

namespace {

struct ExtensionWorld : RelayWorld {
  using RelayWorld::RelayWorld;

  static std::string request(const Trailer& trailer, bool create,
                             std::optional<std::uint64_t> token = {}, std::string_view room = "R",
                             std::string_view game = "trictrac") {
    std::vector<std::byte> extra;
    relay::append_trailer(extra, trailer);
    return request_hex(game, room, 0, create, token) + to_hex(extra);
  }
  Peer& create_with(const Trailer& trailer) { return ask(request(trailer, true)); }
  Peer& join_with(const Trailer& trailer) { return ask(request(trailer, false)); }
  Peer& return_with(const Trailer& trailer, std::uint64_t token) {
    return ask(request(trailer, false, token));
  }
};

constexpr relay::Capabilities all = relay::all_capabilities;

relay::Capabilities only(Capability capability) {
  return static_cast<relay::Capabilities>(capability);
}

// The trailer of a peer's welcome.
Trailer welcome_of(const Peer& peer) {
  REQUIRE_FALSE(peer.messages.empty());
  static std::vector<std::byte> bytes;
  bytes = test::from_hex(peer.messages[0]);
  REQUIRE(bytes.size() >= 13);
  const auto trailer = relay::decode_trailer(byte_view{bytes}.subspan(13));
  REQUIRE(trailer);
  REQUIRE(*trailer);
  return **trailer;
}

std::string event_hex(relay::MemberChange change, std::uint16_t id, std::uint16_t seat,
                      std::uint8_t flags, std::string_view name = {}) {
  std::vector<std::byte> message;
  relay::append_member_event(message, {change, id, seat, flags, name});
  return to_hex(message);
}

// What came behind the welcome.
Messages after_welcome(Peer& peer) {
  Messages messages = peer.take();
  REQUIRE_FALSE(messages.empty());
  REQUIRE(messages[0].starts_with("06"));
  messages.erase(messages.begin());
  return messages;
}

using Change = relay::MemberChange;

}  // namespace

TEST_CASE("relay extension: a peer without it sees no other byte", "[relay][extension]") {
  ExtensionWorld world;
  Peer& host = world.create_with({.capabilities = all, .name = "Hana"});
  Peer& plain = world.join("R");
  Peer& extended = world.join_with({.capabilities = all, .name = "Eve"});
  world.send(host, "03aa");
  world.send(host, "10000001" + u16_hex(1) + "ff");  // TARGETED at the plain one
  world.send(host, "1303" + hex_of("about"));        // ROOM_INFO
  world.lose(extended);
  CHECK(test::without_tokens(plain.messages) == Messages{"0600010000", "03aa"});
  CHECK(plain.messages[0].size() == 26);
  CHECK(world.relay.stats().targets_missed == 1);
  // And what it must not send closes it, as ever.
  world.send(plain, "16");
  world.expect_end(plain, Ending::illegal_client_message, "Illegal Command from client");
  world.finish();
}

TEST_CASE("relay extension: the welcome grants what was asked for, and no more",
          "[relay][extension]") {
  auto config = RelayWorld::default_config();
  config.capabilities = all & ~only(Capability::sequence);
  ExtensionWorld world{config};
  Peer& host = world.create_with({.capabilities = 0xffffffff});
  CHECK(welcome_of(host).capabilities == config.capabilities);
  CHECK(welcome_of(host).seat == 1);
  Peer& client = world.join_with({.capabilities = only(Capability::targeted)});
  CHECK(welcome_of(client).capabilities == only(Capability::targeted));
  CHECK(welcome_of(client).seat == 2);
  CHECK_FALSE(welcome_of(client).is_spectator);
  world.finish();
}

TEST_CASE("relay extension: a relay that has it switched off ignores it", "[relay][extension]") {
  auto config = RelayWorld::default_config();
  config.capabilities = 0;
  ExtensionWorld world{config};
  Peer& host = world.create_with({.capabilities = all});
  CHECK(host.messages[0].size() == 26);
  world.send(host, "13");
  world.expect_end(host, Ending::illegal_host_message, "Illegal Server -> Client command.");
  world.finish();
}

TEST_CASE("relay extension: a damaged trailer refuses, another one is ignored",
          "[relay][extension]") {
  ExtensionWorld world;
  const std::string plain = RelayWorld::request_hex("trictrac", "R", 0, true);
  world.expect_end(world.ask(plain + "52580101"), Ending::bad_join_request,
                   "Failed to parse join request.");
  world.expect_end(world.ask(plain + "5258010100020000"), Ending::bad_join_request,
                   "Failed to parse join request.");
  Peer& other = world.ask(plain + "525802ffff");
  CHECK(other.messages[0].size() == 26);
  world.finish();
}

TEST_CASE("relay extension: members hear of each other, with names, seats and reasons",
          "[relay][extension]") {
  ExtensionWorld world;
  Peer& host = world.create_with({.capabilities = all, .name = "Hana"});
  CHECK(after_welcome(host).empty());
  Peer& one = world.join_with({.capabilities = all, .name = "Eve"});
  CHECK(host.take() == Messages{event_hex(Change::joined, 1, 2, 2, "Eve"), "000001"});
  CHECK(after_welcome(one) == Messages{event_hex(Change::joined, 0, 1, 2, "Hana") +
                                       event_hex(Change::joined, 1, 2, 2, "Eve").substr(2)});
  Peer& two = world.join("R");
  CHECK(host.take() == Messages{event_hex(Change::joined, 2, 3, 0), "000002"});
  CHECK(one.take() == Messages{event_hex(Change::joined, 2, 3, 0)});
  world.lose(two);
  CHECK(host.take() == Messages{event_hex(Change::away, 2, 3, 0), "010002"});
  CHECK(one.take() == Messages{event_hex(Change::away, 2, 3, 0)});
  Peer& two_again = world.return_with({.capabilities = 0, .name = "Tom"}, token_of(two));
  CHECK(host.take() == Messages{event_hex(Change::back, 2, 3, 2, "Tom"), "000002"});
  CHECK(one.take() == Messages{event_hex(Change::back, 2, 3, 2, "Tom")});
  world.send(two_again, "03");
  CHECK(host.take() == Messages{event_hex(Change::left, 2, 3, 2, "Tom"), "010002"});
  Peer& three = world.join("R");
  one.take();
  host.take();
  world.send(host, "010003");
  CHECK(host.take() == Messages{event_hex(Change::kicked, 3, 3, 0), "010003"});
  CHECK(one.take() == Messages{event_hex(Change::kicked, 3, 3, 0)});
  CHECK(three.closes == 1);
  Peer& four = world.join("R");
  world.lose(four);
  one.take();
  host.take();
  world.network.run_for(5min + 20ms);
  CHECK(host.take() == Messages{event_hex(Change::expired, 4, 3, 0)});
  CHECK(one.take() == Messages{event_hex(Change::expired, 4, 3, 0)});
  world.finish();
}

TEST_CASE("relay extension: a seat is wished for, and kept while its member is away",
          "[relay][extension]") {
  ExtensionWorld world;
  world.create_with({.capabilities = all, .max_players = 6});
  Peer& five = world.join_with({.seat = 5});
  CHECK(welcome_of(five).seat == 5);
  Peer& also = world.join_with({.seat = 5});
  CHECK(welcome_of(also).seat == 2);
  CHECK(welcome_of(world.join_with({.seat = 9})).seat == 3);
  world.lose(five);
  CHECK(welcome_of(world.join_with({.seat = 5})).seat == 4);
  Peer& again = world.return_with({.seat = 1}, token_of(five));
  CHECK(welcome_of(again).seat == 5);
  // The creator's own limit counts, though the game has none.
  CHECK(world.join("R").is_open());
  world.expect_end(world.join("R"), Ending::room_full, "Room R exceeded max amount of players 6.");
  world.finish();
}

TEST_CASE("relay extension: targeted messages reach whom they name, in order",
          "[relay][extension]") {
  ExtensionWorld world;
  Peer& host = world.create_with({.capabilities = all});
  Peer& one = world.join_with({.capabilities = only(Capability::targeted)});
  Peer& two = world.join_with({.capabilities = only(Capability::targeted)});
  Peer& three = world.join_with({.capabilities = only(Capability::targeted)});
  Peer& deaf = world.join("R");
  for (Peer* const peer : {&one, &two, &three, &deaf}) peer->take();
  world.send(host, "10000002" + u16_hex(1) + u16_hex(3) + "aa");  // before any state
  CHECK(one.take() == Messages{"10aa"});
  CHECK(two.take().empty());
  CHECK(three.take() == Messages{"10aa"});
  world.send(host, "03ff");
  world.send(host, "02bb");
  world.send(host, "10010001" + u16_hex(1) + "cc");  // all but the first
  world.send(host, "02dd");
  CHECK(one.take() == Messages{"03ff", "02bb", "02dd"});
  CHECK(two.take() == Messages{"03ff", "02bb", "10cc", "02dd"});
  CHECK(deaf.take() == Messages{"03ff", "02bb", "02dd"});
  CHECK(world.relay.stats().targets_missed == 1);
  // Nobody of that id, the host itself, one twice.
  world.send(host, "10000004" + u16_hex(9) + u16_hex(0) + u16_hex(1) + u16_hex(1) + "ee");
  CHECK(one.take() == Messages{"10ee"});
  CHECK(world.relay.stats().targets_missed == 3);
  for (const char* bad : {"10", "1002", "10000001", "1000000100"}) {
    ExtensionWorld other;
    Peer& wrong = other.create_with({.capabilities = all});
    other.send(wrong, bad);
    other.expect_end(wrong, Ending::illegal_host_message, "Illegal Server -> Client command.");
    other.finish();
  }
  world.finish();
}

TEST_CASE("relay extension: spectators watch, take no place and say nothing",
          "[relay][extension]") {
  auto config = RelayWorld::default_config();
  config.rooms.max_spectators = 2;
  ExtensionWorld world{config};
  Peer& host = world.ask(ExtensionWorld::request({.capabilities = all}, true, {}, "R", "pair"));
  const auto watch = [&]() -> Peer& {
    return world.ask(ExtensionWorld::request({.capabilities = all, .is_spectator = true}, false, {},
                                             "R", "pair"));
  };
  CHECK(world.join("R", "pair").is_open());
  host.take();
  Peer& spectator = watch();  // the room is full, and can be watched
  CHECK(welcome_of(spectator).is_spectator);
  CHECK(welcome_of(spectator).seat == relay::no_seat);
  CHECK(host.take() == Messages{event_hex(Change::joined, 2, relay::no_seat, 3)});
  spectator.take();
  world.send(host, "03aa");
  CHECK(spectator.messages.end()[-2] == "03aa");  // its number follows
  world.send(spectator, "02ff");
  CHECK(host.take().empty());
  CHECK(spectator.is_open());
  CHECK(world.relay.stats().rpcs_of_spectators == 1);
  CHECK(watch().is_open());
  world.expect_end(watch(), Ending::room_full, "Room R exceeded max amount of players 2.");
  host.take();
  world.lose(spectator);
  CHECK(host.take() == Messages{event_hex(Change::away, 2, relay::no_seat, 3)});
  world.finish();
}

TEST_CASE("relay extension: a host that cannot be told of spectators has none",
          "[relay][extension]") {
  ExtensionWorld world;
  world.create("R");
  world.expect_end(world.join_with({.is_spectator = true}), Ending::no_spectators,
                   "Spectators cannot watch this room.");
  world.finish();
}

TEST_CASE("relay extension: a password is asked for, and proven", "[relay][extension]") {
  ExtensionWorld world;
  world.address = Address::v4(0xc0000201, 1);
  const Mac::Tag key = relay::password_key(world.mac, "sesame", "trictrac", "R");
  Peer& host = world.create_with({.capabilities = all, .password_key = key});
  CHECK(host.is_open());
  world.expect_end(world.join("R"), Ending::password_needed, "The room needs a password.");

  const auto ask = [&](std::string_view password) -> Peer& {
    Peer& peer = world.join_with({.capabilities = all});
    REQUIRE(peer.messages.size() == 1);
    const auto nonce = relay::decode_challenge(test::from_hex(peer.messages[0]));
    REQUIRE(nonce);
    const Mac::Tag proof =
        world.mac.tag(relay::password_key(world.mac, password, "trictrac", "R"), *nonce);
    world.send(peer, ExtensionWorld::request({.capabilities = all, .proof = proof}, false));
    return peer;
  };
  Peer& friend_ = ask("sesame");
  CHECK(friend_.messages[1].starts_with("060001"));
  world.expect_end(ask("open"), Ending::wrong_password, "Wrong password.");
  // The proof for one nonce is none for another.
  Peer& thief = world.join_with({.capabilities = all});
  world.send(thief, ExtensionWorld::request({.capabilities = all, .proof = key}, false));
  world.expect_end(thief, Ending::wrong_password, "Wrong password.");
  // A token needs no proof.
  world.lose(friend_);
  const std::uint64_t token = std::stoull(friend_.messages[1].substr(10, 16), nullptr, 16);
  CHECK(world.reconnect(token, "R").is_open());
  // Attempts are limited.
  for (int i = 0; i < 8; ++i) CHECK_FALSE(ask("wrong").is_open());
  world.expect_end(world.join_with({.capabilities = all}), Ending::too_many_attempts,
                   "Too many attempts. Try again later.");
  world.finish();
}

TEST_CASE("relay extension: who is asked for a password does not wait for ever",
          "[relay][extension]") {
  ExtensionWorld world;
  world.create_with({.capabilities = all, .password_key = Mac::Tag{}});
  Peer& peer = world.join_with({.capabilities = all});
  CHECK(peer.is_open());
  world.network.run_for(10s);
  world.expect_end(peer, Ending::handshake_failed, "Initial error during handshake.");
  world.finish();
}

TEST_CASE("relay extension: room information is listed, changed and told", "[relay][extension]") {
  ExtensionWorld world;
  const auto about = as_bytes("about");
  Peer& host = world.create_with({.capabilities = all, .metadata = about, .is_listed = true});
  Peer& client = world.join_with({.capabilities = only(Capability::room_info)});
  CHECK(after_welcome(client) == Messages{"1303" + hex_of("about")});
  int rooms = 0;
  world.relay.list_rooms([&](const relay::RoomListing& room) {
    ++rooms;
    CHECK(room.is_listed);
    CHECK(room.is_open);
    CHECK(room.has_host);
    CHECK_FALSE(room.has_password);
    CHECK(room.players == 2);
    CHECK(as_text(room.metadata) == "about");
    CHECK(room.room.room_id == "R");
    return true;
  });
  CHECK(rooms == 1);
  world.send(host, "1300" + hex_of("new"));
  CHECK(client.take() == Messages{"1300" + hex_of("new")});
  world.expect_end(world.join("R"), Ending::room_closed, "The room is closed.");
  CHECK(world.reconnect(token_of(client), "R").is_open());  // who was in may come back
  world.finish();
}

TEST_CASE("relay extension: a ban keeps out by account and by address", "[relay][extension]") {
  struct Door final : relay::Authenticator {
    void authenticate(const Request& request, relay::Admission admission, time_point) override {
      admission.admit(request.query_value("user").value_or(""));
    }
  } door;
  ExtensionWorld world;
  world.relay.set_authenticator(&door);
  world.query = "user=host";
  world.address = Address::v4(0xc0000201, 1);
  Peer& host = world.create_with({.capabilities = all});
  const auto come = [&](const char* user, std::uint32_t ip) -> Peer& {
    world.query = user;
    world.address = Address::v4(ip, 1);
    return world.join("R");
  };
  Peer& ann = come("user=ann", 0xc0000202);
  world.send(host, "17000101");
  world.expect_end(ann, Ending::kicked, "We got rejected by server.");
  world.expect_end(come("user=ann", 0xc0000203), Ending::banned, "You are banned from this room.");
  CHECK(come("user=bob", 0xc0000202).is_open());
  world.send(host, "17000202");
  world.expect_end(come("user=cid", 0xc0000202), Ending::banned, "You are banned from this room.");
  CHECK(come("user=bob", 0xc0000204).is_open());
  world.send(host, "17ffff01");  // nobody
  CHECK(world.relay.stats().kicks_ignored == 1);
  CHECK(host.is_open());
  world.finish();
}

TEST_CASE("relay extension: who comes back gets only what it missed", "[relay][extension]") {
  ExtensionWorld world;
  const auto sequence = only(Capability::sequence);
  Peer& host = world.create("R");
  Peer& stays = world.join("R");
  Peer& client = world.join_with({.capabilities = sequence});
  client.take();
  world.send(host, "02aa");  // 1: nobody has the state yet
  world.send(host, "03bb");
  CHECK(client.take() == Messages{"03bb", "14" + to_hex(std::vector<std::byte>(7)) + "01"});
  world.send(host, "02c1");  // 2
  world.lose(client);
  world.send(host, "02c2");  // 3
  world.send(host, "02c3");  // 4
  Peer& again = world.return_with({.capabilities = sequence, .sequence = 2}, token_of(client));
  CHECK(welcome_of(again).sequence == 2U);
  CHECK(after_welcome(again) == Messages{"02c2", "02c3"});
  world.send(host, "02c4");
  CHECK(again.take() == Messages{"02c4"});
  CHECK(world.relay.stats().resumes == 1);
  // A number that the relay does not know any more, or never had: the whole state.
  world.send(host, "04dd");  // 6
  again.take();
  for (const std::uint64_t seen : {std::uint64_t{3}, std::uint64_t{99}}) {
    world.lose(world.peers.back()->is_open() ? *world.peers.back() : again);
    Peer& next = world.return_with({.capabilities = sequence, .sequence = seen}, token_of(client));
    CHECK_FALSE(welcome_of(next).sequence);
    CHECK(after_welcome(next) == Messages{"04dd", "140000000000000006"});
  }
  CHECK(stays.is_open());
  world.finish();
}

TEST_CASE("relay extension: clients hear of their host's absence", "[relay][extension]") {
  ExtensionWorld world;
  Peer& host = world.create("R");
  Peer& client = world.join_with({.capabilities = only(Capability::host_state)});
  client.take();
  world.lose(host);
  CHECK(client.take() == Messages{"1200000000007530"});  // 30 s
  world.reconnect(token_of(host), "R");
  CHECK(client.take() == Messages{"1201000000000000"});
  world.finish();
}

TEST_CASE("relay extension: the room goes on with another host", "[relay][extension]") {
  auto config = RelayWorld::default_config();
  config.rooms.migrate_host = true;
  ExtensionWorld world{config};
  Peer& host = world.create("R");
  Peer& plain = world.join("R");                                       // 1: cannot
  Peer& first = world.join_with({.capabilities = all});                // 2
  Peer& second = world.join_with({.capabilities = all, .name = "S"});  // 3
  world.send(host, "03aa");
  Peer& late = world.join_with({.capabilities = all});  // 4: has it from the cache
  for (Peer* const peer : {&plain, &first, &second, &late}) peer->take();
  world.lose(host);
  REQUIRE(first.messages.back() == "1600000bb8");  // 3 s
  CHECK(second.messages.back().starts_with("1200"));
  world.send(plain, "02ee");         // waits for whoever hosts
  world.network.run_for(3s + 20ms);  // the first does not answer
  REQUIRE(second.messages.back() == "1600000bb8");
  world.send(first, "16");  // too late
  CHECK(first.is_open());
  for (Peer* const peer : {&plain, &first, &second, &late}) peer->take();
  world.send(second, "02f1");  // still a client
  world.send(second, "16");
  const Messages heard = second.take();
  REQUIRE(heard.size() >= 5);
  CHECK(heard[0].starts_with("0600000000"));
  CHECK(test::without_tokens(Messages{heard[0].substr(0, 26)}) == Messages{"0600000000"});
  const Messages behind(heard.begin() + 1, heard.end());
  CHECK(std::count(behind.begin(), behind.end(), "000001") == 1);
  CHECK(std::count(behind.begin(), behind.end(), "000002") == 1);
  CHECK(std::count(behind.begin(), behind.end(), "000004") == 1);
  CHECK(behind.back() == "020001ee");
  CHECK(first.take().back() == "1202000300000000");
  world.send(second, "03cc");  // now it speaks as the host
  CHECK(plain.take() == Messages{"03cc"});
  CHECK(first.take().front() == "03cc");
  world.send(plain, "02dd");
  CHECK(second.take() == Messages{"020001dd"});
  // The former host's token is worth nothing, the new one's is.
  world.expect_end(world.reconnect(token_of(host), "R"), Ending::invalid_token,
                   "Invalid reconnect token.");
  const std::uint64_t token = std::stoull(heard[0].substr(10, 16), nullptr, 16);
  world.lose(second);
  REQUIRE(world.reconnect(token, "R").is_open());
  CHECK(world.relay.stats().hosts_changed == 1);
  world.finish();
}

TEST_CASE("relay extension: the old host comes back before another one has accepted",
          "[relay][extension]") {
  auto config = RelayWorld::default_config();
  config.rooms.migrate_host = true;
  ExtensionWorld world{config};
  Peer& host = world.create("R");
  Peer& client = world.join_with({.capabilities = all});
  world.send(host, "03aa");
  world.lose(host);
  REQUIRE(client.messages.back().starts_with("16"));
  Peer& again = world.reconnect(token_of(host), "R");
  client.take();
  world.send(client, "16");
  CHECK(client.is_open());
  CHECK(client.take().empty());
  world.send(again, "03bb");
  CHECK(client.take().front() == "03bb");
  world.finish();
}

TEST_CASE("relay extension: one who comes while the host is away is asked to host",
          "[relay][extension]") {
  auto config = RelayWorld::default_config();
  config.rooms.migrate_host = true;
  ExtensionWorld world{config};
  Peer& host = world.create("R");
  Peer& plain = world.join("R");
  world.send(host, "03aa");
  world.lose(host);
  Peer& late = world.join_with({.capabilities = all});
  REQUIRE(late.messages.back().starts_with("16"));
  world.send(late, "16");
  CHECK(world.relay.stats().hosts_changed == 1);
  CHECK(plain.is_open());
  world.finish();
}

TEST_CASE("relay extension: a member that is asked to host and goes is passed over",
          "[relay][extension]") {
  auto config = RelayWorld::default_config();
  config.rooms.migrate_host = true;
  ExtensionWorld world{config};
  Peer& host = world.create("R");
  Peer& first = world.join_with({.capabilities = all});
  Peer& second = world.join_with({.capabilities = all});
  world.send(host, "03aa");
  world.lose(host);
  REQUIRE(first.messages.back().starts_with("16"));
  world.lose(first);
  world.network.run_for(1ms);
  CHECK(second.messages.back().starts_with("16"));
  world.send(second, "16");
  CHECK(world.relay.stats().hosts_changed == 1);
  world.finish();
}
