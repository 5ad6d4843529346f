// SPDX-License-Identifier: MIT
// What muster-relay can be told, by its command line and by its configuration file.
#pragma once

#include "log.hpp"
#include "signal_options.hpp"

#include <muster/asio/loop.hpp>
#include <muster/asio/websocket_server.hpp>
#include <muster/relay/service.hpp>
#include <muster/time.hpp>

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace relay_program {

/// Everything that the program can be told. Empty names: it does without.
struct Options {
  Options() { websocket.max_connections_per_address = 64; }  // of strangers, unlike the library's

  std::string listen = "127.0.0.1:8080";
  std::string listen_source = "--listen";  ///< who said so, for an error message
  std::uint32_t loops = 1;                 ///< each with a thread
  muster::asio::Backend backend = muster::asio::Backend::automatic;
  muster::relay::Service::Config relay{};
  muster::asio::WebSocketServer::Config websocket{};
  muster::duration drain_timeout = std::chrono::seconds{5};
  SignalOptions signal{};

  std::string games_file{};        ///< empty: the games that are built in
  std::string tls_certificate{};   ///< PEM, with the chain
  std::string tls_key{};           ///< PEM
  std::string records{};           ///< "sqlite:FILE" or "postgresql://..."
  std::string admin_token_file{};  ///< its first line is the token
  std::string auth_file{};         ///< who may prove to be which user
  std::string auth_cookie = "session";
  std::string static_root{};

  /// In the records; the same after a restart, different for each relay with the same database.
  std::string relay_name = "muster-relay";

  std::string log_file = "stderr";
  LogLevel log_level = LogLevel::warning;
};

/// What a command line comes to: options to run with, or a text to print and a status to end with.
struct Invocation {
  std::optional<Options> options{};
  int status = 0;      ///< 0: a text that was asked for, for stdout; else a mistake, for stderr
  std::string text{};  ///< ends without a line break
};

/// Reads the command line, and the files that it names. The command line overrides the file, and
/// both override what the signaling rooms' configuration says of the whole program.
///
/// A mistake is one sentence that names the file, the key and what is allowed; its status is 2, or
/// 1 in what the signaling rooms are told.
/// @param signal   null: they are told nothing
[[nodiscard]] Invocation parse_options(std::span<const std::string> arguments,
                                       const SignalSources* signal = nullptr);

/// Reads the games again, or the built-in ones if the name is empty.
/// @param problem   on failure, a sentence that begins with the file's name
[[nodiscard]] std::optional<muster::relay::GameConfig> load_games(const std::string& file,
                                                                  std::string& problem);

/// A key of the configuration file, for the help and for tests.
struct KeyInfo {
  std::string name;
  std::string allowed;
  std::vector<std::string> examples;  ///< TOML values that are allowed: both ends of a range
};

[[nodiscard]] std::vector<KeyInfo> configuration_keys();

}  // namespace relay_program
