// SPDX-License-Identifier: MIT
// UUIDs as text, and new ones.
#include "uuid.hpp"

#include <muster/ascii.hpp>

namespace muster::signal {
namespace {

constexpr bool is_hyphen_place(std::size_t at) noexcept {
  return at == 8 || at == 13 || at == 18 || at == 23;
}

}  // namespace

UuidText to_text(const Uuid& uuid) noexcept {
  constexpr std::string_view digits = "0123456789abcdef";
  UuidText text;
  std::size_t at = 0;
  for (const std::byte octet : uuid.bytes) {
    if (is_hyphen_place(at)) text[at++] = '-';
    text[at++] = digits[std::to_integer<std::size_t>(octet) / 16];
    text[at++] = digits[std::to_integer<std::size_t>(octet) % 16];
  }
  return text;
}

std::optional<Uuid> read_uuid(std::string_view text, bool only_lower) noexcept {
  if (text.size() != UuidText{}.size()) return std::nullopt;
  Uuid uuid;
  std::size_t digits = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (is_hyphen_place(at)) {
      if (c != '-') return std::nullopt;
      continue;
    }
    const int digit = hex_digit(c);
    if (digit < 0 || (only_lower && c != to_lower(c))) return std::nullopt;
    std::byte& octet = uuid.bytes[digits++ / 2];
    octet = octet << 4 | static_cast<std::byte>(digit);
  }
  return uuid;
}

Uuid draw_uuid(Entropy& entropy) noexcept {
  Uuid uuid;
  entropy.fill(uuid.bytes);
  make_version_4(uuid);
  return uuid;
}

}  // namespace muster::signal
