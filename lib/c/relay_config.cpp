// SPDX-License-Identifier: MIT
#include "relay_config.hpp"

#include "handle.hpp"

#include <algorithm>
#include <cstddef>

namespace muster::c {

namespace {

constexpr std::uint32_t least_waiting_events = 64 * 1024;

}  // namespace

muster_relay_config to_c(const RelayConfig& config) {
  const websocket::Config& websocket = config.websocket;
  const relay::RoomRules& rooms = config.relay.rooms;
  muster_relay_config out{};
  out.size = sizeof out;
  out.max_connections = static_cast<std::uint32_t>(websocket.max_connections);
  out.max_connections_per_address =
      static_cast<std::uint32_t>(websocket.max_connections_per_address);
  out.connections_per_second = config.relay.addresses.connections_per_second;
  out.max_rooms = static_cast<std::uint32_t>(config.relay.max_rooms);
  out.max_rooms_per_address = config.relay.addresses.max_rooms;
  out.max_host_message = static_cast<std::uint32_t>(config.relay.max_host_message);
  out.max_client_message = static_cast<std::uint32_t>(config.relay.max_client_message);
  out.client_messages_per_second = rooms.client_rate.messages_per_second;
  out.client_bytes_per_second = rooms.client_rate.bytes_per_second;
  out.state_cache = static_cast<std::uint32_t>(rooms.state_cache);
  out.max_waiting_events = config.max_waiting_events;
  out.upgrade_timeout_us = c::to_c(websocket.upgrade_timeout);
  out.join_timeout_us = c::to_c(config.relay.join_timeout);
  out.ping_interval_us = c::to_c(websocket.ping_interval);
  out.idle_timeout_us = c::to_c(websocket.idle_timeout);
  out.write_timeout_us = c::to_c(websocket.write_timeout);
  out.close_timeout_us = c::to_c(websocket.close_timeout);
  out.host_grace_us = c::to_c(rooms.host_grace);
  out.player_grace_us = c::to_c(rooms.player_grace);
  out.room_idle_us = c::to_c(rooms.idle);
  return out;
}

RelayConfig from_c(const muster_relay_config& config) {
  RelayConfig out;
  websocket::Config& websocket = out.websocket;
  relay::RoomRules& rooms = out.relay.rooms;
  websocket.max_connections = config.max_connections;
  websocket.max_connections_per_address = config.max_connections_per_address;
  out.relay.addresses.connections_per_second = config.connections_per_second;
  out.relay.max_rooms = config.max_rooms;
  out.relay.addresses.max_rooms = config.max_rooms_per_address;
  out.relay.max_host_message = config.max_host_message;
  out.relay.max_client_message = config.max_client_message;
  rooms.client_rate = {config.client_messages_per_second, config.client_bytes_per_second};
  rooms.state_cache = config.state_cache;
  out.max_waiting_events = config.max_waiting_events;
  websocket.upgrade_timeout = to_duration(config.upgrade_timeout_us);
  out.relay.join_timeout = to_duration(config.join_timeout_us);
  websocket.ping_interval = to_duration(config.ping_interval_us);
  websocket.idle_timeout = to_duration(config.idle_timeout_us);
  websocket.write_timeout = to_duration(config.write_timeout_us);
  websocket.close_timeout = to_duration(config.close_timeout_us);
  rooms.host_grace = to_duration(config.host_grace_us);
  rooms.player_grace = to_duration(config.player_grace_us);
  rooms.idle = to_duration(config.room_idle_us);

  // What follows from the sizes of messages.
  websocket.max_message = std::max(
      {out.relay.max_host_message, out.relay.max_client_message, out.relay.max_join_request});
  const auto twice = [](std::uint32_t bytes) {
    return 2 * std::min(bytes, std::uint32_t{1} << 30U);
  };
  Budget& client = out.relay.client_budget;
  Budget& host = out.relay.host_budget;
  client.bytes = std::max(client.bytes, twice(config.max_host_message));
  host.bytes = std::max(host.bytes, twice(twice(config.max_client_message)));
  out.outbox.max_batch_bytes =
      std::max(out.outbox.max_batch_bytes, std::size_t{twice(config.max_host_message)});
  return out;
}

std::string problem_of(const RelayConfig& config) {
  std::string problem;
  if (websocket::validate(config.websocket, problem) ||
      relay::Service::validate(config.relay, problem)) {
    return problem;
  }
  if (config.max_waiting_events < least_waiting_events) {
    return "max_waiting_events must be at least 65536";
  }
  return {};
}

}  // namespace muster::c
