// SPDX-License-Identifier: MIT
// What muster-bot can be told by its command line.
#pragma once

#include "secret_file.hpp"
#include "strategy.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace bot_program {

/// What is said with --lobby.
struct LobbyOptions {
  LobbySources sources{};
  Strategy strategy = Strategy::tag;
  std::string game{};  ///< the type of game that gateways are told; empty: none, which means poker
  std::optional<std::uint32_t> max_matches{};  ///< of each bot, from 1; nothing: no bound
  std::uint32_t concurrency = 16;              ///< matches of each bot at once; 0: no bound
  std::optional<std::uint64_t> seed{};         ///< of the strategies; nothing: a random one
  bool safe_mode = true;
  bool json_log = false;
};

struct Options {
  std::optional<LobbyOptions> lobby{};  ///< nothing: play in a shard or against a relay
  std::string shard{};                  ///< empty: play against the relay
  std::string relay = "ws://127.0.0.1:8080/ws";
  std::string game = "demo";
  std::string room = "bot";
  std::string name;            ///< of everybody, to show to others; empty: none
  bool spectator = false;      ///< the players watch
  std::uint32_t rooms = 1;     ///< 1 to 1000
  std::uint32_t players = 20;  ///< in each room, 1 to 10,000
  double rate = 20;     ///< updates per second of each host, inputs of each subscriber; 0 to 10,000
  double rpc_rate = 5;  ///< actions per second of each player, 0 to 10,000
  std::uint32_t size = 64;       ///< bytes of each payload, 32 to 32,768
  double duration_seconds = 10;  ///< 0: until stopped
  bool json = false;
};

/// What a command line comes to: options to run with, or a text to print and a status to end with.
struct Invocation {
  std::optional<Options> options{};
  int status = 0;      ///< 0: help or version, for stdout; 2: a mistake, for stderr
  std::string text{};  ///< ends without a line break
};

[[nodiscard]] Invocation parse_options(std::span<const std::string> arguments);

}  // namespace bot_program
