// SPDX-License-Identifier: MIT
// The printable names of close reasons.
#include <muster/close_reason.hpp>

namespace muster {

std::string_view to_string(CloseReason reason) noexcept {
  switch (reason) {
    case CloseReason::none:
      return "none";
    case CloseReason::finished:
      return "finished";
    case CloseReason::connection_lost:
      return "connection_lost";
    case CloseReason::timed_out:
      return "timed_out";
    case CloseReason::refused:
      return "refused";
    case CloseReason::protocol_error:
      return "protocol_error";
    case CloseReason::too_large:
      return "too_large";
    case CloseReason::too_slow:
      return "too_slow";
    case CloseReason::kicked:
      return "kicked";
    case CloseReason::superseded:
      return "superseded";
    case CloseReason::room_closed:
      return "room_closed";
    case CloseReason::draining:
      return "draining";
    case CloseReason::connect_failed:
      return "connect_failed";
    case CloseReason::internal_error:
      return "internal_error";
  }
  return "unknown";
}

}  // namespace muster
