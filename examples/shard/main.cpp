// SPDX-License-Identifier: MIT
// muster-shard: a small arena game in simulation shards, and a page to play it.
#include "../descriptors.hpp"
#include "options.hpp"
#include "server.hpp"

#include <muster/asio/loop.hpp>

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

namespace {

void introduce(const shard_program::Options& options, const shard_program::Server& server) {
  std::cout << "muster-shard listens on " << server.url() << "\npage: " << server.page_url()
            << "\nshards:";
  for (const std::string& id : options.shards) std::cout << ' ' << id;
  std::cout << "\n"
            << options.hz << " ticks per second, at most " << options.players
            << " players in each; ";
  if (options.guests) {
    std::cout << "guests choose their id";
  } else if (options.accounts_file.empty()) {
    std::cout << "guests are given an id";
  } else {
    std::cout << "only who has an account may play";
  }
  std::cout << std::endl;
}

int run(const shard_program::Options& options) {
  examples::allow_many_descriptors();
  asio::io_context context{1};
  muster::asio::Loop::Config config;
  config.backend = options.backend;
  muster::asio::Loop loop{context, config};
  std::optional<shard_program::Server> server;
  server.emplace(options, loop);
  if (const std::string problem = server->start(); !problem.empty()) {
    std::cerr << "muster-shard: " << problem << std::endl;
    return 2;
  }
  introduce(options, *server);

  asio::signal_set signals{context, SIGTERM, SIGINT};
  signals.async_wait([&](const std::error_code& error, int) {
    if (error) return;
    server->drain([&context] { context.stop(); });
    signals.async_wait([](const std::error_code& again, int) {
      if (!again) std::quick_exit(1);
    });
  });
  context.run();
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  const shard_program::Invocation invocation = shard_program::parse_options(arguments);
  if (!invocation.options) {
    (invocation.status == 0 ? std::cout : std::cerr) << invocation.text << std::endl;
    return invocation.status;
  }
  return run(*invocation.options);
} catch (const std::exception& error) {
  std::cerr << "muster-shard: " << error.what() << std::endl;
  return 1;
}
