// SPDX-License-Identifier: MIT
// Sessions whose service wants to hear nothing for a while.
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

using Notes = std::vector<std::string>;

std::vector<test::Decoded> seen(End& end) {
  return test::decode(end.pipe->take(), Role::client, websocket::Limits{});
}
using Seen = std::vector<test::Decoded>;

Config quick() {
  Config config;
  config.first_message_timeout = 3s;
  config.ping_interval = 10s;
  config.idle_timeout = 25s;
  config.write_timeout = 10s;
  config.close_timeout = 2s;
  return config;
}

}  // namespace

TEST_CASE("session pause: no deadline of silence runs, and all begin anew", "[session][pause]") {
  SessionWorld world{quick()};
  End end = world.open();
  const bool has_spoken = GENERATE(false, true);
  if (has_spoken) world.feed(end, text_frame("x"));
  world.service.take();
  REQUIRE(end.session->pause_reading());
  CHECK(end.session->is_paused());
  CHECK_FALSE(end.session->is_read);
  world.wait(72h);
  CHECK(world.service.take().empty());
  CHECK(end.pipe->written.empty());
  end.session->resume_reading();
  CHECK(end.session->is_read);
  CHECK_FALSE(end.session->is_paused());
  if (has_spoken) {
    world.wait(9900ms);
    CHECK(end.pipe->written.empty());
    world.wait(200ms);
    CHECK(seen(end) == Seen{test::ping("")});
    world.wait(15s);
    CHECK(world.service.take() == Notes{"fault timed_out by peer 1001 no sign of life"});
  } else {
    world.wait(2900ms);
    CHECK(world.service.take().empty());
    world.wait(200ms);
    CHECK(world.service.take() == Notes{"fault timed_out by peer 1008 no message in time"});
  }
}

TEST_CASE("session pause: one that was pinged already is not taken for dead", "[session][pause]") {
  SessionWorld world{quick()};
  End end = world.open();
  world.feed(end, text_frame("x"));
  world.wait(11s);
  CHECK(seen(end) == Seen{test::ping("")});
  REQUIRE(end.session->pause_reading());
  world.wait(1h);
  CHECK(world.service.take() == Notes{"text x"});
}

TEST_CASE("session pause: what is sent still leaves, and has its deadline", "[session][pause]") {
  SessionWorld world{quick()};
  End end = world.open();
  world.feed(end, text_frame("x"));
  world.service.take();
  REQUIRE(end.session->pause_reading());
  end.session->send({as_bytes("one")});
  world.run();
  CHECK(seen(end).size() == 1);
  end.session->give_room(0);
  end.session->send({as_bytes("two")});
  world.run();
  world.wait(9s);
  CHECK(world.service.take().empty());
  world.wait(7s);
  CHECK_THAT(world.service.take().at(0), StartsWith("fault too_slow"));
}

TEST_CASE("session pause: a close ends it, with the usual deadline", "[session][pause]") {
  SessionWorld world{quick()};
  End end = world.open();
  REQUIRE(end.session->pause_reading());
  end.session->close(CloseReason::finished, 4000, "over");
  CHECK_FALSE(end.session->pause_reading());
  world.run();
  CHECK(end.session->is_read);
  CHECK(seen(end) == Seen{test::closed(4000, "over")});
  world.wait(2100ms);
  CHECK(end.is_gone());
  CHECK(world.service.take() == Notes{"close finished 4000 over"});
}

TEST_CASE("session pause: twice is once, and what is not open cannot", "[session][pause]") {
  SessionWorld world{quick()};
  End waiting = world.accept();
  CHECK_FALSE(waiting.session->pause_reading());
  End end = world.open();
  end.session->resume_reading();  // it was not paused
  CHECK(end.session->pause_reading());
  CHECK(end.session->pause_reading());
  end.session->resume_reading();
  CHECK(end.session->is_read);
  CHECK(world.service.take().empty());
}

TEST_CASE("session pause: a transport that cannot reads on, and keeps its deadlines",
          "[session][pause]") {
  SessionWorld world{quick()};
  End end = world.open();
  end.session->can_pause = false;
  CHECK_FALSE(end.session->pause_reading());
  CHECK_FALSE(end.session->is_paused());
  world.wait(3100ms);
  CHECK(world.service.take() == Notes{"fault timed_out by peer 1008 no message in time"});
}
