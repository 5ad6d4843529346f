// SPDX-License-Identifier: MIT
// A time as people and other programs read it.
#pragma once

#include <muster/wire/byte_writer.hpp>

#include <cstdint>

namespace muster::signal {

/// A JSON text as RFC 3339 has it, with three digits behind the point or without a point:
/// "2026-03-01T12:00:07.250Z". What lies outside 1970 to 9999 becomes the nearest end.
void write_time(wire::ByteWriter& out, std::int64_t unix_milliseconds);

}  // namespace muster::signal
