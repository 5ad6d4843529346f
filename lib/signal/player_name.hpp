// SPDX-License-Identifier: MIT
// How games and players may be called.
#pragma once

#include "server_message.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace muster::signal {

// A letter or a digit is a character of Unicode's categories L and N that can be seen, or a vowel
// sign that takes a place of its own (Mc), without which names of some scripts cannot be written.
// Texts are valid UTF-8.

/// Whether it is 1 to `max_size` bytes of letters, digits, '-', '_' and spaces.
[[nodiscard]] bool is_game_name(std::string_view text, std::size_t max_size) noexcept;

/// Whether the rules that clients are told allow it. No white space is allowed but U+0020.
/// @source docs/protocol/signal.md, "Rooms"
[[nodiscard]] bool is_player_name(std::string_view text, const PlayerNameRules& rules) noexcept;

/// The same for two names that differ at most in case: what must be unique in a room.
[[nodiscard]] std::string fold_name(std::string_view text);

}  // namespace muster::signal
