// SPDX-License-Identifier: MIT
// muster-soe-echo: messages there and back over SOE, every one checked.
#include "../descriptors.hpp"
#include "carrier.hpp"
#include "client.hpp"
#include "link_run.hpp"
#include "options.hpp"
#include "report.hpp"
#include "server.hpp"

#include <muster/asio/loop.hpp>
#include <muster/asio/soe_socket.hpp>
#include <muster/asio/system_entropy.hpp>
#include <muster/service.hpp>

#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;
using soe_echo::Carrier;
using soe_echo::Client;
using soe_echo::Options;

class SocketCarrier final : public Carrier {
 public:
  SocketCarrier(muster::asio::SoeSocket& socket, const std::string& server)
      : socket_(socket), server_(server) {}
  muster::result<muster::soe::SessionId> connect(std::string_view protocol) override {
    return socket_.connect(server_, protocol);
  }
  muster::soe::EnqueueStatus enqueue(muster::soe::SessionId session, muster::byte_view message,
                                     muster::soe::Channel channel) override {
    return socket_.enqueue(session, message, channel);
  }
  void close(muster::soe::SessionId session) override { socket_.close(session); }
  void terminate(muster::soe::SessionId session, muster::soe::DisconnectReason reason) override {
    socket_.terminate(session, reason);
  }
  [[nodiscard]] const muster::SoeMultiplexer<>& multiplexer() const override {
    return socket_.multiplexer();
  }

 private:
  muster::asio::SoeSocket& socket_;
  const std::string& server_;
};

// Calls at certain times, within the loop's passes.
class Clock : public muster::Service {
 public:
  void on_message(muster::Connection&, const muster::Message&, muster::time_point) override {}
};

// The first signal ends the program in good order, the second at once.
class Signals {
 public:
  Signals(asio::io_context& context, std::function<void()> stop)
      : context_(context), set_(context, SIGINT, SIGTERM), stop_(std::move(stop)) {
    wait();
  }

 private:
  void wait() {
    set_.async_wait([this](const std::error_code& error, int) {
      if (error) return;
      if (is_second_) return context_.stop();
      is_second_ = true;
      stop_();
      wait();
    });
  }

  asio::io_context& context_;
  asio::signal_set set_;
  std::function<void()> stop_;
  bool is_second_ = false;
};

// All sessions of a client, each with a socket of its own: the server tells them apart by it.
class ClientRun final : public Clock {
 public:
  ClientRun(const Options& options, muster::asio::Loop& loop, muster::Entropy& entropy)
      : options_(options), loop_(loop), report_(options), start_(loop.now()) {
    for (std::uint32_t i = 0; i < options.sessions; ++i) {
      ends_.push_back(std::make_unique<End>(options, loop, entropy, tally_));
    }
    loop.add(*this);
  }
  ~ClientRun() override { loop_.remove(*this); }

  void stop() {
    for (const auto& end : ends_) end->client.stop(loop_.now());
    loop_.wake();
  }

  void advance(muster::time_point now) override {
    if (!has_started_) {
      has_started_ = true;
      start_ = now;
      next_line_ = now + 1s;
      for (const auto& end : ends_) end->client.start(end->carrier, now);
    }
    for (const auto& end : ends_) end->client.advance(now);
    if (now >= next_line_) {
      next_line_ += 1s;
      report_.live(tally_, transport(), seconds());
    }
    if (std::all_of(ends_.begin(), ends_.end(),
                    [](const auto& end) { return end->client.is_done(); })) {
      loop_.context().stop();
    }
  }

  [[nodiscard]] muster::time_point next_deadline() const noexcept override {
    muster::time_point next = next_line_;
    bool is_done = true;
    for (const auto& end : ends_) {
      next = std::min(next, end->client.next_deadline());
      is_done = is_done && end->client.is_done();
    }
    return is_done ? loop_.now() : next;
  }

  [[nodiscard]] int finish() {
    report_.summary(tally_, transport());
    return tally_.is_good() ? 0 : 1;
  }

 private:
  struct End {
    End(const Options& options, muster::asio::Loop& loop, muster::Entropy& entropy,
        soe_echo::Tally& tally)
        : client(options, tally),
          socket(loop, {.protocol = options.config}, entropy, client),
          carrier(socket, options.address) {}
    Client client;
    muster::asio::SoeSocket socket;
    SocketCarrier carrier;
  };

  [[nodiscard]] soe_echo::Transport transport() const {
    std::vector<muster::soe::SessionStats> stats;
    for (const auto& end : ends_) stats.push_back(end->client.stats());
    return soe_echo::summarize(stats);
  }
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>{loop_.now() - start_}.count();
  }

  const Options& options_;
  muster::asio::Loop& loop_;
  soe_echo::Report report_;
  soe_echo::Tally tally_;
  std::vector<std::unique_ptr<End>> ends_;
  muster::time_point start_;
  muster::time_point next_line_ = muster::time_point::min();
  bool has_started_ = false;
};

// A line a second, while there is anything to say.
class ServerRun final : public Clock {
 public:
  ServerRun(muster::asio::Loop& loop, const muster::asio::SoeSocket& socket,
            const soe_echo::Server& server)
      : loop_(loop), socket_(socket), server_(server) {
    loop.add(*this);
  }
  ~ServerRun() override { loop_.remove(*this); }

  void advance(muster::time_point now) override {
    if (now < next_line_) return;
    next_line_ = now + 1s;
    const std::uint64_t messages = server_.messages() - messages_;
    const std::uint64_t bytes = server_.bytes() - bytes_;
    messages_ += messages;
    bytes_ += bytes;
    const std::size_t sessions = socket_.multiplexer().session_count();
    if (sessions == 0 && messages == 0) return;
    std::printf("%6zu sessions %9llu messages/s %9.3f MB/s\n", sessions,
                static_cast<unsigned long long>(messages), static_cast<double>(bytes) / 1e6);
  }
  [[nodiscard]] muster::time_point next_deadline() const noexcept override { return next_line_; }

 private:
  muster::asio::Loop& loop_;
  const muster::asio::SoeSocket& socket_;
  const soe_echo::Server& server_;
  muster::time_point next_line_ = muster::time_point::min();
  std::uint64_t messages_ = 0;
  std::uint64_t bytes_ = 0;
};

int run_server(const Options& options) {
  asio::io_context context{1};
  muster::asio::Loop loop{context};
  muster::asio::SystemEntropy entropy;
  soe_echo::Server server{true};
  muster::asio::SoeSocket socket{loop, {.protocol = options.config}, entropy, server};
  SocketCarrier carrier{socket, options.address};
  server.set_carrier(carrier);
  if (const std::error_code error = socket.bind(options.address)) {
    std::fprintf(stderr, "muster-soe-echo: %s: %s\n", options.address.c_str(),
                 error.message().c_str());
    return 1;
  }
  std::printf("muster-soe-echo listens on %s\n", socket.local().to_string().c_str());
  const ServerRun run{loop, socket, server};
  const Signals signals{context, [&] {
                          socket.terminate_all();
                          loop.post([&context] { context.stop(); });  // with what is said to all
                        }};
  loop.wake();
  context.run();
  std::printf("%llu messages, %llu bytes\n", static_cast<unsigned long long>(server.messages()),
              static_cast<unsigned long long>(server.bytes()));
  return 0;
}

int run_client(const Options& options) {
  examples::allow_many_descriptors();
  asio::io_context context{1};
  muster::asio::Loop loop{context};
  muster::asio::SystemEntropy entropy;
  ClientRun run{options, loop, entropy};
  const Signals signals{context, [&run] { run.stop(); }};
  loop.wake();
  context.run();
  return run.finish();
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  try {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    const soe_echo::Invocation invocation = soe_echo::parse_options(arguments);
    if (invocation.options) {
      switch (invocation.options->mode) {
        case Options::Mode::server:
          return run_server(*invocation.options);
        case Options::Mode::client:
          return run_client(*invocation.options);
        case Options::Mode::link:
          return soe_echo::run_link(*invocation.options);
      }
    }
    std::fprintf(invocation.status == 0 ? stdout : stderr, "%s\n", invocation.text.c_str());
    return invocation.status;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "muster-soe-echo: %s\n", error.what());
    return 1;
  }
}
