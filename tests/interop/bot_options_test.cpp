// SPDX-License-Identifier: MIT
// The options of muster-bot: what is accepted, and the sentence for what is not.
#include "lobby_bot.hpp"
#include "options.hpp"

#include "support/catch.hpp"

#include <string>
#include <vector>

using bot_program::Invocation;
using bot_program::LobbyOptions;
using bot_program::LobbyStatus;
using bot_program::Options;
using bot_program::parse_options;
using bot_program::Strategy;
using muster::lobby::StopReason;

namespace {

Options accepted(const std::vector<std::string>& arguments) {
  const Invocation invocation = parse_options(arguments);
  INFO(invocation.text);
  REQUIRE(invocation.options);
  return *invocation.options;
}

LobbyOptions in_lobby(const std::vector<std::string>& arguments) {
  const Options options = accepted(arguments);
  REQUIRE(options.lobby);
  return *options.lobby;
}

std::string refusal(const std::vector<std::string>& arguments) {
  const Invocation invocation = parse_options(arguments);
  REQUIRE_FALSE(invocation.options);
  CHECK(invocation.status == 2);
  CHECK(invocation.text.starts_with("muster-bot: "));
  CHECK(invocation.text.find('\n') == std::string::npos);
  return invocation.text;
}

}  // namespace

TEST_CASE("bot options: without any it plays against the relay", "[bot][options]") {
  const Options options = accepted({});
  CHECK_FALSE(options.lobby);
  CHECK(options.shard.empty());
  CHECK(options.relay == "ws://127.0.0.1:8080/ws");
  CHECK(options.game == "demo");
  CHECK(accepted({"--shard"}).shard == "ws://127.0.0.1:4324/?shard=arena");
}

TEST_CASE("bot options: whatever says which bot it is leads to the lobby", "[bot][options]") {
  const LobbyOptions plain = in_lobby({"--lobby"});
  CHECK(plain.strategy == Strategy::tag);
  CHECK(plain.game.empty());
  CHECK_FALSE(plain.max_matches);
  CHECK(plain.concurrency == 16);
  CHECK_FALSE(plain.seed);
  CHECK(plain.safe_mode);
  CHECK_FALSE(plain.json_log);
  CHECK_FALSE(plain.sources.arguments.url);
  CHECK_FALSE(plain.sources.arguments.bot_id);
  CHECK_FALSE(plain.sources.arguments.token);
  CHECK(in_lobby({"--url", "wss://a/b"}).sources.arguments.url == "wss://a/b");
  CHECK(in_lobby({"--bot-id", "b"}).sources.arguments.bot_id == "b");
  CHECK(in_lobby({"--bots", "list"}).sources.bots_file == "list");
}

TEST_CASE("bot options: each of the lobby's is taken over", "[bot][options]") {
  const LobbyOptions options =
      in_lobby({"--bot-id", "b", "--env", "staging", "--token-file", "secret", "--max-matches", "7",
                "--concurrency", "0", "--strategy", "random", "--seed", "18446744073709551615",
                "--no-safe-mode", "--json-log", "--game", "nim", "--insecure-files"});
  CHECK(options.sources.arguments.environment == "staging");
  CHECK(options.sources.token_file == "secret");
  CHECK(options.sources.allows_shared);
  CHECK(options.max_matches == 7);
  CHECK(options.concurrency == 0);
  CHECK(options.strategy == Strategy::random);
  CHECK(options.seed == 18446744073709551615U);
  CHECK_FALSE(options.safe_mode);
  CHECK(options.json_log);
  CHECK(options.game == "nim");
}

TEST_CASE("bot options: an empty token is said, and an empty bot id", "[bot][options]") {
  const auto arguments = in_lobby({"--bot-id", "", "--token", ""}).sources.arguments;
  REQUIRE(arguments.token);
  CHECK(arguments.token->is_empty());
  CHECK(arguments.bot_id == "");
}

TEST_CASE("bot options: what does not belong together is refused", "[bot][options]") {
  CHECK(refusal({"--lobby", "--relay"}) == "muster-bot: --relay is not for --lobby");
  CHECK(refusal({"--lobby", "--shard"}) == "muster-bot: --shard is not for --lobby");
  CHECK(refusal({"--url", "wss://a", "--players", "3"}) ==
        "muster-bot: --players is not for --lobby");
  CHECK(refusal({"--lobby", "--duration", "3"}) == "muster-bot: --duration is not for --lobby");
  CHECK(refusal({"--lobby", "--json"}) == "muster-bot: --json is not for --lobby");
  for (const std::vector<std::string>& alone : {std::vector<std::string>{"--env", "local"},
                                                {"--token-file", "x"},
                                                {"--token", "x"},
                                                {"--strategy", "tag"},
                                                {"--no-safe-mode"},
                                                {"--json-log"},
                                                {"--insecure-files"},
                                                {"--max-matches", "1"},
                                                {"--concurrency", "1"},
                                                {"--seed", "1"}}) {
    CHECK(refusal(alone) == "muster-bot: " + alone[0] + " is for --lobby");
  }
  CHECK(refusal({"--bots", "x", "--bot-id", "b"}) ==
        "muster-bot: --bot-id is for one bot, and --bots for many");
  CHECK(refusal({"--bots", "x", "--token-file", "b"}) ==
        "muster-bot: --token-file is for one bot, and --bots for many");
  CHECK(refusal({"--lobby", "--token", "a", "--token-file", "b"}) ==
        "muster-bot: --token and --token-file do not go together");
}

TEST_CASE("bot options: values out of range are refused", "[bot][options]") {
  CHECK(refusal({"--lobby", "--strategy", "bluff"}) ==
        "muster-bot: --strategy must be fold, call, random or tag");
  refusal({"--lobby", "--max-matches", "0"});
  refusal({"--lobby", "--concurrency", "-1"});
  refusal({"--lobby", "--concurrency", "10001"});
  refusal({"--lobby", "--seed", "-1"});
  refusal({"--lobby", "--seed", "18446744073709551616"});
}

TEST_CASE("bot options: the client is told what the program was told", "[bot][options]") {
  bot_program::LobbySettings settings;
  settings.url = "wss://a.example/x";
  settings.token = muster::lobby::Token{"t"};
  std::string problem;
  auto config = bot_program::config_of(in_lobby({"--lobby"}), settings);
  CHECK_FALSE(muster::lobby::validate(config, problem));
  CHECK(config.supported_games.empty());
  CHECK(config.safe_mode);
  CHECK_FALSE(config.max_matches);
  config = bot_program::config_of(in_lobby({"--lobby", "--game", "nim", "--no-safe-mode",
                                            "--max-matches", "2", "--concurrency", "3"}),
                                  settings);
  CHECK(config.supported_games == std::vector<std::string>{"nim"});
  CHECK_FALSE(config.safe_mode);
  CHECK(config.max_matches == 2);
  CHECK(config.max_concurrent_matches == 3);
}

TEST_CASE("bot options: each reason to stop has its status", "[bot][options]") {
  using bot_program::status_of;
  CHECK(status_of(StopReason::max_matches) == LobbyStatus::normal);
  CHECK(status_of(StopReason::stopped) == LobbyStatus::normal);
  CHECK(status_of(StopReason::evicted) == LobbyStatus::normal);
  CHECK(status_of(StopReason::auth_failed) == LobbyStatus::auth);
  CHECK(status_of(StopReason::token_revoked) == LobbyStatus::auth);
  CHECK(status_of(StopReason::connect_failed) == LobbyStatus::lost);
  CHECK(status_of(StopReason::lobby_unstable) == LobbyStatus::lost);
  CHECK(status_of(StopReason::lobby_lost) == LobbyStatus::lost);
  CHECK(status_of(StopReason::handler_failed) == LobbyStatus::handler);
}
