// SPDX-License-Identifier: MIT
// What a session has under way: round trips, losses, when to send again.
#pragma once

#include <muster/soe/config.hpp>
#include <muster/time.hpp>

#include <cstddef>
#include <cstdint>

#include "delivery_rate.hpp"
#include "pacer.hpp"
#include "packet_pool.hpp"
#include "round_trip.hpp"

namespace muster::soe {

/// Loss recovery of one session, over all its channels.
///
/// A packet is lost when one that left later has been acknowledged and it itself is older than a
/// round trip and a reordering window (RFC 8985); what is not acknowledged after a round trip and
/// twice its deviation is probed; a timeout (RFC 6298) is the last resort. Round trips are taken
/// from packets that were sent once, and from others when it cannot be the repetition that was
/// acknowledged.
///
/// Few packets under way are a game's, and the next ones wait for each of them: they are probed one
/// by one, and what is repeated is repeated once more. Many are a bulk, where later ones tell soon
/// enough.
///
/// After each call that is not const, send while there is something to send and `may_send`, what is
/// lost first; then sleep until `next_deadline`, and `advance`.
class Recovery {
 public:
  Recovery(const Config& config, std::size_t datagram_size, time_point now) noexcept;

  // Sending.

  /// A packet leaves: for the first time, or again, being `first_lost`.
  /// @param is_app_limited   nothing else waits to be sent: what is measured now is the application
  void on_sent(Packet& packet, time_point now, bool is_app_limited) noexcept;

  /// It rides along with a later packet, whether it is under way or lost.
  void on_ride(Packet& packet, time_point now) noexcept;

  /// It leaves again, lost or not, so that its acknowledgement shows what is missing before it.
  void on_asked(Packet& packet, time_point now) noexcept;

  /// What is to be sent again, most urgent first; it stays there until it is sent or acknowledged.
  /// Its state need not be `lost`: what a thin stream repeats for safety still is under way.
  [[nodiscard]] Packet* first_lost() const noexcept {
    if (is_echo_due_) return echo_;
    return lost_again_.is_empty() ? lost_.first() : lost_again_.first();
  }

  /// Whether a packet may leave now: by the pace, or as a probe.
  [[nodiscard]] bool may_send(time_point now) const noexcept;

  // Acknowledgements: `on_acknowledged` for each packet, then once `finish_acknowledgements`.

  /// A packet has arrived. It is in no list of this any more; its owner gives it back.
  void on_acknowledged(Packet& packet, time_point now) noexcept;

  /// Everything that one datagram or batch acknowledged has been told: samples, losses, pace. Does
  /// nothing if that was nothing.
  void finish_acknowledgements(time_point now) noexcept;

  /// A packet that will never be sent again (its session ends).
  void forget(Packet& packet) noexcept;

  // Time.

  /// Does what is due: marks packets as lost, or allows a probe.
  void advance(time_point now) noexcept;

  /// When `advance` or `may_send` has something new; may be earlier than needed. Never later, but
  /// that the pace is asked again when a burst of about a millisecond may leave.
  /// @param has_more   something waits to be sent for the first time, and would be if `may_send`
  [[nodiscard]] time_point next_deadline(bool has_more) const noexcept;

  // State.

  [[nodiscard]] bool is_idle() const noexcept {
    return in_flight_.is_empty() && first_lost() == nullptr;
  }
  [[nodiscard]] std::size_t bytes_in_flight() const noexcept { return bytes_in_flight_; }
  [[nodiscard]] std::size_t packets_in_flight() const noexcept { return packets_in_flight_; }

  /// Share of datagrams that get lost, 0 to 1, of late: what redundancy is chosen by. Counts
  /// packets that were marked as lost, and packets that only a ride brought there.
  [[nodiscard]] double loss() const noexcept { return static_cast<double>(loss_); }

  struct Stats {
    duration smoothed_rtt{};  // zero: none yet
    duration rtt_variation{};
    duration min_rtt{};
    duration rto{};
    std::uint64_t sent = 0;  // packets, repeated ones included
    std::uint64_t resent = 0;
    std::uint64_t lost = 0;  // marked as lost
    std::uint64_t probes = 0;
    std::uint64_t timeouts = 0;
    std::uint64_t acknowledged = 0;
  };
  [[nodiscard]] Stats stats() const noexcept;

  /// How often nothing was acknowledged in time: probes and timeouts.
  [[nodiscard]] std::uint32_t silences() const noexcept { return probe_count_ + timeout_count_; }
  [[nodiscard]] const Pacer& pacer() const noexcept { return pacer_; }

 private:
  [[nodiscard]] PacketList& list_of(const Packet& packet) noexcept;
  void take_out(Packet& packet) noexcept;
  void mark_lost(Packet& packet, time_point now) noexcept;
  void detect_losses(time_point now) noexcept;
  void probe(time_point now) noexcept;
  void time_out(time_point now) noexcept;
  void send_echo(Packet& packet, time_point now) noexcept;
  void count_outcome(bool is_loss) noexcept;

  [[nodiscard]] bool is_thin() const noexcept;
  [[nodiscard]] duration loss_delay() const noexcept;
  [[nodiscard]] duration reordering_window() const noexcept;
  [[nodiscard]] time_point oldest_sent() const noexcept;
  [[nodiscard]] time_point probe_deadline() const noexcept;
  [[nodiscard]] time_point echo_deadline() const noexcept;
  [[nodiscard]] time_point timeout_deadline() const noexcept;

  // Lengths of time that one batch tells, in half of the memory.
  using Age = std::chrono::duration<float, std::nano>;
  static constexpr Age none{-1};

  PacketList in_flight_;   // in order of sending
  PacketList lost_;        // sent once, in the same order
  PacketList lost_again_;  // sent more than once: they hold up everything behind them
  Pacer pacer_;
  DeliveryRate delivery_rate_;
  RoundTrip round_trip_;
  Packet* echo_ = nullptr;                  // was sent again, and will be once more in a moment
  time_point starved_since_ = no_deadline;  // since when nothing acknowledged was a sample
  std::uint64_t sent_ = 0;
  std::uint64_t resent_ = 0;
  std::uint64_t marked_lost_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::uint32_t probe_count_ = 0;
  std::uint32_t timeout_count_ = 0;
  std::uint32_t bytes_in_flight_ = 0;
  std::uint32_t packets_in_flight_ = 0;
  Age batch_sample_ = none;  // since the newest packet left whose round trip is known
  Age batch_any_ = none;     // since the newest packet left for the first time
  Age batch_oldest_ = none;  // since the oldest packet left for the last time; none: no batch
  float loss_ = 0;
  std::uint8_t outcomes_;       // that `loss_` is made of, up to the number that it forgets after
  std::uint8_t reordering_;     // window for it, in sixteenths of the usual one
  std::uint8_t probes_ = 0;     // since the last acknowledgement
  std::uint8_t allowance_ = 0;  // packets that leave whatever the pace
  std::uint8_t backoff_ = 0;    // doublings of the timeout
  bool is_echo_due_ = false;
};

}  // namespace muster::soe
