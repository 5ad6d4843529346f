// SPDX-License-Identifier: MIT
// Strict UTF-8: is it valid, make it valid, cut it without breaking a character.
#pragma once

#include <muster/bytes.hpp>
#include <muster/export.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace muster {

/// Whether the bytes are UTF-8 as RFC 3629 defines it: no over-long form, no surrogate, nothing
/// above U+10FFFF, no character cut short. Empty is valid, and so is U+0000.
/// @complexity    O(n); does not allocate
/// @source        RFC 3629 section 4
[[nodiscard]] MUSTER_API bool is_valid_utf8(byte_view bytes) noexcept;

/// The text of bytes that may be damaged, for showing to a person.
///
/// Each longest prefix of a character that is not completed, and each byte that can start none,
/// becomes one U+FFFD (the practice that the Unicode standard recommends in section 3.9).
[[nodiscard]] MUSTER_API std::string replace_invalid_utf8(byte_view bytes);

/// The longest prefix of at most `max_bytes` bytes that does not end inside a character.
///
/// A text that fits is returned as it is. Damaged text is cut too, at most three bytes earlier than
/// it could be.
[[nodiscard]] MUSTER_API std::string_view utf8_prefix(std::string_view text,
                                                      std::size_t max_bytes) noexcept;

}  // namespace muster
