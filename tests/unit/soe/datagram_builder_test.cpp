// SPDX-License-Identifier: MIT
#include "../lib/soe/datagram_builder.hpp"

#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

using namespace muster;
using namespace muster::soe;

namespace {

class World {
 public:
  explicit World(bool is_multi, bool has_flag = false, std::uint8_t crc_length = 0,
                 std::uint16_t max_datagram = 512)
      : pool(max_datagram + 16u), outgoing(pool) {
    framing.has_flag = has_flag;
    framing.crc_length = crc_length;
    framing.max_datagram = max_datagram;
    builder.emplace(outgoing, framing, 1, is_multi, datagrams, bytes);
  }

  void add(OpCode op, const std::string& body) {
    builder->add(static_cast<std::uint16_t>(op), test::from_hex(body));
  }

  // A packet as a channel would have made it.
  Packet& packet(const std::string& body) {
    Packet& made = pool.take();
    const auto content = test::from_hex(body);
    std::byte* const out =
        framing.begin(made.bytes(), static_cast<std::uint16_t>(OpCode::reliable_data));
    std::copy(content.begin(), content.end(), out);
    made.size =
        static_cast<std::uint16_t>(framing.finish(made.bytes(), framing.head() + content.size()));
    return made;
  }

  std::vector<std::string> sent() {
    builder->flush();
    std::vector<std::string> all;
    std::uint32_t slot = 0;
    for (std::span<const byte_view> group; outgoing.poll(slot, group);) {
      for (const byte_view datagram : group) all.push_back(test::to_hex(datagram));
    }
    return all;
  }

  PacketPool pool;
  Outgoing outgoing;
  Framing framing;
  std::size_t datagrams = 0;
  std::size_t bytes = 0;
  std::optional<DatagramBuilder> builder;
};

using Sent = std::vector<std::string>;

}  // namespace

TEST_CASE("SOE builder: what leaves together shares a datagram", "[soe]") {
  World world{true};
  world.add(OpCode::acknowledge, "0005");
  world.add(OpCode::heartbeat, "");
  CHECK(world.sent() == Sent{"00030400110005020006"});
  CHECK(world.datagrams == 1);
  CHECK(world.bytes == 10);
}

TEST_CASE("SOE builder: alone a packet leaves bare, with flag and checksum in their places",
          "[soe]") {
  World world{true, true, 2};
  world.add(OpCode::acknowledge, "0005");
  const Sent sent = world.sent();
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].substr(0, 10) == "0011000005");
  CHECK(sent[0].size() == 14);
  CHECK(world.framing.is_intact(test::from_hex(sent[0])));
}

TEST_CASE("SOE builder: for old peers nothing is shared", "[soe]") {
  World world{false};
  world.add(OpCode::acknowledge, "0005");
  world.add(OpCode::acknowledge, "0006");
  CHECK(world.sent() == Sent{"00110005", "00110006"});
}

TEST_CASE("SOE builder: a whole packet loses its frame inside, and keeps it alone", "[soe]") {
  World world{true, true, 3};
  Packet& packet = world.packet("0007aabb");
  SECTION("alone") {
    world.builder->add(packet);
    CHECK(world.sent() == Sent{test::to_hex(packet.datagram())});
  }
  SECTION("with others") {
    world.add(OpCode::acknowledge, "0005");
    REQUIRE(world.builder->size_of(packet) <= world.builder->room());
    world.builder->add(packet);
    const Sent sent = world.sent();
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].substr(0, 30) == "00030004001100050600090007aabb");
    CHECK(world.framing.is_intact(test::from_hex(sent[0])));
  }
  SECTION("as it lies") {
    world.add(OpCode::acknowledge, "0005");
    world.builder->send(packet);
    const Sent sent = world.sent();
    REQUIRE(sent.size() == 2);
    CHECK(sent[0].substr(0, 10) == "0011000005");
    CHECK(sent[1] == test::to_hex(packet.datagram()));
  }
}

TEST_CASE("SOE builder: what does not fit begins the next datagram", "[soe]") {
  World world{true, false, 2, 64};
  const std::string body(2 * 40, 'a');
  world.add(OpCode::ordered, body);
  CHECK(world.builder->room() == 64 - 2 - 2 - 43);
  world.add(OpCode::ordered, body);
  CHECK(world.sent().size() == 2);
  for (int i = 0; i < 100; ++i) world.add(OpCode::acknowledge, "0005");
  for (const std::string& datagram : world.sent()) CHECK(datagram.size() <= 2 * 64);
}

TEST_CASE("SOE builder: a compressed packet shares no datagram", "[soe]") {
  World world{true, true};
  Packet& packet = world.packet("0007aabb");
  CHECK(world.builder->can_share(packet));
  packet.is_compressed = true;
  CHECK_FALSE(world.builder->can_share(packet));
}
