// SPDX-License-Identifier: MIT
// Admission, numbers, seats, absence and removal.
#include <muster/memory/network.hpp>
#include <muster/room/room.hpp>

#include "support/catch.hpp"

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;

namespace {

struct Quiet final : Service {
  void on_open(Connection& connection, time_point) override { opened.push_back(&connection); }
  void on_message(Connection&, const Message&, time_point) override { ++messages; }
  std::vector<Connection*> opened;
  int messages = 0;
};

struct Fixture {
  Connection& connect() {
    network.connect(client, server);
    REQUIRE(network.run_until_quiet());
    return *server.opened.back();
  }
  TokenTag tag() { return mint.tag(mint.draw()); }
  Room::Member& admit(Room& room, Room::Admission how = {}) {
    how.token = tag();
    return room.admit(connect(), now, how);
  }
  Quiet client, server;
  memory::Network network;
  SeededEntropy entropy{1};
  WeakMac mac;
  TokenMint mint{mac, entropy};
  time_point now{};
};

}  // namespace

TEST_CASE("room: members get numbers in the order in which they come", "[room]") {
  Fixture f;
  Room room{7, {.first_id = 3}, f.network.outbox(), nullptr};
  CHECK(room.instance() == 7);
  CHECK(room.size() == 0);
  Connection& one = f.connect();
  Connection& two = f.connect();
  const TokenTag token = f.tag();
  Room::Member& a = room.admit(one, f.now, {.token = token});
  Room::Member& b = room.admit(two, f.now, {.token = f.tag()});
  CHECK(a.id == 3);
  CHECK(b.id == 4);
  CHECK(a.generation == 1);
  CHECK(a.token == token);
  CHECK(a.room == &room);
  CHECK(a.connection == &one);
  CHECK(a.is_present());
  CHECK(one.context<Room::Member>() == &a);
  CHECK(room.find(3) == &a);
  CHECK(room.find(5) == nullptr);
  room.remove(b, f.now);
  CHECK(room.size() == 1);
  CHECK(room.find(4) == nullptr);
  CHECK(two.context<void>() == nullptr);
  CHECK(two.is_open());
  CHECK(*room.next_id(f.now) == 5);
}

TEST_CASE("room: a number is used again only when there are no others, and after its quarantine",
          "[room]") {
  Fixture f;
  Room room{1, {.first_id = 1, .last_id = 3, .quarantine = 60s}, f.network.outbox(), nullptr};
  Room::Member& one = f.admit(room);
  room.remove(one, f.now);
  Room::Member& two = f.admit(room);
  CHECK(two.id == 2);
  f.now += 30s;
  room.remove(two, f.now);
  CHECK(f.admit(room).id == 3);
  CHECK(room.next_id(f.now).error() == errc::not_found);
  f.now += 30s - 1ns;
  CHECK(room.next_id(f.now).error() == errc::not_found);
  f.now += 1ns;
  CHECK(*room.next_id(f.now) == 1);
  CHECK(f.admit(room).id == 1);
  CHECK(room.next_id(f.now).error() == errc::not_found);
  f.now += 30s;
  CHECK(f.admit(room).id == 2);
}

TEST_CASE("room: it says why nobody more is admitted, the limit first", "[room]") {
  Fixture f;
  Room room{1, {.max_spectators = 1, .first_id = 1, .last_id = 4}, f.network.outbox(), nullptr};
  f.admit(room);
  Room::Member& second = f.admit(room);
  CHECK(room.next_id(f.now, 2).error() == errc::limit_reached);
  CHECK(*room.next_id(f.now) == 3);
  CHECK(*room.next_id(f.now, 3) == 3);
  CHECK(room.next_id(f.now, 1).error() == errc::limit_reached);
  CHECK(*room.next_id(f.now, 2, true) == 3);  // a spectator takes no place
  Room::Member& spectator = f.admit(room, {.is_spectator = true});
  CHECK(spectator.seat == 0);
  CHECK(room.spectator_count() == 1);
  CHECK(room.next_id(f.now, 0, true).error() == errc::limit_reached);
  CHECK(*room.next_id(f.now, 3) == 4);
  room.remove(second, f.now);
  f.admit(room);
  CHECK(room.next_id(f.now, 2).error() == errc::limit_reached);
  CHECK(room.next_id(f.now).error() == errc::not_found);
  room.remove(spectator, f.now);
  CHECK(room.spectator_count() == 0);
}

TEST_CASE("room: the largest number is not followed by a small one", "[room]") {
  Fixture f;
  constexpr std::uint32_t last = std::numeric_limits<std::uint32_t>::max();
  Room room{1, {.first_id = last - 1, .last_id = last}, f.network.outbox(), nullptr};
  CHECK(f.admit(room).id == last - 1);
  CHECK(f.admit(room).id == last);
  CHECK(room.next_id(f.now).error() == errc::not_found);
}

TEST_CASE("room: seats are given out again at once, the lowest first, or as wished", "[room]") {
  Fixture f;
  Room room{1, {.first_id = 1}, f.network.outbox(), nullptr};
  Room::Member& a = f.admit(room);
  Room::Member& b = f.admit(room);
  CHECK(a.seat == 1);
  CHECK(b.seat == 2);
  room.remove(a, f.now);
  CHECK(f.admit(room).seat == 1);
  CHECK(f.admit(room, {.seat = 5, .max_seat = 6}).seat == 5);
  CHECK(f.admit(room, {.seat = 5, .max_seat = 6}).seat == 3);  // taken
  CHECK(f.admit(room, {.seat = 7, .max_seat = 6}).seat == 4);  // there is none
  CHECK(f.admit(room, {.seat = 0, .max_seat = 6}).seat == 6);  // there is none
  room.remove(b, f.now);
  CHECK(f.admit(room, {.seat = 2, .max_seat = 6}).seat == 2);
}

TEST_CASE("room: a member keeps its number, seat and place while it is absent", "[room]") {
  Fixture f;
  Room room{1, {.first_id = 1}, f.network.outbox(), nullptr};
  Room::Member& member = f.admit(room);
  Connection& old = *member.connection;
  CHECK(room.next_expiry() == no_deadline);
  room.lose(member, f.now + 5min);
  CHECK_FALSE(member.is_present());
  CHECK(old.context<void>() == nullptr);
  CHECK(room.size() == 1);
  CHECK(room.next_id(f.now, 1).error() == errc::limit_reached);
  CHECK(room.next_expiry() == f.now + 5min);
  CHECK(room.expired(f.now + 5min - 1ns) == nullptr);
  CHECK(room.expired(f.now + 5min) == &member);

  Connection& next = f.connect();
  CHECK(room.rejoin(member, next) == nullptr);
  CHECK(member.connection == &next);
  CHECK(member.generation == 2);
  CHECK(member.seat == 1);
  CHECK(next.context<Room::Member>() == &member);
  CHECK(room.next_expiry() == no_deadline);
  CHECK(room.expired(time_point::max() - 1ns) == nullptr);
}

TEST_CASE("room: absences come to their end in the order of their times", "[room]") {
  Fixture f;
  Room room{1, {}, f.network.outbox(), nullptr};
  Room::Member& a = f.admit(room);
  Room::Member& b = f.admit(room);
  Room::Member& c = f.admit(room);
  room.lose(a, f.now + 3s);
  room.lose(b, f.now + 1s);
  room.lose(c, f.now + 2s);
  room.lose(c, f.now + 4s);  // a later loss counts
  CHECK(room.expired(f.now + 10s) == &b);
  room.remove(b, f.now);
  CHECK(room.expired(f.now + 10s) == &a);
  room.remove(a, f.now);
  CHECK(room.next_expiry() == f.now + 4s);
}

TEST_CASE("room: a new connection takes over, and the old one is given back", "[room]") {
  Fixture f;
  Room room{1, {}, f.network.outbox(), nullptr};
  Room::Member& member = f.admit(room);
  Connection& old = *member.connection;
  room.audience(0).join(old);
  Connection& next = f.connect();
  CHECK(room.rejoin(member, next) == &old);
  CHECK(old.is_open());
  CHECK(old.group() == nullptr);
  CHECK(old.context<void>() == nullptr);
  CHECK(room.size() == 1);
}

TEST_CASE("room: a token finds its member, until that is gone or has another", "[room]") {
  Fixture f;
  Room room{1, {}, f.network.outbox(), nullptr};
  const TokenTag first = f.tag();
  const TokenTag second = f.tag();
  Room::Member& member = room.admit(f.connect(), f.now, {.token = first});
  CHECK(room.find(first) == &member);
  TokenTag wrong = first;
  wrong.back() ^= std::byte{1};  // the part that is not an index
  CHECK(room.find(wrong) == nullptr);
  wrong = first;
  wrong.front() ^= std::byte{1};
  CHECK(room.find(wrong) == nullptr);
  room.set_token(member, second);
  CHECK(room.find(first) == nullptr);
  CHECK(room.find(second) == &member);
  room.lose(member, f.now + 1s);
  CHECK(room.find(second) == &member);
  room.remove(member, f.now);
  CHECK(room.find(second) == nullptr);
}

TEST_CASE("room: a reserved member takes a place and a seat before it has a connection", "[room]") {
  Fixture f;
  Room room{1, {.first_id = 1}, f.network.outbox(), nullptr};
  Room::Member& host = room.reserve(0, f.tag(), f.now + 30s);
  CHECK(host.id == 0);
  CHECK(host.generation == 0);
  CHECK(host.seat == 1);
  CHECK_FALSE(host.is_present());
  CHECK(room.expired(f.now + 30s) == &host);
  CHECK(room.next_id(f.now, 1).error() == errc::limit_reached);
  CHECK(f.admit(room).id == 1);
  room.remove(host, f.now);
  f.now += 1h;
  CHECK(*room.next_id(f.now) == 2);  // its number is never handed out
}

TEST_CASE("room: a member's address stays while others come and go", "[room]") {
  Fixture f;
  Room room{1, {}, f.network.outbox(), nullptr};
  Room::Member& first = f.admit(room);
  const TokenTag token = *first.token;
  for (int i = 0; i < 100; ++i) {
    Room::Member& next = f.admit(room);
    if (i % 3 == 0) room.remove(next, f.now);
  }
  CHECK(room.find(0U) == &first);
  CHECK(first.token == token);
}

TEST_CASE("room: who is removed leaves the audience but gets what was sent before", "[room]") {
  Fixture f;
  Room room{1, {.audiences = 2}, f.network.outbox(), nullptr};
  Room::Member& stays = f.admit(room);
  Room::Member& member = f.admit(room);
  Connection& goes = *member.connection;
  room.audience(0).join(*stays.connection);
  room.audience(0).join(goes);
  room.audience(0).broadcast({as_bytes("1")});
  room.remove(member, f.now);
  CHECK(goes.group() == nullptr);
  room.audience(0).broadcast({as_bytes("2")});
  REQUIRE(f.network.run_until_quiet());
  CHECK(f.client.messages == 3);
}

TEST_CASE("room: its end leaves the connections open and without a context", "[room]") {
  Fixture f;
  Connection& one = f.connect();
  Connection& two = f.connect();
  int owner = 0;
  {
    Room room{1, {}, f.network.outbox(), &owner};
    CHECK(&room.owner<int>() == &owner);
    room.admit(one, f.now, {.token = f.tag()});
    room.admit(two, f.now, {.token = f.tag()});
    room.audience(0).join(one);
    room.audience(0).broadcast({as_bytes("last")});
  }
  CHECK(one.context<void>() == nullptr);
  CHECK(two.context<void>() == nullptr);
  CHECK(one.group() == nullptr);
  CHECK(one.is_open());
  REQUIRE(f.network.run_until_quiet());
  CHECK(f.client.messages == 1);
}
