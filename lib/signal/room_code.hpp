// SPDX-License-Identifier: MIT
// The few characters by which players find a room.
#pragma once

#include <muster/entropy.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace muster::signal {

/// A code that is easy to read aloud: without 0 and O, 1 and I. Whether it is taken is for the
/// caller to see.
/// @param length   of the whole code
/// @param prefix   how it begins; shorter than `length`
[[nodiscard]] std::string draw_room_code(Entropy& entropy, std::size_t length,
                                         std::string_view prefix);

/// A code as rooms keep it, in upper case. Nothing: it has another length, or something other than
/// ASCII letters and digits. A code that a player has chosen may have any of these.
/// @source docs/protocol/signal.md, "Rooms"
[[nodiscard]] std::optional<std::string> normalize_room_code(std::string_view text,
                                                             std::size_t length);

}  // namespace muster::signal
