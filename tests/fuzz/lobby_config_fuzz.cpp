// SPDX-License-Identifier: MIT
// Fuzzes chipzen.toml and the list of bots.
#include "lobby_settings.hpp"

#include <muster/lobby/origin.hpp>

#include "support/require.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace {

using namespace bot_program;
using test::require;

constexpr std::size_t max_bytes = 16 * 1024;

void check(const LobbySettings& settings) {
  require(settings.token.is_valid());
  muster::lobby::Origin origin;
  require(origin.read(settings.url) == muster::lobby::UrlError::none);
  if (settings.bot_id.empty()) return;
  // What is not escaped cannot lead to another host or path.
  require(settings.url.ends_with("/ws/external/bot/" + settings.bot_id));
  require(settings.bot_id.find_first_of("/?#@:% \n") == std::string::npos);
}

void check(const SettingsProblem& problem) {
  require(!problem.name().empty() && !problem.sentence.empty());
  // One line, of our own words.
  for (const char c : problem.sentence) require(c >= ' ' && c <= '~');
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > max_bytes) return 0;
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const Environment nothing = [](std::string_view) -> std::optional<std::string> {
    return std::nullopt;
  };
  LobbyArguments arguments;
  std::visit([](const auto& outcome) { check(outcome); }, resolve_lobby(arguments, text, nothing));
  arguments.bot_id = text.substr(0, size / 2);
  arguments.token.emplace("t");
  std::visit([](const auto& outcome) { check(outcome); },
             resolve_lobby(arguments, std::nullopt, nothing));

  const auto bots = parse_bots(text, {}, nothing);
  if (const auto* const problem = std::get_if<SettingsProblem>(&bots)) {
    check(*problem);
  } else {
    const auto& list = std::get<std::vector<LobbySettings>>(bots);
    require(!list.empty() && list.size() <= max_bots);
    for (const LobbySettings& bot : list) check(bot);
  }
  return 0;
}
