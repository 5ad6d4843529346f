// SPDX-License-Identifier: MIT
// What a simulated link does to datagrams, and that it does the same each time.
#include <muster/memory/datagram_link.hpp>

#include "support/catch.hpp"

#include <muster/error.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>
#include <string>
#include <vector>

using muster::duration;
using muster::errc;
using muster::no_deadline;
using muster::time_point;
using muster::memory::DatagramLink;
using namespace std::chrono_literals;
using Config = DatagramLink::Config;

namespace {

constexpr time_point start{1h};

// A datagram that says its number, padded to `size`.
std::vector<std::byte> numbered(std::uint32_t number, std::size_t size = 4) {
  std::vector<std::byte> bytes(size, std::byte{0x5a});
  std::memcpy(bytes.data(), &number, sizeof number);
  return bytes;
}

struct Delivery {
  std::uint32_t number = 0;
  duration at{0};  // since `start`
  friend bool operator==(const Delivery&, const Delivery&) = default;
};

// All that arrives up to `until`, each at its own time.
std::vector<Delivery> drain(DatagramLink& link, time_point until = no_deadline) {
  std::vector<Delivery> deliveries;
  while (link.next_delivery() != no_deadline && link.next_delivery() <= until) {
    const time_point now = link.next_delivery();
    const auto bytes = link.receive(now);
    REQUIRE(bytes);
    Delivery delivery{.at = now - start};
    REQUIRE(bytes->size() >= sizeof delivery.number);
    std::memcpy(&delivery.number, bytes->data(), sizeof delivery.number);
    deliveries.push_back(delivery);
  }
  return deliveries;
}

// `count` datagrams of one millisecond each, and what arrives of them.
std::vector<Delivery> run(const Config& config, std::uint32_t count) {
  DatagramLink link{config};
  for (std::uint32_t i = 0; i < count; ++i) link.send(numbered(i), start + i * 1ms);
  return drain(link);
}

std::vector<std::uint32_t> numbers(const std::vector<Delivery>& deliveries) {
  std::vector<std::uint32_t> found;
  for (const Delivery& delivery : deliveries) found.push_back(delivery.number);
  return found;
}

}  // namespace

TEST_CASE("datagram link: without mishaps everything arrives in order, after the delay",
          "[memory][datagram_link]") {
  DatagramLink link{{.delay = 50ms}};
  CHECK(link.next_delivery() == no_deadline);
  CHECK_FALSE(link.receive(no_deadline - 1ns));
  for (std::uint32_t i = 0; i < 100; ++i) link.send(numbered(i), start + (i / 10) * 1ms);
  CHECK(link.under_way() == 100);
  CHECK_FALSE(link.receive(start + 50ms - 1ns));
  const std::vector<Delivery> deliveries = drain(link);
  REQUIRE(deliveries.size() == 100);
  for (std::uint32_t i = 0; i < 100; ++i) {
    CHECK(deliveries[i] == Delivery{i, 50ms + (i / 10) * 1ms});
  }
  CHECK(link.under_way() == 0);
  CHECK(link.next_delivery() == no_deadline);
}

TEST_CASE("datagram link: a datagram may be empty or as large as UDP has them",
          "[memory][datagram_link]") {
  DatagramLink link{{}};
  link.send({}, start);
  link.send(numbered(7, 65'535), start);
  auto bytes = link.receive(start);
  REQUIRE(bytes);
  CHECK(bytes->empty());
  bytes = link.receive(start);
  REQUIRE(bytes);
  CHECK(bytes->size() == 65'535);
  CHECK(std::equal(bytes->begin(), bytes->end(), numbered(7, 65'535).begin()));
  CHECK_FALSE(link.receive(start));
}

TEST_CASE("datagram link: the share that is lost, from none to all", "[memory][datagram_link]") {
  constexpr std::uint32_t count = 20'000;
  CHECK(run({.loss = 0}, count).size() == count);
  CHECK(run({.loss = 1}, count).empty());
  for (const double loss : {0.01, 0.1, 0.5}) {
    for (const std::uint64_t seed : {1U, 2U, 3U}) {
      INFO("loss " << loss << ", seed " << seed);
      const double lost = 1 - double(run({.seed = seed, .loss = loss}, count).size()) / count;
      // Five standard deviations.
      CHECK(std::abs(lost - loss) < 5 * std::sqrt(loss * (1 - loss) / count));
    }
  }
}

TEST_CASE("datagram link: the same seed gives the same run, another one another",
          "[memory][datagram_link]") {
  const Config config{.seed = 5,
                      .loss = 0.1,
                      .duplicate = 0.1,
                      .delay = 40ms,
                      .jitter = 9ms,
                      .reorder = 0.1,
                      .reorder_by = 4ms};
  const std::vector<Delivery> deliveries = run(config, 1000);
  CHECK(run(config, 1000) == deliveries);
  Config other = config;
  other.seed = 6;
  CHECK_FALSE(run(other, 1000) == deliveries);
}

TEST_CASE("datagram link: other mishaps do not change which datagrams are lost",
          "[memory][datagram_link]") {
  const Config config{.seed = 11, .loss = 0.3};
  const std::vector<std::uint32_t> arrived = numbers(run(config, 1000));
  Config more = config;
  more.duplicate = 0.5;
  more.jitter = 7ms;
  more.reorder = 0.5;
  more.reorder_by = 20ms;
  const std::vector<std::uint32_t> again = numbers(run(more, 1000));
  CHECK(std::set<std::uint32_t>(arrived.begin(), arrived.end()) ==
        std::set<std::uint32_t>(again.begin(), again.end()));
}

TEST_CASE("datagram link: a duplicate has bytes of its own", "[memory][datagram_link]") {
  DatagramLink link{{.duplicate = 1, .delay = 1ms}};
  link.send(numbered(3), start);
  CHECK(link.stats().duplicated == 1);
  auto bytes = link.receive(start + 1ms);
  REQUIRE(bytes);
  std::fill(bytes->begin(), bytes->end(), std::byte{0xff});  // as a cipher in place would
  bytes = link.receive(start + 1ms);
  REQUIRE(bytes);
  CHECK(std::equal(bytes->begin(), bytes->end(), numbered(3).begin()));
  CHECK_FALSE(link.receive(start + 1h));
}

TEST_CASE("datagram link: the share that is duplicated", "[memory][datagram_link]") {
  constexpr std::uint32_t count = 20'000;
  const double share = double(run({.seed = 4, .duplicate = 0.2}, count).size()) / count - 1;
  CHECK(std::abs(share - 0.2) < 5 * std::sqrt(0.2 * 0.8 / count));
}

TEST_CASE("datagram link: jitter spreads arrivals evenly and changes their order",
          "[memory][datagram_link]") {
  const std::vector<Delivery> deliveries = run({.seed = 2, .delay = 40ms, .jitter = 5ms}, 10'000);
  REQUIRE(deliveries.size() == 10'000);
  double sum = 0;
  duration least = 1h;
  duration most{0};
  for (const Delivery& delivery : deliveries) {
    const duration late = delivery.at - delivery.number * 1ms - 40ms;
    least = std::min(least, late);
    most = std::max(most, late);
    sum += std::chrono::duration<double, std::milli>(late).count();
  }
  CHECK(least >= 0ms);
  CHECK(least < 20us);
  CHECK(most <= 5ms);
  CHECK(most > 4980us);
  CHECK(std::abs(sum / 10'000 - 2.5) < 0.1);
  const std::vector<std::uint32_t> order = numbers(deliveries);
  CHECK_FALSE(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("datagram link: some are held back, and others overtake them",
          "[memory][datagram_link]") {
  const std::vector<Delivery> deliveries =
      run({.seed = 3, .delay = 10ms, .reorder = 0.1, .reorder_by = 3500us}, 10'000);
  REQUIRE(deliveries.size() == 10'000);
  std::uint32_t held_back = 0;
  for (const Delivery& delivery : deliveries) {
    const duration late = delivery.at - delivery.number * 1ms - 10ms;
    if (late != 0ms) {
      CHECK(late == 3500us);
      ++held_back;
    }
  }
  CHECK(held_back > 850);
  CHECK(held_back < 1150);
}

TEST_CASE("datagram link: the bottleneck sends at its rate, headers included",
          "[memory][datagram_link]") {
  // 1000 bytes and 28 of headers at 3 bytes a microsecond, a rate that divides nothing evenly.
  DatagramLink link{{.delay = 10ms, .bytes_per_second = 3'000'000, .queue_bytes = 1 << 20}};
  for (std::uint32_t i = 0; i < 900; ++i) link.send(numbered(i, 1000), start);
  const std::vector<Delivery> deliveries = drain(link);
  REQUIRE(deliveries.size() == 900);
  for (std::uint32_t i = 0; i < 900; ++i) {
    CHECK(deliveries[i].number == i);
    CHECK(deliveries[i].at == 10ms + std::chrono::nanoseconds{(i + 1) * 1'028'000ULL / 3});
  }
  // Idle in between, it does not save up.
  link.send(numbered(1, 1000), start + 1h);
  CHECK(link.next_delivery() == start + 1h + 10ms + std::chrono::nanoseconds{1'028'000 / 3});
}

TEST_CASE("datagram link: a full queue drops what comes last", "[memory][datagram_link]") {
  DatagramLink link{{.bytes_per_second = 1'000'000, .queue_bytes = 10'000, .header_bytes = 0}};
  for (std::uint32_t i = 0; i < 20; ++i) link.send(numbered(i, 1000), start);
  CHECK(link.stats().dropped == 10);
  // After 2.5 ms there is room for two more; half a datagram is still being sent.
  for (std::uint32_t i = 20; i < 25; ++i) link.send(numbered(i, 1000), start + 2500us);
  CHECK(link.stats().dropped == 13);
  link.send(numbered(25, 500), start + 2500us);  // a smaller one fits
  CHECK(link.stats().dropped == 13);
  CHECK(numbers(drain(link)) ==
        std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 20, 21, 25});
}

TEST_CASE("datagram link: an idle bottleneck takes what its queue would not hold",
          "[memory][datagram_link]") {
  DatagramLink link{{.bytes_per_second = 1000, .queue_bytes = 1}};
  link.send(numbered(0, 972), start);
  link.send(numbered(1), start + 999ms);
  link.send(numbered(2), start + 1s);
  CHECK(numbers(drain(link)) == std::vector<std::uint32_t>{0, 2});
}

TEST_CASE("datagram link: what is handed out stays while the next ones are sent",
          "[memory][datagram_link]") {
  DatagramLink link{{}};
  link.send(numbered(1, 100), start);
  const auto bytes = link.receive(start);
  REQUIRE(bytes);
  for (std::uint32_t i = 0; i < 1000; ++i) link.send(numbered(i, 1400), start);
  CHECK(bytes->size() == 100);
  CHECK(std::equal(bytes->begin(), bytes->end(), numbered(1, 100).begin()));
}

TEST_CASE("datagram link: buffers are used again", "[memory][datagram_link]") {
  DatagramLink link{{.delay = 1ms}};
  std::set<const std::byte*> first_round;
  for (int round = 0; round < 50; ++round) {
    const time_point now = start + round * 1s;
    for (std::uint32_t i = 0; i < 100; ++i) link.send(numbered(i, 1400 - i), now);
    while (const auto bytes = link.receive(now + 1ms)) {
      if (round == 0) {
        first_round.insert(bytes->data());
      } else {
        CHECK(first_round.contains(bytes->data()));
      }
    }
  }
}

TEST_CASE("datagram link: nothing vanishes uncounted", "[memory][datagram_link]") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    INFO("seed " << seed);
    muster::SeededEntropy draw{seed};
    const auto share = [&draw] { return double(draw.next_u64() % 101) / 100; };
    const auto wait = [&draw] {
      return duration{static_cast<std::int64_t>(draw.next_u64() % 20'000'000)};
    };
    const Config config{.seed = seed,
                        .loss = share(),
                        .duplicate = share(),
                        .delay = wait(),
                        .jitter = wait(),
                        .reorder = share(),
                        .reorder_by = wait(),
                        .bytes_per_second = draw.next_u64() % 3 * 400'000,
                        .queue_bytes = 1 + draw.next_u64() % 20'000};
    std::string problem;
    REQUIRE_FALSE(DatagramLink::validate(config, problem));
    DatagramLink link{config};
    time_point now = start;
    time_point last = start;
    std::uint64_t received = 0;
    std::uint64_t received_bytes = 0;
    std::uint64_t sent_bytes = 0;
    const auto check = [&] {
      const DatagramLink::Stats& stats = link.stats();
      REQUIRE(stats.sent + stats.duplicated ==
              stats.dropped + stats.lost + stats.delivered + link.under_way());
      REQUIRE(stats.delivered == received);
      REQUIRE(stats.delivered_bytes == received_bytes);
      REQUIRE(stats.sent_bytes == sent_bytes);
    };
    for (std::uint32_t i = 0; i < 2000; ++i) {
      now += wait() / 10;
      const std::size_t size = 4 + draw.next_u64() % 1400;
      link.send(numbered(i, size), now);
      sent_bytes += size;
      while (link.next_delivery() <= now) {
        REQUIRE(link.next_delivery() >= last);
        last = link.next_delivery();
        received_bytes += link.receive(now)->size();
        ++received;
      }
      REQUIRE_FALSE(link.receive(now));
      check();
    }
    while (const auto bytes = link.receive(now + 1h)) {
      received_bytes += bytes->size();
      ++received;
    }
    check();
    CHECK(link.under_way() == 0);
  }
}

TEST_CASE("datagram link: ranges of the configuration", "[memory][datagram_link]") {
  std::string problem;
  CHECK_FALSE(DatagramLink::validate({}, problem));
  CHECK(problem.empty());
  CHECK_FALSE(DatagramLink::validate({.loss = 1,
                                      .duplicate = 1,
                                      .delay = 1h,
                                      .jitter = 1h,
                                      .reorder = 1,
                                      .reorder_by = 1h,
                                      .bytes_per_second = 1'000'000'000'000,
                                      .queue_bytes = 1 << 30,
                                      .header_bytes = 1024},
                                     problem));
  const auto refused = [&problem](const Config& config, const char* field) {
    CHECK(DatagramLink::validate(config, problem) == errc::invalid_config);
    CHECK_THAT(problem, StartsWith(std::string{field} + " must"));
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double bad : {-0.01, 1.01, nan}) {
    refused({.loss = bad}, "loss");
    refused({.duplicate = bad}, "duplicate");
    refused({.reorder = bad}, "reorder");
  }
  for (const duration bad : {duration{-1}, duration{1h + 1ns}}) {
    refused({.delay = bad}, "delay");
    refused({.jitter = bad}, "jitter");
    refused({.reorder_by = bad}, "reorder_by");
  }
  refused({.bytes_per_second = 1'000'000'000'001}, "bytes_per_second");
  refused({.queue_bytes = 0}, "queue_bytes");
  refused({.queue_bytes = (1 << 30) + 1}, "queue_bytes");
  refused({.header_bytes = 1025}, "header_bytes");
}
