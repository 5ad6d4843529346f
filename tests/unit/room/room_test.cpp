// SPDX-License-Identifier: MIT
// Admission, numbers and removal.
#include <muster/memory/network.hpp>
#include <muster/room/room.hpp>

#include "support/catch.hpp"

#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

using namespace muster;

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
  Quiet client, server;
  memory::Network network;
};

}  // namespace

TEST_CASE("room: members get numbers in the order in which they come, and never again", "[room]") {
  Fixture f;
  Room room{7, {.first_id = 3}, f.network.outbox(), nullptr};
  CHECK(room.instance() == 7);
  CHECK(room.size() == 0);
  Connection& one = f.connect();
  Connection& two = f.connect();
  Room::Member& a = room.admit(one, 11);
  Room::Member& b = room.admit(two, 22);
  CHECK(a.id == 3);
  CHECK(b.id == 4);
  CHECK(a.generation == 1);
  CHECK(a.token == 11);
  CHECK(a.room == &room);
  CHECK(a.connection == &one);
  CHECK(one.context<Room::Member>() == &a);
  CHECK(room.find(3) == &a);
  CHECK(room.find(5) == nullptr);
  room.remove(b);
  CHECK(room.size() == 1);
  CHECK(room.find(4) == nullptr);
  CHECK(two.context<void>() == nullptr);
  CHECK(two.is_open());
  CHECK(*room.next_id() == 5);
}

TEST_CASE("room: it says why nobody more is admitted, the limit first", "[room]") {
  Fixture f;
  Room room{1, {.max_members = 2, .first_id = 1, .last_id = 3}, f.network.outbox(), nullptr};
  room.admit(f.connect(), 0);
  Room::Member& second = room.admit(f.connect(), 0);
  CHECK(room.next_id().error() == errc::limit_reached);
  CHECK(*room.next_id(0) == 3);
  CHECK(*room.next_id(3) == 3);
  CHECK(room.next_id(1).error() == errc::limit_reached);
  room.remove(second);
  Room::Member& third = room.admit(f.connect(), 0);
  CHECK(room.next_id().error() == errc::limit_reached);
  CHECK(room.next_id(0).error() == errc::not_found);
  room.remove(third);
  CHECK(room.next_id().error() == errc::not_found);
}

TEST_CASE("room: the largest number is not followed by a small one", "[room]") {
  Fixture f;
  constexpr std::uint32_t last = std::numeric_limits<std::uint32_t>::max();
  Room room{1, {.first_id = last - 1, .last_id = last}, f.network.outbox(), nullptr};
  CHECK(room.admit(f.connect(), 0).id == last - 1);
  CHECK(room.admit(f.connect(), 0).id == last);
  CHECK(room.next_id().error() == errc::not_found);
}

TEST_CASE("room: a member's address stays while others come and go", "[room]") {
  Fixture f;
  Room room{1, {}, f.network.outbox(), nullptr};
  Room::Member& first = room.admit(f.connect(), 5);
  for (int i = 0; i < 100; ++i) {
    Room::Member& next = room.admit(f.connect(), 0);
    if (i % 3 == 0) room.remove(next);
  }
  CHECK(room.find(0) == &first);
  CHECK(first.token == 5);
}

TEST_CASE("room: who is removed leaves the audience but gets what was sent before", "[room]") {
  Fixture f;
  Room room{1, {.audiences = 2}, f.network.outbox(), nullptr};
  Connection& stays = f.connect();
  Connection& goes = f.connect();
  room.admit(stays, 0);
  Room::Member& member = room.admit(goes, 0);
  room.audience(0).join(stays);
  room.audience(0).join(goes);
  room.audience(0).broadcast({as_bytes("1")});
  room.remove(member);
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
    room.admit(one, 0);
    room.admit(two, 0);
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
