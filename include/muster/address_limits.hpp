// SPDX-License-Identifier: MIT
// What strangers may use of a process, by the address that they come from.
#pragma once

#include <muster/address.hpp>
#include <muster/entropy.hpp>
#include <muster/export.hpp>
#include <muster/sip_hash.hpp>
#include <muster/time.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <system_error>

namespace muster {

/// Counts what each address holds or got wrong, in one table of fixed size that all loops of a
/// process share. No call locks, waits or allocates.
///
/// IPv4 counts by the whole address, IPv6 by its /64, which is what one subscriber has. The port is
/// ignored. An address of all zero (a peer in memory) is never limited.
///
///     if (!limits.may_create(peer, now) || !limits.take_room(peer)) return refuse();
///     // ... and when the room has ended
///     limits.give_room(peer);
///     if (!room.had_client()) limits.count_empty_room(peer, now);
///
/// **Rates.** A limit of N a minute allows N at once, and then one more every 60 s / N; that of new
/// connections allows at once what its rate allows in `connection_burst`. Asking and counting are
/// two steps, so each thread that is between them can add one.
///
/// **When the table is full.** A kind of count has `slots` words in lines of one cache line; an
/// address has its place in one line, which nobody without the seed can work out or aim at. If a
/// line is full:
/// - A room is granted and not counted. To fill the table one must hold that many rooms, which is
///   what a limit on all rooms is for; refusing would let the holder keep everybody else out.
/// - A failure or a connection is counted for the whole line: all addresses without a place in it
///   share a limit of 7 N. So no number of addresses gets more than `2 * slots * N` guesses a
///   minute out of a process; and to have somebody else refused, one must fill all lines, with
///   about as many failures a minute from more than `slots` addresses. What is forgiven leaves its
///   place at once.
///
/// Two addresses are taken for one with a chance of 2^-28 for each pair that shares a line.
/// @threads shared objects: safe
class MUSTER_API AddressLimits {
 public:
  struct Config {
    /// Words for each kind of count, 64 to 2^24 and a power of two; four kinds of 8 bytes. Four
    /// times the addresses that are expected at once leaves hardly a line full.
    std::size_t slots = 65'536;
    std::uint32_t max_rooms = 16;                 ///< held at once, up to 65535; 0: no limit
    std::uint32_t failed_tokens_per_minute = 10;  ///< up to 1000; 0: no limit
    std::uint32_t empty_rooms_per_minute = 10;    ///< up to 1000; 0: no limit
    std::uint32_t connections_per_second = 20;    ///< new ones, up to 1000; 0: no limit
    /// How many may come at once: what the rate allows in this time. 1 s to 30 s. The default lets
    /// 64 come back at once when a server was restarted.
    duration connection_burst = std::chrono::seconds{4};
  };

  /// @error errc::invalid_config   with the field's name in `problem`
  [[nodiscard]] static std::error_code validate(const Config& config, std::string& problem);

  /// @param config    valid
  /// @param entropy   where the seed is taken from; not kept
  AddressLimits(const Config& config, Entropy& entropy);

  /// Counts one more room. False, and nothing counted, if the address holds `max_rooms`.
  [[nodiscard]] bool take_room(const Address& address) noexcept;

  /// Gives one back: once for each `take_room` that returned true.
  void give_room(const Address& address) noexcept;

  /// Whether the address has failed less often than it may.
  [[nodiscard]] bool may_present_token(const Address& address, time_point now) const noexcept;
  void count_failed_token(const Address& address, time_point now) noexcept;

  /// Whether fewer rooms of the address than it may have ended without ever having had a client.
  [[nodiscard]] bool may_create(const Address& address, time_point now) const noexcept;
  void count_empty_room(const Address& address, time_point now) noexcept;

  /// Counts one more new connection. False, and nothing counted, if too many came of late.
  [[nodiscard]] bool take_connection(const Address& address, time_point now) noexcept;

 private:
  using Word = std::atomic<std::uint64_t>;
  struct alignas(64) Line {
    std::array<Word, 8> words{};
  };

  // The failures of one kind: each pushes the time at which all are forgiven a step further away.
  // New connections count the same way.
  class Rate {
   public:
    // `count` in `period` from each address; 0: no limit.
    Rate(std::size_t lines, std::uint32_t count, duration period, std::uint32_t burst);
    [[nodiscard]] bool allows(std::uint64_t hash, time_point now) const noexcept;
    void count(std::uint64_t hash, time_point now) noexcept;

   private:
    [[nodiscard]] Line& line_of(std::uint64_t hash) const noexcept;

    std::unique_ptr<Line[]> lines_;  // none without a limit
    std::uint64_t line_mask_;
    std::uint64_t step_;   // ticks that one failure takes to be forgiven
    std::uint64_t burst_;  // failures at once
  };

  [[nodiscard]] std::uint64_t hash_of(const Address& address) const noexcept;

  Config config_;
  SipKey seed_;
  std::unique_ptr<Line[]> rooms_;
  Rate tokens_;
  Rate empty_rooms_;
  Rate connections_;
};

}  // namespace muster
