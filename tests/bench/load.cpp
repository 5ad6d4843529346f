// SPDX-License-Identifier: MIT
// muster-bench-load: drives a WebSocket server of the bench protocol, checks every payload, prints
// one line of JSON.

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "client.hpp"
#include "histogram.hpp"
#include "payload.hpp"
#include "server_probe.hpp"

namespace muster_bench {
namespace {

constexpr double ns_per_s = 1e9;

constexpr const char* usage =
    R"(usage: muster-bench-load SCENARIO --port N [options]

  echo     every connection keeps --window messages in flight on /echo
  fan      rooms of --room members, one sender each, --window messages in flight until all members have them
  all      rooms of --room members, every member sends --rate messages a second (open loop)
  idle     opens --connections and holds them, samples the server's memory on the way
  accept   opens and resets --messages connections, --parallel at a time

  --port N           port of the server on 127.0.0.1
  --server-pid N     process whose CPU time and memory are sampled at the edges of the measured window
  --connections N    50             --size N       payload bytes, 24 or more (64)
  --room N           100            --window N     messages in flight per sender (1)
  --rate HZ          10             --parallel N   handshakes under way at once (64)
  --warm-up S        0.3            --duration S   length of the measured window (1)
  --messages N       end the window after N sent messages instead; accept: number of connections (2000)
  --hold S           idle: seconds to hold the connections before the last sample (0)
  --echo-each        idle: one echo of --size bytes on every connection, then a further sample
  --lockstep         echo, fan: start a message only when nothing is under way, so that all connections go in rounds
  --block            sleep in epoll_wait; the default spins, so that no send of the server pays for waking the reader
)";

struct Options {
  std::string scenario;
  std::uint16_t port = 0;
  pid_t server_pid = 0;
  std::uint32_t connections = 50;
  std::uint32_t room = 100;
  std::uint32_t window = 1;
  std::uint32_t parallel = 64;
  std::size_t size = 64;
  double rate = 10;
  double warm_up = 0.3;
  double duration = 1;
  double hold = 0;
  std::uint64_t messages = 0;
  bool does_echo_each = false;
  bool is_blocking = false;
  bool is_lockstep = false;
};

[[noreturn]] void fail_usage(const std::string& why) {
  std::fprintf(stderr, "muster-bench-load: %s\n%s", why.c_str(), usage);
  std::exit(2);
}

double parse_number(std::string_view name, const char* text, double low, double high) {
  char* end = nullptr;
  const double value = std::strtod(text, &end);
  if (end == text || *end != '\0' || !(value >= low && value <= high)) {
    fail_usage(std::string(name) + " must be a number from " + std::to_string(low) + " to " +
               std::to_string(high));
  }
  return value;
}

Options parse_options(int argc, char** argv) {
  Options options;
  if (argc < 2) fail_usage("a scenario is needed");
  options.scenario = argv[1];
  for (int i = 2; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--echo-each") {
      options.does_echo_each = true;
      continue;
    }
    if (name == "--lockstep") {
      options.is_lockstep = true;
      continue;
    }
    if (name == "--block") {
      options.is_blocking = true;
      continue;
    }
    if (i + 1 == argc) fail_usage(std::string(name) + " needs a value");
    const char* text = argv[++i];
    const auto number = [&](double low, double high) {
      return parse_number(name, text, low, high);
    };
    if (name == "--port")
      options.port = static_cast<std::uint16_t>(number(1, 65535));
    else if (name == "--server-pid")
      options.server_pid = static_cast<pid_t>(number(1, 1e9));
    else if (name == "--connections")
      options.connections = static_cast<std::uint32_t>(number(1, 1e6));
    else if (name == "--room")
      options.room = static_cast<std::uint32_t>(number(1, 1e6));
    else if (name == "--window")
      options.window = static_cast<std::uint32_t>(number(1, 1e5));
    else if (name == "--parallel")
      options.parallel = static_cast<std::uint32_t>(number(1, 1e5));
    else if (name == "--size")
      options.size = static_cast<std::size_t>(number(min_payload_size, 1 << 26));
    else if (name == "--rate")
      options.rate = number(1e-3, 1e6);
    else if (name == "--warm-up")
      options.warm_up = number(0, 3600);
    else if (name == "--duration")
      options.duration = number(1e-3, 3600);
    else if (name == "--hold")
      options.hold = number(0, 3600);
    else if (name == "--messages")
      options.messages = static_cast<std::uint64_t>(number(1, 1e12));
    else
      fail_usage("unknown option " + std::string(name));
  }
  if (options.port == 0) fail_usage("--port is needed");
  if (options.scenario == "echo") options.room = 1;
  if (options.scenario != "idle" && options.scenario != "accept" &&
      options.connections % options.room != 0) {
    fail_usage("--connections must be a multiple of --room");
  }
  return options;
}

struct Result {
  std::uint64_t sent = 0;
  std::uint64_t deliveries = 0;
  std::uint64_t receive_calls = 0;
  std::uint64_t wall_ns = 0;
  std::uint64_t load_cpu_ns = 0;
  CpuSample cpu;
  Histogram latency;
  std::vector<std::pair<std::uint64_t, MemorySample>> memory;
  MemorySample memory_after_echo;
};

/// Samples both processes at the two edges of the measured window; everything between them goes
/// into the result.
class Window {
 public:
  Window(const ServerProbe& probe, const Client& client) : probe_(probe), client_(client) {
    receive_calls_ = client_.receive_calls();
    load_cpu_ns_ = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    start_ns_ = now_ns();
    cpu_ = probe_.cpu();
  }

  std::uint64_t start_ns() const { return start_ns_; }

  void finish(Result& result) const {
    const auto cpu = probe_.cpu();
    result.wall_ns = now_ns() - start_ns_;
    result.load_cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - load_cpu_ns_;
    result.receive_calls = client_.receive_calls() - receive_calls_;
    result.cpu.total_ns = cpu.total_ns - cpu_.total_ns;
    result.cpu.user_ticks = cpu.user_ticks - cpu_.user_ticks;
    result.cpu.system_ticks = cpu.system_ticks - cpu_.system_ticks;
  }

 private:
  const ServerProbe& probe_;
  const Client& client_;
  std::uint64_t receive_calls_;
  std::uint64_t load_cpu_ns_;
  std::uint64_t start_ns_;
  CpuSample cpu_;
};

/// echo, fan and all: groups of connections in which some members send and all members must receive
/// everything, exactly once and in order. An echo connection is a group of one.
class Traffic {
 public:
  Traffic(const Options& options, Client& client, Result& result)
      : options_(options),
        client_(client),
        result_(result),
        is_open_loop_(options.scenario == "all"),
        senders_(is_open_loop_ ? options.room : 1),
        groups_(options.connections / options.room) {
    client_.connections().resize(options.connections);
    for (std::uint32_t i = 0; i < options.connections; ++i) {
      client_.connections()[i].path =
          options.scenario == "echo" ? "/echo" : "/room/" + std::to_string(i / options.room);
    }
    expected_.resize(std::size_t{options.connections} * senders_);
    next_sequence_.resize(options.connections);
    in_flight_.resize(groups_);
    missing_.resize(std::size_t{groups_} * options.window);
    // Open loop: every sender has its own fixed phase, spread over the period in an order unlike
    // that of the rooms.
    for (std::uint32_t i = 0; i < options.connections; ++i) phases_.push_back({mix(i + 1), i});
    std::sort(phases_.begin(), phases_.end());
  }

  void run(const ServerProbe& probe) {
    client_.open_all(0, options_.connections, options_.parallel, *this);
    // A server may join the member to its room only after it has sent the response.
    run_until(now_ns() + 300'000'000u);
    if (options_.warm_up > 0) {
      send_for(options_.warm_up, UINT64_MAX);
      drain();
    }
    result_.latency.clear();
    result_.deliveries = result_.sent = 0;
    // Both edges are quiet: no message is under way, so CPU time and deliveries belong to each
    // other exactly.
    const Window window(probe, client_);
    send_for(options_.messages != 0 ? 3600 : options_.duration,
             options_.messages != 0 ? options_.messages : UINT64_MAX);
    drain();
    window.finish(result_);
    const auto deliveries = result_.deliveries;
    run_until(now_ns() + 50'000'000u);
    if (result_.deliveries != deliveries) client_.report("deliveries after the end");
  }

  void on_open(std::uint32_t, std::uint64_t) {}

  void on_message(std::uint32_t index, const unsigned char* bytes, std::size_t size,
                  std::uint64_t now) {
    Stamp stamp;
    if (size != options_.size || !check_payload(bytes, size, stamp)) {
      return client_.report("connection " + std::to_string(index) +
                            ": content of a message is wrong");
    }
    const auto group = index / options_.room;
    if (stamp.sender >= options_.connections || stamp.sender / options_.room != group ||
        stamp.sender % options_.room >= senders_) {
      return client_.report("connection " + std::to_string(index) + ": message of a stranger");
    }
    auto& expected = expected_[std::size_t{index} * senders_ + stamp.sender % options_.room];
    if (stamp.sequence != expected || stamp.sequence >= next_sequence_[stamp.sender]) {
      client_.report("connection " + std::to_string(index) + ": message " +
                     std::to_string(stamp.sequence) + " instead of " + std::to_string(expected));
      if (stamp.sequence < expected || stamp.sequence >= next_sequence_[stamp.sender]) return;
    }
    expected = stamp.sequence + 1;
    ++result_.deliveries;
    result_.latency.record(now > stamp.sent_ns ? now - stamp.sent_ns : 0);
    if (is_open_loop_) return;
    auto& missing =
        missing_[std::size_t{group} * options_.window + stamp.sequence % options_.window];
    if (--missing == 0) {
      --in_flight_[group];
      --total_in_flight_;
      if (is_sending_ && !options_.is_lockstep && result_.sent < limit_)
        send(group * options_.room, now);
    }
  }

 private:
  void send(std::uint32_t sender, std::uint64_t stamp_ns) {
    const auto sequence = next_sequence_[sender]++;
    client_.append_message(sender, Stamp{payload_magic, sender, sequence, stamp_ns}, options_.size);
    ++result_.sent;
    if (is_open_loop_) return;
    const auto group = sender / options_.room;
    missing_[std::size_t{group} * options_.window + sequence % options_.window] = options_.room;
    ++in_flight_[group];
    ++total_in_flight_;
  }

  void pass(std::uint64_t wake_ns) {
    int timeout_ms = 0;
    if (options_.is_blocking) {
      const auto now = now_ns();
      timeout_ms = now < wake_ns
                       ? static_cast<int>(std::min<std::uint64_t>((wake_ns - now) / 1'000'000, 10))
                       : 0;
    }
    client_.poll(*this, timeout_ms);
    client_.flush();
  }

  void run_until(std::uint64_t end) {
    while (now_ns() < end) pass(end);
  }

  void send_for(double seconds, std::uint64_t limit) {
    const auto start = now_ns();
    const auto end = start + static_cast<std::uint64_t>(seconds * ns_per_s);
    limit_ = limit;
    is_sending_ = true;
    if (is_open_loop_) {
      send_on_schedule(start, end);
    } else {
      send_round();
      auto deliveries = result_.deliveries;
      auto stalled_at = start + patience_ns;
      for (auto now = start;
           now < end && now < stalled_at && result_.sent < limit_ && !is_hopeless();
           now = now_ns()) {
        pass(end);
        if (options_.is_lockstep && total_in_flight_ == 0) send_round();
        if (result_.deliveries != deliveries) {
          deliveries = result_.deliveries;
          stalled_at = now + patience_ns;
        }
      }
    }
    is_sending_ = false;
  }

  void send_round() {
    for (std::uint32_t group = 0; group < groups_; ++group) {
      while (in_flight_[group] < options_.window && result_.sent < limit_)
        send(group * options_.room, now_ns());
    }
    client_.flush();
  }

  /// The stamp is the scheduled time, not the time of the send: a late generator must not hide
  /// latency.
  void send_on_schedule(std::uint64_t start, std::uint64_t end) {
    const auto period = ns_per_s / options_.rate;
    for (std::uint64_t round = 0; result_.sent < limit_ && !is_hopeless(); ++round) {
      for (const auto& [phase, sender] : phases_) {
        const double share =
            static_cast<double>(phase >> 11) / static_cast<double>(std::uint64_t{1} << 53);
        const auto due =
            start + static_cast<std::uint64_t>((static_cast<double>(round) + share) * period);
        if (due >= end || result_.sent >= limit_) return;
        while (now_ns() < due) pass(due);
        send(sender, due);
      }
    }
  }

  void drain() {
    const auto deadline = now_ns() + patience_ns;
    const auto wanted = result_.sent * options_.room;
    while (result_.deliveries < wanted && now_ns() < deadline && !is_hopeless()) pass(deadline);
    if (result_.deliveries < wanted) client_.count_missing(wanted - result_.deliveries);
  }

  /// Such a run gives no figure any more, so it need not wait for what will never come.
  bool is_hopeless() const {
    return client_.errors() >= 1000 || client_.open_count() < options_.connections;
  }

  static constexpr std::uint64_t patience_ns = 10'000'000'000u;

  const Options& options_;
  Client& client_;
  Result& result_;
  bool is_open_loop_;
  bool is_sending_ = false;
  std::uint32_t senders_;
  std::uint32_t groups_;
  std::uint64_t limit_ = 0;
  std::uint64_t total_in_flight_ = 0;
  std::vector<std::uint64_t> expected_;       // per receiver and sender of its room
  std::vector<std::uint64_t> next_sequence_;  // per sender
  std::vector<std::uint32_t> in_flight_;      // per room
  std::vector<std::uint32_t> missing_;        // per room and message in flight: members without it
  std::vector<std::pair<std::uint64_t, std::uint32_t>> phases_;
};

/// idle: memory per connection that only exists, and per connection that has echoed once.
class Idle {
 public:
  Idle(const Options& options, Client& client, Result& result)
      : options_(options), client_(client), result_(result) {
    client_.connections().resize(std::size_t{options.connections} + 1);
    for (auto& connection : client_.connections()) connection.path = "/echo";
    has_echoed_.resize(client_.connections().size());
  }

  void run(const ServerProbe& probe) {
    // The first connection faults in code and buffers that do not belong to any one connection.
    client_.open_all(0, 1, 1, *this);
    echo(0, 1);
    wait(0.1);
    result_.memory.emplace_back(0, probe.memory());
    const Window window(probe, client_);
    const auto total = options_.connections;
    for (std::uint32_t step = 0; step < 10; ++step) {
      const auto first = static_cast<std::uint32_t>(std::uint64_t{total} * step / 10);
      const auto last = static_cast<std::uint32_t>(std::uint64_t{total} * (step + 1) / 10);
      client_.open_all(first + 1, last - first, options_.parallel, *this);
      wait(step == 9 ? 0.1 + options_.hold : 0.05);
      result_.memory.emplace_back(last, probe.memory());
    }
    if (options_.does_echo_each) {
      for (std::uint32_t first = 1; first <= total; first += options_.parallel) {
        echo(first, std::min(options_.parallel, total + 1 - first));
      }
      wait(0.1);
      result_.memory_after_echo = probe.memory();
    }
    window.finish(result_);
    if (client_.open_count() != std::size_t{total} + 1)
      client_.report("not all connections stayed open");
  }

  void on_open(std::uint32_t, std::uint64_t) {}

  void on_message(std::uint32_t index, const unsigned char* bytes, std::size_t size,
                  std::uint64_t now) {
    Stamp stamp;
    if (size != options_.size || !check_payload(bytes, size, stamp) || stamp.sender != index ||
        stamp.sequence != 0 || has_echoed_[index]) {
      return client_.report("connection " + std::to_string(index) +
                            ": content of a message is wrong");
    }
    has_echoed_[index] = true;
    ++result_.deliveries;
    result_.latency.record(now > stamp.sent_ns ? now - stamp.sent_ns : 0);
  }

 private:
  void echo(std::uint32_t first, std::uint32_t count) {
    const auto wanted = result_.deliveries + count;
    for (auto i = first; i < first + count; ++i) {
      client_.append_message(i, Stamp{payload_magic, i, 0, now_ns()}, options_.size);
      ++result_.sent;
    }
    client_.flush();
    const auto deadline = now_ns() + 10'000'000'000u;
    while (result_.deliveries < wanted && now_ns() < deadline) client_.poll(*this, 10);
    if (result_.deliveries < wanted) client_.count_missing(wanted - result_.deliveries);
  }

  void wait(double seconds) {
    const auto end = now_ns() + static_cast<std::uint64_t>(seconds * ns_per_s);
    while (now_ns() < end) {
      client_.poll(*this, 10);
      client_.flush();
    }
  }

  const Options& options_;
  Client& client_;
  Result& result_;
  std::vector<bool> has_echoed_;
};

/// accept: connect, upgrade, reset, again. A "delivery" is an upgrade whose answer was right.
class Accept {
 public:
  Accept(const Options& options, Client& client, Result& result)
      : options_(options), client_(client), result_(result) {
    client_.connections().resize(options.parallel);
    for (auto& connection : client_.connections()) connection.path = "/echo";
  }

  void run(const ServerProbe& probe) {
    const auto total = options_.messages != 0 ? options_.messages : 2000;
    open(std::max<std::uint64_t>(total / 10, options_.parallel));
    settle();
    result_.latency.clear();
    result_.deliveries = result_.sent = 0;
    const Window window(probe, client_);
    open(total);
    const auto wall_ns = now_ns() - window.start_ns();
    settle();
    window.finish(result_);
    result_.wall_ns = wall_ns;
  }

  void on_open(std::uint32_t index, std::uint64_t now) {
    ++result_.deliveries;
    result_.latency.record(now - client_.connections()[index].opened_ns);
    opened_.push_back(index);
  }

  void on_message(std::uint32_t index, const unsigned char*, std::size_t, std::uint64_t) {
    client_.report("connection " + std::to_string(index) + ": a message that nobody sent");
  }

 private:
  void open(std::uint64_t count) {
    const auto deadline = now_ns() + 60'000'000'000u;
    const auto wanted = result_.deliveries + count;
    const auto limit = result_.sent + count;
    for (std::uint32_t i = 0; i < options_.parallel && result_.sent < limit; ++i) start(i);
    while (result_.deliveries < wanted) {
      client_.poll(*this, options_.is_blocking ? 10 : 0);
      for (const auto index : opened_) {
        client_.reset(index);
        if (result_.sent < limit) start(index);
      }
      opened_.clear();
      if (now_ns() > deadline) fail("connections did not open within 60 s");
    }
  }

  /// The server has still to notice the last resets; that work belongs to the window.
  static void settle() { ::usleep(100'000); }

  void start(std::uint32_t index) {
    ++result_.sent;
    client_.start_open(index);
  }

  const Options& options_;
  Client& client_;
  Result& result_;
  std::vector<std::uint32_t> opened_;
};

void print_json(const Options& options, const Client& client, const Result& result) {
  std::printf(
      "{\"scenario\":\"%s\",\"connections\":%u,\"room\":%u,\"window\":%u,\"size\":%zu,\"sent\":%"
      "llu,"
      "\"deliveries\":%llu,\"errors\":%llu,\"p50_us\":%.1f,\"p99_us\":%.1f,\"wall_s\":%.6f,"
      "\"receive_calls\":%llu,\"pings\":%llu,\"load_cpu_ns\":%llu,\"server_cpu_ns\":%llu,"
      "\"server_user_ticks\":%llu,\"server_system_ticks\":%llu",
      options.scenario.c_str(), options.connections, options.room, options.window, options.size,
      static_cast<unsigned long long>(result.sent),
      static_cast<unsigned long long>(result.deliveries),
      static_cast<unsigned long long>(client.errors()),
      static_cast<double>(result.latency.percentile(0.50)) / 1000,
      static_cast<double>(result.latency.percentile(0.99)) / 1000,
      static_cast<double>(result.wall_ns) / ns_per_s,
      static_cast<unsigned long long>(result.receive_calls),
      static_cast<unsigned long long>(client.pings()),
      static_cast<unsigned long long>(result.load_cpu_ns),
      static_cast<unsigned long long>(result.cpu.total_ns),
      static_cast<unsigned long long>(result.cpu.user_ticks),
      static_cast<unsigned long long>(result.cpu.system_ticks));
  if (!result.memory.empty()) {
    std::printf(",\"memory\":[");
    for (std::size_t i = 0; i < result.memory.size(); ++i) {
      const auto& [count, sample] = result.memory[i];
      std::printf("%s[%llu,%llu,%llu]", i == 0 ? "" : ",", static_cast<unsigned long long>(count),
                  static_cast<unsigned long long>(sample.rss_bytes),
                  static_cast<unsigned long long>(sample.anonymous_bytes));
    }
    std::printf("]");
  }
  if (options.does_echo_each) {
    std::printf(",\"memory_after_echo\":[%llu,%llu]",
                static_cast<unsigned long long>(result.memory_after_echo.rss_bytes),
                static_cast<unsigned long long>(result.memory_after_echo.anonymous_bytes));
  }
  std::printf("}\n");
}

int run(int argc, char** argv) {
  const auto options = parse_options(argc, argv);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  const ServerProbe probe(options.server_pid);
  Client client(options.port, options.size);
  Result result;
  if (options.scenario == "echo" || options.scenario == "fan" || options.scenario == "all") {
    Traffic(options, client, result).run(probe);
  } else if (options.scenario == "idle") {
    Idle(options, client, result).run(probe);
  } else if (options.scenario == "accept") {
    Accept(options, client, result).run(probe);
  } else {
    fail_usage("unknown scenario " + options.scenario);
  }
  print_json(options, client, result);
  return client.errors() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace muster_bench

int main(int argc, char** argv) { return muster_bench::run(argc, argv); }
