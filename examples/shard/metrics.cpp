// SPDX-License-Identifier: MIT
// One family after the other, with a sample for each shard.
#include "metrics.hpp"

#include <muster/version.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <utility>

namespace shard_program {

namespace {

using muster::DurationHistogram;
using muster::shard::AnyShard;
using muster::shard::InputVerdict;
using muster::shard::Registry;
using muster::shard::TickPhase;

std::string number(double value) {
  std::array<char, 32> digits;
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr};
}

// The value of a label, with the escapes that the format has.
std::string label(std::string_view name, std::string_view value) {
  std::string text{name};
  text += "=\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + "\"";
}

class Writer {
 public:
  explicit Writer(const std::vector<ShardSnapshot>& shards) : shards_(shards) {}

  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_.append("# HELP ").append(name).append(" ").append(help).append("\n");
    text_.append("# TYPE ").append(name).append(" ").append(type).append("\n");
  }
  void sample(const std::string& labels, const std::string& value, std::string_view suffix = {}) {
    text_.append(name_).append(suffix);
    if (!labels.empty()) text_.append("{").append(labels).append("}");
    text_.append(" ").append(value).append("\n");
  }
  void one(std::string_view name, std::string_view type, std::string_view help, double value) {
    family(name, type, help);
    sample({}, number(value));
  }
  void counter(std::string_view name, std::string_view help, std::uint64_t value) {
    family(name, "counter", help);
    sample({}, std::to_string(value));
  }

  // A sample for each shard.
  template <class Value>
  void each(std::string_view name, std::string_view type, std::string_view help, Value value) {
    family(name, type, help);
    for (const ShardSnapshot& shard : shards_) {
      sample(label("shard", shard.id), number(static_cast<double>(value(shard))));
    }
  }
  void each_counter(std::string_view name, std::string_view help,
                    std::uint64_t AnyShard::Stats::*counted) {
    family(name, "counter", help);
    for (const ShardSnapshot& shard : shards_) {
      sample(label("shard", shard.id), std::to_string(shard.stats.*counted));
    }
  }
  void inputs(std::string_view name, std::string_view help) {
    family(name, "counter", help);
    for (const ShardSnapshot& shard : shards_) {
      for (std::size_t i = 0; i < muster::shard::input_verdict_count; ++i) {
        const auto verdict = to_string(static_cast<InputVerdict>(i));
        sample(label("shard", shard.id) + "," + label("result", verdict),
               std::to_string(shard.stats.inputs[i]));
      }
    }
  }

  // Its buckets are cumulative.
  void histogram(const std::string& labels, const DurationHistogram& durations) {
    const auto seconds = [](muster::duration length) {
      return number(std::chrono::duration<double>{length}.count());
    };
    const std::string comma = labels.empty() ? "" : ",";
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < DurationHistogram::bound_count; ++i) {
      below += durations.counts()[i];
      sample(labels + comma + label("le", seconds(DurationHistogram::bounds[i])),
             std::to_string(below), "_bucket");
    }
    sample(labels + comma + label("le", "+Inf"), std::to_string(durations.count()), "_bucket");
    sample(labels, seconds(durations.sum()), "_sum");
    sample(labels, std::to_string(durations.count()), "_count");
  }

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  const std::vector<ShardSnapshot>& shards_;
  std::string_view name_;
  std::string text_;
};

void write_shards(Writer& out) {
  using Stats = AnyShard::Stats;
  out.each("muster_shard_subscribers", "gauge", "Subscribers that are connected.",
           [](const ShardSnapshot& shard) { return shard.subscribers; });
  out.each("muster_shard_waiting_inputs", "gauge", "Inputs that wait for a tick.",
           [](const ShardSnapshot& shard) { return shard.waiting_inputs; });
  out.each("muster_shard_running", "gauge", "1 until the shard has ended.",
           [](const ShardSnapshot& shard) { return shard.is_running ? 1 : 0; });
  out.each(
      "muster_shard_last_tick_lag_seconds", "gauge", "How late the last tick was.",
      [](const ShardSnapshot& shard) { return std::chrono::duration<double>{shard.lag}.count(); });
  out.each("muster_shard_ticks_skipped_total", "counter", "Ticks that never ran.",
           [](const ShardSnapshot& shard) { return shard.skipped; });
  out.each_counter("muster_shard_ticks_total", "Ticks that ran.", &Stats::ticks);
  out.each_counter("muster_shard_joins_total", "Subscribers that joined.", &Stats::joined);
  out.inputs("muster_shard_inputs_total", "Inputs, by what became of them.");
  out.each_counter("muster_shard_frames_encoded_total",
                   "Snapshots and deltas encoded, each once for all who share it.",
                   &Stats::frames_encoded);
  out.each_counter("muster_shard_deltas_encoded_total", "Deltas among them.",
                   &Stats::deltas_encoded);
  out.each_counter("muster_shard_encoded_bytes_total", "Their bytes.", &Stats::bytes_encoded);
  out.each_counter("muster_shard_frames_sent_total", "Snapshots queued, once per subscriber.",
                   &Stats::frames_sent);
  out.each_counter("muster_shard_frames_conflated_total",
                   "Snapshots that a newer one replaced before they left.",
                   &Stats::frames_conflated);
  out.each_counter("muster_shard_frames_refused_total",
                   "Snapshots that did not fit into a subscriber's budget.",
                   &Stats::frames_refused);
  out.each_counter("muster_shard_events_sent_total", "Events queued, once per subscriber.",
                   &Stats::events_sent);
  out.each_counter("muster_shard_slow_closed_total", "Subscribers closed since they took nothing.",
                   &Stats::closed_slow);
}

void write_times(Writer& out, const Snapshot& now) {
  out.family("muster_shard_tick_seconds", "histogram",
             "What the ticks of all shards spent their time on, by phase.");
  for (std::size_t i = 0; i < muster::shard::tick_phase_count; ++i) {
    out.histogram(label("phase", to_string(static_cast<TickPhase>(i))), now.ticks.phases[i]);
  }
  out.family("muster_shard_tick_lag_seconds", "histogram", "How late ticks began.");
  out.histogram({}, now.ticks.lag);
  out.family("muster_shard_rtt_seconds", "histogram",
             "Round trips from a ping to its pong, about one every 20 s for each connection.");
  out.histogram({}, now.websocket.round_trips);
}

void write_program(Writer& out, const Snapshot& now) {
  out.family("muster_shard_handshake_refused_total", "counter",
             "Opening handshakes refused, by status, those of the transport's limits too.");
  for (const auto& [status, count] : now.handshakes_refused) {
    out.sample(label("status", std::to_string(status)), std::to_string(count));
  }
  out.family("muster_shard_refused_total", "counter", "Requests and upgrades refused.");
  out.sample(label("status", "4xx"), std::to_string(now.service.refused_4xx));
  out.sample(label("status", "5xx"), std::to_string(now.service.refused_5xx));
  out.counter("muster_shard_bad_messages_total", "Messages that are no inputs at all.",
              now.service.bad_messages);
  out.counter("muster_shard_flooding_closed_total", "Subscribers closed for too many inputs.",
              now.service.closed_flooding);
  out.counter("muster_shard_revoked_closed_total", "Subscribers whose session ended.",
              now.service.closed_revoked);
  out.counter("muster_shard_moved_connections_total",
              "Connections that went to their shard's loop.", now.service.connections_given);
  out.counter("muster_shard_unanswered_total",
              "Questions that another loop did not answer in time.", now.service.unanswered);
  out.one("muster_websocket_connections", "gauge", "Connections that are open.",
          static_cast<double>(now.connections));
  out.counter("muster_websocket_upgrades_total", "Opening handshakes completed.",
              now.websocket.upgrades);
  out.counter("muster_websocket_received_messages_total", "Messages received, whole.",
              now.websocket.messages);
  out.counter("muster_websocket_received_bytes_total", "Bytes received.", now.websocket.bytes);
  out.counter("muster_outbox_sent_bytes_total", "Bytes taken by sockets.", now.outbox.bytes);
  out.counter("muster_outbox_writes_total", "Writes to sockets.", now.outbox.writes);
}

}  // namespace

std::string prometheus_text(const Snapshot& now) {
  Writer out{now.shards};
  out.family("muster_build_info", "gauge", "Always 1; the version is in the label.");
  out.sample(label("version", MUSTER_VERSION_STRING), "1");
  out.one("muster_uptime_seconds", "gauge", "Time since the start.",
          std::chrono::duration<double>{now.uptime}.count());
  out.one("muster_loops", "gauge", "Loops that answered, each with a thread of its own.",
          static_cast<double>(now.loops));
  out.one("muster_shards", "gauge", "Shards that exist, those that linger too.",
          static_cast<double>(now.shards.size()));
  write_shards(out);
  write_times(out, now);
  write_program(out, now);
  return out.take();
}

std::string shards_json(const Snapshot& now) {
  nlohmann::ordered_json shards = nlohmann::ordered_json::array();
  for (const ShardSnapshot& shard : now.shards) {
    if (!shard.is_running) continue;
    shards.push_back({{"id", shard.id},
                      {"players", shard.subscribers},
                      {"capacity", shard.capacity},
                      {"hz", shard.hz}});
  }
  return nlohmann::ordered_json{{"shards", std::move(shards)}}.dump() + "\n";
}

std::vector<ShardSnapshot> snapshot_of(const Registry& registry) {
  std::vector<ShardSnapshot> shards;
  registry.list([&shards](std::string_view id, const AnyShard& shard) {
    ShardSnapshot& now = shards.emplace_back();
    now.id = id;
    now.stats = shard.stats();
    now.subscribers = shard.subscriber_count();
    now.waiting_inputs = shard.input_count();
    now.capacity = shard.config().max_subscribers;
    now.hz = shard.config().hz;
    if (shard.clock() != nullptr) {
      now.lag = shard.clock()->lag();
      now.skipped = shard.clock()->skipped();
    }
    now.is_running = shard.is_running();
    return true;
  });
  return shards;
}

Snapshot sum(std::vector<Snapshot> loops) {
  Snapshot total = std::move(loops.front());
  for (std::size_t i = 1; i < loops.size(); ++i) {
    Snapshot& loop = loops[i];
    std::move(loop.shards.begin(), loop.shards.end(), std::back_inserter(total.shards));
    total.service.refused_4xx += loop.service.refused_4xx;
    total.service.refused_5xx += loop.service.refused_5xx;
    total.service.bad_messages += loop.service.bad_messages;
    total.service.closed_flooding += loop.service.closed_flooding;
    total.service.closed_revoked += loop.service.closed_revoked;
    total.service.connections_given += loop.service.connections_given;
    total.service.unanswered += loop.service.unanswered;
    total.websocket.upgrades += loop.websocket.upgrades;
    total.websocket.messages += loop.websocket.messages;
    total.websocket.bytes += loop.websocket.bytes;
    total.websocket.round_trips += loop.websocket.round_trips;
    for (const auto& [status, count] : loop.handshakes_refused) {
      total.handshakes_refused[status] += count;
    }
    total.ticks += loop.ticks;
    total.outbox.bytes += loop.outbox.bytes;
    total.outbox.writes += loop.outbox.writes;
    total.connections += loop.connections;
    total.uptime = std::max(total.uptime, loop.uptime);
  }
  total.loops = loops.size();
  std::sort(total.shards.begin(), total.shards.end(),
            [](const auto& a, const auto& b) { return a.id < b.id; });
  return total;
}

}  // namespace shard_program
