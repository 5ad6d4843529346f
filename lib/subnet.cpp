// SPDX-License-Identifier: MIT
// Comparing and reading blocks of addresses.
#include <muster/subnet.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <system_error>

namespace muster {

namespace {

// What is left of an octet of which so many leading bits count.
std::uint8_t leading(std::uint8_t octet, unsigned bits) noexcept {
  return static_cast<std::uint8_t>(octet & (0xff00U >> std::min(bits, 8U)));
}

}  // namespace

bool Subnet::contains(const Address& address) const noexcept {
  unsigned left = bits;
  for (std::size_t i = 0; i < ip.size() && left != 0; ++i) {
    if (leading(address.ip[i], left) != ip[i]) return false;
    left -= std::min(left, 8U);
  }
  return true;
}

std::optional<Subnet> Subnet::parse(std::string_view text) noexcept {
  const std::size_t slash = text.find('/');
  const std::optional<Address> address = Address::parse_ip(text.substr(0, slash));
  if (!address) return std::nullopt;
  Subnet subnet{address->ip, 128};
  if (slash == std::string_view::npos) return subnet;
  // By the notation, and not by the address: ::ffff:192.0.2.0/120 is of IPv6.
  const unsigned before = text.find(':') == std::string_view::npos ? 96 : 0;
  const std::string_view digits = text.substr(slash + 1);
  unsigned prefix = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
  if (error != std::errc{} || end != digits.data() + digits.size() || before + prefix > 128 ||
      (digits.size() > 1 && digits.front() == '0')) {
    return std::nullopt;
  }
  subnet.bits = static_cast<std::uint8_t>(before + prefix);
  unsigned left = subnet.bits;
  for (const std::uint8_t octet : subnet.ip) {
    if (leading(octet, left) != octet) return std::nullopt;
    left -= std::min(left, 8U);
  }
  return subnet;
}

}  // namespace muster
