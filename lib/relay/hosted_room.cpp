// SPDX-License-Identifier: MIT
// Routing between a host and its clients.
#include <muster/relay/hosted_room.hpp>

#include <array>
#include <utility>

namespace muster::relay {

void end_connection(Connection& connection, Ending ending, EndingCounts& counts,
                    std::string_view text) {
  ++counts[static_cast<std::size_t>(ending)];
  const EndingRule& rule = rule_of(ending);
  if (text.empty()) text = rule.text;
  const std::vector<std::byte> last_words = encode_server_error(text);
  connection.close(rule.reason, rule.code, {}, {last_words});
}

HostedRoom::HostedRoom(RoomName name, std::uint64_t instance, std::uint16_t rule_variation,
                       FlushWindow window, Outbox& outbox, RoomStats& stats)
    : name_(std::move(name)),
      roster_(
          instance,
          {.first_id = host_player_id, .last_id = max_client_id, .audiences = 2, .window = window},
          outbox, this),
      stats_(&stats),
      rule_variation_(rule_variation) {}

void HostedRoom::admit_host(Connection& connection, std::uint64_t token) {
  host_ = &roster_.admit(connection, token);
  welcome(*host_);
  news_budget_ = rpc_budget_ = connection.budget();
  rpc_budget_.reserve_bytes = rpc_budget_.bytes / 2;
  rpc_budget_.reserve_frames = rpc_budget_.frames / 2;
  connection.set_budget(rpc_budget_);
}

result<std::uint32_t> HostedRoom::admit_client(Connection& connection, std::uint64_t token,
                                               std::uint16_t max_players) {
  const result<std::uint32_t> id = roster_.next_id(max_players);
  if (!id) return id;
  const PlayerMessage news = encode_new_client(static_cast<std::uint16_t>(*id));
  if (tell_host(news) != SendStatus::queued) return errc::over_budget;
  const Room::Member& member = roster_.admit(connection, token);
  welcome(member);  // before it hears any broadcast
  waiting().join(connection);
  return id;
}

void HostedRoom::welcome(const Room::Member& member) {
  const auto response = encode_handshake_response(
      {static_cast<std::uint16_t>(member.id), rule_variation_, member.token});
  // Its first message, into an empty queue: it always fits. It does not wait for a flush window.
  member.connection->send({response}, Delivery::reliable, Urgency::urgent);
}

void HostedRoom::receive(Room::Member& member, byte_view message) {
  if (message.empty()) {
    end_member(member, Ending::empty_message);
  } else if (&member == host_) {
    receive_from_host(message);
  } else {
    receive_from_client(member, message);
  }
}

void HostedRoom::receive_from_client(Room::Member& member, byte_view message) {
  const result<FromClient> id = read_from_client(message);
  if (!id) {
    end_member(member, Ending::illegal_client_message);
    return;
  }
  switch (*id) {
    case FromClient::server_rpc: {
      const PlayerMessage header = server_rpc_header(static_cast<std::uint16_t>(member.id));
      const std::array<byte_view, 2> parts{header, message.subspan(message_id_size)};
      if (host_->connection->send(parts, MessageKind::binary) == SendStatus::queued) {
        ++stats_->rpcs;
      } else {
        // A flood of inputs must not end the room; a host that reads catches up.
        ++stats_->rpcs_dropped;
      }
      return;
    }
    case FromClient::client_disconnects_self:
      end_member(member, Ending::client_left);
      return;
  }
}

void HostedRoom::receive_from_host(byte_view message) {
  const result<FromHost> id = read_from_host(message);
  if (!id) {
    end_member(*host_, Ending::illegal_host_message);
    return;
  }
  switch (*id) {
    case FromHost::server_disconnects:
      end_member(*host_, Ending::host_left);
      return;
    case FromHost::client_gets_kicked:
      kick(message);
      return;
    case FromHost::delta_update:
      if (broadcast(synced(), message)) ++stats_->updates;
      return;
    case FromHost::full_update:
      if (broadcast(waiting(), message)) ++stats_->updates;
      waiting().move_all_to(synced());
      return;
    case FromHost::reset: {
      const bool again = broadcast(synced(), message);
      const bool first = broadcast(waiting(), message);
      if (again || first) ++stats_->updates;
      waiting().move_all_to(synced());
      return;
    }
  }
}

void HostedRoom::kick(byte_view message) {
  const result<std::uint16_t> id = read_player_id(message);
  Room::Member* const member = id ? roster_.find(*id) : nullptr;
  if (member == nullptr || member == host_) {
    // A host's mistake is the host's alone: no client is touched.
    ++stats_->kicks_ignored;
    return;
  }
  end_member(*member, Ending::kicked);
}

// Whether there was somebody to get it.
bool HostedRoom::broadcast(Group& audience, byte_view message) {
  if (audience.empty()) return false;
  if (audience.broadcast({message}) == SendStatus::queued) return true;
  ++stats_->updates_dropped;
  // Without it they would go on with a wrong state, and never hear of it.
  while (!audience.empty()) {
    end_member(*audience.member(0).context<Room::Member>(), Ending::client_too_slow);
  }
  return false;
}

SendStatus HostedRoom::tell_host(const PlayerMessage& news) noexcept {
  Connection& host = *host_->connection;
  host.set_budget(news_budget_);
  const SendStatus status = host.send({news});
  host.set_budget(rpc_budget_);
  return status;
}

void HostedRoom::end_member(Room::Member& member, Ending ending) {
  Connection& connection = *member.connection;
  if (rule_of(ending).reason == CloseReason::too_slow) connection.discard_queue();
  end_connection(connection, ending, stats_->endings);
  drop_member(member);
}

void HostedRoom::drop_member(Room::Member& member) {
  const std::uint32_t id = member.id;
  const bool was_host = &member == host_;
  roster_.remove(member);
  if (was_host) {
    end_all(Ending::host_gone);
    return;
  }
  const PlayerMessage news = encode_client_disconnects(static_cast<std::uint16_t>(id));
  if (tell_host(news) == SendStatus::over_budget) {
    // It would go on believing in a player who is gone.
    end_member(*host_, Ending::host_too_slow);
  }
}

void HostedRoom::end_all(Ending ending) {
  host_ = nullptr;
  while (roster_.size() != 0) {
    Room::Member& member = roster_.members().begin()->second;
    Connection& connection = *member.connection;
    roster_.remove(member);
    end_connection(connection, ending, stats_->endings);
  }
}

}  // namespace muster::relay
