// SPDX-License-Identifier: MIT
// The versions of clients, to be compared.
#pragma once

#include <muster/ascii.hpp>

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace muster::signal {

/// Major, minor and patch of a semantic version. What follows them is not compared.
using SdkVersion = std::array<std::uint32_t, 3>;

[[nodiscard]] inline std::optional<SdkVersion> read_sdk_version(std::string_view text) noexcept {
  SdkVersion version{};
  for (std::size_t i = 0; i < version.size(); ++i) {
    if (i != 0) {
      if (text.empty() || text.front() != '.') return std::nullopt;
      text.remove_prefix(1);
    }
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version[i]);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  }
  if (!text.empty() && text.front() != '-' && text.front() != '+') return std::nullopt;
  return version;
}

/// Platforms are compared in lower case.
[[nodiscard]] inline std::string lower_case(std::string_view text) {
  std::string lower{text};
  for (char& c : lower) c = to_lower(c);
  return lower;
}

}  // namespace muster::signal
