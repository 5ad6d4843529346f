// SPDX-License-Identifier: MIT
// Dialling, joining, losing, and what each of them leads to.
#include <muster/relay/membership.hpp>

#include <muster/outbox.hpp>
#include <muster/relay/join_request.hpp>
#include <muster/url.hpp>
#include <muster/utf8.hpp>

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

namespace muster::relay {

std::error_code validate(const MemberConfig& config, std::string& problem) {
  using namespace std::chrono_literals;
  const auto check = [&problem](bool good, std::string_view sentence) {
    if (!good && problem.empty()) problem = sentence;
  };
  const auto is_id = [](const std::string& id) {
    return id.size() <= 1024 && is_valid_utf8(as_bytes(id));
  };
  constexpr std::size_t largest = 64U << 20U;
  const Reconnect& reconnect = config.reconnect;
  problem.clear();
  check(parse_url(config.url).has_value(), "url must be a ws:// or wss:// URL");
  check(is_id(config.game_id), "game_id must be UTF-8 of at most 1024 bytes");
  check(is_id(config.room_id), "room_id must be UTF-8 of at most 1024 bytes");
  check(config.join_timeout >= 100ms && config.join_timeout <= 10min,
        "join_timeout must be between 100 ms and 10 min");
  check(config.close_timeout >= 0s && config.close_timeout <= 1min,
        "close_timeout must be between 0 and 1 min");
  check(reconnect.give_up_after >= 1s && reconnect.give_up_after <= 24h,
        "reconnect.give_up_after must be between 1 s and 24 h");
  check(Backoff::is_valid(reconnect.backoff), "reconnect.backoff is out of range");
  check(config.max_host_message >= 1024 && config.max_host_message <= largest,
        "max_host_message must be between 1 KiB and 64 MiB");
  check(config.max_client_message >= 64 && config.max_client_message <= largest,
        "max_client_message must be between 64 bytes and 64 MiB");
  check(config.max_away_actions <= 65536, "max_away_actions must be at most 65536");
  check(config.max_away_bytes <= largest, "max_away_bytes must be at most 64 MiB");
  check(is_valid(config.budget), "budget is out of range");
  // A message that never fits would wait for room for ever. 14 bytes: the largest frame header.
  const std::size_t room = std::size_t{config.budget.bytes} - config.budget.reserve_bytes;
  check(std::max(config.max_host_message, config.max_client_message) + 14 <= room,
        "budget.bytes must hold the largest message and the reserve");
  return problem.empty() ? std::error_code{} : make_error_code(errc::invalid_config);
}

Membership::Membership(const MemberConfig& config, Role role, Dialer& dialer, Outbox& outbox,
                       Entropy& entropy, Handler& handler)
    : config_(config),
      role_(role),
      dialer_(&dialer),
      outbox_(&outbox),
      handler_(&handler),
      backoff_(config.reconnect.backoff, entropy),
      token_(config.token) {}

std::size_t Membership::receive_limit() const noexcept {
  // The relay puts the sender's id into what a client sent.
  return role_ == Role::player ? config_.max_host_message
                               : config_.max_client_message + client_id_size;
}

std::error_code Membership::start(time_point now) {
  if (state_ != State::idle) return errc::wrong_state;
  if (!is_valid_utf8(as_bytes(config_.game_id)) || !is_valid_utf8(as_bytes(config_.room_id))) {
    return errc::bad_utf8;
  }
  give_up_at_ = now + config_.reconnect.give_up_after;
  dial(now);
  return {};
}

void Membership::dial(time_point now) {
  const JoinRequest request{.game_id = config_.game_id,
                            .room_id = config_.room_id,
                            .rule_variation = config_.rule_variation,
                            .create_room = role_ == Role::host && !token_,
                            .reconnect_token = token_,
                            .trailer = {}};
  if (result<std::vector<std::byte>> encoded = encode_join_request(request); encoded) {
    request_ = *std::move(encoded);
  }
  state_ = State::connecting;
  deadline_ = now + config_.join_timeout;
  ++attempts_;
  ++stats_.dials;
  connection_ = dialer_->dial({.url = config_.url}, *this);
}

void Membership::on_open(Connection& connection, time_point) {
  if (connection.id() != connection_ || state_ != State::connecting) return;
  connection.limit_receive(receive_limit());
  connection.set_budget(config_.budget);
  state_ = State::joining;
  // The first message of a connection: it fits. If the transport broke meanwhile, `on_close`
  // follows.
  connection.send({request_});
}

void Membership::on_message(Connection& connection, const Message& message, time_point now) {
  if (connection.id() != connection_) return;
  if (state_ != State::joining && state_ != State::joined) return;
  if (message.kind == MessageKind::text) {
    ++stats_.texts_ignored;
    return;
  }
  const byte_view bytes = message.bytes;
  if (bytes.size() > receive_limit()) {
    ++stats_.malformed;
    break_off(connection, Parting::protocol_error, CloseReason::too_large, 1009,
              "message above the limit");
  } else if (state_ == State::joining) {
    take_reply(connection, bytes, now);
  } else if (result<std::string> text = decode_server_error(bytes); text) {
    hear_last_words(*std::move(text), now);
  } else if (bytes.empty()) {
    reject(connection, "empty message");
  } else if (!received(bytes, now)) {
    reject(connection, "malformed message");
  }
}

void Membership::take_reply(Connection& connection, byte_view message, time_point now) {
  result<HandshakeReply> reply = decode_handshake_reply(message);
  if (!reply) return reject(connection, "malformed handshake response");
  if (auto* const refusal = std::get_if<HandshakeRefusal>(&reply->outcome); refusal != nullptr) {
    return hear_last_words(std::move(refusal->text), now);
  }
  const auto& response = std::get<HandshakeResponse>(reply->outcome);
  const bool again = token_.has_value();
  if (response.is_host() != (role_ == Role::host)) {
    return reject(connection, "welcomed in another role");
  }
  if (again && player_id_ && *player_id_ != response.player_id) {
    return reject(connection, "welcomed as another player");
  }
  state_ = State::joined;
  deadline_ = give_up_at_ = no_deadline;
  knew_room_ = true;
  attempts_ = 0;
  token_ = response.token;
  player_id_ = response.player_id;
  ++stats_.welcomes;
  backoff_.went_up(now);
  welcomed(response, again, now);
}

// The relay closes after its last words. How it closes may say more, so it gets a moment to do so.
void Membership::hear_last_words(std::string text, time_point now) {
  last_words_ = std::move(text);
  state_ = State::closing;
  deadline_ = now + config_.close_timeout;
}

void Membership::reject(Connection& connection, std::string_view text) {
  ++stats_.malformed;
  break_off(connection, Parting::protocol_error, CloseReason::protocol_error, 1002, text);
}

// Closes from this side; `on_close` follows, and then the verdict counts.
void Membership::break_off(Connection& connection, Parting verdict, CloseReason reason,
                           std::uint16_t code, std::string_view text) {
  verdict_ = verdict;
  last_words_ = text;
  state_ = State::closing;
  deadline_ = no_deadline;
  connection.close(reason, code, text);
}

void Membership::on_writable(Connection& connection, time_point now) {
  if (connection.id() == connection_ && state_ == State::joined) writable(now);
}

void Membership::on_close(Connection& connection, const CloseInfo& info, time_point now) {
  if (connection.id() != connection_) return;
  connection_ = {};
  const std::string last_words = std::exchange(last_words_, {});
  const Parting parting =
      verdict_ ? *verdict_ : parting_of(last_words, info, std::exchange(knew_room_, false));
  verdict_.reset();
  knew_room_ = false;
  backoff_.went_down(now);
  ++stats_.losses;
  lost(parting, last_words.empty() ? info.text : std::string_view{last_words}, now);
}

void Membership::lost(Parting parting, std::string_view text, time_point now) {
  const Reconnect& policy = config_.reconnect;
  if (!is_passing(parting) || !policy.enabled) return end(parting, text, now);
  if (give_up_at_ == no_deadline) give_up_at_ = now + policy.give_up_after;
  const bool is_last = policy.max_attempts != 0 && attempts_ >= policy.max_attempts;
  if (is_last || now >= give_up_at_) return end(Parting::gave_up, text, now);
  state_ = State::away;
  deadline_ = std::min(now + backoff_.next(), give_up_at_);  // the last attempt is not left out
  parted(false);
  handler_->on_away(parting, text, deadline_, now);
}

void Membership::end(Parting parting, std::string_view text, time_point now) {
  state_ = State::ended;
  deadline_ = no_deadline;
  parted(true);
  handler_->on_end(parting, text, now);
}

void Membership::depart(time_point now) {
  Connection* const connection = outbox_->find(connection_);
  if (state_ == State::ended) return;
  if (connection == nullptr) return end(Parting::left, {}, now);
  const std::array goodbye{role_ == Role::host
                               ? static_cast<std::byte>(FromHost::server_disconnects)
                               : static_cast<std::byte>(FromClient::client_disconnects_self)};
  if (!verdict_ || is_passing(*verdict_)) verdict_ = Parting::left;
  const bool says_goodbye = state_ == State::joined;
  state_ = State::closing;
  deadline_ = no_deadline;
  last_words_.clear();
  connection->close(CloseReason::finished, 1000, {}, says_goodbye ? Message{goodbye} : Message{});
}

void Membership::on_drain(time_point now) { depart(now); }

void Membership::advance(time_point now) {
  if (deadline_ > now) return;
  deadline_ = no_deadline;
  Connection* const connection = outbox_->find(connection_);
  switch (state_) {
    case State::connecting:
    case State::joining:
      if (connection != nullptr) {
        break_off(*connection, Parting::timed_out, CloseReason::timed_out, 1008,
                  "no welcome in time");
      }
      return;
    case State::closing:
      if (connection != nullptr) connection->close(CloseReason::finished, 1000);
      return;
    case State::away:
      dial(now);
      return;
    case State::idle:
    case State::joined:
    case State::ended:
      return;
  }
}

time_point Membership::next_deadline() const noexcept { return deadline_; }

Connection* Membership::link() const noexcept {
  return state_ == State::joined ? outbox_->find(connection_) : nullptr;
}

SendStatus Membership::send(std::uint8_t id, byte_view payload) noexcept {
  Connection* const connection = link();
  if (connection == nullptr) return SendStatus::closed;
  const std::array head{static_cast<std::byte>(id)};
  const std::array<byte_view, 2> parts{head, payload};
  const SendStatus status = connection->send(parts, MessageKind::binary);
  if (status == SendStatus::queued) ++stats_.messages_sent;
  if (status == SendStatus::over_budget) ++stats_.sends_refused;
  return status;
}

}  // namespace muster::relay
