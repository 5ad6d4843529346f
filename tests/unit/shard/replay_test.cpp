// SPDX-License-Identifier: MIT
#include <muster/entropy.hpp>
#include <muster/shard/replay.hpp>
#include <muster/shard/tick_clock.hpp>

#include "support/catch.hpp"

#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace muster;
using namespace muster::shard;
using namespace std::chrono_literals;

namespace {

constexpr std::uint64_t mix(std::uint64_t hash, std::uint64_t value) noexcept {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15U;
  return hash ^ hash >> 29U;
}

// Bodies on a line that are pushed, slow down by friction, and gain the score of where they are.
// All of it depends on dt and on whether a push comes before or after a step.
class Toy {
 public:
  using Input = std::int8_t;

  static std::optional<Input> decode(byte_view bytes, Format) {
    if (bytes.size() != 1) return std::nullopt;
    return static_cast<Input>(std::to_integer<std::uint8_t>(bytes[0]));
  }
  void apply(const Subscriber& from, const Input& push) {
    const auto at = bodies_.find(from.handle);
    if (at != bodies_.end()) at->second.speed += push;
    order_ = mix(order_, from.handle);
  }
  void on_join(const Subscriber& who) {
    bodies_[who.handle] = {static_cast<double>(who.id.size()), who.is_admin ? 10.0 : 0.0};
    order_ = mix(order_, who.user.size());
  }
  void on_leave(const Subscriber& who) { bodies_.erase(who.handle); }
  void step(duration dt, Events& events) {
    const double seconds = std::chrono::duration<double>(dt).count();
    for (auto& [handle, body] : bodies_) {
      body.place += body.speed * seconds;
      body.speed -= body.speed * 0.3 * seconds;
      if (body.place > 100) events.send(handle, as_bytes("far"));
    }
    order_ = mix(order_, events.entries().size());
    ++steps_;
  }
  void encode(const View&, std::vector<std::byte>&) const {}
  [[nodiscard]] std::uint64_t hash() const {
    std::uint64_t hash = mix(order_, steps_);
    for (const auto& [handle, body] : bodies_) {
      hash = mix(hash, handle);
      hash = mix(hash, std::bit_cast<std::uint64_t>(body.place));
      hash = mix(hash, std::bit_cast<std::uint64_t>(body.speed));
    }
    return hash;
  }

 private:
  struct Body {
    double place = 0;
    double speed = 0;
  };
  std::map<std::uint64_t, Body> bodies_;
  std::uint64_t order_ = 0;
  std::uint64_t steps_ = 0;
};

using Hashes = std::vector<std::pair<std::uint64_t, std::uint64_t>>;  // tick and hash

// What a shard does: it calls the simulation, and says so to the log.
struct LiveShard {
  Toy game{};
  ReplayLog log{};
  std::map<std::uint64_t, Subscriber> subscribers{};
  std::uint64_t next_handle = 1;
  std::uint64_t tick = 0;
  Hashes hashes{};

  std::uint64_t join(std::string id, bool is_admin = false) {
    const std::uint64_t handle = next_handle++;
    const Subscriber& who =
        subscribers.emplace(handle, Subscriber{handle, id, id, is_admin, {}}).first->second;
    log.join(who);
    game.on_join(who);
    return handle;
  }
  void leave(std::uint64_t handle) {
    log.leave(handle);
    game.on_leave(subscribers.at(handle));
    subscribers.erase(handle);
  }
  void input(std::uint64_t handle, std::int8_t push, std::uint64_t client_seq = 0) {
    const std::byte encoded{static_cast<std::uint8_t>(push)};
    log.input(handle, client_seq, Format::binary, {&encoded, 1});
    game.apply(subscribers.at(handle), push);
  }
  void step(duration dt) {
    ++tick;
    log.step(tick, dt);
    Events events;
    game.step(dt, events);
    hashes.emplace_back(tick, game.hash());
  }
};

struct Replayed {
  result<std::uint64_t> steps = errc::cancelled;
  Hashes hashes{};
};

Replayed replay_toy(byte_view log) {
  Toy game;
  Replayed replayed;
  replayed.steps = replay(log, game, [&](std::uint64_t tick, std::uint64_t hash) {
    replayed.hashes.emplace_back(tick, hash);
  });
  return replayed;
}

}  // namespace

TEST_CASE("replay: shard defect 13: a replay is the live run, tick for tick, whatever its dt",
          "[shard]") {
  const std::uint64_t seed = GENERATE(range<std::uint64_t>(1, 11));
  INFO("seed " << seed);
  SeededEntropy entropy{seed};
  const auto draw = [&](std::uint64_t below) { return entropy.next_u64() % below; };
  LiveShard shard;
  // Half of them as a late loop would: each tick covers the time since the last.
  TickClock clock{20, seed % 2 == 0 ? CatchUp::skip() : CatchUp::variable(), time_point{}};
  time_point now{};
  for (int i = 0; i < 2000; ++i) {
    for (std::uint64_t n = draw(4); n > 0; --n) {
      if (shard.subscribers.empty() || draw(20) == 0) {
        shard.join(std::string(1 + draw(20), 'p'), draw(8) == 0);
        continue;
      }
      auto at = shard.subscribers.begin();
      std::advance(at, draw(shard.subscribers.size()));
      if (draw(30) == 0) {
        shard.leave(at->first);
      } else {
        shard.input(at->first, static_cast<std::int8_t>(draw(256)), static_cast<std::uint64_t>(i));
      }
    }
    now = clock.deadline() + duration{draw(30'000'000)};
    shard.step(clock.take(now));
  }
  for (int i = 0; i < 50; ++i) shard.step(50ms);  // ticks after the last input are run too
  const Replayed replayed = replay_toy(shard.log.bytes());
  REQUIRE(replayed.steps.has_value());
  CHECK(*replayed.steps == 2050);
  CHECK(replayed.hashes == shard.hashes);
}

TEST_CASE("replay: the hashes tell an input before a step from one after it", "[shard]") {
  const auto run = [](bool is_before, duration dt) {
    LiveShard shard;
    const std::uint64_t ann = shard.join("ann");
    if (is_before) shard.input(ann, 5);
    shard.step(dt);
    if (!is_before) shard.input(ann, 5);
    shard.step(50ms);
    CHECK(replay_toy(shard.log.bytes()).hashes == shard.hashes);
    return shard.hashes.back().second;
  };
  CHECK(run(true, 50ms) != run(false, 50ms));
  CHECK(run(true, 50ms) != run(true, 51ms));
}

TEST_CASE("replay: ticks that were left out keep their numbers", "[shard]") {
  LiveShard shard;
  shard.step(50ms);
  shard.tick = 40;
  shard.step(50ms);
  CHECK(replay_toy(shard.log.bytes()).hashes == shard.hashes);
  CHECK(shard.hashes.back().first == 41);
}

TEST_CASE("replay: what is applied after the last step is applied", "[shard]") {
  LiveShard shard;
  const std::uint64_t ann = shard.join("ann");
  shard.step(50ms);
  shard.input(ann, 3);
  Toy game;
  REQUIRE(replay(shard.log.bytes(), game, [](std::uint64_t, std::uint64_t) {}).has_value());
  CHECK(game.hash() == shard.game.hash());
}

TEST_CASE("replay: a full log replays what it has", "[shard]") {
  LiveShard shard;
  shard.log = ReplayLog{1, 500};
  const std::uint64_t ann = shard.join("ann");
  for (int i = 0; i < 100; ++i) {
    shard.input(ann, 1);
    shard.step(50ms);
  }
  CHECK(shard.log.is_full());
  const Replayed replayed = replay_toy(shard.log.bytes());
  REQUIRE(replayed.steps.has_value());
  CHECK(*replayed.steps > 20);
  CHECK(*replayed.steps < 100);
  shard.hashes.resize(static_cast<std::size_t>(*replayed.steps));
  CHECK(replayed.hashes == shard.hashes);
}

TEST_CASE("replay: a log that makes no sense is refused where it does not", "[shard]") {
  const auto error_of = [](auto&& record) {
    ReplayLog log;
    log.join({1, "ann", "", false, {}});
    log.step(1, 50ms);
    record(log);
    log.step(2, 50ms);
    const Replayed replayed = replay_toy(log.bytes());
    CHECK(replayed.hashes.size() == (replayed.steps ? 2U : 1U));
    return replayed.steps ? errc{} : replayed.steps.error();
  };
  CHECK(error_of([](ReplayLog&) {}) == errc{});
  CHECK(error_of([](ReplayLog& log) {
          log.join({1, "bob", "", false, {}});
        }) == errc::already_exists);
  CHECK(error_of([](ReplayLog& log) { log.leave(2); }) == errc::not_found);
  CHECK(error_of([](ReplayLog& log) {
          log.input(2, std::nullopt, Format::binary, as_bytes("x"));
        }) == errc::not_found);
  CHECK(error_of([](ReplayLog& log) {
          log.input(1, std::nullopt, Format::binary, as_bytes("no input of the toy"));
        }) == errc::bad_value);
  CHECK(error_of([](ReplayLog& log) {
          log.leave(1);
          log.input(1, std::nullopt, Format::binary, as_bytes("x"));
        }) == errc::not_found);
  CHECK(error_of([](ReplayLog& log) {
          for (std::uint64_t i = 0; i < max_replayed_subscribers; ++i) {
            log.join({i + 2, "x", "", false, {}});
          }
        }) == errc::limit_reached);
  CHECK(replay_toy(as_bytes("MSRM")).steps.error() == errc::bad_syntax);
}
