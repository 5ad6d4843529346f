// SPDX-License-Identifier: MIT
// muster-lobby: the server that bots play on, and a page to watch them.
#include "../descriptors.hpp"
#include "options.hpp"
#include "replay.hpp"
#include "result_store.hpp"
#include "server.hpp"

#include <muster/asio/loop.hpp>

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>

#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

namespace {

using lobby_program::Options;
using lobby_program::Server;

int fail(const std::string& problem) {
  std::cerr << "muster-lobby: " << problem << std::endl;
  return 2;
}

void introduce(const Options& options, const Server& server) {
  std::cout << "muster-lobby listens on " << server.url() << "\npage: " << server.page_url()
            << "\n";
  if (options.tournament) {
    const std::size_t house = options.house_bots;
    std::cout << to_string(options.tournament->format) << ": ";
    if (options.bots != 0) std::cout << options.bots << " bots";
    if (options.bots != 0 && house != 0) std::cout << " and " << house << " of the house";
    if (options.bots == 0) std::cout << house << " bots of the house";
    std::cout << "\n";
  }
  if (!options.tokens_file.empty()) {
    std::cout << "tokens: " << options.tokens_file << "\n";
  } else {
    std::cout << server.tokens();
  }
  std::cout << std::flush;
}

#ifdef SIGHUP
void reload_on_signal(asio::signal_set& hangup, Server& server) {
  hangup.async_wait([&](const std::error_code& error, int) {
    if (error) return;
    if (const std::string problem = server.reload(); !problem.empty()) {
      std::cerr << "muster-lobby: " << problem << std::endl;
    }
    reload_on_signal(hangup, server);
  });
}
#endif

int show(const Options& options) {
  lobby_program::ResultStore store;
  std::string problem;
  if (!store.open(options.results_file, problem)) return fail(problem);
  const auto match = store.find(options.replay);
  if (!match) return fail("there is no match " + options.replay + " in " + options.results_file);
  if (!print_replay(*match, std::cout, problem)) {
    std::cout << std::flush;
    std::cerr << "muster-lobby: " << problem << std::endl;
    return 1;
  }
  return 0;
}

int run(const Options& options) {
  examples::allow_many_descriptors();
  asio::io_context context{1};
  muster::asio::Loop::Config config;
  config.backend = options.backend;
  muster::asio::Loop loop{context, config};
  std::optional<Server> server;
  server.emplace(options, loop);
  if (options.ends_itself) {
    // Not from within a match's end: the others are to be told first.
    server->when_over(
        [&] { asio::post(context, [&] { server->drain([&context] { context.stop(); }); }); });
  }
  if (const std::string problem = server->start(); !problem.empty()) return fail(problem);
  // From before anybody is told that it is there.
  asio::signal_set signals{context, SIGTERM, SIGINT};
#ifdef SIGHUP
  asio::signal_set hangup{context, SIGHUP};
#endif
  introduce(options, *server);

  signals.async_wait([&](const std::error_code& error, int) {
    if (error) return;
    server->drain([&context] { context.stop(); });
    signals.async_wait([](const std::error_code& again, int) {
      if (!again) std::quick_exit(1);
    });
  });
#ifdef SIGHUP
  reload_on_signal(hangup, *server);
#endif
  context.run();
  if (server->tournament() != nullptr) std::cout << server->tournament()->table() << std::flush;
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  const lobby_program::Invocation invocation = lobby_program::parse_options(arguments);
  if (!invocation.options) {
    (invocation.status == 0 ? std::cout : std::cerr) << invocation.text << std::endl;
    return invocation.status;
  }
  if (!invocation.options->replay.empty()) return show(*invocation.options);
  return run(*invocation.options);
} catch (const std::exception& error) {
  std::cerr << "muster-lobby: " << error.what() << std::endl;
  return 1;
}
