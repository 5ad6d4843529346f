// SPDX-License-Identifier: MIT
// Disconnect reasons: their numbers and names.
#include <muster/soe/disconnect_reason.hpp>

#include "support/catch.hpp"

#include <cstdint>
#include <set>
#include <string_view>

using namespace muster::soe;

TEST_CASE("disconnect reason: the numbers of the wire", "[soe]") {
  STATIC_REQUIRE(static_cast<int>(DisconnectReason::timeout) == 2);
  STATIC_REQUIRE(static_cast<int>(DisconnectReason::connect_fail) == 5);
  STATIC_REQUIRE(static_cast<int>(DisconnectReason::application) == 6);
  STATIC_REQUIRE(static_cast<int>(DisconnectReason::connect_error) == 11);
  STATIC_REQUIRE(static_cast<int>(DisconnectReason::corrupt_packet) == 15);
  STATIC_REQUIRE(static_cast<int>(DisconnectReason::protocol_mismatch) == 16);

  for (std::uint16_t number = 0; number <= 16; ++number) {
    CHECK(static_cast<std::uint16_t>(to_disconnect_reason(number)) == number);
  }
  CHECK(to_disconnect_reason(17) == DisconnectReason::none);
  CHECK(to_disconnect_reason(0x0100) == DisconnectReason::none);
  CHECK(to_disconnect_reason(0xffff) == DisconnectReason::none);
}

TEST_CASE("disconnect reason: each has a name of its own", "[soe]") {
  std::set<std::string_view> names;
  for (std::uint16_t number = 0; number <= 16; ++number) {
    names.insert(to_string(static_cast<DisconnectReason>(number)));
  }
  CHECK(names.size() == 17);
  CHECK_FALSE(names.contains("unknown"));
  CHECK(names.contains("corrupt_packet"));
  CHECK(to_string(static_cast<DisconnectReason>(17)) == "unknown");
}
