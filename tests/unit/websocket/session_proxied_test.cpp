// SPDX-License-Identifier: MIT
// Sessions behind a proxy that writes a PROXY header in front of each connection.
#include <muster/websocket/session.hpp>

#include <muster/address_limits.hpp>

#include "support/catch.hpp"
#include "support/frames.hpp"
#include "support/proxy_bytes.hpp"
#include "support/session_pipe.hpp"

#include <chrono>
#include <string>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;
using test::End;
using test::SessionWorld;
using test::tcp4;
using test::tcp6;
using websocket::Admission;
using websocket::Config;
using websocket::ProxyProtocol;

namespace {

const Address proxy = Address::v4(0x0a000001, 4000);

Config behind_proxy(Config config = {}) {
  config.proxy_protocol = ProxyProtocol::v1_v2;
  config.trusted_proxies = {*Subnet::parse("10.0.0.0/30"), *Subnet::parse("2001:db8::/32")};
  return config;
}

struct World : SessionWorld {
  explicit World(const Config& config = {}) : SessionWorld(behind_proxy(config)) {
    service.when_upgrade = [this](const Request& request, Decision& decision) {
      seen = request.remote.to_string();
      decision.accept(service);
    };
  }

  End connect() {
    REQUIRE(admits(proxy));
    return accept(proxy);
  }
  // A connection with that header, and its request in the same read.
  End open(const std::string& header) {
    End end = connect();
    feed(end, header + std::string{test::upgrade_request});
    return end;
  }

  std::string seen;  // who the last request came from
};

std::string line(const std::string& source) {
  return "PROXY TCP4 " + source + " 198.51.100.1 56324 443\r\n";
}

}  // namespace

TEST_CASE("session proxied: the peer is whom the header names", "[proxy][session]") {
  const std::vector<std::pair<std::string, std::string>> cases{
      {line("192.0.2.1"), "192.0.2.1:56324"},
      {"PROXY TCP6 2001:db8::7 ::1 5 6\r\n", "[2001:db8::7]:5"},
      {tcp4("192.0.2.1", 7, "198.51.100.1", 443), "192.0.2.1:7"},
      {tcp6("2001:db8::7", 8, "::1", 443, "\x01\x02xx"), "[2001:db8::7]:8"},
      {"PROXY UNKNOWN\r\n", "10.0.0.1:4000"},
      {test::binary_header(0x20, 0, ""), "10.0.0.1:4000"},
      {test::binary_header(0x21, 0, "TLVs"), "10.0.0.1:4000"},
  };
  for (const auto& [header, who] : cases) {
    INFO(header);
    World world;
    End whole = world.open(header);
    CHECK(whole.pipe->written == test::upgrade_response);
    CHECK(world.seen == who);
    CHECK(whole.session->remote().to_string() == who);
    // In pieces, with the first frame behind the request.
    world.seen.clear();
    End pieces = world.connect();
    const std::string bytes = header + std::string{test::upgrade_request} +
                              test::encode({0x81, "early"}, websocket::Role::server);
    world.service.take();
    world.feed(pieces, bytes, test::every_byte(bytes.size()));
    CHECK(pieces.pipe->written == test::upgrade_response);
    CHECK(world.seen == who);
    CHECK(world.service.take() == std::vector<std::string>{"open", "text early"});
    CHECK(world.endpoint.opening_count() == 0);
  }
}

TEST_CASE("session proxied: without a valid header it ends, and nothing is said",
          "[proxy][session]") {
  for (const std::string& bytes :
       {std::string{test::upgrade_request}, std::string{"GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
        std::string{"PROXY TCP4 192.0.2.1 198.51.100.1 1 65536\r\n"}, std::string(300, 'P'),
        "PROXY UNKNOWN" + std::string(300, ' '),
        test::binary_header(0x21, 0x12, std::string(12, 'a')),
        test::binary_header(0x20, 0, std::string(600, 'a'))}) {
    INFO(bytes);
    for (const bool in_pieces : {false, true}) {
      World world;
      End end = world.connect();
      if (in_pieces) {
        world.feed(end, bytes, test::every_byte(bytes.size()));
      } else {
        world.feed(end, bytes);
      }
      CHECK(end.is_gone());
      CHECK(end.pipe->written.empty());
      CHECK(world.service.upgrades + world.service.requests == 0);
      CHECK(world.endpoint.stats().transport_errors == 1);
      CHECK(world.endpoint.opening_count() == 0);
      CHECK(world.endpoint.address_count() == 0);
    }
  }
  // One header, and not two.
  World world;
  End twice = world.open(line("192.0.2.1") + line("192.0.2.2"));
  CHECK_THAT(twice.pipe->written, StartsWith("HTTP/1.1 400 "));
  // And none where none is expected.
  SessionWorld plain;
  End direct = plain.accept(proxy);
  plain.feed(direct, line("192.0.2.1") + std::string{test::upgrade_request});
  CHECK_THAT(direct.pipe->written, StartsWith("HTTP/1.1 400 "));
}

TEST_CASE("session proxied: only the proxies may connect", "[proxy][session]") {
  World world;
  CHECK(world.endpoint.admit(Address::v4(0x0a000004, 1), world.now) == Admission::dropped);
  CHECK(world.endpoint.admit(Address::v4(0x7f000001, 1), world.now) == Admission::dropped);
  CHECK(world.endpoint.admit({}, world.now) == Admission::dropped);
  CHECK(world.endpoint.stats().refused_connections == 3);
  for (const std::string_view ip : {"10.0.0.0", "10.0.0.3", "2001:db8:1::1"}) {
    CHECK(world.endpoint.admit(*Address::parse_ip(ip), world.now) == Admission::admitted);
    world.accept(*Address::parse_ip(ip));
  }
}

TEST_CASE("session proxied: header and request have one deadline together", "[proxy][session]") {
  Config config;
  config.upgrade_timeout = 5s;
  World world{config};
  End silent = world.connect();
  End begun = world.connect();
  world.feed(begun, "PROXY TCP4");
  End slow = world.connect();
  world.wait(4s);
  world.feed(slow, line("192.0.2.1"));
  CHECK_FALSE(silent.is_gone());
  world.wait(1100ms);
  for (End* const end : {&silent, &begun, &slow}) {
    CHECK(end->is_gone());
    CHECK(end->pipe->written.empty());
  }
  CHECK(world.endpoint.stats().upgrade_timeouts == 3);
  CHECK(world.endpoint.session_count() == 0);
  CHECK(world.endpoint.address_count() == 0);

  // A proxy that looks whether we are there is no error, and a drain waits for no header.
  End check = world.connect();
  world.finish(check);
  CHECK(check.is_gone());
  End waits = world.connect();
  world.feed(waits, "PROXY TCP4");
  world.endpoint.close_all();
  world.run();
  CHECK(waits.is_gone());
  CHECK(waits.pipe->written.empty());
  CHECK(world.endpoint.stats().transport_errors == 0);
}

TEST_CASE("session proxied: the limits of an address are those of whom the header names",
          "[proxy][session][caps]") {
  SeededEntropy entropy{1};
  AddressLimits limits{{.connections_per_second = 3, .connection_burst = 1s}, entropy};
  Config config;
  config.max_connections_per_address = 2;
  config.limits = &limits;
  World world{config};
  std::vector<End> ends;
  const auto status = [&](const std::string& header) {
    ends.push_back(world.open(header));
    const std::string& answer = ends.back().pipe->written;
    return answer.empty() ? answer : answer.substr(9, 3);
  };
  for (int round = 0; round < 3; ++round) {
    CHECK(status(line("192.0.2.1")) == "101");
    CHECK(status(tcp4("192.0.2.1", 1, "192.0.2.9", 2)) == "101");
    CHECK(status(line("192.0.2.1")) == "429");  // the cap
    CHECK(status(tcp6("2001:db8:5::1", 1, "::1", 2)) == "101");
    CHECK(status(tcp6("2001:db8:5::2", 1, "::1", 2)) == "101");
    CHECK(status(tcp6("2001:db8:5::3", 1, "::1", 2)) == "429");
    CHECK(status(line("192.0.2.2")) == "101");
    world.finish(ends.back());
    CHECK(status(line("192.0.2.2")) == "101");
    world.finish(ends.back());
    CHECK(status(line("192.0.2.2")) == "101");
    world.finish(ends.back());
    CHECK(status(line("192.0.2.2")) == "429");  // the rate
    // What the proxy says in its own name has no limits.
    for (int i = 0; i < 10; ++i) CHECK(status("PROXY UNKNOWN\r\n") == "101");
    for (End& end : ends) world.finish(end);
    ends.clear();
    world.wait(11s);
    CHECK(world.endpoint.session_count() == 0);
    CHECK(world.endpoint.address_count() == 0);
  }
  CHECK(world.endpoint.stats().refused_connections == 9);
}

TEST_CASE("session proxied: of many that are refused, few are told so", "[proxy][session][caps]") {
  Config config;
  config.max_connections_per_address = 1;
  World world{config};
  End inside = world.open(line("192.0.2.1"));
  std::vector<End> crowd;
  for (std::size_t i = 0; i < websocket::max_refusals + 10; ++i) {
    crowd.push_back(world.connect());
    world.feed(crowd.back(), line("192.0.2.1"));
  }
  std::size_t waiting = 0;
  for (const End& end : crowd) waiting += end.is_gone() ? 0 : 1;
  CHECK(waiting == websocket::max_refusals);
  CHECK(world.endpoint.session_count() == 1 + websocket::max_refusals);
  CHECK(world.endpoint.address_count() == 1);
  world.feed(crowd.front(), test::upgrade_request);
  CHECK_THAT(crowd.front().pipe->written, StartsWith("HTTP/1.1 429 "));
  world.wait(13s);
  CHECK(world.endpoint.session_count() == 1);
  CHECK(inside.session->is_open());
}

TEST_CASE(
    "session proxied: with hops, the header names the last proxy before the one that writes it",
    "[proxy][session][caps]") {
  Config config;
  config.max_connections_per_address = 1;
  config.trusted_proxy_hops = 1;
  World world{config};
  const auto open = [&](const std::string& forwarded) {
    End end = world.connect();
    world.feed(end,
               line("203.0.113.1") + test::upgrade_with("X-Forwarded-For: " + forwarded + "\r\n"));
    return end;
  };
  End one = open("192.0.2.1");
  CHECK(world.seen == "192.0.2.1:0");
  End two = open("192.0.2.2");
  CHECK(world.seen == "192.0.2.2:0");
  CHECK_THAT(open("192.0.2.2").pipe->written, StartsWith("HTTP/1.1 429 "));
  End other = open("nobody");
  CHECK(world.seen == "203.0.113.1:56324");
  End another = open("nobody");
  CHECK(world.seen == "203.0.113.1:56324");
  for (End* const end : {&one, &two, &other, &another}) world.finish(*end);
  world.wait(3s);
  CHECK(world.endpoint.address_count() == 0);
}

TEST_CASE("session proxied: the protocol and the proxies go together", "[proxy]") {
  std::string problem;
  CHECK_FALSE(websocket::validate(behind_proxy(), problem));
  Config config;
  config.proxy_protocol = ProxyProtocol::v1_v2;
  CHECK(websocket::validate(config, problem) == errc::invalid_config);
  CHECK(problem == "proxy_protocol and trusted_proxies are needed together");
  config = behind_proxy();
  config.proxy_protocol = ProxyProtocol::none;
  CHECK(websocket::validate(config, problem) == errc::invalid_config);
}
