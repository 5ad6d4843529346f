// SPDX-License-Identifier: MIT
// What a character is, by utf8proc's tables of Unicode.
#include "player_name.hpp"

#include <utf8proc.h>

#include <cassert>
#include <cstdint>

namespace muster::signal {
namespace {

using Character = utf8proc_int32_t;

// The character at the front of valid UTF-8, which is taken from it.
Character take_character(std::string_view& text) noexcept {
  Character character = 0;
  const auto* const bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  const utf8proc_ssize_t size =
      utf8proc_iterate(bytes, static_cast<utf8proc_ssize_t>(text.size()), &character);
  assert(size > 0);
  text.remove_prefix(size > 0 ? static_cast<std::size_t>(size) : text.size());
  return character;
}

bool contains(std::string_view text, Character wanted) noexcept {
  while (!text.empty()) {
    if (take_character(text) == wanted) return true;
  }
  return false;
}

bool is_alphanumeric(Character character) noexcept {
  const utf8proc_property_t& property = *utf8proc_get_property(character);
  if (property.ignorable) return false;  // letters that are blank, such as U+3164
  switch (property.category) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return false;
  }
}

bool is_ascii_alphanumeric(Character character) noexcept {
  return character < 0x80 && is_alphanumeric(character);
}

// Also what is no space, and moves the writing position as one does: tabs, line ends.
bool is_white_space(Character character) noexcept {
  switch (utf8proc_category(character)) {
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return true;
    default:
      return (character >= '\t' && character <= '\r') || character == 0x85;
  }
}

bool is_allowed(Character character, const PlayerNameRules& rules) noexcept {
  if (character == ' ') return rules.allow_spaces;
  if (is_white_space(character)) return false;
  if (rules.allow_unicode_alphanumeric ? is_alphanumeric(character)
                                       : is_ascii_alphanumeric(character)) {
    return true;
  }
  for (const std::string& symbol : rules.allowed_symbols) {
    if (contains(symbol, character)) return true;
  }
  return rules.additional_allowed_characters &&
         contains(*rules.additional_allowed_characters, character);
}

}  // namespace

bool is_game_name(std::string_view text, std::size_t max_size) noexcept {
  if (text.empty() || text.size() > max_size) return false;
  while (!text.empty()) {
    const Character character = take_character(text);
    if (!is_alphanumeric(character) && character != '-' && character != '_' && character != ' ') {
      return false;
    }
  }
  return true;
}

bool is_player_name(std::string_view text, const PlayerNameRules& rules) noexcept {
  if (text.empty()) return false;
  if (!rules.allow_leading_trailing_whitespace && (text.starts_with(' ') || text.ends_with(' '))) {
    return false;
  }
  std::uint32_t length = 0;
  while (!text.empty()) {
    if (++length > rules.max_length || !is_allowed(take_character(text), rules)) return false;
  }
  return true;
}

std::string fold_name(std::string_view text) {
  std::string folded;
  folded.reserve(text.size());
  while (!text.empty()) {
    utf8proc_uint8_t bytes[4];
    const utf8proc_ssize_t size =
        utf8proc_encode_char(utf8proc_tolower(take_character(text)), bytes);
    folded.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
  }
  return folded;
}

}  // namespace muster::signal
