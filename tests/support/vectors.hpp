// SPDX-License-Identifier: MIT
// The vector files under tests/data, and bytes written as hexadecimal.
#pragma once

#include <muster/bytes.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#ifndef MUSTER_TEST_DATA_DIR
#error "define MUSTER_TEST_DATA_DIR as the path of tests/data, in quotes"
#endif

namespace test {

/// The bytes of "0aff"; an odd length or another character is a mistake in the test.
inline std::vector<std::byte> from_hex(std::string_view hex) {
  const auto digit = [](char c) -> unsigned {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10;
    if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10;
    throw std::invalid_argument("not a hexadecimal digit");
  };
  if (hex.size() % 2 != 0) throw std::invalid_argument("an odd number of hexadecimal digits");
  std::vector<std::byte> bytes;
  bytes.reserve(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::byte>(digit(hex[i]) * 16 + digit(hex[i + 1])));
  }
  return bytes;
}

inline std::string to_hex(muster::byte_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const std::byte octet : bytes) {
    hex += digits[std::to_integer<std::size_t>(octet) / 16];
    hex += digits[std::to_integer<std::size_t>(octet) % 16];
  }
  return hex;
}

/// A file of tests/data as it is.
inline std::string read_data_file(const std::string& name) {
  const std::string path = std::string{MUSTER_TEST_DATA_DIR} + "/" + name;
  std::ifstream file{path, std::ios::binary};
  if (!file) throw std::runtime_error("cannot open " + path);
  return {std::istreambuf_iterator<char>{file}, {}};
}

/// A JSON file of tests/data; one that is missing or damaged throws and so fails the test.
inline nlohmann::json load_vectors(const std::string& name) {
  return nlohmann::json::parse(read_data_file(name));
}

}  // namespace test
