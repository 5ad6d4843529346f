// SPDX-License-Identifier: MIT
// An address with its port, as programs are told it.
#include "address.hpp"

#include <charconv>
#include <optional>
#include <system_error>

namespace muster::asio {

result<Address> parse_address(std::string_view text) noexcept {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return errc::bad_value;
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc{} || end != digits.data() + digits.size()) return errc::bad_value;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  std::optional<Address> address = Address::parse_ip(host);
  if (!address) return errc::bad_value;
  address->port = port;
  return *address;
}

}  // namespace muster::asio
