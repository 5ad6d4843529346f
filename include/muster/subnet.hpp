// SPDX-License-Identifier: MIT
// A block of addresses.
#pragma once

#include <muster/address.hpp>
#include <muster/export.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace muster {

/// The addresses that begin with the same bits. An IPv4 address counts as the IPv6 address that it
/// is in `Address`: ::/0 has all there are.
struct MUSTER_API Subnet {
  std::array<std::uint8_t, 16> ip{};  ///< as in `Address`; the bits that do not count are 0
  std::uint8_t bits = 128;            ///< that count, 0 to 128; of IPv4 the prefix and 96

  [[nodiscard]] bool contains(const Address& address) const noexcept;

  /// Reads "10.0.0.0/8", "2001:db8::/32", or an address alone: "192.0.2.1". Strictly: no bit behind
  /// the prefix may be set.
  /// @source RFC 4632 section 3.1; RFC 4291 section 2.3
  [[nodiscard]] static std::optional<Subnet> parse(std::string_view text) noexcept;

  friend bool operator==(const Subnet&, const Subnet&) = default;
};

}  // namespace muster
