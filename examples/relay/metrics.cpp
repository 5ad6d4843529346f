// SPDX-License-Identifier: MIT
// One line per counter; names and labels are part of what operators build on.
#include "metrics.hpp"

#include <muster/version.hpp>

#include <nlohmann/json.hpp>

#include <array>
#include <charconv>
#include <cstdint>
#include <initializer_list>

namespace relay_program {

namespace {

using muster::relay::Ending;

class Writer {
 public:
  struct Labelled {
    std::string_view label;
    std::uint64_t value;
  };

  void counter(std::string_view name, std::string_view help, std::uint64_t value) {
    family(name, "counter", help);
    sample(name, {}, {}, std::to_string(value));
  }
  void counter(std::string_view name, std::string_view help, std::string_view label,
               std::initializer_list<Labelled> values) {
    family(name, "counter", help);
    for (const auto& [text, value] : values) sample(name, label, text, std::to_string(value));
  }
  void gauge(std::string_view name, std::string_view help, double value) {
    family(name, "gauge", help);
    std::array<char, 32> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    sample(name, {}, {}, {digits.data(), end});
  }
  void family(std::string_view name, std::string_view type, std::string_view help) {
    text_.append("# HELP ").append(name).append(" ").append(help).append("\n");
    text_.append("# TYPE ").append(name).append(" ").append(type).append("\n");
  }
  // Label values here are names of ours: nothing in them needs an escape.
  void sample(std::string_view name, std::string_view label, std::string_view label_value,
              std::string_view value) {
    text_.append(name);
    if (!label.empty()) {
      text_.append("{").append(label).append("=\"").append(label_value).append("\"}");
    }
    text_.append(" ").append(value).append("\n");
  }

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

void write_relay(Writer& out, const Snapshot& now) {
  const auto& stats = now.relay;
  out.gauge("muster_relay_rooms", "Rooms that exist.", static_cast<double>(now.rooms));
  out.gauge("muster_relay_members", "Hosts and clients in all rooms.",
            static_cast<double>(now.members));
  out.counter("muster_relay_rooms_created_total", "Rooms created.", stats.rooms_created);
  out.counter("muster_relay_clients_joined_total", "Clients that joined a room.",
              stats.clients_joined);
  out.counter("muster_relay_rpcs_total", "Client messages forwarded to a host.", stats.rpcs);
  out.counter("muster_relay_rpcs_dropped_total",
              "Client messages that a host over its budget did not get.", stats.rpcs_dropped);
  out.counter("muster_relay_updates_total", "Host messages broadcast.", stats.updates);
  out.counter("muster_relay_updates_dropped_total", "Host messages that did not fit into a batch.",
              stats.updates_dropped);
  out.counter("muster_relay_kicks_ignored_total",
              "Kicks of nobody, of the host, or too short to name anybody.", stats.kicks_ignored);
  out.counter("muster_relay_texts_ignored_total", "Text messages, which the relay protocol skips.",
              stats.texts_ignored);
  constexpr std::string_view endings = "muster_relay_endings_total";
  out.family(endings, "counter", "Connections that ended, by the way in which they did.");
  for (std::size_t i = 0; i < muster::relay::ending_count; ++i) {
    out.sample(endings, "ending", muster::relay::rule_of(static_cast<Ending>(i)).name,
               std::to_string(stats.endings[i]));
  }
}

void write_websocket(Writer& out, const Snapshot& now) {
  const auto& stats = now.websocket;
  out.gauge("muster_websocket_connections", "Connections that are open.",
            static_cast<double>(now.connections));
  out.counter("muster_websocket_connections_total", "Connections begun.", stats.connections);
  out.counter("muster_websocket_upgrades_total", "Opening handshakes completed.", stats.upgrades);
  out.counter("muster_websocket_requests_total", "Plain HTTP requests answered.", stats.requests);
  out.counter("muster_websocket_refused_total", "Connections and requests refused.", "reason",
              {{"over_cap", stats.refused_connections},
               {"bad_request", stats.bad_requests},
               {"origin", stats.origins_refused}});
  out.counter("muster_websocket_failures_total", "Connections failed for what the peer sent.",
              "reason",
              {{"protocol_error", stats.protocol_errors}, {"too_large", stats.oversized}});
  out.counter("muster_websocket_timeouts_total", "Deadlines that passed.", "stage",
              {{"upgrade", stats.upgrade_timeouts},
               {"first_message", stats.first_message_timeouts},
               {"idle", stats.idle_timeouts},
               {"close", stats.close_timeouts}});
  out.counter("muster_websocket_received_messages_total", "Messages received, whole.",
              stats.messages);
  out.counter("muster_websocket_received_bytes_total", "Bytes received.", stats.bytes);
  out.counter("muster_websocket_pings_total", "Pings sent.", stats.pings);
}

void write_outbox(Writer& out, const Snapshot& now) {
  const auto& stats = now.outbox;
  out.counter("muster_outbox_flushes_total", "Flushes that found something to do.", stats.flushes);
  out.counter("muster_outbox_writes_total", "Writes to sockets.", stats.writes);
  out.counter("muster_outbox_sent_bytes_total", "Bytes taken by sockets.", stats.bytes);
  out.counter("muster_outbox_sent_messages_total", "Messages queued, once per receiver.",
              stats.messages);
  out.counter("muster_outbox_dropped_total", "Messages that were not sent.", "reason",
              {{"volatile", stats.dropped_volatile},
               {"replaced", stats.replaced_latest},
               {"overrun", stats.dropped_overrun},
               {"refused", stats.refused_sends},
               {"last_words", stats.lost_last_words}});
}

}  // namespace

std::string prometheus_text(const Snapshot& now) {
  Writer out;
  out.family("muster_build_info", "gauge", "Always 1; the version is in the label.");
  out.sample("muster_build_info", "version", MUSTER_VERSION_STRING, "1");
  out.gauge("muster_uptime_seconds", "Time since the start.", now.uptime.count());
  out.gauge("muster_draining", "1 while the relay is about to end.", now.is_draining ? 1 : 0);
  write_relay(out, now);
  write_websocket(out, now);
  write_outbox(out, now);
  return out.take();
}

std::string status_json(const Snapshot& now) {
  const nlohmann::ordered_json status{
      {"version", MUSTER_VERSION_STRING}, {"backend", now.backend}, {"draining", now.is_draining},
      {"uptime_s", now.uptime.count()},   {"rooms", now.rooms},     {"members", now.members},
      {"connections", now.connections},
  };
  return status.dump() + "\n";
}

}  // namespace relay_program
