// SPDX-License-Identifier: MIT
// What a configuration of the relay in C is to the classes behind it.
#pragma once

#include <muster/c/relay.h>
#include <muster/outbox.hpp>
#include <muster/relay/service.hpp>
#include <muster/websocket/endpoint.hpp>

#include <cstdint>
#include <string>

namespace muster::c {

struct RelayConfig {
  relay::Service::Config relay;
  websocket::Config websocket;
  Outbox::Config outbox;
  std::uint32_t max_waiting_events = 4 * 1024 * 1024;
};

[[nodiscard]] muster_relay_config to_c(const RelayConfig& config);
[[nodiscard]] RelayConfig from_c(const muster_relay_config& config);

/// @return what is wrong with it; empty: nothing
[[nodiscard]] std::string problem_of(const RelayConfig& config);

}  // namespace muster::c
