// SPDX-License-Identifier: MIT
// Whom a proxy speaks for.
#pragma once

#include <muster/address.hpp>
#include <muster/websocket/http_head.hpp>

#include <optional>

namespace muster::websocket {

/// The entry of X-Forwarded-For that is `hops` from the end (1: the last), if it is an address,
/// with or without a port.
/// @param hops   1 or more
[[nodiscard]] std::optional<Address> forwarded_address(const HeaderFields& headers,
                                                       unsigned hops) noexcept;

}  // namespace muster::websocket
