// SPDX-License-Identifier: MIT
#include "signal_options.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>
#include <system_error>
#include <utility>

#include <unistd.h>

extern char** environ;

namespace relay_program {

namespace {

using muster::signal::ConfigDocument;

constexpr std::string_view variable_prefix = "SIGNAL_FISH__";

// No more than a document may have, and one byte to know that there was more.
std::string read_all(std::istream& input) {
  std::string text(ConfigDocument::max_size + 1, '\0');
  input.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(input.gcount()));
  return text;
}

class Documents {
 public:
  explicit Documents(const SignalSources& sources) : sources_(sources) {
    for (const std::string& entry : sources.environment) {
      const std::size_t equals = entry.find('=');
      if (equals == std::string::npos) continue;
      std::string_view name{entry.data(), equals};
      if (name.starts_with(variable_prefix)) {
        keys_.emplace_back(name.substr(variable_prefix.size()),
                           std::string_view{entry}.substr(equals + 1));
      }
    }
    // "SECTION" before "SECTION__KEY", which says something about a part of it.
    std::sort(keys_.begin(), keys_.end());
  }

  std::optional<SignalOptions> read(std::string& problem) {
    SignalOptions options;
    if (!add_documents()) {
      problem = std::move(problem_);
      return std::nullopt;
    }
    std::string sentence;
    if (document_.read(options.config, options.server, sentence)) {
      problem = "the signaling rooms' configuration (" + names_ + "): " + sentence;
      return std::nullopt;
    }
    options.is_configured = !names_.empty();
    if (!options.is_configured) {
      options.config.require_authentication = false;
      options.config.origins.clear();
    }
    return options;
  }

 private:
  // The value of a variable; nothing: it is not set.
  [[nodiscard]] std::optional<std::string_view> variable(std::string_view name) const {
    for (const std::string& entry : sources_.environment) {
      const std::string_view text = entry;
      if (text.starts_with(name) && text.substr(name.size()).starts_with('=')) {
        return text.substr(name.size() + 1);
      }
    }
    return std::nullopt;
  }

  bool add_documents() {
    if (const auto json = variable("SIGNAL_FISH_CONFIG_JSON")) {
      if (!add("SIGNAL_FISH_CONFIG_JSON", *json)) return false;
    }
    if (const auto word = variable("SIGNAL_FISH_CONFIG_STDIN")) {
      if (!add_input(*word)) return false;
    }
    if (const auto path = variable("SIGNAL_FISH_CONFIG_PATH")) {
      if (!add_file(std::string{*path}, true)) return false;
    }
    const std::filesystem::path here{sources_.folder};
    const std::filesystem::path there{sources_.program_folder};
    if (!here.empty() && !add_file((here / "config.json").string(), false)) return false;
    std::error_code error;
    if (!there.empty() && !std::filesystem::equivalent(here, there, error) &&
        !add_file((there / "config.json").string(), false)) {
      return false;
    }
    for (const auto& [name, value] : keys_) {
      if (document_.add_variable(name, value, problem_)) return false;
      name_source(std::string{variable_prefix} + std::string{name});
    }
    return true;
  }

  bool add_input(std::string_view word) {
    if (word == "0" || word == "false" || word == "no" || word.empty()) return true;
    if (word != "1" && word != "true" && word != "yes") {
      problem_ = "SIGNAL_FISH_CONFIG_STDIN must be 1, true or yes, or 0, false or no";
      return false;
    }
    return sources_.input == nullptr || add("standard input", read_all(*sources_.input));
  }

  bool add_file(const std::string& name, bool is_needed) {
    std::error_code error;
    if (!is_needed && !std::filesystem::exists(name, error)) return true;
    errno = 0;
    std::ifstream file{name, std::ios::binary};
    if (!file || std::filesystem::is_directory(name, error)) {
      problem_ = name + " cannot be read: " + std::strerror(errno != 0 ? errno : EIO) +
                 "; a JSON file is needed";
      return false;
    }
    return add(name, read_all(file));
  }

  bool add(const std::string& name, std::string_view json) {
    std::string sentence;
    if (document_.add(json, sentence)) {
      problem_ = name + ": " + sentence;
      return false;
    }
    name_source(name);
    return true;
  }

  void name_source(const std::string& name) {
    constexpr std::size_t max_shown = 300;
    if (names_.size() > max_shown) return;
    names_ += (names_.empty() ? "" : ", ") + name;
    if (names_.size() > max_shown) names_ += ", ...";
  }

  const SignalSources& sources_;
  std::vector<std::pair<std::string_view, std::string_view>> keys_;
  ConfigDocument document_;
  std::string names_;  // of what was read, for a sentence
  std::string problem_;
};

}  // namespace

SignalSources process_sources() {
  SignalSources sources;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    if (std::strncmp(*entry, "SIGNAL_FISH_", 12) == 0) sources.environment.emplace_back(*entry);
  }
  sources.input = &std::cin;
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (!error) sources.program_folder = program.parent_path().string();
  return sources;
}

std::optional<SignalOptions> read_signal_options(const SignalSources& sources,
                                                 std::string& problem) {
  return Documents{sources}.read(problem);
}

}  // namespace relay_program
