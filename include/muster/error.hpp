// SPDX-License-Identifier: MIT
// The library's one list of error codes.
#pragma once

#include <muster/export.hpp>

#include <string_view>
#include <system_error>

namespace muster {

/// Why a call was not carried out, or a piece of input was not accepted. The numbers are stable:
/// they may be logged and compared between versions. `message()` is one readable sentence part.
enum class errc {
  // The call cannot be carried out now.
  closed = 1,          ///< the connection is closed or closing
  over_budget = 2,     ///< a queue is at its bound
  not_found = 3,       ///< no such connection, room or member
  already_exists = 4,  ///< the name is taken
  wrong_state = 5,     ///< not possible in this state
  limit_reached = 6,   ///< a configured maximum is reached
  invalid_config = 7,  ///< a configuration value is outside its documented range
  cancelled = 8,       ///< given up before it was finished
  timed_out = 9,       ///< a deadline passed

  // Bytes from outside are not what they should be.
  unexpected_end = 20,  ///< the input ends inside a field
  bad_varint = 21,      ///< a variable-length integer is too long or too large
  bad_bool = 22,        ///< a boolean is neither 0 nor 1
  bad_option = 23,      ///< an option tag is neither 0 nor 1
  bad_utf8 = 24,        ///< text is not valid UTF-8
  bad_value = 25,       ///< a field has a value outside its range
  too_large = 26,       ///< larger than the configured limit
  bad_syntax = 27,      ///< the input does not follow its grammar
  too_deep = 28,        ///< nested deeper than the configured limit

  // RFC 6455 framing.
  reserved_bits = 40,      ///< a reserved bit is set and no extension was negotiated
  reserved_opcode = 41,    ///< an opcode that RFC 6455 does not define
  bad_control_frame = 42,  ///< a control frame is fragmented or longer than 125 bytes
  bad_mask = 43,           ///< a client's frame is not masked, or a server's frame is
  bad_length = 44,         ///< a length is not in its shortest form, or has its top bit set
  bad_continuation = 45,   ///< a continuation without a start, or a start inside a message
  bad_close_code = 46,     ///< a close frame of one byte, or with a code that may not be sent

  // The opening handshake.
  not_websocket = 60,        ///< an HTTP request that asks for no upgrade
  unsupported_version = 61,  ///< a WebSocket version other than 13
  bad_handshake = 62,        ///< a handshake header is missing or wrong
  upgrade_refused = 63,      ///< the server answered, but not with 101
  origin_refused = 64,       ///< the page's origin is not on the list

  // Connecting.
  connect_failed = 80,     ///< the peer could not be reached
  name_not_resolved = 81,  ///< the host name has no address
};

/// The category of `errc`; its name is "muster".
[[nodiscard]] MUSTER_API const std::error_category& error_category() noexcept;

[[nodiscard]] inline std::error_code make_error_code(errc code) noexcept {
  return {static_cast<int>(code), error_category()};
}

/// The message of a code, without an allocation.
[[nodiscard]] MUSTER_API std::string_view to_string(errc code) noexcept;

}  // namespace muster

/// @cond
template <>
struct std::is_error_code_enum<muster::errc> : std::true_type {};
/// @endcond
