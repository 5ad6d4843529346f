// SPDX-License-Identifier: MIT
// Whole messages as MessagePack, for connections that have negotiated it.
#pragma once

#include <muster/bytes.hpp>

#include <cstddef>
#include <system_error>
#include <vector>

namespace muster::signal {

/// Appends the MessagePack of a message that is JSON: structures are maps with their names, every
/// identifier of the protocol is 16 bytes of binary, integers have their shortest form, and other
/// numbers are floats of 64 bits. What belongs to the application (game data, signals, connection
/// information) is transcoded as it stands.
/// @param out     left as it was after an error
/// @error         as wire::json_to_msgpack
/// @source docs/protocol/signal.md, "MessagePack"
[[nodiscard]] std::error_code message_to_msgpack(byte_view json, std::vector<std::byte>& out);

/// The way back. That it is a message at all is for whoever reads the JSON.
/// @param json    left as it was after an error
/// @error         as wire::msgpack_to_json
[[nodiscard]] std::error_code msgpack_to_message(byte_view msgpack, std::vector<std::byte>& json);

/// Appends the JSON of binary game data for a recipient that takes no other.
/// @param json    left as it was after an error
/// @error         as wire::msgpack_to_json: it is not MessagePack, or has what JSON lacks
/// @source docs/protocol/signal.md, "Binary game data"
[[nodiscard]] std::error_code binary_to_json(byte_view payload, std::vector<std::byte>& json);

}  // namespace muster::signal
