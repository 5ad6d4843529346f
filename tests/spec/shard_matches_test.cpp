// SPDX-License-Identifier: MIT
// Matches over HTTP: into a queue, out of it, waiting for what becomes of it, and into the shard.
#include "support/catch.hpp"
#include "support/shard_loops.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

using namespace muster;
using namespace muster::shard;
using namespace std::chrono_literals;
using nlohmann::json;
using test::Matches;
using test::ShardLoops;
using Peer = ShardLoops::Peer;

namespace {

constexpr auto queued = R"({"status":"queued","position":0,"waiting_secs":0})";
constexpr auto idle = R"({"status":"idle"})";

// Loops, of which the last has the matchmaker.
struct World {
  explicit World(std::size_t count, Matchmaker::Config config = {.modes = {{.name = "duel"}}},
                 MatchRule rule = {})
      : loops(count), at(static_cast<std::uint32_t>(count - 1)) {
    matches.start(loops, std::move(config));
    for (std::uint32_t i = 0; i < count; ++i) {
      loops.service(i).accept_tickets(*matches.signer, i == at ? &*matches.matchmaker : nullptr,
                                      loops.now(), Matches::unix_now);
      loops.service(i).matchmaker_on(at);
    }
    loops.service(at).serve_matches(*matches.matchmaker, std::move(rule));
  }

  Peer& post(std::size_t loop, const std::string& token, const std::string& body,
             const std::string& path = "/api/match") {
    return answered(loops.ask(loop, "POST " + path, token, false, body));
  }
  Peer& get(std::size_t loop, const std::string& token, const std::string& path = "/api/match") {
    return answered(loops.ask(loop, "GET " + path, token));
  }
  Peer& answered(Peer& peer) {
    loops.run();
    return peer;
  }

  Matches matches;
  ShardLoops loops;
  std::uint32_t at;
};

}  // namespace

TEST_CASE("shard matches: two queue, wait, are matched, and join with what they are told",
          "[shard][match]") {
  const auto count = GENERATE(std::size_t{1}, std::size_t{3});
  CAPTURE(count);
  World world{count};
  const std::size_t first = 0;
  const std::size_t other = count / 2;
  CHECK(world.get(first, "tok-alice").body() == idle);
  CHECK(world.post(first, "tok-alice", R"({"mode":"duel","rating":12})").body() == queued);
  Peer& alice = world.get(other, "tok-alice", "/api/match?wait=8");
  world.loops.wait(2s);
  CHECK(alice.got.empty());
  CHECK(world.post(other, "tok-bob", R"({"mode":"duel"})").status() == 200);
  Peer& bob = world.get(first, "tok-bob", "/api/match?wait=8");
  world.loops.wait(1s);
  for (const auto& [peer, token] : {std::pair{&alice, "tok-alice"}, {&bob, "tok-bob"}}) {
    REQUIRE(peer->status() == 200);
    const json told = json::parse(peer->body());
    CHECK(told.at("status") == "matched");
    CHECK(told.at("shard_id") == world.matches.shard);
    CHECK(told.at("expires").get<std::int64_t>() > 1'700'000'000);
    const std::string query = "shard=" + told.at("shard_id").get<std::string>();
    Peer& joined = world.loops.join(other, query, told.at("ticket").get<std::string>());
    CHECK(joined.messages() >= 1);
    // The ticket is used, and is not shown again.
    const json later = json::parse(world.get(first, token).body());
    CHECK(later.at("status") == "matched");
    CHECK_FALSE(later.contains("ticket"));
  }
  CHECK(world.matches.matchmaker->stats().claimed == 2);
}

TEST_CASE("shard matches: who waits is answered when it is over, or its time is",
          "[shard][match]") {
  World world{2};
  const std::size_t loop = GENERATE(std::size_t{0}, std::size_t{1});
  world.post(0, "tok-alice", R"({"mode":"duel"})");
  SECTION("after as many seconds as it said") {
    Peer& alice = world.get(loop, "tok-alice", "/api/match?wait=5");
    world.loops.wait(4999ms);
    CHECK(alice.got.empty());
    world.loops.wait(1ms);
    CHECK(alice.body() == R"({"status":"queued","position":0,"waiting_secs":5})");
  }
  SECTION("when another of the same player comes") {
    Peer& early = world.get(loop, "tok-alice", "/api/match?wait=8");
    Peer& late = world.get(1 - loop, "tok-alice", "/api/match?wait=8");
    CHECK(early.body() == queued);
    CHECK(late.got.empty());
  }
  SECTION("when it leaves") {
    Peer& alice = world.get(loop, "tok-alice", "/api/match?wait=8");
    CHECK(world.post(1 - loop, "tok-alice", "", "/api/match/leave").body() == idle);
    world.loops.wait(1ms);
    CHECK(alice.body() == idle);
  }
  SECTION("when nobody came for too long") {
    world.loops.wait(55s);
    Peer& alice = world.get(loop, "tok-alice", "/api/match?wait=8");
    world.loops.wait(5s);
    CHECK(alice.body() == R"({"status":"idle","reason":"max_wait"})");
  }
  SECTION("when it went, and nothing is left of it") {
    Peer& alice = world.get(loop, "tok-alice", "/api/match?wait=8");
    world.loops.cut(alice);
    world.loops.wait(33s);
    CHECK(world.loops.service(0).next_deadline() == no_deadline);
  }
  SECTION("at once, if it does not wait for anything") {
    CHECK(world.get(loop, "tok-bob", "/api/match?wait=8").body() == idle);
    CHECK(world.get(loop, "tok-alice", "/api/match?wait=0").body() == queued);
  }
  SECTION("or not at all, if it says that wrongly") {
    for (const std::string wait : {"9", "-1", "x", "", "99999999999"}) {
      CAPTURE(wait);
      CHECK(world.get(loop, "tok-alice", "/api/match?wait=" + wait).error() == "BAD_QUERY");
    }
  }
}

TEST_CASE("shard matches: what is refused, alike on every loop", "[shard][match]") {
  World world{2,
              {.modes = {{.name = "duel"}, {.name = "team", .team_size = 3}}, .max_players = 4},
              [](const Identity& who, MatchWish& wish) {
                wish.rating = 1500;
                return who.user != "b64" && wish.players.size() <= 3;
              }};
  const std::size_t loop = GENERATE(std::size_t{0}, std::size_t{1});
  CHECK(world.get(loop, "").error() == "AUTH_REQUIRED");
  CHECK(world.get(loop, "", "/api/match/events").error() == "AUTH_REQUIRED");
  CHECK(world.post(loop, "", R"({"mode":"duel"})").error() == "AUTH_REQUIRED");
  CHECK(world.post(loop, "admin", R"({"mode":"duel"})").error() == "AUTH_REQUIRED");
  for (const std::string body :
       {"", "{", "7", R"({"mode":7})", R"({"rating":"high"})", R"({"rating":1.5})",
        R"({"rating":3000000000})", R"({"rating":18446744073709551615})",
        R"({"rating":99999999999999999999})", R"({"party":"bob"})", R"({"party":[1]})"}) {
    CAPTURE(body);
    CHECK(world.post(loop, "tok-alice", body).error() == "INVALID_JSON");
  }
  CHECK(world.post(loop, "tok-alice", R"({"mode":"chess"})").error() == "MODE_NOT_FOUND");
  CHECK(world.post(loop, "a/b+c=", R"({"mode":"duel"})").error() == "FORBIDDEN");
  CHECK(world.post(loop, "tok-alice", R"({"mode":"duel","party":["x","y"]})").error() ==
        "BAD_PARTY");
  CHECK(world.post(loop, "tok-alice", R"({"mode":"team","party":["x","x"]})").error() ==
        "BAD_PARTY");
  CHECK(world.post(loop, "tok-alice", R"({"mode":"team","party":[""]})").error() == "BAD_PARTY");
  CHECK(world.get(loop, "tok-alice", "/api/match/leave").error() == "METHOD_NOT_ALLOWED");
  CHECK(world.post(loop, "tok-alice", "{}", "/api/match/events").error() == "METHOD_NOT_ALLOWED");
  CHECK(world.get(loop, "tok-alice", "/api/match/else").error() == "UPGRADE_REQUIRED");
  CHECK(world.get(loop, "tok-alice", "/api/matches").error() == "UPGRADE_REQUIRED");

  // Full, and then one has a seat.
  CHECK(world.post(loop, "tok-alice", R"({"mode":"duel","party":["x"]})").status() == 200);
  CHECK(world.post(loop, "tok-bob", R"({"mode":"team","party":["y","z"]})").error() ==
        "QUEUE_FULL");
  world.loops.wait(1s);
  CHECK(world.post(loop, "tok-alice", R"({"mode":"duel"})").error() == "ALREADY_MATCHED");
  CHECK(json::parse(world.post(loop, "tok-alice", "", "/api/match/leave").body()).at("status") ==
        "idle");
  CHECK(world.post(loop, "tok-alice", R"({"mode":"duel","party":["alice"]})").body() == queued);
}

TEST_CASE("shard matches: without a rule of the application nobody queues for others",
          "[shard][match]") {
  World world{1};
  CHECK(world.post(0, "tok-alice", R"({"mode":"duel","party":["bob"]})").error() == "FORBIDDEN");
  CHECK(world.matches.matchmaker->queued_count() == 0);
}

TEST_CASE("shard matches: a stream tells each change", "[shard][match][stream]") {
  World world{2};
  const std::size_t loop = GENERATE(std::size_t{0}, std::size_t{1});
  Peer& alice = world.get(loop, "tok-alice", "/api/match/events");
  CHECK(alice.status() == 200);
  CHECK(alice.loop == 1);
  std::string told = "data: " + std::string{idle} + "\n\n";
  CHECK(alice.body() == told);
  world.post(0, "tok-alice", R"({"mode":"duel"})");
  world.loops.wait(1ms);
  told += "data: " + std::string{queued} + "\n\n";
  CHECK(alice.body() == told);
  world.post(1, "tok-bob", R"({"mode":"duel"})");
  world.loops.wait(1s);
  const json matched = json::parse(alice.body().substr(told.size() + 6));
  CHECK(matched.at("status") == "matched");
  CHECK(matched.at("ticket") == world.matches.ticket_of("alice"));
  world.loops.wait(16s);
  CHECK(alice.body().ends_with("data: {\"status\":\"idle\",\"reason\":\"unclaimed\"}\n\n"));

  // One for each player: a second one takes the place of the first.
  Peer& again = world.get(1 - loop, "tok-alice", "/api/match/events");
  CHECK(alice.end.pipe->is_over());
  CHECK_FALSE(again.end.pipe->is_over());
  Peer& bob = world.get(loop, "tok-bob", "/api/match/events");
  CHECK(world.loops.service(0).revoke(2, world.loops.now()) == 0);
  world.loops.run();
  CHECK(bob.end.pipe->is_over());
  CHECK_FALSE(again.end.pipe->is_over());
  world.loops.cut(again);
  world.post(0, "tok-alice", R"({"mode":"duel"})");
  world.loops.wait(2s);
  Peer& last = world.get(loop, "tok-alice", "/api/match/events");
  world.loops.service(1).on_drain(world.loops.now());
  world.loops.loops[1]->world.run();
  CHECK(last.end.pipe->is_over());
}

TEST_CASE("shard matches: a drain answers those who wait", "[shard][match]") {
  World world{2};
  world.post(0, "tok-alice", R"({"mode":"duel"})");
  Peer& alice = world.get(GENERATE(0, 1), "tok-alice", "/api/match?wait=8");
  world.loops.service(GENERATE(0, 1)).on_drain(world.loops.now());
  for (const auto& on : world.loops.loops) on->world.run();
  world.loops.run();
  const bool is_told = !alice.got.empty();
  // Unless it is the other loop that drains, where nothing of it is.
  if (is_told) CHECK(alice.error() == "DRAINING");
  CHECK((is_told || alice.loop == world.at));
  world.loops.wait(8s);
  CHECK_FALSE(alice.got.empty());
}

TEST_CASE("shard matches: a service that goes answers those who wait", "[shard][match]") {
  Matches matches;
  ShardLoops loops{1};
  matches.start(loops);
  test::SessionWorld& world = loops.loops[0]->world;
  SeededEntropy entropy{1};
  Registry registry;
  auto service =
      std::make_unique<shard::Service>(shard::Service::Config{}, registry, world.outbox, entropy);
  service->set_authenticator(&loops.tokens);
  service->serve_matches(*matches.matchmaker);
  world.service.when_request = [&](const Request& request, Decision& decision) {
    service->on_request(request, std::move(decision), loops.now());
  };
  loops.ask(0, "POST /api/match", "tok-alice", false, R"({"mode":"duel"})");
  Peer& alice = loops.ask(0, "GET /api/match?wait=8", "tok-alice");
  CHECK(alice.got.empty());
  service.reset();
  loops.cut(alice);
  CHECK(alice.status() == 503);
  // The matchmaker goes on without it.
  REQUIRE(matches.matchmaker->dequeue("alice", loops.now()));
}

TEST_CASE("shard matches: a matchmaker's loop that does not answer is busy", "[shard][match]") {
  World world{2};
  world.post(0, "tok-alice", R"({"mode":"duel"})");
  world.loops.loops[1]->is_busy = true;
  Peer& post = world.post(0, "tok-bob", R"({"mode":"duel"})");
  Peer& wait = world.get(0, "tok-alice", "/api/match?wait=5");
  world.loops.wait(2s);
  CHECK(post.error() == "BUSY");
  CHECK(wait.got.empty());
  world.loops.wait(5s);
  CHECK(wait.error() == "BUSY");
  world.loops.loops[1]->is_full = true;
  CHECK(world.get(0, "tok-alice").error() == "BUSY");
  world.loops.loops[1]->is_full = false;
}
