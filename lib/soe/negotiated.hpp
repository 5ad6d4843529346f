// SPDX-License-Identifier: MIT
// What a session's handshake decided.
#pragma once

#include <muster/soe/config.hpp>
#include <muster/soe/packet.hpp>

#include <algorithm>
#include <cstdint>

#include "framing.hpp"

namespace muster::soe {

/// What both ends agreed on.
struct Negotiated {
  std::uint32_t session_id = 0;  ///< the protocol's, on the wire
  std::uint32_t crc_seed = 0;
  std::uint8_t crc_length = 0;
  bool compression = false;
  std::uint32_t udp_length = 0;      ///< the peer's
  std::uint16_t receive_window = 0;  ///< the peer's; 0: it did not say

  [[nodiscard]] Framing framing(const Config& own) const noexcept {
    Framing framing;
    framing.crc = SeededCrc{crc_seed};
    framing.crc_length = crc_length;
    framing.has_flag = compression;
    framing.max_datagram = static_cast<std::uint16_t>(std::min(udp_length, own.udp_length));
    framing.peer_window = receive_window != 0 ? receive_window : usual_receive_window;
    return framing;
  }

  /// What a server answers. It says its window only to a client that has said its own.
  [[nodiscard]] SessionResponse response(const Config& own) const noexcept {
    return {.session_id = session_id,
            .crc_seed = crc_seed,
            .crc_length = crc_length,
            .compression = compression,
            .udp_length = own.udp_length,
            .receive_window = receive_window != 0 ? static_cast<std::uint16_t>(own.receive_window)
                                                  : std::uint16_t{0}};
  }
};

}  // namespace muster::soe
