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
  if (!members_.contains(id)) return errc::not_found;
  kicks_.insert(id);
  return {};
}

// What the relay says.

void Host::welcomed(const HandshakeResponse& response, bool again, time_point now) {
  last_now_ = now;
  resync_ = again;
  handler_->on_created(response, again, now);
}

bool Host::received(byte_view message, time_point now) {
  last_now_ = now;
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
  timers_.clear();
  due_.clear();
}

// The end of a turn.

bool Host::has_to_speak() const noexcept {
  if (!is_joined() || blocked_) return false;
  if (!deltas_.empty() || reset_ || !newcomers_.empty() || !kicks_.empty()) return true;
  return resync_ && !members_.empty();
}

void Host::end_turn(time_point now) {
  last_now_ = now;
  if (!has_to_speak() || !send_kicks()) return;
  if (members_.empty()) return forget_turn();
  if (resync_) {
    forget_turn();
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
  return true;
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
bool Host::say(FromHost id, byte_view payload) {
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
