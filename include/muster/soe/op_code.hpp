// SPDX-License-Identifier: MIT
// The op codes of the SOE protocol, and how short a packet of each may be.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>

namespace muster::soe {

/// The first two bytes of a packet, most significant first; the high byte is always zero. A
/// datagram whose first byte is another is unreliable data of the application.
///
/// The four op codes of reliable data have one value for each channel; what stands here is channel
/// 0's, see `op_of`.
enum class OpCode : std::uint16_t {
  zero_escape = 0x00,  ///< unreliable data whose own first byte is zero
  session_request = 0x01,
  session_response = 0x02,
  multi_packet = 0x03,  ///< several packets in one
  disconnect = 0x05,
  heartbeat = 0x06,
  net_status_request = 0x07,
  net_status_response = 0x08,
  reliable_data = 0x09,
  reliable_fragment = 0x0d,
  acknowledge = 0x11,      ///< this one packet
  acknowledge_all = 0x15,  ///< this packet and all before it
  bundle = 0x19,           ///< no packet: several messages in the payload of reliable data
  ordered = 0x1a,          ///< unreliable data of which the late is dropped
  ordered2 = 0x1b,
  port_alive = 0x1c,      ///< keeps a NAT's port open; to be ignored
  unknown_sender = 0x1d,  ///< "I have no session with you"
  remap_connection = 0x1e,
};

/// Reliable channels are numbered from 0.
inline constexpr unsigned channel_count = 4;

/// The op code of a channel.
/// @param base      reliable_data, reliable_fragment, acknowledge or acknowledge_all
/// @param channel   0 to 3
[[nodiscard]] constexpr std::uint16_t op_of(OpCode base, unsigned channel) noexcept {
  assert(channel < channel_count);
  return static_cast<std::uint16_t>(static_cast<unsigned>(base) + channel);
}

/// Whether the op code is one of reliable data or of its acknowledgements, on any channel.
[[nodiscard]] constexpr bool has_channel(std::uint16_t op) noexcept {
  return op >= op_of(OpCode::reliable_data, 0) && op <= op_of(OpCode::acknowledge_all, 3);
}

/// The channel of an op code; 0 if it has none.
[[nodiscard]] constexpr unsigned channel_of(std::uint16_t op) noexcept {
  return has_channel(op) ? (op - op_of(OpCode::reliable_data, 0)) % channel_count : 0;
}

/// The op code without its channel: the inverse of `op_of`.
/// @param op   one that `is_known`
[[nodiscard]] constexpr OpCode base_of(std::uint16_t op) noexcept {
  return static_cast<OpCode>(op - channel_of(op));
}

/// Whether packets of this op code have neither compression flag nor CRC.
[[nodiscard]] constexpr bool is_contextless(std::uint16_t op) noexcept {
  switch (static_cast<OpCode>(op)) {
    case OpCode::session_request:
    case OpCode::session_response:
    case OpCode::port_alive:
    case OpCode::unknown_sender:
    case OpCode::remap_connection:
      return true;
    default:
      return false;
  }
}

/// Whether a packet may begin with this op code. 4 is reserved and was never seen; a bundle is no
/// packet.
[[nodiscard]] constexpr bool is_known(std::uint16_t op) noexcept {
  return op <= static_cast<std::uint16_t>(OpCode::remap_connection) && op != 4 &&
         op != static_cast<std::uint16_t>(OpCode::bundle);
}

/// How many bytes a datagram of this op code has at least. A compressed one is measured as it is on
/// the wire. Packets inside a multi packet have no frame, so this says nothing about them.
///
/// Of a disconnect the reason may be missing, as old peers leave it out.
/// @param op    any; of one that is not known the two bytes of the op code are asked
/// @param pad   the frame: 2 for the op code, 1 if packets have the compression flag, the CRC's
///              length. Of unreliable data, zero escape included, the flag counts only if such data
///              has one.
[[nodiscard]] constexpr std::size_t minimum_size(std::uint16_t op, std::size_t pad) noexcept {
  if (!is_known(op)) return 2;
  switch (base_of(op)) {
    case OpCode::session_request:
      return 15;  // with an empty protocol name and its terminator
    case OpCode::session_response:
      return 21;
    case OpCode::remap_connection:
      return 10;
    case OpCode::port_alive:
    case OpCode::unknown_sender:
      return 2;
    case OpCode::disconnect:
      return pad + 4;
    case OpCode::reliable_data:
    case OpCode::reliable_fragment:
      return pad + 3;
    case OpCode::multi_packet:
    case OpCode::acknowledge:
    case OpCode::acknowledge_all:
    case OpCode::ordered:
    case OpCode::ordered2:
      return pad + 2;
    default:
      return pad;
  }
}

}  // namespace muster::soe
