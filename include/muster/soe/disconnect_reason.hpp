// SPDX-License-Identifier: MIT
// Why an SOE session ended, as its Disconnect packet says it.
#pragma once

#include <muster/export.hpp>

#include <cstdint>
#include <string_view>

namespace muster::soe {

/// The numbers are those on the wire.
enum class DisconnectReason : std::uint16_t {
  none = 0,
  icmp_error = 1,              ///< the network says that the peer cannot be reached
  timeout = 2,                 ///< nothing came from the peer for too long
  other_side_terminated = 3,   ///< the peer ended it and did not say why
  manager_deleted = 4,         ///< the program at the other end is going away
  connect_fail = 5,            ///< no answer to the session request
  application = 6,             ///< the application wanted it
  unreachable_connection = 7,  ///< the peer has no such session
  unacknowledged_timeout = 8,  ///< the oldest reliable packet was not acknowledged for too long
  new_connection_attempt = 9,  ///< the same address asked for another session
  connection_refused = 10,     ///< do not try again
  connect_error = 11,          ///< a session request where none was expected
  connecting_to_self = 12,     ///< client met client, or server server; do not try again
  reliable_overflow = 13,      ///< too much reliable data waits
  application_released = 14,   ///< the application let go of it
  corrupt_packet = 15,         ///< bytes that the protocol forbids
  protocol_mismatch = 16,      ///< another version, or another application's protocol
};

/// The reason's stable name, for example "corrupt_packet"; "unknown" for a number without one.
[[nodiscard]] MUSTER_API std::string_view to_string(DisconnectReason reason) noexcept;

/// The reason with this number; `none` if there is none.
[[nodiscard]] MUSTER_API DisconnectReason to_disconnect_reason(std::uint16_t number) noexcept;

}  // namespace muster::soe
