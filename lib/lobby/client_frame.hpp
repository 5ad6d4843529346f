// SPDX-License-Identifier: MIT
// The messages that a bot sends.
#pragma once

#include <muster/lobby/call.hpp>
#include <muster/lobby/config.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace muster::lobby {

/// What a server takes at most, in bytes.
inline constexpr std::size_t max_client_frame = 4096;

/// The one version of the protocol that there is.
inline constexpr std::string_view protocol_version = "1.0";

/// The subprotocol that says: the next one is the token.
inline constexpr std::string_view token_subprotocol = "chipzen-bot-token";

[[nodiscard]] std::string lobby_authenticate(const Token& token);
[[nodiscard]] std::string gateway_authenticate(std::string_view match_id);
[[nodiscard]] std::string gateway_hello(std::string_view match_id, const Config& config);

/// @param request_id   JSON
/// @param action       its parameters are a JSON object
[[nodiscard]] std::string turn_action(std::string_view match_id, std::string_view request_id,
                                      const Action& action);

[[nodiscard]] std::string gateway_pong(std::string_view match_id);
inline constexpr std::string_view lobby_pong = R"({"type":"pong"})";

}  // namespace muster::lobby
