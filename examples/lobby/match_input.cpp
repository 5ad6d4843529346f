// SPDX-License-Identifier: MIT
// What clients send into a match.
#include "match.hpp"

#include <algorithm>
#include <utility>

namespace lobby_program {

using muster::time_point;

void Match::receive(std::size_t seat, std::string_view text, time_point now) {
  advance(now);
  Player& player = players_[seat];
  if (!player.is_attached || outcome_) return;
  ++stats_.frames_in;
  if (text.size() > config_.max_frame_bytes) {
    record(MatchInput::Kind::too_long, seat, now);
    note(seat, "message_too_large");
    send_error(seat, "message_too_large", "the frame is longer than is allowed", now);
    close(seat, 4008, "message_too_large", now);
    return run_due(now);
  }
  const Json frame = Json::parse(text, nullptr, false);
  const bool is_json = !frame.is_discarded();
  record(is_json ? MatchInput::Kind::text : MatchInput::Kind::not_json, seat, now,
         is_json ? text : std::string_view{});
  if (!is_within_rate(player, now)) {
    violate(seat, now);
  } else if (frame.is_object()) {
    take(seat, frame, now);
  } else {
    ++stats_.malformed;
    if (is_open_for(seat)) {
      substitute("malformed_message", now);
    } else {
      send_error(seat, "malformed_message", "not a JSON object", now);
    }
  }
  run_due(now);
}

bool Match::is_within_rate(Player& player, time_point now) noexcept {
  const std::uint64_t limit = config_.frames_per_second;
  if (limit == 0) return true;
  time_point& oldest = player.arrivals[player.frames_in % limit];
  const bool is_full = player.frames_in >= limit && now - oldest < std::chrono::seconds{1};
  if (is_full) return false;
  oldest = now;
  ++player.frames_in;
  return true;
}

bool Match::is_open_for(std::size_t seat) const noexcept {
  return turn_ && turn_->turn.seat == seat;
}

void Match::take(std::size_t seat, const Json& frame, time_point now) {
  const auto type = frame.find("type");
  if (type != frame.end() && *type == "turn_action") return take_action(seat, frame, now);
  if (type != frame.end() && *type == "pong") return;
  ++stats_.malformed;
  send_error(seat, "malformed_message", "no frame that is expected here", now);
}

void Match::take_action(std::size_t seat, const Json& frame, time_point now) {
  const auto match = frame.find("match_id");
  const auto request = frame.find("request_id");
  const bool is_other_match = match != frame.end() && *match != id_;
  if (is_other_match || !is_open_for(seat) || request == frame.end() ||
      *request != turn_->request_id) {
    ++stats_.stale;
    return;
  }
  const auto name = frame.find("action");
  if (name == frame.end() || !name->is_string()) {
    return reject(seat, "the action is not a string", "", now);
  }
  Action action{name->get<std::string>()};
  if (const auto params = frame.find("params"); params != frame.end()) {
    if (!params->is_object()) return reject(seat, "params is not an object", *name, now);
    action.params = *params;
  }
  const auto& valid = turn_->turn.valid_actions;
  if (std::find(valid.begin(), valid.end(), action.name) == valid.end()) {
    return reject(seat, "the action is not valid now", *name, now);
  }
  act(action, false, now);
}

void Match::reject(std::size_t seat, const std::string& reason, const Json& submitted,
                   time_point now) {
  ++stats_.rejected;
  note(seat, "invalid_action");
  Player& player = players_[seat];
  if (player.invalid_actions >= config_.invalid_actions_per_round) return violate(seat, now);
  ++player.invalid_actions;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(turn_->deadline - now);
  Json frame{{"type", "action_rejected"},
             {"request_id", turn_->request_id},
             {"reason", reason},
             {"message", reason},
             {"remaining_ms", left.count()}};
  if (config_.dialect == Dialect::current) {
    frame["details"] = Json::object();
    frame["submitted_action"] = submitted;
    frame["valid_actions"] = turn_->turn.valid_actions;
  } else {
    frame["submitted_action"] = {{"action", submitted}};
  }
  send(seat, frame, now);
}

void Match::violate(std::size_t seat, time_point now) {
  ++stats_.rate_limited;
  note(seat, "rate_limited");
  Player& player = players_[seat];
  ++player.violations;
  send_error(seat, "rate_limited", "too many frames, or too many invalid actions", now);
  if (player.violations >= config_.max_violations) {
    close(seat, 4009, "rate_limit_exceeded", now);
  }
}

void Match::note(std::size_t seat, std::string_view error) {
  constexpr std::size_t max_errors = 32;
  std::vector<std::string_view>& errors = players_[seat].errors;
  if (errors.size() < max_errors) errors.push_back(error);
}

}  // namespace lobby_program
