// SPDX-License-Identifier: MIT
// What recovery and pacer reach together over bad paths, in virtual time.
#include "support/catch.hpp"
#include "support/soe_flow.hpp"

#include <chrono>
#include <cstdint>

using namespace std::chrono_literals;
using muster::soe::Config;
using muster::test::SoeFlow;

namespace {

// 64-byte messages, 60 of them each second, over a round trip of 100 ms.
SoeFlow game(double loss, unsigned redundancy, std::uint64_t seed) {
  Config config = Config::for_own_ends(512);
  config.redundancy = redundancy;
  return {config, {.delay = 50ms, .loss = loss}, {.message_every = 16666667ns}, seed};
}

SoeFlow bulk(const SoeFlow::Path& path, std::uint64_t seed, std::uint32_t window = 4096) {
  Config config = Config::for_own_ends(512);
  config.send_window = config.receive_window = window;
  return {config, path, {}, seed};
}

SoeFlow::Path jittery() {
  return {.delay = 20ms,
          .loss = 0.01,
          .jitter = 5ms,
          .reorder = 0.02,
          .reorder_by = 10ms,
          .duplicate = 0.01};
}

}  // namespace

TEST_CASE("soe flow: without loss every message takes the one way", "[soe][flow]") {
  SoeFlow flow = game(0, 3, 1);
  const auto report = flow.run(30s);
  CHECK(report.latency_at(1.0) < 51);
  CHECK(report.wire_per_message < 85);
  CHECK(flow.recovery().stats().resent == 0);
}

TEST_CASE("soe flow: messages are late by little under loss", "[soe][flow]") {
  for (const bool on_ticks : {false, true}) {
    for (std::uint64_t seed = 11; seed <= 14; ++seed) {
      CAPTURE(on_ticks, seed);
      SoeFlow five = game(0.05, 0, seed);
      five.arrives_on_ticks = on_ticks;
      const auto at_five = five.run(120s);
      CHECK(at_five.latency_at(0.99) <= 205);
      CHECK(at_five.wire_per_message <= 95);

      SoeFlow ten = game(0.10, 0, seed);
      ten.arrives_on_ticks = on_ticks;
      CHECK(ten.run(120s).latency_at(0.99) <= 265);
    }
  }
}

TEST_CASE("soe flow: packets that ride along make up for losses", "[soe][flow]") {
  for (const bool on_ticks : {false, true}) {
    for (std::uint64_t seed = 11; seed <= 14; ++seed) {
      CAPTURE(on_ticks, seed);
      SoeFlow five = game(0.05, 3, seed);
      five.arrives_on_ticks = on_ticks;
      const auto at_five = five.run(120s);
      CHECK(at_five.latency_at(0.99) <= 70);
      CHECK(at_five.wire_per_message <= 300);

      SoeFlow ten = game(0.10, 3, seed);
      ten.arrives_on_ticks = on_ticks;
      const auto at_ten = ten.run(120s);
      CHECK(at_ten.latency_at(0.99) <= 85);
      CHECK(at_ten.wire_per_message <= 300);
    }
  }
}

TEST_CASE("soe flow: a bulk under loss is fast", "[soe][flow]") {
  for (std::uint64_t seed = 11; seed <= 12; ++seed) {
    CAPTURE(seed);
    SoeFlow near = bulk({.delay = 20ms, .loss = 0.05}, seed, 16384);
    const auto at_forty = near.run(2s);
    CHECK(at_forty.goodput >= 13.3e6);
    SoeFlow far = bulk({.delay = 50ms, .loss = 0.05}, seed, 16384);
    CHECK(far.run(3s).goodput >= 5.6e6);
  }
}

TEST_CASE("soe flow: a bottleneck is filled and not flooded", "[soe][flow]") {
  // 20 Mbit/s carry 506 of every 540 bytes.
  const double capacity = 2.5e6 * 506 / 540;
  for (const bool on_ticks : {false, true}) {
    CAPTURE(on_ticks);
    SoeFlow flow = bulk({.delay = 20ms, .bytes_per_second = 2'500'000}, 11, 32767);
    flow.arrives_on_ticks = on_ticks;
    const auto report = flow.run(10s);
    CHECK(report.goodput >= 0.9 * capacity);
    CHECK(report.waste <= 1.08);
  }
}

TEST_CASE("soe flow: bottlenecks of other sizes are filled too", "[soe][flow]") {
  const auto share_of = [](const SoeFlow::Path& path) {
    SoeFlow flow = bulk(path, 11, 32767);
    return flow.run(10s).goodput / (static_cast<double>(path.bytes_per_second) * 506 / 540);
  };
  CHECK(share_of({.delay = 20ms, .bytes_per_second = 250'000}) >= 0.9);
  CHECK(share_of({.delay = 20ms, .bytes_per_second = 2'500'000, .queue_bytes = 8192}) >= 0.9);
  CHECK(share_of({.delay = 20ms, .bytes_per_second = 2'500'000, .queue_bytes = 1 << 20}) >= 0.9);
  CHECK(share_of({.delay = 5ms, .bytes_per_second = 12'500'000}) >= 0.9);
  // A twentieth gets lost behind it; what is left is used.
  CHECK(share_of({.delay = 20ms, .loss = 0.05, .bytes_per_second = 2'500'000}) >= 0.8);
}

TEST_CASE("soe flow: jitter, reordering and duplicates cost little", "[soe][flow]") {
  for (const bool on_ticks : {false, true}) {
    for (std::uint64_t seed = 11; seed <= 12; ++seed) {
      CAPTURE(on_ticks, seed);
      SoeFlow flow = bulk(jittery(), seed);
      flow.arrives_on_ticks = on_ticks;
      const auto report = flow.run(4s);
      CHECK(report.goodput >= 14e6);
      CHECK(report.waste <= 1.15);
    }
  }
}

TEST_CASE("soe flow: a local network is limited by its rate", "[soe][flow]") {
  // 1 Gbit/s, 100 us away, with timers of a millisecond at the sender.
  SoeFlow flow = bulk({.delay = 50us, .bytes_per_second = 125'000'000, .queue_bytes = 1 << 20}, 11);
  const auto report = flow.run(1s);
  CHECK(report.goodput >= 0.95 * 125e6 * 506 / 540);
  CHECK(report.waste <= 1.03);
}

TEST_CASE("soe flow: a path that becomes slower is followed within half a second", "[soe][flow]") {
  SoeFlow flow = bulk({.delay = 20ms, .bytes_per_second = 2'500'000}, 11, 32767);
  (void)flow.run(3s);
  flow.set_path({.delay = 20ms, .bytes_per_second = 500'000});
  (void)flow.run(500ms);
  CHECK(flow.recovery().pacer().bytes_per_second() < 0.8e6);
  (void)flow.run(500ms);
  const auto after = flow.run(3s);
  CHECK(after.goodput >= 0.9 * 5e5 * 506 / 540);
  CHECK(after.waste <= 1.1);
  SECTION("and faster again") {
    flow.set_path({.delay = 20ms, .bytes_per_second = 2'500'000});
    (void)flow.run(3s);
    CHECK(flow.run(3s).goodput >= 0.9 * 2.5e6 * 506 / 540);
  }
}

TEST_CASE("soe flow: an outage is survived without a flood", "[soe][flow]") {
  SoeFlow flow = bulk({.delay = 20ms, .bytes_per_second = 2'500'000}, 11, 32767);
  (void)flow.run(2s);
  const auto before = flow.recovery().stats();
  flow.set_path({.delay = 20ms, .loss = 1, .bytes_per_second = 2'500'000});
  (void)flow.run(5s);
  const auto after = flow.recovery().stats();
  // A window that was under way, and eight packets each timeout.
  CHECK(after.sent - before.sent < 600);
  CHECK(after.timeouts - before.timeouts >= 3);
  flow.set_path({.delay = 20ms, .bytes_per_second = 2'500'000});
  (void)flow.run(2500ms);  // the longest timeout and some
  CHECK(flow.run(1s).goodput >= 0.8 * 2.5e6 * 506 / 540);
}

TEST_CASE("soe flow: a late peer's acknowledgements are no losses", "[soe][flow]") {
  for (const auto delay : {100ms, 500ms}) {
    CAPTURE(delay.count());
    Config config;  // for such peers
    config.acknowledge_delay = delay;
    config.acknowledge_every = 16384;
    SoeFlow flow{config, {.delay = 20ms}, {.message_every = 16666667ns}, 11};
    (void)flow.run(5s);
    const auto before = flow.recovery().stats();
    (void)flow.run(20s);
    CHECK(flow.recovery().stats().resent - before.resent <= 12);  // of 1200
  }
}

TEST_CASE("soe flow: a round trip that grows tenfold is learned", "[soe][flow]") {
  for (const unsigned redundancy : {0U, 3U}) {
    CAPTURE(redundancy);
    Config config = Config::for_own_ends(512);
    config.redundancy = redundancy;
    SoeFlow flow{config, {.delay = 20ms, .loss = 0.02}, {.message_every = 16666667ns}, 11};
    (void)flow.run(5s);
    flow.set_path({.delay = 250ms, .loss = 0.02});
    (void)flow.run(3s);
    CHECK(flow.recovery().stats().smoothed_rtt >= 450ms);
    const auto before = flow.recovery().stats();
    (void)flow.run(10s);
    CHECK(flow.recovery().stats().resent - before.resent < 100);  // of 600
  }
}
