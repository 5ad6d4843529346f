// SPDX-License-Identifier: MIT
// The numbers of a match.
#pragma once

#include <muster/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <system_error>

namespace lobby_program {

/// Time of day, UTC.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// Which version of the protocol a match speaks.
enum class Dialect : std::uint8_t {
  current,  ///< frames count per seat from `match_start`; an open turn is sent again after a drop
  draft     ///< hello is number 1; adds ping, reconnected, action_timeout and session_token
};

struct MatchConfig {
  Dialect dialect = Dialect::current;

  /// How long all seats may take to come, before it is cancelled.
  muster::duration presence_timeout = std::chrono::seconds{30};

  /// For one turn; 1 s and more.
  muster::duration turn_timeout = std::chrono::seconds{5};

  /// Who does not act sees the result of a turn this much later: an even draw between both. 0 to
  /// `max_result_delay`; both 0: at once.
  muster::duration min_result_delay = std::chrono::milliseconds{100};
  muster::duration max_result_delay = std::chrono::milliseconds{500};

  /// How long a seat may be away before it has given up.
  muster::duration reconnect_grace = std::chrono::seconds{30};

  /// How often a seat may come back. Its clock stands still during its first absence only. 0: it
  /// may not; hello then lists no `reconnect`.
  std::uint32_t max_reconnects = 3;

  /// Turns in a row that the match acted in, after which the seat has given up; 1 and more.
  std::uint32_t max_substitutes = 15;

  /// Bytes of a client's frame, 1 and more. A larger one closes the connection with 4008.
  std::size_t max_frame_bytes = 4096;

  /// A client's frames in any second, up to 64 (0: no limit, for matches whose results are not
  /// delayed), and its invalid actions in a round. What is beyond is not read. The connection is
  /// closed with 4009 at the last of `max_violations`, 1 and more.
  std::uint32_t frames_per_second = 10;
  std::uint32_t invalid_actions_per_round = 5;
  std::uint32_t max_violations = 5;

  /// Between the pings of the draft dialect; 1 s and more.
  muster::duration ping_interval = std::chrono::seconds{15};
};

/// @error errc::invalid_config   a value is outside its range
[[nodiscard]] std::error_code validate(const MatchConfig& config) noexcept;

}  // namespace lobby_program
