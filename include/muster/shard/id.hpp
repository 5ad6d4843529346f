// SPDX-License-Identifier: MIT
// What shards and subscribers may be called.
#pragma once

#include <muster/bytes.hpp>
#include <muster/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace muster::shard {

inline constexpr std::size_t max_id_size = 128;  ///< bytes

/// Whether it may be the id of a shard or a subscriber: 1 to 128 bytes of UTF-8 without control
/// characters.
[[nodiscard]] inline bool is_valid_id(std::string_view id) noexcept {
  const auto is_control = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F;
  };
  return !id.empty() && id.size() <= max_id_size && is_valid_utf8(as_bytes(id)) &&
         std::none_of(id.begin(), id.end(), is_control);
}

}  // namespace muster::shard
