// SPDX-License-Identifier: MIT
// What the process has used so far: time, CPU time, heap.
#pragma once

#include <time.h>

#include <cstddef>
#include <cstdint>

namespace muster_bench {

inline double clock_seconds(clockid_t clock) {
  timespec value{};
  clock_gettime(clock, &value);
  return static_cast<double>(value.tv_sec) + 1e-9 * static_cast<double>(value.tv_nsec);
}

/// Calls that asked the heap for memory, by operator new or by malloc and its kin, also in shared
/// libraries. The program is linked with counting versions of them.
std::uint64_t allocation_count();

/// Bytes of the heap that are in use.
std::size_t heap_bytes();

struct Usage {
  double wall = clock_seconds(CLOCK_MONOTONIC);
  double cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
  std::uint64_t allocations = allocation_count();
};

}  // namespace muster_bench
