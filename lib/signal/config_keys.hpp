// SPDX-License-Identifier: MIT
// The keys of the configuration document: what each may be, and what it sets.
#pragma once

#include <muster/signal/config_document.hpp>

#include "config_value.hpp"

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::signal {

/// Everything that a document says.
struct Settings {
  Config config{};
  ServerSettings server{};
};

struct ConfigKey {
  std::string_view path;
  std::string_view field{};  ///< of Config, as `find_fault` names it
  bool is_text = false;      ///< what looks like a number or a word of JSON is still a text

  /// Empty: it is set, or needs not be. Else what follows the path in a sentence about it:
  /// " must be a text", "[2].app_id must be a text".
  std::function<std::string(Settings&, const Json&)> set;

  /// Null: the key has no effect.
  std::function<Json(const Settings&)> get{};
};

/// All of them, in the order in which they are printed.
[[nodiscard]] std::vector<ConfigKey> config_keys();

/// What a document without any key says: Config's defaults, and lists that a library has no use
/// for.
[[nodiscard]] Settings document_defaults();

/// A key's other name, from another generation of the reference.
struct ConfigAlias {
  std::string_view section;
  std::string_view alias;
  std::string_view name;
};
inline constexpr std::array<ConfigAlias, 3> config_aliases{{
    {"server", "heartbeat_db_throttle_secs", "heartbeat_throttle_secs"},
    {"security", "enforce_app_id_allowlist", "require_websocket_auth"},
    {"security", "allowed_apps", "authorized_apps"},
}};

}  // namespace muster::signal
