// SPDX-License-Identifier: MIT
// The frames of a match.
#include "match.hpp"

#include <algorithm>
#include <cstdio>
#include <utility>

namespace lobby_program {

using muster::time_point;
using std::chrono::duration_cast;
using std::chrono::milliseconds;

namespace {

/// "2026-01-01T00:00:00.000Z".
std::string iso_text(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()),
                static_cast<int>(clock.subseconds().count()));
  return text.data();
}

std::string_view type_of(Event::Kind kind) noexcept {
  switch (kind) {
    case Event::Kind::round_start:
      return "round_start";
    case Event::Kind::phase_change:
      return "phase_change";
    case Event::Kind::round_result:
      break;
  }
  return "round_result";
}

/// Of the time until a deadline, as a client is told it: 1 and more.
std::int64_t milliseconds_until(time_point deadline, time_point now) noexcept {
  return std::max<std::int64_t>(duration_cast<milliseconds>(deadline - now).count(), 1);
}

}  // namespace

void Match::send(std::size_t seat, const Json& frame, time_point now) {
  Player& player = players_[seat];
  ++player.seq;
  if (!player.is_attached) {
    ++stats_.missed;
    return;
  }
  ++stats_.frames_out;
  Json envelope = frame;
  envelope["match_id"] = id_;
  envelope["seq"] = player.seq;
  envelope["server_ts"] = iso_text(wall(now));
  // Names come from outside: what is not UTF-8 in them is replaced.
  sink_->send(seat, envelope.dump(-1, ' ', false, Json::error_handler_t::replace));
}

void Match::send_all(const Json& frame, std::optional<std::size_t> except, time_point now) {
  for (std::size_t seat = 0; seat < seats_.size(); ++seat) {
    if (seat != except) send(seat, frame, now);
  }
}

void Match::send_error(std::size_t seat, std::string_view code, std::string_view message,
                       time_point now) {
  send(seat, {{"type", "error"}, {"code", code}, {"message", message}}, now);
}

WallTime Match::wall(time_point time) const noexcept {
  return wall_ + duration_cast<milliseconds>(time - made_);
}

std::string Match::draw_hex(std::size_t bytes) {
  std::array<std::byte, 16> drawn{};
  const muster::mutable_byte_view view = std::span{drawn}.first(bytes);
  stream_.fill(view);
  return hex(view);
}

/// A UUID, RFC 9562 section 5.4.
std::string Match::draw_round_id() {
  std::array<std::byte, 16> drawn{};
  stream_.fill(drawn);
  drawn[6] = (drawn[6] & std::byte{0x0f}) | std::byte{0x40};
  drawn[8] = (drawn[8] & std::byte{0x3f}) | std::byte{0x80};
  std::string id = hex(drawn);
  for (const std::size_t dash : {8U, 13U, 18U, 23U}) id.insert(dash, 1, '-');
  return config_.dialect == Dialect::current ? "r_" + id : id;
}

Json Match::seats_frame(std::size_t self) const {
  Json seats = Json::array();
  for (std::size_t seat = 0; seat < seats_.size(); ++seat) {
    seats.push_back({{"seat", seat},
                     {"participant_id", seats_[seat].participant_id},
                     {"display_name", seats_[seat].display_name},
                     {"is_self", seat == self}});
  }
  return seats;
}

Json Match::match_start_frame(std::size_t seat) const {
  Json frame{{"type", "match_start"},
             {"seats", seats_frame(seat)},
             {"game_config", game_->config()},
             {"turn_timeout_ms", duration_cast<milliseconds>(config_.turn_timeout).count()}};
  if (config_.dialect == Dialect::current) frame["your_seat"] = seat;
  return frame;
}

Json Match::session_token_frame(time_point now) {
  constexpr std::chrono::hours lifetime{24};
  return {{"type", "session_token"},
          {"token", "ct_" + draw_hex(16)},
          {"expires_at", iso_text(wall(now) + lifetime)}};
}

Json Match::event_frame(const Event& event, std::size_t seat) const {
  Json frame{{"type", type_of(event.kind)}};
  const bool is_result = event.kind == Event::Kind::round_result;
  frame[is_result ? "result" : "state"] = event.content[seat];
  if (event.kind != Event::Kind::phase_change) {
    frame["round_id"] = round_id_;
    frame["round_number"] = round_;
  }
  return frame;
}

Json Match::turn_request_frame(time_point now) const {
  const std::size_t seat = turn_->turn.seat;
  Json frame{{"type", "turn_request"},
             {"seat", seat},
             {"request_id", turn_->request_id},
             {"timeout_ms", milliseconds_until(turn_->deadline, now)},
             {"valid_actions", turn_->turn.valid_actions},
             {"state", game_->view(seat)}};
  if (config_.dialect == Dialect::current) {
    frame["turn_duration_ms"] = duration_cast<milliseconds>(config_.turn_timeout).count();
    frame["deadline_ts"] = wall(turn_->deadline).time_since_epoch().count();
  }
  return frame;
}

Json Match::reconnected_frame(std::size_t seat, time_point now) const {
  Json frame{{"type", "reconnected"},
             {"round_number", round_},
             {"match_state", is_in_round_ ? "in_progress" : "between_rounds"},
             {"seats", seats_frame(seat)},
             {"game_config", game_->config()},
             {"state", game_->view(seat)},
             {"pending_request", nullptr}};
  if (is_open_for(seat)) {
    frame["pending_request"] = {{"request_id", turn_->request_id},
                                {"timeout_ms", milliseconds_until(turn_->deadline, now)},
                                {"valid_actions", turn_->turn.valid_actions},
                                {"state", game_->view(seat)}};
  }
  return frame;
}

}  // namespace lobby_program
