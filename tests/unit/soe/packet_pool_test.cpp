// SPDX-License-Identifier: MIT
// Packets of a pool: apart from each other, used again, in slabs that begin small.
#include "support/catch.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <set>
#include <vector>

#include "../lib/soe/packet_pool.hpp"

using muster::soe::Packet;
using muster::soe::PacketList;
using muster::soe::PacketPool;

TEST_CASE("soe packet pool: a packet's bytes are its own", "[soe]") {
  PacketPool pool{528};
  CHECK(pool.capacity() == 528);
  CHECK(pool.footprint() % 64 == 0);
  CHECK(pool.footprint() >= sizeof(Packet) + 528);
  CHECK(pool.footprint() < sizeof(Packet) + 528 + 64);
  std::vector<Packet*> packets;
  for (int i = 0; i < 1000; ++i) {
    Packet& packet = pool.take();
    CHECK(reinterpret_cast<std::uintptr_t>(&packet) % alignof(Packet) == 0);
    std::memset(packet.bytes(), i % 251, pool.capacity());
    packet.sequence = i;
    packets.push_back(&packet);
  }
  CHECK(pool.used() == 1000);
  CHECK(std::set<Packet*>(packets.begin(), packets.end()).size() == 1000);
  for (int i = 0; i < 1000; ++i) {
    Packet& packet = *packets[static_cast<std::size_t>(i)];
    const auto is_intact = [i](std::byte octet) {
      return octet == static_cast<std::byte>(i % 251);
    };
    CHECK(packet.sequence == i);
    REQUIRE(std::all_of(packet.bytes(), packet.bytes() + pool.capacity(), is_intact));
    pool.give_back(packet);
  }
  CHECK(pool.used() == 0);
}

TEST_CASE("soe packet pool: what is given back is used again, as new", "[soe]") {
  PacketPool pool{100};
  Packet& first = pool.take();
  first.items = 5;
  first.is_fragment = true;
  first.state = Packet::State::in_flight;
  pool.give_back(first);
  Packet& again = pool.take();
  CHECK(&again == &first);
  CHECK(again.items == 0);
  CHECK_FALSE(again.is_fragment);
  CHECK(again.state == Packet::State::free);
  CHECK(again.next == nullptr);
  pool.give_back(again);

  std::set<Packet*> places;
  for (int round = 0; round < 50; ++round) {
    std::vector<Packet*> taken;
    for (int i = 0; i < 40; ++i) taken.push_back(&pool.take());
    places.insert(taken.begin(), taken.end());
    for (Packet* packet : taken) pool.give_back(*packet);
  }
  CHECK(places.size() == 40);
}

TEST_CASE("soe packet pool: slabs begin with four packets and double", "[soe]") {
  // Packets of one slab lie one after the other.
  const auto runs = [](std::size_t capacity, std::size_t count) {
    PacketPool pool{capacity};
    std::vector<std::size_t> lengths;
    const Packet* previous = nullptr;
    for (std::size_t i = 0; i < count; ++i) {
      const Packet& packet = pool.take();
      const bool is_next = previous != nullptr &&
                           reinterpret_cast<const std::byte*>(&packet) ==
                               reinterpret_cast<const std::byte*>(previous) + pool.footprint();
      if (!is_next) lengths.push_back(0);
      ++lengths.back();
      previous = &packet;
    }
    return lengths;
  };
  using Lengths = std::vector<std::size_t>;
  CHECK(runs(512, 4 + 8 + 16 + 32) == Lengths{4, 8, 16, 32});
  const std::size_t large = 60'000;  // four are nearly 256 KiB
  CHECK(runs(large, 12) == Lengths{4, 4, 4});
  const std::size_t stride = PacketPool{512}.footprint();
  for (const std::size_t length : runs(512, 3000)) CHECK(length * stride <= 256 * 1024);
}

TEST_CASE("soe packet list: first in, first out, and any in between", "[soe]") {
  PacketPool pool{10};
  Packet& a = pool.take();
  Packet& b = pool.take();
  Packet& c = pool.take();
  PacketList list;
  CHECK(list.pop_front() == nullptr);
  list.push_back(a);
  list.push_back(b);
  list.push_back(c);
  list.remove(b);
  CHECK(list.first() == &a);
  CHECK(list.last() == &c);
  CHECK(a.next == &c);
  list.push_back(b);
  CHECK(list.pop_front() == &a);
  CHECK(list.pop_front() == &c);
  CHECK(list.pop_front() == &b);
  CHECK(list.is_empty());
  for (Packet* packet : {&a, &b, &c}) pool.give_back(*packet);
}
