// SPDX-License-Identifier: MIT
#include <muster/shard/registry.hpp>
#include <muster/shard/shard.hpp>
#include <muster/shard/tick_times.hpp>

#include "support/shard_world.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

using namespace muster;
using namespace muster::shard;
using namespace std::chrono_literals;

namespace {

constexpr time_point start{1h};

// Shows what a test says, and counts how often it was read.
struct HandWatch final : Stopwatch {
  time_point read() noexcept override {
    ++reads;
    return now;
  }
  time_point now = start;
  int reads = 0;
};

duration spent(const TickTimes::Stats& stats, TickPhase phase) {
  return stats.phases[static_cast<std::size_t>(phase)].sum();
}

// A game in which everything takes its time.
struct Slow {
  using Input = int;
  using Snapshot = int;
  static inline HandWatch* watch = nullptr;

  static std::optional<int> decode(byte_view bytes, Format) {
    return static_cast<int>(bytes.size());
  }
  void apply(const Subscriber&, int) { watch->now += 1ms; }
  void step(duration) { watch->now += 20ms; }
  std::uint64_t view_key(const Subscriber& who) const {
    watch->now += 300us;
    return who.id == "odd" ? 1 : 0;
  }
  Snapshot snapshot(std::uint64_t) const {
    watch->now += 5ms;
    return 0;
  }
  void encode(const View&, std::vector<std::byte>& out) const {
    watch->now += 50ms;
    out.push_back(std::byte{'1'});
  }
  static bool encode_delta(const Snapshot&, const Snapshot&, Format, std::vector<std::byte>& out) {
    watch->now += 7ms;
    out.push_back(std::byte{'2'});
    return true;
  }
};

// A shard of it, in a registry that has a stopwatch. The network's time and the stopwatch's are
// moved apart from each other.
class SlowWorld final : public Service {
 public:
  SlowWorld() : shard(make()) {
    registry.set_stopwatch(&watch);
    Slow::watch = &watch;
    watch.now = network.now();
  }

  void join(std::string id) {
    id_ = std::move(id);
    network.connect(clients, *this);
    REQUIRE(network.run_until_quiet());
  }
  void tick() { registry.advance(network.now()); }

  void on_open(Connection& connection, time_point now) override {
    Subscription& made = shard.reserve({.id = id_, .user = id_}, Wire::v2, Format::json);
    connection.set_context(&made);
    shard.attach(made, connection, now);
  }
  void on_message(Connection&, const Message&, time_point) override {}
  void on_close(Connection&, const CloseInfo&, time_point) override {}

  struct Clients final : Service {
    void on_message(Connection&, const Message&, time_point) override {}
  };

  Clients clients;
  memory::Network network{1};
  HandWatch watch;
  Registry registry;
  AnyShard& shard;

 private:
  AnyShard& make() {
    return **registry.insert(
        "slow", std::make_unique<Shard<Slow>>(AnyShard::Config{.hz = 10}, Slow{}, network.now()),
        network.now());
  }

  std::string id_;
};

}  // namespace

TEST_CASE("shard tick times: each phase has a name", "[shard]") {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < tick_phase_count; ++i) {
    names.push_back(to_string(static_cast<TickPhase>(i)));
  }
  CHECK(names == std::vector<std::string_view>{"apply", "step", "view", "encode", "publish"});
}

TEST_CASE("shard tick times: a phase has the time until the next, once in each tick", "[shard]") {
  HandWatch watch;
  TickTimes times;
  times.set_stopwatch(&watch);
  times.enter(TickPhase::encode);  // between two ticks nothing is measured
  CHECK(watch.reads == 0);
  for (int tick = 0; tick < 2; ++tick) {
    times.begin();
    watch.now += 1ms;
    times.enter(TickPhase::step);
    watch.now += 2ms;
    times.enter(TickPhase::publish);
    for (int i = 0; i < 3; ++i) {
      watch.now += 10us;
      times.enter(TickPhase::encode);
      watch.now += 1ms;
      times.enter(TickPhase::publish);
    }
    times.end();
    watch.now += 1h;
  }
  const TickTimes::Stats& stats = times.stats();
  CHECK(spent(stats, TickPhase::apply) == 2ms);
  CHECK(spent(stats, TickPhase::step) == 4ms);
  CHECK(spent(stats, TickPhase::view) == 0ms);
  CHECK(spent(stats, TickPhase::encode) == 6ms);
  CHECK(spent(stats, TickPhase::publish) == 60us);
  for (const DurationHistogram& phase : stats.phases) CHECK(phase.count() == 2);
}

TEST_CASE("shard tick times: the lag is what the loop adds too, if there is a stopwatch",
          "[shard]") {
  TickTimes times;
  times.begin();
  times.late(start, 3ms);
  times.end();
  CHECK(times.stats().lag.sum() == 3ms);
  CHECK(times.stats().phases[0].count() == 0);
  HandWatch watch;
  times.set_stopwatch(&watch);
  watch.now = start + 2ms;  // since the loop read its clock
  times.begin();
  times.late(start, 4ms);
  times.end();
  CHECK(times.stats().lag.sum() == 9ms);
  CHECK(times.stats().lag.count() == 2);
  TickTimes::Stats all = times.stats();
  all += times.stats();
  CHECK(all.lag.sum() == 18ms);
  CHECK(all.phases[0].count() == 2);
}

TEST_CASE("shard tick times: a registry measures the ticks of all its shards", "[shard]") {
  SlowWorld world;
  world.join("even");
  world.join("odd");
  REQUIRE(world.watch.reads == 0);  // pictures of newcomers belong to no tick
  world.shard.input(*world.shard.find("odd"), as_bytes("x"), Format::json, {}, 0,
                    world.network.now());
  world.watch.now = world.network.now() + 4ms;
  world.tick();
  // Of two views, each as a whole, since nobody has said what it has.
  const TickTimes::Stats& stats = world.registry.tick_times();
  CHECK(spent(stats, TickPhase::apply) == 1ms);
  CHECK(spent(stats, TickPhase::step) == 20ms);
  CHECK(spent(stats, TickPhase::view) == 2 * (300us + 5ms));
  CHECK(spent(stats, TickPhase::encode) == 100ms);
  CHECK(spent(stats, TickPhase::publish) == 0ms);
  CHECK(stats.lag.count() == 1);
  CHECK(stats.lag.sum() == 4ms);

  // Now deltas: nobody was slow between two ticks.
  world.shard.acknowledge(*world.shard.find("even"), 1);
  world.shard.acknowledge(*world.shard.find("odd"), 1);
  world.network.run_for(100ms);
  world.watch.now = world.network.now();
  world.tick();
  CHECK(spent(stats, TickPhase::encode) == 100ms + 14ms);
  CHECK(spent(stats, TickPhase::view) == 4 * (300us + 5ms));
  for (const DurationHistogram& phase : stats.phases) CHECK(phase.count() == 2);

  // What has gone is still counted.
  world.registry.remove("slow", world.network.now());
  CHECK(world.registry.tick_times().lag.count() == 2);
}

TEST_CASE("shard tick times: who has no schedule is never late", "[shard]") {
  HandWatch watch;
  Registry registry;
  registry.set_stopwatch(&watch);
  AnyShard& shard = **registry.insert(
      "tally",
      std::make_unique<Shard<test::Tally>>(AnyShard::Config{.hz = 0}, test::Tally{}, start), start);
  Subscription& one = shard.reserve({.id = "one", .user = "one"}, Wire::legacy, Format::json);
  shard.input(one, as_bytes("5"), Format::json, {}, 0, start);
  registry.advance(start);
  CHECK(shard.tick() == 1);
  CHECK(registry.tick_times().lag.count() == 0);
  CHECK(registry.tick_times().phases[0].count() == 1);
  shard.leave(one, start);
}
