// SPDX-License-Identifier: MIT
// muster-relay: a relay server for games with a host, and a page to try it.
#include "options.hpp"
#include "server.hpp"
#include "shared.hpp"

#include <asio/io_context.hpp>
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
#include <vector>

namespace {

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

int serve(asio::io_context& context, Shared& shared) {
  Server server{context, shared};
  if (const std::string problem = server.listen(); !problem.empty()) {
    std::cerr << "muster-relay: " << problem << std::endl;
    return 2;
  }
  std::cout << "muster-relay listens on " << server.url() << "\npage: " << server.page_url()
            << std::endl;
  shared.log()(LogLevel::info, "started", LogFields{}.text("url", server.url()));

  int status = 0;
  asio::signal_set signals{context, SIGTERM, SIGINT};
  signals.async_wait([&](const std::error_code& error, int) {
    if (error) return;
    shared.log()(LogLevel::info, "draining");
    server.drain([&context] { context.stop(); });
    signals.async_wait([&](const std::error_code& again, int) {
      if (again) return;
      status = 1;
      context.stop();
    });
  });
  asio::signal_set hangup{context, SIGHUP};
  reload_on_signal(hangup, shared);
  asio::steady_timer timer{context};
  watch_records(timer, shared);
  context.run();
  return status;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  const relay_program::Invocation invocation = relay_program::parse_options(arguments);
  if (!invocation.options) {
    (invocation.status == 0 ? std::cout : std::cerr) << invocation.text << std::endl;
    return invocation.status;
  }

  asio::io_context context{1};  // answers of the records are posted to it until they have ended
  std::unique_ptr<Shared> shared;
  try {
    shared = std::make_unique<Shared>(*invocation.options);
  } catch (const std::exception& error) {
    std::cerr << "muster-relay: " << error.what() << std::endl;
    return 2;
  }
  const int status = serve(context, *shared);
  if (!shared->stop()) std::quick_exit(status);  // a store that blocks is in use
  return status;
} catch (const std::exception& error) {
  std::cerr << "muster-relay: " << error.what() << std::endl;
  return 1;
}
