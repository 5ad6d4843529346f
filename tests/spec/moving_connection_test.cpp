// SPDX-License-Identifier: MIT
// A WebSocket session that moves between loops, without sockets: its peer must not notice.
#include "support/catch.hpp"
#include "support/frames.hpp"
#include "support/session_pipe.hpp"

#include <muster/group.hpp>

#include <array>
#include <deque>
#include <optional>

using namespace muster;
using namespace std::chrono_literals;
using test::encode;
using test::End;
using test::Pipe;
using test::SessionWorld;
using test::WireFrame;

namespace {

constexpr auto to_server = websocket::Role::server;

struct Note final : Luggage {
  explicit Note(std::string t, int* c = nullptr) : text(std::move(t)), count(c) {
    if (count != nullptr) ++*count;
  }
  ~Note() override {
    if (count != nullptr) --*count;
  }
  std::string text;
  int* count;
};

// Several worlds, and one peer of whose session only the place changes.
struct Worlds final : test::PipeCarrier {
  explicit Worlds(std::size_t count, const websocket::Config& config = {}) {
    for (std::size_t i = 0; i < count; ++i) {
      worlds.push_back(std::make_unique<SessionWorld>(config));
      worlds[i]->service.when_arrival = [this, i](Connection& connection,
                                                  std::unique_ptr<Luggage> luggage) {
        auto* const note = static_cast<Note*>(luggage.get());
        notes.push_back(note == nullptr ? "" : note->text);
        if (when_arrival) when_arrival(connection, i);
      };
      worlds[i]->service.when_message = [this, i](Connection& connection, const Message& message) {
        if (when_message) when_message(connection, message, i);
      };
    }
  }

  MoveStatus reserve(std::size_t loop) override {
    if (loop >= worlds.size()) return MoveStatus::not_movable;
    if (is_full) return MoveStatus::full;
    ++kept;
    return MoveStatus::moving;
  }
  void give_up(std::size_t) override { --kept; }
  bool carry(std::shared_ptr<Pipe>& pipe, std::unique_ptr<websocket::Transit>& transit) override {
    --kept;
    if (is_gone) return false;
    under_way.push_back({std::move(pipe), std::move(transit)});
    return true;
  }

  void open(std::size_t in = 0, const Address& remote = {}) {
    place = in;
    REQUIRE(world().admits(remote));
    peer = world().accept(remote);
    peer.session->carrier = this;
    feed(test::upgrade_request);
  }

  // Whoever is under way arrives.
  void deliver() {
    while (!under_way.empty()) {
      Sent sent = std::move(under_way.front());
      under_way.pop_front();
      place = sent.transit->loop;
      peer = world().arrive(std::move(sent.pipe), *sent.transit, this);
      ++moves;
    }
  }

  void feed(std::string_view bytes) {
    world().feed(peer, bytes);
    deliver();
  }

  void wait(duration length) {
    for (const auto& each : worlds) each->wait(length);
  }

  SessionWorld& world() { return *worlds[place]; }
  websocket::Endpoint& endpoint(std::size_t i) { return worlds[i]->endpoint; }
  Service& service(std::size_t i) { return worlds[i]->service; }

  // What all services heard, without the arrivals and the openings.
  std::vector<std::string> heard() {
    std::vector<std::string> out;
    for (const auto& each : worlds) {
      for (const std::string& note : each->service.notes) out.push_back(note);
    }
    return out;
  }
  std::size_t count(std::string_view what) {
    const auto all = heard();
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [=](const std::string& note) { return note.starts_with(what); }));
  }

  struct Sent {
    std::shared_ptr<Pipe> pipe;
    std::unique_ptr<websocket::Transit> transit;
  };
  std::vector<std::unique_ptr<SessionWorld>> worlds;
  std::deque<Sent> under_way;
  std::function<void(Connection&, std::size_t)> when_arrival;
  std::function<void(Connection&, const Message&, std::size_t)> when_message;
  std::vector<std::string> notes;  // of the luggage
  End peer;
  std::size_t place = 0;
  int kept = 0;
  int moves = 0;
  bool is_full = false;
  bool is_gone = false;
};

// A conversation of every shape of message, and the order in which a service hears them.
std::string conversation() {
  return encode(
      std::vector<WireFrame>{
          {0x81, "one"},
          {0x82, std::string(300, 'b')},
          {0x01, "frag"},
          {0x89, "ping"},
          {0x00, "men"},
          {0x80, "ted"},
          {0x82, ""},
          {0x81, "gr\xc3\xbc\xc3\x9f"},
          {0x02, std::string(130, 'c')},
          {0x80, std::string(7, 'd')},
          {0x81, "last"},
          {0x88,
           "\x03\xe8"
           "bye"},
      },
      to_server);
}

// What the peer and the services see of a conversation, however it was cut, and wherever it moved.
struct Outcome {
  std::string written;
  std::vector<std::string> messages;
  std::vector<std::string> ends;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

constexpr std::size_t never = 1000;

// Replies to each message with two, of which one is larger. Moves at message `at` (and at every one
// with `each`), in a world with `worlds` places.
Outcome converse(std::size_t cut, std::size_t at, bool each, std::size_t room = Pipe::unlimited,
                 std::size_t worlds_count = 3) {
  Worlds worlds{worlds_count};
  Outcome outcome;
  std::size_t next = 0;
  std::size_t moved_for = never;
  worlds.when_message = [&](Connection& connection, const Message& message, std::size_t here) {
    if (moved_for != next && (next == at || each)) {
      moved_for = next;
      const std::size_t there = (here + 1) % worlds_count;
      REQUIRE(connection.send(Message{as_bytes("wait"), MessageKind::text}) == SendStatus::queued);
      REQUIRE(connection.move_to(there, worlds.service(there)) == MoveStatus::moving);
      return;
    }
    if (moved_for != next) connection.send(Message{as_bytes("wait"), MessageKind::text});
    ++next;
    outcome.messages.emplace_back(as_text(message.bytes));
    connection.send(message);
    connection.send(Message{as_bytes(std::string(400, 'r')), MessageKind::binary});
  };
  worlds.open();
  worlds.peer.pipe->take();
  const std::shared_ptr<Pipe> pipe = worlds.peer.pipe;
  pipe->room = room;
  const std::string bytes = conversation();
  worlds.feed(bytes.substr(0, cut));
  worlds.feed(bytes.substr(cut));
  for (int i = 0; i < 10000 && room != Pipe::unlimited && !pipe->destroyed; ++i) {
    if (worlds.peer.is_alive()) worlds.peer.session->give_room(room);
    worlds.world().run();
  }
  CHECK(pipe->destroyed);
  outcome.written = pipe->written;
  for (std::string& note : worlds.heard()) {
    if (note.starts_with("close")) outcome.ends.push_back(std::move(note));
  }
  CHECK(worlds.kept == 0);
  CHECK(worlds.moves == (each ? 7 : at == never ? 0 : 1));
  for (std::size_t i = 0; i < worlds_count; ++i) {
    CHECK(worlds.worlds[i]->service.out_of_turn == 0);
    CHECK(worlds.endpoint(i).session_count() == 0);
    CHECK(worlds.worlds[i]->outbox.connection_count() == 0);
  }
  return outcome;
}

}  // namespace

TEST_CASE("moving: the peer cannot tell at which message, or where its bytes were cut",
          "[moving]") {
  const std::size_t size = conversation().size();
  for (std::size_t cut = 0; cut <= size; ++cut) {
    const Outcome control = converse(cut, never, false);
    REQUIRE(control.messages.size() == 7);
    REQUIRE(control.ends == std::vector<std::string>{"close finished by peer 1000 bye"});
    for (std::size_t at = 0; at < 7; ++at) {
      INFO("cut at " << cut << ", moved at message " << at);
      REQUIRE(converse(cut, at, false) == control);
    }
    INFO("cut at " << cut << ", moved at each message");
    REQUIRE(converse(cut, never, true) == control);
  }
}

TEST_CASE("moving: what the peer does not take goes along, also half a message", "[moving]") {
  const std::size_t size = conversation().size();
  const Outcome control = converse(size, never, false);
  for (std::size_t room = 1; room < 600; room += room < 20 ? 1 : 37) {
    for (std::size_t at = 0; at < 7; ++at) {
      INFO("room for " << room << " bytes at a time, moved at message " << at);
      // A pong is not held back by what was written when; here it is behind what waits.
      REQUIRE(converse(size, at, false, room).messages == control.messages);
      REQUIRE(converse(size, at, false, room).written.size() == control.written.size());
    }
    REQUIRE(converse(size, never, true, room).messages == control.messages);
    REQUIRE(converse(size, never, true, room).written ==
            converse(size, never, false, room).written);
  }
}

TEST_CASE(
    "moving: the service there hears of an arrival and gets the luggage, the service here "
    "hears nothing more",
    "[moving]") {
  Worlds worlds{2};
  int luggage = 0;
  worlds.when_message = [&](Connection& connection, const Message& message, std::size_t here) {
    if (here == 0) {
      connection.set_context(&luggage);
      CHECK(connection.move_to(1, worlds.service(1), std::make_unique<Note>("a key", &luggage)) ==
            MoveStatus::moving);
      CHECK(connection.is_moving());
      CHECK(connection.is_open());
      CHECK(connection.move_to(1, worlds.service(1)) == MoveStatus::closed);
    } else {
      CHECK(connection.context<void>() == nullptr);
      connection.send(message);
    }
  };
  worlds.open();
  const ConnectionId old = worlds.peer.id;
  worlds.worlds[0]->service.take();
  worlds.peer.pipe->take();
  worlds.feed(test::encode({0x81, "join"}, to_server));
  CHECK(luggage == 0);
  CHECK(worlds.notes == std::vector<std::string>{"a key"});
  CHECK(worlds.worlds[0]->service.take() == std::vector<std::string>{"text join"});
  CHECK(worlds.worlds[1]->service.take() == std::vector<std::string>{"arrival", "text join"});
  CHECK(worlds.worlds[0]->outbox.find(old) == nullptr);
  CHECK(worlds.worlds[0]->outbox.connection_count() == 0);
  CHECK(worlds.peer.pipe->written == "\x81\x04join");
  CHECK(worlds.endpoint(0).stats().departures == 1);
  CHECK(worlds.endpoint(1).stats().arrivals == 1);
  // It ends there, and nothing is heard of it here.
  worlds.world().finish(worlds.peer);
  CHECK(worlds.worlds[0]->service.take().empty());
  CHECK(worlds.worlds[1]->service.take() ==
        std::vector<std::string>{"close connection_lost by peer 0"});
}

TEST_CASE("moving: a connection leaves its group at once, with what was broadcast before",
          "[moving]") {
  Worlds worlds{2};
  Group group{worlds.worlds[0]->outbox};
  worlds.when_message = [&](Connection& connection, const Message&, std::size_t here) {
    if (here != 0) return;
    group.join(connection);
    group.broadcast(Message{as_bytes("before"), MessageKind::text});
    CHECK(connection.move_to(1, worlds.service(1)) == MoveStatus::moving);
    CHECK(connection.group() == nullptr);
    group.join(connection);
    CHECK(connection.group() == nullptr);
    group.broadcast(Message{as_bytes("behind"), MessageKind::text});
    connection.send(Message{as_bytes("also"), MessageKind::text});
  };
  worlds.open();
  worlds.peer.pipe->take();
  worlds.feed(test::encode({0x81, "join"}, to_server));
  CHECK(worlds.place == 1);
  CHECK(worlds.peer.pipe->written ==
        "\x81\x06"
        "before\x81\x04"
        "also");
}

TEST_CASE("moving: it may be wished outside of a message, on opening and on arrival", "[moving]") {
  Worlds worlds{4};
  std::vector<std::string> heard;
  worlds.worlds[0]->service.when_open = [&](Connection& connection) {
    CHECK(connection.move_to(1, worlds.service(1)) == MoveStatus::moving);
  };
  worlds.when_arrival = [&](Connection& connection, std::size_t here) {
    if (here < 3) {
      CHECK(connection.move_to(here + 1, worlds.service(here + 1)) == MoveStatus::moving);
    }
  };
  worlds.when_message = [&](Connection&, const Message& message, std::size_t here) {
    heard.push_back(std::to_string(here) + std::string{as_text(message.bytes)});
  };
  const bool is_late = GENERATE(false, true);
  if (is_late) worlds.worlds[0]->service.when_upgrade = [](const Request&, Decision&) {};
  worlds.place = 0;
  REQUIRE(worlds.world().admits({}));
  worlds.peer = worlds.world().accept();
  worlds.peer.session->carrier = &worlds;
  // Messages lie right behind the request.
  worlds.feed(std::string{test::upgrade_request} + test::encode({0x81, "x"}, to_server) +
              test::encode({0x81, "y"}, to_server));
  if (is_late) {
    worlds.worlds[0]->service.kept.front().accept(worlds.service(0));
    worlds.world().run();
    worlds.deliver();
  }
  CHECK(worlds.place == 3);
  CHECK(heard == std::vector<std::string>{"3x", "3y"});
  CHECK(worlds.peer.pipe->written == test::upgrade_response);
  // Later, between two messages.
  Connection* const there = worlds.world().outbox.find(worlds.peer.id);
  REQUIRE(there != nullptr);
  worlds.when_arrival = nullptr;
  CHECK(there->move_to(2, worlds.service(2)) == MoveStatus::moving);
  worlds.world().run();
  worlds.deliver();
  worlds.feed(test::encode({0x81, "z"}, to_server));
  CHECK(heard.back() == "2z");
}

TEST_CASE("moving: one that is closed or lost before it has left ends here, once", "[moving]") {
  const int how = GENERATE(0, 1, 2, 3);
  CAPTURE(how);
  Worlds worlds{2};
  int luggage = 0;
  worlds.when_message = [&](Connection& connection, const Message&, std::size_t) {
    CHECK(connection.move_to(1, worlds.service(1), std::make_unique<Note>("", &luggage)) ==
          MoveStatus::moving);
    CHECK(worlds.kept == 1);
    if (how == 0) connection.close(CloseReason::kicked, 4000, "out");
    if (how == 1) {
      worlds.peer.pipe->is_broken = true;
      connection.send(Message{as_bytes("x")});
    }
    if (how == 2) worlds.peer.session->receive_end(worlds.world().now);
    if (how == 3) worlds.endpoint(0).close_all();
  };
  worlds.open();
  const auto pipe = worlds.peer.pipe;
  pipe->take();
  const std::string bye = test::encode({0x88, "\x03\xe8"}, to_server);
  worlds.feed(test::encode({0x81, "join"}, to_server) + bye);
  CHECK(worlds.moves == 0);
  CHECK(worlds.kept == 0);
  CHECK(luggage == 0);
  CHECK(pipe->destroyed);  // the peer's Close lay behind the message, and was seen
  CHECK(worlds.count("close") == 1);
  CHECK(worlds.worlds[1]->service.notes.empty());
  if (how == 0) CHECK(pipe->written.starts_with("\x88\x05\x0f\xa0out"));
}

TEST_CASE("moving: one that is closed with input kept for the other loop reads it here",
          "[moving]") {
  const bool has_answer = GENERATE(true, false);
  Worlds worlds{2};
  worlds.when_message = [&](Connection& connection, const Message&, std::size_t) {
    CHECK(connection.move_to(1, worlds.service(1)) == MoveStatus::moving);
  };
  worlds.open();
  const auto pipe = worlds.peer.pipe;
  const std::string answer = encode({0x88, "\x0f\xa0"}, to_server);
  worlds.peer.session->feed(encode({0x81, "join"}, to_server) + encode({0x81, "more"}, to_server) +
                                (has_answer ? answer : ""),
                            worlds.world().now);
  CHECK(worlds.kept == 1);
  worlds.peer.session->close(CloseReason::kicked, 4000, "out");
  worlds.world().run();
  CHECK(worlds.kept == 0);
  CHECK(pipe->destroyed == has_answer);
  if (!has_answer) worlds.feed(answer);
  CHECK(pipe->destroyed);
  CHECK(worlds.count("text") == 1);
  CHECK(worlds.count("close kicked 4000 out") == 1);
  CHECK(worlds.moves == 0);
}

TEST_CASE("moving: it is refused where there is no place, and nothing has happened", "[moving]") {
  Worlds worlds{2};
  int luggage = 0;
  std::vector<MoveStatus> answers;
  worlds.when_message = [&](Connection& connection, const Message& message, std::size_t) {
    answers.push_back(
        connection.move_to(5, worlds.service(1), std::make_unique<Note>("", &luggage)));
    worlds.is_full = true;
    answers.push_back(
        connection.move_to(1, worlds.service(1), std::make_unique<Note>("", &luggage)));
    connection.send(message);
  };
  worlds.open();
  worlds.peer.pipe->take();
  worlds.feed(test::encode({0x81, "a"}, to_server) + test::encode({0x81, "b"}, to_server));
  CHECK(answers[0] == MoveStatus::not_movable);
  CHECK(answers[1] == MoveStatus::full);
  CHECK(luggage == 0);
  CHECK(worlds.place == 0);
  CHECK(worlds.peer.pipe->written ==
        "\x81\x01"
        "a"
        "\x81\x01"
        "b");

  // Nor can it be wished on a connection that is closing, by a client, or where nobody carries.
  SessionWorld alone;
  End end = alone.open();
  Connection& connection = *end.session;
  CHECK(connection.move_to(0, alone.service) == MoveStatus::not_movable);
  connection.close(CloseReason::finished);
  CHECK(connection.move_to(0, alone.service) == MoveStatus::closed);
  test::SessionPair pair{alone, 1};
  pair.run_until_quiet();
  pair.client.session->carrier = &worlds;
  worlds.is_full = false;
  CHECK(static_cast<Connection&>(*pair.client.session).move_to(1, alone.service) ==
        MoveStatus::not_movable);
}

TEST_CASE("moving: if the other loop goes away meanwhile, it is closed here with 1013",
          "[moving]") {
  Worlds worlds{2};
  int luggage = 0;
  worlds.when_message = [&](Connection& connection, const Message&, std::size_t) {
    connection.send(Message{as_bytes("hold on"), MessageKind::text});
    CHECK(connection.move_to(1, worlds.service(1), std::make_unique<Note>("", &luggage)) ==
          MoveStatus::moving);
    worlds.is_gone = true;
  };
  worlds.open();
  const auto pipe = worlds.peer.pipe;
  pipe->take();
  pipe->room = 4;
  worlds.feed(test::encode({0x81, "join"}, to_server) + test::encode({0x81, "more"}, to_server));
  CHECK(luggage == 0);
  for (int i = 0; i < 20; ++i) {
    worlds.peer.session->give_room(4);
    worlds.world().run();
  }
  CHECK(pipe->written.starts_with("\x81\x07hold on\x88"));
  CHECK(pipe->written.substr(11, 2) == "\x03\xf5");
  CHECK(worlds.count("close") == 0);
  worlds.feed(test::encode({0x88, "\x03\xf5"}, to_server));
  CHECK(worlds.count("close draining 1013") == 1);
  CHECK(worlds.count("text") == 1);
  CHECK(worlds.endpoint(0).session_count() == 0);
}

TEST_CASE("moving: caps and counts follow the connection", "[moving]") {
  websocket::Config config;
  config.max_connections_per_address = 1;
  Worlds worlds{2, config};
  worlds.when_message = [&](Connection& connection, const Message& message, std::size_t here) {
    if (here == 0) {
      connection.move_to(1, worlds.service(1), std::make_unique<Note>("x"));
    } else {
      connection.send(message);
    }
  };
  const Address address = Address::v4(0x01020304, 5);
  worlds.open(0, address);
  CHECK(!worlds.worlds[0]->admits(address));
  worlds.feed(test::encode({0x81, "join"}, to_server));
  CHECK(worlds.place == 1);
  CHECK(worlds.peer.session->remote() == address);
  CHECK(worlds.endpoint(0).session_count() == 0);
  CHECK(worlds.endpoint(1).session_count() == 1);
  CHECK(!worlds.worlds[1]->admits(address));
  const End first = worlds.peer;

  // The second finds the place there taken: it is told so, and its service there is told of its
  // end.
  worlds.open(0, address);
  const auto pipe = worlds.peer.pipe;
  pipe->take();
  worlds.worlds[1]->service.take();
  worlds.feed(test::encode({0x81, "join"}, to_server));
  CHECK(worlds.notes.size() == 1);
  CHECK(pipe->written.substr(0, 1) == "\x88");
  CHECK(pipe->written.substr(2, 2) == "\x03\xf5");
  worlds.feed(test::encode({0x88, "\x03\xf5"}, to_server));
  CHECK(pipe->destroyed);
  CHECK(worlds.worlds[1]->service.take() ==
        std::vector<std::string>{"close refused 1013 try again later"});
  CHECK(worlds.endpoint(1).session_count() == 1);
  CHECK(!worlds.worlds[1]->admits(address));
  worlds.peer = first;
  worlds.world().finish(worlds.peer);
  CHECK(worlds.worlds[1]->admits(address));
}

TEST_CASE("moving: limits, deadlines and the state of the queue go along", "[moving]") {
  websocket::Config config;
  config.ping_interval = 10s;
  config.idle_timeout = 25s;
  Worlds worlds{2, config};
  Budget budget;
  budget.bytes = 5000;
  worlds.when_message = [&](Connection& connection, const Message&, std::size_t here) {
    if (here == 0) {
      connection.limit_receive(256);
      connection.set_budget(budget);
      connection.send(Message{as_bytes(std::string(3000, 'q'))});
      CHECK(connection.send(Message{as_bytes(std::string(3000, 'q'))}) == SendStatus::over_budget);
      connection.send(Message{as_bytes("old")}, Delivery::latest(3));
      connection.move_to(1, worlds.service(1));
    }
  };
  worlds.open();
  worlds.wait(9s);
  worlds.peer.pipe->take();
  worlds.peer.pipe->room = 100;
  worlds.feed(test::encode({0x81, "join"}, to_server));
  CHECK(worlds.place == 1);
  Connection& connection = *worlds.peer.session;
  CHECK(connection.budget() == budget);
  CHECK(connection.backlog() == 3004 + 5 - 100);
  CHECK(connection.written() == test::upgrade_response.size() + 100);
  // A newer message takes the place of the one that came along.
  connection.send(Message{as_bytes("new")}, Delivery::latest(3));
  CHECK(connection.backlog() == 3004 + 5 - 100);
  worlds.peer.session->give_room(Pipe::unlimited);
  worlds.world().run();
  CHECK(worlds.peer.pipe->written.ends_with("new"));
  CHECK(worlds.peer.pipe->written.find("old") == std::string::npos);

  // The ping comes when it would have come.
  worlds.peer.pipe->take();
  worlds.wait(9s + 900ms);
  CHECK(worlds.peer.pipe->written.empty());
  worlds.wait(200ms);
  CHECK(worlds.peer.pipe->take() == std::string{"\x89\x00", 2});
  // It moves after the ping, of which it has no answer: silence is counted on.
  connection.move_to(0, worlds.service(0));
  worlds.world().run();
  worlds.deliver();
  CHECK(worlds.place == 0);
  worlds.wait(14s + 500ms);
  CHECK(worlds.peer.pipe->written.empty());
  worlds.wait(500ms);
  CHECK(worlds.peer.pipe->written.substr(2, 2) == "\x03\xe9");

  // And the limit on what the peer may send.
  worlds.open();
  worlds.feed(test::encode({0x81, "join"}, to_server));
  worlds.peer.pipe->take();
  worlds.feed(test::encode({0x82, std::string(257, 'x')}, to_server));
  CHECK(worlds.peer.pipe->written.find("\x03\xf1") != std::string::npos);
}

TEST_CASE("moving: a service that was refused a send is told there that there is room again",
          "[moving]") {
  struct Service final : muster::Service {
    void on_message(Connection&, const Message&, time_point) override {}
    void on_arrival(Connection&, std::unique_ptr<Luggage>, time_point) override { ++arrivals; }
    void on_writable(Connection&, time_point) override { ++writables; }
    int arrivals = 0;
    int writables = 0;
  } there;
  Worlds worlds{2};
  const bool is_blocked = GENERATE(true, false);
  worlds.when_message = [&](Connection& connection, const Message&, std::size_t) {
    Budget budget;
    budget.bytes = 4096;
    connection.set_budget(budget);
    connection.send(Message{as_bytes(std::string(2500, 'q'))});
    CHECK(connection.send(Message{as_bytes(std::string(2500, 'q'))}) == SendStatus::over_budget);
    connection.move_to(1, there);
  };
  worlds.open();
  if (is_blocked) worlds.peer.pipe->room = 10;
  worlds.feed(test::encode({0x81, "join"}, to_server));
  CHECK(there.arrivals == 1);
  CHECK(there.writables == (is_blocked ? 0 : 1));
  worlds.peer.session->give_room(Pipe::unlimited);
  worlds.world().run();
  CHECK(there.writables == 1);
}

TEST_CASE("moving: a service that expects nobody closes an arrival", "[moving]") {
  struct Service final : muster::Service {
    void on_message(Connection&, const Message&, time_point) override { ++messages; }
    void on_close(Connection&, const CloseInfo& info, time_point) override { code = info.code; }
    int messages = 0;
    std::uint16_t code = 0;
  } there;
  Worlds worlds{2};
  worlds.when_message = [&](Connection& connection, const Message&, std::size_t) {
    connection.move_to(1, there);
  };
  worlds.open();
  worlds.feed(test::encode({0x81, "a"}, to_server) + test::encode({0x88, "\x03\xe8"}, to_server));
  CHECK(there.messages == 0);
  CHECK(there.code == 1011);
}

TEST_CASE("moving: a stream of events goes on from the other loop", "[moving][stream]") {
  Worlds worlds{2};
  int luggage = 0;
  const auto say = [](Connection& connection, std::string_view text) {
    connection.send(Message{as_bytes(text), MessageKind::text});
  };
  worlds.worlds[0]->service.when_request = [&](const Request&, Decision& decision) {
    CHECK(decision.accept_stream(worlds.service(0)));
  };
  worlds.worlds[0]->service.when_open = [&](Connection& connection) {
    say(connection, "data: 1\n\n");
    CHECK(connection.move_to(1, worlds.service(1), std::make_unique<Note>("seven", &luggage)) ==
          MoveStatus::moving);
    say(connection, "data: 2\n\n");
  };
  worlds.when_arrival = [&](Connection& connection, std::size_t) {
    say(connection, "data: 3\n\n");
  };
  const websocket::Config limits;
  worlds.peer = worlds.world().accept();
  worlds.peer.session->carrier = &worlds;
  worlds.peer.pipe->room = 20;  // some of it is taken from the other loop
  worlds.feed("GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
  REQUIRE(worlds.place == 1);
  CHECK(worlds.notes == std::vector<std::string>{"seven"});
  CHECK(luggage == 0);
  CHECK(worlds.endpoint(0).session_count() == 0);
  CHECK(worlds.endpoint(1).session_count() == 1);
  worlds.peer.session->give_room(test::Pipe::unlimited);
  worlds.world().run();
  const std::string answer = worlds.peer.pipe->take();
  CHECK(answer.substr(answer.find("\r\n\r\n") + 4) == "data: 1\n\ndata: 2\n\ndata: 3\n\n");

  // It is still a stream there: comment lines, no message, and an end without a close.
  worlds.wait(31s);  // with the granularity of deadlines
  CHECK(worlds.peer.pipe->take() == ": heartbeat\n\n");
  worlds.feed("no frame");
  CHECK(worlds.count("text") + worlds.count("binary") + worlds.count("fault") == 0);
  SECTION("which the service wishes") {
    worlds.peer.session->close(CloseReason::finished, 1000, "over");
    worlds.world().run();
    CHECK(worlds.peer.pipe->take().empty());
    CHECK(worlds.peer.pipe->half_closed);
    worlds.world().finish(worlds.peer);
  }
  SECTION("which it gets for what it may not send") {
    worlds.feed(std::string(limits.max_head + limits.max_body, 'x'));
    CHECK(worlds.count("fault protocol_error") == 1);
    worlds.world().finish(worlds.peer);
  }
  CHECK(worlds.endpoint(1).session_count() == 0);
  CHECK(worlds.endpoint(1).next_deadline() == no_deadline);
}

TEST_CASE("moving: what a stream's peer says behind its request is counted on all loops together",
          "[moving][stream]") {
  Worlds worlds{2};
  worlds.worlds[0]->service.when_request = [&](const Request&, Decision& decision) {
    CHECK(decision.accept_stream(worlds.service(0)));
  };
  worlds.peer = worlds.world().accept();
  worlds.peer.session->carrier = &worlds;
  worlds.feed("GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
  const websocket::Config limits;
  worlds.feed(std::string(limits.max_head + limits.max_body, 'x'));
  REQUIRE(worlds.peer.session->move_to(1, worlds.service(1)) == MoveStatus::moving);
  worlds.world().run();
  worlds.deliver();
  REQUIRE(worlds.place == 1);
  CHECK(worlds.count("fault") == 0);
  worlds.feed("x");
  CHECK(worlds.count("fault protocol_error") == 1);
  worlds.world().finish(worlds.peer);
}

TEST_CASE("moving: a stream whose new loop goes away meanwhile ends here", "[moving][stream]") {
  Worlds worlds{2};
  worlds.worlds[0]->service.when_request = [&](const Request&, Decision& decision) {
    CHECK(decision.accept_stream(worlds.service(0)));
  };
  worlds.peer = worlds.world().accept();
  worlds.peer.session->carrier = &worlds;
  worlds.feed("GET /events HTTP/1.1\r\nHost: h\r\n\r\n");
  worlds.is_gone = true;
  REQUIRE(worlds.peer.session->move_to(1, worlds.service(1)) == MoveStatus::moving);
  worlds.world().run();
  worlds.world().run();
  CHECK(worlds.peer.pipe->half_closed);
  worlds.world().finish(worlds.peer);
  CHECK(worlds.count("close draining 1013") == 1);
  CHECK(worlds.endpoint(0).session_count() == 0);
}
