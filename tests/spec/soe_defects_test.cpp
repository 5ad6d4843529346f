// SPDX-License-Identifier: MIT
// What other implementations of the SOE protocol do wrong with packets, or cannot read. Those of
// handshake and life stand with the tests of these.
#include <muster/soe/config.hpp>
#include <muster/soe/op_code.hpp>

#include "support/catch.hpp"
#include "support/soe_pair.hpp"
#include "support/soe_talk.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace muster::soe;
using muster::as_bytes;
using test::Bytes;
using test::SoeEnd;
using test::SoeEvent;
using test::SoePair;
using test::SoePeer;
using test::SoeTalk;
using Role = SoeTalk::Role;

namespace {

Bytes bytes(std::initializer_list<unsigned> values) {
  Bytes out;
  for (const unsigned value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}

std::string text(std::size_t size) { return std::string(size, 'x'); }

SoePeer compressing_peer() {
  SoePeer peer;
  peer.compression = true;
  return peer;
}
Config compressing() {
  Config config;
  config.compression = true;
  return config;
}

Role any_role() { return GENERATE(Role::server, Role::client); }

}  // namespace

TEST_CASE("SOE defect: inflated bodies and sub-packets are not read beyond their end",
          "[soe][defect]") {
  SoeTalk talk{any_role(), compressing(), compressing_peer()};
  // Long enough on the wire, too short when inflated.
  const auto inflating_to = [&](std::uint16_t op, const Bytes& body) {
    return talk.peer.frame(op, SoePeer::deflated(body), true);
  };
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}}) {
    for (unsigned channel = 0; channel < channel_count; ++channel) {
      talk.say(inflating_to(op_of(OpCode::acknowledge, channel), Bytes(size)));
      talk.say(inflating_to(op_of(OpCode::acknowledge_all, channel), Bytes(size)));
    }
    talk.say(inflating_to(static_cast<std::uint16_t>(OpCode::disconnect), Bytes(size)));
    talk.say(inflating_to(static_cast<std::uint16_t>(OpCode::ordered), Bytes(size)));
    talk.say(inflating_to(static_cast<std::uint16_t>(OpCode::net_status_request), Bytes(size)));
    talk.say(inflating_to(static_cast<std::uint16_t>(OpCode::net_status_response), Bytes(size)));
    talk.say(inflating_to(static_cast<std::uint16_t>(OpCode::heartbeat), Bytes(size)));
    CHECK(talk.problem() == "");
  }
  talk.say(inflating_to(static_cast<std::uint16_t>(OpCode::multi_packet), {}));
  CHECK(talk.problem() == "");
  talk.say(inflating_to(op_of(OpCode::reliable_data, 0), Bytes(1)));
  CHECK(talk.problem_of_end(DisconnectReason::corrupt_packet) == "");
}

TEST_CASE("SOE defect: what follows a zlib stream is ignored, and any window is understood",
          "[soe][defect]") {
  SoeTalk talk{any_role(), compressing(), compressing_peer()};
  Bytes body = SoePeer::deflated(SoePeer::numbered(0, text(50)));
  body.push_back(std::byte{1});
  body.push_back(std::byte{2});
  talk.say(talk.peer.frame(static_cast<std::uint16_t>(OpCode::reliable_data), body, true));
  REQUIRE(talk.end.events.size() == 1);
  CHECK(talk.end.take_events()[0].data == text(50));
  for (const unsigned window : {0x08U, 0x38U, 0x78U}) {
    ++talk.next_up;
    body = SoePeer::deflated(SoePeer::numbered(talk.next_up, text(50)));
    body[0] = static_cast<std::byte>(window);
    body[1] = static_cast<std::byte>(31 - (window * 256) % 31);
    talk.say(talk.peer.frame(static_cast<std::uint16_t>(OpCode::reliable_data), body, true));
    REQUIRE(talk.end.events.size() == 1);
    CHECK(talk.end.take_events()[0].data == text(50));
  }
  ++talk.next_up;
  // Any flag that is not zero says so.
  Bytes datagram = bytes({0, 9, 0x77});
  body = SoePeer::deflated(SoePeer::numbered(talk.next_up++, text(50)));
  datagram.insert(datagram.end(), body.begin(), body.end());
  talk.say(talk.peer.sealed(datagram));
  REQUIRE(talk.end.events.size() == 1);
  CHECK(talk.end.take_events()[0].data == text(50));
  CHECK(talk.problem() == "");
}

TEST_CASE("SOE defect: a multi packet may have unreliable data", "[soe][defect]") {
  SoeTalk talk{any_role()};
  talk.say(
      talk.peer.multi({SoePeer::text("raw"), SoePeer::sub_reliable(0, "reliable"), bytes({0, 0, 1}),
                       bytes({0, 0}), SoePeer::sub(OpCode::ordered, bytes({0, 1, 'o'}))}));
  const std::vector<SoeEvent> events = talk.end.take_events();
  REQUIRE(events.size() == 5);
  CHECK(events[0].channel == Channel::unreliable);
  CHECK(events[0].data == "raw");
  CHECK(events[1].channel == Channel::reliable0);
  CHECK(events[1].data == "reliable");
  CHECK(events[2].data == std::string("\0\1", 2));
  CHECK(events[3].data == std::string("\0", 1));
  CHECK(events[4].channel == Channel::ordered);
  CHECK(events[4].data == "o");
  talk.next_up = 1;
  CHECK(talk.problem() == "");
}

TEST_CASE("SOE defect: a multi packet's length of 255 is one byte", "[soe][defect]") {
  SoeTalk talk{any_role()};
  for (const std::size_t size : {253U, 254U, 255U, 256U, 257U, 300U}) {
    const std::string data = text(size - 4);
    const Bytes sub = SoePeer::sub_reliable(talk.next_up++, data);
    REQUIRE(sub.size() == size);
    talk.say(talk.peer.multi({sub, SoePeer::sub(OpCode::heartbeat)}));
    REQUIRE(talk.end.events.size() == 1);
    CHECK(talk.end.take_events()[0].data == data);
  }
  CHECK(talk.problem() == "");
}

TEST_CASE("SOE defect: a window that cannot work is no valid configuration", "[soe][defect]") {
  std::string problem;
  Config config;
  CHECK_FALSE(validate(config, problem));
  for (const std::uint32_t window : {0U, 32768U, 65536U}) {
    config = {};
    config.send_window = window;
    CHECK(validate(config, problem));
    config = {};
    config.receive_window = window;
    CHECK(validate(config, problem));
  }
}

TEST_CASE("SOE defect: nothing is acknowledged before anything was received", "[soe][defect]") {
  SoeTalk talk{any_role()};
  // As if it were the one before the first.
  talk.say(talk.peer.reliable(65535, "before the first"));
  talk.end.run_for(100ms);
  CHECK(talk.heard().empty());
  CHECK(talk.end.events.empty());
  CHECK(talk.problem() == "");
}

TEST_CASE("SOE defect: repetitions in one batch are acknowledged once", "[soe][defect]") {
  SoeTalk talk{any_role()};
  CHECK(talk.problem() == "");
  talk.end.run_for(10ms);
  talk.end.sent.clear();
  const SoeEnd::Sent again{SoeTalk::there, talk.peer.reliable(0, "again")};
  talk.end.receive({again, again, again});
  talk.end.advance();
  CHECK(talk.hear(OpCode::acknowledge_all) == 1);
}

TEST_CASE("SOE defect: data in the middle of a fragmented message is delivered by itself",
          "[soe][defect]") {
  SoeTalk talk{any_role()};
  talk.say(talk.peer.first_fragment(0, 9, "abc"));
  talk.say(talk.peer.reliable(1, "in between"));
  talk.say(talk.peer.fragment(2, as_bytes("def")));
  talk.say(talk.peer.fragment(3, as_bytes("ghi")));
  const std::vector<SoeEvent> events = talk.end.take_events();
  REQUIRE(events.size() == 2);
  CHECK(events[0].data == "in between");
  CHECK(events[1].data == "abcdefghi");
  talk.next_up = 4;
  CHECK(talk.problem() == "");
}

TEST_CASE("SOE defect: a message in one fragment is legal", "[soe][defect]") {
  SoeTalk talk{any_role()};
  talk.say(talk.peer.first_fragment(0, 5, "whole"));
  talk.say(talk.peer.first_fragment(1, 1, "x"));
  const std::vector<SoeEvent> events = talk.end.take_events();
  REQUIRE(events.size() == 2);
  CHECK(events[0].data == "whole");
  CHECK(events[1].data == "x");
  talk.next_up = 2;
  CHECK(talk.problem() == "");
}

TEST_CASE("SOE defect: empty items of a bundle are skipped", "[soe][defect]") {
  SoeTalk talk{any_role()};
  talk.say(talk.peer.reliable(0, SoePeer::bundle({"", "first", "", "", "second", ""})));
  const std::vector<SoeEvent> events = talk.end.take_events();
  REQUIRE(events.size() == 2);
  CHECK(events[0].data == "first");
  CHECK(events[1].data == "second");
  // A bundle of nothing, too; and lengths that are longer than they need be.
  talk.say(talk.peer.reliable(1, SoePeer::bundle({"", ""})));
  CHECK(talk.end.events.empty());
  talk.say(talk.peer.reliable(2, std::string{"\x00\x19\xFF\x00\x03long\x00", 9} + "xx"));
  CHECK(talk.end.mux.session_count() == 0);  // since the length of what follows is not right
}

TEST_CASE("SOE defect: a length of 254 is understood as other libraries write it",
          "[soe][defect]") {
  SoeTalk talk{any_role()};
  const std::string data = text(254);
  talk.say(talk.peer.reliable(0, std::string{"\x00\x19\xFF\x00\xFE", 5} + data));
  talk.say(talk.peer.reliable(1, std::string{"\x00\x19\xFE", 3} + data));
  REQUIRE(talk.end.events.size() == 2);
  CHECK(talk.end.events[0].data == data);
  CHECK(talk.end.events[1].data == data);
}

TEST_CASE("SOE defect: messages with zeros in front arrive as they are", "[soe][defect]") {
  // With every way to escape, encrypted and not, with bundles and without.
  SoePair::Settings settings;
  const bool has_key = GENERATE(false, true);
  const Escape escape = GENERATE(Escape::encrypted, Escape::always);
  const bool bundles = GENERATE(false, true);
  for (Config* config : {&settings.client, &settings.server}) {
    if (has_key) config->encryption_key = Bytes(5, std::byte{9});
    config->escape = escape;
    config->bundles = bundles;
  }
  SoePair pair{settings};
  pair.open();
  std::vector<std::string> messages;
  for (const std::size_t size : {1U, 2U, 3U, 4U, 5U, 100U, 504U, 505U, 506U, 507U, 3000U}) {
    for (const auto& start :
         {std::string{}, std::string("\0", 1), std::string("\0\0", 2), std::string("\0\x19", 2),
          std::string("\0\x19\x01", 3), std::string("\0\x19\xFF\xFF\xFF", 5),
          std::string("\0\0\x19", 3), std::string("\x19\0", 2), std::string("\0\x09", 2)}) {
      messages.push_back((start + text(size)).substr(0, size));
    }
  }
  // So often that each first byte of a key stream occurs.
  for (int round = 0; round < 10; ++round) {
    for (const std::string& message : messages) {
      REQUIRE(pair.client.mux.enqueue(pair.at_client, as_bytes(message)) == EnqueueStatus::queued);
      REQUIRE(pair.server.mux.enqueue(pair.at_server, as_bytes(message)) == EnqueueStatus::queued);
    }
    pair.drive();
    for (SoeEnd* const end : {&pair.client, &pair.server}) {
      const std::vector<SoeEvent> events = end->take_events();
      REQUIRE(events.size() == messages.size());
      for (std::size_t i = 0; i < events.size(); ++i) {
        if (events[i].data != messages[i]) FAIL("message " << i << " of " << messages[i].size());
      }
    }
  }
}

TEST_CASE("SOE defect: a message that begins like a bundle is sent as one", "[soe][defect]") {
  SoeTalk talk{any_role()};
  const std::string message("\x00\x19 and more", 11);
  REQUIRE(talk.end.mux.enqueue(talk.session, as_bytes(message)) == EnqueueStatus::queued);
  talk.end.advance();
  const auto heard = talk.heard();
  REQUIRE(heard.size() == 1);
  CHECK(heard[0].body == SoePeer::numbered(0, SoePeer::bundle({message})));
}

TEST_CASE("SOE defect: with the other escape all zeros are escaped, also without a key",
          "[soe][defect]") {
  const Role role = any_role();
  Config config;
  config.escape = Escape::always;
  SoeTalk talk{role, config};
  const std::string message("\x00\x19 and more", 11);
  REQUIRE(talk.end.mux.enqueue(talk.session, as_bytes(message)) == EnqueueStatus::queued);
  talk.end.advance();
  const auto heard = talk.heard();
  REQUIRE(heard.size() == 1);
  CHECK(heard[0].body == SoePeer::numbered(0, std::string(1, '\0') + message));
  talk.say(talk.peer.reliable(0, std::string(1, '\0') + message));
  talk.say(talk.peer.reliable(1, SoePeer::bundle({std::string(1, '\0') + message, "plain"})));
  REQUIRE(talk.end.events.size() == 3);
  CHECK(talk.end.events[0].data == message);
  CHECK(talk.end.events[1].data == message);
  CHECK(talk.end.events[2].data == "plain");
}

TEST_CASE("SOE defect: a datagram longer than is taken is dropped", "[soe][defect]") {
  const Role role = any_role();
  Config config;
  config.udp_length = 4000;
  SoePeer peer;
  peer.udp_length = 65507;
  SoeTalk talk{role, config, peer};
  talk.say(talk.peer.reliable(0, text(4000)));
  CHECK(talk.end.events.empty());
  CHECK(talk.end.dropped(Drop::too_long) == 1);
  talk.say(talk.peer.reliable(0, text(4000 - 6)));
  REQUIRE(talk.end.events.size() == 1);
  CHECK(talk.end.take_events()[0].data.size() == 4000 - 6);
  talk.next_up = 1;
  CHECK(talk.problem() == "");
}
