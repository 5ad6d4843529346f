// SPDX-License-Identifier: MIT
// One direction of a network that loses, delays and reorders datagrams, in virtual time.
#pragma once

#include <muster/bytes.hpp>
#include <muster/entropy.hpp>
#include <muster/export.hpp>
#include <muster/time.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace muster::memory {

/// Carries datagrams from one end to the other as a bad network does. Two of them join two protocol
/// ends in a test:
///
///     memory::DatagramLink link{{.seed = 7, .loss = 0.05, .delay = 50ms}};
///     link.send(datagram, now);
///     now = link.next_delivery();
///     while (auto arrived = link.receive(now)) receiver.process(*arrived, now);
///
/// A datagram first passes the bottleneck, if there is one: it waits in a queue in front of it, or
/// is dropped when the queue is full. Behind it, it may be lost, and what is not lost arrives after
/// the delay. A duplicate is made behind the bottleneck too, with a jitter of its own.
///
/// Everything is deterministic: the same calls and the same seed give the same deliveries, whatever
/// the compiler. Each kind of mishap has random numbers of its own: with duplicates switched on,
/// the same datagrams are lost as without. Without jitter and reordering the order is kept; what
/// arrives at the same time arrives in the order in which it was sent.
///
/// No call allocates once as many datagrams of that size have been under way before. What is under
/// way without a bottleneck is bounded only by what the sender sends within the delay.
/// @threads distinct objects: safe; shared objects: unsafe
class MUSTER_API DatagramLink {
 public:
  struct Config {
    std::uint64_t seed = 1;
    double loss = 0;                     ///< share of the datagrams that never arrive, 0 to 1
    double duplicate = 0;                ///< share of those not lost that arrive twice, 0 to 1
    duration delay{0};                   ///< one way, 0 to 1 h
    duration jitter{0};                  ///< up to this much more, at random and evenly, 0 to 1 h
    double reorder = 0;                  ///< share that is held back for `reorder_by`, 0 to 1
    duration reorder_by{0};              ///< 0 to 1 h
    std::uint64_t bytes_per_second = 0;  ///< of the bottleneck, 0: there is none; at most 10^12

    /// What may wait for the bottleneck, with what is not sent yet of the datagram that is in it; 1
    /// byte to 1 GiB. A datagram that finds the bottleneck idle passes whatever its size.
    std::size_t queue_bytes = 64 * 1024;

    /// What each datagram takes of the bottleneck and its queue beside its own bytes: by default
    /// the headers of IPv4 and UDP. At most 1024 bytes.
    std::size_t header_bytes = 28;
  };

  struct Stats {
    std::uint64_t sent = 0;             ///< datagrams given to `send`
    std::uint64_t dropped = 0;          ///< of them, those that found the queue full
    std::uint64_t lost = 0;             ///< of them, those that got lost behind it
    std::uint64_t duplicated = 0;       ///< copies made
    std::uint64_t delivered = 0;        ///< handed out, copies included
    std::uint64_t sent_bytes = 0;       ///< in datagrams, without `header_bytes`
    std::uint64_t delivered_bytes = 0;  ///< the same
  };

  /// @error errc::invalid_config   with the field's name in `problem`
  [[nodiscard]] static std::error_code validate(const Config& config, std::string& problem);

  /// @param config   valid
  explicit DatagramLink(const Config& config);

  /// Puts a datagram on its way.
  /// @param datagram   0 to 65,535 bytes, copied
  /// @param now        not before that of an earlier call
  void send(byte_view datagram, time_point now);

  /// When the next datagram arrives; `no_deadline` if none is under way.
  [[nodiscard]] time_point next_delivery() const noexcept;

  /// Takes the next datagram that has arrived by `now`; empty if there is none.
  /// @return its bytes, which the receiver may change; valid until the next call of `receive`
  [[nodiscard]] std::optional<mutable_byte_view> receive(time_point now) noexcept;

  /// Datagrams and copies that have not been handed out yet.
  [[nodiscard]] std::size_t under_way() const noexcept { return arrivals_.size(); }

  /// sent + duplicated = dropped + lost + delivered + `under_way()`.
  [[nodiscard]] const Stats& stats() const noexcept { return stats_; }

 private:
  struct Arrival {
    time_point at;
    std::uint64_t number;  // in the order of sending
    std::uint32_t buffer;
    // The standard heaps have the greatest in front: that is to be the next one.
    friend bool operator<(const Arrival& a, const Arrival& b) noexcept {
      return a.at != b.at ? a.at > b.at : a.number > b.number;
    }
  };

  // Whether something happens that happens to a share of all.
  class Chance {
   public:
    Chance(double share, std::uint64_t seed) noexcept;
    [[nodiscard]] bool strikes() noexcept;

   private:
    std::uint64_t threshold_;  // of 2^53
    SeededEntropy entropy_;
  };

  DatagramLink(const Config& config, SeededEntropy seeds);
  [[nodiscard]] std::optional<time_point> pass_bottleneck(std::size_t size,
                                                          time_point now) noexcept;
  void deliver(byte_view datagram, time_point sent_at);

  Config config_;
  Chance loss_;
  Chance duplicate_;
  Chance reorder_;
  SeededEntropy jitter_;

  time_point idle_at_ = time_point::min();  // when the bottleneck has sent all that waits
  std::uint64_t carry_ = 0;  // of the last division by the rate, so that no rounding adds up

  std::vector<Arrival> arrivals_;                // a heap, the next one first
  std::vector<std::vector<std::byte>> buffers_;  // one for each arrival, or free, or handed out
  std::vector<std::uint32_t> free_;              // with room for all of them
  std::optional<std::uint32_t> handed_out_;
  std::uint64_t next_number_ = 0;
  Stats stats_;
};

}  // namespace muster::memory
