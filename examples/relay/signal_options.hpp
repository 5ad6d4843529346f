// SPDX-License-Identifier: MIT
// What the signaling rooms are told, by files and by the environment, as their reference server.
#pragma once

#include <muster/signal/config.hpp>
#include <muster/signal/config_document.hpp>

#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay_program {

struct SignalOptions {
  muster::signal::Config config{};
  muster::signal::ServerSettings server{};
  bool is_configured = false;  ///< a variable or a file says something
};

/// Where documents come from.
struct SignalSources {
  std::vector<std::string> environment{};  ///< "NAME=VALUE" each
  std::istream* input = nullptr;           ///< read only if a variable says so
  std::string folder = ".";                ///< of ./config.json; empty: none
  std::string program_folder{};            ///< of the executable; empty: unknown
};

/// Those of this process.
[[nodiscard]] SignalSources process_sources();

/// Lays the documents over each other: SIGNAL_FISH_CONFIG_JSON, standard input, the file that
/// SIGNAL_FISH_CONFIG_PATH names, ./config.json, config.json beside the executable, and
/// SIGNAL_FISH__SECTION__KEY. If there is none, everybody may come in, as to the relay beside.
/// @param problem   on failure, a sentence that names the source, and the key's path
[[nodiscard]] std::optional<SignalOptions> read_signal_options(const SignalSources& sources,
                                                               std::string& problem);

}  // namespace relay_program
