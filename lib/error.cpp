// SPDX-License-Identifier: MIT
// The printable messages of `errc`.
#include <muster/error.hpp>

#include <string>

namespace muster {

std::string_view to_string(errc code) noexcept {
  switch (code) {
    case errc::closed:
      return "the connection is closed";
    case errc::over_budget:
      return "the queue is at its bound";
    case errc::not_found:
      return "not found";
    case errc::already_exists:
      return "already exists";
    case errc::wrong_state:
      return "not possible in this state";
    case errc::limit_reached:
      return "a configured maximum is reached";
    case errc::invalid_config:
      return "a configuration value is outside its range";
    case errc::cancelled:
      return "cancelled";
    case errc::timed_out:
      return "the deadline passed";
    case errc::unexpected_end:
      return "the input ends inside a field";
    case errc::bad_varint:
      return "a variable-length integer is too long or too large";
    case errc::bad_bool:
      return "a boolean is neither 0 nor 1";
    case errc::bad_option:
      return "an option tag is neither 0 nor 1";
    case errc::bad_utf8:
      return "the text is not valid UTF-8";
    case errc::bad_value:
      return "a value is outside its range";
    case errc::too_large:
      return "larger than the limit";
    case errc::bad_syntax:
      return "the input does not follow its grammar";
    case errc::too_deep:
      return "nested deeper than the limit";
    case errc::reserved_bits:
      return "a reserved bit is set";
    case errc::reserved_opcode:
      return "the opcode is reserved";
    case errc::bad_control_frame:
      return "a control frame is fragmented or too long";
    case errc::bad_mask:
      return "the frame's masking is wrong for its sender";
    case errc::bad_length:
      return "the frame's length is not in its shortest form";
    case errc::bad_continuation:
      return "a continuation frame is out of place";
    case errc::bad_close_code:
      return "the close frame's code is not allowed";
    case errc::not_websocket:
      return "the request asks for no WebSocket";
    case errc::unsupported_version:
      return "the WebSocket version is not 13";
    case errc::bad_handshake:
      return "a handshake header is missing or wrong";
    case errc::upgrade_refused:
      return "the server refused the upgrade";
    case errc::origin_refused:
      return "the origin is not allowed";
    case errc::connect_failed:
      return "the peer could not be reached";
    case errc::name_not_resolved:
      return "the host name has no address";
  }
  return "unknown error";
}

const std::error_category& error_category() noexcept {
  static const class Category final : public std::error_category {
    const char* name() const noexcept override { return "muster"; }
    std::string message(int code) const override {
      return std::string{to_string(static_cast<errc>(code))};
    }
  } category;
  return category;
}

}  // namespace muster
