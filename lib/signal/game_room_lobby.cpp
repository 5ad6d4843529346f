// SPDX-License-Identifier: MIT
// Readiness, start, authority, and the plans that follow.
#include "game_room.hpp"

#include <algorithm>
#include <utility>

namespace muster::signal {

namespace {

std::vector<const Seat*> present(const std::vector<std::unique_ptr<Seat>>& seats) {
  std::vector<const Seat*> there;
  for (const std::unique_ptr<Seat>& seat : seats) {
    if (seat->session != nullptr) there.push_back(seat.get());
  }
  return there;
}

}  // namespace

bool GameRoom::are_all_ready() const noexcept { return ready_.size() == player_count(); }

void GameRoom::announce_lobby(time_point now) {
  const bool all_ready = !ready_.empty() && are_all_ready();
  tell_all(LobbyStateChanged{state_, ready_ids(), all_ready}, nullptr, std::nullopt, true, now);
}

std::optional<Refusal> GameRoom::toggle_ready(Session& session, time_point now) {
  if (state_ == LobbyState::finalized) {
    return Refusal{ErrorCode::invalid_room_state, "The game has started"};
  }
  touch(now);
  Seat& seat = *session.seat;
  seat.is_ready = !seat.is_ready;
  if (seat.is_ready) {
    ready_.push_back(&seat);
  } else {
    std::erase(ready_, &seat);
  }
  announce_lobby(now);
  return std::nullopt;
}

std::optional<Refusal> GameRoom::start(Session& session, time_point now) {
  if (state_ == LobbyState::finalized) {
    return Refusal{ErrorCode::invalid_room_state, "The game has already started"};
  }
  if (!are_all_ready()) {
    return Refusal{ErrorCode::game_start_not_ready, "Not all players are ready"};
  }
  if (authority_ != nullptr && authority_ != session.seat) {
    return Refusal{ErrorCode::game_start_forbidden, "Only the authority may start the game"};
  }
  touch(now);
  state_ = LobbyState::finalized;
  std::vector<PeerConnection> peers;
  for (const Seat* const seat : present(players_)) {
    PeerConnection peer{seat->player_id, seat->name, authority_ == seat, facts_.relay_type};
    if (seat->connection_info) peer.connection_info = seat->connection_info->json;
    peers.push_back(peer);
  }
  tell_all(GameStarting{peers}, nullptr, std::nullopt, false, now);
  plan_ = choose_plan(*context_->config, facts_.game_name, present(players_), authority_);
  Stats::Transports& stats = context_->stats->transport;
  ++(plan_->topology == Topology::mesh   ? stats.topology_mesh_selected
     : plan_->topology == Topology::host ? stats.topology_host_selected
                                         : stats.topology_relay_selected);
  ++(plan_->transport == Transport::webrtc   ? stats.webrtc_selected
     : plan_->transport == Transport::direct ? stats.direct_selected
                                             : stats.relay_selected);
  publish_plan(true, now);
  return std::nullopt;
}

// Every member of the third version gets a plan of its own, all with the same new generation.
void GameRoom::publish_plan(bool is_first, time_point now) {
  const std::vector<const Seat*> players = present(players_);
  if (plan_->topology == Topology::host) {
    // It may be gone, or have provided another address since.
    const bool is_there = std::find(players.begin(), players.end(), plan_->host) != players.end();
    if (!is_there || !can_host(*plan_->host, plan_->topology, plan_->transport)) {
      plan_->host = elect_host(players, authority_, plan_->topology, plan_->transport);
    }
    if (plan_->host == nullptr) plan_ = PlanChoice{};  // for good
  }
  const auto is_peer = [&](const Seat& seat) {
    return is_capable(seat, plan_->topology, plan_->transport);
  };
  SessionPlan plan;
  plan.generation = plan_generation_ = draw_uuid(*context_->entropy);
  plan.topology = plan_->topology;
  plan.transport = plan_->transport;
  if (plan_->host != nullptr) {
    plan.host = plan_->host->player_id;
    if (plan_->transport == Transport::direct) {
      plan.direct_host = plan_->host->connection_info->direct->host;
      plan.direct_port = plan_->host->connection_info->direct->port;
    }
  }
  std::vector<SessionPeer> peers;
  for (const Seat* const seat : players) {
    Session* const session = seat->session;
    if (!seat->abilities.is_v3()) continue;
    peers.clear();
    for (const Seat* const other : players) {
      if (plan_->topology == Topology::relay) break;
      if (other == seat || !is_peer(*seat) || !is_peer(*other)) continue;
      const bool is_host = plan_->host == seat;
      if (plan_->topology == Topology::host && !is_host && plan_->host != other) continue;
      const bool offers = plan_->topology == Topology::mesh
                              ? initiates(seat->player_id, other->player_id)
                              : !is_host;
      peers.push_back({other->player_id, other->name, authority_ == other, offers});
    }
    plan.peers = peers;
    plan.ice_servers = plan_->transport == Transport::webrtc
                           ? context_->ice->of(seat->player_id, now)
                           : std::span<const IceServer>{};
    ++context_->stats->transport.session_plans_emitted;
    if (!is_first) ++context_->stats->transport.session_replans_emitted;
    context_->delivery->tell(*session, plan, now);
  }
}

// Authority.

// Each is told whether it is the one.
void GameRoom::announce_authority(const Session* except, time_point now) {
  Session* const holder = authority_ == nullptr ? nullptr : authority_->session;
  AuthorityChanged changed;
  if (authority_ != nullptr) changed.authority_player = authority_->player_id;
  if (holder != nullptr && holder != except) {
    changed.you_are_authority = true;
    context_->delivery->tell(*holder, changed, now);
    changed.you_are_authority = false;
  }
  // To who comes back it is news that somebody else has it.
  const std::optional<Uuid> about = changed.authority_player;
  tell_all(changed, holder != nullptr ? holder : except, about, true, now);
}

void GameRoom::request_authority(Session& session, bool become, time_point now) {
  const auto refuse = [&](ErrorCode code, std::string_view reason) {
    ++context_->stats->errors.validation;
    context_->delivery->tell(session, AuthorityResponse{false, reason, code}, now);
  };
  Seat* const seat = session.seat;
  if (!facts_.supports_authority) {
    return refuse(ErrorCode::authority_not_supported, "This room has no authority");
  }
  if (become && authority_ == seat) {
    return refuse(ErrorCode::authority_conflict, "You already have authority");
  }
  if (become && authority_ != nullptr) {
    return refuse(ErrorCode::authority_conflict, "Another player already has authority");
  }
  if (!become && authority_ != seat) {
    return refuse(ErrorCode::authority_denied, "You do not have authority");
  }
  touch(now);
  authority_ = become ? seat : nullptr;
  context_->delivery->tell(session, AuthorityResponse{true}, now);
  announce_authority(nullptr, now);
}

bool GameRoom::transfer_authority(Seat& to, time_point now) {
  if (to.session == nullptr || !facts_.supports_authority) return false;
  touch(now);
  authority_ = &to;
  announce_authority(nullptr, now);
  return true;
}

// What a player says of itself.

void GameRoom::provide_connection_info(Session& session, ConnectionInfo info, time_point now) {
  touch(now);
  session.seat->connection_info = std::move(info);
}

void GameRoom::report_transport(Session& session, const TransportStatus& status, time_point now) {
  Seat& seat = *session.seat;
  std::optional<bool>& known = seat.transport_status[static_cast<std::size_t>(status.transport)];
  if (known == status.connected) return;
  Stats::Transports& stats = context_->stats->transport;
  if (status.transport != Transport::relay) {
    if (status.connected) ++stats.p2p_established;
    if (!status.connected && known) ++stats.relay_fallback;
  }
  known = status.connected;
  const PeerTransportStatus report{seat.player_id, status.transport, status.connected};
  for (const Seat* const other : present(players_)) {
    if (other == &seat || !other->abilities.is_v3()) continue;
    ++stats.status_fanout;
    context_->delivery->tell(*other->session, report, now);
  }
}

}  // namespace muster::signal
