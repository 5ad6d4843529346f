// SPDX-License-Identifier: MIT
// Token, seat, handshake.
#include "gateway.hpp"

#include "client_frame.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace lobby_program {

using muster::CloseInfo;
using muster::CloseReason;
using muster::Connection;
using muster::Decision;
using muster::Message;
using muster::Request;
using muster::time_point;

namespace {

// What the two paths share: MATCH/PARTICIPANT.
struct Place {
  std::string_view match_id;
  std::string_view participant_id;
};

Place split(std::string_view path) {
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return {path, {}};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

// The offer behind the sentinel.
std::string_view token_of(const Request& request) {
  const auto& offers = request.subprotocols;
  const auto found = std::find(offers.begin(), offers.end(), Gateway::sentinel);
  return found == offers.end() || found + 1 == offers.end() ? std::string_view{} : *(found + 1);
}

bool offers_sentinel(const Request& request) {
  const auto& offers = request.subprotocols;
  return std::find(offers.begin(), offers.end(), Gateway::sentinel) != offers.end();
}

// Whether a list of texts in a client's hello has one of them.
bool lists(const Json& frame, std::string_view key, std::string_view wanted) {
  const auto found = frame.find(key);
  return found != frame.end() && found->is_array() &&
         std::any_of(found->begin(), found->end(), [&](const Json& entry) {
           return entry.is_string() && entry.get_ref<const std::string&>() == wanted;
         });
}

// Whether it has a field that neither frame of the handshake has.
bool has_unknown_field(const Json& frame) {
  constexpr std::array<std::string_view, 8> known{
      "type",           "match_id",           "token",          "ticket", "client_name",
      "client_version", "supported_versions", "supported_games"};
  for (const auto& [key, value] : frame.items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) return true;
  }
  return false;
}

// A client that names no games plays the one that has no description.
bool plays(const Json& hello, const Game& game) {
  if (!hello.contains("supported_games")) return game.description().is_null();
  return lists(hello, "supported_games", game.type());
}

}  // namespace

Gateway::Gateway(const Config& config, const Accounts& accounts, Matches& matches,
                 muster::AddressLimits& connects, Wire& wire, const WallClock& clock)
    : config_(config),
      accounts_(&accounts),
      matches_(&matches),
      connects_(&connects),
      wire_(&wire),
      clock_(&clock) {}

// Upgrades. What is wrong with one is told by a close code, which needs an open connection.

void Gateway::on_upgrade(const Request& request, Decision decision, time_point now) {
  ++stats_.connects;
  auto owned = std::make_unique<Session>();
  Session& session = *owned;
  session.is_direct = request.path.starts_with(direct_prefix);
  const std::string_view prefix = session.is_direct ? direct_prefix : path_prefix;
  const Place place = split(request.path.substr(std::min(prefix.size(), request.path.size())));
  session.match_id = place.match_id;
  session.participant_id = place.participant_id;

  const std::string_view token = token_of(request);
  if (!connects_->may_present_token(request.remote, now)) {
    ++stats_.limited;
    session.refusal = {1008, "too many connects"};
  } else {
    session.refusal = look_up(session, token);
  }
  connects_->count_failed_token(request.remote, now);

  const Table* const table = matches_->find(session.match_id);
  const Origin origin{.bot_id = table == nullptr
                                    ? ""
                                    : std::string_view{table->plan().players[session.seat].bot_id},
                      .match = session.number};
  if (session.refusal.code == 0 && wire_->answer(origin, decision)) return;
  const std::string_view selected =
      offers_sentinel(request) ? wire_->select(origin, sentinel, token) : std::string_view{};
  sessions_.emplace(&session, std::move(owned));
  if (!decision.accept(*this, selected, &session)) sessions_.erase(&session);
}

Gateway::Refusal Gateway::look_up(Session& session, std::string_view token) {
  const auto not_found = [this](std::uint16_t code, std::string_view text) {
    ++stats_.not_found;
    return Refusal{code, text};
  };
  if (!is_uuid(session.match_id) || session.participant_id.empty()) {
    return not_found(4002, "malformed ids");
  }
  const Table* const table = matches_->find(session.match_id);
  if (table == nullptr) {
    // The direct path has a code for a match that is over; a gateway only knows that it has none.
    if (session.is_direct && matches_->has_ended(session.match_id)) {
      return not_found(4005, "match ended");
    }
    return not_found(4002, "no such match");
  }
  const auto seat = table->seat_of(session.participant_id);
  if (!seat && session.is_direct) return not_found(4006, "no such participant");
  if (!seat) {
    ++stats_.unauthorized;
    return {4001, "not your seat"};
  }
  session.seat = *seat;
  session.number = table->number();
  return session.is_direct ? Refusal{} : check_token(session, *table, token);
}

// A bot of the house has no token, so nobody takes its seat.
Gateway::Refusal Gateway::check_token(const Session& session, const Table& table,
                                      std::string_view token) {
  const auto credential = accounts_->find(token);
  const std::string& bot_id = table.plan().players[session.seat].bot_id;
  if (credential && !bot_id.empty() && credential->bot_id == bot_id) return {};
  ++stats_.unauthorized;
  return {4001, "auth failed"};
}

void Gateway::on_open(Connection& connection, time_point now) {
  Session& session = *connection.context<Session>();
  session.connection = &connection;
  connection.limit_receive(config_.max_frame);
  if (session.refusal.code != 0) {
    return end(session, CloseReason::refused, session.refusal.code, session.refusal.text);
  }
  agenda_.set(session, now + config_.handshake_timeout);
}

// Messages.

void Gateway::on_message(Connection& connection, const Message& message, time_point now) {
  Session& session = *connection.context<Session>();
  if (session.stage == Stage::over || !wire_->hears(connection)) return;
  Table* const table = matches_->find(session.match_id);
  if (session.stage == Stage::seated) {
    if (table == nullptr) return;  // it is over, and the close is on its way
    table->receive(session.seat, connection, message, now);
    return matches_->settle(*table, now);
  }
  if (table == nullptr) {
    ++stats_.not_found;
    return end(session, CloseReason::refused, session.is_direct ? 4005 : 4002, "match ended");
  }
  if (message.bytes.size() > config_.max_frame) {
    ++stats_.oversized;
    return end(session, CloseReason::too_large, 4008, "a frame may have 4096 bytes");
  }
  const Json frame = parse_frame(message);
  const std::string_view expected = session.stage == Stage::authenticate ? "authenticate" : "hello";
  std::string_view mistake;
  if (frame.is_null() || text_of(frame, "type") != expected) {
    mistake = "malformed_message";
  } else if (config_.is_strict && has_unknown_field(frame)) {
    mistake = "unknown_field";
  }
  if (!mistake.empty()) {
    // The deadline of the frame that was expected goes on.
    ++stats_.malformed;
    send_error(session, *table, mistake, "expected " + std::string{expected}, now);
    if (++session.mistakes < config_.max_mistakes) return;
    return end(session, CloseReason::protocol_error, 4009, "rate_limit_exceeded");
  }
  if (session.stage == Stage::authenticate) {
    take_authenticate(session, frame, now);
  } else {
    take_hello(session, frame, now);
  }
}

void Gateway::take_authenticate(Session& session, const Json& frame, time_point now) {
  Table& table = *matches_->find(session.match_id);
  if (session.is_direct) {
    const std::string_view token = text_of(frame, "token");
    const Refusal refusal =
        check_token(session, table, token.empty() ? text_of(frame, "ticket") : token);
    if (refusal.code != 0) return end(session, CloseReason::refused, refusal.code, refusal.text);
  }
  const Match::Admission admission = table.match().admission(session.seat);
  const bool may_replace = admission == Match::Admission::duplicate_participant &&
                           config_.duplicate == Duplicate::replace;
  if (admission != Match::Admission::welcome && !may_replace) {
    ++stats_.refused;
    send_error(session, table, to_string(admission), "this seat cannot be taken", now);
    return end(session, CloseReason::refused, 4011, to_string(admission));
  }
  session.stage = Stage::hello;
  agenda_.set(session, now + config_.handshake_timeout);
  const Game& game = table.match().game();
  Json hello{{"type", "hello"},
             {"match_id", session.match_id},
             {"seq", 1},
             {"server_ts", clock_->text(now)},
             {"supported_versions", {version}},
             {"selected_version", version},
             {"server_name", "muster"},
             {"game_type", game.type()},
             {"capabilities", Json::array()}};
  if (table.plan().config.max_reconnects != 0) hello["capabilities"].push_back("reconnect");
  if (Json description = game.description(); !description.is_null()) {
    hello["game"] = std::move(description);
  }
  send(session, table, hello);
}

void Gateway::take_hello(Session& session, const Json& frame, time_point now) {
  Table& table = *matches_->find(session.match_id);
  if (!lists(frame, "supported_versions", version)) {
    ++stats_.mismatched;
    return end(session, CloseReason::refused, 4013, "protocol_mismatch");
  }
  if (!plays(frame, table.match().game())) {
    ++stats_.mismatched;
    Json error{{"type", "error"},
               {"match_id", session.match_id},
               {"seq", 1},
               {"server_ts", clock_->text(now)},
               {"code", "EXTAPI_CLIENT_GAME_UNSUPPORTED"},
               {"message", "the client does not play this game"},
               {"game_type", table.match().game().type()}};
    send(session, table, error);
    return end(session, CloseReason::refused, 4002, "game_unsupported_by_client");
  }
  take_seat(session, table, now);
}

// Between its two frames, another connection may have taken the seat.
void Gateway::take_seat(Session& session, Table& table, time_point now) {
  if (config_.duplicate == Duplicate::replace &&
      table.match().admission(session.seat) == Match::Admission::duplicate_participant) {
    ++stats_.replaced;
    table.vacate(session.seat, now);
  }
  agenda_.clear(session);
  session.stage = Stage::seated;
  const Match::Admission admission = table.attach(session.seat, *session.connection, now);
  matches_->settle(table, now);
  if (admission == Match::Admission::welcome) {
    ++stats_.seated;
    return;
  }
  ++stats_.refused;
  send_error(session, table, to_string(admission), "this seat cannot be taken", now);
  end(session, CloseReason::refused, 4011, to_string(admission));
}

// Ends.

void Gateway::on_fault(Connection& connection, const CloseInfo& info, time_point) {
  if (info.reason != CloseReason::too_large) return;
  ++stats_.oversized;
  end(*connection.context<Session>(), CloseReason::too_large, 4008, "a frame may have 4096 bytes");
}

void Gateway::on_close(Connection& connection, const CloseInfo&, time_point now) {
  Session& session = *connection.context<Session>();
  wire_->forget(connection);
  agenda_.clear(session);
  if (Table* const table = matches_->find(session.match_id); table != nullptr) {
    table->detach(session.seat, connection, now);
    matches_->settle(*table, now);
  }
  sessions_.erase(&session);
}

void Gateway::on_drain(time_point) {
  for (const auto& [key, session] : sessions_) {
    if (session->connection != nullptr) {
      end(*session, CloseReason::draining, 1001, "the server goes away");
    }
  }
}

void Gateway::advance(time_point now) {
  while (Session* const session = agenda_.take_due(now)) {
    if (session->stage == Stage::over) continue;
    ++stats_.late;
    end(*session, CloseReason::timed_out, 4007, "handshake_timeout");
  }
}

void Gateway::send(const Session& session, const Table& table, const Json& frame) {
  wire_->send(*session.connection, frame.dump(),
              {.bot_id = table.plan().players[session.seat].bot_id, .match = session.number});
}

void Gateway::send_error(const Session& session, const Table& table, std::string_view code,
                         std::string_view message, time_point now) {
  send(session, table,
       {{"type", "error"},
        {"match_id", session.match_id},
        {"seq", 1},
        {"server_ts", clock_->text(now)},
        {"code", code},
        {"message", message}});
}

void Gateway::end(Session& session, CloseReason reason, std::uint16_t code, std::string_view text) {
  if (session.stage == Stage::over) return;
  session.stage = Stage::over;
  agenda_.clear(session);
  session.connection->close(reason, code, text);
}

}  // namespace lobby_program
