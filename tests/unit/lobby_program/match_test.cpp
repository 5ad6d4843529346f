// SPDX-License-Identifier: MIT
// A match: its start, its turns and their time, and what clients may send.
#include "match.hpp"

#include "match_fixture.hpp"
#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <chrono>
#include <set>
#include <string>

using namespace lobby_program;
using namespace std::chrono_literals;
using test::holdem;
using test::MatchWorld;
using test::SentFrames;
using test::tic_tac_toe;

namespace {

std::set<std::string> keys_of(const Json& object) {
  std::set<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.insert(key);
  return keys;
}

const MatchConfig without_delay{.min_result_delay = 0s, .max_result_delay = 0s};

/// Plays tic-tac-toe to its end: seat 0 wins.
void play_row(MatchWorld& world) {
  world.answer(0, "0");
  world.answer(1, "3");
  world.answer(0, "1");
  world.answer(1, "4");
  world.answer(0, "2");
}

}  // namespace

TEST_CASE("match: it starts when all seats are there, and each is told its own",
          "[lobby_program][match]") {
  MatchWorld world{holdem()};
  CHECK(world.match.attach(0, world.now) == Match::Admission::welcome);
  CHECK_FALSE(world.match.is_started());
  CHECK(world.take_types(0).empty());
  CHECK(world.match.attach(1, world.now) == Match::Admission::welcome);
  CHECK(world.match.is_started());
  CHECK(world.take_types(0) == "match_start round_start turn_request");
  CHECK(world.take_types(1) == "match_start round_start");
  CHECK(world.match.round() == 1);
  const Json start = world.last(1, "match_start");
  CHECK(start["your_seat"] == 1);
  CHECK(start["seats"][0]["is_self"] == false);
  CHECK(start["seats"][1]["is_self"] == true);
  CHECK(start["seats"][1]["participant_id"] == "p_b");
  CHECK(start["seats"][1]["display_name"] == "Bob");
  CHECK(world.last(0, "round_start")["state"]["your_hole_cards"] !=
        world.last(1, "round_start")["state"]["your_hole_cards"]);
}

TEST_CASE("match: its frames have the keys and types of the platform's", "[lobby_program][match]") {
  const Json frames = test::load_vectors("lobby_frames.json")["frames"];
  MatchWorld world{holdem(), without_delay};
  world.attach_both();
  const auto check = [&](const char* type) {
    CAPTURE(type);
    const Json frame = world.last(0, type);
    REQUIRE(frame.is_object());
    CHECK(keys_of(frame) == keys_of(frames[type]));
    for (const auto& [key, value] : frames[type].items()) {
      CAPTURE(key);
      CHECK(std::string{frame[key].type_name()} == value.type_name());
    }
  };
  check("match_start");
  check("round_start");
  check("turn_request");
  CHECK(world.last(0, "match_start")["server_ts"] == "2026-01-01T00:00:00.000Z");
  CHECK(world.last(0, "turn_request")["deadline_ts"] == 1'767'225'605'000);
  CHECK(world.last(0, "turn_request")["turn_duration_ms"] == 5000);
  CHECK(world.last(0, "round_start")["round_id"].get<std::string>().size() == 38);
  CHECK(world.last(0, "turn_request")["request_id"].get<std::string>().size() == 16);
  world.answer(0, "check");
  check("action_rejected");
  world.answer(0, "call");
  check("turn_result");
  CHECK(world.last(0, "turn_result")["details"] == frames["turn_result"]["details"]);
}

TEST_CASE("match: its end has the keys of the platform's", "[lobby_program][match]") {
  const Json told = test::load_vectors("lobby_frames.json")["frames"]["match_end"];
  MatchWorld world{holdem(), without_delay};
  world.attach_both();
  for (int turn = 0; turn < 100 && !world.match.is_over(); ++turn) {
    const std::size_t seat = turn % 2 == 0 ? 0 : 1;
    // All in with every hand.
    if (world.last(seat, "turn_request").is_null()) continue;
    const Json request = world.last(seat, "turn_request");
    const bool can_raise = request["valid_actions"].back() == "raise";
    world.answer(seat, can_raise ? "raise" : "call", {{"amount", 1'000'000}});
  }
  REQUIRE(world.match.is_over());
  for (const std::size_t seat : {0U, 1U}) {
    const Json end = world.last(seat, "match_end");
    CHECK(keys_of(end) == keys_of(told));
    CHECK(end["reason"] == "complete");
    CHECK(end["terminal_status"] == "completed");
    CHECK(end["mode"] == "elimination");
    REQUIRE(end["results"].size() == 2);
    for (const Json& entry : end["results"]) CHECK(keys_of(entry) == keys_of(told["results"][0]));
    CHECK(end["finishing_order"].size() == 2);
    CHECK(keys_of(end["finishing_order"][0]) == keys_of(told["finishing_order"][0]));
    const std::size_t winner = end["finishing_order"][0]["seat"];
    CHECK(end["results"][winner]["net_chips"] == 1000);
    CHECK(end["results"][winner]["final_stack"] == 2000);
    CHECK(end["total_hands_played"] == world.match.round());
  }
  CHECK(world.sent.closes ==
        std::vector<SentFrames::Close>{{0, 1000, "match_ended"}, {1, 1000, "match_ended"}});
  CHECK(world.match.outcome()->status == Outcome::Status::completed);
  CHECK_FALSE(world.match.outcome()->forfeit);
  CHECK(world.match.next_deadline() == muster::no_deadline);
  CHECK(world.match.end_frame()["reason"] == "complete");
}

TEST_CASE("match: the numbers of a seat's frames go up by one", "[lobby_program][match]") {
  MatchWorld world{tic_tac_toe(), without_delay};
  world.attach_both();
  play_row(world);
  REQUIRE(world.match.is_over());
  for (const std::size_t seat : {0U, 1U}) {
    std::uint64_t expected = 0;
    for (const Json& frame : world.sent.frames[seat]) CHECK(frame["seq"] == ++expected);
    CHECK(expected > 8);
  }
}

TEST_CASE("match: who acts sees the result at once, the other one later, and the game waits for it",
          "[lobby_program][match]") {
  std::set<std::int64_t> seen;
  for (std::uint64_t number = 0; number < 40; ++number) {
    MatchWorld world{tic_tac_toe(), {}, number};
    world.attach_both();
    world.take(0);
    world.take(1);
    world.answer(0, "4");
    CHECK(world.take_types(0) == "turn_result");
    CHECK(world.take_types(1).empty());
    const muster::duration delay = world.match.next_deadline() - world.now;
    CHECK(delay >= 100ms);
    CHECK(delay <= 500ms);
    world.pass(delay - 1ns);
    CHECK(world.take_types(1).empty());
    world.pass(1ns);
    CHECK(world.take_types(1) == "turn_result turn_request");
    CHECK(world.take_types(0).empty());
    // The whole time is left from here on.
    CHECK(world.last(1, "turn_request")["timeout_ms"] == 5000);
    CHECK(world.match.next_deadline() == world.now + 5s);
    seen.insert(delay / 1ms);
  }
  CHECK(seen.size() > 20);
  CHECK(*seen.begin() < 180);
  CHECK(*seen.rbegin() > 420);
}

TEST_CASE("match: an action that is not for the open turn is dropped without a word",
          "[lobby_program][match]") {
  MatchWorld world{tic_tac_toe(), without_delay};
  world.attach_both();
  const Json good = world.action(0, "4");
  world.take(0);
  world.take(1);
  const auto with = [&](const char* key, Json value) {
    Json frame = good;
    frame[key] = std::move(value);
    return frame;
  };
  world.say(0, with("request_id", "req_000000000000"));
  world.say(0, with("request_id", 7));
  world.say(0, with("match_id", "m2"));
  Json without_request = good;
  without_request.erase("request_id");
  world.say(0, without_request);
  world.say(1, good);  // the other one's turn
  CHECK(world.take_types(0).empty());
  CHECK(world.take_types(1).empty());
  CHECK(world.match.stats().stale == 5);
  // The turn is still open; once it is answered, the same answer is for a closed turn.
  world.say(0, good);
  CHECK(world.take_types(0) == "turn_result");
  world.say(0, good);
  CHECK(world.take_types(0).empty());
  CHECK(world.match.stats().stale == 6);
}

TEST_CASE("match: an action needs no match_id and no params", "[lobby_program][match]") {
  MatchWorld world{tic_tac_toe(), without_delay};
  world.attach_both();
  Json frame = world.action(0, "4");
  frame.erase("params");
  frame.erase("match_id");
  frame["of_the_future"] = 1;
  world.say(0, frame);
  CHECK(world.last(0, "turn_result")["details"]["action"] == "4");
}

TEST_CASE("match: an action that is not possible is answered, and the turn stays open",
          "[lobby_program][match]") {
  MatchWorld world{tic_tac_toe(), without_delay};
  world.attach_both();
  world.answer(0, "4");
  world.pass(2s);
  const Json request = world.last(1, "turn_request");
  world.answer(1, "4");
  const Json rejected = world.last(1, "action_rejected");
  CHECK(rejected["request_id"] == request["request_id"]);
  CHECK(rejected["remaining_ms"] == 3000);
  CHECK(rejected["submitted_action"] == "4");
  CHECK(rejected["valid_actions"] == request["valid_actions"]);
  CHECK(world.last(1, "turn_result")["seat"] == 0);
  world.answer(1, "0");
  CHECK(world.last(1, "turn_result")["seat"] == 1);
  CHECK(world.last(0, "action_rejected").is_null());
}

TEST_CASE("match: an action of a wrong type is rejected", "[lobby_program][match]") {
  MatchWorld world{tic_tac_toe(), without_delay};
  world.attach_both();
  Json frame = world.action(0, "4");
  frame["action"] = 4;
  world.say(0, frame);
  frame.erase("action");
  world.say(0, frame);
  frame = world.action(0, "4");
  frame["params"] = Json::array();
  world.say(0, frame);
  CHECK(world.match.stats().rejected == 3);
  CHECK(world.last(0, "turn_result").is_null());
}

TEST_CASE("match: when the time is over the game's default action is done",
          "[lobby_program][match]") {
  MatchWorld world{holdem(), without_delay};
  world.attach_both();
  world.pass(5s - 1ns);
  CHECK(world.last(0, "turn_result").is_null());
  world.pass(1ns);
  Json result = world.last(1, "turn_result");
  CHECK(result["details"]["action"] == "fold");
  CHECK(result["details"]["is_timeout"] == true);
  CHECK(world.last(1, "round_result")["result"]["action_history"][2]["is_timeout"] == true);
  CHECK(world.match.stats().substituted == 1);

  // In the next hand seat 1 calls, and seat 0 may check.
  world.answer(1, "call");
  world.pass(5s);
  result = world.last(1, "turn_result");
  CHECK(result["details"]["action"] == "check");
  CHECK(result["details"]["is_timeout"] == true);
}

TEST_CASE("match: an answer that comes at its deadline is too late", "[lobby_program][match]") {
  MatchWorld world{tic_tac_toe(), without_delay};
  world.attach_both();
  world.now += 5s;
  world.answer(0, "8");  // nobody has told the match of the time
  CHECK(world.last(0, "turn_result")["details"]["action"] == "0");
  CHECK(world.match.stats().stale == 1);
}

TEST_CASE("match: an answer that is not a JSON object is acted for", "[lobby_program][match]") {
  for (const char* text : {"", "{", "null", "[]", "7", "\"fold\"", "\xff\xfe"}) {
    CAPTURE(text);
    MatchWorld world{tic_tac_toe(), without_delay};
    world.attach_both();
    world.match.receive(0, text, world.now);
    CHECK(world.last(0, "turn_result")["details"]["action"] == "0");
    CHECK(world.last(0, "turn_result")["details"]["is_timeout"] == true);
    CHECK(world.match.stats().malformed == 1);
  }
  MatchWorld world{tic_tac_toe(), without_delay};
  world.attach_both();
  world.match.receive_binary(0, world.now);
  CHECK(world.last(0, "turn_result")["details"]["is_timeout"] == true);
}

TEST_CASE("match: outside its turn a seat that sends no JSON is told so",
          "[lobby_program][match]") {
  MatchWorld world{tic_tac_toe(), without_delay};
  world.attach_both();
  world.match.receive(1, "{", world.now);
  CHECK(world.last(1, "error")["code"] == "malformed_message");
  CHECK(world.last(1, "turn_result").is_null());
  world.say(1, {{"type", "authenticate"}});
  world.say(1, {{"no_type", 1}});
  world.say(1, {{"type", 7}});
  CHECK(world.match.stats().malformed == 4);
  world.say(1, {{"type", "pong"}, {"match_id", "m1"}});
  CHECK(world.match.stats().malformed == 4);
}

TEST_CASE("match: fifteen turns in a row without an answer give the match up",
          "[lobby_program][match]") {
  MatchWorld world{holdem({.hands_per_level = 0}), without_delay};
  world.attach_both();
  // Seat 1 calls or checks; seat 0 says nothing.
  for (int i = 0; i < 200 && !world.match.is_over(); ++i) {
    const Json request = world.last(1, "turn_request");
    if (!request.is_null()) {
      world.answer(1, request["valid_actions"][1].get<std::string>());
    }
    world.pass(5s);
  }
  REQUIRE(world.match.is_over());
  CHECK(world.match.stats().substituted == 15);
  CHECK(world.match.outcome()->forfeit == 0U);
  CHECK(world.match.outcome()->status == Outcome::Status::completed);
  const Json end = world.last(1, "match_end");
  CHECK(end["reason"] == "complete");
  CHECK(end["terminal_status"] == "error");
  CHECK(end["error_code"] == "BOT_UNRESPONSIVE_AUTO_SUBSTITUTE_LIMIT");
  CHECK(end["auto_substitute_limit_seat"] == 0);
  CHECK(end["forfeit_seat"] == 0);
  CHECK(end["forfeit_winner_seat"] == 1);
  CHECK(end["forfeit_reason"] == "auto_substitute_limit");
  CHECK(end["results"][0]["final_stack"] == 0);
  CHECK(end["results"][0]["bot_errors"].size() == 15);
  CHECK(end["results"][0]["decision_latency_samples_ms"].empty());
  CHECK_FALSE(end["results"][1]["decision_latency_samples_ms"].empty());
  // The result of the last turn was told before the end.
  const auto& frames = world.sent.frames[1];
  CHECK(frames[frames.size() - 2]["type"] == "turn_result");
}

TEST_CASE("match: one answer begins the count of missing answers anew", "[lobby_program][match]") {
  MatchWorld world{tic_tac_toe(),
                   {.min_result_delay = 0s, .max_result_delay = 0s, .max_substitutes = 2}};
  world.attach_both();
  world.pass(5s);  // cell 0
  world.answer(1, "1");
  world.answer(0, "4");
  world.answer(1, "8");
  world.pass(5s);  // cell 2
  world.answer(1, "6");
  world.answer(0, "3");
  world.answer(1, "5");
  world.pass(5s);  // cell 7
  CHECK(world.match.stats().substituted == 3);
  REQUIRE(world.match.is_over());
  CHECK_FALSE(world.match.outcome()->forfeit);
}

TEST_CASE("match: it is cancelled if not all come in time", "[lobby_program][match]") {
  MatchWorld world{holdem()};
  REQUIRE(world.match.attach(1, world.now) == Match::Admission::welcome);
  world.pass(30s - 1ns);
  CHECK_FALSE(world.match.is_over());
  world.pass(1ns);
  REQUIRE(world.match.is_over());
  CHECK(world.match.outcome()->status == Outcome::Status::cancelled);
  CHECK(world.match.outcome()->absent == std::vector<std::size_t>{0});
  const Json told = test::load_vectors("lobby_frames.json")["frames"]["match_end_cancelled"];
  const Json end = world.last(1, "match_end");
  CHECK(keys_of(end) == keys_of(told));
  CHECK(end["reason"] == "cancelled");
  CHECK(end["error_code"] == "connection_timeout");
  CHECK(end["seq"] == 1);
  CHECK(world.sent.closes == std::vector<SentFrames::Close>{{1, 1000, "match_ended"}});
  CHECK(world.match.admission(0) == Match::Admission::match_ended);
}

TEST_CASE("match: who comes and goes before the start is not there", "[lobby_program][match]") {
  MatchWorld world{holdem()};
  CHECK(world.match.attach(0, world.now) == Match::Admission::welcome);
  world.match.detach(0, world.now);
  CHECK(world.match.attach(1, world.now) == Match::Admission::welcome);
  CHECK_FALSE(world.match.is_started());
  CHECK(world.match.attach(0, world.now) == Match::Admission::welcome);
  CHECK(world.match.is_started());
  CHECK(world.match.stats().reconnects == 0);
}

TEST_CASE("match: the server can give it up", "[lobby_program][match]") {
  MatchWorld world{holdem()};
  world.attach_both();
  world.match.fail("going down", world.now);
  for (const std::size_t seat : {0U, 1U}) {
    const Json end = world.last(seat, "match_end");
    CHECK(end["reason"] == "error");
    CHECK(end["error_code"] == "server_error");
    CHECK(end["error_message"] == "going down");
    CHECK_FALSE(end.contains("results"));
    CHECK(end["seq"] == seat + 1);  // one counter for the match
  }
  CHECK(world.match.outcome()->status == Outcome::Status::failed);
  world.match.fail("again", world.now);
  CHECK(world.sent.closes.size() == 2);
}

TEST_CASE("match: a frame that is too long closes the connection", "[lobby_program][match]") {
  MatchWorld world{holdem()};
  world.attach_both();
  Json frame = world.action(0, "call");
  frame["padding"] = std::string(4096, 'x');
  world.say(0, frame);
  CHECK(world.last(0, "error")["code"] == "message_too_large");
  CHECK(world.sent.closes == std::vector<SentFrames::Close>{{0, 4008, "message_too_large"}});
  CHECK_FALSE(world.match.is_attached(0));
  world.match.detach(0, world.now);  // the gateway hears of the close
  CHECK(world.match.attach(0, world.now) == Match::Admission::welcome);
  CHECK(world.match.stats().reconnects == 1);
}

TEST_CASE("match: frames beyond ten in a second are not read, and the fifth closes the connection",
          "[lobby_program][match]") {
  MatchWorld world{holdem()};
  world.attach_both();
  const Json noise{{"type", "pong"}};
  for (int i = 0; i < 10; ++i) world.say(1, noise);
  CHECK(world.last(1, "error").is_null());
  for (int i = 0; i < 4; ++i) world.say(1, noise);
  CHECK(world.last(1, "error")["code"] == "rate_limited");
  CHECK(world.match.stats().rate_limited == 4);
  CHECK(world.sent.closes.empty());

  // A second later there is room again.
  world.pass(1s);
  for (int i = 0; i < 10; ++i) world.say(1, noise);
  CHECK(world.match.stats().rate_limited == 4);

  // What was counted survives a reconnect.
  world.match.detach(1, world.now);
  REQUIRE(world.match.attach(1, world.now) == Match::Admission::welcome);
  world.say(1, noise);
  CHECK(world.match.stats().rate_limited == 5);
  CHECK(world.sent.closes == std::vector<SentFrames::Close>{{1, 4009, "rate_limit_exceeded"}});
  CHECK_FALSE(world.match.is_attached(1));
}

TEST_CASE("match: without a limit of frames none is refused", "[lobby_program][match]") {
  MatchWorld world{holdem(), {.frames_per_second = 0}};
  world.attach_both();
  for (int i = 0; i < 1000; ++i) world.say(1, {{"type", "pong"}});
  CHECK(world.match.stats().rate_limited == 0);
}

TEST_CASE("match: invalid actions beyond five in a round count as violations",
          "[lobby_program][match]") {
  MatchWorld world{holdem(), {.turn_timeout = 60s, .min_result_delay = 0s, .max_result_delay = 0s}};
  world.attach_both();
  for (int i = 0; i < 5; ++i) world.answer(0, "all_in");
  CHECK(world.match.stats().rate_limited == 0);
  world.pass(1s);
  world.take(0);
  world.answer(0, "all_in");
  CHECK(world.take_types(0) == "error");
  CHECK(world.match.stats().rate_limited == 1);
  // In the next round they are counted anew.
  world.answer(0, "fold");
  world.answer(1, "fold");
  world.pass(1s);
  world.answer(0, "check");
  CHECK(world.match.round() == 3);
  CHECK(world.last(0, "action_rejected")["submitted_action"] == "check");
  CHECK(world.match.stats().rate_limited == 1);
}

TEST_CASE("match: any game can be played, with its own words", "[lobby_program][match]") {
  MatchWorld world{tic_tac_toe(), without_delay};
  world.attach_both();
  CHECK(world.last(0, "turn_request")["valid_actions"].size() == 9);
  play_row(world);
  REQUIRE(world.match.is_over());
  const Json end = world.last(1, "match_end");
  CHECK(end["results"][0]["score"] == 1);
  CHECK(end["finishing_order"][0]["name"] == "Ann");
  CHECK(world.match.outcome()->result.seats[0].net == 1);
}

TEST_CASE("match: a configuration outside its ranges is named", "[lobby_program][match]") {
  CHECK_FALSE(validate(MatchConfig{}));
  CHECK(validate(MatchConfig{.turn_timeout = 999ms}));
  CHECK(validate(MatchConfig{.min_result_delay = 2s}));
  CHECK(validate(MatchConfig{.max_substitutes = 0}));
  CHECK_FALSE(validate(MatchConfig{.frames_per_second = 0}));
  CHECK(validate(MatchConfig{.frames_per_second = 65}));
  CHECK(validate(MatchConfig{.max_violations = 0}));
}
