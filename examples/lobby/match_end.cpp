// SPDX-License-Identifier: MIT
// How a match ends, and what its seats are told.
#include "match.hpp"

#include <algorithm>
#include <utility>

namespace lobby_program {

using muster::time_point;

void Match::forfeit(std::size_t seat, std::string_view reason, time_point now) {
  game_->resign(seat);
  finish(Outcome::Status::completed, now, seat, reason);
}

void Match::finish(Outcome::Status status, time_point now, std::optional<std::size_t> forfeit,
                   std::string_view why) {
  if (delayed_) deliver_result(now);
  Outcome outcome{.status = status, .forfeit = forfeit, .absent = {}, .result = game_->result()};
  end_frame_ = config_.dialect == Dialect::current ? current_end_frame(outcome, why)
                                                   : draft_end_frame(outcome);
  for (std::size_t seat = 0; seat < seats_.size(); ++seat) send(seat, end_frame_, now);
  end(std::move(outcome));
}

void Match::cancel(time_point now) {
  Outcome outcome{.status = Outcome::Status::cancelled};
  for (std::size_t seat = 0; seat < seats_.size(); ++seat) {
    if (!players_[seat].is_attached) outcome.absent.push_back(seat);
  }
  end_short({{"type", "match_end"}, {"reason", "cancelled"}, {"error_code", "connection_timeout"}},
            std::move(outcome), now);
}

void Match::end_short(const Json& frame, Outcome outcome, time_point now) {
  // What ends a match that is not played counts on one counter for all seats.
  std::uint64_t seq = 0;
  for (std::size_t seat = 0; seat < seats_.size(); ++seat) {
    Player& player = players_[seat];
    if (!player.is_attached) continue;
    if (config_.dialect == Dialect::current) player.seq = seq++;
    send(seat, frame, now);
  }
  end(std::move(outcome));
}

void Match::end(Outcome outcome) {
  turn_.reset();
  delayed_.reset();
  outcome_ = std::move(outcome);
  for (std::size_t seat = 0; seat < seats_.size(); ++seat) {
    if (!players_[seat].is_attached) continue;
    players_[seat].is_attached = false;
    sink_->close(seat, 1000, "match_ended");
  }
}

Json Match::current_end_frame(const Outcome& outcome, std::string_view why) const {
  const GameResult& result = outcome.result;
  Json frame = result.fields;
  frame["type"] = "match_end";
  frame["reason"] = "complete";
  Json results = Json::array();
  std::vector<std::size_t> order;
  for (std::size_t seat = 0; seat < seats_.size(); ++seat) {
    Json entry = result.seats[seat].fields;
    entry["seat"] = seat;
    entry["name"] = seats_[seat].display_name;
    entry["bot_errors"] = players_[seat].errors;
    entry["decision_latency_samples_ms"] = players_[seat].latencies_ms;
    results.push_back(std::move(entry));
    order.push_back(seat);
  }
  frame["results"] = std::move(results);

  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return result.seats[a].place < result.seats[b].place;
  });
  Json finishing = Json::array();
  for (const std::size_t seat : order) {
    finishing.push_back(
        {{"place", result.seats[seat].place}, {"seat", seat}, {"name", seats_[seat].display_name}});
  }
  frame["finishing_order"] = std::move(finishing);

  frame["terminal_status"] = "completed";
  if (result.is_cut_short) frame["safety_limit_reached"] = true;
  if (outcome.status == Outcome::Status::abandoned) {
    frame["terminal_status"] = "abandoned";
    frame["abandoned"] = true;
    frame["all_disconnected"] = true;
    const bool is_simultaneous = std::all_of(
        players_.begin(), players_.end(),
        [&](const Player& player) { return player.away_since == players_.front().away_since; });
    if (is_simultaneous) frame["simultaneous_disconnect"] = true;
  }
  if (outcome.forfeit) {
    frame["forfeit_seat"] = *outcome.forfeit;
    frame["forfeit_winner_seat"] = order.front();
    frame["forfeit_reason"] = why;
    if (why == substitute_limit) {
      frame["terminal_status"] = "error";
      frame["error_code"] = "BOT_UNRESPONSIVE_AUTO_SUBSTITUTE_LIMIT";
      frame["auto_substitute_limit_seat"] = *outcome.forfeit;
    } else {
      frame["abandoned_seat"] = *outcome.forfeit;
    }
  }
  return frame;
}

Json Match::draft_end_frame(const Outcome& outcome) const {
  std::string_view reason = "complete";
  if (outcome.forfeit) reason = "forfeit";
  if (outcome.status == Outcome::Status::abandoned) reason = "cancelled";
  Json results = Json::array();
  for (std::size_t seat = 0; seat < seats_.size(); ++seat) {
    results.push_back({{"seat", seat},
                       {"participant_id", seats_[seat].participant_id},
                       {"rank", outcome.result.seats[seat].place},
                       {"score", outcome.result.seats[seat].net}});
  }
  return {{"type", "match_end"}, {"reason", reason}, {"results", results}};
}

}  // namespace lobby_program
