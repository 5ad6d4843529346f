// SPDX-License-Identifier: MIT
#include "half_open.hpp"

#include <muster/soe/op_code.hpp>
#include <muster/soe/packet.hpp>

#include <array>

namespace muster::soe {

HalfOpen::HalfOpen(const Engine::Request& request, const Admission& admission, Resources& resources,
                   time_point now)
    : negotiated{.session_id = request.session_id,
                 .crc_seed = resources.random_u32(),
                 .crc_length = resources.config.crc_length,
                 .compression = resources.config.compression,
                 .udp_length = request.udp_length,
                 .receive_window = request.receive_window},
      expires(now + resources.config.half_open_timeout) {
  if (admission.verdict == Admission::Verdict::refuse) {
    refusal = admission.reason;
  } else if (!admission.encryption_key) {
    if (resources.cipher) cipher = std::make_unique<Rc4>(*resources.cipher);
  } else if (Rc4::is_valid_key(*admission.encryption_key)) {
    cipher = std::make_unique<Rc4>(*admission.encryption_key);
  }
}

void HalfOpen::respond(Outgoing& outgoing, std::uint32_t at, const Config& own) const {
  outgoing.compose(at, SessionResponse::max_size, [&](std::byte* out) {
    return negotiated.response(own).encode({out, SessionResponse::max_size});
  });
  if (refusal == DisconnectReason::none) return;
  std::array<std::byte, Disconnect::size> body{};
  const std::size_t size = Disconnect{negotiated.session_id, refusal}.encode(body);
  const Framing framing = negotiated.framing(own);
  outgoing.compose(at, framing.pad() + size, [&](std::byte* out) {
    return framing.write(out, static_cast<std::uint16_t>(OpCode::disconnect),
                         byte_view{body}.first(size));
  });
}

bool HalfOpen::is_proven_by(byte_view datagram, const Config& own) const noexcept {
  if (refusal != DisconnectReason::none || datagram.size() < 2) return false;
  const Framing framing = negotiated.framing(own);
  if (is_unreliable(datagram)) {
    return own.unreliable && datagram.size() > framing.crc_length && framing.is_intact(datagram);
  }
  const std::uint16_t op = op_of(datagram);
  return is_known(op) && !is_contextless(op) &&
         datagram.size() >= minimum_size(op, framing.pad()) && framing.is_intact(datagram);
}

}  // namespace muster::soe
