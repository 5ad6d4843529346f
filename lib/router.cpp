// SPDX-License-Identifier: MIT
// Look-up by path.
#include <muster/router.hpp>

#include <algorithm>
#include <set>
#include <utility>

namespace muster {

namespace {

// RFC 9110 sections 15.5.22 and 15.5.6 require these.
constexpr HeaderField upgrade_to_websocket[] = {{"Upgrade", "websocket"}};
constexpr HeaderField allow_get[] = {{"Allow", "GET, HEAD"}};

}  // namespace

Router& Router::route(std::string path, Service& service) {
  services_.insert_or_assign(std::move(path), &service);
  return *this;
}

Router& Router::get(std::string path, Handler handler) {
  handlers_.insert_or_assign(std::move(path), std::move(handler));
  return *this;
}

void Router::on_upgrade(const Request& request, Decision decision, time_point now) {
  const auto found = services_.find(request.path);
  if (found != services_.end()) {
    found->second->on_upgrade(request, std::move(decision), now);
  } else {
    decision.respond({.status = 404, .body = as_bytes("no such path\n")});
  }
}

void Router::on_request(const Request& request, Decision decision, time_point now) {
  const auto found = handlers_.find(request.path);
  if (found == handlers_.end()) {
    if (services_.contains(request.path)) {
      decision.respond({.status = 426,
                        .body = as_bytes("a WebSocket upgrade is required here\n"),
                        .headers = upgrade_to_websocket});
    } else {
      decision.respond({.status = 404, .body = as_bytes("no such path\n")});
    }
  } else if (request.method != "GET" && request.method != "HEAD") {
    decision.respond(
        {.status = 405, .body = as_bytes("only GET is allowed here\n"), .headers = allow_get});
  } else {
    found->second(request, std::move(decision), now);
  }
}

// Accepted connections belong to the service that accepted them, so nothing arrives here.
void Router::on_message(Connection&, const Message&, time_point) {}

void Router::on_drain(time_point now) {
  std::set<Service*> told;  // one service may answer several paths
  for (const auto& [path, service] : services_) {
    if (told.insert(service).second) service->on_drain(now);
  }
}

void Router::advance(time_point now) {
  for (const auto& [path, service] : services_) {
    if (service->next_deadline() <= now) service->advance(now);
  }
}

time_point Router::next_deadline() const noexcept {
  time_point next = no_deadline;
  for (const auto& [path, service] : services_) next = std::min(next, service->next_deadline());
  return next;
}

}  // namespace muster
