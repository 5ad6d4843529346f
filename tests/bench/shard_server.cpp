// SPDX-License-Identifier: MIT
// A shard behind shard::Service, whose game counts what the library does with it.
//
// A snapshot and an input are a stamp and the pattern of it (payload.hpp). At its end it prints one
// line of JSON: what it counted.
#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_server.hpp>
#include <muster/shard/registry.hpp>
#include <muster/shard/service.hpp>
#include <muster/shard/shard.hpp>

#include <asio/signal_set.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "histogram.hpp"
#include "payload.hpp"
#include "server_probe.hpp"

namespace {

using muster::shard::Format;
using muster::shard::Registry;
using muster_bench::Histogram;
using muster_bench::now_ns;
using muster_bench::Stamp;

// What the game sees of the library.
struct Counts {
  std::uint64_t ticks = 0;
  std::uint64_t encodes = 0;  // since the last step began
  std::uint64_t fewest_encodes = UINT64_MAX;
  std::uint64_t most_encodes = 0;  // of one tick with subscribers
  std::uint64_t applied = 0;
  std::uint64_t out_of_sequence = 0;      // lost, twice, or in another order
  std::array<std::uint64_t, 3> waited{};  // inputs by ticks: 1, 2, more
  Histogram from_arrival;                 // until it is applied
  Histogram from_send;
  std::vector<std::uint64_t> next_input;  // by client
};

// `decode` is called when an input arrives, and knows nothing but its bytes.
Counts counts;

class Game {
 public:
  struct Input {
    Stamp stamp;
    std::uint64_t arrived_ns;
    std::uint64_t ticks_before;
  };

  explicit Game(std::size_t size) : size_(size) {}

  static bool writes(Format format) { return format == Format::binary; }

  static std::optional<Input> decode(muster::byte_view bytes, Format) {
    Input input{{}, now_ns(), counts.ticks};
    if (!muster_bench::check_payload(reinterpret_cast<const unsigned char*>(bytes.data()),
                                     bytes.size(), input.stamp) ||
        input.stamp.sender >= most_clients)
      return std::nullopt;
    return input;
  }

  void apply(const muster::shard::Subscriber&, const Input& input) {
    const auto now = now_ns();
    auto& next = counts.next_input;
    if (input.stamp.sender >= next.size()) next.resize(input.stamp.sender + 1);
    if (input.stamp.sequence != next[input.stamp.sender]) ++counts.out_of_sequence;
    next[input.stamp.sender] = input.stamp.sequence + 1;
    ++counts.applied;
    // The tick that applies it is not among those that have run.
    const auto waited = counts.ticks + 1 - input.ticks_before;
    ++counts.waited[std::min<std::uint64_t>(waited, counts.waited.size()) - 1];
    counts.from_arrival.record(now - input.arrived_ns);
    counts.from_send.record(now > input.stamp.sent_ns ? now - input.stamp.sent_ns : 0);
  }

  void step(muster::duration) {
    ++counts.ticks;
    counts.encodes = 0;
  }

  void encode(const muster::shard::View& view, std::vector<std::byte>& out) const {
    ++counts.encodes;
    if (view.format != Format::binary) {
      const std::string text = "{\"tick\":" + std::to_string(counts.ticks) + "}";
      const muster::byte_view bytes = muster::as_bytes(text);
      out.insert(out.end(), bytes.begin(), bytes.end());
      return;
    }
    const auto at = out.size();
    out.resize(at + size_);
    muster_bench::write_payload(reinterpret_cast<unsigned char*>(out.data() + at), size_,
                                Stamp{muster_bench::payload_magic, 0, counts.ticks, now_ns()});
  }

 private:
  static constexpr std::uint32_t most_clients = 100'000;

  std::size_t size_;
};

using Shard = muster::shard::Shard<Game>;

void print(const Registry& registry, const Shard* shard) {
  std::uint64_t running = 0;
  registry.list([&running](std::string_view, const muster::shard::AnyShard& other) {
    running += other.is_running() ? 1 : 0;
    return true;
  });
  const Shard::Stats stats = shard == nullptr ? Shard::Stats{} : shard->stats();
  std::uint64_t refused = 0;
  for (std::size_t i = 1; i < muster::shard::input_verdict_count; ++i) refused += stats.inputs[i];
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  const auto milliseconds = [](std::uint64_t value) { return static_cast<double>(value) / 1e6; };
  std::printf(
      "{\"shards_running\":%llu,\"ticks\":%llu,\"frames_sent\":%llu,\"frames_conflated\":%llu,"
      "\"closed_slow\":%llu,\"fewest_encodes\":%llu,\"most_encodes\":%llu,"
      "\"inputs_applied\":%llu,\"inputs_refused\":%llu,\"inputs_out_of_sequence\":%llu,"
      "\"inputs_by_ticks\":[%llu,%llu,%llu],\"arrival_to_apply_p99_ms\":%.3f,"
      "\"send_to_apply_p99_ms\":%.3f}\n",
      number(running), number(stats.ticks), number(stats.frames_sent),
      number(stats.frames_conflated), number(stats.closed_slow),
      number(counts.most_encodes == 0 ? 0 : counts.fewest_encodes), number(counts.most_encodes),
      number(counts.applied), number(refused), number(counts.out_of_sequence),
      number(counts.waited[0]), number(counts.waited[1]), number(counts.waited[2]),
      milliseconds(counts.from_arrival.percentile(0.99)),
      milliseconds(counts.from_send.percentile(0.99)));
}

}  // namespace

// Options: --port N, --hz N (0: event-driven), --size N (bytes of a snapshot), --shards N (the
// first is called bench, and the only one that is counted).
int main(int argc, char** argv) {
  std::string port = "0";
  std::size_t size = 64;
  std::size_t shards = 1;
  Shard::Config config;
  config.max_subscribers = 0;
  config.guests = muster::shard::Guests::numbered;
  config.idle_timeout = std::chrono::hours{1};
  config.input_rate.messages_per_second = 0;  // no limit
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    const auto number = std::strtoul(argv[i + 1], nullptr, 10);
    if (option == "--port") port = argv[i + 1];
    if (option == "--hz") config.hz = static_cast<std::uint32_t>(number);
    if (option == "--size") size = std::max<std::size_t>(number, muster_bench::min_payload_size);
    if (option == "--shards") shards = number;
  }
  std::string problem;
  if (Shard::validate(config, problem)) {
    std::fprintf(stderr, "%s\n", problem.c_str());
    return 2;
  }

  asio::io_context context{1};
  muster::asio::Loop loop{context};
  muster::asio::SystemEntropy entropy;
  Registry registry;
  Shard* counted = nullptr;
  for (std::size_t i = 0; i < shards; ++i) {
    auto made = std::make_unique<Shard>(config, Game{size}, loop.now());
    if (i == 0) counted = made.get();
    const std::string id = i == 0 ? "bench" : "bench-" + std::to_string(i);
    if (!registry.insert(id, std::move(made), loop.now())) {
      std::fprintf(stderr, "cannot insert %s\n", id.c_str());
      return 1;
    }
  }
  if (counted != nullptr) {
    counted->after_tick([counted](const Game&, std::uint64_t) {
      if (counted->subscriber_count() == 0) return;
      counts.fewest_encodes = std::min(counts.fewest_encodes, counts.encodes);
      counts.most_encodes = std::max(counts.most_encodes, counts.encodes);
    });
  }
  muster::shard::Service service{{}, registry, loop.outbox(), entropy};
  muster::asio::WebSocketServer server{loop, {}, entropy, service};
  if (const std::error_code error = server.listen("127.0.0.1:" + port)) {
    std::fprintf(stderr, "%s\n", error.message().c_str());
    return 1;
  }
  std::printf("listening on 127.0.0.1:%u\n", unsigned{server.port()});
  std::fflush(stdout);
  asio::signal_set signals{context, SIGTERM, SIGINT};
  signals.async_wait([&context](const std::error_code&, int) { context.stop(); });
  context.run();
  print(registry, counted);
}
