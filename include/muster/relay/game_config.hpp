// SPDX-License-Identifier: MIT
// Which games a relay serves, read from the original's GameConfig.json.
#pragma once

#include <muster/export.hpp>
#include <muster/relay/room_rules.hpp>
#include <muster/result.hpp>

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace muster::relay {

/// The games by name, in alphabetical order.
struct GameConfig {
  std::map<std::string, GameRules, std::less<>> games;

  /// The rules of one game; null when the relay does not serve it.
  [[nodiscard]] const GameRules* find(std::string_view game_id) const {
    const auto game = games.find(game_id);
    return game == games.end() ? nullptr : &game->second;
  }

  friend bool operator==(const GameConfig&, const GameConfig&) = default;
};

/// Reads the text of a GameConfig.json: an array of objects with `name` and `max_players`, and what
/// muster adds: `flush_window` ("end_of_pass", "lead" or "tick") with `flush_window_ms`,
/// `slow_member` ("resync", "drop" or "close"), `state_cache` in bytes, and `migrate_host`.
///
/// Other keys are ignored, of two games with one name the later counts, and one mistake refuses the
/// whole text: a caller that reloads keeps what it had.
/// @param problem   on failure, one sentence for the operator: where, what is wrong, what is
///                  allowed. Unchanged on success
/// @error         errc::bad_syntax   the text is not JSON; the sentence has the line
/// @error         errc::bad_value    not a list of games; the sentence has the game and the key
/// @source        docs/protocol/relay.md, "Games"
[[nodiscard]] MUSTER_API result<GameConfig> parse_game_config(std::string_view text,
                                                              std::string& problem);

}  // namespace muster::relay
