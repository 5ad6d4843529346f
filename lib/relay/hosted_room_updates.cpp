// SPDX-License-Identifier: MIT
// Who gets which update: the sync filter, the state cache, and members that fall behind.
#include <muster/relay/hosted_room.hpp>

#include "remote_host.hpp"

#include <array>
#include <vector>

namespace muster::relay {

// Verbs.

std::error_code HostedRoom::tell(FromHost id, byte_view payload) {
  if (is_over_) return make_error_code(errc::closed);
  if (payload.size() >= context_.max_host_message) return make_error_code(errc::too_large);
  update(id, payload);
  schedule();
  return {};
}

std::error_code HostedRoom::delta(byte_view changes) {
  return tell(FromHost::delta_update, changes);
}

std::error_code HostedRoom::full_update(byte_view state) {
  return tell(FromHost::full_update, state);
}

std::error_code HostedRoom::reset(byte_view state) { return tell(FromHost::reset, state); }

std::error_code HostedRoom::send_to(std::span<const std::uint16_t> players, byte_view payload,
                                    bool all_but) {
  if (is_over_) return make_error_code(errc::closed);
  if (payload.size() >= context_.max_host_message) return make_error_code(errc::too_large);
  const std::vector<std::byte> header = targeted_header(all_but, players);
  const result<Targeted> targets = decode_targeted(header);
  if (!targets) return make_error_code(targets.error());
  send_targeted({targets->all_but, targets->player_bytes, payload});
  return {};
}

void HostedRoom::set_open(bool is_open) {
  is_open_ = is_open;
  send_room_info();
}

void HostedRoom::set_listed(bool is_listed) {
  is_listed_ = is_listed;
  send_room_info();
}

std::error_code HostedRoom::set_metadata(byte_view metadata) {
  if (metadata.size() > max_metadata_size) return make_error_code(errc::too_large);
  metadata_.assign(metadata.begin(), metadata.end());
  send_room_info();
  return {};
}

void HostedRoom::set_window(FlushWindow window) noexcept {
  for (Group* const audience : {&waiting(), &provisional(), &synced()}) {
    audience->set_window(window);
  }
}

// Audiences.

void HostedRoom::update(FromHost id, byte_view payload) {
  const bool is_heard = !waiting().empty() || !provisional().empty() || !synced().empty();
  const auto first_byte = static_cast<std::byte>(id);
  last_message_ = now_;
  if (id != FromHost::full_update) ++sequence_;
  // A host that tells its state to nobody may change it and not say so.
  if (!is_heard) {
    cache_.drop();
    return;
  }
  bool is_sent = false;
  if (id == FromHost::delta_update) {
    cache_.append(first_byte, payload);
    is_sent = broadcast(synced(), id, payload);
    is_sent |= broadcast(provisional(), id, payload);
  } else {
    cache_.replace(first_byte, payload, sequence_);
    if (id == FromHost::reset) is_sent = broadcast(synced(), id, payload);
    for (Group* const audience : {&waiting(), &provisional()}) {
      if (!broadcast(*audience, id, payload)) continue;
      is_sent = true;
      send_sequence(*audience);
      audience->move_all_to(synced());
    }
  }
  if (is_sent) ++context_.stats->updates;
}

// Whether there was somebody to get it, and it could be queued.
bool HostedRoom::broadcast(Group& audience, FromHost id, byte_view payload) {
  if (audience.empty()) return false;
  const auto first_byte = static_cast<std::byte>(id);
  const std::array<byte_view, 2> parts{byte_view{&first_byte, 1}, payload};
  if (audience.broadcast(parts, MessageKind::binary) == SendStatus::queued) return true;
  ++context_.stats->updates_dropped;
  // Without it they would go on with a wrong state, and never hear of it.
  std::vector<Room::Member*> members;
  for (std::size_t i = 0; i < audience.size(); ++i) {
    members.push_back(audience.member(i).context<Room::Member>());
  }
  for (Room::Member* const member : members) {
    fall_behind(*member);
    if (is_over_) break;
  }
  return false;
}

// Says which number the state has that was sent to them last.
void HostedRoom::send_sequence(const Group& audience) {
  if (extended_ == 0) return;
  const auto message = encode_state_sequence(sequence_);
  for (std::size_t i = 0; i < audience.size(); ++i) {
    Connection& connection = audience.member(i);
    const Player& player = player_of(*connection.context<Room::Member>());
    if (has(player.capabilities, Capability::sequence)) connection.send({message});
  }
}

// Gives a member that waits for the state what there is of it.
void HostedRoom::give_state(Room::Member& member, std::optional<std::uint64_t> last_seen) {
  Connection& connection = *member.connection;
  if (last_seen) {
    if (cache_.send_since(connection, *last_seen)) {
      ++context_.stats->resumes;
      provisional().join(connection);
    }
    return;
  }
  if (remote_ == nullptr) {
    needs_state_ = true;
    return;
  }
  const bool numbered = has(player_of(member).capabilities, Capability::sequence);
  if (cache_.is_empty() || !cache_.send_all(connection, numbered)) return;
  ++context_.stats->states_served;
  provisional().join(connection);
}

void HostedRoom::unsync_all() {
  provisional().move_all_to(waiting());
  synced().move_all_to(waiting());
}

// Members that fall behind.

void HostedRoom::overrun(Room::Member& member, std::uint32_t lost, time_point now) {
  now_ = now;
  context_.stats->updates_missed += lost;
  fall_behind(member);
  schedule();
}

void HostedRoom::fall_behind(Room::Member& member) {
  if (rules_.slow_member == SlowMember::close) {
    end_member(member, Ending::client_too_slow);
    return;
  }
  Player& player = player_of(member);
  Connection& connection = *member.connection;
  if (!player.is_stalling) {
    player.is_stalling = true;
    player.written_before = connection.written();
    player.look_at = now_ + rules_.stall_timeout;
    stalling_.emplace(player.look_at, member.id);
  }
  if (rules_.slow_member == SlowMember::drop) return;
  ++context_.stats->resyncs;
  connection.discard_queue();
  waiting().join(connection);
  give_state(member, {});
  if (connection.group() == &waiting() && remote_ != nullptr) {
    // The host is asked once more for the whole state.
    const PlayerInfo info = info_of(member, player);
    tell([&](Authority& authority) { authority.on_back(info, now_); });
  }
}

void HostedRoom::writable(Room::Member& member) {
  if (&member == host_) remote_->pump();
}

// The extension.

void HostedRoom::send_extended(Capability capability, byte_view message, const Connection* except) {
  if (extended_ == 0) return;
  const Frame frame{{message}};
  for (const auto& [id, member] : roster_.members()) {
    if (!member.is_present() || member.connection == except || id == host_player_id) continue;
    if (has(player_of(member).capabilities, capability)) member.connection->send(frame);
  }
}

void HostedRoom::send_room_info() {
  send_extended(Capability::room_info, encode_room_info({is_open_, is_listed_, metadata_}));
}

void HostedRoom::send_targeted(const Targeted& targeted) {
  const auto id = static_cast<std::byte>(Extended::targeted);
  const Frame frame{std::array<byte_view, 2>{byte_view{&id, 1}, targeted.payload},
                    MessageKind::binary};
  const auto send = [&](const Room::Member& member) {
    const bool is_heard = member.is_present() &&
                          has(player_of(member).capabilities, Capability::targeted) &&
                          member.connection->send(frame) == SendStatus::queued;
    if (!is_heard) ++context_.stats->targets_missed;
  };
  std::set<std::uint32_t> named;
  for (std::size_t i = 0; i < targeted.player_count(); ++i) named.insert(targeted.player(i));
  if (targeted.all_but) {
    for (const auto& [number, member] : roster_.members()) {
      if (number != host_player_id && !named.contains(number)) send(member);
    }
    return;
  }
  for (const std::uint32_t number : named) {
    const Room::Member* const member = roster_.find(number);
    if (member == nullptr || number == host_player_id) {
      ++context_.stats->targets_missed;
    } else {
      send(*member);
    }
  }
}

}  // namespace muster::relay
