// SPDX-License-Identifier: MIT
// Many sessions on one server socket: what echoing their messages costs, and what idle ones hold.
#include "cpu.hpp"
#include "scenario.hpp"
#include "server_process.hpp"
#include "stamp.hpp"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <memory>

namespace muster_bench {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t session_count = 1000;
constexpr auto interval = 50ms;  // 20 messages a second in each session
constexpr std::size_t message_size = 64;
constexpr std::uint32_t few_sessions = 500;
constexpr std::uint32_t many_sessions = 1500;

// All clients of a run, each on a socket of its own.
class Clients {
 public:
  Clients(const Contestant& contestant, std::uint16_t udp_port, std::uint32_t count)
      : epoll_(::epoll_create1(0)) {
    const muster::time_point give_up = Clock::now() + 20s;
    // A few at a time: a burst would find the server's queue full.
    while (open_ < count) {
      for (int i = 0; i < 20 && clients_.size() < count; ++i) add(contestant, udp_port);
      run_until(Clock::now() + 10ms);
      open_ = 0;
      for (const auto& client : clients_) open_ += client->end->open_sessions();
      if (Clock::now() > give_up) {
        throw Failure("only " + std::to_string(open_) + " of " + std::to_string(count) +
                      " sessions opened");
      }
    }
  }
  Clients(const Clients&) = delete;
  Clients& operator=(const Clients&) = delete;
  ~Clients() {
    clients_.clear();
    ::close(epoll_);
  }

  /// Lets every session send its messages, evenly spread.
  void send_for(muster::duration span) {
    const muster::time_point start = Clock::now();
    std::uint64_t sent = 0;
    for (muster::time_point now = start; now < start + span; now = Clock::now()) {
      const auto due = static_cast<std::uint64_t>((now - start) * clients_.size() / interval);
      for (; sent < due; ++sent) {
        Client& client = *clients_[sent % clients_.size()];
        if (!client.end->send(0, client.stamp.make())) throw Failure("a message was not taken");
        client.sent_at.push_back(now);
        client.end->flush(now);
      }
      run_until(now + 1ms);
    }
  }

  /// Lets what is under way arrive.
  void finish() {
    const muster::time_point give_up = Clock::now() + 5s;
    const auto is_missing = [](const auto& client) { return client->stamp.missing() != 0; };
    while (std::any_of(clients_.begin(), clients_.end(), is_missing)) {
      if (Clock::now() > give_up) throw Failure("echoes did not arrive");
      run_until(Clock::now() + 10ms);
    }
  }

  void run_until(muster::time_point until) {
    for (muster::time_point now = Clock::now(); now < until; now = Clock::now()) {
      std::array<epoll_event, 256> ready;
      const int count = ::epoll_wait(epoll_, ready.data(), static_cast<int>(ready.size()), 1);
      now = Clock::now();
      for (int i = 0; i < count; ++i) {
        Client& client = *static_cast<Client*>(ready[static_cast<std::size_t>(i)].data.ptr);
        client.end->step(now, client);
      }
      if (now < next_look_) continue;
      next_look_ = now + 2ms;
      for (const auto& client : clients_) {
        if (client->deadline > now) continue;
        client->end->step(now, *client);
        // ENet has no deadlines and would want to be looked at each millisecond: all of that is
        // the clients' time, but it must leave some for the others.
        client->deadline = std::max(client->end->next_deadline(now), now + 5ms);
      }
    }
  }

  void clear_latencies() {
    for (const auto& client : clients_) client->milliseconds.clear();
  }
  [[nodiscard]] std::vector<double> sorted_latencies() const {
    std::vector<double> all;
    for (const auto& client : clients_) {
      all.insert(all.end(), client->milliseconds.begin(), client->milliseconds.end());
    }
    std::sort(all.begin(), all.end());
    return all;
  }

 private:
  struct Client final : Receiver {
    Client(std::unique_ptr<End> the_end, std::uint64_t seed)
        : end(std::move(the_end)), stamp(message_size, seed) {}

    void on_message(std::uint32_t, muster::byte_view message) override {
      stamp.check(message);
      milliseconds.push_back(
          std::chrono::duration<double, std::milli>(Clock::now() - sent_at.front()).count());
      sent_at.pop_front();
    }

    std::unique_ptr<End> end;
    Stamp stamp;
    std::deque<muster::time_point> sent_at;
    std::vector<double> milliseconds;
    muster::time_point deadline{};
  };

  void add(const Contestant& contestant, std::uint16_t udp_port) {
    const muster::time_point now = Clock::now();
    auto client =
        std::make_unique<Client>(contestant.connect({.udp_port = udp_port}, now), clients_.size());
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = client.get();
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, client->end->descriptor(), &event);
    client->end->flush(now);
    clients_.push_back(std::move(client));
  }

  int epoll_;
  std::uint32_t open_ = 0;
  muster::time_point next_look_{};
  std::vector<std::unique_ptr<Client>> clients_;
};

std::vector<double> echo(const Contestant& contestant, double seconds) {
  // What a server takes without sessions, which ENet has room for from the start.
  const std::uint64_t empty = ServerProcess{contestant, 1}.report().resident_bytes;
  ServerProcess server{contestant, session_count};
  take_cpu(Cpu::last);
  Clients clients{contestant, server.udp_port(), session_count};
  clients.send_for(1s);
  clients.finish();
  clients.clear_latencies();
  const ServerProcess::Report before = server.report();
  clients.send_for(
      std::chrono::duration_cast<muster::duration>(std::chrono::duration<double>(seconds)));
  const ServerProcess::Report after = server.report();
  clients.finish();
  const std::vector<double> latencies = clients.sorted_latencies();
  const auto echoed = static_cast<double>(after.messages - before.messages);
  const double cpu = after.cpu_seconds - before.cpu_seconds;
  const auto at = [&latencies](double share) {
    return latencies[static_cast<std::size_t>(share * static_cast<double>(latencies.size() - 1))];
  };
  return {cpu / (after.wall_seconds - before.wall_seconds) * 100,
          cpu / echoed * 1e6,
          echoed / (after.wall_seconds - before.wall_seconds),
          at(0.5),
          at(0.99),
          (static_cast<double>(after.resident_bytes) - static_cast<double>(empty)) / session_count};
}

// The heap of a server with idle sessions.
double idle_heap(const Contestant& contestant, std::uint32_t count) {
  ServerProcess server{contestant, count};
  Clients clients{contestant, server.udp_port(), count};
  clients.run_until(Clock::now() + 1s);
  return static_cast<double>(server.report().heap_bytes);
}

std::vector<double> idle(const Contestant& contestant) {
  const double few = idle_heap(contestant, few_sessions);
  const double many = idle_heap(contestant, many_sessions);
  return {(many - few) / (many_sessions - few_sessions)};
}

}  // namespace

std::vector<Scenario> session_scenarios(const std::vector<Contestant>& contestants,
                                        const Settings& settings) {
  Scenario busy{"sessions",
                "1000 sessions on one server socket, 20 messages of 64 bytes a second each, echoed "
                "by a server that looks every 10 ms",
                {{"server CPU %", 1},
                 {"CPU us/echo", 2},
                 {"echoes/s"},
                 {"p50 ms", 1},
                 {"p99 ms", 1},
                 {"RSS bytes/session"}},
                1};
  Scenario quiet{"idle", "Heap of a server, growth with each idle session", {{"bytes/session"}}};
  const double seconds = 8 * settings.seconds;
  for (const Contestant& contestant : contestants) {
    if ((contestant.scenarios & in_sessions) == 0) continue;
    busy.rows.push_back(
        {contestant.name, [=](std::uint64_t) { return echo(contestant, seconds); }});
    quiet.rows.push_back({contestant.name, [=](std::uint64_t) { return idle(contestant); }});
  }
  return {busy, quiet};
}

}  // namespace muster_bench
