// SPDX-License-Identifier: MIT
// How often, and how soon, a lost connection is tried again.
#pragma once

#include <muster/entropy.hpp>

#include <chrono>
#include <cmath>
#include <cstdint>

namespace muster::lobby {

/// The policy of the protocol's clients, which a game may change: attempt n waits
/// `initial_backoff` * `backoff_multiplier`^(n-1), at most `max_backoff`, less a random part.
struct RetryPolicy {
  std::uint32_t max_reconnect_attempts = 5;        ///< failures in a row that are survived; 0: none
  std::chrono::milliseconds initial_backoff{500};  ///< from 0
  std::chrono::milliseconds max_backoff{30'000};   ///< from `initial_backoff`, to 1 h
  double backoff_multiplier = 2.0;                 ///< from 1, finite

  /// The part of a delay that is drawn at random, 0 to 1: clients that lost one server do not come
  /// back in step.
  double jitter = 0.25;

  /// What attempt `n` waits, without the random part. Counts from 1; 0 counts as 1.
  [[nodiscard]] std::chrono::milliseconds delay(std::uint32_t n) const noexcept {
    const auto cap = static_cast<double>(max_backoff.count());
    const double exponent = n == 0 ? 0.0 : static_cast<double>(n - 1);
    const auto first = static_cast<double>(initial_backoff.count());
    // Zero times infinity would be no number.
    const double wished = first == 0.0 ? 0.0 : first * std::pow(backoff_multiplier, exponent);
    return wished < cap ? std::chrono::milliseconds{static_cast<std::int64_t>(wished)}
                        : max_backoff;
  }

  /// The same with the random part taken off.
  /// @param u   drawn evenly, 0 or more and less than 1
  [[nodiscard]] std::chrono::milliseconds delay(std::uint32_t n, double u) const noexcept {
    const auto whole = static_cast<double>(delay(n).count());
    return std::chrono::milliseconds{static_cast<std::int64_t>(whole * (1.0 - jitter * u))};
  }

  /// The same with the part drawn.
  [[nodiscard]] std::chrono::milliseconds draw(std::uint32_t n, Entropy& entropy) const noexcept {
    return delay(n, static_cast<double>(entropy.next_u64() >> 11U) * 0x1p-53);
  }

  [[nodiscard]] bool is_valid() const noexcept {
    using namespace std::chrono_literals;
    return initial_backoff >= 0ms && max_backoff >= initial_backoff && max_backoff <= 1h &&
           std::isfinite(backoff_multiplier) && backoff_multiplier >= 1.0 && jitter >= 0.0 &&
           jitter <= 1.0;
  }
};

}  // namespace muster::lobby
