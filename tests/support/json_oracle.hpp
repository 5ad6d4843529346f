// SPDX-License-Identifier: MIT
// nlohmann::json as the judge of JSON texts, where it and the library mean to agree.
#pragma once

#include <muster/bytes.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace test {

/// Whether the text is JSON. Two differences are by design: it passes over a byte order mark, and
/// takes a zero byte between tokens for the end of the text. Neither is JSON to the library.
inline bool is_json(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF") || text.find('\0') != std::string_view::npos) return false;
  return nlohmann::json::accept(text);
}

/// As nlohmann::json takes binary data.
inline std::vector<std::uint8_t> octets(muster::byte_view bytes) {
  std::vector<std::uint8_t> out;
  for (const std::byte octet : bytes) out.push_back(std::to_integer<std::uint8_t>(octet));
  return out;
}

/// How many arrays and objects are open at once, at most, in a text that is JSON.
inline std::size_t json_depth(std::string_view text) {
  std::size_t depth = 0;
  std::size_t most = 0;
  bool is_in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_in_string) {
      if (text[i] == '\\') {
        ++i;
      } else if (text[i] == '"') {
        is_in_string = false;
      }
    } else if (text[i] == '"') {
      is_in_string = true;
    } else if (text[i] == '{' || text[i] == '[') {
      most = std::max(most, ++depth);
    } else if (text[i] == '}' || text[i] == ']') {
      --depth;
    }
  }
  return most;
}

}  // namespace test
