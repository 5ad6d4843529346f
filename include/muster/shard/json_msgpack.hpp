// SPDX-License-Identifier: MIT
// JSON as MessagePack, and back: so a simulation that writes JSON serves clients of both.
#pragma once

#include <muster/bytes.hpp>

#include <cstddef>
#include <system_error>
#include <vector>

namespace muster::shard {

/// What a transcoded value may hold. The output is at most about six times as large as the input.
struct TranscodeLimits {
  std::size_t max_depth = 64;        ///< arrays and objects open at once: 0 to 512
  std::size_t max_elements = 65536;  ///< items and members of all arrays and objects together
};

/// Appends the MessagePack of a JSON text, each value in its shortest form.
///
/// A whole number that fits 64 bits is an integer; any other number, and `-0`, is a float: of 32
/// bits where that is exact, of 64 else. Members keep their order, also those of equal names.
/// @param out     left as it was after an error
/// @error         errc::bad_syntax, bad_utf8, bad_value   not JSON, as wire::JsonScanner sees it
/// @error         errc::too_deep    deeper than `max_depth`
/// @error         errc::too_large   more than `max_elements`, or than 4 GiB
/// @complexity    O(n), and O(n * depth) moves of bytes; allocates only what `out` needs
/// @source        the MessagePack specification, version 5
[[nodiscard]] std::error_code json_to_msgpack(byte_view json, std::vector<std::byte>& out,
                                              const TranscodeLimits& limits = {});

/// Appends the JSON text of one MessagePack value, compact.
///
/// Floats are written with the fewest digits that read back as the same double, and never look like
/// integers. No number in the input is believed before its bytes are seen.
/// @param out     left as it was after an error
/// @error         errc::unexpected_end   it ends inside a value
/// @error         errc::bad_syntax       a byte that begins no value, or bytes behind the value
/// @error         errc::bad_utf8         a string is not UTF-8
/// @error         errc::bad_value        what JSON lacks: NaN, infinity, binary, an extension, a
/// key
///                                       that is no string
/// @error         errc::too_deep         deeper than `max_depth`
/// @error         errc::too_large        more than `max_elements`
/// @complexity    O(n); allocates what `out` needs, and a stack of `max_depth` entries
[[nodiscard]] std::error_code msgpack_to_json(byte_view msgpack, std::vector<std::byte>& out,
                                              const TranscodeLimits& limits = {});

}  // namespace muster::shard
