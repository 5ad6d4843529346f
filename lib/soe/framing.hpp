// SPDX-License-Identifier: MIT
// How the datagrams of a session are framed: compression flag, checksum, sizes.
#pragma once

#include <muster/bytes.hpp>
#include <muster/soe/crc32.hpp>
#include <muster/soe/op_code.hpp>
#include <muster/soe/packet.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "big_endian.hpp"

namespace muster::soe {

/// What a session's negotiation decided about its datagrams.
struct Framing {
  SeededCrc crc{0};
  std::uint8_t crc_length = 0;      ///< 0 to 4
  bool has_flag = false;            ///< a compression flag follows the op code
  std::uint16_t max_datagram = 64;  ///< bytes that both ends take

  /// How far ahead of the oldest that it misses the peer keeps packets.
  std::uint16_t peer_window = usual_receive_window;

  /// Bytes in front of a body.
  [[nodiscard]] std::size_t head() const noexcept { return has_flag ? 3 : 2; }

  /// Bytes of a datagram that are not its body.
  [[nodiscard]] std::size_t pad() const noexcept { return head() + crc_length; }

  /// Bytes of a body, sequence included.
  [[nodiscard]] std::size_t max_body() const noexcept { return max_datagram - pad(); }

  /// Writes the op code and the flag.
  /// @return where the body goes
  std::byte* begin(std::byte* datagram, std::uint16_t op,
                   bool is_compressed = false) const noexcept {
    write_u16(datagram, op);
    if (has_flag) datagram[2] = std::byte{is_compressed};
    return datagram + head();
  }

  /// Writes the checksum behind the body.
  /// @param size   of the datagram so far
  /// @return its whole size
  std::size_t finish(std::byte* datagram, std::size_t size) const noexcept {
    if (crc_length != 0) write_crc(datagram + size, crc({datagram, size}), crc_length);
    return size + crc_length;
  }

  /// Writes a whole datagram, uncompressed: there is room for the body and `pad()` bytes.
  /// @return its size
  std::size_t write(std::byte* datagram, std::uint16_t op, byte_view body) const noexcept {
    std::byte* const out = begin(datagram, op);
    if (!body.empty()) std::memcpy(out, body.data(), body.size());
    return finish(datagram, head() + body.size());
  }

  /// Whether the checksum at the end is right. The datagram has at least `crc_length` bytes.
  [[nodiscard]] bool is_intact(byte_view datagram) const noexcept {
    if (crc_length == 0) return true;
    const std::size_t size = datagram.size() - crc_length;
    return (crc(datagram.first(size)) & crc_mask(crc_length)) ==
           read_crc(datagram.data() + size, crc_length);
  }
};

/// Whether it is unreliable data, which has no op code: it begins with anything but zero, or with a
/// zero that escapes another.
[[nodiscard]] inline bool is_unreliable(byte_view datagram) noexcept {
  return datagram[0] != std::byte{0} || datagram[1] == std::byte{0};
}

[[nodiscard]] inline std::uint16_t op_of(byte_view datagram) noexcept { return read_u16(datagram); }

}  // namespace muster::soe
