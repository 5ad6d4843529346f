// SPDX-License-Identifier: MIT
// What goes wrong on purpose, as a client sees it.
#include "lobby_world.hpp"

using test::Json;
using test::LobbyWorld;
using test::Peer;
using namespace std::chrono_literals;

namespace {

using lobby_program::Fault;
using lobby_program::parse_fault;

LobbyWorld::Config with(std::initializer_list<const char*> texts) {
  LobbyWorld::Config config;
  for (const char* const text : texts) {
    std::string problem;
    const auto fault = parse_fault(text, problem);
    INFO(problem);
    REQUIRE(fault);
    config.faults.push_back(*fault);
  }
  return config;
}

// Both have seats in match 1. Ann, who begins, heard match_start, round_start and turn_request
// behind her hello: the four first frames of that match.
struct Started {
  explicit Started(std::initializer_list<const char*> texts) : world(with(texts)) {
    Peer& one = world.stay(world.bots[0]);
    Peer& two = world.stay(world.bots[1]);
    world.match(world.bots[0], world.bots[1]);
    matched = one.last("matched");
    bob = &world.take_seat(two.last("matched"), world.bots[1].token);
    ann = &world.take_seat(matched, world.bots[0].token);
  }
  LobbyWorld world;
  Json matched;
  Peer* ann = nullptr;
  Peer* bob = nullptr;
};

}  // namespace

TEST_CASE("faults: a fault is read as it is written", "[lobby]") {
  std::string problem;
  const auto delay = parse_fault("delay=250@3:7", problem);
  REQUIRE(delay);
  CHECK(delay->kind == Fault::Kind::delay);
  CHECK(delay->value == "250");
  CHECK(delay->match == 3);
  CHECK(delay->frame == 7);
  const auto always = parse_fault("duplicate@*", problem);
  REQUIRE(always);
  CHECK(always->match == Fault::any_match);
  CHECK(always->frame == 0);
  const auto url = parse_fault("hostile-url=wss://a@b/x@lobby", problem);
  REQUIRE(url);
  CHECK(url->value == "wss://a@b/x");
  CHECK(url->match == 0);

  for (const char* const text :
       {"", "@", "close", "close@", "close@0:1", "close@1:0", "close@1:x", "close@-1", "none@1",
        "close=x@1", "http=700@1", "cut=1@1:1", "evict@1:1", "short-end@lobby",
        "wrong-subprotocol@lobby", "big=99999999999@1"}) {
    problem.clear();
    INFO(text);
    CHECK(!parse_fault(text, problem));
    CHECK(!problem.empty());
  }
}

TEST_CASE("faults: without any, nothing is changed", "[lobby]") {
  Started plain{std::initializer_list<const char*>{}};
  CHECK(plain.ann->frames.size() == 4);
  CHECK(plain.ann->count("turn_request") == 1);
  CHECK(!plain.ann->closed);
}

TEST_CASE("faults: close and cut happen before the frame that they name, once", "[lobby]") {
  const bool is_cut = GENERATE(false, true);
  Started world{{is_cut ? "cut@1:3" : "close=1012@1:3"}};
  world.world.network.run_for(20ms);
  // Ann has the first seat, and so is the first to get each frame. Her third is round_start.
  REQUIRE(world.ann->closed);
  CHECK(world.ann->frames.size() == 2);
  CHECK(world.ann->frames.back()["type"] == "match_start");
  if (is_cut) {
    CHECK(world.ann->reason == muster::CloseReason::connection_lost);
  } else {
    CHECK(world.ann->closed == 1012);
  }
  CHECK(!world.bob->closed);
  CHECK(world.bob->frames.size() == 3);
  CHECK(world.world.faults.counts()[0] == 1);
}

TEST_CASE("faults: half-open hears nothing and says nothing", "[lobby]") {
  Started world{{"half-open@1:4"}};
  CHECK(world.ann->frames.size() == 3);  // all but its turn
  world.world.network.run_for(31s);
  CHECK(world.ann->frames.size() == 3);
  CHECK(!world.ann->closed);
  CHECK(world.bob->count("turn_result") >= 1);  // the match goes on without her
}

TEST_CASE("faults: delay holds back a frame and those behind it", "[lobby]") {
  Started world{{"delay=700@1:2"}};
  CHECK(world.ann->frames.size() == 1);
  world.world.network.run_for(699ms);
  CHECK(world.ann->frames.size() == 1);
  world.world.network.run_for(1ms);
  REQUIRE(world.ann->frames.size() == 4);
  CHECK(world.ann->frames[1]["type"] == "match_start");
  CHECK(world.ann->frames[2]["type"] == "round_start");
}

TEST_CASE("faults: duplicate, unknown, bad JSON, binary and big go ahead of a frame", "[lobby]") {
  CHECK(Started{{"duplicate@1:2"}}.ann->count("match_start") == 2);
  CHECK(Started{{"unknown@1:2"}}.ann->count("of_another_time") == 1);
  {
    Started world{{"bad-json@1:2"}};
    CHECK(world.ann->raw[1] == "{bad");
    CHECK(world.ann->frames[1]["type"] == "match_start");
  }
  {
    Started world{{"binary@1:2"}};
    CHECK(world.ann->raw[1] == R"({"type":"ping"})");
    CHECK(world.ann->count("ping") == 0);  // binary is no frame
  }
  {
    Started world{{"big=300000@1:2"}};
    CHECK(world.ann->raw[1].size() > 300'000);
    CHECK(world.ann->count("match_start") == 1);
  }
  {
    Started world{{"repeat-seq@1:3"}};
    CHECK(world.ann->frames[1]["seq"] == 1);
    CHECK(world.ann->frames[2]["seq"] == 1);
  }
}

TEST_CASE("faults: a hello that never comes", "[lobby]") {
  Started world{{"no-hello@1"}};
  CHECK(world.bob->count("hello") == 0);
  CHECK(world.ann->count("hello") == 0);
  LobbyWorld lobby{with({"no-hello@lobby:1"})};
  CHECK(lobby.check_in(lobby.bots[0]).frames.empty());
  CHECK(lobby.check_in(lobby.bots[0]).count("hello") == 1);
}

TEST_CASE("faults: an upgrade is answered with a status", "[lobby]") {
  LobbyWorld world{with({"http=307@1:1", "http=401@1:1", "http@1:1"})};
  Peer& one = world.stay(world.bots[0]);
  world.stay(world.bots[1]);
  world.match(world.bots[0], world.bots[1]);
  const Json matched = one.last("matched");
  CHECK(world.dial_seat(matched, world.bots[0].token).closed == 307);
  CHECK(world.dial_seat(matched, world.bots[0].token).closed == 401);
  CHECK(world.dial_seat(matched, world.bots[0].token).closed == 503);
  CHECK(!world.dial_seat(matched, world.bots[0].token).closed);

  LobbyWorld lobby{with({"http=401@lobby:2"})};
  CHECK(!lobby.check_in(lobby.bots[0]).closed);
  CHECK(lobby.dial("/ws/external/bot/" + lobby.bots[0].bot.id).closed == 401);
  CHECK(lobby.check_in(lobby.bots[0]).count("hello") == 1);
}

TEST_CASE("faults: a short match_end with number 1", "[lobby]") {
  Started world{{"short-end@1"}};
  LobbyWorld::play(*world.ann);
  LobbyWorld::play(*world.bob);
  world.ann->say(LobbyWorld::first_action(world.ann->last("turn_request")));
  world.world.network.run_for(20s);
  CHECK(world.ann->last("match_end")["seq"] == 1);
  CHECK(world.ann->last("match_end")["reason"] == "error");
  CHECK(!world.ann->last("match_end").contains("results"));
}

TEST_CASE("faults: eviction, revocation and a limit in the lobby", "[lobby]") {
  {
    LobbyWorld world{with({"evict@lobby:2"})};
    Peer& ann = world.stay(world.bots[0]);
    world.network.run_for(16s);
    CHECK(ann.closed == 4000);
    CHECK(ann.text == "Replaced by new connection");
    CHECK(world.lobby.online_count() == 0);
  }
  {
    LobbyWorld world{with({"revoke@lobby:2"})};
    Peer& ann = world.stay(world.bots[0]);
    world.network.run_for(31s);
    CHECK(ann.closed == 4002);
  }
  {
    LobbyWorld world{with({"limit@lobby:1"})};
    CHECK(world.check_in(world.bots[0]).closed == 1008);
    CHECK(!world.check_in(world.bots[0]).closed);
  }
}

TEST_CASE("faults: matches told twice, at a hostile place, and again after each connect",
          "[lobby]") {
  LobbyWorld world{with({"matched-twice@lobby:1", "resume-always@lobby"})};
  Peer& ann = world.stay(world.bots[0]);
  world.stay(world.bots[1]);
  world.match(world.bots[0], world.bots[1]);
  CHECK(ann.count("matched") == 2);
  CHECK(ann.frames[1] == ann.frames[2]);
  const std::string id = ann.last("matched")["match_id"];
  world.matches.fail_all("the test wants it", world.network.now());
  world.network.run_for(1s);
  REQUIRE(world.matches.running() == 0);
  Peer& again = world.stay(world.bots[0]);
  REQUIRE(again.count("matched") == 1);
  CHECK(again.last("matched")["match_id"] == id);
  CHECK(again.last("matched")["resume"] == true);

  LobbyWorld hostile{with({"hostile-url=.attacker.example/x@lobby:1"})};
  Peer& bob = hostile.stay(hostile.bots[0]);
  hostile.request("POST", "/api/external-api/challenges/house-bot", hostile.bots[0].token);
  CHECK(bob.last("matched")["gateway_ws_url"] == ".attacker.example/x");
}
