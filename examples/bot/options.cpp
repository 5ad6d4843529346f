// SPDX-License-Identifier: MIT
// The command line, with CLI11.
#include "options.hpp"

#include "../command_line.hpp"

#include "relay_bot.hpp"

#include <muster/relay/extension.hpp>
#include <muster/url.hpp>
#include <muster/version.hpp>

#include <vector>

namespace bot_program {

namespace {

constexpr const char* default_shard = "ws://127.0.0.1:4324/?shard=arena";

bool is_shard_address(const std::string& text) {
  const auto url = muster::parse_url(text);
  return url && url->scheme == "ws" && url->query().find("shard=") != std::string_view::npos;
}

}  // namespace

Invocation parse_options(std::span<const std::string> arguments) {
  Options options;
  CLI::App app{
      "Plays against a relay or a shard, checks all that comes, and measures how long it takes.",
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
  app.add_option("--game", options.game, "The game, which the relay must know")
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
  app.set_version_flag("--version", "muster-bot " MUSTER_VERSION_STRING);
  app.footer(
      "SIGINT or SIGTERM ends it early, with the summary; a second one at once.\n"
      "Status: 0 all payloads arrived once, whole and in order, or in a shard all that came made\n"
      "sense, and no input was refused; 1 it was not so, or there was no place to play in; 2 a\n"
      "mistake in the command line.");

  const auto mistake = [](const std::string& sentence) {
    return Invocation{.status = 2, .text = "muster-bot: " + sentence};
  };
  if (auto ended = examples::read_command_line<Invocation>(app, arguments)) return *ended;
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
