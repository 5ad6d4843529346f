// SPDX-License-Identifier: MIT
// The relay, with WebSocket beneath it, behind its C interface.
#include <muster/c/relay.h>

#include <muster/address_limits.hpp>
#include <muster/outbox.hpp>
#include <muster/relay/service.hpp>
#include <muster/websocket/endpoint.hpp>
#include <muster/websocket/session.hpp>

#include "handle.hpp"
#include "seed_entropy.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <list>
#include <map>
#include <new>
#include <span>
#include <string>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

using namespace muster;
using namespace muster::c;

namespace {

constexpr std::uint32_t least_waiting_events = 64 * 1024;

// What is taken from a connection's queue before its socket takes it.
constexpr std::size_t max_output = 64 * 1024;

// An output buffer that is empty keeps no more.
constexpr std::size_t idle_output = 4 * 1024;

struct Config {
  relay::Service::Config relay;
  websocket::Config websocket;
  Outbox::Config outbox;
  std::uint32_t max_waiting_events = 4 * 1024 * 1024;
};

/// A WebSocket session whose bytes the application moves. It says what it has to tell by being on
/// the relay's list, which takes no memory: a flush must not fail.
class Link final : public websocket::Session {
 public:
  Link(muster_relay& relay, const Address& remote);

  [[nodiscard]] byte_view output() const noexcept { return byte_view{output_}.subspan(head_); }
  void take(std::size_t size) noexcept;
  void drop_output() noexcept { take(output().size()); }
  void lose() noexcept {
    if (!is_over_) broke();
    drop_output();
  }

  /// The next thing to tell: the number of an event, or 0.
  [[nodiscard]] int next_signal() noexcept;

  const std::uint64_t number = number_of(id());  // also when the session is over
  std::list<Link>::iterator self;
  time_point linger_until{};  // when it is over
  Link* next = nullptr;       // on the list of those with something to tell
  bool is_listed = false;

 private:
  std::ptrdiff_t write(std::span<const byte_view> pieces) noexcept override;
  [[nodiscard]] std::uint64_t delivered() const noexcept override { return taken_; }
  void half_close() noexcept override;
  void destroy() noexcept override;
  void tell(bool& what) noexcept;

  muster_relay* relay_;
  std::vector<std::byte> output_;
  std::size_t head_ = 0;     // bytes of it that were taken
  std::uint64_t taken_ = 0;  // bytes, since the start
  bool is_finishing_ = false;
  bool has_output_ = false;   // to be told
  bool is_finished_ = false;  // to be told
  bool is_over_ = false;      // to be told when the output is taken
};

/// A room of the application.
class Game final : public relay::Authority {
 public:
  Game(muster_relay& relay, std::uint64_t id) : relay_(&relay), id_(id) {}

  void on_attached(relay::HostedRoom& room, time_point) override { room_ = &room; }
  void on_detached(time_point) override;
  void on_join(const relay::PlayerInfo& player, time_point) override {
    tell(MUSTER_RELAY_JOINED, player, as_bytes(player.name));
  }
  void on_back(const relay::PlayerInfo& player, time_point) override {
    tell(MUSTER_RELAY_BACK, player, as_bytes(player.name));
  }
  void on_depart(const relay::PlayerInfo& player, relay::Departure why, time_point) override {
    tell(MUSTER_RELAY_DEPARTED, player, {}, static_cast<int>(why));
  }
  void on_rpc(const relay::PlayerInfo& player, byte_view payload, time_point) override {
    tell(MUSTER_RELAY_RPC, player, payload);
  }
  bool on_state_wanted(time_point) override;
  [[nodiscard]] std::vector<std::byte> full_state() override { return {}; }  // never called

  /// Null: it is over.
  [[nodiscard]] relay::HostedRoom* room() const noexcept { return room_; }

 private:
  void tell(int kind, const relay::PlayerInfo& player, byte_view data, int detail = 0);

  muster_relay* relay_;
  std::uint64_t id_;
  relay::HostedRoom* room_ = nullptr;
};

struct RoomEvent {
  muster_relay_event head;
  std::vector<std::byte> data;

  [[nodiscard]] std::size_t size() const noexcept { return sizeof(RoomEvent) + data.size(); }
};

}  // namespace

struct muster_relay : Handle {
  muster_relay(const Config& config, byte_view seed, time_point start)
      : Handle{start},
        max_waiting_events(config.max_waiting_events),
        entropy(seed),
        limits(config.relay.addresses, entropy),
        outbox(config.outbox),
        games(config.relay.games),
        service(config.relay, outbox, entropy, mac, &limits),
        endpoint(with_limits(config.websocket), outbox, entropy, &service, start) {}
  muster_relay(const muster_relay&) = delete;
  muster_relay& operator=(const muster_relay&) = delete;

  ~muster_relay() {
    endpoint.abandon_all();
    static_cast<void>(guard([&] { return outbox.run(now), MUSTER_OK; }));
  }

  [[nodiscard]] Link* find(std::uint64_t connection) const noexcept {
    const auto found = by_number.find(connection);
    return found == by_number.end() ? nullptr : found->second;
  }

  // The last words of a session that is over are still to be sent.
  void linger(Link& link) noexcept {
    link.linger_until = now + endpoint.config().close_timeout;
    lingering.splice(lingering.end(), links, link.self);
  }
  void settle(Link& link) noexcept {
    links.splice(links.end(), lingering, link.self);
    list(link);
  }

  void list(Link& link) noexcept {
    if (std::exchange(link.is_listed, true)) return;
    link.next = nullptr;
    (last_link == nullptr ? first_link : last_link->next) = &link;
    last_link = &link;
  }

  void unlist_first() noexcept {
    Link& link = *first_link;
    link.is_listed = false;
    first_link = link.next;
    if (first_link == nullptr) last_link = nullptr;
  }

  void push(RoomEvent event) {
    waiting_bytes += event.size();
    events.push_back(std::move(event));
  }

  std::size_t max_waiting_events;
  SeedEntropy entropy;
  Sha256Mac mac;
  AddressLimits limits;
  Outbox outbox;
  std::vector<std::byte> received;  // a copy, which is unmasked in place
  std::deque<RoomEvent> events;
  std::size_t waiting_bytes = 0;
  RoomEvent polled{};                   // keeps the data of the event that was polled last
  std::map<std::uint64_t, Game> rooms;  // also those whose end is still to be told
  std::uint64_t last_room = 0;
  relay::GameConfig games;
  relay::Service service;
  websocket::Endpoint endpoint;
  std::list<Link> links;      // also those whose end is still to be told
  std::list<Link> lingering;  // the one that gives up first in front
  std::unordered_map<std::uint64_t, Link*> by_number;
  Link* first_link = nullptr;
  Link* last_link = nullptr;

 private:
  websocket::Config with_limits(websocket::Config config) noexcept {
    config.limits = &limits;
    return config;
  }
};

namespace {

// Connections.

Link::Link(muster_relay& relay, const Address& remote)
    : Session(relay.endpoint, Framing::server, remote), relay_(&relay) {}

void Link::tell(bool& what) noexcept {
  what = true;
  relay_->list(*this);
}

std::ptrdiff_t Link::write(std::span<const byte_view> pieces) noexcept {
  const bool was_empty = output().empty();
  std::ptrdiff_t sum = 0;
  try {
    output_.erase(output_.begin(), output_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
    for (const byte_view piece : pieces) {
      const byte_view part = piece.first(std::min(piece.size(), max_output - output_.size()));
      output_.insert(output_.end(), part.begin(), part.end());
      sum += std::ssize(part);
      if (part.size() == piece.size()) continue;
      stalled();
      break;
    }
  } catch (const std::bad_alloc&) {
    broke();
    return -1;
  }
  if (was_empty && !output_.empty()) tell(has_output_);
  return sum;
}

void Link::take(std::size_t size) noexcept {
  if (size == 0) return;
  head_ += size;
  taken_ += size;
  const std::size_t left = output().size();
  if (left == 0) {
    if (output_.capacity() > idle_output) {
      std::vector<std::byte>{}.swap(output_);
    } else {
      output_.clear();
    }
    head_ = 0;
    if (is_over_) {
      relay_->settle(*this);
    } else if (is_finishing_) {
      tell(is_finished_);
    }
  }
  if (!is_over_ && is_blocked() && left <= max_output / 2) writable();
}

void Link::half_close() noexcept {
  is_finishing_ = true;
  if (output().empty()) tell(is_finished_);
}

void Link::destroy() noexcept {
  is_over_ = true;
  if (output().empty()) {
    relay_->list(*this);
  } else {
    relay_->linger(*this);
  }
}

int Link::next_signal() noexcept {
  if (std::exchange(has_output_, false) && !output().empty()) return MUSTER_RELAY_OUTPUT;
  if (is_over_) return output().empty() ? MUSTER_RELAY_CLOSE : 0;
  return std::exchange(is_finished_, false) ? MUSTER_RELAY_HALF_CLOSE : 0;
}

// Rooms.

void Game::tell(int kind, const relay::PlayerInfo& player, byte_view data, int detail) {
  RoomEvent event{};
  event.head.kind = kind;
  event.head.detail = detail;
  event.head.room = id_;
  event.head.player = player.id;
  event.head.spectator = player.is_spectator ? 1 : 0;
  event.data.assign(data.begin(), data.end());
  relay_->push(std::move(event));
}

bool Game::on_state_wanted(time_point) {
  RoomEvent event{};
  event.head.kind = MUSTER_RELAY_STATE_WANTED;
  event.head.room = id_;
  relay_->push(std::move(event));
  return true;
}

void Game::on_detached(time_point) {
  room_ = nullptr;
  RoomEvent event{};
  event.head.kind = MUSTER_RELAY_ROOM_CLOSED;
  event.head.room = id_;
  relay_->push(std::move(event));
}

// Configuration.

muster_relay_config to_c(const Config& config) {
  const websocket::Config& websocket = config.websocket;
  const relay::RoomRules& rooms = config.relay.rooms;
  muster_relay_config out{};
  out.size = sizeof out;
  out.max_connections = static_cast<std::uint32_t>(websocket.max_connections);
  out.max_connections_per_address =
      static_cast<std::uint32_t>(websocket.max_connections_per_address);
  out.connections_per_second = config.relay.addresses.connections_per_second;
  out.max_rooms = static_cast<std::uint32_t>(config.relay.max_rooms);
  out.max_rooms_per_address = config.relay.addresses.max_rooms;
  out.max_host_message = static_cast<std::uint32_t>(config.relay.max_host_message);
  out.max_client_message = static_cast<std::uint32_t>(config.relay.max_client_message);
  out.client_messages_per_second = rooms.client_rate.messages_per_second;
  out.client_bytes_per_second = rooms.client_rate.bytes_per_second;
  out.state_cache = static_cast<std::uint32_t>(rooms.state_cache);
  out.max_waiting_events = config.max_waiting_events;
  out.upgrade_timeout_us = c::to_c(websocket.upgrade_timeout);
  out.join_timeout_us = c::to_c(config.relay.join_timeout);
  out.ping_interval_us = c::to_c(websocket.ping_interval);
  out.idle_timeout_us = c::to_c(websocket.idle_timeout);
  out.write_timeout_us = c::to_c(websocket.write_timeout);
  out.close_timeout_us = c::to_c(websocket.close_timeout);
  out.host_grace_us = c::to_c(rooms.host_grace);
  out.player_grace_us = c::to_c(rooms.player_grace);
  out.room_idle_us = c::to_c(rooms.idle);
  return out;
}

Config from_c(const muster_relay_config& config) {
  Config out;
  websocket::Config& websocket = out.websocket;
  relay::RoomRules& rooms = out.relay.rooms;
  websocket.max_connections = config.max_connections;
  websocket.max_connections_per_address = config.max_connections_per_address;
  out.relay.addresses.connections_per_second = config.connections_per_second;
  out.relay.max_rooms = config.max_rooms;
  out.relay.addresses.max_rooms = config.max_rooms_per_address;
  out.relay.max_host_message = config.max_host_message;
  out.relay.max_client_message = config.max_client_message;
  rooms.client_rate = {config.client_messages_per_second, config.client_bytes_per_second};
  rooms.state_cache = config.state_cache;
  out.max_waiting_events = config.max_waiting_events;
  websocket.upgrade_timeout = to_duration(config.upgrade_timeout_us);
  out.relay.join_timeout = to_duration(config.join_timeout_us);
  websocket.ping_interval = to_duration(config.ping_interval_us);
  websocket.idle_timeout = to_duration(config.idle_timeout_us);
  websocket.write_timeout = to_duration(config.write_timeout_us);
  websocket.close_timeout = to_duration(config.close_timeout_us);
  rooms.host_grace = to_duration(config.host_grace_us);
  rooms.player_grace = to_duration(config.player_grace_us);
  rooms.idle = to_duration(config.room_idle_us);

  // What follows from the sizes of messages.
  websocket.max_message = std::max(
      {out.relay.max_host_message, out.relay.max_client_message, out.relay.max_join_request});
  const auto twice = [](std::uint32_t bytes) {
    return 2 * std::min(bytes, std::uint32_t{1} << 30U);
  };
  Budget& client = out.relay.client_budget;
  Budget& host = out.relay.host_budget;
  client.bytes = std::max(client.bytes, twice(config.max_host_message));
  host.bytes = std::max(host.bytes, twice(twice(config.max_client_message)));
  out.outbox.max_batch_bytes =
      std::max(out.outbox.max_batch_bytes, std::size_t{twice(config.max_host_message)});
  return out;
}

/// @return what is wrong with it; empty: nothing
std::string problem_of(const Config& config) {
  std::string problem;
  if (websocket::validate(config.websocket, problem) ||
      relay::Service::validate(config.relay, problem)) {
    return problem;
  }
  if (config.max_waiting_events < least_waiting_events) {
    return "max_waiting_events must be at least 65536";
  }
  return {};
}

// Calls.

template <class Call>
int with_link(muster_relay& self, std::uint64_t connection, Call call) {
  Link* const link = self.find(connection);
  return link == nullptr ? static_cast<int>(MUSTER_ERROR_CLOSED) : static_cast<int>(call(*link));
}

/// A verb of a room.
template <class Call>
int with_room(muster_relay* relay, std::uint64_t room, Call call) noexcept {
  return guard(relay, [&](muster_relay& self) {
    const auto game = self.rooms.find(room);
    relay::HostedRoom* const hosted = game == self.rooms.end() ? nullptr : game->second.room();
    if (hosted == nullptr || hosted->is_over()) return static_cast<int>(MUSTER_ERROR_CLOSED);
    return static_cast<int>(call(*hosted));
  });
}

using Update = std::error_code (relay::HostedRoom::*)(byte_view);

int update(muster_relay* relay, std::uint64_t room, const std::uint8_t* bytes, std::size_t size,
           Update how) noexcept {
  return with_room(relay, room, [&](relay::HostedRoom& hosted) {
    if (bytes == nullptr && size != 0) return static_cast<int>(MUSTER_ERROR_NULL);
    return code_of((hosted.*how)(view(bytes, size)));
  });
}

}  // namespace

extern "C" {

int muster_relay_config_init(muster_relay_config* config, size_t size) {
  if (config == nullptr) return MUSTER_ERROR_NULL;
  if (size < sizeof config->size) return MUSTER_ERROR_BAD_VALUE;
  return guard([&] {
    const int code = give(to_c(Config{}), config, size);
    config->size = size;
    return code;
  });
}

int muster_relay_create(const muster_relay_config* config, const uint8_t* seed, uint64_t now_us,
                        muster_relay** relay, char* problem, size_t problem_size) {
  if (relay == nullptr) return MUSTER_ERROR_NULL;
  *relay = nullptr;
  if (config == nullptr || seed == nullptr) return MUSTER_ERROR_NULL;
  return guard([&] {
    muster_relay_config taken = to_c(Config{});
    std::string why = "the configuration was not initialised, or is of a newer version";
    const bool is_known = take(*config, taken);
    const Config valid = from_c(taken);
    if (is_known) why = problem_of(valid);
    write_text(why, problem, problem_size);
    if (!why.empty()) return MUSTER_ERROR_INVALID_CONFIG;
    const byte_view drawn = view(seed, MUSTER_SEED_SIZE);
    Handle start;
    if (!SeedEntropy::is_seed(drawn) || !start.set_time(now_us)) return MUSTER_ERROR_BAD_VALUE;
    *relay = new muster_relay{valid, drawn, start.now};
    return MUSTER_OK;
  });
}

void muster_relay_destroy(muster_relay* relay) { delete relay; }

int muster_relay_add_game(muster_relay* relay, const char* game_id, uint16_t max_players) {
  return guard(relay, [&](muster_relay& self) {
    if (game_id == nullptr) return MUSTER_ERROR_NULL;
    self.games.games[game_id].max_players = max_players;
    self.service.set_games(self.games);
    return MUSTER_OK;
  });
}

int muster_relay_accept(muster_relay* relay, const muster_address* remote, uint64_t now_us,
                        uint64_t* connection) {
  return guard_at(relay, now_us, [&](muster_relay& self) {
    if (remote == nullptr || connection == nullptr) return MUSTER_ERROR_NULL;
    const Address address = c::from_c(*remote);
    const websocket::Admission admission = self.endpoint.admit(address, self.now);
    if (admission == websocket::Admission::dropped) return MUSTER_ERROR_LIMIT_REACHED;
    Link& link = self.links.emplace_back(self, address);
    link.self = std::prev(self.links.end());
    if (admission == websocket::Admission::refused) {
      link.start_refused(self.now);
    } else {
      link.start(self.now);
    }
    self.by_number.emplace(link.number, &link);
    *connection = link.number;
    return MUSTER_OK;
  });
}

int muster_relay_receive(muster_relay* relay, uint64_t connection, const uint8_t* bytes,
                         size_t size, uint64_t now_us) {
  return guard_at(relay, now_us, [&](muster_relay& self) {
    return with_link(self, connection, [&](Link& link) {
      if (bytes == nullptr && size != 0) return MUSTER_ERROR_NULL;
      if (self.waiting_bytes >= self.max_waiting_events) return MUSTER_ERROR_NOT_POLLED;
      const byte_view given = view(bytes, size);
      self.received.assign(given.begin(), given.end());
      link.receive(self.received, self.now);
      return MUSTER_OK;
    });
  });
}

int muster_relay_receive_end(muster_relay* relay, uint64_t connection, uint64_t now_us) {
  return guard_at(relay, now_us, [&](muster_relay& self) {
    return with_link(self, connection, [&](Link& link) {
      link.receive_end(self.now);
      return MUSTER_OK;
    });
  });
}

int muster_relay_lost(muster_relay* relay, uint64_t connection) {
  return guard(relay, [&](muster_relay& self) {
    return with_link(self, connection, [](Link& link) {
      link.lose();
      return MUSTER_OK;
    });
  });
}

int muster_relay_output(const muster_relay* relay, uint64_t connection, const uint8_t** bytes,
                        size_t* size) {
  return look(relay, [&](const muster_relay& self) {
    if (bytes == nullptr || size == nullptr) return MUSTER_ERROR_NULL;
    const Link* const link = self.find(connection);
    if (link == nullptr) return MUSTER_ERROR_CLOSED;
    *bytes = data_of(link->output());
    *size = link->output().size();
    return MUSTER_OK;
  });
}

int muster_relay_sent(muster_relay* relay, uint64_t connection, size_t size) {
  return guard(relay, [&](muster_relay& self) {
    return with_link(self, connection, [&](Link& link) {
      if (size > link.output().size()) return MUSTER_ERROR_BAD_VALUE;
      link.take(size);
      return MUSTER_OK;
    });
  });
}

int muster_relay_advance(muster_relay* relay, uint64_t now_us) {
  return guard_at(relay, now_us, [](muster_relay& self) {
    self.endpoint.advance(self.now);
    self.service.advance(self.now);
    while (!self.lingering.empty() && self.lingering.front().linger_until <= self.now) {
      self.lingering.front().drop_output();
    }
    if (self.outbox.is_dirty() || self.outbox.next_deadline() <= self.now) {
      self.outbox.run(self.now);
    }
    return MUSTER_OK;
  });
}

uint64_t muster_relay_next_deadline(const muster_relay* relay) {
  if (relay == nullptr || relay->fault != 0) return MUSTER_NO_DEADLINE;
  if (relay->outbox.is_dirty()) return 0;
  const time_point lingering =
      relay->lingering.empty() ? no_deadline : relay->lingering.front().linger_until;
  return c::to_c(std::min({relay->endpoint.next_deadline(), relay->service.next_deadline(),
                           relay->outbox.next_deadline(), lingering}));
}

int muster_relay_drain(muster_relay* relay, uint64_t now_us) {
  return guard_at(relay, now_us, [](muster_relay& self) {
    self.service.on_drain(self.now);
    self.endpoint.close_all();
    return MUSTER_OK;
  });
}

int muster_relay_poll_event(muster_relay* relay, muster_relay_event* event, size_t size) {
  return guard(relay, [&](muster_relay& self) {
    if (event == nullptr) return static_cast<int>(MUSTER_ERROR_NULL);
    if (size == 0) return static_cast<int>(MUSTER_ERROR_BAD_VALUE);
    while (self.first_link != nullptr) {
      Link& link = *self.first_link;
      muster_relay_event head{};
      head.kind = link.next_signal();
      head.connection = link.number;
      if (head.kind == 0 || head.kind == MUSTER_RELAY_CLOSE) self.unlist_first();
      if (head.kind == 0) continue;
      if (head.kind == MUSTER_RELAY_CLOSE) {
        self.by_number.erase(link.number);
        self.links.erase(link.self);
      }
      give(head, event, size);
      return 1;
    }
    if (self.events.empty()) return 0;
    self.polled = std::move(self.events.front());
    self.events.pop_front();
    self.waiting_bytes -= self.polled.size();
    self.polled.head.data = data_of(self.polled.data);
    self.polled.head.data_size = self.polled.data.size();
    if (self.polled.head.kind == MUSTER_RELAY_ROOM_CLOSED) self.rooms.erase(self.polled.head.room);
    give(self.polled.head, event, size);
    return 1;
  });
}

int muster_relay_open_room(muster_relay* relay, const char* game_id, const char* room_id,
                           uint16_t rule_variation, uint64_t now_us, uint64_t* room) {
  return guard_at(relay, now_us, [&](muster_relay& self) {
    if (game_id == nullptr || room_id == nullptr || room == nullptr) {
      return static_cast<int>(MUSTER_ERROR_NULL);
    }
    const std::uint64_t id = self.last_room + 1;
    Game& game = self.rooms.try_emplace(id, self, id).first->second;
    const auto opened = self.service.open_room({game_id, room_id}, rule_variation, game, self.now);
    if (!opened) {
      self.rooms.erase(id);
      return code_of(opened.error());
    }
    *room = self.last_room = id;
    return static_cast<int>(MUSTER_OK);
  });
}

int muster_relay_delta(muster_relay* relay, uint64_t room, const uint8_t* changes, size_t size) {
  return update(relay, room, changes, size, &relay::HostedRoom::delta);
}

int muster_relay_full_update(muster_relay* relay, uint64_t room, const uint8_t* state,
                             size_t size) {
  return update(relay, room, state, size, &relay::HostedRoom::full_update);
}

int muster_relay_reset(muster_relay* relay, uint64_t room, const uint8_t* state, size_t size) {
  return update(relay, room, state, size, &relay::HostedRoom::reset);
}

int muster_relay_send_to(muster_relay* relay, uint64_t room, const uint16_t* players,
                         size_t player_count, int all_but, const uint8_t* payload, size_t size) {
  return with_room(relay, room, [&](relay::HostedRoom& hosted) {
    if ((players == nullptr && player_count != 0) || (payload == nullptr && size != 0)) {
      return static_cast<int>(MUSTER_ERROR_NULL);
    }
    constexpr std::size_t most_players = 65535;
    if (player_count > most_players) return static_cast<int>(MUSTER_ERROR_TOO_LARGE);
    return code_of(hosted.send_to({players, player_count}, view(payload, size), all_but != 0));
  });
}

int muster_relay_kick(muster_relay* relay, uint64_t room, uint32_t player) {
  return with_room(relay, room, [&](relay::HostedRoom& hosted) {
    if (player > 0xffff) return static_cast<int>(MUSTER_ERROR_NOT_FOUND);
    return code_of(hosted.kick(static_cast<std::uint16_t>(player)));
  });
}

int muster_relay_set_open(muster_relay* relay, uint64_t room, int is_open) {
  return with_room(relay, room, [&](relay::HostedRoom& hosted) {
    hosted.set_open(is_open != 0);
    return MUSTER_OK;
  });
}

int muster_relay_close_room(muster_relay* relay, uint64_t room) {
  return with_room(relay, room, [](relay::HostedRoom& hosted) {
    hosted.terminate();
    return MUSTER_OK;
  });
}

int muster_relay_count(const muster_relay* relay, muster_relay_counts* counts, size_t size) {
  return look(relay, [&](const muster_relay& self) {
    const websocket::Stats& stats = self.endpoint.stats();
    muster_relay_counts out{};
    out.connections = self.by_number.size();
    out.rooms = self.service.room_count();
    out.members = self.service.member_count();
    out.present = self.service.present_count();
    out.connections_begun = stats.connections;
    out.connections_refused = stats.refused_connections;
    out.messages_received = stats.messages;
    out.protocol_errors = stats.protocol_errors;
    return give(out, counts, size);
  });
}

}  // extern "C"
