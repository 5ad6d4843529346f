// SPDX-License-Identifier: MIT
// A WebSocket URL, taken apart.
#pragma once

#include <muster/export.hpp>
#include <muster/result.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace muster {

/// The parts of ws://HOST[:PORT][/PATH][?QUERY] or wss://...
struct MUSTER_API Url {
  std::string scheme;      ///< "ws" or "wss"
  std::string host;        ///< lower case; an IPv6 address without its brackets
  std::uint16_t port = 0;  ///< 80 or 443 when the URL names none
  std::string target;      ///< path and query as sent in a request, never empty

  [[nodiscard]] bool is_secure() const noexcept { return scheme == "wss"; }

  /// What a Host header says: the host, and the port unless it is the scheme's default.
  [[nodiscard]] std::string authority() const;

  /// The target up to its first '?', and what follows that.
  [[nodiscard]] std::string_view path() const noexcept;
  [[nodiscard]] std::string_view query() const noexcept;

  friend bool operator==(const Url&, const Url&) = default;
};

inline constexpr std::size_t max_url_size = 8192;  ///< bytes

/// Reads a WebSocket URL, strictly: what it accepts can go into a request as it is.
///
/// Refused are user names, fragments, an empty or zero port, blanks, control characters and bytes
/// above 127, a '%' without two hexadecimal digits, and hosts that are neither a name of letters,
/// digits, '-', '_' and '.', nor an address. A host that ends in a number must be an IPv4 address.
/// @error errc::too_large    longer than `max_url_size`
/// @error errc::bad_syntax   not of that form
/// @error errc::bad_value    of that form, but another scheme, or a port or address out of range
/// @source RFC 6455 section 3; RFC 3986 sections 3.2 to 3.4
[[nodiscard]] MUSTER_API result<Url> parse_url(std::string_view text);

}  // namespace muster
