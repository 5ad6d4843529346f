// SPDX-License-Identifier: MIT
// Escapes of JSON strings, written and read.
#include <muster/wire/json_string.hpp>

#include <muster/ascii.hpp>
#include <muster/utf8.hpp>

#include <cassert>
#include <cstddef>
#include <cstdint>

namespace muster::wire {
namespace {

std::uint32_t hex4(std::string_view digits) noexcept {
  std::uint32_t value = 0;
  for (const char digit : digits.substr(0, 4)) {
    value = value * 16 + static_cast<std::uint32_t>(hex_digit(digit));
  }
  return value;
}

constexpr bool is_high_surrogate(std::uint32_t code) noexcept {
  return code >= 0xD800 && code < 0xDC00;
}

std::string_view encode_utf8(std::uint32_t code, char (&out)[4]) noexcept {
  const auto continuation = [code](unsigned shift) {
    return static_cast<char>(0x80U | ((code >> shift) & 0x3FU));
  };
  if (code < 0x80) {
    out[0] = static_cast<char>(code);
    return {out, 1};
  }
  if (code < 0x800) {
    out[0] = static_cast<char>(0xC0U | (code >> 6U));
    out[1] = continuation(0);
    return {out, 2};
  }
  if (code < 0x10000) {
    out[0] = static_cast<char>(0xE0U | (code >> 12U));
    out[1] = continuation(6);
    out[2] = continuation(0);
    return {out, 3};
  }
  out[0] = static_cast<char>(0xF0U | (code >> 18U));
  out[1] = continuation(12);
  out[2] = continuation(6);
  out[3] = continuation(0);
  return {out, 4};
}

constexpr bool needs_escape(char c) noexcept {
  return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\';
}

void write_escape(ByteWriter& writer, char c) {
  constexpr std::string_view hex = "0123456789abcdef";
  switch (c) {
    case '"':
      return writer.text("\\\"");
    case '\\':
      return writer.text("\\\\");
    case '\b':
      return writer.text("\\b");
    case '\f':
      return writer.text("\\f");
    case '\n':
      return writer.text("\\n");
    case '\r':
      return writer.text("\\r");
    case '\t':
      return writer.text("\\t");
    default: {
      const auto code = static_cast<unsigned char>(c);
      const char text[] = {'\\', 'u', '0', '0', hex[code / 16], hex[code % 16]};
      return writer.text({text, sizeof text});
    }
  }
}

void write_valid(ByteWriter& writer, std::string_view text) {
  writer.u8('"');
  while (!text.empty()) {
    std::size_t plain = 0;
    while (plain < text.size() && !needs_escape(text[plain])) ++plain;
    writer.text(text.substr(0, plain));
    text.remove_prefix(plain);
    if (text.empty()) break;
    write_escape(writer, text.front());
    text.remove_prefix(1);
  }
  writer.u8('"');
}

}  // namespace

void write_json_string(ByteWriter& writer, std::string_view text) {
  if (is_valid_utf8(as_bytes(text))) {
    write_valid(writer, text);
  } else {
    write_valid(writer, replace_invalid_utf8(as_bytes(text)));
  }
}

std::string_view take_json_escape(std::string_view& raw, char (&out)[4]) noexcept {
  assert(raw.size() >= 2 && raw[0] == '\\');
  const char letter = raw[1];
  raw.remove_prefix(2);
  switch (letter) {
    case 'b':
      out[0] = '\b';
      break;
    case 'f':
      out[0] = '\f';
      break;
    case 'n':
      out[0] = '\n';
      break;
    case 'r':
      out[0] = '\r';
      break;
    case 't':
      out[0] = '\t';
      break;
    case 'u': {
      std::uint32_t code = hex4(raw);
      raw.remove_prefix(4);
      if (is_high_surrogate(code)) {
        code = 0x10000 + ((code - 0xD800) << 10U) + (hex4(raw.substr(2)) - 0xDC00);
        raw.remove_prefix(6);
      }
      return encode_utf8(code, out);
    }
    default:  // a quote, a slash or a backslash
      out[0] = letter;
  }
  return {out, 1};
}

std::string json_string_text(std::string_view raw) {
  std::string text;
  text.reserve(raw.size());
  while (!raw.empty()) {
    const std::string_view plain = raw.substr(0, raw.find('\\'));
    text.append(plain);
    raw.remove_prefix(plain.size());
    char bytes[4];
    if (!raw.empty()) text.append(take_json_escape(raw, bytes));
  }
  return text;
}

bool json_string_equals(std::string_view raw, std::string_view text) noexcept {
  while (!raw.empty()) {
    if (raw[0] != '\\') {
      if (text.empty() || text[0] != raw[0]) return false;
      raw.remove_prefix(1);
      text.remove_prefix(1);
      continue;
    }
    char bytes[4];
    const std::string_view meant = take_json_escape(raw, bytes);
    if (!text.starts_with(meant)) return false;
    text.remove_prefix(meant.size());
  }
  return text.empty();
}

}  // namespace muster::wire
