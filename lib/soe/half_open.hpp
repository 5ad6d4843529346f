// SPDX-License-Identifier: MIT
// A request that was answered, and is not a session yet.
#pragma once

#include <muster/bytes.hpp>
#include <muster/soe/config.hpp>
#include <muster/soe/disconnect_reason.hpp>
#include <muster/soe/engine.hpp>
#include <muster/soe/rc4.hpp>
#include <muster/time.hpp>

#include <cstdint>
#include <memory>

#include "negotiated.hpp"
#include "outgoing.hpp"
#include "resources.hpp"

namespace muster::soe {

/// What is kept of a request: whoever sends requests from addresses that are not his costs this,
/// and not a session.
struct HalfOpen {
  /// @param admission   not `drop`
  HalfOpen(const Engine::Request& request, const Admission& admission, Resources& resources,
           time_point now);

  Negotiated negotiated;
  time_point expires{};
  std::unique_ptr<Rc4> cipher;                        ///< null: not encrypted
  DisconnectReason refusal = DisconnectReason::none;  ///< the application did not want it

  /// Sends the response, and why it is refused, if it is.
  void respond(Outgoing& outgoing, std::uint32_t at, const Config& own) const;

  /// Whether a datagram shows that its sender has the response: only then does it know the seed.
  [[nodiscard]] bool is_proven_by(byte_view datagram, const Config& own) const noexcept;
};

}  // namespace muster::soe
