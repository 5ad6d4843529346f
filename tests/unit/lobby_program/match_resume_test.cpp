// SPDX-License-Identifier: MIT
// A match whose seats go away and come back, and a match that is run again.
#include "match.hpp"

#include "match_fixture.hpp"
#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <chrono>
#include <cstdint>
#include <limits>
#include <set>
#include <string>

using namespace lobby_program;
using namespace std::chrono_literals;
using Admission = Match::Admission;
using test::holdem;
using test::MatchWorld;
using test::SentFrames;
using test::tic_tac_toe;

namespace {

const MatchConfig without_delay{.min_result_delay = 0s, .max_result_delay = 0s};

}  // namespace

TEST_CASE("match: who comes back is sent its open turn again, and nothing else",
          "[lobby_program][match]") {
  MatchWorld world{tic_tac_toe(), without_delay};
  world.attach_both();
  const Json before = world.last(0, "turn_request");
  world.match.detach(0, world.now);
  world.pass(10s);
  world.take(0);
  CHECK(world.match.admission(0) == Admission::welcome);
  REQUIRE(world.match.attach(0, world.now) == Admission::welcome);
  const std::vector<Json> frames = world.take(0);
  REQUIRE(frames.size() == 1);
  CHECK(frames[0]["type"] == "turn_request");
  CHECK(frames[0]["request_id"] == before["request_id"]);
  CHECK(frames[0]["state"] == before["state"]);
  CHECK(frames[0]["seq"] == before["seq"].get<int>() + 1);
  world.answer(0, "4");
  CHECK(world.last(0, "turn_result")["details"]["action"] == "4");
}

TEST_CASE("match: who comes back outside its turn is sent nothing", "[lobby_program][match]") {
  MatchWorld world{tic_tac_toe(), without_delay};
  world.attach_both();
  world.match.detach(1, world.now);
  world.take(1);
  REQUIRE(world.match.attach(1, world.now) == Admission::welcome);
  CHECK(world.take_types(1).empty());
}

TEST_CASE("match: the numbers of frames that a seat missed are not given out again",
          "[lobby_program][match]") {
  MatchWorld world{tic_tac_toe(), without_delay};
  world.attach_both();
  const std::uint64_t before = world.last(1, "round_start")["seq"];
  world.match.detach(1, world.now);
  world.answer(0, "4");  // its result and the request of seat 1 are missed
  CHECK(world.match.stats().missed == 2);
  world.pass(1s);
  REQUIRE(world.match.attach(1, world.now) == Admission::welcome);
  CHECK(world.last(1, "turn_request")["seq"] == before + 3);
}

TEST_CASE("match: the clock stands still during the first absence only", "[lobby_program][match]") {
  MatchWorld world{tic_tac_toe(), without_delay};
  world.attach_both();
  world.pass(2s);
  world.match.detach(0, world.now);
  world.pass(20s);
  CHECK(world.last(1, "turn_result").is_null());
  REQUIRE(world.match.attach(0, world.now) == Admission::welcome);
  CHECK(world.last(0, "turn_request")["timeout_ms"] == 3000);
  CHECK(world.last(0, "turn_request")["turn_duration_ms"] == 5000);
  CHECK(world.match.next_deadline() == world.now + 3s);

  world.match.detach(0, world.now);
  world.pass(1s);
  REQUIRE(world.match.attach(0, world.now) == Admission::welcome);
  CHECK(world.last(0, "turn_request")["timeout_ms"] == 2000);

  world.match.detach(0, world.now);
  world.pass(2s);
  CHECK(world.last(1, "turn_result")["details"]["is_timeout"] == true);
}

TEST_CASE("match: the clock of a turn that begins in the first absence waits too",
          "[lobby_program][match]") {
  MatchWorld world{tic_tac_toe(), without_delay};
  world.attach_both();
  world.match.detach(1, world.now);
  world.answer(0, "4");
  world.pass(25s);
  CHECK(world.last(0, "turn_result")["seat"] == 0);
  REQUIRE(world.match.attach(1, world.now) == Admission::welcome);
  CHECK(world.last(1, "turn_request")["timeout_ms"] == 5000);
  world.pass(1s);
  world.answer(1, "0");
  CHECK(world.last(1, "turn_result")["seat"] == 1);
}

TEST_CASE("match: the time of an absence is not in the time that a decision took",
          "[lobby_program][match]") {
  MatchWorld world{tic_tac_toe(), without_delay};
  world.attach_both();
  world.pass(1s);
  world.match.detach(0, world.now);
  world.pass(20s);
  REQUIRE(world.match.attach(0, world.now) == Admission::welcome);
  world.pass(2s);
  world.answer(0, "0");
  world.answer(1, "3");
  world.answer(0, "1");
  world.answer(1, "4");
  world.answer(0, "2");
  REQUIRE(world.match.is_over());
  const Json samples = world.last(0, "match_end")["results"][0]["decision_latency_samples_ms"];
  REQUIRE(samples.size() == 3);
  CHECK(samples[0] == 3000.0);
  CHECK(samples[1] == 0.0);
}

TEST_CASE("match: a fourth absence is the last, and its turns are acted for at once",
          "[lobby_program][match]") {
  MatchWorld world{tic_tac_toe(),
                   {.turn_timeout = 60s, .min_result_delay = 0s, .max_result_delay = 0s}};
  world.attach_both();
  for (int i = 0; i < 3; ++i) {
    world.match.detach(0, world.now);
    REQUIRE(world.match.attach(0, world.now) == Admission::welcome);
  }
  CHECK(world.match.stats().reconnects == 3);
  world.match.detach(0, world.now);
  CHECK(world.match.admission(0) == Admission::budget_exhausted);
  CHECK(world.match.attach(0, world.now) == Admission::budget_exhausted);
  CHECK(world.last(1, "turn_result")["details"]["is_timeout"] == true);
  // Its next turn too.
  world.answer(1, "8");
  CHECK(world.match.stats().substituted == 2);
  world.pass(30s);
  CHECK(world.match.outcome()->forfeit == 0U);
}

TEST_CASE("match: without reconnects the first absence is the last", "[lobby_program][match]") {
  MatchWorld world{tic_tac_toe(),
                   {.min_result_delay = 0s, .max_result_delay = 0s, .max_reconnects = 0}};
  world.attach_both();
  world.match.detach(0, world.now);
  CHECK(world.last(1, "turn_result")["details"]["is_timeout"] == true);
  CHECK(world.match.admission(0) == Admission::budget_exhausted);
}

TEST_CASE("match: who stays away for longer than the grace has given up",
          "[lobby_program][match]") {
  MatchWorld world{holdem(), without_delay};
  world.attach_both();
  world.match.detach(0, world.now);
  world.pass(30s - 1ns);
  CHECK_FALSE(world.match.is_over());
  world.pass(1ns);
  REQUIRE(world.match.is_over());
  CHECK(world.match.outcome()->status == Outcome::Status::completed);
  CHECK(world.match.outcome()->forfeit == 0U);
  CHECK(world.match.outcome()->result.seats[1].net == 1000);
  const Json end = world.last(1, "match_end");
  CHECK(end["forfeit_seat"] == 0);
  CHECK(end["forfeit_winner_seat"] == 1);
  CHECK(end["forfeit_reason"] == "disconnected");
  CHECK(end["abandoned_seat"] == 0);
  CHECK(end["terminal_status"] == "completed");
  CHECK_FALSE(end.contains("error_code"));
  CHECK(world.match.admission(0) == Admission::grace_expired);
  CHECK(world.match.admission(1) == Admission::match_ended);
  CHECK(world.sent.closes == std::vector<SentFrames::Close>{{1, 1000, "match_ended"}});
}

TEST_CASE("match: the grace begins anew with each absence", "[lobby_program][match]") {
  MatchWorld world{tic_tac_toe(), without_delay};
  world.attach_both();
  for (int i = 0; i < 3; ++i) {
    world.match.detach(1, world.now);
    world.pass(1s);
    REQUIRE(world.match.attach(1, world.now) == Admission::welcome);
  }
  CHECK(world.match.next_deadline() == muster::time_point{5s});  // the turn of seat 0 alone
}

TEST_CASE("match: if all stay away nobody has won", "[lobby_program][match]") {
  MatchWorld world{holdem(), without_delay};
  world.attach_both();
  world.match.detach(0, world.now);
  SECTION("one after the other") {
    world.pass(10s);
    world.match.detach(1, world.now);
    world.pass(20s);
    CHECK_FALSE(world.match.is_over());
    CHECK(world.match.admission(0) == Admission::grace_expired);
    world.pass(10s);
    REQUIRE(world.match.is_over());
    CHECK_FALSE(world.match.end_frame().contains("simultaneous_disconnect"));
  }
  SECTION("at the same time") {
    world.match.detach(1, world.now);
    world.pass(30s);
    REQUIRE(world.match.is_over());
    CHECK(world.match.end_frame()["simultaneous_disconnect"] == true);
  }
  CHECK(world.match.outcome()->status == Outcome::Status::abandoned);
  CHECK_FALSE(world.match.outcome()->forfeit);
  CHECK(world.match.end_frame()["terminal_status"] == "abandoned");
  CHECK(world.match.end_frame()["abandoned"] == true);
  CHECK(world.match.end_frame()["all_disconnected"] == true);
}

TEST_CASE("match: the one who comes back in time wins against the one who does not",
          "[lobby_program][match]") {
  MatchWorld world{holdem(), without_delay};
  world.attach_both();
  world.match.detach(0, world.now);
  world.pass(10s);
  world.match.detach(1, world.now);
  world.pass(25s);
  REQUIRE(world.match.attach(1, world.now) == Admission::welcome);
  REQUIRE(world.match.is_over());
  CHECK(world.match.outcome()->forfeit == 0U);
  CHECK(world.last(1, "match_end")["forfeit_winner_seat"] == 1);
}

TEST_CASE("match: a second connection for a seat is refused", "[lobby_program][match]") {
  MatchWorld world{holdem()};
  world.attach_both();
  world.take(0);
  CHECK(world.match.admission(0) == Admission::duplicate_participant);
  CHECK(world.match.attach(0, world.now) == Admission::duplicate_participant);
  CHECK(world.take_types(0).empty());
  CHECK(world.match.stats().reconnects == 0);
  CHECK(to_string(Admission::duplicate_participant) == "duplicate_participant");
  CHECK(to_string(Admission::budget_exhausted) == "budget_exhausted");
  CHECK(to_string(Admission::grace_expired) == "grace_expired");
}

TEST_CASE("match: a result on its way is told before a match ends", "[lobby_program][match]") {
  MatchWorld world{tic_tac_toe(),
                   {.min_result_delay = 400ms, .max_result_delay = 400ms, .reconnect_grace = 1s}};
  world.attach_both();
  world.match.detach(1, world.now);
  world.pass(900ms);
  world.answer(0, "4");
  REQUIRE(world.match.attach(1, world.now) == Admission::welcome);
  world.take(1);
  world.match.detach(0, world.now);
  world.pass(300ms);
  CHECK(world.take_types(1).empty());
  world.match.detach(1, world.now);
  REQUIRE(world.match.attach(1, world.now) == Admission::welcome);
  world.pass(10s);
  CHECK(world.take_types(1) == "turn_result turn_request match_end");
}

TEST_CASE("match: the draft dialect has its own numbers and frames", "[lobby_program][match]") {
  const Json frames = test::load_vectors("lobby_frames.json")["frames"];
  const auto keys_of = [](const Json& object) {
    std::set<std::string> keys;
    for (const auto& [key, value] : object.items()) keys.insert(key);
    return keys;
  };
  MatchWorld world{holdem(), {.dialect = Dialect::draft}};
  world.attach_both();
  CHECK(world.sent.frames[0][0]["type"] == "match_start");
  CHECK(world.sent.frames[0][0]["seq"] == 2);  // the hello was 1
  CHECK_FALSE(world.sent.frames[0][0].contains("your_seat"));
  CHECK(world.take_types(0) == "match_start session_token round_start turn_request");
  CHECK(keys_of(world.last(0, "session_token")) == keys_of(frames["session_token"]));
  CHECK_FALSE(world.last(0, "turn_request").contains("deadline_ts"));
  CHECK(world.last(0, "round_start")["round_id"].get<std::string>().size() == 36);

  // A rejected action, then the result after the delay, for all.
  world.answer(0, "check");
  CHECK(world.last(0, "action_rejected")["submitted_action"].is_object());
  CHECK_FALSE(world.last(0, "action_rejected").contains("valid_actions"));
  world.take(0);
  world.answer(0, "call");
  CHECK(world.take_types(0).empty());
  world.pass(500ms);
  CHECK(world.take_types(0) == "turn_result");
  CHECK(world.last(0, "turn_result")["is_timeout"] == false);

  // Seat 1 goes away and comes back to a whole picture.
  const Json request = world.last(1, "turn_request");
  world.match.detach(1, world.now);
  world.pass(1s);
  world.take(1);
  REQUIRE(world.match.attach(1, world.now) == Admission::welcome);
  CHECK(world.take_types(1) == "reconnected");
  const Json reconnected = world.last(1, "reconnected");
  CHECK(keys_of(reconnected) == keys_of(frames["reconnected"]));
  CHECK(reconnected["match_state"] == "in_progress");
  CHECK(keys_of(reconnected["pending_request"]) ==
        keys_of(frames["reconnected"]["pending_request"]));
  CHECK(reconnected["pending_request"]["request_id"] == request["request_id"]);
  CHECK(reconnected["seq"] == request["seq"].get<int>() + 1);

  // Time over.
  world.pass(5s);
  CHECK(keys_of(world.last(1, "action_timeout")) == keys_of(frames["action_timeout"]));
  CHECK(world.last(1, "action_timeout")["auto_action"] == "check");
  world.match.detach(1, world.now);
  REQUIRE(world.match.attach(1, world.now) == Admission::welcome);
  CHECK(world.last(1, "reconnected")["pending_request"].is_null() ==
        (world.match.next_deadline() - world.now <= 500ms));

  // Pings go on.
  world.pass(10s);
  CHECK(keys_of(world.last(0, "ping")) == keys_of(frames["ping"]));
  world.match.detach(0, world.now);
  world.pass(31s);
  const Json end = world.last(1, "match_end");
  CHECK(end["reason"] == "forfeit");
  CHECK(end["results"][1]["rank"] == 1);
  CHECK(end["results"][0]["rank"] == 2);
  CHECK(end["results"][1]["participant_id"] == "p_b");
  CHECK(end["results"][1]["score"] == 1000);
}

namespace {

/// Plays a match with drops, noise, long frames and late answers, all from a number.
void disturb(MatchWorld& world, std::uint64_t number) {
  SeedStream dice{derive({}, "disturbed", number)};
  for (int i = 0; i < 4000 && !world.match.is_over(); ++i) {
    const std::size_t seat = dice.below(2) == 0 ? 0 : 1;
    const std::uint64_t die = dice.below(100);
    if (!world.match.is_attached(seat)) {
      if (die < 80) world.match.attach(seat, world.now);
    } else if (die < 1 && world.match.is_started()) {
      world.match.detach(seat, world.now);
    } else if (die < 3) {
      world.match.receive(seat, die == 1 ? "{\"a\":" : "[1]", world.now);
    } else if (die == 3) {
      world.match.receive(seat, std::string(5000, 'x'), world.now);
    } else if (die < 6) {
      world.say(seat, {{"type", "hello"}});
    } else if (const Json request = world.last(seat, "turn_request"); request.is_object()) {
      const Json& valid = request["valid_actions"];
      world.answer(seat, valid[static_cast<std::size_t>(dice.below(valid.size()))],
                   {{"amount", dice.below(1500)}});
    }
    world.pass(std::chrono::milliseconds{dice.below(die < 97 ? 300 : 4000)});
  }
}

}  // namespace

TEST_CASE("match: from its seed and what came in it is run again, to the same bytes",
          "[lobby_program][match][replay]") {
  std::set<int> endings;
  for (std::uint64_t number = 0; number < 60; ++number) {
    CAPTURE(number);
    const MatchConfig config{.dialect = number % 3 == 0 ? Dialect::draft : Dialect::current,
                             .reconnect_grace = 3s};
    MatchWorld world{holdem({.hands_per_level = 3}), config, number};
    disturb(world, number);
    REQUIRE(world.match.is_over());
    endings.insert(static_cast<int>(world.match.outcome()->status));
    REQUIRE(world.match.record().is_complete());

    const auto record = MatchRecord::from_json(world.match.record().to_json());
    REQUIRE(record);
    REQUIRE(*record == world.match.record());
    SentFrames again;
    const auto outcome = replay("m1", config, holdem({.hands_per_level = 3}), MatchWorld::seats(),
                                world.seed, *record, again);
    REQUIRE(outcome);
    REQUIRE(outcome->status == world.match.outcome()->status);
    REQUIRE(outcome->forfeit == world.match.outcome()->forfeit);
    REQUIRE(again.texts == world.sent.texts);
    REQUIRE(again.closes == world.sent.closes);

    // With another seed it is another match.
    SentFrames other;
    static_cast<void>(replay("m1", config, holdem({.hands_per_level = 3}), MatchWorld::seats(),
                             derive({}, "other", number), *record, other));
    REQUIRE(other.texts != world.sent.texts);
  }
  CHECK(endings.count(static_cast<int>(Outcome::Status::completed)) == 1);
}

TEST_CASE("match: whatever comes in, frames are numbered, chips are kept, and there is one end",
          "[lobby_program][match]") {
  for (std::uint64_t number = 100; number < 160; ++number) {
    CAPTURE(number);
    MatchWorld world{holdem({.hands_per_level = 3}), {.reconnect_grace = 3s}, number};
    disturb(world, number);
    REQUIRE(world.match.is_over());
    for (const std::size_t seat : {0U, 1U}) {
      std::uint64_t last = 0;
      std::size_t ends = 0;
      for (const Json& frame : world.sent.frames[seat]) {
        const std::uint64_t seq = frame["seq"];
        REQUIRE(seq > last);
        last = seq;
        if (frame["type"] == "match_end") ++ends;
        if (frame["type"] == "round_result") {
          const Json& stacks = frame["result"]["stacks"];
          REQUIRE(stacks[0].get<int>() + stacks[1].get<int>() == 2000);
        }
        if (frame["type"] == "turn_request") REQUIRE(frame["seat"] == seat);
      }
      REQUIRE(ends <= 1);
      if (ends == 1) REQUIRE(world.sent.frames[seat].back()["type"] == "match_end");
    }
    const GameResult& result = world.match.outcome()->result;
    REQUIRE(result.seats[0].net + result.seats[1].net == 0);
  }
}

TEST_CASE("match record: what is not one is refused", "[lobby_program][replay]") {
  MatchRecord record{MatchWorld::wall()};
  record.add(MatchInput::Kind::attach, 0, 1ms, {});
  record.add(MatchInput::Kind::text, 0, 2ms, "{}");
  const Json good = record.to_json();
  REQUIRE(MatchRecord::from_json(good));
  const auto with = [&](const std::string& pointer, Json value) {
    Json json = good;
    json[Json::json_pointer{pointer}] = std::move(value);
    return MatchRecord::from_json(json).has_value();
  };
  CHECK_FALSE(MatchRecord::from_json(nullptr));
  CHECK_FALSE(with("/started", "x"));
  CHECK_FALSE(with("/complete", 1));
  CHECK_FALSE(with("/inputs", 1));
  CHECK_FALSE(with("/inputs/0", Json::array()));
  CHECK_FALSE(with("/inputs/0/0", "eat"));
  CHECK_FALSE(with("/inputs/0/1", 256));
  CHECK_FALSE(with("/inputs/0/1", -1));
  CHECK_FALSE(with("/inputs/0/2", "1"));
  CHECK_FALSE(with("/inputs/1/2", 0));  // before the one before it
  CHECK_FALSE(with("/inputs/1/3", nullptr));
  CHECK_FALSE(with("/inputs/1/2", std::numeric_limits<std::int64_t>::max()));
}

TEST_CASE("match record: one with other seats is not run", "[lobby_program][replay]") {
  MatchRecord record{MatchWorld::wall()};
  record.add(MatchInput::Kind::attach, 0, 0ms, {});
  record.add(MatchInput::Kind::attach, 1, 0ms, {});
  record.add(MatchInput::Kind::fail, 0, 1ms, "over");
  SentFrames sent;
  CHECK(replay("m1", {}, tic_tac_toe(), MatchWorld::seats(), {}, record, sent));
  MatchRecord other{MatchWorld::wall()};
  other.add(MatchInput::Kind::attach, 2, 0ms, {});
  other.add(MatchInput::Kind::fail, 0, 1ms, "over");
  CHECK_FALSE(replay("m1", {}, tic_tac_toe(), MatchWorld::seats(), {}, other, sent));
}

TEST_CASE("match record: it stops at its bound and says so", "[lobby_program][replay]") {
  MatchRecord record;
  const std::string text(1 << 20, 'x');
  for (int i = 0; i < 3; ++i) record.add(MatchInput::Kind::text, 0, 1ms, text);
  CHECK(record.is_complete());
  for (int i = 0; i < 3; ++i) record.add(MatchInput::Kind::text, 0, 1ms, text);
  CHECK_FALSE(record.is_complete());
  CHECK(record.inputs().size() == 3);
  // What follows a gap is worth nothing.
  record.add(MatchInput::Kind::advance, 0, 2ms, {});
  CHECK(record.inputs().size() == 3);
}
