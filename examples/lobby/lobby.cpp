// SPDX-License-Identifier: MIT
// Authentication, eviction, heartbeat.
#include "lobby.hpp"

#include "client_frame.hpp"

#include <utility>
#include <vector>

namespace lobby_program {

using muster::as_bytes;
using muster::CloseInfo;
using muster::CloseReason;
using muster::Connection;
using muster::Message;
using muster::MessageKind;
using muster::time_point;

Lobby::Lobby(const Config& config, const Accounts& accounts, muster::AddressLimits& connects,
             Wire& wire, const WallClock& clock)
    : config_(config), accounts_(&accounts), connects_(&connects), wire_(&wire), clock_(&clock) {}

const Credential* Lobby::online(std::string_view bot_id) const {
  const auto found = online_.find(bot_id);
  return found == online_.end() ? nullptr : &*found->second->credential;
}

bool Lobby::tell(std::string_view bot_id, const Seating& seating) {
  const auto found = online_.find(bot_id);
  if (found == online_.end()) return false;
  Json frame{
      {"type", "matched"},
      {"match_id", seating.match_id},
      {"participant_id", seating.participant_id},
      {"gateway_ws_url", "/ws/external/match/" + seating.match_id + "/" + seating.participant_id},
      {"rated", seating.is_rated}};
  if (seating.decision_timeout_ms != 0) frame["decision_timeout_ms"] = seating.decision_timeout_ms;
  if (seating.is_resumed) frame["resume"] = true;
  ++stats_.matched;
  wire_->send(*found->second->connection, frame.dump(), {.bot_id = bot_id});
  return true;
}

void Lobby::evict(std::string_view bot_id, time_point now) {
  const auto found = online_.find(bot_id);
  if (found != online_.end()) evict(*found->second, now);
}

void Lobby::check_tokens(time_point now) {
  std::vector<Session*> revoked;
  for (const auto& [bot, session] : online_) {
    if (!accounts_->is_valid(*session->credential)) revoked.push_back(session);
  }
  for (Session* const session : revoked) revoke(*session, now);
}

// What peers do.

void Lobby::on_upgrade(const muster::Request& request, muster::Decision decision, time_point now) {
  const std::string_view bot_id =
      request.path.starts_with(path_prefix) ? request.path.substr(path_prefix.size()) : "";
  if (!is_uuid(bot_id)) {
    return decision.respond({.status = 404, .body = as_bytes("no bot has such an id\n")});
  }
  if (wire_->answer({.bot_id = bot_id}, decision)) return;
  ++stats_.connects;
  auto owned = std::make_unique<Session>();
  Session& session = *owned;
  session.bot_id = bot_id;
  if (!connects_->may_present_token(request.remote, now)) session.stage = Stage::limited;
  connects_->count_failed_token(request.remote, now);
  sessions_.emplace(&session, std::move(owned));
  if (!decision.accept(*this, {}, &session)) sessions_.erase(&session);
}

void Lobby::on_open(Connection& connection, time_point now) {
  Session& session = *connection.context<Session>();
  session.connection = &connection;
  connection.limit_receive(config_.max_frame);
  if (session.stage == Stage::limited) {
    ++stats_.limited;
    return end(session, CloseReason::refused, 1008, "too many connects", now);
  }
  agenda_.set(session, now + config_.authenticate_timeout);
}

void Lobby::on_message(Connection& connection, const Message& message, time_point now) {
  Session& session = *connection.context<Session>();
  if (session.stage == Stage::over || !wire_->hears(connection)) return;
  if (message.bytes.size() > config_.max_frame) {
    ++stats_.oversized;
    return end(session, CloseReason::too_large, 1009, "a frame may have 4096 bytes", now);
  }
  const Json frame = parse_frame(message);
  if (session.stage == Stage::authenticating) return authenticate(session, frame, now);
  if (frame.is_null()) {
    ++stats_.malformed;
  } else if (session.stage == Stage::pinged && text_of(frame, "type") == "pong") {
    session.stage = Stage::ready;
    agenda_.set(session, session.next_ping);
  } else {
    ++stats_.ignored;
  }
}

void Lobby::authenticate(Session& session, const Json& frame, time_point now) {
  const auto credential = text_of(frame, "type") == "authenticate"
                              ? accounts_->find(text_of(frame, "token"))
                              : std::nullopt;
  if (!credential || credential->bot_id != session.bot_id) {
    ++stats_.unauthorized;
    return end(session, CloseReason::refused, 4001, "auth failed", now);
  }
  session.credential = credential;
  check_in(session, now);
}

void Lobby::check_in(Session& session, time_point now) {
  const auto [place, is_first] = online_.try_emplace(session.bot_id, &session);
  if (!is_first) {
    Session& older = *std::exchange(place->second, &session);
    evict(older, now);
  }
  session.stage = Stage::ready;
  session.next_ping = now + config_.ping_interval;
  agenda_.set(session, session.next_ping);
  const Json hello{{"type", "hello"},
                   {"match_id", session.bot_id},
                   {"seq", 1},
                   {"server_ts", clock_->text(now)},
                   {"supported_versions", {"1.0"}},
                   {"selected_version", "1.0"},
                   {"server_name", "muster"},
                   {"endpoint", "lobby"}};
  wire_->send(*session.connection, hello.dump(), {.bot_id = session.bot_id});
  if (listener_ != nullptr) listener_->on_online(*session.credential, now);
}

void Lobby::on_fault(Connection&, const CloseInfo& info, time_point) {
  if (info.reason == CloseReason::too_large) ++stats_.oversized;
}

void Lobby::on_close(Connection& connection, const CloseInfo&, time_point now) {
  Session& session = *connection.context<Session>();
  wire_->forget(connection);
  leave(session, now);
  sessions_.erase(&session);
}

void Lobby::on_drain(time_point now) {
  for (const auto& [key, session] : sessions_) {
    if (session->connection != nullptr) {
      end(*session, CloseReason::draining, 1001, "the server goes away", now);
    }
  }
}

// What time does.

void Lobby::advance(time_point now) {
  while (Session* const session = agenda_.take_due(now)) {
    switch (session->stage) {
      case Stage::authenticating:
        ++stats_.unauthorized;
        end(*session, CloseReason::timed_out, 4001, "authenticate first", now);
        break;
      case Stage::ready:
        ping(*session, now);
        break;
      case Stage::pinged:
        ++stats_.unanswered;
        end(*session, CloseReason::timed_out, 4000, "Heartbeat failed", now);
        break;
      case Stage::limited:
      case Stage::over:
        break;
    }
  }
}

void Lobby::ping(Session& session, time_point now) {
  if (!accounts_->is_valid(*session.credential)) return revoke(session, now);
  session.stage = Stage::pinged;
  session.next_ping = now + config_.ping_interval;
  agenda_.set(session, now + config_.pong_timeout);
  wire_->send(*session.connection, R"({"type":"ping"})", {.bot_id = session.bot_id});
}

void Lobby::revoke(Session& session, time_point now) {
  ++stats_.revoked;
  end(session, CloseReason::kicked, 4002, "token revoked", now);
}

// The bot itself stays online if another connection of it has taken the place.
void Lobby::evict(Session& session, time_point now) {
  ++stats_.evicted;
  end(session, CloseReason::superseded, 4000, "Replaced by new connection", now,
      R"({"type":"evict"})");
}

void Lobby::end(Session& session, CloseReason reason, std::uint16_t code, std::string_view text,
                time_point now, std::string_view last_words) {
  if (session.stage == Stage::over) return;
  session.stage = Stage::over;
  agenda_.clear(session);
  session.connection->close(reason, code, text, {as_bytes(last_words), MessageKind::text});
  leave(session, now);
}

void Lobby::leave(Session& session, time_point now) {
  session.stage = Stage::over;
  agenda_.clear(session);
  const auto found = online_.find(session.bot_id);
  if (found == online_.end() || found->second != &session) return;
  online_.erase(found);
  if (listener_ != nullptr) listener_->on_offline(session.bot_id, now);
}

}  // namespace lobby_program
