// SPDX-License-Identifier: MIT
// A room's authority: a host behind a connection and its messages, its absence, its successors.
#include <muster/relay/hosted_room.hpp>

#include <muster/relay/host.hpp>

#include "remote_host.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace muster::relay {

namespace {

// How long a member has to accept the host's place, before the next one is asked.
constexpr duration offer_timeout = std::chrono::seconds{3};

std::uint32_t milliseconds_until(time_point deadline, time_point now) noexcept {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - now).count();
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(left, 0, 0xffffffff));
}

}  // namespace

bool HostedRoom::has_host() const noexcept {
  return remote_ != nullptr ? remote_->is_connected() : authority_ != nullptr;
}

// Messages of a host behind a connection.

void HostedRoom::receive_from_host(byte_view message) {
  if (const auto extended = read_extended(message); extended && player_of(*host_).is_extended) {
    receive_extended_from_host(*extended, message);
    return;
  }
  const result<FromHost> id = read_from_host(message);
  if (!id) {
    end_member(*host_, Ending::illegal_host_message);
    return;
  }
  switch (*id) {
    case FromHost::server_disconnects:
      end_member(*host_, Ending::host_left);
      return;
    case FromHost::client_gets_kicked:
      kick_for_host(message);
      return;
    case FromHost::delta_update:
    case FromHost::full_update:
    case FromHost::reset:
      update(*id, message.subspan(message_id_size));
      return;
  }
}

void HostedRoom::kick_for_host(byte_view message) {
  const result<std::uint16_t> id = read_player_id(message);
  // A host's mistake is the host's alone: no client is touched.
  if (!id || kick(*id)) ++context_.stats->kicks_ignored;
}

void HostedRoom::receive_extended_from_host(Extended id, byte_view message) {
  switch (id) {
    case Extended::targeted:
      if (const result<Targeted> targeted = decode_targeted(message)) {
        send_targeted(*targeted);
        return;
      }
      break;
    case Extended::room_info:
      if (const result<RoomInfo> info = decode_room_info(message)) {
        is_open_ = info->is_open;
        is_listed_ = info->is_listed;
        metadata_.assign(info->metadata.begin(), info->metadata.end());
        send_room_info();
        return;
      }
      break;
    case Extended::ban:
      if (const result<Ban> ban = decode_ban(message)) {
        if (kick(ban->player_id, ban->scopes)) ++context_.stats->kicks_ignored;
        return;
      }
      break;
    default:
      break;
  }
  end_member(*host_, Ending::illegal_host_message);
}

// Its presence.

// Makes a connection the host's, and everybody wait for its state.
void HostedRoom::seat_host(Connection& connection, std::uint64_t token, bool is_another) {
  const bool is_new = host_->generation == 0;
  remote_->disconnect();
  roster_.rejoin(*host_, connection);
  offer_.reset();
  cache_.drop();
  unsync_all();
  connection.limit_receive(context_.max_host_message);
  connection.set_budget(context_.host_budget);
  welcome(*host_, player_of(*host_), token, {});
  introduce(*host_);
  remote_->connect(connection);
  if (is_new) return;
  if (!is_another) tell_host_state({.presence = HostPresence::back});
  if (context_.observer != nullptr) context_.observer->on_host_back(facts(), is_another, now_);
}

void HostedRoom::lose_host() {
  const bool may_return = rules_.host_grace != duration{0} && has_token(*host_, player_of(*host_));
  remote_->disconnect();
  if (!may_return) {
    end_without_host();
    return;
  }
  --present_;
  ++context_.stats->hosts_lost;
  roster_.lose(*host_, now_ + rules_.host_grace);
  if (context_.observer != nullptr) context_.observer->on_host_away(facts(), now_);
  tell_host_state({.presence = HostPresence::away,
                   .remaining_ms = milliseconds_until(host_->absent_until, now_)});
  offered_up_to_ = 0;
  if (rules_.migrate_host) offer_host();
}

// The host's own end is decided, and counted, already.
void HostedRoom::end_without_host() {
  if (host_->is_present()) --present_;
  roster_.remove(*std::exchange(host_, nullptr), now_);
  end_all(Ending::host_gone);
}

// What the host must know does not fit into its budget.
void HostedRoom::host_fell_behind() { end_member(*host_, Ending::host_too_slow); }

void HostedRoom::tell_host_state(const HostState& state) {
  send_extended(Capability::host_state, encode_host_state(state));
}

// Another host.

// Asks the next member that can go on, in the order of their ids.
void HostedRoom::offer_host() {
  offer_.reset();
  auto& members = roster_.members();
  for (auto at = members.upper_bound(offered_up_to_); at != members.end(); ++at) {
    const Room::Member& member = at->second;
    if (!member.is_present() || member.is_spectator || member.connection->group() == &waiting() ||
        !has(player_of(member).capabilities, Capability::may_host)) {
      continue;
    }
    offered_up_to_ = member.id;
    const time_point deadline = std::min(now_ + offer_timeout, host_->absent_until);
    const auto message = encode_host_offer(milliseconds_until(deadline, now_));
    if (member.connection->send({message}) != SendStatus::queued) continue;
    offer_ = Offer{member.id, deadline};
    return;
  }
}

// Somebody came who may be able to go on.
void HostedRoom::offer_host_if_away() {
  if (rules_.migrate_host && !offer_ && host_ != nullptr && !host_->is_present()) offer_host();
}

void HostedRoom::accept_offer(Room::Member& member) {
  if (!offer_ || offer_->member_id != member.id) return;  // it came too late
  offer_.reset();
  ++context_.stats->hosts_changed;
  const auto former_id = static_cast<std::uint16_t>(member.id);
  Connection& connection = *member.connection;
  remote_->forget_rpcs_of(former_id);
  Players::node_type node = players_.extract(member.id);
  roster_.remove(member, now_);
  // Its player is gone, and lives on as the host: with its name, its account and a new token.
  players_.erase(host_player_id);
  node.key() = host_player_id;
  host_->data = &players_.insert(std::move(node)).position->second;
  const std::uint64_t token = context_.mint->draw();
  roster_.set_token(*host_, context_.mint->tag(token));
  seat_host(connection, token, true);
  tell_host_state({.presence = HostPresence::changed, .player_id = former_id});
}

void HostedRoom::attach(Authority& authority, time_point now) {
  now_ = now;
  const bool is_new = authority_ == nullptr;
  if (remote_ != nullptr) {
    remote_->disconnect();
    if (Connection* const connection = host_->connection) {
      end_connection(*connection, Ending::superseded, context_.stats->endings);
      --present_;
    }
    if (player_of(*host_).is_extended) --extended_;
    roster_.remove(*host_, now);
    players_.erase(host_player_id);
    host_ = nullptr;
    remote_.reset();
  } else if (authority_ != nullptr) {
    authority_->on_detached(now);
  }
  offer_.reset();
  cache_.drop();
  unsync_all();
  authority_ = &authority;
  needs_state_ = true;
  if (is_new) {
    if (context_.observer != nullptr) context_.observer->on_room_opened(facts(), nullptr, now);
  } else {
    ++context_.stats->hosts_changed;
    tell_host_state({.presence = HostPresence::changed});
    if (context_.observer != nullptr) context_.observer->on_host_back(facts(), true, now);
  }
  tell([&](Authority& to) { to.on_attached(*this, now_); });
  schedule();
}

result<std::uint64_t> HostedRoom::detach(time_point now) {
  if (remote_ != nullptr || is_over_) return errc::wrong_state;
  now_ = now;
  const std::uint64_t token = context_.mint->draw();
  host_ = &roster_.reserve(host_player_id, context_.mint->tag(token), now + rules_.host_grace);
  host_->data = &players_[host_player_id];
  timers_.clear();
  due_timers_.clear();
  remote_ = std::make_unique<RemoteHost>(*this);
  if (Authority* const former = std::exchange(authority_, remote_.get())) former->on_detached(now);
  cache_.drop();
  tell_host_state({.presence = HostPresence::away,
                   .remaining_ms = milliseconds_until(host_->absent_until, now)});
  schedule();
  return token;
}

// Timers of an authority in this process.

std::error_code HostedRoom::set_timer(std::uint16_t id, duration delay, time_point now) {
  if (remote_ != nullptr) return make_error_code(errc::wrong_state);
  if (delay < duration{0} || delay > Host::max_timer_delay) return make_error_code(errc::bad_value);
  cancel_timer(id);
  timers_[id] = now + delay;
  due_timers_.emplace(now + delay, id);
  schedule();
  return {};
}

bool HostedRoom::cancel_timer(std::uint16_t id) noexcept {
  const auto timer = timers_.find(id);
  if (timer == timers_.end()) return false;
  due_timers_.erase({timer->second, id});
  timers_.erase(timer);
  return true;
}

// One that a timer's call sets fires in a later pass: else two could keep each other going.
void HostedRoom::fire_timers() {
  std::vector<std::uint16_t> due;
  for (const auto& [when, id] : due_timers_) {
    if (when > now_) break;
    due.push_back(id);
  }
  for (const std::uint16_t id : due) {
    const auto timer = timers_.find(id);
    if (timer == timers_.end() || timer->second > now_) continue;
    cancel_timer(id);
    tell([&](Authority& authority) { authority.on_timer(id, now_); });
    if (is_over_) return;
  }
}

}  // namespace muster::relay
