// SPDX-License-Identifier: MIT
// muster-relay: a relay server for games with a host, and a page to try it.
#include "options.hpp"
#include "server.hpp"

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>

#include <csignal>
#include <exception>
#include <iostream>
#include <span>
#include <string>
#include <vector>

int main(int argc, char** argv) try {
  using namespace relay_program;
  const std::vector<std::string> arguments(argv + (argc > 0 ? 1 : 0), argv + argc);
  const Invocation invocation = parse_options(arguments);
  if (!invocation.options) {
    (invocation.status == 0 ? std::cout : std::cerr) << invocation.text << std::endl;
    return invocation.status;
  }

  asio::io_context context{1};
  Server server{context, *invocation.options};
  if (const std::string problem = server.listen(); !problem.empty()) {
    std::cerr << "muster-relay: " << problem << std::endl;
    return 2;
  }
  std::cout << "muster-relay listens on " << server.url() << "\npage: " << server.page_url()
            << std::endl;

  int status = 0;
  asio::signal_set signals{context, SIGTERM, SIGINT};
  signals.async_wait([&](const std::error_code& error, int) {
    if (error) return;
    server.drain([&context] { context.stop(); });
    signals.async_wait([&](const std::error_code& again, int) {
      if (again) return;
      status = 1;
      context.stop();
    });
  });
  context.run();
  return status;
} catch (const std::exception& error) {
  std::cerr << "muster-relay: " << error.what() << std::endl;
  return 1;
}
