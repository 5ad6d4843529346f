// SPDX-License-Identifier: MIT
// Server-sent events on a session without I/O.
#include <muster/websocket/session.hpp>

#include "support/catch.hpp"
#include "support/frames.hpp"
#include "support/session_pipe.hpp"

#include <muster/group.hpp>

#include <chrono>
#include <string>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;
using test::End;
using test::SessionWorld;
using websocket::Config;

namespace {

using Notes = std::vector<std::string>;

constexpr std::string_view stream_request = "GET /events?a=1 HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr std::string_view stream_head =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    "Connection: close\r\n\r\n";
constexpr std::string_view heartbeat = ": heartbeat\n\n";

Message event(std::string_view text) { return {as_bytes(text), MessageKind::text}; }

// Answers plain requests with a stream.
struct StreamWorld : SessionWorld {
  explicit StreamWorld(const Config& config = {}, const Outbox::Config& budgets = {})
      : SessionWorld(config, budgets) {
    service.when_request = [this](const Request&, Decision& decision) {
      answers.push_back(decision.accept_stream(service, fields, &context));
    };
  }

  End open_stream() {
    End end = accept();
    feed(end, stream_request);
    REQUIRE(end.is_alive());
    REQUIRE(end.pipe->take() == stream_head);
    REQUIRE(service.take() == Notes{"open"});
    return end;
  }

  std::vector<HeaderField> fields;
  std::vector<bool> answers;
  int context = 0;
};

void check_nothing_left(SessionWorld& world) {
  CHECK(world.endpoint.session_count() == 0);
  CHECK(world.endpoint.opening_count() == 0);
  CHECK(world.outbox.connection_count() == 0);
  CHECK(world.endpoint.next_deadline() == no_deadline);
}

}  // namespace

TEST_CASE("stream: a request is answered with a head, and then with what is sent", "[stream]") {
  StreamWorld world;
  world.service.when_open = [&](Connection& connection) {
    CHECK(connection.context<int>() == &world.context);
    connection.send(event("id: 1\ndata: first\n\n"));
  };
  End end = world.accept();
  world.feed(end, stream_request);
  CHECK(end.pipe->take() == std::string{stream_head} + "id: 1\ndata: first\n\n");
  CHECK(world.answers == std::vector<bool>{true});
  CHECK(world.service.take() == Notes{"open"});
  CHECK(end.session->is_open());
  Group group{world.outbox};
  group.join(*end.session);
  end.session->send(event("data: 2\n\n"));
  group.broadcast(event("data: 3\n\n"));
  end.session->send(Frame{event("data: " + std::string(5000, '4') + "\n\n")});
  world.run();
  const std::string rest = "data: 2\n\ndata: 3\n\ndata: " + std::string(5000, '4') + "\n\n";
  CHECK(end.pipe->take() == rest);
  CHECK(end.session->written() == stream_head.size() + 19 + rest.size());
  CHECK(end.session->backlog() == 0);
  CHECK(world.endpoint.stats().streams == 1);
  CHECK(world.endpoint.stats().requests == 1);
  CHECK(world.endpoint.stats().upgrades == 0);
  CHECK(world.endpoint.opening_count() == 0);
}

TEST_CASE("stream: the service's own header fields, and those that it cannot set", "[stream]") {
  StreamWorld world;
  world.fields = {{"Access-Control-Allow-Origin", "*"},
                  {"cache-control", "public"},
                  {"Content-Type", "text/html"},
                  {"Content-Length", "5"},
                  {"Transfer-Encoding", "chunked"},
                  {"Connection", "keep-alive"},
                  {"X-Broken", "a\r\nb: c"},
                  {"X Broken", "a"}};
  End end = world.accept();
  world.feed(end, stream_request);
  CHECK(end.pipe->take() ==
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
        "Access-Control-Allow-Origin: *\r\nConnection: close\r\n\r\n");
}

TEST_CASE("stream: a HEAD gets the head, and the service nothing", "[stream]") {
  StreamWorld world;
  world.fields = {{"X-A", "b"}};
  End end = world.accept();
  world.feed(end, "HEAD /events HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(end.pipe->take() ==
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
        "X-A: b\r\nConnection: close\r\n\r\n");
  CHECK(world.answers == std::vector<bool>{false});
  CHECK(world.endpoint.stats().streams == 0);
  CHECK(end.pipe->is_over());
  world.finish(end);
  world.wait(5s);
  CHECK(world.service.take().empty());
  check_nothing_left(world);
}

TEST_CASE("stream: it may be accepted later, in a pass or between two", "[stream]") {
  for (const bool in_pieces : {false, true}) {
    StreamWorld world;
    std::vector<Decision> kept;
    world.service.when_request = [&](const Request&, Decision& decision) {
      kept.push_back(std::move(decision));
    };
    End end = world.accept();
    if (in_pieces) {
      world.feed(end, stream_request, test::every_byte(stream_request.size()));
    } else {
      world.feed(end, stream_request);
    }
    REQUIRE(kept.size() == 1);
    world.wait(3s);
    CHECK(kept[0].accept_stream(world.service));
    CHECK(end.session->send(event("data: x\n\n")) == SendStatus::queued);
    world.run();
    CHECK(end.pipe->take() == std::string{stream_head} + "data: x\n\n");
    CHECK(world.service.take() == Notes{"open"});
    CHECK(world.endpoint.opening_count() == 0);
    // The deadline of the request is over, and the first heartbeat is due after the last write.
    world.wait(14s);
    CHECK(end.pipe->take().empty());
    world.wait(17s);
    CHECK(end.pipe->take() == heartbeat);
  }
}

TEST_CASE("stream: nobody accepts it in time", "[stream][deadline]") {
  StreamWorld world;
  std::vector<Decision> kept;
  world.service.when_request = [&](const Request&, Decision& decision) {
    kept.push_back(std::move(decision));
  };
  End end = world.accept();
  world.feed(end, stream_request);
  world.wait(11s);
  CHECK(end.pipe->take().starts_with("HTTP/1.1 503 "));
  CHECK_FALSE(kept[0].accept_stream(world.service));
  world.wait(5s);
  CHECK(world.service.take().empty());
  check_nothing_left(world);
}

TEST_CASE("stream: who ended its side before it was accepted gets none", "[stream]") {
  StreamWorld world;
  std::vector<Decision> kept;
  world.service.when_request = [&](const Request&, Decision& decision) {
    kept.push_back(std::move(decision));
  };
  End end = world.accept();
  world.feed(end, stream_request);
  world.finish(end);
  REQUIRE(end.is_alive());  // an answer could still be read
  CHECK(kept[0].accept_stream(world.service));
  world.run();
  CHECK(world.service.take() == Notes{"close connection_lost by peer 0"});
  CHECK(end.pipe->take().empty());
  check_nothing_left(world);
}

TEST_CASE("stream: the peer's end is the end", "[stream]") {
  StreamWorld world;
  End end = world.open_stream();
  end.session->send(event("data: lost\n\n"));
  end.session->receive_end(world.now);
  world.run();
  CHECK(world.service.take() == Notes{"close connection_lost by peer 0"});
  CHECK(end.is_gone());
  check_nothing_left(world);

  End broken = world.open_stream();
  broken.pipe->is_broken = true;
  broken.session->send(event("data: lost\n\n"));
  world.run();
  CHECK(world.service.take() == Notes{"close connection_lost by peer 0"});
  check_nothing_left(world);
}

TEST_CASE("stream: a close ends the response behind what was queued", "[stream][close]") {
  StreamWorld world;
  End end = world.open_stream();
  end.pipe->room = 4;
  end.session->send(event("data: 1\n\n"));
  world.run();
  end.session->close(CloseReason::room_closed, 4001, "over", event("event: end\ndata:\n\n"));
  CHECK(end.session->send(event("data: 2\n\n")) == SendStatus::closed);
  world.run();
  CHECK(end.pipe->take() == "data");
  CHECK_FALSE(end.pipe->half_closed);
  end.session->give_room(test::Pipe::unlimited);
  world.run();
  CHECK(end.pipe->take() == ": 1\n\nevent: end\ndata:\n\n");
  CHECK(end.pipe->half_closed);
  CHECK(world.service.take().empty());
  world.feed(end, "what it still says");
  world.finish(end);
  CHECK(world.service.take() == Notes{"close room_closed 4001 over"});
  check_nothing_left(world);
}

TEST_CASE("stream: a peer that does not answer a close has a deadline", "[stream][close]") {
  for (const bool is_full : {false, true}) {
    StreamWorld world;
    End end = world.open_stream();
    if (is_full) end.pipe->room = 0;
    end.session->send(event("data: 1\n\n"));
    end.session->close(CloseReason::finished);
    world.run();
    world.wait(1s);
    CHECK(world.service.take().empty());
    world.wait(2s);
    CHECK(world.service.take() == Notes{"close finished 1000"});
    CHECK(world.endpoint.stats().close_timeouts == 1);
    check_nothing_left(world);
  }
}

TEST_CASE("stream: the endpoint closes it with all others", "[stream][close]") {
  StreamWorld world;
  End end = world.open_stream();
  world.endpoint.close_all();
  world.run();
  CHECK(end.pipe->take().empty());
  CHECK(end.pipe->half_closed);
  world.finish(end);
  CHECK(world.service.take() == Notes{"close draining 1001 going away"});
  End other = world.open_stream();
  world.endpoint.abandon_all();
  world.run();
  CHECK(world.service.take() == Notes{"close draining 0"});
  check_nothing_left(world);
}

TEST_CASE("stream: what the peer says is not looked at, and not for ever", "[stream]") {
  Config config;
  config.max_head = 1000;
  config.max_body = 1000;
  StreamWorld world{config};
  End end = world.accept();
  // Behind the request in one read, as frames, and as a second request.
  world.feed(end, std::string{stream_request} + std::string{stream_request});
  CHECK(world.service.take() == Notes{"open"});
  world.feed(end, test::text_frame("text"));
  world.feed(end, stream_request);
  world.feed(end, test::encode({0x88, ""}, websocket::Role::server));
  CHECK(world.service.requests == 1);
  CHECK(end.session->is_open());
  world.feed(end, std::string(1900, '\xff'));
  CHECK(end.session->is_open());
  CHECK(end.pipe->take() == stream_head);
  world.feed(end, std::string(100, '\xff'));
  CHECK(world.service.take() == Notes{"fault protocol_error by peer 1008 too much behind the "
                                      "request"});
  CHECK(end.pipe->take().empty());
  CHECK(end.pipe->half_closed);
  CHECK(world.endpoint.stats().protocol_errors == 1);
  world.wait(5s);
  CHECK(world.service.take() == Notes{"close protocol_error 1008 too much behind the request"});
  check_nothing_left(world);
}

TEST_CASE("stream: a slow reader has one waiting message of a key, and what it takes is whole",
          "[stream][slow]") {
  StreamWorld world;
  End end = world.open_stream();
  const auto tick = [](int n) {
    return "id: " + std::to_string(n) + "\ndata: " + std::string(300, 'd') + "\n\n";
  };
  std::string taken;
  int sent = 0;
  for (int round = 0; round < 40; ++round) {
    // It takes less than is sent, and stops anywhere.
    end.session->give_room(1 + (static_cast<std::size_t>(round) * 37) % 500);
    for (int i = 0; i < 3; ++i) {
      REQUIRE(end.session->send(event(tick(++sent)), Delivery::latest(1)) == SendStatus::queued);
      world.run();
      REQUIRE(end.session->backlog() <= 2 * tick(sent).size());
    }
    taken += end.pipe->take();
  }
  end.session->give_room(test::Pipe::unlimited);
  world.run();
  taken += end.pipe->take();
  CHECK(end.session->written() == stream_head.size() + taken.size());
  // Whole events, each newer than the one before, and the newest of all at last.
  int last = 0;
  int count = 0;
  while (!taken.empty()) {
    REQUIRE(taken.starts_with("id: "));
    const int n = std::stoi(taken.substr(4));
    REQUIRE(n > last);
    REQUIRE(taken.starts_with(tick(n)));
    taken.erase(0, tick(n).size());
    last = n;
    ++count;
  }
  CHECK(last == sent);
  CHECK(count < sent);
  CHECK(world.outbox.stats().replaced_latest == static_cast<std::uint64_t>(sent - count));
}

TEST_CASE("stream: a budget, its overrun and on_writable are those of any connection",
          "[stream][slow]") {
  Outbox::Config budgets;
  budgets.budget = {.bytes = 4096, .frames = 8, .reserve_bytes = 512, .reserve_frames = 2};
  StreamWorld world{{}, budgets};
  End end = world.open_stream();
  end.pipe->room = 0;
  const std::string large = "data: " + std::string(1000, 'x') + "\n\n";
  for (int i = 0; i < 3; ++i) {
    REQUIRE(end.session->send(event(large)) == SendStatus::queued);
    world.run();
  }
  CHECK(end.session->send(event(large)) == SendStatus::over_budget);
  Group group{world.outbox};
  group.join(*end.session);
  group.broadcast(event(large));
  world.run();
  end.session->give_room(test::Pipe::unlimited);
  world.run();
  // The default closes it as too slow.
  CHECK(end.pipe->half_closed);
  world.finish(end);
  CHECK(world.service.take() == Notes{"close too_slow 1008 too slow"});
}

TEST_CASE("stream: silence brings a heartbeat, at the latest when its interval is over",
          "[stream][deadline]") {
  // Wherever in an interval the last event lies.
  for (int last = 0; last < 45; ++last) {
    INFO("an event after " << last << " s");
    StreamWorld world;
    End end = world.open_stream();
    for (int second = 0; second <= last; ++second) {
      if (second != 0) world.wait(1s);
      end.session->send(event("data: x\n\n"));
      world.run();
      REQUIRE(end.pipe->take() == "data: x\n\n");
    }
    world.wait(14s);
    CHECK(end.pipe->take().empty());
    world.wait(17s);  // both looks may come a little late
    CHECK(end.pipe->take() == heartbeat);
    for (int i = 0; i < 3; ++i) {
      world.wait(31s);
      CHECK(end.pipe->take() == heartbeat);
    }
    CHECK(world.endpoint.stats().heartbeats == 4);
    CHECK(world.endpoint.stats().pings == 0);
    CHECK(end.session->is_open());
  }
}

TEST_CASE("stream: a heartbeat lies between two events, and waits for a slow reader once",
          "[stream][deadline]") {
  Config config;
  config.write_timeout = 0s;
  StreamWorld world{config};
  End end = world.open_stream();
  end.pipe->room = 4;
  end.session->send(event("data: x\n\n"));
  world.run();
  world.wait(200s);
  end.session->send(event("data: y\n\n"));
  end.session->give_room(test::Pipe::unlimited);
  world.run();
  CHECK(end.pipe->take() == "data: x\n\ndata: y\n\n");
  CHECK(world.endpoint.stats().heartbeats == 0);
  end.pipe->room = 0;
  world.wait(200s);
  CHECK(world.endpoint.stats().heartbeats == 1);
  end.session->send(event("data: z\n\n"));
  end.session->give_room(test::Pipe::unlimited);
  world.run();
  CHECK(end.pipe->take() == std::string{heartbeat} + "data: z\n\n");
}

TEST_CASE("stream: a peer that takes nothing is closed, one that waits or takes a little is not",
          "[stream][deadline]") {
  StreamWorld world;
  End idle = world.open_stream();
  End slow = world.open_stream();
  End deaf = world.open_stream();
  slow.pipe->room = deaf.pipe->room = 0;
  world.wait(600s);  // but for heartbeats nothing was sent
  CHECK(world.endpoint.stats().write_timeouts == 2);
  CHECK(idle.session->is_open());
  CHECK(slow.is_gone());
  CHECK(world.service.take() ==
        Notes{"fault too_slow by peer 1013 too slow", "fault too_slow by peer 1013 too slow",
              "close too_slow 1013 too slow", "close too_slow 1013 too slow"});

  slow = world.open_stream();
  deaf = world.open_stream();
  slow.pipe->room = deaf.pipe->room = 0;
  world.wait(14s);  // silent, and nothing waits
  const time_point since = world.now;
  for (int i = 0; i < 100; ++i) {
    slow.session->send(event("data: x\n\n"));
    if (deaf.is_alive()) deaf.session->send(event("data: x\n\n"), Delivery::latest(1));
    slow.session->give_room(1);
    world.run();
    world.wait(1s);
    if (!deaf.is_alive() || !deaf.session->is_open()) {
      CHECK(world.now - since >= 10s);
      CHECK(world.now - since <= 15s + 1s);
      break;
    }
  }
  CHECK_FALSE((deaf.is_alive() && deaf.session->is_open()));
  CHECK(slow.session->is_open());
}

TEST_CASE("stream: without deadlines it stays as it is", "[stream][deadline]") {
  Config config;
  config.idle_timeout = config.ping_interval = config.write_timeout = 0s;
  config.heartbeat_interval = 0s;
  StreamWorld world{config};
  End end = world.open_stream();
  world.wait(48h);
  CHECK(end.session->is_open());
  CHECK(end.pipe->take().empty());
  end.pipe->room = 0;
  end.session->send(event("data: x\n\n"));
  world.run();
  world.wait(48h);
  CHECK(end.session->is_open());
}

TEST_CASE("stream: it moves only where somebody carries it", "[stream]") {
  StreamWorld world;
  End end = world.open_stream();
  CHECK(end.session->move_to(1, world.service) == MoveStatus::not_movable);
  CHECK(end.session->is_open());
}

TEST_CASE("stream: a POST may have one, a service may close it in on_open", "[stream]") {
  StreamWorld world;
  world.service.when_open = [](Connection& connection) {
    connection.close(CloseReason::finished, 1000, {}, event("data: all\n\n"));
  };
  End end = world.accept();
  world.feed(end, "POST /events HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab");
  CHECK(world.service.body == "ab");
  CHECK(end.pipe->take() == std::string{stream_head} + "data: all\n\n");
  CHECK(end.pipe->half_closed);
  world.finish(end);
  CHECK(world.service.take() == Notes{"open", "close finished 1000"});
  check_nothing_left(world);
}

TEST_CASE("stream: its heartbeat interval has a range", "[stream]") {
  std::string problem;
  Config config;
  config.heartbeat_interval = 99ms;
  CHECK(websocket::validate(config, problem) == errc::invalid_config);
  CHECK(problem == "heartbeat_interval must be 0 (none), or between 100 ms and 24 h");
  for (const duration good : {duration{0}, duration{100ms}, duration{24h}}) {
    config.heartbeat_interval = good;
    CHECK_FALSE(websocket::validate(config, problem));
  }
}
