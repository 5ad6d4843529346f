// SPDX-License-Identifier: MIT
// A lane by itself: what waits in which order, and what is left out for what.
#include "../lib/signal/delivery_lane.hpp"

#include "support/catch.hpp"

#include <muster/bytes.hpp>
#include <muster/frame.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

using namespace muster::signal;
using namespace std::chrono_literals;
using muster::as_bytes;
using muster::Frame;
using muster::Message;
using muster::MessageKind;
using muster::no_deadline;
using muster::time_point;
using Outcome = DeliveryLane::Outcome;

namespace {

constexpr Uuid ada{{std::byte{1}}};
constexpr Uuid bo{{std::byte{2}}};

// A lane, and the numbers of what its senders send.
struct Lane {
  explicit Lane(std::uint32_t messages = 4, std::size_t bytes = 1024 * 1024)
      : lane({messages, bytes}) {}

  static Frame frame_of(std::string_view text) {
    return Frame{Message{as_bytes(text), MessageKind::text}};
  }

  Outcome send(std::string_view text, DeliveryClass delivery = DeliveryClass::reliable,
               std::uint32_t key = 0, const Uuid& from = ada, bool can_drop = true) {
    std::uint64_t& seq = from == ada ? ada_seq : bo_seq;
    ++seq;
    return lane.add_data(frame_of(text), {from, 1, seq, seq, {}}, delivery, key, can_drop, now);
  }
  Outcome latest(std::string_view text, std::uint32_t key, const Uuid& from = ada) {
    return send(text, DeliveryClass::latest, key, from);
  }
  Outcome lossy(std::string_view text) { return send(text, DeliveryClass::volatile_); }
  Outcome control(std::string_view text, bool at_end = false) {
    return lane.add_control(frame_of(text), at_end, now);
  }
  Outcome barrier(std::string_view text) { return lane.add_barrier(frame_of(text), now); }

  // All that waits, one word each: a text, or "-reason:from-to" for each range.
  std::vector<std::string> take() {
    std::vector<std::string> words;
    while (!lane.empty()) {
      const DeliveryLane::Item item = lane.take_front();
      if (item.kind == DeliveryLane::Item::Kind::gaps) {
        CHECK_FALSE(item.gaps.empty());
        for (const Gap& gap : item.gaps) {
          words.push_back((gap.from_player == ada ? "-" : "+") +
                          std::string{to_string(gap.reason)} + ":" + std::to_string(gap.from_seq) +
                          "-" + std::to_string(gap.to_seq));
        }
      } else {
        words.emplace_back(muster::as_text(item.frame.payload()));
      }
    }
    CHECK(lane.bytes() == 0);
    for (const DeliveryClass delivery :
         {DeliveryClass::reliable, DeliveryClass::latest, DeliveryClass::volatile_}) {
      CHECK(lane.waiting(delivery) == 0);
      CHECK(lane.unreported(delivery) == 0);
    }
    CHECK_FALSE(lane.has_barrier());
    CHECK(lane.full_since() == no_deadline);
    return words;
  }

  DeliveryLane lane;
  time_point now{};
  std::uint64_t ada_seq = 0;
  std::uint64_t bo_seq = 0;
};

using Words = std::vector<std::string>;

}  // namespace

TEST_CASE("signal lane: game data waits in the order in which it came", "[signal][lane]") {
  Lane lane;
  CHECK(lane.send("1") == Outcome::kept);
  CHECK(lane.latest("2", 7) == Outcome::kept);
  CHECK(lane.lossy("3") == Outcome::kept);
  CHECK(lane.send("4", DeliveryClass::reliable, 0, bo) == Outcome::kept);
  CHECK(lane.take() == Words{"1", "2", "3", "4"});
}

TEST_CASE("signal lane: a newer message replaces the one of its sender and key, and waits last",
          "[signal][lane]") {
  Lane lane{100};
  lane.latest("a1", 1);
  lane.send("b");
  lane.latest("c1", 2);
  lane.latest("d1", 1, bo);
  CHECK(lane.latest("a2", 1) == Outcome::kept);
  CHECK(lane.lane.waiting(DeliveryClass::latest) == 3);
  CHECK(lane.lane.unreported(DeliveryClass::latest) == 1);
  CHECK(lane.take() == Words{"-latest_superseded:1-1", "b", "c1", "d1", "a2"});
}

TEST_CASE("signal lane: a key replaced again and again leaves one range", "[signal][lane]") {
  Lane lane;
  for (int i = 0; i < 1000; ++i) CHECK(lane.latest(std::to_string(i), 1) == Outcome::kept);
  CHECK(lane.lane.waiting(DeliveryClass::latest) == 1);
  CHECK(lane.lane.unreported(DeliveryClass::latest) == 999);
  CHECK(lane.take() == Words{"-latest_superseded:1-999", "999"});
}

TEST_CASE("signal lane: marks that become neighbours are one", "[signal][lane]") {
  Lane lane{100};
  lane.latest("a1", 1);  // 1
  lane.latest("b1", 2);  // 2
  lane.latest("c1", 3);  // 3
  lane.send("d");        // 4
  lane.latest("a2", 1);  // 5: mark 1
  lane.latest("c2", 3);  // 6: mark 3
  lane.latest("b2", 2);  // 7: mark 2, between the two
  CHECK(lane.take() == Words{"-latest_superseded:1-3", "d", "a2", "c2", "b2"});
}

TEST_CASE("signal lane: ranges of other senders and reasons stay apart", "[signal][lane]") {
  Lane lane{2};
  lane.send("r1");
  lane.send("r2");
  CHECK(lane.lossy("v") == Outcome::left_out);
  CHECK(lane.lossy("v") == Outcome::left_out);
  CHECK(lane.latest("l", 1) == Outcome::left_out);
  CHECK(lane.latest("l", 1, bo) == Outcome::left_out);
  CHECK(lane.lossy("v") == Outcome::left_out);
  CHECK(lane.take() == Words{"r1", "r2", "-volatile_dropped:3-4", "-latest_dropped_full:5-5",
                             "+latest_dropped_full:1-1", "-volatile_dropped:6-6"});
}

TEST_CASE("signal lane: the oldest volatile message gives way, and then what arrives",
          "[signal][lane]") {
  Lane lane{3};
  lane.lossy("v1");
  lane.send("r");
  lane.lossy("v2");
  CHECK(lane.latest("l1", 1) == Outcome::kept);
  CHECK(lane.lossy("v3") == Outcome::kept);
  CHECK(lane.lossy("v4") == Outcome::kept);  // for v3
  CHECK(lane.latest("l2", 2) == Outcome::kept);
  CHECK(lane.latest("l3", 3) == Outcome::left_out);
  CHECK(lane.lossy("v5") == Outcome::left_out);
  CHECK(lane.take() == Words{"-volatile_dropped:1-1", "r", "-volatile_dropped:3-3", "l1",
                             "-volatile_dropped:5-6", "l2", "-latest_dropped_full:8-8",
                             "-volatile_dropped:9-9"});
}

TEST_CASE("signal lane: reliable messages are never left out, and start a clock",
          "[signal][lane]") {
  Lane lane{2};
  lane.now = time_point{} + 1s;
  lane.lossy("v");
  lane.send("1");
  CHECK(lane.lane.full_since() == no_deadline);
  lane.now += 1s;
  CHECK(lane.send("2") == Outcome::kept);
  CHECK(lane.lane.full_since() == time_point{} + 2s);
  lane.now += 1s;
  CHECK(lane.send("3") == Outcome::kept);
  CHECK(lane.lane.full_since() == time_point{} + 2s);  // as long as it goes on
  (void)lane.lane.take_front();
  CHECK(lane.lane.full_since() == time_point{} + 2s);
  (void)lane.lane.take_front();
  CHECK(lane.lane.full_since() == no_deadline);
  lane.now += 1s;
  lane.send("4");
  CHECK(lane.lane.full_since() == time_point{} + 4s);
  CHECK(lane.take() == Words{"2", "3", "4"});
}

TEST_CASE("signal lane: for a recipient without numbers everything is reliable", "[signal][lane]") {
  Lane lane{1};
  for (int i = 0; i < 3; ++i) {
    CHECK(lane.send("l", DeliveryClass::latest, 1, ada, false) == Outcome::kept);
    CHECK(lane.send("v", DeliveryClass::volatile_, 0, ada, false) == Outcome::kept);
  }
  CHECK(lane.lane.waiting(DeliveryClass::reliable) == 6);
  CHECK(lane.take() == Words{"l", "v", "l", "v", "l", "v"});
}

TEST_CASE("signal lane: the bound of bytes is one of all classes", "[signal][lane]") {
  const std::string bulk(10'000, 'x');
  Lane lane{1000, 64 * 1024};
  int kept = 0;
  while (lane.send(bulk) == Outcome::kept) ++kept;
  CHECK(kept == 6);
  CHECK(lane.lane.bytes() <= 64 * 1024);
  CHECK(lane.latest(bulk, 1) == Outcome::left_out);
  CHECK(lane.lossy(bulk) == Outcome::left_out);
  CHECK(lane.control(bulk) == Outcome::overflow);
  CHECK(lane.barrier(bulk) == Outcome::overflow);
  CHECK(lane.lane.waiting(DeliveryClass::reliable) == 6);
  (void)lane.lane.take_front();
  CHECK(lane.control(bulk) == Outcome::kept);
}

TEST_CASE("signal lane: a volatile message gives way only if that makes room", "[signal][lane]") {
  Lane lane{1000, 64 * 1024};
  lane.lossy("v");
  lane.send(std::string(60'000, 'x'));
  CHECK(lane.latest(std::string(10'000, 'y'), 1) == Outcome::left_out);
  CHECK(lane.lane.waiting(DeliveryClass::volatile_) == 1);
}

TEST_CASE("signal lane: too many ranges are too much", "[signal][lane]") {
  Lane lane{1};
  lane.send("r");
  std::uint32_t ranges = 0;
  Outcome outcome = Outcome::left_out;
  while (outcome == Outcome::left_out && ranges < 100'000) {
    outcome = ranges++ % 2 == 0 ? lane.lossy("v") : lane.latest("l", 1);
  }
  CHECK(outcome == Outcome::overflow);
  CHECK(ranges == 16'385);
}

TEST_CASE("signal lane: messages of the room's own go before data, in their order",
          "[signal][lane]") {
  Lane lane;
  lane.send("d1");
  lane.control("c1");
  lane.send("d2");
  lane.control("c2");
  CHECK(lane.take() == Words{"c1", "c2", "d1", "d2"});
  lane.send("d1");
  lane.control("c1", true);  // of a recipient that has one lane for both
  lane.send("d2");
  CHECK(lane.take() == Words{"d1", "c1", "d2"});
}

TEST_CASE("signal lane: nothing passes a barrier", "[signal][lane]") {
  Lane lane;
  lane.send("d1");
  lane.control("c1");
  lane.barrier("left");
  CHECK(lane.lane.has_barrier());
  lane.send("d2");
  lane.control("c2");
  lane.barrier("joined");
  lane.send("d3");
  lane.control("c3");
  lane.control("c4");
  CHECK(lane.take() == Words{"c1", "d1", "left", "c2", "d2", "joined", "c3", "c4", "d3"});
}

TEST_CASE("signal lane: a message behind a barrier replaces none before it", "[signal][lane]") {
  Lane lane;
  lane.latest("a1", 1);
  lane.barrier("left");
  lane.barrier("joined");
  lane.latest("a2", 1);  // the same key, and another room
  CHECK(lane.take() == Words{"a1", "left", "joined", "a2"});
}

TEST_CASE("signal lane: the mark of what was replaced does not pass a barrier", "[signal][lane]") {
  Lane lane;
  lane.send("d");
  lane.barrier("b");
  lane.latest("a1", 1);
  lane.latest("a2", 1);
  CHECK(lane.take() == Words{"d", "b", "-latest_superseded:2-2", "a2"});
}

TEST_CASE("signal lane: what a recipient cannot read is marked in its place", "[signal][lane]") {
  Lane lane;
  lane.send("1");
  CHECK(lane.lane.add_gap({ada, 1, 2, 2, GapReason::unsupported_format}) == Outcome::left_out);
  CHECK(lane.lane.add_gap({ada, 1, 3, 3, GapReason::unsupported_format}) == Outcome::left_out);
  lane.ada_seq = 3;
  lane.send("4");
  CHECK(lane.lane.unreported(DeliveryClass::reliable) == 2);
  CHECK(lane.take() == Words{"1", "-unsupported_format:2-3", "4"});
}

TEST_CASE("signal lane: what may be left out does not make a recipient late", "[signal][lane]") {
  Lane lane;
  lane.now = time_point{} + 1s;
  lane.lossy("v");
  lane.latest("l", 1);
  CHECK(lane.lane.oldest() == no_deadline);
  lane.now += 1s;
  lane.send("r");
  lane.now += 1s;
  lane.send("r");
  CHECK(lane.lane.oldest() == time_point{} + 2s);
}
