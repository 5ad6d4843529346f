// SPDX-License-Identifier: MIT
// The PROXY protocol's header, in which a proxy says whose connection it passes on.
#pragma once

#include <muster/address.hpp>
#include <muster/bytes.hpp>
#include <muster/export.hpp>
#include <muster/websocket/http_head.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace muster::websocket {

/// Which header a listener expects in front of each connection.
enum class ProxyProtocol : std::uint8_t {
  none,   ///< none: such a header is a malformed request
  v1_v2,  ///< one of version 1 (a line of text) or version 2 (binary)
};

/// The longest line of version 1, with its CR LF.
inline constexpr std::size_t max_proxy_line = 107;

/// The longest header of version 2 that is taken: 16 bytes, the largest addresses there are, and
/// about 300 bytes of further fields. Version 2 itself allows 64 KiB.
inline constexpr std::size_t max_proxy_header = 536;

struct ProxyHeader {
  /// Who connected to the proxy. None if the proxy speaks for itself (LOCAL: it looks whether we
  /// are there), or for somebody without an IP address (UNKNOWN, UNSPEC, a Unix socket).
  std::optional<Address> source{};
};

/// Parses the header at the start of `input`. Further fields of version 2 (TLVs) are skipped.
///
/// Says as early as possible that something is no header, so that whoever speaks another protocol
/// is not waited for.
/// @param input   all bytes received so far; `max_proxy_header` of them are enough to decide
/// @param out     complete only when the result says so
/// @error  errc::bad_syntax   it begins, or goes on, like neither version
/// @error  errc::bad_value    a protocol, command or address that is none, or not one of streams
/// @error  errc::too_large    longer than the limits above
/// @source HAProxy, "The PROXY protocol, Versions 1 & 2", sections 2.1 and 2.2
[[nodiscard]] MUSTER_API HeadResult parse_proxy_header(byte_view input, ProxyHeader& out) noexcept;

}  // namespace muster::websocket
