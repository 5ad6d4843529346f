// SPDX-License-Identifier: MIT
// Fuzzes the configuration document: layers parted by zero bytes, each a JSON document, or a
// variable such as =SERVER__MAX_ROOMS=5.
#include <muster/bytes.hpp>
#include <muster/signal/config.hpp>
#include <muster/signal/config_document.hpp>
#include <muster/utf8.hpp>

#include "support/require.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

namespace {

using muster::signal::Config;
using muster::signal::ConfigDocument;
using muster::signal::ServerSettings;
using test::require;

constexpr std::size_t max_bytes = 16 * 1024;

// One line that an operator can be shown.
void check_sentence(const std::string& problem) {
  require(!problem.empty() && muster::is_valid_utf8(muster::as_bytes(problem)));
  for (const char c : problem) require(static_cast<unsigned char>(c) >= ' ');
}

std::error_code add(ConfigDocument& document, std::string_view layer, std::string& problem) {
  if (!layer.starts_with('=')) return document.add(layer, problem);
  layer.remove_prefix(1);
  const std::size_t equals = layer.find('=');
  if (equals == std::string_view::npos) return document.add_variable(layer, "", problem);
  return document.add_variable(layer.substr(0, equals), layer.substr(equals + 1), problem);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > max_bytes) return 0;
  std::string_view rest{reinterpret_cast<const char*>(data), size};
  ConfigDocument document;
  for (bool is_last = false; !is_last;) {
    const std::size_t end = rest.find('\0');
    is_last = end == std::string_view::npos;
    std::string problem;
    if (add(document, rest.substr(0, end), problem)) check_sentence(problem);
    if (!is_last) rest.remove_prefix(end + 1);
  }

  Config config;
  ServerSettings settings;
  std::string problem;
  if (document.read(config, settings, problem)) {
    check_sentence(problem);
    return 0;
  }
  require(problem.empty() && !muster::signal::validate(config, problem));

  // What is printed says the same, except for secrets.
  const std::string printed = ConfigDocument::print(config, settings);
  ConfigDocument again;
  require(!again.add(printed, problem));
  if (again.read(config, settings, problem)) {
    require(problem.find("must be the secret itself") != std::string::npos);
    return 0;
  }
  require(ConfigDocument::print(config, settings) == printed);
  return 0;
}
