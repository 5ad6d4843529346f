// SPDX-License-Identifier: MIT
// Reading the lobby's URL, and resolving gateways against it.
#include <muster/lobby/origin.hpp>

#include <muster/address.hpp>

#include <algorithm>

namespace muster::lobby {

namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_alpha(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

std::string lower(std::string_view text) {
  std::string out{text};
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return out;
}

// Labels of letters, digits, '-' and '_', and perhaps a last dot, which makes another host of it.
bool is_host_name(std::string_view host) noexcept {
  if (host.ends_with('.')) host.remove_suffix(1);
  if (host.empty() || host.size() > 253) return false;
  bool follows_dot = true;
  for (const char c : host) {
    if (c == '.' ? follows_dot : !is_alpha(c) && !is_digit(c) && c != '-' && c != '_') return false;
    follows_dot = c == '.';
  }
  return !follows_dot;
}

// 0 when it is none: no digit, a leading zero, or out of range.
std::uint16_t read_port(std::string_view text) noexcept {
  if (text.empty() || text.size() > 5 || text[0] == '0') return 0;
  std::uint32_t value = 0;
  for (const char c : text) {
    if (!is_digit(c)) return 0;
    value = value * 10 + static_cast<std::uint32_t>(c - '0');
  }
  return value <= 65535 ? static_cast<std::uint16_t>(value) : 0;
}

std::uint16_t default_port(std::string_view scheme) noexcept {
  return scheme == "wss" ? std::uint16_t{443} : std::uint16_t{80};
}

// Whether the text starts as a URL of some scheme does: a letter, and a colon behind the word.
bool has_scheme(std::string_view text) noexcept {
  const std::string_view word = text.substr(0, text.find(':'));
  return word.size() < text.size() && !word.empty() && is_alpha(word[0]) &&
         std::all_of(word.begin(), word.end(), [](char c) {
           return is_alpha(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
         });
}

bool is_plain(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c < '\x7F' && c != '\\'; });
}

}  // namespace

std::string_view to_string(UrlError error) noexcept {
  switch (error) {
    case UrlError::none:
      return "none";
    case UrlError::lobby_not_absolute:
      return "lobby_not_absolute";
    case UrlError::lobby_bad_scheme:
      return "lobby_bad_scheme";
    case UrlError::lobby_insecure:
      return "lobby_insecure";
    case UrlError::userinfo:
      return "userinfo";
    case UrlError::malformed_host:
      return "malformed_host";
    case UrlError::malformed_port:
      return "malformed_port";
    case UrlError::malformed_gateway:
      return "malformed_gateway";
    case UrlError::scheme_relative:
      return "scheme_relative";
    case UrlError::fragment:
      return "fragment";
    case UrlError::bad_scheme:
      return "bad_scheme";
    case UrlError::cross_origin:
      return "cross_origin";
    case UrlError::downgrade:
      return "downgrade";
    case UrlError::not_path_absolute:
      return "not_path_absolute";
  }
  return "unknown";
}

// The scheme is known. The text is what stands between "://" and the path.
UrlError Origin::read_authority(std::string_view text) {
  if (text.find('@') != std::string_view::npos) return UrlError::userinfo;
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos) return UrlError::malformed_host;
    const std::string_view inside = text.substr(1, bracket - 1);
    const auto address = Address::parse_ip(inside);
    if (inside.find(':') == std::string_view::npos || !address) return UrlError::malformed_host;
    // An address of version 4 mapped into version 6 keeps the spelling that it came with.
    host_ = address->is_v4() ? lower(text.substr(0, bracket + 1))
                             : '[' + address->to_string(false) + ']';
    const std::string_view rest = text.substr(bracket + 1);
    has_port = !rest.empty();
    if (has_port && rest[0] != ':') return UrlError::malformed_host;
    if (has_port) port = rest.substr(1);
  } else {
    const std::size_t colon = text.find(':');
    has_port = colon != std::string_view::npos;
    if (has_port) port = text.substr(colon + 1);
    host_ = lower(text.substr(0, colon));
    if (!is_host_name(host_)) return UrlError::malformed_host;
  }
  port_ = 0;
  if (has_port) {
    port_ = read_port(port);
    if (port_ == 0) return UrlError::malformed_port;
    if (port_ == default_port(scheme_)) port_ = 0;
  }
  authority_ = port_ == 0 ? host_ : host_ + ':' + std::to_string(port_);
  return UrlError::none;
}

bool Origin::is_loopback() const noexcept {
  if (host_ == "localhost" || host_ == "[::1]") return true;
  const auto address = Address::parse_ip(host_);
  return address && address->is_v4() && host_.starts_with("127.");
}

UrlError Origin::read(std::string_view lobby_url, bool allows_insecure) {
  const std::size_t colon = lobby_url.find("://");
  if (colon == std::string_view::npos) return UrlError::lobby_not_absolute;
  scheme_ = lower(lobby_url.substr(0, colon));
  if (scheme_ != "ws" && scheme_ != "wss") return UrlError::lobby_bad_scheme;
  lobby_url.remove_prefix(colon + 3);
  const UrlError error = read_authority(lobby_url.substr(0, lobby_url.find_first_of("/?#")));
  if (error != UrlError::none) return error;
  if (scheme_ == "ws" && !allows_insecure && !is_loopback()) return UrlError::lobby_insecure;
  return UrlError::none;
}

UrlError Origin::resolve(std::string_view gateway, std::string& url) const {
  if (gateway.empty() || gateway.size() > max_gateway_size || !is_plain(gateway)) {
    return UrlError::malformed_gateway;
  }
  if (gateway.starts_with("//")) return UrlError::scheme_relative;
  const bool has_fragment = gateway.find('#') != std::string_view::npos;
  if (gateway.starts_with('/')) {
    if (has_fragment) return UrlError::fragment;
    url = text().append(gateway);
    return UrlError::none;
  }
  const std::size_t colon = gateway.find("://");
  if (colon == std::string_view::npos || !has_scheme(gateway)) {
    return has_scheme(gateway) ? UrlError::bad_scheme : UrlError::not_path_absolute;
  }
  Origin other;
  other.scheme_ = lower(gateway.substr(0, colon));
  if (other.scheme_ != "ws" && other.scheme_ != "wss") return UrlError::bad_scheme;
  gateway.remove_prefix(colon + 3);
  const std::string_view authority = gateway.substr(0, gateway.find_first_of("/?#"));
  if (const UrlError error = other.read_authority(authority); error != UrlError::none) return error;
  if (other.host_ != host_ || other.port_ != port_) return UrlError::cross_origin;
  if (scheme_ == "wss" && other.scheme_ == "ws") return UrlError::downgrade;
  if (has_fragment) return UrlError::fragment;
  gateway.remove_prefix(authority.size());
  url = other.text().append(gateway.starts_with('/') ? "" : "/").append(gateway);
  return UrlError::none;
}

}  // namespace muster::lobby
