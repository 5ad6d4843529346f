// SPDX-License-Identifier: MIT
// The benchmark protocol on muster: `/echo` echoes, `/room/<n>` sends to everybody in room n.
#include <muster/asio/loop.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/asio/websocket_server.hpp>

#include <asio/signal_set.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace {

class BenchService final : public muster::Service {
 public:
  BenchService(muster::Outbox& outbox, muster::FlushWindow window)
      : outbox_(outbox), window_(window) {}

  void on_upgrade(const muster::Request& request, muster::Decision decision,
                  muster::time_point) override {
    if (request.path == "/echo") {
      decision.accept(*this);
    } else if (request.path.starts_with("/room/")) {
      auto& room = rooms_[std::string{request.path}];
      if (room == nullptr) room = std::make_unique<muster::Group>(outbox_, window_);
      decision.accept(*this, {}, room.get());
    } else {
      decision.respond({.status = 404});
    }
  }

  void on_open(muster::Connection& connection, muster::time_point) override {
    if (auto* const room = connection.context<muster::Group>()) room->join(connection);
  }

  void on_message(muster::Connection& connection, const muster::Message& message,
                  muster::time_point) override {
    if (auto* const room = connection.context<muster::Group>()) {
      room->broadcast(message);
    } else {
      connection.send(message);
    }
  }

 private:
  muster::Outbox& outbox_;
  muster::FlushWindow window_;
  std::map<std::string, std::unique_ptr<muster::Group>> rooms_;
};

}  // namespace

// Options: --port N, --lead MS, --tick MS, --portable, --defer.
int main(int argc, char** argv) {
  std::string port = "0";
  muster::FlushWindow window;
  muster::asio::Loop::Config loop_config;
  muster::asio::WebSocketServer::Config config;
  config.max_message = 16 * 1024 * 1024;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    const char* const value = i + 1 < argc ? argv[i + 1] : "";
    if (option == "--port") port = value;
    if (option == "--lead")
      window = muster::FlushWindow::lead(std::chrono::milliseconds{std::atoi(value)});
    if (option == "--tick")
      window = muster::FlushWindow::tick(std::chrono::milliseconds{std::atoi(value)});
    if (option == "--portable") loop_config.backend = muster::asio::Backend::portable;
    if (option == "--defer") config.defer_accept = true;
  }
  // What the peers do: nothing waits in vain for a slow reader of this machine.
  loop_config.outbox.budget = {.bytes = 64 * 1024 * 1024, .frames = 65'000};

  asio::io_context context{1};
  muster::asio::Loop loop{context, loop_config};
  muster::asio::SystemEntropy entropy;
  BenchService service{loop.outbox(), window};
  muster::asio::WebSocketServer server{loop, config, entropy, service};
  if (const std::error_code error = server.listen("127.0.0.1:" + port)) {
    std::fprintf(stderr, "%s\n", error.message().c_str());
    return 1;
  }
  std::printf("listening on 127.0.0.1:%u\n", unsigned{server.port()});
  std::fflush(stdout);
  asio::signal_set signals{context, SIGTERM, SIGINT};
  signals.async_wait([&context](const std::error_code&, int) { context.stop(); });
  context.run();
}
