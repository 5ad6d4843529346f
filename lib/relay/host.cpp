// SPDX-License-Identifier: MIT
// The members, the timers, and what leaves at the end of a turn.
#include <muster/relay/host.hpp>

#include <algorithm>
#include <utility>

namespace muster::relay {

Host::Host(const Config& config, Dialer& dialer, Outbox& outbox, Entropy& entropy, Handler& handler)
    : Membership(config, Role::host, dialer, outbox, entropy, handler), handler_(&handler) {}

// What the game says.

std::error_code Host::delta(byte_view changes) {
  if (is_over()) return errc::closed;
  if (changes.empty()) return errc::bad_value;
  const std::size_t most = config().max_host_message - message_id_size;
  if (changes.size() > most) return errc::too_large;
  if (!is_joined() || blocked_) return {};  // the state that follows has it
  if (deltas_.size() + changes.size() > most) return errc::over_budget;
  deltas_.insert(deltas_.end(), changes.begin(), changes.end());
  return {};
}

std::error_code Host::reset(byte_view state) {
  if (is_over()) return errc::closed;
  if (state.size() + message_id_size > config().max_host_message) return errc::too_large;
  if (!is_joined() || blocked_) return {};
  deltas_.clear();
  reset_.emplace(state.begin(), state.end());
  return {};
}

std::error_code Host::kick(std::uint16_t id) {
  if (is_over()) return errc::closed;
  if (!members_.contains(id) && !spectators_.contains(id)) return errc::not_found;
  kicks_.insert(id);
  return {};
}

std::error_code Host::send_to(std::span<const std::uint16_t> players, byte_view payload) {
  return target(false, players, payload);
}

std::error_code Host::send_to_all_but(std::span<const std::uint16_t> players, byte_view payload) {
  return target(true, players, payload);
}

std::error_code Host::target(bool all_but, std::span<const std::uint16_t> players,
                             byte_view payload) {
  constexpr std::size_t most_players = 65535;  // a count of two bytes
  constexpr std::size_t header_size = 4;
  if (is_over()) return errc::closed;
  if (players.size() > most_players) return errc::too_large;
  const std::size_t size = header_size + 2 * players.size() + payload.size();
  if (size > config().max_host_message) return errc::too_large;
  if (!has(capabilities(), Capability::targeted) || !is_joined()) return errc::wrong_state;
  if (!all_but && players.empty()) return {};
  if (blocked_ || targeted_.size() >= config().budget.frames ||
      size > config().budget.bytes - targeted_bytes_) {
    return errc::over_budget;
  }
  std::vector<std::byte> message = targeted_header(all_but, players);
  message.erase(message.begin());  // the id, which `send` puts in front
  message.insert(message.end(), payload.begin(), payload.end());
  targeted_.push_back(std::move(message));
  targeted_bytes_ += size;
  return {};
}

std::error_code Host::set_info(bool is_open, bool is_listed, byte_view metadata) {
  if (is_over()) return errc::closed;
  if (metadata.size() > max_metadata_size) return errc::too_large;
  if (is_joined() && !has(capabilities(), Capability::room_info)) return errc::wrong_state;
  info_ = encode_room_info({is_open, is_listed, metadata});
  return {};
}

std::error_code Host::ban(std::uint16_t id, BanScope scope) {
  if (is_over()) return errc::closed;
  if (id == host_player_id) return errc::bad_value;
  if (is_joined() && !is_extended()) return errc::wrong_state;
  std::uint8_t& scopes = bans_[id];
  scopes = static_cast<std::uint8_t>(scopes | static_cast<std::uint8_t>(scope));
  return {};
}

// What the relay says.

void Host::welcomed(const HandshakeResponse& response, bool again, bool, time_point now) {
  last_now_ = now;
  resync_ = again;
  spectators_.clear();  // those who are there are announced now
  if (!is_extended()) bans_.clear();
  if (!has(capabilities(), Capability::room_info)) info_.reset();
  handler_->on_created(response, again, now);
}

bool Host::received(byte_view message, time_point now) {
  last_now_ = now;
  if (const auto extended = read_extended(message)) {
    return *extended == Extended::member_event && received_members(message, now);
  }
  const result<ToHost> kind = read_to_host(message);
  const result<std::uint16_t> id = read_player_id(message);
  if (!kind || !id) return false;
  switch (*kind) {
    case ToHost::new_client:
      if (*id == host_player_id) return false;
      arrive(*id, now);
      return true;
    case ToHost::client_disconnects:
      depart_player(*id, now);
      return true;
    case ToHost::server_rpc:
      if (members_.contains(*id)) {
        ++counts_.rpcs;
        handler_->on_rpc(*id, message.subspan(player_message_size), now);
      } else {
        ++counts_.rpcs_of_strangers;
      }
      return true;
    case ToHost::server_error:
    case ToHost::handshake_response:
      break;  // the first is heard elsewhere
  }
  return false;
}

bool Host::received_members(byte_view message, time_point now) {
  if (!has(capabilities(), Capability::member_events)) return false;
  const result<std::vector<MemberEvent>> events = decode_member_events(message);
  if (!events) return false;
  for (const MemberEvent& event : *events) {
    if (!is_joined()) break;
    if ((event.flags & spectator_flag) != 0) take_spectator(event);
    handler_->on_member(event, now);
  }
  return true;
}

// There is no NEW_CLIENT for a spectator, but it needs the state as a player does.
void Host::take_spectator(const MemberEvent& event) {
  const std::uint16_t id = event.player_id;
  if (event.change == MemberChange::joined || event.change == MemberChange::back) {
    spectators_.insert(id);
    newcomers_.insert(id);
  } else {
    spectators_.erase(id);
    newcomers_.erase(id);
    kicks_.erase(id);
  }
}

// Said again of somebody who is there, it means that a player came back and needs the state.
void Host::arrive(std::uint16_t id, time_point now) {
  newcomers_.insert(id);
  if (members_.insert(id).second) {
    handler_->on_arrival(id, now);
  } else {
    ++counts_.news_repeated;
  }
}

void Host::depart_player(std::uint16_t id, time_point now) {
  newcomers_.erase(id);
  kicks_.erase(id);
  if (members_.erase(id) != 0) {
    handler_->on_departure(id, now);
  } else {
    ++counts_.news_repeated;
  }
}

void Host::writable(time_point now) {
  last_now_ = now;
  blocked_ = false;
}

void Host::parted(bool is_final) {
  forget_turn();
  blocked_ = false;
  if (!is_final) return;
  kicks_.clear();
  bans_.clear();
  info_.reset();
  timers_.clear();
  due_.clear();
}

// The end of a turn.

bool Host::has_to_speak() const noexcept {
  if (!is_joined() || blocked_) return false;
  if (!deltas_.empty() || reset_ || !newcomers_.empty() || !kicks_.empty()) return true;
  if (!targeted_.empty() || !bans_.empty() || info_) return true;
  return resync_ && has_audience();
}

void Host::end_turn(time_point now) {
  last_now_ = now;
  if (!has_to_speak() || !send_kicks() || !send_info()) return;
  if (!has_audience()) return forget_turn();
  send_to_audience();
  send_targeted();
}

void Host::send_to_audience() {
  if (resync_) {
    newcomers_.clear();
    deltas_.clear();
    reset_.reset();
    if (send_state(FromHost::reset, handler_->full_state())) {
      resync_ = false;
      ++counts_.resyncs;
    }
    return;
  }
  const std::vector<std::byte> deltas = std::exchange(deltas_, {});
  const auto reset = std::exchange(reset_, {});
  const bool needs_state = !std::exchange(newcomers_, {}).empty() && !reset;
  if (reset && !send_state(FromHost::reset, *reset)) return;
  if (!deltas.empty()) {
    if (!say(FromHost::delta_update, deltas)) return;
    ++counts_.deltas;
  }
  if (needs_state) send_state(FromHost::full_update, handler_->full_state());
}

bool Host::send_kicks() {
  while (!kicks_.empty()) {
    const PlayerMessage kick = encode_client_gets_kicked(*kicks_.begin());
    if (!say(FromHost::client_gets_kicked, byte_view{kick}.subspan(message_id_size))) return false;
    kicks_.erase(kicks_.begin());
  }
  while (!bans_.empty()) {
    const auto [id, scopes] = *bans_.begin();
    const auto ban = encode_ban({id, scopes});
    if (!say(Extended::ban, byte_view{ban}.subspan(message_id_size))) return false;
    bans_.erase(bans_.begin());
  }
  return true;
}

bool Host::send_info() {
  if (!info_) return true;
  if (!say(Extended::room_info, byte_view{*info_}.subspan(message_id_size))) return false;
  info_.reset();
  return true;
}

// Last, so that a newcomer has the state before it. What does not fit is lost: it would be late.
void Host::send_targeted() {
  const std::vector<std::vector<std::byte>> messages = std::exchange(targeted_, {});
  targeted_bytes_ = 0;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (!say(Extended::targeted, messages[i])) {
      counts_.targeted_lost += messages.size() - i;
      return;
    }
    ++counts_.targeted;
  }
}

bool Host::send_state(FromHost id, byte_view state) {
  if (state.size() + message_id_size > config().max_host_message) {
    ++counts_.states_too_large;
    return true;  // it would be no smaller next time
  }
  if (!say(id, state)) return false;
  ++counts_.states;
  return true;
}

// False: the connection does not take it. Then everybody is told the whole state when it does.
template <class Id>
bool Host::say(Id id, byte_view payload) {
  const SendStatus status = send(static_cast<std::uint8_t>(id), payload);
  if (status == SendStatus::queued) return true;
  blocked_ = true;
  resync_ = true;
  forget_turn();
  return false;
}

void Host::forget_turn() noexcept {
  newcomers_.clear();
  deltas_.clear();
  reset_.reset();
  counts_.targeted_lost += targeted_.size();
  targeted_.clear();
  targeted_bytes_ = 0;
}

// Timers.

std::error_code Host::set_timer(std::uint16_t id, duration delay, time_point now) {
  if (is_over()) return errc::closed;
  if (delay < duration{0} || delay > max_timer_delay) return errc::bad_value;
  cancel_timer(id);
  const Due due{now + delay, next_sequence_++, id};
  timers_.emplace(id, due);
  due_.insert(due);
  return {};
}

bool Host::cancel_timer(std::uint16_t id) noexcept {
  const auto found = timers_.find(id);
  if (found == timers_.end()) return false;
  due_.erase(found->second);
  timers_.erase(found);
  return true;
}

// Those that are set meanwhile wait for the next pass, or a timer of no delay would never let go.
void Host::fire_timers(time_point now) {
  const std::uint64_t end = next_sequence_;
  while (!due_.empty() && due_.begin()->at <= now && due_.begin()->sequence < end) {
    const std::uint16_t id = due_.begin()->id;
    cancel_timer(id);
    handler_->on_timer(id, now);
  }
}

void Host::advance(time_point now) {
  last_now_ = now;
  Membership::advance(now);
  fire_timers(now);
  end_turn(now);
}

time_point Host::next_deadline() const noexcept {
  time_point next = Membership::next_deadline();
  if (!due_.empty()) next = std::min(next, due_.begin()->at);
  if (has_to_speak()) next = std::min(next, last_now_);
  return next;
}

Host::Stats Host::stats() const noexcept {
  Stats stats = counts_;
  static_cast<Membership::Stats&>(stats) = link_stats();
  return stats;
}

}  // namespace muster::relay
