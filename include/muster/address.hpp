// SPDX-License-Identifier: MIT
// A peer's network address, both families in one value.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>

namespace muster {

/// An IP address and a port. IPv4 is kept in its mapped form (::ffff:a.b.c.d), so that both
/// families compare and hash alike. A peer without a network address (in memory) is all zero.
struct Address {
  std::array<std::uint8_t, 16> ip{};  ///< network byte order
  std::uint16_t port = 0;             ///< host byte order

  [[nodiscard]] static Address v4(std::uint32_t ip_host_order, std::uint16_t port) noexcept;
  [[nodiscard]] bool is_v4() const noexcept;

  /// What limits and bans count as one: an IPv4 address, or the /64 of an IPv6 address; no port.
  [[nodiscard]] Address network() const noexcept;

  /// "192.0.2.1:80", "[2001:db8::1]:80"; without the port when `with_port` is false.
  [[nodiscard]] std::string to_string(bool with_port = true) const;

  friend auto operator<=>(const Address&, const Address&) = default;
};

}  // namespace muster
