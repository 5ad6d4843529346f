// SPDX-License-Identifier: MIT
// Reads CPU time and memory of the server under test from outside, exactly at the edges of the
// measured window.
#pragma once

#include <sys/types.h>
#include <time.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

namespace muster_bench {

inline std::uint64_t clock_ns(clockid_t clock) {
  timespec value{};
  if (clock_gettime(clock, &value) != 0) return 0;
  return static_cast<std::uint64_t>(value.tv_sec) * 1'000'000'000u +
         static_cast<std::uint64_t>(value.tv_nsec);
}

inline std::uint64_t now_ns() { return clock_ns(CLOCK_MONOTONIC); }

struct CpuSample {
  std::uint64_t total_ns = 0;
  std::uint64_t user_ticks = 0;
  std::uint64_t system_ticks = 0;
};

struct MemorySample {
  std::uint64_t rss_bytes = 0;
  std::uint64_t anonymous_bytes = 0;
};

class ServerProbe {
 public:
  /// With pid 0 all samples are zero.
  explicit ServerProbe(pid_t pid) : pid_(pid) {}

  /// The process clock is exact to nanoseconds also for a thread that runs at this moment;
  /// /proc/PID/schedstat lags by up to a tick, and /proc/PID/stat (the only source of the
  /// user/system split) counts in ticks.
  CpuSample cpu() const {
    CpuSample sample;
    if (pid_ == 0) return sample;
    clockid_t clock;
    if (clock_getcpuclockid(pid_, &clock) == 0) sample.total_ns = clock_ns(clock);
    std::ifstream file("/proc/" + std::to_string(pid_) + "/stat");
    std::string text;
    std::getline(file, text);
    // The command name may hold blanks and parentheses; the fields that follow it start after the
    // last ')'.
    const auto name_end = text.rfind(')');
    if (name_end == std::string::npos) return sample;
    std::istringstream fields(text.substr(name_end + 1));
    std::string skipped;
    for (int field = 3; field < 14; ++field)
      fields >> skipped;  // proc(5): utime is field 14, stime 15
    fields >> sample.user_ticks >> sample.system_ticks;
    return sample;
  }

  /// smaps_rollup walks the page tables; the counters in statm may be off by some pages per CPU.
  MemorySample memory() const {
    MemorySample sample;
    if (pid_ == 0) return sample;
    std::ifstream file("/proc/" + std::to_string(pid_) + "/smaps_rollup");
    for (std::string line; std::getline(file, line);) {
      unsigned long long kilobytes = 0;
      if (std::sscanf(line.c_str(), "Rss: %llu kB", &kilobytes) == 1)
        sample.rss_bytes = kilobytes * 1024;
      if (std::sscanf(line.c_str(), "Anonymous: %llu kB", &kilobytes) == 1)
        sample.anonymous_bytes = kilobytes * 1024;
    }
    return sample;
  }

 private:
  pid_t pid_;
};

}  // namespace muster_bench
