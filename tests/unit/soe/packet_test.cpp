// SPDX-License-Identifier: MIT
// Packets of fixed fields: what is too short, what is too long, what does not fit.
#include <muster/soe/packet.hpp>

#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

using muster::byte_view;
using muster::mutable_byte_view;
using namespace muster::soe;
using test::from_hex;
using test::to_hex;

namespace {

template <class Packet>
std::string encoded(const Packet& packet) {
  std::array<std::byte, 128> out{};
  return to_hex(byte_view{out}.first(packet.encode(out)));
}

// The packet needs all of its bytes, accepts more, and is written into no less room.
template <class Packet>
void check_sizes(const Packet& packet, std::size_t size, std::size_t least) {
  std::array<std::byte, 128> out;
  out.fill(std::byte{0xEE});
  REQUIRE(packet.encode(out) == size);
  for (std::size_t length = 0; length < out.size(); ++length) {
    CAPTURE(length);
    CHECK(Packet::decode(byte_view{out}.first(length)).has_value() == (length >= least));
    std::array<std::byte, 128> room{};
    CHECK(packet.encode(mutable_byte_view{room}.first(length)) == (length < size ? 0 : size));
    for (std::size_t i = length; i < room.size(); ++i) {
      if (room[i] != std::byte{0}) FAIL("wrote beyond " << length);
    }
  }
}

}  // namespace

TEST_CASE("packet: session request", "[soe][packet]") {
  const SessionRequest request{
      .version = 3, .session_id = 0x01020304, .udp_length = 512, .protocol = "Ping_1"};
  CHECK(encoded(request) ==
        "00010000000301020304000002005069"
        "6e675f3100");
  check_sizes(request, 21, 21);
  check_sizes(SessionRequest{}, 15, 15);

  SECTION("the name ends at the first zero, and is bytes") {
    const auto bytes = from_hex("000100000003000000010000020080ff0041");
    const auto decoded = SessionRequest::decode(bytes);
    REQUIRE(decoded);
    CHECK(decoded->protocol == "\x80\xff");
  }
  SECTION("a window behind the name, of our like") {
    const SessionRequest ours{
        .session_id = 1, .udp_length = 512, .protocol = "ABCD", .receive_window = 0x0102};
    CHECK(encoded(ours) == "000100000003000000010000020041424344006d750102");
    const auto bytes = from_hex(encoded(ours));
    const auto decoded = SessionRequest::decode(bytes);
    REQUIRE(decoded);
    CHECK(decoded->receive_window == 0x0102);
    CHECK(decoded->protocol == "ABCD");
    const auto foreign =
        SessionRequest::decode(from_hex("000100000003000000010000020041424344006d7501"));
    REQUIRE(foreign);
    CHECK(foreign->receive_window == 0);
  }
  SECTION("a name without an end") {
    CHECK_FALSE(SessionRequest::decode(from_hex("000100000003000000010000020041424344")));
  }
  SECTION("version 2 has no name") {
    CHECK_FALSE(SessionRequest::decode(from_hex("0001000000020000000100000200")));
  }
  SECTION("a name with a zero inside cannot be written") {
    std::array<std::byte, 64> out{};
    CHECK(SessionRequest{.protocol = {"a\0b", 3}}.encode(out) == 0);
  }
  SECTION("another op code") {
    CHECK_FALSE(SessionRequest::decode(from_hex("000200000003000000000000020000")));
    CHECK_FALSE(SessionRequest::decode(from_hex("010100000003000000000000020000")));
  }
}

TEST_CASE("packet: session response", "[soe][packet]") {
  const SessionResponse response{.session_id = 1,
                                 .crc_seed = 0xDEADBEEF,
                                 .crc_length = 4,
                                 .compression = true,
                                 .unknown = 7,
                                 .udp_length = 1400,
                                 .version = 3};
  CHECK(encoded(response) == "000200000001deadbeef0401070000057800000003");
  check_sizes(response, 21, 21);

  SECTION("a window behind the rest, of our like") {
    SessionResponse ours = response;
    ours.receive_window = 4096;
    CHECK(encoded(ours) == "000200000001deadbeef04010700000578000000036d751000");
    CHECK(encoded(ours).size() == 2 * SessionResponse::max_size);
    const auto decoded = SessionResponse::decode(from_hex(encoded(ours)));
    REQUIRE(decoded);
    CHECK(decoded->receive_window == 4096);
    // What else may lie there is nobody's window.
    for (const char* other : {"6d75", "6e751000", "6d75100000", "00000000"}) {
      const std::string hex = std::string{"000200000001deadbeef0401070000057800000003"} + other;
      const auto foreign = SessionResponse::decode(from_hex(hex));
      REQUIRE(foreign);
      CHECK(foreign->receive_window == 0);
    }
  }
  SECTION("any boolean but zero is true") {
    const auto decoded =
        SessionResponse::decode(from_hex("000200000001deadbeef04ff000000057800000003"));
    REQUIRE(decoded);
    CHECK(decoded->compression);
  }
  SECTION("defect: a checksum of more than four bytes, on which the original panics") {
    for (unsigned length = 0; length < 256; ++length) {
      auto bytes = from_hex("000200000001deadbeef0000000000020000000003");
      bytes[10] = static_cast<std::byte>(length);
      CAPTURE(length);
      CHECK(SessionResponse::decode(bytes).has_value() == (length <= 4));
    }
  }
  SECTION("another op code") {
    CHECK_FALSE(SessionResponse::decode(from_hex("000100000001deadbeef0401000000057800000003")));
  }
}

TEST_CASE("packet: remap connection", "[soe][packet]") {
  const RemapConnection remap{.session_id = 0x10, .crc_seed = 0x20};
  CHECK(encoded(remap) == "001e0000001000000020");
  check_sizes(remap, RemapConnection::size, RemapConnection::size);
  CHECK_FALSE(RemapConnection::decode(from_hex("001d0000001000000020")));
}

TEST_CASE("packet: disconnect", "[soe][packet]") {
  const Disconnect disconnect{.session_id = 5, .reason = DisconnectReason::application};
  CHECK(encoded(disconnect) == "000000050006");
  check_sizes(disconnect, Disconnect::size, 4);

  for (const std::string_view without_reason : {"00000005", "0000000506"}) {
    const auto decoded = Disconnect::decode(from_hex(without_reason));
    REQUIRE(decoded);
    CHECK(decoded->session_id == 5);
    CHECK(decoded->reason == DisconnectReason::none);
  }
  const auto unknown = Disconnect::decode(from_hex("000000050011"));
  REQUIRE(unknown);
  CHECK(unknown->reason == DisconnectReason::none);
  const auto known = Disconnect::decode(from_hex("000000050010"));
  REQUIRE(known);
  CHECK(known->reason == DisconnectReason::protocol_mismatch);
}

TEST_CASE("packet: net status", "[soe][packet]") {
  const NetStatusRequest request{.client_tick = 0x0102,
                                 .master_ping = 3,
                                 .average_ping = 4,
                                 .low_ping = 5,
                                 .high_ping = 6,
                                 .last_ping = 7,
                                 .packets_sent = 8,
                                 .packets_received = 0x0900000000000000};
  CHECK(encoded(request) ==
        "0102"
        "00000003"
        "00000004"
        "00000005"
        "00000006"
        "00000007"
        "0000000000000008"
        "0900000000000000");
  check_sizes(request, NetStatusRequest::size, NetStatusRequest::size);
  const auto request_bytes = from_hex(encoded(request) + "ff");
  const auto decoded = NetStatusRequest::decode(request_bytes);
  REQUIRE(decoded);
  CHECK(encoded(*decoded) == encoded(request));

  const NetStatusResponse response{.client_tick = 0x0102,
                                   .server_tick = 3,
                                   .client_sent = 4,
                                   .client_received = 5,
                                   .server_sent = 6,
                                   .server_received = 0x0700000000000000};
  CHECK(encoded(response) ==
        "0102"
        "00000003"
        "0000000000000004"
        "0000000000000005"
        "0000000000000006"
        "0700000000000000");
  check_sizes(response, NetStatusResponse::size, NetStatusResponse::size);
  const auto answered = NetStatusResponse::decode(from_hex(encoded(response) + "ff"));
  REQUIRE(answered);
  CHECK(encoded(*answered) == encoded(response));
}
