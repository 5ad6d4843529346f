// SPDX-License-Identifier: MIT
// What the published clients have found.
#include "support/catch.hpp"
#include "support/signal_world.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <string>

using namespace std::chrono_literals;
using nlohmann::json;
using test::SignalClient;
using test::SignalWorld;

TEST_CASE("signal: a client that knows no generations signals for the plan that there is",
          "[signal]") {
  muster::signal::Config config = SignalWorld::open_config();
  config.default_topology = muster::signal::DesiredTopology::mesh;
  SignalWorld world{config};
  SignalClient& a = world.connect_mesh();
  SignalClient& b = world.connect_mesh();
  world.join(a, "Ada");
  world.join(b, "Bo", a.room_code());
  world.start_game({&a, &b});
  a.send("Signal", {{"to", b.player_id()}, {"signal", {{"Offer", "v=0\r\n"}}}});
  world.settle();
  CHECK(b.last("Signal")["data"] ==
        json{{"from", a.player_id()},
             {"generation", b.last("SessionPlan")["data"]["generation"]},
             {"signal", {{"Offer", "v=0\r\n"}}}});
}

TEST_CASE("signal: of many gaps the first report does not count the others as delivered",
          "[signal]") {
  muster::signal::Config config = SignalWorld::open_config();
  config.send_queue_capacity = 4;
  config.slow_consumer_timeout = 10s;
  config.max_sojourn = 60s;
  SignalWorld world{config};
  SignalClient& a = world.connect_v3();
  SignalClient& b = world.connect_v3({}, {.window = 4096});
  world.join(a, "Ada");
  world.join(b, "Bo", a.room_code());
  world.network.stall(*b.connection, true);
  // Of two classes in turn: neighbours make no range together.
  const std::string bulk(4096, 'x');
  for (int i = 0; i < 1500; ++i) {
    json data{{"data", bulk}, {"class", i % 2 == 0 ? "volatile" : "latest"}};
    if (i % 2 != 0) data["key"] = 1;
    a.send("GameData", data);
    if (i % 50 == 0) world.network.run_for(1ms);
  }
  world.network.run_for(100ms);
  REQUIRE(b.connection != nullptr);
  world.network.stall(*b.connection, false);
  world.network.run_for(5s);
  CHECK(b.complaints.empty());

  std::uint64_t reports = 0;
  std::uint64_t delivered = 0;
  for (const json& message : b.inbox) {
    if (message["type"] != "DeliveryReport") continue;
    ++reports;
    CHECK(message["data"]["gaps"].size() <= 256);
    const json& counts = message["data"]["per_class"];
    const auto now = counts["latest"]["delivered"].get<std::uint64_t>() +
                     counts["volatile"]["delivered"].get<std::uint64_t>();
    CHECK(now >= delivered);
    CHECK(now <= b.count("GameData"));
    delivered = now;
  }
  CHECK(reports >= 3);
}
