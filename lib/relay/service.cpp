// SPDX-License-Identifier: MIT
// The handshake, the directory of rooms, and the deadlines of those who have not joined.
#include <muster/relay/service.hpp>

#include <muster/outbox.hpp>
#include <muster/relay/error_text.hpp>
#include <muster/relay/message.hpp>

#include <algorithm>

namespace muster::relay {

std::error_code Service::validate(const Config& config, std::string& problem) {
  const auto check = [&problem](bool good, std::string_view sentence) {
    if (!good && problem.empty()) problem = sentence;
  };
  using namespace std::chrono_literals;
  problem.clear();
  check(config.join_timeout >= 100ms && config.join_timeout <= 10min,
        "join_timeout must be between 100 ms and 10 min");
  check(config.max_join_request >= 64 && config.max_join_request <= 65536,
        "max_join_request must be between 64 and 65536 bytes");
  check(config.max_id_size >= 1 && config.max_id_size <= 1024,
        "max_id_size must be between 1 and 1024 bytes");
  check(config.max_host_message >= 1024 && config.max_host_message <= 64U << 20U,
        "max_host_message must be between 1 KiB and 64 MiB");
  check(config.max_client_message >= 64 && config.max_client_message <= 64U << 20U,
        "max_client_message must be between 64 bytes and 64 MiB");
  check(config.max_rooms >= 1 && config.max_rooms <= 10'000'000,
        "max_rooms must be between 1 and 10000000");
  constexpr std::size_t overhead = 64;  // of a header, of two bytes of an id, of the welcome
  check(is_valid(config.host_budget), "host_budget is out of range");
  check(config.host_budget.bytes / 2 >= config.max_client_message + overhead,
        "host_budget must be twice as large as max_client_message, and 128 bytes");
  check(is_valid(config.client_budget), "client_budget is out of range");
  check(config.client_budget.bytes >=
            config.client_budget.reserve_bytes + config.max_host_message + overhead,
        "client_budget must be larger than max_host_message by its reserve and 64 bytes");
  const FlushWindow& window = config.window;
  check(window.length >= 0s && window.length <= 10s &&
            (window.kind != FlushWindow::Kind::tick || window.length >= 1ms),
        "window must be between 0 and 10 s, and a tick at least 1 ms");
  return problem.empty() ? std::error_code{} : make_error_code(errc::invalid_config);
}

Service::Service(const Config& config, Outbox& outbox, Entropy& entropy)
    : config_(config), outbox_(&outbox), entropy_(&entropy) {}

Service::~Service() = default;

// A connection's context is this service until it has joined or was refused, then its member, and
// nothing once it was told to go.
bool Service::is_joining(const Connection& connection) const noexcept {
  return connection.context<void>() == this;
}

Room::Member* Service::member_of(const Connection& connection) const noexcept {
  return is_joining(connection) ? nullptr : connection.context<Room::Member>();
}

std::size_t Service::member_count() const noexcept {
  std::size_t count = 0;
  for (const auto& [key, room] : rooms_) count += room->size();
  return count;
}

void Service::on_upgrade(const Request&, Decision decision, time_point) {
  if (draining_) {
    decision.respond({.status = 503, .body = as_bytes("the relay is going away\n")});
  } else {
    decision.accept(*this);
  }
}

void Service::on_open(Connection& connection, time_point now) {
  connection.set_context(this);
  if (draining_) {
    refuse(connection, Ending::relay_drains);
    return;
  }
  connection.limit_receive(config_.max_join_request);
  connection.set_budget(config_.client_budget);
  if (pending_.size() >= prune_at_) {
    // Those who came and went must not add up behind one who waits.
    std::erase_if(pending_, [this](const Pending& pending) { return !is_waiting(pending); });
    prune_at_ = std::max<std::size_t>(1024, pending_.size() * 2);
  }
  pending_.push_back({connection.id(), now + config_.join_timeout});
}

std::size_t Service::receive_limit(const Room::Member* member) const noexcept {
  if (member == nullptr) return config_.max_join_request;
  return member->id == host_player_id ? config_.max_host_message : config_.max_client_message;
}

void Service::on_message(Connection& connection, const Message& message, time_point now) {
  if (!connection.is_open()) return;
  if (message.kind == MessageKind::text) {
    ++stats_.texts_ignored;
    return;
  }
  Room::Member* const member = member_of(connection);
  if (message.bytes.size() > receive_limit(member)) {  // not every transport knows the exact limit
    on_fault(connection, {CloseReason::too_large, true, 1009, to_string(errc::too_large)}, now);
    return;
  }
  if (member == nullptr) {
    join(connection, message.bytes);
    return;
  }
  auto& room = member->room->owner<HostedRoom>();
  room.receive(*member, message.bytes);
  if (room.is_over()) reap(room);
}

void Service::on_overrun(Connection& connection, std::uint32_t, time_point) {
  Room::Member* const member = member_of(connection);
  if (member == nullptr) {
    refuse(connection, Ending::client_too_slow);
    return;
  }
  auto& room = member->room->owner<HostedRoom>();
  room.end_member(*member,
                  member->id == host_player_id ? Ending::host_too_slow : Ending::client_too_slow);
  if (room.is_over()) reap(room);
}

// What the original sends when reading fails, in front of the close.
void Service::on_fault(Connection& connection, const CloseInfo& info, time_point) {
  const bool joined = member_of(connection) != nullptr;
  const Ending ending = joined ? Ending::connection_lost : Ending::handshake_failed;
  ++stats_.endings[static_cast<std::size_t>(ending)];
  const std::vector<std::byte> last_words = encode_server_error(rule_of(ending).text);
  connection.close(info.reason, info.code, info.text, {last_words});
  if (joined) {
    drop(connection);
  } else {
    connection.set_context(nullptr);
  }
}

void Service::on_close(Connection& connection, const CloseInfo&, time_point) {
  if (is_joining(connection)) {
    ++stats_.endings[static_cast<std::size_t>(Ending::handshake_failed)];
  } else if (member_of(connection) != nullptr) {
    ++stats_.endings[static_cast<std::size_t>(Ending::connection_lost)];
    drop(connection);
  }
}

void Service::drop(Connection& connection) {
  Room::Member& member = *member_of(connection);
  auto& room = member.room->owner<HostedRoom>();
  room.drop_member(member);
  if (room.is_over()) reap(room);
}

void Service::on_drain(time_point) {
  draining_ = true;
  while (!rooms_.empty()) {
    HostedRoom& room = *rooms_.begin()->second;
    room.end_all(Ending::relay_drains);
    reap(room);
  }
  for (const Pending& pending : pending_) {
    Connection* const connection = outbox_->find(pending.id);
    if (connection != nullptr) refuse(*connection, Ending::relay_drains);
  }
  pending_.clear();
}

bool Service::is_waiting(const Pending& pending) const noexcept {
  const Connection* const connection = outbox_->find(pending.id);
  return connection != nullptr && connection->is_open() && is_joining(*connection);
}

void Service::advance(time_point now) {
  while (!pending_.empty()) {
    const Pending oldest = pending_.front();
    const bool waits = is_waiting(oldest);
    if (waits && oldest.deadline > now) return;
    pending_.pop_front();
    if (waits) refuse(*outbox_->find(oldest.id), Ending::handshake_failed);
  }
}

time_point Service::next_deadline() const noexcept {
  return pending_.empty() ? no_deadline : pending_.front().deadline;
}

void Service::refuse(Connection& connection, Ending ending, std::string_view text) {
  if (!connection.is_open()) return;
  end_connection(connection, ending, stats_.endings, text);
  connection.set_context(nullptr);
}

void Service::join(Connection& connection, byte_view message) {
  // In the order of the original: the first that fails decides what is answered.
  const result<JoinRequest> decoded = decode_join_request(message);
  if (!decoded) return refuse(connection, Ending::bad_join_request);
  const JoinRequest& request = *decoded;
  if (request.game_id.size() > config_.max_id_size ||
      request.room_id.size() > config_.max_id_size) {
    return refuse(connection, Ending::id_too_long);
  }
  const std::optional<std::uint16_t> max_players = config_.games.find(request.game_id);
  if (!max_players) {
    return refuse(connection, Ending::unknown_game, error_text::unknown_game(request.game_id));
  }
  const auto found = rooms_.find({request.game_id, request.room_id});
  if (request.reconnect_token) {
    if (found == rooms_.end()) {
      return refuse(connection, Ending::room_is_gone,
                    error_text::room_is_gone(request.room_id, request.game_id));
    }
    // The tokens of those who left are revoked, and those of the present are in use.
    return refuse(connection, Ending::invalid_token);
  }
  if (request.create_room) {
    if (found != rooms_.end()) {
      return refuse(connection, Ending::room_exists,
                    error_text::room_exists(request.room_id, request.game_id));
    }
    return create(connection, request);
  }
  if (found == rooms_.end()) {
    return refuse(connection, Ending::no_such_room,
                  error_text::no_such_room(request.room_id, request.game_id));
  }
  enter(*found->second, connection, *max_players);
}

void Service::create(Connection& connection, const JoinRequest& request) {
  if (rooms_.size() >= config_.max_rooms) return refuse(connection, Ending::too_many_rooms);
  auto room = std::make_unique<HostedRoom>(
      RoomName{std::string{request.game_id}, std::string{request.room_id}}, next_instance_++,
      request.rule_variation, config_.window, *outbox_, stats_);
  connection.limit_receive(config_.max_host_message);
  connection.set_budget(config_.host_budget);
  room->admit_host(connection, entropy_->next_u64());
  const RoomName& name = room->name();
  rooms_.emplace(Key{name.game_id, name.room_id}, std::move(room));
  ++stats_.rooms_created;
}

void Service::enter(HostedRoom& room, Connection& connection, std::uint16_t max_players) {
  const result<std::uint32_t> id = room.admit_client(connection, entropy_->next_u64(), max_players);
  const std::string_view room_id = room.name().room_id;
  if (id) {
    connection.limit_receive(config_.max_client_message);
    ++stats_.clients_joined;
  } else if (id.error() == errc::limit_reached) {
    refuse(connection, Ending::room_full, error_text::room_is_full(room_id, max_players));
  } else if (id.error() == errc::not_found) {
    refuse(connection, Ending::out_of_ids, error_text::out_of_client_ids(room_id));
  } else {
    refuse(connection, Ending::host_not_reachable);
  }
}

void Service::reap(const HostedRoom& room) {
  const auto found = rooms_.find({room.name().game_id, room.name().room_id});
  if (found != rooms_.end() && found->second.get() == &room) rooms_.erase(found);
}

}  // namespace muster::relay
