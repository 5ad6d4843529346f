// SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <muster/signal/metrics.hpp>

#include <nlohmann/json.hpp>

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

using muster::signal::Metrics;
using muster::signal::metrics_json;
using muster::signal::MetricsRequest;
using muster::signal::prometheus_text;
using muster::signal::RoomCensus;
using muster::signal::Stats;

namespace {

struct Exposition {
  std::map<std::string, std::string> types;    // by family
  std::map<std::string, std::string> samples;  // by name and labels
};

// The text exposition format, as far as it is used.
Exposition parse(const std::string& text) {
  Exposition all;
  std::set<std::string> helped;
  std::istringstream lines{text};
  for (std::string line; std::getline(lines, line);) {
    INFO(line);
    if (line.starts_with("# HELP ")) {
      const std::string name = line.substr(7, line.find(' ', 7) - 7);
      REQUIRE(helped.insert(name).second);
      REQUIRE(line.size() > 8 + name.size());
    } else if (line.starts_with("# TYPE ")) {
      const std::string name = line.substr(7, line.find(' ', 7) - 7);
      REQUIRE(helped.contains(name));
      REQUIRE(all.types.emplace(name, line.substr(8 + name.size())).second);
    } else {
      const std::size_t space = line.rfind(' ');
      REQUIRE(space != std::string::npos);
      const std::string family = line.substr(0, line.find_first_of("{ "));
      REQUIRE(all.types.contains(family));
      REQUIRE(all.samples.emplace(line.substr(0, space), line.substr(space + 1)).second);
    }
  }
  REQUIRE(text.ends_with("\n"));
  REQUIRE(helped.size() == all.types.size());
  return all;
}

// Every counter has another value.
Metrics numbered() {
  std::array<std::uint64_t, sizeof(Stats) / sizeof(std::uint64_t)> counters;
  for (std::size_t i = 0; i < counters.size(); ++i) counters[i] = 1000 + i;
  Metrics metrics;
  metrics.stats = std::bit_cast<Stats>(counters);
  return metrics;
}

}  // namespace

TEST_CASE("signal metrics: every family of the reference is there", "[signal][metrics]") {
  const Exposition all = parse(prometheus_text(numbered()));
  for (const char* const name : {"connections_total",
                                 "connections_disconnections_total",
                                 "websocket_messages_dropped_total",
                                 "rooms_created_total",
                                 "rooms_joined_total",
                                 "rooms_deleted_total",
                                 "room_cap_denials_total",
                                 "players_joined_total",
                                 "players_left_total",
                                 "game_data_messages_total",
                                 "rate_limit_rejections_total",
                                 "reconnection_tokens_issued_total",
                                 "reconnection_validation_failures_total",
                                 "reconnection_completions_total",
                                 "reconnection_events_buffered_total",
                                 "cleanup_empty_rooms_total",
                                 "cleanup_inactive_rooms_total",
                                 "cleanup_expired_players_total",
                                 "errors_internal_total",
                                 "errors_validation_total",
                                 "errors_websocket_total",
                                 "errors_total",
                                 "room_creation_latency_samples_total",
                                 "room_join_latency_samples_total",
                                 "latency_clamped_samples_total",
                                 "websocket_upgrade_attempts_total",
                                 "websocket_upgrade_outcomes_total",
                                 "websocket_backpressure_events_total",
                                 "websocket_slow_consumer_disconnects_total",
                                 "websocket_ping_timeouts_total",
                                 "websocket_ping_probes_skipped_activity_total",
                                 "websocket_ping_probes_cancelled_activity_total",
                                 "websocket_delivery_attempts_total",
                                 "websocket_deliveries_enqueued_total",
                                 "websocket_deliveries_channel_closed_total",
                                 "websocket_deliveries_canceled_total",
                                 "websocket_ping_rtt_samples_total",
                                 "websocket_delivery_class_outcomes_total",
                                 "rate_limit_auth_rejections_total",
                                 "rate_limit_room_creation_rejections_total",
                                 "rate_limit_join_attempt_rejections_total",
                                 "rate_limit_signal_rejections_total",
                                 "rate_limit_signal_error_rejections_total",
                                 "rate_limit_relay_bandwidth_rejections_total",
                                 "reconnection_events_evicted_total",
                                 "transport_session_plans_emitted_total",
                                 "transport_session_replans_emitted_total",
                                 "transport_session_plans_late_join_total",
                                 "transport_topology_mesh_selected_total",
                                 "transport_topology_host_selected_total",
                                 "transport_topology_relay_selected_total",
                                 "transport_webrtc_selected_total",
                                 "transport_direct_selected_total",
                                 "transport_relay_selected_total",
                                 "transport_p2p_established_total",
                                 "transport_relay_fallback_total",
                                 "transport_signals_relayed_total",
                                 "transport_turn_credentials_issued_total",
                                 "transport_status_fanout_total",
                                 "transport_ice_pregather_emitted_total"}) {
    INFO(name);
    const auto family = all.types.find(std::string{"signal_fish_"} + name);
    REQUIRE(family != all.types.end());
    CHECK(family->second == "counter");
  }
  for (const char* const name :
       {"connections_active", "players_active", "reconnection_sessions_active",
        "room_creation_latency_average_ms", "room_creation_latency_p50_ms",
        "room_creation_latency_p95_ms", "room_creation_latency_p99_ms",
        "room_creation_latency_min_ms", "room_creation_latency_max_ms", "room_join_latency_p99_ms",
        "websocket_ping_rtt_average_ms"}) {
    INFO(name);
    const auto family = all.types.find(std::string{"signal_fish_"} + name);
    REQUIRE(family != all.types.end());
    CHECK(family->second == "gauge");
  }
}

TEST_CASE("signal metrics: a family shows the counter of its name", "[signal][metrics]") {
  const Metrics metrics = numbered();
  const Stats& stats = metrics.stats;
  const Exposition all = parse(prometheus_text(metrics));
  const auto value = [&](const std::string& name) -> std::string {
    const auto found = all.samples.find("signal_fish_" + name);
    REQUIRE(found != all.samples.end());
    return found->second;
  };
  const auto text = [](std::uint64_t count) { return std::to_string(count); };
  CHECK(value("connections_total") == text(stats.connections.total));
  CHECK(value("connections_active") == text(stats.connections.active));
  CHECK(value("websocket_upgrade_outcomes_total{outcome=\"rejected_origin\"}") ==
        text(stats.upgrades.rejected_origin));
  CHECK(
      value("websocket_delivery_class_outcomes_total{class=\"latest\",outcome=\"dropped_full\"}") ==
      text(stats.latest.dropped_full));
  CHECK(
      value("websocket_delivery_class_outcomes_total{class=\"volatile\",outcome=\"attempted\"}") ==
      text(stats.volatile_.attempted));
  CHECK(value("websocket_deliveries_canceled_total") == text(stats.websocket.deliveries_canceled));
  CHECK(value("rate_limit_rejections_total") == text(stats.rate_limit.rejections()));
  CHECK(value("errors_total") == text(stats.errors.total()));
  CHECK(value("reconnection_events_evicted_total") == text(stats.reconnection.events_evicted));
  CHECK(value("transport_ice_pregather_emitted_total") ==
        text(stats.transport.ice_pregather_emitted));
  // No two families show one counter, except for sums.
  std::map<std::string, std::string> seen;
  for (const auto& [name, shown] : all.samples) {
    if (name.find("_ms") != std::string::npos) continue;
    INFO(name << " and " << seen[shown]);
    CHECK(seen[shown].empty());
    seen[shown] = name;
  }
}

TEST_CASE("signal metrics: a latency without samples tells of no time", "[signal][metrics]") {
  Metrics metrics;
  const Exposition none = parse(prometheus_text(metrics));
  CHECK(none.samples.at("signal_fish_websocket_ping_rtt_samples_total") == "0");
  CHECK_FALSE(none.types.contains("signal_fish_websocket_ping_rtt_p50_ms"));

  metrics.stats.ping_rtt.record(std::chrono::milliseconds{8});
  const Exposition one = parse(prometheus_text(metrics));
  CHECK(one.samples.at("signal_fish_websocket_ping_rtt_samples_total") == "1");
  CHECK(one.samples.at("signal_fish_websocket_ping_rtt_average_ms") == "8");
  CHECK(one.samples.at("signal_fish_websocket_ping_rtt_p99_ms") == "7.68");
}

TEST_CASE("signal metrics: the JSON document has the members of the reference",
          "[signal][metrics]") {
  Metrics metrics = numbered();
  metrics.stats.room_join_latency = {};
  for (std::size_t players = 1; players <= 100; ++players) metrics.rooms.add_room("a", players);
  metrics.rooms.add_room("b", 0);
  const auto document = nlohmann::json::parse(metrics_json(
      metrics,
      {.time_range = "24h", .has_snapshot = false, .unix_milliseconds = 1'772'366'407'250}));

  CHECK(document["timeRange"] == "24h");
  CHECK(document["timestamp"] == "2026-03-01T12:00:07.250Z");
  CHECK(document["activeRooms"] == 101);
  CHECK(document["roomsByGame"] == nlohmann::json{{"a", 100}, {"b", 1}});
  CHECK(document["gamePercentiles"]["a"] ==
        nlohmann::json{
            {"p50", 50}, {"p90", 90}, {"p99", 99}, {"p99_5", 100}, {"p99_9", 100}, {"p100", 100}});
  CHECK(document["playerPercentiles"]["p100"] == 100);
  const auto& cache = document["dashboardCache"];
  CHECK(cache["fetchedAt"] == document["timestamp"]);
  CHECK(cache["ageSeconds"] == 0);
  CHECK(cache["stale"] == false);
  CHECK(cache["lastError"].is_null());
  CHECK(cache["history"] == nlohmann::json::array());
  const auto& server = document["serverMetrics"];
  CHECK(server["connections"]["total"] == metrics.stats.connections.total);
  CHECK(server["rooms"]["deleted"] == metrics.stats.rooms.deleted);
  CHECK(server["performance"]["room_join_latency"]["samples"] == 0);
  CHECK(server["performance"]["room_join_latency"]["p50_ms"].is_null());
  CHECK(server["errors"]["total"] == metrics.stats.errors.total());
  CHECK(server["rateLimiting"]["total_rejections"] == metrics.stats.rate_limit.rejections());
  CHECK_FALSE(document.contains("metricsSnapshot"));
}

TEST_CASE("signal metrics: a snapshot has every counter of the text", "[signal][metrics]") {
  const Metrics metrics = numbered();
  const auto document =
      nlohmann::json::parse(metrics_json(metrics, {.time_range = "1h", .has_snapshot = true}));
  const auto& snapshot = document["metricsSnapshot"];
  const Exposition all = parse(prometheus_text(metrics));
  std::set<std::string> families;
  for (const auto& [name, type] : all.types) families.insert(name.substr(12));
  std::set<std::string> members;
  for (const auto& [name, value] : snapshot.items()) members.insert(name);
  CHECK(members == families);
  CHECK(snapshot["rooms_created_total"] == metrics.stats.rooms.created);
}

TEST_CASE("signal metrics: strangers' names cannot break the JSON document", "[signal][metrics]") {
  Metrics metrics;
  metrics.rooms.add_room("a\"\\\n\xff", 1);
  const std::string long_range(1000, '"');
  const auto document = nlohmann::json::parse(
      metrics_json(metrics, {.time_range = long_range, .has_snapshot = false}));
  CHECK(document["roomsByGame"].size() == 1);
  CHECK(document["timeRange"].get<std::string>().size() == 64);
}

TEST_CASE("signal metrics: of very many games those with the most rooms are listed",
          "[signal][metrics]") {
  Metrics metrics;
  for (int i = 0; i < 3000; ++i) metrics.rooms.add_room("game" + std::to_string(i), 2);
  metrics.rooms.add_room("game2999", 2);
  const auto document = nlohmann::json::parse(metrics_json(metrics, {}));
  CHECK(document["roomsByGame"].size() == muster::signal::max_listed_games);
  CHECK(document["roomsByGame"]["game2999"] == 2);
  CHECK(document["activeRooms"] == 3001);
}

TEST_CASE("signal metrics: those of several loops are summed", "[signal][metrics]") {
  Metrics here = numbered();
  Metrics there = numbered();
  here.rooms.add_room("a", 2);
  there.rooms.add_room("a", 2);
  there.rooms.add_room("b", 3);
  here.add(there);
  CHECK(here.stats.rooms.created == 2 * there.stats.rooms.created);
  CHECK(here.rooms.room_count() == 3);
  CHECK(here.rooms.games().at("a").at(2) == 2);
  CHECK(here.rooms.games().at("b").at(3) == 1);
}
