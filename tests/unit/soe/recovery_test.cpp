// SPDX-License-Identifier: MIT
// Round trips, losses, probes and timeouts of a session, in virtual time.
#include "../lib/soe/recovery.hpp"

#include <muster/entropy.hpp>

#include "support/catch.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

using namespace std::chrono_literals;
using muster::duration;
using muster::no_deadline;
using muster::time_point;
using muster::soe::Config;
using muster::soe::Packet;
using muster::soe::Recovery;

namespace {

constexpr std::uint16_t datagram = 100;

Config own_ends() { return Config::for_own_ends(512); }

// A recovery and the packets that it is told of.
struct Sender {
  explicit Sender(const Config& config = own_ends()) : recovery(config, 512, now) {}

  Packet& packet() {
    Packet& made = packets.emplace_back();
    made.size = datagram;
    made.state = Packet::State::queued;
    made.sequence = next++;
    return made;
  }
  Packet& send() {
    Packet& made = packet();
    recovery.on_sent(made, now, false);
    return made;
  }
  void resend() {
    REQUIRE(recovery.first_lost() != nullptr);
    recovery.on_sent(*recovery.first_lost(), now, false);
  }
  void acknowledge(Packet& packet_) { acknowledge_all({&packet_}); }
  void acknowledge_all(const std::vector<Packet*>& batch) {
    for (Packet* each : batch) recovery.on_acknowledged(*each, now);
    recovery.finish_acknowledgements(now);
  }
  void wait(duration time) { now += time; }
  void wait_until(time_point at) { now = at; }
  void advance() { recovery.advance(now); }

  // One packet after the other, each acknowledged after `rtt`.
  void settle(duration rtt, int rounds = 40) {
    for (int i = 0; i < rounds; ++i) {
      Packet& sent = send();
      wait(rtt);
      acknowledge(sent);
    }
  }
  [[nodiscard]] Recovery::Stats stats() const { return recovery.stats(); }

  time_point now = time_point{} + 1h;
  std::int64_t next = 0;
  std::deque<Packet> packets;
  Recovery recovery;
};

}  // namespace

TEST_CASE("recovery: is small enough for a session of less than a kilobyte", "[soe][recovery]") {
  CHECK(sizeof(Recovery) <= 320);
}

TEST_CASE("recovery: round trips are averaged as in RFC 6298", "[soe][recovery]") {
  Config config = own_ends();
  config.min_rto = 1ms;
  Sender sender{config};
  CHECK(sender.stats().smoothed_rtt == 0ms);
  CHECK(sender.stats().rto == config.initial_rto);

  sender.settle(80ms, 1);
  CHECK(sender.stats().smoothed_rtt == 80ms);
  CHECK(sender.stats().rtt_variation == 40ms);
  CHECK(sender.stats().min_rtt == 80ms);
  CHECK(sender.stats().rto == 240ms);

  sender.settle(160ms, 1);
  CHECK(sender.stats().smoothed_rtt == 90ms);   // 7/8 of 80 and 1/8 of 160
  CHECK(sender.stats().rtt_variation == 50ms);  // 3/4 of 40 and 1/4 of 80
  CHECK(sender.stats().min_rtt == 80ms);
}

TEST_CASE("recovery: the timeout stays within the configuration's bounds", "[soe][recovery]") {
  Config config;
  config.min_rto = 200ms;
  config.max_rto = 1s;
  Sender sender{config};
  sender.settle(10ms);
  CHECK(sender.stats().rto == 200ms);
  sender.settle(3s);
  CHECK(sender.stats().rto == 1s);
}

TEST_CASE(
    "recovery: a round trip tells what the path takes, not what a queue of acknowledgements "
    "does",
    "[soe][recovery]") {
  Sender sender;
  sender.settle(40ms);
  Packet& older = sender.send();
  sender.wait(20ms);
  Packet& newer = sender.send();
  sender.wait(40ms);
  sender.acknowledge_all({&older, &newer});
  CHECK(sender.stats().smoothed_rtt == 40ms);
  // But timers have to allow for it.
  CHECK(sender.stats().rto >= 60ms);
}

TEST_CASE("recovery: an acknowledgement after a repetition is no sample", "[soe][recovery]") {
  Sender sender;
  sender.settle(40ms);
  Packet& packet = sender.send();
  sender.wait(60ms);
  sender.advance();
  sender.resend();
  sender.wait(50ms);  // of the repetition, or of the first sending after 110 ms
  sender.acknowledge(packet);
  CHECK(sender.stats().smoothed_rtt == 40ms);
}

TEST_CASE("recovery: one that comes too soon for the repetition is of the first sending",
          "[soe][recovery]") {
  Sender sender;
  sender.settle(40ms);
  Packet& packet = sender.send();
  sender.wait(60ms);
  sender.advance();
  sender.resend();
  sender.wait(20ms);
  sender.acknowledge(packet);
  CHECK(sender.stats().smoothed_rtt == 45ms);  // 7/8 of 40 and 1/8 of 80
}

TEST_CASE("recovery: a packet that rode along is a sample only if the ride is out of question",
          "[soe][recovery]") {
  Sender sender;
  sender.settle(40ms);
  SECTION("acknowledged before the ride can have been") {
    Packet& packet = sender.send();
    sender.wait(30ms);
    sender.recovery.on_ride(packet, sender.now);
    sender.wait(18ms);
    sender.acknowledge(packet);
    CHECK(sender.stats().smoothed_rtt == 41ms);
  }
  SECTION("it may be the ride's") {
    Packet& packet = sender.send();
    sender.wait(30ms);
    sender.recovery.on_ride(packet, sender.now);
    sender.wait(40ms);
    sender.acknowledge(packet);
    CHECK(sender.stats().smoothed_rtt == 40ms);
  }
  SECTION("the ride followed so soon that it makes no difference") {
    Packet& packet = sender.send();
    sender.wait(5ms);
    sender.recovery.on_ride(packet, sender.now);
    sender.wait(43ms);
    sender.acknowledge(packet);
    CHECK(sender.stats().smoothed_rtt == 41ms);
  }
}

TEST_CASE("recovery: a packet overtaken by far is no sample: its acknowledgement got lost",
          "[soe][recovery]") {
  Sender sender;
  sender.settle(40ms);
  Packet& first = sender.send();
  sender.wait(20ms);
  Packet& second = sender.send();
  sender.wait(20ms);
  sender.recovery.on_acknowledged(second, sender.now);
  sender.recovery.finish_acknowledgements(sender.now);
  const duration before = sender.stats().smoothed_rtt;
  sender.wait(1ms);
  sender.acknowledge(first);
  CHECK(sender.stats().smoothed_rtt == before);
}

TEST_CASE("recovery: samples cannot run out", "[soe][recovery]") {
  // The path becomes so long that every packet is repeated before its acknowledgement arrives.
  Sender sender;
  sender.settle(20ms);
  for (int i = 0; i < 60 && sender.stats().smoothed_rtt < 300ms; ++i) {
    Packet& packet = sender.send();
    const time_point arrival = sender.now + 400ms;
    while (sender.recovery.next_deadline(false) < arrival) {
      sender.wait_until(sender.recovery.next_deadline(false));
      sender.advance();
      while (sender.recovery.first_lost() != nullptr && sender.recovery.may_send(sender.now)) {
        sender.resend();
      }
    }
    sender.wait_until(arrival);
    sender.acknowledge(packet);
  }
  CHECK(sender.stats().smoothed_rtt >= 300ms);
  CHECK(sender.stats().rto >= 400ms);
}

TEST_CASE("recovery: a packet is lost when a later one has arrived and it is old enough",
          "[soe][recovery]") {
  Sender sender;
  sender.settle(40ms);
  Packet& first = sender.send();
  sender.wait(500us);
  Packet& second = sender.send();
  sender.wait(40ms);
  sender.acknowledge(second);
  CHECK(sender.recovery.first_lost() == nullptr);  // 40.5 ms: within the reordering window

  const time_point deadline = sender.recovery.next_deadline(false);
  CHECK(deadline > sender.now);
  CHECK(deadline <= first.last_sent + 42ms);
  sender.wait_until(deadline - 1us);
  sender.advance();
  CHECK(sender.recovery.first_lost() == nullptr);
  sender.wait_until(deadline);
  sender.advance();
  REQUIRE(sender.recovery.first_lost() == &first);
  CHECK(first.state == Packet::State::lost);
  CHECK(sender.recovery.packets_in_flight() == 0);
  CHECK(sender.recovery.bytes_in_flight() == 0);
  CHECK(sender.stats().lost == 1);
  CHECK(sender.stats().probes == 0);
}

TEST_CASE("recovery: a packet is lost at once when the window has passed already",
          "[soe][recovery]") {
  Sender sender;
  sender.settle(40ms);
  Packet& first = sender.send();
  sender.wait(15ms);
  Packet& second = sender.send();
  sender.wait(40ms - 12ms);  // the probe would be later
  Packet& third = sender.send();
  sender.wait(12ms);
  sender.recovery.on_acknowledged(second, sender.now);
  sender.recovery.finish_acknowledgements(sender.now);
  CHECK(sender.recovery.first_lost() == &first);
  CHECK(third.state == Packet::State::in_flight);
}

TEST_CASE("recovery: packets that left together do not tell of each other", "[soe][recovery]") {
  Sender sender;
  sender.settle(40ms);
  std::array<Packet*, 20> burst{};
  for (Packet*& packet : burst) packet = &sender.send();
  sender.wait(42ms);
  sender.acknowledge(*burst[10]);
  sender.wait(1ms);
  sender.advance();
  CHECK(sender.recovery.first_lost() == nullptr);
}

TEST_CASE("recovery: without an acknowledgement of a later one nothing is lost but by time",
          "[soe][recovery]") {
  Sender sender;
  sender.settle(40ms);
  Packet& first = sender.send();
  sender.wait(10ms);
  Packet& second = sender.send();
  sender.wait(30ms);
  sender.acknowledge(first);
  sender.wait(10ms);
  sender.advance();
  CHECK(second.state == Packet::State::in_flight);
}

TEST_CASE("recovery: reordering widens its window, and losses narrow it again", "[soe][recovery]") {
  Sender sender;
  sender.settle(40ms);
  // Two packets a moment apart; the first is overtaken by so much that it counts as lost, and is
  // acknowledged 500 us later.
  const auto is_marked_lost = [&sender](duration late) {
    Packet& first = sender.send();
    sender.wait(100us);
    Packet& second = sender.send();
    sender.wait(40ms);
    sender.acknowledge(second);
    sender.wait(late - 100us);
    sender.advance();
    const bool is_lost = first.state == Packet::State::lost;
    sender.acknowledge(first);
    return is_lost;
  };
  REQUIRE(is_marked_lost(1500us));
  int needed = 1;
  while (is_marked_lost(1500us) && needed < 20) ++needed;
  CHECK(needed < 10);
  CHECK_FALSE(is_marked_lost(1500us));

  // Real losses: repeated, and acknowledged a round trip later.
  for (int i = 0; i < 200; ++i) {
    Packet& first = sender.send();
    sender.wait(100us);
    Packet& second = sender.send();
    sender.wait(40ms);
    sender.acknowledge(second);
    sender.wait_until(sender.recovery.next_deadline(false));
    sender.advance();
    if (first.state != Packet::State::lost) continue;
    sender.resend();
    sender.wait(40ms);
    sender.acknowledge(first);
  }
  CHECK(is_marked_lost(1500us));
}

TEST_CASE("recovery: a packet alone is probed after two deviations of silence", "[soe][recovery]") {
  Config config = own_ends();
  config.min_rto = 1ms;
  Sender sender{config};
  sender.settle(80ms, 1);  // deviation 40 ms
  Packet& packet = sender.send();
  const time_point due = sender.now + 80ms + 2 * 40ms;
  CHECK(sender.recovery.next_deadline(false) == due);
  sender.wait_until(due - 1us);
  sender.advance();
  CHECK(sender.recovery.first_lost() == nullptr);
  sender.wait_until(due);
  sender.advance();
  CHECK(sender.recovery.first_lost() == &packet);
  CHECK(sender.recovery.may_send(sender.now));
  CHECK(sender.stats().probes == 1);
  CHECK(sender.stats().timeouts == 0);
}

TEST_CASE("recovery: a probe is never sooner than timers and the configuration allow",
          "[soe][recovery]") {
  Config config = own_ends();
  config.min_rto = 1ms;
  SECTION("a steady round trip") {
    Sender sender{config};
    sender.settle(80ms);
    (void)sender.send();
    CHECK(sender.recovery.next_deadline(false) >= sender.now + 84ms);
    CHECK(sender.recovery.next_deadline(false) <= sender.now + 85ms);
  }
  SECTION("peers that are known to acknowledge late") {
    config.min_rto = 200ms;
    Sender sender{config};
    sender.settle(10ms);
    (void)sender.send();
    CHECK(sender.recovery.next_deadline(false) == sender.now + 200ms);
  }
}

TEST_CASE("recovery: of several packets the oldest is probed", "[soe][recovery]") {
  Sender sender;
  sender.settle(40ms);
  Packet& oldest = sender.send();
  sender.wait(1ms);
  (void)sender.send();
  sender.wait_until(sender.recovery.next_deadline(false));
  sender.advance();
  CHECK(sender.recovery.first_lost() == &oldest);
  CHECK(sender.recovery.packets_in_flight() == 1);
}

TEST_CASE("recovery: a probe leaves whatever the pace, and once", "[soe][recovery]") {
  Config config = own_ends();
  config.pacing = muster::soe::Pacing::fixed_rate;
  config.bytes_per_second = 1000;
  Sender sender{config};
  sender.settle(40ms, 4);
  while (sender.recovery.may_send(sender.now)) (void)sender.send();
  REQUIRE_FALSE(sender.recovery.may_send(sender.now));
  sender.wait(100ms);
  sender.advance();
  REQUIRE(sender.stats().probes == 1);
  CHECK(sender.recovery.may_send(sender.now));
  sender.resend();
  CHECK_FALSE(sender.recovery.may_send(sender.now));
}

TEST_CASE("recovery: after two probes only the timeout is left", "[soe][recovery]") {
  Sender sender;
  sender.settle(40ms);
  (void)sender.send();
  for (int i = 0; i < 100 && sender.stats().timeouts == 0; ++i) {
    sender.wait_until(sender.recovery.next_deadline(false));
    sender.advance();
    while (sender.recovery.first_lost() != nullptr && sender.recovery.may_send(sender.now)) {
      sender.resend();
    }
  }
  CHECK(sender.stats().timeouts == 1);
  CHECK(sender.stats().probes == 2);
}

TEST_CASE("recovery: before anything is known the timeout alone counts", "[soe][recovery]") {
  Sender sender;
  Packet& packet = sender.send();
  CHECK(sender.recovery.next_deadline(false) == sender.now + own_ends().initial_rto);
  sender.wait(own_ends().initial_rto);
  sender.advance();
  CHECK(sender.recovery.first_lost() == &packet);
  CHECK(sender.stats().timeouts == 1);
  CHECK(sender.stats().probes == 0);
}

TEST_CASE("recovery: a timeout loses everything, but few packets leave again at once",
          "[soe][recovery]") {
  for (const auto pacing : {muster::soe::Pacing::model, muster::soe::Pacing::fixed_window}) {
    Config config = own_ends();
    config.pacing = pacing;
    Sender sender{config};
    for (int i = 0; i < 20; ++i) (void)sender.send();
    sender.wait(config.initial_rto);
    sender.advance();
    CHECK(sender.stats().timeouts == 1);
    CHECK(sender.stats().lost == 20);
    CHECK(sender.recovery.packets_in_flight() == 0);
    CHECK(sender.recovery.bytes_in_flight() == 0);
    Packet* const oldest = sender.recovery.first_lost();
    REQUIRE(oldest == &sender.packets.front());
    int resent = 0;
    while (sender.recovery.first_lost() != nullptr && sender.recovery.may_send(sender.now)) {
      sender.resend();
      ++resent;
    }
    CHECK(resent == 8);
    sender.wait(10ms);
    CHECK_FALSE(sender.recovery.may_send(sender.now));
    // One acknowledgement, and it goes on.
    sender.acknowledge(*oldest);
    CHECK(sender.recovery.may_send(sender.now + 5ms));
  }
}

TEST_CASE("recovery: the timeout doubles up to its bound until a clean sample", "[soe][recovery]") {
  Config config = own_ends();
  config.max_rto = 2s;
  Sender sender{config};
  Packet& packet = sender.send();
  std::vector<duration> waited;
  time_point last = sender.now;
  while (waited.size() < 5) {
    sender.wait_until(sender.recovery.next_deadline(false));
    sender.advance();
    if (sender.stats().timeouts > waited.size()) {
      waited.push_back(sender.now - last);
      last = sender.now;
    }
    if (sender.recovery.first_lost() != nullptr) sender.resend();
  }
  // From the last time that it left: soon after the timeout it is sent once more.
  const std::array<duration, 5> wanted{300ms, 600ms, 1200ms, 2000ms, 2000ms};
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    CHECK(waited[i] >= wanted[i]);
    CHECK(waited[i] <= wanted[i] + 5ms);
  }
  CHECK(sender.stats().rto == 2s);
  sender.wait(40ms);
  sender.acknowledge(packet);
  sender.settle(40ms, 1);
  CHECK(sender.stats().smoothed_rtt == 40ms);
  CHECK(sender.stats().rto < 300ms);
}

TEST_CASE("recovery: what was repeated already goes first", "[soe][recovery]") {
  Sender sender;
  sender.settle(40ms);
  Packet& first = sender.send();
  sender.wait(55ms);
  Packet& second = sender.send();
  sender.wait(5ms);
  sender.advance();
  sender.resend();  // the first one, and it gets lost again
  sender.wait(5ms);
  Packet& third = sender.send();
  sender.wait(40ms);
  sender.acknowledge(third);
  REQUIRE(first.state == Packet::State::lost);
  REQUIRE(second.state == Packet::State::lost);
  CHECK(sender.recovery.first_lost() == &first);
  sender.resend();
  CHECK(sender.recovery.first_lost() == &second);
}

TEST_CASE("recovery: what rides along counts for the pace", "[soe][recovery]") {
  Config config = own_ends();
  config.pacing = muster::soe::Pacing::fixed_rate;
  config.bytes_per_second = 10'000;
  Sender with_rides{config};
  Sender without{config};
  for (int i = 0; i < 10; ++i) {
    Packet& packet = with_rides.send();
    with_rides.recovery.on_ride(packet, with_rides.now);
    with_rides.recovery.on_ride(packet, with_rides.now);
    (void)without.send();
  }
  CHECK(with_rides.recovery.pacer().next_send(0, 10) - without.recovery.pacer().next_send(0, 10) ==
        200ms);  // 20 rides of 100 bytes
}

TEST_CASE("recovery: what a thin stream repeats, it repeats once more", "[soe][recovery]") {
  Sender sender;
  sender.settle(80ms);
  Packet& packet = sender.send();
  sender.wait(100ms);
  sender.advance();
  sender.resend();
  const time_point resent = sender.now;
  CHECK(sender.recovery.first_lost() == nullptr);
  CHECK(sender.recovery.next_deadline(false) == resent + 10ms);
  sender.wait(10ms);
  sender.advance();
  REQUIRE(sender.recovery.first_lost() == &packet);
  CHECK(sender.recovery.may_send(sender.now));
  sender.resend();
  CHECK(sender.recovery.first_lost() == nullptr);
  CHECK(packet.state == Packet::State::in_flight);
  CHECK(sender.recovery.packets_in_flight() == 1);
  CHECK(sender.stats().resent == 2);
  CHECK(sender.recovery.next_deadline(false) > resent + 20ms);
  sender.wait(70ms);
  sender.acknowledge(packet);
  CHECK(sender.recovery.is_idle());
}

TEST_CASE("recovery: not if it was acknowledged before that, nor among many", "[soe][recovery]") {
  Sender sender;
  sender.settle(80ms);
  SECTION("acknowledged") {
    Packet& packet = sender.send();
    sender.wait(100ms);
    sender.advance();
    sender.resend();
    sender.wait(5ms);
    sender.acknowledge(packet);
    sender.wait(10ms);
    sender.advance();
    CHECK(sender.recovery.first_lost() == nullptr);
    CHECK(sender.recovery.next_deadline(false) == no_deadline);
  }
  SECTION("among many") {
    std::vector<Packet*> sent;
    for (int i = 0; i < 40; ++i) {
      sent.push_back(&sender.send());
      sender.wait(100us);
    }
    sender.wait(80ms);
    sender.acknowledge_all({sent.begin() + 10, sent.begin() + 20});
    sender.wait(3ms);
    sender.advance();
    REQUIRE(sender.recovery.first_lost() == sent[0]);
    REQUIRE(sender.recovery.packets_in_flight() == 20);
    while (sender.recovery.first_lost() != nullptr) sender.resend();
    sender.wait(11ms);
    sender.advance();
    CHECK(sender.recovery.first_lost() == nullptr);
  }
}

TEST_CASE("recovery: what was allowed for a repetition that is not needed is not kept",
          "[soe][recovery]") {
  Config config = own_ends();
  config.pacing = muster::soe::Pacing::fixed_rate;
  config.bytes_per_second = 1000;
  Sender sender{config};
  sender.settle(80ms);
  Packet& packet = sender.send();
  sender.wait(100ms);
  sender.advance();
  sender.resend();
  sender.wait(10ms);
  sender.advance();
  REQUIRE(sender.recovery.first_lost() == &packet);
  sender.acknowledge(packet);
  while (sender.recovery.pacer().may_send(sender.now, 0, 0)) (void)sender.send();
  CHECK_FALSE(sender.recovery.may_send(sender.now));
  // And what comes next is probed as ever.
  const auto probes = sender.stats().probes;
  sender.wait_until(sender.recovery.next_deadline(false));
  sender.advance();
  CHECK(sender.stats().probes == probes + 1);
}

TEST_CASE("recovery: loss counts what was marked as lost", "[soe][recovery]") {
  Sender sender;
  CHECK(sender.recovery.loss() == 0);
  sender.settle(40ms, 200);
  CHECK(sender.recovery.loss() == 0);
  // One in ten.
  for (int i = 0; i < 1000; ++i) {
    Packet& packet = sender.send();
    if (i % 10 == 0) {
      sender.wait(60ms);
      sender.advance();
      sender.resend();
    }
    sender.wait(40ms);
    sender.acknowledge(packet);
  }
  CHECK(sender.recovery.loss() > 0.06);
  CHECK(sender.recovery.loss() < 0.14);
  sender.settle(40ms, 500);
  CHECK(sender.recovery.loss() < 0.005);
}

TEST_CASE("recovery: loss does not count what only seemed lost", "[soe][recovery]") {
  Sender sender;
  sender.settle(40ms, 200);
  for (int i = 0; i < 1000; ++i) {
    Packet& packet = sender.send();
    if (i % 10 == 0) {
      sender.wait(60ms);
      sender.advance();
      sender.resend();
      sender.wait(5ms);  // too soon for the repetition
    } else {
      sender.wait(40ms);
    }
    sender.acknowledge(packet);
  }
  CHECK(sender.recovery.loss() < 0.02);
}

TEST_CASE("recovery: loss counts what only a ride brought there", "[soe][recovery]") {
  Sender sender;
  sender.settle(100ms, 200);
  // Sixty messages a second, each with the one before it as a rider; one in ten gets lost.
  Packet* last = nullptr;
  std::vector<std::pair<time_point, Packet*>> acknowledgements;
  for (int i = 0; i < 2000; ++i) {
    Packet& packet = sender.send();
    if (last != nullptr) sender.recovery.on_ride(*last, sender.now);
    if (last != nullptr && i % 10 == 0) {
      acknowledgements.emplace_back(sender.now + 100ms, last);
    }
    if (i % 10 != 9) acknowledgements.emplace_back(sender.now + 100ms, &packet);
    last = &packet;
    const time_point next = sender.now + 16ms;
    while (!acknowledgements.empty() && acknowledgements.front().first <= next) {
      sender.wait_until(acknowledgements.front().first);
      std::vector<Packet*> batch;
      while (!acknowledgements.empty() && acknowledgements.front().first <= sender.now) {
        batch.push_back(acknowledgements.front().second);
        acknowledgements.erase(acknowledgements.begin());
      }
      sender.acknowledge_all(batch);
    }
    sender.wait_until(next);
    sender.advance();
  }
  CHECK(sender.stats().lost == 0);
  CHECK(sender.recovery.loss() > 0.06);
  CHECK(sender.recovery.loss() < 0.14);
}

TEST_CASE("recovery: one loss among the first packets is noticed at once", "[soe][recovery]") {
  Sender sender;
  sender.settle(40ms, 10);
  (void)sender.send();
  sender.wait(60ms);
  sender.advance();
  CHECK(sender.recovery.loss() > 0.02);
}

TEST_CASE("recovery: a late peer's acknowledgements are waited for", "[soe][recovery]") {
  // Acknowledges what it has every 300 ms.
  Sender sender;
  std::vector<Packet*> waiting;
  std::uint64_t at_first = 0;
  for (int i = 0; i < 40; ++i) {
    for (int j = 0; j < 15; ++j) {
      waiting.push_back(&sender.send());
      sender.wait(20ms);
      sender.advance();
      while (sender.recovery.first_lost() != nullptr && sender.recovery.may_send(sender.now)) {
        sender.resend();
      }
    }
    sender.acknowledge_all(waiting);
    waiting.clear();
    if (i == 9) at_first = sender.stats().resent;
  }
  CHECK(sender.stats().resent - at_first < 10);
  CHECK(sender.stats().timeouts <= 2);
}

TEST_CASE("recovery: what is forgotten leaves its list", "[soe][recovery]") {
  Sender sender;
  sender.settle(40ms);
  Packet& lost = sender.send();
  sender.wait(60ms);
  sender.advance();
  Packet& under_way = sender.send();
  sender.recovery.forget(lost);
  CHECK(sender.recovery.first_lost() == nullptr);
  sender.recovery.forget(under_way);
  CHECK(sender.recovery.is_idle());
  CHECK(sender.recovery.bytes_in_flight() == 0);
  CHECK(sender.recovery.packets_in_flight() == 0);
  CHECK(sender.recovery.next_deadline(false) == no_deadline);
}

TEST_CASE("recovery: a packet can be acknowledged while it waits to be sent again",
          "[soe][recovery]") {
  Sender sender;
  sender.settle(40ms);
  Packet& packet = sender.send();
  sender.wait(60ms);
  sender.advance();
  REQUIRE(sender.recovery.first_lost() == &packet);
  sender.wait(1ms);
  sender.acknowledge(packet);
  CHECK(sender.recovery.is_idle());
  CHECK(sender.recovery.first_lost() == nullptr);
}

TEST_CASE("recovery: random lives keep the counts and the deadlines", "[soe][recovery]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    muster::SeededEntropy entropy{seed};
    const auto below = [&entropy](unsigned bound) {
      std::array<std::byte, 2> bytes{};
      entropy.fill(bytes);
      return (static_cast<unsigned>(bytes[0]) << 8U | static_cast<unsigned>(bytes[1])) % bound;
    };
    Sender sender;
    std::vector<Packet*> alive;
    std::uint64_t acknowledged = 0;
    for (int step = 0; step < 3000; ++step) {
      switch (below(6)) {
        case 0:
        case 1:
          if (sender.recovery.first_lost() == nullptr && sender.recovery.may_send(sender.now)) {
            alive.push_back(&sender.send());
          }
          break;
        case 2:
          if (sender.recovery.first_lost() != nullptr && sender.recovery.may_send(sender.now)) {
            sender.resend();
          }
          break;
        case 3:
          if (!alive.empty()) {
            const unsigned at = below(static_cast<unsigned>(alive.size()));
            if (below(8) == 0) {
              sender.recovery.on_ride(*alive[at], sender.now);
            } else {
              sender.acknowledge(*alive[at]);
              alive.erase(alive.begin() + at);
              ++acknowledged;
            }
          }
          break;
        case 4: {
          // Until its deadline a recovery has nothing to do.
          const time_point next = sender.now + duration{below(20) * 1'000'000L};
          const time_point deadline = sender.recovery.next_deadline(false);
          if (next < deadline) {
            const Recovery::Stats before = sender.stats();
            const Packet* const lost = sender.recovery.first_lost();
            sender.wait_until(next);
            sender.advance();
            CHECK(sender.stats().lost == before.lost);
            CHECK(sender.stats().probes == before.probes);
            CHECK(sender.stats().timeouts == before.timeouts);
            CHECK(sender.recovery.first_lost() == lost);
          } else {
            sender.wait_until(next);
          }
          break;
        }
        default:
          sender.advance();
          break;
      }
      std::size_t in_flight = 0;
      for (const Packet* packet : alive) in_flight += packet->state == Packet::State::in_flight;
      REQUIRE(sender.recovery.packets_in_flight() == in_flight);
      REQUIRE(sender.recovery.bytes_in_flight() == in_flight * datagram);
      REQUIRE(sender.stats().acknowledged == acknowledged);
      REQUIRE(sender.recovery.is_idle() == alive.empty());
      REQUIRE(sender.recovery.loss() >= 0);
      REQUIRE(sender.recovery.loss() <= 1);
    }
    // All of them arrive in the end, and nothing is left.
    for (Packet* packet : alive) sender.recovery.on_acknowledged(*packet, sender.now);
    sender.recovery.finish_acknowledgements(sender.now);
    CHECK(sender.recovery.is_idle());
  }
}
