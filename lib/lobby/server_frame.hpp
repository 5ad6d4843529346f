// SPDX-License-Identifier: MIT
// A message of a lobby or a gateway, taken apart.
#pragma once

#include <muster/bytes.hpp>
#include <muster/message.hpp>
#include <muster/time.hpp>
#include <muster/wire/json_scanner.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace muster::lobby {

/// The members of one JSON object. Views are into the message, which must outlive them.
class ServerFrame {
 public:
  /// Checks the whole message.
  /// @return false: it is no text with one JSON object
  [[nodiscard]] bool read(const Message& message);

  /// The same for an object within another message.
  [[nodiscard]] bool read(byte_view object);

  /// The message's type; nothing if it has none, or one that is no string.
  [[nodiscard]] std::optional<std::string> type() const { return text("type"); }

  // A member of a name; the last, if there are several. Nothing if it is missing, or of another
  // kind than asked for.
  [[nodiscard]] const wire::JsonMember* member(std::string_view name) const noexcept;
  [[nodiscard]] std::optional<std::string> text(std::string_view name) const;
  [[nodiscard]] std::optional<std::int64_t> number(std::string_view name) const noexcept;
  /// A number of milliseconds, from 1 to a day.
  [[nodiscard]] std::optional<duration> time(std::string_view name) const noexcept;
  [[nodiscard]] bool is_true(std::string_view name) const noexcept;
  [[nodiscard]] std::optional<byte_view> object(std::string_view name) const noexcept;

  /// The strings of an array that are not empty; what else is in it is left out.
  /// @return nothing if there is no such array
  [[nodiscard]] std::optional<std::vector<std::string>> texts(std::string_view name) const;

  /// The whole message, or object.
  [[nodiscard]] std::string_view whole() const noexcept { return as_text(whole_); }

  /// Arrays and objects in each other that are looked into. Deeper messages are malformed.
  static constexpr std::size_t max_depth = 128;
  /// Members that are kept; those behind them are checked, and mean nothing.
  static constexpr std::size_t max_members = 64;
  /// Elements that `texts` keeps.
  static constexpr std::size_t max_elements = 256;

 private:
  byte_view whole_;
  std::vector<wire::JsonMember> members_;
};

/// What a string among the members means.
[[nodiscard]] std::string text_of(byte_view json_string);

}  // namespace muster::lobby
