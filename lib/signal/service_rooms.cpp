// SPDX-License-Identifier: MIT
// Rooms: finding, opening, joining, leaving, coming back, watching.
#include "service_impl.hpp"

#include "player_name.hpp"
#include "room_code.hpp"

#include <algorithm>
#include <utility>

namespace muster::signal {

namespace {

// A code that is taken is never joined: so often another one is drawn.
constexpr int code_attempts = 8;

// Members that did not come back in time, and may still be told so.
constexpr std::size_t max_expired = 65'536;

constexpr std::string_view join_failed = "RoomJoinFailed";
constexpr std::string_view spectate_failed = "SpectatorJoinFailed";
constexpr std::string_view reconnect_failed = "ReconnectionFailed";
constexpr std::string_view busy = "Server is busy";

}  // namespace

// Answers.

GameRoom::Reply Service::Impl::reply_to(Session& session, const Operation& operation,
                                        time_point now) {
  return [this, &session, operation, now](byte_view text, bool divides) {
    if (operation) {
      wrapped_.assign(text.begin(), text.end());
      text = delivery_.encode(RoomOperationResult{*operation, as_text(wrapped_)},
                              session.abilities.version);
    }
    if (divides) {
      delivery_.send_barrier(session, text, now);
    } else {
      delivery_.send_control(session, text, now);
    }
  };
}

void Service::Impl::fail(Session& session, std::string_view type, const Operation& operation,
                         ErrorCode code, std::string_view reason, time_point now) {
  if (!take_error_reply(session, code, now)) return;
  reply_to(session, operation, now)(
      delivery_.encode(Failure{type, reason, code}, session.abilities.version), false);
}

// Rates. An address has those of as many players as it may have connections.

bool Service::Impl::take_attempt(RateBucket& own, RateBucket* of_address, std::uint32_t most,
                                 std::uint64_t& rejections, time_point now) {
  const std::uint64_t many = std::uint64_t{most} * config.max_connections_per_address;
  if (own.take(1, most, config.rate_window, now) &&
      (of_address == nullptr || of_address->take(1, many, config.rate_window, now))) {
    return true;
  }
  ++rejections;
  return false;
}

bool Service::Impl::take_join(Session& session, time_point now) {
  AddressUse* const use = address_use(session);
  return take_attempt(session.joins, use == nullptr ? nullptr : &use->joins,
                      config.max_join_attempts, stats_.rate_limit.join_attempt_rejections, now);
}

bool Service::Impl::take_creation(Session& session, time_point now) {
  AddressUse* const use = address_use(session);
  return take_attempt(session.creations, use == nullptr ? nullptr : &use->creations,
                      config.max_room_creations, stats_.rate_limit.room_creation_rejections, now);
}

// The directory.

GameRoom* Service::Impl::find_room(std::string_view game, std::string_view code) noexcept {
  const auto found = rooms_.find(RoomKey{std::string{game}, std::string{code}});
  return found == rooms_.end() ? nullptr : found->second.get();
}

std::optional<Refusal> Service::Impl::check_caps(const Session& session, std::string_view game) {
  const auto of_game = rooms_of_game_.find(game);
  if (of_game != rooms_of_game_.end() && of_game->second >= config.max_rooms_per_game) {
    ++stats_.rooms.cap_denials;
    return Refusal{ErrorCode::max_rooms_per_game_exceeded, "This game has all its rooms"};
  }
  const auto of_app = rooms_of_app_.find(session.app_id);
  const bool app_is_full = session.app != nullptr && session.app->max_rooms &&
                           of_app != rooms_of_app_.end() &&
                           of_app->second >= *session.app->max_rooms;
  if (app_is_full || rooms_.size() >= config.max_rooms) {
    ++stats_.rooms.cap_denials;
    return Refusal{ErrorCode::room_creation_failed, "No more rooms can be opened"};
  }
  return std::nullopt;
}

std::optional<std::string> Service::Impl::draw_code(std::string_view game) {
  for (int attempt = 0; attempt < code_attempts; ++attempt) {
    const auto draw = [&] {
      return draw_room_code(*entropy_, config.room_code_length, config.room_code_prefix);
    };
    std::string code = draw();
    // One that belongs here; on few loops that is soon found.
    for (std::uint32_t i = 0; placement_ && home_of(game, code) != here_; ++i) {
      if (i == placement_->count() * 64) return std::nullopt;
      code = draw();
    }
    if (find_room(game, code) == nullptr) return code;
  }
  return std::nullopt;
}

// A room's id names its loop too: who comes back knows nothing else.
Uuid Service::Impl::draw_room_id() {
  Uuid id = draw_uuid(*entropy_);
  while (home_of(id) != here_) id = draw_uuid(*entropy_);
  return id;
}

GameRoom& Service::Impl::create(const Session& session, const JoinRoom& message, std::string code,
                                time_point now) {
  GameRoom::Facts facts;
  facts.id = draw_room_id();
  facts.app_id = session.app_id;
  facts.game_name = message.game_name;
  facts.code = std::move(code);
  facts.max_players = message.max_players.value_or(config.default_max_players);
  facts.supports_authority = message.supports_authority.value_or(true);
  const auto label = config.game_relay_types.find(message.game_name);
  facts.relay_type =
      label == config.game_relay_types.end() ? config.default_relay_type : label->second;
  auto room = std::make_unique<GameRoom>(std::move(facts), next_instance_++, context_, now);
  // Its clients are told an error that those of the reference's generation cannot read.
  if (message.password && config.enable_moderation) {
    room->password = mac_->tag(password_key_, as_bytes(*message.password));
  }
  GameRoom& made = *room;
  rooms_.emplace(RoomKey{made.facts().game_name, made.facts().code}, std::move(room));
  rooms_by_id_.emplace(made.facts().id, &made);
  ++rooms_of_game_[made.facts().game_name];
  ++rooms_of_app_[made.facts().app_id];
  ++stats_.rooms.created;
  room_rescheduled(this, made);
  return made;
}

void Service::Impl::reap(GameRoom& room, time_point now) {
  room.close(now, [](Session&) {});
  if (room.scheduled != no_deadline) room_deadlines_.erase({room.scheduled, &room});
  const auto drop = [](auto& counts, const auto& key) {
    const auto found = counts.find(key);
    if (--found->second == 0) counts.erase(found);
  };
  drop(rooms_of_game_, room.facts().game_name);
  drop(rooms_of_app_, room.facts().app_id);
  rooms_by_id_.erase(room.facts().id);
  ++stats_.rooms.deleted;
  rooms_.erase(RoomKey{room.facts().game_name, room.facts().code});
}

// Whether somebody may come into that room, which need not be there.
std::optional<Refusal> Service::Impl::check_entry(const GameRoom* room, const Session& session,
                                                  const std::optional<std::string>& password) {
  if (room == nullptr || room->facts().app_id != session.app_id) {
    return Refusal{ErrorCode::room_not_found, "Room not found"};
  }
  if (config.enable_moderation && room->is_banned(session.player_id)) {
    return Refusal{ErrorCode::banned, "You are banned from this room"};
  }
  if (!room->password) return std::nullopt;
  const bool opens =
      password &&
      equal_in_constant_time(*room->password, mac_->tag(password_key_, as_bytes(*password)));
  if (opens) return std::nullopt;
  return Refusal{ErrorCode::password_required, "This room has a password"};
}

// Joining.

void Service::Impl::join(Session& session, JoinRoom& message, const Operation& operation,
                         time_point now) {
  const auto refuse = [&](ErrorCode code, std::string_view reason) {
    fail(session, join_failed, operation, code, reason, now);
  };
  const std::optional<std::string> code =
      message.room_code ? normalize_room_code(*message.room_code, config.room_code_length)
                        : std::nullopt;
  const bool is_here = session.room == nullptr;
  if (code && is_here) {
    const std::uint32_t home = home_of(message.game_name, *code);
    if (home != here_) {
      if (!send_home(session, home, now)) refuse(ErrorCode::internal_error, busy);
      return;
    }
  }
  GameRoom* room = code ? find_room(message.game_name, *code) : nullptr;
  const bool creates = room == nullptr && (code || !message.room_code);
  // In the order of the reference: the first that fails decides what is answered.
  if (is_draining && creates) return refuse(ErrorCode::server_draining, "Server is draining");
  if (!take_join(session, now) || (creates && is_here && !take_creation(session, now))) {
    return refuse(ErrorCode::rate_limit_exceeded, "Too many attempts");
  }
  if (!is_game_name(message.game_name, config.max_game_name_length)) {
    return refuse(ErrorCode::invalid_game_name, "Invalid game name");
  }
  if (!is_player_name(message.player_name, name_rules_)) {
    return refuse(ErrorCode::invalid_player_name, "Invalid player name");
  }
  const std::uint8_t app_limit = session.app != nullptr && session.app->max_players_per_room
                                     ? *session.app->max_players_per_room
                                     : config.max_players_limit;
  const std::uint8_t limit = std::min(app_limit, config.max_players_limit);
  if (message.max_players && (*message.max_players == 0 || *message.max_players > limit)) {
    return refuse(ErrorCode::invalid_max_players, "Invalid max_players");
  }
  if (!message.max_players) message.max_players = std::min(config.default_max_players, limit);
  if (!is_here) return refuse(ErrorCode::already_in_room, "Already in a room");
  if (message.room_code && !code) return refuse(ErrorCode::invalid_room_code, "Invalid room code");

  std::string folded = fold_name(message.player_name);
  if (room != nullptr) {
    if (const auto refusal = check_entry(room, session, message.password)) {
      return refuse(refusal->code, refusal->reason);
    }
    if (const auto refusal = room->check_player(folded, now)) {
      return refuse(refusal->code, refusal->reason);
    }
  } else {
    if (const auto refusal = check_caps(session, message.game_name)) {
      return refuse(refusal->code, refusal->reason);
    }
    std::optional<std::string> chosen = code ? code : draw_code(message.game_name);
    if (!chosen) return refuse(ErrorCode::room_creation_failed, "No room code is free");
    room = &create(session, message, std::move(*chosen), now);
  }
  ++stats_.rooms.joined;
  ++stats_.players.joined;
  room->admit(session, message.player_name, std::move(folded), reply_to(session, operation, now),
              now);
}

void Service::Impl::leave(Session& session, const Operation& operation, time_point now) {
  if (!session.is_playing()) {
    if (operation) {
      fail(session, operation_failed, operation, ErrorCode::not_in_room, not_in_a_room, now);
    }
    return;  // without a number nobody waits for an answer
  }
  session.room->leave(session, reply_to(session, operation, now), now);
}

// Spectators.

void Service::Impl::spectate(Session& session, JoinAsSpectator& message, const Operation& operation,
                             time_point now) {
  const auto refuse = [&](ErrorCode code, std::string_view reason) {
    fail(session, spectate_failed, operation, code, reason, now);
  };
  const auto code = normalize_room_code(message.room_code, config.room_code_length);
  if (code && session.room == nullptr) {
    const std::uint32_t home = home_of(message.game_name, *code);
    if (home != here_) {
      if (!send_home(session, home, now)) refuse(ErrorCode::internal_error, busy);
      return;
    }
  }
  if (is_draining) return refuse(ErrorCode::server_draining, "Server is draining");
  if (!take_join(session, now)) {
    return refuse(ErrorCode::rate_limit_exceeded, "Too many attempts");
  }
  if (session.room != nullptr) {
    const bool watches = session.seat->is_spectator;
    return refuse(watches ? ErrorCode::spectator_join_failed : ErrorCode::spectator_not_allowed,
                  watches ? "Already spectating" : "Leave your room first");
  }
  if (!is_player_name(message.spectator_name, name_rules_)) {
    return refuse(ErrorCode::invalid_player_name, "Invalid spectator name");
  }
  if (!is_game_name(message.game_name, config.max_game_name_length)) {
    return refuse(ErrorCode::invalid_game_name, "Invalid game name");
  }
  if (!code) return refuse(ErrorCode::invalid_room_code, "Invalid room code");
  GameRoom* const room = find_room(message.game_name, *code);
  if (const auto refusal = check_entry(room, session, message.password)) {
    return refuse(refusal->code, refusal->reason);
  }
  if (const auto refusal = room->check_spectator(now)) {
    return refuse(refusal->code, refusal->reason);
  }
  room->admit_spectator(session, message.spectator_name, reply_to(session, operation, now), now);
}

void Service::Impl::stop_spectating(Session& session, const Operation& operation, time_point now) {
  if (session.room == nullptr || !session.seat->is_spectator) {
    if (operation) {
      return fail(session, operation_failed, operation, ErrorCode::not_a_spectator,
                  "Not a spectator", now);
    }
    return refuse(session, ErrorCode::not_a_spectator, "Not a spectator", now);
  }
  session.room->leave_spectator(session, SpectatorChange::voluntary_leave,
                                reply_to(session, operation, now), now);
}

// Coming back.

void Service::Impl::remember_expired(const GameRoom& room, const Seat& seat) {
  if (!seat.member->token) return;
  const std::pair key{seat.player_id, room.facts().id};
  if (!expired_.emplace(key, *seat.member->token).second) return;
  expired_until_.emplace_back(seat.member->absent_until + config.reconnection_window, key);
  if (expired_.size() > max_expired) {
    expired_.erase(expired_until_.front().second);
    expired_until_.pop_front();
  }
}

bool Service::Impl::is_expired(const Reconnect& message, const TokenTag& tag) const {
  const auto found = expired_.find({message.player_id, message.room_id});
  return found != expired_.end() && equal_in_constant_time(found->second, tag);
}

void Service::Impl::reconnect(Session& session, Reconnect& message, const Operation& operation,
                              time_point now) {
  const auto refuse = [&](ErrorCode code, std::string_view reason) {
    ++stats_.reconnection.validation_failures;
    fail(session, reconnect_failed, operation, code, reason, now);
  };
  if (session.room != nullptr) return refuse(ErrorCode::already_in_room, "Already in a room");
  if (!config.enable_reconnection) {
    return refuse(ErrorCode::reconnection_failed, "Reconnection is switched off");
  }
  const std::uint32_t home = home_of(message.room_id);
  if (home != here_) {
    if (!send_home(session, home, now)) refuse(ErrorCode::internal_error, busy);
    return;
  }
  if (!limits_->may_present_token(session.remote, now)) {
    return refuse(ErrorCode::rate_limit_exceeded, "Too many attempts");
  }
  const TokenTag tag = mint_.tag(as_bytes(message.auth_token));
  const auto found = rooms_by_id_.find(message.room_id);
  GameRoom* const room = found == rooms_by_id_.end() ? nullptr : found->second;
  Seat* const seat = room == nullptr ? nullptr : room->find_seat(tag);
  if (seat == nullptr || seat->player_id != message.player_id) {
    // Only who has the token is told that it came too late.
    if (is_expired(message, tag)) {
      return refuse(ErrorCode::reconnection_expired, "Reconnection window has expired");
    }
    limits_->count_failed_token(session.remote, now);
    const bool has_record = room != nullptr && room->find_player(message.player_id) != nullptr;
    return has_record ? refuse(ErrorCode::reconnection_token_invalid, "Invalid token")
                      : refuse(ErrorCode::reconnection_failed, "There is nobody to come back as");
  }
  if (seat->session != nullptr) {
    return refuse(ErrorCode::player_already_connected, "This player is connected");
  }
  if (now >= seat->member->absent_until) {
    return refuse(ErrorCode::reconnection_expired, "Reconnection window has expired");
  }
  if (is_draining) return refuse(ErrorCode::server_draining, "Server is draining");
  if (config.enable_moderation && room->is_banned(message.player_id)) {
    return refuse(ErrorCode::banned, "You are banned from this room");
  }
  delivery_.empty(session);  // what waits belongs to the old count
  if (!session.takes()) return;
  players_.erase(session.player_id);
  session.player_id = seat->player_id;
  players_.emplace(session.player_id, &session);
  // What it is told from now on is counted anew.
  session.counters = {};
  session.owed = {};
  room->rejoin(*seat, session, reply_to(session, operation, now), now);
}

}  // namespace muster::signal
