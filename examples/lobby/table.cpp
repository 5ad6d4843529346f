// SPDX-License-Identifier: MIT
// From a match to connections and back.
#include "table.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace lobby_program {

using muster::CloseReason;
using muster::Connection;
using muster::MessageKind;
using muster::time_point;

namespace {

CloseReason reason_of(std::uint16_t code) {
  switch (code) {
    case 1000:
      return CloseReason::finished;
    case 4008:
      return CloseReason::too_large;
    case 4009:
      return CloseReason::kicked;
    case 4011:
      return CloseReason::superseded;
    default:
      return CloseReason::refused;
  }
}

std::uint64_t house_seed(const Seed& seed, std::size_t seat) {
  const Seed own = derive(seed, "house", seat);
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    number = number << 8U | std::to_integer<std::uint64_t>(own[i]);
  }
  return number;
}

}  // namespace

Table::Table(std::uint64_t number, std::string id, MatchPlan plan, std::unique_ptr<Game> game,
             std::vector<Match::Seat> seats, Wire& wire, time_point now, WallTime wall)
    : number_(number),
      plan_(std::move(plan)),
      wire_(&wire),
      sittings_(plan_.players.size()),
      now_(now),
      match_(std::move(id), plan_.config, std::move(game), std::move(seats), plan_.seed, *this, now,
             wall) {
  for (std::size_t seat = 0; seat < sittings_.size(); ++seat) {
    if (!plan_.players[seat].bot_id.empty()) continue;
    sittings_[seat].house = std::make_unique<HouseBot>(house_seed(plan_.seed, seat));
    match_.attach(seat, now);
  }
}

std::optional<std::size_t> Table::seat_of(std::string_view participant_id) const {
  const auto& seats = match_.seats();
  for (std::size_t seat = 0; seat < seats.size(); ++seat) {
    if (seats[seat].participant_id == participant_id) return seat;
  }
  return std::nullopt;
}

std::optional<std::size_t> Table::seat_of_bot(std::string_view bot_id) const {
  for (std::size_t seat = 0; seat < plan_.players.size(); ++seat) {
    if (plan_.players[seat].bot_id == bot_id) return seat;
  }
  return std::nullopt;
}

Match::Admission Table::attach(std::size_t seat, Connection& connection, time_point now) {
  now_ = now;
  const Match::Admission admission = match_.admission(seat);
  if (admission != Match::Admission::welcome) return admission;
  // Frames come from within the call.
  sittings_[seat].connection = &connection;
  return match_.attach(seat, now);
}

void Table::detach(std::size_t seat, const Connection& connection, time_point now) {
  if (sittings_[seat].connection != &connection) return;
  now_ = now;
  sittings_[seat].connection = nullptr;
  match_.detach(seat, now);
}

void Table::receive(std::size_t seat, const Connection& connection, const muster::Message& message,
                    time_point now) {
  if (sittings_[seat].connection != &connection) return;
  now_ = now;
  if (message.kind == MessageKind::binary) {
    match_.receive_binary(seat, now);
  } else {
    match_.receive(seat, muster::as_text(message.bytes), now);
  }
}

void Table::vacate(std::size_t seat, time_point now) {
  Connection* const connection = std::exchange(sittings_[seat].connection, nullptr);
  if (connection == nullptr) return;
  now_ = now;
  connection->close(CloseReason::superseded, 4011, "replaced by a new connection");
  match_.detach(seat, now);
}

void Table::advance(time_point now) {
  now_ = now;
  match_.advance(now);
  while (!asked_.empty() && asked_.front().answer_at <= now) {
    const Asked asked = std::move(asked_.front());
    asked_.pop_front();
    if (const auto answer = sittings_[asked.seat].house->answer(asked.frame)) {
      match_.receive(asked.seat, *answer, now);
    }
  }
}

time_point Table::next_deadline() const noexcept {
  const time_point match = match_.next_deadline();
  return asked_.empty() ? match : std::min(match, asked_.front().answer_at);
}

void Table::send(std::size_t seat, std::string_view frame) {
  note(seat, frame);
  const Sitting& sitting = sittings_[seat];
  if (sitting.house != nullptr) {
    // It reads only what it has to answer.
    constexpr std::array asking{std::string_view{"\"turn_request\""},
                                std::string_view{"\"action_rejected\""}};
    for (const std::string_view type : asking) {
      if (frame.find(type) == std::string_view::npos) continue;
      asked_.push_back({now_ + plan_.house_delay, seat, std::string{frame}});
      break;
    }
  } else if (sitting.connection != nullptr) {
    wire_->send(*sitting.connection, frame,
                {.bot_id = plan_.players[seat].bot_id, .match = number_});
  }
}

void Table::close(std::size_t seat, std::uint16_t code, std::string_view reason) {
  Connection* const connection = std::exchange(sittings_[seat].connection, nullptr);
  if (connection != nullptr) connection->close(reason_of(code), code, reason);
}

// Each seat is told what was done: the one that did it first, and the others later. One of them is
// listened to.
void Table::note(std::size_t seat, std::string_view frame) {
  if (frame.find("\"turn_result\"") == std::string_view::npos) return;
  const Json json = Json::parse(frame, nullptr, false);
  if (json.value("type", "") != "turn_result") return;
  const std::size_t actor = json.value("seat", std::size_t{0});
  std::size_t listener = actor;
  if (actor >= sittings_.size() || !match_.is_attached(actor)) {
    listener = 0;
    while (listener < sittings_.size() && !match_.is_attached(listener)) ++listener;
  }
  if (seat != listener) return;
  actions_.push_back({match_.round(), actor, json.value("details", Json::object())});
  if (actions_.size() > kept_actions) actions_.pop_front();
}

}  // namespace lobby_program
