// SPDX-License-Identifier: MIT
// A request that was answered, and is not a session yet.
#pragma once

#include <muster/soe/disconnect_reason.hpp>
#include <muster/soe/rc4.hpp>
#include <muster/time.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "framing.hpp"
#include "session.hpp"

namespace muster::soe {

/// What is kept of a request: whoever sends requests from addresses that are not his costs this,
/// and not a session.
struct HalfOpen {
  Negotiated negotiated;
  time_point expires{};
  std::unique_ptr<Rc4> cipher;                        ///< null: not encrypted
  DisconnectReason refusal = DisconnectReason::none;  ///< the application did not want it

  [[nodiscard]] Framing framing(std::uint32_t own_udp_length) const noexcept {
    Framing framing;
    framing.crc = SeededCrc{negotiated.crc_seed};
    framing.crc_length = negotiated.crc_length;
    framing.has_flag = negotiated.compression;
    framing.max_datagram = static_cast<std::uint16_t>(
        negotiated.udp_length < own_udp_length ? negotiated.udp_length : own_udp_length);
    framing.peer_window = peer_window_of(negotiated);
    return framing;
  }
};

}  // namespace muster::soe
