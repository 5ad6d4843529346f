// SPDX-License-Identifier: MIT
// The relay's limits and budgets, bad peers, draining, failing transports, configuration.
#include <muster/relay/error_text.hpp>

#include "support/relay_world.hpp"

#include <chrono>
#include <map>
#include <set>

using namespace muster;
using namespace std::chrono_literals;
using relay::Ending;
using test::error_hex;
using test::Messages;
using test::Peer;
using test::RelayWorld;
using test::response_hex;
using test::u16_hex;

namespace {

relay::Service::Config small_budgets() {
  auto config = RelayWorld::without_grace();
  config.max_host_message = 1024;
  config.max_client_message = 1024;
  config.client_budget = {.bytes = 8192, .frames = 32, .reserve_bytes = 1024, .reserve_frames = 4};
  config.host_budget = {.bytes = 16384, .frames = 64, .reserve_bytes = 1024, .reserve_frames = 4};
  return config;
}

}  // namespace

TEST_CASE("relay limits: who sends more than its limit is closed, and its room told",
          "[relay][limits]") {
  auto config = RelayWorld::without_grace();
  config.max_join_request = 64;
  config.max_host_message = 1024;
  config.max_client_message = 100;
  RelayWorld world{config};
  const auto sized = [](const char* id, std::size_t size) {
    return id + std::string(2 * (size - 1), 'a');
  };
  Peer& host = world.create();
  Peer& client = world.join();
  Peer& other = world.join();
  world.send(host, sized("03", 1024));
  CHECK(other.messages.back() == sized("03", 1024));
  world.send(client, sized("02", 100));
  CHECK(host.messages.back().size() == 2 * 102);
  world.send(client, sized("02", 101));
  CHECK(client.messages.back() == error_hex("Connection lost."));
  CHECK(client.code == 1009);
  CHECK(client.reason == CloseReason::too_large);
  CHECK(host.messages.back() == "010001");
  CHECK(other.is_open());
  Peer& talker = world.connect();
  world.send(talker, std::string(2 * 65, '0'));
  CHECK(talker.messages == Messages{error_hex("Initial error during handshake.")});
  CHECK(talker.code == 1009);
  CHECK(world.count(Ending::connection_lost) == 1);
  CHECK(world.count(Ending::handshake_failed) == 1);
  world.send(host, sized("03", 1025));
  CHECK(host.messages.back() == error_hex("Connection lost."));
  CHECK(host.code == 1009);
  world.expect_end(other, Ending::host_gone, "Server has left the game.");
  world.finish();
}

TEST_CASE("relay limits: a fault that the transport found has last words", "[relay][limits]") {
  for (const int who : {0, 1, 2}) {  // the host, a client, somebody who has not joined
    RelayWorld world{RelayWorld::without_grace()};
    Peer& host = world.create();
    Peer& client = world.join();
    Peer& silent = world.connect();
    Peer& faulty = who == 0 ? host : who == 1 ? client : silent;
    world.relay.on_fault(world.relay_end(faulty),
                         {CloseReason::protocol_error, true, 1007, "bad text"},
                         world.network.now());
    world.run();
    CHECK(faulty.messages.back() ==
          error_hex(who == 2 ? "Initial error during handshake." : "Connection lost."));
    CHECK(faulty.code == 1007);
    CHECK(faulty.text == "bad text");
    CHECK(faulty.closes == 1);
    CHECK(world.count(who == 2 ? Ending::handshake_failed : Ending::connection_lost) == 1);
    if (who == 0) world.expect_end(client, Ending::host_gone, "Server has left the game.");
    if (who == 1) CHECK(host.messages.back() == "010001");
    world.finish();
  }
}

TEST_CASE("relay limits: who does not join in time is closed", "[relay][limits]") {
  auto config = RelayWorld::without_grace();
  config.join_timeout = 2s;
  RelayWorld world{config};
  const time_point start = world.network.now();
  Peer& silent = world.connect();
  Peer& talker = world.connect();
  Peer& fine = world.connect();
  REQUIRE(world.network.now() == start);
  // The relay's end opens after one latency, and the request is there after three.
  Peer& slow = world.connect_later({.latency = 900ms});
  Peer& too_slow = world.connect_later({.latency = 1100ms});
  std::set<Peer*> asked;
  for (int i = 0; i < 40; ++i) {
    talker.send_text("still here");
    if (i == 10) REQUIRE(fine.send(RelayWorld::request_hex("trictrac", "R", 0, true)));
    for (Peer* const peer : {&slow, &too_slow}) {
      if (peer->is_open() && asked.insert(peer).second) {
        REQUIRE(peer->send(RelayWorld::request_hex("trictrac", "R", 0, false)));
      }
    }
    world.network.run_for(100ms);
  }
  world.network.run_for(10s);
  world.expect_end(silent, Ending::handshake_failed, "Initial error during handshake.");
  world.expect_end(talker, Ending::handshake_failed, "Initial error during handshake.");
  CHECK(fine.is_open());
  CHECK(silent.times.back() == start + 2s);
  CHECK(talker.times.back() == start + 2s);
  CHECK(slow.is_open());
  CHECK(slow.messages.size() == 1);
  world.expect_end(too_slow, Ending::handshake_failed, "Initial error during handshake.");
  CHECK(too_slow.times.back() == start + 1100ms + 2s + 1100ms);
  CHECK(fine.messages.size() == 2);
  CHECK(world.relay.next_deadline() == no_deadline);
  world.finish();
}

TEST_CASE("relay limits: a join a moment before the deadline counts, one after does not",
          "[relay][limits]") {
  for (const bool late : {false, true}) {
    auto config = RelayWorld::without_grace();
    config.join_timeout = 1s;
    RelayWorld world{config};
    Peer& peer = world.connect();
    world.network.run_for(late ? 1s : 1s - duration{1});
    peer.send(RelayWorld::request_hex("trictrac", "R", 0, true));
    world.run();
    CHECK(peer.is_open() != late);
    world.network.run_for(1min);
    CHECK(peer.is_open() != late);
    world.finish();
  }
}

TEST_CASE("relay limits: those who came and went are forgotten while somebody waits",
          "[relay][limits]") {
  auto config = RelayWorld::without_grace();
  config.join_timeout = 600s;
  RelayWorld world{config};
  Peer& silent = world.connect();
  for (int i = 0; i < 5000; ++i) {
    Peer peer;
    Connection& connection = world.network.connect(peer, world.relay);
    world.run();
    connection.close(CloseReason::finished);
    world.run();
    REQUIRE(peer.closes == 1);
  }
  CHECK(world.count(Ending::handshake_failed) == 5000);
  CHECK(silent.is_open());
  world.network.run_for(601s);
  world.expect_end(silent, Ending::handshake_failed, "Initial error during handshake.");
}

// Slow and hostile peers.

namespace {

struct Observed {
  Messages host;
  std::vector<Messages> clients;
  std::vector<std::vector<time_point>> times;
  friend bool operator==(const Observed&, const Observed&) = default;
};

// A game with three clients in one room and one in another, and perhaps a bad peer. What the host
// hears of the bad one (id 4) is left out.
Observed play(const std::string& bad_kind) {
  auto config = small_budgets();
  config.rooms.client_rate = {.messages_per_second = 100, .bytes_per_second = 0};
  if (bad_kind == "stalled, resynced") config.rooms.slow_member = relay::SlowMember::resync;
  RelayWorld world{config};
  Peer& host = world.create("room-42", "trictrac", 0, {.latency = 5ms});
  std::vector<Peer*> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(&world.join("room-42", "trictrac", {.latency = (i + 1) * 7ms}));
  }
  Peer& elsewhere = world.create("elsewhere");
  clients.push_back(&elsewhere);
  clients.push_back(&world.join("elsewhere"));
  Peer* bad = nullptr;
  const time_point begin = time_point{} + 2h;
  if (!bad_kind.empty()) {
    if (bad_kind == "silent" || bad_kind == "garbage" || bad_kind == "oversized request") {
      bad = &world.connect({.window = 200});
    } else {
      bad = &world.join("room-42", "trictrac", {.window = 200});
    }
  }
  world.network.run_for(begin - world.network.now());
  const auto misbehave = [&](int round) {
    if (bad == nullptr || bad->connection == nullptr) return;
    if (bad_kind.starts_with("stalled")) world.network.stall(*bad->connection, true);
    for (int i = 0; bad_kind == "flood" && i < 200; ++i) bad->send("02ffff");
    if (bad_kind == "cut" && round == 5) world.network.cut(*bad->connection);
    if (bad_kind == "leaves" && round == 5) bad->send("03");
    if (bad_kind == "illegal") bad->send("ff");
    if (bad_kind == "empty") bad->send("");
    if (bad_kind == "oversized") bad->send(std::string(4000, '2'));
    if (bad_kind == "garbage") bad->send("ffffffff");
    if (bad_kind == "oversized request") bad->send(std::string(20000, '0'));
    if (bad_kind == "texts") {
      for (int i = 0; i < 20; ++i) bad->send_text("spam");
    }
  };
  for (int round = 0; round < 60; ++round) {
    misbehave(round);
    host.send((round % 20 == 0 ? "04" : "02") + u16_hex(static_cast<unsigned>(round)) +
              std::string(200, 'b'));
    clients[static_cast<std::size_t>(round) % 3]->send("02" +
                                                       u16_hex(static_cast<unsigned>(round)));
    elsewhere.send("04" + u16_hex(static_cast<unsigned>(round)));
    if (round == 40) host.send("010004");
    world.network.run_for(13ms);
  }
  world.network.run_for(1s);
  Observed seen;
  for (const std::string& hex : host.messages) {
    if (hex.substr(2, 4) != "0004") seen.host.push_back(test::without_token(hex));
  }
  for (const Peer* const client : clients) {
    seen.clients.push_back(test::without_tokens(client->messages));
    seen.times.push_back(client->times);
  }
  // Token draws differ with a bad peer, the times of what came before it joined do too: compared
  // from the beginning of the game.
  for (auto& times : seen.times) {
    std::erase_if(times, [&](time_point at) { return at < begin; });
  }
  if (bad_kind == "stalled") {
    CHECK(world.count(Ending::client_too_slow) == 1);
    CHECK(world.relay.member_count() == 6);
    world.network.stall(*bad->connection, false);
    world.run();
    world.expect_end(*bad, Ending::client_too_slow,
                     "Lagging on internal channel - Computer too slow.");
  }
  if (bad_kind == "flood") CHECK(world.count(Ending::sent_too_much) == 1);
  if (bad_kind == "stalled, resynced") CHECK(world.relay.stats().resyncs != 0);
  world.finish();
  return seen;
}

}  // namespace

TEST_CASE("relay isolation: nobody notices a bad peer", "[relay][isolation]") {
  const Observed without = play("");
  REQUIRE(without.clients[0].size() == 61);
  REQUIRE(without.clients[4].size() == 61);
  for (const char* kind :
       {"stalled", "cut", "leaves", "illegal", "empty", "oversized", "silent", "garbage",
        "oversized request", "texts", "kicked", "flood", "stalled, resynced"}) {
    INFO(kind);
    CHECK(play(kind) == without);
  }
}

TEST_CASE("relay budgets: a stalled host misses rpcs, and the room lives", "[relay][budgets]") {
  RelayWorld world{small_budgets()};
  Peer& host = world.create("room-42", "trictrac", 0, {.window = 60});
  Peer& client = world.join();
  Peer& other = world.join();
  world.send(host, "03aa");
  world.network.stall(*host.connection, true);
  for (unsigned i = 0; i < 200; ++i) {
    REQUIRE(client.send("02" + u16_hex(i)));
    if (i % 10 == 0) world.run();
  }
  world.run();
  CHECK(world.relay.stats().rpcs_dropped > 0);
  CHECK(world.relay.stats().rpcs + world.relay.stats().rpcs_dropped == 200);
  CHECK(world.relay.member_count() == 3);
  CHECK(client.is_open());
  // It cannot read, but it can send.
  world.send(host, "02bb");
  CHECK(other.messages.back() == "02bb");
  // A departure still reaches it.
  world.send(other, "03");
  CHECK(host.is_open());
  const std::uint64_t rpcs = world.relay.stats().rpcs;
  world.network.stall(*host.connection, false);
  world.run();
  CHECK(host.messages.size() == 1 + 2 + rpcs + 1);
  CHECK(host.messages.back() == "010002");
  for (std::size_t i = 3; i + 1 < host.messages.size(); ++i) {  // the oldest, in order
    CHECK(host.messages[i] == "020001" + u16_hex(static_cast<unsigned>(i - 3)));
  }
  world.send(client, "02cc");
  CHECK(host.messages.back() == "020001cc");
  world.finish();
}

TEST_CASE("relay budgets: a host that cannot be told of a newcomer gets none", "[relay][budgets]") {
  RelayWorld world{small_budgets()};
  Peer& host = world.create("room-42", "trictrac", 0, {.window = 10});
  world.network.stall(*host.connection, true);
  std::vector<Peer*> clients;
  while (world.count(Ending::host_not_reachable) == 0) {
    REQUIRE(clients.size() < 100);
    clients.push_back(&world.join());
  }
  Peer* const refused = clients.back();
  clients.pop_back();
  world.expect_end(*refused, Ending::host_not_reachable,
                   "Server unexpectedly left during handshake");
  CHECK(world.relay.member_count() == 1 + clients.size());
  const auto next_id = static_cast<unsigned>(clients.size() + 1);
  // The host catches up: nothing is missing, and no id was used up.
  world.network.stall(*host.connection, false);
  world.run();
  CHECK(host.messages.size() == 1 + clients.size());
  Peer& next = world.join();
  CHECK(next.messages[0].starts_with("06" + u16_hex(next_id)));
  CHECK(host.messages.back() == "00" + u16_hex(next_id));
  world.finish();
}

TEST_CASE("relay budgets: a host that cannot be told of a departure is too slow",
          "[relay][budgets]") {
  RelayWorld world{small_budgets()};
  Peer& host = world.create("room-42", "trictrac", 0, {.window = 10});
  std::vector<Peer*> clients;
  for (int i = 0; i < 80; ++i) clients.push_back(&world.join());
  world.network.stall(*host.connection, true);
  for (unsigned i = 0; i < 100; ++i) clients[79]->send("02" + u16_hex(i));
  world.run();
  CHECK(world.relay.stats().rpcs_dropped > 0);
  std::size_t left = 0;
  while (world.relay.room_count() == 1) {
    REQUIRE(left < clients.size());
    world.send(*clients[left++], "03");
  }
  CHECK(left > 20);  // the half of the budget that rpcs leave
  CHECK(world.count(Ending::host_too_slow) == 1);
  CHECK(world.count(Ending::client_left) == left);
  for (std::size_t i = left; i < clients.size(); ++i) {
    world.expect_end(*clients[i], Ending::host_gone, "Server has left the game.");
  }
  world.network.stall(*host.connection, false);
  world.run();
  world.expect_end(host, Ending::host_too_slow, "Error in communication with server endpoint.");
  world.finish();
}

TEST_CASE("relay budgets: a flood within one pass does not end the room", "[relay][budgets]") {
  RelayWorld world{small_budgets()};
  Peer& host = world.create();
  Peer& flood = world.join();
  Peer& leaver = world.join();
  for (unsigned i = 0; i < 1000; ++i) REQUIRE(flood.send("02"));
  REQUIRE(leaver.send("03"));
  world.run();
  CHECK(host.is_open());
  CHECK(host.messages.back() == "010002");
  CHECK(world.relay.stats().rpcs_dropped > 0);
  world.finish();
}

TEST_CASE("relay budgets: a state as large as allowed reaches those who join together",
          "[relay][budgets]") {
  RelayWorld world{RelayWorld::without_grace()};
  Peer& host = world.create();
  std::vector<Peer*> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(&world.join());
  const std::string state = "03" + std::string(2 * (1024 * 1024 - 1), 'a');
  const std::string reset = "04" + std::string(2 * (1024 * 1024 - 1), 'b');
  // The host's own end has a budget too.
  REQUIRE(host.connection->set_budget({.bytes = 8U << 20U}));
  REQUIRE(host.send(state));
  REQUIRE(host.send(reset));
  world.run();
  for (const Peer* const client : clients) {
    REQUIRE(client->messages.size() == 3);
    CHECK(client->messages[1] == state);
    CHECK(client->messages[2] == reset);
  }
  CHECK(world.endings() == 0);
  world.finish();
}

TEST_CASE("relay budgets: who misses an update above the batch's bound is closed, not left wrong",
          "[relay][budgets]") {
  Outbox::Config outbox;
  outbox.max_batch_bytes = 64 * 1024;
  RelayWorld world{RelayWorld::without_grace(), outbox};
  Peer& host = world.create();
  Peer& synced = world.join();
  world.send(host, "03aa");
  Peer& waiting = world.join();
  const std::string large(2 * 70'000, 'c');
  world.send(host, "03" + large);  // only for those who wait
  world.expect_end(waiting, Ending::client_too_slow,
                   "Lagging on internal channel - Computer too slow.");
  CHECK(synced.is_open());
  world.send(host, "02bb");
  CHECK(synced.messages.back() == "02bb");
  world.send(host, "02" + large);
  world.expect_end(synced, Ending::client_too_slow,
                   "Lagging on internal channel - Computer too slow.");
  CHECK(world.relay.stats().updates_dropped == 2);
  CHECK(world.relay.stats().updates == 2);
  CHECK(host.is_open());
  CHECK(host.messages.back() == "010001");
  world.finish();
}

// Draining and destruction.

TEST_CASE("relay drain: everybody is told, and nobody new gets in", "[relay][drain]") {
  RelayWorld world{RelayWorld::without_grace()};
  Peer& host = world.create();
  Peer& client = world.join();
  Peer& other = world.create("other");
  Peer& silent = world.connect();
  Peer& opening = world.connect_later({.latency = 20ms});
  world.network.run_for(0ms);
  world.relay.on_drain(world.network.now());
  world.relay.on_drain(world.network.now());
  world.run();
  for (Peer* const peer : {&host, &client, &other, &silent}) {
    world.expect_end(*peer, Ending::relay_drains, "Internal channel closed.");
  }
  CHECK(world.count(Ending::relay_drains) == 4);
  CHECK(world.relay.room_count() == 0);
  CHECK(world.relay.next_deadline() == no_deadline);
  CHECK(opening.opens == 0);
  CHECK(opening.code == 503);
  world.peers.erase(world.peers.begin() + 4);  // it was never accepted
  world.finish();
}

TEST_CASE("relay drain: who was accepted but opens later is told too", "[relay][drain]") {
  RelayWorld world{RelayWorld::without_grace()};
  // A decision that is answered, while the opening is still under way.
  struct Late final : Service {
    void on_upgrade(const Request&, Decision decision, time_point) override {
      kept.emplace(std::move(decision));
    }
    void on_message(Connection&, const Message&, time_point) override {}
    std::optional<Decision> kept;
  } late;
  Peer& peer = *world.peers.emplace_back(std::make_unique<Peer>());
  peer.connection = &world.network.connect(peer, late);
  world.run();
  REQUIRE(late.kept);
  REQUIRE(late.kept->accept(world.relay));
  world.relay.on_drain(world.network.now());
  world.run();
  world.expect_end(peer, Ending::relay_drains, "Internal channel closed.");
  world.finish();
}

TEST_CASE("relay: it may be destroyed while its rooms are full", "[relay][drain]") {
  memory::Network network;
  SeededEntropy entropy{1};
  Peer host;
  Peer client;
  {
    WeakMac mac;
    relay::Service relay{RelayWorld::without_grace(), network.outbox(), entropy, mac};
    host.connection = &network.connect(host, relay);
    client.connection = &network.connect(client, relay);
    REQUIRE(network.run_until_quiet());
    host.send(RelayWorld::request_hex("trictrac", "R", 0, true));
    client.send(RelayWorld::request_hex("trictrac", "R", 0, false));
    REQUIRE(network.run_until_quiet());
    host.send("03aa");
    CHECK(relay.member_count() == 2);
  }
  CHECK(host.messages.size() == 2);
}

// Failures of the transport.

TEST_CASE("relay failures: any write may fail", "[relay][failures]") {
  std::uint64_t n = 1;
  bool failed = true;
  for (; failed; ++n) {
    INFO("write " << n);
    REQUIRE(n < 500);
    RelayWorld world{RelayWorld::without_grace()};
    std::vector<Peer*> all;
    for (int i = 0; i < 6; ++i) all.push_back(&world.connect());
    const std::uint64_t before = world.network.writes();
    world.network.fail_write(n);
    const auto say = [&](std::size_t who, std::string_view hex) {
      all[who]->send(hex);
      world.run();
    };
    say(0, RelayWorld::request_hex("trictrac", "R", 0, true));
    for (std::size_t i = 1; i < 5; ++i) say(i, RelayWorld::request_hex("trictrac", "R", 0, false));
    say(0, "03aa");
    say(1, "0201");
    say(2, "0202");
    say(0, "010003");
    say(0, "02bb");
    say(2, "03");
    say(5, RelayWorld::request_hex("trictrac", "R", 0, false));
    say(0, "04cc");
    say(4, "ff");
    all[0]->send("02dd");
    all[0]->send("00");
    world.run();
    failed = world.network.writes() - before >= n;
    world.network.fail_write(0);
    for (const Peer* const peer : all) {
      if (peer->messages.empty()) continue;
      CHECK((peer->messages[0].starts_with("06") || peer->messages[0].starts_with("05")));
    }
    CHECK(all[0]->connection == nullptr);
    world.finish();
  }
  CHECK(n > 20);
}

TEST_CASE("relay failures: the host's view of its clients is right after any lost write",
          "[relay][failures]") {
  std::uint64_t n = 1;
  for (bool failed = true; failed; ++n) {
    INFO("write " << n);
    REQUIRE(n < 500);
    RelayWorld world{RelayWorld::without_grace()};
    Peer& host = world.create();
    const std::uint64_t before = world.network.writes();
    world.network.fail_write(n);
    std::map<unsigned, Peer*> open;
    for (unsigned i = 1; i <= 6; ++i) {
      Peer& peer = world.connect_later();
      world.run();
      peer.send(RelayWorld::request_hex("trictrac", "room-42", 0, false));
      host.send("03" + u16_hex(i));
      world.run();
      host.send("02" + u16_hex(i));
      if (i == 4) host.send("010002");
      world.run();
    }
    failed = world.network.writes() - before >= n;
    std::set<std::string> believed;
    for (const std::string& hex : host.messages) {
      if (hex.starts_with("00")) CHECK(believed.insert(hex.substr(2)).second);
      if (hex.starts_with("01")) CHECK(believed.erase(hex.substr(2)) == 1);
    }
    if (host.is_open()) {
      std::set<std::string> present;
      for (const auto& peer : world.peers) {
        if (peer.get() != &host && peer->is_open()) present.insert(peer->messages[0].substr(2, 4));
      }
      CHECK(believed == present);
      CHECK(world.relay.member_count() == 1 + present.size());
    } else {
      CHECK(world.relay.member_count() == 0);
    }
    world.finish();
  }
}

// Configuration.

TEST_CASE("relay config: every field at and beyond its bounds", "[relay][config]") {
  using Config = relay::Service::Config;
  const auto problem_of = [](const std::function<void(Config&)>& change) {
    Config config = RelayWorld::without_grace();
    change(config);
    std::string problem = "stale";
    const std::error_code code = relay::Service::validate(config, problem);
    CHECK((code == errc::invalid_config) == !problem.empty());
    CHECK((code ? code == errc::invalid_config : problem.empty()));
    return problem;
  };
  const auto good = [&](const std::function<void(Config&)>& change) {
    CHECK(problem_of(change).empty());
  };
  const auto bad = [&](std::string_view field, const std::function<void(Config&)>& change) {
    CHECK_THAT(problem_of(change), StartsWith(std::string{field} + " "));
  };
  good([](Config&) {});
  good([](Config& c) { c = Config{}; });
  good([](Config& c) { c.join_timeout = 100ms; });
  good([](Config& c) { c.join_timeout = 10min; });
  bad("join_timeout", [](Config& c) { c.join_timeout = 100ms - duration{1}; });
  bad("join_timeout", [](Config& c) { c.join_timeout = 10min + duration{1}; });
  bad("join_timeout", [](Config& c) { c.join_timeout = -1s; });
  good([](Config& c) { c.max_join_request = 64; });
  good([](Config& c) { c.max_join_request = 65536; });
  bad("max_join_request", [](Config& c) { c.max_join_request = 63; });
  bad("max_join_request", [](Config& c) { c.max_join_request = 65537; });
  good([](Config& c) { c.max_id_size = 1; });
  good([](Config& c) { c.max_id_size = 1024; });
  bad("max_id_size", [](Config& c) { c.max_id_size = 0; });
  bad("max_id_size", [](Config& c) { c.max_id_size = 1025; });
  good([](Config& c) { c.max_host_message = 1024; });
  good([](Config& c) {
    c.max_host_message = 64U << 20U;
    c.client_budget.bytes = 128U << 20U;
  });
  bad("max_host_message", [](Config& c) { c.max_host_message = 1023; });
  bad("max_host_message", [](Config& c) {
    c.max_host_message = (64U << 20U) + 1;
    c.client_budget.bytes = 128U << 20U;
  });
  good([](Config& c) { c.max_client_message = 64; });
  good([](Config& c) {
    c.max_client_message = 64U << 20U;
    c.host_budget.bytes = 256U << 20U;
  });
  bad("max_client_message", [](Config& c) { c.max_client_message = 63; });
  bad("max_client_message", [](Config& c) {
    c.max_client_message = (64U << 20U) + 1;
    c.host_budget.bytes = 256U << 20U;
  });
  good([](Config& c) { c.max_rooms = 1; });
  good([](Config& c) { c.max_rooms = 10'000'000; });
  bad("max_rooms", [](Config& c) { c.max_rooms = 0; });
  bad("max_rooms", [](Config& c) { c.max_rooms = 10'000'001; });
  bad("host_budget", [](Config& c) { c.host_budget.frames = 7; });
  bad("host_budget", [](Config& c) { c.host_budget.frames = 65'001; });
  good([](Config& c) { c.host_budget.bytes = 2 * (65536 + 64); });
  bad("host_budget", [](Config& c) { c.host_budget.bytes = 2 * (65536 + 64) - 2; });
  bad("client_budget", [](Config& c) { c.client_budget.reserve_frames = 257; });
  bad("client_budget", [](Config& c) { c.client_budget.bytes = 0x80000001U; });
  good([](Config& c) { c.client_budget.bytes = (1U << 20U) + 1024 + 64; });
  bad("client_budget", [](Config& c) { c.client_budget.bytes = (1U << 20U) + 1024 + 63; });
  good([](Config& c) { c.rooms.window = FlushWindow::lead(0ms); });
  good([](Config& c) { c.rooms.window = FlushWindow::lead(10s); });
  bad("window", [](Config& c) { c.rooms.window = FlushWindow::lead(10s + duration{1}); });
  bad("window", [](Config& c) { c.rooms.window = FlushWindow::lead(-1ms); });
  good([](Config& c) { c.rooms.window = FlushWindow::tick(1ms); });
  bad("window", [](Config& c) { c.rooms.window = FlushWindow::tick(); });
}
