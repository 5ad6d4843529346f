// SPDX-License-Identifier: MIT
// The record writer: never in the way of who offers, and silent about nothing that is lost.
#include "record_writer.hpp"
#include "sqlite_store.hpp"

#include "support/catch.hpp"

#ifdef MUSTER_RELAY_POSTGRES
#include "postgres_server.hpp"
#include "postgres_store.hpp"
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <future>
#include <iostream>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

using namespace std::chrono_literals;
using relay_program::Effect;
using relay_program::GameResult;
using relay_program::Job;
using relay_program::job_kinds;
using relay_program::PlayerJoined;
using relay_program::PlayerLeft;
using relay_program::Record;
using relay_program::RecordPage;
using relay_program::RecordStore;
using relay_program::RecordWriter;
using relay_program::RelayRun;
using relay_program::RoomClosed;
using relay_program::RoomOpened;
using relay_program::SqliteStore;
using relay_program::StoreError;
using relay_program::UnixSeconds;
using Stats = RecordWriter::Stats;

namespace {

// What a fake store does, and what it has seen. It outlives the store, which may outlive the
// writer.
struct Script {
  std::mutex mutex;
  std::condition_variable changed;
  bool is_blocked = false;  // calls wait
  bool is_waiting = false;  // a call does
  int open_failures = 0;    // that many calls of each kind fail; negative: all
  int stale_failures = 0;
  int apply_failures = 0;
  std::int64_t poison = -1;  // the room that is rejected
  std::vector<std::string> calls;
  std::vector<Job> applied;
  bool is_open = false;

  void set(const std::function<void(Script&)>& change) {
    const std::lock_guard lock{mutex};
    change(*this);
    changed.notify_all();
  }
  template <class T>
  T get(T Script::*member) {
    const std::lock_guard lock{mutex};
    return this->*member;
  }
  void wait_until_a_call_waits() {
    std::unique_lock lock{mutex};
    REQUIRE(changed.wait_for(lock, 60s, [this] { return is_waiting; }));
  }
  std::size_t count(const std::string& name) {
    const std::lock_guard lock{mutex};
    return static_cast<std::size_t>(std::count(calls.begin(), calls.end(), name));
  }
};

class FakeStore final : public RecordStore {
 public:
  explicit FakeStore(std::shared_ptr<Script> script) : script_(std::move(script)) {}
  ~FakeStore() override { enter("destroy"); }

  void open(const RelayRun&) override {
    if (is_open()) return;
    const auto lock = enter("open");
    fail(script_->open_failures);
    script_->is_open = true;
  }
  bool is_open() const noexcept override { return script_->get(&Script::is_open); }
  std::vector<Effect> apply(std::span<const Job> jobs) override {
    const auto lock = enter("apply");
    fail(script_->apply_failures);
    for (const Job& job : jobs) {
      if (room_of(job) == script_->poison) {
        throw StoreError{StoreError::Kind::rejected, "poison"};
      }
    }
    script_->applied.insert(script_->applied.end(), jobs.begin(), jobs.end());
    return std::vector<Effect>(jobs.size(), Effect{Effect::Kind::written, 42});
  }
  std::size_t close_stale(UnixSeconds) override {
    const auto lock = enter("close_stale");
    fail(script_->stale_failures);
    return 3;
  }
  std::optional<Record> find(std::int64_t id) override {
    const auto lock = enter("find");
    if (id == 0) return std::nullopt;
    Record record;
    record.id = id;
    return record;
  }
  std::vector<Record> list(const RecordPage&) override {
    const auto lock = enter("list");
    return std::vector<Record>(2);
  }

 private:
  std::unique_lock<std::mutex> enter(const char* call) {
    std::unique_lock lock{script_->mutex};
    script_->calls.emplace_back(call);
    script_->is_waiting = script_->is_blocked;
    script_->changed.notify_all();
    script_->changed.wait(lock, [this] { return !script_->is_blocked; });
    script_->is_waiting = false;
    return lock;
  }
  static void fail(int& failures) {
    if (failures == 0) return;
    if (failures > 0) --failures;
    throw StoreError{StoreError::Kind::unavailable, "the disk is on strike"};
  }

  std::shared_ptr<Script> script_;
};

RecordWriter::Config quick() {
  RecordWriter::Config config;
  config.backoff = {.first = 1ms, .longest = 2ms};
  return config;
}

RoomOpened opened(std::int64_t room) {
  return {.room = room, .at = 1, .game_id = "chess", .room_code = "r"};
}

std::uint64_t sum(const RecordWriter::Counts& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

// The promise of the header: what was accepted is somewhere.
bool adds_up(const Stats& stats) {
  return sum(stats.accepted) == sum(stats.written) + sum(stats.unchanged) + sum(stats.no_record) +
                                    sum(stats.rejected) + sum(stats.lost) + stats.waiting_jobs;
}

Stats eventually(const RecordWriter& writer, const std::function<bool(const Stats&)>& is_so) {
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  for (;;) {
    Stats stats = writer.stats();
    CHECK(adds_up(stats));
    if (is_so(stats)) return stats;
    if (std::chrono::steady_clock::now() > deadline) {
      FAIL("it did not come to that; the last error was: " << stats.last_error);
    }
    std::this_thread::sleep_for(1ms);
  }
}

bool is_idle(const Stats& stats) { return stats.waiting_jobs == 0; }

muster::time_point in(muster::duration time) { return std::chrono::steady_clock::now() + time; }

struct World {
  std::shared_ptr<Script> script = std::make_shared<Script>();
  std::unique_ptr<RecordWriter> writer;

  void start(const RecordWriter::Config& config = quick()) {
    REQUIRE(RecordWriter::is_valid(config));
    writer = std::make_unique<RecordWriter>(std::make_unique<FakeStore>(script),
                                            RelayRun{"relay", "run"}, config);
  }
};

}  // namespace

TEST_CASE("record writer: jobs are written in order, each of them told", "[records][writer]") {
  World world;
  world.start();
  std::vector<std::future<Effect>> effects;
  for (std::int64_t room = 0; room < 100; ++room) {
    auto told = std::make_shared<std::promise<Effect>>();
    effects.push_back(told->get_future());
    CHECK(world.writer->offer(opened(room), [told](const Effect& e) { told->set_value(e); }));
    CHECK(world.writer->offer(RoomClosed{room, 2, "empty"}));
  }
  for (auto& effect : effects) {
    REQUIRE(effect.wait_for(60s) == std::future_status::ready);
    CHECK(effect.get() == Effect{Effect::Kind::written, 42});
  }
  CHECK(world.writer->stop(in(60s)));
  const Stats stats = world.writer->stats();
  CHECK(stats.accepted == RecordWriter::Counts{100, 0, 0, 100, 0});
  CHECK(stats.written == stats.accepted);
  CHECK(stats.stale_closed == 3);
  CHECK(stats.is_available);
  CHECK(adds_up(stats));
  const auto applied = world.script->get(&Script::applied);
  REQUIRE(applied.size() == 200);
  for (std::size_t i = 0; i < applied.size(); ++i) {
    CHECK(room_of(applied[i]) == static_cast<std::int64_t>(i / 2));
    CHECK(applied[i].index() == (i % 2 == 0 ? 0U : 3U));
  }
  CHECK(world.script->get(&Script::calls).back() == "destroy");
}

TEST_CASE("record writer: a store that blocks never blocks who offers", "[records][writer]") {
  World world;
  world.script->is_blocked = true;
  RecordWriter::Config config = quick();
  config.max_jobs = 1'000;
  config.max_batch = 400;
  world.start(config);
  world.script->wait_until_a_call_waits();

  // The store blocks all the while. Two loops offer more than fits.
  std::atomic<int> taken = 0;
  std::vector<std::thread> loops;
  for (int loop = 0; loop < 2; ++loop) {
    loops.emplace_back([&world, &taken] {
      for (int i = 0; i < 300; ++i) {
        taken += world.writer->offer(opened(i)) ? 1 : 0;
        taken += world.writer->offer(PlayerJoined{i, 1, {1, 0}, "u", {}}) ? 1 : 0;
      }
    });
  }
  for (std::thread& loop : loops) loop.join();
  CHECK(taken == 1'000);
  Stats stats = world.writer->stats();
  CHECK(sum(stats.accepted) == 1'000);
  CHECK(sum(stats.dropped) == 200);
  CHECK(stats.dropped[0] + stats.accepted[0] == 600);
  CHECK(stats.dropped[1] + stats.accepted[1] == 600);
  CHECK(stats.waiting_jobs == 1'000);
  CHECK_FALSE(world.writer->offer(GameResult{1, 1, "{}", {}}));
  CHECK_FALSE(world.writer->offer(PlayerLeft{1, 1, {1, 0}, "left"}));
  CHECK_FALSE(world.writer->offer(RoomClosed{1, 1, "empty"}));
  stats = world.writer->stats();
  CHECK(stats.dropped[2] == 1);
  CHECK(stats.dropped[3] == 1);
  CHECK(stats.dropped[4] == 1);

  world.script->set([](Script& script) { script.is_blocked = false; });
  stats = eventually(*world.writer, is_idle);
  CHECK(sum(stats.written) == 1'000);
  CHECK(stats.batches == 3);  // of at most 400
  CHECK(stats.waiting_bytes == 0);
  CHECK(world.writer->offer(opened(1)));
}

TEST_CASE("record writer: what waits is bounded in bytes", "[records][writer]") {
  World world;
  world.script->is_blocked = true;
  RecordWriter::Config config = quick();
  config.max_bytes = 10'000;
  world.start(config);
  CHECK_FALSE(world.writer->offer(GameResult{1, 1, std::string(10'000, 'x'), {}}));
  int taken = 0;
  while (taken < 100 && world.writer->offer(GameResult{1, 1, std::string(1'000, 'x'), {}})) ++taken;
  CHECK(taken >= 5);
  CHECK(taken <= 9);
  CHECK(world.writer->stats().waiting_bytes <= 10'000);
  CHECK(sum(world.writer->stats().dropped) == 2);
  world.script->set([](Script& script) { script.is_blocked = false; });
  CHECK(sum(eventually(*world.writer, is_idle).written) == static_cast<std::uint64_t>(taken));
}

TEST_CASE("record writer: what fails is tried again", "[records][writer]") {
  World world;
  world.script->open_failures = 2;
  world.script->stale_failures = 2;
  world.script->apply_failures = 3;
  world.start();
  world.writer->offer(opened(1));
  const Stats stats = eventually(*world.writer, is_idle);
  CHECK(sum(stats.written) == 1);
  CHECK(sum(stats.lost) == 0);
  CHECK(stats.failures == 7);
  CHECK(stats.last_error == "the disk is on strike");
  CHECK(stats.is_available);
  CHECK(stats.stale_closed == 3);
  CHECK(world.script->count("apply") == 4);
  CHECK(world.script->count("close_stale") == 3);
}

TEST_CASE("relay defect 26: records of an earlier run are closed at the start",
          "[records][writer]") {
  World world;
  world.script->stale_failures = 1;
  world.start();
  const Stats stats = eventually(*world.writer, [](const Stats& s) { return s.stale_closed == 3; });
  CHECK(sum(stats.accepted) == 0);
  CHECK(world.script->count("apply") == 0);
}

TEST_CASE("record writer: what fails for too long is lost, and counted", "[records][writer]") {
  World world;
  world.script->apply_failures = -1;
  RecordWriter::Config config = quick();
  config.give_up_after = 20ms;
  world.start(config);
  std::promise<Effect> told;
  world.writer->offer(opened(1), [&told](const Effect& effect) { told.set_value(effect); });
  world.writer->offer(PlayerJoined{1, 1, {1, 0}, {}, {}});
  auto effect = told.get_future();
  REQUIRE(effect.wait_for(60s) == std::future_status::ready);
  CHECK(effect.get().kind == Effect::Kind::lost);
  Stats stats = eventually(*world.writer, is_idle);
  CHECK(stats.lost == RecordWriter::Counts{1, 1, 0, 0, 0});
  CHECK(stats.failures >= 2);
  CHECK_FALSE(stats.is_available);

  world.script->set([](Script& script) { script.apply_failures = 0; });
  world.writer->offer(opened(2));
  stats = eventually(*world.writer, is_idle);
  CHECK(stats.written[0] == 1);
  CHECK(stats.is_available);
}

TEST_CASE("record writer: one job that is rejected does not take others along",
          "[records][writer]") {
  World world;
  world.script->is_blocked = true;
  world.script->poison = 4;
  world.start();
  std::atomic<int> rejected = 0;
  for (std::int64_t room = 0; room < 10; ++room) {
    world.writer->offer(opened(room), [&rejected, room](const Effect& effect) {
      if (effect.kind == Effect::Kind::rejected && room == 4) ++rejected;
    });
  }
  world.script->set([](Script& script) { script.is_blocked = false; });
  world.writer->stop(in(60s));
  const Stats stats = world.writer->stats();
  CHECK(stats.written[0] == 9);
  CHECK(stats.rejected[0] == 1);
  CHECK(rejected == 1);
  CHECK(adds_up(stats));
  CHECK(stats.last_error == "poison");
  const auto applied = world.script->get(&Script::applied);
  REQUIRE(applied.size() == 9);
  CHECK(room_of(applied[4]) == 5);
}

TEST_CASE("record writer: queries are answered, or told why not", "[records][writer]") {
  World world;
  world.start();
  std::promise<RecordWriter::Found> found;
  std::promise<RecordWriter::Found> none;
  std::promise<RecordWriter::Listed> listed;
  CHECK(world.writer->find(7, [&](RecordWriter::Found f) { found.set_value(std::move(f)); }));
  CHECK(world.writer->find(0, [&](RecordWriter::Found f) { none.set_value(std::move(f)); }));
  CHECK(world.writer->list({}, [&](RecordWriter::Listed l) { listed.set_value(std::move(l)); }));
  const auto seven = found.get_future().get();
  REQUIRE(seven.value);
  REQUIRE(*seven.value);
  CHECK((*seven.value)->id == 7);
  const auto zero = none.get_future().get();
  REQUIRE(zero.value);
  CHECK_FALSE(*zero.value);
  CHECK(listed.get_future().get().value->size() == 2);
  CHECK(world.writer->stats().queries == 3);
}

TEST_CASE("record writer: queries fail while the store is away", "[records][writer]") {
  World world;
  world.script->open_failures = -1;
  RecordWriter::Config config = quick();
  config.backoff = {.first = 1min, .longest = 1h};
  world.start(config);
  eventually(*world.writer, [](const Stats& s) { return s.failures > 0; });
  std::promise<RecordWriter::Found> found;
  CHECK(world.writer->find(7, [&](RecordWriter::Found f) { found.set_value(std::move(f)); }));
  const auto answer = found.get_future().get();
  CHECK_FALSE(answer.value);
  CHECK(answer.error == "the disk is on strike");
  CHECK(world.writer->stats().queries_failed == 1);
  CHECK(world.script->count("find") == 0);
}

TEST_CASE("record writer: queries that wait are bounded", "[records][writer]") {
  World world;
  world.script->is_blocked = true;
  RecordWriter::Config config = quick();
  config.max_queries = 5;
  world.start(config);
  world.script->wait_until_a_call_waits();
  std::atomic<int> answers = 0;
  const auto count = [&answers](RecordWriter::Found) { ++answers; };
  for (int i = 0; i < 5; ++i) CHECK(world.writer->find(1, count));
  CHECK_FALSE(world.writer->find(1, count));
  CHECK_FALSE(world.writer->list({}, [](RecordWriter::Listed) {}));
  CHECK(world.writer->stats().queries_refused == 2);
  world.script->set([](Script& script) { script.is_blocked = false; });
  CHECK(world.writer->stop(in(60s)));
  CHECK(answers == 5);
}

TEST_CASE("record writer: neither queries nor jobs hold each other up", "[records][writer]") {
  World world;
  world.script->is_blocked = true;
  RecordWriter::Config config = quick();
  config.max_batch = 1;
  world.start(config);
  world.script->wait_until_a_call_waits();
  std::atomic<int> answers = 0;
  for (int i = 0; i < 5; ++i) {
    world.writer->offer(opened(i));
    world.writer->find(1, [&answers](RecordWriter::Found) { ++answers; });
  }
  world.script->set([](Script& script) { script.is_blocked = false; });
  CHECK(world.writer->stop(in(60s)));
  CHECK(answers == 5);
  auto calls = world.script->get(&Script::calls);
  calls.erase(calls.begin(), std::find(calls.begin(), calls.end(), "find"));
  calls.pop_back();  // destroy
  REQUIRE(calls.size() == 10);
  for (std::size_t i = 0; i < calls.size(); ++i) {
    CHECK(calls[i] == (i % 2 == 0 ? "find" : "apply"));
  }
}

TEST_CASE("record writer: at the deadline queries are told that it is over", "[records][writer]") {
  // The store is released after the deadline, within the second that a call in progress is given.
  // On a machine that is too busy for that the thread is left alone, and the test begins anew.
  for (int attempt = 0; attempt < 30; ++attempt) {
    World world;
    world.script->is_blocked = true;
    RecordWriter::Config config = quick();
    config.max_queries = 65'536;
    world.start(config);
    world.script->wait_until_a_call_waits();
    auto found = std::make_shared<std::promise<RecordWriter::Found>>();
    world.writer->find(7, [found](RecordWriter::Found f) { found->set_value(std::move(f)); });
    std::thread opener{[&world] {
      while (world.writer->find(1, [](RecordWriter::Found) {})) std::this_thread::sleep_for(1ms);
      world.script->set([](Script& script) { script.is_blocked = false; });
    }};
    const bool has_ended = world.writer->stop(in(-1s));
    opener.join();
    if (!has_ended) continue;
    const auto answer = found->get_future().get();
    CHECK_FALSE(answer.value);
    CHECK(answer.error == "the relay is about to end");
    CHECK(world.script->count("find") == 0);
    return;
  }
  FAIL("the store was never released in time");
}

TEST_CASE("record writer: the end writes what waits, and takes no more", "[records][writer]") {
  World world;
  world.script->is_blocked = true;
  world.start();
  for (std::int64_t room = 0; room < 500; ++room) world.writer->offer(opened(room));
  std::thread opener{[&world] {
    world.script->wait_until_a_call_waits();
    world.script->set([](Script& script) { script.is_blocked = false; });
  }};
  CHECK(world.writer->stop(muster::no_deadline));
  opener.join();
  CHECK_FALSE(world.writer->offer(opened(1)));
  CHECK_FALSE(world.writer->find(1, [](RecordWriter::Found) {}));
  const Stats stats = world.writer->stats();
  CHECK(stats.written[0] == 500);
  CHECK(stats.dropped[0] == 1);
  CHECK(adds_up(stats));
  CHECK(world.writer->stop(in(0s)));
}

TEST_CASE("record writer: at the deadline what waits is lost, and counted", "[records][writer]") {
  World world;
  world.script->apply_failures = -1;
  world.start();
  std::atomic<int> lost = 0;
  for (std::int64_t room = 0; room < 5; ++room) {
    world.writer->offer(opened(room), [&lost](const Effect& effect) {
      if (effect.kind == Effect::Kind::lost) ++lost;
    });
  }
  CHECK(world.writer->stop(in(30ms)));
  CHECK(lost == 5);
  CHECK(world.writer->stats().lost[0] == 5);
  CHECK(adds_up(world.writer->stats()));
}

TEST_CASE("record writer: a store that blocks for ever does not hold the end up",
          "[records][writer]") {
  World world;
  world.script->is_blocked = true;
  world.start();
  world.script->wait_until_a_call_waits();
  std::atomic<int> answers = 0;
  for (std::int64_t room = 0; room < 5; ++room) {
    world.writer->offer(opened(room), [&answers](const Effect&) { ++answers; });
  }
  world.writer->find(1, [&answers](RecordWriter::Found) { ++answers; });
  CHECK_FALSE(world.writer->stop(in(10ms)));
  const Stats stats = world.writer->stats();
  CHECK(stats.lost[0] == 5);
  CHECK(stats.waiting_jobs == 0);
  CHECK(adds_up(stats));
  world.writer.reset();
  // When the call returns after all, its thread ends and tells nobody.
  world.script->set([](Script& script) { script.is_blocked = false; });
  const auto deadline = in(60s);
  while (world.script->count("destroy") == 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(1ms);
  }
  CHECK(world.script->count("destroy") == 1);
  CHECK(world.script->count("find") == 0);
  CHECK(answers == 0);
}

TEST_CASE("record writer: which configurations are valid", "[records][writer]") {
  CHECK(RecordWriter::is_valid({}));
  const auto with = [](const auto& change) {
    RecordWriter::Config config;
    change(config);
    return RecordWriter::is_valid(config);
  };
  CHECK_FALSE(with([](auto& c) { c.max_jobs = 0; }));
  CHECK_FALSE(with([](auto& c) { c.max_jobs = 10'000'001; }));
  CHECK_FALSE(with([](auto& c) { c.max_bytes = 4'095; }));
  CHECK_FALSE(with([](auto& c) { c.max_queries = 0; }));
  CHECK_FALSE(with([](auto& c) { c.max_batch = 0; }));
  CHECK_FALSE(with([](auto& c) { c.give_up_after = -1s; }));
  CHECK_FALSE(with([](auto& c) { c.give_up_after = 61min; }));
  CHECK_FALSE(with([](auto& c) { c.backoff.first = 0s; }));
  CHECK(with([](auto& c) { c.give_up_after = 0s; }));
}

namespace {

// Four loops, each with rooms of its own, on a store that is a real one.
void play(RecordWriter& writer, std::int64_t rooms_per_loop) {
  std::vector<std::thread> loops;
  for (std::int64_t loop = 0; loop < 4; ++loop) {
    loops.emplace_back([&writer, loop, rooms_per_loop] {
      for (std::int64_t i = 0; i < rooms_per_loop; ++i) {
        const std::int64_t room = loop * 1'000'000 + i;
        writer.offer(opened(room));
        writer.offer(PlayerJoined{room, 2, {0, 0}, "host", {}});
        writer.offer(PlayerJoined{room, 3, {1, 0}, {}, "guest"});
        writer.offer(PlayerLeft{room, 4, {1, 0}, "left"});
        if (i % 2 == 0) writer.offer(GameResult{room, 5, "{}", {{0, "win"}, {1, "loss"}}});
        if (i % 4 != 0) writer.offer(RoomClosed{room, 6, "empty"});
      }
    });
  }
  for (std::thread& loop : loops) loop.join();
}

void check_restart(const std::function<std::unique_ptr<RecordStore>()>& make) {
  {
    RecordWriter writer{make(), {"relay", "run-1"}, quick()};
    play(writer, 40);
    CHECK(writer.stop(in(120s)));
    const Stats stats = writer.stats();
    CHECK(stats.written == RecordWriter::Counts{160, 320, 160, 120, 80});
    CHECK(stats.written == stats.accepted);
    CHECK(stats.last_error.empty());
  }
  RecordWriter writer{make(), {"relay", "run-2"}, quick()};
  CHECK(eventually(writer, [](const Stats& s) { return s.stale_closed > 0; }).stale_closed == 40);
  std::promise<RecordWriter::Listed> listed;
  writer.list({.limit = 100},
              [&listed](RecordWriter::Listed l) { listed.set_value(std::move(l)); });
  const auto page = listed.get_future().get();
  REQUIRE(page.value);
  CHECK(page.value->size() == 100);
  for (const Record& record : *page.value) CHECK(record.closed_at);
  CHECK(writer.stop(in(60s)));
}

}  // namespace

TEST_CASE("record writer: four loops and a restart, in SQLite", "[records][writer][sqlite]") {
  std::string folder = (std::filesystem::temp_directory_path() / "muster-writer-XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  check_restart([&folder] {
    return std::make_unique<SqliteStore>(SqliteStore::Config{.path = folder + "/records.db"});
  });
  std::filesystem::remove_all(folder);
}

TEST_CASE("record writer: a full disk costs records, not the relay", "[records][writer][sqlite]") {
  std::string folder = (std::filesystem::temp_directory_path() / "muster-writer-XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  {
    RecordWriter::Config config = quick();
    config.give_up_after = 5ms;
    config.max_batch = 10;
    RecordWriter writer{std::make_unique<SqliteStore>(SqliteStore::Config{
                            .path = folder + "/records.db", .max_size = 128U << 10U}),
                        {"relay", "run"},
                        config};
    for (std::int64_t room = 0; room < 100; ++room) {
      writer.offer(opened(room));
      writer.offer(GameResult{room, 1, std::string(8'000, 'x'), {}});
    }
    const Stats stats = eventually(writer, is_idle);
    CHECK(sum(stats.written) > 0);
    CHECK(sum(stats.lost) > 0);
    CHECK(sum(stats.written) + sum(stats.lost) + sum(stats.no_record) == 200);
    CHECK_THAT(stats.last_error, ContainsSubstring("full"));
    CHECK(writer.offer(opened(1'000)));
  }
  std::filesystem::remove_all(folder);
}

#ifdef MUSTER_RELAY_POSTGRES

TEST_CASE("record writer: four loops and restarts, in PostgreSQL", "[records][writer][postgres]") {
  using records_test::PostgresServer;
  using relay_program::PostgresStore;
  if (PostgresServer::binaries().empty()) {
    std::cout << "skipped: /usr/lib/postgresql/*/bin has no initdb and postgres" << std::endl;
    return;
  }
  PostgresServer& server = PostgresServer::instance();
  const auto make = [where = server.fresh()] {
    return std::make_unique<PostgresStore>(PostgresStore::Config{.connection = where});
  };
  check_restart(make);

  // The server goes away under the writer, and comes back.
  RecordWriter writer{make(), {"relay", "run-3"}, quick()};
  play(writer, 10);
  eventually(writer, is_idle);
  server.stop();
  play(writer, 10);  // the same jobs again: none of them changes anything
  writer.offer(opened(77));
  eventually(writer, [](const Stats& s) { return s.failures > 0; });
  CHECK_FALSE(writer.stats().is_available);
  server.start();
  const Stats stats = eventually(writer, is_idle);
  CHECK(stats.is_available);
  CHECK(sum(stats.lost) == 0);
  CHECK(stats.written[0] == 41);
  CHECK(writer.stop(in(60s)));
}

#endif
