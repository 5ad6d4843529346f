// SPDX-License-Identifier: MIT
// How a client that does no I/O gets a connection.
#pragma once

#include <muster/connection.hpp>
#include <muster/export.hpp>
#include <muster/service.hpp>

#include <string>
#include <utility>
#include <vector>

namespace muster {

/// Where to connect, and what to ask for.
struct DialRequest {
  std::string url;  ///< ws://host[:port]/path[?query]; wss:// where the dialer has TLS
  std::vector<std::string> subprotocols{};
  std::vector<std::pair<std::string, std::string>> headers{};
};

/// Opens connections for clients: a driver's, or the memory network's.
/// @threads one loop per dialer
class MUSTER_API Dialer {
 public:
  virtual ~Dialer() = default;

  /// Begins to connect. The service hears `on_open`, or `on_close` with the reason; never from
  /// within this call.
  /// @return the connection, which may be closed to give up
  virtual ConnectionId dial(const DialRequest& request, Service& service) = 0;
};

}  // namespace muster
