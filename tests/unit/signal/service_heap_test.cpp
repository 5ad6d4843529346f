// SPDX-License-Identifier: MIT
// What a message costs in memory.
#include "support/heap_count.hpp"

#include "support/signal_world.hpp"

#if MUSTER_TEST_COUNTS_ALLOCATIONS

using namespace test;

TEST_CASE("signal defect 10: a message costs no memory, whatever the number of recipients",
          "[signal]") {
  SignalWorld world;
  SignalClient& a = world.connect_v3();
  world.join(a, "P0", {}, {{"max_players", 64}});
  const std::string code = a.room_code();
  for (int i = 1; i < 64; ++i) {
    SignalClient& other = i % 2 == 0 ? world.connect_v2() : world.connect_v3();
    world.join(other, "P" + std::to_string(i), code);
  }
  muster::Connection* const end = world.network.peer_of(*a.connection);
  REQUIRE(end != nullptr);
  const std::string text = R"({"type":"GameData","data":{"data":{"x":[1.5,-2,3e5]}}})";
  const muster::Message message{muster::as_bytes(text), muster::MessageKind::text};
  const auto relay = [&] {
    world.service.on_message(*end, message, world.network.now());
    world.network.outbox().flush(world.network.now());
  };
  relay();  // the buffers of the first are kept
  const std::uint64_t before = world.service.stats().reliable.attempted;
  const int allocations_before = allocations;
  world.service.on_message(*end, message, world.network.now());
  const int made = allocations - allocations_before;
  CHECK(made == 0);
  CHECK(world.service.stats().reliable.attempted == before + 63);
}

#endif
