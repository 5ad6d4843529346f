// SPDX-License-Identifier: MIT
#include <muster/shard/server_clock.hpp>

#include <algorithm>
#include <chrono>

namespace muster::shard {

namespace {

// Beyond it the sum of two clocks might not be a number any more: more than a hundred years.
constexpr std::uint64_t max_server_time_us = std::uint64_t{1} << 52U;

}  // namespace

v2::ClockQuery ServerClock::ask(time_point now) noexcept {
  asked_at_ = now;
  return {++question_};
}

bool ServerClock::take(const v2::ClockReply& reply, time_point now) noexcept {
  if (!asked_at_ || reply.t0 != question_ || reply.server_time_us > max_server_time_us ||
      now < *asked_at_) {
    return false;
  }
  const duration round_trip = now - *asked_at_;
  const duration there = std::chrono::microseconds{reply.server_time_us};
  const duration here = asked_at_->time_since_epoch() + round_trip / 2;
  asked_at_.reset();
  last_[count_++ % samples] = {round_trip, there - here};
  best_ = *std::min_element(
      last_.begin(), last_.begin() + std::min(count_, samples),
      [](const Sample& a, const Sample& b) { return a.round_trip < b.round_trip; });
  return true;
}

}  // namespace muster::shard
