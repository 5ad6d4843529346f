// SPDX-License-Identifier: MIT
// Choosing a plan, its host, and the servers that help.
#include "session_plan.hpp"

#include "turn_credentials.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace muster::signal {

namespace {

struct Candidate {
  Topology topology;
  Transport transport;
};

// In the order in which they are tried.
constexpr std::array candidates{Candidate{Topology::mesh, Transport::webrtc},
                                Candidate{Topology::host, Transport::webrtc},
                                Candidate{Topology::host, Transport::direct}};

bool is_enabled(const Config& config, Transport transport) noexcept {
  return transport == Transport::webrtc ? config.enable_webrtc : config.enable_direct;
}

}  // namespace

bool is_capable(const Seat& seat, Topology topology, Transport transport) noexcept {
  return seat.abilities.is_v3() && seat.abilities.has(topology) && seat.abilities.has(transport);
}

bool can_host(const Seat& seat, Topology topology, Transport transport) noexcept {
  if (!is_capable(seat, topology, transport)) return false;
  if (transport != Transport::direct) return true;
  return seat.connection_info && seat.connection_info->direct &&
         seat.connection_info->direct->is_usable();
}

const Seat* elect_host(std::span<const Seat* const> players, const Seat* authority,
                       Topology topology, Transport transport) noexcept {
  const Seat* best = nullptr;
  for (const Seat* const seat : players) {
    if (!can_host(*seat, topology, transport)) continue;
    if (seat == authority) return seat;
    if (best == nullptr || std::pair{seat->connected_at, seat->player_id} <
                               std::pair{best->connected_at, best->player_id}) {
      best = seat;
    }
  }
  return best;
}

DesiredTopology desired_topology(const Config& config, std::string_view game_name) {
  const auto found = config.game_topologies.find(std::string{game_name});
  return found == config.game_topologies.end() ? config.default_topology : found->second;
}

PlanChoice choose_plan(const Config& config, std::string_view game_name,
                       std::span<const Seat* const> players, const Seat* authority) {
  const auto wished = static_cast<Topology>(desired_topology(config, game_name));
  for (const Candidate& candidate : candidates) {
    const auto [topology, transport] = candidate;
    if (topology > wished || !is_enabled(config, transport)) continue;
    const bool all = std::all_of(players.begin(), players.end(), [&candidate](const Seat* seat) {
      return is_capable(*seat, candidate.topology, candidate.transport);
    });
    if (!all || players.empty()) continue;
    if (topology == Topology::mesh) return {topology, transport, nullptr};
    const Seat* const host = elect_host(players, authority, topology, transport);
    if (host != nullptr) return {topology, transport, host};
  }
  return {};
}

std::span<const IceServer> IceServers::of(const Uuid& player_id, time_point now) {
  servers_.clear();
  for (const IceServerConfig& server : config_->ice_servers) {
    servers_.push_back({server.urls, server.username, server.credential});
  }
  if (!config_->stun_urls.empty()) servers_.push_back({config_->stun_urls});
  if (config_->turn_enabled && !config_->turn_urls.empty()) {
    const std::int64_t expiry = clock_->at(now + config_->turn_credential_ttl) / 1000;
    TurnCredentials credentials = make_turn_credentials(config_->turn_secret, expiry, player_id);
    servers_.push_back(
        {config_->turn_urls, std::move(credentials.username), std::move(credentials.credential)});
    ++stats_->transport.turn_credentials_issued;
  }
  return servers_;
}

}  // namespace muster::signal
