// SPDX-License-Identifier: MIT
// The command line, with CLI11.
#include "options.hpp"

#include "../command_line.hpp"

#include <muster/version.hpp>

#include <array>
#include <chrono>
#include <fstream>
#include <utility>

namespace lobby_program {

namespace {

using muster::asio::Backend;
using Format = TournamentConfig::Format;

constexpr std::pair<const char*, Backend> backends[] = {
    {"auto", Backend::automatic}, {"epoll", Backend::epoll}, {"portable", Backend::portable}};
constexpr std::pair<const char*, Format> formats[] = {{"round-robin", Format::round_robin},
                                                      {"swiss", Format::swiss},
                                                      {"elimination", Format::elimination}};

// What is read as text or as a plain number, and turned into options after that.
struct Words {
  std::string backend = "auto";
  std::string format{};
  std::string duplicate = "refuse";
  std::string dialect = "current";
  std::string faults_file{};
  std::vector<std::string> faults{};
  std::uint32_t turn_ms = 2000;
  std::uint32_t casual_ms = 30'000;
  std::uint32_t presence_s = 30;
  std::uint32_t grace_s = 30;
  std::uint32_t result_delay_ms = 500;
  std::uint32_t frames_per_second = 10;
  std::uint64_t seed = 0;
};

template <class T, std::size_t N>
std::optional<T> named(const std::pair<const char*, T> (&table)[N], const std::string& name) {
  for (const auto& [known, value] : table) {
    if (name == known) return value;
  }
  return std::nullopt;
}

void add_general(CLI::App& app, Options& options, Words& words) {
  app.add_option("--listen", options.listen, "Where to listen (port 0: any free)")
      ->type_name("ADDR:PORT")
      ->capture_default_str();
  app.add_option("--accounts", options.accounts_file, "The bots, with hashes of their tokens")
      ->type_name("FILE");
  app.add_option("--open-accounts", options.open_accounts, "Makes N bots with new tokens")
      ->type_name("N")
      ->check(CLI::Range(1, 1000).description(""));
  app.add_option("--tokens", options.tokens_file,
                 "Where those tokens go, readable by nobody else (default: standard output)")
      ->type_name("FILE");
  app.add_option("--results", options.results_file,
                 "A SQLite file for matches that are over (default: memory, the last 256)")
      ->type_name("FILE");
  app.add_option("--connects-per-minute", options.connects_per_minute,
                 "From one address, up to 1000 (0: no limit)")
      ->type_name("N")
      ->check(CLI::Range(0, 1000).description(""))
      ->capture_default_str();
  app.add_option("--cors-origin", options.cors_origin,
                 "A page elsewhere that may read /metrics, such as https://status.example")
      ->type_name("ORIGIN");
  app.add_option("--backend", words.backend, "auto, epoll or portable")
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--replay", options.replay,
                 "Prints the frames of a match that --results has, and ends")
      ->type_name("MATCH");
}

void add_matches(CLI::App& app, Options& options, Words& words) {
  app.add_option("--game", options.game, "poker or tic_tac_toe")
      ->type_name("NAME")
      ->check(CLI::IsMember({"poker", "tic_tac_toe"}).description(""))
      ->capture_default_str();
  app.add_option("--stack", options.holdem.starting_stack, "Chips of each seat")
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--small-blind", options.holdem.small_blind)
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--big-blind", options.holdem.big_blind)->type_name("N")->capture_default_str();
  app.add_option("--hands-per-level", options.holdem.hands_per_level,
                 "Hands after which the blinds double")
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--turn", words.turn_ms, "For a decision in a tournament, in ms")
      ->type_name("MS")
      ->check(CLI::Range(1000, 3'600'000).description(""))
      ->capture_default_str();
  app.add_option("--casual-turn", words.casual_ms, "For a decision in other matches, in ms")
      ->type_name("MS")
      ->check(CLI::Range(1000, 3'600'000).description(""))
      ->capture_default_str();
  app.add_option("--presence", words.presence_s, "For both bots to come, in s")
      ->type_name("S")
      ->check(CLI::Range(1, 3600).description(""))
      ->capture_default_str();
  app.add_option("--grace", words.grace_s, "For a bot to come back, in s")
      ->type_name("S")
      ->check(CLI::Range(1, 3600).description(""))
      ->capture_default_str();
  app.add_option("--result-delay", words.result_delay_ms,
                 "The most that others wait for the result of a turn, in ms; the least is a fifth")
      ->type_name("MS")
      ->check(CLI::Range(0, 10'000).description(""))
      ->capture_default_str();
  app.add_option("--frames-per-second", words.frames_per_second,
                 "That a bot may send, up to 64 (0: no limit)")
      ->type_name("N")
      ->check(CLI::Range(0, 64).description(""))
      ->capture_default_str();
  app.add_option("--house-delay", options.house_delay_ms, "Before a bot of the house answers")
      ->type_name("MS")
      ->check(CLI::Range(0, 10'000).description(""))
      ->capture_default_str();
  app.add_option("--matches-per-token", options.matches_per_token, "At once, outside tournaments")
      ->type_name("N")
      ->check(CLI::Range(1, 1000).description(""))
      ->capture_default_str();
  app.add_option("--duplicate", words.duplicate,
                 "A second connection for a live seat: refuse or replace")
      ->type_name("WHAT")
      ->check(CLI::IsMember({"refuse", "replace"}).description(""))
      ->capture_default_str();
  app.add_option("--dialect", words.dialect, "current or draft")
      ->type_name("NAME")
      ->check(CLI::IsMember({"current", "draft"}).description(""))
      ->capture_default_str();
  app.add_flag("--strict", options.is_strict, "Unknown fields in a handshake are errors");
}

CLI::Option* add_tournament(CLI::App& app, Options& options, Words& words) {
  app.add_option("--tournament", words.format, "round-robin, swiss or elimination")
      ->type_name("FORMAT")
      ->check(CLI::IsMember({"round-robin", "swiss", "elimination"}).description(""));
  app.add_option("--bots", options.bots, "Bots that it waits for")
      ->type_name("N")
      ->check(CLI::Range(0, 256).description(""))
      ->capture_default_str();
  app.add_option("--house-bots", options.house_bots, "Bots of the house that play too")
      ->type_name("N")
      ->check(CLI::Range(0, 256).description(""))
      ->capture_default_str();
  app.add_option("--matches-at-once", options.matches_at_once, "Of one bot")
      ->type_name("N")
      ->check(CLI::Range(1, 256).description(""))
      ->capture_default_str();
  app.add_option("--patience", options.patience_s, "With a bot that is away, in s")
      ->type_name("S")
      ->check(CLI::Range(1, 86'400).description(""))
      ->capture_default_str();
  app.add_flag("--until-over", options.ends_itself, "Ends when the tournament is over");
  return app.add_option("--seed", words.seed, "Of the tournament (default: drawn)")->type_name("N");
}

// One fault on a line.
std::string read_faults(const std::string& file, std::vector<std::string>& faults) {
  std::ifstream input{file};
  if (!input) return file + " cannot be read; a file with faults is needed";
  std::string line;
  while (std::getline(input, line)) {
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.pop_back();
    if (!line.empty() && line.front() != '#') faults.push_back(line);
  }
  return {};
}

// What the words say.
std::string apply(Words& words, Options& options) {
  const auto backend = named(backends, words.backend);
  if (!backend) return "--backend must be auto, epoll or portable";
  options.backend = *backend;
  if (words.duplicate == "replace") options.duplicate = Gateway::Duplicate::replace;

  options.match.dialect = words.dialect == "draft" ? Dialect::draft : Dialect::current;
  options.match.presence_timeout = std::chrono::seconds{words.presence_s};
  options.match.reconnect_grace = std::chrono::seconds{words.grace_s};
  options.match.max_result_delay = std::chrono::milliseconds{words.result_delay_ms};
  options.match.min_result_delay = options.match.max_result_delay / 5;
  options.match.frames_per_second = words.frames_per_second;
  options.casual = options.match;
  options.match.turn_timeout = std::chrono::milliseconds{words.turn_ms};
  options.casual.turn_timeout = std::chrono::milliseconds{words.casual_ms};
  if (validate(options.holdem)) {
    return "--stack must be 1 to 1000 big blinds, and --small-blind 1 to --big-blind, which is at "
           "most 1000000";
  }

  if (!words.format.empty()) {
    options.tournament = TournamentConfig{.format = *named(formats, words.format)};
    const std::size_t entrants = options.bots + options.house_bots;
    if (entrants < 2 || entrants > Tournament::max_entrants) {
      return "--bots and --house-bots must be 2 to 256 together";
    }
  }
  if (options.ends_itself && !options.tournament) return "--until-over needs --tournament";
  if (!options.replay.empty() && options.results_file.empty()) return "--replay needs --results";

  if (!words.faults_file.empty()) {
    if (std::string problem = read_faults(words.faults_file, words.faults); !problem.empty()) {
      return problem;
    }
  }
  for (const std::string& text : words.faults) {
    std::string problem;
    const auto fault = parse_fault(text, problem);
    if (!fault) return problem;
    options.faults.push_back(*fault);
  }
  return {};
}

}  // namespace

Invocation parse_options(std::span<const std::string> arguments) {
  Options options;
  Words words;
  CLI::App app{
      "Runs a lobby that bots play on: matches, a queue, tournaments, and a page to watch.",
      "muster-lobby"};
  add_general(app, options, words);
  add_matches(app, options, words);
  CLI::Option* const seed = add_tournament(app, options, words);
  app.add_option("--fault", words.faults,
                 "Something that goes wrong, KIND[=VALUE]@PLACE[:FRAME], to test clients with;\n"
                 "several: say it again")
      ->type_name("FAULT")
      ->allow_extra_args(false);
  app.add_option("--faults", words.faults_file, "The same from a file, one on a line")
      ->type_name("FILE");
  app.set_version_flag("--version", "muster-lobby " MUSTER_VERSION_STRING);
  app.footer(
      "The file of accounts has lines of 64 hex digits, a bot's UUID and a name; the digits are\n"
      "what\n"
      "  printf %s TOKEN | openssl dgst -sha256 -hmac muster\n"
      "prints. SIGHUP reads it again; a token that is gone is revoked.\n"
      "SIGTERM or SIGINT drains: bots are told, and the program ends with status 0. A second one\n"
      "ends it at once with status 1.");

  if (auto ended = examples::read_command_line<Invocation>(app, arguments)) return *ended;
  if (seed->count() != 0) options.seed = words.seed;
  if (const std::string problem = apply(words, options); !problem.empty()) {
    return {.status = 2, .text = "muster-lobby: " + problem};
  }
  return {.options = std::move(options)};
}

}  // namespace lobby_program
