// SPDX-License-Identifier: MIT
// The close codes of RFC 6455, and which of them a Close frame may carry.
#pragma once

#include <cstdint>

/// @source RFC 6455 section 7.4.1 and the IANA registry that it founds
namespace muster::websocket::close_code {

inline constexpr std::uint16_t none = 0;           ///< ours: a Close frame without a code
inline constexpr std::uint16_t normal = 1000;      ///< its purpose is fulfilled
inline constexpr std::uint16_t going_away = 1001;  ///< a server shuts down, a page is left
inline constexpr std::uint16_t protocol_error = 1002;
inline constexpr std::uint16_t unsupported_data = 1003;  ///< a kind of data that is not accepted
inline constexpr std::uint16_t no_status = 1005;         ///< never in a frame: there was no code
inline constexpr std::uint16_t abnormal = 1006;          ///< never in a frame: there was no Close
inline constexpr std::uint16_t invalid_payload = 1007;   ///< a text that is not UTF-8
inline constexpr std::uint16_t policy_violation = 1008;
inline constexpr std::uint16_t message_too_big = 1009;
inline constexpr std::uint16_t mandatory_extension = 1010;  ///< a client's only
inline constexpr std::uint16_t internal_error = 1011;
inline constexpr std::uint16_t service_restart = 1012;
inline constexpr std::uint16_t try_again_later = 1013;
inline constexpr std::uint16_t bad_gateway = 1014;
inline constexpr std::uint16_t tls_handshake = 1015;  ///< never in a frame

/// Whether a Close frame that carries this code is acceptable.
///
/// 1004, 1005, 1006 and 1015 are reserved or never sent, 1016 to 2999 are for future standards, and
/// nothing else below 3000 or above 4999 is defined.
[[nodiscard]] constexpr bool may_be_received(std::uint16_t code) noexcept {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

/// Whether this side may put the code in a Close frame.
/// @param is_server   a server never sends 1010, which asks a server for an extension
[[nodiscard]] constexpr bool may_be_sent(std::uint16_t code, bool is_server) noexcept {
  return may_be_received(code) && !(is_server && code == mandatory_extension);
}

}  // namespace muster::websocket::close_code
