// SPDX-License-Identifier: MIT
// The credential of a bot, which nobody gets to see by accident.
#pragma once

#include <muster/export.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace muster::lobby {

/// A bot's token. It has no stream operator and no conversion, and wipes its memory when it goes.
/// What must have the bytes asks for them with `reveal`, which is easy to find.
///
/// Wiping is best effort: what a transport copies into its request is out of reach.
/// @threads distinct objects: safe; shared objects: safe to read
class MUSTER_API Token {
 public:
  Token() = default;

  /// @param text   copied; the caller's own copy remains the caller's business
  explicit Token(std::string_view text) : text_(text) {}

  Token(const Token&) = default;
  Token(Token&& other) noexcept : text_(std::move(other.text_)) { other.wipe(); }
  Token& operator=(const Token& other) {
    if (this != &other) {
      wipe();
      text_ = other.text_;
    }
    return *this;
  }
  Token& operator=(Token&& other) noexcept {
    if (this != &other) {
      wipe();
      text_ = std::move(other.text_);
      other.wipe();  // a short text is copied, not moved
    }
    return *this;
  }
  ~Token() { wipe(); }

  [[nodiscard]] bool is_empty() const noexcept { return text_.empty(); }

  /// Whether it can stand in a header field: 1 to 512 characters of a token.
  /// @source RFC 7230 section 3.2.6
  [[nodiscard]] bool is_valid() const noexcept;

  /// The bytes, valid while the token is.
  [[nodiscard]] std::string_view reveal() const noexcept { return text_; }

  /// A text in which every place that shows the token says "[token]" instead.
  [[nodiscard]] std::string redact(std::string_view text) const;

 private:
  void wipe() noexcept;

  std::string text_;
};

/// Overwrites a text with zeros, in a way that a compiler does not leave out, and empties it.
MUSTER_API void wipe(std::string& text) noexcept;

}  // namespace muster::lobby
