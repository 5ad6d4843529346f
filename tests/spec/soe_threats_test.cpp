// SPDX-License-Identifier: MIT
// What somebody with bad intentions can do to SOE sessions who sees nothing of them, and what a
// peer can who has one.
#include <muster/soe/config.hpp>
#include <muster/soe/op_code.hpp>
#include <muster/soe/sequence.hpp>

#include "support/catch.hpp"
#include "support/receive_world.hpp"
#include "support/soe_pair.hpp"
#include "support/soe_stream.hpp"
#include "support/soe_talk.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
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
using test::SoeRandom;
using test::SoeTalk;
using Kind = SoeEvent::Kind;
using Role = SoeTalk::Role;

namespace {

const Address here = SoeTalk::here;
const Address there = SoeTalk::there;

Address host(std::uint32_t number) { return Address::v4(0x0B000000 + number, 5000); }

Config serving(Config config = {}) {
  config.protocols = {"game"};
  config.half_open_timeout = 5s;
  return config;
}

SoePeer peer_with(std::uint32_t session_id) {
  SoePeer peer;
  peer.session_id = session_id;
  return peer;
}

/// Everything that somebody may send who knows neither a session's id nor its seed.
std::vector<Bytes> forgeries(std::uint64_t seed) {
  SoeRandom random{seed};
  const auto noise = [&](std::size_t size) {
    Bytes bytes(size);
    random.fill(bytes);
    return bytes;
  };
  std::vector<Bytes> all;
  SoePeer forger;
  forger.session_id = 0xF0F0F0F0;
  forger.crc_seed = 0x0F0F0F0F;
  // Every op code, with the frames that there are, but another session's checksum.
  for (unsigned op = 0; op < 0x100; ++op) {
    for (const bool compression : {false, true}) {
      for (const auto crc_length : {std::uint8_t{2}, std::uint8_t{4}}) {
        forger.compression = compression;
        forger.crc_length = crc_length;
        for (const unsigned size : {0U, 1U, 2U, 4U, 6U, 7U, 38U, 100U}) {
          all.push_back(forger.frame(static_cast<std::uint16_t>(op), noise(size)));
          all.push_back(forger.frame(static_cast<std::uint16_t>(op), Bytes(size)));
        }
      }
    }
  }
  forger.compression = false;
  // Packets that would do something.
  for (const Bytes& datagram :
       {forger.reliable(0, "forged"), forger.acknowledge_all(0), forger.acknowledge(0),
        forger.disconnect(6), forger.disconnect(0, 6), forger.unreliable("forged"),
        forger.ordered(1, "forged"), forger.multi({SoePeer::sub_reliable(0, "forged")})}) {
    all.push_back(datagram);
  }
  // Those that have no frame.
  for (int i = 0; i < 20; ++i) {
    forger.session_id = static_cast<std::uint32_t>(random.below(0xFFFFFFFF));
    forger.crc_seed = static_cast<std::uint32_t>(random.below(0xFFFFFFFF));
    for (const auto& name : {"game", "another", ""}) {
      forger.protocol = name;
      all.push_back(forger.request());
    }
    all.push_back(forger.response());
    all.push_back(forger.remap());
    all.push_back({std::byte{0}, std::byte{0x1D}});
    all.push_back({std::byte{0}, std::byte{0x1C}});
  }
  forger.version = 2;
  all.push_back(forger.request());
  all.push_back(forger.response());
  // Every length.
  for (std::size_t size = 0; size <= 600; ++size) {
    all.push_back(noise(size));
    Bytes packet = noise(size);
    if (size > 0) packet[0] = std::byte{0};
    if (size > 1) packet[1] = static_cast<std::byte>(random.below(0x20));
    all.push_back(packet);
  }
  return all;
}

/// How a pair is when the forger strikes.
struct State {
  const char* name;
  bool compression = false;
  bool encryption = false;
};

SoePair::Settings settings_of(const State& state, std::uint64_t seed) {
  SoePair::Settings settings;
  settings.seed = seed;
  for (Config* config : {&settings.client, &settings.server}) {
    config->crc_length = 4;  // so that nobody guesses one by chance
    config->compression = state.compression;
    config->compress_from = state.compression ? 16 : 0;
    if (state.encryption) config->encryption_key = Bytes(16, std::byte{7});
    config->explains_refusal = true;
    config->answers_unknown_senders = true;
    config->allows_port_remaps = true;
    config->requests_per_second = config->requests_per_second_per_host = 0;
  }
  settings.server.protocols = {"game"};
  return settings;
}

/// Whether a message passes in each direction, and nothing else has been told.
std::string problem_of_exchange(SoePair& pair) {
  if (!pair.client.events.empty() || !pair.server.events.empty()) return "there are events";
  const std::string up(100, 'u');
  const std::string down(100, 'd');
  if (pair.client.mux.enqueue(pair.at_client, as_bytes(up)) != EnqueueStatus::queued ||
      pair.server.mux.enqueue(pair.at_server, as_bytes(down)) != EnqueueStatus::queued) {
    return "a session is not open";
  }
  const auto has_one = [](const SoeEnd& end) { return !end.events.empty(); };
  pair.drive_until([&] { return has_one(pair.client) && has_one(pair.server); }, "a message", 1s);
  const std::vector<SoeEvent> at_client = pair.client.take_events();
  const std::vector<SoeEvent> at_server = pair.server.take_events();
  if (at_client.size() != 1 || at_client[0].data != down) return "the client hears something else";
  if (at_server.size() != 1 || at_server[0].data != up) return "the server hears something else";
  return "";
}

}  // namespace

TEST_CASE("SOE threat 1: a forged datagram does nothing to an open session", "[soe][threat]") {
  const State state = GENERATE(State{"plain"}, State{"compressed", true, false},
                               State{"encrypted", false, true}, State{"both", true, true});
  const bool at_server = GENERATE(true, false);
  INFO(state.name << (at_server ? ", at the server" : ", at the client"));
  SoePair pair{settings_of(state, 3)};
  pair.open();
  std::size_t number = 0;
  for (const Bytes& datagram : forgeries(11)) {
    at_server ? pair.inject_at_server(datagram) : pair.inject_at_client(datagram);
    const std::string problem = problem_of_exchange(pair);
    if (!problem.empty()) {
      FAIL("datagram " << number << ", " << datagram.size() << " bytes: " << problem);
    }
    ++number;
  }
  CHECK(pair.server.mux.session_count() == 1);
  CHECK(pair.client.mux.session_count() == 1);
}

TEST_CASE("SOE threat 1: a forged datagram does nothing to a session that begins",
          "[soe][threat]") {
  // The client has asked; the server has answered; the client has heard it.
  const unsigned progress = GENERATE(0U, 1U, 2U);
  const bool at_server = GENERATE(true, false);
  INFO("progress " << progress << (at_server ? ", at the server" : ", at the client"));
  std::size_t number = 0;
  for (const Bytes& datagram : forgeries(12)) {
    // All of them take a while with sanitizers.
    if (number++ % 3 != progress) continue;
    SoePair pair{settings_of({}, number)};
    pair.connect();
    for (unsigned i = 0; i < progress; ++i) pair.step(pair.now());
    at_server ? pair.inject_at_server(datagram) : pair.inject_at_client(datagram);
    if (!pair.client.events.empty() && pair.client.events[0].kind != Kind::opened) {
      FAIL("datagram " << number << ", " << datagram.size() << " bytes: the attempt ends");
    }
    std::string problem;
    try {
      pair.drive_until([&] { return pair.client.mux.is_open(pair.at_client); }, "a session", 3s);
      REQUIRE(pair.client.mux.enqueue(pair.at_client, as_bytes("hello")) == EnqueueStatus::queued);
      pair.drive_until([&] { return pair.server.events.size() >= 2; }, "the server", 3s);
      pair.at_server = pair.server.last_session();
      if (pair.server.take_events().size() != 2) problem = "the server hears more";
      if (pair.client.take_events().size() != 1) problem = "the client hears more";
      if (problem.empty()) problem = problem_of_exchange(pair);
    } catch (const std::exception& error) {
      problem = error.what();
    }
    if (!problem.empty()) {
      FAIL("datagram " << number << ", " << datagram.size() << " bytes: " << problem);
    }
  }
}

TEST_CASE("SOE threat 1: a forged datagram does nothing to a session that closes",
          "[soe][threat]") {
  const State state = GENERATE(State{"plain"}, State{"both", true, true});
  const bool by_client = GENERATE(true, false);
  const bool at_server = GENERATE(true, false);
  INFO(state.name << (by_client ? ", by the client" : ", by the server")
                  << (at_server ? ", at the server" : ", at the client"));
  SoePair pair{settings_of(state, 4)};
  pair.open();
  SoeEnd& closer = by_client ? pair.client : pair.server;
  SoeEnd& other = by_client ? pair.server : pair.client;
  const SessionId session = by_client ? pair.at_client : pair.at_server;
  // What it has to say does not arrive yet.
  bool is_cut = true;
  (by_client ? pair.on_up : pair.on_down) = [&](muster::byte_view) { return !is_cut; };
  REQUIRE(closer.mux.enqueue(session, as_bytes("the last")) == EnqueueStatus::queued);
  REQUIRE(closer.mux.close(session, DisconnectReason::application, pair.now()));
  for (const Bytes& datagram : forgeries(13)) {
    at_server ? pair.inject_at_server(datagram) : pair.inject_at_client(datagram);
    pair.run_for(100us);
    if (!closer.events.empty() || !other.events.empty()) {
      FAIL("an event after " << datagram.size() << " bytes");
    }
  }
  CHECK(closer.mux.session_count() == 1);
  // The other's messages still arrive, and then everything ends as it should.
  REQUIRE(other.mux.enqueue(by_client ? pair.at_server : pair.at_client, as_bytes("still heard")) ==
          EnqueueStatus::queued);
  pair.run_for(50ms);
  REQUIRE(closer.events.size() == 1);
  CHECK(closer.take_events()[0].data == "still heard");
  is_cut = false;
  pair.drive_until([&] { return !closer.events.empty(); }, "the end", 5s);
  pair.run_for(1s);
  CHECK(closer.events[0].reason == DisconnectReason::application);
  REQUIRE(other.events.size() == 2);
  CHECK(other.events[0].data == "the last");
  CHECK(other.events[1].reason == DisconnectReason::application);
  CHECK(other.events[1].by_peer);
}

TEST_CASE("SOE threat 2: forged requests do not exhaust a server", "[soe][threat]") {
  Config config = serving();
  config.requests_per_second = config.requests_per_second_per_host = 0;  // not even that helps
  config.max_half_open = 500;
  SoeEnd server{config, here};
  SoePeer honest = peer_with(7);
  SoePeer forger;
  for (std::uint32_t i = 0; i < 50'000; ++i) {
    server.receive(host(i + 1000), forger.request());
    server.advance();
    server.sent.clear();
    // Somebody who answers within the time of 400 requests gets through.
    if (i == 20'000) honest.ask(server, there);
    if (i == 20'400) server.receive(there, honest.heartbeat());
  }
  CHECK(server.count(Kind::opened) == 1);
  CHECK(server.mux.session_count() == 1);
  CHECK(server.mux.half_open_count() == 500);
  CHECK(server.mux.totals().half_open_evicted == 50'000 - 500);
  server.run_for(6s);
  CHECK(server.mux.half_open_count() == 0);
  CHECK(server.mux.session_count() == 1);
  CHECK(server.mux.find(host(1000)).generation == 0);
}

TEST_CASE("SOE threat 3: memory is bounded, for what is sent and what is received",
          "[soe][threat]") {
  Config config = serving();
  config.send_budget = 64 * 1024;
  config.max_message = 64 * 1024;
  config.reassembly_budget = 64 * 1024;
  SoeEnd server{config, here};
  // Twenty peers that never acknowledge, and announce much.
  std::vector<SoePeer> peers;
  std::vector<SessionId> sessions;
  for (std::uint32_t i = 0; i < 20; ++i) {
    peers.push_back(peer_with(i));
    sessions.push_back(peers.back().join(server, host(i)));
  }
  std::uint64_t taken = 0;
  for (std::uint32_t i = 0; i < 20; ++i) {
    while (server.mux.enqueue(sessions[i], as_bytes(std::string(300, 'x'))) ==
           EnqueueStatus::queued) {
      ++taken;
    }
    CHECK(server.mux.stats(sessions[i]).queued_bytes <= config.send_budget);
    for (unsigned channel = 0; channel < 4; ++channel) {
      server.receive(host(i), peers[i].first_fragment(0, 64 * 1024, "little", channel));
      for (unsigned k = 2; k < 50; ++k) {
        server.receive(host(i), peers[i].reliable(k, std::string(500, 'e'), channel));
      }
    }
  }
  CHECK(taken < 20 * config.send_budget / 300);
  // Of 20 * 4 * 49 packets of 640 bytes and messages of 16 KB, what fits into 64 KB was taken.
  const std::uint64_t refused = server.dropped(Drop::no_memory);
  CHECK(refused > 20 * 4 * 48 - 110);
  CHECK(server.events.empty());
  // All of it comes back.
  for (const SessionId session : sessions) {
    server.mux.terminate(session, DisconnectReason::application, server.now);
  }
  server.advance();
  server.events.clear();
  server.sent.clear();
  SoePeer peer = peer_with(100);
  peer.join(server, host(100));
  const std::string message(60'000, 'p');
  for (const Bytes& fragment : peer.fragments(0, message, 500)) {
    server.receive(host(100), fragment);
  }
  REQUIRE(server.events.size() == 1);
  CHECK(server.events[0].data == message);
  CHECK(server.dropped(Drop::no_memory) == refused);
}

TEST_CASE("SOE threat 4: a checksum is checked before anything is made of a packet",
          "[soe][threat]") {
  Config config;
  config.compression = true;
  SoePeer compressing;
  compressing.compression = true;
  SoeTalk talk{Role::server, config, compressing};
  SoePeer forger = talk.peer;
  ++forger.crc_seed;
  const Bytes bomb =
      forger.frame(static_cast<std::uint16_t>(OpCode::reliable_data),
                   SoePeer::deflated(SoePeer::text(std::string(200'000, 'x'))), true);
  talk.say(bomb);
  talk.say(
      forger.frame(static_cast<std::uint16_t>(OpCode::multi_packet), as_bytes("no zlib"), true));
  talk.say(forger.multi({SoePeer::sub(0x00FF)}));
  CHECK(talk.end.dropped(Drop::bad_checksum) == 3);
  CHECK(talk.end.dropped(Drop::bad_compression) == 0);
  CHECK(talk.problem() == "");
}

TEST_CASE("SOE threat 4: packets in packets in packets do not fill the stack", "[soe][threat]") {
  Config config;
  config.udp_length = 65507;
  config.compression = true;
  SoePeer large;
  large.udp_length = 65507;
  large.compression = true;
  SoeTalk talk{Role::server, config, large};
  // As deep as a datagram allows.
  Bytes body = SoePeer::sub(OpCode::heartbeat);
  while (body.size() < 65'000) {
    Bytes outer(muster::soe::multi_length_size(static_cast<std::uint32_t>(body.size())));
    muster::soe::write_multi_length(outer.data(), static_cast<std::uint32_t>(body.size()));
    outer.insert(outer.end(), body.begin(), body.end());
    body = SoePeer::sub(OpCode::multi_packet, outer);
  }
  talk.say(talk.peer.frame(OpCode::multi_packet, muster::byte_view{body}.subspan(2)));
  talk.say(talk.peer.frame(static_cast<std::uint16_t>(OpCode::multi_packet),
                           SoePeer::deflated(muster::byte_view{body}.subspan(2)), true));
  CHECK(talk.hear(OpCode::heartbeat) == 0);
  CHECK(talk.end.dropped(Drop::wrong_state) == 2);
  CHECK(talk.problem() == "");
}

TEST_CASE("SOE threat 4: acknowledgements do not grow with repetitions", "[soe][threat]") {
  SoeTalk talk{Role::server};
  CHECK(talk.problem() == "");
  talk.end.run_for(1s);
  talk.end.sent.clear();
  // A thousand times the same in one batch.
  std::vector<SoeEnd::Sent> batch(1000, {there, talk.peer.reliable(0, "again")});
  talk.end.receive(batch);
  talk.end.advance();
  CHECK(talk.heard().size() == 1);
  // In one datagram.
  const Bytes sub = SoePeer::sub_reliable(0, "again");
  talk.say(talk.peer.multi({sub, sub, sub, sub, sub, sub, sub, sub}));
  CHECK(talk.heard().size() == 1);
  CHECK(talk.problem() == "");
}

TEST_CASE("SOE threat 5: a server says little to who only asks, and only then", "[soe][threat]") {
  SoeEnd server{serving(), here};
  const SoePeer peer;
  const Bytes request = peer.request();
  server.receive(there, request);
  server.advance();
  REQUIRE(server.sent.size() == 1);
  CHECK(server.take_sent()[0].bytes.size() <= request.size() + 6);
  server.run_for(1min);
  CHECK(server.sent.empty());
  // Anything else from a stranger is not answered.
  for (const Bytes& datagram : forgeries(14)) {
    if (SessionRequest::decode(datagram)) continue;
    server.receive(there, datagram);
    server.advance();
  }
  CHECK(server.sent.empty());
  CHECK(server.events.empty());
}

// It hides text from a casual reader. A test that says so, lest anybody believes more.
TEST_CASE("SOE threat 6: both directions and all channels use one key stream", "[soe][threat]") {
  SoePair::Settings settings;
  settings.client.encryption_key = settings.server.encryption_key = Bytes(8, std::byte{3});
  SoePair pair{settings};
  pair.open();
  std::vector<Bytes> bodies;
  const auto note = [&](muster::byte_view datagram) {
    if (datagram.size() > 30) {
      bodies.emplace_back(datagram.begin() + 4, datagram.begin() + 30);
      std::sort(bodies.back().begin(), bodies.back().begin());
    }
    return true;
  };
  pair.on_up = pair.on_down = note;
  const std::string secret = "the same thirty-two characters!!";
  REQUIRE(pair.client.mux.enqueue(pair.at_client, as_bytes(secret), Channel::reliable1) ==
          EnqueueStatus::queued);
  REQUIRE(pair.client.mux.enqueue(pair.at_client, as_bytes(secret), Channel::reliable2) ==
          EnqueueStatus::queued);
  REQUIRE(pair.server.mux.enqueue(pair.at_server, as_bytes(secret), Channel::reliable3) ==
          EnqueueStatus::queued);
  pair.drive();
  REQUIRE(bodies.size() == 3);
  CHECK(bodies[0] == bodies[1]);
  CHECK(bodies[0] == bodies[2]);
  CHECK(muster::as_text(bodies[0]) != secret.substr(0, 26));
  // Unreliable messages are not hidden at all.
  bodies.clear();
  REQUIRE(pair.client.mux.enqueue(pair.at_client, as_bytes(secret), Channel::unreliable) ==
          EnqueueStatus::queued);
  pair.drive();
  REQUIRE(bodies.size() == 1);
  CHECK(muster::as_text(bodies[0]) == secret.substr(4, 26));
}

TEST_CASE("SOE threat 7: sequences go on past 2^31 and 2^32 packets", "[soe][threat]") {
  const std::int64_t first =
      GENERATE(std::int64_t{0x7FFFFFFF}, std::int64_t{0xFFFFFFFF}, std::int64_t{0x7FFFFFFFFFFF}) -
      100;
  test::ReceiveWorld world{{}, first};
  for (std::int64_t sequence = first; sequence < first + 200; sequence += 2) {
    CHECK(world.receive(test::packet(sequence + 1, "b")) == test::Outcome::accepted);
    CHECK(world.take_singles() == std::vector{static_cast<std::uint16_t>(sequence + 1)});
    CHECK(world.receive(test::packet(sequence, "a")) == test::Outcome::accepted);
    CHECK(world.take() == std::vector<std::string>{"a", "b"});
    CHECK(world.receive(test::packet(sequence, "a")) == test::Outcome::duplicate);
    CHECK(world.channel.take_acknowledge_all(world.now) ==
          static_cast<std::uint16_t>(sequence + 1));
  }
  for (const std::int64_t wide : {first, first + 100, first + 65536}) {
    CHECK(expand_sequence(static_cast<std::uint16_t>(wide), wide - 5, 256) == wide);
    CHECK(expand_sequence(static_cast<std::uint16_t>(wide), wide + 5, 256) == wide);
  }
}

TEST_CASE("SOE threat 7: stamps of ordered messages go around", "[soe][threat]") {
  SoePair pair{{}};
  pair.open();
  for (unsigned i = 0; i < 70'000; ++i) {
    const std::string message = std::to_string(i);
    REQUIRE(pair.client.mux.enqueue(pair.at_client, as_bytes(message), Channel::ordered) ==
            EnqueueStatus::queued);
    pair.drive_until([&] { return !pair.server.events.empty(); }, "a message", 1s);
    if (pair.server.take_events()[0].data != message) FAIL("message " << i);
  }
}

TEST_CASE("SOE threat 8: after 2^16 packets there is silence when there is nothing to say",
          "[soe][threat]") {
  SoeTalk talk{GENERATE(Role::server, Role::client)};
  for (unsigned i = 0; i < 70'000; ++i) {
    talk.end.receive(there, talk.peer.reliable(i & 0xFFFFU, "x"));
    talk.end.events.clear();
  }
  talk.end.advance();
  talk.end.run_for(10ms);
  talk.end.sent.clear();
  for (int i = 0; i < 1000; ++i) {
    talk.end.now += 1ms;
    talk.end.advance();
  }
  CHECK(talk.end.sent.empty());
}

TEST_CASE("SOE threat 8: a peer that does not acknowledge gets few repetitions", "[soe][threat]") {
  const bool is_own = GENERATE(false, true);
  Config config = is_own ? Config::for_own_ends() : Config{};
  config.bundles = false;
  SoeTalk talk{Role::server, config};
  for (int i = 0; i < 150; ++i) {
    REQUIRE(talk.end.mux.enqueue(talk.session, as_bytes(std::string(400, 'x'))) ==
            EnqueueStatus::queued);
  }
  // A driver that advances far more often than needed.
  for (int i = 0; i < 20'000; ++i) {
    talk.end.now += 1ms;
    talk.end.advance();
  }
  INFO("own ends: " << is_own);
  CHECK(talk.end.sent.size() >= 10);
  CHECK(talk.end.sent.size() <= 150 + 200);
}

TEST_CASE("SOE threat 9: no data before a session is opened, nothing after it is closed",
          "[soe][threat]") {
  // All orders in which a proof, data and a goodbye may arrive, some of them twice.
  SoeRandom random{5};
  for (int round = 0; round < 500; ++round) {
    SoeEnd server{serving(), here, static_cast<std::uint64_t>(round)};
    SoePeer peer;
    peer.ask(server, there);
    std::vector<SoeEnd::Sent> batch;
    for (std::size_t i = 0; i < 6; ++i) {
      const std::vector<Bytes> choices{
          peer.heartbeat(),           peer.unreliable("u"), peer.reliable(0, "r"),
          peer.reliable(1, "r"),      peer.disconnect(6),   peer.request(),
          peer.ordered(1, "ordered"), peer.disconnect(6),   peer_with(9).request()};
      batch.push_back({there, choices[random.below(choices.size())]});
    }
    if (random.percent(50)) {
      server.receive(batch);
    } else {
      for (const SoeEnd::Sent& each : batch) server.receive({each});
    }
    server.run_for(10s);
    std::vector<SessionId> open;
    for (const SoeEvent& event : server.events) {
      const auto found = std::find(open.begin(), open.end(), event.session);
      if (event.kind == Kind::opened) {
        CHECK(found == open.end());
        open.push_back(event.session);
      } else {
        INFO("round " << round);
        REQUIRE(found != open.end());
        if (event.kind == Kind::closed) open.erase(found);
      }
    }
    CHECK(open.size() == server.mux.session_count());
  }
}

TEST_CASE("SOE threat 10: an address has one form", "[soe][threat]") {
  const Address plain = *Address::parse_ip("192.0.2.7");
  const Address mapped = *Address::parse_ip("::ffff:192.0.2.7");
  CHECK(plain == mapped);
  Config config = serving();
  config.allows_port_remaps = true;
  SoeEnd server{config, here};
  SoePeer peer;
  Address from = plain;
  from.port = 5000;
  const SessionId session = peer.join(server, from);
  from = mapped;
  from.port = 5000;
  CHECK(server.mux.find(from) == session);
  server.receive(from, peer.reliable(0, "still the same"));
  CHECK(server.count(Kind::data) == 1);
  from.port = 5001;
  server.receive(from, peer.remap());
  CHECK(server.mux.find(from) == session);
}
