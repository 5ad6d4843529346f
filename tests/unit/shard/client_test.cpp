// SPDX-License-Identifier: MIT
// A client of a shard, against the front end and against servers that do what a test says.
#include <muster/memory/dialer.hpp>
#include <muster/memory/network.hpp>
#include <muster/shard/client.hpp>

#include "support/heap_count.hpp"
#include "support/shard_players.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

using namespace muster;
using namespace muster::shard;
using namespace std::chrono_literals;
using test::BoardHandler;
using test::BoardServer;

namespace {

struct MemorySide {
  explicit MemorySide(const memory::Link& link = {}) : dialing(network, link) {}
  void serve(muster::Service& service) {
    REQUIRE(!dialing.listen(origin + "/", service));
    REQUIRE(!dialing.listen(origin + "/shard/x", service));
    network.add(service);
  }
  Dialer& dialer() { return dialing; }
  Outbox& outbox() { return network.outbox(); }
  void add(muster::Service& service) { network.add(service); }
  void remove(muster::Service& service) { network.remove(service); }
  [[nodiscard]] time_point now() const { return network.now(); }
  template <class Done>
  bool run_until(Done done) {
    for (int i = 0; i < 100'000 && !done(); ++i) network.step();
    return done();
  }

  static constexpr bool tells_why = true;
  std::string origin = "ws://shard.test";
  memory::Network network{1};
  SeededEntropy entropy{1};
  memory::Dialer dialing;
};

// The front end with its board, and one client.
struct World : MemorySide {
  explicit World(const memory::Link& link = {},
                 const BoardServer::Shard::Config& config = {.hz = 50})
      : MemorySide(link), server(network.outbox(), entropy, network.now(), config) {
    serve(server.service);
  }
  ~World() {
    if (client) network.remove(*client);
    network.remove(server.service);
  }
  Client& start(Client::Config config) {
    std::string problem;
    REQUIRE(!Client::validate(config, problem));
    client.emplace(config, dialing, network.outbox(), entropy, handler);
    network.add(*client);
    REQUIRE(!client->start(network.now()));
    return *client;
  }
  Client& start(Wire wire = Wire::v2) {
    const char* target = wire == Wire::v2 ? "/?shard=one&v=2&format=binary" : "/?shard=one";
    return start({.dial = test::board_dial(origin, target, "tok-alice"), .wire = wire});
  }
  Connection& server_end() {
    REQUIRE(server.shard->find("alice") != nullptr);
    return *server.shard->find("alice")->connection;
  }

  BoardServer server;
  BoardHandler handler;
  std::optional<Client> client;
};

// A server whose words a test writes.
struct Script final : muster::Service {
  void on_open(Connection& connection, time_point) override { end = &connection; }
  void on_message(Connection&, const Message& message, time_point) override {
    const auto decoded = v2::decode_client_message(message.bytes);
    REQUIRE(decoded.has_value());
    if (const auto* ack = std::get_if<v2::SnapshotAck>(&*decoded)) acks.push_back(ack->tick);
    if (const auto* input = std::get_if<v2::Input>(&*decoded)) {
      inputs.push_back({input->client_seq, input->last_received_tick, input->target_tick, {}});
    }
    if (const auto* interest = std::get_if<v2::Interest>(&*decoded)) {
      interests.emplace_back(as_text(interest->parameters));
    }
  }
  void on_close(Connection&, const CloseInfo& info, time_point) override {
    end = nullptr;
    code = info.code;
  }
  template <class T>
  void say(const T& message) {
    std::vector<std::byte> bytes;
    v2::encode(message, bytes);
    REQUIRE(end != nullptr);
    end->send({bytes});
  }
  Connection* end = nullptr;
  std::vector<std::uint64_t> acks;
  std::vector<v2::Input> inputs;
  std::vector<std::string> interests;
  unsigned code = 0;
};

struct ScriptWorld : MemorySide {
  explicit ScriptWorld(Client::Config config = {}) {
    serve(script);
    config.dial = {.url = origin + "/?shard=one&v=2"};
    client.emplace(config, dialing, network.outbox(), entropy, handler);
    network.add(*client);
    REQUIRE(!client->start(network.now()));
    REQUIRE(network.run_until_quiet());
  }
  ~ScriptWorld() {
    network.remove(*client);
    network.remove(script);
  }
  template <class... T>
  void say(const T&... messages) {
    (script.say(messages), ...);
    REQUIRE(network.run_until_quiet());
  }
  void greet() { say(v2::Hello{.sid = "me", .max_message_bytes = 32}); }

  Script script;
  BoardHandler handler;
  std::optional<Client> client;
};

byte_view bytes(std::string_view text) { return as_bytes(text); }

}  // namespace

TEST_CASE("shard client: joins, refusals, inputs and snapshots in memory", "[shard]") {
  MemorySide side{{.latency = 5ms, .jitter = 5ms}};
  BoardServer server{side.network.outbox(), side.entropy, side.network.now()};
  side.serve(server.service);
  test::play_board(side, server);
  side.network.remove(server.service);
}

TEST_CASE("shard client: a configuration that cannot work is named", "[shard]") {
  std::string problem;
  const DialRequest legacy{.url = "ws://h/?shard=a"};
  const DialRequest v2{.url = "ws://h/?shard=a&v=2"};
  const DialRequest offers{.url = "ws://h/?shard=a", .subprotocols = {"bearer.x", "shard.v2"}};
  CHECK(!Client::validate({.dial = v2}, problem));
  CHECK(!Client::validate({.dial = offers}, problem));
  CHECK(!Client::validate({.dial = legacy, .wire = Wire::legacy}, problem));
  CHECK(Client::validate({.dial = legacy}, problem));
  CHECK(problem == "dial must ask for version 2 if wire is v2, and only then");
  CHECK(Client::validate({.dial = v2, .wire = Wire::legacy}, problem));
  CHECK(Client::validate({.dial = v2, .wire = Wire::events}, problem));
  CHECK(problem == "wire must be legacy or v2");
  CHECK(Client::validate({.dial = {.url = "http://h/"}}, problem));
  CHECK(Client::validate({.dial = v2, .max_message = 1023}, problem));
  CHECK(problem == "max_message must be between 1 KiB and 64 MiB");
}

TEST_CASE("shard client: a lost connection is followed by another, and numbers go on", "[shard]") {
  const Wire wire = GENERATE(Wire::v2, Wire::legacy);
  World world;
  Client& client = world.start(wire);
  const std::string_view quote = wire == Wire::v2 ? "" : "\"";
  const auto input = [&](std::string_view text) {
    return client.input(bytes(std::string{quote} + std::string{text} + std::string{quote}));
  };
  CHECK(client.input({}).error() == errc::wrong_state);
  REQUIRE(world.run_until([&] { return !world.handler.ticks.empty(); }));
  CHECK(input("0=a").value() == 1);
  CHECK(input("1=b").value() == 2);
  world.network.run_for(100ms);
  world.network.cut(world.server_end());
  REQUIRE(world.run_until([&] { return !world.handler.aways.empty(); }));
  CHECK(world.handler.aways == std::vector{Parting::connection_lost});
  CHECK(client.state() == Client::State::away);
  CHECK(input("2=c").error() == errc::wrong_state);
  world.handler.ticks.clear();
  REQUIRE(world.run_until([&] { return !world.handler.ticks.empty(); }));
  CHECK(world.handler.joins == 2);
  CHECK(input("3=d").value() == 3);
  world.network.run_for(100ms);
  CHECK(world.server.board().cells == "ab.d......");
  CHECK(client.stats().joins == 2);
  CHECK(client.stats().inputs == 3);
  if (wire == Wire::v2) CHECK(world.handler.acked() == 3);
}

TEST_CASE("shard client: attempts wait longer and longer, and end", "[shard]") {
  World world;
  world.dialing.stop(world.origin + "/");
  world.start({.dial = test::board_dial(world.origin, "/?shard=one&v=2", "tok-alice"),
               .max_attempts = 6,
               .backoff = {.first = 100ms, .longest = 1s}});
  REQUIRE(world.run_until([&] { return world.handler.ended.has_value(); }));
  CHECK(world.handler.ended == Parting::gave_up);
  CHECK(world.dialing.dials() == 6);
  REQUIRE(world.handler.waits.size() == 5);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(world.handler.waits[i] <= std::min<duration>(1s, 100ms * (1 << i)));
  }
  CHECK(world.handler.aways == std::vector(5, Parting::connect_failed));
}

TEST_CASE("shard client: a server that says no hello is given up in time", "[shard]") {
  ScriptWorld world{{.join_timeout = 3s, .reconnects = false}};
  world.network.run_for(2900ms);
  CHECK_FALSE(world.handler.ended);
  world.network.run_for(200ms);
  CHECK(world.handler.ended == Parting::timed_out);
}

TEST_CASE("shard client: a delta needs its base, or a whole snapshot is asked for once",
          "[shard]") {
  ScriptWorld world;
  world.greet();
  CHECK(world.client->sid() == "me");
  world.say(v2::Full{10, bytes("abcdefghij")});
  world.say(v2::Delta{11, 10, bytes("0A")}, v2::Unchanged{12, 11}, v2::Delta{13, 11, bytes("1B")});
  CHECK(world.handler.board == "ABcdefghij");
  CHECK(world.handler.ticks == std::vector<std::uint64_t>{10, 11, 12, 13});
  CHECK(world.script.acks == std::vector<std::uint64_t>{10, 13});  // the newest is enough
  world.script.acks.clear();

  // What the server has moved on from is forgotten.
  world.say(v2::Delta{14, 13, bytes("2C")});
  CHECK(world.handler.board == "ABCdefghij");
  world.script.acks.clear();
  world.say(v2::Delta{15, 12, bytes("3D")});
  world.say(v2::Delta{16, 12, bytes("3D")});
  CHECK(world.script.acks == std::vector<std::uint64_t>{0});
  CHECK(world.client->stats().resyncs == 1);
  CHECK(world.handler.ticks.back() == 14);
  world.say(v2::Full{16, bytes("..........")});
  world.say(v2::Delta{17, 16, bytes("4E")});
  CHECK(world.handler.board == "....E.....");

  // Neither a base of the future, nor a delta that is none, nor what is late.
  world.script.acks.clear();
  world.say(v2::Unchanged{18, 18});
  CHECK(world.script.acks == std::vector<std::uint64_t>{0});
  world.say(v2::Full{19, bytes("..........")}, v2::Full{18, bytes("late")});
  CHECK(world.handler.ticks.back() == 19);
  world.say(v2::Delta{20, 19, bytes("odd")});
  CHECK(world.client->stats().resyncs == 3);
  CHECK(world.handler.board == "..........");
}

TEST_CASE("shard client: the state before the first tick is shown and not acknowledged",
          "[shard]") {
  ScriptWorld world;
  world.greet();
  world.say(v2::Full{0, bytes("start")});
  CHECK(world.handler.board == "start");
  CHECK(world.script.acks.empty());
}

TEST_CASE("shard client: inputs say what was received, and what is too large is not sent",
          "[shard]") {
  ScriptWorld world;
  world.greet();
  CHECK(world.client->input(bytes("x")).value() == 1);
  world.say(v2::Full{10, bytes("state")});
  CHECK(world.client->input(bytes("y"), 12).value() == 2);
  CHECK(world.client->input(bytes(std::string(32, 'z'))).error() == errc::too_large);
  CHECK(world.client->interest(bytes(std::string(32, 'z'))) == errc::too_large);
  CHECK(!world.client->interest(bytes("north")));
  REQUIRE(world.network.run_until_quiet());
  REQUIRE(world.script.inputs.size() == 2);
  CHECK(world.script.inputs[0].last_received_tick == 0);
  CHECK(world.script.inputs[0].target_tick == 0);
  CHECK(world.script.inputs[1].client_seq == 2);
  CHECK(world.script.inputs[1].last_received_tick == 10);
  CHECK(world.script.inputs[1].target_tick == 12);
  CHECK(world.script.interests == std::vector<std::string>{"north"});
}

TEST_CASE("shard client: what no server says ends the connection for good", "[shard]") {
  ScriptWorld world;
  const int what = GENERATE(0, 1, 2, 3, 4);
  CAPTURE(what);
  if (what != 0) world.greet();
  if (what == 0) world.say(v2::Full{1, bytes("x")});
  if (what == 1) world.greet();
  if (what == 2) world.say(v2::Event{2, bytes("x")});
  if (what == 3) world.script.end->send({bytes("\xff")});
  if (what == 4) world.script.end->send({bytes("\x01\x01x"), MessageKind::text});
  REQUIRE(world.network.run_until_quiet());
  CHECK(world.handler.ended == Parting::protocol_error);
  CHECK(world.client->stats().malformed == 1);
  CHECK(world.script.code == 1002);
  CHECK(world.handler.ticks.empty());
}

TEST_CASE("shard client: a bye counts also where the close cannot be read", "[shard]") {
  ScriptWorld world;
  world.greet();
  world.say(v2::Bye{4409, "replaced"});
  world.network.cut(*world.script.end);
  REQUIRE(world.network.run_until_quiet());
  CHECK(world.handler.ended == Parting::replaced);
  CHECK(world.handler.text == "replaced");
}

TEST_CASE("shard client: it leaves from anywhere, and once", "[shard]") {
  World world;
  Client& client = world.start();
  const int when = GENERATE(0, 1, 2);
  if (when >= 1) REQUIRE(world.run_until([&] { return client.is_joined(); }));
  if (when == 2) {
    world.network.cut(world.server_end());
    REQUIRE(world.run_until([&] { return client.state() == Client::State::away; }));
  }
  client.leave(world.now());
  client.leave(world.now());
  world.network.run_for(5s);
  CHECK(world.handler.ended == Parting::left);
  CHECK(client.stats().dials == 1);
  CHECK(client.start(world.now()) == errc::wrong_state);
}

TEST_CASE("shard client: the server's clock is known as well as the link allows", "[shard]") {
  World world{{.latency = 40ms, .jitter = 20ms}};
  Client& client = world.start();
  world.network.run_for(10s);
  REQUIRE(client.clock().is_known());
  CHECK(client.clock().round_trip() >= 80ms);
  CHECK(client.clock().round_trip() <= 120ms);
  // In memory both ends have one clock.
  CHECK(client.clock().offset() <= 20ms);
  CHECK(client.clock().offset() >= -20ms);
}

TEST_CASE("shard client: a slow one gets the newest, and the others do not wait", "[shard]") {
  World world{{.window = 4096}};
  Client& client = world.start();
  REQUIRE(world.run_until([&] { return client.tick() >= 5; }));
  BoardHandler other;
  const Client::Config config{
      .dial = test::board_dial(world.origin, "/?shard=one&sid=bob&v=2", "tok-bob")};
  Client bob{config, world.dialing, world.network.outbox(), world.entropy, other};
  world.network.add(bob);
  REQUIRE(!bob.start(world.now()));
  REQUIRE(world.run_until([&] { return bob.is_joined(); }));
  Connection* const end = world.network.peer_of(world.server_end());
  REQUIRE(end != nullptr);
  const std::uint64_t before = world.server.shard->tick();
  world.server.shard->simulation().filling = 3000;
  const std::size_t shown = world.handler.ticks.size();
  world.network.stall(*end, true);
  world.network.run_for(5s);
  CHECK(world.handler.ticks.size() == shown);
  CHECK(bob.tick() >= before + 240);
  CHECK(other.ticks.size() >= 240);
  world.network.stall(*end, false);
  world.network.run_for(200ms);
  CHECK(client.tick() == world.server.shard->tick());
  CHECK(world.handler.ticks.size() < shown + 150);
  CHECK(world.handler.is_in_order());
  CHECK(world.handler.aways.empty());

  // One who takes nothing at all is closed.
  world.network.stall(*end, true);
  world.network.run_for(12s);
  CHECK(world.server.shard->find("alice") == nullptr);
  CHECK(world.server.shard->stats().closed_slow == 1);
  world.network.remove(bob);
}

TEST_CASE("shard client: whatever the link does, each snapshot is what the server had", "[shard]") {
  const auto seed = GENERATE(range(std::uint64_t{1}, std::uint64_t{7}));
  CAPTURE(seed);
  World world{{.latency = 80ms, .jitter = 70ms, .bytes_per_second = 4000, .window = 64}};
  SeededEntropy chance{seed};
  std::map<std::uint64_t, std::string> truth{{0, ".........."}};
  world.server.shard->after_tick(
      [&](const test::Board& board, std::uint64_t tick) { truth[tick] = board.cells; });
  std::uint64_t compared = 0;
  world.handler.when_snapshot = [&](time_point) {
    CHECK(world.handler.board == truth.at(world.handler.ticks.back()));
    ++compared;
  };
  Client& client = world.start();
  int cuts = 0;
  for (int i = 0; i < 1500; ++i) {
    world.network.run_for(1ms * (10 + static_cast<int>(chance.next_u64() % 20)));
    if (!client.is_joined()) continue;
    const std::string input{static_cast<char>('0' + chance.next_u64() % 9), '=',
                            static_cast<char>('a' + chance.next_u64() % 26)};
    static_cast<void>(client.input(bytes(input)));
    if (chance.next_u64() % 300 == 0 && world.server.shard->find("alice") != nullptr) {
      world.network.cut(world.server_end());
      ++cuts;
    }
  }
  CHECK(compared > 300);
  CHECK(client.stats().deltas > 200);
  CHECK(client.stats().joins >= static_cast<std::uint64_t>(cuts));
  CHECK(client.stats().malformed == 0);
  CHECK(client.stats().resyncs == 0);
  CHECK(world.server.shard->stats().frames_conflated > 0);
}

TEST_CASE("shard client: what was known on a connection does not outlive it", "[shard]") {
  ScriptWorld world{{.max_attempts = 2}};
  for (int i = 0; i < 4; ++i) {  // attempts count from the last time that it was in the shard
    CAPTURE(i);
    REQUIRE(world.script.end != nullptr);
    world.greet();
    CHECK(world.client->tick() == 0);
    CHECK_FALSE(world.client->clock().is_known());
    world.script.acks.clear();
    world.say(v2::Delta{11, 10, bytes("0A")});
    CHECK(world.script.acks == std::vector<std::uint64_t>{0});
    world.say(v2::Full{10, bytes("abcdefghij")}, v2::ClockReply{1, 1000, 10});
    CHECK(world.client->clock().is_known());
    world.network.cut(*world.script.end);
    world.network.run_for(10s);  // longer than the longest wait
  }
  CHECK(world.handler.aways == std::vector(4, Parting::connection_lost));
  CHECK_FALSE(world.handler.ended);
}

TEST_CASE("shard client: an input ack is told with the snapshot that shows it", "[shard]") {
  ScriptWorld world;
  world.greet();
  std::vector<std::string> told;
  world.handler.when_ack = [&](const v2::InputAck& ack) {
    told.push_back("ack " + std::to_string(ack.client_seq.value_or(0)));
  };
  world.handler.when_snapshot = [&](time_point) {
    told.push_back("tick " + std::to_string(world.handler.ticks.back()));
  };
  using Told = std::vector<std::string>;
  world.say(v2::InputAck{10, 1, 0});
  CHECK(told.empty());
  world.say(v2::Full{10, bytes("abcdefghij")});
  CHECK(std::exchange(told, {}) == Told{"ack 1", "tick 10"});

  // Its own snapshot was replaced by a newer one; and one that cannot be used shows nothing.
  world.say(v2::InputAck{11, 2, 0}, v2::InputAck{12, 3, 0}, v2::Delta{13, 7, bytes("0A")});
  CHECK(told.empty());
  world.say(v2::Full{14, bytes("abcdefghij")});
  CHECK(std::exchange(told, {}) == Told{"ack 3", "tick 14"});

  // A server may say it behind the snapshot too.
  world.say(v2::InputAck{14, 4, 0});
  CHECK(std::exchange(told, {}) == Told{"ack 4"});

  // It does not outlive its connection.
  world.say(v2::InputAck{20, 5, 0});
  world.network.cut(*world.script.end);
  world.network.run_for(10s);
  world.greet();
  world.say(v2::Full{30, bytes("abcdefghij")});
  CHECK(told == Told{"tick 30"});
}

TEST_CASE("shard client: who leaves when it hears an ack is shown nothing more", "[shard]") {
  ScriptWorld world;
  world.greet();
  world.handler.when_ack = [&](const v2::InputAck&) { world.client->leave(world.now()); };
  world.say(v2::InputAck{10, 1, 0}, v2::Full{10, bytes("abcdefghij")});
  CHECK(world.handler.ticks.empty());
  CHECK(world.handler.ended == Parting::left);
}

TEST_CASE("shard client: a snapshot too large to be kept is shown and not acknowledged",
          "[shard]") {
  ScriptWorld world{{.max_bases = 9}};
  world.greet();
  world.say(v2::Full{10, bytes("abcdefghij")});
  CHECK(world.handler.board == "abcdefghij");
  CHECK(world.script.acks.empty());
  CHECK(world.client->input(bytes("x")));
  REQUIRE(world.network.run_until_quiet());
  REQUIRE(world.script.inputs.size() == 1);
  CHECK(world.script.inputs[0].last_received_tick == 0);
}

TEST_CASE("shard client: a server may say anything in any order", "[shard]") {
  SeededEntropy chance{5};
  std::uint64_t shown = 0;
  std::uint64_t ended = 0;
  for (int life = 0; life < 300; ++life) {
    ScriptWorld world{{.max_bases = 64}};
    if (chance.next_u64() % 8 != 0) world.greet();
    std::uint64_t event = 1;
    for (int i = 0; i < 60 && world.script.end != nullptr; ++i) {
      const auto some = [&](std::uint64_t below) { return chance.next_u64() % below; };
      const std::string text(some(20), static_cast<char>('0' + some(10)));
      std::vector<std::byte> said;
      const std::uint64_t tick = some(50) == 0 ? chance.next_u64() : some(4) + i;
      switch (some(8)) {
        case 0:
          v2::encode(v2::Full{tick, bytes(text)}, said);
          break;
        case 1:
        case 2:
          v2::encode(v2::Delta{tick, some(4) + i, bytes(text)}, said);
          break;
        case 3:
          v2::encode(v2::Unchanged{tick, some(4) + i}, said);
          break;
        case 4:
          v2::encode(v2::Event{some(30) == 0 ? event + 1 : event, bytes(text)}, said);
          ++event;
          break;
        case 5:
          v2::encode(v2::ClockReply{some(4), chance.next_u64() >> some(64), tick}, said);
          break;
        case 6:
          v2::encode(v2::InputAck{tick, some(9), -5}, said);
          break;
        default:
          v2::encode(v2::Nack{some(9), v2::NackCode::rate}, said);
          break;
      }
      if (some(100) == 0) said[some(said.size())] ^= std::byte{0x80};
      world.script.end->send({said});
      REQUIRE(world.network.run_until_quiet());
      static_cast<void>(world.client->input(bytes("x")));
    }
    shown += world.handler.ticks.size();
    if (world.handler.ended) {
      CHECK(world.handler.ended == Parting::protocol_error);
      CHECK(world.script.code == 1002);
      ++ended;
    }
    CHECK(world.handler.is_in_order());
    // It acknowledges what it was sent, or asks anew; and never more often than there was reason.
    for (const std::uint64_t tick : world.script.acks) {
      const auto& ticks = world.handler.ticks;
      CHECK((tick == 0 || std::find(ticks.begin(), ticks.end(), tick) != ticks.end()));
    }
    const auto asked = static_cast<std::uint64_t>(
        std::count(world.script.acks.begin(), world.script.acks.end(), 0));
    CHECK(asked <= world.client->stats().snapshots + 1);
  }
  CHECK(shown > 1000);
  CHECK(ended > 50);
}

#if MUSTER_TEST_COUNTS_ALLOCATIONS

TEST_CASE("shard client: a message allocates nothing once buffers have their size",
          "[shard][memory]") {
  ScriptWorld world;
  world.greet();
  world.handler.board.reserve(100);
  world.handler.ticks.reserve(1000);
  world.handler.acks.reserve(1000);
  Connection& end = *world.network.peer_of(*world.script.end);
  std::vector<std::byte> message;
  const auto take = [&](const auto& said) {
    message.clear();
    v2::encode(said, message);
    const int before = test::allocations;
    world.client->on_message(end, {message}, world.now());
    const int count = test::allocations - before;
    REQUIRE(world.network.run_until_quiet());
    return count;
  };
  take(v2::Full{1, bytes("..........")});
  int count = 0;
  for (std::uint64_t tick = 2; tick <= 300; ++tick) {
    const int now = take(v2::Delta{tick, tick - 1, bytes("3x")}) +
                    take(v2::InputAck{tick, std::nullopt, 0}) + take(v2::Unchanged{tick, tick - 1});
    if (tick > 150) count += now;
  }
  CHECK(count == 0);
  CHECK(world.client->stats().resyncs == 0);
  CHECK(world.handler.ticks.size() > 500);
}

#endif
