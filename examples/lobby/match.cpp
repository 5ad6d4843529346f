// SPDX-License-Identifier: MIT
#include "match.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace lobby_program {

using muster::duration;
using muster::no_deadline;
using muster::time_point;

std::error_code validate(const MatchConfig& config) noexcept {
  constexpr duration zero{0};
  const bool is_good =
      config.presence_timeout > zero && config.turn_timeout >= std::chrono::seconds{1} &&
      config.min_result_delay >= zero && config.max_result_delay >= config.min_result_delay &&
      config.reconnect_grace > zero && config.max_substitutes >= 1 && config.max_frame_bytes >= 1 &&
      config.frames_per_second <= Match::max_frames_per_second && config.max_violations >= 1 &&
      config.ping_interval >= std::chrono::seconds{1};
  return is_good ? std::error_code{} : make_error_code(muster::errc::invalid_config);
}

Match::Match(std::string id, MatchConfig config, std::unique_ptr<Game> game,
             std::vector<Seat> seats, const Seed& seed, MatchSink& sink, time_point now,
             WallTime wall)
    : id_(std::move(id)),
      config_(config),
      game_(std::move(game)),
      seats_(std::move(seats)),
      players_(seats_.size()),
      stream_(derive(seed, "match")),
      sink_(&sink),
      made_(now),
      wall_(wall),
      record_(wall) {
  assert(!validate(config_) && game_ && seats_.size() == game_->seats() && seats_.size() < 256);
  game_->init(derive(seed, "game"), seats_.size());
  // In the draft dialect the gateway's hello is number 1 of the same count.
  if (config_.dialect == Dialect::draft) {
    for (Player& player : players_) player.seq = 1;
  }
}

bool Match::is_attached(std::size_t seat) const noexcept { return players_[seat].is_attached; }

bool Match::may_return(const Player& player) const noexcept {
  return player.reconnects < config_.max_reconnects;
}

time_point Match::grace_deadline(const Player& player) const noexcept {
  return player.away_since && !player.is_lost ? *player.away_since + config_.reconnect_grace
                                              : no_deadline;
}

Match::Admission Match::admission(std::size_t seat) const noexcept {
  assert(seat < players_.size());
  const Player& player = players_[seat];
  if (outcome_) {
    return player.is_lost ? Admission::grace_expired : Admission::match_ended;
  }
  if (player.is_attached) return Admission::duplicate_participant;
  if (player.is_lost) return Admission::grace_expired;
  if (is_started_ && !may_return(player)) return Admission::budget_exhausted;
  return Admission::welcome;
}

std::string_view to_string(Match::Admission admission) noexcept {
  switch (admission) {
    case Match::Admission::welcome:
      return "welcome";
    case Match::Admission::duplicate_participant:
      return "duplicate_participant";
    case Match::Admission::budget_exhausted:
      return "budget_exhausted";
    case Match::Admission::grace_expired:
      return "grace_expired";
    case Match::Admission::match_ended:
      break;
  }
  return "match_ended";
}

void Match::record(MatchInput::Kind kind, std::size_t seat, time_point now, std::string_view text) {
  record_.add(kind, seat, now - made_, text);
}

Match::Admission Match::attach(std::size_t seat, time_point now) {
  advance(now);
  const Admission admission = this->admission(seat);
  if (admission != Admission::welcome) return admission;
  record(MatchInput::Kind::attach, seat, now);
  Player& player = players_[seat];
  player.is_attached = true;
  if (!is_started_) {
    const bool is_complete = std::all_of(players_.begin(), players_.end(),
                                         [](const Player& each) { return each.is_attached; });
    if (is_complete) start(now);
  } else {
    ++player.reconnects;
    ++stats_.reconnects;
    player.away_since.reset();
    const auto lost = std::find_if(players_.begin(), players_.end(),
                                   [](const Player& each) { return each.is_lost; });
    if (lost != players_.end()) {
      forfeit(static_cast<std::size_t>(lost - players_.begin()), disconnected, now);
      return admission;
    }
    const bool is_asked = turn_ && turn_->turn.seat == seat;
    if (is_asked && turn_->deadline == no_deadline) {
      turn_->deadline = now + turn_->left;
      turn_->asked = turn_->deadline - config_.turn_timeout;
    }
    if (config_.dialect == Dialect::draft) {
      send(seat, reconnected_frame(seat, now), now);
    } else if (is_asked) {
      send(seat, turn_request_frame(now), now);
    }
  }
  run_due(now);
  return admission;
}

void Match::detach(std::size_t seat, time_point now) {
  assert(seat < players_.size());
  advance(now);
  if (!players_[seat].is_attached || outcome_) return;
  record(MatchInput::Kind::detach, seat, now);
  leave(seat, now);
  run_due(now);
}

void Match::leave(std::size_t seat, time_point now) {
  Player& player = players_[seat];
  player.is_attached = false;
  if (!is_started_ || outcome_) return;
  ++player.drops;
  player.away_since = now;
  note(seat, "disconnected");
  if (turn_ && turn_->turn.seat == seat) wait_for(player, now);
}

void Match::close(std::size_t seat, std::uint16_t code, std::string_view reason, time_point now) {
  sink_->close(seat, code, reason);
  leave(seat, now);
}

void Match::advance(time_point now) {
  if (next_deadline() > now) return;
  record(MatchInput::Kind::advance, 0, now);
  run_due(now);
}

time_point Match::next_deadline() const noexcept {
  if (outcome_) return no_deadline;
  if (!is_started_) return made_ + config_.presence_timeout;
  time_point deadline = next_ping_;
  if (turn_) deadline = std::min(deadline, turn_->deadline);
  if (delayed_) deadline = std::min(deadline, delayed_->due);
  for (const Player& player : players_) deadline = std::min(deadline, grace_deadline(player));
  return deadline;
}

void Match::run_due(time_point now) {
  for (time_point due = next_deadline(); due <= now; due = next_deadline()) {
    if (!is_started_) {
      cancel(now);
      continue;
    }
    const auto late = std::find_if(players_.begin(), players_.end(), [&](const Player& player) {
      return grace_deadline(player) == due;
    });
    if (late != players_.end()) {
      lose(static_cast<std::size_t>(late - players_.begin()), now);
    } else if (delayed_ && delayed_->due == due) {
      deliver_result(now);
      proceed(now);
    } else if (turn_ && turn_->deadline == due) {
      substitute("timeout", now);
    } else {
      next_ping_ = now + config_.ping_interval;
      send_all({{"type", "ping"}}, std::nullopt, now);
    }
  }
}

void Match::lose(std::size_t seat, time_point now) {
  players_[seat].is_lost = true;
  const auto is_here = [](const Player& player) { return player.is_attached; };
  const auto is_lost = [](const Player& player) { return player.is_lost; };
  if (std::any_of(players_.begin(), players_.end(), is_here)) {
    forfeit(seat, disconnected, now);
  } else if (std::all_of(players_.begin(), players_.end(), is_lost)) {
    finish(Outcome::Status::abandoned, now);
  }  // else one of those who are away may still come back, and win
}

void Match::start(time_point now) {
  is_started_ = true;
  for (std::size_t seat = 0; seat < seats_.size(); ++seat) send(seat, match_start_frame(seat), now);
  if (config_.dialect == Dialect::draft) {
    for (std::size_t seat = 0; seat < seats_.size(); ++seat) {
      send(seat, session_token_frame(now), now);
    }
    next_ping_ = now + config_.ping_interval;
  }
  proceed(now);
}

void Match::proceed(time_point now) {
  for (;;) {
    Step step = game_->next();
    if (std::holds_alternative<End>(step)) return finish(Outcome::Status::completed, now);
    if (auto* turn = std::get_if<Turn>(&step)) return open_turn(std::move(*turn), now);
    const Event& event = *std::get_if<Event>(&step);
    if (event.kind == Event::Kind::round_start) {
      round_ = event.round;
      round_id_ = draw_round_id();
      is_in_round_ = true;
      for (Player& player : players_) player.invalid_actions = 0;
    }
    for (std::size_t seat = 0; seat < seats_.size(); ++seat) {
      send(seat, event_frame(event, seat), now);
    }
    if (event.kind == Event::Kind::round_result) is_in_round_ = false;
  }
}

void Match::open_turn(Turn turn, time_point now) {
  const std::size_t seat = turn.seat;
  const Player& player = players_[seat];
  turn_ = OpenTurn{std::move(turn), "req_" + draw_hex(6), now, now + config_.turn_timeout, {}};
  send(seat, turn_request_frame(now), now);
  if (!player.is_attached) wait_for(player, now);
}

void Match::wait_for(const Player& player, time_point now) {
  if (!may_return(player)) {
    turn_->deadline = now;  // nobody will answer
  } else if (player.drops == 1) {
    turn_->left = turn_->deadline - now;
    turn_->deadline = no_deadline;
  }
}

void Match::substitute(std::string_view error, time_point now) {
  const std::size_t seat = turn_->turn.seat;
  ++stats_.substituted;
  ++players_[seat].substitutes;
  note(seat, error);
  const Action action = game_->default_action();
  if (config_.dialect == Dialect::draft) {
    send(seat,
         {{"type", "action_timeout"},
          {"request_id", turn_->request_id},
          {"auto_action", action.name}},
         now);
  }
  act(action, true, now);
  if (players_[seat].substitutes >= config_.max_substitutes) {
    forfeit(seat, substitute_limit, now);
  }
}

void Match::act(const Action& action, bool is_substitute, time_point now) {
  const std::size_t seat = turn_->turn.seat;
  auto applied = game_->apply(seat, action, is_substitute);
  if (const auto* refused = std::get_if<Refused>(&applied)) {
    assert(!is_substitute);  // a game's own default is always valid
    return reject(seat, refused->reason, action.name, now);
  }
  Player& player = players_[seat];
  if (!is_substitute) {
    player.substitutes = 0;
    constexpr std::size_t max_samples = 256;
    if (player.latencies_ms.size() < max_samples) {
      player.latencies_ms.push_back(
          std::chrono::duration<double, std::milli>{now - turn_->asked}.count());
    }
  }
  Json& details = std::get_if<Applied>(&applied)->details;
  Json frame{{"type", "turn_result"}, {"seat", seat}};
  details["is_timeout"] = is_substitute;
  frame["details"] = std::move(details);
  const bool is_draft = config_.dialect == Dialect::draft;
  if (is_draft) frame["is_timeout"] = is_substitute;
  turn_.reset();
  if (!is_draft) send(seat, frame, now);

  // Others see it later, so that nobody's time tells what it holds. The game waits for that.
  const duration spread = config_.max_result_delay - config_.min_result_delay;
  const auto steps = static_cast<std::uint64_t>(spread / std::chrono::milliseconds{1}) + 1;
  const auto drawn = static_cast<std::int64_t>(stream_.below(steps));
  const duration delay = config_.min_result_delay + std::chrono::milliseconds{drawn};
  delayed_ = DelayedResult{now + delay, std::move(frame),
                           is_draft ? std::optional<std::size_t>{} : std::optional{seat}};
}

void Match::deliver_result(time_point now) {
  const DelayedResult result = *std::exchange(delayed_, std::nullopt);
  send_all(result.frame, result.except, now);
}

void Match::fail(std::string_view message, time_point now) {
  advance(now);
  if (outcome_) return;
  record(MatchInput::Kind::fail, 0, now, message);
  end_short({{"type", "match_end"},
             {"reason", "error"},
             {"error_code", "server_error"},
             {"error_message", message}},
            {.status = Outcome::Status::failed}, now);
}

std::optional<Outcome> replay(std::string id, const MatchConfig& config, std::unique_ptr<Game> game,
                              std::vector<Match::Seat> seats, const Seed& seed,
                              const MatchRecord& record, MatchSink& sink) {
  constexpr time_point start{};
  Match match{std::move(id), config, std::move(game), std::move(seats),
              seed,          sink,   start,           record.started()};
  const std::string too_long(config.max_frame_bytes + 1, ' ');
  for (const MatchInput& input : record.inputs()) {
    if (input.seat >= match.seats().size()) return std::nullopt;
    const time_point now = start + input.at;
    switch (input.kind) {
      case MatchInput::Kind::attach:
        match.attach(input.seat, now);
        break;
      case MatchInput::Kind::detach:
        match.detach(input.seat, now);
        break;
      case MatchInput::Kind::text:
        match.receive(input.seat, input.text, now);
        break;
      case MatchInput::Kind::not_json:
        match.receive(input.seat, {}, now);
        break;
      case MatchInput::Kind::too_long:
        match.receive(input.seat, too_long, now);
        break;
      case MatchInput::Kind::fail:
        match.fail(input.text, now);
        break;
      case MatchInput::Kind::advance:
        match.advance(now);
        break;
    }
  }
  return match.outcome();
}

}  // namespace lobby_program
