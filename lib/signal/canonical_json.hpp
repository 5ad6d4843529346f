// SPDX-License-Identifier: MIT
// JSON in the one form that is signed.
#pragma once

#include <muster/bytes.hpp>
#include <muster/wire/json_scanner.hpp>

#include <cstddef>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

namespace muster::signal {

/// Rewrites JSON as RFC 8785 does, within narrower bounds: numbers are whole, within 2^53 - 1 of
/// zero, and no -0, which all parsers see alike. Keeps its memory for the next text.
/// @threads       distinct objects: safe; shared objects: unsafe
/// @source        RFC 8785; docs/protocol/signal.md, "Token binding"
class CanonicalJson {
 public:
  /// Appends the canonical form of an object, and leaves out one of its members, which is checked
  /// like the rest.
  /// @param without   the name of that member
  /// @param left_out  set to its value as it stands in `json`; nothing: there is none
  /// @error errc::bad_syntax, bad_utf8, too_deep   no JSON, or deeper than `max_message_depth`
  /// @error errc::bad_value   no object, a number out of bounds, two members of one name
  [[nodiscard]] std::error_code append(byte_view json, std::vector<std::byte>& out,
                                       std::string_view without,
                                       std::optional<wire::JsonElement>& left_out);

 private:
  class Writing;

  std::vector<wire::JsonMember> members_;  // of the objects that are open
};

}  // namespace muster::signal
