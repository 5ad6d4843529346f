// SPDX-License-Identifier: MIT
// A player joins, hears, acts, is lost and comes back.
#include <muster/relay/player.hpp>
#include <muster/relay/service.hpp>

#include "member_fixture.hpp"
#include "support/catch.hpp"

#include <memory>
#include <set>
#include <string>
#include <vector>

namespace relay = muster::relay;
namespace text = muster::relay::error_text;
using muster::as_bytes;
using muster::CloseInfo;
using muster::CloseReason;
using muster::errc;
using relay::Parting;
using test::Lines;
using namespace std::chrono_literals;

namespace {

struct PlayerFixture : test::MemberFixture {
  explicit PlayerFixture(const relay::MemberConfig& with = config())
      : player(with, dialer, network.outbox(), entropy, log) {
    network.add(player);
    relay.answer = [this](muster::Connection&) { relay.welcome(3); };
  }
  ~PlayerFixture() { network.remove(player); }

  void join() {
    REQUIRE_FALSE(player.start(network.now()));
    network.run_for(100ms);
    REQUIRE(player.is_joined());
    log.take();
  }
  void cut() {
    if (relay.current != nullptr) network.cut(*relay.current);
  }

  test::PlayerLog log;
  relay::Player player;
};

relay::MemberConfig without_reconnect() {
  relay::MemberConfig config = test::MemberFixture::config();
  config.reconnect.enabled = false;
  return config;
}

}  // namespace

TEST_CASE("relay parting: every text of the protocol passes or is final", "[relay][parting]") {
  const std::set<std::string> passing{std::string{text::initial_error},
                                      std::string{text::host_left_during_handshake},
                                      std::string{text::host_not_available},
                                      std::string{text::host_already_connected},
                                      std::string{text::response_not_sent},
                                      std::string{text::connection_lost},
                                      std::string{text::channel_closed},
                                      std::string{text::host_write_failed},
                                      std::string{text::client_write_failed},
                                      std::string{text::too_slow},
                                      std::string{text::sent_too_much},
                                      std::string{text::overloaded},
                                      std::string{text::too_many_attempts},
                                      std::string{text::broadcast_failed},
                                      std::string{text::unknown_internal_command},
                                      std::string{text::illegal_message_for_client},
                                      std::string{text::host_side_fault},
                                      std::string{text::client_side_fault},
                                      std::string{text::malformed_message}};
  for (const std::string& said : passing) {
    CAPTURE(said);
    REQUIRE(relay::parting_of(said));
    CHECK(is_passing(*relay::parting_of(said)));
  }
  const std::vector<std::pair<std::string, Parting>> final_ones{
      {std::string{text::host_left}, Parting::left},
      {std::string{text::client_left}, Parting::left},
      {std::string{text::bad_join_request}, Parting::refused},
      {std::string{text::invalid_token}, Parting::invalid_token},
      {std::string{text::kicked}, Parting::kicked},
      {std::string{text::superseded}, Parting::superseded},
      {std::string{text::wrong_account}, Parting::invalid_token},
      {std::string{text::banned}, Parting::kicked},
      {std::string{text::password_needed}, Parting::refused},
      {std::string{text::wrong_password}, Parting::refused},
      {std::string{text::no_spectators}, Parting::refused},
      {std::string{text::room_closed}, Parting::room_is_full},
      {std::string{text::room_idle}, Parting::room_over},
      {std::string{text::host_gone}, Parting::room_over},
      {std::string{text::empty_message}, Parting::protocol_error},
      {std::string{text::illegal_host_message}, Parting::protocol_error},
      {std::string{text::illegal_client_message}, Parting::protocol_error},
      {text::unknown_game("g"), Parting::unknown_game},
      {text::room_exists("r", "g"), Parting::room_exists},
      {text::no_such_room("r", "g"), Parting::no_such_room},
      {text::room_is_gone("r", "g"), Parting::no_such_room},
      {text::room_is_full("r", 4), Parting::room_is_full},
      {"Room  r exceeded max amount of players 4.", Parting::room_is_full},  // the ancestor's
      {text::out_of_client_ids("r"), Parting::room_is_full},
      {text::no_such_room("", ""), Parting::no_such_room},
  };
  for (const auto& [said, parting] : final_ones) {
    CAPTURE(said);
    CHECK(relay::parting_of(said) == parting);
    CHECK_FALSE(is_passing(parting));
    // How it is closed does not turn a known refusal into a passing one.
    CHECK(relay::parting_of(said, {CloseReason::refused, true, 1013, {}}, false) == parting);
    CHECK(relay::parting_of(said, {CloseReason::connection_lost, true, 0, {}}, true) == parting);
  }
  CHECK_FALSE(relay::parting_of("Something else."));
  CHECK_FALSE(relay::parting_of(""));
}

TEST_CASE("relay parting: without words the close decides", "[relay][parting]") {
  const auto by = [](CloseReason reason, int code, bool by_peer = true) {
    return relay::parting_of({}, {reason, by_peer, static_cast<std::uint16_t>(code), {}}, true);
  };
  CHECK(by(CloseReason::connection_lost, 0) == Parting::connection_lost);
  CHECK(by(CloseReason::connect_failed, 0) == Parting::connect_failed);
  CHECK(by(CloseReason::timed_out, 1001) == Parting::timed_out);
  CHECK(by(CloseReason::too_slow, 1008) == Parting::too_slow);
  CHECK(by(CloseReason::draining, 1001) == Parting::relay_away);
  CHECK(by(CloseReason::draining, 1001, false) == Parting::left);
  CHECK(by(CloseReason::protocol_error, 1002, false) == Parting::protocol_error);
  CHECK(by(CloseReason::too_large, 1009) == Parting::protocol_error);
  for (const int code : {0, 1000, 1005, 1006}) {
    CHECK(by(CloseReason::finished, code) == Parting::connection_lost);
  }
  for (const int code : {1001, 1012, 1013}) {
    CHECK(by(CloseReason::finished, code) == Parting::relay_away);
  }
  CHECK(by(CloseReason::finished, 1011) == Parting::relay_fault);
  for (const int code : {1002, 1003, 1007, 1009, 1010}) {
    CHECK(by(CloseReason::finished, code) == Parting::protocol_error);
  }
  for (const int code : {1008, 4000, 4999}) {
    CHECK(by(CloseReason::finished, code) == Parting::refused);
  }
  for (const int status : {408, 425, 429, 500, 502, 503, 504}) {
    CHECK(by(CloseReason::refused, status) == Parting::relay_away);
  }
  for (const int status : {200, 301, 400, 401, 403, 404, 426}) {
    CHECK(by(CloseReason::refused, status) == Parting::refused);
  }
  // An unknown text.
  const std::string_view odd = "Come back later.";
  CHECK(relay::parting_of(odd, {CloseReason::finished, true, 1013, {}}, false) ==
        Parting::relay_away);
  CHECK(relay::parting_of(odd, {CloseReason::finished, true, 0, {}}, false) == Parting::refused);
  CHECK(relay::parting_of(odd, {CloseReason::finished, true, 1008, {}}, true) == Parting::refused);
  // "Connection lost." about a message that the relay could not read.
  CHECK(relay::parting_of(text::connection_lost, {CloseReason::finished, true, 1009, {}}, true) ==
        Parting::protocol_error);
  for (std::size_t i = 0; i < relay::parting_count; ++i) {
    CHECK_FALSE(to_string(static_cast<Parting>(i)).empty());
  }
}

TEST_CASE("relay player: joins with its request, and learns who it is", "[relay][player]") {
  PlayerFixture f;
  CHECK(f.player.state() == relay::Player::State::idle);
  CHECK(f.player.send_action({}) == errc::wrong_state);
  REQUIRE_FALSE(f.player.start(f.network.now()));
  CHECK(f.player.start(f.network.now()) == errc::wrong_state);
  CHECK(f.player.state() == relay::Player::State::connecting);
  CHECK(f.log.lines.empty());
  f.network.run_for(100ms);
  CHECK(f.log.take() == Lines{"joined 3"});
  CHECK(f.player.token() == 77U);
  CHECK(f.player.player_id() == 3);
  REQUIRE(f.relay.joins.size() == 1);
  CHECK(f.relay.joins[0].game_id == "chess");
  CHECK(f.relay.joins[0].room_id == "r");
  CHECK(f.relay.joins[0].rule_variation == 5);
  CHECK_FALSE(f.relay.joins[0].create_room);
  CHECK_FALSE(f.relay.joins[0].token);
  CHECK_FALSE(f.player.send_action(as_bytes("go")));
  CHECK_FALSE(f.player.send_action({}));
  f.network.run_for(1s);
  CHECK(f.relay.heard == Lines{"02676f", "02"});
  CHECK(f.player.next_deadline() == muster::no_deadline);
}

TEST_CASE("relay player: no delta before a state", "[relay][player]") {
  PlayerFixture f;
  f.join();
  f.relay.say("0261");
  f.relay.say("0362");
  f.relay.say("0263");
  f.relay.say("0464");
  f.relay.say("02");
  f.network.run_for(1s);
  CHECK(f.log.take() == Lines{"full b", "delta c", "reset d", "delta "});
  CHECK(f.player.stats().deltas_unsynced == 1);
  // After it came back, again.
  f.cut();
  f.network.run_for(5s);
  f.relay.say("0261");
  f.relay.say("0462");
  f.relay.say("0263");
  f.network.run_for(1s);
  CHECK(f.log.take() == Lines{"away connection_lost", "again 3", "reset b", "delta c"});
  CHECK(f.player.stats().deltas_unsynced == 2);
}

TEST_CASE("relay defect 37: malformed messages end the session and nothing else",
          "[relay][player]") {
  const auto [hex, in_room] = GENERATE(
      std::pair{"", true}, std::pair{"00", true}, std::pair{"01", true}, std::pair{"07", true},
      std::pair{"ff", true}, std::pair{"06000300050000000000000001", true}, std::pair{"06", true},
      std::pair{"", false}, std::pair{"06", false}, std::pair{"0600030005", false},
      std::pair{"060003000500000000000000", false}, std::pair{"02", false},
      std::pair{"0361", false}, std::pair{"00", false},
      std::pair{"06000000050000000000000001", false});
  CAPTURE(hex, in_room);
  PlayerFixture f;
  if (!in_room) f.relay.answer = [&f, hex = hex](muster::Connection&) { f.relay.say(hex); };
  REQUIRE_FALSE(f.player.start(f.network.now()));
  f.network.run_for(100ms);
  if (in_room) f.relay.say(hex);
  f.network.run_for(1h);
  CHECK(f.log.take().back() == "end protocol_error");
  CHECK(f.log.ends == 1);
  CHECK(f.player.stats().malformed == 1);
  CHECK(f.relay.closes == std::vector<std::uint16_t>{1002});
  CHECK(f.relay.joins.size() == 1);
  CHECK(f.player.state() == relay::Player::State::ended);
  CHECK(f.player.send_action({}) == errc::closed);
}

TEST_CASE("relay player: texts are ignored, and a message above the limit is not",
          "[relay][player]") {
  PlayerFixture f;
  f.join();
  f.relay.current->send({as_bytes("hello"), muster::MessageKind::text});
  f.network.run_for(1s);
  CHECK(f.log.lines.empty());
  CHECK(f.player.stats().texts_ignored == 1);
  CHECK(f.relay.current->set_budget({.bytes = 8 * 1024 * 1024}));
  f.relay.current->send({std::vector<std::byte>(1024 * 1024 + 1, std::byte{3})});
  f.network.run_for(1s);
  CHECK(f.log.take() == Lines{"end protocol_error"});
}

TEST_CASE("relay player: final refusals end it", "[relay][player]") {
  const auto [said, expected] = GENERATE(
      std::pair{text::unknown_game("chess"), "end unknown_game"},
      std::pair{text::no_such_room("r", "chess"), "end no_such_room"},
      std::pair{text::room_is_full("r", 2), "end room_is_full"},
      std::pair{std::string{text::invalid_token}, "end invalid_token"},
      std::pair{text::room_is_gone("r", "chess"), "end no_such_room"},
      std::pair{std::string{"Whatever."}, "end refused"}, std::pair{std::string{}, "end refused"});
  CAPTURE(said);
  PlayerFixture f;
  f.relay.answer = [&f, said = said](muster::Connection&) { f.relay.end(said); };
  REQUIRE_FALSE(f.player.start(f.network.now()));
  f.network.run_for(1h);
  CHECK(f.log.take() == Lines{expected});
  CHECK(f.log.last_text == said);
  CHECK(f.log.ends == 1);
  CHECK(f.relay.joins.size() == 1);
}

TEST_CASE("relay player: endings in the room are final", "[relay][player]") {
  const auto [said, expected] =
      GENERATE(std::pair{text::kicked, "end kicked"}, std::pair{text::host_gone, "end room_over"},
               std::pair{text::superseded, "end superseded"},
               std::pair{text::illegal_client_message, "end protocol_error"});
  PlayerFixture f;
  f.join();
  f.relay.end(said);
  f.network.run_for(1h);
  CHECK(f.log.take() == Lines{expected});
  CHECK(f.log.ends == 1);
  CHECK(f.relay.joins.size() == 1);
}

TEST_CASE("relay defect 17: passing refusals are tried again with the token", "[relay][player]") {
  const std::string_view said = GENERATE(text::host_not_available, text::host_left_during_handshake,
                                         text::connection_lost, text::channel_closed);
  PlayerFixture f;
  f.join();
  int refusals = 3;
  f.relay.answer = [&](muster::Connection&) {
    if (refusals-- > 0) {
      f.relay.end(said, 1013);
    } else {
      f.relay.welcome(3);
    }
  };
  f.cut();
  f.network.run_for(60s);
  REQUIRE(f.relay.joins.size() == 5);
  for (std::size_t i = 1; i < 5; ++i) {
    CHECK(f.relay.joins[i].token == 77U);
    CHECK_FALSE(f.relay.joins[i].create_room);
  }
  CHECK(f.log.take().back() == "again 3");
  CHECK(f.relay.most_open == 1);
}

TEST_CASE("relay player: a relay that does not close after its last words is closed",
          "[relay][player]") {
  PlayerFixture f;
  f.join();
  f.relay.say("05" + test::to_hex(as_bytes(text::kicked)));
  f.network.run_for(1s);
  CHECK(f.log.lines.empty());
  f.network.run_for(2s);
  CHECK(f.log.take() == Lines{"end kicked"});
  CHECK(f.relay.closes == std::vector<std::uint16_t>{1000});
}

TEST_CASE("relay player: a dial without an answer, and a relay without a welcome",
          "[relay][player]") {
  PlayerFixture f;
  f.relay.answer = [](muster::Connection&) {};
  REQUIRE_FALSE(f.player.start(f.network.now()));
  f.network.run_for(9s);
  CHECK(f.log.lines.empty());
  f.network.run_for(1500ms);
  CHECK(f.log.take().front() == "away timed_out");
  CHECK(f.log.last_text == "no welcome in time");
  f.relay.answer = [&f](muster::Connection&) { f.relay.welcome(3); };
  f.network.run_for(30s);
  CHECK(f.log.take().back() == "joined 3");
  CHECK(f.relay.most_open == 1);
}

TEST_CASE("relay player: attempts wait within the bounds of the backoff, and end",
          "[relay][player]") {
  relay::MemberConfig config = test::MemberFixture::config();
  config.reconnect.max_attempts = 8;
  config.reconnect.give_up_after = 1h;
  config.reconnect.backoff = {.first = 100ms, .longest = 2s};
  PlayerFixture f{config};
  f.dialer.refuse_next(1000);
  REQUIRE_FALSE(f.player.start(f.network.now()));
  f.network.run_for(1h);
  REQUIRE(f.log.waits.size() == 7);
  CHECK(f.dialer.dials() == 8);
  const muster::Backoff backoff{config.reconnect.backoff, f.entropy};
  for (std::uint32_t i = 0; i < f.log.waits.size(); ++i) {
    CHECK(f.log.waits[i] >= 0s);
    CHECK(f.log.waits[i] <= backoff.bound(i));
  }
  CHECK(f.log.take().back() == "end gave_up");
  CHECK(f.log.ends == 1);
}

TEST_CASE("relay player: gives up after a time without a welcome", "[relay][player]") {
  relay::MemberConfig config = test::MemberFixture::config();
  config.reconnect.max_attempts = 0;
  config.reconnect.give_up_after = 30s;
  PlayerFixture f{config};
  f.join();
  f.dialer.refuse_next(100000);
  const auto lost_at = f.network.now();
  f.cut();
  f.network.run_for(29s);
  CHECK(f.log.ends == 0);
  f.network.run_for(2s);
  CHECK(f.log.take().back() == "end gave_up");
  CHECK(f.network.now() - lost_at == 31s);
  CHECK(f.log.ends == 1);
}

TEST_CASE("relay player: without reconnecting the first loss is the end", "[relay][player]") {
  PlayerFixture f{without_reconnect()};
  f.join();
  f.cut();
  f.network.run_for(1h);
  CHECK(f.log.take() == Lines{"end connection_lost"});
  CHECK(f.relay.joins.size() == 1);
}

TEST_CASE("relay player: an upgrade that is refused", "[relay][player]") {
  struct Refuser final : muster::Service {
    void on_upgrade(const muster::Request&, muster::Decision decision,
                    muster::time_point) override {
      decision.respond({.status = status});
    }
    void on_message(muster::Connection&, const muster::Message&, muster::time_point) override {}
    unsigned status = 503;
  } refuser;
  PlayerFixture f;
  (void)f.dialer.listen(test::relay_url, refuser);
  REQUIRE_FALSE(f.player.start(f.network.now()));
  f.network.run_for(20ms);
  CHECK(f.log.take().front() == "away relay_away");
  refuser.status = 404;
  f.network.run_for(1min);
  CHECK(f.log.take().back() == "end refused");
}

TEST_CASE("relay player: leaves in every state, and on_end is heard once", "[relay][player]") {
  SECTION("before it started") {
    PlayerFixture f;
    f.player.leave(f.network.now());
    CHECK(f.log.take() == Lines{"end left"});
    CHECK(f.player.start(f.network.now()) == errc::wrong_state);
  }
  SECTION("while it connects") {
    PlayerFixture f;
    REQUIRE_FALSE(f.player.start(f.network.now()));
    f.player.leave(f.network.now());
    CHECK(f.log.lines.empty());
    f.network.run_for(1min);
    CHECK(f.log.take() == Lines{"end left"});
    CHECK(f.relay.joins.empty());
  }
  SECTION("while it joins") {
    PlayerFixture f;
    f.relay.answer = [](muster::Connection&) {};
    REQUIRE_FALSE(f.player.start(f.network.now()));
    f.network.run_for(100ms);
    CHECK(f.player.state() == relay::Player::State::joining);
    f.player.leave(f.network.now());
    f.network.run_for(1min);
    CHECK(f.log.take() == Lines{"end left"});
    CHECK(f.relay.heard.empty());
  }
  SECTION("in the room, with the last actions first") {
    PlayerFixture f;
    f.join();
    CHECK_FALSE(f.player.send_action(as_bytes("a")));
    f.player.leave(f.network.now());
    f.player.leave(f.network.now());
    CHECK(f.player.send_action(as_bytes("b")) == errc::closed);
    f.network.run_for(1min);
    CHECK(f.log.take() == Lines{"end left"});
    CHECK(f.relay.heard == Lines{"0261", "03"});
    CHECK(f.relay.closes == std::vector<std::uint16_t>{1000});
  }
  SECTION("while it is away: at once") {
    PlayerFixture f;
    f.join();
    f.dialer.refuse_next(1000);
    f.cut();
    f.network.run_for(1s);
    f.log.take();
    while (f.player.state() != relay::Player::State::away) f.network.step();
    f.log.take();
    f.player.leave(f.network.now());
    CHECK(f.log.take() == Lines{"end left"});
    f.network.run_for(1h);
    CHECK(f.log.lines.empty());
  }
  SECTION("after the relay's last words, before its close") {
    PlayerFixture f;
    f.join();
    f.relay.say("05" + test::to_hex(as_bytes(text::channel_closed)));
    f.network.run_for(100ms);
    f.player.leave(f.network.now());
    f.network.run_for(1h);
    CHECK(f.log.take() == Lines{"end left"});
  }
  SECTION("from within on_joined") {
    PlayerFixture f;
    f.log.then = [&f] { f.player.leave(f.network.now()); };
    REQUIRE_FALSE(f.player.start(f.network.now()));
    f.network.run_for(1h);
    CHECK(f.log.take() == Lines{"joined 3", "end left"});
  }
  SECTION("when the process drains") {
    PlayerFixture f;
    f.join();
    static_cast<muster::Service&>(f.player).on_drain(f.network.now());
    f.network.run_for(1h);
    CHECK(f.log.take() == Lines{"end left"});
    CHECK(f.relay.heard == Lines{"03"});
  }
}

TEST_CASE("relay player: actions wait for the welcome, in order and within bounds",
          "[relay][player]") {
  PlayerFixture f;
  REQUIRE_FALSE(f.player.start(f.network.now()));
  CHECK_FALSE(f.player.send_action(as_bytes("1")));
  f.log.then = [&f] { CHECK_FALSE(f.player.send_action(as_bytes("2"))); };
  f.network.run_for(1s);
  CHECK(f.relay.heard == Lines{"0231", "0232"});
  f.log.then = nullptr;

  f.relay.heard.clear();
  f.dialer.refuse_next(1);
  f.cut();
  CHECK_FALSE(f.player.send_action(as_bytes("x")));  // the loss is not told yet
  f.network.run_for(1ms);
  for (int i = 1; i < 64; ++i) CHECK_FALSE(f.player.send_action(as_bytes("y")));
  CHECK(f.player.send_action(as_bytes("z")) == errc::over_budget);
  CHECK(f.player.stats().actions_refused == 1);
  f.network.run_for(10s);
  REQUIRE(f.relay.heard.size() == 64);
  CHECK(f.relay.heard.front() == "0278");
  CHECK(f.relay.heard.back() == "0279");

  f.cut();
  f.network.run_for(1ms);
  const std::vector<std::byte> large(60 * 1024);
  CHECK_FALSE(f.player.send_action(large));
  CHECK(f.player.send_action(large) == errc::over_budget);
  CHECK(f.player.send_action(std::vector<std::byte>(64 * 1024)) == errc::too_large);
}

TEST_CASE("relay player: a full connection refuses, and waiting actions go when it drains",
          "[relay][player]") {
  relay::MemberConfig config = test::MemberFixture::config();
  config.max_away_actions = 1000;
  config.budget = {.bytes = 2 * 1024 * 1024, .frames = 8, .reserve_frames = 4};
  PlayerFixture f{config};
  REQUIRE_FALSE(f.player.start(f.network.now()));
  for (int i = 0; i < 100; ++i) CHECK_FALSE(f.player.send_action(as_bytes("a")));
  f.network.run_for(10s);
  CHECK(f.relay.heard.size() == 100);
  int accepted = 0;
  while (!f.player.send_action(as_bytes("b"))) ++accepted;
  CHECK(accepted == 4);
  f.network.run_for(10s);
  CHECK(f.relay.heard.size() == 104);
}

TEST_CASE("relay player: a token from elsewhere brings it back", "[relay][player]") {
  relay::MemberConfig config = test::MemberFixture::config();
  config.token = 0;  // also a token
  PlayerFixture f{config};
  f.relay.answer = [&f](muster::Connection&) { f.relay.welcome(9, 123); };
  REQUIRE_FALSE(f.player.start(f.network.now()));
  f.network.run_for(1s);
  CHECK(f.log.take() == Lines{"again 9"});
  CHECK(f.relay.joins[0].token == 0U);
  CHECK(f.player.token() == 123U);
  // The relay may give another token, but not another player.
  f.relay.answer = [&f](muster::Connection&) { f.relay.welcome(8, 124); };
  f.cut();
  f.network.run_for(10s);
  CHECK(f.relay.joins[1].token == 123U);
  CHECK(f.log.take() == Lines{"away connection_lost", "end protocol_error"});
}

TEST_CASE("relay player: any write may fail", "[relay][player]") {
  for (std::uint64_t n = 1;; ++n) {
    CAPTURE(n);
    PlayerFixture f;
    const std::uint64_t before = f.network.writes();
    f.network.fail_write(n);
    REQUIRE_FALSE(f.player.start(f.network.now()));
    f.network.run_for(30s);
    REQUIRE(f.player.is_joined());
    f.relay.say("0361");
    CHECK_FALSE(f.player.send_action(as_bytes("x")));
    f.network.run_for(30s);
    REQUIRE(f.player.is_joined());
    f.player.leave(f.network.now());
    f.network.run_for(30s);
    CHECK(f.log.ends == 1);
    CHECK(f.log.take().back() == "end left");
    CHECK(f.relay.most_open == 1);
    if (f.network.writes() - before < n) break;
    REQUIRE(n < 50);
  }
}

TEST_CASE("relay player: an hour with losses every few seconds", "[relay][player]") {
  relay::MemberConfig config = test::MemberFixture::config();
  config.reconnect.backoff.reset_after = 2s;
  PlayerFixture f{config};
  std::string state;
  f.relay.answer = [&](muster::Connection&) {
    f.relay.welcome(3);
    f.relay.say("03" + test::to_hex(as_bytes(state)));
  };
  REQUIRE_FALSE(f.player.start(f.network.now()));
  const auto end = f.network.now() + 1h;
  int cuts = 0;
  for (int i = 0; f.network.now() < end; ++i) {
    f.network.run_for(std::chrono::milliseconds{100 + f.entropy.next_u64() % 400});
    const std::string change(1, static_cast<char>('a' + i % 26));
    state += change;
    f.relay.say("02" + test::to_hex(as_bytes(change)));
    if (i % 12 == 11) {
      f.cut();
      ++cuts;
    }
  }
  f.network.run_for(1min);
  CHECK(cuts > 500);
  CHECK(f.player.is_joined());
  CHECK(f.log.value == state);
  CHECK(f.log.ends == 0);
  CHECK(f.relay.most_open == 1);
  CHECK(f.player.stats().welcomes > 500);
}

TEST_CASE("relay player: ranges of the configuration", "[relay][player]") {
  std::string problem;
  relay::MemberConfig good = test::MemberFixture::config();
  CHECK_FALSE(validate(good, problem));
  CHECK(problem.empty());
  const auto refused = [&](auto change, std::string_view field) {
    relay::MemberConfig config = good;
    change(config);
    CHECK(validate(config, problem) == errc::invalid_config);
    CHECK_THAT(problem, StartsWith(std::string{field}));
  };
  refused([](auto& c) { c.url = "http://a/"; }, "url");
  refused([](auto& c) { c.game_id = "\xff"; }, "game_id");
  refused([](auto& c) { c.room_id = std::string(1025, 'a'); }, "room_id");
  refused([](auto& c) { c.join_timeout = 0s; }, "join_timeout");
  refused([](auto& c) { c.close_timeout = -1s; }, "close_timeout");
  refused([](auto& c) { c.reconnect.give_up_after = 0s; }, "reconnect.give_up_after");
  refused([](auto& c) { c.reconnect.backoff.first = 0s; }, "reconnect.backoff");
  refused([](auto& c) { c.max_host_message = 1; }, "max_host_message");
  refused([](auto& c) { c.max_client_message = 1; }, "max_client_message");
  refused([](auto& c) { c.max_away_actions = 65537; }, "max_away_actions");
  refused([](auto& c) { c.max_away_bytes = std::size_t{1} << 30U; }, "max_away_bytes");
  refused([](auto& c) { c.budget.frames = 1; }, "budget");
  refused([](auto& c) { c.budget.bytes = 1024 * 1024; }, "budget.bytes");
  PlayerFixture f{[&] {
    relay::MemberConfig config = good;
    config.room_id = "\xff";
    return config;
  }()};
  CHECK(f.player.start(f.network.now()) == errc::bad_utf8);
}
