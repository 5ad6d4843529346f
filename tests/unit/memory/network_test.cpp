// SPDX-License-Identifier: MIT
// Connections in memory and in virtual time.
#include <muster/memory/network.hpp>

#include "support/catch.hpp"
#include "support/wire_connection.hpp"

#include <muster/group.hpp>

using namespace muster;
using namespace muster::test;
using namespace std::chrono_literals;
using memory::Link;
using memory::Network;

namespace {

// Echoes what it gets, and notes everything with its time.
class Echo : public RecordingService {
 public:
  explicit Echo(Network& network) {
    when_message = [this, &network](Connection& connection, const Message& message) {
      times.push_back(network.now() - time_point{});
      if (echoes) connection.send(message);
    };
  }
  bool echoes = true;
  std::vector<duration> times;
};

struct Pair {
  explicit Pair(const Link& link = {}, std::uint64_t seed = 1)
      : network(seed), client(network), server(network) {
    client.echoes = false;
    server.when_open = [this](Connection& connection) { far = &connection; };
    near = &network.connect(client, server, {}, link);
  }
  void open() { REQUIRE(network.run_until_quiet()); }

  Network network;
  Echo client;
  Echo server;
  Connection* near = nullptr;
  Connection* far = nullptr;
};

std::vector<duration> trace(std::uint64_t seed) {
  Pair pair{{.latency = 10ms, .jitter = 20ms, .bytes_per_second = 10'000, .loss = 0.3}, seed};
  pair.open();
  for (int i = 0; i < 50; ++i) {
    pair.near->send(text("message " + std::to_string(i)),
                    i % 2 == 0 ? Delivery::reliable : Delivery::volatile_);
    pair.network.run_for(3ms);
  }
  pair.open();
  return pair.server.times;
}

}  // namespace

TEST_CASE("memory: the same seed gives the same trace, another seed another one", "[memory]") {
  CHECK(trace(7) == trace(7));
  CHECK(trace(7) != trace(8));
}

TEST_CASE("memory: both ends open, and a message comes back after two latencies", "[memory]") {
  Pair pair{{.latency = 10ms}};
  CHECK_FALSE(pair.near->is_open());
  pair.open();
  CHECK(pair.near->is_open());
  CHECK(pair.client.opened == 1);
  CHECK(pair.server.opened == 1);
  CHECK(pair.network.peer_of(*pair.near) == pair.far);
  const time_point start = pair.network.now();
  pair.near->send(text("hello"));
  pair.open();
  CHECK(pair.server.messages == Payloads{"hello"});
  CHECK(pair.client.messages == Payloads{"hello"});
  CHECK(pair.network.now() - start == 20ms);
}

TEST_CASE("memory: bandwidth spaces messages", "[memory]") {
  Pair pair{{.bytes_per_second = 1000}};
  pair.open();
  pair.server.echoes = false;
  for (int i = 0; i < 3; ++i) pair.near->send(text(std::string(100, 'b')));
  pair.open();
  REQUIRE(pair.server.times.size() == 3);
  CHECK(pair.server.times[1] - pair.server.times[0] == 100ms);
  CHECK(pair.server.times[2] - pair.server.times[1] == 100ms);
}

TEST_CASE("memory: a window holds the sender back, and a peer that does not read fills it",
          "[memory]") {
  Pair pair{{.latency = 5ms, .window = 100}};
  pair.open();
  pair.server.echoes = false;
  pair.network.stall(*pair.far, true);
  for (int i = 0; i < 10; ++i) pair.near->send(text(std::to_string(i) + std::string(29, 'w')));
  pair.open();
  CHECK(pair.near->backlog() == 7 * 30);
  CHECK(pair.server.messages.empty());
  pair.network.stall(*pair.far, false);
  pair.open();
  REQUIRE(pair.server.messages.size() == 10);
  for (std::size_t i = 0; i < 10; ++i) {
    CHECK(pair.server.messages[i][0] == static_cast<char>('0' + i));
  }
}

TEST_CASE("memory: what a stalled end held comes before what arrives later", "[memory]") {
  Pair pair;
  pair.open();
  pair.server.echoes = false;
  pair.network.stall(*pair.far, true);
  pair.near->send(text("1"));
  pair.near->send(text("2"));
  pair.open();
  pair.near->send(text("3"));
  pair.network.outbox().flush(pair.network.now());
  pair.network.stall(*pair.far, false);
  pair.network.stall(*pair.far, true);
  pair.network.stall(*pair.far, false);
  pair.near->send(text("4"));
  pair.open();
  CHECK(pair.server.messages == Payloads{"1", "2", "3", "4"});
}

TEST_CASE("memory: only volatile messages get lost", "[memory]") {
  Pair pair{{.loss = 0.5}, 3};
  pair.open();
  pair.server.echoes = false;
  for (int i = 0; i < 100; ++i) {
    pair.near->send(text("r"));
    pair.near->send(text("v"), Delivery::volatile_);
  }
  pair.open();
  const auto arrived = [&](std::string_view kind) {
    return std::count(pair.server.messages.begin(), pair.server.messages.end(), kind);
  };
  CHECK(arrived("r") == 100);
  CHECK(arrived("v") > 20);
  CHECK(arrived("v") < 80);
}

TEST_CASE("memory: a close reaches the peer after everything sent before it", "[memory][close]") {
  Pair pair{{.latency = 10ms, .jitter = 5ms}};
  pair.open();
  pair.server.echoes = false;
  pair.near->send(text("1"));
  pair.near->close(CloseReason::finished, 4009, "done", text("2"));
  pair.open();
  CHECK(pair.server.messages == Payloads{"1", "2"});
  REQUIRE(pair.server.closed.size() == 1);
  CHECK(pair.server.closed[0].by_peer);
  CHECK(pair.server.closed[0].code == 4009);
  CHECK(pair.server.closed[0].text == "done");
  REQUIRE(pair.client.closed.size() == 1);
  CHECK_FALSE(pair.client.closed[0].by_peer);
  CHECK(pair.network.outbox().connection_count() == 0);
}

TEST_CASE("memory: both ends may close at the same time", "[memory][close]") {
  Pair pair{{.latency = 10ms}};
  pair.open();
  pair.near->close(CloseReason::finished, 4001);
  pair.far->close(CloseReason::kicked, 4002);
  pair.open();
  REQUIRE(pair.client.closed.size() == 1);
  REQUIRE(pair.server.closed.size() == 1);
  CHECK(pair.client.closed[0].code == 4001);
  CHECK(pair.server.closed[0].code == 4002);
}

TEST_CASE("memory: a cut loses both ends and what was under way", "[memory][close]") {
  Pair pair{{.latency = 10ms}};
  pair.open();
  pair.near->send(text("never"));
  pair.network.step();
  pair.network.cut(*pair.near);
  pair.open();
  CHECK(pair.server.messages.empty());
  for (const Echo* const end : {&pair.client, &pair.server}) {
    REQUIRE(end->closed.size() == 1);
    CHECK(end->closed[0].reason == CloseReason::connection_lost);
    CHECK(end->closed[0].by_peer);
  }
}

TEST_CASE("memory: a connection that is cut or closed before it opens is told to the client only",
          "[memory][close]") {
  Pair pair{{.latency = 10ms}};
  SECTION("cut") { pair.network.cut(*pair.near); }
  SECTION("closed") { pair.near->close(CloseReason::finished); }
  pair.open();
  CHECK(pair.client.opened == 0);
  CHECK(pair.client.closed.size() == 1);
  CHECK(pair.server.opened == 0);
  CHECK(pair.server.closed.empty());
  CHECK(pair.network.outbox().connection_count() == 0);
}

TEST_CASE("memory: an accepted connection that is lost before it opens is told to its service",
          "[memory][close]") {
  Pair pair{{.latency = 10ms}};
  struct Late : RecordingService {
    void on_upgrade(const Request&, Decision decision, time_point) override {
      network->cut(*near);
      accepted = decision.accept(*this);
    }
    Network* network = nullptr;
    Connection* near = nullptr;
    bool accepted = true;
  } late;
  late.network = &pair.network;
  late.near = &pair.network.connect(pair.client, late, {}, {.latency = 1ms});
  pair.open();
  CHECK_FALSE(late.accepted);  // too late: nothing more is heard of it
  CHECK(late.closed.empty());

  struct Early : RecordingService {
    void on_upgrade(const Request&, Decision decision, time_point) override {
      accepted = decision.accept(*this);
      network->cut(*near);
    }
    Network* network = nullptr;
    Connection* near = nullptr;
    bool accepted = false;
  } early;
  early.network = &pair.network;
  early.near = &pair.network.connect(pair.client, early, {}, {.latency = 1ms});
  pair.open();
  CHECK(early.accepted);
  CHECK(early.opened == 0);
  CHECK(early.closed.size() == 1);
}

TEST_CASE("memory: a refusal gives the client the status and the body", "[memory]") {
  Network network;
  RecordingService client;
  struct Refusing : RecordingService {
    void on_upgrade(const Request& request, Decision decision, time_point) override {
      path = request.path;
      if (request.query_value("drop") == "1") return;
      decision.respond({.status = 403, .body = as_bytes("go away")});
      decision.respond({.status = 200});
    }
    std::string path;
  } server;
  network.connect(client, server, {.path = "/ws"});
  network.connect(client, server, {.query = "drop=1"});
  REQUIRE(network.run_until_quiet());
  REQUIRE(client.closed.size() == 2);
  CHECK(client.closed[0].reason == CloseReason::refused);
  CHECK(client.closed[0].code == 403);
  CHECK(client.closed[0].text == "go away");
  CHECK(client.closed[1].code == 503);
  CHECK(server.closed.empty());
  CHECK(network.outbox().connection_count() == 0);
}

TEST_CASE("memory: a decision may be kept and answered later", "[memory]") {
  Network network;
  RecordingService client;
  struct Slow : RecordingService {
    void on_upgrade(const Request&, Decision decision, time_point) override {
      kept.push_back(std::move(decision));
    }
    std::vector<Decision> kept;
  } server;
  Connection& near = network.connect(client, server);
  network.connect(client, server);
  REQUIRE(network.run_until_quiet());
  REQUIRE(server.kept.size() == 2);
  int context = 0;
  CHECK(server.kept[0].accept(server, {}, &context));
  CHECK_FALSE(server.kept[0].accept(server));
  server.kept.clear();
  REQUIRE(network.run_until_quiet());
  CHECK(near.is_open());
  CHECK(network.peer_of(near)->context<int>() == &context);
  CHECK(client.closed.size() == 1);
}

TEST_CASE("memory: a plain request is answered, by default with 404", "[memory]") {
  Network network;
  RecordingService server;
  const auto answer = network.request(server, {.path = "/status"});
  CHECK(answer->status == 0);
  REQUIRE(network.run_until_quiet());
  CHECK(answer->status == 404);
  CHECK(answer->body == "not found\n");
  CHECK(network.outbox().connection_count() == 0);
}

TEST_CASE("memory: a service is advanced at its deadlines", "[memory]") {
  Network network;
  struct Clock : RecordingService {
    void advance(time_point now) override {
      ++ticks;
      next = now + 50ms;
    }
    time_point next_deadline() const noexcept override { return next; }
    int ticks = 0;
    time_point next = time_point{} + 1h + 10ms;
  } clock;
  network.add(clock);
  const time_point start = network.now();
  network.run_for(200ms);
  CHECK(clock.ticks == 4);  // at 10, 60, 110, 160
  CHECK(network.now() - start == 200ms);
  network.remove(clock);
  network.run_for(1s);
  CHECK(clock.ticks == 4);
}

TEST_CASE(
    "memory: a network with open connections, groups and messages under way may end at any time",
    "[memory]") {
  for (int steps = 0; steps < 12; ++steps) {
    Pair pair{{.latency = 1ms}};
    Group group{pair.network.outbox()};
    pair.server.when_open = [&](Connection& connection) {
      group.join(connection);
      group.broadcast(text("welcome"));
    };
    for (int i = 0; i < steps; ++i) pair.network.step();
    group.broadcast(text("last"));
    while (!group.empty()) group.leave(group.member(0));
  }
}

TEST_CASE("memory: whichever write fails, every on_close comes exactly once", "[memory][close]") {
  // A room of four whose messages go to everybody; the n-th write fails, until none does.
  bool failed = true;
  std::uint64_t n = 0;
  while (failed && n < 200) {
    ++n;
    Network network;
    RecordingService clients;
    RecordingService server;
    std::vector<ConnectionId> accepted;
    int lost = 0;
    {
      Group group{network.outbox()};
      server.when_open = [&](Connection& connection) {
        accepted.push_back(connection.id());
        group.broadcast(text("joined"));
        group.join(connection);
      };
      server.when_message = [&](Connection& connection, const Message& message) {
        group.broadcast(message, &connection);
        connection.send(text("ack"));
      };
      server.when_close = [&](Connection&) { group.broadcast(text("left")); };
      clients.when_message = [](Connection& connection, const Message& message) {
        if (as_text(message.bytes) == "joined") connection.send(text("hi"));
      };
      std::vector<ConnectionId> near;
      network.fail_write(n);
      for (int i = 0; i < 4; ++i)
        near.push_back(network.connect(clients, server, {}, {.latency = 1ms}).id());
      REQUIRE(network.run_until_quiet());
      failed = network.writes() >= n;
      lost = static_cast<int>(server.closed.size());
      for (const ConnectionId id : near) {
        if (Connection* const connection = network.outbox().find(id)) {
          connection->close(CloseReason::finished, 1000, {}, text("bye"));
        }
      }
      REQUIRE(network.run_until_quiet());
    }
    REQUIRE(network.outbox().connection_count() == 0);
    REQUIRE(accepted.size() == 4);
    for (const ConnectionId id : accepted) REQUIRE(server.closes(id) == 1);
    REQUIRE(clients.closed.size() == 4);
    REQUIRE((lost != 0 || !failed || server.closed.size() == 4));
  }
  CHECK(n > 10);
  CHECK_FALSE(failed);
}

namespace {

// Answers every plain request with a stream, and notes what becomes of it.
class Streaming : public RecordingService {
 public:
  void on_request(const Request&, Decision decision, time_point) override {
    answers.push_back(decision.accept_stream(*this, {}, this));
  }
  std::vector<bool> answers;
};

}  // namespace

TEST_CASE("memory: a stream carries messages one way, and ends without a word", "[memory]") {
  Network network;
  Streaming server;
  RecordingService client;
  Connection* far = nullptr;
  server.when_open = [&](Connection& connection) {
    far = &connection;
    CHECK(connection.context<Streaming>() == &server);
    connection.send(text("data: 1\n\n"));
  };
  Connection& near = network.open_stream(client, server, {.path = "/events"}, {.latency = 10ms});
  REQUIRE(network.run_until_quiet());
  REQUIRE(far != nullptr);
  CHECK(near.is_open());
  CHECK(client.messages == Payloads{"data: 1\n\n"});
  CHECK(network.peer_of(*far) == &near);

  near.send(text("not heard"));
  Group group{network.outbox()};
  group.join(*far);
  group.broadcast(text("data: 2\n\n"));
  REQUIRE(network.run_until_quiet());
  CHECK(server.messages.empty());
  CHECK(client.messages.size() == 2);

  far->close(CloseReason::room_closed, 4001, "over", text("data: 3\n\n"));
  REQUIRE(network.run_until_quiet());
  CHECK(client.messages.back() == "data: 3\n\n");
  REQUIRE(client.closed.size() == 1);
  CHECK(client.closed[0].reason == CloseReason::finished);
  CHECK(client.closed[0].code == 0);
  CHECK(client.closed[0].text.empty());
  REQUIRE(server.closed.size() == 1);
  CHECK(server.closed[0].reason == CloseReason::room_closed);
  CHECK(server.closed[0].code == 4001);
  CHECK_FALSE(server.closed[0].by_peer);
  CHECK(network.outbox().connection_count() == 0);
}

TEST_CASE("memory: a stream's reader that leaves is lost, one that stalls gets the newest",
          "[memory]") {
  Network network;
  Streaming server;
  RecordingService client;
  Connection* far = nullptr;
  server.when_open = [&](Connection& connection) { far = &connection; };
  Connection& near = network.open_stream(client, server, {}, {.window = 10});
  REQUIRE(network.run_until_quiet());
  network.stall(near, true);
  for (int i = 0; i < 50; ++i) {
    REQUIRE(far->send(text("data: " + std::to_string(i) + "\n\n"), Delivery::latest(1)) ==
            SendStatus::queued);
    network.run_for(1ms);
    CHECK(far->backlog() <= 10);
  }
  network.stall(near, false);
  REQUIRE(network.run_until_quiet());
  CHECK(client.messages == Payloads{"data: 0\n\n", "data: 49\n\n"});
  near.close(CloseReason::kicked, 4000, "bye");
  REQUIRE(network.run_until_quiet());
  REQUIRE(server.closed.size() == 1);
  CHECK(server.closed[0].reason == CloseReason::connection_lost);
  CHECK(server.closed[0].by_peer);
  CHECK(server.closed[0].code == 0);
  CHECK(network.outbox().connection_count() == 0);
}

TEST_CASE("memory: a stream that is refused, and the head of one", "[memory]") {
  Network network;
  RecordingService refusing;
  Streaming server;
  RecordingService client;
  network.open_stream(client, refusing);
  REQUIRE(network.run_until_quiet());
  REQUIRE(client.closed.size() == 1);
  CHECK(client.closed[0].reason == CloseReason::refused);
  CHECK(client.closed[0].code == 404);

  const auto head = network.request(server, {.method = "HEAD"});
  REQUIRE(network.run_until_quiet());
  CHECK(server.answers == std::vector<bool>{false});
  CHECK(head->status == 200);
  CHECK(head->content_type == "text/event-stream");
  CHECK(server.opened == 0);
  CHECK(network.outbox().connection_count() == 0);
}

TEST_CASE("memory: a plain request that is answered with a stream gathers it", "[memory]") {
  Network network;
  Streaming server;
  Connection* far = nullptr;
  server.when_open = [&](Connection& connection) { far = &connection; };
  const auto answer = network.request(server, {.path = "/events"});
  REQUIRE(network.run_until_quiet());
  REQUIRE(far != nullptr);
  CHECK(answer->status == 200);
  CHECK(answer->content_type == "text/event-stream");
  CHECK(answer->body.empty());
  for (int i = 0; i < 3; ++i) {
    far->send(text("data: " + std::to_string(i) + "\n\n"));
    REQUIRE(network.run_until_quiet());
  }
  far->close(CloseReason::finished);
  REQUIRE(network.run_until_quiet());
  CHECK(answer->body == "data: 0\n\ndata: 1\n\ndata: 2\n\n");
  CHECK(server.closed.size() == 1);
  CHECK(network.outbox().connection_count() == 0);
}
