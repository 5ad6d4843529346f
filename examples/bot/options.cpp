// SPDX-License-Identifier: MIT
// The command line, with CLI11.
#include "options.hpp"

#include "../command_line.hpp"

#include "relay_bot.hpp"

#include <muster/relay/extension.hpp>
#include <muster/url.hpp>
#include <muster/version.hpp>

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>
#include <vector>

namespace bot_program {

namespace {

constexpr const char* default_shard = "ws://127.0.0.1:4324/?shard=arena";

bool is_shard_address(const std::string& text) {
  const auto url = muster::parse_url(text);
  return url && url->scheme == "ws" && url->query().find("shard=") != std::string_view::npos;
}

Invocation mistake(const std::string& sentence) {
  return {.status = 2, .text = "muster-bot: " + sentence};
}

// What is for lobbies.
class Lobby {
 public:
  explicit Lobby(CLI::App& app) : app_(&app) {
    const char* const group = "In a lobby";
    app.add_flag("--lobby", is_lobby_, "Wait in a lobby for matches, and play them")->group(group);
    const auto text = [&](const char* name, const char* type, std::string& to, const char* help) {
      names_.push_back(name);
      app.add_option(name, to, help)->type_name(type)->group(group);
    };
    text("--url", "URL", url_, "The lobby's address; turns --lobby on");
    text("--bot-id", "ID", bot_id_, "Which bot it is; turns --lobby on");
    text("--env", "NAME", environment_, "Whose lobby: prod, staging or local (default prod)");
    text("--bots", "FILE", said_.sources.bots_file,
         "Run the bots of this list, a line BOT_ID TOKEN for each; --url says which\n"
         "server; turns --lobby on");
    text("--token-file", "FILE", said_.sources.token_file,
         "Where the bot's token is (default chipzen.toml, then CHIPZEN_EXTBOT_TOKEN)");
    text("--token", "TOKEN", token_,
         "The bot's token; everybody on this machine sees it in the list of processes");
    text("--strategy", "NAME", strategy_, "fold, call, random or tag (default tag)");
    text("--seed", "N", seed_, "Makes the strategies do the same again (default: random)");
    const auto flag = [&](const char* name, bool& to, const char* help) {
      names_.push_back(name);
      app.add_flag(name, to, help)->group(group);
    };
    flag("--insecure-files", said_.sources.allows_shared,
         "Read tokens also from files that others than their owner may read");
    flag("--no-safe-mode", is_unsafe_, "A strategy that fails ends the program, with status 5");
    flag("--json-log", said_.json_log, "Print one line of JSON for each event, and nothing else");
    names_.insert(names_.end(), {"--max-matches", "--concurrency"});
    app.add_option("--max-matches", max_matches_,
                   "Matches of each bot, then it stops (default: no bound)")
        ->type_name("N")
        ->check(CLI::Range(1U, 1'000'000'000U).description(""))
        ->group(group);
    app.add_option("--concurrency", said_.concurrency, "Matches of each bot at once; 0: no bound")
        ->type_name("N")
        ->check(CLI::Range(0U, 10'000U).description(""))
        ->capture_default_str()
        ->group(group);
  }

  [[nodiscard]] bool is_wanted() const {
    return is_lobby_ || app_->count("--url") + app_->count("--bot-id") + app_->count("--bots") > 0;
  }

  /// An option that has no meaning elsewhere; empty: there is none.
  [[nodiscard]] std::string option_given() const {
    const auto found = std::find_if(names_.begin(), names_.end(),
                                    [this](const char* name) { return app_->count(name) > 0; });
    return found == names_.end() ? std::string{} : *found;
  }

  Invocation finish(Options options) {
    for (const char* const name :
         {"--relay", "--shard", "--room", "--name", "--spectator", "--rooms", "--players", "--rate",
          "--rpc-rate", "--size", "--duration", "--json"}) {
      if (app_->count(name) > 0) return mistake(std::string{name} + " is not for --lobby");
    }
    const bool is_list = app_->count("--bots") > 0;
    for (const char* const name : {"--bot-id", "--token", "--token-file"}) {
      if (is_list && app_->count(name) > 0) {
        return mistake(std::string{name} + " is for one bot, and --bots for many");
      }
    }
    if (app_->count("--token") > 0 && app_->count("--token-file") > 0) {
      return mistake("--token and --token-file do not go together");
    }
    if (app_->count("--strategy") > 0) {
      const auto strategy = parse_strategy(strategy_);
      if (!strategy) return mistake("--strategy must be fold, call, random or tag");
      said_.strategy = *strategy;
    }
    LobbyArguments& arguments = said_.sources.arguments;
    if (app_->count("--url") > 0) arguments.url = url_;
    if (app_->count("--bot-id") > 0) arguments.bot_id = bot_id_;
    if (app_->count("--env") > 0) arguments.environment = environment_;
    if (app_->count("--token") > 0) arguments.token.emplace(token_);
    muster::lobby::wipe(token_);
    if (app_->count("--max-matches") > 0) said_.max_matches = max_matches_;
    if (app_->count("--seed") > 0) {
      // CLI11 takes -1 for the largest number.
      std::uint64_t seed = 0;
      const char* const end = seed_.data() + seed_.size();
      const auto read = std::from_chars(seed_.data(), end, seed);
      if (read.ec != std::errc{} || read.ptr != end) {
        return mistake("--seed must be a number from 0 to 18446744073709551615");
      }
      said_.seed = seed;
    }
    if (app_->count("--game") > 0) said_.game = options.game;
    said_.safe_mode = !is_unsafe_;
    options.lobby = said_;
    return {.options = std::move(options)};
  }

 private:
  CLI::App* app_;
  LobbyOptions said_;
  std::vector<const char*> names_;
  std::string url_;
  std::string bot_id_;
  std::string environment_;
  std::string token_;
  std::string strategy_;
  std::uint32_t max_matches_ = 0;
  std::string seed_;
  bool is_lobby_ = false;
  bool is_unsafe_ = false;
};

}  // namespace

Invocation parse_options(std::span<const std::string> arguments) {
  Options options;
  CLI::App app{
      "Plays against a relay or a shard, checks all that comes, and measures how long it takes;\n"
      "or waits in a lobby, and plays the matches that it is given.",
      "muster-bot"};
  std::string relay;
  CLI::Option* const relay_option =
      app.add_option("--relay", relay,
                     "Play against the relay at this address (default " + options.relay + ")")
          ->type_name("URL")
          ->expected(0, 1);
  std::string shard;
  CLI::Option* const shard_option =
      app.add_option("--shard", shard,
                     "Play in the arena of the muster-shard at this address (default " +
                         std::string{default_shard} + ")")
          ->type_name("URL")
          ->expected(0, 1);
  app.add_option("--game", options.game,
                 "The game, which the relay must know; in a lobby, the type of game that it says\n"
                 "it plays (there, default none)")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--room", options.room, "The room; with several, -1, -2 and so on is appended")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--name", options.name,
                 "A name for everybody, at most 64 bytes; uses the protocol's extension")
      ->type_name("NAME");
  app.add_flag("--spectator", options.spectator,
               "The players only watch, and send no actions; uses the protocol's extension");
  app.add_option("--rooms", options.rooms, "How many rooms, each with a host of its own, 1 to 1000")
      ->type_name("N")
      ->check(CLI::Range(1, 1000).description(""))
      ->capture_default_str();
  app.add_option("--players", options.players, "Players in each room, or in the shard, 1 to 10000")
      ->type_name("N")
      ->check(CLI::Range(1, 10'000).description(""))
      ->capture_default_str();
  app.add_option("--rate", options.rate,
                 "Updates per second that each host sends, or in a shard inputs that each\n"
                 "player sends, 0 to 10000")
      ->type_name("HZ")
      ->check(CLI::Range(0.0, 10'000.0).description(""))
      ->capture_default_str();
  app.add_option("--rpc-rate", options.rpc_rate,
                 "Actions per second that each player sends, 0 to 10000")
      ->type_name("HZ")
      ->check(CLI::Range(0.0, 10'000.0).description(""))
      ->capture_default_str();
  app.add_option("--size", options.size,
                 "Bytes of each payload, " + std::to_string(min_payload_size) + " to " +
                     std::to_string(max_payload_size))
      ->type_name("BYTES")
      ->check(CLI::Range(min_payload_size, max_payload_size).description(""))
      ->capture_default_str();
  app.add_option("--duration", options.duration_seconds, "How long; 0: until it is stopped")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 1e9).description(""))
      ->capture_default_str();
  app.add_flag("--json", options.json, "Print one line of JSON at the end, and nothing else");
  Lobby lobby{app};
  app.set_version_flag("--version", "muster-bot " MUSTER_VERSION_STRING);
  app.footer(
      "SIGINT or SIGTERM ends it early, with the summary; a second one at once.\n"
      "Status: 0 all payloads arrived once, whole and in order, or in a shard all that came made\n"
      "sense, and no input was refused; 1 it was not so, or there was no place to play in; 2 a\n"
      "mistake in the command line.\n"
      "In a lobby: 0 stopped, or replaced by another connection of the same bot; 1 ended at once;\n"
      "2 a mistake in the configuration; 3 the token is not accepted; 4 no lobby, or it was lost;\n"
      "5 a strategy failed. A bot looks for chipzen.toml here, in ~/.chipzen and in /etc/chipzen;\n"
      "the command line comes before it, and CHIPZEN_BOT_ID, CHIPZEN_ENV and CHIPZEN_EXTBOT_TOKEN\n"
      "after it.");

  if (auto ended = examples::read_command_line<Invocation>(app, arguments)) return *ended;
  if (lobby.is_wanted()) return lobby.finish(options);
  if (const std::string other = lobby.option_given(); !other.empty()) {
    return mistake(other + " is for --lobby");
  }
  // Without a value CLI11 gives an empty one, in a notation of its own.
  if (relay_option->count() > 0 && !relay.empty() && relay != "{}") options.relay = relay;
  const auto url = muster::parse_url(options.relay);
  if (!url || url->scheme != "ws") {
    return mistake("--relay must be a WebSocket address such as ws://127.0.0.1:8080/ws");
  }
  if (shard_option->count() > 0) {
    for (const char* const name : {"--relay", "--game", "--room", "--name", "--spectator",
                                   "--rooms", "--rpc-rate", "--size"}) {
      if (app.count(name) > 0) return mistake(std::string{name} + " is not for --shard");
    }
    options.shard = shard.empty() || shard == "{}" ? default_shard : shard;
    if (!is_shard_address(options.shard)) {
      return mistake(std::string{"--shard must be a WebSocket address such as "} + default_shard);
    }
  }
  if (!options.name.empty() && !muster::relay::is_display_name(options.name)) {
    return mistake("--name must be UTF-8 of at most 64 bytes without control characters");
  }
  if (options.spectator) options.rpc_rate = 0;
  return {.options = options};
}

}  // namespace bot_program
