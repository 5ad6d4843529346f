// SPDX-License-Identifier: MIT
// What the relay tells about itself, as Prometheus text and as JSON.
#pragma once

#include <muster/outbox.hpp>
#include <muster/relay/service.hpp>
#include <muster/websocket/endpoint.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace relay_program {

/// Everything that is shown, at one moment.
struct Snapshot {
  const muster::relay::Service::Stats& relay;
  const muster::websocket::Stats& websocket;
  const muster::Outbox::Stats& outbox;
  std::size_t rooms = 0;
  std::size_t members = 0;      ///< hosts and clients
  std::size_t connections = 0;  ///< those included that have not joined a room
  std::chrono::duration<double> uptime{0};
  std::string_view backend{};
  bool is_draining = false;
};

/// The text exposition format, version 0.0.4.
[[nodiscard]] std::string prometheus_text(const Snapshot& snapshot);

[[nodiscard]] std::string status_json(const Snapshot& snapshot);

}  // namespace relay_program
