// SPDX-License-Identifier: MIT
// What muster-shard can be told by its command line.
#pragma once

#include <muster/asio/loop.hpp>
#include <muster/subnet.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace shard_program {

struct Options {
  std::string listen = "127.0.0.1:4324";
  std::vector<std::string> shards{"arena"};       ///< 1 to 1000 ids
  std::uint32_t hz = 30;                          ///< of each, 20 to 128
  std::uint16_t players = 256;                    ///< in each, 1 to 1000
  std::uint32_t connections_per_address = 64;     ///< 1 to 2^30
  std::uint32_t connections_per_second = 20;      ///< new ones of an address, 0 (no limit) to 1000
  bool guests = false;                            ///< those without an account choose their id
  std::string accounts_file{};                    ///< empty: nobody has an account
  std::string admin{};                            ///< the account of the administrator; empty: none
  std::vector<std::string> origins{};             ///< pages that may connect; empty: all
  std::string cors_origin{};                      ///< a page that may read /metrics; empty: none
  std::vector<muster::Subnet> trusted_proxies{};  ///< they write a PROXY header; empty: no proxies
  std::uint32_t loops = 1;                        ///< each with a thread of its own, 1 to 64
  muster::asio::Backend backend = muster::asio::Backend::automatic;
};

/// What a command line comes to: options to run with, or a text to print and a status to end with.
struct Invocation {
  std::optional<Options> options{};
  int status = 0;      ///< 0: help or version, for stdout; 2: a mistake, for stderr
  std::string text{};  ///< ends without a line break
};

[[nodiscard]] Invocation parse_options(std::span<const std::string> arguments);

}  // namespace shard_program
