// SPDX-License-Identifier: MIT
// Coming, leaving, being lost and coming back.
#include "game_room.hpp"

#include "secret_token.hpp"

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

namespace muster::signal {

namespace {

Room::Config room_config(const Config& config) {
  Room::Config room;
  room.max_spectators = config.max_spectators.value_or(std::numeric_limits<std::uint32_t>::max());
  room.last_id = std::numeric_limits<std::uint32_t>::max();  // nobody sees these numbers
  room.audiences = audience_count;
  return room;
}

// A room keeps so many banned ids; the oldest is forgotten for a new one.
constexpr std::size_t max_banned = 1024;

}  // namespace

GameRoom::GameRoom(Facts facts, std::uint64_t instance, const RoomContext& context, time_point now)
    : facts_(std::move(facts)),
      context_(&context),
      room_(instance, room_config(*context.config), *context.outbox, this),
      ring_(context.config->event_buffer_size),
      active_at_(now),
      empty_since_(now) {}

GameRoom::~GameRoom() = default;

std::size_t GameRoom::player_count() const noexcept { return players_.size() - absent_; }

std::optional<Refusal> GameRoom::check_player(std::string_view folded_name, time_point now) const {
  std::size_t limit = facts_.max_players;
  if (!context_->config->reserve_seats) limit += absent_;
  if (!room_.next_id(now, static_cast<std::uint32_t>(limit))) {
    return Refusal{ErrorCode::room_full, "Room is full"};
  }
  const bool is_taken = std::any_of(
      players_.begin(), players_.end(),
      [&](const std::unique_ptr<Seat>& seat) { return seat->folded_name == folded_name; });
  // The code is the one that both generations of the reference send.
  if (is_taken) return Refusal{ErrorCode::room_creation_failed, "Player name is already taken"};
  return std::nullopt;
}

std::optional<Refusal> GameRoom::check_spectator(time_point now) const {
  if (room_.next_id(now, 0, true)) return std::nullopt;
  return Refusal{ErrorCode::too_many_spectators, "Room has all its spectators"};
}

Seat& GameRoom::take_seat(Seats& seats, Session& session, Room::Member& member,
                          std::string_view name, time_point now) {
  Seat& seat = *seats.emplace_back(std::make_unique<Seat>());
  seat.player_id = session.player_id;
  seat.name = name;
  seat.connected_at = context_->clock->at(now);
  seat.member = &member;
  member.data = &seat;
  attach(session, seat);
  return seat;
}

void GameRoom::attach(Session& session, Seat& seat) noexcept {
  seat.abilities = session.abilities;
  seat.session = &session;
  session.room = this;
  session.seat = &seat;
  session.base = sent_;
  session.own = {};
}

// From now on it hears what the room says.
void GameRoom::let_hear(Session& session) {
  if (!hears(session)) return;
  if (session.lane != nullptr) {
    behind_.push_back(&session);
  } else {
    const auto audience = static_cast<std::size_t>(audience_of(session.abilities));
    room_.audience(audience).join(*session.connection);
  }
}

void GameRoom::fell_behind(Session& session) {
  Group* const group = session.connection->group();
  if (group == nullptr) return;
  group->leave(*session.connection);
  behind_.push_back(&session);
}

void GameRoom::caught_up(Session& session) {
  if (std::erase(behind_, &session) != 0) let_hear(session);
}

bool GameRoom::hears(const Session& session) const noexcept {
  return !session.seat->is_spectator || context_->config->spectator_feed;
}

ClassCounts GameRoom::owed_to(const Session& session) const noexcept {
  ClassCounts owed = session.owed;
  if (!hears(session)) return owed;
  for (std::size_t i = 0; i < owed.size(); ++i) {
    owed[i] += sent_[i] - session.base[i] - session.own[i];
  }
  return owed;
}

// From now on it hears nothing more of the room, and sends nothing: also before it is told so.
void GameRoom::detach(Session& session) noexcept {
  if (Group* const group = session.connection->group()) group->leave(*session.connection);
  std::erase(behind_, &session);
  session.owed = owed_to(session);
  session.seat->session = nullptr;
  session.seat = nullptr;
  session.room = nullptr;
}

void GameRoom::remove(Seat& seat, time_point now) {
  room_.remove(*seat.member, now);
  std::erase(ready_, &seat);
  Seats& seats = seat.is_spectator ? spectators_ : players_;
  seats.erase(std::find_if(seats.begin(), seats.end(), [&seat](const std::unique_ptr<Seat>& other) {
    return other.get() == &seat;
  }));
  if (absent_ == 0) ring_.clear();
  if (player_count() == 0 && spectators_.empty()) empty_since_ = now;
  context_->rescheduled(context_->owner, *this);
}

std::string GameRoom::draw_token(Room::Member* member, std::optional<TokenTag>& tag) {
  const SecretToken token = draw_secret_token(*context_->entropy);
  tag = context_->mint->tag(as_bytes(view(token)));
  if (member != nullptr) room_.set_token(*member, *tag);
  ++context_->stats->reconnection.tokens_issued;
  return std::string{view(token)};
}

std::span<const IceServer> GameRoom::pregathered(const Session& session, time_point now) {
  const Config& config = *context_->config;
  const auto wished = static_cast<Topology>(desired_topology(config, facts_.game_name));
  if (!config.enable_ice_pregather || !config.enable_webrtc || wished == Topology::relay ||
      state_ == LobbyState::finalized || !session.abilities.is_v3() ||
      !session.abilities.has(Transport::webrtc) || !session.abilities.has(wished)) {
    return {};
  }
  const std::span<const IceServer> servers = context_->ice->of(session.player_id, now);
  if (!servers.empty()) ++context_->stats->transport.ice_pregather_emitted;
  return servers;
}

// What others see of the room.

PlayerInfo GameRoom::info_of(const Seat& seat) const {
  PlayerInfo info;
  info.id = seat.player_id;
  info.name = seat.name;
  info.is_authority = authority_ == &seat;
  info.is_ready = seat.is_ready;
  info.connected_at = seat.connected_at;
  if (seat.connection_info) info.connection_info = seat.connection_info->json;
  info.stamp = seat.stamp;
  return info;
}

std::span<const SpectatorInfo> GameRoom::spectator_infos() {
  spectator_infos_.clear();
  for (const std::unique_ptr<Seat>& seat : spectators_) {
    spectator_infos_.push_back({seat->player_id, seat->name, seat->connected_at});
  }
  return spectator_infos_;
}

std::span<const Uuid> GameRoom::ready_ids() {
  ready_ids_.clear();
  for (const Seat* const seat : ready_) ready_ids_.push_back(seat->player_id);
  return ready_ids_;
}

RoomView GameRoom::room_view() {
  player_infos_.clear();
  for (const std::unique_ptr<Seat>& seat : players_) {
    if (seat->session != nullptr) player_infos_.push_back(info_of(*seat));
  }
  RoomView room;
  room.room_id = facts_.id;
  room.room_code = facts_.code;
  room.game_name = facts_.game_name;
  room.max_players = facts_.max_players;
  room.supports_authority = facts_.supports_authority;
  room.players = player_infos_;
  room.lobby_state = state_;
  room.ready_players = ready_ids();
  room.relay_type = facts_.relay_type;
  room.spectators = spectator_infos();
  return room;
}

// Players.

void GameRoom::admit(Session& session, std::string_view name, std::string folded_name,
                     const Reply& reply, time_point now) {
  touch(now);
  std::optional<TokenTag> tag;
  std::string token;
  if (session.abilities.is_v3() && context_->config->enable_reconnection) {
    token = draw_token(nullptr, tag);
  }
  Room::Member& member = room_.admit(*session.connection, now, {.token = tag});
  Seat& seat = take_seat(players_, session, member, name, now);
  seat.folded_name = std::move(folded_name);
  seat.stamp = {++session.epoch, 0};
  const bool is_first = state_ == LobbyState::waiting;
  if (is_first && facts_.supports_authority) authority_ = &seat;

  RoomJoined joined;
  joined.room = room_view();
  joined.player_id = seat.player_id;
  joined.is_authority = authority_ == &seat;
  joined.ice_servers = pregathered(session, now);
  joined.reconnection_token = token;
  reply(context_->delivery->encode(joined, session.abilities.version), true);
  tell_all(PlayerJoined{info_of(seat)}, &session, seat.player_id, true, now);
  let_hear(session);
  if (is_first) {
    state_ = LobbyState::lobby;
    announce_lobby(now);
  }
  if (state_ == LobbyState::finalized) {
    publish_plan(false, now);
    ++context_->stats->transport.session_plans_late_join;
  }
  context_->rescheduled(context_->owner, *this);
}

// What the others hear of somebody who is not there any more.
void GameRoom::left(const Seat& seat, bool was_authority, time_point now) {
  tell_all(PlayerLeft{seat.player_id, seat.stamp}, nullptr, seat.player_id, true, now);
  if (was_authority) announce_authority(nullptr, now);
  if (state_ == LobbyState::finalized && plan_ && plan_->topology != Topology::relay) {
    if (plan_->host == &seat) plan_->host = nullptr;
    publish_plan(false, now);
  }
}

void GameRoom::leave(Session& session, const Reply& reply, time_point now) {
  touch(now);
  Seat& seat = *session.seat;
  const bool was_authority = authority_ == &seat;
  detach(session);
  reply(context_->delivery->encode(RoomLeft{}, session.abilities.version), true);
  if (was_authority) authority_ = nullptr;
  std::erase(ready_, &seat);
  left(seat, was_authority, now);
  ++context_->stats->players.left;
  remove(seat, now);
}

void GameRoom::lose(Session& session, bool may_return, time_point now) {
  touch(now);
  Seat& seat = *session.seat;
  const bool was_authority = authority_ == &seat;
  detach(session);
  if (was_authority) authority_ = nullptr;
  std::erase(ready_, &seat);
  const bool is_kept = may_return && seat.member->token && context_->config->enable_reconnection;
  room_.lose(*seat.member, is_kept ? now + context_->config->reconnection_window : now);
  seat.was_authority = was_authority;
  left(seat, was_authority, now);
  if (!is_kept) {
    ++context_->stats->players.left;
    return remove(seat, now);
  }
  ++absent_;
  seat.missed_from = ring_.next();
  if (player_count() == 0 && spectators_.empty()) empty_since_ = now;
  context_->rescheduled(context_->owner, *this);
}

void GameRoom::remove_absent(Seat& seat, time_point now) {
  --absent_;
  ++context_->stats->players.left;
  remove(seat, now);
}

Seat* GameRoom::find_seat(const TokenTag& token) noexcept {
  Room::Member* const member = room_.find(token);
  return member == nullptr ? nullptr : static_cast<Seat*>(member->data);
}

Seat* GameRoom::find_player(const Uuid& player_id) noexcept {
  for (const std::unique_ptr<Seat>& seat : players_) {
    if (seat->player_id == player_id) return seat.get();
  }
  return nullptr;
}

void GameRoom::rejoin(Seat& seat, Session& session, const Reply& reply, time_point now) {
  touch(now);
  room_.rejoin(*seat.member, *session.connection);
  --absent_;
  attach(session, seat);
  seat.transport_status = {};
  session.epoch = seat.stamp.epoch + 1;
  seat.stamp = {session.epoch, 0};
  if (seat.is_ready) ready_.push_back(&seat);
  const bool regains = seat.was_authority && authority_ == nullptr;
  if (regains) authority_ = &seat;

  std::optional<TokenTag> tag;
  const std::string token = draw_token(seat.member, tag);
  const std::vector<std::string> missed =
      ring_.since(seat.missed_from, seat.player_id, session.abilities.version);
  Reconnected again;
  again.room = room_view();
  again.player_id = seat.player_id;
  again.is_authority = authority_ == &seat;
  again.missed_events = missed;
  again.replay = !ring_.is_on()                    ? ReplayStatus::unavailable
                 : ring_.reaches(seat.missed_from) ? ReplayStatus::complete
                                                   : ReplayStatus::truncated;
  again.ice_servers = pregathered(session, now);
  again.reconnection_token = token;
  if (absent_ == 0) ring_.clear();
  ++context_->stats->reconnection.completions;
  reply(context_->delivery->encode(again, session.abilities.version), true);
  tell_all(PlayerReconnected{seat.player_id, seat.stamp.epoch}, &session, seat.player_id, true,
           now);
  let_hear(session);
  if (regains) announce_authority(&session, now);
  if (state_ == LobbyState::finalized) publish_plan(false, now);
  context_->rescheduled(context_->owner, *this);
}

// Spectators.

void GameRoom::admit_spectator(Session& session, std::string_view name, const Reply& reply,
                               time_point now) {
  touch(now);
  Room::Member& member = room_.admit(*session.connection, now, {.is_spectator = true});
  Seat& seat = take_seat(spectators_, session, member, name, now);
  seat.is_spectator = true;
  ++context_->stats->spectators.active;
  ++context_->stats->spectators.joined;
  const SpectatorJoined joined{room_view(), seat.player_id, SpectatorChange::joined};
  reply(context_->delivery->encode(joined, session.abilities.version), true);
  const SpectatorInfo info{seat.player_id, seat.name, seat.connected_at};
  tell_all(NewSpectatorJoined{info, spectator_infos(), SpectatorChange::joined}, &session,
           seat.player_id, true, now);
  let_hear(session);
  context_->rescheduled(context_->owner, *this);
}

void GameRoom::leave_spectator(Session& session, SpectatorChange reason, const Reply& reply,
                               time_point now) {
  touch(now);
  Seat& seat = *session.seat;
  const Uuid id = seat.player_id;
  detach(session);
  --context_->stats->spectators.active;
  ++context_->stats->spectators.left;
  remove(seat, now);
  const SpectatorLeft gone{facts_.id, facts_.code, reason, spectator_infos()};
  reply(context_->delivery->encode(gone, session.abilities.version), true);
  tell_all(SpectatorDisconnected{id, reason, spectator_infos()}, nullptr, id, true, now);
}

// Its end.

void GameRoom::close(time_point now, const std::function<void(Session&)>& close_member) {
  while (!spectators_.empty()) {
    Session& session = *spectators_.back()->session;
    const Reply reply = [&](byte_view text, bool) {
      context_->delivery->send_barrier(session, text, now);
    };
    leave_spectator(session, SpectatorChange::room_closed, reply, now);
  }
  for (std::size_t i = players_.size(); i-- > 0;) {
    Seat& seat = *players_[i];
    if (seat.session == nullptr) {
      remove_absent(seat, now);
      continue;
    }
    Session& session = *seat.session;
    if (authority_ == &seat) authority_ = nullptr;
    detach(session);
    ++context_->stats->players.left;
    remove(seat, now);
    close_member(session);
  }
}

time_point GameRoom::next_deadline() const noexcept {
  const Config& config = *context_->config;
  const time_point inactive = active_at_ + config.inactive_room_timeout;
  const time_point deadline = std::min(room_.next_expiry(), inactive);
  if (room_.size() != 0) return deadline;
  return std::min(deadline, empty_since_ + config.empty_room_timeout);
}

void GameRoom::advance(time_point now, const std::function<void(const Seat&)>& expired) {
  while (Room::Member* const member = room_.expired(now)) {
    Seat& seat = *static_cast<Seat*>(member->data);
    expired(seat);
    ++context_->stats->cleanup.expired_players;
    remove_absent(seat, now);
  }
}

bool GameRoom::is_stale_empty(time_point now) const noexcept {
  return room_.size() == 0 && now >= empty_since_ + context_->config->empty_room_timeout;
}

bool GameRoom::is_inactive(time_point now) const noexcept {
  return now >= active_at_ + context_->config->inactive_room_timeout;
}

void GameRoom::ban(const Uuid& player_id) {
  if (is_banned(player_id)) return;
  if (banned_.size() == max_banned) banned_.erase(banned_.begin());
  banned_.push_back(player_id);
}

void GameRoom::unban(const Uuid& player_id) noexcept { std::erase(banned_, player_id); }

bool GameRoom::is_banned(const Uuid& player_id) const noexcept {
  return std::find(banned_.begin(), banned_.end(), player_id) != banned_.end();
}

}  // namespace muster::signal
