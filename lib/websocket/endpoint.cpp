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
  check(config.max_body <= 1024 * 1024, "max_body must be at most 1 MiB");
  check(config.max_connections >= 1 && config.max_connections <= gib,
        "max_connections must be between 1 and 2^30");
  check(config.max_connections_per_address >= 1 && config.max_connections_per_address <= gib,
        "max_connections_per_address must be between 1 and 2^30");
  check(config.upgrade_timeout >= 100ms && config.upgrade_timeout <= 10min,
        "upgrade_timeout must be between 100 ms and 10 min");
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
  check(optional_timeout(config.heartbeat_interval),
        "heartbeat_interval must be 0 (none), or between 100 ms and 24 h");
  check(config.close_timeout >= 10ms && config.close_timeout <= 1min,
        "close_timeout must be between 10 ms and 1 min");
  check(config.trusted_proxy_hops <= 16, "trusted_proxy_hops must be at most 16");
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
      wheel_(now, NodeAt{&outbox}) {
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

Admission Endpoint::admit(const Address& remote, time_point now) {
  if (is_full()) {
    ++stats_.refused_connections;
    return Admission::dropped;
  }
  if (is_behind_proxies()) {
    ++per_address_[cap_key(remote)];
    return Admission::admitted;
  }
  if (take_place(remote, now)) return Admission::admitted;
  const bool is_told = refused_.size() < max_refusals && refusals_.take(0, now, refusal_rate);
  return is_told ? Admission::refused : Admission::dropped;
}

bool Endpoint::admit_arrival(const Address& remote) {
  std::uint32_t& count = per_address_[cap_key(remote)];
  const bool is_within =
      !is_full() && (is_behind_proxies() || count < config_.max_connections_per_address);
  if (!is_within) ++stats_.refused_connections;
  ++count;
  return is_within;
}

// A proxy said for whom it speaks: counts that address in the place of its own.
bool Endpoint::take_place_instead(const Address& socket, const Address& forwarded, time_point now) {
  if (cap_key(forwarded) == cap_key(socket)) return true;
  if (!take_place(forwarded, now)) return false;
  leave(socket);
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
