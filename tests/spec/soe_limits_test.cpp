// SPDX-License-Identifier: MIT
// What bounds SOE sessions: memory for what waits, for what is not complete, for who only asked,
// and what is counted.
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
using muster::Address;
using muster::as_bytes;
using test::Bytes;
using test::SoeEnd;
using test::SoeEvent;
using test::SoePair;
using test::SoePeer;
using test::SoeTalk;
using Kind = SoeEvent::Kind;
using Role = SoeTalk::Role;

namespace {

const Address here = SoeTalk::here;
const Address there = SoeTalk::there;

Address host(std::uint32_t number) { return Address::v4(0x0B000000 + number, 5000); }

Config serving(Config config = {}) {
  config.protocols = {"game"};
  return config;
}

SoePeer peer_with(std::uint32_t session_id) {
  SoePeer peer;
  peer.session_id = session_id;
  return peer;
}

}  // namespace

// Counting.

TEST_CASE("SOE limits: each datagram is counted once", "[soe][limits]") {
  Config config = serving();
  config.allows_port_remaps = true;
  SoeEnd server{config, here};
  std::uint64_t count = 0;
  std::uint64_t size = 0;
  const auto receive = [&](const Address& from, const Bytes& datagram) {
    server.receive(from, datagram);
    size += datagram.size();
    CHECK(server.mux.totals().datagrams_received == ++count);
    CHECK(server.mux.totals().bytes_received == size);
    server.advance();
  };
  SoePeer peer;
  receive(there, peer.request());
  peer.adopt(server.take_sent()[0].bytes);
  receive(there, peer.reliable(0, "the first"));
  CHECK(server.count(Kind::opened) == 1);
  receive(there, peer.reliable(1, "a second"));
  // A new session takes the place of the old.
  SoePeer restarted = peer_with(5);
  server.sent.clear();
  receive(there, restarted.request());
  restarted.adopt(server.take_sent()[0].bytes);
  receive(there, restarted.reliable(0, "the first"));
  CHECK(server.count(Kind::opened) == 2);
  // Remaps, strangers, and what is nothing.
  Address moved = there;
  moved.port = 1;
  receive(moved, restarted.remap());
  receive(moved, restarted.remap());
  receive(host(1), restarted.remap());
  receive(host(1), peer.heartbeat());
  receive(moved, {});
  receive(host(1), {std::byte{0}, std::byte{1}});
}

TEST_CASE("SOE limits: what is sent is counted once", "[soe][limits]") {
  SoePair pair{{.link = {.loss = 0.1, .delay = 10ms}}};
  pair.open();
  for (int i = 0; i < 100; ++i) {
    REQUIRE(pair.client.mux.enqueue(pair.at_client, as_bytes(std::string(1000, 'x')),
                                    static_cast<Channel>(i % 5)) == EnqueueStatus::queued);
  }
  pair.drive();
  const Totals& client = pair.client.mux.totals();
  const Totals& server = pair.server.mux.totals();
  CHECK(client.datagrams_sent == pair.up.stats().sent);
  CHECK(client.bytes_sent == pair.up.stats().sent_bytes);
  CHECK(client.datagrams_received == pair.down.stats().delivered);
  CHECK(server.datagrams_received == pair.up.stats().delivered);
  CHECK(server.bytes_received == pair.up.stats().delivered_bytes);
  CHECK(client.messages_sent == 101);
  CHECK(server.messages_received == pair.server.count(Kind::data) + 1);
  CHECK(client.sessions_opened == 1);
  CHECK(server.sessions_opened == 1);
  CHECK(pair.client.mux.terminate(pair.at_client, DisconnectReason::application, pair.now()));
  CHECK(client.sessions_closed == 1);
  CHECK(pair.client.mux.session_count() == 0);
}

TEST_CASE("SOE limits: what arrives before the events were polled is dropped", "[soe][limits]") {
  SoeTalk talk{Role::server};
  Bytes first = talk.peer.reliable(0, "first");
  Bytes second = talk.peer.reliable(1, "second");
  talk.end.mux.receive(there, first, talk.end.now);
  talk.end.mux.receive(there, second, talk.end.now);
  CHECK(talk.end.dropped(Drop::not_polled) == 1);
  talk.end.poll_events();
  REQUIRE(talk.end.events.size() == 1);
  CHECK(talk.end.events[0].data == "first");
  // As if the network had lost it.
  talk.say(talk.peer.reliable(1, "second"));
  CHECK(talk.end.events.back().data == "second");
}

// What a session has to send.

TEST_CASE("SOE limits: over the budget nothing is taken until there is room", "[soe][limits]") {
  const Role role = GENERATE(Role::server, Role::client);
  Config config;
  config.send_budget = 64 * 1024;
  config.pacing = muster::soe::Pacing::fixed_window;
  SoeTalk talk{role, config};
  const std::string message(400, 'm');
  const auto fill = [&] {
    unsigned count = 0;
    while (talk.end.mux.enqueue(talk.session, as_bytes(message)) == EnqueueStatus::queued) ++count;
    CHECK(talk.end.mux.enqueue(talk.session, as_bytes(message)) == EnqueueStatus::over_budget);
    return count;
  };
  const unsigned count = fill();
  CHECK(count > 50);
  CHECK(count < 64 * 1024 / 400);
  CHECK(talk.end.mux.stats(talk.session).queued_bytes <= config.send_budget);
  talk.end.advance();
  CHECK(talk.hear(OpCode::reliable_data) == count);
  CHECK(talk.end.events.empty());

  // Not yet: more than half of it is under way.
  talk.say(talk.peer.acknowledge_all(count / 4));
  CHECK(talk.end.events.empty());
  talk.say(talk.peer.acknowledge_all(count / 2));
  REQUIRE(talk.end.events.size() == 1);
  CHECK(talk.end.events[0].kind == Kind::writable);
  CHECK(talk.end.events[0].session == talk.session);
  CHECK(talk.end.mux.stats(talk.session).queued_bytes <= config.send_budget / 2);
  // It is said once.
  talk.say(talk.peer.acknowledge_all(count - 1));
  CHECK(talk.end.events.size() == 1);
  CHECK(talk.end.mux.stats(talk.session).queued_bytes == 0);
  talk.end.events.clear();
  CHECK(fill() == count);
}

TEST_CASE("SOE limits: what can never be sent is refused for good", "[soe][limits]") {
  Config config;
  config.send_budget = 64 * 1024;
  SoeTalk talk{Role::server, config};
  CHECK(talk.end.mux.enqueue(talk.session, as_bytes(std::string(70'000, 'x'))) ==
        EnqueueStatus::too_large);
  CHECK(talk.end.mux.enqueue(talk.session, as_bytes(std::string(507, 'x')), Channel::ordered) ==
        EnqueueStatus::too_large);
  CHECK(talk.end.mux.enqueue(talk.session, as_bytes(std::string(40'000, 'x'))) ==
        EnqueueStatus::queued);
  CHECK(talk.end.mux.enqueue(talk.session, as_bytes(std::string(40'000, 'x'))) ==
        EnqueueStatus::over_budget);
  CHECK(talk.end.mux.enqueue(talk.session, {}) == EnqueueStatus::queued);
  CHECK(talk.problem() != "");  // since fragments leave first
}

TEST_CASE("SOE limits: a session that ends gives back what waited", "[soe][limits]") {
  Config config = serving();
  config.send_budget = 64 * 1024;
  SoeEnd server{config, here};
  for (std::uint32_t i = 0; i < 20; ++i) {
    SoePeer peer = peer_with(i);
    const SessionId session = peer.join(server, host(i));
    CHECK(server.mux.stats(session).queued_bytes == 0);
    unsigned count = 0;
    while (server.mux.enqueue(session, as_bytes(std::string(400, 'm'))) == EnqueueStatus::queued) {
      ++count;
    }
    CHECK(count > 50);
    server.advance();
    server.mux.terminate(session, DisconnectReason::application, server.now);
    server.advance();
    server.events.clear();
    server.sent.clear();
  }
}

TEST_CASE("SOE limits: what is not polled stays, and advance adds nothing to thousands",
          "[soe][limits]") {
  Config config;
  config.send_window = 32767;
  config.send_budget = 64 << 20;
  config.pacing = muster::soe::Pacing::fixed_window;
  SoePeer player;
  player.receive_window = 32767;
  SoeTalk talk{Role::server, config, player};
  constexpr unsigned messages = 30'000;
  for (unsigned i = 0; i < messages; ++i) {
    REQUIRE(talk.end.mux.enqueue(talk.session, as_bytes("m")) == EnqueueStatus::queued);
  }
  for (int i = 0; i < 10; ++i) {
    talk.end.mux.advance(talk.end.now);
    talk.end.now += 1ms;
  }
  CHECK(talk.end.mux.enqueue(talk.session, as_bytes("u"), Channel::unreliable) ==
        EnqueueStatus::over_budget);
  talk.end.poll_transmits();
  CHECK(talk.end.sent.size() > 10'000);
  CHECK(talk.end.sent.size() < 20'000);
  // The rest leaves without being asked for.
  talk.end.run_for(10ms);
  CHECK(talk.hear(OpCode::reliable_data) == messages);
  CHECK(talk.end.mux.enqueue(talk.session, as_bytes("u"), Channel::unreliable) ==
        EnqueueStatus::queued);
}

TEST_CASE("SOE limits: unreliable messages without end find their place", "[soe][limits]") {
  SoeTalk talk{GENERATE(Role::server, Role::client)};
  const Channel channel = GENERATE(Channel::unreliable, Channel::ordered);
  // Nothing arrives meanwhile.
  for (unsigned i = 0; i < 50'000; ++i) {
    if (talk.end.mux.enqueue(talk.session, as_bytes("frame"), channel) != EnqueueStatus::queued) {
      FAIL("message " << i);
    }
    talk.end.advance();
    if (talk.end.take_sent().size() != 1) FAIL("message " << i << " does not leave alone");
  }
}

// What a session receives and cannot deliver yet.

TEST_CASE("SOE limits: unfinished messages of all sessions share a budget", "[soe][limits]") {
  Config config = serving();
  config.max_message = 100'000;
  config.reassembly_budget = 100'000;
  SoeEnd server{config, here};
  SoePeer first = peer_with(1);
  SoePeer second = peer_with(2);
  const SessionId first_session = first.join(server, host(1));
  const SessionId second_session = second.join(server, host(2));
  // The first has nearly all of a large message there.
  const std::string message(100'000, 'p');
  const std::vector<Bytes> fragments = first.fragments(0, message, 500);
  for (std::size_t i = 0; i < 198; ++i) server.receive(host(1), fragments[i]);
  CHECK(server.dropped(Drop::no_memory) == 0);
  // The second finds no room; its packets are as if they were lost.
  server.receive(host(2), second.first_fragment(0, 100'000, std::string(500, 'p')));
  CHECK(server.dropped(Drop::no_memory) == 1);
  server.receive(host(2), second.reliable(1, "early, and to be kept"));
  CHECK(server.dropped(Drop::no_memory) == 2);
  server.advance();
  CHECK(second.read(server.take_sent()).empty());
  CHECK(server.events.empty());
  // What needs no memory passes.
  server.receive(host(2), second.reliable(0, "whole"));
  REQUIRE(server.events.size() == 1);
  CHECK(server.take_events()[0].data == "whole");

  SECTION("until the first is complete") {
    server.receive(host(1), fragments[198]);
    server.receive(host(1), fragments[199]);
    REQUIRE(server.events.size() == 1);
    CHECK(server.take_events()[0].data == message);
  }
  SECTION("or its session is over") {
    server.receive(host(1), first.disconnect(6));
    server.events.clear();
  }
  CHECK(server.mux.is_open(second_session));
  CHECK(server.mux.is_open(first_session) == (server.mux.session_count() == 2));
  for (const Bytes& fragment : second.fragments(1, message, 500)) {
    server.receive(host(2), fragment);
  }
  REQUIRE(server.events.size() == 1);
  CHECK(server.events[0].data == message);
}

TEST_CASE("SOE limits: what came early shares the budget, and gives it back", "[soe][limits]") {
  Config config;
  config.max_message = 64'000;
  config.reassembly_budget = 64'000;
  config.receive_window = 256;
  SoeTalk talk{Role::server, config};
  for (int round = 0; round < 5; ++round) {
    const std::uint64_t before = talk.end.dropped(Drop::no_memory);
    for (unsigned i = 1; i <= 250; ++i) talk.say(talk.peer.reliable(talk.next_up + i, "early"));
    const std::uint64_t refused = talk.end.dropped(Drop::no_memory) - before;
    // A packet counts as much as it may hold, some 640 bytes: there is room for 100, half of it is
    // theirs, and a channel takes no more of that than it leaves.
    CHECK(refused > 220);
    CHECK(refused < 240);
    CHECK(talk.end.events.empty());
    const std::size_t kept = 250 - refused;
    talk.say(talk.peer.reliable(talk.next_up, "the one that was missing"));
    CHECK(talk.end.take_events().size() == kept + 1);
    talk.next_up = static_cast<std::uint16_t>(talk.next_up + kept + 1);
  }
  talk.end.sent.clear();
  CHECK(talk.problem() == "");
}

TEST_CASE("SOE limits: peers that leave gaps leave memory for the messages of others",
          "[soe][limits]") {
  Config config = serving();
  config.max_message = 100'000;
  config.reassembly_budget = 1 << 20;
  SoeEnd server{config, here};
  // On each channel the first packet is missing, and all that the window admits follows.
  std::vector<SoePeer> hogs;
  for (std::uint32_t i = 0; i < 5; ++i) {
    hogs.push_back(peer_with(i));
    hogs.back().join(server, host(i));
    for (unsigned channel = 0; channel < 4; ++channel) {
      for (unsigned k = 1; k < 250; ++k) {
        server.receive(host(i), hogs.back().reliable(k, std::string(400, 'e'), channel));
      }
    }
  }
  CHECK(server.dropped(Drop::no_memory) > 0);
  const std::uint64_t refused = server.dropped(Drop::no_memory);
  SoePeer peer = peer_with(100);
  peer.join(server, host(100));
  const std::string message(100'000, 'p');
  for (const Bytes& fragment : peer.fragments(0, message, 500)) {
    server.receive(host(100), fragment);
  }
  REQUIRE(server.events.size() == 1);
  CHECK(server.events[0].data == message);
  CHECK(server.dropped(Drop::no_memory) == refused);
}

// Those who only asked.

TEST_CASE("SOE limits: sessions that opened do not count as half-open", "[soe][limits]") {
  Config config = serving();
  config.max_half_open = 4;
  SoeEnd server{config, here};
  std::uint32_t number = 0;
  const auto join_another = [&] {
    SoePeer peer = peer_with(++number);
    peer.join(server, host(number));
  };
  join_another();
  join_another();
  SoePeer slow = peer_with(1000);
  slow.ask(server, host(1000));
  for (int i = 0; i < 20; ++i) join_another();
  CHECK(server.mux.half_open_count() == 1);
  CHECK(server.mux.totals().half_open_evicted == 0);
  server.receive(host(1000), slow.heartbeat());
  CHECK(server.count(Kind::opened) == 1);
}
