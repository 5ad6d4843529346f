// SPDX-License-Identifier: MIT
// Blocks of addresses: what they have, and how they are written.
#include <muster/subnet.hpp>

#include "support/catch.hpp"

#include <string>
#include <string_view>

using muster::Address;
using muster::Subnet;

namespace {

Address address(std::string_view text) { return Address::parse_ip(text).value(); }

bool has(std::string_view subnet, std::string_view ip) {
  const auto parsed = Subnet::parse(subnet);
  INFO(subnet);
  REQUIRE(parsed);
  return parsed->contains(address(ip));
}

}  // namespace

TEST_CASE("subnet: an address is in it when its leading bits are the same", "[subnet]") {
  CHECK(has("10.0.0.0/8", "10.0.0.0"));
  CHECK(has("10.0.0.0/8", "10.255.255.255"));
  CHECK_FALSE(has("10.0.0.0/8", "11.0.0.0"));
  CHECK_FALSE(has("10.0.0.0/8", "9.255.255.255"));
  CHECK(has("192.0.2.128/25", "192.0.2.128"));
  CHECK(has("192.0.2.128/25", "192.0.2.255"));
  CHECK_FALSE(has("192.0.2.128/25", "192.0.2.127"));
  CHECK(has("192.0.2.6/31", "192.0.2.7"));
  CHECK_FALSE(has("192.0.2.6/31", "192.0.2.8"));
  CHECK(has("192.0.2.7", "192.0.2.7"));
  CHECK_FALSE(has("192.0.2.7", "192.0.2.6"));
  CHECK(has("192.0.2.7/32", "192.0.2.7"));
  CHECK_FALSE(has("192.0.2.7/32", "192.0.2.5"));
  CHECK(has("2001:db8::/32", "2001:db8:ffff::1"));
  CHECK_FALSE(has("2001:db8::/32", "2001:db9::1"));
  CHECK(has("2001:db8:0:8000::/49", "2001:db8:0:ffff::"));
  CHECK_FALSE(has("2001:db8:0:8000::/49", "2001:db8:0:7fff::"));
  CHECK(has("::1", "::1"));
  CHECK_FALSE(has("::1", "::2"));
}

TEST_CASE("subnet: both families at their ends", "[subnet]") {
  CHECK(has("0.0.0.0/0", "255.255.255.255"));
  CHECK_FALSE(has("0.0.0.0/0", "::1"));
  CHECK_FALSE(has("0.0.0.0/0", "2001:db8::1"));
  CHECK(has("::/0", "2001:db8::1"));
  CHECK(has("::/0", "192.0.2.1"));  // mapped: IPv6 has it too
  CHECK(has("::ffff:192.0.2.0/120", "192.0.2.1"));
  CHECK(Subnet::parse("192.0.2.0/24") == Subnet::parse("::ffff:192.0.2.0/120"));
  CHECK(Subnet{}.contains(Address{}));
  CHECK_FALSE(Subnet{}.contains(address("::1")));
  Address with_port = address("10.1.2.3");
  with_port.port = 4000;
  CHECK(Subnet::parse("10.1.2.3")->contains(with_port));
}

TEST_CASE("subnet: what is none", "[subnet]") {
  for (const std::string_view text : {"",
                                      "/",
                                      "/8",
                                      "10.0.0.0/",
                                      "10.0.0.0/33",
                                      "10.0.0.0/-1",
                                      "10.0.0.0/+8",
                                      "10.0.0.0/08",
                                      "10.0.0.0/8 ",
                                      "10.0.0.0/ 8",
                                      "10.0.0.0/8/8",
                                      "10.0.0.0/0x8",
                                      "10.0.0.0/4294967304",
                                      "10.0.0/8",
                                      "10.0.0.1/8",
                                      "192.0.2.1/31",
                                      "2001:db8::/129",
                                      "2001:db8::1/127",
                                      "2001:db8::1/64",
                                      "::1/0",
                                      "localhost",
                                      "10.0.0.0:80/8",
                                      "[::1]/128"}) {
    INFO(text);
    CHECK_FALSE(Subnet::parse(text));
  }
}
