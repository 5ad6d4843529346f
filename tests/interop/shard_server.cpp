// SPDX-License-Identifier: MIT
// A shard server for a test's clients: no guests, two accounts.
//
// usage: shard_server BACKEND
// Prints its port; ends with its standard input. Shards: "arena \u00e9~1" and "a+b". An input is a
// whole number; a snapshot is {"sum":N,"from":["SID",...]} with who sent each. At a sum of 1000 the
// game is over. Tokens: "tok-alice" is alice, "a/b+c=" is bob.
#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_server.hpp>
#include <muster/shard/registry.hpp>
#include <muster/shard/service.hpp>
#include <muster/shard/shard.hpp>

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/read.hpp>

#include <charconv>
#include <chrono>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <unistd.h>

namespace {

namespace shard = muster::shard;

struct Sum {
  using Input = int;
  static std::optional<int> decode(muster::byte_view json, shard::Format) {
    const std::string_view text = muster::as_text(json);
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
  }
  void apply(const shard::Subscriber& who, int input) {
    sum += input;
    from += (from.empty() ? "\"" : ",\"") + who.id + "\"";  // ids here need no escaping
  }
  void step(muster::duration) {}
  [[nodiscard]] bool finished() const { return sum >= 1000; }
  void encode(const shard::View&, std::vector<std::byte>& out) const {
    const std::string text = "{\"sum\":" + std::to_string(sum) + ",\"from\":[" + from + "]}";
    const muster::byte_view bytes = muster::as_bytes(text);
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
  int sum = 0;
  std::string from;
};

struct Accounts final : shard::Authenticator {
  void authenticate(std::string_view token, const muster::Request&,
                    shard::Authentication authentication, muster::time_point now) override {
    shard::Identity identity;
    if (token == "tok-alice") identity = {"alice", false, 1};
    if (token == "a/b+c=") identity = {"bob", false, 2};
    authentication.is(identity, now);
  }
  [[nodiscard]] bool is_valid(std::uint64_t, muster::time_point) override { return true; }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  asio::io_context context{1};
  muster::asio::Loop::Config loop_config;
  loop_config.backend = std::string{argv[1]} == "portable" ? muster::asio::Backend::portable
                                                           : muster::asio::Backend::epoll;
  muster::asio::Loop loop{context, loop_config};
  muster::asio::SystemEntropy entropy;
  const auto now = std::chrono::steady_clock::now();
  Accounts accounts;
  shard::Registry registry;
  for (const char* id : {"arena \u00e9~1", "a+b"}) {
    const shard::AnyShard::Config config{.hz = 20};
    if (!registry.insert(id, std::make_unique<shard::Shard<Sum>>(config, Sum{}, now), now)) {
      return 1;
    }
  }
  shard::Service service{{}, registry, loop.outbox(), entropy};
  service.set_authenticator(&accounts);
  muster::asio::WebSocketServer server{loop, {}, entropy, service};
  if (server.listen("127.0.0.1:0")) return 1;
  std::cout << server.port() << std::endl;

  asio::posix::stream_descriptor input{context, ::dup(STDIN_FILENO)};
  char byte = 0;
  input.async_read_some(asio::buffer(&byte, 1),
                        [&](const std::error_code&, std::size_t) { context.stop(); });
  context.run();
  return 0;
}
