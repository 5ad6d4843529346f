// SPDX-License-Identifier: MIT
// What a Prometheus server reads of muster-shard.
#pragma once

#include <muster/outbox.hpp>
#include <muster/shard/registry.hpp>
#include <muster/shard/service.hpp>
#include <muster/shard/tick_times.hpp>
#include <muster/websocket/endpoint.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace shard_program {

/// One shard.
struct ShardSnapshot {
  std::string id;
  muster::shard::AnyShard::Stats stats{};
  std::size_t subscribers = 0;
  std::size_t waiting_inputs = 0;
  std::uint32_t capacity = 0;  ///< subscribers that it takes
  std::uint32_t hz = 0;
  muster::duration lag{0};    ///< of the last tick
  std::uint64_t skipped = 0;  ///< ticks
  bool is_running = false;
};

/// What there is to tell of one loop, or of all, at one moment.
struct Snapshot {
  std::vector<ShardSnapshot> shards{};
  muster::shard::TickTimes::Stats ticks{};
  muster::shard::Service::Stats service{};
  muster::websocket::Stats websocket{};
  std::map<unsigned, std::uint64_t> handshakes_refused{};  ///< by status
  muster::Outbox::Stats outbox{};
  std::size_t connections = 0;
  std::size_t loops = 1;
  muster::duration uptime{0};
};

[[nodiscard]] std::vector<ShardSnapshot> snapshot_of(const muster::shard::Registry& registry);

/// That of all loops, of one for each: shards by their ids, and sums.
[[nodiscard]] Snapshot sum(std::vector<Snapshot> loops);

/// In the text format 0.0.4. Counters of a shard carry its id.
[[nodiscard]] std::string prometheus_text(const Snapshot& now);

/// `{"shards":[{"id":"arena","players":2,"capacity":256,"hz":30}]}`: for the page, of those that
/// run.
[[nodiscard]] std::string shards_json(const Snapshot& now);

}  // namespace shard_program
