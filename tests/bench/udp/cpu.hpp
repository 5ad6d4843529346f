// SPDX-License-Identifier: MIT
// A CPU of its own for each of two processes, so that neither slows the other down.
#pragma once

#include <sched.h>

#include <cstddef>

namespace muster_bench {

enum class Cpu { first, last };

/// Keeps the process on one of the CPUs that it may use; with one CPU there is nothing to choose.
inline void take_cpu(Cpu which) {
  cpu_set_t all;
  if (::sched_getaffinity(0, sizeof all, &all) != 0 || CPU_COUNT(&all) < 2) return;
  cpu_set_t one;
  for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &all)) continue;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (which == Cpu::first) break;
  }
  ::sched_setaffinity(0, sizeof one, &one);
}

}  // namespace muster_bench
