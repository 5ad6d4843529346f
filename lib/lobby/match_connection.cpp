// SPDX-License-Identifier: MIT
// A match's connections: the handshake, losing one, dialling the next, and the end.
#include "client_frame.hpp"
#include "match.hpp"

#include <muster/lobby/token.hpp>

#include <algorithm>
#include <utility>

namespace muster::lobby {

void Match::start(time_point now) {
  const Visit visit{*this};
  call(Attach{info_});
  if (!has_ended()) dial(now);
}

void Match::cancel(time_point now) {
  const Visit visit{*this};
  finish(Outcome::cancelled, {}, 1001, now);
}

void Match::dial(time_point now) {
  const Config& config = host_.config;
  state_ = State::dialling;
  deadline_ = now + config.connect_timeout;
  ++host_.stats.gateway_dials;
  ++serial_;
  DialRequest request;
  request.url = url_;
  request.subprotocols = {std::string{token_subprotocol}, std::string{config.token.reveal()}};
  request.headers = {{"User-Agent", config.user_agent}};
  connection_ = host_.dialer.dial(request, *this);
  wipe(request.subprotocols.back());
  ++connections_;
}

void Match::on_open(Connection& connection, time_point now) {
  if (connection.id() != connection_ || state_ != State::dialling) return;
  const Visit visit{*this};
  const std::string_view chosen = connection.subprotocol();
  if (chosen.empty() && host_.config.strict_subprotocol) {
    emit(EventKind::subprotocol_not_echoed, now);
    return drop(CloseReason::protocol_error, 1002, "no subprotocol", now);
  }
  if (!chosen.empty() && chosen != token_subprotocol) {
    // The token is in a header of the answer now, and each further dial would put it there again.
    emit(EventKind::subprotocol_wrong, now);
    return finish(Outcome::refused, "subprotocol_wrong", 1002, now);
  }
  connection.limit_receive(host_.config.max_frame);
  connection.set_budget(host_.config.budget);
  state_ = State::handshaking;
  deadline_ = now + host_.config.handshake_timeout;
  error_code_.clear();
  last_seq_ = 0;
  malformed_in_a_row_ = 0;
  has_progressed_ = false;
  write(gateway_authenticate(info_.match_id));
}

void Match::take_greeting(std::string_view type, time_point now) {
  if (type == "hello") return take_hello(now);
  if (type == "error") {  // its close follows, and says what it means
    error_code_ = frame_.text("code").value_or("error");
    emit(EventKind::error_frame, now, error_code_);
    return;
  }
  emit(EventKind::protocol_error, now, type);
  if (++protocol_errors_ > 1) return finish(Outcome::refused, "protocol_error", 1002, now);
  drop(CloseReason::protocol_error, 1002, "a hello was expected", now);
}

bool Match::is_version_ours() const {
  if (frame_.member("selected_version") != nullptr) {
    return frame_.text("selected_version") == protocol_version;
  }
  const auto versions = frame_.texts("supported_versions");
  return versions &&
         std::find(versions->begin(), versions->end(), protocol_version) != versions->end();
}

void Match::take_hello(time_point now) {
  if (!is_version_ours()) return finish(Outcome::refused, "protocol_mismatch", 1002, now);
  const auto capabilities = frame_.texts("capabilities");
  can_resume_ = capabilities && std::find(capabilities->begin(), capabilities->end(),
                                          "reconnect") != capabilities->end();
  state_ = State::playing;
  deadline_ = no_deadline;
  dropped_.reset();
  write(gateway_hello(info_.match_id, host_.config));
  if (!std::exchange(has_played_, true)) return emit(EventKind::match_started, now);
  ++result_.reconnects;
  is_resuming_ = true;
  emit(EventKind::match_resumed, now, {}, result_.reconnects);
}

void Match::on_close(Connection& connection, const CloseInfo& info, time_point now) {
  --connections_;
  const Visit visit{*this};
  if (connection.id() == connection_) {
    connection_ = {};
    if (state_ == State::dialling) {
      const bool was_refused = info.reason == CloseReason::refused;
      emit(was_refused ? EventKind::handshake_failed : EventKind::connect_failed, now, info.text,
           info.code);
      retry(false, now);
    } else if (info.reason == CloseReason::too_large) {
      emit(EventKind::frame_too_large, now);
      retry(false, now);
    } else {
      if (state_ == State::handshaking) {
        emit(EventKind::closed_before_hello, now, info.text, info.code);
      }
      if (info.by_peer) result_.close_code = info.code;
      conclude(info.by_peer ? info.code : std::uint16_t{0}, now);
    }
  }
  if (is_gone()) host_.ended(*this, now);
}

// The gateway is gone, with this close code or none.
void Match::conclude(std::uint16_t code, time_point now) {
  using Next = GatewayVerdict::Next;
  // An error in place of a hello is a refusal, however it closes.
  if (state_ == State::handshaking && !error_code_.empty()) {
    const GatewayVerdict verdict = judge_gateway_close(code, error_code_, false);
    const bool is_abandoned = verdict.next == Next::end && verdict.outcome == Outcome::abandoned;
    return finish(is_abandoned ? Outcome::abandoned : Outcome::refused, error_code_, 1000, now);
  }
  const bool is_second = once_ != 0;
  const GatewayVerdict verdict = judge_gateway_close(code, error_code_, once_ == 1000);
  if (verdict.next == Next::end || (verdict.next == Next::redial_once && is_second)) {
    return finish(verdict.outcome, verdict.reason, 1000, now);
  }
  if (verdict.next == Next::redial_once) once_ = code;
  if (state_ == State::playing) emit(EventKind::match_dropped, now, {}, code);
  retry(verdict.next == Next::redial_late, now);
}

// Gives up the present connection.
void Match::leave(CloseReason reason, std::uint16_t code) {
  Connection* const open = connection();
  connection_ = {};
  if (open != nullptr) open->close(reason, code);
}

void Match::drop(CloseReason reason, std::uint16_t code, std::string_view text, time_point now) {
  if (state_ == State::playing) emit(EventKind::match_dropped, now, text, code);
  leave(reason, code);
  retry(false, now);
}

void Match::retry(bool late, time_point now) {
  const Config& config = host_.config;
  waiting_.clear();  // the server asks again for what it still wants
  if (turn_) turn_->deadline = no_deadline;
  if (has_played_ && !can_resume_) return finish(Outcome::abandoned, "not_resumable", 1000, now);
  if (has_played_ && !dropped_) dropped_ = now;
  if (std::exchange(has_progressed_, false)) {
    attempts_ = 0;
    once_ = 0;
  }
  const std::uint32_t budget = config.server_reconnect_budget;
  if (budget != 0 && result_.reconnects >= budget) {
    return finish(Outcome::abandoned, "server_budget", 1000, now);
  }
  if (attempts_ >= config.retry.max_reconnect_attempts) {
    return finish(Outcome::abandoned, "budget", 1000, now);
  }
  ++attempts_;
  duration delay = late ? config.retry.max_backoff : config.retry.draw(attempts_, host_.entropy);
  if (dropped_) {
    const duration left = *dropped_ + config.reconnect_grace - now;
    if (left <= duration::zero()) return finish(Outcome::abandoned, "grace", 1000, now);
    delay = std::min(delay, left);
  }
  state_ = State::backoff;
  deadline_ = now + delay;
}

void Match::finish(Outcome outcome, std::string_view reason, std::uint16_t code, time_point now) {
  if (has_ended()) return;
  state_ = State::ended;
  deadline_ = no_deadline;
  waiting_.clear();
  turn_.reset();
  result_.outcome = outcome;
  result_.reason = reason;
  result_.ended = now;
  leave(code == 1002 ? CloseReason::protocol_error : CloseReason::finished, code);
  host_.ended(*this, now);
}

void Match::advance(time_point now) {
  const Visit visit{*this};
  if (deadline_ <= now) {
    switch (state_) {
      case State::backoff:
        dial(now);
        break;
      case State::dialling:
        emit(EventKind::connect_failed, now, "timeout");
        drop(CloseReason::timed_out, 1001, "connect timeout", now);
        break;
      case State::handshaking:
        emit(EventKind::closed_before_hello, now, "timeout");
        leave(CloseReason::timed_out, 1001);
        conclude(0, now);
        break;
      default:
        break;
    }
  }
  if (turn_ && turn_->deadline <= now) {
    emit(EventKind::turn_deadline_fallback, now);
    settle(host_.owner.fallback(turn_->legal), false, now);
  }
  send_waiting(now);
}

time_point Match::next_deadline() const noexcept {
  time_point next = deadline_;
  if (turn_) next = std::min(next, turn_->deadline);
  if (!waiting_.empty() && state_ == State::playing) {
    next = std::min(next, sent_.front() + std::chrono::seconds{1});
  }
  return next;
}

}  // namespace muster::lobby
