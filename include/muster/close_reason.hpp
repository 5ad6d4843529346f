// SPDX-License-Identifier: MIT
// Who ended a connection, and why.
#pragma once

#include <muster/export.hpp>

#include <cstdint>
#include <string_view>

namespace muster {

/// Why a connection ended. The numbers are stable; metrics use the names of `to_string`.
enum class CloseReason : std::uint8_t {
  none = 0,             ///< it has not ended
  finished = 1,         ///< in good order: its purpose is fulfilled, or its owner left
  connection_lost = 2,  ///< the transport ended without a close
  timed_out = 3,        ///< a deadline passed: upgrade, first message, idle, write
  refused = 4,          ///< the upgrade or the first message was not accepted
  protocol_error = 5,   ///< bytes that the protocol forbids
  too_large = 6,        ///< a message above the limit
  too_slow = 7,         ///< it did not take what was sent to it
  kicked = 8,           ///< removed by the host or an operator
  superseded = 9,       ///< the same participant connected again
  room_closed = 10,     ///< its room ended
  draining = 11,        ///< this process is going away
  connect_failed = 12,  ///< it never opened
  internal_error = 13,  ///< a fault of this program
};

/// The reason's stable name, for example "timed_out".
[[nodiscard]] MUSTER_API std::string_view to_string(CloseReason reason) noexcept;

/// How a connection ended, as `Service::on_close` gets it.
struct CloseInfo {
  CloseReason reason = CloseReason::none;
  bool by_peer = false;     ///< the peer or the network ended it, not this program
  std::uint16_t code = 0;   ///< the protocol's close code; 0: none was exchanged
  std::string_view text{};  ///< the close frame's reason text; valid during the call only
};

}  // namespace muster
