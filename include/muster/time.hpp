// SPDX-License-Identifier: MIT
// The library's time types. Cores never read a clock: the caller passes the time in.
#pragma once

#include <chrono>

namespace muster {

/// A point on the caller's monotonic clock. The drivers use `std::chrono::steady_clock`; a test may
/// start anywhere and move as it likes, as long as time never runs backwards.
using time_point = std::chrono::steady_clock::time_point;

/// A length of time, in nanoseconds; every `std::chrono` literal converts to it.
using duration = std::chrono::steady_clock::duration;

/// "Never", as a deadline.
inline constexpr time_point no_deadline = time_point::max();

}  // namespace muster
