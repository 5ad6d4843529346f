// SPDX-License-Identifier: MIT
// JSON text as a bounded tree, for documents that are read once.
#pragma once

#include <nlohmann/json.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace muster::signal {

/// @param out       the value, on success
/// @param problem   on failure, a sentence that names the line or the key
/// @error errc::bad_syntax   no JSON, or one key twice in an object
/// @error errc::too_large, too_deep   over the bounds of ConfigDocument
std::error_code read_config_text(std::string_view text, nlohmann::json& out, std::string& problem);

/// A stranger's name in a sentence: short, in quotes, on one line.
[[nodiscard]] std::string in_quotes(std::string_view name);

}  // namespace muster::signal
