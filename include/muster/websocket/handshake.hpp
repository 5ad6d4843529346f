// SPDX-License-Identifier: MIT
// RFC 6455's opening handshake, both sides, without I/O.
#pragma once

#include <muster/bytes.hpp>
#include <muster/error.hpp>
#include <muster/export.hpp>
#include <muster/request.hpp>
#include <muster/result.hpp>
#include <muster/websocket/http_head.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace muster::websocket {

/// The most subprotocols that a request may offer.
inline constexpr std::size_t max_subprotocols = 16;

/// The value of a Sec-WebSocket-Key field: 16 random bytes in base64.
using HandshakeKey = std::array<char, 24>;

/// The value of a Sec-WebSocket-Accept field: a SHA-1 in base64.
using AcceptValue = std::array<char, 28>;

/// What a valid upgrade request asks for. The views point into the request's bytes.
struct UpgradeOffer {
  AcceptValue accept{};
  [[nodiscard]] std::span<const std::string_view> subprotocols() const noexcept {
    return std::span{subprotocols_}.first(subprotocol_count_);
  }

  std::array<std::string_view, max_subprotocols> subprotocols_{};  ///< in the client's order
  std::size_t subprotocol_count_ = 0;
};

/// Whether a request was accepted, or how it is to be answered.
struct UpgradeCheck {
  errc error{};  ///< none: the request is valid
  unsigned status =
      101;  ///< 101; else 400, 405 (say "Allow: GET") or 426 ("Sec-WebSocket-Version: 13")

  [[nodiscard]] explicit operator bool() const noexcept { return error == errc{}; }
};

/// Whether the request wants to become a WebSocket at all: its Upgrade field names one.
[[nodiscard]] MUSTER_API bool asks_for_websocket(const RequestHead& head) noexcept;

/// Checks a client's request and computes the answer to its key.
///
/// Says nothing about path, origin or subprotocol: which of them are welcome is the caller's
/// business.
/// @error errc::not_websocket        405: not a GET; 400: no "Upgrade: websocket"; 426: HTTP/1.0
/// @error errc::unsupported_version  426: a version other than 13
/// @error errc::bad_handshake        400: another field is missing or wrong, or the request has a
/// body
/// @source RFC 6455 sections 4.2.1, 4.2.2 and 4.4
[[nodiscard]] MUSTER_API UpgradeCheck check_upgrade(const RequestHead& head,
                                                    UpgradeOffer& out) noexcept;

/// Room that `write_upgrade_response` needs.
[[nodiscard]] constexpr std::size_t upgrade_response_size(std::string_view subprotocol) noexcept {
  return 129 + (subprotocol.empty() ? 0 : 26 + subprotocol.size());
}

/// Writes the 101 response.
/// @param out          at least `upgrade_response_size(subprotocol)` bytes
/// @param subprotocol  one of those offered, or empty for none
/// @return             the response's size; 0 if it has no room, or the subprotocol is no token
MUSTER_API std::size_t write_upgrade_response(mutable_byte_view out, const AcceptValue& accept,
                                              std::string_view subprotocol = {}) noexcept;

/// What a client asks for.
struct ClientHandshake {
  std::string_view host;          ///< of the Host field, with the port if it is not the scheme's
  std::string_view target = "/";  ///< path and query, percent-encoded
  std::string_view origin{};  ///< empty: no Origin field, as befits a program that is no browser
  std::span<const std::string_view> subprotocols{};  ///< by preference; at most `max_subprotocols`
  std::span<const HeaderField> headers{};            ///< besides those of the handshake
};

/// Writes 16 random bytes as a key.
/// @param random  new for each connection, and not to be guessed (RFC 6455 section 4.1)
[[nodiscard]] MUSTER_API HandshakeKey
make_handshake_key(std::span<const std::byte, 16> random) noexcept;

/// The client's request.
/// @error errc::bad_value    a part that would break the request: control characters, a target that
/// does
///                           not begin with '/', a subprotocol that is no token or is named twice,
///                           a header of the handshake among the others
/// @source RFC 6455 section 4.1
[[nodiscard]] MUSTER_API result<std::string> make_upgrade_request(const ClientHandshake& handshake,
                                                                  const HandshakeKey& key);

/// Checks the server's answer.
/// @param offered   the subprotocols of the request
/// @return          the subprotocol that the server chose; empty if none. Points into the head
/// @error errc::upgrade_refused  the status is not 101
/// @error errc::bad_handshake    the answer does not belong to the key, or accepts what was not
/// offered
/// @source RFC 6455 section 4.1
[[nodiscard]] MUSTER_API result<std::string_view> check_upgrade_response(
    const ResponseHead& head, const HandshakeKey& key,
    std::span<const std::string_view> offered = {}) noexcept;

}  // namespace muster::websocket
