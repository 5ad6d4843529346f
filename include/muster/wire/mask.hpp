// SPDX-License-Identifier: MIT
// The masking of client frames.
#pragma once

#include <muster/bytes.hpp>
#include <muster/export.hpp>

#include <cstddef>
#include <cstdint>

namespace muster::wire {

/// The four bytes of a mask in the order in which they lie in the frame, read as a native integer
/// (`memcpy`). So any random integer will do as a key, and no byte order has to be thought of.
using MaskKey = std::uint32_t;

/// Masks or unmasks in place; the two are the same.
/// @param offset  where in the frame's payload `bytes` starts
/// @source        RFC 6455 section 5.3
MUSTER_API void apply_mask(mutable_byte_view bytes, MaskKey key, std::size_t offset = 0) noexcept;

/// Copies while masking or unmasking.
/// @param out     room for `bytes.size()` bytes, not overlapping them
/// @param offset  where in the frame's payload `bytes` starts
MUSTER_API void copy_masked(std::byte* out, byte_view bytes, MaskKey key,
                            std::size_t offset = 0) noexcept;

}  // namespace muster::wire
