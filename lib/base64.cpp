// SPDX-License-Identifier: MIT
// Six bits to a character.
#include "base64.hpp"

#include <array>

namespace muster {
namespace {

constexpr std::string_view letters_and_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

// The last two of the alphabet.
constexpr std::string_view marks(Base64 form) noexcept {
  return form == Base64::padded ? "+/" : "-_";
}

constexpr std::uint8_t no_digit = 64;
using Digits = std::array<std::uint8_t, 256>;

constexpr Digits make_digits(Base64 form) noexcept {
  Digits digits{};
  digits.fill(no_digit);
  std::uint8_t value = 0;
  for (const std::string_view part : {letters_and_digits, marks(form)}) {
    for (const char c : part) digits[static_cast<unsigned char>(c)] = value++;
  }
  return digits;
}

}  // namespace

std::string encode_base64(byte_view bytes, Base64 form) {
  const auto character = [form](std::uint32_t value) {
    return value < letters_and_digits.size() ? letters_and_digits[value]
                                             : marks(form)[value - letters_and_digits.size()];
  };
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const std::byte byte : bytes) {
    bits = bits << 8U | std::to_integer<std::uint32_t>(byte);
    for (count += 8; count >= 6; count -= 6) text += character(bits >> (count - 6) & 63U);
  }
  if (count != 0) text += character(bits << (6 - count) & 63U);
  if (form == Base64::padded) text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

std::optional<std::size_t> decode_base64(std::string_view text, Base64 form,
                                         mutable_byte_view out) noexcept {
  static constexpr Digits padded_digits = make_digits(Base64::padded);
  static constexpr Digits url_digits = make_digits(Base64::url);
  const Digits& digits = form == Base64::padded ? padded_digits : url_digits;
  if (form == Base64::padded) {
    if (text.size() % 4 != 0) return std::nullopt;
    for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  }
  if (text.size() * 6 / 8 > out.size()) return std::nullopt;
  std::uint32_t bits = 0;
  unsigned count = 0;
  std::size_t size = 0;
  for (const char c : text) {
    const std::uint8_t digit = digits[static_cast<unsigned char>(c)];
    if (digit == no_digit) return std::nullopt;
    bits = bits << 6U | digit;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out[size++] = static_cast<std::byte>(bits >> count);
  }
  if (count >= 6 || (bits & ((1U << count) - 1U)) != 0) return std::nullopt;
  return size;
}

}  // namespace muster
