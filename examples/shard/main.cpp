// SPDX-License-Identifier: MIT
// muster-shard: a small arena game in simulation shards, and a page to play it.
#include "../descriptors.hpp"
#include "fleet.hpp"
#include "options.hpp"
#include "server.hpp"

#include <muster/asio/system_entropy.hpp>

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>

#include <csignal>
#include <cstdlib>
#include <exception>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using shard_program::Fleet;
using shard_program::Options;
using shard_program::Server;

void introduce(const Options& options, const Server& server) {
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

muster::asio::Loop::Config loop_config(const Options& options) {
  muster::asio::Loop::Config config;
  config.backend = options.backend;
  return config;
}

muster::AddressLimits::Config limits_config(const Options& options) {
  return {.max_rooms = 0,
          .failed_tokens_per_minute = 0,
          .empty_rooms_per_minute = 0,
          .connections_per_second = options.connections_per_second};
}

// Makes a server for each loop, all on one port. A sentence if that is not possible.
std::string launch(Fleet& fleet, const Options& options,
                   std::vector<std::unique_ptr<Server>>& servers) {
  std::vector<muster::shard::Service*> services;
  for (std::uint32_t i = 0; i < options.loops; ++i) {
    servers.push_back(std::make_unique<Server>(options, fleet, i));
    fleet.servers.push_back(servers.back().get());
    services.push_back(&servers.back()->service());
  }
  std::string address = options.listen;
  for (const auto& server : servers) {
    server->join(services);
    if (std::string problem = server->start(address); !problem.empty()) return problem;
    address = address.substr(0, address.rfind(':') + 1) + std::to_string(server->port());
  }
  return {};
}

int run(const Options& options) {
  examples::allow_many_descriptors();
  muster::asio::SystemEntropy entropy;
  Fleet fleet{options.loops, loop_config(options), limits_config(options), entropy};
  std::vector<std::unique_ptr<Server>> servers;  // until no loop runs any more
  if (const std::string problem = launch(fleet, options, servers); !problem.empty()) {
    std::cerr << "muster-shard: " << problem << std::endl;
    return 2;
  }

  // The loops have threads of their own; this one waits for signals, from before anybody is told
  // that it is there.
  asio::io_context context{1};
  asio::signal_set signals{context, SIGTERM, SIGINT};
  introduce(options, *servers.front());

  std::thread drainer;
  signals.async_wait([&](const std::error_code& error, int) {
    if (error) return;
    drainer = std::thread{[&] {
      fleet.group.stop([&servers](std::size_t i, std::function<void()> done) {
        servers[i]->drain(std::move(done));
      });
      asio::post(context, [&context] { context.stop(); });
    }};
    signals.async_wait([](const std::error_code& again, int) {
      if (!again) std::quick_exit(1);
    });
  });
  fleet.group.start();
  context.run();
  if (drainer.joinable()) drainer.join();
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
