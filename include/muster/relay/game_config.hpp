// SPDX-License-Identifier: MIT
// Which games a relay serves, read from the original's GameConfig.json.
#pragma once

#include <muster/result.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace muster::relay {

/// The games by name, in alphabetical order.
struct GameConfig {
  /// The most players in a room of that game, its host included; 0 means no limit.
  std::map<std::string, std::uint16_t, std::less<>> max_players;

  /// The limit of one game; nothing when the relay does not serve it.
  [[nodiscard]] std::optional<std::uint16_t> find(std::string_view game_id) const {
    const auto game = max_players.find(game_id);
    if (game == max_players.end()) return std::nullopt;
    return game->second;
  }

  friend bool operator==(const GameConfig&, const GameConfig&) = default;
};

/// Reads the text of a GameConfig.json: an array of objects with `name` and `max_players`.
///
/// Other keys are ignored, of two games with one name the later counts, and one mistake refuses the
/// whole text: a caller that reloads keeps what it had.
/// @param problem   on failure, one sentence for the operator: where, what is wrong, what is
///                  allowed. Unchanged on success
/// @error         errc::bad_syntax   the text is not JSON; the sentence has the line
/// @error         errc::bad_value    not a list of games; the sentence has the game and the key
/// @source        docs/protocol/relay.md, "Games"
[[nodiscard]] result<GameConfig> parse_game_config(std::string_view text, std::string& problem);

}  // namespace muster::relay
