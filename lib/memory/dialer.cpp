// SPDX-License-Identifier: MIT
// From a URL to a service on the memory network.
#include <muster/memory/dialer.hpp>

#include <muster/url.hpp>

#include <utility>
#include <vector>

namespace muster::memory {

namespace {

std::string key_of(const Url& url) {
  return url.scheme + "://" + url.authority() + std::string{url.path()};
}

}  // namespace

Dialer::Dialer(Network& network, const Link& link)
    : network_(network), link_(link), nobody_(network) {}

std::error_code Dialer::listen(std::string_view url, Service& service) {
  const result<Url> parsed = parse_url(url);
  if (!parsed) return parsed.error();
  services_.insert_or_assign(key_of(*parsed), &service);
  return {};
}

void Dialer::stop(std::string_view url) {
  if (const result<Url> parsed = parse_url(url); parsed) services_.erase(key_of(*parsed));
}

ConnectionId Dialer::dial(const DialRequest& request, Service& service) {
  ++dials_;
  const result<Url> url = parse_url(request.url);
  if (!url) return nobody_.connect(service, link_, "not a WebSocket URL");
  const auto found = services_.find(key_of(*url));
  const bool is_refused = to_refuse_ != 0;
  if (is_refused) --to_refuse_;
  if (is_refused || found == services_.end()) {
    return nobody_.connect(service, link_, "the peer could not be reached");
  }
  const std::string host = url->authority();
  std::vector<HeaderField> headers{{"Host", host}};
  for (const auto& [name, value] : request.headers) headers.push_back({name, value});
  const std::vector<std::string_view> subprotocols(request.subprotocols.begin(),
                                                   request.subprotocols.end());
  const Request asked{
      .path = url->path(), .query = url->query(), .headers = headers, .subprotocols = subprotocols};
  return network_.connect(service, *found->second, asked, link_).id();
}

ConnectionId Dialer::Nobody::connect(Service& caller, const Link& link, std::string text) {
  std::string number = std::to_string(next_call_++);
  const Request request{.path = number};
  const ConnectionId id = network_.connect(caller, *this, request, link).id();
  calls_.emplace(std::move(number), Call{id, std::move(text)});
  return id;
}

void Dialer::Nobody::on_upgrade(const Request& request, Decision, time_point) {
  const auto call = calls_.find(request.path);
  if (call == calls_.end()) return;
  // Its reason is there first; the refusal of the unanswered decision then only ends it.
  if (Connection* const caller = network_.outbox().find(call->second.caller); caller != nullptr) {
    caller->close(CloseReason::connect_failed, 0, call->second.text);
  }
  calls_.erase(call);
}

void Dialer::Nobody::on_message(Connection&, const Message&, time_point) {}

}  // namespace muster::memory
