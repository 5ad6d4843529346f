// SPDX-License-Identifier: MIT
// One service on several loops, each in a thread of its own, and all on one port.
#pragma once

#include "support/catch.hpp"
#include "support/socket_world.hpp"

#include <muster/address_limits.hpp>
#include <muster/asio/loop_group.hpp>
#include <muster/asio/websocket_server.hpp>
#include <muster/entropy.hpp>
#include <muster/mac.hpp>
#include <muster/placement.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace test {

template <class Service>
struct ServiceLoops {
  struct OnLoop {
    template <class Make>
    OnLoop(muster::asio::Loop& loop, muster::AddressLimits& limits, std::uint64_t seed, Make& make)
        : entropy(seed), service(make(loop, entropy, mac, limits)) {}
    muster::SeededEntropy entropy;
    muster::WeakMac mac;
    Service service;
    std::unique_ptr<muster::asio::WebSocketServer> server;
  };

  /// @param make   the service of one loop, of that loop, its entropy, its Mac and the limits of
  /// all
  template <class Make>
  ServiceLoops(std::uint32_t count, Backend backend, Make make)
      : placement(entropy, count),
        group(count, LoopWorld::with({}, backend)),
        handover(group.make_handover()) {
    std::vector<Service*> services;
    for (std::uint32_t i = 0; i < count; ++i) {
      loops.push_back(std::make_unique<OnLoop>(group.loop(i), limits, i + 1, make));
      services.push_back(&loops[i]->service);
    }
    muster::asio::WebSocketServer::Config config;
    config.reuse_port = true;
    for (std::uint32_t i = 0; i < count; ++i) {
      OnLoop& on = *loops[i];
      on.service.join_loops(placement, i, services);
      on.server = std::make_unique<muster::asio::WebSocketServer>(group.loop(i), config, on.entropy,
                                                                  on.service);
      on.server->join(handover, i);
      REQUIRE(!on.server->listen("127.0.0.1:" + std::to_string(port)));
      port = on.server->port();
    }
    group.start();
  }

  /// Ends everything in good order.
  void stop() {
    group.stop([this](std::size_t i, auto done) {
      loops[i]->server->drain(std::chrono::seconds{5}, done);
    });
  }

  muster::SeededEntropy entropy{9};
  muster::AddressLimits limits{{.slots = 64, .max_rooms = 0}, entropy};
  muster::Placement placement;
  muster::asio::LoopGroup group;
  muster::asio::Handover handover;
  std::vector<std::unique_ptr<OnLoop>> loops;
  std::uint16_t port = 0;
};

}  // namespace test
