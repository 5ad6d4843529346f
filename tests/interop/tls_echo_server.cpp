// SPDX-License-Identifier: MIT
// A server with TLS for a test's clients: it sends back what comes.
//
// usage: tls_echo_server BACKEND CERTIFICATE KEY
// Prints its port, and then "loaded" or a problem for each line of input: it reads the files again.
#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/tls_server_context.hpp>
#include <muster/asio/websocket_server.hpp>

#include <asio/io_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/read_until.hpp>

#include <functional>
#include <iostream>
#include <string>

#include <unistd.h>

namespace {

class Echo final : public muster::Service {
 public:
  void on_upgrade(const muster::Request&, muster::Decision decision, muster::time_point) override {
    decision.accept(*this);
  }
  void on_message(muster::Connection& connection, const muster::Message& message,
                  muster::time_point) override {
    connection.send(message);
  }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  muster::asio::TlsServerContext tls;
  std::string problem;
  if (tls.load(argv[2], argv[3], problem)) {
    std::cerr << problem << std::endl;
    return 1;
  }
  asio::io_context context{1};
  muster::asio::Loop::Config loop_config;
  loop_config.outbox.budget.bytes = 16 * 1024 * 1024;
  loop_config.backend = std::string{argv[1]} == "portable" ? muster::asio::Backend::portable
                                                           : muster::asio::Backend::epoll;
  muster::asio::Loop loop{context, loop_config};
  muster::asio::SystemEntropy entropy;
  Echo echo;
  muster::asio::WebSocketServer::Config config;
  config.tls = &tls;
  muster::asio::WebSocketServer server{loop, config, entropy, echo};
  if (server.listen("127.0.0.1:0")) return 1;
  std::cout << server.port() << std::endl;

  asio::posix::stream_descriptor input{context, ::dup(STDIN_FILENO)};
  std::string line;
  std::function<void()> read = [&] {
    asio::async_read_until(input, asio::dynamic_buffer(line), '\n',
                           [&](const std::error_code& error, std::size_t size) {
                             if (error) return context.stop();  // the test is over
                             line.erase(0, size);
                             const auto failed = tls.load(argv[2], argv[3], problem);
                             std::cout << (failed ? problem : "loaded") << std::endl;
                             read();
                           });
  };
  read();
  context.run();
  return 0;
}
