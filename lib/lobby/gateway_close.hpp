// SPDX-License-Identifier: MIT
// What the end of a gateway's connection means for the match.
#pragma once

#include <muster/lobby/match_result.hpp>

#include <cstdint>
#include <string_view>

namespace muster::lobby {

/// What is to be done after a gateway closed.
struct GatewayVerdict {
  enum class Next : std::uint8_t {
    redial,       ///< as after any drop
    redial_once,  ///< once; if it closes so again, `outcome` is what it means
    redial_late,  ///< not before the longest delay: the server is being asked too often
    end,          ///< with `outcome`
  };
  Next next = Next::redial;
  Outcome outcome = Outcome::refused;
  std::string_view reason{};  ///< of the outcome; a word
};

/// @param code         the close code; 0: there was none
/// @param error_code   of the last `error` message on the connection; empty: there was none
/// @param has_ended    whether a close in good order came before, and no turn was answered since
/// @source             docs/protocol/lobby.md
[[nodiscard]] GatewayVerdict judge_gateway_close(std::uint16_t code, std::string_view error_code,
                                                 bool has_ended) noexcept;

}  // namespace muster::lobby
