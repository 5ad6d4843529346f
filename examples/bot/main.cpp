// SPDX-License-Identifier: MIT
// muster-bot: plays against a server, checks every payload, and measures how long each takes.
#include "../descriptors.hpp"
#include "options.hpp"
#include "relay_bot.hpp"
#include "shard_bot.hpp"

#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_client.hpp>

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>

#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace {

std::unique_ptr<bot_program::Bot> make_bot(const bot_program::Options& options,
                                           muster::asio::Loop& loop, muster::Dialer& dialer,
                                           muster::Entropy& entropy) {
  const bot_program::Surroundings around{&loop, &dialer, &entropy,
                                         [&context = loop.context()] { context.stop(); }};
  if (options.shard.empty()) return std::make_unique<bot_program::RelayBot>(options, around);
  return std::make_unique<bot_program::ShardBot>(options, around);
}

int run(const bot_program::Options& options) {
  examples::allow_many_descriptors();
  asio::io_context context{1};
  muster::asio::SystemEntropy entropy;
  muster::asio::Loop loop{context};
  std::optional<muster::asio::WebSocketClient> client;
  client.emplace(loop, muster::websocket::Config{}, entropy);
  const std::unique_ptr<bot_program::Bot> bot = make_bot(options, loop, *client, entropy);

  asio::signal_set signals{context, SIGINT, SIGTERM};
  bool is_first = true;
  std::function<void()> wait = [&] {
    signals.async_wait([&](const std::error_code& error, int) {
      if (error) return;
      if (!std::exchange(is_first, false)) return context.stop();
      bot->stop();
      wait();
    });
  };
  wait();

  bot->start();
  context.run();
  client.reset();
  return bot->finish();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    const bot_program::Invocation invocation = bot_program::parse_options(arguments);
    if (invocation.options) return run(*invocation.options);
    std::fprintf(invocation.status == 0 ? stdout : stderr, "%s\n", invocation.text.c_str());
    return invocation.status;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "muster-bot: %s\n", error.what());
    return 1;
  }
}
