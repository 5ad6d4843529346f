// SPDX-License-Identifier: MIT
// News and RPCs to a host, and what waits for it.
#include "remote_host.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace muster::relay {

namespace {

// Messages that may wait for a host that is catching up: news of everybody, twice.
constexpr std::size_t max_kept = 131'072;

std::vector<std::byte> copy(byte_view bytes) { return {bytes.begin(), bytes.end()}; }

}  // namespace

MemberEvent event_of(const PlayerInfo& player, MemberChange change) noexcept {
  const unsigned flags =
      (player.is_spectator ? spectator_flag : 0U) | (player.is_extended ? extended_flag : 0U);
  return {change, player.id, player.seat, static_cast<std::uint8_t>(flags), player.name};
}

MemberChange change_of(Departure why) noexcept {
  switch (why) {
    case Departure::away:
      return MemberChange::away;
    case Departure::left:
      return MemberChange::left;
    case Departure::kicked:
      return MemberChange::kicked;
    case Departure::expired:
      break;
  }
  return MemberChange::expired;
}

bool RemoteHost::hears_members() const noexcept {
  return has(HostedRoom::player_of(*room_->host_).capabilities, Capability::member_events);
}

void RemoteHost::connect(Connection& connection) {
  connection_ = &connection;
  news_budget_ = rpc_budget_ = room_->context_.host_budget;
  rpc_budget_.reserve_bytes = rpc_budget_.bytes / 2;
  rpc_budget_.reserve_frames = rpc_budget_.frames / 2;
  connection.set_budget(rpc_budget_);

  std::deque<Kept> rpcs;
  std::copy_if(std::make_move_iterator(kept_.begin()), std::make_move_iterator(kept_.end()),
               std::back_inserter(rpcs), [](const Kept& kept) { return kept.is_rpc; });
  kept_.clear();
  // The departure of somebody whose id another one has by now comes before that one's arrival.
  for (const auto& [id, member] : room_->roster_.members()) {
    const auto player_id = static_cast<std::uint16_t>(id);
    if (!member.is_present() || player_id == host_player_id) continue;
    if (departed_.erase(player_id) != 0) {
      kept_.push_back({player_id, false, copy(encode_client_disconnects(player_id))});
    }
    keep_news(room_->info_of(member, room_->player_of(member)), MemberChange::joined);
    unknown_.erase(player_id);
  }
  for (const std::uint16_t id : departed_) {
    kept_.push_back({id, false, copy(encode_client_disconnects(id))});
  }
  departed_.clear();
  std::move(rpcs.begin(), rpcs.end(), std::back_inserter(kept_));
  pump();
}

void RemoteHost::disconnect() noexcept { connection_ = nullptr; }

bool RemoteHost::say(byte_view message) noexcept {
  if (connection_ == nullptr) return true;
  connection_->set_budget(news_budget_);
  const SendStatus status = connection_->send({message});
  connection_->set_budget(rpc_budget_);
  return status != SendStatus::over_budget;  // one that is closed is about to be lost
}

void RemoteHost::pump() {
  while (!kept_.empty() && connection_ != nullptr) {
    const Kept& next = kept_.front();
    const bool taken = next.is_rpc ? connection_->send({next.message}) != SendStatus::over_budget
                                   : say(next.message);
    if (!taken) return;  // `on_writable` follows
    if (next.is_rpc) {
      ++room_->context_.stats->rpcs;
      Quota& quota = quotas_[next.player_id];
      quota.bytes -= static_cast<std::uint32_t>(next.message.size());
      if (--quota.messages == 0) quotas_.erase(next.player_id);
    }
    kept_.pop_front();
  }
}

std::vector<std::vector<std::byte>> RemoteHost::news(const PlayerInfo& player,
                                                     MemberChange change) const {
  std::vector<std::vector<std::byte>> messages;
  if (hears_members()) {
    append_member_event(messages.emplace_back(), event_of(player, change));
  }
  if (player.is_spectator) return messages;
  switch (change) {
    case MemberChange::joined:
    case MemberChange::back:
      messages.push_back(copy(encode_new_client(player.id)));
      break;
    case MemberChange::away:
    case MemberChange::left:
    case MemberChange::kicked:
      messages.push_back(copy(encode_client_disconnects(player.id)));
      break;
    case MemberChange::expired:  // that it is not there is no news
      break;
  }
  return messages;
}

void RemoteHost::keep_news(const PlayerInfo& player, MemberChange change) {
  for (auto& message : news(player, change)) {
    kept_.push_back({player.id, false, std::move(message)});
  }
}

// Tells it now, or behind what waits. False if the host cannot be told.
bool RemoteHost::announce(const PlayerInfo& player, MemberChange change) {
  if (!kept_.empty()) {
    if (kept_.size() >= max_kept) return false;
    keep_news(player, change);
    return true;
  }
  const auto messages = news(player, change);
  return std::all_of(messages.begin(), messages.end(),
                     [this](const auto& message) { return say(message); });
}

bool RemoteHost::on_admit(const PlayerInfo& player, std::string&, time_point) {
  return connection_ == nullptr || announce(player, MemberChange::joined);
}

void RemoteHost::on_join(const PlayerInfo& player, time_point) {
  if (connection_ == nullptr) {
    unknown_.insert(player.id);
  } else {
    unknown_.erase(player.id);
  }
}

void RemoteHost::on_back(const PlayerInfo& player, time_point) {
  if (connection_ == nullptr) {
    departed_.erase(player.id);
    return;
  }
  unknown_.erase(player.id);
  if (!announce(player, MemberChange::back)) room_->host_fell_behind();
}

void RemoteHost::on_depart(const PlayerInfo& player, Departure why, time_point) {
  forget_rpcs_of(player.id);
  if (connection_ == nullptr) {
    if (!unknown_.contains(player.id) && why != Departure::expired && !player.is_spectator) {
      departed_.insert(player.id);
    }
  } else if (!announce(player, change_of(why))) {
    // It would go on believing in a player who is gone.
    room_->host_fell_behind();
  }
}

// The host does not know the player any more, so it can do nothing with what that one sent.
void RemoteHost::forget_rpcs_of(std::uint16_t player_id) {
  if (quotas_.erase(player_id) == 0) return;
  std::erase_if(kept_, [&](const Kept& kept) {
    if (!kept.is_rpc || kept.player_id != player_id) return false;
    ++room_->context_.stats->rpcs_dropped;
    return true;
  });
}

void RemoteHost::on_rpc(const PlayerInfo& player, byte_view payload, time_point) {
  RoomStats& stats = *room_->context_.stats;
  const PlayerMessage header = server_rpc_header(player.id);
  if (connection_ != nullptr && kept_.empty()) {
    const std::array<byte_view, 2> parts{header, payload};
    if (connection_->send(parts, MessageKind::binary) == SendStatus::queued) {
      ++stats.rpcs;
    } else {
      // A flood of inputs must not end the room; a host that reads catches up.
      ++stats.rpcs_dropped;
    }
    return;
  }
  const RoomRules& rules = room_->rules_;
  Quota& quota = quotas_[player.id];
  const std::size_t size = header.size() + payload.size();
  if (quota.messages >= rules.max_away_rpcs || quota.bytes + size > rules.max_away_bytes) {
    ++stats.rpcs_dropped;
    if (quota.messages == 0) quotas_.erase(player.id);
    return;
  }
  ++quota.messages;
  quota.bytes += static_cast<std::uint32_t>(size);
  ++stats.rpcs_kept;
  Kept& kept = kept_.emplace_back(Kept{player.id, true, copy(header)});
  kept.message.insert(kept.message.end(), payload.begin(), payload.end());
}

}  // namespace muster::relay
