// SPDX-License-Identifier: MIT
#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_server.hpp>
#include <muster/shard/service.hpp>
#include <muster/shard/shard.hpp>

#include <charconv>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace shard = muster::shard;

struct Counter {  // the whole game: a number that everybody may add to
  using Input = int;
  static std::optional<int> decode(muster::byte_view json, shard::Format) {
    const std::string_view text = muster::as_text(json);
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
  }
  void apply(const shard::Subscriber&, int by) { value += by; }
  void step(muster::duration) {}
  void encode(const shard::View&, std::vector<std::byte>& out) const {
    for (const char digit : std::to_string(value)) out.push_back(static_cast<std::byte>(digit));
  }
  int value = 0;
};

int main() {
  asio::io_context context{1};
  muster::asio::Loop loop{context};
  muster::asio::SystemEntropy entropy;
  shard::Registry registry;
  const auto now = std::chrono::steady_clock::now();
  const shard::AnyShard::Config config{.hz = 20, .guests = shard::Guests::named};
  auto counter = std::make_unique<shard::Shard<Counter>>(config, Counter{}, now);
  if (!registry.insert("counter", std::move(counter), now)) return 1;
  shard::Service shards{{}, registry, loop.outbox(), entropy};
  muster::asio::WebSocketServer server{loop, {}, entropy, shards};
  if (server.listen("127.0.0.1:4324")) return 1;
  context.run();
}
