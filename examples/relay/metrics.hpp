// SPDX-License-Identifier: MIT
// What the relay tells about itself, as Prometheus text and as JSON.
#pragma once

#include "log.hpp"
#include "record_writer.hpp"
#include "routes.hpp"

#include <muster/outbox.hpp>
#include <muster/relay/service.hpp>
#include <muster/signal/matchbox.hpp>
#include <muster/signal/metrics.hpp>
#include <muster/websocket/endpoint.hpp>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relay_program {

/// Everything that is shown, at one moment.
struct Snapshot {
  muster::relay::Service::Stats relay{};
  muster::signal::Metrics signal{};
  muster::signal::Matchbox::Stats matchbox{};
  muster::websocket::Stats websocket{};
  muster::Outbox::Stats outbox{};
  Routes::Stats routes{};
  Log::Stats log{};
  std::optional<RecordWriter::Stats> records{};  ///< nothing: none are kept
  std::size_t rooms = 0;
  std::size_t members = 0;      ///< hosts and clients
  std::size_t present = 0;      ///< those of them that have a connection
  std::size_t connections = 0;  ///< those included that have not joined a room
  std::chrono::duration<double> uptime{0};
  std::string_view backend{};
  std::size_t loops = 1;
  bool is_draining = false;
};

/// That of all loops, of one for each. What there is one of is taken from the first.
[[nodiscard]] Snapshot sum(const std::vector<Snapshot>& loops);

/// The text exposition format, version 0.0.4.
[[nodiscard]] std::string prometheus_text(const Snapshot& snapshot);

[[nodiscard]] std::string status_json(const Snapshot& snapshot);

}  // namespace relay_program
