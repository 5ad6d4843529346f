// SPDX-License-Identifier: MIT
// What a multiplexer counts: what was dropped and why, and how its sessions fare.
#pragma once

#include <muster/export.hpp>
#include <muster/time.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace muster::soe {

/// Why a datagram, or a part of one, was not used.
enum class Drop : std::uint8_t {
  empty,                ///< no byte, or only one
  too_long,             ///< longer than our own `udp_length` and than 2048 bytes
  too_short,            ///< shorter than its kind has to be
  unknown_kind,         ///< an op code that the protocol does not have, or not there
  bad_checksum,         ///< damaged, or forged
  bad_compression,      ///< no zlib stream, or one that is too large
  no_session,           ///< from a stranger
  wrong_state,          ///< not expected in this state or role
  wrong_id,             ///< names another session
  not_admitted,         ///< a request that the rules or the application refused
  too_many_requests,    ///< a request above the limits
  bad_request,          ///< a request or response with values out of range
  too_far,              ///< a sequence beyond the window
  never_sent,           ///< an acknowledgement of what was never sent
  no_memory,            ///< over the reassembly budget
  unreliable_disabled,  ///< unreliable data, which the configuration does not take
  late,                 ///< an ordered message that a newer one has overtaken
  not_polled,           ///< events of the last datagrams are still waiting to be polled
};
inline constexpr std::size_t drop_count = 18;

[[nodiscard]] MUSTER_API std::string_view to_string(Drop drop) noexcept;

/// Of a whole multiplexer, since its start.
struct Totals {
  std::uint64_t datagrams_received = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t datagrams_sent = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t messages_sent = 0;
  std::uint64_t sessions_opened = 0;
  std::uint64_t sessions_closed = 0;
  std::uint64_t half_open_evicted = 0;  ///< made room for newer ones
  std::array<std::uint64_t, drop_count> drops{};

  [[nodiscard]] std::uint64_t dropped(Drop drop) const noexcept {
    return drops[static_cast<std::size_t>(drop)];
  }
};

/// Of one session.
struct SessionStats {
  std::uint32_t udp_length = 0;  ///< largest datagram that is sent to the peer
  duration smoothed_rtt{};       ///< zero: not measured yet
  duration rtt_variation{};
  duration min_rtt{};
  duration rto{};
  double loss = 0;              ///< share of datagrams to the peer that get lost, of late
  double bytes_per_second = 0;  ///< what the pace allows; 0: no limit
  std::size_t window = 0;       ///< bytes that the pace allows under way
  std::size_t bytes_in_flight = 0;
  std::size_t queued_bytes = 0;  ///< memory held by what waits or is under way
  std::uint64_t datagrams_received = 0;
  std::uint64_t datagrams_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t packets_sent = 0;  ///< reliable, repeated ones included
  std::uint64_t packets_resent = 0;
  std::uint64_t packets_lost = 0;  ///< marked as lost
  std::uint64_t probes = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t duplicates_received = 0;
  std::uint64_t bad_checksums = 0;

  // By net status: what the peer said last. Zero until then.
  std::uint64_t peer_sent = 0;
  std::uint64_t peer_received = 0;
};

}  // namespace muster::soe
