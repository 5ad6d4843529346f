// SPDX-License-Identifier: MIT
// What a receiving channel acknowledges, and when.
#include "support/catch.hpp"
#include "support/receive_world.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

using muster::no_deadline;
using muster::soe::Config;
using namespace std::chrono_literals;
using test::Outcome;
using test::packet;
using test::ReceiveWorld;

namespace {

using Messages = std::vector<std::string>;
using Sequences = std::vector<std::uint16_t>;

}  // namespace

TEST_CASE("soe receive: what is in order is acknowledged together, after a while", "[soe]") {
  Config config;
  config.acknowledge_delay = 2ms;
  config.acknowledge_every = 16;
  ReceiveWorld w{config};
  const auto created = w.now;
  CHECK_FALSE(w.channel.has_acknowledge_all());
  CHECK(w.channel.acknowledge_deadline(config) == no_deadline);
  for (std::int64_t i = 0; i < 3; ++i) CHECK(w.receive(packet(i, "x")) == Outcome::accepted);
  CHECK(w.channel.has_acknowledge_all());
  CHECK_FALSE(w.is_all_due());
  CHECK(w.channel.acknowledge_deadline(config) == created + 2ms);
  w.now = created + 2ms - 1ns;
  CHECK_FALSE(w.is_all_due());
  w.now = created + 2ms;
  CHECK(w.is_all_due());
  CHECK(w.channel.take_acknowledge_all(w.now) == 2);
  CHECK_FALSE(w.channel.has_acknowledge_all());
  CHECK_FALSE(w.is_all_due());
  CHECK(w.channel.acknowledge_deadline(config) == no_deadline);

  for (std::int64_t i = 3; i < 18; ++i) CHECK(w.receive(packet(i, "x")) == Outcome::accepted);
  CHECK_FALSE(w.is_all_due());
  CHECK(w.channel.acknowledge_deadline(config) == w.now + 2ms);
  CHECK(w.receive(packet(18, "x")) == Outcome::accepted);
  CHECK(w.is_all_due());
  CHECK(w.channel.acknowledge_deadline(config) <= w.now);
  CHECK(w.channel.take_acknowledge_all(w.now) == 18);

  // After silence: at once.
  w.now += 1s;
  CHECK_FALSE(w.is_all_due());
  CHECK(w.receive(packet(19, "x")) == Outcome::accepted);
  CHECK(w.is_all_due());
  CHECK(w.channel.take_acknowledge_all(w.now) == 19);
  CHECK(w.take_singles().empty());
}

TEST_CASE("soe receive: every repeated packet is acknowledged, once for all", "[soe]") {
  ReceiveWorld w;
  for (std::int64_t i = 0; i < 10; ++i) CHECK(w.receive(packet(i, "x")) == Outcome::accepted);
  CHECK(w.channel.take_acknowledge_all(w.now) == 9);
  for (int round = 0; round < 5; ++round) {
    for (const std::int64_t again : {3, 9, 3, 0}) {
      CHECK(w.receive(packet(again, "x")) == Outcome::duplicate);
    }
    CHECK(w.channel.has_acknowledge_all());
    CHECK(w.is_all_due());
    CHECK(w.channel.acknowledge_deadline(w.config) <= w.now);
    CHECK(w.channel.take_acknowledge_all(w.now) == 9);
    CHECK_FALSE(w.is_all_due());
    w.now += round * 1h;
  }
  CHECK(w.channel.stats().duplicates == 20);
  CHECK(w.take().size() == 10);
}

TEST_CASE("soe receive: what is older than a window is acknowledged too", "[soe]") {
  Config config;
  config.receive_window = 16;  // the peer's may be larger
  ReceiveWorld w{config};
  for (std::int64_t i = 0; i < 40'000; ++i) {
    if (w.receive(packet(i, "x")) != Outcome::accepted) FAIL(i);
  }
  CHECK(w.channel.take_acknowledge_all(w.now) == 39'999);
  for (const std::int64_t again : {39'900, 30'000, 40'000 - 32'767}) {
    CHECK(w.receive(packet(again, "x")) == Outcome::duplicate);
    CHECK(w.is_all_due());
    CHECK(w.channel.take_acknowledge_all(w.now) == 39'999);
  }
}

// Its sender takes 196 for the distance between old and new, and drops its queue when it is told of
// a packet further than that behind the highest it has been told of.
TEST_CASE("soe receive: by default nothing is acknowledged that misleads the published crate",
          "[soe]") {
  ReceiveWorld w;
  for (std::int64_t i = 0; i < 10; ++i) CHECK(w.receive(packet(i, "x")) == Outcome::accepted);
  CHECK(w.channel.take_acknowledge_all(w.now) == 9);
  for (std::int64_t i = 11; i < 300; ++i) static_cast<void>(w.receive(packet(i, "x")));
  CHECK(w.receive(packet(9, "x")) == Outcome::duplicate);
  const Sequences singles = w.take_singles();
  REQUIRE_FALSE(singles.empty());
  CHECK(*std::max_element(singles.begin(), singles.end()) - w.channel.take_acknowledge_all(w.now) <=
        196);
}

TEST_CASE("soe receive: what is early is acknowledged by itself, at once", "[soe]") {
  ReceiveWorld w;
  CHECK(w.receive(packet(5, "f")) == Outcome::accepted);
  CHECK(w.receive(packet(3, "d")) == Outcome::accepted);
  CHECK(w.receive(packet(5, "f")) == Outcome::duplicate);
  CHECK(w.receive(packet(5, "f")) == Outcome::duplicate);
  CHECK(w.take_singles() == Sequences{5, 3});
  CHECK(w.take_singles().empty());
  CHECK_FALSE(w.channel.has_acknowledge_all());
  CHECK(w.receive(packet(5, "f")) == Outcome::duplicate);
  CHECK(w.receive(packet(3, "f")) == Outcome::duplicate);
  CHECK(w.receive(packet(3, "f")) == Outcome::duplicate);
  CHECK(w.take_singles() == Sequences{5, 3});

  // Each is told once, also when not all are taken at a time.
  CHECK(w.receive(packet(4, "e")) == Outcome::accepted);
  CHECK(w.receive(packet(2, "c")) == Outcome::accepted);
  std::uint16_t sequence = 0;
  REQUIRE(w.channel.next_acknowledge(sequence));
  CHECK(sequence == 4);
  CHECK(w.receive(packet(2, "c")) == Outcome::duplicate);
  CHECK(w.receive(packet(4, "e")) == Outcome::duplicate);
  CHECK(w.take_singles() == Sequences{2, 4});
}

TEST_CASE("soe receive: an AcknowledgeAll spares the single ones that it covers", "[soe]") {
  ReceiveWorld w{{}, 65533};
  CHECK(w.receive(packet(65534, "b")) == Outcome::accepted);
  CHECK(w.receive(packet(65536, "d")) == Outcome::accepted);
  CHECK(w.receive(packet(65538, "f")) == Outcome::accepted);
  std::uint16_t sequence = 0;
  REQUIRE(w.channel.next_acknowledge(sequence));
  CHECK(sequence == 65534);
  CHECK(w.receive(packet(65533, "a")) == Outcome::accepted);
  CHECK(w.receive(packet(65535, "c")) == Outcome::accepted);
  CHECK(w.channel.take_acknowledge_all(w.now) == 0);
  CHECK(w.take_singles() == Sequences{2});
}

TEST_CASE("soe receive: single acknowledgements are bounded", "[soe]") {
  for (const std::int64_t window : {1000, 5000}) {
    Config config;
    config.receive_window = static_cast<std::uint32_t>(window);
    config.acknowledge_every = 16'384;
    ReceiveWorld w{config};
    // Packets that were early and are not any more, and nobody takes what is to be told.
    std::int64_t next = 0;
    for (int round = 0; round < 6; ++round, next += window) {
      if (round == 5) CHECK(w.is_all_due());  // what found no place
      for (std::int64_t i = next + window - 1; i >= next; --i) {
        REQUIRE(w.receive(packet(i, "x")) == Outcome::accepted);
      }
      if (round == 0) CHECK_FALSE(w.is_all_due());
      static_cast<void>(w.take());
    }
    // Those who are early when the queue is empty find a place, all of them.
    static_cast<void>(w.channel.take_acknowledge_all(w.now));
    CHECK(w.take_singles().empty());
    for (std::int64_t i = next + window; i > next; --i) {
      REQUIRE(w.receive(packet(i, "x")) == Outcome::accepted);
    }
    CHECK(w.take_singles().size() == config.receive_window);
    CHECK_FALSE(w.is_all_due());
    CHECK(w.receive(packet(next + 7, "x")) == Outcome::duplicate);
    CHECK(w.take_singles() == Sequences{static_cast<std::uint16_t>(next + 7)});
  }
}

TEST_CASE("soe receive: many early ones and none in order", "[soe]") {
  Config config;
  config.receive_window = 30'000;
  ReceiveWorld w{config};
  for (std::int64_t i = 1; i <= 30'000; ++i) {
    REQUIRE(w.receive(packet(i, "x")) == Outcome::accepted);
  }
  CHECK_FALSE(w.channel.has_acknowledge_all());  // of what?
  CHECK_FALSE(w.is_all_due());
  CHECK(w.channel.acknowledge_deadline(config) == no_deadline);
  CHECK(w.take_singles().front() == 1);
}

TEST_CASE("soe receive: a queue that is never empty has room for the next", "[soe]") {
  Config config;
  config.acknowledges_each = true;
  ReceiveWorld w{config};
  std::uint16_t expected = 0;
  CHECK(w.receive(packet(0, "x")) == Outcome::accepted);
  for (std::int64_t i = 1; i < 100'000; ++i) {
    REQUIRE(w.receive(packet(i, "x")) == Outcome::accepted);
    std::uint16_t sequence = 0;
    REQUIRE(w.channel.next_acknowledge(sequence));
    REQUIRE(sequence == expected++);
    if (i % 1000 == 0) CHECK(w.take().size() >= 1000);
  }
}

TEST_CASE("soe receive: each by itself, if that is asked for", "[soe]") {
  Config config;
  config.acknowledges_each = true;
  ReceiveWorld w{config};
  CHECK(w.receive(packet(0, "a")) == Outcome::accepted);
  CHECK(w.receive(packet(2, "c")) == Outcome::accepted);
  CHECK(w.receive(packet(2, "c")) == Outcome::duplicate);
  CHECK(w.receive(packet(0, "a")) == Outcome::duplicate);
  CHECK(w.take_singles() == Sequences{0, 2});
  CHECK(w.receive(packet(0, "a")) == Outcome::duplicate);
  CHECK(w.receive(packet(1, "b")) == Outcome::accepted);
  CHECK(w.receive(packet(3, "")) == Outcome::empty);
  CHECK(w.receive(packet(1, "b")) == Outcome::duplicate);
  CHECK(w.receive(packet(400, "?")) == Outcome::too_far);
  CHECK(w.take_singles() == Sequences{0, 1, 3});
  CHECK_FALSE(w.channel.has_acknowledge_all());
  w.now += 1h;
  CHECK_FALSE(w.is_all_due());
  CHECK(w.channel.acknowledge_deadline(config) == no_deadline);
  CHECK(w.take() == Messages{"a", "b", "c"});

  for (std::int64_t i = 4; i < 10'000; ++i) {  // more than are kept: still no AcknowledgeAll
    REQUIRE(w.receive(packet(i, "x")) == Outcome::accepted);
  }
  CHECK_FALSE(w.is_all_due());
}
