// SPDX-License-Identifier: MIT
// What muster-lobby can be told by its command line.
#pragma once

#include "faults.hpp"
#include "gateway.hpp"
#include "holdem.hpp"
#include "match_config.hpp"
#include "tournament.hpp"

#include <muster/asio/loop.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace lobby_program {

struct Options {
  std::string listen = "127.0.0.1:8001";
  std::string accounts_file{};    ///< empty: none
  std::size_t open_accounts = 0;  ///< demo bots to make, 0 to 1000
  std::string tokens_file{};      ///< where their tokens go; empty: standard output
  std::string results_file{};     ///< empty: results are kept in memory only
  std::string cors_origin{};      ///< a page that may read /metrics; empty: none
  std::string game = "poker";
  HoldemConfig holdem{};
  MatchConfig match{};   ///< of tournaments
  MatchConfig casual{};  ///< of challenges and the queue
  std::size_t matches_per_token = 4;
  std::uint32_t connects_per_minute = 600;  ///< from one address, 0: no limit
  Gateway::Duplicate duplicate = Gateway::Duplicate::refuse;
  bool is_strict = false;
  std::uint32_t house_delay_ms = 150;
  std::optional<TournamentConfig> tournament{};
  std::size_t bots = 2;        ///< that a tournament waits for
  std::size_t house_bots = 0;  ///< that play in it too
  std::uint32_t matches_at_once = 1;
  std::uint32_t patience_s = 60;
  bool ends_itself = false;             ///< when the tournament is over
  std::optional<std::uint64_t> seed{};  ///< of the tournament; nothing: drawn
  std::vector<Fault> faults{};
  std::string replay{};  ///< the id of a match to show; then nothing else is done
  muster::asio::Backend backend = muster::asio::Backend::automatic;
};

/// What a command line comes to: options to run with, or a text to print and a status to end with.
struct Invocation {
  std::optional<Options> options{};
  int status = 0;      ///< 0: help or version, for stdout; 2: a mistake, for stderr
  std::string text{};  ///< ends without a line break
};

[[nodiscard]] Invocation parse_options(std::span<const std::string> arguments);

}  // namespace lobby_program
