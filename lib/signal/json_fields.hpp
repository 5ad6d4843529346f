// SPDX-License-Identifier: MIT
// Reads the members that a message knows, in whichever order they stand, and passes over the rest.
#pragma once

#include <muster/bytes.hpp>
#include <muster/wire/json_scanner.hpp>
#include <muster/wire/json_string.hpp>

#include "uuid.hpp"
#include "vocabulary.hpp"

#include <charconv>
#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace muster::signal {

/// The most elements that a list of texts or words may have.
inline constexpr std::size_t max_list_size = 256;

/// What stands between the quotes of a string.
inline std::string_view between_quotes(byte_view json_string) noexcept {
  return as_text(json_string.subspan(1, json_string.size() - 2));
}

/// What a string of a few characters means, without an allocation.
/// @param raw      what stands between the quotes
/// @param buffer   holds it, if it has escapes
/// @return         empty: it is longer than the buffer
[[nodiscard]] inline std::string_view short_text(std::string_view raw,
                                                 std::span<char> buffer) noexcept {
  if (raw.find('\\') == std::string_view::npos) return raw;
  std::size_t size = 0;
  while (!raw.empty()) {
    char bytes[4];
    std::string_view meant = raw.substr(0, raw.find('\\'));
    if (meant.empty()) {
      meant = wire::take_json_escape(raw, bytes);
    } else {
      raw.remove_prefix(meant.size());
    }
    if (meant.size() > buffer.size() - size) return {};
    size += meant.copy(buffer.data() + size, meant.size());
  }
  return {buffer.data(), size};
}

// Each reads a value of its type, and says whether it is one.

inline bool read_value(const wire::JsonElement& json, wire::JsonElement& out) noexcept {
  out = json;
  return true;
}

/// Any value, as it stands.
inline bool read_value(const wire::JsonElement& json, byte_view& out) noexcept {
  out = json.value;
  return true;
}

/// What stands between the quotes, with its escapes.
inline bool read_value(const wire::JsonElement& json, std::string_view& raw) noexcept {
  if (json.kind != wire::JsonKind::string) return false;
  raw = between_quotes(json.value);
  return true;
}

inline bool read_value(const wire::JsonElement& json, std::string& out) {
  if (json.kind != wire::JsonKind::string) return false;
  out = wire::json_string_text(between_quotes(json.value));
  return true;
}

inline bool read_value(const wire::JsonElement& json, bool& out) noexcept {
  if (json.kind != wire::JsonKind::boolean) return false;
  out = json.value.size() == std::string_view{"true"}.size();
  return true;
}

/// A fraction, an exponent or a sign makes it none, whatever its value.
template <std::unsigned_integral Integer>
bool read_value(const wire::JsonElement& json, Integer& out) noexcept {
  if (json.kind != wire::JsonKind::number) return false;
  const std::string_view digits = as_text(json.value);
  const char* const end = digits.data() + digits.size();
  const auto [at, error] = std::from_chars(digits.data(), end, out);
  return error == std::errc{} && at == end;
}

inline bool read_value(const wire::JsonElement& json, Uuid& out) noexcept {
  if (json.kind != wire::JsonKind::string) return false;
  char buffer[64];
  const std::optional<Uuid> uuid = read_uuid(short_text(between_quotes(json.value), buffer));
  if (uuid) out = *uuid;
  return uuid.has_value();
}

template <class Word>
requires std::is_enum_v<Word>
bool read_value(const wire::JsonElement& json, Word& out) noexcept {
  if (json.kind != wire::JsonKind::string) return false;
  char buffer[64];
  const std::optional<Word> word = read_word<Word>(short_text(between_quotes(json.value), buffer));
  if (word) out = *word;
  return word.has_value();
}

/// An array of at most `max_list_size`.
template <class Value>
bool read_value(const wire::JsonElement& json, std::vector<Value>& out) {
  if (json.kind != wire::JsonKind::array) return false;
  out.clear();
  wire::JsonScanner scanner{json.value, wire::JsonScanner::depth_limit};
  while (const auto element = scanner.next_element()) {
    if (out.size() == max_list_size || !read_value(*element, out.emplace_back())) return false;
  }
  return scanner.ok();
}

template <class Value>
bool read_value(const wire::JsonElement& json, std::optional<Value>& out) {
  return read_value(json, out.emplace());
}

/// A member of an object, and where its value goes.
template <class Value>
class JsonField {
 public:
  enum class Presence { required, may_be_absent, may_be_null };

  JsonField(std::string_view name, Value& out, Presence presence) noexcept
      : name_(name), out_(out), presence_(presence) {}

  /// False: the member is this one, and comes again or has no value of its type.
  bool take(const wire::JsonMember& member) {
    // An escape is longer than what it means, so that most names need no second look.
    const bool is_this =
        member.name == name_ || (member.name.size() > name_.size() && member.is_named(name_));
    if (!is_this) return true;
    if (is_seen_) return false;
    is_seen_ = true;
    if (presence_ == Presence::may_be_null && member.kind == wire::JsonKind::null) return true;
    return read_value({member.value, member.kind}, out_);
  }

  [[nodiscard]] bool is_satisfied() const noexcept {
    return is_seen_ || presence_ != Presence::required;
  }

 private:
  std::string_view name_;
  Value& out_;
  Presence presence_;
  bool is_seen_ = false;
};

template <class Value>
[[nodiscard]] JsonField<Value> required(std::string_view name, Value& out) noexcept {
  return {name, out, JsonField<Value>::Presence::required};
}

/// May be absent, which is the same as null.
template <class Value>
[[nodiscard]] JsonField<std::optional<Value>> optional(std::string_view name,
                                                       std::optional<Value>& out) noexcept {
  return {name, out, JsonField<std::optional<Value>>::Presence::may_be_null};
}

/// May be absent; null is a value like any other.
template <class Value>
[[nodiscard]] JsonField<std::optional<Value>> absent_or(std::string_view name,
                                                        std::optional<Value>& out) noexcept {
  return {name, out, JsonField<std::optional<Value>>::Presence::may_be_absent};
}

/// Reads an object with these members, and any others. The whole text is checked, unless it is
/// found wrong before its end.
/// @param max_depth   of the whole text
/// @return            false: it is no such object, or no JSON, or has a member of these twice
template <class... Fields>
[[nodiscard]] bool read_object(byte_view json, std::size_t max_depth, Fields... fields) {
  wire::JsonScanner scanner{json, max_depth};
  if (scanner.kind() != wire::JsonKind::object) return false;
  while (const auto member = scanner.next_member()) {
    if (!(fields.take(*member) && ...)) return false;
  }
  return scanner.ok() && (fields.is_satisfied() && ...);
}

}  // namespace muster::signal
