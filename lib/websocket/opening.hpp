// SPDX-License-Identifier: MIT
// What a session keeps only while its opening handshake is under way.
#pragma once

#include <muster/websocket/handshake.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace muster::websocket {

struct Opening {
  std::vector<std::byte> input;  // an unfinished head or body, or what came behind the request
  std::size_t scanned = 0;       // bytes of it in which no end of the head was found
  std::size_t needed = 0;  // bytes of it before another look is worth while: a body is awaited
  AcceptValue accept{};    // server: the answer to the client's key, for a late decision
  HandshakeKey key{};      // client
  std::vector<std::string> subprotocols;  // client: those offered
};

}  // namespace muster::websocket
