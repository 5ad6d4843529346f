// SPDX-License-Identifier: MIT
// How often a client may do what costs others.
#pragma once

#include <muster/time.hpp>

#include <algorithm>
#include <cstdint>

namespace muster::signal {

/// A token bucket of so many in a window. It starts full and fills evenly, so that no moment lets
/// through twice as many, as the turn of a fixed window does.
class RateBucket {
 public:
  /// Takes `amount`, if that much is there. False, and nothing taken, if not.
  /// @param limit    in each window; 0: there is no limit
  [[nodiscard]] bool take(std::uint64_t amount, std::uint64_t limit, duration window,
                          time_point now) noexcept {
    if (limit == 0) return true;
    const duration owed = std::max(full_at_ - now, duration{0});
    const double share = static_cast<double>(std::min(amount, limit)) / static_cast<double>(limit);
    const duration cost{static_cast<std::int64_t>(static_cast<double>(window.count()) * share)};
    if (owed + cost > window) return false;
    full_at_ = now + owed + cost;
    return true;
  }

  /// Whether nothing was taken of late.
  [[nodiscard]] bool is_full(time_point now) const noexcept { return full_at_ <= now; }

 private:
  time_point full_at_ = time_point{} - duration{1};
};

}  // namespace muster::signal
