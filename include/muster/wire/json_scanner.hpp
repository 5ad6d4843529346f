// SPDX-License-Identifier: MIT
// A strict check of JSON text that finds the members of an object or the elements of an array, and
// copies nothing.
#pragma once

#include <muster/bytes.hpp>
#include <muster/error.hpp>
#include <muster/export.hpp>

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>

namespace muster::wire {

/// What a JSON value is, as its first character says.
enum class JsonKind : std::uint8_t { none, null, boolean, number, string, array, object };

/// A member of an object. Both views are into the scanned text.
struct MUSTER_API JsonMember {
  std::string_view name;  ///< between its quotes, with the escapes as they are
  byte_view value;        ///< without the white space around it
  JsonKind kind = JsonKind::none;

  /// Whether the name means `text`, however it is escaped.
  [[nodiscard]] bool is_named(std::string_view text) const noexcept;
};

/// An element of an array. The view is into the scanned text.
struct JsonElement {
  byte_view value;  ///< without the white space around it
  JsonKind kind = JsonKind::none;
};

/// Reads one JSON text from front to back and checks every byte of it.
///
/// As strict as RFC 8259, and as most parsers of today: UTF-8 without a byte order mark, nothing
/// behind the value but white space, no lone surrogate among the escapes, no number that a double
/// would hold as infinity. Names may repeat; each is a member.
///
///     JsonScanner scanner{text, 64};
///     while (const auto member = scanner.next_member()) { ... }
///     scanner.finish();
///     if (!scanner.ok()) return scanner.error();  // no member counts
///
/// Never throws, allocates, recurses, or reads beyond the end.
/// @threads       distinct objects: safe; shared objects: unsafe
/// @source        RFC 8259
class MUSTER_API JsonScanner {
 public:
  /// The most that `max_depth` may be.
  static constexpr std::size_t depth_limit = 512;

  /// @param text        not copied; must outlive the scanner and every view it gives out
  /// @param max_depth   how many arrays and objects may be open at once, the outermost included: 0
  ///                    to `depth_limit`
  JsonScanner(byte_view text, std::size_t max_depth) noexcept;

  /// What the outermost value is by its first character. Nothing more has been checked.
  [[nodiscard]] JsonKind kind() const noexcept { return kind_; }

  /// The next member of the outermost object, its value checked.
  /// @return empty when there is none: after the last, in a text of another kind, after a failure
  [[nodiscard]] std::optional<JsonMember> next_member() noexcept;

  /// The next element of the outermost array, its value checked.
  /// @return empty when there is none: after the last, in a text of another kind, after a failure
  [[nodiscard]] std::optional<JsonElement> next_element() noexcept;

  /// Checks what is left, to the end of the text.
  void finish() noexcept;

  /// Whether all that was read so far is as it should be. The whole text is after `finish`.
  [[nodiscard]] bool ok() const noexcept { return error_ == errc{}; }

  /// The first failure. May be called only when `ok()` is false.
  /// @error         errc::bad_syntax   not JSON
  /// @error         errc::bad_utf8     a string is not UTF-8
  /// @error         errc::bad_value    a number is too large for a double
  /// @error         errc::too_deep     more open arrays and objects than `max_depth`
  [[nodiscard]] errc error() const noexcept {
    assert(!ok());
    return error_;
  }

 private:
  enum class State : std::uint8_t { start, in_container, ended };

  bool enter_next(JsonKind kind, char closing) noexcept;
  std::optional<JsonElement> take_value() noexcept;

  void end_with(errc reason) noexcept;
  void expect_end() noexcept;

  const char* at_;
  const char* end_;
  std::size_t max_depth_;
  JsonKind kind_ = JsonKind::none;
  State state_ = State::start;
  errc error_{};
};

/// Whether the bytes are one JSON text; parameters and errors as for `JsonScanner`.
[[nodiscard]] MUSTER_API std::error_code check_json(byte_view text, std::size_t max_depth) noexcept;

}  // namespace muster::wire
