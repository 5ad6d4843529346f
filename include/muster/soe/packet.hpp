// SPDX-License-Identifier: MIT
// The SOE packets that are made of fixed fields: the handshake's, Disconnect and the net status.
#pragma once

#include <muster/bytes.hpp>
#include <muster/export.hpp>
#include <muster/soe/disconnect_reason.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

/// The packets before there is a session (`SessionRequest`, `SessionResponse`, `RemapConnection`)
/// are whole datagrams: `decode` takes all bytes and checks the op code, `encode` writes it.
///
/// The others (`Disconnect`, `NetStatusRequest`, `NetStatusResponse`) are bodies: what stands
/// between op code, compression flag and checksum, or behind the op code in a multi packet.
///
/// Every `decode` gives nothing for input that is too short, and ignores what follows the last
/// field, as all implementations do. Every `encode` returns the size of what it wrote; 0: it did
/// not fit, and what is in `out` is of no use.
namespace muster::soe {

/// The protocol version that this library speaks.
inline constexpr std::uint32_t protocol_version = 3;

/// How far ahead of the oldest missing packet a peer is thought to keep others, if it does not say:
/// the least of what the peers of the protocol do.
inline constexpr std::uint16_t usual_receive_window = 195;

/// Asks for a session. A whole datagram.
struct MUSTER_API SessionRequest {
  std::uint32_t version = protocol_version;
  std::uint32_t session_id = 0;
  std::uint32_t udp_length = 0;  ///< the largest datagram that the client takes, in bytes
  std::string_view
      protocol{};  ///< the application's, to be compared byte by byte; of `decode`: in the input
  /// How far ahead the client keeps packets; 0: it does not say, `usual_receive_window`. Ours only:
  /// "mu" and two bytes behind the name's zero, where other servers do not look.
  std::uint16_t receive_window = 0;

  /// Nothing also if the protocol's terminating zero is missing, as it is in version 2.
  [[nodiscard]] static std::optional<SessionRequest> decode(byte_view datagram) noexcept;

  /// 0 also if the protocol's name contains a zero.
  [[nodiscard]] std::size_t encode(mutable_byte_view out) const noexcept;
};

/// Grants a session. A whole datagram.
struct MUSTER_API SessionResponse {
  static constexpr std::size_t max_size = 25;  ///< in bytes; 21 without the window

  std::uint32_t session_id = 0;  ///< the request's
  std::uint32_t crc_seed = 0;
  std::uint8_t crc_length = 2;   ///< 0 to 4 bytes
  bool compression = false;      ///< packets have a compression flag
  std::uint8_t unknown = 0;      ///< a second encryption pass in some games
  std::uint32_t udp_length = 0;  ///< the largest datagram that the server takes, in bytes
  std::uint32_t version = protocol_version;

  /// As the request's; only for a client that has said its own.
  std::uint16_t receive_window = 0;

  /// Nothing also if the checksum would have more than 4 bytes.
  [[nodiscard]] static std::optional<SessionResponse> decode(byte_view datagram) noexcept;
  [[nodiscard]] std::size_t encode(mutable_byte_view out) const noexcept;
};

/// From a client whose address has changed: what follows belongs to that session. A whole datagram.
struct MUSTER_API RemapConnection {
  static constexpr std::size_t size = 10;  ///< in bytes

  std::uint32_t session_id = 0;
  std::uint32_t crc_seed = 0;  ///< the session's, as proof

  [[nodiscard]] static std::optional<RemapConnection> decode(byte_view datagram) noexcept;
  [[nodiscard]] std::size_t encode(mutable_byte_view out) const noexcept;
};

/// Ends a session. A body.
struct MUSTER_API Disconnect {
  static constexpr std::size_t size = 6;  ///< of what `encode` writes, in bytes

  std::uint32_t session_id = 0;
  DisconnectReason reason = DisconnectReason::none;

  /// A reason that is missing, or not known, is `none`.
  [[nodiscard]] static std::optional<Disconnect> decode(byte_view body) noexcept;
  [[nodiscard]] std::size_t encode(mutable_byte_view out) const noexcept;
};

/// What a client knows of the connection, to be answered with a `NetStatusResponse`. A body.
struct MUSTER_API NetStatusRequest {
  static constexpr std::size_t size = 38;  ///< in bytes

  std::uint16_t client_tick = 0;  ///< the client's clock, in milliseconds, the low 16 bits
  // Round trips, in milliseconds.
  std::uint32_t master_ping = 0;  ///< the best of all
  std::uint32_t average_ping = 0;
  std::uint32_t low_ping = 0;
  std::uint32_t high_ping = 0;
  std::uint32_t last_ping = 0;
  std::uint64_t packets_sent = 0;  ///< this one included
  std::uint64_t packets_received = 0;

  [[nodiscard]] static std::optional<NetStatusRequest> decode(byte_view body) noexcept;
  [[nodiscard]] std::size_t encode(mutable_byte_view out) const noexcept;
};

/// The answer: what the client said, and the server's side of it. A body.
struct MUSTER_API NetStatusResponse {
  static constexpr std::size_t size = 38;  ///< in bytes

  std::uint16_t client_tick = 0;  ///< the request's
  std::uint32_t server_tick = 0;  ///< the server's clock, in milliseconds
  std::uint64_t client_sent = 0;  ///< the request's
  std::uint64_t client_received = 0;
  std::uint64_t server_sent = 0;
  std::uint64_t server_received = 0;

  [[nodiscard]] static std::optional<NetStatusResponse> decode(byte_view body) noexcept;
  [[nodiscard]] std::size_t encode(mutable_byte_view out) const noexcept;
};

}  // namespace muster::soe
