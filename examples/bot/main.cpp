// SPDX-License-Identifier: MIT
// muster-bot: plays against a server, checks every payload, and measures how long each takes.
#include "../descriptors.hpp"
#include "lobby_bot.hpp"
#include "options.hpp"
#include "relay_bot.hpp"
#include "shard_bot.hpp"

#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_client.hpp>

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace {

using bot_program::LobbySettings;

std::optional<std::string> variable(std::string_view name) {
  const char* const value = std::getenv(std::string{name}.c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

// Nothing: there is a mistake, and it has been told.
std::optional<std::vector<LobbySettings>> load_bots(const bot_program::LobbyOptions& options) {
  const auto tell = [](const std::string& sentence) {
    std::fprintf(stderr, "muster-bot: %s\n", sentence.c_str());
  };
  auto loaded = bot_program::load_bots(options.sources, variable);
  if (const auto* const problem = std::get_if<bot_program::SettingsProblem>(&loaded)) {
    tell(problem->sentence + " (" + std::string{problem->name()} + ")");
    return std::nullopt;
  }
  auto& bots = std::get<std::vector<LobbySettings>>(loaded);
  for (const LobbySettings& bot : bots) {
    std::string problem;
    if (muster::lobby::validate(bot_program::config_of(options, bot), problem)) {
      tell(problem);
      return std::nullopt;
    }
    if (!bot.warning.empty()) tell(bot.warning);
  }
  return std::move(bots);
}

std::unique_ptr<bot_program::Bot> make_bot(const bot_program::Options& options,
                                           const std::vector<LobbySettings>& lobby_bots,
                                           muster::asio::Loop& loop, muster::Dialer& dialer,
                                           muster::Entropy& entropy) {
  const bot_program::Surroundings around{&loop, &dialer, &entropy,
                                         [&context = loop.context()] { context.stop(); }};
  if (options.lobby) {
    return std::make_unique<bot_program::LobbyBot>(*options.lobby, lobby_bots, around);
  }
  if (options.shard.empty()) return std::make_unique<bot_program::RelayBot>(options, around);
  return std::make_unique<bot_program::ShardBot>(options, around);
}

int run(const bot_program::Options& options) {
  std::vector<LobbySettings> lobby_bots;
  if (options.lobby) {
    auto loaded = load_bots(*options.lobby);
    if (!loaded) return static_cast<int>(bot_program::LobbyStatus::config);
    lobby_bots = std::move(*loaded);
  }
  examples::allow_many_descriptors();
  asio::io_context context{1};
  muster::asio::SystemEntropy entropy;
  muster::asio::Loop loop{context};
  std::optional<muster::asio::WebSocketClient> client;
  muster::websocket::Config config;
  if (options.lobby) config.max_message = muster::lobby::Config{}.max_frame;
  client.emplace(loop, config, entropy);
  const std::unique_ptr<bot_program::Bot> bot =
      make_bot(options, lobby_bots, loop, *client, entropy);

  asio::signal_set signals{context, SIGINT, SIGTERM};
  bool is_first = true;
  std::function<void()> wait = [&] {
    signals.async_wait([&](const std::error_code& error, int) {
      if (error) return;
      if (!std::exchange(is_first, false)) return context.stop();
      bot->stop();
      loop.wake();
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
