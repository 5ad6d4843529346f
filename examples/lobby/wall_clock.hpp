// SPDX-License-Identifier: MIT
// The time of day that belongs to a loop's time.
#pragma once

#include "match_config.hpp"

#include <muster/time.hpp>

#include <string>

namespace lobby_program {

/// Knows what time of day it was at one moment of the loop's clock, and counts from there: frames
/// and records agree with the deadlines, whatever is done to the machine's clock meanwhile.
class WallClock {
 public:
  WallClock(muster::time_point now, WallTime wall) noexcept : since_(now), wall_(wall) {}

  [[nodiscard]] WallTime at(muster::time_point now) const noexcept {
    return wall_ + std::chrono::duration_cast<std::chrono::milliseconds>(now - since_);
  }

  /// As frames have it: "2026-01-01T00:00:00.000Z".
  [[nodiscard]] std::string text(muster::time_point now) const;

 private:
  muster::time_point since_;
  WallTime wall_;
};

}  // namespace lobby_program
