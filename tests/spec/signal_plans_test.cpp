// SPDX-License-Identifier: MIT
// Plans of rooms that have started.
#include "support/catch.hpp"
#include "support/signal_world.hpp"

using namespace test;
using muster::signal::Config;
using nlohmann::json;

TEST_CASE("signal plan: a direct host that is not one any more is replaced, or the relay is used",
          "[signal][plan]") {
  Config config = SignalWorld::open_config();
  config.default_topology = muster::signal::DesiredTopology::host;
  SignalWorld world{config};
  const auto connect = [&]() -> SignalClient& {
    return world.connect_v3({{"supported_transports", {"direct", "relay"}},
                             {"supported_topologies", {"host", "relay"}}});
  };
  const auto provide = [&](SignalClient& client, const json& info) {
    client.send("ProvideConnectionInfo", {{"connection_info", info}});
    world.settle();
  };
  SignalClient& a = connect();
  SignalClient& b = connect();
  SignalClient& c = connect();
  SignalClient& d = connect();
  world.join(a, "Ada");
  world.join(b, "Bo", a.room_code());
  provide(a, {{"type", "direct"}, {"host", "203.0.113.9"}, {"port", 7777}});
  provide(b, {{"type", "direct"}, {"host", "203.0.113.8"}, {"port", 7778}});
  world.start_game({&a, &b});
  CHECK(b.last("SessionPlan")["data"]["host"] == a.player_id());
  provide(a, {{"type", "custom"}, {"data", nullptr}});
  world.join(c, "Cy", a.room_code());
  CHECK(c.last("SessionPlan")["data"]["host"] == b.player_id());
  CHECK(c.last("SessionPlan")["data"]["direct_endpoint"] ==
        json{{"host", "203.0.113.8"}, {"port", 7778}});
  provide(b, {{"type", "direct"}, {"host", "0.0.0.0"}, {"port", 7778}});
  world.join(d, "Di", a.room_code());
  CHECK(d.last("SessionPlan")["data"]["topology"] == "relay");
  CHECK(a.last("SessionPlan")["data"]["topology"] == "relay");
}
