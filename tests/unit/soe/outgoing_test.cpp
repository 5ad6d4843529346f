// SPDX-License-Identifier: MIT
#include "../lib/soe/outgoing.hpp"

#include "support/catch.hpp"

#include <cstring>
#include <vector>

using namespace muster;
using soe::Outgoing;
using soe::Packet;
using soe::PacketPool;

namespace {

// Pushes a datagram of so many bytes.
byte_view push(Outgoing& outgoing, std::uint32_t slot, std::size_t size) {
  std::byte* const bytes = outgoing.reserve(size);
  std::memset(bytes, static_cast<int>(slot), size);
  outgoing.push(slot, {bytes, size});
  return {bytes, size};
}

struct Group {
  std::uint32_t slot;
  std::vector<std::size_t> sizes;
  friend bool operator==(const Group&, const Group&) = default;
};

std::vector<Group> poll_all(Outgoing& outgoing) {
  std::vector<Group> groups;
  std::uint32_t slot = 0;
  for (std::span<const byte_view> datagrams; outgoing.poll(slot, datagrams);) {
    Group& group = groups.emplace_back(Group{slot, {}});
    for (const byte_view datagram : datagrams) group.sizes.push_back(datagram.size());
  }
  return groups;
}

}  // namespace

TEST_CASE("SOE outgoing: a group is of one receiver and one size, the last may be shorter",
          "[soe]") {
  PacketPool pool{512};
  Outgoing outgoing{pool};
  for (const std::size_t size : {500, 500, 100, 500, 100, 200}) push(outgoing, 1, size);
  push(outgoing, 2, 200);
  push(outgoing, 1, 200);
  CHECK(poll_all(outgoing) ==
        std::vector<Group>{
            {1, {500, 500, 100}}, {1, {500, 100}}, {1, {200}}, {2, {200}}, {1, {200}}});
}

TEST_CASE("SOE outgoing: a group is no larger than one call of the system takes", "[soe]") {
  PacketPool pool{512};
  Outgoing outgoing{pool};
  for (int i = 0; i < 65; ++i) push(outgoing, 1, 10);
  for (int i = 0; i < 50; ++i) push(outgoing, 2, 1400);
  const auto groups = poll_all(outgoing);
  REQUIRE(groups.size() == 4);
  CHECK(groups[0].sizes.size() == 64);
  CHECK(groups[1].sizes.size() == 1);
  CHECK(groups[2].sizes.size() == 46);  // 64,400 bytes
  CHECK(groups[3].sizes.size() == 4);
  push(outgoing, 1, 65507);  // more than a group may have, but a datagram
  CHECK(poll_all(outgoing) == std::vector<Group>{{1, {65507}}});
}

TEST_CASE("SOE outgoing: what is not polled stays", "[soe]") {
  PacketPool pool{512};
  Outgoing outgoing{pool};
  const byte_view first = push(outgoing, 1, 10);
  push(outgoing, 2, 10);
  std::uint32_t slot = 0;
  std::span<const byte_view> datagrams;
  REQUIRE(outgoing.poll(slot, datagrams));
  outgoing.begin();
  push(outgoing, 3, 10);
  CHECK(first[0] == std::byte{1});
  CHECK(poll_all(outgoing) == std::vector<Group>{{2, {10}}, {3, {10}}});
  outgoing.begin();
  CHECK(outgoing.size() == 0);
}

TEST_CASE("SOE outgoing: a packet is not used again before it has been sent", "[soe]") {
  PacketPool pool{512};
  Outgoing outgoing{pool};
  Packet& waiting = pool.take();
  waiting.size = 10;
  outgoing.push(1, waiting.datagram());
  outgoing.retire(waiting);
  CHECK(pool.used() == 1);
  outgoing.begin();
  CHECK(pool.used() == 1);  // not polled yet
  poll_all(outgoing);
  outgoing.begin();
  CHECK(pool.used() == 0);
  Packet& other = pool.take();
  outgoing.retire(other);  // nothing waits
  CHECK(pool.used() == 0);
}

TEST_CASE("SOE outgoing: large and small reservations do not overlap", "[soe]") {
  PacketPool pool{512};
  Outgoing outgoing{pool};
  std::vector<byte_view> all;
  for (std::uint32_t i = 1; i < 200; ++i) all.push_back(push(outgoing, i, 1 + i * 331 % 65507));
  for (std::uint32_t i = 1; i < 200; ++i) {
    for (const std::byte byte : all[i - 1]) REQUIRE(byte == static_cast<std::byte>(i));
  }
}
