// SPDX-License-Identifier: MIT
// What a fuzz target checks.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace test {

/// Says where, and ends the program, if something does not hold.
inline void require(bool holds, int line = __builtin_LINE()) {
  if (holds) return;
  std::fprintf(stderr, "line %d does not hold\n", line);
  std::abort();
}

}  // namespace test
