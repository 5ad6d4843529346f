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

}  // namespace

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
