// SPDX-License-Identifier: MIT
// How many random runs the long tests try.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>

namespace test {

/// All of them, or with MUSTER_TEST_SHARE=N in the environment the N-th part, at least one: for
/// continuous integration, which tries all without a sanitizer, and some with one.
inline std::uint64_t share_of(std::uint64_t all) {
  const char* const text = std::getenv("MUSTER_TEST_SHARE");
  const long share = text == nullptr ? 1 : std::strtol(text, nullptr, 10);
  return std::max<std::uint64_t>(all / static_cast<std::uint64_t>(std::max(share, 1L)), 1);
}

}  // namespace test
