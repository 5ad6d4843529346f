// SPDX-License-Identifier: MIT
// What bytes that the protocol forbids do to a session: nothing, or, if they come from a peer that
// must be faulty because its checksum is right, they end it with a reason.
#include <muster/soe/config.hpp>
#include <muster/soe/op_code.hpp>

#include "support/catch.hpp"
#include "support/soe_talk.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace muster::soe;
using muster::Address;
using muster::as_bytes;
using test::Bytes;
using test::SoeEnd;
using test::SoeEvent;
using test::SoePeer;
using test::SoeTalk;
using Kind = SoeEvent::Kind;
using Role = SoeTalk::Role;

namespace {

Bytes bytes(std::initializer_list<unsigned> values) {
  Bytes out;
  for (const unsigned value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}

std::string text(std::size_t size, char c = 'x') { return std::string(size, c); }

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

std::uint64_t all_drops(const SoeEnd& end) {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : end.mux.totals().drops) sum += count;
  return sum;
}

Role any_role() { return GENERATE(Role::server, Role::client); }

}  // namespace

// The cases that implementations of the protocol treat in different ways.

TEST_CASE("SOE malformed: a datagram of 0 or 1 bytes is dropped", "[soe][malformed]") {
  SoeTalk talk{any_role()};
  for (const Bytes& datagram : {bytes({}), bytes({0}), bytes({1}), bytes({0xFF})}) {
    const std::uint64_t before = all_drops(talk.end);
    talk.say(datagram);
    CHECK(all_drops(talk.end) == before + 1);
    CHECK(talk.problem() == "");
  }
}

TEST_CASE("SOE malformed: an unknown op code is dropped", "[soe][malformed]") {
  SoeTalk talk{any_role()};
  std::uint64_t count = 0;
  for (unsigned op = 0; op < 0x100; ++op) {
    if (is_known(static_cast<std::uint16_t>(op))) continue;
    talk.say(talk.peer.frame(static_cast<std::uint16_t>(op), as_bytes("something")));
    CHECK(talk.end.dropped(Drop::unknown_kind) == ++count);
    CHECK(talk.problem() == "");
  }
  CHECK(count == 0x100 - 0x1f + 2);
}

TEST_CASE("SOE malformed: a first byte that is not zero begins unreliable data",
          "[soe][malformed]") {
  const Role role = any_role();
  Config config;
  config.unreliable = GENERATE(true, false);
  SoeTalk talk{role, config};
  for (unsigned first = 0; first < 0x100; ++first) {
    // Zero, as a first byte, is escaped by another.
    Bytes datagram = bytes({first, 'd', 'a', 't', 'a'});
    const std::string message{muster::as_text(datagram)};
    if (first == 0) datagram.insert(datagram.begin(), std::byte{0});
    talk.say(talk.peer.sealed(datagram));
    const std::vector<SoeEvent> events = talk.end.take_events();
    if (config.unreliable) {
      REQUIRE(events.size() == 1);
      CHECK(events[0].channel == Channel::unreliable);
      CHECK(events[0].data == message);
    } else {
      CHECK(events.empty());
      CHECK(talk.end.dropped(Drop::unreliable_disabled) == first + 1);
    }
    CHECK(talk.problem() == "");
  }
}

TEST_CASE("SOE malformed: what is too short for its op code is dropped", "[soe][malformed]") {
  const Role role = any_role();
  const bool has_flag = GENERATE(false, true);
  SoeTalk talk{role, has_flag ? compressing() : Config{},
               has_flag ? compressing_peer() : SoePeer{}};
  for (unsigned op = 1; op <= 0x1e; ++op) {
    const auto number = static_cast<std::uint16_t>(op);
    if (!is_known(number)) continue;
    const std::size_t pad = 2U + (has_flag ? 1U : 0U) + talk.peer.crc_length;
    for (std::size_t size = 2; size < minimum_size(number, pad); ++size) {
      // With a checksum that is right, where there is room for one.
      Bytes datagram(size > 3 ? size - talk.peer.crc_length : size);
      datagram[1] = static_cast<std::byte>(op);
      if (size > 3) datagram = talk.peer.sealed(datagram);
      INFO("op code " << op << ", " << size << " bytes");
      const std::uint64_t before = all_drops(talk.end);
      talk.say(datagram);
      CHECK(all_drops(talk.end) == before + 1);
      CHECK(talk.problem() == "");
    }
  }
}

TEST_CASE("SOE malformed: a bad checksum is dropped", "[soe][malformed]") {
  SoeTalk talk{any_role()};
  for (const Bytes& good :
       {talk.peer.reliable(0, "data"), talk.peer.disconnect(6), talk.peer.heartbeat(),
        talk.peer.acknowledge_all(0), talk.peer.unreliable("data"),
        talk.peer.multi({SoePeer::sub_reliable(0, "data")})}) {
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
      Bytes bad = good;
      bad[bit / 8] ^= std::byte{1} << bit % 8;
      talk.say(bad);
      INFO("bit " << bit);
      CHECK(talk.end.events.empty());
      CHECK(talk.end.mux.is_open(talk.session));
    }
  }
  CHECK(talk.problem() == "");
  CHECK(talk.end.mux.stats(talk.session).bad_checksums > 100);
}

TEST_CASE("SOE malformed: many bad checksums in a row end a session only if that is wanted",
          "[soe][malformed]") {
  const Role role = any_role();
  Config config;
  config.max_bad_checksums = 32;
  SoeTalk talk{role, config};
  Bytes bad = talk.peer.heartbeat();
  bad.back() ^= std::byte{1};
  for (int i = 0; i < 31; ++i) talk.say(bad);
  CHECK(talk.problem() == "");  // and the count begins anew
  for (int i = 0; i < 31; ++i) talk.say(bad);
  CHECK(talk.end.events.empty());
  talk.say(bad);
  CHECK(talk.problem_of_end(DisconnectReason::corrupt_packet) == "");

  SoeTalk patient{role};
  for (int i = 0; i < 1000; ++i) patient.say(bad);
  CHECK(patient.problem() == "");
}

TEST_CASE("SOE malformed: a bad zlib stream is dropped", "[soe][malformed]") {
  SoeTalk talk{any_role(), compressing(), compressing_peer()};
  const auto compressed = [&](const Bytes& body) {
    return talk.peer.frame(static_cast<std::uint16_t>(OpCode::reliable_data), body, true);
  };
  const Bytes good = SoePeer::deflated(SoePeer::numbered(0, text(100)));
  Bytes wrong_sum = good;
  wrong_sum.back() ^= std::byte{1};
  Bytes cut = good;
  cut.resize(good.size() - 5);
  Bytes dictionary = good;
  dictionary[1] = std::byte{0xBB};  // FDICT, and a check that is right
  const std::vector<Bytes> bad{SoePeer::text("no zlib stream"), wrong_sum, cut, dictionary,
                               bytes({0x78, 0x9C, 0x03})};
  std::uint64_t count = 0;
  for (const Bytes& body : bad) {
    talk.say(compressed(body));
    CHECK(talk.end.dropped(Drop::bad_compression) == ++count);
    CHECK(talk.problem() == "");
  }
}

TEST_CASE("SOE malformed: a zlib bomb is dropped", "[soe][malformed]") {
  const Role role = any_role();
  Config config = compressing();
  std::size_t cap = std::size_t{16} * 512;
  SoePeer peer = compressing_peer();
  if (GENERATE(false, true)) {
    config.udp_length = peer.udp_length = 65507;
    cap = std::size_t{64} * 1024;
  }
  SoeTalk talk{role, config, peer};
  const auto expanding_to = [&](std::size_t size) {
    return talk.peer.frame(static_cast<std::uint16_t>(OpCode::reliable_data),
                           SoePeer::deflated(SoePeer::numbered(0, text(size - 2))), true);
  };
  for (const std::size_t size : {cap + 1, 2 * cap, std::size_t{2'000'000}}) {
    if (expanding_to(size).size() > 2048 && config.udp_length == 512) continue;
    talk.say(expanding_to(size));
    CHECK(talk.end.events.empty());
  }
  CHECK(talk.end.dropped(Drop::bad_compression) >= 2);
  talk.say(expanding_to(cap));
  REQUIRE(talk.end.events.size() == 1);
  CHECK(talk.end.take_events()[0].data == text(cap - 2));
  talk.next_up = 1;
  CHECK(talk.problem() == "");
}

TEST_CASE("SOE malformed: a bad sub-packet length ends the session", "[soe][malformed]") {
  const Role role = any_role();
  const auto body = GENERATE(values<std::vector<unsigned>>({
      {0},                 // no packet
      {0, 0, 0},           // none, and then more
      {1, 0},              // half of an op code
      {3, 0, 6},           // one byte is missing
      {200, 0, 6},         // many are
      {0xFF, 0, 6},        // 255 bytes, which are not there
      {0xFF, 1, 0, 0, 6},  // 256 bytes
      {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 6},
  }));
  SoeTalk talk{role};
  Bytes malformed;
  for (const unsigned value : body) malformed.push_back(static_cast<std::byte>(value));
  talk.say(talk.peer.frame(OpCode::multi_packet, malformed));
  // A body of one byte is too short for the op code: that is a line of its own.
  if (malformed.size() == 1) {
    CHECK(talk.problem() == "");
  } else {
    CHECK(talk.problem_of_end(DisconnectReason::corrupt_packet) == "");
  }
}

TEST_CASE("SOE malformed: an unknown op code in a sub-packet ends the session",
          "[soe][malformed]") {
  SoeTalk talk{any_role()};
  talk.say(talk.peer.multi({SoePeer::sub_reliable(0, "before"), SoePeer::sub(0x0019),
                            SoePeer::sub_reliable(1, "after")}));
  REQUIRE(talk.end.events.size() == 2);
  CHECK(talk.end.events[0].data == "before");
  CHECK(talk.problem_of_end(DisconnectReason::corrupt_packet) == "");
}

TEST_CASE("SOE malformed: a multi packet in a multi packet is ignored", "[soe][malformed]") {
  SoeTalk talk{any_role()};
  talk.say(
      talk.peer.multi({SoePeer::sub(OpCode::multi_packet,
                                    SoePeer::multi_body({SoePeer::sub_reliable(0, "too deep")})),
                       SoePeer::sub_reliable(0, "what follows")}));
  REQUIRE(talk.end.events.size() == 1);
  CHECK(talk.end.take_events()[0].data == "what follows");
  CHECK(talk.end.dropped(Drop::wrong_state) == 1);
  talk.next_up = 1;
  CHECK(talk.problem() == "");
}

TEST_CASE("SOE malformed: a handshake in a multi packet is ignored", "[soe][malformed]") {
  SoeTalk talk{any_role()};
  std::uint64_t count = 0;
  for (const Bytes& handshake : {talk.peer.request(), talk.peer.response(), talk.peer.remap(),
                                 bytes({0, 0x1D}), bytes({0, 0x1C})}) {
    talk.say(talk.peer.multi({handshake, SoePeer::sub_reliable(talk.next_up++, "follows")}));
    REQUIRE(talk.end.events.size() == 1);
    CHECK(talk.end.take_events()[0].data == "follows");
    CHECK(talk.end.dropped(Drop::wrong_state) == ++count);
    CHECK(talk.problem() == "");
  }
}

TEST_CASE("SOE malformed: a length that ends too soon in a multi packet ends the session",
          "[soe][malformed]") {
  const Role role = any_role();
  const auto rest = GENERATE(values<std::vector<unsigned>>(
      {{0xFF}, {0xFF, 1}, {0xFF, 0xFF, 0xFF}, {0xFF, 0xFF, 0xFF, 0, 0, 0}}));
  SoeTalk talk{role};
  Bytes body = SoePeer::multi_body({SoePeer::sub_reliable(0, "good")});
  for (const unsigned value : rest) body.push_back(static_cast<std::byte>(value));
  talk.say(talk.peer.frame(OpCode::multi_packet, body));
  CHECK(talk.end.events.front().data == "good");
  CHECK(talk.problem_of_end(DisconnectReason::corrupt_packet) == "");
}

TEST_CASE("SOE malformed: a short acknowledgement or disconnect in a sub-packet is ignored",
          "[soe][malformed]") {
  SoeTalk talk{any_role()};
  std::uint64_t count = 0;
  for (unsigned channel = 0; channel < channel_count; ++channel) {
    for (const OpCode op : {OpCode::acknowledge, OpCode::acknowledge_all}) {
      talk.say(talk.peer.multi(
          {SoePeer::sub(op_of(op, channel)), SoePeer::sub(op_of(op, channel), bytes({0}))}));
      count += 2;
      CHECK(talk.end.dropped(Drop::too_short) == count);
    }
  }
  talk.say(talk.peer.multi({SoePeer::sub(OpCode::disconnect, bytes({1, 2, 3})),
                            SoePeer::sub(OpCode::disconnect),
                            SoePeer::sub(OpCode::ordered, bytes({0}))}));
  CHECK(talk.end.dropped(Drop::too_short) == count + 3);
  const std::uint64_t before = all_drops(talk.end);
  talk.say(talk.peer.multi({SoePeer::sub(OpCode::net_status_request, bytes({1, 2, 3})),
                            SoePeer::sub(OpCode::net_status_response, bytes({1, 2, 3}))}));
  CHECK(all_drops(talk.end) == before + 2);
  CHECK(talk.problem() == "");
}

TEST_CASE("SOE malformed: reliable data without a sequence in a sub-packet ends the session",
          "[soe][malformed]") {
  const Role role = any_role();
  const OpCode op = GENERATE(OpCode::reliable_data, OpCode::reliable_fragment);
  const std::size_t size = GENERATE(std::size_t{0}, std::size_t{1});
  SoeTalk talk{role};
  talk.say(talk.peer.multi({SoePeer::sub(op, Bytes(size))}));
  CHECK(talk.problem_of_end(DisconnectReason::corrupt_packet) == "");
}

TEST_CASE("SOE malformed: a sequence without data is acknowledged, and no message",
          "[soe][malformed]") {
  SoeTalk talk{any_role()};
  talk.say(talk.peer.multi({SoePeer::sub(OpCode::reliable_data, bytes({0, 0}))}));
  CHECK(talk.end.events.empty());
  talk.end.run_for(10ms);
  const auto heard = talk.heard();
  REQUIRE(heard.size() == 1);
  CHECK(heard[0].op == op_of(OpCode::acknowledge_all, 0));
  CHECK(heard[0].body == bytes({0, 0}));
  talk.next_up = 1;
  CHECK(talk.problem() == "");
}

TEST_CASE("SOE malformed: a first fragment of less than 4 bytes ends the session",
          "[soe][malformed]") {
  const Role role = any_role();
  const std::size_t size = GENERATE(range(std::size_t{1}, std::size_t{4}));
  SoeTalk talk{role};
  talk.say(talk.peer.fragment(0, Bytes(size, std::byte{1})));
  CHECK(talk.problem_of_end(DisconnectReason::corrupt_packet) == "");
}

TEST_CASE("SOE malformed: a giant length of a message ends the session", "[soe][malformed]") {
  const Role role = any_role();
  const std::uint32_t length = GENERATE(0U, 100'001U, 0x7FFFFFFFU, 0x80000000U, 0xFFFFFFFFU);
  Config config;
  config.max_message = 100'000;
  SoeTalk talk{role, config};
  talk.say(talk.peer.first_fragment(0, length, "begin"));
  CHECK(talk.problem_of_end(DisconnectReason::corrupt_packet) == "");

  // The largest that is allowed may begin.
  SoeTalk good{role, config};
  good.say(good.peer.first_fragment(0, 100'000, "begin"));
  CHECK(good.end.events.empty());
  CHECK(good.end.mux.is_open(good.session));
}

TEST_CASE("SOE malformed: more data than a message's length ends the session", "[soe][malformed]") {
  const Role role = any_role();
  SoeTalk talk{role};
  SECTION("in the first fragment") { talk.say(talk.peer.first_fragment(0, 4, "12345")); }
  SECTION("in a later fragment") {
    talk.say(talk.peer.first_fragment(0, 10, "12345"));
    CHECK(talk.end.events.empty());
    talk.say(talk.peer.fragment(1, as_bytes("678901")));
  }
  SECTION("in one that came early") {
    talk.say(talk.peer.fragment(1, as_bytes("678901")));
    CHECK(talk.end.events.empty());
    talk.say(talk.peer.first_fragment(0, 10, "12345"));
  }
  CHECK(talk.problem_of_end(DisconnectReason::corrupt_packet) == "");
}

TEST_CASE("SOE malformed: a sequence far ahead is dropped", "[soe][malformed]") {
  SoeTalk talk{any_role()};
  std::uint64_t count = 0;
  for (const unsigned sequence : {196U, 257U, 1000U, 32767U, 32768U, 40000U, 65279U, 65535U}) {
    talk.say(talk.peer.reliable(sequence, "far"));
    CHECK(talk.heard().empty());
    CHECK(talk.end.dropped(Drop::too_far) == ++count);
  }
  CHECK(talk.problem() == "");
  // What is just within the window is kept, and said to be.
  talk.say(talk.peer.reliable(1 + 195, "near"));
  CHECK(talk.hear(OpCode::acknowledge) == 1);
  CHECK(talk.end.dropped(Drop::too_far) == count);
  CHECK(talk.problem() == "");
}

TEST_CASE("SOE malformed: an old duplicate is acknowledged again, always", "[soe][malformed]") {
  SoeTalk talk{any_role()};
  CHECK(talk.problem() == "");
  CHECK(talk.problem() == "");
  talk.end.run_for(1s);
  (void)talk.heard();
  for (const muster::duration pause : {0ms, 1ms, 5ms, 1000ms, 0ms}) {
    for (const unsigned sequence : {0U, 1U}) {
      talk.say(talk.peer.reliable(sequence, "again"));
      const auto heard = talk.heard();
      REQUIRE(heard.size() == 1);
      CHECK(heard[0].op == op_of(OpCode::acknowledge_all, 0));
      CHECK(heard[0].body == bytes({0, 1}));
    }
    talk.end.run_for(pause);
  }
  CHECK(talk.problem() == "");
}

TEST_CASE("SOE malformed: an acknowledgement of what was never sent is ignored",
          "[soe][malformed]") {
  SoeTalk talk{any_role()};
  constexpr unsigned window = 196;  // of the default configuration
  for (unsigned i = 0; i < 300; ++i) {
    REQUIRE(talk.end.mux.enqueue(talk.session, as_bytes(std::to_string(i))) ==
            EnqueueStatus::queued);
  }
  talk.end.advance();
  CHECK(talk.hear(OpCode::reliable_data) == window);

  std::uint64_t count = 0;
  for (const unsigned sequence : {window, window + 1, 299U, 300U, 2 * window, 20000U, 32767U}) {
    talk.say(talk.peer.acknowledge_all(sequence));
    talk.say(talk.peer.acknowledge(sequence));
    count += 2;
    CHECK(talk.end.dropped(Drop::never_sent) == count);
    CHECK(talk.heard().empty());
  }
  // Before the first: old, which is no fault.
  talk.say(talk.peer.acknowledge_all(65535));
  talk.say(talk.peer.acknowledge(40000));
  CHECK(talk.heard().empty());
  // On a channel that was never used.
  talk.say(talk.peer.acknowledge_all(0, 2));
  CHECK(talk.end.dropped(Drop::never_sent) == count + 1);

  // Nothing is lost: what waits leaves in order.
  talk.say(talk.peer.acknowledge_all(window - 1));
  const auto heard = talk.heard();
  REQUIRE(heard.size() == 300 - window);
  for (unsigned i = 0; i < heard.size(); ++i) {
    CHECK(heard[i].body == SoePeer::numbered(window + i, std::to_string(window + i)));
  }
  talk.say(talk.peer.acknowledge_all(299));
  CHECK(talk.end.mux.stats(talk.session).queued_bytes == 0);
}

TEST_CASE("SOE malformed: a response with a checksum of more than 4 bytes is ignored",
          "[soe][malformed]") {
  SoeEnd client{{}, SoeTalk::here};
  SoePeer peer;
  const SessionId session = peer.hear_request(client, SoeTalk::there);
  for (const unsigned length : {5U, 9U, 128U, 255U}) {
    Bytes bad = peer.response();
    bad[10] = static_cast<std::byte>(length);
    client.receive(SoeTalk::there, bad);
    CHECK(client.events.empty());
    CHECK_FALSE(client.mux.is_open(session));
  }
  CHECK(client.dropped(Drop::bad_request) == 4);
  client.receive(SoeTalk::there, peer.response());
  CHECK(client.mux.is_open(session));
}

TEST_CASE("SOE malformed: a length of datagrams that is out of range is ignored",
          "[soe][malformed]") {
  const auto length = GENERATE(0U, 1U, 7U, 63U, 65508U, 0x10000U, 0x80000000U, 0xFFFFFFFFU);
  SECTION("in a request") {
    Config config;
    config.protocols = {"game"};
    SoeEnd server{config, SoeTalk::here};
    SoePeer peer;
    peer.udp_length = length;
    server.receive(SoeTalk::there, peer.request());
    server.advance();
    CHECK(server.sent.empty());
    CHECK(server.mux.half_open_count() == 0);
    CHECK(server.dropped(Drop::bad_request) == 1);
    peer.udp_length = 64;
    CHECK(server.mux.is_open(peer.join(server, SoeTalk::there)));
  }
  SECTION("in a response") {
    SoeEnd client{{}, SoeTalk::here};
    SoePeer peer;
    const SessionId session = peer.hear_request(client, SoeTalk::there);
    peer.udp_length = length;
    client.receive(SoeTalk::there, peer.response());
    CHECK_FALSE(client.mux.is_open(session));
    CHECK(client.dropped(Drop::bad_request) == 1);
    peer.udp_length = 65507;
    client.receive(SoeTalk::there, peer.response());
    CHECK(client.mux.is_open(session));
  }
}

TEST_CASE("SOE malformed: a response of another session is ignored", "[soe][malformed]") {
  SoeEnd client{{}, SoeTalk::here};
  SoePeer peer;
  const SessionId session = peer.hear_request(client, SoeTalk::there);
  SoePeer other = peer;
  ++other.session_id;
  other.crc_seed = 5;
  client.receive(SoeTalk::there, other.response());
  CHECK_FALSE(client.mux.is_open(session));
  CHECK(client.dropped(Drop::wrong_id) == 1);
  peer.crc_seed = 6;
  client.receive(SoeTalk::there, peer.response());
  CHECK(client.mux.is_open(session));
  CHECK(client.last_session() == session);
}

TEST_CASE("SOE malformed: a forged UnknownSender is ignored", "[soe][malformed]") {
  SoeTalk talk{any_role()};
  talk.say(bytes({0, 0x1D}));
  CHECK(talk.problem() == "");
  talk.end.run_for(20s);
  CHECK(talk.problem() == "");
}

TEST_CASE("SOE malformed: a forged request does nothing to a live session", "[soe][malformed]") {
  SoeTalk talk{any_role()};
  SoePeer forger;
  forger.session_id = talk.peer.session_id + 1;
  talk.say(forger.request());
  CHECK(talk.problem() == "");
  forger.protocol = "another game";
  talk.say(forger.request());
  CHECK(talk.problem() == "");
  // Nor does one that has heard the session's id.
  talk.say(talk.peer.request());
  CHECK(talk.problem() == "");
  talk.end.run_for(20s);
  CHECK(talk.problem() == "");
}

TEST_CASE("SOE malformed: a forged response does nothing to a live session", "[soe][malformed]") {
  SoeTalk talk{any_role()};
  SoePeer forger = talk.peer;
  forger.crc_seed = 99;
  for (const std::uint32_t version : {3U, 2U, 77U}) {
    forger.version = version;
    for (const std::uint32_t id : {talk.peer.session_id, talk.peer.session_id + 1}) {
      forger.session_id = id;
      talk.say(forger.response());
      CHECK(talk.problem() == "");
    }
  }
}

TEST_CASE("SOE malformed: a disconnect of another session is ignored", "[soe][malformed]") {
  SoeTalk talk{any_role()};
  std::uint64_t count = 0;
  for (const std::uint32_t id : {talk.peer.session_id + 1, 0U, ~talk.peer.session_id}) {
    talk.say(talk.peer.disconnect(id, 6));
    CHECK(talk.end.dropped(Drop::wrong_id) == ++count);
    CHECK(talk.problem() == "");
  }
  talk.say(talk.peer.disconnect(6));
  REQUIRE(talk.end.events.size() == 1);
  CHECK(talk.end.events[0].reason == DisconnectReason::application);
  CHECK(talk.end.events[0].by_peer);
}

TEST_CASE("SOE malformed: what has a frame is ignored while a client connects",
          "[soe][malformed]") {
  SoeEnd client{{}, SoeTalk::here};
  SoePeer peer;
  const SessionId session = peer.hear_request(client, SoeTalk::there);
  // As it would be right before anything was negotiated, or with a checksum of any length.
  for (std::uint8_t length = 0; length <= 4; ++length) {
    peer.crc_length = length;
    for (const Bytes& datagram :
         {peer.heartbeat(), peer.reliable(0, "early"), peer.disconnect(6), peer.unreliable("early"),
          peer.acknowledge_all(0), peer.ordered(1, "early"),
          peer.multi({SoePeer::sub_reliable(0, "early")})}) {
      client.receive(SoeTalk::there, datagram);
      client.advance();
      CHECK(client.events.empty());
      CHECK(client.sent.empty());
    }
  }
  CHECK(client.dropped(Drop::wrong_state) == 5 * 7);
  peer.crc_length = 2;
  peer.crc_seed = 7;
  client.receive(SoeTalk::there, peer.response());
  REQUIRE(client.mux.is_open(session));
  client.receive(SoeTalk::there, peer.reliable(0, "now"));
  CHECK(client.events.back().data == "now");
}

TEST_CASE("SOE malformed: a flood of requests costs a bounded number of answers",
          "[soe][malformed]") {
  Config config;
  config.protocols = {"game"};
  SoeEnd server{config, SoeTalk::here};
  SoePeer forger;
  for (unsigned i = 0; i < 20'000; ++i) {
    server.receive(Address::v4(0x0B000000 + i, 1000), forger.request());
    server.advance();
  }
  CHECK(server.sent.size() <= config.requests_per_second);
  CHECK(server.mux.half_open_count() <= config.max_half_open);
  CHECK(server.mux.session_count() == 0);
  CHECK(server.events.empty());
  CHECK(server.dropped(Drop::too_many_requests) >= 18'000);
}

// Errors of sockets are the driver's; what is left of them for a core is that nothing gets lost
// with them.
TEST_CASE("SOE malformed: what a send error leaves behind stays", "[soe][malformed]") {
  SoeTalk talk{any_role()};
  for (unsigned i = 0; i < 100; ++i) {
    REQUIRE(talk.end.mux.enqueue(talk.session, as_bytes(std::to_string(i))) ==
            EnqueueStatus::queued);
  }
  talk.end.mux.advance(talk.end.now);
  SoeEnd::Mux::Transmit transmit;
  REQUIRE(talk.end.mux.poll_transmit(transmit));
  const std::size_t taken = transmit.datagrams.size();
  for (const auto datagram : transmit.datagrams) {
    talk.end.sent.push_back({transmit.to, {datagram.begin(), datagram.end()}});
  }
  // The socket is full. Time passes, something arrives, and then there is room again.
  talk.end.now += 1ms;
  talk.end.mux.advance(talk.end.now);
  talk.end.receive(SoeTalk::there, talk.peer.reliable(0, "meanwhile"));
  talk.end.mux.advance(talk.end.now);
  talk.end.poll_transmits();
  std::vector<bool> seen(100);
  for (const SoePeer::Packet& packet : talk.heard()) {
    if (packet.op == op_of(OpCode::reliable_data, 0)) seen.at(SoePeer::two(packet.body)) = true;
  }
  CHECK(taken > 0);
  CHECK(std::count(seen.begin(), seen.end(), true) == 100);
}

TEST_CASE("SOE malformed: a bundle with a bad length ends the session and delivers nothing of it",
          "[soe][malformed]") {
  const Role role = any_role();
  const auto bad = GENERATE(
      values<std::string>({std::string{"\x05xyz"}, std::string{"\xFF"}, std::string{"\xFF\x00", 2},
                           std::string{"\xFF\xFF\xFF\x00\x00\x00", 6}}));
  SoeTalk talk{role};
  talk.say(talk.peer.reliable(0, SoePeer::bundle({"first", "second"}) + bad));
  CHECK(talk.end.count(Kind::data) == 0);
  CHECK(talk.problem_of_end(DisconnectReason::corrupt_packet) == "");
}
