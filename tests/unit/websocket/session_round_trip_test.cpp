// SPDX-License-Identifier: MIT
// How long pings are on their way and back.
#include <muster/websocket/session.hpp>

#include "support/catch.hpp"
#include "support/frames.hpp"
#include "support/session_pipe.hpp"

#include <chrono>
#include <string>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;
using test::End;
using test::SessionWorld;
using test::text_frame;
using websocket::Config;
using websocket::Role;

namespace {

std::string pong_frame(std::string text) {
  return test::encode({0x8a, std::move(text)}, Role::server);
}

Config measuring() {
  Config config;
  config.ping_interval = 10s;
  config.idle_timeout = 25s;
  config.measures_round_trips = true;
  return config;
}

// The payload of the one ping that was written.
std::string ping_of(End& end) {
  const std::string written = end.pipe->take();
  REQUIRE(written.size() == 10);
  REQUIRE(written.substr(0, 2) == "\x89\x08");
  return written.substr(2);
}

struct MeasuredWorld : SessionWorld {
  MeasuredWorld() : SessionWorld(measuring()) {}
  [[nodiscard]] const DurationHistogram& round_trips() const {
    return endpoint.stats().round_trips;
  }
};

}  // namespace

TEST_CASE("session: a pong that brings back its ping tells the round trip", "[session][ping]") {
  MeasuredWorld world;
  End end = world.open();
  world.wait(10050ms);
  const std::string payload = ping_of(end);
  world.sleep(130ms);
  world.feed(end, pong_frame(payload));
  CHECK(world.round_trips().count() == 1);
  // The deadline is looked at a little later than it comes; the ping leaves with the look.
  CHECK(world.round_trips().sum() >= 130ms);
  CHECK(world.round_trips().sum() < 200ms);
  // The same again is no answer to anything.
  world.feed(end, pong_frame(payload));
  CHECK(world.round_trips().count() == 1);
}

TEST_CASE("session: who is not silent is pinged too, if round trips are measured",
          "[session][ping]") {
  MeasuredWorld world;
  End end = world.open();
  std::size_t pings = 0;
  for (int second = 0; second < 60; ++second) {
    world.wait(1s);
    const std::string written = end.pipe->take();
    if (!written.empty()) {
      REQUIRE(written.size() == 10);
      ++pings;
      world.feed(end, pong_frame(written.substr(2)));
    }
    world.feed(end, text_frame("here"));
  }
  CHECK(pings >= 4);
  CHECK(pings <= 6);
  CHECK(world.round_trips().count() == pings);
  CHECK(world.endpoint.stats().pings == pings);
}

TEST_CASE("session: a pong that brings back something else is not measured", "[session][ping]") {
  MeasuredWorld world;
  End end = world.open();
  world.feed(end, pong_frame(std::string(8, '\0')));  // nobody asked
  world.wait(10050ms);
  ping_of(end);
  for (const std::string& made_up :
       {std::string{}, std::string(7, '\0'), std::string(9, '\0'), std::string(8, '\xff'),
        std::string("\xff\xff\xff\xff\xff\xff\xff\x7f", 8)}) {
    world.feed(end, pong_frame(made_up));
  }
  CHECK(world.round_trips().count() == 0);
  CHECK(end.is_alive());
}

TEST_CASE("session: a pong that comes behind a pause is not measured", "[session][ping]") {
  MeasuredWorld world;
  End end = world.open();
  world.wait(10050ms);
  const std::string payload = ping_of(end);
  REQUIRE(end.session->pause_reading());
  world.wait(1h);
  end.session->resume_reading();
  world.feed(end, pong_frame(payload));
  CHECK(world.round_trips().count() == 0);
}
