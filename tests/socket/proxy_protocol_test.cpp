// SPDX-License-Identifier: MIT
// A listener that expects a PROXY header, and clients that write it by hand.
#include "support/proxy_bytes.hpp"
#include "support/socket_world.hpp"

#include <algorithm>
#include <string>

using namespace muster;
using namespace std::chrono_literals;
using test::each_backend;
using test::RawClient;
using test::ServerWorld;
using test::tcp4;
using test::tcp6;

namespace {

ServerWorld::Config behind_proxy() {
  ServerWorld::Config config;
  config.proxy_protocol = websocket::ProxyProtocol::v1_v2;
  config.trusted_proxies = {*Subnet::parse("127.0.0.0/8")};
  return config;
}

}  // namespace

TEST_CASE("socket proxy: a header says whose connection it is", "[proxy]") {
  ServerWorld world{each_backend(), behind_proxy()};
  for (const auto& [header, who] : std::initializer_list<std::pair<std::string, std::string>>{
           {"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n", "192.0.2.7:56324"},
           {"PROXY TCP6 2001:db8::7 ::1 5 6\r\n", "[2001:db8::7]:5"},
           {tcp4("192.0.2.8", 1, "198.51.100.1", 443), "192.0.2.8:1"},
           {tcp6("2001:db8::8", 2, "::1", 443, std::string(300, 'x')), "[2001:db8::8]:2"},
           {"PROXY UNKNOWN\r\n", "127.0.0.1"},
           {test::binary_header(0x20, 0, ""), "127.0.0.1"}}) {
    INFO(header);
    RawClient& client = world.connect();
    client.send(header + RawClient::upgrade_request() + RawClient::frame("early"));
    REQUIRE(world.run_until([&] { return client.messages().size() == 1; }));
    CHECK(client.messages()[0] == "early");
    CHECK_THAT(world.last().remote().to_string(), StartsWith(who));
  }
  CHECK(world.server->endpoint().stats().transport_errors == 0);
}

TEST_CASE("socket proxy: a header that comes octet by octet", "[proxy]") {
  ServerWorld world{each_backend(), behind_proxy()};
  for (const std::string& header : {std::string{"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n"},
                                    tcp4("192.0.2.7", 1, "198.51.100.1", 443, "more")}) {
    RawClient& client = world.connect();
    for (const char octet : header + RawClient::upgrade_request()) {
      client.send({&octet, 1});
      world.settle();
    }
    REQUIRE(world.run_until([&] { return client.is_upgraded(); }));
    CHECK(world.last().remote().to_string() == "192.0.2.7:1");
  }
}

TEST_CASE("socket proxy: without a header, or from elsewhere, a connection ends", "[proxy]") {
  const auto backend = each_backend();
  ServerWorld world{backend, behind_proxy()};
  RawClient& direct = world.connect();
  direct.send(RawClient::upgrade_request());
  RawClient& wrong = world.connect();
  wrong.send("PROXY TCP4 192.0.2.7 2001:db8::1 1 2\r\n" + RawClient::upgrade_request());
  REQUIRE(world.run_until([&] { return direct.is_at_end() && wrong.is_at_end(); }));
  CHECK(direct.input.empty());
  CHECK(wrong.input.empty());
  CHECK(world.server->endpoint().stats().transport_errors == 2);
  RawClient& check = world.connect();
  check.close();
  REQUIRE(world.run_until([&] { return world.server->endpoint().session_count() == 0; }));
  CHECK(world.server->endpoint().stats().transport_errors == 2);

  ServerWorld::Config config = behind_proxy();
  config.trusted_proxies = {*Subnet::parse("10.0.0.0/8")};
  ServerWorld other{backend, config};
  RawClient& stranger = other.connect();
  stranger.send("PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n" + RawClient::upgrade_request());
  REQUIRE(other.run_until([&] { return stranger.is_at_end(); }));
  CHECK(stranger.input.empty());
  CHECK(other.service.opens == 0);
  CHECK(other.server->endpoint().stats().refused_connections == 1);
}

TEST_CASE("socket proxy: a header has the deadline of the handshake", "[proxy][deadline]") {
  ServerWorld::Config config = behind_proxy();
  config.upgrade_timeout = 150ms;
  ServerWorld world{each_backend(), config};
  RawClient& silent = world.connect();
  RawClient& begun = world.connect();
  begun.send("PROXY TC");
  REQUIRE(world.run_until([&] { return silent.is_at_end() && begun.is_at_end(); }));
  CHECK(silent.input.empty());
  CHECK(begun.input.empty());
  CHECK(world.server->endpoint().stats().upgrade_timeouts == 2);
}

TEST_CASE("socket proxy: the cap counts whom the header names", "[proxy][caps]") {
  ServerWorld::Config config = behind_proxy();
  config.max_connections_per_address = 1;
  ServerWorld world{each_backend(), config};
  const auto open = [&](const std::string& ip) -> RawClient& {
    RawClient& client = world.connect();
    client.send("PROXY TCP4 " + ip + " 198.51.100.1 1 2\r\n" + RawClient::upgrade_request());
    REQUIRE(world.run_until([&] { return !client.head().empty(); }));
    return client;
  };
  CHECK(open("192.0.2.1").is_upgraded());
  CHECK(open("192.0.2.2").is_upgraded());
  CHECK_THAT(open("192.0.2.1").head(), StartsWith("HTTP/1.1 429 Too Many Requests\r\n"));
}
