// SPDX-License-Identifier: MIT
// CRC-32 without help from libraries or the processor: sixteen bytes a step, by tables.
#pragma once

#include <muster/bytes.hpp>

#include <cstdint>

namespace muster::soe {

/// Continues a CRC-32 (polynomial EDB88320, reflected, inverted before and after).
/// @param crc   of all bytes before these; 0 if there were none
[[nodiscard]] std::uint32_t crc32_portable(std::uint32_t crc, byte_view bytes) noexcept;

}  // namespace muster::soe
