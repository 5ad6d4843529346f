// SPDX-License-Identifier: MIT
// The message that carries a snapshot to a client of the original: tick, then payload.
#pragma once

#include <muster/bytes.hpp>
#include <muster/export.hpp>
#include <muster/result.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace muster::shard {

/// One binary message: the tick in eight bytes, most significant first, then the snapshot in JSON.
/// The first tick is 1. Clients in TypeScript know ticks exactly up to 2^53 - 1.
struct SnapshotFrame {
  std::uint64_t tick = 0;
  byte_view payload;  ///< after decoding: a view into the message
};

/// How many bytes precede the payload.
inline constexpr std::size_t snapshot_header_size = 8;

/// Appends a frame. With an empty payload it is the header alone: append the snapshot behind it.
MUSTER_API void encode(const SnapshotFrame& frame, std::vector<std::byte>& out);

/// Reads a frame as the clients of the original do.
/// @error         errc::unexpected_end   no byte of payload
/// @error         errc::bad_syntax, bad_utf8, bad_value, too_deep   the payload is no JSON, or
///                                       nested more than 512 deep
[[nodiscard]] MUSTER_API result<SnapshotFrame> decode_snapshot_frame(byte_view message) noexcept;

}  // namespace muster::shard
