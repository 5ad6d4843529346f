// SPDX-License-Identifier: MIT
// The arena of muster-shard: its rules, what it shows to whom, and how that is written.
#include "arena.hpp"

#include <muster/shard/simulation.hpp>
#include <muster/wire/byte_reader.hpp>

#include "support/catch.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using muster::as_bytes;
using muster::shard::Events;
using muster::shard::Format;
using muster::shard::Subscriber;
using muster::shard::View;
using nlohmann::json;
using shard_program::Arena;
using shard_program::Controls;
using shard_program::Picture;
using shard_program::Rules;

static_assert(muster::shard::Simulation<Arena>);
static_assert(muster::shard::HasViewKey<Arena> && muster::shard::HasOnJoin<Arena> &&
              muster::shard::HasOnLeave<Arena> && muster::shard::HasFormats<Arena> &&
              muster::shard::HasDelta<Arena> && muster::shard::HasHash<Arena>);

namespace {

constexpr int parts = 256;

// An arena and what its events say, in steps of a fiftieth of a second.
struct World {
  explicit World(std::uint64_t seed = 1) : arena(seed, 500) {}

  const Arena::Body& body(const std::string& id) { return *arena.find(handles.at(id)); }
  Subscriber who(const std::string& id) { return {.handle = handles.at(id), .id = id}; }

  void join(const std::string& id) {
    handles[id] = next++;
    arena.on_join(who(id));
  }
  void leave(const std::string& id) { arena.on_leave(who(id)); }
  bool hold(const std::string& id, const Controls& controls) {
    return arena.apply(who(id), controls);
  }
  void step(int times = 1) {
    for (int i = 0; i < times; ++i) {
      events.clear();
      arena.step(20ms, events);
      for (const auto& entry : events.entries()) {
        told.push_back({entry.to, json::parse(muster::as_text(events.bytes_of(entry)))});
      }
    }
  }

  // Walks to a place, in units, one axis after the other.
  void walk(const std::string& id, int x, int y) {
    const auto tilt = [](int from, int to) {
      constexpr int a_step = Rules::speed / 50;
      const int way = (to - from) * 127 / a_step;
      return static_cast<std::int8_t>(std::max(-127, std::min(127, way)));
    };
    for (int i = 0; i < 2000; ++i) {
      const auto at = body(id).at;
      const Controls controls{.x = tilt(at.x / parts, x), .y = tilt(at.y / parts, y)};
      if (controls == Controls{}) break;
      hold(id, controls);
      step();
    }
    hold(id, {});
    REQUIRE(std::abs(body(id).at.x / parts - x) <= 2);
    REQUIRE(std::abs(body(id).at.y / parts - y) <= 2);
  }

  json shown_to(const std::string& id) {
    std::vector<std::byte> out;
    arena.encode({arena.view_key(who(id)), Format::json}, out);
    return json::parse(muster::as_text(out));
  }

  struct Told {
    std::uint64_t to;
    json event;
  };
  Arena arena;
  Events events;
  std::vector<Told> told;
  std::map<std::string, std::uint64_t> handles;
  std::uint64_t next = 1;
};

std::optional<Controls> from_json(std::string_view text) {
  return Arena::decode(as_bytes(text), Format::json);
}

std::optional<Controls> from_binary(const std::vector<int>& octets) {
  std::vector<std::byte> bytes;
  for (const int octet : octets) bytes.push_back(static_cast<std::byte>(octet));
  return Arena::decode(bytes, Format::binary);
}

}  // namespace

TEST_CASE("arena: inputs in JSON", "[shard][arena]") {
  CHECK(from_json("{}") == Controls{});
  CHECK(from_json(R"({"x":1,"y":-0.5,"fire":true})") == Controls{.x = 127, .y = -64, .fire = true});
  CHECK(from_json(R"({"x":7,"y":-1e300})") == Controls{.x = 127, .y = -127});
  CHECK(from_json(R"({"aim":1.5707963267948966})")->aim == 0x4000);
  CHECK(from_json(R"({"aim":-1.5707963267948966})")->aim == 0xc000);
  CHECK(from_json(R"({"aim":6.283185307179586})")->aim == 0);
  CHECK(from_json(R"({"unknown":[1,2]})") == Controls{});
  for (const char* const bad : {"1", "null", "[]", "\"x\"", R"({"x":"1"})", R"({"y":null})",
                                R"({"aim":[]})", R"({"fire":1})", "{", ""}) {
    INFO(bad);
    CHECK_FALSE(from_json(bad));
  }
}

TEST_CASE("arena: inputs in binary", "[shard][arena]") {
  CHECK(from_binary({127, 129, 0x34, 0x12, 1}) ==
        Controls{.x = 127, .y = -127, .aim = 0x1234, .fire = true});
  CHECK(from_binary({128, 0, 0, 0, 0})->x == -127);
  CHECK_FALSE(from_binary({}));
  CHECK_FALSE(from_binary({0, 0, 0, 0}));
  CHECK_FALSE(from_binary({0, 0, 0, 0, 0, 0}));
  CHECK_FALSE(from_binary({0, 0, 0, 0, 2}));
}

TEST_CASE("arena: sines are right to one part in 16384", "[shard][arena]") {
  for (int angle = 0; angle < 0x10000; angle += 64) {
    const double radians = angle * 6.283185307179586 / 0x10000;
    const auto turn = static_cast<std::uint16_t>(angle);
    CHECK(std::abs(shard_program::sine(turn) - 16384 * std::sin(radians)) <= 0.51);
    CHECK(std::abs(shard_program::cosine(turn) - 16384 * std::cos(radians)) <= 0.51);
  }
}

TEST_CASE("arena: who holds a direction moves at one speed, and stops at the wall",
          "[shard][arena]") {
  World world;
  world.join("ann");
  world.step();
  const auto begin = world.body("ann").at;
  world.hold("ann", {.x = 127});
  world.step(50);
  CHECK(std::abs(world.body("ann").at.x - begin.x - Rules::speed * parts) <= 50);
  CHECK(world.body("ann").at.y == begin.y);

  const auto corner = world.body("ann").at;
  world.hold("ann", {.x = 127, .y = 127});
  world.step(50);
  const auto way = world.body("ann").at;
  const double length = std::hypot(way.x - corner.x, way.y - corner.y) / parts;
  CHECK(std::abs(length - Rules::speed) < Rules::speed / 50);

  world.step(1000);
  CHECK(world.body("ann").at.x == (Rules::width - Rules::radius) * parts);
  CHECK(world.body("ann").at.y == (Rules::width - Rules::radius) * parts);
  world.hold("ann", {.x = -127, .y = -127});
  world.step(2000);
  CHECK(world.body("ann").at == Arena::Point{Rules::radius * parts, Rules::radius * parts});
}

TEST_CASE("arena: four hits put a body down, and it comes back", "[shard][arena]") {
  World world;
  world.join("ann");
  world.join("bob");
  world.step();
  world.walk("ann", 32000, 32000);
  world.walk("bob", 34500, 32000);
  world.told.clear();
  world.hold("ann", {.aim = 0, .fire = true});
  world.step(12);
  CHECK(world.body("bob").health == Rules::health - Rules::damage);
  world.step(38);  // reloaded three times since the first
  CHECK(world.body("bob").health == 0);
  CHECK(world.body("ann").health == Rules::health);
  CHECK(world.body("ann").score == 1);
  REQUIRE(world.told.size() == 1);
  CHECK(world.told[0].to == 0);
  CHECK(world.told[0].event == json{{"down", 2}, {"by", 1}, {"score", 1}});

  // It neither moves nor shoots, and shots pass over it.
  const auto place = world.body("bob").at;
  world.hold("bob", {.x = 127, .fire = true});
  world.step(20);
  CHECK(world.body("bob").at == place);
  for (const auto& shot : world.arena.shots()) CHECK(shot.number <= 1);
  CHECK(world.body("bob").health == 0);
  world.hold("ann", {});
  world.hold("bob", {});
  world.step(100);
  CHECK(world.body("bob").health == Rules::health);
}

TEST_CASE("arena: no shot is fast enough to pass through a body", "[shard][arena]") {
  World world;
  world.join("ann");
  world.join("bob");
  world.step();
  world.walk("ann", 32000, 32000);
  world.walk("bob", 35000, 32300);  // its edge is in the way
  world.hold("ann", {.aim = 0, .fire = true});
  world.step();
  world.hold("ann", {});
  world.events.clear();
  world.arena.step(400ms, world.events);  // 6400 units in one step
  CHECK(world.body("bob").health == Rules::health - Rules::damage);
  CHECK(world.arena.shot_count() == 0);
}

TEST_CASE("arena: a shot ends, also at the wall", "[shard][arena]") {
  World world;
  world.join("ann");
  world.step();
  world.hold("ann", {.aim = 0x2000, .fire = true});
  world.step();
  REQUIRE(world.arena.shot_count() == 1);
  world.hold("ann", {});
  world.step(30);
  CHECK(world.arena.shot_count() == 0);

  world.walk("ann", 400, 30000);
  world.hold("ann", {.aim = 0x8000, .fire = true});
  world.step();
  world.hold("ann", {});
  world.step(2);
  CHECK(world.arena.shot_count() == 0);
}

TEST_CASE("arena: a press between two steps fires once", "[shard][arena]") {
  World world;
  world.join("ann");
  world.step();
  world.hold("ann", {.fire = true});
  world.hold("ann", {});
  world.step();
  CHECK(world.arena.shot_count() == 1);
  world.step(14);
  CHECK(world.arena.shot_count() == 1);  // nothing since
}

TEST_CASE("arena: a player is shown what is near, and nothing else", "[shard][arena]") {
  World world;
  world.join("ann");
  world.join("bob");
  world.join("far");
  world.step();
  world.walk("ann", 33000, 33000);  // cell 4 of row 4
  world.walk("bob", 33500, 33500);
  world.walk("far", 60000, 33000);  // cell 7
  CHECK(world.arena.view_key(world.who("ann")) == 4 * 8 + 4 + 1);
  CHECK(world.arena.view_key(world.who("ann")) == world.arena.view_key(world.who("bob")));
  CHECK(world.arena.view_key(world.who("far")) == 4 * 8 + 7 + 1);

  const json seen = world.shown_to("ann");
  CHECK(seen == world.shown_to("bob"));
  REQUIRE(seen["bodies"].size() == 2);
  CHECK(seen["bodies"][0]["id"] == "ann");
  CHECK(seen["bodies"][1]["id"] == "bob");
  CHECK(seen["cell"] == 37);
  REQUIRE(world.shown_to("far")["bodies"].size() == 1);
  CHECK(world.shown_to("far")["bodies"][0]["id"] == "far");

  // The neighbour of a neighbour is not near, the neighbour is.
  world.walk("far", 50000, 33000);  // cell 6
  CHECK(world.shown_to("ann")["bodies"].size() == 2);
  world.walk("far", 49000, 33000);  // cell 5
  CHECK(world.shown_to("ann")["bodies"].size() == 3);
}

TEST_CASE("arena: who is not in the game yet is shown nobody", "[shard][arena]") {
  World world;
  world.join("ann");
  world.step();
  CHECK(world.arena.view_key({.handle = 99, .id = "new"}) == 0);
  std::vector<std::byte> out;
  world.arena.encode({0, Format::json}, out);
  CHECK(muster::as_text(out) == R"({"cell":0,"bodies":[],"shots":[]})");
  out.clear();
  world.arena.encode({0, Format::binary}, out);
  CHECK(out == std::vector<std::byte>(5));
  CHECK_FALSE(world.arena.apply({.handle = 99, .id = "new"}, {}));
}

TEST_CASE("arena: who finds no place watches nothing until there is one", "[shard][arena]") {
  Arena arena{1, 2};
  Events events;
  for (std::uint64_t handle = 1; handle <= 3; ++handle)
    arena.on_join({.handle = handle, .id = "x"});
  arena.step(20ms, events);
  CHECK(arena.body_count() == 2);
  CHECK(arena.view_key({.handle = 3}) == 0);
  CHECK_FALSE(arena.apply({.handle = 3}, {}));
  arena.on_leave({.handle = 3});
  arena.on_leave({.handle = 1});
  arena.on_join({.handle = 4, .id = "y"});
  REQUIRE(arena.find(4) != nullptr);
  CHECK(arena.number_of(*arena.find(4)) == 1);
}

TEST_CASE("arena: both encodings say the same", "[shard][arena]") {
  World world;
  for (int i = 0; i < 30; ++i) world.join("p" + std::to_string(i));
  world.step();
  for (int i = 0; i < 30; ++i) {
    world.hold("p" + std::to_string(i), {.x = static_cast<std::int8_t>(4 * i - 60),
                                         .y = static_cast<std::int8_t>(7 * i - 100),
                                         .aim = static_cast<std::uint16_t>(2000 * i),
                                         .fire = i % 3 == 0});
  }
  world.step(40);
  const json seen = world.shown_to("p5");
  CHECK(seen["bodies"].size() > 5);
  CHECK_FALSE(seen["shots"].empty());
  std::vector<std::byte> out;
  world.arena.encode({world.arena.view_key(world.who("p5")), Format::binary}, out);
  CHECK(out.size() == 5 + 11 * seen["bodies"].size() + 8 * seen["shots"].size());

  muster::wire::ByteReader in{out};
  CHECK(in.u8() == seen["cell"]);
  REQUIRE(in.u16_le() == seen["bodies"].size());
  for (const json& body : seen["bodies"]) {
    for (const char* const key : {"n", "x", "y", "aim"}) CHECK(in.u16_le() == body[key]);
    CHECK(in.u8() == body["health"]);
    CHECK(in.u16_le() == body["score"]);
  }
  REQUIRE(in.u16_le() == seen["shots"].size());
  for (const json& shot : seen["shots"]) {
    for (const char* const key : {"by", "x", "y", "aim"}) CHECK(in.u16_le() == shot[key]);
  }
  CHECK(in.ok());
  CHECK(in.is_at_end());
}

namespace {

// What a client makes of a picture and of what has changed since.

void read_shots(muster::wire::ByteReader& in, Picture& picture) {
  picture.shots.resize(in.u16_le());
  for (Picture::Shot& shot : picture.shots) {
    for (std::uint16_t* const field : {&shot.by, &shot.x, &shot.y, &shot.aim}) *field = in.u16_le();
  }
}

void apply_binary(Picture& picture, const std::vector<std::byte>& changes) {
  muster::wire::ByteReader in{changes};
  picture.cell = in.u8();
  for (int left = in.u16_le(); left > 0; --left) {
    const std::uint16_t number = in.u16_le();
    const auto is_gone = [number](const Picture::Body& body) { return body.number == number; };
    REQUIRE(std::erase_if(picture.bodies, is_gone) == 1);
  }
  for (int left = in.u16_le(); left > 0; --left) {
    const std::uint16_t number = in.u16_le();
    auto at = std::find_if(picture.bodies.begin(), picture.bodies.end(),
                           [number](const Picture::Body& body) { return body.number >= number; });
    if (at == picture.bodies.end() || at->number != number) {
      at = picture.bodies.insert(at, Picture::Body{.number = number});
    }
    const std::uint8_t fields = in.u8();
    CHECK(fields != 0);
    if ((fields & 1U) != 0) at->x = in.u16_le();
    if ((fields & 2U) != 0) at->y = in.u16_le();
    if ((fields & 4U) != 0) at->aim = in.u16_le();
    if ((fields & 8U) != 0) at->health = in.u8();
    if ((fields & 16U) != 0) at->score = in.u16_le();
  }
  read_shots(in, picture);
  REQUIRE(in.ok());
  REQUIRE(in.is_at_end());
}

json apply_json(json picture, const json& changes) {
  picture["cell"] = changes["cell"];
  picture["shots"] = changes["shots"];
  std::map<int, json> bodies;
  for (const json& body : picture["bodies"]) bodies[body["n"]] = body;
  for (const json& number : changes["gone"]) REQUIRE(bodies.erase(number) == 1);
  for (const json& body : changes["bodies"]) bodies[body["n"]] = body;
  picture["bodies"] = json::array();
  for (const auto& [number, body] : bodies) picture["bodies"].push_back(body);
  return picture;
}

json whole(const Picture& picture) {
  std::vector<std::byte> out;
  write(picture, Format::json, out);
  return json::parse(muster::as_text(out));
}

}  // namespace

TEST_CASE("arena: what has changed makes one picture of another", "[shard][arena]") {
  World world;
  for (int i = 0; i < 40; ++i) world.join("p" + std::to_string(i));
  world.step();
  std::uint64_t dice = 5;
  constexpr std::uint64_t key = 28;
  Picture base = world.arena.snapshot(key);
  CHECK(base.bodies.size() == 40);
  std::size_t smaller = 0;
  for (int round = 0; round < 300; ++round) {
    for (int steps = 0; steps < 1 + round % 7; ++steps) {
      dice = dice * 6364136223846793005U + 1442695040888963407U;
      const auto roll = static_cast<std::uint32_t>(dice >> 33U);
      const std::string id = "p" + std::to_string(roll % 40);
      if (roll % 23 == 0) {
        world.leave(id);
        world.join(id + "'");
        world.handles[id] = world.handles[id + "'"];
      }
      world.hold(id, {.x = static_cast<std::int8_t>(roll >> 8U & 0x7fU),
                      .aim = static_cast<std::uint16_t>(roll >> 3U),
                      .fire = (roll & 0x10U) != 0});
      world.step();
    }
    const Picture now = world.arena.snapshot(key);
    std::vector<std::byte> changes;
    if (!Arena::encode_delta(base, now, Format::binary, changes)) {
      CHECK(base == now);
      CHECK(changes.empty());
      continue;
    }
    Picture made = base;
    apply_binary(made, changes);
    for (std::size_t i = 0; i < made.bodies.size(); ++i) made.bodies[i].id = now.bodies.at(i).id;
    CHECK(made == now);
    std::vector<std::byte> all;
    write(now, Format::binary, all);
    if (changes.size() < all.size()) ++smaller;

    changes.clear();
    CHECK(Arena::encode_delta(base, now, Format::json, changes));
    CHECK(apply_json(whole(base), json::parse(muster::as_text(changes))) == whole(now));
    base = now;
  }
  CHECK(smaller > 250);
}

TEST_CASE("arena: nothing has changed where nobody does anything", "[shard][arena]") {
  World world;
  world.join("ann");
  world.step();
  const Picture base = world.arena.snapshot(28);
  world.step(10);
  std::vector<std::byte> changes;
  CHECK_FALSE(Arena::encode_delta(base, world.arena.snapshot(28), Format::binary, changes));
  CHECK(changes.empty());
}

TEST_CASE("arena: an id with the characters of JSON stays what it is", "[shard][arena]") {
  World world;
  const std::string id = R"(a"b\c<é>)";
  world.join(id);
  world.step();
  CHECK(world.shown_to(id)["bodies"][0]["id"] == id);
}

TEST_CASE("arena: events say who is there", "[shard][arena]") {
  World world;
  world.join("ann");
  world.step();
  REQUIRE(world.told.size() == 3);
  CHECK(world.told[0].to == 0);
  CHECK(world.told[0].event == json{{"in", {{1, "ann", 0}}}});
  CHECK(world.told[1].to == world.handles["ann"]);
  CHECK(world.told[1].event["you"] == 1);
  CHECK(world.told[1].event["width"] == 65536);
  CHECK(world.told[2].to == world.handles["ann"]);
  CHECK(world.told[2].event == json{{"in", {{1, "ann", 0}}}});

  world.told.clear();
  world.join("bob");
  world.step();
  REQUIRE(world.told.size() == 3);
  CHECK(world.told[0].event == json{{"in", {{2, "bob", 0}}}});
  CHECK(world.told[1].to == world.handles["bob"]);
  CHECK(world.told[1].event["you"] == 2);
  CHECK(world.told[2].event == json{{"in", {{1, "ann", 0}, {2, "bob", 0}}}});

  // The lowest number that is free is given out again.
  world.told.clear();
  world.leave("ann");
  world.join("eve");
  world.step();
  REQUIRE(world.told.size() == 4);
  CHECK(world.told[0].event == json{{"out", 1}});
  CHECK(world.told[1].event == json{{"in", {{1, "eve", 0}}}});

  // Who comes and goes within one step has not been there for long.
  world.told.clear();
  world.join("fay");
  world.leave("fay");
  world.step();
  REQUIRE(world.told.size() == 1);
  CHECK(world.told[0].event == json{{"out", 3}});
}

TEST_CASE("arena: many are introduced in several events, each of a bounded size",
          "[shard][arena]") {
  World world;
  for (int i = 0; i < 200; ++i) world.join(std::string(120, '"') + std::to_string(i));
  world.step();
  world.told.clear();
  world.join("last");
  world.step();
  std::size_t introduced = 0;
  for (const auto& [to, event] : world.told) {
    CHECK(event.dump().size() < 16 * 1024);
    if (to != 0 && event.contains("in")) introduced += event["in"].size();
  }
  CHECK(introduced == 201);
}

TEST_CASE("arena: the same inputs give the same state in each step", "[shard][arena]") {
  World one{7};
  World other{7};
  World different{8};
  std::uint64_t dice = 99;
  for (int i = 0; i < 3000; ++i) {
    dice = dice * 6364136223846793005U + 1442695040888963407U;
    const auto roll = static_cast<std::uint32_t>(dice >> 33U);
    const std::string id = "p" + std::to_string(roll % 16);
    for (World* const world : {&one, &other, &different}) {
      if (!world->handles.contains(id)) {
        world->join(id);
      } else if (roll % 199 == 0) {
        world->leave(id);
        world->handles.erase(id);
      } else {
        world->hold(id, {.x = static_cast<std::int8_t>(roll >> 8U & 0x7fU),
                         .y = static_cast<std::int8_t>(-(roll >> 15U & 0x7fU)),
                         .aim = static_cast<std::uint16_t>(roll >> 3U),
                         .fire = (roll & 0x10U) != 0});
      }
      world->step();
    }
    REQUIRE(one.arena.hash() == other.arena.hash());
  }
  CHECK(one.arena.hash() != different.arena.hash());
  CHECK(one.arena.body_count() > 0);
  std::uint32_t score = 0;
  for (const auto& body : one.arena.bodies()) score += body.score;
  CHECK(score > 0);
}

// What is measured on one machine must be so on every other.
TEST_CASE("arena: a known game has a known hash", "[shard][arena]") {
  World world{2026};
  world.join("ann");
  world.join("bob");
  world.step();
  world.hold("ann", {.x = 90, .y = -90, .aim = 0x1357, .fire = true});
  world.hold("bob", {.x = -45, .y = 127, .aim = 0xabcd, .fire = true});
  world.step(100);
  CHECK(world.arena.hash() == 0x43f3c4a60597a5edU);
}
