// SPDX-License-Identifier: MIT
// The loop of the echo server, and the questions that it is asked.
#include "server_process.hpp"

#include "cpu.hpp"
#include "usage.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <thread>

namespace muster_bench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto tick = std::chrono::milliseconds{10};

class Echo final : public Receiver {
 public:
  explicit Echo(End& end) : end_(end) {}
  void on_message(std::uint32_t session, muster::byte_view message) override {
    if (!end_.send(session, message)) throw Failure("an echo was not taken");
    ++count_;
  }
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  End& end_;
  std::uint64_t count_ = 0;
};

std::uint64_t resident_bytes() {
  std::ifstream file{"/proc/self/statm"};
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  file >> size >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

// Runs until the channel is closed.
void serve(const Contestant& contestant, std::uint32_t max_sessions, int channel) {
  take_cpu(Cpu::first);
  const std::unique_ptr<End> end = contestant.serve({}, max_sessions, Clock::now());
  const std::uint16_t udp_port = end->udp_port();
  if (::send(channel, &udp_port, sizeof udp_port, 0) < 0) return;
  Echo echo{*end};
  for (auto next = Clock::now();; next = std::max(next + tick, Clock::now())) {
    std::this_thread::sleep_until(next);
    char question = 0;
    const ssize_t size = ::recv(channel, &question, 1, MSG_DONTWAIT);
    if (size == 0) return;
    if (size == 1) {
      const Usage usage;
      const ServerProcess::Report report{usage.wall, usage.cpu, echo.count(), heap_bytes(),
                                         resident_bytes()};
      if (::send(channel, &report, sizeof report, 0) < 0) return;
    }
    const muster::time_point now = Clock::now();
    end->step(now, echo);
    end->flush(now);
  }
}

}  // namespace

ServerProcess::ServerProcess(const Contestant& contestant, std::uint32_t max_sessions) {
  std::array<int, 2> channel{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channel.data()) != 0) throw Failure("socketpair");
  process_ = ::fork();
  if (process_ < 0) throw Failure("fork");
  if (process_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(channel[0]);
    try {
      serve(contestant, max_sessions, channel[1]);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s, server: %s\n", contestant.name.c_str(), error.what());
      ::_exit(1);
    }
    ::_exit(0);
  }
  ::close(channel[1]);
  channel_ = channel[0];
  if (::recv(channel_, &udp_port_, sizeof udp_port_, 0) != sizeof udp_port_) {
    throw Failure("the server did not start");
  }
}

ServerProcess::~ServerProcess() {
  ::close(channel_);
  ::waitpid(process_, nullptr, 0);
}

ServerProcess::Report ServerProcess::report() {
  Report report;
  if (::send(channel_, "?", 1, MSG_NOSIGNAL) != 1 ||
      ::recv(channel_, &report, sizeof report, 0) != sizeof report) {
    throw Failure("the server is gone");
  }
  return report;
}

}  // namespace muster_bench
