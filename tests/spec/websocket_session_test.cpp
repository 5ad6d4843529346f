// SPDX-License-Identifier: MIT
// Sessions under random cuts, random bytes and random closes: order is kept, nobody is told twice,
// and nothing is left.
#include "support/catch.hpp"
#include "support/frames.hpp"
#include "support/session_pipe.hpp"

#include <chrono>
#include <cstdint>
#include <iterator>
#include <random>
#include <string>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;
using test::End;
using test::NotingService;
using test::SessionWorld;
using websocket::Config;
using websocket::Role;

namespace {

void require_told_once(const NotingService& service) {
  REQUIRE(service.out_of_turn == 0);
  for (const auto& [connection, told] : service.told) {
    REQUIRE(told.opens <= 1);
    REQUIRE(told.closes == 1);
  }
}

void require_nothing_left(const SessionWorld& world) {
  REQUIRE(world.endpoint.session_count() == 0);
  REQUIRE(world.endpoint.opening_count() == 0);
  REQUIRE(world.endpoint.next_deadline() == no_deadline);
  REQUIRE(world.client_endpoint.session_count() == 0);
  REQUIRE(world.client_endpoint.opening_count() == 0);
  REQUIRE(world.client_endpoint.next_deadline() == no_deadline);
  REQUIRE(world.outbox.connection_count() == 0);
}

// Bytes as a peer might send them: right, almost right, or anything.
std::string random_bytes(std::mt19937_64& random) {
  const auto pick = [&](std::size_t count) { return static_cast<std::size_t>(random() % count); };
  static const std::vector<std::string> phrases{
      std::string{test::upgrade_request},
      test::upgrade_with("Origin: https://game.example\r\nSec-WebSocket-Protocol: a, b\r\n"),
      "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
      "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
      "POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe",
      "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: h\r\n",
      test::encode({0x81, "text"}, Role::server),
      test::encode({0x82, "binary"}, Role::server),
      test::encode({0x82, std::string(300, 'b')}, Role::server),
      test::encode({0x01, "frag"}, Role::server),
      test::encode({0x80, "ment"}, Role::server),
      test::encode({0x89, "ping"}, Role::server),
      test::encode({0x8a, "pong"}, Role::server),
      test::encode({0x88, "\x03\xe8"}, Role::server),
      test::encode({0x88, ""}, Role::server),
      test::encode({0x82, std::string(5000, 'b')}, Role::server),
  };
  if (pick(12) == 0) {
    std::string noise;
    for (std::size_t i = pick(40); i-- > 0;) noise += static_cast<char>(random());
    return noise;
  }
  std::string phrase = phrases[pick(phrases.size())];
  if (pick(10) == 0) phrase[pick(phrase.size())] = static_cast<char>(random());
  if (pick(10) == 0) phrase.resize(pick(phrase.size()));
  return phrase;
}

Config short_deadlines() {
  Config config;
  config.max_message = 4096;
  config.max_body = 100;
  config.upgrade_timeout = 900ms;
  config.first_message_timeout = 700ms;
  config.ping_interval = 400ms;
  config.idle_timeout = 1500ms;
  config.write_timeout = 500ms;
  config.heartbeat_interval = 600ms;
  config.close_timeout = 300ms;
  return config;
}

}  // namespace

TEST_CASE("websocket sessions: a pair exchanges messages in order under any cuts",
          "[websocket][session]") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    INFO("seed " << seed);
    SessionWorld world;
    std::mt19937_64 random{seed};
    std::vector<std::string> sent;
    for (std::size_t i = random() % 30; i-- > 0;) {
      sent.push_back(std::string(random() % 3 == 0 ? random() % 3000 : random() % 20, 'a'));
    }
    std::vector<std::string> expected{"open"};
    for (const std::string& text : sent) expected.push_back("binary " + text);
    world.service.when_message = [](Connection& connection, const Message& message) {
      connection.send(message);
    };
    world.client_service.when_open = [&](Connection& connection) {
      for (const std::string& text : sent) connection.send({as_bytes(text)});
    };
    test::SessionPair pair{world, seed, 1 + random() % 500};
    pair.run_until_quiet();
    REQUIRE(world.service.take() == expected);
    REQUIRE(world.client_service.take() == expected);

    const bool server_closes = random() % 2 == 0;
    (server_closes ? pair.server : pair.client)
        .session->close(CloseReason::finished, 4000, "done", {as_bytes("last words")});
    world.run();
    pair.run_until_quiet();
    std::vector<std::string> ours{"close finished 4000 done"};
    std::vector<std::string> theirs{"binary last words", "close finished by peer 4000 done"};
    REQUIRE(world.service.take() == (server_closes ? ours : theirs));
    REQUIRE(world.client_service.take() == (server_closes ? theirs : ours));
    require_nothing_left(world);
  }
}

TEST_CASE("websocket sessions: a pair that closes at random, from both sides",
          "[websocket][session]") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    INFO("seed " << seed);
    std::mt19937_64 random{seed};
    SessionWorld world{short_deadlines()};
    const auto meddle = [&](Connection& connection) {
      connection.send({as_bytes("something")});
      if (random() % 12 == 0) {
        connection.close(CloseReason::kicked, 4001, "out", {as_bytes("last")});
      }
    };
    for (NotingService* const service : {&world.service, &world.client_service}) {
      service->when_open = meddle;
      service->when_message = [&](Connection& connection, const Message&) { meddle(connection); };
      service->when_fault = meddle;
      service->when_close = [](Connection& connection) {
        REQUIRE(connection.send({as_bytes("too late")}) == SendStatus::closed);
        connection.close(CloseReason::kicked);
      };
    }
    test::SessionPair pair{world, seed, 40};
    for (int i = 0; i < 300; ++i) {
      pair.step();
      End& end = random() % 2 == 0 ? pair.server : pair.client;
      switch (random() % 40) {
        case 0:
          end.pipe->is_broken = true;
          break;
        case 1:
        case 2:
          if (end.is_alive()) end.session->give_room(random() % 20);
          break;
        case 3:
          if (end.is_alive()) end.session->give_room(test::Pipe::unlimited);
          break;
        case 4:
          end.pipe->written += random_bytes(random);
          break;
        case 5:
          world.wait(std::chrono::milliseconds{random() % 500});
          break;
        default:
          break;
      }
    }
    world.wait(10s);
    require_told_once(world.service);
    require_told_once(world.client_service);
    require_nothing_left(world);
  }
}

TEST_CASE("websocket sessions: a server survives whatever its peers send", "[websocket][session]") {
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    INFO("seed " << seed);
    std::mt19937_64 random{seed};
    Outbox::Config budgets;
    budgets.budget = {.bytes = 8192, .frames = 16, .reserve_bytes = 512, .reserve_frames = 3};
    SessionWorld world{short_deadlines(), budgets};
    std::vector<End> ends;
    const auto sometimes = [&](unsigned one_in) { return random() % one_in == 0; };
    world.service.when_upgrade = [&](const Request&, Decision& decision) {
      if (sometimes(4)) return;
      if (sometimes(8)) {
        decision.respond({.status = 403});
      } else {
        decision.accept(world.service);
      }
      if (sometimes(4) && !world.service.kept.empty()) {
        world.service.kept.back().accept(world.service);
      }
    };
    std::vector<Decision> requests;
    world.service.when_request = [&](const Request& request, Decision& decision) {
      if (sometimes(3)) {
        decision.accept_stream(world.service);
      } else if (sometimes(2)) {
        decision.respond({.body = request.body});
      } else {
        requests.push_back(std::move(decision));
      }
    };
    const auto meddle = [&](Connection& connection) {
      connection.send({as_bytes("something")});
      if (sometimes(10)) connection.close(CloseReason::kicked, 4001, "", {as_bytes("last")});
      if (sometimes(20)) connection.limit_receive(random() % 6000);
      if (sometimes(40)) world.endpoint.close_all();
      if (sometimes(60)) world.endpoint.abandon_all();
    };
    world.service.when_open = meddle;
    world.service.when_message = [&](Connection& connection, const Message&) {
      meddle(connection);
    };
    world.service.when_fault = meddle;
    for (int i = 0; i < 200; ++i) {
      if (ends.size() < 6 || sometimes(30)) {
        ends.push_back(world.accept());
        // Most begin as they should, so that what follows is looked at too.
        if (!sometimes(4)) world.feed(ends.back(), test::upgrade_request);
        continue;
      }
      End& end = ends[random() % ends.size()];
      if (!end.is_alive()) continue;
      const std::string bytes = random_bytes(random);
      switch (random() % 24) {
        case 0:
          world.finish(end);
          break;
        case 1:
          end.session->broke();
          break;
        case 2:
          end.pipe->is_broken = true;
          break;
        case 3:
          end.session->give_room(random() % 300);
          break;
        case 4:
          end.session->give_room(test::Pipe::unlimited);
          break;
        case 5:
          world.wait(std::chrono::milliseconds{random() % 400});
          break;
        case 6:
          if (!requests.empty() && sometimes(2)) {
            Decision late = std::move(requests.back());
            requests.pop_back();
            if (sometimes(2)) late.accept_stream(world.service);
          } else if (!world.service.kept.empty()) {
            Decision late = std::move(world.service.kept.back());
            world.service.kept.pop_back();
            if (sometimes(2)) late.accept(world.service);
          }
          break;
        case 7:
          world.sleep(std::chrono::milliseconds{random() % 400});
          break;
        case 8:
          world.feed(end, bytes, test::every_byte(bytes.size()));
          break;
        case 9:
          end.session->receive_end(world.now);
          break;
        case 10:
        case 11:
        case 12:
          end.session->feed(bytes, world.now);
          break;
        default:
          world.feed(end, bytes,
                     bytes.size() > 1 ? std::vector<std::size_t>{random() % bytes.size()}
                                      : std::vector<std::size_t>{});
          break;
      }
    }
    world.wait(10s);
    for (End& end : ends) {
      if (!end.is_alive()) continue;
      // Only a stream whose peer takes what comes lives on.
      CHECK(end.pipe->written.ends_with(": heartbeat\n\n"));
      world.finish(end);
    }
    for (const End& end : ends) REQUIRE(end.is_gone());
    require_told_once(world.service);
    require_nothing_left(world);
  }
}

TEST_CASE("websocket sessions: the peer is the one that the trusted proxies name",
          "[websocket][session][proxy]") {
  const Address socket = Address::v4(0x0a000001, 4000);
  struct Case {
    unsigned hops;
    std::string fields;
    std::string remote;
  };
  const std::string self = "10.0.0.1:4000";
  const std::string chain = "X-Forwarded-For: 192.0.2.1, 192.0.2.2,192.0.2.3\r\n";
  const Case cases[] = {
      {0, chain, self},
      {1, chain, "192.0.2.3:0"},
      {2, chain, "192.0.2.2:0"},
      {3, chain, "192.0.2.1:0"},
      {4, chain, self},
      {1, "", self},
      {1, "X-Forwarded-For:\r\n", self},
      {16, chain, self},
      // Several fields are one list.
      {2, "X-Forwarded-For: 192.0.2.1\r\nx-forwarded-for: 192.0.2.2\r\n", "192.0.2.1:0"},
      {2, "X-Forwarded-For: 192.0.2.1,, ,192.0.2.2\r\n", "192.0.2.1:0"},
      // A client's own words stand further to the left, and do not matter.
      {1, "X-Forwarded-For: ;;,\"x\", 127.0.0.1, 192.0.2.2\r\n", "192.0.2.2:0"},
      {1, "X-Forwarded-For: 192.0.2.2, unknown\r\n", self},
      {1, "X-Forwarded-For: 192.0.2.1:1234\r\n", "192.0.2.1:1234"},
      {1, "X-Forwarded-For: 2001:db8::1\r\n", "[2001:db8::1]:0"},
      {1, "X-Forwarded-For: [2001:db8::1]\r\n", "[2001:db8::1]:0"},
      {1, "X-Forwarded-For: [2001:db8::1]:80\r\n", "[2001:db8::1]:80"},
      {1, "X-Forwarded-For: ::ffff:192.0.2.1\r\n", "192.0.2.1:0"},
      {1, "X-Forwarded-For: [192.0.2.1]:80\r\n", self},
      {1, "X-Forwarded-For: [2001:db8::1]x80\r\n", self},
      {1, "X-Forwarded-For: [2001:db8::1\r\n", self},
      {1, "X-Forwarded-For: 192.0.2.1:\r\n", self},
      {1, "X-Forwarded-For: 192.0.2.1:65536\r\n", self},
      {1, "X-Forwarded-For: 192.0.2.256\r\n", self},
      {1, "X-Forwarded-For: 192.0.2.01\r\n", self},
      {1, "X-Forwarded-For: 2001:db8:::1\r\n", self},
      {1, "X-Forwarded-For: 192.0.2.1%20\r\n", self},
  };
  for (const auto& [hops, fields, expected] : cases) {
    INFO(hops << " hops, " << fields);
    Config config;
    config.trusted_proxy_hops = hops;
    SessionWorld world{config};
    std::string seen;
    world.service.when_upgrade = [&](const Request& request, Decision& decision) {
      seen = request.remote.to_string();
      decision.accept(world.service);
    };
    REQUIRE(world.admits(socket));
    End end = world.accept(socket);
    CHECK(end.session->remote() == socket);
    world.feed(end, test::upgrade_with(fields));
    CHECK(seen == expected);
    REQUIRE(end.is_alive());
    CHECK(end.session->remote().to_string() == expected);
    // A plain request's peer is the same one.
    world.service.when_request = [&](const Request& request, Decision& decision) {
      seen = request.remote.to_string();
      decision.respond({});
    };
    seen.clear();
    End plain = world.accept(socket);
    world.feed(plain, "GET / HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n");
    CHECK(seen == expected);
  }
}
