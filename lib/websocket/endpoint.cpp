// SPDX-License-Identifier: MIT
// Caps, counters and deadlines of many sessions.
#include <muster/websocket/endpoint.hpp>

#include <muster/address_limits.hpp>
#include <muster/websocket/session.hpp>
#include <muster/websocket/transit.hpp>

#include "opening.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <chrono>
#include <string_view>

namespace muster::websocket {

namespace {

// How many refusals are answered: a TLS handshake for each would be worth a flood.
constexpr RateLimit refusal_rate{.messages_per_second = 100, .burst = std::chrono::seconds{1}};

std::string cap_key(const Address& address) {
  const Address network = address.network();
  return {reinterpret_cast<const char*>(network.ip.data()), network.ip.size()};
}

}  // namespace

std::error_code validate(const Config& config, std::string& problem) {
  using namespace std::chrono_literals;
  problem.clear();
  const auto check = [&problem](bool good, std::string_view sentence) {
    if (!good && problem.empty()) problem = sentence;
  };
  constexpr std::size_t gib = 1024UL * 1024 * 1024;
  check(config.max_message >= 125 && config.max_message <= gib,
        "max_message must be between 125 bytes and 1 GiB");
  check(config.max_head >= 512 && config.max_head <= 64 * 1024,
        "max_head must be between 512 bytes and 64 KiB");
  check(config.max_header_fields >= 16 && config.max_header_fields <= header_field_capacity,
        "max_header_fields must be between 16 and 128");
  check(config.max_body <= 1024 * 1024, "max_body must be at most 1 MiB");
  check(config.max_connections >= 1 && config.max_connections <= gib,
        "max_connections must be between 1 and 2^30");
  check(config.max_connections_per_address >= 1 && config.max_connections_per_address <= gib,
        "max_connections_per_address must be between 1 and 2^30");
  check(config.upgrade_timeout >= 100ms && config.upgrade_timeout <= 10min,
        "upgrade_timeout must be between 100 ms and 10 min");
  check(config.refusal_body.size() <= 4096, "refusal_body must have at most 4096 bytes");
  const auto optional_timeout = [](duration value) {
    return value == duration{0} || (value >= 100ms && value <= 24h);
  };
  check(optional_timeout(config.first_message_timeout),
        "first_message_timeout must be 0 (none), or between 100 ms and 24 h");
  check(optional_timeout(config.ping_interval),
        "ping_interval must be 0 (none), or between 100 ms and 24 h");
  check(optional_timeout(config.idle_timeout),
        "idle_timeout must be 0 (none), or between 100 ms and 24 h");
  check(config.idle_timeout == duration{0} || config.ping_interval < config.idle_timeout,
        "ping_interval must be shorter than idle_timeout");
  check(optional_timeout(config.write_timeout),
        "write_timeout must be 0 (none), or between 100 ms and 24 h");
  check(optional_timeout(config.heartbeat_interval),
        "heartbeat_interval must be 0 (none), or between 100 ms and 24 h");
  check(config.close_timeout >= 10ms && config.close_timeout <= 1min,
        "close_timeout must be between 10 ms and 1 min");
  check(config.trusted_proxy_hops <= 16, "trusted_proxy_hops must be at most 16");
  check((config.proxy_protocol == ProxyProtocol::none) == config.trusted_proxies.empty(),
        "proxy_protocol and trusted_proxies are needed together");
  return problem.empty() ? std::error_code{} : make_error_code(errc::invalid_config);
}

DeadlineNode& Endpoint::NodeAt::operator()(std::uint32_t index) const noexcept {
  return static_cast<Session*>(outbox->at(index))->deadline_;
}

Endpoint::Endpoint(const Config& config, Outbox& outbox, Entropy& entropy, Service* service,
                   time_point now)
    : config_(config),
      outbox_(&outbox),
      entropy_(&entropy),
      service_(service),
      wheel_(now, NodeAt{&outbox}),
      started_(now) {
  for (std::size_t i = 0; i < limits_.size(); ++i) {
    const std::size_t bytes = std::min(std::size_t{1} << i, config_.max_message);
    limits_[i] = {bytes, bytes};
  }
}

Endpoint::~Endpoint() { assert(session_count_ == 0 && "a session outlives its endpoint"); }

// The limit itself is kept, and not its power of two, where it is the configured one.
const Limits& Endpoint::limits_for(std::size_t bytes) const noexcept {
  const auto power = static_cast<std::size_t>(std::bit_width(std::max<std::size_t>(bytes, 1) - 1));
  return limits_[std::min(power, limits_.size() - 1)];
}

// Those that are refused take nobody's place.
bool Endpoint::is_full() const noexcept {
  return session_count_ - refused_.size() >= config_.max_connections;
}

// Counts one more from there, if the address is within its limits.
bool Endpoint::take_place(const Address& remote, time_point now) {
  const auto place = per_address_.try_emplace(cap_key(remote), 0).first;
  const bool is_within =
      place->second < config_.max_connections_per_address &&
      (config_.limits == nullptr || config_.limits->take_connection(remote, now));
  if (is_within) {
    ++place->second;
  } else {
    ++stats_.refused_connections;
    if (place->second == 0) per_address_.erase(place);
  }
  return is_within;
}

bool Endpoint::is_trusted(const Address& remote) const noexcept {
  const auto& trusted = config_.trusted_proxies;
  return std::any_of(trusted.begin(), trusted.end(),
                     [&remote](const Subnet& subnet) { return subnet.contains(remote); });
}

// Who speaks for many has no limits of its own. Behind hops anybody may be one.
bool Endpoint::is_proxy(const Address& remote) const noexcept {
  return config_.trusted_proxy_hops != 0 || is_trusted(remote);
}

bool Endpoint::may_tell_refused(time_point now) noexcept {
  return refused_.size() < max_refusals && refusals_.take(0, now, refusal_rate);
}

Admission Endpoint::admit(const Address& remote, time_point now) {
  const bool is_welcome = config_.proxy_protocol == ProxyProtocol::none || is_trusted(remote);
  if (is_full() || !is_welcome) {
    ++stats_.refused_connections;
    return Admission::dropped;
  }
  if (is_proxy(remote)) {
    ++per_address_[cap_key(remote)];
    return Admission::admitted;
  }
  if (take_place(remote, now)) return Admission::admitted;
  return may_tell_refused(now) ? Admission::refused : Admission::dropped;
}

bool Endpoint::admit_arrival(const Address& remote) {
  std::uint32_t& count = per_address_[cap_key(remote)];
  const bool is_within =
      !is_full() && (is_proxy(remote) || count < config_.max_connections_per_address);
  if (!is_within) ++stats_.refused_connections;
  ++count;
  return is_within;
}

// A proxy said for whom it speaks: counts that address in the place of its own.
bool Endpoint::take_place_instead(const Address& proxy, const Address& other, bool is_limited,
                                  time_point now) {
  const std::string key = cap_key(other);
  if (key == cap_key(proxy)) return true;
  if (!is_limited) {
    ++per_address_[key];
  } else if (!take_place(other, now)) {
    return false;
  }
  leave(proxy);
  return true;
}

// True: the one that is counted at that address is refused, and told so; it counts nowhere else
// then.
bool Endpoint::refuse(std::uint32_t index, const Address& remote, time_point now) {
  if (!may_tell_refused(now)) return false;
  leave(remote);
  refused_.insert(index);
  return true;
}

void Endpoint::leave(const Address& remote) noexcept {
  const auto found = per_address_.find(cap_key(remote));
  if (found != per_address_.end() && --found->second == 0) per_address_.erase(found);
}

void Endpoint::advance(time_point now) {
  const Call call{*this, now};
  wheel_.advance(now, [this, now](std::uint32_t index) {
    static_cast<Session*>(outbox_->at(index))->due(now);
  });
}

time_point Endpoint::next_deadline() const noexcept { return wheel_.next_deadline(); }

void Endpoint::close_all() {
  wheel_.for_each(
      [this](std::uint32_t index) { static_cast<Session*>(outbox_->at(index))->drain(); });
}

void Endpoint::abandon_all() {
  wheel_.for_each(
      [this](std::uint32_t index) { static_cast<Session*>(outbox_->at(index))->abandon(); });
}

}  // namespace muster::websocket
