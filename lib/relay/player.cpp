// SPDX-License-Identifier: MIT
// Actions out, states and deltas in.
#include <muster/relay/player.hpp>

namespace muster::relay {

namespace {

constexpr auto rpc_id = static_cast<std::uint8_t>(FromClient::server_rpc);

}  // namespace

Player::Player(const Config& config, Dialer& dialer, Outbox& outbox, Entropy& entropy,
               Handler& handler)
    : Membership(config, Role::player, dialer, outbox, entropy, handler), handler_(&handler) {}

std::error_code Player::send_action(byte_view payload) {
  if (state() == State::idle) return errc::wrong_state;
  if (is_over()) return errc::closed;
  if (payload.size() + message_id_size > config().max_client_message) return errc::too_large;
  if (!kept_.empty() || !is_joined()) return keep(payload);
  switch (send(rpc_id, payload)) {
    case SendStatus::queued:
      ++counts_.actions;
      return {};
    case SendStatus::over_budget:
      ++counts_.actions_refused;
      return errc::over_budget;
    case SendStatus::closed:
      break;  // lost, and not told yet
  }
  return keep(payload);
}

std::error_code Player::keep(byte_view payload) {
  if (kept_.size() >= config().max_away_actions ||
      payload.size() > config().max_away_bytes - kept_bytes_) {
    ++counts_.actions_refused;
    return errc::over_budget;
  }
  kept_.emplace_back(payload.begin(), payload.end());
  kept_bytes_ += payload.size();
  ++counts_.actions;
  return {};
}

// What does not fit stays, until there is room or another connection.
void Player::send_kept() {
  while (!kept_.empty() && send(rpc_id, kept_.front()) == SendStatus::queued) {
    kept_bytes_ -= kept_.front().size();
    kept_.pop_front();
  }
}

void Player::welcomed(const HandshakeResponse& response, bool again, time_point now) {
  is_synced_ = false;
  send_kept();
  handler_->on_joined(response, again, now);
}

bool Player::received(byte_view message, time_point now) {
  const result<ToClient> id = read_to_client(message);
  if (!id) return false;
  const byte_view payload = message.subspan(message_id_size);
  switch (*id) {
    case ToClient::delta_update:
      if (!is_synced_) {
        ++counts_.deltas_unsynced;
      } else {
        handler_->on_delta(payload, now);
      }
      return true;
    case ToClient::full_update:
      is_synced_ = true;
      handler_->on_full(payload, now);
      return true;
    case ToClient::reset:
      is_synced_ = true;
      handler_->on_reset(payload, now);
      return true;
    case ToClient::server_error:
    case ToClient::handshake_response:
      break;  // the first is heard elsewhere
  }
  return false;
}

void Player::writable(time_point) { send_kept(); }

void Player::parted(bool is_final) {
  is_synced_ = false;
  if (!is_final) return;
  kept_.clear();
  kept_bytes_ = 0;
}

Player::Stats Player::stats() const noexcept {
  Stats stats = counts_;
  static_cast<Membership::Stats&>(stats) = link_stats();
  return stats;
}

}  // namespace muster::relay
