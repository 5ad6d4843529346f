// SPDX-License-Identifier: MIT
// The relay, with WebSocket beneath it, behind its C interface.
#include <muster/c/relay.h>

#include <muster/address_limits.hpp>
#include <muster/outbox.hpp>
#include <muster/relay/service.hpp>
#include <muster/websocket/endpoint.hpp>

#include "handle.hpp"
#include "relay_config.hpp"
#include "relay_game.hpp"
#include "relay_links.hpp"
#include "seed_entropy.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <system_error>
#include <vector>

using namespace muster;
using namespace muster::c;

struct muster_relay : Handle {
  muster_relay(const RelayConfig& config, byte_view seed, time_point start)
      : Handle{start},
        max_waiting_events(config.max_waiting_events),
        entropy(seed),
        limits(config.relay.addresses, entropy),
        outbox(config.outbox),
        games(config.relay.games),
        service(config.relay, outbox, entropy, mac, &limits),
        endpoint(with_limits(config.websocket), outbox, entropy, &service, start),
        links(*this, config.websocket.close_timeout) {}
  muster_relay(const muster_relay&) = delete;
  muster_relay& operator=(const muster_relay&) = delete;

  ~muster_relay() {
    endpoint.abandon_all();
    static_cast<void>(guard([&] { return outbox.run(now), MUSTER_OK; }));
  }

  std::size_t max_waiting_events;
  SeedEntropy entropy;
  Sha256Mac mac;
  AddressLimits limits;
  Outbox outbox;
  std::vector<std::byte> received;  // a copy, which is unmasked in place
  RoomEvents events;
  std::map<std::uint64_t, Game> rooms;  // also those whose end is still to be told
  std::uint64_t last_room = 0;
  relay::GameConfig games;
  relay::Service service;
  websocket::Endpoint endpoint;
  Links links;

 private:
  websocket::Config with_limits(websocket::Config config) noexcept {
    config.limits = &limits;
    return config;
  }
};

namespace {

template <class Call>
int with_link(muster_relay& self, std::uint64_t connection, Call call) {
  Link* const link = self.links.find(connection);
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
  return guard([&] { return init(to_c(RelayConfig{}), config, size); });
}

int muster_relay_create(const muster_relay_config* config, const uint8_t* seed, uint64_t now_us,
                        muster_relay** relay, char* problem, size_t problem_size) {
  if (relay == nullptr) return MUSTER_ERROR_NULL;
  *relay = nullptr;
  if (config == nullptr || seed == nullptr) return MUSTER_ERROR_NULL;
  return guard([&] {
    muster_relay_config taken = to_c(RelayConfig{});
    std::string why = "the configuration was not initialised, or is of a newer version";
    const bool is_known = take(*config, taken);
    const RelayConfig valid = from_c(taken);
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
    *connection = self.links.add(self.endpoint, address, [&](Link& link) {
      if (admission == websocket::Admission::refused) {
        link.start_refused(self.now);
      } else {
        link.start(self.now);
      }
    });
    return MUSTER_OK;
  });
}

int muster_relay_receive(muster_relay* relay, uint64_t connection, const uint8_t* bytes,
                         size_t size, uint64_t now_us) {
  return guard_at(relay, now_us, [&](muster_relay& self) {
    return with_link(self, connection, [&](Link& link) {
      if (bytes == nullptr && size != 0) return MUSTER_ERROR_NULL;
      if (self.events.waiting_bytes() >= self.max_waiting_events) return MUSTER_ERROR_NOT_POLLED;
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
    const Link* const link = self.links.find(connection);
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
    self.links.advance();
    if (self.outbox.is_dirty() || self.outbox.next_deadline() <= self.now) {
      self.outbox.run(self.now);
    }
    return MUSTER_OK;
  });
}

uint64_t muster_relay_next_deadline(const muster_relay* relay) {
  if (relay == nullptr || relay->fault != 0) return MUSTER_NO_DEADLINE;
  if (relay->outbox.is_dirty()) return 0;
  return c::to_c(std::min({relay->endpoint.next_deadline(), relay->service.next_deadline(),
                           relay->outbox.next_deadline(), relay->links.next_deadline()}));
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
    muster_relay_event next{};
    if (!self.links.poll(next)) {
      if (!self.events.poll(next)) return 0;
      if (next.kind == MUSTER_RELAY_ROOM_CLOSED) self.rooms.erase(next.room);
    }
    give(next, event, size);
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
    Game& game = self.rooms.try_emplace(id, self.events, id).first->second;
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
    out.connections = self.links.count();
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
