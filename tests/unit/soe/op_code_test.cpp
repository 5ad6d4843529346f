// SPDX-License-Identifier: MIT
// Op codes: classes, channels and sizes.
#include <muster/soe/op_code.hpp>

#include "support/catch.hpp"

#include <cstddef>
#include <cstdint>
#include <set>

using namespace muster::soe;

namespace {

constexpr std::uint16_t op(OpCode code) { return static_cast<std::uint16_t>(code); }

}  // namespace

TEST_CASE("op code: each channel of the four kinds has one of its own", "[soe][op_code]") {
  STATIC_REQUIRE(op_of(OpCode::reliable_data, 0) == 0x09);
  STATIC_REQUIRE(op_of(OpCode::reliable_data, 3) == 0x0c);
  STATIC_REQUIRE(op_of(OpCode::reliable_fragment, 1) == 0x0e);
  STATIC_REQUIRE(op_of(OpCode::acknowledge, 2) == 0x13);
  STATIC_REQUIRE(op_of(OpCode::acknowledge_all, 3) == 0x18);

  std::set<std::uint16_t> seen;
  for (const OpCode base : {OpCode::reliable_data, OpCode::reliable_fragment, OpCode::acknowledge,
                            OpCode::acknowledge_all}) {
    for (unsigned channel = 0; channel < channel_count; ++channel) {
      const std::uint16_t code = op_of(base, channel);
      CAPTURE(code);
      CHECK(seen.insert(code).second);
      CHECK(has_channel(code));
      CHECK(is_known(code));
      CHECK_FALSE(is_contextless(code));
      CHECK(base_of(code) == base);
      CHECK(channel_of(code) == channel);
    }
  }
  for (unsigned code = 0; code < 0x10000; ++code) {
    const auto number = static_cast<std::uint16_t>(code);
    if (seen.contains(number)) continue;
    if (has_channel(number) || channel_of(number) != 0 || op(base_of(number)) != number) {
      FAIL("op code " << code << " was taken for one with a channel");
    }
  }
}

TEST_CASE("op code: which are known and which have no frame", "[soe][op_code]") {
  const std::set<unsigned> known{0x00, 0x01, 0x02, 0x03, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a,
                                 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x14,
                                 0x15, 0x16, 0x17, 0x18, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e};
  const std::set<unsigned> contextless{0x01, 0x02, 0x1c, 0x1d, 0x1e};
  for (unsigned code = 0; code < 0x10000; ++code) {
    const auto number = static_cast<std::uint16_t>(code);
    if (is_known(number) != known.contains(code) ||
        is_contextless(number) != contextless.contains(code)) {
      FAIL("op code " << code);
    }
  }
}

TEST_CASE("op code: the least sizes", "[soe][op_code]") {
  for (std::size_t pad = 2; pad <= 7; ++pad) {
    CAPTURE(pad);
    CHECK(minimum_size(op(OpCode::session_request), pad) == 15);
    CHECK(minimum_size(op(OpCode::session_response), pad) == 21);
    CHECK(minimum_size(op(OpCode::remap_connection), pad) == 10);
    CHECK(minimum_size(op(OpCode::unknown_sender), pad) == 2);
    CHECK(minimum_size(op(OpCode::port_alive), pad) == 2);
    CHECK(minimum_size(op(OpCode::multi_packet), pad) == pad + 2);
    CHECK(minimum_size(op(OpCode::disconnect), pad) == pad + 4);
    CHECK(minimum_size(op(OpCode::heartbeat), pad) == pad);
    CHECK(minimum_size(op(OpCode::net_status_request), pad) == pad);
    CHECK(minimum_size(op(OpCode::net_status_response), pad) == pad);
    CHECK(minimum_size(op(OpCode::zero_escape), pad) == pad);
    CHECK(minimum_size(op(OpCode::ordered), pad) == pad + 2);
    CHECK(minimum_size(op(OpCode::ordered2), pad) == pad + 2);
    for (unsigned channel = 0; channel < channel_count; ++channel) {
      CHECK(minimum_size(op_of(OpCode::reliable_data, channel), pad) == pad + 3);
      CHECK(minimum_size(op_of(OpCode::reliable_fragment, channel), pad) == pad + 3);
      CHECK(minimum_size(op_of(OpCode::acknowledge, channel), pad) == pad + 2);
      CHECK(minimum_size(op_of(OpCode::acknowledge_all, channel), pad) == pad + 2);
    }
    CHECK(minimum_size(0x04, pad) == 2);
    CHECK(minimum_size(0x19, pad) == 2);
    CHECK(minimum_size(0xffff, pad) == 2);
  }
}
