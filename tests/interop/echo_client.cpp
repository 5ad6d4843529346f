// SPDX-License-Identifier: MIT
// A client for a test's server: it connects, sends back what comes, and prints what happens.
//
// usage: echo_client URL BACKEND [SUBPROTOCOL...]
// For wss:// URLs the environment variable CA_FILE names the trusted roots.
// Prints one line each: "open", then "close REASON CODE peer|us TEXT". The text message "bye" makes
// it close with 4002, the text message "flood" makes it send 1000 numbered messages.
#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_client.hpp>
#include <muster/bytes.hpp>

#include <asio/io_context.hpp>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;

class Echo final : public muster::Service {
 public:
  explicit Echo(asio::io_context& context) : context_(&context) {}

  void on_open(muster::Connection&, muster::time_point) override {
    std::cout << "open" << std::endl;
  }

  void on_message(muster::Connection& connection, const muster::Message& message,
                  muster::time_point) override {
    const std::string_view text = muster::as_text(message.bytes);
    if (message.kind == muster::MessageKind::text && text == "bye") {
      connection.close(muster::CloseReason::finished, 4002, "as you wish");
    } else if (message.kind == muster::MessageKind::text && text == "flood") {
      for (int i = 0; i < 1000; ++i) {
        connection.send({muster::as_bytes(std::to_string(i)), muster::MessageKind::text});
      }
    } else if (connection.send(message) != muster::SendStatus::queued) {
      std::cout << "could not send" << std::endl;
    }
  }

  void on_close(muster::Connection&, const muster::CloseInfo& info, muster::time_point) override {
    std::cout << "close " << muster::to_string(info.reason) << ' ' << info.code << ' '
              << (info.by_peer ? "peer " : "us ") << info.text << std::endl;
    context_->stop();
  }

 private:
  asio::io_context* context_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const std::string backend = argv[2];
  asio::io_context context{1};
  muster::asio::Loop::Config config;
  config.outbox.budget.bytes = 8 * 1024 * 1024;
  config.backend =
      backend == "portable" ? muster::asio::Backend::portable : muster::asio::Backend::epoll;
  muster::asio::Loop loop{context, config};
  muster::asio::SystemEntropy entropy;
  muster::websocket::Config websocket;
  websocket.upgrade_timeout = 500ms;
  websocket.ping_interval = 200ms;
  websocket.idle_timeout = 600ms;
  websocket.close_timeout = 500ms;
  Echo echo{context};
  muster::asio::TlsClientContext tls;
  const char* const ca_file = std::getenv("CA_FILE");
  std::string problem;
  if (ca_file != nullptr && tls.load({.ca_file = ca_file}, problem)) {
    std::cerr << problem << std::endl;
    return 2;
  }
  muster::asio::WebSocketClient client{loop, websocket, entropy,
                                       ca_file != nullptr ? &tls : nullptr};
  const std::vector<std::string> subprotocols(argv + 3, argv + argc);
  client.dial({.url = argv[1], .subprotocols = subprotocols, .headers = {{"X-Test", "yes"}}}, echo);
  context.run();
  return 0;
}
