// SPDX-License-Identifier: MIT
// UTF-8 that arrives in pieces: says at the first wrong byte that a text cannot become valid.
#pragma once

#include <muster/bytes.hpp>
#include <muster/export.hpp>

#include <cstdint>

namespace muster::websocket {

/// Checks a text piece by piece. For a text that is there as a whole use `muster::is_valid_utf8`.
///
/// What it refuses is the same: over-long forms, surrogates, values above U+10FFFF, stray bytes.
/// @source RFC 3629 section 4; RFC 6455 section 8.1
class MUSTER_API Utf8Validator {
 public:
  /// Takes the next bytes. After the first `false` the text is invalid whatever follows, and the
  /// validator must be reset before it is used again.
  /// @return        whether the text so far is the beginning of valid UTF-8
  /// @complexity    O(n); does not allocate
  [[nodiscard]] bool feed(byte_view bytes) noexcept;

  /// Whether the text may end here, that is, not inside a character.
  [[nodiscard]] bool is_complete() const noexcept { return missing_ == 0; }

  void reset() noexcept { *this = {}; }

 private:
  std::uint8_t missing_ = 0;  // continuation bytes that the character still needs
  std::uint8_t low_ = 0x80;   // bounds of the next one
  std::uint8_t high_ = 0xBF;
};

}  // namespace muster::websocket
