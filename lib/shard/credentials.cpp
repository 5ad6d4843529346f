// SPDX-License-Identifier: MIT
// Strict percent-decoding, and where tokens and ids are looked for.
#include <muster/shard/credentials.hpp>

#include <muster/ascii.hpp>
#include <muster/utf8.hpp>

#include <algorithm>

namespace muster::shard {
namespace {

std::optional<std::string> decode_percent(std::string_view text, char plus) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (text.size() - i < 3) return std::nullopt;
      const int high = hex_digit(text[i + 1]);
      const int low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i] == '+' ? plus : text[i];
    }
  }
  return out;
}

// UTF-8 without the control characters, U+0080 to U+009F among them, and without U+2028 and U+2029,
// which begin a new line in some viewers of logs.
bool is_printable(std::string_view text) noexcept {
  if (!is_valid_utf8(as_bytes(text))) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto octet = static_cast<unsigned char>(text[i]);
    if (octet < 0x20 || octet == 0x7F) return false;
    if (octet == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0) return false;
    const std::string_view rest = text.substr(i);
    if (rest.starts_with("\xE2\x80\xA8") || rest.starts_with("\xE2\x80\xA9")) return false;
  }
  return true;
}

std::optional<std::string> decode_printable(std::string_view text, char plus) {
  auto decoded = decode_percent(text, plus);
  if (decoded && !is_printable(*decoded)) decoded.reset();
  return decoded;
}

// The token of the last Authorization header; empty when that has another scheme.
std::string_view header_token(const Request& request) noexcept {
  std::string_view value;
  for (const HeaderField& field : request.headers) {
    if (equals_ignoring_case(field.name, "Authorization")) value = field.value;
  }
  const std::size_t space = std::min(value.find(' '), value.size());
  if (!equals_ignoring_case(value.substr(0, space), "Bearer")) return {};
  value.remove_prefix(space);
  value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
  return value;
}

}  // namespace

std::optional<std::string> decode_token(std::string_view text) {
  auto token = decode_printable(text, '+');
  if (token && token->empty()) token.reset();
  return token;
}

Credentials read_credentials(const Request& request) {
  constexpr std::string_view prefix = "bearer.";
  Credentials credentials;
  for (const std::string_view offered : request.subprotocols) {
    if (!offered.starts_with(prefix)) continue;
    credentials.token = decode_token(offered.substr(prefix.size()));
    if (!credentials.token) continue;
    credentials.subprotocol = offered;
    break;
  }
  const std::string_view token = header_token(request);
  if (!token.empty()) credentials.token = token;
  return credentials;
}

std::optional<std::string_view> query_parameter(std::string_view query,
                                                std::string_view name) noexcept {
  while (!query.empty()) {
    const std::string_view item = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), item.size() + 1));
    const std::size_t equals = std::min(item.find('='), item.size());
    if (item.substr(0, equals) == name) return item.substr(std::min(item.size(), equals + 1));
  }
  return std::nullopt;
}

std::optional<std::string> decode_query_value(std::string_view text) {
  return decode_printable(text, ' ');
}

JoinTargetError read_join_target(std::string_view query, JoinTarget& target) {
  const auto shard = query_parameter(query, "shard");
  if (!shard || shard->empty()) return JoinTargetError::missing_shard;
  auto shard_id = decode_query_value(*shard);
  if (!shard_id || shard_id->size() > max_id_size) return JoinTargetError::bad_query;

  std::optional<std::string> sid;
  if (const auto value = query_parameter(query, "sid")) {
    sid = decode_query_value(*value);
    if (!sid) return JoinTargetError::bad_query;
    if (sid->empty() || sid->size() > max_id_size) return JoinTargetError::bad_sid;
  }
  target = {std::move(*shard_id), std::move(sid)};
  return JoinTargetError::none;
}

}  // namespace muster::shard
