// SPDX-License-Identifier: MIT
// What the programs do with their arguments, whichever they have.
#pragma once

#include <CLI/CLI.hpp>

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace examples {

/// Reads the arguments into what the application was told to fill.
/// @tparam Invocation   a program's: `status` and `text`, to end with
/// @return              how to end, if help or the version was asked for, or there is a mistake
template <class Invocation>
std::optional<Invocation> read_command_line(CLI::App& app, std::span<const std::string> arguments) {
  try {
    // CLI11 takes them from the back.
    app.parse(std::vector<std::string>{arguments.rbegin(), arguments.rend()});
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    std::string help = app.help();
    while (!help.empty() && help.back() == '\n') help.pop_back();
    return Invocation{.text = help};
  } catch (const CLI::CallForVersion& version) {
    return Invocation{.text = version.what()};
  } catch (const CLI::ParseError& error) {
    return Invocation{
        .status = 2,
        .text = app.get_name() + ": " + error.what() + "; --help says what is allowed"};
  }
}

}  // namespace examples
