// SPDX-License-Identifier: MIT
// Texts as JSON writes them: between quotes, with escapes.
#pragma once

#include <muster/export.hpp>
#include <muster/wire/byte_writer.hpp>

#include <string>
#include <string_view>

namespace muster::wire {

/// Appends a text with its quotes. Only what must be escaped is: the quote, the backslash and the
/// control characters below U+0020.
/// @param text    what is not UTF-8 in it is written as U+FFFD
/// @source        RFC 8259 section 7
MUSTER_API void write_json_string(ByteWriter& writer, std::string_view text);

/// Whether a string of a valid JSON text means `text`, however it is escaped.
/// @param raw     what stands between the quotes
/// @complexity    O(n); does not allocate
[[nodiscard]] MUSTER_API bool json_string_equals(std::string_view raw,
                                                 std::string_view text) noexcept;

/// What a string of a valid JSON text means.
/// @param raw     what stands between the quotes
[[nodiscard]] MUSTER_API std::string json_string_text(std::string_view raw);

/// What the escape at the front of `raw` means, in UTF-8, and takes it from `raw`. A pair of
/// surrogates is one escape.
/// @param raw     starts with a backslash, and comes from a valid JSON text
/// @param out     room for four bytes
/// @return        the bytes of `out` that are used
[[nodiscard]] MUSTER_API std::string_view take_json_escape(std::string_view& raw,
                                                           char (&out)[4]) noexcept;

}  // namespace muster::wire
