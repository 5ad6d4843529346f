// SPDX-License-Identifier: MIT
// The entries of X-Forwarded-For.
#include "forwarded.hpp"

#include <charconv>
#include <cstddef>
#include <string_view>

namespace muster::websocket {

namespace {

constexpr std::string_view field = "X-Forwarded-For";

// "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80".
std::optional<Address> read_entry(std::string_view text) noexcept {
  std::string_view ip = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos) return std::nullopt;
    ip = text.substr(1, bracket - 1);
    port = text.substr(bracket + 1);
    if (ip.find(':') == std::string_view::npos) return std::nullopt;
  } else if (text.find(':') == text.rfind(':')) {  // one at most: that of a port
    ip = text.substr(0, text.find(':'));
    port = text.substr(ip.size());
  }
  std::optional<Address> address = Address::parse_ip(ip);
  if (!address || port.empty()) return address;
  if (port.front() != ':') return std::nullopt;
  port.remove_prefix(1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address->port);
  if (error != std::errc{} || end != port.data() + port.size()) return std::nullopt;
  return address;
}

}  // namespace

std::optional<Address> forwarded_address(const HeaderFields& headers, unsigned hops) noexcept {
  std::size_t count = 0;
  headers.for_each_element(field, [&](std::string_view) { return ++count != 0; });
  if (count < hops) return std::nullopt;
  std::size_t left = count - hops;
  std::string_view found;
  headers.for_each_element(field, [&](std::string_view entry) {
    found = entry;
    return left-- != 0;
  });
  return read_entry(found);
}

}  // namespace muster::websocket
