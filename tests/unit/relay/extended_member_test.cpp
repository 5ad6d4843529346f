// SPDX-License-Identifier: MIT
// What players and hosts do with the extension, and without it.
#include <muster/relay/host.hpp>
#include <muster/relay/player.hpp>

#include "member_fixture.hpp"
#include "support/catch.hpp"

#include <array>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace relay = muster::relay;
namespace text = muster::relay::error_text;
using muster::as_bytes;
using muster::errc;
using test::from_hex;
using test::Lines;
using test::to_hex;
using namespace std::chrono_literals;

namespace {

muster::WeakMac weak_mac;

relay::MemberConfig config_with(const relay::ExtensionConfig& extension) {
  relay::MemberConfig config = test::MemberFixture::config();
  config.extension = extension;
  return config;
}

relay::MemberConfig everything() { return config_with({.capabilities = relay::all_capabilities}); }

std::string members(const std::vector<relay::MemberEvent>& events) {
  std::vector<std::byte> message;
  for (const auto& event : events) append_member_event(message, event);
  return to_hex(message);
}

// A member of either kind, and a relay that grants all that it is asked for.
template <class Member, class MemberLog>
struct ExtendedFixture : test::MemberFixture {
  explicit ExtendedFixture(const relay::MemberConfig& with = everything(),
                           std::uint16_t its_id = std::is_same_v<Member, relay::Host> ? 0 : 3)
      : id(its_id), member(with, dialer, network.outbox(), entropy, log) {
    network.add(member);
    relay.answer = [this](muster::Connection&) { relay.welcome(id, granted); };
  }
  ~ExtendedFixture() { network.remove(member); }

  void join() {
    REQUIRE_FALSE(member.start(network.now()));
    network.run_for(100ms);
    REQUIRE(member.is_joined());
    log.take();
  }
  void say(std::string_view hex) {
    relay.say(hex);
    network.run_for(50ms);
  }
  Lines heard() {
    network.run_for(50ms);
    return std::exchange(relay.heard, {});
  }
  void cut() {
    if (relay.current != nullptr) network.cut(*relay.current);
  }
  /// The trailer of the n-th JoinRequest; its views live as long as the fixture.
  relay::Trailer offered(std::size_t n) {
    bytes = from_hex(relay.joins.at(n).trailer);
    const auto trailer = relay::decode_trailer(bytes);
    REQUIRE(trailer);
    REQUIRE(trailer->has_value());
    return **trailer;
  }

  std::uint16_t id;
  relay::Trailer granted{.capabilities = relay::all_capabilities};
  std::vector<std::byte> bytes;
  MemberLog log;
  Member member;
};

using ExtendedPlayer = ExtendedFixture<relay::Player, test::PlayerLog>;
using ExtendedHost = ExtendedFixture<relay::Host, test::HostLog>;

}  // namespace

TEST_CASE("relay extension: it is offered only when it is asked for",
          "[relay][extension][player]") {
  SECTION("a member without it") {
    ExtendedPlayer f{test::MemberFixture::config()};
    f.join();
    CHECK(f.relay.joins[0].trailer.empty());
    // What follows the response is nothing to it, even a damaged trailer.
    CHECK(f.member.capabilities() == 0);
    CHECK_FALSE(f.member.seat());
    f.relay.answer = [&f](muster::Connection& connection) {
      connection.send(
          {from_hex("0600030005000000000000004d"
                    "52580101")});
    };
    f.cut();
    f.network.run_for(5s);
    CHECK(f.member.is_joined());
    f.say("1061");
    f.network.run_for(1h);
    CHECK(f.log.take().back() == "end protocol_error");
  }
  SECTION("a member with everything") {
    ExtendedPlayer f{config_with({.capabilities = 3,
                                  .name = "Zoë",
                                  .is_spectator = true,
                                  .seat = 4,
                                  .metadata = from_hex("00"),
                                  .is_listed = true,
                                  .max_players = 7})};
    f.granted = {.capabilities = relay::all_capabilities, .is_spectator = true, .seat = 65535};
    f.join();
    const relay::Trailer offer = f.offered(0);
    CHECK(offer.capabilities == 3);
    CHECK(offer.name == "Zoë");
    CHECK(offer.is_spectator);
    CHECK(offer.seat == 4);
    CHECK_FALSE(offer.proof);
    CHECK_FALSE(offer.sequence);
    CHECK_FALSE(offer.password_key);  // what follows is the creator's business
    CHECK_FALSE(offer.metadata);
    CHECK_FALSE(offer.is_listed);
    CHECK_FALSE(offer.max_players);
    CHECK(f.member.capabilities() == 3);  // a relay cannot grant more than was asked for
    CHECK_FALSE(f.member.seat());
    CHECK(f.member.send_action({}) == errc::wrong_state);
  }
  SECTION("a host") {
    ExtendedHost f{config_with({.capabilities = relay::all_capabilities,
                                .name = "host",
                                .is_spectator = true,
                                .password = "pw",
                                .mac = &weak_mac,
                                .metadata = from_hex("c0de"),
                                .is_listed = true,
                                .max_players = 7})};
    f.granted.seat = 1;
    f.join();
    const relay::Trailer offer = f.offered(0);
    CHECK_FALSE(offer.is_spectator);
    CHECK(offer.password_key == relay::password_key(weak_mac, "pw", "chess", "r"));
    REQUIRE(offer.metadata);
    CHECK(to_hex(*offer.metadata) == "c0de");
    CHECK(offer.is_listed);
    CHECK(offer.max_players == 7);
    CHECK(f.member.seat() == 1);
    // One that comes back creates nothing.
    f.cut();
    f.network.run_for(5s);
    REQUIRE(f.relay.joins.size() == 2);
    const relay::Trailer again = f.offered(1);
    CHECK(again.name == "host");
    CHECK_FALSE(again.password_key);
    CHECK_FALSE(again.metadata);
    CHECK_FALSE(again.is_listed);
    CHECK_FALSE(again.max_players);
  }
}

TEST_CASE("relay extension: a relay without it", "[relay][extension][player][host]") {
  SECTION("is good enough for a player") {
    ExtendedPlayer f;
    f.relay.answer = [&f](muster::Connection&) { f.relay.welcome(3); };
    f.join();
    CHECK(f.member.capabilities() == 0);
    f.relay.say("0361");
    f.say("0262");
    CHECK(f.log.take() == Lines{"full a", "delta b"});
  }
  SECTION("does not get what it would not understand") {
    ExtendedHost f;
    f.relay.answer = [&f](muster::Connection&) { f.relay.welcome(0); };
    CHECK_FALSE(f.member.ban(1, relay::BanScope::user));  // not known yet
    CHECK_FALSE(f.member.set_info(true, true, {}));
    f.join();
    CHECK(f.member.send_to({}, {}) == errc::wrong_state);
    CHECK(f.member.set_info(true, true, {}) == errc::wrong_state);
    CHECK(f.member.ban(1, relay::BanScope::user) == errc::wrong_state);
    CHECK(f.heard().empty());
    CHECK(f.member.next_deadline() == muster::no_deadline);
  }
  SECTION("is left by a spectator, whom it would make a player") {
    ExtendedPlayer f{config_with({.is_spectator = true})};
    f.relay.answer = [&f](muster::Connection&) { f.relay.welcome(3); };
    REQUIRE_FALSE(f.member.start(f.network.now()));
    f.network.run_for(1h);
    CHECK(f.log.take() == Lines{"end refused"});
    CHECK(f.relay.heard == Lines{"03"});
    CHECK(f.relay.joins.size() == 1);
  }
  SECTION("is left by a host with a password, which it would not ask for") {
    ExtendedHost f{config_with({.password = "pw", .mac = &weak_mac})};
    f.relay.answer = [&f](muster::Connection&) { f.relay.welcome(0); };
    REQUIRE_FALSE(f.member.start(f.network.now()));
    f.network.run_for(1h);
    CHECK(f.log.take() == Lines{"end refused"});
    CHECK(f.relay.heard == Lines{"00"});
  }
}

TEST_CASE("relay extension: a damaged trailer is no welcome", "[relay][extension][player]") {
  const std::string hex = GENERATE("52580101", "5258010100040000", "525801050001ff",
                                   "525801"
                                   "0600080000000000000001");  // nobody asked for that
  CAPTURE(hex);
  ExtendedPlayer f;
  f.relay.answer = [&](muster::Connection& connection) {
    connection.send({from_hex("0600030005000000000000004d" + hex)});
  };
  REQUIRE_FALSE(f.member.start(f.network.now()));
  f.network.run_for(1h);
  CHECK(f.log.take() == Lines{"end protocol_error"});
}

TEST_CASE("relay extension: a player hears what it was granted", "[relay][extension][player]") {
  ExtendedPlayer f;
  f.granted.seat = 2;
  f.join();
  CHECK(f.member.seat() == 2);
  f.say("106869");  // without the state
  f.say("10");
  f.say(members({{relay::MemberChange::joined, 0, 1, 2, "host"},
                 {relay::MemberChange::joined, 3, 2, 2, ""},
                 {relay::MemberChange::away, 4, relay::no_seat, 1, ""}}));
  f.say(to_hex(relay::encode_host_state({relay::HostPresence::away, 0, 30'000})));
  f.say(to_hex(relay::encode_host_state({relay::HostPresence::changed, 4, 0})));
  f.say(to_hex(relay::encode_room_info({false, true, as_bytes("m")})));
  f.say(to_hex(relay::encode_host_offer(5000)));
  CHECK(f.log.take() == Lines{"targeted hi", "targeted ", "member 2 joined 0 seat 1 host",
                              "member 2 joined 3 seat 2", "member 1 away 4", "host 0 0 30000",
                              "host 2 4 0", "closed listed m", "offer 5000"});
  CHECK(f.heard().empty());  // the offer was declined
  CHECK(f.member.is_joined());
  // After it left in the middle of a list, it hears no more of it.
  f.log.then = [&f] { f.member.leave(f.network.now()); };
  f.say(members(
      {{relay::MemberChange::left, 5, 9, 0, ""}, {relay::MemberChange::left, 6, 8, 0, ""}}));
  f.network.run_for(1s);
  CHECK(f.log.take() == Lines{"member 0 left 5 seat 9", "end left"});
}

TEST_CASE("relay extension: what was not granted, or is damaged, ends the session",
          "[relay][extension][player][host]") {
  const std::vector<std::pair<relay::Capability, std::string>> messages{
      {relay::Capability::targeted, "1061"},
      {relay::Capability::member_events, members({{relay::MemberChange::left, 1, 1, 0, ""}})},
      {relay::Capability::host_state, to_hex(relay::encode_host_state({}))},
      {relay::Capability::room_info, to_hex(relay::encode_room_info({}))},
      {relay::Capability::sequence, to_hex(relay::encode_state_sequence(1))},
      {relay::Capability::may_host, to_hex(relay::encode_host_offer(1))}};
  for (const auto& [capability, hex] : messages) {
    CAPTURE(hex);
    for (const bool is_granted : {true, false}) {
      ExtendedPlayer f;
      if (!is_granted) f.granted.capabilities &= ~static_cast<relay::Capabilities>(capability);
      f.join();
      f.say(hex);
      f.network.run_for(1h);
      CHECK(f.log.ends == (is_granted ? 0 : 1));
    }
  }
  for (const std::string_view hex : {"1106000100010000", "1200", "1304", "1400", "1600", "1500",
                                     "15000102030405060708090a0b0c0d0e0f", "17000101", "18", "0f",
                                     "0600000005000000000000004d"}) {
    CAPTURE(hex);
    ExtendedPlayer f;
    f.join();
    f.say(hex);
    f.network.run_for(1h);
    CHECK(f.log.take() == Lines{"end protocol_error"});
  }
  for (const std::string_view hex : {"1106000100010000", "10", "1200000000007530", "1301",
                                     "140000000000000001", "1600000001", "18"}) {
    CAPTURE(hex);
    ExtendedHost f;
    f.join();
    f.say(hex);
    f.network.run_for(1h);
    CHECK(f.log.take() == Lines{"end protocol_error"});
  }
  ExtendedHost f{config_with({.capabilities = 1})};
  f.join();
  f.say(members({{relay::MemberChange::joined, 1, 1, 0, ""}}));
  f.network.run_for(1h);
  CHECK(f.log.take() == Lines{"end protocol_error"});
}

TEST_CASE("relay extension: the largest list of members is no malformed message",
          "[relay][extension][player][host]") {
  std::vector<relay::MemberEvent> all;
  const std::string name(relay::max_name_size, 'n');
  for (std::uint16_t id = 1; id <= 1000; ++id) all.push_back({{}, id, id, 0, name});
  relay::MemberConfig config = everything();
  config.max_client_message = 64;
  config.max_host_message = 1024;
  ExtendedHost host{config};
  host.join();
  host.say(members(all));
  host.network.run_for(1s);
  CHECK(host.log.take().size() == 1000);
  ExtendedPlayer player{config};
  player.join();
  player.say(members(all));
  player.network.run_for(1s);
  CHECK(player.log.take().size() == 1000);
}

TEST_CASE("relay extension: a challenge is answered with a proof, once",
          "[relay][extension][player]") {
  const std::string challenge = to_hex(relay::encode_challenge({std::byte{1}, std::byte{2}}));
  const relay::MemberConfig config =
      config_with({.capabilities = 1, .name = "Zoë", .password = "pw", .mac = &weak_mac});
  ExtendedPlayer f{config};
  f.relay.answer = [&](muster::Connection&) { f.relay.say(challenge); };
  REQUIRE_FALSE(f.member.start(f.network.now()));
  f.network.run_for(100ms);
  CHECK_FALSE(f.offered(0).proof);
  CHECK_FALSE(f.offered(0).password_key);
  const Lines heard = f.heard();
  REQUIRE(heard.size() == 1);
  const auto bytes = from_hex(heard[0]);
  const auto request = relay::decode_join_request(bytes);
  REQUIRE(request);
  CHECK(request->game_id == "chess");
  CHECK(request->room_id == "r");
  const auto trailer = relay::decode_trailer(request->trailer);
  REQUIRE(trailer);
  REQUIRE(*trailer);
  CHECK((*trailer)->name == "Zoë");
  const auto key = relay::password_key(weak_mac, "pw", "chess", "r");
  const relay::Nonce nonce{std::byte{1}, std::byte{2}};
  CHECK((*trailer)->proof == weak_mac.tag(key, nonce));

  SECTION("and let in") {
    f.relay.welcome(3, f.granted);
    f.network.run_for(100ms);
    CHECK(f.log.take() == Lines{"joined 3"});
    // Another connection may be challenged again.
    f.cut();
    f.network.run_for(5s);
    CHECK(f.heard().size() == 1);
  }
  SECTION("and refused") {
    f.relay.end(text::wrong_password);
    f.network.run_for(1h);
    CHECK(f.log.take() == Lines{"end refused"});
    CHECK(f.log.last_text == text::wrong_password);
    CHECK(f.relay.joins.size() == 1);
  }
  SECTION("and challenged again") {
    f.say(challenge);
    f.network.run_for(1h);
    CHECK(f.log.take() == Lines{"end protocol_error"});
    CHECK(f.relay.heard.empty());
  }
  SECTION("and kept waiting") {
    f.network.run_for(11s);
    CHECK(f.log.take() == Lines{"away timed_out"});
  }
}

TEST_CASE("relay extension: any write may fail", "[relay][extension][player]") {
  for (std::uint64_t n = 1;; ++n) {
    CAPTURE(n);
    ExtendedPlayer f{
        config_with({.capabilities = relay::all_capabilities, .password = "pw", .mac = &weak_mac})};
    f.log.accepts = true;
    f.relay.answer = [&f](muster::Connection&) {
      if (f.relay.joins.back().token) return f.relay.welcome(3, f.granted);
      f.relay.say(to_hex(relay::encode_challenge({})));
    };
    f.relay.hear = [&f](const std::string& hex) {
      if (hex == "16") return f.relay.welcome(0, f.granted, 4711);
      if (hex.starts_with("05" + to_hex(as_bytes("chess")))) f.relay.welcome(3, f.granted);
    };
    const std::uint64_t before = f.network.writes();
    f.network.fail_write(n);
    REQUIRE_FALSE(f.member.start(f.network.now()));
    f.network.run_for(30s);
    REQUIRE(f.member.is_joined());
    // Offered until it was taken: an offer or its answer may be what is lost.
    for (int i = 0; i < 3 && f.log.ends == 0; ++i) {
      f.say(to_hex(relay::encode_host_offer(5000)));
      f.network.run_for(30s);
    }
    CHECK(f.log.ends == 1);
    CHECK(f.log.take().back() == "end promoted");
    CHECK(f.relay.most_open == 1);
    if (f.network.writes() - before < n) break;
    REQUIRE(n < 50);
  }
}

TEST_CASE("relay extension: a challenge without a password to answer it",
          "[relay][extension][player]") {
  const std::string challenge = to_hex(relay::encode_challenge({}));
  ExtendedPlayer f;
  f.relay.answer = [&](muster::Connection&) { f.relay.say(challenge); };
  REQUIRE_FALSE(f.member.start(f.network.now()));
  f.network.run_for(1h);
  CHECK(f.log.take() == Lines{"end refused"});
  CHECK(f.log.last_text == text::password_needed);
  CHECK(f.relay.heard.empty());

  ExtendedPlayer without{test::MemberFixture::config()};
  without.relay.answer = [&](muster::Connection&) { without.relay.say(challenge); };
  REQUIRE_FALSE(without.member.start(without.network.now()));
  without.network.run_for(1h);
  CHECK(without.log.take() == Lines{"end protocol_error"});

  ExtendedPlayer damaged;
  damaged.relay.answer = [&](muster::Connection&) { damaged.relay.say("1500"); };
  REQUIRE_FALSE(damaged.member.start(damaged.network.now()));
  damaged.network.run_for(1h);
  CHECK(damaged.log.take() == Lines{"end protocol_error"});
}

TEST_CASE("relay extension: one that comes back says what it saw", "[relay][extension][player]") {
  ExtendedPlayer f;
  const auto sequence = [](std::uint64_t n) { return to_hex(relay::encode_state_sequence(n)); };
  const auto asked_after = [&f](Lines said) -> std::optional<std::uint64_t> {
    for (const std::string& hex : said) f.say(hex);
    f.log.take();
    f.cut();
    f.network.run_for(1min);  // the backoff grows
    REQUIRE(f.member.is_joined());
    const std::size_t last = f.relay.joins.size() - 1;
    REQUIRE(f.relay.joins[last].token == 77U);
    return f.offered(last).sequence;
  };
  f.join();
  CHECK_FALSE(asked_after({}));
  CHECK_FALSE(asked_after({"0361", "0262"}));  // no number was said
  CHECK(asked_after({"0361", sequence(7)}) == 7U);
  CHECK(asked_after({"0261", "0361", sequence(7), "0262", "0263"}) == 9U);
  CHECK(asked_after({"0361", sequence(7), "0462", "0263"}) == 9U);  // a reset is a change
  CHECK(asked_after({"0361", sequence(7), "0462", sequence(8)}) == 8U);
  CHECK(asked_after({"0461", sequence(20), "0262"}) == 21U);
  CHECK(asked_after({"0361", "0262", sequence(7)}) == 8U);
  CHECK_FALSE(asked_after({"0361", sequence(7), "0362"}));  // a state of an unknown number
  CHECK_FALSE(asked_after({"0461", "0262"}));
  CHECK(f.log.ends == 0);
}

TEST_CASE("relay extension: one that comes back goes on where it stopped",
          "[relay][extension][player]") {
  ExtendedPlayer f;
  f.join();
  CHECK_FALSE(f.member.is_synced());
  f.relay.say("0361");
  f.relay.say(to_hex(relay::encode_state_sequence(7)));
  f.say("0262");
  CHECK(f.member.is_synced());
  f.relay.answer = [&f](muster::Connection&) {
    f.granted.sequence = 8;
    f.relay.welcome(3, f.granted);
    f.relay.say("0263");  // what it missed
  };
  f.cut();
  f.network.run_for(1ms);
  CHECK_FALSE(f.member.is_synced());
  f.network.run_for(5s);
  CHECK(f.offered(1).sequence == 8U);
  CHECK(f.log.take() == Lines{"full a", "delta b", "away connection_lost", "again 3", "delta c"});
  CHECK(f.log.value == "abc");
  CHECK(f.member.is_synced());
  // And again, with one more.
  f.relay.answer = [&f](muster::Connection&) {
    f.granted.sequence.reset();
    f.relay.welcome(3, f.granted);
    f.relay.say("0264");
    f.relay.say("0365");
  };
  f.cut();
  f.network.run_for(5s);
  CHECK(f.offered(2).sequence == 9U);
  CHECK(f.log.take() == Lines{"away connection_lost", "again 3", "full e"});
  CHECK(f.member.stats().deltas_unsynced == 1);
}

TEST_CASE("relay extension: a relay that goes on elsewhere is not believed",
          "[relay][extension][player]") {
  ExtendedPlayer f;
  f.join();
  f.relay.say("0361");
  f.say(to_hex(relay::encode_state_sequence(7)));
  f.granted.sequence = 6;
  f.cut();
  f.network.run_for(1h);
  CHECK(f.log.take() == Lines{"full a", "away connection_lost", "end protocol_error"});
}

TEST_CASE("relay extension: a player that accepts the offer becomes the host",
          "[relay][extension][player][host]") {
  ExtendedPlayer f;
  f.join();
  f.log.accepts = true;
  f.say(to_hex(relay::encode_host_offer(5000)));
  CHECK(f.log.take() == Lines{"offer 5000"});
  CHECK(f.heard() == Lines{"16"});

  SECTION("and a host takes its connection over") {
    relay::MemberConfig config = everything();
    test::HostLog host_log;
    std::unique_ptr<relay::Host> host;
    muster::Connection* const old = f.relay.current;
    f.log.promoted = [&](std::uint64_t token) {
      config.token = token;
      host =
          std::make_unique<relay::Host>(config, f.dialer, f.network.outbox(), f.entropy, host_log);
      REQUIRE_FALSE(host->start(f.network.now()));
      CHECK(f.member.send_action({}) == errc::closed);
    };
    f.relay.answer = [&](muster::Connection&) {
      f.relay.welcome(0, f.granted, 4712);
      old->close(muster::CloseReason::superseded, 1008, {},
                 {relay::encode_server_error(text::superseded)});
    };
    f.relay.welcome(0, f.granted, 4711);
    f.say("02000178");  // to the host, before it has taken over
    CHECK(f.member.token() == 4711U);
    f.network.run_for(5s);
    CHECK(f.log.take() == Lines{"promoted 4711", "end promoted"});
    REQUIRE(f.relay.joins.size() == 2);
    CHECK(f.relay.joins[1].token == 4711U);
    REQUIRE(host != nullptr);
    CHECK_FALSE(f.relay.joins[1].create_room);
    CHECK(host->is_joined());
    CHECK(host_log.take() == Lines{"again"});
    host->terminate(f.network.now());
    f.network.run_for(5s);
  }
  SECTION("and lets the time pass") {
    f.relay.welcome(0, f.granted, 4711);
    f.network.run_for(9s);
    CHECK(f.log.take() == Lines{"promoted 4711"});
    f.network.run_for(5s);
    CHECK(f.log.take() == Lines{"end promoted"});
    CHECK(f.relay.closes == std::vector<std::uint16_t>{1000});
  }
  SECTION("and is lost before the handover") {
    f.relay.welcome(0, f.granted, 4711);
    f.network.run_for(50ms);
    f.cut();
    f.network.run_for(1h);
    CHECK(f.log.take() == Lines{"promoted 4711", "end promoted"});
    CHECK(f.relay.joins.size() == 1);
  }
  SECTION("and the old one came back instead") {
    f.say(to_hex(relay::encode_host_state({relay::HostPresence::back, 0, 0})));
    f.say("0361");
    CHECK(f.log.take() == Lines{"host 1 0 0", "full a"});
    CHECK(f.member.is_joined());
  }
  SECTION("and is welcomed as something else") {
    f.relay.welcome(3);
    f.network.run_for(1h);
    CHECK(f.log.take() == Lines{"end protocol_error"});
  }
  SECTION("and is lost, and what it said does not count any more") {
    f.cut();
    f.network.run_for(5s);
    REQUIRE(f.member.is_joined());
    f.say("0600000005000000000000004d");
    f.network.run_for(1h);
    CHECK(f.log.take().back() == "end protocol_error");
  }
}

TEST_CASE("relay extension: a host speaks to some of its players", "[relay][extension][host]") {
  ExtendedHost f;
  const std::array<std::uint16_t, 2> both{1, 300};
  CHECK(f.member.send_to(both, {}) == errc::wrong_state);
  f.join();
  f.say("000001");
  CHECK(f.heard() == Lines{"0353"});
  // Behind what the turn says to all, in the order in which it was said.
  CHECK_FALSE(f.member.send_to(both, as_bytes("x")));
  CHECK_FALSE(f.member.send_to_all_but({}, {}));
  CHECK_FALSE(f.member.send_to({}, as_bytes("nobody")));
  CHECK_FALSE(f.member.delta(as_bytes("a")));
  CHECK_FALSE(f.member.send_to_all_but({both.data(), 1}, as_bytes("y")));
  CHECK(f.heard() == Lines{"0261",
                           "10000002"
                           "0001012c"
                           "78",
                           "10010000",
                           "10010001"
                           "0001"
                           "79"});
  CHECK(f.member.stats().targeted == 3);
  // A newcomer has the state before what is for it alone.
  const std::array<std::uint16_t, 1> newcomer{2};
  f.relay.say("000002");
  f.network.run_for(5ms);
  CHECK_FALSE(f.member.send_to(newcomer, as_bytes("z")));
  CHECK(f.heard() == Lines{"0353",
                           "10000001"
                           "0002"
                           "7a"});
  // While nobody is there, nothing is sent.
  f.say("010001");
  f.say("010002");
  CHECK_FALSE(f.member.send_to(newcomer, as_bytes("z")));
  CHECK(f.heard().empty());
  CHECK(f.member.stats().targeted_lost == 1);
  f.cut();
  f.network.run_for(1ms);
  CHECK(f.member.send_to(both, {}) == errc::wrong_state);
  f.member.terminate(f.network.now());
  CHECK(f.member.send_to(both, {}) == errc::closed);
  CHECK(f.member.send_to_all_but(both, {}) == errc::closed);
}

TEST_CASE("relay extension: bounds of what a host says to some", "[relay][extension][host]") {
  relay::MemberConfig config = everything();
  config.max_host_message = 1024;
  config.budget = {.bytes = 2 * 1024 * 1024, .frames = 8, .reserve_frames = 4};
  ExtendedHost f{config};
  f.join();
  f.say("000001");
  (void)f.heard();
  const std::array<std::uint16_t, 1> one{1};
  const std::vector<std::byte> bytes(1024);
  CHECK_FALSE(f.member.send_to(one, muster::byte_view{bytes}.first(1018)));
  CHECK(f.member.send_to(one, muster::byte_view{bytes}.first(1019)) == errc::too_large);
  CHECK(f.member.send_to(std::vector<std::uint16_t>(511), {}) == errc::too_large);
  CHECK(f.member.send_to(std::vector<std::uint16_t>(65536), {}) == errc::too_large);
  for (int i = 1; i < 8; ++i) CHECK_FALSE(f.member.send_to(one, as_bytes("a")));
  CHECK(f.member.send_to(one, as_bytes("a")) == errc::over_budget);
  // The connection takes four. Then all who are there are told the state.
  CHECK(f.heard().size() == 5);
  CHECK(f.member.stats().targeted == 4);
  CHECK(f.member.stats().targeted_lost == 4);
  CHECK(f.member.stats().resyncs == 1);
  CHECK_FALSE(f.member.send_to(one, as_bytes("b")));
  CHECK(f.heard() == Lines{"10000001"
                           "0001"
                           "62"});
}

TEST_CASE("relay extension: a host's room info and bans", "[relay][extension][host]") {
  ExtendedHost f;
  CHECK(f.member.ban(0, relay::BanScope::user) == errc::bad_value);
  f.join();
  // With nobody there; the latest counts.
  CHECK_FALSE(f.member.set_info(true, true, as_bytes("m")));
  CHECK_FALSE(f.member.set_info(false, true, as_bytes("n")));
  CHECK_FALSE(f.member.ban(2, relay::BanScope::user));
  CHECK_FALSE(f.member.ban(2, relay::BanScope::address));
  CHECK_FALSE(f.member.ban(1, relay::BanScope::address));
  CHECK(f.heard() == Lines{"17000102", "17000203", "13026e"});
  CHECK(f.member.next_deadline() == muster::no_deadline);
  const std::vector<std::byte> metadata(relay::max_metadata_size + 1);
  CHECK(f.member.set_info(true, true, metadata) == errc::too_large);
  CHECK_FALSE(f.member.set_info(true, false, muster::byte_view{metadata}.first(1024)));
  CHECK(f.heard().size() == 1);
  // While it is away, the wishes stay.
  f.cut();
  f.network.run_for(1ms);
  CHECK_FALSE(f.member.set_info(true, false, {}));
  CHECK_FALSE(f.member.ban(7, relay::BanScope::user));
  f.network.run_for(10s);
  CHECK(f.heard() == Lines{"17000701", "1301"});
  f.member.terminate(f.network.now());
  CHECK(f.member.set_info(true, true, {}) == errc::closed);
  CHECK(f.member.ban(1, relay::BanScope::user) == errc::closed);
}

TEST_CASE("relay extension: a host and its spectators", "[relay][extension][host]") {
  ExtendedHost f;
  f.join();
  const auto spectator = [](relay::MemberChange change, std::uint16_t id) {
    return members({{change, id, relay::no_seat, relay::spectator_flag, ""}});
  };
  // Heard of by MEMBER_EVENT alone, and in need of the state.
  f.say(spectator(relay::MemberChange::joined, 4));
  CHECK(f.log.take() == Lines{"member 1 joined 4"});
  CHECK(f.heard() == Lines{"0353"});
  CHECK(f.member.spectators() == std::set<std::uint16_t>{4});
  CHECK(f.member.members().empty());
  CHECK_FALSE(f.member.delta(as_bytes("a")));
  const std::array<std::uint16_t, 1> only{4};
  CHECK_FALSE(f.member.send_to(only, as_bytes("x")));
  CHECK(f.heard() == Lines{"0261",
                           "10000001"
                           "0004"
                           "78"});
  f.say(spectator(relay::MemberChange::away, 4));
  CHECK_FALSE(f.member.delta(as_bytes("b")));
  CHECK(f.heard().empty());
  f.say(spectator(relay::MemberChange::back, 4));
  CHECK(f.heard() == Lines{"0353"});
  CHECK_FALSE(f.member.kick(4));
  CHECK(f.heard() == Lines{"010004"});
  f.say(spectator(relay::MemberChange::kicked, 4));
  CHECK(f.member.kick(4) == errc::not_found);
  CHECK(f.member.spectators().empty());
  f.log.take();
  // A player's event changes nothing by itself.
  f.say(members({{relay::MemberChange::joined, 1, 1, relay::extended_flag, "Zoë"}}));
  CHECK(f.heard().empty());
  f.say("000001");
  CHECK(f.heard() == Lines{"0353"});
  CHECK(f.log.take() == Lines{"member 2 joined 1 seat 1 Zoë", "arrival 1"});
  // Back after a loss, it is told who watches, and tells all of them the state.
  f.say(spectator(relay::MemberChange::joined, 5));
  (void)f.heard();
  f.relay.answer = [&](muster::Connection&) {
    f.relay.welcome(0, f.granted);
    f.relay.say(spectator(relay::MemberChange::joined, 6));
  };
  f.cut();
  f.network.run_for(10s);
  CHECK(f.member.spectators() == std::set<std::uint16_t>{6});
  CHECK(f.heard() == Lines{"0453"});
}

TEST_CASE("relay extension: ranges of its configuration", "[relay][extension][player]") {
  std::string problem;
  const auto check = [&](const relay::ExtensionConfig& extension, std::string_view field) {
    CHECK(validate(config_with(extension), problem) == errc::invalid_config);
    CHECK_THAT(problem, StartsWith("extension." + std::string{field}));
  };
  CHECK_FALSE(validate(config_with({}), problem));
  CHECK_FALSE(validate(config_with({.capabilities = relay::all_capabilities,
                                    .name = std::string(64, 'n'),
                                    .seat = 65534,
                                    .password = "pw",
                                    .mac = &weak_mac,
                                    .metadata = std::vector<std::byte>(1024)}),
                       problem));
  check({.capabilities = 64}, "capabilities");
  check({.name = std::string(65, 'n')}, "name");
  check({.name = "a\n"}, "name");
  check({.name = "\xff"}, "name");
  check({.seat = 0}, "seat");
  check({.seat = 65535}, "seat");
  check({.password = "pw"}, "mac");
  check({.metadata = std::vector<std::byte>(1025)}, "metadata");
}
