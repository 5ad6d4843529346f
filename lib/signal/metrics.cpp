// SPDX-License-Identifier: MIT
// Each family is named once, and written in both forms. Names and labels are part of what operators
// build on.
#include <muster/signal/metrics.hpp>

#include <muster/bytes.hpp>
#include <muster/utf8.hpp>
#include <muster/wire/byte_writer.hpp>

#include "time_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <type_traits>
#include <utility>
#include <vector>

namespace muster::signal {
namespace {

using Json = nlohmann::ordered_json;

constexpr double microseconds_per_millisecond = 1000;

// Prometheus text.
class TextWriter {
 public:
  struct Labelled {
    std::string_view value;
    std::uint64_t count;
  };

  template <class Number>
  void one(std::string_view name, std::string_view type, std::string_view help, Number value) {
    family(name, type, help);
    sample(name, {}, value);
  }

  void labelled(std::string_view name, std::string_view help, std::string_view label,
                std::initializer_list<Labelled> samples) {
    family(name, "counter", help);
    for (const auto& [value, count] : samples) {
      sample(name, std::string{label} + "=\"" + std::string{value} + "\"", count);
    }
  }

  void family(std::string_view name, std::string_view type, std::string_view help) {
    text_.append("# HELP signal_fish_").append(name).append(" ").append(help).append("\n");
    text_.append("# TYPE signal_fish_").append(name).append(" ").append(type).append("\n");
  }

  // Label values here are names of ours: nothing in them needs an escape.
  template <class Number>
  void sample(std::string_view name, std::string_view labels, Number value) {
    text_.append("signal_fish_").append(name);
    if (!labels.empty()) text_.append("{").append(labels).append("}");
    std::array<char, 32> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    text_.append(" ").append(digits.data(), end).append("\n");
  }

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

// An object with a member for each family, and one inside for each label.
class JsonWriter {
 public:
  using Labelled = TextWriter::Labelled;

  template <class Number>
  void one(std::string_view name, std::string_view, std::string_view, Number value) {
    families_[std::string{name}] = value;
  }
  void labelled(std::string_view name, std::string_view, std::string_view,
                std::initializer_list<Labelled> samples) {
    Json& family = families_[std::string{name}];
    for (const auto& [value, count] : samples) family[std::string{value}] = count;
  }
  void family(std::string_view, std::string_view, std::string_view) {}
  void sample(std::string_view name, std::string_view labels, std::uint64_t count) {
    families_[std::string{name}][std::string{labels}] = count;
  }

  [[nodiscard]] Json take() { return std::move(families_); }

 private:
  Json families_ = Json::object();
};

template <class Writer>
void counter(Writer& out, std::string_view name, std::string_view help, std::uint64_t value) {
  out.one(name, "counter", help, value);
}

template <class Writer>
void gauge(Writer& out, std::string_view name, std::string_view help, std::uint64_t value) {
  out.one(name, "gauge", help, value);
}

// The samples' number always; what is told of them only where there are some.
template <class Writer>
void latency(Writer& out, const std::string& name, const std::string& what,
             const LatencyHistogram& histogram) {
  const auto in_milliseconds = [&](std::string_view part, std::string_view words, double value) {
    out.one(name + "_" + std::string{part} + "_ms", "gauge",
            std::string{words} + " of " + what + ", in milliseconds.",
            value / microseconds_per_millisecond);
  };
  const auto percentile = [&](double share) {
    return static_cast<double>(histogram.percentile(share));
  };
  if (histogram.samples > 0) {
    in_milliseconds("average", "Average", histogram.average());
    in_milliseconds("p50", "Median", percentile(0.5));
    in_milliseconds("p95", "95th percentile", percentile(0.95));
    in_milliseconds("p99", "99th percentile", percentile(0.99));
    in_milliseconds("min", "Shortest", percentile(0));
    in_milliseconds("max", "Longest", percentile(1));
  }
  counter(out, name + "_samples_total", "Samples of " + what + ".", histogram.samples);
}

template <class Writer>
void write_connections(Writer& out, const Stats& now) {
  counter(out, "connections_total", "Connections registered.", now.connections.total);
  gauge(out, "connections_active", "Connections registered now.", now.connections.active);
  counter(out, "connections_disconnections_total", "Connections that ended.",
          now.connections.disconnections);

  const Stats::Upgrades& upgrades = now.upgrades;
  counter(out, "websocket_upgrade_attempts_total", "Upgrades requested.", upgrades.attempts);
  out.labelled("websocket_upgrade_outcomes_total", "Upgrades, by what became of them.", "outcome",
               {{"accepted", upgrades.accepted},
                {"rejected_origin", upgrades.rejected_origin},
                {"rejected_draining", upgrades.rejected_draining},
                {"rejected_token_binding_offer", upgrades.rejected_token_binding_offer},
                {"rejected_token_binding_negotiation", upgrades.rejected_token_binding_negotiation},
                {"rejected_server_fault", upgrades.rejected_server_fault}});

  const Stats::WebSocket& socket = now.websocket;
  counter(out, "websocket_slow_consumer_disconnects_total",
          "Recipients closed since they did not take what was theirs.",
          socket.slow_consumer_disconnects);
  counter(out, "websocket_ping_timeouts_total", "Connections closed for want of a pong.",
          socket.ping_timeouts);
  counter(out, "websocket_ping_probes_skipped_activity_total",
          "Pings that were due and not sent, since the peer had been heard.",
          socket.ping_probes_skipped_activity);
  counter(out, "websocket_ping_probes_cancelled_activity_total",
          "Pings whose pong was not waited for, since the peer was heard otherwise.",
          socket.ping_probes_cancelled_activity);
  latency(out, "websocket_ping_rtt", "the time from a ping to its pong", now.ping_rtt);
}

template <class Writer>
void write_deliveries(Writer& out, const Stats& now) {
  const Stats::WebSocket& socket = now.websocket;
  counter(out, "game_data_messages_total", "Messages of game data accepted.",
          now.game_data_messages);
  counter(out, "websocket_messages_dropped_total", "Game data that a recipient did not get.",
          socket.messages_dropped);
  counter(out, "websocket_backpressure_events_total", "Times that a recipient's queue was full.",
          socket.backpressure_events);
  counter(out, "websocket_delivery_attempts_total", "Messages meant for one recipient each.",
          socket.delivery_attempts);
  counter(out, "websocket_deliveries_enqueued_total", "Deliveries that a queue has taken.",
          socket.deliveries_enqueued);
  counter(out, "websocket_deliveries_channel_closed_total",
          "Deliveries to a recipient that was closing.", socket.deliveries_channel_closed);
  counter(out, "websocket_deliveries_canceled_total", "Deliveries given up while they waited.",
          socket.deliveries_canceled);

  constexpr std::string_view outcomes = "websocket_delivery_class_outcomes_total";
  out.family(outcomes, "counter", "Game data, once per recipient, by class and what became of it.");
  const auto each = [&](std::string_view name, const Stats::Deliveries& deliveries) {
    const auto outcome = [&](std::string_view word, std::uint64_t count) {
      out.sample(outcomes,
                 "class=\"" + std::string{name} + "\",outcome=\"" + std::string{word} + "\"",
                 count);
    };
    outcome("attempted", deliveries.attempted);
    outcome("delivered", deliveries.delivered);
    outcome("superseded", deliveries.superseded);
    outcome("dropped_full", deliveries.dropped_full);
    outcome("dropped", deliveries.dropped);
    outcome("abandoned", deliveries.abandoned);
    outcome("unsupported_format", deliveries.unsupported_format);
  };
  each("reliable", now.reliable);
  each("latest", now.latest);
  each("volatile", now.volatile_);
}

template <class Writer>
void write_rooms(Writer& out, const Stats& now) {
  gauge(out, "rooms_active", "Rooms that exist.", now.rooms.active);
  counter(out, "rooms_created_total", "Rooms created.", now.rooms.created);
  counter(out, "rooms_joined_total", "Joins of players, the creators' too.", now.rooms.joined);
  counter(out, "rooms_deleted_total", "Rooms that ended.", now.rooms.deleted);
  counter(out, "room_cap_denials_total", "Rooms refused for want of a place.",
          now.rooms.cap_denials);
  gauge(out, "players_active", "Players with a connection, in all rooms.", now.players.active);
  counter(out, "players_joined_total", "Players that joined a room.", now.players.joined);
  counter(out, "players_left_total", "Players that left for good.", now.players.left);
  gauge(out, "spectators_active", "Spectators, in all rooms.", now.spectators.active);
  counter(out, "spectators_joined_total", "Spectators that came.", now.spectators.joined);
  counter(out, "spectators_left_total", "Spectators that went.", now.spectators.left);
  counter(out, "cleanup_empty_rooms_total", "Rooms ended since nobody was there.",
          now.cleanup.empty_rooms);
  counter(out, "cleanup_inactive_rooms_total", "Rooms ended since nothing happened.",
          now.cleanup.inactive_rooms);
  counter(out, "cleanup_expired_players_total", "Players that did not come back in time.",
          now.cleanup.expired_players);
  latency(out, "room_creation_latency", "the time to create a room", now.room_creation_latency);
  latency(out, "room_join_latency", "the time to join a room", now.room_join_latency);
  counter(out, "latency_clamped_samples_total", "Samples out of the range that is told apart.",
          now.ping_rtt.clamped + now.room_creation_latency.clamped + now.room_join_latency.clamped);
}

template <class Writer>
void write_reconnection(Writer& out, const Stats& now) {
  const Stats::Reconnection& stats = now.reconnection;
  counter(out, "reconnection_tokens_issued_total", "Tokens given to members.", stats.tokens_issued);
  counter(out, "reconnection_validation_failures_total", "Attempts to come back refused.",
          stats.validation_failures);
  counter(out, "reconnection_completions_total", "Members that came back.", stats.completions);
  counter(out, "reconnection_events_buffered_total", "Events kept for those who may come back.",
          stats.events_buffered);
  counter(out, "reconnection_events_evicted_total", "Events pushed out by newer ones.",
          stats.events_evicted);
  gauge(out, "reconnection_sessions_active", "Members that may come back.", stats.sessions_active);
}

template <class Writer>
void write_refusals(Writer& out, const Stats& now) {
  const Stats::RateLimit& limits = now.rate_limit;
  counter(out, "rate_limit_rejections_total", "Requests refused for their rate.",
          limits.rejections());
  counter(out, "rate_limit_auth_rejections_total", "Authentications above their rate.",
          limits.auth_rejections);
  counter(out, "rate_limit_room_creation_rejections_total", "Creations above their rate.",
          limits.room_creation_rejections);
  counter(out, "rate_limit_join_attempt_rejections_total", "Joins above their rate.",
          limits.join_attempt_rejections);
  counter(out, "rate_limit_signal_rejections_total", "Signals above their rate.",
          limits.signal_rejections);
  counter(out, "rate_limit_signal_error_rejections_total",
          "Refusals of signals that were not told in detail.", limits.signal_error_rejections);
  counter(out, "rate_limit_relay_bandwidth_rejections_total", "Game data above its rate.",
          limits.relay_bandwidth_rejections);
  counter(out, "errors_total", "Errors of every kind.", now.errors.total());
  counter(out, "errors_internal_total", "Errors of the server's own.", now.errors.internal);
  counter(out, "errors_validation_total", "Messages refused.", now.errors.validation);
  counter(out, "errors_websocket_total", "Connections failed for what the peer sent.",
          now.errors.websocket);
}

template <class Writer>
void write_transports(Writer& out, const Stats& now) {
  const Stats::Transports& stats = now.transport;
  counter(out, "transport_session_plans_emitted_total", "Session plans, once per recipient.",
          stats.session_plans_emitted);
  counter(out, "transport_session_replans_emitted_total",
          "Session plans after the first one of their room.", stats.session_replans_emitted);
  counter(out, "transport_session_plans_late_join_total",
          "Session plans made since somebody joined late.", stats.session_plans_late_join);
  counter(out, "transport_topology_mesh_selected_total", "Rooms that started as a mesh.",
          stats.topology_mesh_selected);
  counter(out, "transport_topology_host_selected_total", "Rooms that started with a host.",
          stats.topology_host_selected);
  counter(out, "transport_topology_relay_selected_total", "Rooms that started by the relay.",
          stats.topology_relay_selected);
  counter(out, "transport_webrtc_selected_total", "Rooms that started with WebRTC.",
          stats.webrtc_selected);
  counter(out, "transport_direct_selected_total", "Rooms that started with direct connections.",
          stats.direct_selected);
  counter(out, "transport_relay_selected_total", "Rooms that started with the relay's transport.",
          stats.relay_selected);
  counter(out, "transport_p2p_established_total", "Reports of a connection beside the relay.",
          stats.p2p_established);
  counter(out, "transport_relay_fallback_total", "Reports that such a connection is gone.",
          stats.relay_fallback);
  counter(out, "transport_signals_relayed_total", "Signals passed on.", stats.signals_relayed);
  counter(out, "transport_turn_credentials_issued_total", "TURN credentials made.",
          stats.turn_credentials_issued);
  counter(out, "transport_status_fanout_total", "Transport reports, once per recipient.",
          stats.status_fanout);
  counter(out, "transport_ice_pregather_emitted_total",
          "Joins that were told of ICE servers at once.", stats.ice_pregather_emitted);
}

template <class Writer>
void write_all(Writer& out, const Stats& now) {
  write_connections(out, now);
  write_deliveries(out, now);
  write_rooms(out, now);
  write_reconnection(out, now);
  write_refusals(out, now);
  write_transports(out, now);
}

// The smallest number of players that this share of the rooms does not exceed.
Json percentiles(const RoomCensus::Rooms& rooms) {
  std::uint64_t total = 0;
  for (const auto& [players, count] : rooms) total += count;
  const auto at = [&](double share) {
    std::uint64_t seen = 0;
    std::size_t last = 0;
    for (const auto& [players, count] : rooms) {
      seen += count;
      last = players;
      if (static_cast<double>(seen) >= share * static_cast<double>(total)) break;
    }
    return last;
  };
  return {{"p50", at(0.5)},     {"p90", at(0.9)},     {"p99", at(0.99)},
          {"p99_5", at(0.995)}, {"p99_9", at(0.999)}, {"p100", at(1)}};
}

Json latency_json(const LatencyHistogram& histogram) {
  Json object{{"samples", histogram.samples}};
  const auto member = [&](const char* name, double microseconds) {
    object[name] =
        histogram.samples == 0 ? Json() : Json(microseconds / microseconds_per_millisecond);
  };
  member("average_ms", histogram.average());
  member("p50_ms", static_cast<double>(histogram.percentile(0.5)));
  member("p95_ms", static_cast<double>(histogram.percentile(0.95)));
  member("p99_ms", static_cast<double>(histogram.percentile(0.99)));
  member("min_ms", static_cast<double>(histogram.percentile(0)));
  member("max_ms", static_cast<double>(histogram.percentile(1)));
  return object;
}

std::string time_text(std::int64_t unix_milliseconds) {
  std::vector<std::byte> bytes;
  wire::ByteWriter out{bytes};
  write_time(out, unix_milliseconds);
  const std::string_view quoted = as_text(bytes);
  return std::string{quoted.substr(1, quoted.size() - 2)};
}

Json server_metrics(const Stats& now) {
  const Stats::RateLimit& limits = now.rate_limit;
  return {{"connections",
           {{"total", now.connections.total},
            {"active", now.connections.active},
            {"disconnections", now.connections.disconnections}}},
          {"rooms",
           {{"created", now.rooms.created},
            {"joined", now.rooms.joined},
            {"deleted", now.rooms.deleted}}},
          {"performance",
           {{"room_creation_latency", latency_json(now.room_creation_latency)},
            {"room_join_latency", latency_json(now.room_join_latency)}}},
          {"errors",
           {{"internal", now.errors.internal},
            {"validation", now.errors.validation},
            {"websocket", now.errors.websocket},
            {"total", now.errors.total()}}},
          {"rateLimiting",
           {{"auth", limits.auth_rejections},
            {"room_creation", limits.room_creation_rejections},
            {"join_attempt", limits.join_attempt_rejections},
            {"signal", limits.signal_rejections},
            {"signal_error", limits.signal_error_rejections},
            {"relay_bandwidth", limits.relay_bandwidth_rejections},
            {"total_rejections", limits.rejections()}}}};
}

}  // namespace

void RoomCensus::add_room(std::string_view game_name, std::size_t players) {
  auto game = games_.find(game_name);
  if (game == games_.end()) game = games_.emplace(game_name, Rooms{}).first;
  ++game->second[players];
  ++room_count_;
}

void RoomCensus::add(const RoomCensus& more) {
  for (const auto& [game, rooms] : more.games_) {
    for (const auto& [players, count] : rooms) games_[game][players] += count;
  }
  room_count_ += more.room_count_;
}

void Metrics::add(const Metrics& more) {
  stats.add(more.stats);
  rooms.add(more.rooms);
}

std::string prometheus_text(const Metrics& metrics) {
  TextWriter out;
  write_all(out, metrics.stats);
  return out.take();
}

std::string metrics_json(const Metrics& metrics, const MetricsRequest& request) {
  using Listed = std::pair<std::uint64_t, const std::pair<const std::string, RoomCensus::Rooms>*>;
  std::vector<Listed> listed;
  RoomCensus::Rooms all;
  for (const auto& game : metrics.rooms.games()) {
    std::uint64_t count = 0;
    for (const auto& [players, rooms] : game.second) {
      count += rooms;
      all[players] += rooms;
    }
    listed.emplace_back(count, &game);
  }
  std::stable_sort(listed.begin(), listed.end(),
                   [](const Listed& a, const Listed& b) { return a.first > b.first; });
  if (listed.size() > max_listed_games) listed.resize(max_listed_games);

  Json rooms_by_game = Json::object();
  Json game_percentiles = Json::object();
  for (const auto& [count, game] : listed) {
    rooms_by_game[game->first] = count;
    game_percentiles[game->first] = percentiles(game->second);
  }

  constexpr std::size_t max_time_range = 64;
  const std::string now = time_text(request.unix_milliseconds);
  Json document{{"timeRange", utf8_prefix(request.time_range, max_time_range)},
                {"playerPercentiles", percentiles(all)},
                {"roomsByGame", std::move(rooms_by_game)},
                {"gamePercentiles", std::move(game_percentiles)},
                {"activeRooms", metrics.rooms.room_count()},
                {"timestamp", now},
                // Nothing is cached: what is asked for is counted then.
                {"dashboardCache",
                 {{"fetchedAt", now},
                  {"ageSeconds", 0},
                  {"stale", false},
                  {"lastError", nullptr},
                  {"refreshIntervalSeconds", 0},
                  {"history", Json::array()}}},
                {"serverMetrics", server_metrics(metrics.stats)}};
  if (request.has_snapshot) {
    JsonWriter out;
    write_all(out, metrics.stats);
    document["metricsSnapshot"] = out.take();
  }
  return document.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace muster::signal
