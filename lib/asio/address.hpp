// SPDX-License-Identifier: MIT
// Between the system's socket addresses and ours.
#pragma once

#include <muster/address.hpp>
#include <muster/result.hpp>

#include <cstring>
#include <string_view>

#include <netinet/in.h>
#include <sys/socket.h>

namespace muster::asio {

/// Reads "127.0.0.1:80" or "[::1]:80".
/// @error errc::bad_value   not of that form
[[nodiscard]] result<Address> parse_address(std::string_view text) noexcept;

[[nodiscard]] inline Address from_sockaddr(const sockaddr_storage& storage) noexcept {
  if (storage.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &storage, sizeof(in));
    return Address::v4(ntohl(in.sin_addr.s_addr), ntohs(in.sin_port));
  }
  Address address;
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &storage, sizeof(in));
    std::memcpy(address.ip.data(), &in.sin6_addr, address.ip.size());
    address.port = ntohs(in.sin6_port);
  }
  return address;
}

/// @return the length that is used of `storage`
[[nodiscard]] inline socklen_t to_sockaddr(const Address& address,
                                           sockaddr_storage& storage) noexcept {
  storage = {};
  if (address.is_v4()) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(address.port);
    std::memcpy(&in.sin_addr, address.ip.data() + 12, 4);
    std::memcpy(&storage, &in, sizeof(in));
    return sizeof(in);
  }
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(address.port);
  std::memcpy(&in.sin6_addr, address.ip.data(), address.ip.size());
  std::memcpy(&storage, &in, sizeof(in));
  return sizeof(in);
}

}  // namespace muster::asio
