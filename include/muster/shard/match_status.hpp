// SPDX-License-Identifier: MIT
// Where a player is between asking for a match and being in its shard.
#pragma once

#include <muster/export.hpp>
#include <muster/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace muster::shard {

/// Why a player who was queued or had a seat is neither any more, though it did not ask for that.
enum class IdleReason : std::uint8_t {
  none = 0,
  max_wait = 1,    ///< no group was found in time
  unclaimed = 2,   ///< its seat was not taken in time
  party_left = 3,  ///< another of its party left the queue, and so the party did
};

/// "none", "max_wait", "unclaimed" or "party_left".
[[nodiscard]] MUSTER_API std::string_view to_string(IdleReason reason) noexcept;

struct MatchStatus {
  enum class State : std::uint8_t { idle, queued, matched };
  State state = State::idle;

  IdleReason reason = IdleReason::none;  ///< idle: what it can be told

  std::size_t position = 0;  ///< queued: players of its mode who came before its party
  duration waited{};         ///< queued

  std::string shard{};                 ///< matched
  std::string ticket{};                ///< matched: to be presented there; empty once it was used
  std::chrono::sys_seconds expires{};  ///< matched: when the ticket does
};

/// What a client that asks is answered: one line of JSON, for example
///
///     {"status":"idle"}                           or  {"status":"idle","reason":"max_wait"}
///     {"status":"queued","position":0,"waiting_secs":3}
///     {"status":"matched","shard_id":"match_6553f100_1","ticket":"AAAA...","expires":1700000015}
///
/// `ticket` and `expires` are left out once the ticket was used. A ticket is a secret of the
/// player: show the line to nobody else, and keep it out of logs.
[[nodiscard]] MUSTER_API std::string to_json(const MatchStatus& status);

}  // namespace muster::shard
