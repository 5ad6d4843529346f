// SPDX-License-Identifier: MIT
// Rooms by path, and signals handed on.
#include <muster/signal/matchbox.hpp>

#include <muster/outbox.hpp>
#include <muster/wire/json_scanner.hpp>

#include "client_message.hpp"
#include "json_fields.hpp"
#include "uuid.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace muster::signal {

namespace {

constexpr std::string_view keep_alive = "\"KeepAlive\"";

std::string named(std::string_view type, const Uuid& id) {
  std::string text = "{\"";
  text.append(type).append("\":\"").append(view(to_text(id))).append("\"}");
  return text;
}

struct PeerSignalRequest {
  Uuid receiver;
  byte_view data;
};

// {"Signal":{"receiver":UUID,"data":ANY}}
std::optional<PeerSignalRequest> read_signal(byte_view text) {
  wire::JsonScanner outer{text, max_message_depth};
  const auto member = outer.next_member();
  if (!member || !member->is_named("Signal") || member->kind != wire::JsonKind::object ||
      outer.next_member()) {
    return std::nullopt;
  }
  outer.finish();
  if (!outer.ok()) return std::nullopt;
  std::string_view receiver;
  byte_view data;
  if (!read_object(member->value, max_message_depth, required("receiver", receiver),
                   required("data", data))) {
    return std::nullopt;
  }
  const std::optional<Uuid> id = read_uuid(receiver);
  if (!id) return std::nullopt;
  return PeerSignalRequest{*id, data};
}

}  // namespace

struct MUSTER_LOCAL Matchbox::Peer {
  Uuid id{};
  MatchRoom* room = nullptr;
  Room::Member* member = nullptr;
  RateMeter meter{};
};

struct MUSTER_LOCAL Matchbox::MatchRoom {
  MatchRoom(std::uint64_t instance, const Room::Config& config, Outbox& outbox, RoomName given)
      : room(instance, config, outbox, this), name(std::move(given)) {}

  Room room;
  RoomName name;
  std::map<Uuid, std::unique_ptr<Peer>> peers{};
  Peer* host = nullptr;  // of a client-server room
  std::uint32_t came = 0;
  std::list<std::unique_ptr<MatchRoom>>::iterator self{};
};

// What goes along when a peer moves to its room's loop.
struct MUSTER_LOCAL Matchbox::Passenger final : Luggage {
  explicit Passenger(RoomName given) noexcept : name(std::move(given)) {}
  RoomName name;
};

std::error_code Matchbox::validate(const Config& config, std::string& problem) {
  const auto check = [&problem](bool good, std::string_view sentence) {
    if (!good && problem.empty()) problem = sentence;
  };
  problem.clear();
  check(!config.prefix.ends_with('/'), "prefix must not end with a slash");
  check(config.max_rooms >= 1 && config.max_rooms <= 10'000'000,
        "max_rooms must be between 1 and 10000000");
  check(config.max_peers >= 1 && config.max_peers <= 65535,
        "max_peers must be between 1 and 65535");
  check(config.max_name >= 1 && config.max_name <= 1024,
        "max_name must be between 1 and 1024 bytes");
  check(config.max_message >= 1024 && config.max_message <= 1U << 20U,
        "max_message must be between 1 KiB and 1 MiB");
  check(config.max_connections >= 1 && config.max_connections <= 10'000'000,
        "max_connections must be between 1 and 10000000");
  check(is_valid(config.rate), "rate is out of range");
  check(is_valid(config.budget) &&
            config.budget.bytes >= config.budget.reserve_bytes + config.max_message + 256,
        "budget is out of range, or below one message");
  return problem.empty() ? std::error_code{} : make_error_code(errc::invalid_config);
}

Matchbox::Matchbox(Config config, Outbox& outbox, Entropy& entropy)
    : config_(std::move(config)), outbox_(&outbox), entropy_(&entropy) {}
Matchbox::~Matchbox() = default;

void Matchbox::join_loops(const Placement& placement, std::uint32_t here,
                          std::vector<Matchbox*> services) {
  placement_ = placement;
  here_ = here;
  services_ = std::move(services);
}

std::optional<Matchbox::RoomName> Matchbox::name_of(const Request& request) const {
  std::string_view path = request.path;
  if (!path.starts_with(config_.prefix)) return std::nullopt;
  path.remove_prefix(config_.prefix.size());
  if (!path.empty() && path.front() != '/') return std::nullopt;
  if (!path.empty()) path.remove_prefix(1);
  if (path.size() > config_.max_name || path.find('/') != std::string_view::npos) {
    return std::nullopt;
  }
  RoomName name{path.empty() ? "world" : std::string{path}, 0};
  if (const auto next = request.query_value("next")) {
    const auto [end, error] = std::from_chars(next->data(), next->data() + next->size(), name.next);
    if (error != std::errc{} || end != next->data() + next->size() || name.next == 0 ||
        name.next > config_.max_peers) {
      return std::nullopt;
    }
  }
  return name;
}

void Matchbox::on_upgrade(const Request& request, Decision decision, time_point) {
  if (draining_ || arriving_.size() + peer_count_ >= config_.max_connections) {
    decision.respond({.status = 503, .body = as_bytes("not now\n")});
    return;
  }
  std::optional<RoomName> name = name_of(request);
  if (!name) {
    decision.respond({.status = 400, .body = as_bytes("this is not the name of a room\n")});
    return;
  }
  RoomName* const context = &arriving_.emplace_back(std::move(*name));
  if (!decision.accept(*this, {}, context)) (void)forget(context);
}

// It was accepted, and has not opened, or is taken over.
std::optional<Matchbox::RoomName> Matchbox::forget(const void* context) {
  const auto found = std::find_if(arriving_.begin(), arriving_.end(),
                                  [context](const RoomName& name) { return &name == context; });
  if (found == arriving_.end()) return std::nullopt;
  RoomName name = std::move(*found);
  arriving_.erase(found);
  return name;
}

void Matchbox::on_open(Connection& connection, time_point now) {
  RoomName name = forget(connection.context<void>()).value_or(RoomName{"world", 0});
  connection.set_context(nullptr);
  const std::uint32_t home = placement_ ? placement_->of(as_bytes(name.name)) : here_;
  if (home == here_) return enter(connection, name, now);
  if (connection.move_to(home, *services_[home], std::make_unique<Passenger>(std::move(name))) !=
      MoveStatus::moving) {
    connection.close(CloseReason::refused, 1013, "not now");
  }
}

void Matchbox::on_arrival(Connection& connection, std::unique_ptr<Luggage> luggage,
                          time_point now) {
  enter(connection, static_cast<Passenger&>(*luggage).name, now);
}

Matchbox::MatchRoom* Matchbox::room_for(const RoomName& name, time_point now) {
  const auto found = open_.find(name);
  if (found != open_.end()) {
    MatchRoom& room = *found->second;
    const bool is_filled = name.next != 0 && room.came >= name.next;
    if (!is_filled) return room.room.next_id(now, config_.max_peers) ? &room : nullptr;
  }
  if (rooms_.size() >= config_.max_rooms) return nullptr;
  Room::Config config;
  config.last_id = std::numeric_limits<std::uint32_t>::max();  // nobody sees these numbers
  rooms_.push_back(std::make_unique<MatchRoom>(next_instance_++, config, *outbox_, name));
  MatchRoom& room = *rooms_.back();
  room.self = std::prev(rooms_.end());
  open_.insert_or_assign(name, &room);
  return &room;
}

void Matchbox::tell(const Peer& peer, std::span<const byte_view> parts) {
  if (peer.member->connection == nullptr) return;
  Connection& connection = *peer.member->connection;
  if (connection.send(parts, MessageKind::text) == SendStatus::over_budget) {
    connection.discard_queue();
    connection.close(CloseReason::too_slow, 1008, "too slow");
  }
}

void Matchbox::tell(const Peer& peer, std::string_view text) {
  const byte_view part = as_bytes(text);
  tell(peer, {&part, 1});
}

void Matchbox::enter(Connection& connection, const RoomName& name, time_point now) {
  connection.limit_receive(config_.max_message);
  connection.set_budget(config_.budget);
  MatchRoom* const room = draining_ ? nullptr : room_for(name, now);
  if (room == nullptr) {
    connection.close(CloseReason::refused, 1013, draining_ ? "draining" : "the room is full");
    return;
  }
  const Uuid id = draw_uuid(*entropy_);
  Peer& peer = *room->peers.emplace(id, std::make_unique<Peer>()).first->second;
  peer.id = id;
  peer.room = room;
  peer.member = &room->room.admit(connection, now);
  peer.member->data = &peer;
  ++room->came;
  ++peer_count_;
  ++stats_.peers;
  tell(peer, named("IdAssigned", id));
  const std::string news = named("NewPeer", id);
  if (config_.topology == Topology::full_mesh) {
    room->room.audience(0).broadcast({as_bytes(news), MessageKind::text});
    room->room.audience(0).join(connection);
  } else if (room->host == nullptr) {
    room->host = &peer;
  } else {
    tell(*room->host, news);
  }
}

void Matchbox::on_message(Connection& connection, const Message& message, time_point now) {
  auto* const member = connection.context<Room::Member>();
  if (member == nullptr || !connection.is_open()) return;
  Peer& peer = *static_cast<Peer*>(member->data);
  MatchRoom& room = *peer.room;
  if (!peer.meter.take(message.bytes.size(), now, config_.rate)) {
    ++stats_.limited;
    return;
  }
  if (message.kind == MessageKind::text && as_text(message.bytes) == keep_alive) return;
  const auto request =
      message.kind == MessageKind::text ? read_signal(message.bytes) : std::nullopt;
  if (!request) {  // the original ignores it too
    ++stats_.malformed;
    return;
  }
  const auto found = room.peers.find(request->receiver);
  Peer* const target = found == room.peers.end() ? nullptr : found->second.get();
  const bool is_allowed =
      target != nullptr && target != &peer &&
      (config_.topology == Topology::full_mesh || room.host == &peer || room.host == target);
  if (!is_allowed || target->member->connection == nullptr) {
    ++stats_.undeliverable;
    return;
  }
  ++stats_.signals;
  const UuidText sender = to_text(peer.id);
  const std::array<byte_view, 5> parts{as_bytes("{\"Signal\":{\"sender\":\""),
                                       as_bytes(view(sender)), as_bytes("\",\"data\":"),
                                       request->data, as_bytes("}}")};
  tell(*target, parts);
}

void Matchbox::on_close(Connection& connection, const CloseInfo&, time_point now) {
  if (forget(connection.context<void>())) return;
  auto* const member = connection.context<Room::Member>();
  if (member == nullptr) return;
  const Peer& peer = *static_cast<Peer*>(member->data);
  MatchRoom& room = *peer.room;
  const std::string news = named("PeerLeft", peer.id);
  const bool was_host = room.host == &peer;
  if (was_host) room.host = nullptr;
  room.peers.erase(Uuid{peer.id});
  room.room.remove(*member, now);
  --peer_count_;
  if (config_.topology == Topology::full_mesh) {
    room.room.audience(0).broadcast({as_bytes(news), MessageKind::text});
  } else if (was_host) {
    for (const auto& [id, other] : room.peers) tell(*other, news);
  } else if (room.host != nullptr) {
    tell(*room.host, news);
  }
  if (room.room.size() != 0) return;
  const auto open = open_.find(room.name);
  if (open != open_.end() && open->second == &room) open_.erase(open);
  rooms_.erase(room.self);
}

void Matchbox::on_drain(time_point) {
  draining_ = true;
  for (const auto& room : rooms_) {
    for (auto& [id, member] : room->room.members()) {
      if (member.connection != nullptr) {
        member.connection->close(CloseReason::draining, 1001, "draining");
      }
    }
  }
}

}  // namespace muster::signal
