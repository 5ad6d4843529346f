// SPDX-License-Identifier: MIT
// Writes JSON objects, member by member.
#pragma once

#include <muster/bytes.hpp>
#include <muster/wire/byte_writer.hpp>
#include <muster/wire/json_string.hpp>

#include "uuid.hpp"

#include <array>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace muster::signal {

/// Text that is JSON already.
struct RawJson {
  std::string_view json;
};

inline void write_value(wire::ByteWriter& out, RawJson raw) { out.text(raw.json); }

inline void write_value(wire::ByteWriter& out, std::string_view text) {
  wire::write_json_string(out, text);
}

inline void write_value(wire::ByteWriter& out, std::same_as<bool> auto value) {
  out.text(value ? "true" : "false");
}

template <std::integral Integer>
requires(!std::same_as<Integer, bool>) void write_value(wire::ByteWriter& out, Integer value) {
  std::array<char, 24> digits;
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  (void)error;  // no integer is longer
  out.text({digits.data(), static_cast<std::size_t>(end - digits.data())});
}

inline void write_value(wire::ByteWriter& out, const Uuid& uuid) {
  out.u8('"');
  out.text(view(to_text(uuid)));
  out.u8('"');
}

/// A word of the vocabulary.
template <class Word>
requires std::is_enum_v<Word>
void write_value(wire::ByteWriter& out, Word word) {
  out.u8('"');
  out.text(to_string(word));
  out.u8('"');
}

/// An array, each of its elements written by `write_element(element)`.
template <class Elements, class WriteElement>
void write_array(wire::ByteWriter& out, const Elements& elements, WriteElement write_element) {
  out.u8('[');
  bool is_first = true;
  for (const auto& element : elements) {
    if (!is_first) out.u8(',');
    is_first = false;
    write_element(element);
  }
  out.u8(']');
}

/// One object, from its opening brace on. `end` closes it.
class JsonObject {
 public:
  explicit JsonObject(wire::ByteWriter& out) : out_(out) { out_.u8('{'); }
  JsonObject(const JsonObject&) = delete;
  JsonObject& operator=(const JsonObject&) = delete;

  /// The value is to be written next.
  JsonObject& name(std::string_view name) {
    if (!is_first_) out_.u8(',');
    is_first_ = false;
    out_.u8('"');
    out_.text(name);
    out_.text("\":");
    return *this;
  }

  template <class Value>
  JsonObject& member(std::string_view key, const Value& value) {
    name(key);
    write_value(out_, value);
    return *this;
  }

  /// Nothing is null.
  template <class Value>
  JsonObject& nullable(std::string_view key, const std::optional<Value>& value) {
    return value ? member(key, *value) : member(key, RawJson{"null"});
  }

  /// Nothing is left out.
  template <class Value>
  JsonObject& optional(std::string_view key, const std::optional<Value>& value) {
    return value ? member(key, *value) : *this;
  }

  /// An array of values.
  template <class Values>
  JsonObject& list(std::string_view key, const Values& values) {
    name(key);
    write_array(out_, values, [this](const auto& value) { write_value(out_, value); });
    return *this;
  }

  void end() { out_.u8('}'); }

 private:
  wire::ByteWriter& out_;
  bool is_first_ = true;
};

}  // namespace muster::signal
