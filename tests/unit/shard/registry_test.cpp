// SPDX-License-Identifier: MIT
#include <muster/error.hpp>
#include <muster/shard/registry.hpp>
#include <muster/shard/shard.hpp>

#include "support/shard_world.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

using namespace muster;
using namespace muster::shard;
using namespace std::chrono_literals;
using test::Tally;

namespace {

constexpr time_point start{1h};

std::unique_ptr<Shard<Tally>> make(const AnyShard::Config& config = {.hz = 10}, Tally tally = {}) {
  return std::make_unique<Shard<Tally>>(config, std::move(tally), start);
}

// Moves time as a loop does: from one deadline to the next.
time_point run(Registry& registry, time_point from, duration span) {
  const time_point end = from + span;
  while (registry.next_deadline() <= end) {
    from = std::max(from, registry.next_deadline());
    registry.advance(from);
  }
  return end;
}

std::vector<std::string> ids(const Registry& registry) {
  std::vector<std::string> all;
  registry.list([&](std::string_view id, const AnyShard&) {
    all.emplace_back(id);
    return true;
  });
  return all;
}

}  // namespace

TEST_CASE("shard registry: shards are found by their ids, and tick", "[shard]") {
  Registry registry;
  AnyShard& one = **registry.insert("one", make({.hz = 10}), start);
  AnyShard& two = **registry.insert("two", make({.hz = 100}), start);
  CHECK(registry.find("one") == &one);
  CHECK(registry.find("three") == nullptr);
  CHECK(registry.id_of(two) == "two");
  CHECK(ids(registry) == std::vector<std::string>{"one", "two"});
  run(registry, start, 999ms);
  CHECK(one.tick() == 10);
  CHECK(two.tick() == 100);
}

TEST_CASE("shard registry: an id is used once", "[shard]") {
  Registry registry{{.max_shards = 2}};
  AnyShard& one = **registry.insert("one", make(), start);
  CHECK(registry.insert("one", make(), start).error() == errc::already_exists);
  CHECK(registry.find("one") == &one);
  CHECK(registry.insert("", make(), start).error() == errc::bad_value);
  CHECK(registry.insert("a\nb", make(), start).error() == errc::bad_value);
  CHECK(registry.insert("\xff", make(), start).error() == errc::bad_value);
  CHECK(registry.insert(std::string(129, 'x'), make(), start).error() == errc::bad_value);
  CHECK(registry.insert(std::string(128, 'x'), make(), start).has_value());
  CHECK(registry.insert("two", make(), start).error() == errc::limit_reached);
}

TEST_CASE("shard defect 16: one that is replaced is ended, and not split in two", "[shard]") {
  Registry registry;
  test::ShardClients clients;
  struct Joiner final : Service {
    void on_open(Connection& connection, time_point now) override {
      Subscription& made = shard->reserve({.id = "a", .user = "a"}, Wire::legacy, Format::json);
      connection.set_context(&made);
      shard->attach(made, connection, now);
    }
    void on_message(Connection&, const Message&, time_point) override {}
    AnyShard* shard = nullptr;
  } joiner;
  memory::Network network{1};
  joiner.shard = *registry.insert("one", make(), network.now());
  const std::uint32_t index = network.connect(clients, joiner).id().index;
  REQUIRE(network.run_until_quiet());
  Connection* const server_end = joiner.shard->find("a")->connection;
  AnyShard& fresh = **registry.replace("one", make(), network.now());
  CHECK(registry.find("one") == &fresh);
  CHECK(fresh.is_running());
  CHECK_FALSE(server_end->is_open());
  CHECK(server_end->context<void>() == nullptr);
  REQUIRE(network.run_until_quiet());
  CHECK(clients.clients[index].closed.code == 1013);
}

TEST_CASE("shard registry: one that has ended lingers, and then goes by itself", "[shard]") {
  Registry registry{{.linger = 30s}};
  AnyShard& one = **registry.insert("one", make({.hz = 10, .idle_timeout = 0s}), start);
  time_point now = run(registry, start, 5s);
  one.end(Ending::stopped, now);
  now = run(registry, now, 29s);
  CHECK(registry.find("one") == &one);
  CHECK(registry.insert("one", make(), now).error() == errc::already_exists);
  now = run(registry, now, 2s);
  CHECK(registry.find("one") == nullptr);
  CHECK(registry.size() == 0);
  CHECK(registry.next_deadline() == no_deadline);
}

TEST_CASE("shard registry: what nobody uses goes by itself", "[shard]") {
  Registry registry;
  static_cast<void>(registry.insert("quiet", make({.hz = 0, .idle_timeout = 90s}), start));
  static_cast<void>(registry.insert("busy", make({.hz = 50, .idle_timeout = 90s}), start));
  const time_point now = run(registry, start, 90s);
  CHECK(registry.size() == 2);
  run(registry, now, 31s);
  CHECK(registry.size() == 0);
}

TEST_CASE("shard registry: idle event-driven shards are never due", "[shard]") {
  Registry registry;
  for (int i = 0; i < 1000; ++i) {
    static_cast<void>(
        registry.insert(std::to_string(i), make({.hz = 0, .idle_timeout = 0s}), start));
  }
  CHECK(registry.next_deadline() == no_deadline);
}

TEST_CASE("shard registry: only one makes a shard, and the others wait for it", "[shard]") {
  Registry registry;
  std::vector<AnyShard*> told;
  const auto note = [&](AnyShard* shard) { told.push_back(shard); };
  {
    result<Registry::Reservation> reservation = registry.reserve("one");
    REQUIRE(reservation.has_value());
    CHECK(registry.reserve("one").error() == errc::already_exists);
    CHECK(registry.find("one") == nullptr);
    CHECK(ids(registry).empty());
    registry.await("one", note);
    registry.await("one", note);
    CHECK(told.empty());
    AnyShard& made = reservation->fulfil(make(), start);
    CHECK(told == std::vector<AnyShard*>{&made, &made});
    registry.await("one", note);
    CHECK(told.size() == 3);
  }
  CHECK(registry.find("one") != nullptr);
  told.clear();
  {
    result<Registry::Reservation> reservation = registry.reserve("two");
    registry.await("two", note);
    registry.await("nothing", note);
    CHECK(told == std::vector<AnyShard*>{nullptr});
  }
  CHECK(told == std::vector<AnyShard*>{nullptr, nullptr});  // it came to nothing
  CHECK(registry.reserve("two").has_value());
}

TEST_CASE("shard registry: one may be taken out by its own tick", "[shard]") {
  Registry registry;
  auto made = make();
  Shard<Tally>& one = *made;
  static_cast<void>(registry.insert("one", std::move(made), start));
  static_cast<void>(registry.insert("two", make(), start));
  one.after_tick([&](const Tally&, std::uint64_t tick) {
    if (tick != 3) return;
    CHECK(registry.remove("one", start));
    CHECK(registry.remove("two", start));
  });
  run(registry, start, 1s);
  CHECK(registry.size() == 0);
}

TEST_CASE("shard registry: a drain ends all and takes none in", "[shard]") {
  Registry registry;
  AnyShard& one = **registry.insert("one", make(), start);
  result<Registry::Reservation> late = registry.reserve("late");
  registry.drain(start);
  CHECK(one.ending() == Ending::draining);
  CHECK(registry.insert("two", make(), start).error() == errc::cancelled);
  CHECK(late->fulfil(make(), start).ending() == Ending::draining);
}

TEST_CASE("shard registry: a configuration out of its range is refused by name", "[shard]") {
  std::string problem;
  CHECK_FALSE(Registry::validate({}, problem));
  CHECK(Registry::validate({.max_shards = 0}, problem) == errc::invalid_config);
  CHECK(problem == "max_shards must be between 1 and 10000000");
  CHECK(Registry::validate({.linger = 2h}, problem) == errc::invalid_config);
}
