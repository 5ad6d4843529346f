// SPDX-License-Identifier: MIT
// One line per counter; names and labels are part of what operators build on.
#include "metrics.hpp"

#include <muster/version.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <type_traits>

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

// Statistics are counters of one kind, and nothing else.
template <class Stats>
void add(Stats& total, const Stats& more) {
  using Counters = std::array<std::uint64_t, sizeof(Stats) / sizeof(std::uint64_t)>;
  static_assert(sizeof(Counters) == sizeof(Stats) && std::is_trivially_copyable_v<Stats>);
  auto sums = std::bit_cast<Counters>(total);
  const auto counters = std::bit_cast<Counters>(more);
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += counters[i];
  total = std::bit_cast<Stats>(sums);
}

void write_members(Writer& out, const Snapshot& now) {
  const auto& stats = now.relay;
  out.gauge("muster_relay_rooms", "Rooms that exist.", static_cast<double>(now.rooms));
  out.gauge("muster_relay_members", "Hosts and clients in all rooms, absent ones too.",
            static_cast<double>(now.members));
  out.gauge("muster_relay_present_members", "Hosts and clients that have a connection.",
            static_cast<double>(now.present));
  out.counter("muster_relay_rooms_created_total", "Rooms created.", stats.rooms_created);
  out.counter("muster_relay_clients_joined_total", "Clients that joined a room.",
              stats.clients_joined);
  out.counter("muster_relay_connections_given_total",
              "Connections given to the loop where their room lives.", stats.connections_given);
  out.counter("muster_relay_returns_total", "Members that came back with their token.", "role",
              {{"host", stats.hosts_returned}, {"client", stats.clients_returned}});
  out.counter("muster_relay_takeovers_total",
              "Connections replaced by a newer one of the same member.", stats.takeovers);
  out.counter("muster_relay_hosts_lost_total", "Hosts whose room waited for them.",
              stats.hosts_lost);
  out.counter("muster_relay_hosts_changed_total", "Rooms that went on with another host.",
              stats.hosts_changed);
}

void write_traffic(Writer& out, const Snapshot& now) {
  const auto& stats = now.relay;
  out.counter("muster_relay_rpcs_total", "Client messages forwarded to a host.", stats.rpcs);
  out.counter("muster_relay_rpcs_kept_total",
              "Client messages that waited for their host to come back.", stats.rpcs_kept);
  out.counter("muster_relay_rpcs_dropped_total",
              "Client messages that a host over its budget did not get.", stats.rpcs_dropped);
  out.counter("muster_relay_rpcs_refused_total", "Client messages that were not for the host.",
              "reason", {{"rate", stats.rate_dropped}, {"spectator", stats.rpcs_of_spectators}});
  out.counter("muster_relay_updates_total", "Host messages broadcast.", stats.updates);
  out.counter("muster_relay_updates_dropped_total", "Host messages that did not fit into a batch.",
              stats.updates_dropped);
  out.counter("muster_relay_updates_missed_total", "Messages that a slow client did not get.",
              stats.updates_missed);
  out.counter("muster_relay_resyncs_total",
              "Slow clients whose queue was dropped for the whole state.", stats.resyncs);
  out.counter("muster_relay_states_served_total", "Clients that got the state from the cache.",
              stats.states_served);
  out.counter("muster_relay_resumes_total", "Clients that got only what they had missed.",
              stats.resumes);
  out.counter("muster_relay_targets_missed_total",
              "Receivers of a targeted message who were not there, or cannot read it.",
              stats.targets_missed);
  out.counter("muster_relay_kicks_ignored_total",
              "Kicks of nobody, of the host, or too short to name anybody.", stats.kicks_ignored);
  out.counter("muster_relay_texts_ignored_total", "Text messages, which the relay protocol skips.",
              stats.texts_ignored);
}

void write_endings(Writer& out, const Snapshot& now) {
  constexpr std::string_view endings = "muster_relay_endings_total";
  out.family(endings, "counter", "Connections that ended, by the way in which they did.");
  for (std::size_t i = 0; i < muster::relay::ending_count; ++i) {
    out.sample(endings, "ending", muster::relay::rule_of(static_cast<Ending>(i)).name,
               std::to_string(now.relay.endings[i]));
  }
}

void write_websocket(Writer& out, const Snapshot& now) {
  const auto& stats = now.websocket;
  out.gauge("muster_websocket_connections", "Connections that are open.",
            static_cast<double>(now.connections));
  out.counter("muster_websocket_connections_total", "Connections begun.", stats.connections);
  out.counter("muster_websocket_upgrades_total", "Opening handshakes completed.", stats.upgrades);
  out.counter("muster_websocket_moves_total", "Connections that moved between loops.", "direction",
              {{"in", stats.arrivals}, {"out", stats.departures}});
  out.counter("muster_websocket_requests_total", "Plain HTTP requests answered.", stats.requests);
  out.counter("muster_websocket_refused_total", "Connections and requests refused.", "reason",
              {{"over_cap", stats.refused_connections},
               {"bad_request", stats.bad_requests},
               {"origin", stats.origins_refused}});
  out.counter("muster_websocket_failures_total", "Connections failed for what the peer sent.",
              "reason",
              {{"protocol_error", stats.protocol_errors},
               {"too_large", stats.oversized},
               {"tls", stats.transport_errors}});
  out.counter("muster_websocket_timeouts_total", "Deadlines that passed.", "stage",
              {{"upgrade", stats.upgrade_timeouts},
               {"first_message", stats.first_message_timeouts},
               {"idle", stats.idle_timeouts},
               {"write", stats.write_timeouts},
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

void write_matchbox(Writer& out, const Snapshot& now) {
  const auto& stats = now.matchbox;
  out.counter("muster_matchbox_peers_total", "Peers that came.", stats.peers);
  out.counter("muster_matchbox_signals_total", "Signals handed on.", stats.signals);
  out.counter("muster_matchbox_ignored_total", "Messages that were not handed on.", "reason",
              {{"malformed", stats.malformed},
               {"rate", stats.limited},
               {"undeliverable", stats.undeliverable}});
}

void write_program(Writer& out, const Snapshot& now) {
  out.counter("muster_http_refused_total", "Requests for routes that need a token.", "reason",
              {{"unauthorized", now.routes.unauthorized}, {"limited", now.routes.limited}});
  out.counter("muster_log_lines_total", "Lines of the log, by what became of them.", "result",
              {{"written", now.log.written},
               {"suppressed", now.log.suppressed},
               {"dropped", now.log.dropped},
               {"failed", now.log.failed}});
}

void write_records(Writer& out, const RecordWriter::Stats& stats) {
  const auto by_kind = [&out](std::string_view name, std::string_view help,
                              const RecordWriter::Counts& counts) {
    out.family(name, "counter", help);
    for (std::size_t kind = 0; kind < job_kinds; ++kind) {
      out.sample(name, "kind", job_kind_name(kind), std::to_string(counts[kind]));
    }
  };
  out.gauge("muster_records_available", "1 while the database can be written.",
            stats.is_available ? 1 : 0);
  out.gauge("muster_records_waiting", "Events that wait to be written.",
            static_cast<double>(stats.waiting_jobs));
  out.gauge("muster_records_waiting_bytes", "What those hold in memory.",
            static_cast<double>(stats.waiting_bytes));
  by_kind("muster_records_accepted_total", "Events taken to be written.", stats.accepted);
  by_kind("muster_records_written_total", "Events written.", stats.written);
  by_kind("muster_records_unchanged_total", "Events that changed nothing.", stats.unchanged);
  by_kind("muster_records_no_record_total", "Events about a room that was never written.",
          stats.no_record);
  by_kind("muster_records_rejected_total", "Events that the database does not take.",
          stats.rejected);
  by_kind("muster_records_lost_total", "Events given up after the database was away too long.",
          stats.lost);
  by_kind("muster_records_dropped_total", "Events not taken, since too many waited.",
          stats.dropped);
  out.counter("muster_records_batches_total", "Transactions committed.", stats.batches);
  out.counter("muster_records_failures_total", "Attempts to write or read that failed.",
              stats.failures);
  out.counter("muster_records_stale_closed_total",
              "Records that an earlier run had left open, closed at the start.",
              stats.stale_closed);
  out.counter("muster_records_queries_total", "Queries, by what became of them.", "result",
              {{"asked", stats.queries},
               {"failed", stats.queries_failed},
               {"refused", stats.queries_refused}});
}

}  // namespace

Snapshot sum(const std::vector<Snapshot>& loops) {
  Snapshot total = loops.front();
  for (std::size_t i = 1; i < loops.size(); ++i) {
    const Snapshot& loop = loops[i];
    add(total.relay, loop.relay);
    total.signal.add(loop.signal);
    add(total.matchbox, loop.matchbox);
    add(total.websocket, loop.websocket);
    add(total.outbox, loop.outbox);
    add(total.routes, loop.routes);
    total.rooms += loop.rooms;
    total.members += loop.members;
    total.present += loop.present;
    total.connections += loop.connections;
    total.uptime = std::max(total.uptime, loop.uptime);
    total.is_draining = total.is_draining || loop.is_draining;
  }
  total.loops = loops.size();
  return total;
}

std::string prometheus_text(const Snapshot& now) {
  Writer out;
  out.family("muster_build_info", "gauge", "Always 1; the version is in the label.");
  out.sample("muster_build_info", "version", MUSTER_VERSION_STRING, "1");
  out.gauge("muster_uptime_seconds", "Time since the start.", now.uptime.count());
  out.gauge("muster_loops", "Loops that answered, each with a thread of its own.",
            static_cast<double>(now.loops));
  out.gauge("muster_draining", "1 while the relay is about to end.", now.is_draining ? 1 : 0);
  write_members(out, now);
  write_traffic(out, now);
  write_endings(out, now);
  write_websocket(out, now);
  write_outbox(out, now);
  write_matchbox(out, now);
  write_program(out, now);
  if (now.records) write_records(out, *now.records);
  return out.take() + muster::signal::prometheus_text(now.signal);
}

std::string status_json(const Snapshot& now) {
  const nlohmann::ordered_json status{
      {"version", MUSTER_VERSION_STRING},
      {"backend", now.backend},
      {"loops", now.loops},
      {"draining", now.is_draining},
      {"uptime_s", now.uptime.count()},
      {"rooms", now.rooms},
      {"members", now.members},
      {"present", now.present},
      {"connections", now.connections},
  };
  return status.dump() + "\n";
}

}  // namespace relay_program
