// SPDX-License-Identifier: MIT
// The stable names of outcomes, stop reasons and events.
#include <muster/lobby/event.hpp>
#include <muster/lobby/match_result.hpp>

namespace muster::lobby {

std::string_view to_string(Outcome outcome) noexcept {
  switch (outcome) {
    case Outcome::completed:
      return "completed";
    case Outcome::abandoned:
      return "abandoned";
    case Outcome::refused:
      return "refused";
    case Outcome::ended_elsewhere:
      return "ended_elsewhere";
    case Outcome::cancelled:
      return "cancelled";
    case Outcome::failed:
      return "failed";
  }
  return "unknown";
}

std::string_view to_string(StopReason reason) noexcept {
  switch (reason) {
    case StopReason::none:
      return "none";
    case StopReason::max_matches:
      return "max_matches";
    case StopReason::stopped:
      return "stopped";
    case StopReason::evicted:
      return "evicted";
    case StopReason::connect_failed:
      return "connect_failed";
    case StopReason::lobby_unstable:
      return "lobby_unstable";
    case StopReason::lobby_lost:
      return "lobby_lost";
    case StopReason::auth_failed:
      return "auth_failed";
    case StopReason::token_revoked:
      return "token_revoked";
    case StopReason::handler_failed:
      return "handler_failed";
  }
  return "unknown";
}

std::string_view to_string(EventKind kind) noexcept {
  switch (kind) {
    case EventKind::connected:
      return "connected";
    case EventKind::lobby_closed:
      return "lobby_closed";
    case EventKind::lobby_heartbeat_timeout:
      return "lobby_heartbeat_timeout";
    case EventKind::backing_off:
      return "backing_off";
    case EventKind::evicted:
      return "evicted";
    case EventKind::malformed_matched:
      return "malformed_matched";
    case EventKind::untrusted_gateway:
      return "untrusted_gateway";
    case EventKind::duplicate_match_ignored:
      return "duplicate_match_ignored";
    case EventKind::match_declined:
      return "match_declined";
    case EventKind::connect_failed:
      return "connect_failed";
    case EventKind::handshake_failed:
      return "handshake_failed";
    case EventKind::malformed_frame:
      return "malformed_frame";
    case EventKind::unknown_frame:
      return "unknown_frame";
    case EventKind::frame_too_large:
      return "frame_too_large";
    case EventKind::closed_before_hello:
      return "closed_before_hello";
    case EventKind::subprotocol_not_echoed:
      return "subprotocol_not_echoed";
    case EventKind::subprotocol_wrong:
      return "subprotocol_wrong";
    case EventKind::protocol_error:
      return "protocol_error";
    case EventKind::match_started:
      return "match_started";
    case EventKind::match_dropped:
      return "match_dropped";
    case EventKind::match_resumed:
      return "match_resumed";
    case EventKind::match_id_mismatch:
      return "match_id_mismatch";
    case EventKind::sequence_gap:
      return "sequence_gap";
    case EventKind::error_frame:
      return "error_frame";
    case EventKind::turn_expired:
      return "turn_expired";
    case EventKind::turn_deadline_fallback:
      return "turn_deadline_fallback";
    case EventKind::illegal_action_replaced:
      return "illegal_action_replaced";
    case EventKind::action_too_large:
      return "action_too_large";
    case EventKind::no_legal_action:
      return "no_legal_action";
    case EventKind::handler_error:
      return "handler_error";
    case EventKind::rejection_unanswered:
      return "rejection_unanswered";
    case EventKind::frame_dropped:
      return "frame_dropped";
  }
  return "unknown";
}

}  // namespace muster::lobby
