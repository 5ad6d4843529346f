// SPDX-License-Identifier: MIT
// Which lobby a bot goes to, as whom: from arguments, a file, and the environment.
#pragma once

#include <muster/lobby/origin.hpp>
#include <muster/lobby/token.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace bot_program {

/// A bot's way into its lobby.
struct LobbySettings {
  std::string url;
  muster::lobby::Token token;
  std::string bot_id;       ///< empty: the URL was given as a whole
  std::string environment;  ///< "prod", "staging" or "local"; empty: the URL was given as a whole
  std::string warning;      ///< a sentence for the operator; empty: all is well
};

/// What the command line says. Nothing: it does not say it; an empty text was said.
struct LobbyArguments {
  std::optional<std::string> url{};
  std::optional<std::string> bot_id{};
  std::optional<std::string> environment{};
  std::optional<muster::lobby::Token> token{};
};

enum class SettingsError : std::uint8_t {
  file_unreadable,    ///< a file cannot be read, or is too large
  file_shared,        ///< a file with a token may be read by others than its owner
  config_syntax,      ///< a file is not in its format, or a key has a value of another type
  config_no_section,  ///< chipzen.toml has no table [external_api]
  unknown_env,
  no_token,
  bad_token,     ///< the token has bytes that cannot stand in a header
  no_lobby_url,  ///< neither a URL nor a bot id is said anywhere
  bad_bot_id,
  bad_lobby_url,  ///< `SettingsProblem::url` says why
};

/// Why a bot cannot start.
struct SettingsProblem {
  SettingsError error{};
  std::string sentence{};  ///< for the operator; never shows a token
  muster::lobby::UrlError url = muster::lobby::UrlError::none;

  /// The error's stable name, for example "unknown_env"; of a lobby's URL, what is wrong with it.
  [[nodiscard]] std::string_view name() const noexcept;
};

/// What an environment variable is set to; nothing: it is not set.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;

/// Where the configuration file may be. The first that exists is read, and no other.
[[nodiscard]] std::vector<std::string> settings_files(const Environment& environment);

/// The most specific word counts: an argument's, else the file's, else the environment's.
/// @param file   the text of chipzen.toml; nothing: there is none
[[nodiscard]] std::variant<LobbySettings, SettingsProblem> resolve_lobby(
    const LobbyArguments& arguments, std::optional<std::string_view> file,
    const Environment& environment);

inline constexpr std::size_t max_bots = 10'000;

/// Reads a list of bots: a line for each, BOT_ID TOKEN, and what follows is for people. Empty
/// lines, and those that begin with '#', say nothing.
/// @param arguments   which server: the URL's, or the environment's
[[nodiscard]] std::variant<std::vector<LobbySettings>, SettingsProblem> parse_bots(
    std::string_view text, const LobbyArguments& arguments, const Environment& environment);

}  // namespace bot_program
