// SPDX-License-Identifier: MIT
// What a Prometheus server reads of muster-lobby.
#pragma once

#include "api.hpp"
#include "dispatcher.hpp"
#include "gateway.hpp"
#include "lobby.hpp"

#include <muster/websocket/endpoint.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace lobby_program {

/// What there is to tell, at one moment.
struct Snapshot {
  Lobby::Stats lobby;
  Gateway::Stats gateway;
  Dispatcher::Stats dispatcher;
  Api::Stats api;
  muster::websocket::Stats websocket;
  std::size_t online = 0;   ///< bots in the lobby
  std::size_t seats = 0;    ///< connections of seats
  std::size_t running = 0;  ///< matches
  std::uint64_t started = 0;
  std::size_t connections = 0;
  muster::duration uptime{0};
};

/// In the text format 0.0.4.
[[nodiscard]] std::string prometheus_text(const Snapshot& now);

}  // namespace lobby_program
