// SPDX-License-Identifier: MIT
// Bytes as text, in the two alphabets. The components signal and shard use it too.
#pragma once

#include <muster/bytes.hpp>
#include <muster/export.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace muster {

/// @source RFC 4648
enum class Base64 : std::uint8_t {
  padded,  ///< section 4, with '=' at the end
  url,     ///< section 5, without
};

[[nodiscard]] MUSTER_API std::string encode_base64(byte_view bytes, Base64 form);

/// Each text of bytes has one form: the bits that the last character leaves over must be zero.
/// @return   how many bytes were written; nothing if it is none, or does not fit
[[nodiscard]] MUSTER_API std::optional<std::size_t> decode_base64(std::string_view text,
                                                                  Base64 form,
                                                                  mutable_byte_view out) noexcept;

}  // namespace muster
