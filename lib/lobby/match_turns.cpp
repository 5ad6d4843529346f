// SPDX-License-Identifier: MIT
// A match's turns: asking the handler, answering in time, and answering once.
#include "client_frame.hpp"
#include "match.hpp"

#include <algorithm>
#include <utility>

namespace muster::lobby {

namespace {

constexpr std::size_t max_request_id = 256;  // bytes of JSON: it must come back in a small message

// A request's id as it stands in the message; empty if it is none that can be sent back.
std::string_view request_id_of(const ServerFrame& frame) noexcept {
  const wire::JsonMember* const member = frame.member("request_id");
  if (member == nullptr || member->value.size() > max_request_id) return {};
  const bool is_id =
      member->kind == wire::JsonKind::string || member->kind == wire::JsonKind::number;
  return is_id ? as_text(member->value) : std::string_view{};
}

bool is_object(std::string_view json) noexcept {
  wire::JsonScanner scanner{as_bytes(json), ServerFrame::max_depth};
  if (scanner.kind() != wire::JsonKind::object) return false;
  scanner.finish();
  return scanner.ok();
}

// The handler's part of the time for a turn.
duration time_to_answer(duration whole, duration margin) noexcept {
  return std::max(whole - std::max(margin, whole / 10), whole / 2);
}

}  // namespace

void Match::take_turn_request(const ServerFrame& frame, std::int64_t seen, time_point now) {
  const std::string_view id = request_id_of(frame);
  if (id.empty()) return malformed(now, "turn_request without request_id");
  const std::int64_t seq = frame.number("seq").value_or(seen + 1);
  if (AnswerTable::Answer* const known = answers_.find(id)) {
    const bool is_new = known->connection != serial_ || seq > known->seq;
    if (!is_new) return;  // it came twice, and was answered here
    known->connection = serial_;
    known->seq = seq;
    known->is_over = false;
    return post({known->frame, known->request_id}, now);
  }
  std::optional<std::vector<std::string>> legal = frame.texts("valid_actions");
  if (!legal || legal->empty()) {
    expire_turn(now);
    return emit(EventKind::no_legal_action, now);
  }
  const duration time =
      time_to_answer(frame.time("timeout_ms").value_or(turn_time_), host_.config.turn_margin);
  if (turn_ && turn_->request_id == id) {  // it is being thought about: a drop lies in between
    turn_->seq = seq;
    turn_->deadline = now + time;
    return;
  }
  expire_turn(now);
  Turn turn;
  turn.request_id = id;
  turn.legal = std::move(*legal);
  turn.seat = frame.number("seat").value_or(-1);
  turn.seq = seq;
  ask(std::move(turn), frame, time, now);
}

void Match::ask(Turn turn, const ServerFrame& frame, duration time, time_point now) {
  turn.number = ++last_turn_;
  turn.asked = now;
  turn.deadline = now + time;
  TurnRequest request;
  request.turn = turn.number;
  request.request_id = turn.request_id;
  if (turn.seat >= 0) request.seat = turn.seat;
  request.legal = turn.legal;
  const wire::JsonMember* const state = frame.member("state");
  request.state = state == nullptr ? std::string_view{"null"} : as_text(state->value);
  request.time = time;
  turn_ = std::move(turn);
  call(std::move(request));
}

// The turn that the handler thinks about is over.
void Match::expire_turn(time_point now) {
  if (!turn_) return;
  turn_.reset();
  emit(EventKind::turn_expired, now);
}

void Match::take_rejection(time_point now) {
  AnswerTable::Answer* const known = answers_.find(request_id_of(frame_));
  if (known == nullptr || known->is_over) return;
  if (known->rejections >= host_.config.max_rejection_replies) {
    return emit(EventKind::rejection_unanswered, now);
  }
  ++known->rejections;
  if (auto legal = frame_.texts("valid_actions"); legal && !legal->empty()) {
    known->legal = std::move(*legal);
  }
  if (host_.config.retry_handler_on_reject && known->rejections == 1) {
    const auto left = frame_.number("remaining_ms");
    const duration time =
        std::chrono::milliseconds{std::clamp<std::int64_t>(left.value_or(1000), 1, 86'400'000)};
    Turn turn;
    turn.request_id = known->request_id;
    turn.legal = known->legal;
    turn.seat = known->seat;
    turn.seq = known->seq;
    turn.rejections = known->rejections;
    return ask(std::move(turn), frame_, time_to_answer(time, host_.config.turn_margin), now);
  }
  const Action action = host_.owner.fallback(known->legal);
  if (!is_sendable(action, now)) return;
  ++host_.stats.fallbacks;
  ++result_.fallbacks;
  known->frame = turn_action(info_.match_id, known->request_id, action);
  if (known->frame.size() <= max_client_frame) post({known->frame, known->request_id}, now);
}

void Match::answer(std::uint64_t turn, Action action, time_point now) {
  const Visit visit{*this};
  if (!turn_ || turn_->number != turn) {
    ++host_.stats.late_answers;
    return;
  }
  settle(std::move(action), true, now);
}

void Match::handler_failed(std::uint64_t turn, std::string_view what, time_point now) {
  const Visit visit{*this};
  emit(EventKind::handler_error, now, what);
  if (!host_.config.safe_mode) {
    finish(Outcome::failed, "handler", 1011, now);
    return host_.handler_failed(now);
  }
  if (turn_ && turn != 0 && turn_->number == turn) {
    settle(host_.owner.fallback(turn_->legal), false, now);
  }
}

bool Match::is_sendable(const Action& action, time_point now) {
  if (is_object(action.params)) return true;
  emit(EventKind::handler_error, now, "the parameters are no JSON object");
  return false;
}

// Answers the turn, with what the handler wishes or with the fallback.
void Match::settle(Action action, bool is_by_handler, time_point now) {
  const bool has_answered = is_by_handler;
  Turn turn = std::move(*turn_);
  turn_.reset();
  std::string frame;
  if (is_by_handler) {
    const bool is_legal =
        std::find(turn.legal.begin(), turn.legal.end(), action.action) != turn.legal.end();
    if (!is_legal) {
      emit(EventKind::illegal_action_replaced, now, action.action);
    } else if (is_sendable(action, now)) {
      frame = turn_action(info_.match_id, turn.request_id, action);
      if (frame.size() > max_client_frame) {
        frame.clear();
        emit(EventKind::action_too_large, now);
      }
    }
    if (frame.empty()) {
      is_by_handler = false;
      action = host_.owner.fallback(turn.legal);
    }
  }
  if (frame.empty()) {
    if (!is_sendable(action, now)) return;
    frame = turn_action(info_.match_id, turn.request_id, action);
    if (frame.size() > max_client_frame) return emit(EventKind::action_too_large, now);
  }
  if (!is_by_handler) {
    ++host_.stats.fallbacks;
    ++result_.fallbacks;
  }
  ++host_.stats.turns;
  ++result_.turns;

  // While the connection is away the answer waits here: the server asks again.
  const bool is_here = state_ == State::playing;
  AnswerTable::Answer* known = answers_.find(turn.request_id);
  if (known == nullptr) known = &answers_.add({});
  known->request_id = turn.request_id;
  known->frame = frame;
  known->legal = std::move(turn.legal);
  known->connection = is_here ? serial_ : 0;
  known->seq = turn.seq;
  known->seat = turn.seat;
  known->rejections = turn.rejections;
  if (is_here) post({std::move(frame), std::move(turn.request_id)}, now);
  if (has_answered) call(Latency{now - turn.asked});
}

std::error_code Match::send(std::string_view request_id, const Action& action, time_point now) {
  if (state_ != State::playing) return errc::wrong_state;
  wire::JsonScanner id{as_bytes(request_id), 0};
  const bool is_id = id.kind() == wire::JsonKind::string || id.kind() == wire::JsonKind::number;
  id.finish();
  if (!is_id || !id.ok() || !is_object(action.params)) return errc::bad_value;
  std::string frame = turn_action(info_.match_id, request_id, action);
  if (frame.size() > max_client_frame) return errc::too_large;
  if (waiting_.size() >= host_.config.max_queued_frames) return errc::over_budget;
  const Visit visit{*this};
  post({std::move(frame), {}}, now);
  return {};
}

// Sends now, or as soon as the rate allows.
void Match::post(Waiting waiting, time_point now) {
  if (waiting_.size() >= host_.config.max_queued_frames) {
    return emit(EventKind::frame_dropped, now);
  }
  waiting_.push_back(std::move(waiting));
  send_waiting(now);
}

void Match::send_waiting(time_point now) {
  while (!waiting_.empty() && state_ == State::playing) {
    while (!sent_.empty() && sent_.front() + std::chrono::seconds{1} <= now) sent_.pop_front();
    if (sent_.size() >= host_.config.frames_per_second) return;
    const Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    if (!next.request_id.empty()) {
      const AnswerTable::Answer* const answer = answers_.find(next.request_id);
      if (answer != nullptr && answer->is_over) {
        emit(EventKind::turn_expired, now);
        continue;
      }
      has_progressed_ = true;
    }
    sent_.push_back(now);
    if (!write(next.frame)) return;
  }
}

// False: it was not taken, and the connection is about to end.
bool Match::write(std::string_view frame) {
  Connection* const open = connection();
  if (open == nullptr) return false;
  ++host_.stats.frames_sent;
  const SendStatus status = open->send(Message{as_bytes(frame), MessageKind::text});
  if (status == SendStatus::over_budget) open->close(CloseReason::too_slow, 1001);
  return status == SendStatus::queued;
}

}  // namespace muster::lobby
