// SPDX-License-Identifier: MIT
// Actions out, states and deltas in.
#include <muster/relay/player.hpp>

#include <chrono>
#include <variant>

namespace muster::relay {

namespace {

constexpr auto rpc_id = static_cast<std::uint8_t>(FromClient::server_rpc);

}  // namespace

Player::Player(const Config& config, Dialer& dialer, Outbox& outbox, Entropy& entropy,
               Handler& handler)
    : Membership(config, Role::player, dialer, outbox, entropy, handler), handler_(&handler) {}

std::error_code Player::send_action(byte_view payload) {
  if (state() == State::idle) return errc::wrong_state;
  if (config().extension && config().extension->is_spectator) return errc::wrong_state;
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

void Player::welcomed(const HandshakeResponse& response, bool again, bool continues,
                      time_point now) {
  is_synced_ = continues;
  has_accepted_ = false;
  state_number_ = continues ? known_sequence() : std::nullopt;
  changes_since_ = 0;
  send_kept();
  handler_->on_joined(response, again, now);
}

bool Player::received(byte_view message, time_point now) {
  if (const auto extended = read_extended(message)) {
    return received_extended(*extended, message, now);
  }
  const result<ToClient> id = read_to_client(message);
  if (!id) return false;
  const byte_view payload = message.subspan(message_id_size);
  switch (*id) {
    case ToClient::delta_update:
      if (!is_synced_) {
        ++counts_.deltas_unsynced;
      } else {
        ++changes_since_;
        handler_->on_delta(payload, now);
      }
      return true;
    case ToClient::full_update:
      took_state(false);
      handler_->on_full(payload, now);
      return true;
    case ToClient::reset:
      took_state(true);
      handler_->on_reset(payload, now);
      return true;
    case ToClient::handshake_response:
      return take_place(message, now);
    case ToClient::server_error:
      break;  // heard elsewhere
  }
  return false;
}

// A reset is a change itself. Whatever else brings a state, its number is not known before the
// relay says it.
void Player::took_state(bool is_change) noexcept {
  const std::optional<std::uint64_t> last = known_sequence();
  state_number_.reset();
  if (is_synced_ && is_change && last) state_number_ = *last + 1;
  changes_since_ = 0;
  is_synced_ = true;
}

std::optional<std::uint64_t> Player::known_sequence() const noexcept {
  if (!state_number_) return std::nullopt;
  return *state_number_ + changes_since_;
}

bool Player::received_extended(Extended id, byte_view message, time_point now) {
  const auto may = [this](Capability capability) { return has(capabilities(), capability); };
  switch (id) {
    case Extended::targeted:
      if (!may(Capability::targeted)) return false;
      handler_->on_targeted(message.subspan(message_id_size), now);
      return true;
    case Extended::member_event:
      if (!may(Capability::member_events)) return false;
      if (const auto events = decode_member_events(message)) {
        for (const MemberEvent& event : *events) {
          if (is_joined()) handler_->on_member(event, now);
        }
        return true;
      }
      return false;
    case Extended::host_state:
      if (!may(Capability::host_state)) return false;
      if (const auto state = decode_host_state(message)) {
        handler_->on_host_state(*state, now);
        return true;
      }
      return false;
    case Extended::room_info:
      if (!may(Capability::room_info)) return false;
      if (const auto info = decode_room_info(message)) {
        handler_->on_room_info(*info, now);
        return true;
      }
      return false;
    case Extended::state_sequence:
      if (!may(Capability::sequence)) return false;
      if (const auto sequence = decode_state_sequence(message)) {
        state_number_ = *sequence;
        return true;
      }
      return false;
    case Extended::host_offer:
      return may(Capability::may_host) && take_offer(message, now);
    case Extended::challenge:
    case Extended::ban:
      break;
  }
  return false;
}

bool Player::take_offer(byte_view message, time_point now) {
  const result<std::uint32_t> remaining = decode_host_offer(message);
  if (!remaining) return false;
  const bool accepts = handler_->on_host_offer(std::chrono::milliseconds{*remaining}, now);
  if (!accepts || !is_joined()) return true;
  // If it is refused, the relay passes over this player, as over one that does not answer.
  const SendStatus status = send(static_cast<std::uint8_t>(Extended::host_accept), {});
  has_accepted_ = has_accepted_ || status == SendStatus::queued;
  return true;
}

// A second response makes a player the host, if it wanted to be.
bool Player::take_place(byte_view message, time_point now) {
  if (!has_accepted_) return false;
  const result<HandshakeReply> reply = decode_handshake_reply(message);
  if (!reply) return false;
  const auto* const response = std::get_if<HandshakeResponse>(&reply->outcome);
  if (response == nullptr || !response->is_host()) return false;
  promote(response->token, now);
  handler_->on_promoted(response->token, now);
  return true;
}

void Player::writable(time_point) { send_kept(); }

void Player::parted(bool is_final) {
  is_synced_ = false;
  has_accepted_ = false;
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
