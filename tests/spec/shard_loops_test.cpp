// SPDX-License-Identifier: MIT
// Shards on several loops, step by step in one thread: whoever asks on the wrong one gets the same
// answer as on the right one, before the upgrade, and no place is lost or given twice.
#include "support/shard_loops.hpp"
#include "support/catch.hpp"

#include <muster/memory/network.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

using namespace muster;
using namespace muster::shard;
using namespace std::chrono_literals;
using nlohmann::json;
using test::Matches;
using test::ShardLoops;
using Peer = ShardLoops::Peer;

namespace {

constexpr auto named = Guests::named;

std::string shard_query(const std::string& id, const std::string& sid = {}) {
  return "shard=" + id + (sid.empty() ? "" : "&sid=" + sid);
}

// How many more places a shard has: it is filled up, from its own loop.
int places_left(ShardLoops& loops, const std::string& id) {
  for (int count = 0;; ++count) {
    const std::uint32_t home = loops.placement.of(as_bytes(id));
    const std::string sid = "filler" + std::to_string(loops.peers.size());
    Peer& peer = loops.upgrade(home, shard_query(id, sid));
    loops.run();
    if (peer.status() != 101) {
      CHECK(peer.error() == "SHARD_FULL");
      return count;
    }
  }
}

}  // namespace

TEST_CASE(
    "shard loops: it is answered when the shard's loop has said yes, and the peer moves there",
    "[shard][loops]") {
  ShardLoops loops{2};
  const std::string id = loops.id_on(1);
  ShardLoops::Shard& shard = loops.add(1, id, {.hz = 20, .guests = named});
  CHECK(loops.service(0).home_of(id) == 1);
  Peer& ann = loops.upgrade(0, shard_query(id, "ann"));
  CHECK(ann.got.empty());
  loops.read_mail(1);
  CHECK(ann.got.empty());
  loops.read_mail(0);
  CHECK(ann.status() == 101);
  CHECK(shard.subscriber_count() == 0);
  loops.say(ann, R"({"input":"early"})");  // while it is under way
  loops.run();
  CHECK(ann.loop == 1);
  CHECK(ann.messages() == 1);
  CHECK(shard.subscriber_count() == 1);
  loops.say(ann, R"({"input":"later"})");
  loops.wait(60ms);
  CHECK(ann.messages() == 3);
  REQUIRE(shard.simulation().inputs.size() == 2);
  CHECK(shard.simulation().inputs[0].from == "ann");
  CHECK(shard.simulation().inputs[0].input == "\"early\"");
  CHECK(shard.simulation().inputs[1].input == "\"later\"");
  CHECK(loops.service(0).stats().connections_given == 1);
  CHECK(loops.service(0).stats().accepted == 1);
  CHECK(loops.service(1).stats().accepted == 0);
  CHECK(loops.loops[0]->world.endpoint.session_count() == 0);
  CHECK(loops.loops[0]->world.outbox.connection_count() == 0);
  loops.cut(ann);
  CHECK(shard.subscriber_count() == 0);
}

TEST_CASE("shard loops: what is refused is refused alike on every loop, before the upgrade",
          "[shard][loops]") {
  ShardLoops loops{3};
  const std::string id = loops.id_on(1);
  const std::string full = loops.id_on(1, 1);
  const std::string over = loops.id_on(1, 2);
  const std::string taken = loops.id_on(1, 3);
  loops.add(1, id);
  loops.add(1, full, {.hz = 20, .max_subscribers = 1, .guests = named});
  loops.add(1, over, {.hz = 20, .guests = named}).end(Ending::stopped, loops.now());
  loops.add(1, taken, {.hz = 20, .guests = named, .duplicates = Duplicates::reject});
  loops.join(1, shard_query(full, "x"));
  loops.join(1, shard_query(taken, "x"));
  loops.join(1, shard_query(id), "tok-alice");
  struct Case {
    std::string line;
    std::string token;
    bool is_upgrade;
    unsigned status;
    std::string code;
    std::string body{};
  };
  const std::string api = "/api/shards/" + id;
  const std::vector<Case> cases{
      {"GET /", "", true, 400, "MISSING_SHARD"},
      {"GET /?shard=%zz", "", true, 400, "BAD_QUERY"},
      {"GET /?" + shard_query(id), "", true, 401, "AUTH_REQUIRED"},
      {"GET /?" + shard_query(id, "bob"), "tok-alice", true, 403, "UNAUTHORIZED"},
      {"GET /?" + shard_query(loops.id_on(1, 9)), "tok-alice", true, 404, "SHARD_NOT_FOUND"},
      {"GET /?" + shard_query(taken, "x"), "", true, 409, "SID_IN_USE"},
      {"GET /?" + shard_query(full, "y"), "", true, 503, "SHARD_FULL"},
      {"GET /?" + shard_query(over, "y"), "", true, 503, "SHARD_STOPPED"},
      {"GET /api/shards", "tok-alice", false, 403, "FORBIDDEN"},
      {"GET " + api, "", false, 401, "AUTH_REQUIRED"},
      {"GET /api/shards/nowhere", "tok-alice", false, 404, "SHARD_NOT_FOUND"},
      {"GET " + api + "/connect", "", false, 401, "AUTH_REQUIRED"},
      {"GET /api/shards/" + full + "/connect?sid=z", "", false, 429, "SUBSCRIBE_FAILED"},
      {"POST " + api + "/input", "tok-bob", false, 403, "UNAUTHORIZED", R"({"input":1})"},
      {"POST " + api + "/input", "tok-alice", false, 400, "INVALID_JSON", "{"},
      {"POST " + api + "/input", "tok-alice", false, 400, "INPUT_REJECTED",
       R"({"input":"wrong type"})"},
      {"POST " + api + "/input", "tok-alice", false, 403, "UNAUTHORIZED",
       R"({"input":1,"subscriber_id":"bob"})"}};
  for (const Case& each : cases) {
    INFO(each.line << " " << each.code);
    std::string on_the_right_one;
    for (const std::size_t loop : {1U, 0U, 2U}) {
      Peer& peer = loops.ask(loop, each.line, each.token, each.is_upgrade, each.body);
      loops.run();
      CHECK(peer.status() == each.status);
      CHECK(peer.error() == each.code);
      if (loop == 1) on_the_right_one = peer.got;
      CHECK(peer.got == on_the_right_one);
    }
  }
  CHECK(loops.service(1).stats().accepted == 3);
}

TEST_CASE("shard loops: places that are on their way are not given twice", "[shard][loops]") {
  ShardLoops loops{3};
  const std::string id = loops.id_on(1);
  ShardLoops::Shard& shard = loops.add(1, id, {.hz = 20, .max_subscribers = 3, .guests = named});
  std::vector<Peer*> crowd;
  for (int i = 0; i < 8; ++i) {
    crowd.push_back(&loops.upgrade(i % 2 == 0 ? 0 : 2, shard_query(id, "p" + std::to_string(i))));
  }
  loops.run();
  int joined = 0;
  for (const Peer* peer : crowd) {
    if (peer->status() == 101) {
      ++joined;
      CHECK(peer->messages() == 1);
    } else {
      CHECK(peer->error() == "SHARD_FULL");
    }
  }
  CHECK(joined == 3);
  CHECK(shard.subscriber_count() == 3);
}

TEST_CASE("shard loops: a place whose owner does not come is free again", "[shard][loops]") {
  ShardLoops loops{2};
  const std::string id = loops.id_on(1);
  loops.add(1, id, {.hz = 20, .max_subscribers = 2, .guests = named});
  SECTION("since it went before it was answered") {
    Peer& gone = loops.upgrade(0, shard_query(id, "gone"));
    loops.read_mail(1);
    loops.cut(gone);
    loops.run();
  }
  SECTION("since it went before it was moved") {
    loops.upgrade(0, shard_query(id, "gone"));
    loops.read_mail(1);
    loops.loops[1]->is_full = true;
    loops.read_mail(0);  // accepted, and then there is no way
    CHECK(loops.peers.back().status() == 101);
    CHECK(loops.peers.back().close_code() == 1013);
    loops.loops[1]->is_full = false;
    CHECK(places_left(loops, id) == 1);
    loops.wait(10s);  // nor could the place be given back
    CHECK(places_left(loops, id) == 1);
    return;
  }
  SECTION("since it broke on its way") {
    Peer& gone = loops.upgrade(0, shard_query(id, "gone"));
    loops.read_mail(1);
    loops.read_mail(0);
    REQUIRE(loops.under_way.size() == 1);
    loops.under_way.clear();
    CHECK(gone.status() == 101);
    loops.wait(10s);
  }
  SECTION("since the answer could not be sent") {
    Peer& late = loops.upgrade(0, shard_query(id, "late"));
    loops.loops[0]->is_full = true;
    loops.run();
    loops.loops[0]->is_full = false;
    CHECK(late.got.empty());
    loops.wait(2s);
    CHECK(late.error() == "BUSY");
    CHECK(late.got.find("Retry-After: 5") != std::string::npos);
  }
  SECTION("since the answer came too late") {
    Peer& late = loops.upgrade(0, shard_query(id, "late"));
    loops.loops[1]->is_busy = true;
    loops.wait(2s);
    CHECK(late.status() == 503);
    CHECK(late.error() == "BUSY");
    loops.loops[1]->is_busy = false;
    loops.run();
    CHECK(loops.service(0).stats().unanswered == 1);
  }
  SECTION("since it could not even be asked") {
    loops.loops[1]->is_full = true;
    Peer& late = loops.upgrade(0, shard_query(id, "late"));
    CHECK(late.error() == "BUSY");
    loops.loops[1]->is_full = false;
  }
  CHECK(places_left(loops, id) == 2);
}

TEST_CASE("shard loops: a place in a shard that was replaced is none in the new one",
          "[shard][loops]") {
  ShardLoops loops{2};
  const std::string id = loops.id_on(1);
  loops.add(1, id, {.hz = 20, .guests = named});
  Peer& late = loops.upgrade(0, shard_query(id, "late"));
  loops.read_mail(1);
  loops.read_mail(0);
  REQUIRE(loops.under_way.size() == 1);
  CHECK(loops.loops[1]->registry.remove(id, loops.now()));
  ShardLoops::Shard& second = loops.add(1, id, {.hz = 20, .guests = named});
  Peer& ann = loops.join(1, shard_query(id, "ann"));  // with the handle that the first one had
  loops.run();
  CHECK(late.close_code() == 1013);
  CHECK(second.subscriber_count() == 1);
  loops.wait(11s);
  CHECK(second.find("ann") != nullptr);
  CHECK(ann.end.is_alive());
}

TEST_CASE("shard loops: a list holds the shards of all loops that answer in time",
          "[shard][loops]") {
  ShardLoops loops{3};
  std::vector<std::string> ids;
  for (std::size_t loop = 0; loop < 3; ++loop) {
    for (int i = 0; i < 2; ++i) {
      ids.push_back(loops.id_on(loop, i));
      loops.add(loop, ids.back());
    }
  }
  const auto ids_of = [](const Peer& peer) {
    std::vector<std::string> listed;
    for (const json& row : json::parse(peer.body())) listed.push_back(row.at("id"));
    return listed;
  };
  for (std::size_t loop = 0; loop < 3; ++loop) {
    const Peer& all = loops.ask(loop, "GET /api/shards", "admin");
    CHECK(all.got.empty());
    loops.run();
    REQUIRE(all.status() == 200);
    std::vector<std::string> sorted = ids;
    std::sort(sorted.begin(), sorted.end());
    CHECK(ids_of(all) == sorted);
  }
  loops.loops[1]->is_busy = true;
  const Peer& some = loops.ask(0, "GET /api/shards", "admin");
  loops.wait(1999ms);
  CHECK(some.got.empty());
  loops.wait(1ms);
  CHECK(ids_of(some).size() == 4);
  loops.loops[1]->is_busy = false;
  loops.loops[2]->is_full = true;
  const Peer& fewer = loops.ask(0, "GET /api/shards", "admin");
  loops.run();
  CHECK(ids_of(fewer).size() == 4);
}

TEST_CASE("shard loops: one shard's state and inputs by POST are answered from everywhere",
          "[shard][loops]") {
  ShardLoops loops{2};
  const std::string id = loops.id_on(1);
  ShardLoops::Shard& shard = loops.add(1, id);
  loops.join(0, shard_query(id), "tok-alice");
  Peer& post =
      loops.ask(0, "POST /api/shards/" + id + "/input", "tok-alice", false, R"({"input":[1,2]})");
  loops.run();
  CHECK(post.status() == 200);
  CHECK(post.body() == R"({"accepted":true,"seq":1})");
  Peer& info = loops.ask(0, "GET /api/shards/" + id, "tok-bob");
  loops.run();
  CHECK(json::parse(info.body()) == json::parse(R"({"id":")" + id +
                                                R"(","input_queue":1,"running":true,)"
                                                R"("subscribers":1,"tick":0})"));
  loops.wait(60ms);
  REQUIRE(shard.simulation().inputs.size() == 1);
  CHECK(shard.simulation().inputs[0].input == "[1,2]");
}

TEST_CASE("shard loops: a stream of events moves too", "[shard][loops][stream]") {
  ShardLoops loops{2};
  const std::string id = loops.id_on(1);
  ShardLoops::Shard& shard = loops.add(1, id);
  loops.wait(60ms);  // two ticks
  const std::string line = "GET /api/shards/" + id + "/connect";
  Peer& alice = loops.ask(0, line, "tok-alice");
  loops.run();
  CHECK(alice.loop == 1);
  CHECK(alice.body() == "id: 2\ndata: 0\n\n");
  loops.wait(50ms);
  CHECK(alice.body() == "id: 2\ndata: 0\n\nid: 3\ndata: 0\n\n");
  // Who has the newest waits for the next.
  Peer& bob = loops.ask(0, line, "tok-bob", false, {}, "Last-Event-ID: 3");
  loops.run();
  CHECK(bob.body().empty());
  loops.wait(50ms);
  CHECK(bob.body() == "id: 4\ndata: 0\n\n");
  CHECK(shard.subscriber_count() == 2);
  // A HEAD takes no place.
  Peer& head = loops.ask(0, "HEAD /api/shards/" + id + "/connect", "a/b+c=");
  loops.run();
  CHECK(head.status() == 200);
  CHECK(shard.subscriber_count() == 2);
  shard.end(Ending::stopped, loops.now());
  loops.loops[1]->world.run();
  CHECK(alice.end.pipe->is_over());
}

TEST_CASE("shard loops: who comes again replaces itself, whatever the two came through",
          "[shard][loops]") {
  ShardLoops loops{3};
  const std::string id = loops.id_on(1);
  ShardLoops::Shard& shard = loops.add(1, id, {.hz = 20, .max_subscribers = 1});
  Peer& first = loops.join(0, shard_query(id), "tok-alice");
  Peer& second = loops.join(2, shard_query(id), "tok-alice");
  CHECK(first.close_code() == 4409);
  CHECK(second.messages() == 1);
  loops.cut(first);
  CHECK(shard.subscriber_count() == 1);
  REQUIRE(shard.find("alice") != nullptr);

  // Two at once: the one that opens later stays.
  Peer& third = loops.upgrade(0, shard_query(id), "tok-alice");
  Peer& fourth = loops.upgrade(2, shard_query(id), "tok-alice");
  loops.run();
  CHECK(third.status() == 101);
  CHECK(fourth.status() == 101);
  CHECK((third.close_code() == 4409) != (fourth.close_code() == 4409));
  CHECK(second.close_code() == 4409);
}

TEST_CASE("shard loops: a session is revoked on all loops, and on the way", "[shard][loops]") {
  ShardLoops loops{3};
  const std::string id = loops.id_on(1);
  ShardLoops::Shard& shard = loops.add(1, id);
  Peer& alice = loops.join(0, shard_query(id), "tok-alice");
  Peer& bob = loops.join(0, shard_query(id), "tok-bob");
  CHECK(loops.service(2).revoke(1, loops.now()) == 0);
  loops.run();
  CHECK(alice.close_code() == 4401);
  CHECK(bob.close_code() == 0);
  loops.cut(alice);

  Peer& asking = loops.upgrade(0, shard_query(id), "tok-alice");
  loops.service(0).revoke(1, loops.now());
  loops.run();
  CHECK(asking.status() == 401);

  Peer& moving = loops.upgrade(0, shard_query(id), "tok-alice");
  loops.read_mail(1);
  loops.read_mail(0);
  REQUIRE(loops.under_way.size() == 1);
  CHECK(loops.service(1).revoke(1, loops.now()) == 0);
  loops.run();
  CHECK(moving.close_code() == 1013);
  CHECK(shard.subscriber_count() == 1);
  CHECK(shard.find("bob") != nullptr);
}

TEST_CASE("shard loops: a drain ends what waits for another loop", "[shard][loops]") {
  ShardLoops loops{3};
  const std::string id = loops.id_on(1);
  ShardLoops::Shard& shard = loops.add(1, id, {.hz = 20, .max_subscribers = 2, .guests = named});
  Peer& ann = loops.join(0, shard_query(id, "ann"));
  Peer& waiting = loops.upgrade(0, shard_query(id, "waiting"));
  Peer& listing = loops.ask(0, "GET /api/shards", "admin");
  loops.service(0).on_drain(loops.now());
  loops.loops[0]->world.run();
  loops.run();
  CHECK(waiting.error() == "DRAINING");
  CHECK(listing.error() == "DRAINING");
  CHECK(ann.close_code() == 0);  // its shard is elsewhere
  CHECK(shard.subscriber_count() == 1);

  loops.service(1).on_drain(loops.now());
  loops.loops[1]->world.run();
  Peer& late = loops.upgrade(2, shard_query(id, "late"));
  loops.run();
  CHECK(late.error() == "DRAINING");
  CHECK(ann.close_code() == 1001);
}

TEST_CASE("shard loops: a ticket is claimed once, where the matchmaker is", "[shard][loops]") {
  Matches matches;
  ShardLoops loops{3};
  matches.start(loops);
  for (std::uint32_t loop = 0; loop < 3; ++loop) {
    loops.service(loop).accept_tickets(*matches.signer, loop == 2 ? &*matches.matchmaker : nullptr,
                                       loops.now(), Matches::unix_now);
    loops.service(loop).matchmaker_on(2);
  }
  for (const std::string_view player : {"ann", "bob"}) {
    REQUIRE(!matches.matchmaker->enqueue({.mode = "duel", .players = {&player, 1}}, loops.now()));
  }
  matches.matchmaker->advance(loops.now());
  const std::string ticket = matches.ticket_of("ann");
  REQUIRE_FALSE(ticket.empty());

  // Who finds no place keeps it.
  Peer& nowhere = loops.upgrade(0, shard_query(matches.shard, "bob"), ticket);
  loops.run();
  CHECK(nowhere.status() == 403);
  CHECK(matches.ticket_of("ann") == ticket);

  Peer& ann = loops.join(0, shard_query(matches.shard), ticket);
  CHECK(ann.messages() == 1);
  CHECK(matches.ticket_of("ann").empty());
  CHECK(matches.matchmaker->stats().claimed == 1);
  for (std::size_t loop = 0; loop < 3; ++loop) {
    Peer& again = loops.upgrade(loop, shard_query(matches.shard), ticket);
    loops.run();
    CHECK(again.status() == 403);
    CHECK(again.body().find("the ticket has been used") != std::string::npos);
  }
  // The places of those who were refused are free.
  Peer& bob = loops.join(1, shard_query(matches.shard), matches.ticket_of("bob"));
  CHECK(bob.messages() == 1);
  CHECK(loops.loops[matches.home]->registry.find(matches.shard)->subscriber_count() == 2);
}

TEST_CASE("shard loops: a transport that does not move is closed, and takes no place",
          "[shard][loops]") {
  struct Client final : muster::Service {
    void on_message(Connection&, const Message&, time_point) override { ++messages; }
    void on_close(Connection&, const CloseInfo& info, time_point) override { code = info.code; }
    int messages = 0;
    std::uint16_t code = 0;
  };
  memory::Network network{1};
  SeededEntropy entropy{1};
  const Placement placement{{7, 11}, 2};
  Registry registries[2];
  shard::Service here{{}, registries[0], network.outbox(), entropy};
  shard::Service there{{}, registries[1], network.outbox(), entropy};
  const LoopPost post = [&network](std::size_t, const std::function<void(time_point)>& call) {
    call(network.now());
    return true;
  };
  here.join_loops(placement, 0, {&here, &there}, post);
  there.join_loops(placement, 1, {&here, &there}, post);
  std::string id = "a";
  while (placement.of(as_bytes(id)) != 1) id += "a";
  const AnyShard::Config config{.hz = 20, .max_subscribers = 1, .guests = named};
  REQUIRE(registries[1].insert(
      id, std::make_unique<Shard<test::Recorder>>(config, test::Recorder{}, network.now()),
      network.now()));
  const std::string query = shard_query(id, "ann");
  Client wrong;
  network.connect(wrong, here, {.query = query});
  REQUIRE(network.run_until_quiet());
  CHECK(wrong.code == 1013);
  CHECK(wrong.messages == 0);
  Client right;
  network.connect(right, there, {.query = query});
  REQUIRE(network.run_until_quiet());
  CHECK(right.code == 0);
  CHECK(right.messages == 1);
  CHECK(registries[1].find(id)->subscriber_count() == 1);
}

TEST_CASE("shard loops: whatever fails on the way, all places come back", "[shard][loops]") {
  const auto seed = GENERATE(range(std::uint64_t{1}, std::uint64_t{9}));
  CAPTURE(seed);
  SeededEntropy chance{seed};
  const auto some = [&chance](std::uint64_t below) { return chance.next_u64() % below; };
  ShardLoops loops{3};
  std::vector<std::string> ids;
  for (std::size_t loop = 0; loop < 3; ++loop) {
    ids.push_back(loops.id_on(loop));
    loops.add(loop, ids.back(), {.hz = 20, .max_subscribers = 6, .guests = named});
  }
  int upgraded = 0;
  for (int i = 0; i < 400; ++i) {
    switch (some(8)) {
      case 0:
        loops.read_mail(some(3));
        break;
      case 1:
        loops.deliver();
        break;
      case 2:
        loops.loops[some(3)]->is_full = some(3) == 0;
        break;
      case 3:
        loops.wait(1ms * static_cast<int>(some(600)));
        break;
      case 4:
        if (!loops.peers.empty()) {
          loops.cut(*std::next(loops.peers.begin(), static_cast<int>(some(loops.peers.size()))));
        }
        break;
      default:
        loops.upgrade(some(3), shard_query(ids[some(3)], "p" + std::to_string(some(9))));
        break;
    }
    for (const std::string& id : ids) {
      AnyShard& shard = *loops.loops[loops.placement.of(as_bytes(id))]->registry.find(id);
      int there = 0;  // those who were replaced, and are still there, do not count
      for (int p = 0; p < 9; ++p) there += shard.find("p" + std::to_string(p)) != nullptr ? 1 : 0;
      CHECK(there <= 6);
    }
  }
  for (const Peer& peer : loops.peers) upgraded += peer.status() == 101 ? 1 : 0;
  CHECK(upgraded > 20);
  for (const auto& on : loops.loops) on->is_full = false;
  loops.run();
  for (Peer& peer : loops.peers) loops.cut(peer);
  loops.run();
  loops.wait(13s);
  for (const std::string& id : ids) {
    CHECK(loops.loops[loops.placement.of(as_bytes(id))]->registry.find(id)->subscriber_count() ==
          0);
    CHECK(places_left(loops, id) == 6);
  }
}
