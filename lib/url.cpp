// SPDX-License-Identifier: MIT
// A strict parser of ws:// and wss:// URLs.
#include <muster/url.hpp>

#include <muster/address.hpp>

#include <algorithm>

namespace muster {

namespace {

constexpr std::uint16_t default_port(std::string_view scheme) noexcept {
  return scheme == "wss" ? 443 : 80;
}

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_hex(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
constexpr bool is_alpha(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::string lower(std::string_view text) {
  std::string out{text};
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return out;
}

// A decimal number of at most `digits` digits; -1 when it is none.
int read_decimal(std::string_view text, std::size_t digits) noexcept {
  if (text.empty() || text.size() > digits || !std::all_of(text.begin(), text.end(), is_digit)) {
    return -1;
  }
  int value = 0;
  for (const char c : text) value = value * 10 + (c - '0');
  return value;
}

// Takes what stands in front of the separator, and the separator.
std::string_view take_until(std::string_view& rest, char separator) noexcept {
  const std::string_view part = rest.substr(0, rest.find(separator));
  rest.remove_prefix(std::min(rest.size(), part.size() + 1));
  return part;
}

bool is_ipv4(std::string_view text) noexcept {
  return text.find(':') == std::string_view::npos && Address::parse_ip(text);
}

bool is_ipv6(std::string_view text) noexcept {
  return text.find(':') != std::string_view::npos && Address::parse_ip(text);
}

bool is_name(std::string_view host) noexcept {
  if (host.ends_with('.')) host.remove_suffix(1);  // a fully qualified name
  if (host.empty() || host.size() > 253 || host.ends_with('.')) return false;
  while (!host.empty()) {
    const std::string_view label = take_until(host, '.');
    if (label.empty() || label.size() > 63) return false;
    for (const char c : label) {
      if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '_') return false;
    }
  }
  return true;
}

// Whether the last label is a number: then a browser takes the host for an IPv4 address.
bool ends_in_number(std::string_view host) noexcept {
  if (host.ends_with('.')) host.remove_suffix(1);
  const std::string_view last = host.substr(host.rfind('.') + 1);
  return !last.empty() && std::all_of(last.begin(), last.end(), is_digit);
}

bool is_target(std::string_view text) noexcept {
  constexpr std::string_view marks = "-._~!$&'()*+,;=:@/?";
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size() || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) return false;
    } else if (!is_alpha(text[i]) && !is_digit(text[i]) &&
               marks.find(text[i]) == std::string_view::npos) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::string Url::authority() const {
  const bool is_v6 = host.find(':') != std::string::npos;
  std::string text = is_v6 ? "[" + host + "]" : host;
  if (port != default_port(scheme)) text += ":" + std::to_string(port);
  return text;
}

std::string_view Url::path() const noexcept {
  return std::string_view{target}.substr(0, target.find('?'));
}

std::string_view Url::query() const noexcept {
  const std::size_t mark = target.find('?');
  return mark == std::string::npos ? std::string_view{} : std::string_view{target}.substr(mark + 1);
}

result<Url> parse_url(std::string_view text) {
  if (text.size() > max_url_size) return errc::too_large;
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) return errc::bad_syntax;
  Url url;
  url.scheme = lower(text.substr(0, colon));
  if (url.scheme != "ws" && url.scheme != "wss") return errc::bad_value;
  text.remove_prefix(colon + 3);

  const std::size_t end = std::min(text.find_first_of("/?#"), text.size());
  std::string_view host = text.substr(0, end);
  const std::string_view target = text.substr(end);
  std::string_view port;
  bool has_port = false;
  if (host.starts_with('[')) {
    const std::size_t bracket = host.find(']');
    if (bracket == std::string_view::npos) return errc::bad_syntax;
    const std::string_view rest = host.substr(bracket + 1);
    host = host.substr(1, bracket - 1);
    if (!is_ipv6(host)) return errc::bad_value;
    has_port = !rest.empty();
    if (has_port && rest[0] != ':') return errc::bad_syntax;
    if (has_port) port = rest.substr(1);
  } else {
    const std::size_t mark = host.find(':');
    has_port = mark != std::string_view::npos;
    if (has_port) port = host.substr(mark + 1);
    host = host.substr(0, mark);
    if (!is_name(host)) return errc::bad_syntax;
    if (ends_in_number(host) && !is_ipv4(host)) return errc::bad_value;
  }
  url.host = lower(host);

  url.port = default_port(url.scheme);
  if (has_port) {
    if (port.empty() || !std::all_of(port.begin(), port.end(), is_digit)) return errc::bad_syntax;
    const int number = read_decimal(port, 5);
    if (number < 1 || number > 65535) return errc::bad_value;
    url.port = static_cast<std::uint16_t>(number);
  }

  if (!is_target(target)) return errc::bad_syntax;
  url.target = target.starts_with('/') ? std::string{target} : "/" + std::string{target};
  return url;
}

}  // namespace muster
