// SPDX-License-Identifier: MIT
// One message to all of a room, encoded once for each form in which somebody reads it.
#include "game_room.hpp"

#include "game_data.hpp"
#include "msgpack.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace muster::signal {

namespace {

constexpr std::array v2_text{Audience::v2_json, Audience::v2_binary};
constexpr std::array v3_text{Audience::v3_json, Audience::v3_binary};

Audience packed_of(Version version) noexcept {
  return version == Version::v3 ? Audience::v3_packed : Audience::v2_packed;
}

std::size_t index(Audience audience) noexcept { return static_cast<std::size_t>(audience); }

}  // namespace

bool GameRoom::has_audience(Version version) const noexcept {
  const auto& texts = version == Version::v3 ? v3_text : v2_text;
  const auto is_there = [&](Audience audience) { return !room_.audience(index(audience)).empty(); };
  return std::any_of(texts.begin(), texts.end(), is_there) || is_there(packed_of(version)) ||
         std::any_of(behind_.begin(), behind_.end(), [version](const Session* session) {
           return session->abilities.version == version;
         });
}

// The room's own messages.

void GameRoom::broadcast(Version version, byte_view text, const Session* except, time_point now) {
  const Connection* const skipped = except == nullptr ? nullptr : except->connection;
  const auto& texts = version == Version::v3 ? v3_text : v2_text;
  for (const Audience audience : texts) {
    room_.audience(index(audience)).broadcast(Message{text, MessageKind::text}, skipped);
  }
  if (Group& packed = room_.audience(index(packed_of(version))); !packed.empty()) {
    packed_.clear();
    (void)message_to_msgpack(text, packed_);  // what we write is JSON
    packed.broadcast(Message{packed_, MessageKind::binary}, skipped);
  }
  for (Session* const session : behind_) {
    if (session != except && session->abilities.version == version) {
      context_->delivery->send_behind(*session, text, now);
    }
  }
}

void GameRoom::record(ReplayRing::Texts texts, const std::optional<Uuid>& about) {
  ++context_->stats->reconnection.events_buffered;
  context_->stats->reconnection.events_evicted += ring_.add(std::move(texts), about);
}

// Game data.

void GameRoom::count(Session& from, DeliveryClass delivery) {
  const auto at = static_cast<std::size_t>(delivery);
  ++sent_[at];
  ++from.own[at];
  std::size_t old = 0;
  std::size_t now = 0;
  std::size_t old_behind = 0;
  std::size_t now_behind = 0;
  for (std::size_t i = 0; i < audience_count; ++i) {
    const auto audience = static_cast<Audience>(i);
    const bool is_v3 = audience == Audience::v3_json || audience == Audience::v3_binary ||
                       audience == Audience::v3_packed;
    (is_v3 ? now : old) += room_.audience(i).size();
  }
  for (const Session* const session : behind_) {
    if (session != &from) ++(session->abilities.is_v3() ? now_behind : old_behind);
  }
  if (from.lane == nullptr) --(from.abilities.is_v3() ? now : old);
  // Recipients of the second version get everything reliably.
  Stats& stats = *context_->stats;
  stats.reliable.attempted += old + old_behind;
  stats.reliable.delivered += old;
  Stats::Deliveries& deliveries = deliveries_of(stats, delivery);
  deliveries.attempted += now + now_behind;
  deliveries.delivered += now;
  stats.websocket.delivery_attempts += old + old_behind + now + now_behind;
  stats.websocket.deliveries_enqueued += old + old_behind + now + now_behind;
  ++stats.game_data_messages;
}

void GameRoom::relay(Session& from, MessageKind kind, byte_view data,
                     std::optional<DeliveryClass> delivery, std::optional<std::uint32_t> key,
                     time_point now) {
  touch(now);
  Seat& seat = *from.seat;
  ++seat.stamp.seq;
  const GameDataStamp stamp{seat.player_id, seat.stamp.seq, seat.stamp.epoch, delivery, key};
  count(from, delivery.value_or(DeliveryClass::reliable));
  if (kind == MessageKind::text) {
    relay_as(from, stamp, MessageKind::text, data, now);
    return;
  }
  relay_as(from, stamp, MessageKind::binary, data, now);
  if (room_.audience(index(Audience::v2_json)).empty() &&
      room_.audience(index(Audience::v3_json)).empty() &&
      std::none_of(behind_.begin(), behind_.end(),
                   [](const Session* session) { return session->abilities.reads_text_only(); })) {
    return;
  }
  json_.clear();
  if (binary_to_json(data, json_)) {
    relay_unreadable(from, stamp, now);
  } else {
    relay_converted(from, stamp, json_, now);
  }
}

// For those whose every message is MessagePack: a text becomes it, a binary one gets a name.
void GameRoom::pack_game_data(const GameDataParts& message, bool is_text) {
  constexpr std::string_view head =
      "\x82\xa4type\xaeGameDataBinary\xa4"
      "data";
  packed_.clear();
  std::vector<std::byte>& target = is_text ? json_ : packed_;
  if (is_text) {
    json_.clear();
  } else {
    const byte_view bytes = as_bytes(head);
    packed_.assign(bytes.begin(), bytes.end());
  }
  for (const byte_view part : message.parts())
    target.insert(target.end(), part.begin(), part.end());
  if (is_text) (void)message_to_msgpack(json_, packed_);
}

// Text goes to everybody, binary to those who read it.
void GameRoom::relay_as(Session& from, const GameDataStamp& stamp, MessageKind kind, byte_view data,
                        time_point now) {
  const bool is_text = kind == MessageKind::text;
  for (const Version version : {Version::v2, Version::v3}) {
    if (!has_audience(version)) continue;
    const GameDataParts message{kind, stamp, data, version};
    const auto& texts = version == Version::v3 ? v3_text : v2_text;
    for (const Audience audience : texts) {
      const bool reads_binary = audience == Audience::v2_binary || audience == Audience::v3_binary;
      if (!is_text && !reads_binary) continue;
      room_.audience(index(audience)).broadcast(message.parts(), kind, from.connection);
    }
    Group& packed = room_.audience(index(packed_of(version)));
    Frame packed_frame;
    const auto pack = [&] { pack_game_data(message, is_text); };
    if (!packed.empty()) {
      pack();
      packed.broadcast(Message{packed_, MessageKind::binary}, from.connection);
    }
    Frame frame;
    for (Session* const session : behind_) {
      const Abilities& abilities = session->abilities;
      if (session == &from || abilities.version != version) continue;
      if (abilities.is_packed) {
        if (!packed_frame) {
          pack();
          packed_frame = Frame{Message{packed_, MessageKind::binary}};
        }
        context_->delivery->send_data(*session, packed_frame, stamp, now);
      } else if (is_text || abilities.format == GameDataFormat::message_pack) {
        if (!frame) frame = Frame{message.parts(), kind};
        context_->delivery->send_data(*session, frame, stamp, now);
      }
    }
  }
}

// What came as binary, for those who read JSON only.
void GameRoom::relay_converted(Session& from, const GameDataStamp& stamp, byte_view json,
                               time_point now) {
  for (const Version version : {Version::v2, Version::v3}) {
    const GameDataParts message{MessageKind::text, stamp, json, version};
    const Audience audience = version == Version::v3 ? Audience::v3_json : Audience::v2_json;
    room_.audience(index(audience)).broadcast(message.parts(), MessageKind::text, from.connection);
    Frame frame;
    for (Session* const session : behind_) {
      const Abilities& abilities = session->abilities;
      if (session == &from || abilities.version != version || !abilities.reads_text_only())
        continue;
      if (!frame) frame = Frame{message.parts(), MessageKind::text};
      context_->delivery->send_data(*session, frame, stamp, now);
    }
  }
}

void GameRoom::relay_unreadable(Session& from, const GameDataStamp& stamp, time_point now) {
  const bool tells = from.format_errors.take(1, 1, std::chrono::seconds{1}, now);
  const auto tell = [&](Seat& seat) {
    Session* const session = seat.session;
    if (session == nullptr || session == &from || !session->abilities.reads_text_only() ||
        (seat.is_spectator && !context_->config->spectator_feed)) {
      return;
    }
    if (session->abilities.is_v3()) {
      context_->delivery->report_unreadable(*session, stamp);
    } else {
      Stats::Deliveries& stats = context_->stats->reliable;
      if (session->lane == nullptr) --stats.delivered;
      ++stats.unsupported_format;
    }
    if (tells) {
      context_->delivery->tell(
          *session,
          Error{"A message cannot be converted to JSON", ErrorCode::unsupported_game_data_format},
          now);
    }
  };
  for (const std::unique_ptr<Seat>& seat : players_) tell(*seat);
  for (const std::unique_ptr<Seat>& seat : spectators_) tell(*seat);
}

}  // namespace muster::signal
