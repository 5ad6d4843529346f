// SPDX-License-Identifier: MIT
// What only the authority of a room may do.
#include "service_impl.hpp"

namespace muster::signal {

bool Service::Impl::may_moderate(Session& session, const Uuid& operation, time_point now) {
  if (!config.enable_moderation) {  // the reference's generation does not know it
    refuse(session, ErrorCode::invalid_input, malformed, now);
    return false;
  }
  if (!session.is_playing()) {
    fail(session, operation_failed, operation, ErrorCode::not_in_room, not_in_a_room, now);
    return false;
  }
  if (!session.room->is_authority(session)) {
    fail(session, operation_failed, operation, ErrorCode::not_room_authority,
         "Only the authority may do that", now);
    return false;
  }
  return true;
}

// Takes somebody out of the requester's room, for good. False: the requester was told why not.
bool Service::Impl::expel(Session& session, const Uuid& player_id, const Uuid& operation,
                          time_point now) {
  Seat* const seat = session.room->find_player(player_id);
  if (seat == nullptr || seat == session.seat) {
    fail(session, operation_failed, operation, ErrorCode::kick_target_not_found,
         "There is no such other player", now);
    return false;
  }
  if (seat->session != nullptr) {
    finish(*seat->session, CloseReason::kicked, CloseCode::kicked, now,
           Error{"You were removed from the room", ErrorCode::kicked});
  } else {
    session.room->remove_absent(*seat, now);
  }
  return true;
}

void Service::Impl::confirm(Session& session, std::string_view type, const Uuid& player_id,
                            const Uuid& operation, time_point now) {
  reply_to(session, operation, now)(
      delivery_.encode(ModerationResult{type, player_id}, Version::v3), false);
}

void Service::Impl::perform(Session& session, KickPlayer& message, const Uuid& operation,
                            time_point now) {
  if (!may_moderate(session, operation, now)) return;
  if (!expel(session, message.player_id, operation, now)) return;
  confirm(session, "PlayerKicked", message.player_id, operation, now);
}

void Service::Impl::perform(Session& session, BanPlayer& message, const Uuid& operation,
                            time_point now) {
  if (!may_moderate(session, operation, now)) return;
  if (!expel(session, message.player_id, operation, now)) return;
  session.room->ban(message.player_id);
  confirm(session, "PlayerBanned", message.player_id, operation, now);
}

void Service::Impl::perform(Session& session, UnbanPlayer& message, const Uuid& operation,
                            time_point now) {
  if (!may_moderate(session, operation, now)) return;
  session.room->unban(message.player_id);
  confirm(session, "PlayerUnbanned", message.player_id, operation, now);
}

void Service::Impl::perform(Session& session, SetRoomAccess& message, const Uuid& operation,
                            time_point now) {
  if (!may_moderate(session, operation, now)) return;
  if (message.password && message.password->empty()) {
    return fail(session, operation_failed, operation, ErrorCode::invalid_input,
                "A password must not be empty", now);
  }
  session.room->password.reset();
  if (message.password) {
    session.room->password = mac_->tag(password_key_, as_bytes(*message.password));
  }
  confirm(session, "RoomAccessSet", session.player_id, operation, now);
}

void Service::Impl::perform(Session& session, RegenerateRoomCode&, const Uuid& operation,
                            time_point now) {
  if (!may_moderate(session, operation, now)) return;
  GameRoom& room = *session.room;
  const std::optional<std::string> code = draw_code(room.facts().game_name);
  if (!code) {
    return fail(session, operation_failed, operation, ErrorCode::room_creation_failed,
                "No room code is free", now);
  }
  auto entry = rooms_.extract(RoomKey{room.facts().game_name, room.facts().code});
  entry.key().second = *code;
  room.set_code(*code);
  rooms_.insert(std::move(entry));
  confirm(session, "RoomCodeRegenerated", session.player_id, operation, now);
}

void Service::Impl::perform(Session& session, TransferAuthority& message, const Uuid& operation,
                            time_point now) {
  if (!may_moderate(session, operation, now)) return;
  Seat* const seat = session.room->find_player(message.player_id);
  if (seat == nullptr || !session.room->transfer_authority(*seat, now)) {
    return fail(session, operation_failed, operation, ErrorCode::transfer_target_not_found,
                "There is no such player", now);
  }
  confirm(session, "AuthorityTransferred", message.player_id, operation, now);
}

}  // namespace muster::signal
