// SPDX-License-Identifier: MIT
// What a Prometheus server reads of muster-shard.
#pragma once

#include <muster/outbox.hpp>
#include <muster/shard/registry.hpp>
#include <muster/shard/service.hpp>
#include <muster/websocket/endpoint.hpp>

#include <cstddef>
#include <string>

namespace shard_program {

/// What there is to tell, at one moment.
struct Snapshot {
  const muster::shard::Registry& registry;
  muster::shard::Service::Stats service;
  muster::websocket::Stats websocket;
  muster::Outbox::Stats outbox;
  std::size_t connections = 0;
  muster::duration uptime{0};
};

/// In the text format 0.0.4. Counters of a shard carry its id.
[[nodiscard]] std::string prometheus_text(const Snapshot& now);

/// `{"shards":[{"id":"arena","players":2,"capacity":256,"hz":30}]}`: for the page, of those that
/// run.
[[nodiscard]] std::string shards_json(const muster::shard::Registry& registry);

}  // namespace shard_program
