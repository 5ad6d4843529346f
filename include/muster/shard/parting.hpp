// SPDX-License-Identifier: MIT
// Why a client is not in its shard, and whether it may come back by itself.
#pragma once

#include <muster/close_reason.hpp>
#include <muster/export.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace muster::shard {

/// Why a client is out of its shard. The first ones pass: another attempt is sensible. The others
/// are final.
enum class Parting : std::uint8_t {
  // Passing.
  connection_lost,  ///< the transport broke, or closed without a word
  connect_failed,   ///< it never opened
  timed_out,        ///< no answer to the dial, or silence
  server_away,      ///< it drains or restarts, or the shard is full or stopped
  too_slow,         ///< this end did not take what was sent
  sid_in_use,       ///< the shard has not noticed yet that the old connection is gone
  // Final.
  left,            ///< by its own will, or with its process
  gave_up,         ///< the last attempt that the policy allows failed
  refused,         ///< the server does not want it, or has no such shard
  finished,        ///< the game is over
  kicked,          ///< it sent too much for too long
  revoked,         ///< its session does not hold any more
  replaced,        ///< somebody else joined with its id
  protocol_error,  ///< one side sent what the other does not understand
};

inline constexpr std::size_t parting_count = static_cast<std::size_t>(Parting::protocol_error) + 1;

[[nodiscard]] constexpr bool is_passing(Parting parting) noexcept {
  return parting <= Parting::sid_in_use;
}

/// The parting's stable name, for example "sid_in_use".
[[nodiscard]] MUSTER_API std::string_view to_string(Parting parting) noexcept;

/// What the end of a connection means. Servers that accept before they refuse close with 1008,
/// which counts as a refusal to who had not joined.
/// @param joined   whether the client had joined on this connection
/// @source         docs/protocol/shard.md, "Joining" and "Close codes"
[[nodiscard]] MUSTER_API Parting parting_of(const CloseInfo& info, bool joined) noexcept;

}  // namespace muster::shard
