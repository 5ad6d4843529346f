// SPDX-License-Identifier: MIT
// How fast a path delivers, measured from the acknowledgements of one session.
#pragma once

#include <muster/time.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "packet_pool.hpp"

namespace muster::soe {

/// Delivery rate estimation as BBR does it (draft-cheng-iccrg-delivery-rate-estimation): what was
/// delivered between the sending of a packet and its acknowledgement, over the time in which that
/// was sent or acknowledged, whichever took longer.
class DeliveryRate {
 public:
  explicit DeliveryRate(time_point now) noexcept
      : delivered_at_(now), burst_started_(now), newest_sent_(now) {}

  /// @param in_flight        bytes under way without this packet
  /// @param is_app_limited   nothing waits behind it
  void on_sent(Packet& packet, std::size_t in_flight, time_point now,
               bool is_app_limited) noexcept {
    // After a pause the clock starts anew: the pause is not a slow path.
    if (in_flight == 0) delivered_at_ = burst_started_ = now;
    // What leaves while the pipe is not full measures the application, until all that was under
    // way then has arrived.
    if (is_app_limited) app_limited_until_ = delivered_ + in_flight + packet.size;
    packet.delivered = delivered_;
    packet.delivered_at = delivered_at_;
    packet.burst_started = burst_started_;
    packet.is_app_limited = delivered_ < app_limited_until_;
  }

  /// @param is_last_sending   whether it can be the last sending that was acknowledged
  void on_acknowledged(const Packet& packet, time_point now, bool is_last_sending) noexcept {
    delivered_ += packet.size;
    delivered_at_ = now;
    bytes_ += packet.size;
    if (!is_last_sending) newest_sent_ = std::max(newest_sent_, packet.first_sent);
    if (!is_last_sending || packet.last_sent < newest_sent_) return;
    newest_sent_ = burst_started_ = packet.last_sent;
    delivered_before_ = packet.delivered;
    interval_ = std::max(packet.last_sent - packet.burst_started, now - packet.delivered_at);
    is_app_limited_ = packet.is_app_limited;
  }

  /// Bytes that arrived since the last `clear`.
  [[nodiscard]] std::uint32_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] bool has_sample() const noexcept { return interval_ >= duration::zero(); }
  [[nodiscard]] std::uint64_t delivered_before() const noexcept { return delivered_before_; }
  [[nodiscard]] bool is_app_limited() const noexcept { return is_app_limited_; }

  /// @param least   the shortest time in which it is believed: what is acknowledged together in
  ///                less than a round trip did not travel in that time
  [[nodiscard]] double bytes_per_second(duration least) const noexcept {
    const auto time = std::chrono::duration<double>{std::max(interval_, least)};
    return static_cast<double>(delivered_ - delivered_before_) / time.count();
  }

  void clear() noexcept {
    bytes_ = 0;
    interval_ = duration{-1};
  }

  /// Bytes that have arrived in all.
  [[nodiscard]] std::uint64_t delivered() const noexcept { return delivered_; }

  /// When the last of them arrived, or the first left after a pause.
  [[nodiscard]] time_point delivered_at() const noexcept { return delivered_at_; }

  /// When the packet left that is the newest to have arrived.
  [[nodiscard]] time_point newest_sent() const noexcept { return newest_sent_; }

 private:
  std::uint64_t delivered_ = 0;
  time_point delivered_at_;
  time_point burst_started_;
  time_point newest_sent_;
  std::uint64_t app_limited_until_ = 0;
  std::uint64_t delivered_before_ = 0;
  duration interval_{-1};
  std::uint32_t bytes_ = 0;
  bool is_app_limited_ = false;
};

}  // namespace muster::soe
