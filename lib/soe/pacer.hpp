// SPDX-License-Identifier: MIT
// How much of a session may be under way at once, and how fast it leaves.
#pragma once

#include <muster/soe/config.hpp>
#include <muster/time.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

namespace muster::soe {

/// What the acknowledgements of one datagram taught about the path.
struct DeliverySample {
  std::uint64_t bytes = 0;             // newly acknowledged
  std::uint64_t delivered = 0;         // of the session, in all, after it
  double bytes_per_second = 0;         // delivery rate over the last flight; 0: no sample
  duration round_trip{};               // of the newest packet; zero: no sample
  duration smoothed_round_trip{};      // zero: not known
  bool is_app_limited = false;         // the rate is a lower bound only
  std::uint64_t delivered_before = 0;  // when the newest packet left: a round is over when this is
                                       // at least what `delivered` was when the round began
  std::size_t in_flight = 0;           // bytes, after it
};

/// One of `Pacing`'s policies, for one session. Bytes are those of datagrams.
///
/// The model is BBR's (draft-cardwell-iccrg-bbr-congestion-control): what a path can do is the
/// largest delivery rate of the last rounds and the shortest round trip of the last seconds, and
/// not what losses say. So packets that get lost at random cost their own repetition and no more.
class Pacer {
 public:
  Pacer(const Config& config, std::size_t datagram_size, time_point now) noexcept;

  /// Whether a datagram may leave now. With the model never false while fewer than eight packets
  /// are under way: what is sent seldom is not delayed.
  [[nodiscard]] bool may_send(time_point now, std::size_t bytes_in_flight,
                              std::size_t packets_in_flight) const noexcept;

  /// When to ask again if `may_send` is false and nothing else happens; `no_deadline`: only after
  /// an acknowledgement. It is the time at which a whole burst may leave, about a millisecond after
  /// the first of its packets could: timers are not finer, and a burst is one system call.
  [[nodiscard]] time_point next_send(std::size_t bytes_in_flight,
                                     std::size_t packets_in_flight) const noexcept;

  /// Whether the pace, and not the application, is what limits: then nothing rides along.
  [[nodiscard]] bool is_limiting(time_point now, std::size_t bytes_in_flight,
                                 std::size_t packets_in_flight) const noexcept {
    return !may_send(now, bytes_in_flight, packets_in_flight);
  }

  void on_sent(time_point now, std::size_t bytes, std::size_t bytes_in_flight) noexcept;
  void on_delivery(time_point now, const DeliverySample& sample) noexcept;
  void on_loss(time_point now, std::size_t bytes) noexcept;

  /// Nothing was acknowledged for a whole timeout.
  void on_timeout(time_point now) noexcept;

  /// Bytes that may be under way; of a policy without such a bound, SIZE_MAX.
  [[nodiscard]] std::size_t window() const noexcept;

  /// 0: as fast as possible.
  [[nodiscard]] double bytes_per_second() const noexcept;

 private:
  // What the model is after.
  enum class Phase : std::uint8_t {
    startup,     // doubles the rate each round, until it grows no more
    drain,       // lets the queue go that the start left
    probe_up,    // a round with a quarter more: is there more?
    probe_down,  // until the queue that this made is gone
    cruise,      // at the measured rate
    probe_base,  // with half a window: do packets still take longer, without a queue of ours?
  };

  [[nodiscard]] duration most_credit() const noexcept;
  [[nodiscard]] double rate() const noexcept;
  [[nodiscard]] std::size_t product() const noexcept;
  void end_round(const DeliverySample& sample) noexcept;
  [[nodiscard]] bool has_queue() const noexcept;
  void enter(Phase phase) noexcept;
  void update() noexcept;

  time_point next_send_;          // when all that has left is paid for
  std::uint64_t round_end_ = 0;   // the round ends with a packet that left when so much had arrived
  std::array<float, 3> rates_{};  // the largest of the running 4 rounds, and of the 4 and 4 before
  float nanoseconds_per_byte_ = 0;
  float round_rate_ = 0;           // the largest of this round
  float full_rate_ = 0;            // startup: what a round has to exceed by a quarter
  float random_loss_ = 0;          // share that got lost in the last round without a queue
  std::uint32_t lost_ = 0;         // bytes, this round
  std::uint32_t base_ = 0;         // usual round trip without our queue, microseconds; 0: unknown
  std::uint32_t round_least_ = 0;  // smallest of this round, microseconds
  std::uint32_t window_ = 0;       // of a fixed window: while it grows after a timeout; 0: no limit
  std::uint16_t datagram_;
  Pacing policy_;
  Phase phase_ = Phase::startup;
  std::uint8_t rounds_in_phase_ = 0;
  std::uint8_t rounds_in_rates_ = 0;
  std::uint8_t rounds_without_growth_ = 0;
  std::uint8_t samples_ = 0;  // round trips in this round, up to 255
  std::uint8_t rounds_with_queue_ = 0;
  bool is_after_timeout_ = false;
};

}  // namespace muster::soe
