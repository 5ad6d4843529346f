// SPDX-License-Identifier: MIT
// Random lives of shards: joins, inputs, departures, cut lines, ends, replacements, a drain. Nobody
// is lost, nothing outlives what it belongs to (the sanitizers look), and everybody is told.
#include <muster/memory/network.hpp>
#include <muster/shard/registry.hpp>
#include <muster/shard/service.hpp>
#include <muster/shard/shard.hpp>
#include <muster/shard/v2_message.hpp>

#include "support/catch.hpp"
#include "support/shard_world.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

using namespace muster;
using namespace muster::shard;
using namespace std::chrono_literals;
using test::Tally;

namespace {

// Counts what it hears; who is open is known by index.
struct Clients final : muster::Service {
  void on_open(Connection& connection, time_point) override { open.insert(&connection); }
  void on_message(Connection& connection, const Message&, time_point) override {
    REQUIRE(open.contains(&connection));
    ++messages;
  }
  void on_close(Connection& connection, const CloseInfo&, time_point) override {
    open.erase(&connection);
    ++closes;
  }
  std::set<Connection*> open;
  std::uint64_t messages = 0;
  int closes = 0;
};

class Life {
 public:
  explicit Life(std::uint64_t seed)
      : dice_(seed),
        network_(seed),
        registry_(Registry::Config{.max_shards = 8, .linger = 200ms}),
        service_({}, registry_, network_.outbox(), entropy_) {
    network_.add(service_);
  }
  ~Life() { network_.remove(service_); }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      act();
      if (below(3) == 0) network_.run_for(std::chrono::milliseconds{below(120)});
      if (below(20) == 0) check();
    }
    service_.on_drain(network_.now());
    network_.run_for(10s);
    for (Connection* const one : clients_.open) network_.stall(*one, false);
    network_.run_for(1s);
    REQUIRE(clients_.open.empty());
    REQUIRE(clients_.closes == attempts_);
    REQUIRE(registry_.size() == 0);
  }

 private:
  std::uint64_t below(std::uint64_t bound) { return dice_.next_u64() % bound; }
  std::string shard_id() { return "s" + std::to_string(below(4)); }

  Connection* any_client() {
    if (clients_.open.empty()) return nullptr;
    auto at = clients_.open.begin();
    std::advance(at, static_cast<std::ptrdiff_t>(below(clients_.open.size())));
    return *at;
  }

  std::unique_ptr<Shard<Tally>> make() {
    constexpr std::array<std::uint32_t, 4> rates{0, 10, 20, 100};
    AnyShard::Config config;
    config.hz = rates[below(rates.size())];
    config.guests = Guests::named;
    config.duplicates = static_cast<Duplicates>(below(3));
    config.max_subscribers = below(3) == 0 ? 3 : 256;
    config.idle_timeout = below(2) == 0 ? 1s : 0s;
    config.max_subscriber_inputs = 5;
    config.sorts_inputs = below(3) == 0;
    config.write_timeout = 300ms;
    return std::make_unique<Shard<Tally>>(config, Tally{.goal = 200}, network_.now());
  }

  void join() {
    const std::string query =
        "shard=" + shard_id() + "&sid=p" + std::to_string(below(6)) + (below(2) == 0 ? "&v=2" : "");
    memory::Link link;
    if (below(3) == 0) link.latency = std::chrono::milliseconds{below(50)};
    if (below(5) == 0) link.window = 64;
    ++attempts_;
    network_.connect(clients_, service_, {.query = query}, link);
  }

  void act() {
    const time_point now = network_.now();
    switch (below(14)) {
      case 0:
        static_cast<void>(registry_.insert(shard_id(), make(), now));
        return;
      case 1:
        if (below(4) == 0) static_cast<void>(registry_.replace(shard_id(), make(), now));
        return;
      case 2:
        if (below(4) == 0) static_cast<void>(registry_.remove(shard_id(), now));
        return;
      case 3:
        if (AnyShard* const shard = registry_.find(shard_id()); shard != nullptr && below(4) == 0) {
          shard->end(Ending::stopped, now);
        }
        return;
      case 4:
      case 5:
      case 6:
        return join();
      case 7:
        if (Connection* const one = any_client()) one->close(CloseReason::finished);
        return;
      case 8:
        if (Connection* const one = any_client()) network_.cut(*one);
        return;
      case 9:
        if (Connection* const one = any_client()) network_.stall(*one, below(2) == 0);
        return;
      default:
        return say();
    }
  }

  void say() {
    Connection* const one = any_client();
    if (one == nullptr) return;
    std::vector<std::byte> bytes;
    const std::string value = std::to_string(below(5));
    if (below(2) == 0) {
      v2::encode(v2::Input{below(40), below(50), below(3) == 0 ? below(200) : 0, as_bytes(value)},
                 bytes);
      one->send({bytes});
    } else {
      const std::string text =
          R"({"input":)" + value + R"(,"client_seq":)" + std::to_string(below(40)) + "}";
      one->send({as_bytes(text), MessageKind::text});
    }
  }

  // When nothing is under way, both sides agree on who is there.
  void check() {
    network_.run_for(200ms);
    std::size_t subscribers = 0;
    registry_.list([&](std::string_view, const AnyShard& shard) {
      subscribers += shard.subscriber_count();
      REQUIRE(shard.input_count() <= 5 * 256);
      return true;
    });
    // A line that stalls hides a close from its client, and never the other way round.
    REQUIRE(subscribers <= clients_.open.size());
  }

  SeededEntropy dice_;
  SeededEntropy entropy_{9};
  Clients clients_;
  memory::Network network_;
  Registry registry_;
  shard::Service service_;
  int attempts_ = 0;
};

}  // namespace

TEST_CASE("shard: random lives end in good order", "[shard][life]") {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    INFO("seed " << seed);
    Life{seed}.run(300);
  }
}
