// SPDX-License-Identifier: MIT
// How a value of the configuration document is read and written, whatever its key.
#pragma once

#include <muster/signal/config.hpp>

#include "config_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::signal {

using Json = nlohmann::json;

/// What is printed in place of a secret, and refused in place of one.
inline constexpr std::string_view hidden_secret = "<hidden>";

// Each reader answers with nothing, or with what follows the value's name in a sentence about what
// it must be: " must be a text", "[2].app_id must be a text". It may have written to `out` then.

[[nodiscard]] std::string read_flag(const Json& value, bool& out);
[[nodiscard]] std::string read_text(const Json& value, std::string& out);
[[nodiscard]] std::string read_texts(const Json& value, std::vector<std::string>& out);

/// A text that is not `hidden_secret`.
[[nodiscard]] std::string read_secret(const Json& value, std::string& out);

/// A list of objects, in which an unknown member is a mistake.
[[nodiscard]] std::string read_apps(const Json& value, std::vector<App>& out);
[[nodiscard]] std::string read_ice_servers(const Json& value, std::vector<IceServerConfig>& out);

/// A list in one text, parted by commas.
[[nodiscard]] std::string read_origins(const Json& value, std::vector<std::string>& out);

template <class Number>
[[nodiscard]] std::string read_whole(const Json& value, Number& out, std::uint64_t most) {
  const auto* number = value.get_ptr<const Json::number_unsigned_t*>();
  if (number == nullptr || *number > most) {
    return " must be a whole number from 0 to " + std::to_string(most);
  }
  out = static_cast<Number>(*number);
  return {};
}

template <class Number>
[[nodiscard]] std::string read_whole(const Json& value, Number& out) {
  return read_whole(value, out, std::numeric_limits<Number>::max());
}

/// What another reader reads, or null.
template <class T, class Read>
[[nodiscard]] std::string read_optional(const Json& value, std::optional<T>& out, Read read) {
  if (value.is_null()) {
    out.reset();
    return {};
  }
  T given{};
  std::string problem = read(value, given);
  if (!problem.empty()) return problem.append(", or null");
  out = std::move(given);
  return {};
}

template <class Number>
[[nodiscard]] std::string read_optional_whole(const Json& value, std::optional<Number>& out) {
  return read_optional(value, out,
                       [](const Json& given, Number& number) { return read_whole(given, number); });
}

/// By the name of a game or a platform.
template <class T, class Read>
[[nodiscard]] std::string read_map(const Json& value, std::map<std::string, T>& out, Read read) {
  if (!value.is_object()) return " must be an object";
  std::map<std::string, T> map;
  for (const auto& [name, entry] : value.get_ref<const Json::object_t&>()) {
    const std::string problem = read(entry, map[name]);
    if (!problem.empty()) return "[" + in_quotes(name) + "]" + problem;
  }
  out = std::move(map);
  return {};
}

/// The words that a value may be, and what each means.
template <class Word>
using Words = std::vector<std::pair<std::string_view, Word>>;

template <class Word>
[[nodiscard]] std::string read_word(const Json& value, Word& out, const Words<Word>& words) {
  const auto* text = value.get_ptr<const Json::string_t*>();
  std::string must = " must be ";
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (text != nullptr && *text == words[i].first) {
      out = words[i].second;
      return {};
    }
    if (i > 0) must += i + 1 == words.size() ? " or " : ", ";
    must.append("\"").append(words[i].first).append("\"");
  }
  return must;
}

template <class T>
[[nodiscard]] Json write_value(const T& value) {
  return Json(value);
}

template <class T>
[[nodiscard]] Json write_optional(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

template <class Word>
[[nodiscard]] Json write_word(Word word, const Words<Word>& words) {
  const auto found = std::find_if(words.begin(), words.end(),
                                  [word](const auto& entry) { return entry.second == word; });
  return found == words.end() ? Json() : Json(found->first);
}

[[nodiscard]] Json write_secret(const std::string& secret);
[[nodiscard]] Json write_optional_secret(const std::optional<std::string>& secret);
[[nodiscard]] Json write_apps(const std::vector<App>& apps);
[[nodiscard]] Json write_ice_servers(const std::vector<IceServerConfig>& servers);
[[nodiscard]] Json write_origins(const std::vector<std::string>& origins);

}  // namespace muster::signal
