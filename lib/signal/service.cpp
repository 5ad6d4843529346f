// SPDX-License-Identifier: MIT
// Connections: how they begin and end, and their deadlines.
#include "service_impl.hpp"

#include <muster/request.hpp>

#include "app_id.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace muster::signal {

namespace {

constexpr std::string_view token_binding_family = "signalfish.tokenbinding.";
constexpr std::string_view packed_protocol = "signalfish.msgpack.v1";

// Addresses whose rates are remembered while they have no connection.
constexpr std::size_t max_addresses = 100'000;

}  // namespace

// The public face.

Service::Service(const Config& config, Outbox& outbox, Entropy& entropy, Mac& mac,
                 std::int64_t unix_milliseconds, time_point now, AddressLimits* limits)
    : impl_(std::make_unique<Impl>(*this, config, outbox, entropy, mac, unix_milliseconds, now,
                                   limits)) {}
Service::~Service() = default;

void Service::on_upgrade(const Request& request, Decision decision, time_point now) {
  impl_->upgrade(request, std::move(decision), now);
}
void Service::on_open(Connection& connection, time_point now) {
  impl_->open(connection, now);
  impl_->settle(now);
}
void Service::on_arrival(Connection& connection, std::unique_ptr<Luggage> luggage, time_point now) {
  impl_->arrive(connection, std::move(luggage), now);
  impl_->settle(now);
}
void Service::on_message(Connection& connection, const Message& message, time_point now) {
  impl_->receive(connection, message, now);
  impl_->settle(now);
}
void Service::on_writable(Connection& connection, time_point now) {
  Session* const session = impl_->find(connection);
  if (session != nullptr && session->takes()) (void)impl_->delivery().feed(*session);
  impl_->settle(now);
}
void Service::on_backlog(Connection& connection, time_point now) {
  Session* const session = impl_->find(connection);
  if (session != nullptr) impl_->delivery().fall_behind(*session, now);
  impl_->settle(now);
}
void Service::on_overrun(Connection& connection, std::uint32_t, time_point now) {
  Session* const session = impl_->find(connection);
  if (session != nullptr && session->takes()) impl_->give_up(*session);
  impl_->settle(now);
}
void Service::on_fault(Connection& connection, const CloseInfo& info, time_point now) {
  impl_->fault(connection, info, now);
  impl_->settle(now);
}
void Service::on_close(Connection& connection, const CloseInfo&, time_point now) {
  impl_->closed(connection, now);
  impl_->settle(now);
}
const Liveness* Service::liveness() const noexcept { return &impl_->liveness; }
void Service::on_drain(time_point now) {
  impl_->drain(now);
  impl_->settle(now);
}
void Service::advance(time_point now) {
  impl_->advance(now);
  impl_->settle(now);
}
time_point Service::next_deadline() const noexcept { return impl_->next_deadline(); }
bool Service::is_draining() const noexcept { return impl_->is_draining; }
Stats Service::stats() const { return impl_->stats(); }

// A silent peer is asked after one interval, and has so long to answer; or it is only watched.
static Liveness liveness_of(const Config& config) {
  Liveness liveness{config.ping_interval, config.idle_timeout};
  if (config.ping_interval != duration{0}) {
    const duration answer = config.ping_interval + config.pong_timeout;
    if (liveness.idle_timeout == duration{0} || liveness.idle_timeout > answer) {
      liveness.idle_timeout = answer;
    }
    if (liveness.idle_timeout <= liveness.ping_interval) liveness.ping_interval = duration{0};
  }
  return liveness;
}

Service::Impl::Impl(Service& self, const Config& given, Outbox& outbox, Entropy& entropy, Mac& mac,
                    std::int64_t unix_milliseconds, time_point now, AddressLimits* limits)
    : config(given),
      liveness(liveness_of(given)),
      self_(&self),
      entropy_(&entropy),
      mac_(&mac),
      limits_(limits),
      mint_(mac, entropy),
      clock_(unix_milliseconds, now),
      delivery_(config, stats_, *this),
      ice_(config, stats_, clock_),
      context_{&config,    &outbox, &entropy, &mint_, &stats_,
               &delivery_, &clock_, &ice_,    this,   room_rescheduled} {
  if (limits_ == nullptr) {
    AddressLimits::Config own;
    own.connections_per_second = 0;  // that is a listener's, which does not see them
    limits_ = &own_limits_.emplace(own, entropy);
  }
  entropy.fill(password_key_);
  for (const App& app : config.apps) apps_.emplace(app.id, &app);
  name_rules_.max_length = static_cast<std::uint32_t>(config.max_player_name_length);
  name_rules_.allow_unicode_alphanumeric = config.allow_unicode_alphanumeric;
  name_rules_.allow_spaces = config.allow_spaces;
  name_rules_.allow_leading_trailing_whitespace = config.allow_leading_trailing_whitespace;
  name_rules_.allowed_symbols = config.allowed_symbols;
  name_rules_.additional_allowed_characters = config.additional_allowed_characters;
  if (config.delivery_stats_interval != duration{0}) {
    next_relay_stats_ = now + config.delivery_stats_interval;
  }
}

Service::Impl::~Impl() = default;

// Upgrades.

void Service::Impl::upgrade(const Request& request, Decision decision, time_point) {
  ++stats_.upgrades.attempts;
  const auto refuse = [&](unsigned status, std::string_view body, std::uint64_t& counter) {
    ++counter;
    decision.respond({.status = status, .body = as_bytes(body)});
  };
  const auto origin = request.header("Origin");
  const auto& origins = config.origins;
  if (origin && !origins.empty() &&
      std::find(origins.begin(), origins.end(), "*") == origins.end() &&
      std::find(origins.begin(), origins.end(), *origin) == origins.end()) {
    return refuse(403, "WebSocket Origin is not allowed", stats_.upgrades.rejected_origin);
  }
  if (is_draining) return refuse(503, "the server is draining", stats_.upgrades.rejected_draining);
  if (session_count_ >= config.max_connections) {
    return refuse(503, "the server is full", stats_.upgrades.rejected_server_fault);
  }
  std::string_view chosen;
  bool offers_other_binding = false;
  for (const std::string_view offered : request.subprotocols) {
    if (config.token_binding && offered.starts_with(token_binding_family)) {
      if (offered == TokenBinding::subprotocol) {
        chosen = TokenBinding::subprotocol;
        break;
      }
      offers_other_binding = true;
    }
    if (config.enable_full_message_pack && offered == packed_protocol && chosen.empty()) {
      chosen = packed_protocol;
    }
  }
  const bool is_bound = chosen == TokenBinding::subprotocol;
  if (!is_bound && offers_other_binding) {
    return refuse(400, "unknown version of token binding",
                  stats_.upgrades.rejected_token_binding_negotiation);
  }
  if (config.require_token_binding && !is_bound) {
    return refuse(400, "token binding is required", stats_.upgrades.rejected_token_binding_offer);
  }
  if (is_bound && config.require_client_fingerprint) {
    return refuse(401, "a client certificate is required",
                  stats_.upgrades.rejected_token_binding_offer);
  }
  auto session = std::make_unique<Session>();
  if (is_bound) {
    const auto key = request.header("Sec-WebSocket-Key");
    std::array<std::byte, TokenBinding::nonce_size> nonce;
    entropy_->fill(nonce);
    session->binding = key ? TokenBinding::open(*mac_, nonce, *key, {}) : std::nullopt;
    if (!session->binding) {
      return refuse(500, "token binding is not possible", stats_.upgrades.rejected_server_fault);
    }
  }
  session->abilities.is_packed = chosen == packed_protocol;
  session->endpoint = request.path.starts_with("/v3/") ? Version::v3 : Version::v2;
  Session* const context = opening_.emplace_back(std::move(session)).get();
  ++session_count_;
  if (!decision.accept(*self_, chosen, context)) {
    // Nobody hears of it any more.
    std::erase_if(opening_, [context](const auto& other) { return other.get() == context; });
    --session_count_;
    return;
  }
  ++stats_.upgrades.accepted;
}

Session* Service::Impl::find(const Connection& connection) noexcept {
  const std::size_t index = connection.id().index;
  return index < sessions_.size() ? sessions_[index].get() : nullptr;
}

Service::Impl::AddressUse* Service::Impl::address_use(const Session& session) {
  if (session.remote == Address{}) return nullptr;
  const auto found = addresses_.find(session.remote.network().ip);
  return found == addresses_.end() ? nullptr : &found->second;
}

bool Service::Impl::take_address(Session& session) {
  if (session.remote == Address{} || config.max_connections_per_address == 0) return true;
  const AddressKey key = session.remote.network().ip;
  if (addresses_.size() >= max_addresses && !addresses_.contains(key)) {
    // Those that have nothing to be remembered for are forgotten first.
    std::erase_if(addresses_, [](const auto& entry) { return entry.second.connections == 0; });
  }
  AddressUse& use = addresses_[key];
  if (use.connections >= config.max_connections_per_address) return false;
  ++use.connections;
  session.is_counted = true;
  return true;
}

void Service::Impl::give_address(Session& session, time_point now) {
  if (!std::exchange(session.is_counted, false)) return;
  const auto found = addresses_.find(session.remote.network().ip);
  if (--found->second.connections == 0 && found->second.creations.is_full(now) &&
      found->second.joins.is_full(now)) {
    addresses_.erase(found);
  }
}

void Service::Impl::open(Connection& connection, time_point now) {
  std::unique_ptr<Session> session;
  const auto found = std::find_if(opening_.begin(), opening_.end(), [&](const auto& other) {
    return other.get() == connection.context<Session>();
  });
  if (found != opening_.end()) {
    session = std::move(*found);
    opening_.erase(found);
  } else {  // the transport asked nobody
    session = std::make_unique<Session>();
    ++session_count_;
  }
  connection.set_context(nullptr);
  session->player_id = draw_uuid(*entropy_);
  session->abilities.version = config.max_protocol_version < 3 ? Version::v2 : session->endpoint;
  if (config.min_protocol_version >= 3) session->abilities.version = Version::v3;
  session->app_id = app_uuid("default");
  Session& kept = welcome(std::move(session), connection);
  ++stats_.connections.total;
  kept.stage =
      config.require_authentication ? Session::Stage::authenticating : Session::Stage::ready;
  if (!take_address(kept)) {
    return finish(kept, CloseReason::refused, CloseCode::unregistered, now,
                  Error{"Too many connections from your address", ErrorCode::too_many_connections});
  }
  if (is_draining) {
    return finish(kept, CloseReason::draining, CloseCode::server_shutdown, now);
  }
  if (kept.binding) {
    delivery_.tell(kept, TokenBindingChallenge{kept.binding->nonce()}, now);
  }
  if (kept.stage == Session::Stage::authenticating) {
    schedule(kept, now + config.authentication_timeout);
  }
  watch(kept, now);
}

// On every loop that it comes to.
Session& Service::Impl::welcome(std::unique_ptr<Session> given, Connection& connection) {
  connection.limit_receive(2 * config.max_message_size);
  Budget budget;
  const std::size_t bytes = config.send_queue_bytes + config.max_outbound_message_size + 65'536;
  budget.bytes = static_cast<std::uint32_t>(std::min<std::size_t>(bytes, 0x80000000U));
  budget.frames = 65'000;
  budget.reserve_bytes = 2048;
  budget.reserve_frames = 4;
  connection.set_budget(budget);
  connection.watch_backlog();
  Session& session = *given;
  session.connection = &connection;
  session.remote = connection.remote();
  players_.emplace(session.player_id, &session);
  const std::size_t index = connection.id().index;
  if (sessions_.size() <= index) sessions_.resize(index + 1);
  sessions_[index] = std::move(given);
  return session;
}

// The ends.

void Service::Impl::give_up(Session& session) { delivery_.give_up(session); }

void Service::Impl::finish(Session& session, CloseReason reason, CloseCode code, time_point now,
                           std::optional<Error> last_words, std::string_view text) {
  if (session.stage == Session::Stage::over) return;
  Connection& connection = *session.connection;
  if (code == CloseCode::slow_consumer) connection.discard_queue();
  const std::string_view why = text.empty() ? to_string(code) : text;
  const auto number = static_cast<std::uint16_t>(code);
  if (last_words) {
    const byte_view words = delivery_.encode(*last_words, session.abilities.version);
    connection.close(reason, number, why, delivery_.form(session, words));
  } else {
    connection.close(reason, number, why);
  }
  const bool may_return = code != CloseCode::server_shutdown && code != CloseCode::kicked &&
                          code != CloseCode::room_inactive;
  tear_down(session, may_return, now);
}

void Service::Impl::finish_slow(Session& session, time_point now) {
  ++stats_.websocket.slow_consumer_disconnects;
  finish(session, CloseReason::too_slow, CloseCode::slow_consumer, now,
         Error{"You do not take what is sent to you", ErrorCode::slow_consumer});
}

// The one way out, whatever led to it.
void Service::Impl::tear_down(Session& session, bool may_return, time_point now) {
  if (session.stage == Session::Stage::over) return;
  if (session.lane != nullptr) {
    const auto abandon = [&](Stats::Deliveries& stats, DeliveryClass delivery) {
      const std::uint64_t lost =
          session.lane->waiting(delivery) + session.lane->unreported(delivery);
      stats.abandoned += lost;
      stats_.websocket.deliveries_canceled += lost;
    };
    abandon(stats_.reliable, DeliveryClass::reliable);
    abandon(stats_.latest, DeliveryClass::latest);
    abandon(stats_.volatile_, DeliveryClass::volatile_);
  }
  session.stage = Session::Stage::over;
  if (GameRoom* const room = session.room) {
    if (session.seat->is_spectator) {
      room->leave_spectator(
          session, SpectatorChange::disconnected, [](byte_view, bool) {}, now);
    } else {
      room->lose(session, may_return && !is_draining, now);
    }
  }
  session.lane.reset();
  const auto found = players_.find(session.player_id);
  if (found != players_.end() && found->second == &session) players_.erase(found);
  give_address(session, now);
  schedule(session, no_deadline);
  unwatch(session);
  ++stats_.connections.disconnections;
}

void Service::Impl::fault(Connection& connection, const CloseInfo& info, time_point now) {
  Session* const session = find(connection);
  if (session == nullptr) return;
  if (info.reason == CloseReason::too_slow) {
    finish_slow(*session, now);
  } else if (info.reason == CloseReason::timed_out) {
    const bool was_asked = liveness.ping_interval != duration{0};
    if (was_asked) {
      ++stats_.websocket.ping_timeouts;
      finish(*session, CloseReason::timed_out, CloseCode::activity_timeout, now,
             Error{"No sign of life", ErrorCode::activity_timeout});
    } else {
      finish(*session, CloseReason::timed_out, CloseCode::idle_timeout, now,
             Error{"Connection was idle for too long", ErrorCode::connection_idle_timeout});
    }
  } else {
    ++stats_.errors.websocket;
    tear_down(*session, true, now);  // the transport closes it, with its own code
  }
}

void Service::Impl::closed(Connection& connection, time_point now) {
  Session* const session = find(connection);
  if (session == nullptr || session->connection != &connection) {
    // It never opened.
    session_count_ -= std::erase_if(
        opening_, [&](const auto& other) { return other.get() == connection.context<Session>(); });
    return;
  }
  tear_down(*session, true, now);
  --session_count_;
  std::erase(doomed_, session);
  sessions_[connection.id().index].reset();
}

void Service::Impl::settle(time_point now) {
  while (!doomed_.empty()) {
    Session& session = *doomed_.back();
    doomed_.pop_back();
    if (session.stage == Session::Stage::over) continue;
    if (session.doom == CloseCode::slow_consumer) {
      finish_slow(session, now);
    } else {
      finish(session, CloseReason::too_large, *session.doom, now);
    }
  }
}

// Counts an answer that is an error. False: there were too many, and the session is over.
bool Service::Impl::take_error_reply(Session& session, ErrorCode code, time_point now) {
  ++(code == ErrorCode::internal_error ? stats_.errors.internal : stats_.errors.validation);
  if (session.error_replies.take(1, config.max_error_replies, config.rate_window, now)) return true;
  finish(session, CloseReason::kicked, CloseCode::inbound_rate_limited, now);
  return false;
}

void Service::Impl::refuse(Session& session, ErrorCode code, std::string_view message,
                           time_point now) {
  if (take_error_reply(session, code, now)) delivery_.tell(session, Error{message, code}, now);
}

// Deadlines.

void Service::Impl::schedule(Session& session, time_point deadline) {
  session.deadline = deadline;
  rescheduled(session);
}

void Service::Impl::rescheduled(Session& session) {
  const time_point when = session.stage == Session::Stage::over
                              ? no_deadline
                              : std::min(session.deadline, delivery_.deadline(session));
  if (when == session.scheduled) return;
  if (session.scheduled != no_deadline) session_deadlines_.erase({session.scheduled, &session});
  session.scheduled = when;
  if (when != no_deadline) session_deadlines_.emplace(when, &session);
}

void Service::Impl::room_rescheduled(void* self, GameRoom& room) {
  Impl& impl = *static_cast<Impl*>(self);
  const time_point when = room.next_deadline();
  if (when == room.scheduled) return;
  if (room.scheduled != no_deadline) impl.room_deadlines_.erase({room.scheduled, &room});
  room.scheduled = when;
  if (when != no_deadline) impl.room_deadlines_.emplace(when, &room);
}

// Without pings only messages show that somebody is there.
void Service::Impl::watch(Session& session, time_point now) {
  if (config.ping_interval != duration{0} || config.activity_timeout == duration{0}) return;
  session.active_at = now;
  if (session.is_watched) {
    watched_.splice(watched_.end(), watched_, session.activity);
  } else {
    session.activity = watched_.insert(watched_.end(), &session);
    session.is_watched = true;
  }
}

void Service::Impl::unwatch(Session& session) noexcept {
  if (std::exchange(session.is_watched, false)) watched_.erase(session.activity);
}

void Service::Impl::advance(time_point now) {
  while (!session_deadlines_.empty() && session_deadlines_.begin()->first <= now) {
    Session& session = *session_deadlines_.begin()->second;
    if (session.deadline <= now) {
      finish(session, CloseReason::timed_out, CloseCode::auth_timeout, now,
             Error{"Not authenticated in time", ErrorCode::authentication_timeout});
    } else if (delivery_.deadline(session) <= now) {
      delivery_.give_up(session);
      settle(now);
    } else {
      rescheduled(session);
    }
  }
  while (!watched_.empty() && watched_.front()->active_at + config.activity_timeout <= now) {
    finish(*watched_.front(), CloseReason::timed_out, CloseCode::activity_timeout, now,
           Error{"No sign of life", ErrorCode::activity_timeout});
  }
  // What a call makes due now is left for the next pass.
  std::vector<GameRoom*> due;
  for (const auto& [when, room] : room_deadlines_) {
    if (when > now) break;
    due.push_back(room);
  }
  for (GameRoom* const room : due) {
    room->advance(now, [&](const Seat& seat) { remember_expired(*room, seat); });
    if (room->is_stale_empty(now)) {
      ++stats_.cleanup.empty_rooms;
      reap(*room, now);
    } else if (room->is_inactive(now)) {
      ++stats_.cleanup.inactive_rooms;
      room->close(now, [&](Session& session) {
        finish(session, CloseReason::room_closed, CloseCode::room_inactive, now,
               Error{"The room was inactive for too long", ErrorCode::room_not_found});
      });
      reap(*room, now);
    } else {
      room_rescheduled(this, *room);
    }
  }
  while (!expired_until_.empty() && expired_until_.front().first <= now) {
    expired_.erase(expired_until_.front().second);
    expired_until_.pop_front();
  }
  if (next_relay_stats_ <= now) send_relay_stats(now);
  if (drain_deadline_ <= now) end_drain(now);
}

time_point Service::Impl::next_deadline() const noexcept {
  time_point when = std::min(drain_deadline_, next_relay_stats_);
  if (!session_deadlines_.empty()) when = std::min(when, session_deadlines_.begin()->first);
  if (!room_deadlines_.empty()) when = std::min(when, room_deadlines_.begin()->first);
  if (!expired_until_.empty()) when = std::min(when, expired_until_.front().first);
  if (!watched_.empty())
    when = std::min(when, watched_.front()->active_at + config.activity_timeout);
  return when;
}

void Service::Impl::send_relay_stats(time_point now) {
  next_relay_stats_ = now + config.delivery_stats_interval;
  for (const auto& [id, session] : players_) {
    if (session->room == nullptr || !session->abilities.is_v3() || session->lane != nullptr) {
      continue;  // it is skipped, never waited for
    }
    const DeliveryCounters counters = delivery_.counters_of(*session);
    RelayStats report;
    report.interval_ms = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(config.delivery_stats_interval)
            .count());
    for (const auto& counts : {counters.reliable, counters.latest, counters.volatile_}) {
      report.sent_to_you += counts.delivered;
      report.dropped_for_you += counts.superseded + counts.dropped + counts.unsupported;
    }
    report.backpressure_events = session->backpressure_events;
    delivery_.tell(*session, report, now);
  }
}

// The end of the process.

void Service::Impl::drain(time_point now) {
  if (is_draining) return;
  is_draining = true;
  drain_deadline_ = now + config.drain_grace;
  GoingAway going;
  going.deadline = clock_.at(drain_deadline_);
  if (config.drain_grace != duration{0}) {
    going.retry_after_seconds = static_cast<std::uint32_t>(
        std::chrono::duration_cast<std::chrono::seconds>(config.drain_grace).count());
  }
  for (const auto& [id, session] : players_) {
    if (session->abilities.is_v3()) delivery_.tell(*session, going, now);
  }
  if (config.drain_grace == duration{0}) end_drain(now);
}

void Service::Impl::end_drain(time_point now) {
  drain_deadline_ = no_deadline;
  while (!players_.empty()) {
    finish(*players_.begin()->second, CloseReason::draining, CloseCode::server_shutdown, now);
  }
}

Stats Service::Impl::stats() const {
  Stats all = stats_;
  all.connections.active = players_.size();
  all.rooms.active = rooms_.size();
  all.players.active = 0;
  for (const auto& [key, room] : rooms_) {
    all.players.active += room->player_count();
    all.reconnection.sessions_active += room->absent_count();
  }
  return all;
}

void Service::list_rooms(const std::function<bool(const RoomListing&)>& visit) const {
  for (const auto& [key, room] : impl_->rooms_) {
    RoomListing listing;
    listing.game_name = room->facts().game_name;
    listing.code = room->facts().code;
    listing.players = room->player_count();
    listing.absent = room->absent_count();
    listing.spectators = room->spectator_count();
    listing.max_players = room->facts().max_players;
    listing.has_started = room->state() == LobbyState::finalized;
    if (!visit(listing)) return;
  }
}

}  // namespace muster::signal
