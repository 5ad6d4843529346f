// SPDX-License-Identifier: MIT
// Events of rooms as jobs and as lines.
#include "journal.hpp"

#include <chrono>
#include <optional>
#include <string>

namespace relay_program {

namespace {

using muster::time_point;
using muster::relay::Departure;
using muster::relay::Ending;
using muster::relay::PlayerInfo;
using muster::relay::RoomFacts;

constexpr std::uint16_t host_id = 0;

// When it happened, for records; the loop's own clock knows no calendar.
UnixSeconds unix_now() {
  using std::chrono::duration_cast;
  using std::chrono::seconds;
  return duration_cast<seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::optional<std::string> text_or_none(std::string_view text) {
  return text.empty() ? std::nullopt : std::optional<std::string>{text};
}

}  // namespace

std::int64_t Journal::room_of(std::uint64_t instance) const noexcept {
  constexpr unsigned instance_bits = 48;  // a million rooms a second for nine years
  return static_cast<std::int64_t>(std::uint64_t{loop_} << instance_bits | instance);
}

LogFields Journal::fields_of(const RoomFacts& room) const {
  LogFields fields;
  fields.text("game", room.game_id).text("room", room.room_id);
  fields.number("instance", room_of(room.instance));
  return fields;
}

LogFields Journal::fields_of(const RoomFacts& room, const PlayerInfo& player) const {
  LogFields fields = fields_of(room);
  fields.number("player", player.id);
  if (player.is_spectator) fields.flag("spectator", true);
  if (!player.user.empty()) fields.text("user", player.user);
  fields.text("remote", player.remote.to_string());
  return fields;
}

PlayerKey Journal::key_of(const RoomFacts& room, std::uint16_t id) const {
  const auto found = joins_.find(room.instance);
  if (found == joins_.end() || found->second.size() <= id || found->second[id] == 0) return {id, 0};
  return {id, found->second[id] - 1};
}

void Journal::count_join(const RoomFacts& room, std::uint16_t id) {
  if (records_ == nullptr) return;
  Joins& joins = joins_[room.instance];
  if (joins.size() <= id) joins.resize(std::size_t{id} + 1);
  ++joins[id];
}

void Journal::record_join(const RoomFacts& room, std::uint16_t id, std::string_view user,
                          std::string_view name) {
  if (records_ == nullptr) return;
  records_->offer(PlayerJoined{room_of(room.instance), unix_now(), key_of(room, id),
                               text_or_none(user), text_or_none(name)});
}

void Journal::record_leave(const RoomFacts& room, std::uint16_t id, std::string_view reason) {
  if (records_ == nullptr) return;
  records_->offer(
      PlayerLeft{room_of(room.instance), unix_now(), key_of(room, id), std::string{reason}});
}

void Journal::on_room_opened(const RoomFacts& room, const PlayerInfo* host, time_point) {
  if (log_->is_on(LogLevel::info)) {
    (*log_)(LogLevel::info, "room_opened",
            host == nullptr ? fields_of(room) : fields_of(room, *host));
  }
  if (records_ == nullptr) return;
  records_->offer(RoomOpened{room_of(room.instance), unix_now(), std::string{room.game_id},
                             std::string{room.room_id}, room.rule_variation,
                             host == nullptr ? std::nullopt : text_or_none(host->user)});
  if (host == nullptr) return;
  count_join(room, host_id);
  record_join(room, host_id, host->user, host->name);
}

void Journal::on_room_closed(const RoomFacts& room, Ending why, time_point) {
  const std::string_view reason = muster::relay::rule_of(why).name;
  if (log_->is_on(LogLevel::info)) {
    (*log_)(LogLevel::info, "room_closed", fields_of(room).text("reason", reason));
  }
  joins_.erase(room.instance);
  if (records_ == nullptr) return;
  records_->offer(RoomClosed{room_of(room.instance), unix_now(), std::string{reason}});
}

// Spectators do not play: they have a line, and no record.

void Journal::on_joined(const RoomFacts& room, const PlayerInfo& player, time_point) {
  if (log_->is_on(LogLevel::info)) (*log_)(LogLevel::info, "joined", fields_of(room, player));
  if (player.is_spectator) return;
  count_join(room, player.id);
  record_join(room, player.id, player.user, player.name);
}

void Journal::on_back(const RoomFacts& room, const PlayerInfo& player, time_point) {
  if (log_->is_on(LogLevel::info)) (*log_)(LogLevel::info, "back", fields_of(room, player));
  if (!player.is_spectator) record_join(room, player.id, player.user, player.name);
}

void Journal::on_departed(const RoomFacts& room, const PlayerInfo& player, Departure why,
                          time_point) {
  if (log_->is_on(LogLevel::info)) {
    (*log_)(LogLevel::info, "departed",
            fields_of(room, player).text("reason", muster::relay::to_string(why)));
  }
  // Who has expired left when it was lost, which is written.
  if (player.is_spectator || why == Departure::expired) return;
  record_leave(room, player.id, why == Departure::away ? "lost" : muster::relay::to_string(why));
}

void Journal::on_host_away(const RoomFacts& room, time_point) {
  if (log_->is_on(LogLevel::info)) (*log_)(LogLevel::info, "host_away", fields_of(room));
  record_leave(room, host_id, "lost");
}

void Journal::on_host_back(const RoomFacts& room, bool is_another, time_point) {
  if (log_->is_on(LogLevel::info)) {
    (*log_)(LogLevel::info, "host_back", fields_of(room).flag("another", is_another));
  }
  if (is_another) count_join(room, host_id);
  record_join(room, host_id, {}, {});
}

void Journal::on_refused(const muster::Address& remote, Ending why, time_point) {
  if (!log_->is_on(LogLevel::info)) return;
  (*log_)(LogLevel::info, "refused",
          LogFields{}
              .text("remote", remote.to_string())
              .text("reason", muster::relay::rule_of(why).name));
}

}  // namespace relay_program
