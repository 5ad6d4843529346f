// SPDX-License-Identifier: MIT
// HTTP/1.1 heads, as strictly as an opening handshake needs them: no allocation, views into the
// input.
#pragma once

#include <muster/ascii.hpp>
#include <muster/bytes.hpp>
#include <muster/error.hpp>
#include <muster/export.hpp>
#include <muster/request.hpp>
#include <muster/result.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace muster::websocket {

/// The most header fields that there is room for.
inline constexpr std::size_t header_field_capacity = 128;

/// The most that are accepted when the caller names no limit.
inline constexpr std::size_t default_max_header_fields = 100;

/// The largest head that is accepted when the caller names no limit.
inline constexpr std::size_t default_max_head = 8 * 1024;

/// The header fields of a head, in the order of their lines.
class MUSTER_API HeaderFields {
 public:
  [[nodiscard]] std::span<const HeaderField> all() const noexcept {
    return std::span{fields_}.first(size_);
  }

  /// The value of the first field of that name, whose case does not matter.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;

  [[nodiscard]] std::size_t count(std::string_view name) const noexcept;

  /// Whether a comma-separated list, which may span several fields of that name, has the token.
  /// Case does not matter.
  [[nodiscard]] bool has_token(std::string_view name, std::string_view token) const noexcept;

  /// Calls `visit(std::string_view)` for each element of a comma-separated list that may span
  /// several fields of that name, without surrounding blanks; empty elements are left out (RFC 9110
  /// section 5.6.1). Ends when `visit` returns false.
  template <class Visit>
  void for_each_element(std::string_view name, Visit visit) const {
    for (const HeaderField& field : all()) {
      if (!is_same_name(field.name, name)) continue;
      std::string_view rest = field.value;
      while (!rest.empty()) {
        const std::string_view element = take_element(rest);
        if (!element.empty() && !visit(element)) return;
      }
    }
  }

  /// @return  false if there is no room for it
  bool add(HeaderField field) noexcept;
  void clear() noexcept { size_ = 0; }

 private:
  static bool is_same_name(std::string_view a, std::string_view b) noexcept;
  static std::string_view take_element(std::string_view& rest) noexcept;

  std::array<HeaderField, header_field_capacity> fields_{};
  std::size_t size_ = 0;
};

/// A request's head. The views point into the bytes that were parsed.
struct RequestHead {
  std::string_view method;
  std::string_view target;     ///< as sent
  std::string_view path;       ///< the target's, still percent-encoded; begins with '/', or is "*"
  std::string_view query;      ///< after the first '?', still percent-encoded
  unsigned minor_version = 1;  ///< of HTTP/1
  std::optional<std::uint64_t> content_length;
  HeaderFields headers;
};

/// A response's head. The views point into the bytes that were parsed.
struct ResponseHead {
  unsigned minor_version = 1;
  unsigned status = 0;  ///< 100 to 599
  std::string_view reason;
  std::optional<std::uint64_t> content_length;
  HeaderFields headers;
};

/// What became of an attempt to parse a head.
struct HeadResult {
  enum class State : std::uint8_t { incomplete, complete, malformed };
  State state = State::incomplete;
  unsigned status = 0;   ///< malformed request: the HTTP status that answers it
  errc error{};          ///< malformed: bad_syntax, bad_value or too_large
  std::size_t size = 0;  ///< complete: bytes of the head, with the empty line
};

/// Parses the head at the start of `input`.
///
/// Refuses what other parsers read in different ways: line ends that are not CR LF, folded lines,
/// control characters, blanks before a colon, repeated Host, Content-Length, Sec-WebSocket-Key or
/// -Version fields, a length that is not plain digits, any Transfer-Encoding, a fragment in the
/// target, a HTTP/1.1 request without Host.
/// @param input     all bytes received so far
/// @param scanned   0 at first; keep it between calls, so that bytes are not scanned twice
/// @param max_bytes of the head, with the empty line
/// @param max_fields   at most `header_field_capacity`
/// @param out       complete only when the result says so
/// @error  errc::bad_syntax   answer with 400
/// @error  errc::bad_value    not HTTP/1: 505; a transfer coding: 501
/// @error  errc::too_large    the head (or its number of fields) is above the limit: 431
/// @source RFC 9112 sections 2 to 6; RFC 9110 section 5
[[nodiscard]] MUSTER_API HeadResult
parse_request_head(byte_view input, std::size_t& scanned, RequestHead& out,
                   std::size_t max_bytes = default_max_head,
                   std::size_t max_fields = default_max_header_fields) noexcept;

/// The same for a response. Transfer codings are let through: the body of a response that is not a
/// successful upgrade is not read.
[[nodiscard]] MUSTER_API HeadResult
parse_response_head(byte_view input, std::size_t& scanned, ResponseHead& out,
                    std::size_t max_bytes = default_max_head,
                    std::size_t max_fields = default_max_header_fields) noexcept;

/// Whether it is what HTTP calls a token: not empty, no blanks, no separators.
/// @source RFC 9110 section 5.6.2
[[nodiscard]] MUSTER_API bool is_token(std::string_view text) noexcept;

/// Whether it can be a field's value: no control characters but tabs, no blank at either end.
/// @source RFC 9110 section 5.5
[[nodiscard]] MUSTER_API bool is_field_value(std::string_view text) noexcept;

}  // namespace muster::websocket
