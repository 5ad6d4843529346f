// SPDX-License-Identifier: MIT
// What a run measures, between the two edges of its measured window.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "client.hpp"
#include "histogram.hpp"
#include "server_probe.hpp"

namespace muster_bench {

inline constexpr double ns_per_s = 1e9;

struct Result {
  std::uint64_t sent = 0;
  std::uint64_t deliveries = 0;
  std::uint64_t missed = 0;       ///< snapshots of a shard that did not come
  std::uint64_t deaf_missed = 0;  ///< the same, of the subscriber that did not read
  std::uint64_t receive_calls = 0;
  std::uint64_t wall_ns = 0;
  std::uint64_t load_cpu_ns = 0;
  CpuSample cpu;
  Histogram latency;
  std::vector<std::pair<std::uint64_t, MemorySample>> memory;
  MemorySample memory_after_traffic;
  std::uint64_t bad_connections = 0;  ///< opened by the bad peer
  std::uint64_t bad_ended = 0;        ///< of these, ended by the server
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

}  // namespace muster_bench
