// SPDX-License-Identifier: MIT
#include <muster/websocket/endpoint.hpp>

#include <muster/address_limits.hpp>

#include "support/catch.hpp"
#include "support/frames.hpp"
#include "support/session_pipe.hpp"

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;
using test::End;
using test::SessionWorld;
using websocket::Admission;
using websocket::Config;
using websocket::Role;

namespace {

using Notes = std::vector<std::string>;

Address v6(std::uint8_t network, std::uint8_t host) {
  Address address;
  address.ip = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, network, 0, 0, 0, 0, 0, 0, 0, host};
  return address;
}

}  // namespace

TEST_CASE("endpoint: a configuration is checked", "[endpoint]") {
  std::string problem;
  CHECK_FALSE(websocket::validate(Config{}, problem));
  CHECK(problem.empty());
  const std::vector<std::pair<std::function<void(Config&)>, std::string>> cases{
      {[](Config& c) { c.max_message = 124; }, "max_message"},
      {[](Config& c) { c.max_message = (1UL << 30U) + 1; }, "max_message"},
      {[](Config& c) { c.max_head = 511; }, "max_head"},
      {[](Config& c) { c.max_head = 65537; }, "max_head"},
      {[](Config& c) { c.max_header_fields = 15; }, "max_header_fields"},
      {[](Config& c) { c.max_header_fields = 129; }, "max_header_fields"},
      {[](Config& c) { c.max_body = 1024 * 1024 + 1; }, "max_body"},
      {[](Config& c) { c.max_connections = 0; }, "max_connections"},
      {[](Config& c) { c.max_connections_per_address = 0; }, "max_connections_per_address"},
      {[](Config& c) { c.upgrade_timeout = 0s; }, "upgrade_timeout"},
      {[](Config& c) { c.upgrade_timeout = -1s; }, "upgrade_timeout"},
      {[](Config& c) { c.first_message_timeout = 99ms; }, "first_message_timeout"},
      {[](Config& c) { c.ping_interval = 25h; }, "ping_interval"},
      {[](Config& c) { c.idle_timeout = -1s; }, "idle_timeout"},
      {[](Config& c) { c.write_timeout = 99ms; }, "write_timeout"},
      {[](Config& c) { c.write_timeout = 25h; }, "write_timeout"},
      {[](Config& c) { c.ping_interval = c.idle_timeout; }, "ping_interval"},
      {[](Config& c) { c.close_timeout = 9ms; }, "close_timeout"},
      {[](Config& c) { c.close_timeout = 61s; }, "close_timeout"},
      {[](Config& c) { c.trusted_proxy_hops = 17; }, "trusted_proxy_hops"},
  };
  for (const auto& [change, field] : cases) {
    Config config;
    change(config);
    CHECK(websocket::validate(config, problem) == make_error_code(errc::invalid_config));
    CHECK_THAT(problem, StartsWith(field + " must be "));
  }
  Config least;
  least.max_message = 125;
  least.max_head = 512;
  least.max_body = 0;
  least.ping_interval = least.idle_timeout = least.write_timeout = 0s;
  CHECK_FALSE(websocket::validate(least, problem));
}

TEST_CASE("endpoint: a cap on all connections", "[endpoint][caps]") {
  Config config;
  config.max_connections = 2;
  SessionWorld world{config};
  const auto connect = [&](std::uint32_t ip) {
    const Address address = Address::v4(ip, 1);
    return world.admits(address) ? world.accept(address) : End{};
  };
  End first = connect(1);
  End second = connect(2);
  CHECK(world.endpoint.admit(Address::v4(3, 1), world.now) == Admission::dropped);
  CHECK(world.endpoint.stats().refused_connections == 1);
  CHECK(world.endpoint.session_count() == 2);
  world.finish(first);
  CHECK(first.is_gone());
  CHECK(world.endpoint.session_count() == 1);
  CHECK(connect(3).session != nullptr);
  CHECK(world.endpoint.stats().connections == 3);
}

TEST_CASE("endpoint: a cap on the connections of one address", "[endpoint][caps]") {
  Config config;
  config.max_connections_per_address = 2;
  SessionWorld world{config};
  std::vector<End> ends;
  const auto connect = [&](const Address& address) {
    const Admission admission = world.endpoint.admit(address, world.now);
    if (admission != Admission::admitted) {
      CHECK(admission == Admission::refused);
      return false;
    }
    ends.push_back(world.accept(address));
    return true;
  };
  SECTION("IPv4: whatever the port") {
    CHECK(connect(Address::v4(0x7f000001, 1)));
    CHECK(connect(Address::v4(0x7f000001, 2)));
    CHECK_FALSE(connect(Address::v4(0x7f000001, 3)));
    CHECK(connect(Address::v4(0x7f000002, 1)));
  }
  SECTION("IPv6: by /64") {
    CHECK(connect(v6(1, 1)));
    CHECK(connect(v6(1, 2)));
    CHECK_FALSE(connect(v6(1, 3)));
    CHECK(connect(v6(2, 1)));
  }
  CHECK(world.endpoint.stats().refused_connections == 1);
  // However they end, their places are free again, and not more than those.
  const std::vector<Address> addresses{ends[0].session->remote(), ends[1].session->remote(),
                                       ends[2].session->remote()};
  for (int round = 0; round < 3; ++round) {
    world.feed(ends[0], test::upgrade_request);
    world.finish(ends[0]);
    world.feed(ends[1], "garbage\r\n\r\n");
    world.finish(ends[1]);
    world.wait(11s);
    for (End& end : ends) CHECK(end.is_gone());
    CHECK(world.endpoint.session_count() == 0);
    CHECK(world.endpoint.opening_count() == 0);
    ends.clear();
    for (const Address& address : addresses) CHECK(connect(address));
    CHECK_FALSE(world.admits(addresses[0]));
  }
}

TEST_CASE("endpoint: behind a proxy the forwarded addresses are counted", "[endpoint][caps]") {
  Config config;
  config.max_connections_per_address = 2;
  config.trusted_proxy_hops = 1;
  SessionWorld world{config};
  const Address proxy = Address::v4(0x0a000001, 1);
  std::vector<End> ends;
  const auto connect = [&](std::string_view request) -> std::string {
    REQUIRE(world.admits(proxy));
    End end = world.accept(proxy);
    world.feed(end, request);
    ends.push_back(end);
    const std::string& answer = end.pipe->written;
    return answer.empty() ? answer : answer.substr(9, 3);  // the status
  };
  const auto upgrade = [&](const std::string& from) {
    return connect(test::upgrade_with("X-Forwarded-For: " + from + "\r\n"));
  };
  for (int round = 0; round < 3; ++round) {
    CHECK(upgrade("192.0.2.1") == "101");
    CHECK(connect("GET / HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n") == "200");
    CHECK(upgrade("192.0.2.1") == "429");
    CHECK(upgrade("192.0.2.2") == "101");
    CHECK(upgrade("2001:db8::1") == "101");
    CHECK(upgrade("2001:db8::2") == "101");
    CHECK(upgrade("2001:db8::3") == "429");  // by /64
    CHECK(world.endpoint.stats().refused_connections == 2U * static_cast<unsigned>(round + 1));
    // The proxy itself has no cap: heads that are not there yet, or name nobody.
    for (int i = 0; i < 5; ++i) CHECK(upgrade("unknown") == "101");
    for (int i = 0; i < 5; ++i) CHECK(upgrade("10.0.0.1") == "101");
    for (int i = 0; i < 5; ++i) CHECK(connect("GET / HT").empty());
    CHECK(connect("garbage\r\n\r\n") == "400");
    // However they end, their places are free again.
    for (End& end : ends) world.finish(end);
    world.wait(11s);
    CHECK(world.endpoint.session_count() == 0);
    ends.clear();
  }
}

namespace {

constexpr std::string_view too_many =
    "HTTP/1.1 429 Too Many Requests\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Length: 39\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"
    "too many connections from this address\n";

}  // namespace

TEST_CASE("endpoint: whoever is refused is told so, whatever it asks for", "[endpoint][caps]") {
  SessionWorld world;
  const std::vector<std::string> requests{
      std::string{test::upgrade_request},
      test::upgrade_with("Origin: https://evil.example\r\n"),
      "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n",
      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000000\r\n\r\nnever whole",
      "BREW / HTTP/1.1\r\nHost: h\r\n\r\n",
  };
  for (const std::string& request : requests) {
    INFO(request);
    for (const bool in_pieces : {false, true}) {
      End end = world.refuse();
      if (in_pieces) {
        world.feed(end, request, test::every_byte(request.size()));
      } else {
        world.feed(end, request);
      }
      CHECK(end.pipe->written == too_many);
      CHECK(end.pipe->half_closed);
      world.feed(end, test::upgrade_request);  // nobody looks at it
      CHECK(end.pipe->written == too_many);
      world.finish(end);
      CHECK(end.is_gone());
    }
  }
  End head = world.refuse();
  world.feed(head, "HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(head.pipe->written == too_many.substr(0, too_many.find("\r\n\r\n") + 4));
  // A head that is none is answered as anybody's.
  End garbage = world.refuse();
  world.feed(garbage, "garbage\r\n\r\n");
  CHECK_THAT(garbage.pipe->written, StartsWith("HTTP/1.1 400 "));
  End large = world.refuse();
  world.feed(large, "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(9000, 'x'));
  CHECK_THAT(large.pipe->written, StartsWith("HTTP/1.1 431 "));
  CHECK(world.service.upgrades == 0);
  CHECK(world.service.requests == 0);
  CHECK(world.endpoint.opening_count() == 0);
}

TEST_CASE("endpoint: whoever is refused has the deadlines of anybody", "[endpoint][caps]") {
  Config config;
  config.upgrade_timeout = 5s;
  SessionWorld world{config};
  End silent = world.refuse();
  End begun = world.refuse();
  End slow = world.refuse();
  world.feed(begun, "GET / HT");
  for (int i = 0; i < 9; ++i) {
    world.feed(slow, std::string_view{"GET / HTTP/1.1"}.substr(static_cast<std::size_t>(i), 1));
    world.wait(500ms);
  }
  CHECK_FALSE(silent.is_gone());
  world.wait(600ms);
  CHECK(silent.is_gone());
  CHECK(silent.pipe->written.empty());
  CHECK_THAT(begun.pipe->written, StartsWith("HTTP/1.1 408 "));
  CHECK_THAT(slow.pipe->written, StartsWith("HTTP/1.1 408 "));
  world.wait(2100ms);
  CHECK(world.endpoint.session_count() == 0);
  CHECK(world.endpoint.opening_count() == 0);

  End waits = world.refuse();
  End unfinished = world.refuse();
  world.feed(unfinished, "GET / HT");
  world.endpoint.close_all();
  world.run();
  CHECK(waits.is_gone());
  CHECK_THAT(unfinished.pipe->written, StartsWith("HTTP/1.1 503 "));
}

TEST_CASE("endpoint: those that are refused take nobody's place, and are few", "[endpoint][caps]") {
  Config config;
  config.max_connections = 3;
  config.max_connections_per_address = 2;
  SessionWorld world{config};
  const Address crowd = Address::v4(0xc0000201, 1);
  const Address other = Address::v4(0xc0000202, 1);
  std::vector<End> inside;
  for (int i = 0; i < 2; ++i) {
    REQUIRE(world.admits(crowd));
    inside.push_back(world.accept(crowd));
  }
  const auto knock = [&](std::vector<End>& told) {
    const Admission admission = world.endpoint.admit(crowd, world.now);
    if (admission == Admission::refused) told.push_back(world.refuse(crowd));
    return admission;
  };
  std::vector<End> told;
  for (std::size_t i = 0; i < websocket::max_refusals; ++i) {
    REQUIRE(knock(told) == Admission::refused);
  }
  for (int i = 0; i < 1000; ++i) REQUIRE(knock(told) == Admission::dropped);
  CHECK(world.endpoint.stats().refused_connections == websocket::max_refusals + 1000);
  CHECK(world.endpoint.stats().connections == 2);
  // They are not counted: not in all, and not against their address.
  REQUIRE(world.admits(other));
  inside.push_back(world.accept(other));
  CHECK(world.endpoint.admit(other, world.now) == Admission::dropped);
  world.finish(inside[0]);
  REQUIRE(world.admits(crowd));
  inside.push_back(world.accept(crowd));
  // A place for an answer is free when one of them is gone.
  world.wait(1s);
  world.finish(told.front());
  CHECK(world.endpoint.admit(crowd, world.now) == Admission::dropped);  // there are three
  world.finish(inside[2]);
  CHECK(knock(told) == Admission::refused);
  CHECK(knock(told) == Admission::dropped);
  world.wait(11s);
  CHECK(world.endpoint.session_count() == 0);
  // Nor are they answered faster than 100 a second.
  for (int i = 0; i < 2; ++i) {
    REQUIRE(world.admits(crowd));
    inside.push_back(world.accept(crowd));
  }
  int answered = 0;
  for (int i = 0; i < 3000; ++i) {
    if (i % 1000 == 0) world.wait(1s);
    told.clear();
    if (knock(told) != Admission::refused) continue;
    ++answered;
    world.finish(told[0]);
  }
  CHECK(answered == 300);
}

TEST_CASE("endpoint: new connections of an address in a second", "[endpoint][caps]") {
  SeededEntropy entropy{1};
  AddressLimits limits{{.connections_per_second = 2, .connection_burst = 1s}, entropy};
  Config config;
  config.max_connections_per_address = 3;
  config.limits = &limits;
  SessionWorld world{config};
  SessionWorld sibling{config};  // of another loop
  const Address one = Address::v4(0xc0000201, 1);
  std::vector<End> ends;
  const auto connect = [&](SessionWorld& to, const Address& from) {
    const Admission admission = to.endpoint.admit(from, to.now);
    if (admission == Admission::admitted) ends.push_back(to.accept(from));
    return admission;
  };
  const auto wait = [&](duration length) {
    world.wait(length);
    sibling.wait(length);
  };
  CHECK(connect(world, one) == Admission::admitted);
  CHECK(connect(sibling, one) == Admission::admitted);
  CHECK(connect(world, one) == Admission::refused);
  CHECK(connect(sibling, one) == Admission::refused);
  CHECK(connect(world, v6(1, 1)) == Admission::admitted);
  CHECK(connect(world, v6(1, 2)) == Admission::admitted);
  CHECK(connect(world, v6(1, 3)) == Admission::refused);
  CHECK(world.endpoint.stats().refused_connections == 2);
  wait(500ms);
  CHECK(connect(world, one) == Admission::admitted);
  CHECK(connect(world, one) == Admission::refused);
  wait(500ms);
  CHECK(connect(world, one) == Admission::admitted);
  // What the cap refuses is not counted: the next place is there at once.
  wait(500ms);
  for (int i = 0; i < 5; ++i) CHECK(connect(world, one) == Admission::refused);
  world.finish(ends[0]);
  CHECK(connect(world, one) == Admission::admitted);
  // Who arrives from another loop was counted there.
  CHECK(world.endpoint.admit_arrival(v6(1, 1)));
  ends.push_back(world.accept(v6(1, 1)));
  wait(11s);
  CHECK(world.endpoint.session_count() == 0);
  CHECK(world.endpoint.address_count() == 0);
}

TEST_CASE("endpoint: behind a proxy the forwarded addresses have the rate", "[endpoint][caps]") {
  SeededEntropy entropy{1};
  AddressLimits limits{{.connections_per_second = 2, .connection_burst = 1s}, entropy};
  Config config;
  config.limits = &limits;
  config.trusted_proxy_hops = 1;
  SessionWorld world{config};
  const Address proxy = Address::v4(0x0a000001, 1);
  const auto upgrade = [&](const std::string& from) {
    REQUIRE(world.admits(proxy));
    End end = world.accept(proxy);
    world.feed(end, test::upgrade_with("X-Forwarded-For: " + from + "\r\n"));
    const std::string answer = end.pipe->take();
    world.finish(end);
    return answer;
  };
  for (int round = 0; round < 3; ++round, world.wait(1s)) {
    CHECK_THAT(upgrade("192.0.2.1"), StartsWith("HTTP/1.1 101 "));
    CHECK_THAT(upgrade("192.0.2.1"), StartsWith("HTTP/1.1 101 "));
    CHECK(upgrade("192.0.2.1") == too_many);
    CHECK_THAT(upgrade("192.0.2.2"), StartsWith("HTTP/1.1 101 "));
    // The proxy's own connections are not counted.
    for (int i = 0; i < 10; ++i) CHECK_THAT(upgrade("unknown"), StartsWith("HTTP/1.1 101 "));
  }
  CHECK(world.endpoint.stats().refused_connections == 3);
  CHECK(world.endpoint.address_count() == 0);
}

TEST_CASE("endpoint: a limit of header fields", "[endpoint]") {
  for (const std::size_t limit : {std::size_t{16}, std::size_t{100}, std::size_t{128}}) {
    Config config;
    config.max_header_fields = limit;
    SessionWorld world{config};
    std::string fields;
    for (std::size_t i = 5; i < limit; ++i) fields += "F: 1\r\n";  // the request has five
    End fits = world.accept();
    world.feed(fits, test::upgrade_with(fields));
    CHECK(fits.pipe->written == test::upgrade_response);
    End more = world.accept();
    world.feed(more, test::upgrade_with(fields + "F: 1\r\n"));
    CHECK_THAT(more.pipe->written, StartsWith("HTTP/1.1 431 "));
    CHECK(world.endpoint.stats().bad_requests == 1);
  }
}

TEST_CASE("endpoint: closing all", "[endpoint][drain]") {
  SessionWorld world;
  std::vector<End> open;
  for (int i = 0; i < 20; ++i) open.push_back(world.open());
  End silent = world.accept();
  End begun = world.accept();
  world.feed(begun, "GET / HT");
  world.service.when_upgrade = [](const Request&, Decision&) {};
  world.service.when_request = [](const Request&, Decision&) {};
  End undecided = world.accept();
  world.feed(undecided, test::upgrade_request);
  End unanswered = world.accept();
  world.feed(unanswered, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  End client = world.dial();

  world.endpoint.close_all();
  world.client_endpoint.close_all();
  CHECK(world.service.notes.empty());
  world.run();
  for (End& end : open) {
    CHECK(test::decode(end.pipe->take(), Role::client, websocket::Limits{}) ==
          std::vector{test::closed(1001, "going away")});
    CHECK_FALSE(end.is_gone());
  }
  CHECK(silent.is_gone());
  CHECK(silent.pipe->written.empty());
  for (End* const end : {&begun, &undecided, &unanswered}) {
    CHECK_THAT(end->pipe->written, StartsWith("HTTP/1.1 503 "));
    CHECK(end->pipe->half_closed);
  }
  for (Decision& late : world.service.kept) CHECK_FALSE(late.accept(world.service));
  CHECK(client.is_gone());
  CHECK(world.client_service.take() == Notes{"close draining 0"});

  world.feed(open[0], test::encode({0x88, "\x03\xe9"}, Role::server));
  CHECK(open[0].is_gone());
  world.wait(2100ms);
  CHECK(world.endpoint.session_count() == 0);
  CHECK(world.service.take() == Notes(20, "close draining 1001 going away"));
  CHECK(world.endpoint.stats().close_timeouts == 19 + 3);
}

TEST_CASE("endpoint: abandoning all", "[endpoint][drain]") {
  SessionWorld world;
  End open = world.open();
  End head = world.accept();
  world.feed(head, "GET");
  End closing = world.open();
  closing.session->close(CloseReason::kicked, 4000, "out");
  world.run();
  End queued = world.open();
  queued.session->send({as_bytes("never sent")});
  End client = world.dial();
  world.endpoint.abandon_all();
  world.client_endpoint.abandon_all();
  CHECK(world.service.notes.empty());
  world.outbox.dispatch(world.now);
  CHECK(world.endpoint.session_count() == 0);
  CHECK(world.endpoint.opening_count() == 0);
  CHECK(world.client_endpoint.session_count() == 0);
  for (End* const end : {&open, &head, &closing, &queued, &client}) CHECK(end->is_gone());
  Notes notes = world.service.take();
  std::sort(notes.begin(), notes.end());
  CHECK(notes == Notes{"close draining 0", "close draining 0", "close kicked 4000 out"});
  CHECK(world.client_service.take() == Notes{"close draining 0"});
}

TEST_CASE("endpoint: deadlines", "[endpoint][deadline]") {
  SessionWorld world;
  CHECK(world.endpoint.next_deadline() == no_deadline);
  End end = world.accept();
  CHECK(world.endpoint.next_deadline() >= world.now + 10s - 16s);
  CHECK(world.endpoint.next_deadline() <= world.now + 10s + 32ms);
  world.finish(end);
  CHECK(world.endpoint.next_deadline() == no_deadline);
}

TEST_CASE("endpoint: a service may dial while a deadline is carried out", "[endpoint][deadline]") {
  Config config;
  config.first_message_timeout = 1s;
  SessionWorld world{config};
  std::vector<End> dialled;
  world.service.when_fault = [&](Connection&) {
    End end;
    end.session = new test::PipeSession{world.endpoint, Framing::client, end.pipe, {}};
    end.session->prepare_client(world.client_service, world.now);
    end.session->start_client({.host = "h"}, world.now);
    dialled.push_back(end);
  };
  std::vector<End> ends;
  for (int i = 0; i < 5; ++i) ends.push_back(world.open());
  world.wait(1100ms);
  CHECK(dialled.size() == 5);
  world.wait(9s);
  for (End& end : dialled) CHECK_FALSE(end.is_gone());
  world.wait(1s);
  for (End& end : dialled) CHECK(end.is_gone());
  CHECK(world.client_service.take().size() == 5);
}

TEST_CASE("endpoint: what is counted", "[endpoint][stats]") {
  SessionWorld world;
  End end = world.open();
  world.feed(end, test::encode({{0x81, "one"}, {0x82, "two"}, {0x89, ""}}, Role::server));
  End plain = world.accept();
  world.feed(plain, "GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  End bad = world.accept();
  world.feed(bad, "nonsense\r\n\r\n");
  const websocket::Stats& stats = world.endpoint.stats();
  CHECK(stats.connections == 3);
  CHECK(stats.upgrades == 1);
  CHECK(stats.requests == 1);
  CHECK(stats.bad_requests == 1);
  CHECK(stats.messages == 2);
  CHECK(stats.bytes == test::upgrade_request.size() + 9 + 9 + 6 + 27 + 12);
  CHECK(stats.protocol_errors + stats.oversized + stats.pings == 0);
}
