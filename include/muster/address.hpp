// SPDX-License-Identifier: MIT
// A peer's network address, both families in one value.
#pragma once

#include <muster/export.hpp>

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace muster {

/// An IP address and a port. IPv4 is kept in its mapped form (::ffff:a.b.c.d), so that both
/// families compare and hash alike. A peer without a network address (in memory) is all zero.
struct MUSTER_API Address {
  std::array<std::uint8_t, 16> ip{};  ///< network byte order
  std::uint16_t port = 0;             ///< host byte order

  [[nodiscard]] static Address v4(std::uint32_t ip_host_order, std::uint16_t port) noexcept;
  [[nodiscard]] bool is_v4() const noexcept;

  /// What limits and bans count as one: an IPv4 address, or the /64 of an IPv6 address; no port.
  [[nodiscard]] Address network() const noexcept;

  /// Reads "192.0.2.1" or "2001:db8::1", strictly: four decimal numbers without leading zeros, or
  /// the forms of RFC 4291 section 2.2 without a zone. The port is 0.
  [[nodiscard]] static std::optional<Address> parse_ip(std::string_view text) noexcept;

  /// "192.0.2.1:80", "[2001:db8::1]:80"; without the port when `with_port` is false.
  [[nodiscard]] std::string to_string(bool with_port = true) const;

  friend auto operator<=>(const Address&, const Address&) = default;
};

}  // namespace muster
