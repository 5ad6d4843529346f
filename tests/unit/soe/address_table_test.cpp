// SPDX-License-Identifier: MIT
#include <muster/soe/address_table.hpp>

#include "support/catch.hpp"

#include <map>
#include <random>
#include <vector>

using namespace muster;
using soe::AddressTable;
using soe::AddressTraits;

namespace {

Address address(std::uint32_t number) {
  return Address::v4(0x0a000000 + number / 7, static_cast<std::uint16_t>(1000 + number % 7));
}

}  // namespace

TEST_CASE("SOE address table: finds what is there, also after others have gone", "[soe]") {
  const unsigned seed = 5;
  INFO("seed " << seed);
  std::minstd_rand random{seed};
  AddressTable<Address> table{SipKey{1, 2}};
  std::vector<Address> addresses(2000);
  std::map<Address, std::uint32_t> model;
  std::vector<std::uint32_t> free;
  for (std::uint32_t i = 0; i < addresses.size(); ++i) free.push_back(i);
  for (int step = 0; step < 20000; ++step) {
    const Address one = address(static_cast<std::uint32_t>(random() % 1500));
    const auto found = model.find(one);
    if (found == model.end()) {
      const std::uint32_t number = free.back();
      free.pop_back();
      addresses[number] = one;
      table.insert(one, number);
      model[one] = number;
    } else if (random() % 2 == 0) {
      table.erase(one, addresses);
      free.push_back(found->second);
      model.erase(found);
    }
    const Address other = address(static_cast<std::uint32_t>(random() % 1500));
    const auto wanted = model.find(other);
    REQUIRE(table.find(other, addresses) ==
            (wanted == model.end() ? AddressTable<Address>::none : wanted->second));
    REQUIRE(table.size() == model.size());
  }
}

TEST_CASE("SOE address table: an address can be led elsewhere", "[soe]") {
  AddressTable<Address> table{SipKey{1, 2}};
  const std::vector<Address> addresses{address(1), address(1)};
  table.insert(address(1), 0);
  table.replace(address(1), 1, addresses);
  CHECK(table.find(address(1), addresses) == 1);
  table.erase(address(2), addresses);  // is not there
  CHECK(table.size() == 1);
}

TEST_CASE("SOE addresses: hosts count without the port, IPv6 networks as one", "[soe]") {
  using Traits = AddressTraits<Address>;
  const SipKey key{3, 4};
  const Address one = Address::v4(0x0a000001, 1000);
  const Address same = Address::v4(0x0a000001, 2000);
  const Address other = Address::v4(0x0a000002, 1000);
  CHECK(Traits::hash(key, one) != Traits::hash(key, same));
  CHECK(Traits::host_hash(key, one) == Traits::host_hash(key, same));
  CHECK(Traits::host_hash(key, one) != Traits::host_hash(key, other));
  CHECK(Traits::is_same_host(one, same));
  CHECK_FALSE(Traits::is_same_host(one, other));
  const Address v6 = Address::parse_ip("2001:db8::1").value();
  const Address v6_same = Address::parse_ip("2001:db8::2").value();
  const Address v6_other = Address::parse_ip("2001:db8:0:1::1").value();
  CHECK(Traits::host_hash(key, v6) == Traits::host_hash(key, v6_same));
  CHECK(Traits::host_hash(key, v6) != Traits::host_hash(key, v6_other));
  CHECK_FALSE(Traits::is_same_host(v6, v6_same));
  // IPv4 has one form only.
  CHECK(Address::parse_ip("::ffff:10.0.0.1").value() == Address::parse_ip("10.0.0.1").value());
}
