// SPDX-License-Identifier: MIT
// Views of bytes, and the two conversions between bytes and text.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace muster {

/// Bytes that somebody else owns, to read.
using byte_view = std::span<const std::byte>;

/// Bytes that somebody else owns, to read and change in place (unmasking, decompression).
using mutable_byte_view = std::span<std::byte>;

/// The bytes of a text, without its terminating zero. The view lives as long as the text.
[[nodiscard]] inline byte_view as_bytes(std::string_view text) noexcept {
  return std::as_bytes(std::span<const char>{text.data(), text.size()});
}

/// Bytes seen as text. Nothing is checked: they need not be UTF-8.
[[nodiscard]] inline std::string_view as_text(byte_view bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace muster
