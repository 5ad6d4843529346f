// SPDX-License-Identifier: MIT
// Peers that do not acknowledge again what they have: the published crate and the C# original,
// except for 2 ms. When their last acknowledgement gets lost, repeating things to them is in vain.
#include <muster/soe/config.hpp>
#include <muster/soe/op_code.hpp>

#include "support/catch.hpp"
#include "support/soe_talk.hpp"

#include <algorithm>
#include <chrono>
#include <set>
#include <string>

using namespace std::chrono_literals;
using namespace muster::soe;
using muster::as_bytes;
using test::SoePeer;
using test::SoeTalk;

namespace {

// Sequences of reliable data, of all that was sent since the last time.
std::set<unsigned> sequences(SoeTalk& talk) {
  std::set<unsigned> all;
  for (const SoePeer::Packet& packet : talk.heard()) {
    if (base_of(packet.op) != OpCode::reliable_data) continue;
    all.insert(std::to_integer<unsigned>(packet.body.at(0)) << 8U |
               std::to_integer<unsigned>(packet.body.at(1)));
  }
  return all;
}

void enqueue(SoeTalk& talk, unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    REQUIRE(talk.end.mux.enqueue(talk.session, as_bytes("message " + std::to_string(i))) ==
            EnqueueStatus::queued);
  }
  talk.end.advance();
}

}  // namespace

TEST_CASE("soe: a peer that says nothing to a full window is sent something new", "[soe][loss]") {
  SoeTalk talk{SoeTalk::Role::client};
  enqueue(talk, 400);
  const std::set<unsigned> window = sequences(talk);
  CHECK(window.size() == 196);
  CHECK(*window.rbegin() == 195);

  // The peer has all of it, and its acknowledgement got lost.
  std::set<unsigned> later;
  for (int i = 0; i < 20 && (later.empty() || *later.rbegin() < 196); ++i) {
    talk.end.run_for(100ms);
    later.merge(sequences(talk));
  }
  REQUIRE_FALSE(later.empty());
  CHECK(*later.rbegin() == 196);
  talk.say(talk.peer.acknowledge_all(196));
  const std::set<unsigned> next = sequences(talk);
  REQUIRE_FALSE(next.empty());
  CHECK(*next.begin() == 197);
  CHECK(*next.rbegin() == 392);
}

TEST_CASE("soe: what waits behind a hole does not keep something new from leaving", "[soe][loss]") {
  SoeTalk talk{SoeTalk::Role::client};
  enqueue(talk, 400);
  CHECK(sequences(talk).size() == 196);
  // The first of all was missing, so the last came early; then it was there too, and what the peer
  // said to that got lost.
  for (unsigned i = 150; i < 196; ++i) talk.say(talk.peer.acknowledge(i));
  std::set<unsigned> later;
  for (int i = 0; i < 20 && (later.empty() || *later.rbegin() < 196); ++i) {
    talk.end.run_for(100ms);
    later.merge(sequences(talk));
  }
  REQUIRE_FALSE(later.empty());
  CHECK(*later.rbegin() >= 196);
  talk.say(talk.peer.acknowledge_all(*later.rbegin()));
  CHECK_FALSE(sequences(talk).empty());
  CHECK(talk.end.mux.is_open(talk.session));
}

TEST_CASE("soe: a hole is found though what is before it gets no answer", "[soe][loss]") {
  Config config;
  config.pacing = Pacing::fixed_window;
  SoeTalk talk{SoeTalk::Role::client, config};
  enqueue(talk, 190);
  CHECK(sequences(talk).size() == 190);
  // The peer misses 50 alone. It acknowledged the rest, and all of that got lost. Now it answers to
  // what came early and nothing else, and there is nothing new to be sent.
  bool has_hole = true;
  for (int i = 0; i < 30 && has_hole; ++i) {
    talk.end.run_for(100ms);
    for (const unsigned sequence : sequences(talk)) {
      if (sequence > 50) talk.say(talk.peer.acknowledge(sequence));
      has_hole = has_hole && sequence != 50;
    }
  }
  CHECK_FALSE(has_hole);
  talk.say(talk.peer.acknowledge_all(189));
  CHECK(talk.end.mux.stats(talk.session).queued_bytes == 0);
}

TEST_CASE("soe: the end of a burst that got lost is found at once", "[soe][loss]") {
  const Pacing pacing = GENERATE(Pacing::model, Pacing::fixed_window);
  const std::size_t lost = GENERATE(2U, 30U);
  INFO(static_cast<int>(pacing) << " " << lost);
  Config config;
  config.pacing = pacing;
  SoeTalk talk{SoeTalk::Role::client, config};
  // A burst that is its own queue: its round trips are 10 ms, and those of what leaves alone none.
  for (unsigned first = 0; first < 600; first += 60) {
    enqueue(talk, 60);
    talk.end.run_for(10ms);
    talk.say(talk.peer.acknowledge_all(first + 59));
  }
  static_cast<void>(talk.heard());
  enqueue(talk, 60);
  unsigned next = 600;
  std::set<unsigned> there;
  bool is_burst = true;
  const auto answer = [&] {
    for (const unsigned sequence : sequences(talk)) {
      if (is_burst && sequence >= 660 - lost) continue;
      if (sequence < next || !there.insert(sequence).second) continue;  // it says nothing to that
      if (sequence > next) talk.say(talk.peer.acknowledge(sequence));
      const unsigned before = next;
      while (there.contains(next)) ++next;
      if (next > before) talk.say(talk.peer.acknowledge_all(next - 1));
    }
  };
  talk.end.run_for(10ms);
  answer();
  is_burst = false;
  CHECK(next == 660 - lost);
  for (int i = 0; i < 1000; ++i) {
    talk.end.run_for(1ms);
    answer();
  }
  CHECK(next == 660);
  CHECK(talk.end.mux.stats(talk.session).queued_bytes == 0);
  // A fast path does not look slow for it.
  CHECK(talk.end.mux.stats(talk.session).smoothed_rtt < 50ms);
}

TEST_CASE("soe: a peer that says nothing is not flooded", "[soe][loss]") {
  Config config;
  config.unacknowledged_timeout = 0s;
  config.inactivity_timeout = 0s;
  SoeTalk talk{SoeTalk::Role::client, config};
  enqueue(talk, 2000);
  static_cast<void>(talk.heard());
  std::set<unsigned> later;
  for (int i = 0; i < 60; ++i) {
    talk.end.run_for(10s);
    later.merge(sequences(talk));
  }
  // No more than every receiver of the protocol keeps.
  CHECK(*later.rbegin() < 256);
  CHECK(talk.end.mux.stats(talk.session).packets_sent < 196 + 2000);
}
