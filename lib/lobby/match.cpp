// SPDX-License-Identifier: MIT
// What a gateway says while a match is played.
#include "match.hpp"

#include "client_frame.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace muster::lobby {

namespace {

template <std::size_t N>
bool is_one_of(std::string_view type, const std::array<std::string_view, N>& list) noexcept {
  return std::find(list.begin(), list.end(), type) != list.end();
}

// Messages that tell what happened: one that comes again says nothing new.
constexpr std::array<std::string_view, 6> tellings{"round_start",    "turn_result",
                                                   "phase_change",   "round_result",
                                                   "action_timeout", "session_control"};

}  // namespace

Match::Match(Host& host, Engine::MatchNumber number, MatchInfo info, std::string url,
             time_point now)
    : host_(host), number_(number), info_(std::move(info)), url_(std::move(url)) {
  result_.match_id = info_.match_id;
  result_.participant_id = info_.participant_id;
  result_.started = now;
  turn_time_ = info_.decision_timeout.value_or(std::chrono::seconds{5});
}

void Match::emit(EventKind kind, time_point now, std::string_view detail, std::uint32_t code) {
  host_.emit(kind, info_.match_id, detail, code, now);
}

void Match::on_message(Connection& connection, const Message& message, time_point now) {
  if (connection.id() != connection_) return;
  const Visit visit{*this};
  ++host_.stats.frames;
  if (!frame_.read(message)) return malformed(now, "not a JSON object");
  malformed_in_a_row_ = 0;
  const std::optional<std::string> type = frame_.type();
  if (state_ == State::handshaking) return take_greeting(type.value_or(""), now);
  if (state_ == State::playing) take_frame(type.value_or(""), now);
}

void Match::malformed(time_point now, std::string_view detail) {
  ++host_.stats.malformed_frames;
  emit(EventKind::malformed_frame, now, detail);
  if (++malformed_in_a_row_ < host_.config.max_malformed_frames) return;
  drop(CloseReason::protocol_error, 1002, "malformed messages", now);
}

// Whether the message has been seen on this connection.
bool Match::is_repeated(std::string_view type, time_point now) {
  const std::optional<std::int64_t> seq = frame_.number("seq");
  if (!seq) return false;
  if (*seq <= last_seq_) return is_one_of(type, tellings);
  if (last_seq_ != 0 && *seq > last_seq_ + 1) {
    emit(EventKind::sequence_gap, now, type, static_cast<std::uint32_t>(*seq - last_seq_ - 1));
  }
  last_seq_ = *seq;
  return false;
}

void Match::take_frame(std::string_view type, time_point now) {
  const std::int64_t seen = last_seq_;
  if (is_repeated(type, now)) return;
  if (type == "ping") {
    write(gateway_pong(info_.match_id));
    return;
  }
  if (type == "match_end") return take_match_end(now);
  if (type == "error") return take_error(now);
  if (type == "reconnected") return take_reconnected(now);
  if (std::exchange(is_resuming_, false)) {
    call(Reconnected{});
    if (has_ended()) return;
  }
  if (type == "turn_request") return take_turn_request(frame_, seen, now);
  if (type == "action_rejected") return take_rejection(now);
  if (type == "match_start") {
    turn_time_ = frame_.time("turn_timeout_ms").value_or(turn_time_);
    return call(MatchStart{whole()});
  }
  if (is_one_of(type, tellings)) {
    const std::optional<std::int64_t> seat = frame_.number("seat");
    if (type == "round_result") {
      answers_.close_all();
      expire_turn(now);
    } else if (type == "turn_result" && seat) {
      answers_.close_seat(*seat);
      if (turn_ && turn_->seat == *seat) expire_turn(now);
    }
    return call(GameEvent{std::string{type}, whole()});
  }
  const auto& games = host_.config.game_frame_types;
  if (std::find(games.begin(), games.end(), type) != games.end()) {
    return call(GameFrame{std::string{type}, whole()});
  }
  // A spectator's messages and a session's token are known, and mean nothing to a bot.
  if (type.starts_with("spectator_") || type == "session_token") return;
  ++host_.stats.unknown_frames;
  emit(EventKind::unknown_frame, now, type);
}

void Match::take_match_end(time_point now) {
  answers_.close_all();
  expire_turn(now);
  const std::optional<std::string> match_id = frame_.text("match_id");
  if (match_id && *match_id != info_.match_id) emit(EventKind::match_id_mismatch, now, *match_id);
  result_.end = whole();
  call(MatchEnd{whole()});
  finish(Outcome::completed, {}, 1000, now);
}

void Match::take_error(time_point now) {
  error_code_ = frame_.text("code").value_or("error");
  emit(EventKind::error_frame, now, error_code_);
  call(GameEvent{"error", whole()});
}

void Match::take_reconnected(time_point now) {
  is_resuming_ = false;
  call(Reconnected{whole()});
  ServerFrame request;
  const std::optional<byte_view> pending = frame_.object("pending_request");
  if (!pending || has_ended()) return;
  if (request.read(*pending)) take_turn_request(request, last_seq_ - 1, now);
}

}  // namespace muster::lobby
