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
constexpr HeaderField allow_post[] = {{"Allow", "POST"}};
constexpr HeaderField allow_all[] = {{"Allow", "GET, HEAD, POST"}};

// Prefixes of one path are neighbours of it in the order of texts, the longest last, but others
// may lie in between.
template <class Value>
const Value* longest_prefix(const std::map<std::string, Value, std::less<>>& prefixes,
                            std::string_view path) {
  for (auto it = prefixes.upper_bound(path); it != prefixes.begin();) {
    --it;
    if (path.starts_with(it->first)) return &it->second;
  }
  return nullptr;
}

}  // namespace

Router& Router::route(std::string path, Service& service) {
  services_.insert_or_assign(std::move(path), &service);
  return *this;
}

Router& Router::get(std::string path, Handler handler) {
  pages_[std::move(path)].get = std::move(handler);
  return *this;
}

Router& Router::post(std::string path, Handler handler) {
  pages_[std::move(path)].post = std::move(handler);
  return *this;
}

Router& Router::get_below(std::string prefix, Handler handler) {
  prefixes_[std::move(prefix)].get = std::move(handler);
  return *this;
}

Router& Router::route_below(std::string prefix, Service& service) {
  service_prefixes_.insert_or_assign(std::move(prefix), &service);
  return *this;
}

const Router::Page* Router::page_below(std::string_view path) const {
  return longest_prefix(prefixes_, path);
}

Service* Router::service_below(std::string_view path) const {
  Service* const* const found = longest_prefix(service_prefixes_, path);
  return found == nullptr ? nullptr : *found;
}

void Router::on_upgrade(const Request& request, Decision decision, time_point now) {
  const auto found = services_.find(request.path);
  Service* const service = found != services_.end() ? found->second : service_below(request.path);
  if (service != nullptr) {
    service->on_upgrade(request, std::move(decision), now);
  } else {
    decision.respond({.status = 404, .body = as_bytes("no such path\n")});
  }
}

void Router::on_request(const Request& request, Decision decision, time_point now) {
  if (const auto found = pages_.find(request.path); found != pages_.end()) {
    answer(found->second, request, std::move(decision), now);
  } else if (services_.contains(request.path) || service_below(request.path) != nullptr) {
    decision.respond({.status = 426,
                      .body = as_bytes("a WebSocket upgrade is required here\n"),
                      .headers = upgrade_to_websocket});
  } else if (const Page* const page = page_below(request.path)) {
    answer(*page, request, std::move(decision), now);
  } else {
    decision.respond({.status = 404, .body = as_bytes("no such path\n")});
  }
}

void Router::answer(const Page& page, const Request& request, Decision decision, time_point now) {
  const bool is_get = request.method == "GET" || request.method == "HEAD";
  if (const Handler& handler = is_get ? page.get : page.post;
      handler && (is_get || request.method == "POST")) {
    handler(request, std::move(decision), now);
  } else if (!page.post) {
    decision.respond(
        {.status = 405, .body = as_bytes("only GET is allowed here\n"), .headers = allow_get});
  } else if (!page.get) {
    decision.respond(
        {.status = 405, .body = as_bytes("only POST is allowed here\n"), .headers = allow_post});
  } else {
    decision.respond({.status = 405,
                      .body = as_bytes("only GET and POST are allowed here\n"),
                      .headers = allow_all});
  }
}

// Accepted connections belong to the service that accepted them, so nothing arrives here.
void Router::on_message(Connection&, const Message&, time_point) {}

void Router::on_drain(time_point now) {
  std::set<Service*> told;  // one service may answer several paths
  for (const auto* const services : {&services_, &service_prefixes_}) {
    for (const auto& [path, service] : *services) {
      if (told.insert(service).second) service->on_drain(now);
    }
  }
}

void Router::advance(time_point now) {
  for (const auto* const services : {&services_, &service_prefixes_}) {
    for (const auto& [path, service] : *services) {
      if (service->next_deadline() <= now) service->advance(now);
    }
  }
}

time_point Router::next_deadline() const noexcept {
  time_point next = no_deadline;
  for (const auto* const services : {&services_, &service_prefixes_}) {
    for (const auto& [path, service] : *services) next = std::min(next, service->next_deadline());
  }
  return next;
}

}  // namespace muster
