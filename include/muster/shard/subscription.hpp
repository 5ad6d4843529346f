// SPDX-License-Identifier: MIT
// What a shard keeps of one subscriber.
#pragma once

#include <muster/connection.hpp>
#include <muster/rate_limit.hpp>
#include <muster/shard/format.hpp>
#include <muster/shard/subscriber.hpp>
#include <muster/time.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace muster::shard {

class AnyShard;

/// How a subscriber is spoken to (docs/protocol/shard.md).
enum class Wire : std::uint8_t {
  legacy,  ///< the tick in 8 bytes, then the snapshot; nothing else is ever sent
  events,  ///< server-sent events: the same as text, one way
  v2,      ///< typed messages: snapshots and deltas, events, acknowledgements
};

/// One subscriber in one shard, which owns it. Only the shard changes it.
struct Subscription {
  Subscriber who;
  AnyShard* shard = nullptr;
  Connection* connection = nullptr;  ///< null before it has opened, and once it has gone
  std::uint64_t session = 0;         ///< that let it in; 0: none
  std::uint64_t hold = 0;            ///< by which its service keeps its place; 0: it has come
  ConnectionId connection_id{};
  Wire wire = Wire::legacy;
  Format format = Format::json;
  bool has_left = false;          ///< its connection is gone; what it sent is still applied
  std::uint32_t max_message = 0;  ///< bytes that it may send at once
  std::uint32_t queued = 0;       ///< inputs that wait for a tick
  std::size_t index = 0;          ///< in the shard's list
  RateMeter meter;                ///< of its inputs
  std::optional<std::uint64_t> highest_seq{};  ///< of the inputs that were accepted
  std::optional<std::uint64_t> applied_seq{};  ///< of the inputs that were applied
  std::optional<std::uint64_t> told_seq{};     ///< what the last acknowledgement said
  std::int64_t margin_ms = 0;                  ///< how long the last applied input had waited
  std::uint64_t seen_before = 0;         ///< v2: which of the 64 numbers below `highest_seq` came
  std::uint64_t view_key = 0;            ///< of the last snapshot
  std::uint64_t view_since = 0;          ///< the tick from which that has been its view
  std::uint64_t acked_tick = 0;          ///< v2: the newest snapshot that it says it has; 0: none
  std::uint64_t next_event = 1;          ///< v2: number of its next event
  std::uint64_t conflated = 0;           ///< snapshots that a newer one replaced before they left
  std::size_t newest_size = 0;           ///< bytes of the newest snapshot
  std::size_t earlier_size = 0;          ///< and of the one before, which may be leaving still
  std::uint64_t written = 0;             ///< of its connection, when it last took something
  time_point stuck_since = no_deadline;  ///< since when it takes nothing, though it should
  time_point flooding_since = no_deadline;  ///< since when it sends more than it may
  time_point flooded_last = no_deadline;
};

}  // namespace muster::shard
