// SPDX-License-Identifier: MIT
// RFC 6298's estimate, the smallest of late, and the peer's delay.
#include "round_trip.hpp"

#include <cstdlib>

namespace muster::soe {

namespace {

using namespace std::chrono_literals;

// How long a smallest value holds, at least: two halves cost no list of samples.
constexpr duration half_window = 5s;

// RFC 6298's clock granularity: timers of a millisecond at both ends, and what an end of ours holds
// an acknowledgement back by. Twice that, so that two probes come first.
constexpr std::int32_t granularity = 8000;

// No peer is known to be later. What is older was held up by an outage.
constexpr std::int32_t latest_acknowledgement = 500'000;

std::int32_t to_micros(duration value) noexcept {
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(value).count();
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(micros, 0, 60'000'000));
}

}  // namespace

RoundTrip::RoundTrip(const Config& config, time_point now) noexcept
    : initial_rto_(to_micros(config.initial_rto)),
      min_rto_(to_micros(config.min_rto)),
      max_rto_(to_micros(config.max_rto)),
      turned_at_(now) {}

void RoundTrip::add(duration value, time_point now) noexcept {
  const std::int32_t micros = to_micros(value);
  latest_ = micros;
  // RFC 6298 sections 2.2 and 2.3, alpha 1/8 and beta 1/4.
  if (!is_known() || is_bound_) {
    is_bound_ = false;
    smoothed_ = micros;
    variation_ = micros / 2;
  } else {
    const std::int32_t error = micros - smoothed_;
    variation_ += (std::abs(error) - variation_) / 4;
    smoothed_ += error / 8;
  }
  if (now - turned_at_ >= half_window) {
    turned_at_ = now;
    least_[1] = least_[0];
    least_[0] = unset;
  }
  least_[0] = std::min(least_[0], micros);
}

void RoundTrip::set_bound(duration value) noexcept {
  smoothed_ = latest_ = to_micros(value);
  variation_ = smoothed_ / 2;
  is_bound_ = true;
}

void RoundTrip::add_oldest(duration age) noexcept {
  if (!is_known()) return;
  const std::int32_t excess = std::clamp(to_micros(age) - smoothed_, 0, latest_acknowledgement);
  // Near the largest of the last hundred. It has to be learned in few steps, since a probe that
  // comes too early makes many a peer acknowledge at once, and hides how late it would have been.
  lateness_ = std::max(excess, lateness_ - lateness_ / 64);
}

duration RoundTrip::timeout() const noexcept {
  if (!is_known()) return Micros{initial_rto_};
  // RFC 6298 section 2.4, with `min_rto` in place of a second; and the lateness, which RFC 9002
  // section 6.2.1 adds as max_ack_delay.
  const std::int32_t rto = smoothed_ + std::max(4 * variation_, granularity) + lateness_;
  return Micros{std::clamp(rto, min_rto_, max_rto_)};
}

}  // namespace muster::soe
