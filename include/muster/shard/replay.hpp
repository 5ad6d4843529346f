// SPDX-License-Identifier: MIT
// Runs what a shard did once more.
#pragma once

#include <muster/bytes.hpp>
#include <muster/result.hpp>
#include <muster/shard/replay_log.hpp>
#include <muster/shard/simulation.hpp>
#include <muster/shard/subscriber.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace muster::shard {

/// More subscribers at once than a log may have: a small log must not take much memory.
inline constexpr std::size_t max_replayed_subscribers = 65536;

/// Drives a simulation through a log, in the order in which the shard did it: the inputs of a tick,
/// the joins and leaves between them, then the step, with the time that it covered.
///
///     std::vector<std::uint64_t> hashes;
///     Game game;  // as the shard began with
///     replay(log, game, [&](std::uint64_t tick, std::uint64_t hash) { hashes.push_back(hash); });
///
/// The hashes are those of the shard if the simulation depends on what it is told and on nothing
/// else: no clock, no random device, no address of memory, no order of a hash table, and floating
/// point in the same build only. What is replayed was already allowed, so `authorize_join` and
/// `authorize_input` are not asked. Whether an input is valid JSON is not looked at: `decode` is to
/// bear any bytes if the log comes from elsewhere.
/// @param log       a `ReplayLog`'s bytes, whole or cut off after a record
/// @param on_step   called after each step with its tick and the simulation's `hash()`
/// @return          how many steps there were
/// @error           errc::not_found       an input or a leave of somebody who is not there
/// @error           errc::already_exists  a join of somebody who is there
/// @error           errc::limit_reached   more than `max_replayed_subscribers` at once
/// @error           errc::bad_value       the simulation knows no such input
/// @error           what `ReplayReader` says. What came before the error was replayed
template <Simulation S, class OnStep>
requires HasHash<S> result<std::uint64_t> replay(byte_view log, S& simulation, OnStep&& on_step) {
  ReplayReader reader{log};
  std::map<std::uint64_t, Subscriber> subscribers;
  [[maybe_unused]] Events events;
  std::uint64_t steps = 0;
  while (const std::optional<ReplayRecord> record = reader.next()) {
    if (record->kind == ReplayRecord::Kind::step) {
      if constexpr (requires { simulation.step(record->dt, events); }) {
        simulation.step(record->dt, events);
        events.clear();
      } else {
        simulation.step(record->dt);
      }
      ++steps;
      on_step(record->tick, simulation.hash());
      continue;
    }
    const auto at = subscribers.find(record->handle);
    if (record->kind == ReplayRecord::Kind::join) {
      if (at != subscribers.end()) return errc::already_exists;
      if (subscribers.size() == max_replayed_subscribers) return errc::limit_reached;
      const Subscriber& who =
          subscribers
              .emplace(record->handle,
                       Subscriber{record->handle, std::string{record->id},
                                  std::string{record->user}, record->is_admin, Address{}})
              .first->second;
      if constexpr (HasOnJoin<S>) simulation.on_join(who);
      continue;
    }
    if (at == subscribers.end()) return errc::not_found;
    if (record->kind == ReplayRecord::Kind::leave) {
      if constexpr (HasOnLeave<S>) simulation.on_leave(at->second);
      subscribers.erase(at);
      continue;
    }
    std::optional<typename S::Input> input = S::decode(record->bytes, record->format);
    if (!input) return errc::bad_value;
    simulation.apply(at->second, *input);
  }
  if (!reader.ok()) return reader.error();
  return steps;
}

}  // namespace muster::shard
