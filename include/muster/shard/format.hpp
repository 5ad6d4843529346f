// SPDX-License-Identifier: MIT
// What snapshots and inputs are written in.
#pragma once

#include <cstdint>
#include <string_view>

namespace muster::shard {

/// The encoding of one subscriber's snapshots and inputs. It chooses when it joins; one that does
/// not gets JSON.
enum class Format : std::uint8_t {
  json = 0,     ///< RFC 8259, compact
  msgpack = 1,  ///< MessagePack; made from the JSON where the simulation has no own
  binary = 2,   ///< whatever the simulation calls so
};

/// "json", "msgpack" or "binary".
[[nodiscard]] constexpr std::string_view to_string(Format format) noexcept {
  switch (format) {
    case Format::msgpack:
      return "msgpack";
    case Format::binary:
      return "binary";
    case Format::json:
      break;
  }
  return "json";
}

}  // namespace muster::shard
