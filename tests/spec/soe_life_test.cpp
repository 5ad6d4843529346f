// SPDX-License-Identifier: MIT
// How SOE sessions live and end: heartbeats, net status, silence, and who learns what of the end.
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

Config serving() {
  Config config;
  config.protocols = {"game"};
  return config;
}

/// A peer with an id of its own.
SoePeer peer_with(std::uint32_t session_id) {
  SoePeer peer;
  peer.session_id = session_id;
  return peer;
}

std::vector<Kind> kinds(const std::vector<SoeEvent>& events) {
  std::vector<Kind> all;
  for (const SoeEvent& event : events) all.push_back(event.kind);
  return all;
}

}  // namespace

TEST_CASE("SOE defect: heartbeats of a client are at least a second apart", "[soe][life]") {
  SoeTalk talk{Role::client};
  talk.end.run_for(25s);
  CHECK(talk.end.sent.empty());
  // A driver that advances far more often than needed.
  for (int i = 0; i < 1000; ++i) {
    talk.end.now += 5ms;
    talk.end.advance();
  }
  CHECK(talk.end.events.empty());
  const std::size_t heartbeats = talk.end.sent.size();
  CHECK(talk.hear(OpCode::heartbeat) == heartbeats);
  CHECK(heartbeats >= 4);
  CHECK(heartbeats <= 6);
  talk.end.run_for(200ms);
  REQUIRE(kinds(talk.end.events) == std::vector{Kind::closed});
  CHECK(talk.end.events[0].reason == DisconnectReason::timeout);
  CHECK_FALSE(talk.end.events[0].by_peer);
}

TEST_CASE("SOE life: a heartbeat that is answered keeps a session alive", "[soe][life]") {
  SoePair pair{{.link = {.delay = 10ms}}};
  pair.open();
  pair.run_for(1h);
  CHECK(pair.client.events.empty());
  CHECK(pair.server.events.empty());
  CHECK(pair.client.mux.is_open(pair.at_client));
  CHECK(pair.server.mux.is_open(pair.at_server));
  // One every 25 seconds, more or less, and its answer.
  CHECK(pair.up.stats().sent < 3600 / 20);
}

TEST_CASE("SOE life: a server answers each heartbeat, a client none", "[soe][life]") {
  const Role role = GENERATE(Role::server, Role::client);
  SoeTalk talk{role};
  for (int i = 0; i < 3; ++i) {
    talk.say(talk.peer.heartbeat());
    CHECK(talk.hear(OpCode::heartbeat) == (role == Role::server ? 1 : 0));
  }
  CHECK(talk.problem() == "");
}

TEST_CASE("SOE life: silence ends a session, unless that is switched off", "[soe][life]") {
  const Role role = GENERATE(Role::server, Role::client);
  Config config;
  SECTION("after the time that is configured") {
    config.inactivity_timeout = 10s;
    SoeTalk talk{role, config};
    talk.end.run_for(9s);
    CHECK(talk.problem() == "");
    talk.end.run_for(9s);
    CHECK(talk.problem() == "");
    talk.end.run_for(11s);
    REQUIRE(kinds(talk.end.events) == std::vector{Kind::closed});
    CHECK(talk.end.events[0].reason == DisconnectReason::timeout);
    CHECK_FALSE(talk.end.events[0].by_peer);
    CHECK(talk.hear(OpCode::disconnect) == 0);
  }
  SECTION("never") {
    config.inactivity_timeout = 0s;
    config.heartbeat_after = 0s;
    SoeTalk talk{role, config};
    talk.end.run_for(24h);
    CHECK(talk.end.sent.empty());
    CHECK(talk.problem() == "");
  }
}

TEST_CASE("SOE life: what cannot be valid is no sign of life", "[soe][life]") {
  const Role role = GENERATE(Role::server, Role::client);
  SoeTalk talk{role};
  SoePeer forger = talk.peer;
  ++forger.crc_seed;
  for (int i = 0; i < 31; ++i) {
    talk.end.run_for(1s);
    talk.say(forger.heartbeat());
    talk.say(forger.unreliable("noise"));
    talk.say(forger.response());
    talk.say({});
    talk.say(Bytes{std::byte{0}, std::byte{0x1C}});
  }
  REQUIRE(kinds(talk.end.events) == std::vector{Kind::closed});
  CHECK(talk.end.events[0].reason == DisconnectReason::timeout);
}

TEST_CASE("SOE life: reliable data that nobody acknowledges ends a session", "[soe][life]") {
  const Role role = GENERATE(Role::server, Role::client);
  Config config;
  config.unacknowledged_timeout = 20s;
  SoeTalk talk{role, config};
  REQUIRE(talk.end.mux.enqueue(talk.session, as_bytes("heard?")) == EnqueueStatus::queued);
  talk.end.advance();
  // The peer speaks, but does not acknowledge.
  for (int i = 0; i < 19; ++i) {
    talk.end.run_for(1s);
    talk.say(talk.peer.unreliable("deaf"));
  }
  CHECK(talk.end.count(Kind::closed) == 0);
  talk.end.events.clear();
  talk.end.run_for(1500ms);
  CHECK(talk.problem_of_end(DisconnectReason::unacknowledged_timeout) == "");
}

TEST_CASE("SOE life: net status tells both ends what the other counts", "[soe][life]") {
  SoePair::Settings settings;
  settings.client.net_status_interval = 2s;
  settings.link = {.loss = 0.2, .delay = 30ms};
  SoePair pair{settings};
  // The first one tells the server of the session, so the client need not say anything.
  pair.connect();
  pair.drive_until([&] { return pair.server.count(Kind::opened) == 1; }, "the server to open");
  pair.at_server = pair.server.last_session();
  std::uint64_t lost_up = 0;
  for (int i = 0; i < 600; ++i) {
    REQUIRE(pair.client.mux.enqueue(pair.at_client, as_bytes("unreliable"), Channel::unreliable) ==
            EnqueueStatus::queued);
    pair.run_for(100ms);
  }
  lost_up = pair.up.stats().lost;
  const SessionStats client = pair.client.mux.stats(pair.at_client);
  const SessionStats server = pair.server.mux.stats(pair.at_server);
  // What they know is at most some lost reports old. The request is not counted by the session of
  // the server, which is younger.
  CHECK(server.peer_sent > 500);
  CHECK(server.peer_sent <= client.datagrams_sent);
  CHECK(server.peer_received <= client.datagrams_received);
  CHECK(client.peer_received > 400);
  CHECK(client.peer_received <= server.datagrams_received);
  CHECK(client.peer_sent <= server.datagrams_sent);
  CHECK(client.datagrams_sent - server.datagrams_received >= lost_up);
  CHECK(client.datagrams_sent - server.datagrams_received <= lost_up + 20);
}

TEST_CASE("SOE life: a server answers net status at once", "[soe][life]") {
  SoeTalk talk{Role::server};
  NetStatusRequest request{.client_tick = 0x1234, .packets_sent = 7, .packets_received = 5};
  Bytes body(NetStatusRequest::size);
  REQUIRE(request.encode(body) == body.size());
  body.resize(body.size() + 9);  // more than is known
  talk.say(talk.peer.frame(OpCode::net_status_request, body));
  const auto heard = talk.heard();
  REQUIRE(heard.size() == 1);
  CHECK(heard[0].op == static_cast<std::uint16_t>(OpCode::net_status_response));
  const auto response = NetStatusResponse::decode(heard[0].body);
  REQUIRE(response);
  CHECK(response->client_tick == 0x1234);
  CHECK(response->client_sent == 7);
  CHECK(response->client_received == 5);
  const SessionStats stats = talk.end.mux.stats(talk.session);
  CHECK(response->server_sent == stats.datagrams_sent);
  CHECK(response->server_received == stats.datagrams_received);
  CHECK(stats.peer_sent == 7);
  CHECK(stats.peer_received == 5);
  CHECK(talk.problem() == "");
}

// The end.

TEST_CASE("SOE life: close lets everything arrive first", "[soe][life]") {
  const bool by_client = GENERATE(true, false);
  SoePair pair{{.link = {.loss = 0.1, .delay = 20ms}, .seed = 5}};
  pair.open();
  SoeEnd& one = by_client ? pair.client : pair.server;
  SoeEnd& other = by_client ? pair.server : pair.client;
  const SessionId session = by_client ? pair.at_client : pair.at_server;
  const SessionId at_other = by_client ? pair.at_server : pair.at_client;
  for (int i = 0; i < 500; ++i) {
    REQUIRE(one.mux.enqueue(session, as_bytes(std::string(500, 'a')),
                            static_cast<Channel>(i % 4)) == EnqueueStatus::queued);
  }
  CHECK(one.mux.close(session, DisconnectReason::application, pair.now()));
  CHECK(one.mux.enqueue(session, as_bytes("late")) == EnqueueStatus::not_open);
  // The other may go on meanwhile.
  REQUIRE(other.mux.enqueue(at_other, as_bytes("meanwhile")) == EnqueueStatus::queued);
  pair.drive_until([&] { return one.count(Kind::closed) == 1; }, "the end", 5s);
  pair.run_for(1s);
  CHECK(one.count(Kind::data) == 1);
  CHECK(one.events.back().kind == Kind::closed);
  CHECK(one.events.back().reason == DisconnectReason::application);
  CHECK_FALSE(one.events.back().by_peer);
  CHECK(other.count(Kind::data) == 500);
  // The last word may have got lost; it is not repeated.
  if (other.count(Kind::closed) != 0) {
    CHECK(other.events.back().reason == DisconnectReason::application);
    CHECK(other.events.back().by_peer);
    CHECK(other.mux.session_count() == 0);
  }
}

TEST_CASE("SOE life: close with nothing to send ends at once", "[soe][life]") {
  const Role role = GENERATE(Role::server, Role::client);
  SoeTalk talk{role};
  CHECK(talk.end.mux.close(talk.session, DisconnectReason::manager_deleted, talk.end.now));
  talk.end.advance();
  CHECK(talk.problem_of_end(DisconnectReason::manager_deleted) == "");
  CHECK_FALSE(talk.end.mux.close(talk.session, DisconnectReason::application, talk.end.now));
}

TEST_CASE("SOE life: close waits only so long", "[soe][life]") {
  const Role role = GENERATE(Role::server, Role::client);
  Config config;
  config.close_timeout = 3s;
  SoeTalk talk{role, config};
  REQUIRE(talk.end.mux.enqueue(talk.session, as_bytes("never acknowledged")) ==
          EnqueueStatus::queued);
  CHECK(talk.end.mux.close(talk.session, DisconnectReason::application, talk.end.now));
  talk.end.run_for(2900ms);
  CHECK(talk.end.events.empty());
  CHECK_FALSE(talk.end.mux.is_open(talk.session));
  CHECK(talk.end.mux.session_count() == 1);
  talk.end.run_for(200ms);
  CHECK(talk.problem_of_end(DisconnectReason::application) == "");
}

TEST_CASE("SOE life: an attempt that is given up ends without a word", "[soe][life]") {
  const bool is_close = GENERATE(true, false);
  SoeEnd client{{}, here};
  SoePeer peer;
  const SessionId session = peer.hear_request(client, there);
  const bool is_known =
      is_close ? client.mux.close(session, DisconnectReason::application, client.now)
               : client.mux.terminate(session, DisconnectReason::application, client.now);
  CHECK(is_known);
  client.advance();
  REQUIRE(kinds(client.events) == std::vector{Kind::closed});
  CHECK(client.sent.empty());
  client.receive(there, peer.response());
  CHECK(client.events.size() == 1);
  CHECK(client.mux.connect(there, "game", client.now));
}

TEST_CASE("SOE life: terminate ends at once", "[soe][life]") {
  const Role role = GENERATE(Role::server, Role::client);
  SoeTalk talk{role};
  for (int i = 0; i < 300; ++i) {
    REQUIRE(talk.end.mux.enqueue(talk.session, as_bytes("waits")) == EnqueueStatus::queued);
  }
  CHECK(talk.end.mux.terminate(talk.session, DisconnectReason::application, talk.end.now));
  talk.end.advance();
  // What the window allows leaves before the last word, once.
  const auto packets = talk.peer.read(talk.end.sent);
  REQUIRE(packets.size() == 197);
  CHECK(packets.front().op == op_of(OpCode::reliable_data, 0));
  CHECK(packets.back().op == static_cast<std::uint16_t>(OpCode::disconnect));
  CHECK(talk.problem_of_end(DisconnectReason::application) == "");
  talk.end.run_for(1min);
  CHECK(talk.end.sent.empty());
  CHECK(talk.end.events.empty());
}

TEST_CASE("SOE life: a disconnect that is repeated does nothing more", "[soe][life]") {
  const Role role = GENERATE(Role::server, Role::client);
  Config config;
  config.answers_unknown_senders = true;
  SoeTalk talk{role, config};
  for (int i = 0; i < 5; ++i) talk.say(talk.peer.disconnect(6));
  REQUIRE(kinds(talk.end.events) == std::vector{Kind::closed});
  CHECK(talk.end.events[0].by_peer);
  CHECK(talk.end.events[0].reason == DisconnectReason::application);
  CHECK(talk.end.sent.empty());
  CHECK(talk.end.dropped(Drop::no_session) == 4);
}

TEST_CASE("SOE life: a disconnect without a reason, or an unknown one", "[soe][life]") {
  const Role role = GENERATE(Role::server, Role::client);
  SoeTalk talk{role};
  SECTION("none") {
    talk.say(talk.peer.frame(OpCode::disconnect, SoePeer::number(talk.peer.session_id, 4)));
  }
  SECTION("unknown") { talk.say(talk.peer.disconnect(999)); }
  REQUIRE(kinds(talk.end.events) == std::vector{Kind::closed});
  CHECK(talk.end.events[0].reason == DisconnectReason::none);
  CHECK(talk.end.events[0].by_peer);
}

TEST_CASE("SOE life: the id of a closed session leads nowhere", "[soe][life]") {
  const Role role = GENERATE(Role::server, Role::client);
  SoeTalk talk{role};
  const SessionId old = talk.session;
  talk.say(talk.peer.disconnect(6));
  talk.end.advance();
  talk.end.events.clear();
  const auto is_gone = [&] {
    auto& mux = talk.end.mux;
    return !mux.is_open(old) && mux.remote(old) == nullptr && mux.stats(old).udp_length == 0 &&
           mux.enqueue(old, as_bytes("late")) == EnqueueStatus::not_open &&
           !mux.terminate(old, DisconnectReason::application, talk.end.now) &&
           !mux.close(old, DisconnectReason::application, talk.end.now) &&
           !mux.set_encryption(old, 1, as_bytes("key"));
  };
  CHECK(is_gone());
  // A new session may get the same place.
  SoePeer next = peer_with(1234);
  const SessionId fresh =
      role == Role::server ? next.join(talk.end, host(1)) : next.serve(talk.end, host(1));
  CHECK(fresh.index == old.index);
  CHECK(fresh.generation != old.generation);
  CHECK(is_gone());
  CHECK(talk.end.mux.is_open(fresh));
  CHECK(talk.end.mux.terminate(fresh, DisconnectReason::application, talk.end.now));
  // Nor does what never was one.
  CHECK_FALSE(talk.end.mux.is_open(SessionId{}));
  CHECK_FALSE(talk.end.mux.is_open(SessionId{12345, 1}));
  CHECK(talk.end.mux.enqueue(SessionId{12345, 1}, as_bytes("x")) == EnqueueStatus::not_open);
}

TEST_CASE("SOE life: a closed address can connect again at once", "[soe][life]") {
  SECTION("to a server, with the next datagram") {
    SoeTalk talk{Role::server};
    SoePeer again = peer_with(4321);
    std::vector<SoeEnd::Sent> both{{there, talk.peer.disconnect(6)}, {there, again.request()}};
    talk.end.receive(both);
    talk.end.advance();
    REQUIRE(kinds(talk.end.events) == std::vector{Kind::closed});
    REQUIRE(talk.end.sent.size() == 1);
    again.adopt(talk.end.take_sent()[0].bytes);
    talk.end.events.clear();
    talk.say(again.heartbeat());
    REQUIRE(kinds(talk.end.events) == std::vector{Kind::opened});
    CHECK(talk.end.events[0].session != talk.session);
  }
  SECTION("from a client, while it handles the end") {
    SoeTalk talk{Role::client};
    muster::soe::Event event;
    talk.end.mux.terminate(talk.session, DisconnectReason::application, talk.end.now);
    REQUIRE(talk.end.mux.poll_event(event));
    REQUIRE(event.kind == Kind::closed);
    const auto session = talk.end.mux.connect(there, "game", talk.end.now);
    REQUIRE(session);
    CHECK(*session != talk.session);
    talk.end.advance();
    // The old session's last word, then the new one's first.
    REQUIRE(talk.end.sent.size() == 2);
    CHECK(talk.peer.read(talk.end.sent[0].bytes)[0].op == 5);
    CHECK(SessionRequest::decode(talk.end.sent[1].bytes));
    talk.end.receive(there, talk.peer.reliable(0, "for the old one"));
    CHECK(talk.end.events.empty());
  }
}

TEST_CASE("SOE life: the address of a closed session is known while its end is handled",
          "[soe][life]") {
  const bool by_peer = GENERATE(true, false);
  SoeTalk talk{Role::client};
  auto& mux = talk.end.mux;
  Bytes goodbye = talk.peer.disconnect(6);
  if (by_peer) {
    mux.receive(there, goodbye, talk.end.now);
  } else {
    mux.terminate(talk.session, DisconnectReason::application, talk.end.now);
  }
  muster::soe::Event event;
  REQUIRE(mux.poll_event(event));
  REQUIRE(event.kind == Kind::closed);
  REQUIRE(mux.remote(event.session) != nullptr);
  CHECK(*mux.remote(event.session) == there);
  // Back to where it was.
  const auto session = mux.connect(*mux.remote(event.session), "game", talk.end.now);
  REQUIRE(session);
  REQUIRE(mux.remote(event.session) != nullptr);
  CHECK(*mux.remote(event.session) == there);
  REQUIRE(mux.connect(host(1), "game", talk.end.now));
  CHECK(mux.remote(event.session) != nullptr);
  REQUIRE(mux.remote(*session) != nullptr);
  CHECK(*mux.remote(*session) == there);
  CHECK(mux.find(there) == *session);
  talk.end.advance();
  for (const SoeEnd::Sent& each : talk.end.sent) {
    CHECK(each.to == (&each == &talk.end.sent.back() ? host(1) : there));
  }
  talk.end.advance();
  CHECK(mux.remote(event.session) == nullptr);
}

TEST_CASE("SOE life: nothing is sent to the address that had the place before", "[soe][life]") {
  SoeEnd server{serving(), here};
  SoePeer first = peer_with(1);
  const SessionId old = first.join(server, host(1));
  for (int i = 0; i < 10; ++i) {
    REQUIRE(server.mux.enqueue(old, as_bytes("for the first")) == EnqueueStatus::queued);
  }
  server.mux.terminate(old, DisconnectReason::application, server.now);
  server.poll_events();
  // Its last datagrams are not sent yet. Others come, ask, and go.
  std::vector<SoePeer> peers;
  for (std::uint32_t i = 2; i < 20; ++i) {
    server.receive(host(i), peer_with(i).request());
    server.mux.advance(server.now);
  }
  server.poll_transmits();
  CHECK(server.sent.size() == 11 + 18);
  for (const SoeEnd::Sent& each : server.sent) {
    if (const auto response = SessionResponse::decode(each.bytes)) {
      CHECK(each.to == host(response->session_id));
    } else {
      CHECK(each.to == host(1));
      CHECK(first.read(each.bytes).size() == 1);
    }
  }
  // By now the place is free.
  server.sent.clear();
  server.events.clear();
  SoePeer last = peer_with(30);
  const SessionId fresh = last.join(server, host(30));
  CHECK(fresh.index == old.index);
  REQUIRE(server.mux.enqueue(fresh, as_bytes("for the last")) == EnqueueStatus::queued);
  server.advance();
  for (const SoeEnd::Sent& each : server.sent) CHECK(each.to == host(30));
}

TEST_CASE("SOE defect: opened comes before data, and nothing after closed", "[soe][life]") {
  SoeEnd server{serving(), here};
  SoePeer peer;
  peer.ask(server, there);
  // Everything in one batch.
  std::vector<SoeEnd::Sent> all;
  for (const Bytes& datagram :
       {peer.unreliable("first"), peer.reliable(0, "second"), peer.disconnect(6),
        peer.reliable(1, "too late"), peer.unreliable("too late"), peer.disconnect(6)}) {
    all.push_back({there, datagram});
  }
  server.receive(all);
  server.advance();
  const std::vector<SoeEvent> events = server.take_events();
  REQUIRE(kinds(events) == std::vector{Kind::opened, Kind::data, Kind::data, Kind::closed});
  CHECK(events[1].data == "first");
  CHECK(events[2].data == "second");
  for (const SoeEvent& event : events) CHECK(event.session == events[0].session);
  server.run_for(1min);
  CHECK(server.events.empty());
}
