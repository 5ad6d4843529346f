// SPDX-License-Identifier: MIT
// A request that was answered, and is not a session yet.
#pragma once

#include <muster/soe/disconnect_reason.hpp>
#include <muster/soe/rc4.hpp>
#include <muster/time.hpp>

#include <memory>

#include "negotiated.hpp"

namespace muster::soe {

/// What is kept of a request: whoever sends requests from addresses that are not his costs this,
/// and not a session.
struct HalfOpen {
  Negotiated negotiated;
  time_point expires{};
  std::unique_ptr<Rc4> cipher;                        ///< null: not encrypted
  DisconnectReason refusal = DisconnectReason::none;  ///< the application did not want it
};

}  // namespace muster::soe
