// SPDX-License-Identifier: MIT
// Ticks, inputs, views, slow subscribers and the end of a shard.
#include <muster/entropy.hpp>
#include <muster/error.hpp>
#include <muster/shard/replay.hpp>

#include "support/shard_world.hpp"

#include <chrono>
#include <string>
#include <vector>

using namespace muster;
using namespace muster::shard;
using namespace std::chrono_literals;
using test::ShardClients;
using test::ShardWorld;
using test::Tally;
using Log = std::vector<std::string>;

TEST_CASE("shard: who joins gets the state at once, and then each tick", "[shard]") {
  ShardWorld world{{.hz = 20}};
  world.network.run_for(120ms);  // ticks at 0, 50 and 100 ms
  CHECK(world.shard->tick() == 3);
  ShardClients::Client& alice = world.join("alice");
  REQUIRE(alice.got.size() == 1);
  CHECK(alice.got[0].tick == 3);
  CHECK(alice.got[0].payload == "{\"sum\":0}");
  world.network.run_for(100ms);
  REQUIRE(alice.got.size() == 3);
  CHECK(alice.got[1].tick == 4);
  CHECK(alice.got[2].tick == 5);
}

TEST_CASE("shard: inputs are applied in the order in which they came, in the next tick",
          "[shard]") {
  ShardWorld world{{.hz = 10}};
  world.join("alice");
  world.join("bob");
  world.network.run_for(100ms);
  static_cast<void>(world.take_log());
  const InputResult first = world.input("bob", "5");
  CHECK(first.verdict == InputVerdict::accepted);
  CHECK(first.number == 1);
  CHECK(world.input("alice", "2").number == 2);
  CHECK(world.input("bob", "-1").number == 3);
  CHECK(world.shard->input_count() == 3);
  CHECK(world.take_log().empty());
  world.network.run_for(100ms);
  CHECK(world.shard->input_count() == 0);
  CHECK(world.take_log() == Log{"bob:5", "alice:2", "bob:-1", "step"});
  CHECK(world.shard->simulation().sum == 6);
}

TEST_CASE("shard: the game hears who comes and goes in the order of the inputs", "[shard]") {
  ShardWorld world{{.hz = 10}};
  world.network.run_for(10ms);
  static_cast<void>(world.take_log());
  ShardClients::Client& alice = world.join("alice");
  world.input("alice", "1");
  world.join("bob");
  world.input("bob", "2");
  world.leave(alice);
  CHECK(world.shard->subscriber_count() == 1);
  world.network.run_for(100ms);
  CHECK(world.take_log() == Log{"+alice", "alice:1", "+bob", "bob:2", "-alice", "step"});
}

TEST_CASE("shard: one that asks for the order of ids gets it whoever is nearer", "[shard]") {
  ShardWorld world{{.hz = 10, .sorts_inputs = true}};
  world.join("bob");
  world.join("alice");
  world.network.run_for(100ms);
  static_cast<void>(world.take_log());
  world.input("bob", "1", 1);
  world.input("alice", "3", 2);
  world.input("alice", "4", 3);
  world.input("bob", "2", 2);
  world.join("carol");
  world.network.run_for(100ms);
  CHECK(world.take_log() == Log{"+carol", "alice:3", "alice:4", "bob:1", "bob:2", "step"});
}

TEST_CASE("shard: ticks cover exactly the time that passes", "[shard]") {
  const std::uint32_t hz = GENERATE(7U, 30U, 60U, 128U);
  ShardWorld world{{.hz = hz, .idle_timeout = 0s}};
  world.network.run_for(10s - 1ns);
  CHECK(world.shard->tick() == std::uint64_t{hz} * 10);
  CHECK(world.shard->simulation().elapsed == 10s);
}

TEST_CASE("shard: one view is encoded once for all who have it", "[shard]") {
  ShardWorld world{{.hz = 10}};
  std::vector<ShardClients::Client*> all;
  for (int i = 0; i < 50; ++i) all.push_back(&world.join("p" + std::to_string(i)));
  ShardClients::Client& red = world.join("red");
  ShardClients::Client& redder = world.join("redder");
  ShardClients::Client& blue = world.join("blue");
  // The state between two ticks is one picture too.
  CHECK(*world.shard->simulation().encodings <= 4);
  world.network.run_for(50ms);
  const int before = *world.shard->simulation().encodings;
  world.network.run_for(100ms);
  CHECK(*world.shard->simulation().encodings == before + 3);
  CHECK(all[7]->got.back().payload == "{\"sum\":0}");
  CHECK(red.got.back().payload == "{\"view\":1,\"sum\":0}");
  CHECK(redder.got.back().payload == red.got.back().payload);
  CHECK(blue.got.back().payload == "{\"view\":2,\"sum\":0}");
}

TEST_CASE("shard: what is no input, is not allowed, or is too much is told apart", "[shard]") {
  ShardWorld world{{.hz = 10,
                    .max_inputs = 6,
                    .max_subscriber_inputs = 4,
                    .input_rate = {.messages_per_second = 1000}}};
  world.join("alice");
  world.join("bob");
  CHECK(world.input("alice", "x").verdict == InputVerdict::malformed);
  CHECK(world.input("alice", "666").verdict == InputVerdict::unauthorized);
  CHECK(world.input("alice", "1", {}, 65).verdict == InputVerdict::accepted);
  CHECK(world.input("alice", "1", {}, 1000).verdict == InputVerdict::too_early);
  for (int i = 0; i < 3; ++i) CHECK(world.input("alice", "1").verdict == InputVerdict::accepted);
  CHECK(world.input("alice", "1").verdict == InputVerdict::queue_full);
  CHECK(world.input("bob", "1").verdict == InputVerdict::accepted);
  const InputResult last = world.input("bob", "1");
  CHECK(last.verdict == InputVerdict::accepted);
  CHECK(world.input("bob", "1").verdict == InputVerdict::queue_full);
  world.network.run_for(100ms);
  const InputResult next = world.input("bob", "1313");
  CHECK(next.number == last.number + 1);
  world.network.run_for(100ms);
  CHECK(world.shard->stats().inputs_refused == 1);
  const auto& counts = world.shard->stats().inputs;
  CHECK(counts[static_cast<std::size_t>(InputVerdict::malformed)] == 1);
  CHECK(counts[static_cast<std::size_t>(InputVerdict::unauthorized)] == 1);
  CHECK(counts[static_cast<std::size_t>(InputVerdict::too_early)] == 1);
  CHECK(counts[static_cast<std::size_t>(InputVerdict::queue_full)] == 2);
  CHECK(counts[static_cast<std::size_t>(InputVerdict::accepted)] == 7);
}

TEST_CASE("shard defect 19: an input that is refused uses up no number", "[shard]") {
  ShardWorld world{{.hz = 10, .max_inputs = 1, .max_subscriber_inputs = 1}};
  world.join("alice");
  CHECK(world.input("alice", "1").number == 1);
  CHECK(world.input("alice", "1").verdict == InputVerdict::queue_full);
  world.network.run_for(100ms);
  CHECK(world.input("alice", "1").number == 2);
}

TEST_CASE("shard: a number that has been seen is not applied twice", "[shard]") {
  ShardWorld world{{.hz = 10}};
  ShardClients::Client& alice = world.join("alice");
  CHECK(world.input("alice", "1", 5).verdict == InputVerdict::accepted);
  CHECK(world.input("alice", "1", 5).verdict == InputVerdict::stale);
  CHECK(world.input("alice", "1", 4).verdict == InputVerdict::stale);  // in order, or never
  CHECK(world.input("alice", "1").verdict == InputVerdict::accepted);  // has none
  CHECK(world.input("alice", "1", 6).verdict == InputVerdict::accepted);
  world.network.run_for(100ms);
  CHECK(world.shard->simulation().sum == 3);
  // A page that is loaded anew begins with 1 again: numbers are those of a connection.
  world.leave(alice);
  world.join("alice");
  CHECK(world.input("alice", "1", 1).verdict == InputVerdict::accepted);
}

TEST_CASE("shard: numbers may begin with any", "[shard]") {
  const Wire wire = GENERATE(Wire::legacy, Wire::v2);
  const std::uint64_t first = GENERATE(std::uint64_t{0}, std::uint64_t{1}, UINT64_MAX - 1);
  ShardWorld world{{.hz = 10}};
  world.wire = wire;
  world.join("alice");
  CHECK(world.input("alice", "1", first).verdict == InputVerdict::accepted);
  CHECK(world.input("alice", "1", first).verdict == InputVerdict::stale);
  CHECK(world.input("alice", "1", first + 1).verdict == InputVerdict::accepted);
  CHECK(world.input("alice", "1", first + 1).verdict == InputVerdict::stale);
  CHECK(world.input("alice", "1", first).verdict == InputVerdict::stale);
}

TEST_CASE("shard: numbers out of order are taken once each, within the last 64", "[shard]") {
  ShardWorld world{{.hz = 10}};
  world.wire = Wire::v2;
  world.join("alice");
  const auto give = [&](std::uint64_t number) { return world.input("alice", "1", number).verdict; };
  CHECK(give(100) == InputVerdict::accepted);
  CHECK(give(98) == InputVerdict::accepted);
  CHECK(give(98) == InputVerdict::stale);
  CHECK(give(103) == InputVerdict::accepted);
  CHECK(give(98) == InputVerdict::stale);
  CHECK(give(100) == InputVerdict::stale);
  CHECK(give(101) == InputVerdict::accepted);
  CHECK(give(101) == InputVerdict::stale);
  CHECK(give(39) == InputVerdict::accepted);
  CHECK(give(38) == InputVerdict::stale);
  CHECK(give(1000) == InputVerdict::accepted);
  CHECK(give(936) == InputVerdict::accepted);
  CHECK(give(103) == InputVerdict::stale);
}

TEST_CASE("shard: an input for a later tick waits for it", "[shard]") {
  ShardWorld world{{.hz = 10}};
  world.join("alice");
  world.network.run_for(100ms);
  const std::uint64_t tick = world.shard->tick();
  static_cast<void>(world.take_log());
  world.input("alice", "3", {}, tick + 3);
  world.input("alice", "1", {}, tick + 1);
  world.input("alice", "9", {}, 1);  // has passed: the next
  world.network.run_for(100ms);
  CHECK(world.take_log() == Log{"alice:1", "alice:9", "step"});
  world.network.run_for(100ms);
  CHECK(world.take_log() == Log{"step"});
  world.network.run_for(100ms);
  CHECK(world.take_log() == Log{"alice:3", "step"});
}

TEST_CASE("shard: who leaves takes along what was meant for a later tick", "[shard]") {
  ShardWorld world{{.hz = 10}};
  ShardClients::Client& alice = world.join("alice");
  world.network.run_for(100ms);
  static_cast<void>(world.take_log());
  world.input("alice", "3", {}, world.shard->tick() + 5);
  world.input("alice", "1");
  world.leave(alice);
  world.network.run_for(100ms);
  CHECK(world.take_log() == Log{"alice:1", "-alice", "step"});
  CHECK(world.shard->input_count() == 0);
  world.network.run_for(1s);
  CHECK(world.shard->simulation().sum == 1);
}

TEST_CASE("shard: who sends too much is dropped, and after ten seconds is to be closed",
          "[shard]") {
  ShardWorld world{{.hz = 100, .input_rate = {.messages_per_second = 10, .burst = 1s}}};
  world.join("alice");
  int accepted = 0;
  InputVerdict verdict = InputVerdict::accepted;
  int ms = 0;
  for (; ms < 20'000 && verdict != InputVerdict::flooding; ms += 10) {
    verdict = world.input("alice", "1").verdict;
    accepted += verdict == InputVerdict::accepted ? 1 : 0;
    world.network.run_for(10ms);
  }
  CHECK(verdict == InputVerdict::flooding);
  CHECK(ms > 10'000);
  CHECK(ms < 10'300);
  CHECK(accepted >= 100);
  CHECK(accepted <= 115);
  // One who does so now and then stays.
  world.network.run_for(5s);
  for (int i = 0; i < 11; ++i) verdict = world.input("alice", "1").verdict;
  CHECK(verdict == InputVerdict::too_fast);
}

TEST_CASE("shard defect 13: what was recorded is played back tick for tick", "[shard]") {
  const bool sorts = GENERATE(false, true);
  ReplayLog log;
  ShardWorld world{{.hz = 60, .sorts_inputs = sorts}};
  world.shard->record(&log);
  std::vector<std::uint64_t> hashes;
  world.shard->after_tick([&](const Tally& tally, std::uint64_t tick) {
    REQUIRE(tick == hashes.size() + 1);
    hashes.push_back(tally.hash());
  });
  SeededEntropy dice{4};
  std::vector<ShardClients::Client*> there;
  std::vector<std::string> names;
  for (int i = 0; i < 400; ++i) {
    const std::uint64_t drawn = dice.next_u64();
    if (drawn % 20 == 0) {
      names.push_back("p" + std::to_string(i));
      there.push_back(&world.join(names.back()));
    }
    if (drawn % 23 == 0 && !there.empty()) {
      world.leave(*there.back());
      there.pop_back();
      names.pop_back();
    }
    for (std::size_t p = 0; p < there.size(); ++p) {
      if ((drawn >> p & 1U) != 0) continue;
      world.input(names[p], std::to_string(drawn % 100), {},
                  drawn % 7 == 0 ? world.shard->tick() + 3 : 0);
    }
    world.network.run_for(std::chrono::milliseconds{drawn % 40});
  }
  world.network.run_for(100ms);
  CHECK(world.shard->simulation().sum > 1000);

  std::vector<std::uint64_t> again;
  Tally fresh;
  const result<std::uint64_t> steps =
      replay(log.bytes(), fresh, [&](std::uint64_t, std::uint64_t hash) { again.push_back(hash); });
  REQUIRE(steps.has_value());
  CHECK(*steps == hashes.size());
  CHECK(again == hashes);
}

// Event-driven shards.

TEST_CASE("shard: without a rate it ticks when there is an input, and at no other time",
          "[shard]") {
  ShardWorld world{{.hz = 0, .idle_timeout = 0s}};
  CHECK(world.shard->next_deadline() == no_deadline);
  ShardClients::Client& alice = world.join("alice");
  CHECK(world.shard->tick() == 1);  // the game has to hear of her
  static_cast<void>(world.take_log());
  world.network.run_for(1h);
  CHECK(world.shard->tick() == 1);
  world.input("alice", "5");
  world.input("alice", "6");
  CHECK(world.shard->next_deadline() <= world.network.now());
  world.network.run_for(1ms);
  CHECK(world.shard->tick() == 2);
  CHECK(world.take_log() == Log{"alice:5", "alice:6", "step"});
  CHECK(alice.got.back().payload == "{\"sum\":11}");
}

TEST_CASE("shard defect 17: without a rate too, who joins gets the state, and nobody is idle",
          "[shard]") {
  ShardWorld world{{.hz = 0, .idle_timeout = 90s}};
  ShardClients::Client& alice = world.join("alice");
  CHECK(alice.got.at(0).payload == "{\"sum\":0}");
  world.network.run_for(1h);
  CHECK(world.shard->is_running());
  world.leave(alice);
  world.network.run_for(89s);
  CHECK(world.shard->is_running());
  world.network.run_for(2s);
  CHECK(world.shard->ending() == Ending::idle);
}

TEST_CASE("shard: nobody there for long ends it at every rate", "[shard]") {
  const std::uint32_t hz = GENERATE(0U, 20U, 1000U);
  ShardWorld world{{.hz = hz, .idle_timeout = 90s}};
  world.network.run_for(89s);
  CHECK(world.shard->is_running());
  world.network.run_for(2s);
  CHECK(world.shard->ending() == Ending::idle);
  CHECK(world.shard->next_deadline() == no_deadline);
}

// Slow subscribers.

TEST_CASE("shard defect 1 and 4: one that never reads disturbs nobody", "[shard]") {
  const auto run = [](bool has_deaf) {
    ShardWorld world{{.hz = 20, .write_timeout = 1h}, {.size = 16384}};
    std::vector<ShardClients::Client*> all;
    for (int i = 0; i < 20; ++i) all.push_back(&world.join("p" + std::to_string(i)));
    if (has_deaf) {
      ShardClients::Client& deaf = world.join("deaf", {.window = 4096});
      world.network.stall(*deaf.connection, true);
    }
    std::vector<std::string> got;
    world.network.run_for(60s);
    for (const auto* one : all) {
      for (const auto& snapshot : one->got) got.push_back(std::to_string(snapshot.tick));
    }
    return got;
  };
  const std::vector<std::string> with = run(true);
  CHECK(with == run(false));
  CHECK(with.size() >= 20 * 1200);
}

TEST_CASE("shard: what one that never reads costs does not grow, and then it is closed",
          "[shard]") {
  ShardWorld world{{.hz = 20, .write_timeout = 10min}, {.size = 16384}};
  ShardClients::Client& deaf = world.join("deaf", {.window = 4096});
  world.network.stall(*deaf.connection, true);
  world.network.run_for(10s);
  Connection& server_end = *world.shard->find("deaf")->connection;
  const std::size_t backlog = server_end.backlog();
  CHECK(backlog <= 2 * 16500);
  for (int i = 0; i < 30; ++i) {
    world.network.run_for(10s);
    CHECK(server_end.backlog() == backlog);
  }
  CHECK(world.shard->find("deaf")->conflated > 6000);
  CHECK(world.shard->stats().frames_conflated == world.shard->find("deaf")->conflated);
  CHECK(world.shard->stats().closed_slow == 0);
  world.network.run_for(5min);
  CHECK(world.shard->stats().closed_slow == 1);
}

TEST_CASE("shard: a slow one gets the newest, and never an older one after it", "[shard]") {
  ShardWorld world{{.hz = 20}, {.size = 16384}};
  // One snapshot in about three.
  ShardClients::Client& slow = world.join("slow", {.bytes_per_second = 110'000, .window = 16'500});
  for (int i = 0; i < 200; ++i) {
    world.input("slow", "1");
    world.network.run_for(50ms);
  }
  CHECK(slow.got.size() > 50);
  CHECK(slow.got.size() < 100);
  for (std::size_t i = 1; i < slow.got.size(); ++i) CHECK(slow.got[i].tick > slow.got[i - 1].tick);
  // What it has is as old as one snapshot that arrives and one that waits.
  CHECK(slow.got.back().tick + 9 > world.shard->tick());
  CHECK(world.shard->stats().closed_slow == 0);
}

// Duplicates.

TEST_CASE("shard: who joins again takes the place", "[shard]") {
  ShardWorld world{{.hz = 10}};
  ShardClients::Client& old = world.join("alice");
  ShardClients::Client& fresh = world.join("alice");
  CHECK_FALSE(old.is_open);
  CHECK(old.closed.code == 4409);
  CHECK(old.close_text == "replaced");
  CHECK(fresh.is_open);
  CHECK(world.shard->subscriber_count() == 1);
  CHECK(world.input("alice", "1").verdict == InputVerdict::accepted);
  world.network.run_for(100ms);
  CHECK(fresh.got.back().payload == "{\"sum\":1}");
}

TEST_CASE("shard defect 7: of two with one id, one that leaves does not take the other along",
          "[shard]") {
  ShardWorld world{{.hz = 10, .duplicates = Duplicates::multi}};
  ShardClients::Client& one = world.join("alice");
  ShardClients::Client& two = world.join("alice");
  CHECK(world.shard->subscriber_count() == 2);
  world.leave(one);
  CHECK(world.shard->subscriber_count() == 1);
  const std::size_t got = two.got.size();
  world.network.run_for(1s);
  CHECK(two.got.size() == got + 10);
}

TEST_CASE("shard: an id that is taken is refused where the shard says so", "[shard]") {
  ShardWorld world{{.hz = 10, .duplicates = Duplicates::reject}};
  world.join("alice");
  CHECK(world.shard->check_join({.id = "alice", .user = "alice"}).refusal ==
        JoinRefusal::duplicate);
  CHECK(world.shard->check_join({.id = "alice:phone", .user = "alice"}).refusal ==
        JoinRefusal::none);
}

// Who may join.

TEST_CASE("shard: the id is the account's, alone or with a device", "[shard]") {
  ShardWorld world{{.hz = 10, .max_subscribers = 1}};
  const auto check = [&](Subscriber who) { return world.shard->check_join(who).refusal; };
  CHECK(check({.id = "alice", .user = "alice"}) == JoinRefusal::none);
  CHECK(check({.id = "alice:phone", .user = "alice"}) == JoinRefusal::none);
  CHECK(check({.id = "alicent", .user = "alice"}) == JoinRefusal::wrong_id);
  CHECK(check({.id = "bob", .user = "alice"}) == JoinRefusal::wrong_id);
  CHECK(check({.id = "bob", .user = "alice", .is_admin = true}) == JoinRefusal::none);
  CHECK(check({.id = "bob"}) == JoinRefusal::needs_account);
  const JoinCheck banned = world.shard->check_join({.id = "banned", .user = "banned"});
  CHECK(banned.refusal == JoinRefusal::unauthorized);
  CHECK(banned.reason == "not you");
  world.join("alice");
  CHECK(check({.id = "carol", .user = "carol"}) == JoinRefusal::full);
  CHECK(check({.id = "alice", .user = "alice"}) == JoinRefusal::none);  // takes her own place
  world.shard->end(Ending::stopped, world.network.now());
  CHECK(check({.id = "carol", .user = "carol"}) == JoinRefusal::stopped);
}

TEST_CASE("shard: guests are let in where it says so", "[shard]") {
  ShardWorld world{{.guests = Guests::named}};
  CHECK(world.shard->check_join({.id = "anybody"}).refusal == JoinRefusal::none);
  CHECK(world.shard->check_join({.id = "bob", .user = "alice"}).refusal == JoinRefusal::wrong_id);
}

// The end.

TEST_CASE("shard defect 16: when the game is over everybody gets the last state and is told",
          "[shard]") {
  ShardWorld world{{.hz = 10}};
  ShardClients::Client& alice = world.join("alice");
  ShardClients::Client& bob = world.join("bob");
  world.input("alice", "1000000");
  world.network.run_for(200ms);
  for (const ShardClients::Client* one : {&alice, &bob}) {
    CHECK_FALSE(one->is_open);
    CHECK(one->got.back().payload == "{\"sum\":1000000}");
    CHECK(one->closed.code == 1000);
    CHECK(one->close_text == "finished");
  }
  CHECK(world.shard->ending() == Ending::finished);
  const std::uint64_t tick = world.shard->tick();
  world.network.run_for(10s);
  CHECK(world.shard->tick() == tick);
}

TEST_CASE("shard: one that is stopped says so, and takes nothing more", "[shard]") {
  ShardWorld world{{.hz = 10}};
  ShardClients::Client& alice = world.join("alice");
  Subscription& subscription = *world.shard->find("alice");
  world.input("alice", "1");
  world.shard->end(Ending::stopped, world.network.now());
  CHECK(world.shard->input(subscription, as_bytes("1"), Format::json, {}, 0, world.network.now())
            .verdict == InputVerdict::stopped);
  REQUIRE(world.network.run_until_quiet());
  CHECK(alice.closed.code == 1013);
  CHECK(alice.close_text == "shard is stopped");
  CHECK(world.shard->simulation().sum == 0);
}

TEST_CASE("shard: one that is destroyed leaves no connection behind that knows it", "[shard]") {
  ShardWorld world{{.hz = 10}};
  ShardClients::Client& alice = world.join("alice");
  world.join("bob");
  world.input("alice", "1");
  Connection& server_end = *world.shard->find("alice")->connection;
  world.shard.reset();
  CHECK(server_end.context<void>() == nullptr);
  world.leave(alice);
}

TEST_CASE("shard: a configuration out of its range is refused by name", "[shard]") {
  std::string problem;
  CHECK_FALSE(AnyShard::validate({}, problem));
  CHECK(AnyShard::validate({.hz = 1001}, problem) == errc::invalid_config);
  CHECK(problem == "hz must be between 0 and 1000");
  CHECK(AnyShard::validate({.max_inputs = 0}, problem) == errc::invalid_config);
  CHECK(AnyShard::validate({.max_inputs = 5}, problem) == errc::invalid_config);
  CHECK(AnyShard::validate({.catch_up = CatchUp::burst(0)}, problem) == errc::invalid_config);
  CHECK(AnyShard::validate({.write_timeout = 99ms}, problem) == errc::invalid_config);
  CHECK(AnyShard::validate({.max_input_lead = 0}, problem) == errc::invalid_config);
  CHECK(AnyShard::validate({.idle_timeout = -1s}, problem) == errc::invalid_config);
  CHECK(AnyShard::validate({.max_events = 1}, problem) == errc::invalid_config);
}
