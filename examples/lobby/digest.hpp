// SPDX-License-Identifier: MIT
// SHA-256, and how it is written down.
#pragma once

#include <muster/bytes.hpp>

#include <array>
#include <cstddef>
#include <initializer_list>
#include <string>

namespace lobby_program {

using Digest = std::array<std::byte, 32>;

/// SHA-256 of the parts, one after the other.
/// @source FIPS 180-4
[[nodiscard]] Digest sha256(std::initializer_list<muster::byte_view> parts) noexcept;

/// Lower-case hexadecimal digits.
[[nodiscard]] std::string hex(muster::byte_view bytes);

}  // namespace lobby_program
