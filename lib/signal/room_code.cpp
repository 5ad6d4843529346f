// SPDX-License-Identifier: MIT
#include "room_code.hpp"

#include <array>
#include <cassert>

namespace muster::signal {

std::string draw_room_code(Entropy& entropy, std::size_t length, std::string_view prefix) {
  constexpr std::string_view alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
  static_assert(alphabet.size() == 32);  // so each byte's five bits are as likely as any others
  assert(prefix.size() < length);
  std::string code{prefix};
  while (code.size() < length) {
    std::array<std::byte, 1> byte{};
    entropy.fill(byte);
    code += alphabet[std::to_integer<std::size_t>(byte[0]) % alphabet.size()];
  }
  return code;
}

std::optional<std::string> normalize_room_code(std::string_view text, std::size_t length) {
  if (text.size() != length) return std::nullopt;
  std::string code{text};
  for (char& c : code) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    if (!(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9')) return std::nullopt;
  }
  return code;
}

}  // namespace muster::signal
