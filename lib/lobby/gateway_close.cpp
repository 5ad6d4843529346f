// SPDX-License-Identifier: MIT
// The table of a gateway's close codes.
#include "gateway_close.hpp"

namespace muster::lobby {

GatewayVerdict judge_gateway_close(std::uint16_t code, std::string_view error_code,
                                   bool has_ended) noexcept {
  using Next = GatewayVerdict::Next;
  switch (code) {
    case 1000:
      return {Next::redial_once, Outcome::ended_elsewhere, "closed"};
    case 4001:
      return {Next::end, Outcome::refused, "auth_failed"};
    case 4002:  // no executor yet, or any more; or the game is not supported, as an error said
      if (!error_code.empty()) return {Next::end, Outcome::refused, error_code};
      if (has_ended) return {Next::end, Outcome::ended_elsewhere, "match_not_found"};
      return {};
    case 4003:
      return {Next::end, Outcome::refused, "match_full"};
    case 4005:
      return {Next::end, Outcome::ended_elsewhere, "match_ended"};
    case 4006:
      return {Next::end, Outcome::refused, "participant_not_found"};
    case 4009:
      return {Next::redial_late, Outcome::refused, "rate_limit_exceeded"};
    case 4010:
      return {Next::end, Outcome::abandoned, "reconnect_expired"};
    case 4011:
      if (error_code == "duplicate_participant") return {Next::end, Outcome::refused, error_code};
      if (error_code == "grace_expired" || error_code == "budget_exhausted") {
        return {Next::end, Outcome::abandoned, error_code};
      }
      return {Next::redial_once, Outcome::refused, "server_error"};
    case 4012:
      return {Next::end, Outcome::refused, "responsible_gaming"};
    case 4013:
      return {Next::end, Outcome::refused, "protocol_mismatch"};
    default:  // drops, restarts, a handshake that took too long, and what is not known
      return {};
  }
}

}  // namespace muster::lobby
