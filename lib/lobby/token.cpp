// SPDX-License-Identifier: MIT
// Checking, hiding and wiping a token.
#include <muster/lobby/token.hpp>

#include <algorithm>

namespace muster::lobby {

namespace {

constexpr std::size_t max_token_size = 512;

bool is_token_character(char c) noexcept {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         marks.find(c) != std::string_view::npos;
}

}  // namespace

bool Token::is_valid() const noexcept {
  return !text_.empty() && text_.size() <= max_token_size &&
         std::all_of(text_.begin(), text_.end(), is_token_character);
}

std::string Token::redact(std::string_view text) const {
  std::string out;
  while (!text_.empty()) {
    const std::size_t at = text.find(text_);
    if (at == std::string_view::npos) break;
    out.append(text.substr(0, at)).append("[token]");
    text.remove_prefix(at + text_.size());
  }
  return out.append(text);
}

void Token::wipe() noexcept { lobby::wipe(text_); }

void wipe(std::string& text) noexcept {
  // All that the string owns, also what a shorter text left behind its end.
  text.resize(text.capacity());
  volatile char* const bytes = text.data();
  for (std::size_t i = 0; i < text.size(); ++i) bytes[i] = 0;
  text.clear();
}

}  // namespace muster::lobby
