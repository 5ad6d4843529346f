// SPDX-License-Identifier: MIT
// How the relay runs its rooms: waiting times, bounds, and what becomes of slow members.
#pragma once

#include <muster/export.hpp>
#include <muster/group.hpp>
#include <muster/rate_limit.hpp>
#include <muster/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace muster::relay {

/// What becomes of a client that does not take what its room sends.
enum class SlowMember : std::uint8_t {
  resync,  ///< what waits for it is dropped, and it gets the whole state anew
  drop,    ///< it misses updates: for games whose updates each stand alone
  close,   ///< its connection ends; it may come back
};

/// 0 as a limit or a length of time means none, if not said otherwise.
struct RoomRules {
  /// How long a room waits for a host whose connection is lost; 0: it ends at once. At most 1 h.
  duration host_grace = std::chrono::seconds{30};

  /// How long a client whose connection is lost keeps its token, id and place; 0: it is gone at
  /// once. At most 24 h.
  duration player_grace = std::chrono::minutes{5};

  /// How long an id stays unused after its player is gone, at most 24 h.
  duration id_quarantine = std::chrono::seconds{60};

  /// A room without a message for so long ends, at most 30 days.
  duration idle = std::chrono::hours{6};

  /// A slow client that takes nothing at all for so long is closed, 1 s to 1 h.
  duration stall_timeout = std::chrono::seconds{20};

  std::uint16_t max_spectators = 64;

  /// Lost clients of one address for whom a place is kept at a time; of more, none is. Otherwise a
  /// stranger could come and go until no place or id is left.
  std::uint16_t max_absent_per_address = 16;

  // What clients send while their host is away waits for it, for each client:
  std::uint32_t max_away_rpcs = 64;          ///< messages, at most 65536
  std::uint32_t max_away_bytes = 64 * 1024;  ///< bytes, at most 16 MiB

  /// What a client may send. What is above it is dropped, and one that sends twice as much and goes
  /// on is closed.
  RateLimit client_rate{.messages_per_second = 200, .bytes_per_second = 256 * 1024};

  /// Bytes of the state that is kept for those who join late, come back or fall behind. At most
  /// 64 MiB.
  std::size_t state_cache = 256 * 1024;

  SlowMember slow_member = SlowMember::resync;
  FlushWindow window{};  ///< when updates leave; at most 10 s, and a tick of at least 1 ms

  /// The room goes on with another member as its host when the host is lost.
  bool migrate_host = false;

  /// A host that says that it leaves ends its room. The original waits for it to come back.
  bool end_with_host = true;

  /// A client that says that it leaves may come back, as in the original.
  bool keep_token_of_leaver = false;

  /// A member gets a new token each time it comes back. Off, as in the original: a response that
  /// is lost would take the old token with it.
  bool rotate_tokens = false;
};

/// Whether every field is in its range.
/// @param problem   if not, a sentence that names the first that is not
[[nodiscard]] MUSTER_API bool validate(const RoomRules& rules, std::string& problem);

/// What one game has of its own in place of the relay's rules.
struct GameRules {
  std::uint16_t max_players = 0;  ///< the most in a room, its host included; 0: no limit
  std::optional<FlushWindow> window{};
  std::optional<SlowMember> slow_member{};
  std::optional<std::size_t> state_cache{};  ///< bytes, at most 64 MiB
  std::optional<bool> migrate_host{};
  friend bool operator==(const GameRules&, const GameRules&) = default;
};

}  // namespace muster::relay
