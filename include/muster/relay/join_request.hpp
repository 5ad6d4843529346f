// SPDX-License-Identifier: MIT
// The first message on a relay connection: which room, and as whom.
#pragma once

#include <muster/bytes.hpp>
#include <muster/export.hpp>
#include <muster/result.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace muster::relay {

/// A wish to create a room, to join one, or to come back to one. Views are into the decoded bytes.
struct JoinRequest {
  /// The name of a game that the relay knows; any length, may be empty.
  std::string_view game_id;

  /// The room's name within its game. Compared byte for byte; any length, may be empty.
  std::string_view room_id;

  /// A number that host and clients agree on. Only the creator's counts.
  std::uint16_t rule_variation = 0;

  /// Create the room and host it, rather than join it. Ignored when a token is given.
  bool create_room = false;

  /// The token of an earlier connection. All 64-bit values are possible, also 0.
  std::optional<std::uint64_t> reconnect_token;

  /// What follows the last field. The protocol ignores it; extensions live there.
  byte_view trailer;
};

/// Reads a JoinRequest with exactly the acceptance rules of the original.
///
/// Nothing is limited but by the input: a service that limits ids checks their length afterwards.
/// @param message   the whole binary message; the result refers to it
/// @error         errc::unexpected_end   the message ends inside a field
/// @error         errc::bad_varint       an integer has more bytes or bits than its type
/// @error         errc::bad_utf8         an id is not UTF-8
/// @error         errc::bad_bool         create_room is neither 0 nor 1
/// @error         errc::bad_option       the token's tag is neither 0 nor 1
/// @complexity    O(n); does not allocate
/// @source        docs/protocol/relay.md, "JoinRequest"
[[nodiscard]] MUSTER_API result<JoinRequest> decode_join_request(byte_view message) noexcept;

/// Writes a JoinRequest in its canonical form, its trailer included.
/// @error         errc::bad_utf8   an id is not UTF-8: every relay would refuse it
[[nodiscard]] MUSTER_API result<std::vector<std::byte>> encode_join_request(
    const JoinRequest& request);

}  // namespace muster::relay
