// SPDX-License-Identifier: MIT
// What may leave when, under each policy, and what the model makes of acknowledgements.
#include "../lib/soe/pacer.hpp"

#include "support/catch.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>

using namespace std::chrono_literals;
using muster::duration;
using muster::no_deadline;
using muster::time_point;
using muster::soe::Config;
using muster::soe::DeliverySample;
using muster::soe::Pacer;
using muster::soe::Pacing;

namespace {

constexpr std::size_t datagram = 512;
constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();
constexpr time_point start = time_point{} + 1h;

Config with(Pacing pacing, std::uint64_t bytes_per_second = 0) {
  Config config;
  config.pacing = pacing;
  config.bytes_per_second = bytes_per_second;
  return config;
}

// A model that is told of rounds: each of twenty acknowledgements, the packets of which left while
// those of the last round arrived.
struct Model {
  struct Round {
    double bytes_per_second = 1e6;
    duration round_trip = 40ms;
    double loss = 0;
    bool is_app_limited = false;
  };

  void pass(const Round& round, int times = 1) {
    for (; times > 0; --times) {
      const double bytes =
          round.bytes_per_second * std::chrono::duration<double>(round.round_trip).count() / 20;
      for (std::uint64_t& before : before_) {
        now += round.round_trip / 20;
        if (round.loss > 0) {
          pacer.on_loss(now, static_cast<std::size_t>(bytes * round.loss / (1 - round.loss)));
        }
        delivered += static_cast<std::uint64_t>(bytes);
        DeliverySample sample;
        sample.bytes = static_cast<std::uint64_t>(bytes);
        sample.delivered = delivered;
        sample.bytes_per_second = round.bytes_per_second;
        sample.round_trip = round.round_trip;
        sample.smoothed_round_trip = round.round_trip;
        sample.is_app_limited = round.is_app_limited;
        sample.delivered_before = before;
        sample.in_flight = in_flight;
        pacer.on_delivery(now, sample);
        before = delivered;
        fastest = std::max(fastest, pacer.bytes_per_second());
        slowest = std::min(slowest, pacer.bytes_per_second());
      }
    }
  }

  // The largest and smallest pace in so many rounds.
  void watch(const Round& round, int times) {
    fastest = 0;
    slowest = 1e18;
    pass(round, times);
  }

  time_point now = start;
  std::uint64_t delivered = 0;
  std::size_t in_flight = 0;
  double fastest = 0;
  double slowest = 1e18;
  std::array<std::uint64_t, 20> before_{};
  Pacer pacer{with(Pacing::model), datagram, start};
};

}  // namespace

TEST_CASE("pacer: a fixed window has no pace", "[soe][pacer]") {
  Pacer pacer{with(Pacing::fixed_window), datagram, start};
  for (std::size_t i = 0; i < 1000; ++i) {
    CHECK(pacer.may_send(start, i * datagram, i));
    pacer.on_sent(start, datagram, (i + 1) * datagram);
  }
  CHECK(pacer.window() == unlimited);
  CHECK(pacer.bytes_per_second() == 0);
}

TEST_CASE("pacer: a fixed rate is kept to over any time, but for a small burst", "[soe][pacer]") {
  for (const std::uint64_t rate : {1000U, 50'000U, 10'000'000U}) {
    CAPTURE(rate);
    Pacer pacer{with(Pacing::fixed_rate, rate), datagram, start};
    std::size_t sent = 0;
    for (duration time = 0s; time < 20s; time += 1ms) {
      while (pacer.may_send(start + time, sent, sent / datagram)) {
        pacer.on_sent(start + time, datagram, sent);
        sent += datagram;
      }
    }
    const auto most = static_cast<double>(rate * 20);
    const double burst = 9 * datagram + static_cast<double>(rate) * 0.004;
    CHECK(static_cast<double>(sent) <= most + burst);
    CHECK(static_cast<double>(sent) >= most - datagram);
    CHECK(pacer.window() == unlimited);
    CHECK(pacer.bytes_per_second() == Approx(static_cast<double>(rate)));
  }
}

TEST_CASE("pacer: what is sent seldom leaves at once under a fixed rate", "[soe][pacer]") {
  Pacer pacer{with(Pacing::fixed_rate, 10'000), datagram, start};
  for (int i = 0; i < 50; ++i) {
    const time_point now = start + i * 500ms;
    for (int j = 0; j < 8; ++j) {
      CHECK(pacer.may_send(now, 0, 0));
      pacer.on_sent(now, datagram, 0);
    }
  }
}

TEST_CASE("pacer: when to ask again is when the pace allows a burst", "[soe][pacer]") {
  Pacer pacer{with(Pacing::fixed_rate, 100'000), datagram, start};
  std::size_t sent = 0;
  while (pacer.may_send(start, sent, sent / datagram)) {
    pacer.on_sent(start, datagram, sent);
    sent += datagram;
  }
  const time_point next = pacer.next_send(sent, sent / datagram);
  CHECK(next > start);
  CHECK(next < start + 20ms);
  CHECK(pacer.may_send(next, sent, sent / datagram));
  CHECK_FALSE(pacer.may_send(next - 2ms, sent, sent / datagram));
}

TEST_CASE("pacer: the model never holds back fewer than eight packets", "[soe][pacer]") {
  Model model;
  model.pass({.bytes_per_second = 1000}, 30);
  for (std::size_t i = 0; i < 8; ++i) {
    CHECK(model.pacer.may_send(model.now, i * datagram, i));
    model.pacer.on_sent(model.now, datagram, (i + 1) * datagram);
  }
  CHECK_FALSE(model.pacer.may_send(model.now, 8 * datagram, 8));
  CHECK(model.pacer.is_limiting(model.now, 8 * datagram, 8));
}

TEST_CASE("pacer: packets that left unasked hold back later ones for a round trip at most",
          "[soe][pacer]") {
  Model model;
  model.pass({.bytes_per_second = 5000}, 30);
  for (int i = 0; i < 100; ++i) model.pacer.on_sent(model.now, datagram, 0);
  CHECK(model.pacer.may_send(model.now + 41ms, datagram, 8));
}

TEST_CASE("pacer: a session starts with ten datagrams, or 14,720 bytes", "[soe][pacer]") {
  CHECK(Pacer(with(Pacing::model), 512, start).window() == 14720);
  CHECK(Pacer(with(Pacing::model), 1400, start).window() == 14720);
  CHECK(Pacer(with(Pacing::model), 4000, start).window() == 40000);
  // They may leave at once.
  Pacer pacer{with(Pacing::model), datagram, start};
  std::size_t sent = 0;
  while (pacer.may_send(start, sent, sent / datagram)) {
    pacer.on_sent(start, datagram, sent + datagram);
    sent += datagram;
  }
  CHECK(sent >= 14720);
  CHECK(sent < 14720 + datagram);
  CHECK(pacer.next_send(sent, sent / datagram) == no_deadline);
}

TEST_CASE("pacer: the start doubles what arrives, each round", "[soe][pacer]") {
  Model model;
  double rate = 100'000;
  for (int i = 0; i < 10; ++i, rate *= 2) {
    model.pass({.bytes_per_second = rate});
    CHECK(model.pacer.bytes_per_second() >= 2 * rate);
    CHECK(static_cast<double>(model.pacer.window()) >= 2 * rate * 0.040);
  }
}

TEST_CASE("pacer: the start is over when three rounds bring no growth", "[soe][pacer]") {
  Model model;
  model.pass({.bytes_per_second = 1e6}, 3);
  CHECK(model.pacer.bytes_per_second() > 2.5e6);
  model.pass({.bytes_per_second = 1e6}, 2);
  CHECK(model.pacer.bytes_per_second() < 1.3e6);
}

TEST_CASE("pacer: the start is over after one round without growth when a queue shows",
          "[soe][pacer]") {
  Model model;
  model.pass({.bytes_per_second = 5e5});
  model.pass({.bytes_per_second = 1e6});
  model.pass({.bytes_per_second = 1e6, .round_trip = 60ms});
  model.in_flight = 200'000;
  model.pass({.bytes_per_second = 1e6, .round_trip = 60ms});
  CHECK(model.pacer.bytes_per_second() < 0.5e6);  // what queued is let go
}

TEST_CASE("pacer: jitter alone does not end the start", "[soe][pacer]") {
  Model model;
  double rate = 100'000;
  for (int i = 0; i < 8; ++i, rate *= 2) {
    // The fastest packets of a round are as fast as ever.
    model.pass({.bytes_per_second = rate, .round_trip = i % 2 == 0 ? 40ms : 43ms});
  }
  CHECK(model.pacer.bytes_per_second() > 2 * rate / 2);
}

TEST_CASE("pacer: after the start the pace goes around the measured rate", "[soe][pacer]") {
  Model model;
  model.in_flight = 60'000;  // more than fits into the path
  model.pass({.bytes_per_second = 1e6}, 20);
  model.watch({.bytes_per_second = 1e6}, 20);
  CHECK(model.fastest == Approx(1.25e6).epsilon(0.01));
  CHECK(model.slowest == Approx(0.75e6).epsilon(0.01));
  int at_rate = 0;
  for (int i = 0; i < 80; ++i) {
    model.pass({.bytes_per_second = 1e6});
    at_rate += model.pacer.bytes_per_second() == Approx(1e6).epsilon(0.01);
  }
  CHECK(at_rate >= 40);
  // Two round trips' worth, and what timers and late acknowledgements add.
  CHECK(model.pacer.window() >= 80'000);
  CHECK(model.pacer.window() <= 90'000);
}

TEST_CASE("pacer: a path that has more is found to have it", "[soe][pacer]") {
  Model model;
  model.pass({.bytes_per_second = 1e6}, 20);
  // Whatever is sent arrives.
  for (int i = 0; i < 100; ++i) {
    model.pass({.bytes_per_second = model.pacer.bytes_per_second()});
  }
  CHECK(model.pacer.bytes_per_second() > 8e6);
}

TEST_CASE("pacer: an application that has little to send lowers nothing", "[soe][pacer]") {
  Model model;
  model.pass({.bytes_per_second = 1e6}, 20);
  model.pass({.bytes_per_second = 1000, .is_app_limited = true}, 200);
  CHECK(model.pacer.bytes_per_second() >= 0.74e6);
  SECTION("but raises what it shows to be possible") {
    model.pass({.bytes_per_second = 3e6, .is_app_limited = true});
    CHECK(model.pacer.bytes_per_second() >= 2.2e6);
  }
}

TEST_CASE("pacer: after little was sent a bulk starts as in a new session", "[soe][pacer]") {
  Model model;
  model.pass({.bytes_per_second = 4000, .is_app_limited = true}, 200);
  CHECK(model.pacer.window() >= 14720);
  CHECK(model.pacer.bytes_per_second() > 14720 / 0.040);
}

TEST_CASE("pacer: losses at random do not slow anything down", "[soe][pacer]") {
  for (const double loss : {0.01, 0.05, 0.10, 0.30}) {
    CAPTURE(loss);
    Model model;
    model.pass({.bytes_per_second = 1e6}, 20);
    model.watch({.bytes_per_second = 1e6, .loss = loss}, 100);
    CHECK(model.slowest >= 0.74e6);
    // And more is looked for with so much more that it can arrive.
    CHECK(model.fastest >= 1.24e6 / (1 - loss));
  }
}

TEST_CASE("pacer: nor does a slow round in which many got lost", "[soe][pacer]") {
  Model model;
  model.pass({.bytes_per_second = 1e6}, 20);
  model.pass({.bytes_per_second = 5e5, .loss = 0.3}, 3);
  CHECK(model.pacer.bytes_per_second() >= 0.74e6);
}

TEST_CASE("pacer: losses with a queue are an overflow, and slow down", "[soe][pacer]") {
  Model model;
  model.pass({.bytes_per_second = 1e6}, 20);
  const Model::Round overflowing{.bytes_per_second = 2e5, .round_trip = 100ms, .loss = 0.3};
  model.pass(overflowing, 2);
  CHECK(model.pacer.bytes_per_second() <= 2.6e5);
  CHECK(model.pacer.window() <= 30'000);
}

TEST_CASE("pacer: a queue alone, or few losses with it, are none", "[soe][pacer]") {
  Model model;
  model.pass({.bytes_per_second = 1e6}, 20);
  model.pass({.bytes_per_second = 9e5, .round_trip = 60ms, .loss = 0.05}, 3);
  CHECK(model.pacer.bytes_per_second() >= 0.74e6);
}

TEST_CASE("pacer: the largest rate is forgotten after twelve rounds", "[soe][pacer]") {
  Model model;
  model.pass({.bytes_per_second = 1e6}, 20);
  model.watch({.bytes_per_second = 5e5}, 7);
  CHECK(model.slowest >= 0.74e6);
  model.pass({.bytes_per_second = 5e5}, 6);
  model.watch({.bytes_per_second = 5e5}, 16);
  CHECK(model.fastest <= 0.63e6);
}

TEST_CASE("pacer: a longer path is noticed", "[soe][pacer]") {
  // What is under way is bounded by the old round trip, so less arrives in the new one. That is no
  // reason to send even less.
  Model model;
  model.pass({.bytes_per_second = 1e6}, 20);
  for (int i = 0; i < 60; ++i) {
    const double most = static_cast<double>(model.pacer.window()) / 0.200;
    model.pass({.bytes_per_second = std::min({most, 1e6, model.pacer.bytes_per_second()}),
                .round_trip = 200ms});
  }
  CHECK(model.pacer.bytes_per_second() >= 0.7e6);
  CHECK(model.pacer.window() >= 200'000);
}

TEST_CASE("pacer: a burst is worth a millisecond at least", "[soe][pacer]") {
  for (const double rate : {1e6, 1e7, 1e8, 1e9}) {
    CAPTURE(rate);
    Model model;
    model.pass({.bytes_per_second = rate, .round_trip = 100us}, 30);
    model.now += 10ms;
    std::size_t sent = 0;
    while (model.pacer.may_send(model.now, sent, sent / datagram)) {
      model.pacer.on_sent(model.now, datagram, sent + datagram);
      sent += datagram;
    }
    CHECK(static_cast<double>(sent) >= rate * 0.001 * 0.7);
    CHECK(static_cast<double>(sent) <= rate * 0.005 + 9 * datagram);
  }
}

TEST_CASE("pacer: with timers of a millisecond the pace is kept on average", "[soe][pacer]") {
  Model model;
  model.pass({.bytes_per_second = 1e7}, 30);
  const double pace = model.pacer.bytes_per_second();
  double sent = 0;
  // The driver wakes late, by up to a millisecond.
  for (int i = 0; i < 1000; ++i) {
    const time_point now = model.now + i * 1ms + (i % 3) * 300us;
    if (model.pacer.next_send(0, 100) > now) continue;
    while (model.pacer.may_send(now, 0, 100)) {
      model.pacer.on_sent(now, datagram, 0);
      sent += datagram;
    }
  }
  CHECK(sent == Approx(pace).epsilon(0.03));
}

TEST_CASE("pacer: loopback is not limited by its own timers", "[soe][pacer]") {
  // Tens of microseconds of distance, acknowledged after 16 packets or 2 ms, sent each millisecond.
  Model model;
  model.pass({.bytes_per_second = 1e9, .round_trip = 40us}, 30);
  CHECK(model.pacer.window() >= 2'000'000);
  Model slow;
  slow.pass({.bytes_per_second = 2e6, .round_trip = 40us}, 30);
  CHECK(slow.pacer.window() >= 16 * datagram);
}

TEST_CASE("pacer: after a timeout eight packets are the most until something arrives",
          "[soe][pacer]") {
  for (const Pacing pacing : {Pacing::model, Pacing::fixed_window, Pacing::fixed_rate}) {
    Pacer pacer{with(pacing, 1'000'000'000), datagram, start};
    pacer.on_timeout(start);
    CHECK(pacer.may_send(start, 7 * datagram, 7));
    CHECK_FALSE(pacer.may_send(start + 1h, 8 * datagram, 8));
    CHECK(pacer.next_send(8 * datagram, 8) == no_deadline);
    DeliverySample sample;
    sample.bytes = datagram;
    sample.delivered = datagram;
    pacer.on_delivery(start + 40ms, sample);
    CHECK(pacer.may_send(start + 1s, 8 * datagram, 8));
  }
}

TEST_CASE("pacer: after a timeout a fixed window grows by what arrives", "[soe][pacer]") {
  Pacer pacer{with(Pacing::fixed_window), datagram, start};
  pacer.on_timeout(start);
  std::size_t window = 8 * datagram;
  CHECK(pacer.window() == window);
  DeliverySample sample;
  sample.bytes = 4 * datagram;
  for (int i = 0; i < 5; ++i) {
    pacer.on_delivery(start + 40ms, sample);
    window += sample.bytes;
    CHECK(pacer.window() == window);
    CHECK(pacer.may_send(start + 40ms, window - 1, window / datagram - 1));
    CHECK_FALSE(pacer.may_send(start + 40ms, window, window / datagram));
  }
  // However much arrives, it becomes no smaller again.
  sample.bytes = std::numeric_limits<std::uint32_t>::max();
  pacer.on_delivery(start + 80ms, sample);
  pacer.on_delivery(start + 80ms, sample);
  CHECK(pacer.window() == std::numeric_limits<std::uint32_t>::max());
}

TEST_CASE("pacer: nothing is divided by zero", "[soe][pacer]") {
  Model model;
  DeliverySample nothing;
  model.pacer.on_delivery(start, nothing);
  model.pass({.bytes_per_second = 0, .round_trip = 0ms}, 20);
  CHECK(model.pacer.window() >= 14720);
  CHECK(model.pacer.may_send(model.now, 0, 0));
  model.pass({.bytes_per_second = 1, .round_trip = 1us}, 40);
  CHECK(model.pacer.window() > 0);
  CHECK(model.pacer.bytes_per_second() > 0);
}
