// SPDX-License-Identifier: MIT
// What lets a player use a TURN server for a while.
#pragma once

#include "uuid.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace muster::signal {

/// A user name that says until when and whose, and its password, which the TURN server makes
/// itself from the same secret.
/// @source draft-uberti-behave-turn-rest-00
struct TurnCredentials {
  std::string username;
  std::string credential;
};

/// @param secret   shared with the TURN server: its `static-auth-secret`
/// @param expiry   seconds since 1970
[[nodiscard]] TurnCredentials make_turn_credentials(std::string_view secret, std::int64_t expiry,
                                                    const Uuid& player);

}  // namespace muster::signal
