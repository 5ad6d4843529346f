// SPDX-License-Identifier: MIT
// muster-relay: a relay server for games with a host, and a page to try it.
#include "fleet.hpp"
#include "options.hpp"
#include "server.hpp"
#include "shared.hpp"

#include <muster/asio/system_entropy.hpp>

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>

#include <chrono>
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

using relay_program::Fleet;
using relay_program::LogFields;
using relay_program::LogLevel;
using relay_program::Server;
using relay_program::Shared;

void reload_on_signal(asio::signal_set& hangup, Shared& shared) {
  hangup.async_wait([&](const std::error_code& error, int) {
    if (error) return;
    shared.reload();
    reload_on_signal(hangup, shared);
  });
}

void watch_records(asio::steady_timer& timer, Shared& shared) {
  timer.expires_after(std::chrono::seconds{1});
  timer.async_wait([&](const std::error_code& error) {
    if (error) return;
    shared.watch_records();
    watch_records(timer, shared);
  });
}

muster::asio::Loop::Config loop_config(const relay_program::Options& options) {
  muster::asio::Loop::Config config;
  config.backend = options.backend;
  return config;
}

// Makes a server for each loop, all on one port. A sentence if that is not possible.
std::string launch(Fleet& fleet, Shared& shared, std::vector<std::unique_ptr<Server>>& servers) {
  const relay_program::Options& options = shared.options();
  for (std::uint32_t i = 0; i < options.loops; ++i) {
    servers.push_back(std::make_unique<Server>(fleet, shared, i));
    fleet.servers.push_back(servers.back().get());
  }
  std::string address = options.listen;
  for (const auto& server : servers) {
    server->join(servers);
    if (std::string problem = server->listen(address); !problem.empty()) return problem;
    address = address.substr(0, address.rfind(':') + 1) + std::to_string(server->port());
  }
  return {};
}

int serve(Fleet& fleet, Shared& shared) {
  std::vector<std::unique_ptr<Server>> servers;  // until no loop runs any more
  if (const std::string problem = launch(fleet, shared, servers); !problem.empty()) {
    std::cerr << "muster-relay: " << problem << std::endl;
    return 2;
  }
  // The loops have threads of their own; this one waits for signals, from before anybody is told
  // that it is there.
  asio::io_context context{1};
  asio::signal_set signals{context, SIGTERM, SIGINT};
  asio::signal_set hangup{context, SIGHUP};
  const Server& first = *servers.front();
  std::cout << "muster-relay listens on " << first.url() << "\npage: " << first.page_url()
            << std::endl;
  shared.log()(LogLevel::info, "started",
               LogFields{}.text("url", first.url()).count("loops", servers.size()));

  std::thread drainer;
  signals.async_wait([&](const std::error_code& error, int) {
    if (error) return;
    shared.log()(LogLevel::info, "draining");
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
  reload_on_signal(hangup, shared);
  asio::steady_timer timer{context};
  watch_records(timer, shared);
  fleet.group.start();
  context.run();
  if (drainer.joinable()) drainer.join();
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  const relay_program::SignalSources sources = relay_program::process_sources();
  const relay_program::Invocation invocation = relay_program::parse_options(arguments, &sources);
  if (!invocation.options) {
    (invocation.status == 0 ? std::cout : std::cerr) << invocation.text << std::endl;
    return invocation.status;
  }

  std::unique_ptr<Shared> shared;
  try {
    shared = std::make_unique<Shared>(*invocation.options);
  } catch (const std::exception& error) {
    std::cerr << "muster-relay: " << error.what() << std::endl;
    return 2;
  }
  // The records post their answers to its loops until they have ended.
  muster::asio::SystemEntropy entropy;
  Fleet fleet{shared->options().loops, loop_config(shared->options()), entropy};
  const int status = serve(fleet, *shared);
  if (!shared->stop()) std::quick_exit(status);  // a store that blocks is in use
  return status;
} catch (const std::exception& error) {
  std::cerr << "muster-relay: " << error.what() << std::endl;
  return 1;
}
