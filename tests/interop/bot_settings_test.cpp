// SPDX-License-Identifier: MIT
// Where muster-bot's lobby and token come from.
#include "lobby_settings.hpp"
#include "secret_file.hpp"

#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

using bot_program::Environment;
using bot_program::LobbyArguments;
using bot_program::LobbySettings;
using bot_program::SettingsError;
using bot_program::SettingsProblem;
using muster::lobby::Token;
using muster::lobby::UrlError;
using Json = nlohmann::json;

namespace {

constexpr const char* secret = "cz_extbot_0123456789abcdefABCDEF0123456789";

Environment environment_of(std::map<std::string, std::string, std::less<>> values) {
  return [values = std::move(values)](std::string_view name) -> std::optional<std::string> {
    const auto found = values.find(name);
    if (found == values.end()) return std::nullopt;
    return found->second;
  };
}

const Environment nothing = environment_of({});

LobbySettings settled(const LobbyArguments& arguments, std::optional<std::string_view> file,
                      const Environment& environment = nothing) {
  auto settings = bot_program::resolve_lobby(arguments, file, environment);
  if (const auto* const problem = std::get_if<SettingsProblem>(&settings)) {
    INFO(problem->sentence);
    REQUIRE(problem == nullptr);
  }
  return std::get<LobbySettings>(settings);
}

SettingsProblem problem_of(const LobbyArguments& arguments, std::optional<std::string_view> file,
                           const Environment& environment = nothing) {
  auto settings = bot_program::resolve_lobby(arguments, file, environment);
  REQUIRE(std::holds_alternative<SettingsProblem>(settings));
  return std::get<SettingsProblem>(settings);
}

LobbyArguments with_token(std::string_view token) {
  LobbyArguments arguments;
  arguments.token.emplace(token);
  return arguments;
}

// What a case of the vectors writes as an object is the file's only table.
std::optional<std::string> file_of(const Json& test) {
  if (test.contains("toml_text")) return test["toml_text"].get<std::string>();
  if (test["toml"].is_null()) return std::nullopt;
  std::string text = "[external_api]\n";
  for (const auto& [key, value] : test["toml"].items()) {
    text += key + " = " + value.dump() + "\n";
  }
  return text;
}

// A folder that is gone with the test.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "muster-bot-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }

  std::string write(const std::string& name, std::string_view text, mode_t mode) const {
    const auto path = path_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream{path} << text;
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    return path.string();
  }
  [[nodiscard]] std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace

TEST_CASE("bot settings: the vectors of the protocol", "[lobby][bot][vectors]") {
  const Json cases = test::load_vectors("lobby_vectors.json")["config_resolution"];
  REQUIRE(cases.size() == 19);
  for (const Json& test : cases) {
    INFO(test["id"].get<std::string>());
    const Json& args = test["args"];
    const auto argument = [&args](const char* name) -> std::optional<std::string> {
      if (!args.contains(name)) return std::nullopt;
      return args[name].get<std::string>();
    };
    LobbyArguments arguments{argument("url"), argument("bot_id"), argument("env")};
    if (const auto token = argument("token")) arguments.token.emplace(*token);
    const auto settings =
        bot_program::resolve_lobby(arguments, file_of(test), environment_of(test["env"]));
    const Json& wanted = test["result"];
    if (wanted.contains("error")) {
      const auto* const problem = std::get_if<SettingsProblem>(&settings);
      REQUIRE(problem != nullptr);
      CHECK(problem->name() == wanted["error"].get<std::string>());
      CHECK_FALSE(problem->sentence.empty());
      continue;
    }
    const auto* const settled_as = std::get_if<LobbySettings>(&settings);
    REQUIRE(settled_as != nullptr);
    CHECK(settled_as->url == wanted["url"].get<std::string>());
    CHECK(settled_as->token.reveal() == wanted["token"].get<std::string>());
    if (!wanted.contains("env")) continue;
    CHECK(settled_as->environment ==
          (wanted["env"].is_null() ? "" : wanted["env"].get<std::string>()));
  }
}

TEST_CASE("bot settings: a file's url that takes the place of an argument is told",
          "[lobby][bot]") {
  constexpr std::string_view file = "[external_api]\nurl = \"wss://a/b\"\ntoken = \"t\"\n";
  LobbyArguments arguments;
  CHECK(settled(arguments, file).warning.empty());
  arguments.bot_id = "abc";
  CHECK(settled(arguments, file).warning.find("chipzen.toml") != std::string::npos);
  arguments.bot_id.reset();
  arguments.environment = "prod";
  CHECK_FALSE(settled(arguments, file).warning.empty());
  arguments.url = "wss://c/d";
  CHECK(settled(arguments, file).warning.empty());
  CHECK(settled(arguments, file).url == "wss://c/d");
}

TEST_CASE("bot settings: an environment that is none is refused although the url is the file's",
          "[lobby][bot]") {
  constexpr std::string_view file = "[external_api]\nurl = \"wss://a/b\"\ntoken = \"t\"\n";
  CHECK(problem_of({}, file, environment_of({{"CHIPZEN_ENV", "prd"}})).name() == "unknown_env");
}

TEST_CASE("bot settings: a url to which no token may go is refused by its name", "[lobby][bot]") {
  const auto name_of = [](const std::string& url) {
    LobbyArguments arguments = with_token("t");
    arguments.url = url;
    return std::string{problem_of(arguments, std::nullopt).name()};
  };
  CHECK(name_of("chipzen.ai") == "lobby_not_absolute");
  CHECK(name_of("https://chipzen.ai") == "lobby_bad_scheme");
  CHECK(name_of("ws://chipzen.ai/x") == "lobby_insecure");
  CHECK(name_of("wss://me@chipzen.ai/x") == "userinfo");
  CHECK(name_of("wss://chip zen.ai/x") == "malformed_host");
  CHECK(name_of("wss://chipzen.ai:0/x") == "malformed_port");
  CHECK(name_of("") == "no_lobby_url");
}

TEST_CASE("bot settings: no problem shows the token or what surrounds it", "[lobby][bot]") {
  const std::string token{secret};
  const auto shows = [&token](const SettingsProblem& problem) {
    return problem.sentence.find(token.substr(0, 12)) != std::string::npos;
  };
  // Without quotes it is no TOML, and the token is what the parser stumbles over.
  for (const std::string& file :
       {"[external_api]\ntoken = " + token, "[external_api]\n" + token + "\n",
        "[external_api]\ntoken = \"" + token, "[" + token + "]", token,
        "[external_api]\ntoken = [\"" + token + "\"]\n"}) {
    INFO(file);
    const SettingsProblem problem = problem_of({}, file);
    CHECK((problem.name() == "config_syntax" || problem.name() == "config_no_section"));
    CHECK_FALSE(shows(problem));
  }
  LobbyArguments arguments = with_token(token + " ");
  arguments.bot_id = "abc";
  const SettingsProblem problem = problem_of(arguments, std::nullopt);
  CHECK(problem.error == SettingsError::bad_token);
  CHECK_FALSE(shows(problem));
}

TEST_CASE("bot settings: a key of another type is a mistake in its line", "[lobby][bot]") {
  const SettingsProblem problem = problem_of({}, "[external_api]\ntoken = \"t\"\nbot_id = 7\n");
  CHECK(problem.error == SettingsError::config_syntax);
  CHECK(problem.sentence == "chipzen.toml, line 3: bot_id must be a string");
  CHECK(problem_of({}, "external_api = 1\n").error == SettingsError::config_no_section);
}

TEST_CASE("bot settings: a table without a name is a mistake, and does not end the program",
          "[lobby][bot]") {
  for (const char* const file : {"[!", "[[%x]]", "[\x06\n", "[ =]", "[a.!]", "!=1"}) {
    INFO(file);
    CHECK(problem_of({}, file).error == SettingsError::config_syntax);
  }
}

TEST_CASE("bot settings: other letters than those of ASCII are for comments", "[lobby][bot]") {
  constexpr std::string_view file = "# privé \xff\n[external_api]\nbot_id = \"b\" # ʜ\n";
  LobbyArguments arguments = with_token("t");
  CHECK(settled(arguments, file).bot_id == "b");
  CHECK(problem_of(arguments, "[external_api]\nbot_id = \"bé\"\n").error ==
        SettingsError::bad_bot_id);
  CHECK(problem_of({}, "[external_api]\nbot_id = \"b\"\ntoken = \"é\"\n").error ==
        SettingsError::bad_token);
  CHECK(problem_of(arguments, "[external_api]\nurl = \"wss://é.example/x\"\n").name() ==
        "malformed_host");
}

TEST_CASE("bot settings: the file is looked for here, at home, and with the system's",
          "[lobby][bot]") {
  using Names = std::vector<std::string>;
  CHECK(bot_program::settings_files(environment_of({{"HOME", "/home/ann"}})) ==
        Names{"chipzen.toml", "/home/ann/.chipzen/chipzen.toml", "/etc/chipzen/chipzen.toml"});
  CHECK(bot_program::settings_files(environment_of({{"HOME", ""}, {"USERPROFILE", "/u"}})) ==
        Names{"chipzen.toml", "/u/.chipzen/chipzen.toml", "/etc/chipzen/chipzen.toml"});
  CHECK(bot_program::settings_files(nothing) == Names{"chipzen.toml", "/etc/chipzen/chipzen.toml"});
}

TEST_CASE("bot settings: a list of bots has an id and a token in each line", "[lobby][bot]") {
  LobbyArguments arguments;
  arguments.url = "ws://127.0.0.1:9000/whatever";
  const auto bots =
      bot_program::parse_bots("# mine\n\n a1 \t t1 \r\na2 t2 my second", arguments, nothing);
  REQUIRE(std::holds_alternative<std::vector<LobbySettings>>(bots));
  const auto& list = std::get<std::vector<LobbySettings>>(bots);
  REQUIRE(list.size() == 2);
  CHECK(list[0].url == "ws://127.0.0.1:9000/ws/external/bot/a1");
  CHECK(list[0].token.reveal() == "t1");
  CHECK(list[0].bot_id == "a1");
  CHECK(list[1].token.reveal() == "t2");

  const auto staged =
      bot_program::parse_bots("a t\n", {}, environment_of({{"CHIPZEN_ENV", "staging"}}));
  REQUIRE(std::holds_alternative<std::vector<LobbySettings>>(staged));
  CHECK(std::get<std::vector<LobbySettings>>(staged)[0].url ==
        "wss://staging.chipzen.ai/ws/external/bot/a");
}

TEST_CASE("bot settings: a list of bots that cannot be used says in which line", "[lobby][bot]") {
  const auto refused = [](std::string_view text) {
    const auto bots = bot_program::parse_bots(text, {}, nothing);
    REQUIRE(std::holds_alternative<SettingsProblem>(bots));
    return std::get<SettingsProblem>(bots);
  };
  CHECK(refused("").error == SettingsError::config_syntax);
  CHECK(refused("a t\nb\n").sentence ==
        "the list of bots, line 2: a bot id and a token are needed");
  CHECK(refused("a/b t\n").error == SettingsError::bad_bot_id);
  const SettingsProblem problem = refused("a " + std::string{secret} + ",\n");
  CHECK(problem.error == SettingsError::bad_token);
  CHECK(problem.sentence.find("cz_extbot") == std::string::npos);
  std::string many;
  for (std::size_t i = 0; i <= bot_program::max_bots; ++i) many += "a t\n";
  CHECK(refused(many).sentence == "the list of bots, line 10001: these are too many");
}

TEST_CASE("bot settings: a file that others can read is refused unless that is allowed",
          "[lobby][bot]") {
  const Folder folder;
  for (const mode_t mode : {0644, 0640, 0604, 0620}) {
    const std::string name = folder.write("token", secret, mode);
    const auto text = bot_program::read_secret_file(name, false, 100);
    REQUIRE(std::holds_alternative<SettingsProblem>(text));
    CHECK(std::get<SettingsProblem>(text).name() == "file_shared");
    CHECK(std::get<std::string>(bot_program::read_secret_file(name, true, 100)) == secret);
  }
  const std::string own = folder.write("own", secret, 0600);
  CHECK(std::get<std::string>(bot_program::read_secret_file(own, false, 100)) == secret);
  CHECK(std::get<SettingsProblem>(bot_program::read_secret_file(own, false, 10)).name() ==
        "file_unreadable");
  CHECK(std::get<SettingsProblem>(bot_program::read_secret_file(folder.path(), true, 10)).name() ==
        "file_unreadable");
  CHECK(std::get<SettingsProblem>(bot_program::read_secret_file(own + "2", true, 10)).name() ==
        "file_unreadable");
}

TEST_CASE("bot settings: the first file that exists is read, and no other", "[lobby][bot]") {
  const Folder folder;
  const Environment environment = environment_of({{"HOME", folder.path()}});
  folder.write(".chipzen/chipzen.toml", "[external_api]\ntoken = \"t\"\nbot_id = \"b\"\n", 0600);
  bot_program::LobbySources sources;
  auto bots = bot_program::load_bots(sources, environment);
  REQUIRE(std::holds_alternative<std::vector<LobbySettings>>(bots));
  CHECK(std::get<std::vector<LobbySettings>>(bots).at(0).token.reveal() == "t");

  // A token file comes before chipzen.toml, which still says who the bot is.
  sources.token_file = folder.write("token", "other\n", 0600);
  bots = bot_program::load_bots(sources, environment);
  REQUIRE(std::holds_alternative<std::vector<LobbySettings>>(bots));
  CHECK(std::get<std::vector<LobbySettings>>(bots).at(0).token.reveal() == "other");
  CHECK(std::get<std::vector<LobbySettings>>(bots).at(0).bot_id == "b");

  ::chmod((folder.path() + "/.chipzen/chipzen.toml").c_str(), 0644);
  bots = bot_program::load_bots(sources, environment);
  REQUIRE(std::holds_alternative<SettingsProblem>(bots));
  CHECK(std::get<SettingsProblem>(bots).error == SettingsError::file_shared);

  sources.bots_file = folder.write("bots", "x tx\ny ty\n", 0600);
  bots = bot_program::load_bots(sources, environment);
  REQUIRE(std::holds_alternative<std::vector<LobbySettings>>(bots));
  CHECK(std::get<std::vector<LobbySettings>>(bots).size() == 2);
}
