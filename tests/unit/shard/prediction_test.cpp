// SPDX-License-Identifier: MIT
// What a player is shown of its own inputs, before the server has them.
#include <muster/memory/dialer.hpp>
#include <muster/memory/network.hpp>
#include <muster/shard/client.hpp>
#include <muster/shard/prediction.hpp>
#include <muster/shard/registry.hpp>
#include <muster/shard/service.hpp>
#include <muster/shard/shard.hpp>

#include "support/catch.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

using namespace muster;
using namespace muster::shard;
using namespace std::chrono_literals;

namespace {

// Its value depends on the order of all inputs, and on how often each was applied.
void turn(std::uint64_t& value, const std::uint64_t& input) { value = value * 31 + input; }

std::uint64_t number_of(byte_view bytes) {
  const std::string_view text = as_text(bytes);
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

struct Mill {
  using Input = std::uint64_t;
  static std::optional<std::uint64_t> decode(byte_view bytes, Format) { return number_of(bytes); }
  void apply(const Subscriber&, std::uint64_t input) { turn(value, input); }
  void step(duration) {}
  void encode(const View&, std::vector<std::byte>& out) const {
    const std::string text = std::to_string(value);
    out.insert(out.end(), as_bytes(text).begin(), as_bytes(text).end());
  }
  bool authorize_input(const Subscriber&, std::uint64_t input) const { return input != 13; }
  std::uint64_t value = 0;
};

struct Miller final : Client::Handler {
  void on_joined(time_point) override { prediction.clear(); }
  void on_snapshot(std::uint64_t tick, byte_view snapshot, time_point) override {
    CHECK(tick >= acked_tick);
    prediction.set_state(number_of(snapshot));
    // Nobody else plays: the prediction is exact with each snapshot.
    if (expects) {
      CHECK(prediction.state() == expected);
      ++exact;
    }
  }
  void on_input_ack(const v2::InputAck& ack, time_point) override {
    REQUIRE(ack.client_seq);
    prediction.acknowledge(*ack.client_seq);
    acked_tick = ack.tick;
    ++acks;
  }
  void on_nack(const v2::Nack& nack, time_point) override { prediction.remove(nack.client_seq); }
  void on_end(Parting, std::string_view, time_point) override {}

  Prediction<std::uint64_t, std::uint64_t> prediction{0, turn};
  std::uint64_t expected = 0;
  bool expects = true;
  std::uint64_t acked_tick = 0;
  int acks = 0;
  int exact = 0;
};

}  // namespace

TEST_CASE("shard prediction: inputs that wait are replayed on the server's state", "[shard]") {
  Prediction<std::uint64_t, std::uint64_t> prediction{0, turn};
  CHECK(prediction.add(1, 5));
  CHECK(prediction.add(2, 7));
  CHECK(prediction.state() == 5 * 31 + 7);
  prediction.set_state(5);
  prediction.acknowledge(1);
  CHECK(prediction.state() == 5 * 31 + 7);
  CHECK(prediction.known() == 5);
  CHECK(prediction.pending() == 1);
  prediction.set_state(100);  // somebody else was faster
  CHECK(prediction.state() == 100 * 31 + 7);
  CHECK(prediction.add(4, 1));
  prediction.remove(2);
  CHECK(prediction.state() == 100 * 31 + 1);
  prediction.clear();
  CHECK(prediction.state() == 100);
  CHECK(prediction.pending() == 0);
}

TEST_CASE("shard prediction: what waits is bounded", "[shard]") {
  Prediction<std::uint64_t, std::uint64_t> prediction{0, turn};
  for (std::uint64_t seq = 1; seq <= prediction.max_pending; ++seq) REQUIRE(prediction.add(seq, 1));
  const std::uint64_t before = prediction.state();
  CHECK_FALSE(prediction.add(5000, 1));
  CHECK(prediction.state() == before);
}

TEST_CASE("shard prediction: over a bad link it equals the server's state once inputs stop",
          "[shard]") {
  const auto seed = GENERATE(range(std::uint64_t{1}, std::uint64_t{9}));
  CAPTURE(seed);
  memory::Network network{seed};
  // Narrow too, so that snapshots replace each other.
  memory::Dialer dialer{
      network,
      {.latency = 80ms, .jitter = 70ms, .bytes_per_second = 2000, .window = 64, .loss = 0.3}};
  SeededEntropy entropy{seed};
  Registry registry;
  shard::Service service{{}, registry, network.outbox(), entropy};
  auto made = std::make_unique<Shard<Mill>>(AnyShard::Config{.hz = 50, .guests = Guests::named},
                                            Mill{}, network.now());
  const Shard<Mill>& shard = *made;
  REQUIRE(registry.insert("one", std::move(made), network.now()));
  REQUIRE(!dialer.listen("ws://mill.test/", service));
  network.add(service);
  Miller miller;
  Client client{{.dial = {.url = "ws://mill.test/?shard=one&sid=m&v=2"}},
                dialer,
                network.outbox(),
                entropy,
                miller};
  network.add(client);
  REQUIRE(!client.start(network.now()));
  network.run_for(1s);
  REQUIRE(client.is_joined());

  std::vector<std::uint64_t> sent;
  for (int i = 0; i < 200; ++i) {
    // Some are refused, and then what followed is replayed without them.
    const std::uint64_t input = i % 50 == 49 ? 13 : entropy.next_u64() % 100 + 20;
    if (input == 13) miller.expects = false;
    const auto seq = client.input(as_bytes(std::to_string(input)));
    REQUIRE(seq);
    REQUIRE(miller.prediction.add(*seq, input));
    if (input != 13) turn(miller.expected, input);
    network.run_for(duration{10ms} + duration{1ms} * static_cast<int>(entropy.next_u64() % 30));
    if (input == 13) network.run_for(1s);
    miller.expects = true;
  }
  network.run_for(3s);
  CHECK(std::as_const(shard).simulation().value == miller.expected);
  CHECK(miller.prediction.state() == miller.expected);
  CHECK(miller.prediction.known() == miller.expected);
  CHECK(miller.prediction.pending() == 0);
  CHECK(miller.acks > 20);
  CHECK(miller.exact > 50);
  CHECK(shard.stats().frames_conflated > 0);
  network.remove(client);
  network.remove(service);
}
