// SPDX-License-Identifier: MIT
// Files that hold tokens.
#pragma once

#include "lobby_settings.hpp"

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

namespace bot_program {

/// Reads a file that only its owner may read.
/// @param allows_shared   others may read it too
/// @param max_size        bytes
[[nodiscard]] std::variant<std::string, SettingsProblem> read_secret_file(const std::string& name,
                                                                          bool allows_shared,
                                                                          std::size_t max_size);

/// Where the settings of one or many bots are.
struct LobbySources {
  LobbyArguments arguments{};
  std::string token_file{};    ///< empty: the token is elsewhere
  std::string bots_file{};     ///< a list of bots, in place of one; empty: there is none
  bool allows_shared = false;  ///< files that others may read
};

/// Reads the files that there are, and says which bots to run.
[[nodiscard]] std::variant<std::vector<LobbySettings>, SettingsProblem> load_bots(
    const LobbySources& sources, const Environment& environment);

}  // namespace bot_program
