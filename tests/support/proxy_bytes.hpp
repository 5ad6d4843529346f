// SPDX-License-Identifier: MIT
// PROXY headers of version 2, written by hand.
#pragma once

#include <muster/address.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace test {

/// A header with these two octets behind the signature, and the length of the rest.
inline std::string binary_header(unsigned version_and_command, unsigned family,
                                 std::string_view rest) {
  std::string out{"\r\n\r\n\0\r\nQUIT\n", 12};
  out += static_cast<char>(version_and_command);
  out += static_cast<char>(family);
  out += static_cast<char>(rest.size() >> 8U);
  out += static_cast<char>(rest.size() & 0xffU);
  out += rest;
  return out;
}

/// PROXY, TCP: both addresses with so many octets each, then both ports, then what follows.
inline std::string tcp_header(unsigned family, std::size_t octets, std::string_view source,
                              std::uint16_t source_port, std::string_view destination,
                              std::uint16_t destination_port, std::string_view fields) {
  std::string rest;
  for (const std::string_view ip : {source, destination}) {
    const auto address = muster::Address::parse_ip(ip).value();
    for (std::size_t i = 16 - octets; i < 16; ++i) rest += static_cast<char>(address.ip[i]);
  }
  for (const std::uint16_t port : {source_port, destination_port}) {
    rest += static_cast<char>(port >> 8U);
    rest += static_cast<char>(port & 0xffU);
  }
  rest += fields;
  return binary_header(0x21, family, rest);
}

inline std::string tcp4(std::string_view source, std::uint16_t source_port,
                        std::string_view destination, std::uint16_t destination_port,
                        std::string_view fields = {}) {
  return tcp_header(0x11, 4, source, source_port, destination, destination_port, fields);
}

inline std::string tcp6(std::string_view source, std::uint16_t source_port,
                        std::string_view destination, std::uint16_t destination_port,
                        std::string_view fields = {}) {
  return tcp_header(0x21, 16, source, source_port, destination, destination_port, fields);
}

}  // namespace test
