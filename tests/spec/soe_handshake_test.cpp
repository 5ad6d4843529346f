// SPDX-License-Identifier: MIT
// How SOE sessions begin: requests and responses, what a server keeps of who only asked, admission,
// and what strangers may do.
#include <muster/error.hpp>
#include <muster/soe/config.hpp>
#include <muster/soe/op_code.hpp>

#include "support/catch.hpp"
#include "support/soe_pair.hpp"
#include "support/soe_talk.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using namespace muster::soe;
using muster::Address;
using muster::as_bytes;
using muster::errc;
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

Address host(std::uint32_t number, std::uint16_t port = 5000) {
  return Address::v4(0x0B000000 + number, port);
}

Config serving(Config config = {}) {
  config.protocols = {"game"};
  config.half_open_timeout = 5s;
  return config;
}

Bytes unknown_sender() { return {std::byte{0}, std::byte{0x1D}}; }

/// A peer with an id of its own.
SoePeer peer_with(std::uint32_t session_id) {
  SoePeer peer;
  peer.session_id = session_id;
  return peer;
}

/// Carries what the ends have sent to each other until nothing more is said.
void exchange(const std::vector<SoeEnd*>& ends) {
  for (bool is_quiet = false; !is_quiet;) {
    is_quiet = true;
    for (SoeEnd* const from : ends) {
      from->advance();
      for (const SoeEnd::Sent& each : from->take_sent()) {
        for (SoeEnd* const to : ends) {
          if (to->address != each.to) continue;
          to->receive(from->address, each.bytes);
          is_quiet = false;
        }
      }
    }
  }
}

std::vector<Kind> kinds(const std::vector<SoeEvent>& events) {
  std::vector<Kind> all;
  for (const SoeEvent& event : events) all.push_back(event.kind);
  return all;
}

}  // namespace

// Requests and responses.

TEST_CASE("SOE handshake: a client repeats its request, and gives up", "[soe][handshake]") {
  SoeEnd client{{}, here};
  const auto session = client.mux.connect(there, "game", client.now);
  REQUIRE(session);
  CHECK(client.mux.session_count() == 1);
  client.run_for(29s);
  // At once, and then each second.
  CHECK(client.sent.size() >= 28);
  CHECK(client.sent.size() <= 30);
  for (const SoeEnd::Sent& each : client.sent) {
    CHECK(each.to == there);
    CHECK(each.bytes == client.sent.front().bytes);
  }
  CHECK(client.events.empty());
  client.run_for(2s);
  REQUIRE(kinds(client.events) == std::vector{Kind::closed});
  CHECK(client.events[0].reason == DisconnectReason::connect_fail);
  CHECK_FALSE(client.events[0].by_peer);
  CHECK(client.events[0].session == *session);
  CHECK(client.mux.session_count() == 0);
  client.sent.clear();
  client.run_for(1min);
  CHECK(client.sent.empty());
}

TEST_CASE("SOE handshake: without retries a client asks once", "[soe][handshake]") {
  Config config;
  config.request_retry = 0s;
  config.connect_timeout = 5s;
  SoeEnd client{config, here};
  REQUIRE(client.mux.connect(there, "game", client.now));
  client.run_for(1min);
  CHECK(client.sent.size() == 1);
  CHECK(client.count(Kind::closed) == 1);
}

TEST_CASE("SOE defect: a lost request or response does not end the attempt", "[soe][handshake]") {
  const int lost_requests = GENERATE(0, 1, 3);
  const int lost_responses = GENERATE(0, 1, 2);
  SoePair pair{{.link = {.delay = 20ms}}};
  int requests = 0;
  int responses = 0;
  pair.on_up = [&](muster::byte_view) { return ++requests > lost_requests; };
  pair.on_down = [&](muster::byte_view) { return ++responses > lost_responses; };
  pair.open();
  CHECK(pair.client.mux.is_open(pair.at_client));
  CHECK(pair.server.mux.is_open(pair.at_server));
  CHECK(pair.server.mux.half_open_count() == 0);
  CHECK(pair.server.mux.totals().sessions_opened == 1);
}

TEST_CASE("SOE defect: the same request again gets the identical response", "[soe][handshake]") {
  SoeEnd server{serving(), here};
  SoePeer peer;
  server.receive(there, peer.request());
  server.advance();
  REQUIRE(server.sent.size() == 1);
  const Bytes response = server.take_sent()[0].bytes;
  server.now += 2s;
  server.receive(there, peer.request());
  server.advance();
  REQUIRE(server.sent.size() == 1);
  CHECK(server.take_sent()[0].bytes == response);
  CHECK(server.mux.half_open_count() == 1);

  // The client's first packet was under way: it may still ask.
  peer.adopt(response);
  server.receive(there, peer.reliable(0, "first"));
  REQUIRE(kinds(server.events) == std::vector{Kind::opened, Kind::data});
  server.advance();
  server.sent.clear();
  server.receive(there, peer.request());
  server.advance();
  REQUIRE(server.sent.size() == 1);
  CHECK(server.sent[0].bytes == response);
  CHECK(server.count(Kind::closed) == 0);
  CHECK(server.mux.session_count() == 1);
}

TEST_CASE("SOE handshake: the server says what it was configured to", "[soe][handshake]") {
  Config config = serving();
  config.udp_length = 1200;
  config.crc_length = GENERATE(std::uint8_t{0}, std::uint8_t{3}, std::uint8_t{4});
  config.compression = GENERATE(false, true);
  SoeEnd server{config, here};
  const SoePeer peer = peer_with(77);
  server.receive(there, peer.request());
  server.advance();
  REQUIRE(server.sent.size() == 1);
  const auto response = SessionResponse::decode(server.sent[0].bytes);
  REQUIRE(response);
  CHECK(server.sent[0].bytes.size() == 21);
  CHECK(response->session_id == 77);
  CHECK(response->crc_length == config.crc_length);
  CHECK(response->compression == config.compression);
  CHECK(response->udp_length == 1200);
  CHECK(response->version == 3);
  CHECK(response->unknown == 0);
}

TEST_CASE("SOE defect: protocol names are compared as bytes", "[soe][handshake]") {
  Config config;
  config.protocols = {"Game", "\xFF\xFE", ""};
  SoeEnd server{config, here};
  std::uint32_t number = 0;
  const auto is_answered = [&](const std::string& protocol) {
    SoePeer peer;
    peer.protocol = protocol;
    server.receive(host(++number), peer.request());
    server.advance();
    return !server.take_sent().empty();
  };
  CHECK(is_answered("Game"));
  CHECK(is_answered("\xFF\xFE"));
  CHECK(is_answered(""));
  CHECK_FALSE(is_answered("game"));
  CHECK_FALSE(is_answered("Game "));
  CHECK_FALSE(is_answered("Gam"));
  CHECK_FALSE(is_answered("\xEF\xBF\xBD\xEF\xBF\xBD"));  // what a lossy decoder makes of them
  CHECK_FALSE(is_answered("\xFE\xFF"));
}

TEST_CASE("SOE defect: a request without the end of its name is not read beyond",
          "[soe][handshake]") {
  SoeEnd server{serving(), here};
  Bytes request = SoePeer{}.request();
  request.pop_back();
  server.receive(there, request);
  server.advance();
  CHECK(server.sent.empty());
  CHECK(server.dropped(Drop::bad_request) == 1);
  // What follows the end is ignored.
  request.push_back(std::byte{0});
  request.push_back(std::byte{1});
  server.receive(there, request);
  server.advance();
  CHECK(server.sent.size() == 1);
}

TEST_CASE("SOE handshake: another version is not answered, and ends an attempt",
          "[soe][handshake]") {
  const std::uint32_t version = GENERATE(0U, 2U, 4U, 0xFFFFFFFFU);
  SoeEnd server{serving(), here};
  SoePeer peer;
  peer.version = version;
  server.receive(there, peer.request());
  server.advance();
  CHECK(server.sent.empty());
  CHECK(server.dropped(Drop::not_admitted) == 1);
  CHECK(server.mux.half_open_count() == 0);

  SoeEnd client{{}, here};
  peer.hear_request(client, there);
  client.receive(there, peer.response());
  client.advance();
  REQUIRE(kinds(client.events) == std::vector{Kind::closed});
  CHECK(client.events[0].reason == DisconnectReason::protocol_mismatch);
  CHECK(client.events[0].by_peer);
  CHECK(client.sent.empty());
}

TEST_CASE("SOE handshake: datagrams are as large as both ends take", "[soe][handshake]") {
  const auto sizes = GENERATE(values<std::pair<std::uint32_t, std::uint32_t>>(
      {{64, 512}, {512, 64}, {512, 1400}, {1400, 512}, {65507, 1000}, {64, 64}}));
  SoePair::Settings settings;
  settings.client.udp_length = sizes.first;
  settings.server.udp_length = sizes.second;
  SoePair pair{settings};
  const std::size_t most = std::min(sizes.first, sizes.second);
  std::size_t largest = 0;
  const auto measure = [&](muster::byte_view datagram) {
    largest = std::max(largest, datagram.size());
    return datagram.size() <= most;
  };
  pair.on_up = pair.on_down = measure;
  pair.open();
  const std::string message(5000, 'm');
  REQUIRE(pair.client.mux.enqueue(pair.at_client, as_bytes(message)) == EnqueueStatus::queued);
  REQUIRE(pair.server.mux.enqueue(pair.at_server, as_bytes(message)) == EnqueueStatus::queued);
  pair.drive();
  CHECK(largest == most);
  CHECK(pair.client.mux.stats(pair.at_client).udp_length == most);
  CHECK(pair.server.mux.stats(pair.at_server).udp_length == most);
  REQUIRE(pair.server.count(Kind::data) == 1);
  REQUIRE(pair.client.count(Kind::data) == 1);
  CHECK(pair.server.events.back().data == message);
  CHECK(pair.client.events.back().data == message);
}

TEST_CASE("SOE defect: ids and seeds are random, and a generator can be injected",
          "[soe][handshake]") {
  const auto seeds_of = [](std::uint64_t seed) {
    SoeEnd server{serving(), here, seed};
    std::vector<std::uint32_t> seeds;
    for (std::uint32_t i = 0; i < 100; ++i) {
      SoePeer peer = peer_with(i);
      peer.ask(server, host(i));
      seeds.push_back(peer.crc_seed);
    }
    return seeds;
  };
  std::vector<std::uint32_t> seeds = seeds_of(1);
  CHECK(seeds == seeds_of(1));
  CHECK(seeds != seeds_of(2));
  std::sort(seeds.begin(), seeds.end());
  CHECK(std::adjacent_find(seeds.begin(), seeds.end()) == seeds.end());

  SoeEnd client{{}, here};
  SoePeer first;
  SoePeer second;
  first.hear_request(client, host(1));
  second.hear_request(client, host(2));
  CHECK(first.session_id != second.session_id);
}

// What a server keeps of a client that only asked.

TEST_CASE("SOE handshake: a session begins with a packet that proves the response",
          "[soe][handshake]") {
  SoeEnd server{serving(), here};
  SoePeer peer;
  peer.ask(server, there);
  CHECK(server.events.empty());
  CHECK(server.mux.session_count() == 0);
  CHECK(server.mux.half_open_count() == 1);
  CHECK(server.mux.find(there).generation == 0);

  SoePeer guesser = peer;
  ++guesser.crc_seed;
  server.receive(there, guesser.reliable(0, "guess"));
  server.receive(there, unknown_sender());
  server.receive(there, peer.response());
  CHECK(server.events.empty());

  const Bytes proof =
      GENERATE_COPY(peer.heartbeat(), peer.reliable(0, "x"), peer.unreliable("x"),
                    peer.ordered(1, "x"), peer.multi({SoePeer::sub_reliable(0, "x")}));
  server.receive(there, proof);
  REQUIRE_FALSE(server.events.empty());
  CHECK(server.events[0].kind == Kind::opened);
  CHECK(server.mux.session_count() == 1);
  CHECK(server.mux.half_open_count() == 0);
  CHECK(server.mux.find(there) == server.events[0].session);
  REQUIRE(server.mux.remote(server.events[0].session) != nullptr);
  CHECK(*server.mux.remote(server.events[0].session) == there);
}

TEST_CASE("SOE handshake: half-open sessions expire", "[soe][handshake]") {
  SoeEnd server{serving(), here};
  SoePeer early = peer_with(1);
  SoePeer late = peer_with(2);
  early.ask(server, host(1));
  late.ask(server, host(2));
  server.run_for(4900ms);
  server.receive(host(1), early.heartbeat());
  CHECK(server.count(Kind::opened) == 1);
  server.run_for(200ms);
  CHECK(server.mux.half_open_count() == 0);
  server.receive(host(2), late.heartbeat());
  CHECK(server.count(Kind::opened) == 1);
  CHECK(server.dropped(Drop::no_session) == 1);
  CHECK(server.mux.totals().half_open_evicted == 0);
  // It may ask again.
  server.events.clear();
  server.sent.clear();
  CHECK(server.mux.is_open(late.join(server, host(2))));
}

TEST_CASE("SOE handshake: the oldest half-open session makes room", "[soe][handshake]") {
  Config config = serving();
  config.max_half_open = 4;
  SoeEnd server{config, here};
  std::vector<SoePeer> peers;
  for (std::uint32_t i = 0; i < 6; ++i) {
    peers.push_back(peer_with(i));
    peers.back().ask(server, host(i));
    CHECK(server.mux.half_open_count() == std::min<std::size_t>(i + 1, 4));
  }
  CHECK(server.mux.totals().half_open_evicted == 2);
  for (std::uint32_t i = 0; i < 6; ++i) server.receive(host(i), peers[i].heartbeat());
  CHECK(server.count(Kind::opened) == 4);
  CHECK(server.dropped(Drop::no_session) == 2);
  CHECK(server.mux.find(host(1)).generation == 0);
  CHECK(server.mux.find(host(2)).generation != 0);
}

TEST_CASE("SOE handshake: a forged request does nothing to one that is under way",
          "[soe][handshake]") {
  Config config = serving();
  config.explains_refusal = true;
  SoeEnd server{config, here};
  SoePeer honest = peer_with(1);
  SoePeer forger = peer_with(2);
  SECTION("that comes between response and proof") {
    honest.ask(server, there);
    forger.ask(server, there);
  }
  SECTION("that came first") {
    forger.ask(server, there);
    honest.ask(server, there);
  }
  SECTION("that is to be refused") {
    forger.protocol = "another";
    server.receive(there, forger.request());
    honest.ask(server, there);
  }
  CHECK(server.mux.half_open_count() == 1);
  // Both get their own response when they ask again.
  const std::uint32_t seed = honest.crc_seed;
  honest.ask(server, there);
  CHECK(honest.crc_seed == seed);
  server.receive(there, honest.reliable(0, "hello"));
  REQUIRE(kinds(server.events) == std::vector{Kind::opened, Kind::data});
  CHECK(server.mux.half_open_count() == 0);
  CHECK(server.mux.session_count() == 1);
}

TEST_CASE("SOE handshake: of two requests from an address the newer outlives the older",
          "[soe][handshake]") {
  Config config = serving();
  config.max_half_open = 1;
  SoeEnd server{config, here};
  SoePeer older = peer_with(1);
  SoePeer newer = peer_with(2);
  older.ask(server, there);
  server.run_for(3s);
  newer.ask(server, there);
  server.run_for(3s);
  CHECK(server.mux.half_open_count() == 1);
  server.receive(there, older.heartbeat());
  CHECK(server.events.empty());
  SECTION("and is proven") {
    server.receive(there, newer.heartbeat());
    CHECK(server.count(Kind::opened) == 1);
    CHECK(server.mux.half_open_count() == 0);
  }
  SECTION("and makes room") {
    SoePeer other = peer_with(3);
    other.ask(server, host(1));
    CHECK(server.mux.half_open_count() == 1);
    CHECK(server.mux.totals().half_open_evicted == 1);
    server.receive(there, newer.heartbeat());
    CHECK(server.events.empty());
    server.receive(host(1), other.heartbeat());
    CHECK(server.count(Kind::opened) == 1);
  }
  SECTION("and expires") {
    server.run_for(2100ms);
    CHECK(server.mux.half_open_count() == 0);
    server.receive(there, newer.heartbeat());
    CHECK(server.events.empty());
  }
}

TEST_CASE("SOE handshake: a new request from a live address takes over when it is proven",
          "[soe][handshake]") {
  SoeTalk talk{Role::server, serving()};
  SoePeer restarted = peer_with(talk.peer.session_id + 1);
  talk.say(restarted.request());
  const auto sent = talk.end.take_sent();
  REQUIRE(sent.size() == 1);
  restarted.adopt(sent[0].bytes);
  CHECK(restarted.crc_seed != talk.peer.crc_seed);
  // The old session goes on until then, and the request repeated is answered the same.
  CHECK(talk.problem() == "");
  talk.say(restarted.request());
  REQUIRE(talk.end.sent.size() == 1);
  CHECK(talk.end.take_sent()[0].bytes == sent[0].bytes);
  CHECK(talk.problem() == "");

  SECTION("proven") {
    talk.say(restarted.reliable(0, "from the new one"));
    const std::vector<SoeEvent> events = talk.end.take_events();
    REQUIRE(kinds(events) == std::vector{Kind::closed, Kind::opened, Kind::data});
    CHECK(events[0].session == talk.session);
    CHECK(events[0].reason == DisconnectReason::new_connection_attempt);
    CHECK(events[0].by_peer);
    CHECK(events[1].session != talk.session);
    CHECK(events[2].session == events[1].session);
    CHECK(events[2].data == "from the new one");
    CHECK(talk.end.mux.find(there) == events[1].session);
    CHECK(talk.end.mux.session_count() == 1);
    talk.peer = restarted;
    talk.session = events[1].session;
    talk.next_up = 1;
    talk.next_down = 0;
    CHECK(talk.problem() == "");
  }
  SECTION("proven too late") {
    talk.end.run_for(4s);
    CHECK(talk.problem() == "");
    talk.end.run_for(1100ms);
    talk.say(restarted.reliable(0, "too late"));
    CHECK(talk.problem() == "");
  }
}

TEST_CASE("SOE handshake: a client that starts anew is taken at once", "[soe][handshake]") {
  SoePair pair{{.link = {.delay = 20ms}}};
  pair.open();
  const SessionId old = pair.at_server;
  // The program crashed: nobody was told, and the new one has the same port.
  SoeEnd restarted{{}, pair.client.address, 99};
  restarted.now = pair.server.now = pair.now();
  REQUIRE(restarted.mux.connect(pair.server.address, "game", pair.now()));
  exchange({&restarted, &pair.server});
  REQUIRE(restarted.mux.is_open(restarted.last_session()));
  REQUIRE(restarted.mux.enqueue(restarted.last_session(), as_bytes("back")) ==
          EnqueueStatus::queued);
  exchange({&restarted, &pair.server});
  const std::vector<SoeEvent> events = pair.server.take_events();
  REQUIRE(kinds(events) == std::vector{Kind::closed, Kind::opened, Kind::data});
  CHECK(events[0].session == old);
  CHECK(events[2].data == "back");
}

// Limits.

TEST_CASE("SOE handshake: requests of a host are limited", "[soe][handshake]") {
  SoeEnd server{serving(), here};
  const auto answers = [&](const Address& base, std::uint16_t count) {
    std::size_t sum = 0;
    for (std::uint16_t i = 0; i < count; ++i) {
      Address from = base;
      from.port = static_cast<std::uint16_t>(1000 + i);
      server.receive(from, peer_with(i).request());
      server.advance();
      sum += server.take_sent().size();
    }
    return sum;
  };
  CHECK(answers(host(1), 100) == 20);
  CHECK(server.dropped(Drop::too_many_requests) == 80);
  CHECK(answers(host(2), 30) == 20);
  // Of IPv6, a /64 is a host.
  Address six = *Address::parse_ip("2001:db8::1");
  CHECK(answers(six, 15) == 15);
  six.ip[15] = 77;
  CHECK(answers(six, 15) == 5);
  six.ip[7] = 1;
  CHECK(answers(six, 15) == 15);
  server.run_for(1s);
  CHECK(answers(host(1), 100) == 20);
}

TEST_CASE("SOE handshake: requests of all are limited", "[soe][handshake]") {
  Config config = serving();
  config.requests_per_second = 50;
  SoeEnd server{config, here};
  const auto answers = [&](std::uint32_t first) {
    for (std::uint32_t i = first; i < first + 100; ++i) {
      server.receive(host(i), peer_with(i).request());
      server.advance();
    }
    return server.take_sent().size();
  };
  CHECK(answers(0) == 50);
  server.run_for(500ms);
  CHECK(answers(1000) == 25);
  server.run_for(1h);
  CHECK(answers(2000) == 50);
}

TEST_CASE("SOE handshake: no more sessions than allowed", "[soe][handshake]") {
  Config config = serving();
  config.max_sessions = 3;
  SoeEnd server{config, here};
  std::vector<SessionId> sessions;
  for (std::uint32_t i = 0; i < 3; ++i) {
    SoePeer peer = peer_with(i);
    sessions.push_back(peer.join(server, host(i)));
  }
  SoePeer fourth = peer_with(4);
  fourth.ask(server, host(4));
  server.receive(host(4), fourth.heartbeat());
  CHECK(server.events.empty());
  CHECK(server.dropped(Drop::not_admitted) == 1);
  CHECK(server.mux.connect(host(5), "game", server.now).error() == errc::limit_reached);
  // As soon as one leaves there is room.
  CHECK(server.mux.terminate(sessions[1], DisconnectReason::application, server.now));
  server.poll_events();
  server.receive(host(4), fourth.heartbeat());
  CHECK(server.count(Kind::opened) == 1);
}

// Admission.

TEST_CASE("SOE handshake: the application admits, refuses or drops", "[soe][handshake]") {
  std::vector<std::string> asked;
  SoeEnd server{{}, here, 1, [&](const Address& from, std::string_view protocol) {
                  asked.push_back(from.to_string() + " " + std::string{protocol});
                  if (protocol == "good") return Admission::accept();
                  if (protocol == "bad") return Admission::refuse();
                  if (protocol == "full") return Admission::refuse(DisconnectReason::application);
                  return Admission::drop();
                }};
  const auto connect = [&](std::uint32_t number, const std::string& protocol) {
    SoeEnd client{{}, host(number), number};
    REQUIRE(client.mux.connect(here, protocol, client.now));
    exchange({&client, &server});
    return client.take_events();
  };
  CHECK(kinds(connect(1, "good")) == std::vector{Kind::opened});

  for (const auto& [protocol, reason] : {std::pair{"bad", DisconnectReason::connection_refused},
                                         std::pair{"full", DisconnectReason::application}}) {
    const std::vector<SoeEvent> events = connect(protocol[0] == 'b' ? 2U : 3U, protocol);
    REQUIRE(kinds(events) == std::vector{Kind::opened, Kind::closed});
    CHECK(events[1].reason == reason);
    CHECK(events[1].by_peer);
  }
  CHECK(connect(4, "unknown").empty());

  CHECK(asked == std::vector<std::string>{"11.0.0.1:5000 good", "11.0.0.2:5000 bad",
                                          "11.0.0.3:5000 full", "11.0.0.4:5000 unknown"});
  CHECK(server.dropped(Drop::not_admitted) == 3);
  CHECK(server.events.empty());
}

TEST_CASE("SOE handshake: to admit somebody, a server may end his old session",
          "[soe][handshake]") {
  SoeEnd::Mux* mux = nullptr;
  SoeEnd server{{}, here, 1, [&](const Address& from, std::string_view) {
                  (void)mux->terminate(mux->find(from), DisconnectReason::application,
                                       SoeEnd::start);
                  return Admission::accept();
                }};
  mux = &server.mux;
  SoePeer first = peer_with(1);
  const SessionId old = first.join(server, there);
  SoePeer second = peer_with(2);
  server.receive(there, second.request());
  server.advance();
  REQUIRE(kinds(server.events) == std::vector{Kind::closed});
  CHECK(server.events[0].session == old);
  CHECK(server.mux.half_open_count() == 1);
  for (const SoeEnd::Sent& each : server.take_sent()) {
    if (SessionResponse::decode(each.bytes)) second.adopt(each.bytes);
  }
  server.events.clear();
  server.receive(there, second.reliable(0, "again"));
  REQUIRE(kinds(server.events) == std::vector{Kind::opened, Kind::data});
  // The old place is as good as new.
  SoePeer third = peer_with(3);
  server.run_for(1s);
  server.events.clear();
  const SessionId fresh = third.join(server, host(1));
  CHECK(fresh.index == old.index);
  server.receive(host(1), second.reliable(0, "of another"));
  CHECK(server.events.empty());
}

TEST_CASE("SOE defect: a client with another protocol learns why, if that is wanted",
          "[soe][handshake]") {
  Config config = serving();
  config.explains_refusal = GENERATE(false, true);
  SoeEnd server{config, here};
  SoeEnd client{{}, there};
  REQUIRE(client.mux.connect(here, "another", client.now));
  exchange({&client, &server});
  if (config.explains_refusal) {
    REQUIRE(kinds(client.events) == std::vector{Kind::opened, Kind::closed});
    CHECK(client.events[1].reason == DisconnectReason::protocol_mismatch);
    CHECK(client.events[1].by_peer);
  } else {
    CHECK(client.events.empty());
  }
  CHECK(server.events.empty());
}

TEST_CASE("SOE handshake: a refusal is repeated, and cannot be proven", "[soe][handshake]") {
  Config config = serving();
  config.explains_refusal = true;
  SoeEnd server{config, here};
  SoePeer peer;
  peer.protocol = "another";
  server.receive(there, peer.request());
  server.advance();
  const auto first = server.take_sent();
  REQUIRE(first.size() == 2);
  server.now += 1s;
  server.receive(there, peer.request());
  server.advance();
  const auto second = server.take_sent();
  REQUIRE(second.size() == 2);
  CHECK(second[0].bytes == first[0].bytes);
  CHECK(second[1].bytes == first[1].bytes);

  peer.adopt(first[0].bytes);
  const auto packets = peer.read(first[1].bytes);
  REQUIRE(packets.size() == 1);
  CHECK(packets[0].op == 5);
  CHECK(packets[0].body ==
        SoePeer::join_bytes({SoePeer::number(peer.session_id, 4), SoePeer::number(16, 2)}));
  server.receive(there, peer.reliable(0, "all the same"));
  CHECK(server.events.empty());

  // With the right protocol it is welcome at once.
  SoePeer again = peer_with(5);
  CHECK(server.mux.is_open(again.join(server, there)));
}

TEST_CASE("SOE handshake: a refused newcomer does nothing to the session of its address",
          "[soe][handshake]") {
  Config config;
  config.explains_refusal = true;
  SoeTalk talk{Role::server, config};
  SoePeer refused = peer_with(99);
  refused.protocol = "another";
  talk.say(refused.request());
  const auto sent = talk.end.take_sent();
  REQUIRE(sent.size() == 2);
  refused.adopt(sent[0].bytes);
  CHECK(talk.problem() == "");
  talk.say(refused.heartbeat());
  CHECK(talk.problem() == "");
}

TEST_CASE("SOE handshake: applications on one port have keys of their own", "[soe][handshake]") {
  const auto key_of = [](std::string_view protocol) {
    const auto text = as_bytes(protocol);
    return std::vector<std::byte>{text.begin(), text.end()};
  };
  Config config;
  config.encryption_key = key_of("the default");
  SoeEnd server{config, here, 1, [&](const Address&, std::string_view protocol) {
                  Admission admission = Admission::accept();
                  if (protocol == "plain") admission.encryption_key.emplace();
                  if (protocol == "chess" || protocol == "go") {
                    admission.encryption_key = key_of(protocol);
                  }
                  return admission;
                }};
  std::uint32_t number = 0;
  for (const std::string protocol : {"plain", "chess", "go", "anything"}) {
    Config mine;
    if (protocol != "plain") {
      mine.encryption_key = key_of(protocol == "anything" ? "the default" : protocol);
    }
    ++number;
    SoeEnd client{mine, host(number), number};
    const auto session = client.mux.connect(here, protocol, client.now);
    REQUIRE(session);
    exchange({&client, &server});
    const std::string message = "hello from " + protocol;
    REQUIRE(client.mux.enqueue(*session, as_bytes(message)) == EnqueueStatus::queued);
    exchange({&client, &server});
    REQUIRE(server.count(Kind::data) == 1);
    CHECK(server.events.back().data == message);
    REQUIRE(server.mux.enqueue(server.last_session(), as_bytes(message + ", back")) ==
            EnqueueStatus::queued);
    exchange({&client, &server});
    CHECK(client.events.back().data == message + ", back");
    server.events.clear();
  }
}

TEST_CASE("SOE handshake: what cannot be connected is an error", "[soe][handshake]") {
  Config config;
  config.max_sessions = 2;
  SoeEnd client{config, here};
  CHECK(client.mux.connect(there, std::string(33, 'n'), client.now).error() == errc::bad_value);
  CHECK(client.mux.connect(there, std::string_view{"a\0b", 3}, client.now).error() ==
        errc::bad_value);
  CHECK(client.mux.session_count() == 0);
  REQUIRE(client.mux.connect(there, std::string(32, 'n'), client.now));
  CHECK(client.mux.connect(there, "game", client.now).error() == errc::already_exists);
  REQUIRE(client.mux.connect(host(1), "", client.now));
  CHECK(client.mux.connect(host(2), "game", client.now).error() == errc::limit_reached);
  client.advance();
  REQUIRE(client.sent.size() == 2);
  CHECK(SessionRequest::decode(client.sent[0].bytes)->protocol == std::string(32, 'n'));
  CHECK(client.events.empty());
}

TEST_CASE("SOE handshake: a client that meets itself ends", "[soe][handshake]") {
  SoeEnd self{serving(), here};
  const auto session = self.mux.connect(here, "game", self.now);
  REQUIRE(session);
  exchange({&self});
  REQUIRE(kinds(self.events) == std::vector{Kind::closed});
  CHECK(self.events[0].reason == DisconnectReason::connecting_to_self);
  CHECK(self.events[0].session == *session);
  CHECK(self.mux.session_count() == 0);
  CHECK(self.mux.half_open_count() == 0);
}

TEST_CASE("SOE handshake: a run of datagrams goes on behind the one that ended the session",
          "[soe][handshake]") {
  SoeEnd self{{}, here};
  REQUIRE(self.mux.connect(here, "game", self.now));
  self.advance();
  REQUIRE(self.sent.size() == 1);
  // The request, and twice something of the same size, as UDP_GRO hands them over.
  Bytes run = self.sent[0].bytes;
  const std::size_t segment = run.size();
  run.resize(3 * segment, std::byte{7});
  std::vector<SoeEnd::Mux::Datagram> datagrams{{here, run, segment}};
  self.mux.receive(datagrams, self.now);
  self.poll_events();
  CHECK(kinds(self.events) == std::vector{Kind::closed});
  CHECK(self.dropped(Drop::no_session) == 2);
}

TEST_CASE("SOE handshake: clients that ask each other do not get together", "[soe][handshake]") {
  SoeEnd one{serving(), here, 1};
  SoeEnd other{serving(), there, 2};
  REQUIRE(one.mux.connect(there, "game", one.now));
  REQUIRE(other.mux.connect(here, "game", other.now));
  for (int i = 0; i < 40; ++i) {
    exchange({&one, &other});
    one.run_for(1s);
    other.run_for(1s);
  }
  for (SoeEnd* const end : {&one, &other}) {
    REQUIRE(kinds(end->events) == std::vector{Kind::closed});
    CHECK(end->events[0].reason == DisconnectReason::connect_fail);
  }
}

// Remaps and strangers.

TEST_CASE("SOE handshake: a client goes on from another port", "[soe][handshake]") {
  Config config;
  config.allows_port_remaps = true;
  SoeTalk talk{Role::server, config};
  Address moved = there;
  moved.port = 5001;

  talk.end.receive(moved, talk.peer.remap());
  CHECK(talk.end.mux.find(there).generation == 0);
  REQUIRE(talk.end.mux.find(moved) == talk.session);
  CHECK(*talk.end.mux.remote(talk.session) == moved);
  talk.end.receive(moved, talk.peer.reliable(0, "from there"));
  REQUIRE(talk.end.mux.enqueue(talk.session, as_bytes("to there")) == EnqueueStatus::queued);
  talk.end.run_for(5ms);
  REQUIRE(kinds(talk.end.events) == std::vector{Kind::data});
  REQUIRE_FALSE(talk.end.sent.empty());
  for (const SoeEnd::Sent& each : talk.end.sent) CHECK(each.to == moved);
  // The old port is a stranger's, who may ask for a session.
  talk.end.receive(there, talk.peer.reliable(1, "late"));
  CHECK(talk.end.dropped(Drop::no_session) == 1);
  talk.end.events.clear();
  talk.end.sent.clear();
  SoePeer other = peer_with(9);
  const SessionId second = other.join(talk.end, there);
  CHECK(second != talk.session);
  CHECK(talk.end.mux.session_count() == 2);
  // And back again only to a free one.
  talk.end.receive(there, talk.peer.remap());
  CHECK(talk.end.mux.find(there) == second);
  CHECK(talk.end.mux.find(moved) == talk.session);
}

TEST_CASE("SOE handshake: a remap that is not allowed, or of another, is ignored",
          "[soe][handshake]") {
  Config config;
  config.allows_port_remaps = GENERATE(true, false);
  SoeTalk talk{Role::server, config};
  Address moved = there;
  moved.port = 5001;
  SoePeer forger = talk.peer;
  SECTION("another host") { talk.end.receive(host(1), forger.remap()); }
  SECTION("a wrong seed") {
    ++forger.crc_seed;
    talk.end.receive(moved, forger.remap());
  }
  SECTION("a wrong id") {
    ++forger.session_id;
    talk.end.receive(moved, forger.remap());
  }
  SECTION("too short") {
    Bytes cut = forger.remap();
    cut.pop_back();
    talk.end.receive(moved, cut);
  }
  SECTION("from the same address") { talk.say(forger.remap()); }
  SECTION("not allowed") {
    if (!config.allows_port_remaps) talk.end.receive(moved, forger.remap());
  }
  CHECK(talk.end.mux.find(moved).generation == 0);
  CHECK(talk.problem() == "");
}

TEST_CASE("SOE handshake: a client behind a moving port finds back to its session",
          "[soe][handshake]") {
  Config config;
  config.allows_port_remaps = true;
  config.answers_unknown_senders = true;
  SoePair::Settings settings;
  settings.client = settings.server = config;
  settings.link.delay = 10ms;
  SoePair pair{settings};
  pair.open();
  // From now on the client's datagrams come from elsewhere.
  Address moved = pair.client.address;
  moved.port = 1;
  const auto pass = [&](Bytes datagram) {
    pair.inject_at_server(datagram, moved);
    pair.server.advance();
    for (const SoeEnd::Sent& each : pair.server.take_sent()) {
      if (each.to == moved) pair.inject_at_client(each.bytes);
    }
  };
  REQUIRE(pair.client.mux.enqueue(pair.at_client, as_bytes("still me")) == EnqueueStatus::queued);
  for (int i = 0; i < 50 && pair.server.count(Kind::data) == 0; ++i) {
    pair.client.run_for(100ms);
    pair.server.run_for(100ms);
    for (const SoeEnd::Sent& each : pair.client.take_sent()) pass(each.bytes);
  }
  REQUIRE(kinds(pair.server.events) == std::vector{Kind::data});
  CHECK(pair.server.events[0].data == "still me");
  CHECK(pair.server.events[0].session == pair.at_server);
  CHECK(pair.server.mux.find(moved) == pair.at_server);
  CHECK(pair.client.events.empty());
}

TEST_CASE("SOE handshake: strangers hear that they have no session, if that is wanted",
          "[soe][handshake]") {
  Config config = serving();
  config.answers_unknown_senders = GENERATE(false, true);
  SoeEnd server{config, here};
  const SoePeer stranger;
  const auto answers = [&](const Bytes& datagram) {
    server.receive(there, datagram);
    server.advance();
    const auto sent = server.take_sent();
    for (const SoeEnd::Sent& each : sent) {
      CHECK(each.to == there);
      CHECK(each.bytes == unknown_sender());
    }
    return sent.size();
  };
  const std::size_t one = config.answers_unknown_senders ? 1 : 0;
  CHECK(answers(stranger.heartbeat()) == one);
  CHECK(answers(stranger.reliable(0, "hello")) == one);
  CHECK(answers(stranger.unreliable("hello")) == one);
  // Two that tell each other so would never stop; a goodbye needs no answer.
  CHECK(answers(unknown_sender()) == 0);
  CHECK(answers(stranger.disconnect(6)) == 0);
  CHECK(answers(stranger.remap()) == 0);
  CHECK(answers({}) == 0);
  CHECK(answers({std::byte{0}}) == 0);
  // Not more than a hundred a second, all together.
  std::size_t sum = 0;
  for (int i = 0; i < 1000; ++i) sum += answers(stranger.heartbeat());
  CHECK(sum <= 100 * one);
  server.run_for(1s);
  CHECK(answers(stranger.heartbeat()) == one);
  CHECK(server.mux.session_count() == 0);
}

TEST_CASE("SOE handshake: a server that has forgotten the session ends it in the end",
          "[soe][handshake]") {
  SoeTalk talk{Role::client};
  talk.end.run_for(1s);
  // Whatever the client says, this is the answer.
  talk.say(unknown_sender());
  int seconds = 0;
  for (; seconds < 60 && talk.end.events.empty(); ++seconds) {
    talk.end.run_for(1s);
    for (const SoeEnd::Sent& each : talk.end.take_sent()) {
      CHECK(each.bytes == talk.peer.heartbeat());
      talk.say(unknown_sender());
    }
  }
  REQUIRE(kinds(talk.end.events) == std::vector{Kind::closed});
  CHECK(talk.end.events[0].reason == DisconnectReason::unreachable_connection);
  CHECK(talk.end.events[0].by_peer);
  CHECK(seconds >= 4);
  CHECK(seconds <= 8);
}

TEST_CASE("SOE handshake: one UnknownSender does not end a session whose network fails for a while",
          "[soe][handshake]") {
  SoeTalk talk{Role::client};
  talk.end.run_for(10s);
  talk.say(unknown_sender());
  talk.end.run_for(15s);
  // It asks each second.
  const std::size_t probes = talk.end.sent.size();
  CHECK(probes >= 10);
  CHECK(probes <= 16);
  CHECK(talk.problem() == "");
  talk.end.run_for(20s);
  CHECK(talk.hear(OpCode::heartbeat) == 0);
}

TEST_CASE("SOE handshake: a remap that gets lost is repeated", "[soe][handshake]") {
  Config config;
  config.allows_port_remaps = true;
  SoeTalk talk{Role::client, config};
  talk.end.run_for(10s);
  std::size_t remaps = 0;
  talk.say(unknown_sender());
  for (int i = 0; i < 3; ++i) {
    for (const SoeEnd::Sent& each : talk.end.take_sent()) {
      if (each.bytes == talk.peer.remap()) ++remaps;
    }
    talk.end.run_for(1s);
    talk.say(unknown_sender());
  }
  CHECK(remaps == 3);
}

TEST_CASE("SOE handshake: UnknownSender without end does nothing while the peer answers",
          "[soe][handshake]") {
  SoePair pair{{.link = {.delay = 5ms}}};
  pair.open();
  std::size_t probes = 0;
  pair.on_up = [&](muster::byte_view) { return ++probes != 0; };
  for (int i = 0; i < 60 * 20; ++i) {
    pair.inject_at_client(unknown_sender());
    pair.run_for(50ms);
  }
  CHECK(pair.client.events.empty());
  CHECK(pair.client.mux.is_open(pair.at_client));
  // It asks, but not with each.
  CHECK(probes >= 20);
  CHECK(probes <= 60);
}

// Peers differ in how far ahead of a missing packet they keep others. What is sent beyond that is
// thrown away, and taken for lost.
TEST_CASE("SOE handshake: ends of ours say how far ahead they keep packets", "[soe][handshake]") {
  Config client = Config{};
  Config server = Config::for_own_ends();
  client.protocols = server.protocols = {"game"};
  server.pacing = muster::soe::Pacing::fixed_window;
  const bool is_told = GENERATE(false, true);
  if (is_told) client.receive_window = 300;
  muster::SeededEntropy entropy{3};
  const muster::time_point now = muster::time_point{} + 1h;
  muster::SoeMultiplexer<> asks{client, entropy, now};
  muster::SoeMultiplexer<> answers{server, entropy, now};
  const muster::Address at_client = muster::Address::v4(0x7f000001, 1);
  const muster::Address at_server = muster::Address::v4(0x7f000001, 2);
  const auto carry = [&](auto& from, const auto& sender, auto& to) {
    std::vector<std::size_t> sizes;
    for (muster::SoeMultiplexer<>::Transmit transmit; from.poll_transmit(transmit);) {
      for (const muster::byte_view datagram : transmit.datagrams) {
        std::vector<std::byte> bytes{datagram.begin(), datagram.end()};
        sizes.push_back(bytes.size());
        to.receive(sender, bytes, now);
      }
    }
    return sizes;
  };
  REQUIRE(asks.connect(at_server, "game", now));
  CHECK(carry(asks, at_client, answers) == std::vector<std::size_t>{is_told ? 23U : 19U});
  CHECK(carry(answers, at_server, asks) == std::vector<std::size_t>{is_told ? 25U : 21U});
  muster::soe::Event event;
  REQUIRE(asks.poll_event(event));
  REQUIRE(asks.enqueue(event.session, muster::as_bytes("hello")) ==
          muster::soe::EnqueueStatus::queued);
  asks.advance(now);
  carry(asks, at_client, answers);
  muster::soe::SessionId session;
  while (answers.poll_event(event)) session = event.session;
  // Not acknowledged, the server sends what the client can keep and no more.
  const std::vector<std::byte> message(server.udp_length);
  for (int i = 0; i < 300; ++i) {
    REQUIRE(answers.enqueue(session, message) == muster::soe::EnqueueStatus::queued);
  }
  for (int ms = 0; ms < 20; ++ms) {
    answers.advance(now + ms * 1ms);
    carry(answers, at_server, asks);
    while (asks.poll_event(event)) {
    }
  }
  CHECK(answers.stats(session).packets_sent == (is_told ? 301U : 196U));
}
