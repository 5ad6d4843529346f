// SPDX-License-Identifier: MIT
// The handshake, the directory of rooms, and the deadlines of those who have not joined.
#include <muster/relay/service.hpp>

#include <muster/outbox.hpp>
#include <muster/relay/error_text.hpp>
#include <muster/relay/message.hpp>

#include <algorithm>
#include <array>
#include <iterator>

namespace muster::relay {

namespace {

constexpr std::size_t max_user_size = 128;

// A connection's context is its member of a room; or its `Joiner` with this bit, until it has
// joined or was refused; and nothing once it was told to go.
constexpr std::uintptr_t joiner_bit = 1;

}  // namespace

void Admission::admit(std::string_view user) {
  const auto service = service_.lock();
  if (service == nullptr) return;  // the decision refuses
  (*service)->admit(std::move(decision_), user);
}

void Admission::refuse(unsigned status, std::string_view body) {
  decision_.respond({.status = status, .body = as_bytes(body)});
}

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
  check(config.max_state_caches <= std::size_t{64} << 30U,
        "max_state_caches must be at most 64 GiB");
  constexpr std::size_t overhead = 64;  // of a header, of two bytes of an id, of the welcome
  check(is_valid(config.host_budget), "host_budget is out of range");
  check(config.host_budget.bytes / 2 >= config.max_client_message + overhead,
        "host_budget must be twice as large as max_client_message, and 128 bytes");
  check(is_valid(config.client_budget), "client_budget is out of range");
  check(config.client_budget.bytes >=
            config.client_budget.reserve_bytes + config.max_host_message + overhead,
        "client_budget must be larger than max_host_message by its reserve and 64 bytes");
  if (problem.empty() && relay::validate(config.rooms, problem)) {
    (void)AddressLimits::validate(config.addresses, problem);
  }
  for (const auto& [name, game] : config.games.games) {
    RoomRules rules;
    if (game.window) rules.window = *game.window;
    if (game.state_cache) rules.state_cache = *game.state_cache;
    if (problem.empty()) (void)relay::validate(rules, problem);
  }
  return problem.empty() ? std::error_code{} : make_error_code(errc::invalid_config);
}

Service::Service(const Config& config, Outbox& outbox, Entropy& entropy, Mac& mac,
                 AddressLimits* limits)
    : config_(config),
      outbox_(&outbox),
      entropy_(&entropy),
      mac_(&mac),
      limits_(limits),
      mint_(mac, entropy),
      caches_{.limit = config.max_state_caches},
      alive_(std::make_shared<Service*>(this)) {
  if (limits_ == nullptr) {
    AddressLimits::Config own = config.addresses;
    own.connections_per_second = 0;  // that is a listener's, which does not see them
    limits_ = &own_limits_.emplace(own, entropy);
  }
  context_.owner = this;
  context_.outbox = &outbox;
  context_.mint = &mint_;
  context_.stats = &stats_;
  context_.caches = &caches_;
  context_.host_budget = config.host_budget;
  context_.client_budget = config.client_budget;
  context_.max_host_message = config.max_host_message;
  context_.capabilities = config.capabilities;
}

Service::~Service() = default;

// Connections before they have joined.

Service::Joiner* Service::joiner_of(const Connection& connection) noexcept {
  const auto word = reinterpret_cast<std::uintptr_t>(connection.context<void>());
  return (word & joiner_bit) == 0 ? nullptr : reinterpret_cast<Joiner*>(word & ~joiner_bit);
}

Room::Member* Service::member_of(const Connection& connection) noexcept {
  return joiner_of(connection) != nullptr ? nullptr : connection.context<Room::Member>();
}

void Service::forget_joiner(Connection& connection) {
  Joiner* const joiner = joiner_of(connection);
  if (joiner == nullptr) return;
  connection.set_context(nullptr);
  auto& list = joiner->id == ConnectionId{} ? arriving_ : joiners_;
  list.erase(joiner->self);
}

void Service::on_upgrade(const Request& request, Decision decision, time_point now) {
  if (draining_) {
    decision.respond({.status = 503, .body = as_bytes("the relay is going away\n")});
  } else if (authenticator_ != nullptr) {
    authenticator_->authenticate(request, Admission{std::move(decision), alive_}, now);
  } else {
    decision.accept(*this);
  }
}

void Service::admit(Decision decision, std::string_view user) {
  if (draining_ || user.size() > max_user_size) {
    decision.respond({.status = 503, .body = as_bytes("not now\n")});
    return;
  }
  const auto joiner = arriving_.emplace(arriving_.end());
  joiner->user = user;
  joiner->self = joiner;
  void* const context =
      reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(&*joiner) | joiner_bit);
  if (!decision.accept(*this, {}, context)) arriving_.erase(joiner);
}

void Service::on_open(Connection& connection, time_point now) {
  Joiner* const accepted = joiner_of(connection);
  const auto joiner = accepted != nullptr ? accepted->self : arriving_.emplace(arriving_.end());
  joiner->self = joiner;
  joiner->deadline = now + config_.join_timeout;
  await_request(connection, joiner, now);
}

void Service::on_arrival(Connection& connection, std::unique_ptr<Luggage> luggage, time_point now) {
  auto& passenger = static_cast<Passenger&>(*luggage);
  const auto joiner = arriving_.emplace(arriving_.end());
  joiner->self = joiner;
  joiner->deadline = passenger.deadline;
  joiner->user = std::move(passenger.user);
  await_request(connection, joiner, now);
}

void Service::await_request(Connection& connection, std::list<Joiner>::iterator joiner,
                            time_point now) {
  joiner->id = connection.id();
  connection.set_context(
      reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(&*joiner) | joiner_bit));
  // Those who come from another loop have waited there already.
  auto place = joiners_.end();
  while (place != joiners_.begin() && std::prev(place)->deadline > joiner->deadline) --place;
  joiners_.splice(place, arriving_, joiner);
  if (draining_) {
    refuse(connection, Ending::relay_drains, now);
    return;
  }
  connection.limit_receive(config_.max_join_request);
  connection.set_budget(config_.client_budget);
}

void Service::refuse(Connection& connection, Ending ending, time_point now, std::string_view text) {
  if (!connection.is_open()) return;
  if (context_.observer != nullptr) context_.observer->on_refused(connection.remote(), ending, now);
  end_connection(connection, ending, stats_.endings, text);
  forget_joiner(connection);
}

// Input.

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
  if (member != nullptr) {
    auto& room = member->room->owner<HostedRoom>();
    room.receive(*member, message.bytes, now);
    if (room.is_over()) reap(room, now);
  } else if (Joiner* const joiner = joiner_of(connection)) {
    join(connection, *joiner, message.bytes, now);
  }
}

void Service::on_writable(Connection& connection, time_point) {
  if (Room::Member* const member = member_of(connection)) {
    member->room->owner<HostedRoom>().writable(*member);
  }
}

void Service::on_overrun(Connection& connection, std::uint32_t lost, time_point now) {
  Room::Member* const member = member_of(connection);
  if (member == nullptr) {
    refuse(connection, Ending::client_too_slow, now);
    return;
  }
  auto& room = member->room->owner<HostedRoom>();
  room.overrun(*member, lost, now);
  if (room.is_over()) reap(room, now);
}

// What the original sends when reading fails, in front of the close.
void Service::on_fault(Connection& connection, const CloseInfo& info, time_point now) {
  Room::Member* const member = member_of(connection);
  const Ending ending = member != nullptr ? Ending::connection_lost : Ending::handshake_failed;
  ++stats_.endings[static_cast<std::size_t>(ending)];
  const std::vector<std::byte> last_words = encode_server_error(rule_of(ending).text);
  connection.close(info.reason, info.code, info.text, {last_words});
  if (member == nullptr) {
    forget_joiner(connection);
    return;
  }
  auto& room = member->room->owner<HostedRoom>();
  room.lost(*member, now);
  if (room.is_over()) reap(room, now);
}

void Service::on_close(Connection& connection, const CloseInfo&, time_point now) {
  if (const Joiner* const joiner = joiner_of(connection)) {
    // One that never opened has sent nothing and was told nothing.
    if (joiner->id != ConnectionId{}) {
      ++stats_.endings[static_cast<std::size_t>(Ending::handshake_failed)];
    }
    forget_joiner(connection);
  } else if (Room::Member* const member = member_of(connection)) {
    ++stats_.endings[static_cast<std::size_t>(Ending::connection_lost)];
    auto& room = member->room->owner<HostedRoom>();
    room.lost(*member, now);
    if (room.is_over()) reap(room, now);
  }
}

void Service::on_drain(time_point now) {
  draining_ = true;
  while (!rooms_.empty()) {
    HostedRoom& room = *rooms_.begin()->second.room;
    room.end_all(Ending::relay_drains);
    reap(room, now);
  }
  while (!joiners_.empty()) {
    Connection* const connection = outbox_->find(joiners_.front().id);
    if (connection != nullptr && connection->is_open()) {
      refuse(*connection, Ending::relay_drains, now);
    } else {
      // It is closing, and its end is still to be told.
      if (connection != nullptr) connection->set_context(nullptr);
      joiners_.pop_front();
    }
  }
}

// Joining.

void Service::join(Connection& connection, Joiner& joiner, byte_view message, time_point now) {
  // In the order of the original: the first that fails decides what is answered.
  Arrival arrival{.connection = &connection, .user = joiner.user};
  result<JoinRequest> decoded = decode_join_request(message);
  std::vector<std::byte> completed;
  if (!decoded && decoded.error() == errc::unexpected_end && config_.accept_gen1) {
    // The first generation ends where the second goes on with an option; here, with none.
    completed.assign(message.begin(), message.end());
    completed.push_back(std::byte{0});
    decoded = decode_join_request(completed);
    arrival.is_gen1 = true;
  }
  // That generation knows no tokens: with one, it is a request of this one that is cut off.
  if (decoded && arrival.is_gen1 && decoded->reconnect_token) decoded = errc::unexpected_end;
  if (!decoded) return refuse(connection, Ending::bad_join_request, now);
  const JoinRequest& request = *decoded;
  if (config_.capabilities != 0) {
    const result<std::optional<Trailer>> trailer = decode_trailer(request.trailer);
    if (!trailer) return refuse(connection, Ending::bad_join_request, now);
    arrival.extension = *trailer;
  }
  if (request.game_id.size() > config_.max_id_size ||
      request.room_id.size() > config_.max_id_size) {
    return refuse(connection, Ending::id_too_long, now);
  }
  const GameRules* const game = config_.games.find(request.game_id);
  if (game == nullptr) {
    return refuse(connection, Ending::unknown_game, now, error_text::unknown_game(request.game_id));
  }
  if (const std::uint32_t home = home_of(request.game_id, request.room_id); home != here_) {
    return send_home(connection, joiner, home, now);
  }
  auto found = rooms_.find({request.game_id, request.room_id});
  if (found != rooms_.end() && found->second.room->is_over()) {
    reap(*found->second.room, now);
    found = rooms_.end();
  }
  HostedRoom* const room = found == rooms_.end() ? nullptr : found->second.room.get();
  if (request.reconnect_token) {
    if (room == nullptr) {
      return refuse(connection, Ending::room_is_gone, now,
                    error_text::room_is_gone(request.room_id, request.game_id));
    }
    return reenter(*room, arrival, joiner, *request.reconnect_token, now);
  }
  if (request.create_room) {
    if (room != nullptr) {
      return refuse(connection, Ending::room_exists, now,
                    error_text::room_exists(request.room_id, request.game_id));
    }
    return create(request, arrival, joiner, now);
  }
  if (room == nullptr) {
    return refuse(connection, Ending::no_such_room, now,
                  error_text::no_such_room(request.room_id, request.game_id));
  }
  if (has_opened_door(*room, joiner, arrival, now)) {
    enter(*room, arrival, joiner, game->max_players, now);
  }
}

// Several loops.

void Service::join_loops(const Placement& placement, std::uint32_t here,
                         std::vector<Service*> services) {
  placement_ = placement;
  here_ = here;
  services_ = std::move(services);
  next_instance_ |= std::uint64_t{here} << 48U;
}

std::uint32_t Service::home_of(std::string_view game_id, std::string_view room_id) const {
  if (!placement_) return here_;
  // Two names and where the first ends: neither may hold a separator, but both may hold anything.
  std::string key = std::to_string(game_id.size());
  key.append(":").append(game_id).append(room_id);
  return placement_->of(as_bytes(key));
}

void Service::send_home(Connection& connection, Joiner& joiner, std::uint32_t home,
                        time_point now) {
  auto passenger = std::make_unique<Passenger>(joiner.deadline, joiner.user);
  if (connection.move_to(home, *services_[home], std::move(passenger)) != MoveStatus::moving) {
    return refuse(connection, Ending::relay_busy, now);
  }
  ++stats_.connections_given;
  forget_joiner(connection);
}

// Whether a newcomer knows the room's password. If not, it has been asked for it, or refused.
bool Service::has_opened_door(const HostedRoom& room, Joiner& joiner, const Arrival& arrival,
                              time_point now) {
  if (!room.password_key()) return true;
  Connection& connection = *arrival.connection;
  const Address remote = connection.remote();
  if (!limits_->may_present_token(remote, now)) {
    refuse(connection, Ending::too_many_attempts, now);
  } else if (!arrival.extension) {
    refuse(connection, Ending::password_needed, now);
  } else if (!arrival.extension->proof && !joiner.nonce) {
    entropy_->fill(joiner.nonce.emplace());
    connection.send({encode_challenge(*joiner.nonce)}, Delivery::reliable, Urgency::urgent);
  } else {
    const auto& proof = arrival.extension->proof;
    if (proof && joiner.nonce &&
        equal_in_constant_time(*proof, mac_->tag(*room.password_key(), *joiner.nonce))) {
      return true;
    }
    limits_->count_failed_token(remote, now);
    refuse(connection, Ending::wrong_password, now);
  }
  return false;
}

RoomRules Service::rules_of(const GameRules& game) const {
  RoomRules rules = config_.rooms;
  if (game.window) rules.window = *game.window;
  if (game.slow_member) rules.slow_member = *game.slow_member;
  if (game.state_cache) rules.state_cache = *game.state_cache;
  if (game.migrate_host) rules.migrate_host = *game.migrate_host;
  return rules;
}

HostedRoom& Service::make_room(RoomName name, std::uint16_t rule_variation, time_point now) {
  const GameRules& game = *config_.games.find(name.game_id);
  auto room = std::make_unique<HostedRoom>(std::move(name), next_instance_++, rule_variation,
                                           rules_of(game), context_, now);
  HostedRoom& made = *room;
  rooms_.emplace(Key{made.name().game_id, made.name().room_id}, Entry{std::move(room), {}});
  ++stats_.rooms_created;
  return made;
}

void Service::create(const JoinRequest& request, const Arrival& arrival, Joiner& joiner,
                     time_point now) {
  Connection& connection = *arrival.connection;
  const Address remote = connection.remote();
  if (rooms_.size() >= config_.max_rooms) return refuse(connection, Ending::too_many_rooms, now);
  if (!limits_->may_create(remote, now)) {
    return refuse(connection, Ending::too_many_attempts, now);
  }
  if (!limits_->take_room(remote)) return refuse(connection, Ending::too_many_rooms, now);
  HostedRoom& room = make_room({std::string{request.game_id}, std::string{request.room_id}},
                               request.rule_variation, now);
  Entry& entry = rooms_.find({room.name().game_id, room.name().room_id})->second;
  entry.creator = remote;
  entry.is_held = true;
  room.create(arrival, now);
  joiners_.erase(joiner.self);
}

void Service::enter(HostedRoom& room, const Arrival& arrival, Joiner& joiner,
                    std::uint16_t max_players, time_point now) {
  Connection& connection = *arrival.connection;
  if (const std::optional<Refusal> refusal = room.admit(arrival, max_players, now)) {
    refuse(connection, refusal->ending, now, refusal->text);
  } else {
    connection.limit_receive(config_.max_client_message);
    joiners_.erase(joiner.self);
    ++stats_.clients_joined;
  }
  if (room.is_over()) reap(room, now);
}

void Service::reenter(HostedRoom& room, const Arrival& arrival, Joiner& joiner, std::uint64_t token,
                      time_point now) {
  Connection& connection = *arrival.connection;
  const Address remote = connection.remote();
  if (!limits_->may_present_token(remote, now)) {
    return refuse(connection, Ending::too_many_attempts, now);
  }
  Room::Member* const member = room.find(mint_.tag(token));
  if (member == nullptr) {
    limits_->count_failed_token(remote, now);
    return refuse(connection, Ending::invalid_token, now);
  }
  if (room.player(static_cast<std::uint16_t>(member->id))->user != arrival.user) {
    return refuse(connection, Ending::wrong_account, now);
  }
  connection.limit_receive(receive_limit(member));
  room.rejoin(*member, arrival, token, now);
  joiners_.erase(joiner.self);
  if (room.is_over()) reap(room, now);
}

// Rooms.

result<HostedRoom*> Service::open_room(RoomName name, std::uint16_t rule_variation,
                                       Authority& authority, time_point now) {
  if (name.game_id.size() > config_.max_id_size || name.room_id.size() > config_.max_id_size) {
    return errc::too_large;
  }
  if (config_.games.find(name.game_id) == nullptr) return errc::not_found;
  if (home_of(name.game_id, name.room_id) != here_) return errc::wrong_state;
  // Also one that is over and not cleared away yet: the caller may be a part of it.
  if (rooms_.contains({name.game_id, name.room_id})) return errc::already_exists;
  if (draining_ || rooms_.size() >= config_.max_rooms) return errc::limit_reached;
  HostedRoom& room = make_room(std::move(name), rule_variation, now);
  room.attach(authority, now);
  return &room;
}

HostedRoom* Service::find_room(std::string_view game_id, std::string_view room_id) noexcept {
  const auto found = rooms_.find({game_id, room_id});
  // One that is over is only still to be cleared away.
  if (found == rooms_.end() || found->second.room->is_over()) return nullptr;
  return found->second.room.get();
}

std::error_code Service::check_host_token(std::string_view game_id, std::string_view room_id,
                                          std::uint64_t token, const Address& remote,
                                          time_point now) {
  if (!limits_->may_present_token(remote, now)) return make_error_code(errc::limit_reached);
  HostedRoom* const room = find_room(game_id, room_id);
  if (room == nullptr) return make_error_code(errc::not_found);
  const Room::Member* const member = room->find(mint_.tag(token));
  if (member != nullptr && member->id == host_player_id) return {};
  limits_->count_failed_token(remote, now);
  return make_error_code(errc::bad_value);
}

void Service::list_rooms(const std::function<bool(const RoomListing&)>& visit) const {
  for (const auto& [key, entry] : rooms_) {
    const HostedRoom& room = *entry.room;
    if (room.is_over()) continue;
    const GameRules* const game = config_.games.find(key.game_id);
    RoomListing listing;
    listing.room = room.facts();
    listing.players = room.player_count();
    listing.max_players = room.max_players(game == nullptr ? 0 : game->max_players);
    listing.spectators = room.spectator_count();
    listing.has_host = room.has_host();
    listing.has_password = room.password_key().has_value();
    listing.is_open = room.is_open();
    listing.is_listed = room.is_listed();
    listing.metadata = room.metadata();
    if (!visit(listing)) return;
  }
}

std::size_t Service::member_count() const noexcept {
  std::size_t count = 0;
  for (const auto& [key, entry] : rooms_) count += entry.room->size();
  return count;
}

std::size_t Service::present_count() const noexcept {
  std::size_t count = 0;
  for (const auto& [key, entry] : rooms_) count += entry.room->present_count();
  return count;
}

// One that is over stays until nothing of it is on the stack: it is due at once.
void Service::changed(HostedRoom& room) {
  if (room.scheduled != no_deadline) due_.erase({room.scheduled, &room});
  room.scheduled = room.next_deadline();
  if (room.scheduled != no_deadline) due_.emplace(room.scheduled, &room);
}

void Service::reap(HostedRoom& room, time_point now) {
  if (room.scheduled != no_deadline) due_.erase({room.scheduled, &room});
  const auto found = rooms_.find({room.name().game_id, room.name().room_id});
  if (found == rooms_.end() || found->second.room.get() != &room) return;
  if (found->second.is_held) {
    limits_->give_room(found->second.creator);
    if (!room.had_client()) limits_->count_empty_room(found->second.creator, now);
  }
  rooms_.erase(found);
}

// Time.

void Service::advance(time_point now) {
  // What a call makes due now is left for the next pass: else two rooms could keep it going.
  std::vector<HostedRoom*> due;
  for (const auto& [when, room] : due_) {
    if (when > now) break;
    due.push_back(room);
  }
  for (HostedRoom* const room : due) {
    if (!room->is_over()) room->advance(now);
    if (room->is_over()) reap(*room, now);
  }
  while (!joiners_.empty() && joiners_.front().deadline <= now) {
    Connection* const connection = outbox_->find(joiners_.front().id);
    if (connection != nullptr && connection->is_open()) {
      refuse(*connection, Ending::handshake_failed, now);
    } else {
      if (connection != nullptr) connection->set_context(nullptr);
      joiners_.pop_front();
    }
  }
}

time_point Service::next_deadline() const noexcept {
  const time_point rooms = due_.empty() ? no_deadline : due_.begin()->first;
  return joiners_.empty() ? rooms : std::min(rooms, joiners_.front().deadline);
}

}  // namespace muster::relay
