// SPDX-License-Identifier: MIT
// Addresses and their text form.
#include <muster/address.hpp>

#include "support/catch.hpp"

#include <algorithm>
#include <string>
#include <string_view>

using muster::Address;

namespace {

Address v6(std::array<std::uint16_t, 8> groups, std::uint16_t port) {
  Address address;
  for (std::size_t i = 0; i < 8; ++i) {
    address.ip[2 * i] = static_cast<std::uint8_t>(groups[i] >> 8U);
    address.ip[2 * i + 1] = static_cast<std::uint8_t>(groups[i]);
  }
  address.port = port;
  return address;
}

}  // namespace

TEST_CASE("address: IPv4 is kept in its mapped form", "[address]") {
  const Address address = Address::v4(0xc0000201, 80);
  CHECK(address.is_v4());
  CHECK(address.to_string() == "192.0.2.1:80");
  CHECK(address.to_string(false) == "192.0.2.1");
  CHECK(address == v6({0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0201}, 80));
  CHECK(Address::v4(0, 0).to_string() == "0.0.0.0:0");
  CHECK(Address::v4(0xffffffff, 65535).to_string() == "255.255.255.255:65535");
}

TEST_CASE("address: IPv6 is printed as RFC 5952 recommends", "[address]") {
  CHECK(Address{}.to_string() == "[::]:0");
  CHECK(v6({0, 0, 0, 0, 0, 0, 0, 1}, 443).to_string() == "[::1]:443");
  CHECK(v6({0x2001, 0xdb8, 0, 0, 0, 0, 0, 1}, 80).to_string() == "[2001:db8::1]:80");
  CHECK(v6({0x2001, 0xdb8, 0, 0, 0, 0, 0, 1}, 80).to_string(false) == "2001:db8::1");
  // One zero group is not shortened, of two runs the longer one is, of equal ones the first.
  CHECK(v6({0x2001, 0xdb8, 0, 1, 1, 1, 1, 1}, 1).to_string(false) == "2001:db8:0:1:1:1:1:1");
  CHECK(v6({0x2001, 0, 0, 1, 0, 0, 0, 1}, 1).to_string(false) == "2001:0:0:1::1");
  CHECK(v6({0x2001, 0xdb8, 0, 0, 1, 0, 0, 1}, 1).to_string(false) == "2001:db8::1:0:0:1");
  CHECK(v6({1, 0, 0, 0, 0, 0, 0, 0}, 1).to_string(false) == "1::");
  CHECK(v6({0xfe80, 2, 3, 4, 5, 6, 7, 0xabcd}, 1).to_string(false) == "fe80:2:3:4:5:6:7:abcd");
}

TEST_CASE("address: addresses are ordered by address, then port", "[address]") {
  CHECK(Address::v4(1, 9) < Address::v4(2, 1));
  CHECK(Address::v4(1, 1) < Address::v4(1, 2));
  CHECK(Address::v4(1, 1) == Address::v4(1, 1));
}

TEST_CASE("address: an IP address is read strictly", "[address]") {
  const auto read = [](std::string_view text) {
    const auto address = Address::parse_ip(text);
    return address ? address->to_string(false) : std::string{"none"};
  };
  for (const char* const text : {"0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "::1",
                                 "1::", "2001:db8::1", "1:2:3:4:5:6:7:8", "fe80::1:0:0:1"}) {
    CHECK(read(text) == text);
  }
  CHECK(read("2001:DB8:0:0:0:0:0:1") == "2001:db8::1");
  CHECK(read("1::3:4:5:6:7:8") == "1:0:3:4:5:6:7:8");
  CHECK(read("::ffff:192.0.2.1") == "192.0.2.1");
  CHECK(read("64:ff9b::192.0.2.1") == "64:ff9b::c000:201");
  CHECK(read("1:2:3:4:5:6:192.0.2.1") == "1:2:3:4:5:6:c000:201");
  for (const char* const text : {"",
                                 "1",
                                 "1.2.3",
                                 "1.2.3.4.5",
                                 "1.2.3.",
                                 ".1.2.3",
                                 "1.2.3.256",
                                 "01.2.3.4",
                                 "1.2.3.+4",
                                 "1.2.3.-4",
                                 "1.2.3.4 ",
                                 "0x1.2.3.4",
                                 ":",
                                 ":::",
                                 "1:2:3:4:5:6:7",
                                 "1:2:3:4:5:6:7:8:9",
                                 "1::2::3",
                                 "1:2:3:4:5:6:7::8:9",
                                 "::1:2:3:4:5:6:7:8",
                                 "12345::",
                                 "g::",
                                 "1:2:3:4:5:6:7:",
                                 ":1:2:3:4:5:6:7",
                                 "::1.2.3",
                                 "1.2.3.4::",
                                 "1:2:3:4:5:6:7:1.2.3.4",
                                 "::1%eth0",
                                 "[::1]",
                                 "::-1"}) {
    INFO(text);
    CHECK(read(text) == "none");
  }
}
