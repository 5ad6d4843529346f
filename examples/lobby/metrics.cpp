// SPDX-License-Identifier: MIT
// One family after the other.
#include "metrics.hpp"

#include <muster/version.hpp>

#include <array>
#include <charconv>
#include <chrono>
#include <initializer_list>
#include <string_view>
#include <utility>

namespace lobby_program {

namespace {

std::string number(double value) {
  std::array<char, 32> digits;
  return {digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr};
}

class Writer {
 public:
  void gauge(std::string_view name, std::string_view help, double value) {
    head(name, "gauge", help);
    sample(name, {}, number(value));
  }
  void counter(std::string_view name, std::string_view help, std::uint64_t value) {
    head(name, "counter", help);
    sample(name, {}, std::to_string(value));
  }

  // A sample for each value of a label.
  void counters(std::string_view name, std::string_view help, std::string_view label,
                std::initializer_list<std::pair<std::string_view, std::uint64_t>> values) {
    head(name, "counter", help);
    for (const auto& [word, value] : values) {
      sample(name, pair(label, word), std::to_string(value));
    }
  }
  void info(std::string_view name, std::string_view help, std::string_view version) {
    head(name, "gauge", help);
    sample(name, pair("version", version), "1");
  }

  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  static std::string pair(std::string_view label, std::string_view value) {
    return "{" + std::string{label} + "=\"" + std::string{value} + "\"}";
  }
  void head(std::string_view name, std::string_view type, std::string_view help) {
    text_.append("# HELP ").append(name).append(" ").append(help).append("\n");
    text_.append("# TYPE ").append(name).append(" ").append(type).append("\n");
  }
  void sample(std::string_view name, std::string_view labels, std::string_view value) {
    text_.append(name).append(labels).append(" ").append(value).append("\n");
  }

  std::string text_;
};

}  // namespace

std::string prometheus_text(const Snapshot& now) {
  Writer out;
  out.info("muster_build_info", "Always 1; the version is in the label.", MUSTER_VERSION_STRING);
  out.gauge("muster_uptime_seconds", "Time since the start.",
            std::chrono::duration<double>{now.uptime}.count());

  out.gauge("muster_lobby_online", "Bots in the lobby.", static_cast<double>(now.online));
  out.counter("muster_lobby_connects_total", "Connections to the lobby.", now.lobby.connects);
  out.counters("muster_lobby_closed_total", "Lobby connections that were closed, by why.", "why",
               {{"limited", now.lobby.limited},
                {"unauthorized", now.lobby.unauthorized},
                {"revoked", now.lobby.revoked},
                {"evicted", now.lobby.evicted},
                {"unanswered", now.lobby.unanswered},
                {"oversized", now.lobby.oversized}});
  out.counters("muster_lobby_dropped_frames_total", "Frames from bots in the lobby of no use.",
               "why", {{"malformed", now.lobby.malformed}, {"ignored", now.lobby.ignored}});
  out.counter("muster_lobby_matched_total", "Bots told of a seat.", now.lobby.matched);

  out.gauge("muster_gateway_connections", "Connections of seats.", static_cast<double>(now.seats));
  out.counter("muster_gateway_connects_total", "Connections to the gateway.", now.gateway.connects);
  out.counter("muster_gateway_seated_total", "Handshakes completed.", now.gateway.seated);
  out.counters("muster_gateway_closed_total", "Gateway connections that were closed, by why.",
               "why",
               {{"limited", now.gateway.limited},
                {"unauthorized", now.gateway.unauthorized},
                {"not_found", now.gateway.not_found},
                {"late", now.gateway.late},
                {"mismatched", now.gateway.mismatched},
                {"refused", now.gateway.refused},
                {"replaced", now.gateway.replaced},
                {"oversized", now.gateway.oversized}});
  out.counter("muster_gateway_malformed_total", "Frames of a handshake that are none.",
              now.gateway.malformed);

  out.gauge("muster_matches_running", "Matches that run.", static_cast<double>(now.running));
  out.counter("muster_matches_started_total", "Matches that began.", now.started);
  out.counters("muster_matches_total", "Matches that are over, by how they ended.", "status",
               {{"completed", now.dispatcher.completed},
                {"cancelled", now.dispatcher.cancelled},
                {"abandoned", now.dispatcher.abandoned},
                {"failed", now.dispatcher.failed}});
  out.counter("muster_match_forfeits_total", "Matches among them that a seat gave up.",
              now.dispatcher.forfeits);
  out.counters("muster_matches_wanted_total", "Matches that began, by why.", "occasion",
               {{"challenge", now.dispatcher.challenges},
                {"queue", now.dispatcher.queue_matches},
                {"tournament", now.dispatcher.tournament_matches}});
  out.counter("muster_results_stored_total", "Results written to the file.", now.dispatcher.stored);
  out.counter("muster_results_lost_total", "Results that could not be written.",
              now.dispatcher.not_stored);
  out.counters("muster_api_refused_total", "Requests to the API that were refused.", "why",
               {{"unauthorized", now.api.unauthorized}, {"other", now.api.refused}});

  out.gauge("muster_websocket_connections", "Connections that are open.",
            static_cast<double>(now.connections));
  out.counter("muster_websocket_upgrades_total", "Opening handshakes completed.",
              now.websocket.upgrades);
  out.counter("muster_websocket_received_messages_total", "Messages received, whole.",
              now.websocket.messages);
  out.counter("muster_websocket_received_bytes_total", "Bytes received.", now.websocket.bytes);
  return out.take();
}

}  // namespace lobby_program
