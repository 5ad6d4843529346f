// SPDX-License-Identifier: MIT
// What muster-bot can be told by its command line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace bot_program {

struct Options {
  std::string shard{};  ///< empty: play against the relay
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
