// SPDX-License-Identifier: MIT
// What time it is for people.
#pragma once

#include <muster/time.hpp>

#include <chrono>
#include <cstdint>

namespace muster::signal {

/// Turns the loop's time into milliseconds since 1970, from one moment at which both were known.
class UnixClock {
 public:
  UnixClock(std::int64_t unix_milliseconds, time_point at) noexcept
      : unix_milliseconds_(unix_milliseconds), at_(at) {}

  [[nodiscard]] std::int64_t at(time_point when) const noexcept {
    return unix_milliseconds_ +
           std::chrono::duration_cast<std::chrono::milliseconds>(when - at_).count();
  }

 private:
  std::int64_t unix_milliseconds_;
  time_point at_;
};

}  // namespace muster::signal
