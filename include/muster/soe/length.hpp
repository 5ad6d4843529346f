// SPDX-License-Identifier: MIT
// The two ways in which the SOE protocol writes a length in front of what it measures.
#pragma once

#include <muster/bytes.hpp>

#include <cstddef>
#include <cstdint>

/// A short length is one byte. A longer one is FF and two bytes, or FF FF FF and four, most
/// significant first. They differ in 255: before a packet in a multi packet it is the one byte FF,
/// because the packet's own first byte, zero, tells it from the longer form; before a message in a
/// bundle, which may begin with anything, it is FF 00 FF.
namespace muster::soe {

/// The most bytes that a length takes.
inline constexpr std::size_t max_length_size = 7;

namespace detail {

inline constexpr std::byte long_mark{0xFF};

[[nodiscard]] constexpr std::byte octet(std::uint32_t n, unsigned shift) noexcept {
  return static_cast<std::byte>((n >> shift) & 0xFFU);
}

inline std::byte* write_long_length(std::byte* out, std::uint32_t n) noexcept {
  *out++ = long_mark;
  if (n >= 0xFFFF) {
    *out++ = long_mark;
    *out++ = long_mark;
    *out++ = octet(n, 24);
    *out++ = octet(n, 16);
  }
  *out++ = octet(n, 8);
  *out++ = octet(n, 0);
  return out;
}

[[nodiscard]] inline std::uint32_t big_endian(byte_view bytes) noexcept {
  std::uint32_t n = 0;
  for (const std::byte byte : bytes) n = (n << 8U) | std::to_integer<std::uint32_t>(byte);
  return n;
}

// What begins with FF.
[[nodiscard]] inline bool read_long_length(byte_view& in, std::uint32_t& n) noexcept {
  if (in.size() < 3) return false;
  if (in[1] != long_mark || in[2] != long_mark) {
    n = big_endian(in.subspan(1, 2));
    in = in.subspan(3);
    return true;
  }
  if (in.size() < max_length_size) return false;
  n = big_endian(in.subspan(3, 4));
  in = in.subspan(max_length_size);
  return true;
}

}  // namespace detail

/// How many bytes `write_multi_length` writes: 1, 3 or 7.
[[nodiscard]] constexpr std::size_t multi_length_size(std::uint32_t n) noexcept {
  return n <= 0xFF ? 1 : n < 0xFFFF ? 3 : max_length_size;
}

/// Writes the length of a packet in a multi packet.
/// @param out   room for `multi_length_size(n)` bytes
/// @param n     if it is 255, a byte that is zero must follow
/// @return      behind what was written
inline std::byte* write_multi_length(std::byte* out, std::uint32_t n) noexcept {
  if (n > 0xFF) [[unlikely]] {
    return detail::write_long_length(out, n);
  }
  *out = static_cast<std::byte>(n);
  return out + 1;
}

/// Takes the length of a packet in a multi packet off the front. Longer forms than needed are
/// accepted, and the length is not compared with what is left.
/// @return      false: the input ends inside the length; nothing is changed
[[nodiscard]] inline bool read_multi_length(byte_view& in, std::uint32_t& n) noexcept {
  if (in.empty()) return false;
  if (in[0] == detail::long_mark) [[unlikely]] {
    if (in.size() < 2) return false;
    if (in[1] != std::byte{0}) return detail::read_long_length(in, n);
  }
  n = std::to_integer<std::uint32_t>(in[0]);
  in = in.subspan(1);
  return true;
}

/// How many bytes `write_bundle_length` writes: 1, 3 or 7.
[[nodiscard]] constexpr std::size_t bundle_length_size(std::uint32_t n) noexcept {
  return n < 0xFF ? 1 : n < 0xFFFF ? 3 : max_length_size;
}

/// Writes the length of a message in a bundle.
/// @param out   room for `bundle_length_size(n)` bytes
/// @return      behind what was written
inline std::byte* write_bundle_length(std::byte* out, std::uint32_t n) noexcept {
  if (n >= 0xFF) [[unlikely]] {
    return detail::write_long_length(out, n);
  }
  *out = static_cast<std::byte>(n);
  return out + 1;
}

/// Takes the length of a message in a bundle off the front. Longer forms than needed are accepted
/// (some peers write 254 as FF 00 FE), and the length is not compared with what is left.
/// @return      false: the input ends inside the length; nothing is changed
[[nodiscard]] inline bool read_bundle_length(byte_view& in, std::uint32_t& n) noexcept {
  if (in.empty()) return false;
  if (in[0] == detail::long_mark) [[unlikely]] {
    return detail::read_long_length(in, n);
  }
  n = std::to_integer<std::uint32_t>(in[0]);
  in = in.subspan(1);
  return true;
}

}  // namespace muster::soe
