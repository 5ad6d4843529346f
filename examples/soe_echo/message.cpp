// SPDX-License-Identifier: MIT
// A front with the number, and bytes that depend on it.
#include "message.hpp"

#include <algorithm>

namespace soe_echo {

void make_message(std::uint32_t number, std::size_t size, std::vector<std::byte>& out) {
  out.resize(size);
  std::uint32_t state = number;
  for (std::byte& byte : out) {
    state = state * 1664525U + 1013904223U;
    byte = static_cast<std::byte>(state >> 24U);
  }
  // The second byte keeps the front from looking like the protocol's own marks.
  const std::byte front[min_numbered_size] = {static_cast<std::byte>(number % 2 == 0 ? 0 : 'm'),
                                              static_cast<std::byte>('u'),
                                              static_cast<std::byte>(number >> 24U),
                                              static_cast<std::byte>(number >> 16U),
                                              static_cast<std::byte>(number >> 8U),
                                              static_cast<std::byte>(number)};
  std::copy_n(front, std::min(size, min_numbered_size), out.begin());
}

std::optional<std::uint32_t> number_of(muster::byte_view message) noexcept {
  if (message.size() < min_numbered_size) return std::nullopt;
  std::uint32_t number = 0;
  for (const std::byte byte : message.subspan(2, 4)) {
    number = number << 8U | std::to_integer<std::uint32_t>(byte);
  }
  return number;
}

}  // namespace soe_echo
