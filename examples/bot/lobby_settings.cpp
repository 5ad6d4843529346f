// SPDX-License-Identifier: MIT
// The order of arguments, file and environment; chipzen.toml with toml++.
#include "lobby_settings.hpp"

#include <algorithm>
#include <array>
#include <utility>

// toml++ 3.3 asserts what a file can break, such as the name in "[!", and where assertions are off
// it takes that for granted. Here it throws instead, whatever the build.
namespace bot_program {
struct BrokenToml {};
[[noreturn]] static void refuse_toml() { throw BrokenToml{}; }
}  // namespace bot_program
#undef NDEBUG
#define TOML_ASSERT(condition) ((condition) ? void() : bot_program::refuse_toml())

#include <toml++/toml.h>

namespace bot_program {

namespace {

using muster::lobby::Token;
using muster::lobby::UrlError;

struct Server {
  std::string_view name;
  std::string_view origin;
};
constexpr std::array<Server, 3> servers{{{"prod", "wss://chipzen.ai"},
                                         {"staging", "wss://staging.chipzen.ai"},
                                         {"local", "ws://localhost:8001"}}};

template <class T>
using OrProblem = std::variant<T, SettingsProblem>;

// What chipzen.toml says.
struct File {
  std::optional<std::string> url;
  std::optional<std::string> bot_id;
  std::optional<Token> token;
};

std::string at_line(const toml::source_region& source) {
  return "chipzen.toml, line " + std::to_string(source.begin.line) + ": ";
}

OrProblem<File> read_file(std::string_view text) {
  // toml++ 3.3 does what is undefined with some characters beyond ASCII. They may stand in
  // comments; a value that has them is refused, and so is one with blanks.
  std::string ascii{text};
  std::replace_if(
      ascii.begin(), ascii.end(), [](char c) { return (c & '\x80') != 0; }, ' ');
  toml::table table;
  std::optional<SettingsProblem> broken;
  try {
    table = toml::parse(std::string_view{ascii});
  } catch (const toml::parse_error& error) {
    // The description may show a part of the file, and with it of the token.
    broken = {SettingsError::config_syntax, at_line(error.source()) + "this is not TOML"};
  } catch (const BrokenToml&) {
    broken = {SettingsError::config_syntax, "chipzen.toml: this is not TOML"};
  }
  muster::lobby::wipe(ascii);
  if (broken) return std::move(*broken);
  toml::table* const section = table["external_api"].as_table();
  if (section == nullptr) {
    return SettingsProblem{SettingsError::config_no_section,
                           "chipzen.toml has no table [external_api]"};
  }
  File file;
  std::optional<std::string> token;
  for (const auto& [key, value] : {std::pair{"url", &file.url}, std::pair{"bot_id", &file.bot_id},
                                   std::pair{"token", &token}}) {
    toml::node* const node = section->get(key);
    if (node == nullptr) continue;
    toml::value<std::string>* const said = node->as_string();
    if (said == nullptr) {
      return SettingsProblem{SettingsError::config_syntax,
                             at_line(node->source()) + key + " must be a string"};
    }
    *value = std::move(said->get());
    muster::lobby::wipe(said->get());
  }
  if (token) {
    file.token.emplace(*token);
    muster::lobby::wipe(*token);
  }
  return file;
}

// A variable that is empty counts as one that is not set.
std::optional<std::string> variable(const Environment& environment, std::string_view name) {
  std::optional<std::string> value = environment(name);
  if (value && value->empty()) value.reset();
  return value;
}

OrProblem<Server> find_server(const LobbyArguments& arguments, const Environment& environment) {
  std::string name = arguments.environment.value_or("");
  if (name.empty()) name = variable(environment, "CHIPZEN_ENV").value_or("prod");
  const auto* const found = std::find_if(servers.begin(), servers.end(),
                                         [&name](const Server& s) { return s.name == name; });
  if (found != servers.end()) return *found;
  return SettingsProblem{SettingsError::unknown_env,
                         "the environment must be prod, staging or local"};
}

bool is_bot_id(std::string_view text) noexcept {
  constexpr std::size_t longest = 128;
  return !text.empty() && text.size() <= longest &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

std::string lobby_url(std::string_view origin, std::string_view bot_id) {
  return std::string{origin} + "/ws/external/bot/" + std::string{bot_id};
}

constexpr const char* bot_id_rule = "a bot id is 1 to 128 letters, digits, '.', '_' and '-'";
constexpr const char* token_rule =
    "the token has bytes that cannot stand in a header, or more than 512";

std::optional<SettingsProblem> check_url(std::string_view url, muster::lobby::Origin& origin) {
  const UrlError error = origin.read(url);
  if (error == UrlError::none) return std::nullopt;
  std::string sentence = "the lobby's URL cannot be used: ";
  sentence += to_string(error);
  if (error == UrlError::lobby_insecure) {
    sentence += "; ws:// is for this machine only, because the token goes in clear text";
  }
  return SettingsProblem{SettingsError::bad_lobby_url, sentence, error};
}

}  // namespace

std::string_view SettingsProblem::name() const noexcept {
  switch (error) {
    case SettingsError::file_unreadable:
      return "file_unreadable";
    case SettingsError::file_shared:
      return "file_shared";
    case SettingsError::config_syntax:
      return "config_syntax";
    case SettingsError::config_no_section:
      return "config_no_section";
    case SettingsError::unknown_env:
      return "unknown_env";
    case SettingsError::no_token:
      return "no_token";
    case SettingsError::bad_token:
      return "bad_token";
    case SettingsError::no_lobby_url:
      return "no_lobby_url";
    case SettingsError::bad_bot_id:
      return "bad_bot_id";
    case SettingsError::bad_lobby_url:
      return to_string(url);
  }
  return "";
}

std::vector<std::string> settings_files(const Environment& environment) {
  std::vector<std::string> names{"chipzen.toml"};
  auto home = variable(environment, "HOME");
  if (!home) home = variable(environment, "USERPROFILE");
  if (home) names.push_back(*home + "/.chipzen/chipzen.toml");
#ifndef _WIN32
  names.emplace_back("/etc/chipzen/chipzen.toml");
#endif
  return names;
}

std::variant<LobbySettings, SettingsProblem> resolve_lobby(const LobbyArguments& arguments,
                                                           std::optional<std::string_view> file,
                                                           const Environment& environment) {
  File said;
  if (file) {
    auto read = read_file(*file);
    if (auto* const problem = std::get_if<SettingsProblem>(&read)) return std::move(*problem);
    said = std::get<File>(std::move(read));
  }
  const auto server = find_server(arguments, environment);
  if (const auto* const problem = std::get_if<SettingsProblem>(&server)) return *problem;

  LobbySettings settings;
  if (arguments.url) {
    settings.url = *arguments.url;
  } else if (said.url) {
    settings.url = *said.url;
    if (arguments.bot_id || arguments.environment) {
      settings.warning = "the url in chipzen.toml is used; --bot-id and --env have no effect";
    }
  } else {
    auto id = arguments.bot_id ? arguments.bot_id : said.bot_id;
    if (!id) id = variable(environment, "CHIPZEN_BOT_ID");
    settings.bot_id = id.value_or("");
    if (!settings.bot_id.empty()) {
      if (!is_bot_id(settings.bot_id)) {
        return SettingsProblem{SettingsError::bad_bot_id, bot_id_rule};
      }
      settings.environment = std::get<Server>(server).name;
      settings.url = lobby_url(std::get<Server>(server).origin, settings.bot_id);
    }
  }
  if (settings.url.empty()) {
    return SettingsProblem{
        SettingsError::no_lobby_url,
        "a bot id or the lobby's URL is needed: --bot-id, --url, chipzen.toml or "
        "CHIPZEN_BOT_ID"};
  }
  muster::lobby::Origin origin;
  if (auto problem = check_url(settings.url, origin)) return std::move(*problem);

  if (arguments.token) {
    settings.token = *arguments.token;
  } else if (said.token) {
    settings.token = std::move(*said.token);
  } else if (auto value = variable(environment, "CHIPZEN_EXTBOT_TOKEN")) {
    settings.token = Token{*value};
    muster::lobby::wipe(*value);
  }
  if (settings.token.is_empty()) {
    return SettingsProblem{SettingsError::no_token,
                           "a token is needed: --token-file, chipzen.toml or CHIPZEN_EXTBOT_TOKEN"};
  }
  if (!settings.token.is_valid()) return SettingsProblem{SettingsError::bad_token, token_rule};
  return settings;
}

std::variant<std::vector<LobbySettings>, SettingsProblem> parse_bots(
    std::string_view text, const LobbyArguments& arguments, const Environment& environment) {
  const auto server = find_server(arguments, environment);
  if (const auto* const problem = std::get_if<SettingsProblem>(&server)) return *problem;
  muster::lobby::Origin origin;
  const std::string url = arguments.url.value_or(std::string{std::get<Server>(server).origin});
  if (auto problem = check_url(url, origin)) return std::move(*problem);

  constexpr std::string_view blanks = " \t\r";
  std::vector<LobbySettings> bots;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line.remove_prefix(std::min(line.find_first_not_of(blanks), line.size()));
    line.remove_suffix(line.size() - (line.find_last_not_of(blanks) + 1));
    if (line.empty() || line.front() == '#') continue;
    const auto problem = [number](SettingsError error, const std::string& sentence) {
      return SettingsProblem{error,
                             "the list of bots, line " + std::to_string(number) + ": " + sentence};
    };
    const std::size_t gap = line.find_first_of(blanks);
    if (gap == std::string_view::npos) {
      return problem(SettingsError::config_syntax, "a bot id and a token are needed");
    }
    const std::string_view id = line.substr(0, gap);
    if (!is_bot_id(id)) return problem(SettingsError::bad_bot_id, bot_id_rule);
    LobbySettings bot;
    bot.url = lobby_url(origin.text(), id);
    const std::string_view rest = line.substr(line.find_first_not_of(blanks, gap));
    bot.token = Token{rest.substr(0, rest.find_first_of(blanks))};
    bot.bot_id = id;
    if (!arguments.url) bot.environment = std::get<Server>(server).name;
    if (!bot.token.is_valid()) return problem(SettingsError::bad_token, token_rule);
    bots.push_back(std::move(bot));
    if (bots.size() > max_bots) return problem(SettingsError::config_syntax, "these are too many");
  }
  if (!bots.empty()) return bots;
  return SettingsProblem{SettingsError::config_syntax, "the list of bots is empty"};
}

}  // namespace bot_program
