// SPDX-License-Identifier: MIT
// The keys of the configuration file: what each may be, and what it sets.
#pragma once

#include "options.hpp"

#include <toml++/toml.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace relay_program {

struct Key {
  KeyInfo info;
  std::function<bool(Options&, const toml::node&)> set;  ///< false: not what is allowed
};

/// All of them, in the order in which the help shows them.
[[nodiscard]] const std::vector<Key>& keys();

// What the command line has as well. False: not what is allowed, and nothing is set.

[[nodiscard]] bool set_listen(Options& options, std::string_view text);
[[nodiscard]] bool set_backend(Options& options, std::string_view text);
[[nodiscard]] bool set_loops(Options& options, std::string_view text);
[[nodiscard]] bool set_records(Options& options, std::string_view text);
[[nodiscard]] bool set_log_level(Options& options, std::string_view text);

/// What a key may be, for a mistake of the command line.
[[nodiscard]] std::string allowed_by(std::string_view key);

}  // namespace relay_program
