// SPDX-License-Identifier: MIT
// A snapshot as an event of a text/event-stream.
#pragma once

#include <muster/bytes.hpp>
#include <muster/export.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace muster::shard {

/// A comment that keeps the stream open; due every 30 seconds.
inline constexpr std::string_view sse_heartbeat = ": heartbeat\n\n";

/// Appends the event of one snapshot, its tick as the id.
/// @param payload   UTF-8. Each of its lines becomes a line of data; the client joins them by line
///                  feeds, whatever ended them here. In JSON that is white space.
/// @source          HTML Living Standard, section 9.2.6
MUSTER_API void write_sse_event(std::vector<std::byte>& out, std::uint64_t tick, byte_view payload);

}  // namespace muster::shard
