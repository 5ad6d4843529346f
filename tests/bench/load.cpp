// SPDX-License-Identifier: MIT
// muster-bench-load: drives a WebSocket server of the bench protocol, checks every payload, prints
// one line of JSON.

#include <sys/resource.h>

#include <cstddef>
#include <cstdio>
#include <string_view>

#include "accept.hpp"
#include "client.hpp"
#include "idle.hpp"
#include "options.hpp"
#include "server_probe.hpp"
#include "shard_subscribers.hpp"
#include "storm.hpp"
#include "traffic.hpp"
#include "window.hpp"

namespace muster_bench {
namespace {

#ifdef __clang__
constexpr const char* compiler = "Clang " __clang_version__;
#else
constexpr const char* compiler = "GCC " __VERSION__;
#endif

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
  if (options.is_shard())
    std::printf(",\"missed\":%llu,\"deaf_missed\":%llu",
                static_cast<unsigned long long>(result.missed),
                static_cast<unsigned long long>(result.deaf_missed));
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
  if (options.does_echo_each || (options.does_sample_memory && !options.is_shard())) {
    std::printf(",\"memory_after_traffic\":[%llu,%llu]",
                static_cast<unsigned long long>(result.memory_after_traffic.rss_bytes),
                static_cast<unsigned long long>(result.memory_after_traffic.anonymous_bytes));
  }
  if (!options.bad.empty() && !options.is_shard()) {
    std::printf(",\"bad_connections\":%llu,\"bad_ended\":%llu",
                static_cast<unsigned long long>(result.bad_connections),
                static_cast<unsigned long long>(result.bad_ended));
  }
  std::printf("}\n");
}

int run(int argc, char** argv) {
  if (argc == 2 && std::string_view{argv[1]} == "--compiler") {
    std::puts(compiler);
    return 0;
  }
  const auto options = parse_options(argc, argv);
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  const ServerProbe probe(options.server_pid);
  Client client(options.port, options.size);
  Result result;
  if (options.scenario == "echo" || options.scenario == "fan" || options.scenario == "all" ||
      options.scenario == "down" || options.scenario == "up" || options.scenario == "play") {
    Traffic(options, client, result).run(probe);
  } else if (options.scenario == "join") {
    Storm(options, client, result).run(probe);
  } else if (options.scenario == "idle") {
    Idle(options, client, result).run(probe);
  } else if (options.scenario == "accept") {
    Accept(options, client, result).run(probe);
  } else if (options.is_shard()) {
    ShardSubscribers(options, client, result).run(probe);
  } else {
    fail_usage("unknown scenario " + options.scenario);
  }
  print_json(options, client, result);
  return client.errors() == 0 ? 0 : 1;
}

}  // namespace
}  // namespace muster_bench

int main(int argc, char** argv) { return muster_bench::run(argc, argv); }
