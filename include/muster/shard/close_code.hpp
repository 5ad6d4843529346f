// SPDX-License-Identifier: MIT
// The close codes of the shard protocol.
#pragma once

#include <cstdint>

/// What a close frame of a shard says (docs/protocol/shard.md, "Close codes").
/// @source RFC 6455 section 7.4.1, and 4000 to 4999 of our own
namespace muster::shard::close_code {

inline constexpr std::uint16_t finished = 1000;   ///< the game is over
inline constexpr std::uint16_t draining = 1001;   ///< the process goes away
inline constexpr std::uint16_t malformed = 1007;  ///< version 2: not a message of it
inline constexpr std::uint16_t policy = 1008;     ///< refused, or sent too much for too long
inline constexpr std::uint16_t too_large = 1009;  ///< a message above the limit
inline constexpr std::uint16_t try_again = 1013;  ///< stopped, full, or too slow
inline constexpr std::uint16_t revoked = 4401;    ///< the session does not hold any more
inline constexpr std::uint16_t replaced = 4409;   ///< somebody else joined with this id

}  // namespace muster::shard::close_code
