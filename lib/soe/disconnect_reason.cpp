// SPDX-License-Identifier: MIT
// The printable names of disconnect reasons.
#include <muster/soe/disconnect_reason.hpp>

namespace muster::soe {

std::string_view to_string(DisconnectReason reason) noexcept {
  switch (reason) {
    case DisconnectReason::none:
      return "none";
    case DisconnectReason::icmp_error:
      return "icmp_error";
    case DisconnectReason::timeout:
      return "timeout";
    case DisconnectReason::other_side_terminated:
      return "other_side_terminated";
    case DisconnectReason::manager_deleted:
      return "manager_deleted";
    case DisconnectReason::connect_fail:
      return "connect_fail";
    case DisconnectReason::application:
      return "application";
    case DisconnectReason::unreachable_connection:
      return "unreachable_connection";
    case DisconnectReason::unacknowledged_timeout:
      return "unacknowledged_timeout";
    case DisconnectReason::new_connection_attempt:
      return "new_connection_attempt";
    case DisconnectReason::connection_refused:
      return "connection_refused";
    case DisconnectReason::connect_error:
      return "connect_error";
    case DisconnectReason::connecting_to_self:
      return "connecting_to_self";
    case DisconnectReason::reliable_overflow:
      return "reliable_overflow";
    case DisconnectReason::application_released:
      return "application_released";
    case DisconnectReason::corrupt_packet:
      return "corrupt_packet";
    case DisconnectReason::protocol_mismatch:
      return "protocol_mismatch";
  }
  return "unknown";
}

DisconnectReason to_disconnect_reason(std::uint16_t number) noexcept {
  return number <= static_cast<std::uint16_t>(DisconnectReason::protocol_mismatch)
             ? static_cast<DisconnectReason>(number)
             : DisconnectReason::none;
}

}  // namespace muster::soe
