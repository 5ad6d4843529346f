// SPDX-License-Identifier: MIT
// Text form of addresses.
#include <muster/address.hpp>

#include <algorithm>
#include <charconv>

namespace muster {

namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

void append_number(std::string& out, unsigned value, int base) {
  std::array<char, 8> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, base).ptr;
  out.append(text.data(), end);
}

// RFC 5952: lower case, no leading zeros, the longest run of two or more zero groups as "::".
void append_v6(std::string& out, const std::array<std::uint8_t, 16>& ip) {
  std::array<unsigned, 8> groups{};
  for (std::size_t i = 0; i < 8; ++i) groups[i] = (unsigned{ip[2 * i]} << 8U) | ip[2 * i + 1];
  std::size_t best = 8;
  std::size_t best_length = 1;
  for (std::size_t i = 0; i < 8; ++i) {
    std::size_t end = i;
    while (end < 8 && groups[end] == 0) ++end;
    if (end - i > best_length) {
      best = i;
      best_length = end - i;
    }
  }
  for (std::size_t i = 0; i < 8; ++i) {
    if (i == best) {
      out += "::";
      i += best_length - 1;
      continue;
    }
    if (i != 0 && !out.ends_with(':')) out += ':';
    append_number(out, groups[i], 16);
  }
}

// Takes what stands in front of the separator, and the separator.
std::string_view take_until(std::string_view& rest, char separator) noexcept {
  const std::string_view part = rest.substr(0, rest.find(separator));
  rest.remove_prefix(std::min(rest.size(), part.size() + 1));
  return part;
}

// A whole number of at most `digits` digits; -1 when it is none.
int read_number(std::string_view text, int base, std::size_t digits) noexcept {
  unsigned value = 0;
  if (text.empty() || text.size() > digits) return -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc{} && end == text.data() + text.size() ? static_cast<int>(value) : -1;
}

bool read_v4(std::string_view text, std::uint8_t* out) noexcept {
  if (std::count(text.begin(), text.end(), '.') != 3) return false;
  for (int i = 0; i < 4; ++i) {
    const std::string_view part = take_until(text, '.');
    const int value = read_number(part, 10, 3);
    // A leading zero means octal to some resolvers and nothing to others.
    if (value < 0 || value > 255 || (part.size() > 1 && part[0] == '0')) return false;
    *out++ = static_cast<std::uint8_t>(value);
  }
  return true;
}

// Reads 16-bit groups without "::" into at most `room` bytes; says how many, or -1.
int read_groups(std::string_view text, bool is_last, std::uint8_t* out, int room) noexcept {
  if (!text.empty() && text.back() == ':') return -1;
  int used = 0;
  while (!text.empty()) {
    const std::string_view group = take_until(text, ':');
    if (text.empty() && is_last && group.find('.') != std::string_view::npos) {
      return used + 4 <= room && read_v4(group, out + used) ? used + 4 : -1;
    }
    const int value = read_number(group, 16, 4);
    if (value < 0 || used + 2 > room) return -1;
    out[used++] = static_cast<std::uint8_t>(value >> 8);
    out[used++] = static_cast<std::uint8_t>(value & 0xff);
  }
  return used;
}

bool read_v6(std::string_view text, std::array<std::uint8_t, 16>& out) noexcept {
  const std::size_t gap = text.find("::");
  if (gap == std::string_view::npos) return read_groups(text, true, out.data(), 16) == 16;
  std::array<std::uint8_t, 14> tail{};
  const int before = read_groups(text.substr(0, gap), false, out.data(), 14);
  const int after = read_groups(text.substr(gap + 2), true, tail.data(), 14);
  if (before < 0 || after < 0 || before + after > 14) return false;
  std::copy(tail.begin(), tail.begin() + after, out.end() - after);
  return true;
}

}  // namespace

std::optional<Address> Address::parse_ip(std::string_view text) noexcept {
  Address address;
  if (text.find(':') != std::string_view::npos) {
    if (!read_v6(text, address.ip)) return std::nullopt;
    return address;
  }
  std::copy(mapped_prefix.begin(), mapped_prefix.end(), address.ip.begin());
  if (!read_v4(text, address.ip.data() + 12)) return std::nullopt;
  return address;
}

Address Address::v4(std::uint32_t ip_host_order, std::uint16_t port) noexcept {
  Address address;
  std::copy(mapped_prefix.begin(), mapped_prefix.end(), address.ip.begin());
  for (unsigned i = 0; i < 4; ++i) {
    address.ip[12 + i] = static_cast<std::uint8_t>(ip_host_order >> (24 - 8 * i));
  }
  address.port = port;
  return address;
}

bool Address::is_v4() const noexcept {
  return std::equal(mapped_prefix.begin(), mapped_prefix.end(), ip.begin());
}

Address Address::network() const noexcept {
  Address network{ip, 0};
  if (!is_v4()) std::fill(network.ip.begin() + 8, network.ip.end(), std::uint8_t{0});
  return network;
}

std::string Address::to_string(bool with_port) const {
  std::string out;
  if (is_v4()) {
    for (std::size_t i = 12; i < 16; ++i) {
      if (i != 12) out += '.';
      append_number(out, ip[i], 10);
    }
  } else {
    if (with_port) out += '[';
    append_v6(out, ip);
    if (with_port) out += ']';
  }
  if (with_port) {
    out += ':';
    append_number(out, port, 10);
  }
  return out;
}

}  // namespace muster
