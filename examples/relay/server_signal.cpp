// SPDX-License-Identifier: MIT
// The routes that the signaling rooms' reference server has beside its protocol.
#include "server.hpp"

#include "../prometheus_reply.hpp"

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace relay_program {

namespace {

using muster::as_bytes;
using muster::Decision;
using muster::HeaderField;
using muster::Request;
using muster::time_point;

constexpr std::array no_store{HeaderField{"Cache-Control", "no-store"}};
constexpr std::array challenge{HeaderField{"Cache-Control", "no-store"},
                               HeaderField{"WWW-Authenticate", "Bearer"}};

void respond(Decision& decision, unsigned status, std::string_view text) {
  decision.respond({.status = status, .body = as_bytes(text), .headers = no_store});
}

void respond_json(Decision& decision, std::string_view json) {
  decision.respond(
      {.content_type = "application/json", .body = as_bytes(json), .headers = no_store});
}

}  // namespace

void Server::add_signal_pages() {
  router_.route("/v2/ws", signal_).route("/v3/ws", signal_).route_below("/matchbox", matchbox_);

  for (const char* const path : {"/health", "/v2/health"}) {
    router_.get(
        path, [](const Request&, Decision decision, time_point) { respond(decision, 200, "OK"); });
  }
  for (const char* const path : {"/readyz", "/v2/readyz"}) {
    router_.get(path, [this](const Request&, Decision decision, time_point) {
      respond(decision, is_draining_ ? 503 : 200, is_draining_ ? "draining" : "OK");
    });
  }
  for (const char* const path : {"/v2/client-config", "/v3/client-config"}) {
    router_.get(path, [this](const Request&, Decision decision, time_point) {
      respond_json(decision,
                   "{\"max_outbound_message_size\":" +
                       std::to_string(shared_->options().signal.config.max_outbound_message_size) +
                       "}");
    });
  }

  router_.get("/metrics", [this](const Request& request, Decision decision, time_point now) {
    if (!may_read_metrics(request, decision, now)) return;
    const auto accept = request.header("Accept");
    if (accept && accept->find("application/json") != std::string_view::npos) {
      show_metrics_json(request, std::move(decision));
    } else {
      show_metrics(std::move(decision));
    }
  });
  for (const char* const path : {"/v1/metrics", "/v2/metrics"}) {
    router_.get(path, [this](const Request& request, Decision decision, time_point now) {
      if (may_read_metrics(request, decision, now)) {
        show_metrics_json(request, std::move(decision));
      }
    });
  }
  for (const char* const path : {"/metrics/prom", "/v1/metrics/prom", "/v2/metrics/prom"}) {
    router_.get(path, [this](const Request& request, Decision decision, time_point now) {
      if (may_read_metrics(request, decision, now)) show_metrics(std::move(decision));
    });
  }
}

// False: it was answered.
bool Server::may_read_metrics(const Request& request, Decision& decision, time_point now) {
  const AdminKey* const key = shared_->metrics_key();
  if (key == nullptr) return true;
  if (!shared_->limits().may_present_token(request.remote, now)) {
    respond(decision, 429, "too many attempts; try again later\n");
    return false;
  }
  constexpr std::string_view scheme = "Bearer ";
  const std::string_view given = request.header("Authorization").value_or(std::string_view{});
  if (given.starts_with(scheme) && key->matches(given.substr(scheme.size()), mac_)) return true;
  if (!given.empty()) shared_->limits().count_failed_token(request.remote, now);
  decision.respond({.status = 401,
                    .body = as_bytes("a token is needed: Authorization: Bearer TOKEN\n"),
                    .headers = challenge});
  return false;
}

void Server::show_metrics(Decision decision) {
  answer_later(std::move(decision), [](Decision asked, const Snapshot& all) {
    examples::reply_to_prometheus(std::move(asked), prometheus_text(all));
  });
}

void Server::show_metrics_json(const Request& request, Decision decision) {
  const std::string range = request.query_value("time_range").value_or("1h");
  const bool has_snapshot = request.query_value("includeSnapshot") == "true";
  answer_later(std::move(decision), [range, has_snapshot](Decision asked, const Snapshot& all) {
    using namespace std::chrono;
    const auto now = system_clock::now().time_since_epoch();
    respond_json(asked,
                 muster::signal::metrics_json(
                     all.signal, {.time_range = range,
                                  .has_snapshot = has_snapshot,
                                  .unix_milliseconds = duration_cast<milliseconds>(now).count()}));
  });
}

}  // namespace relay_program
