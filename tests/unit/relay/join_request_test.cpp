// SPDX-License-Identifier: MIT
// JoinRequest beyond the vectors: what is a view of what, and what is not written.
#include <muster/relay/join_request.hpp>

#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <cstddef>
#include <string>

using muster::errc;
using muster::relay::decode_join_request;
using muster::relay::encode_join_request;
using muster::relay::JoinRequest;

TEST_CASE("relay 4: ids and trailer are views into the message", "[relay][join_request]") {
  const auto bytes = test::from_hex(
      "0167"
      "02c3a9"
      "00"
      "00"
      "0105"
      "5258");
  const auto request = decode_join_request(bytes);
  REQUIRE(request);
  CHECK(request->game_id == "g");
  CHECK(request->room_id == "\xC3\xA9");
  CHECK(request->rule_variation == 0);
  CHECK_FALSE(request->create_room);
  CHECK(request->reconnect_token == 5U);
  CHECK(test::to_hex(request->trailer) == "5258");
  CHECK(static_cast<const void*>(request->game_id.data()) == bytes.data() + 1);
  CHECK(request->trailer.data() == bytes.data() + 9);
}

TEST_CASE("relay 13.4: a trailer is written behind the fields", "[relay][join_request]") {
  const auto trailer = test::from_hex("525801");
  JoinRequest request;
  request.trailer = trailer;
  const auto bytes = encode_join_request(request);
  REQUIRE(bytes);
  CHECK(test::to_hex(*bytes) ==
        "0000000000"
        "525801");
}

TEST_CASE("relay 4: a token of zero is a token", "[relay][join_request]") {
  const auto bytes = test::from_hex(
      "0167"
      "0172"
      "00"
      "00"
      "0100");
  const auto request = decode_join_request(bytes);
  REQUIRE(request);
  CHECK(request->reconnect_token == 0U);
}

TEST_CASE("relay: ids that are not UTF-8 are not sent", "[relay][join_request]") {
  JoinRequest request;
  request.game_id = "\xFF";
  CHECK(encode_join_request(request).error() == errc::bad_utf8);
  request.game_id = "g";
  request.room_id = "\xC3";
  CHECK(encode_join_request(request).error() == errc::bad_utf8);
}

TEST_CASE("relay 4: every prefix of a request ends unexpectedly", "[relay][join_request]") {
  const auto bytes = test::from_hex(
      "08"
      "7472696374726163"
      "07"
      "726f6f6d2d3432"
      "ac02"
      "01"
      "01"
      "ef9bafcdf8acd19101");
  REQUIRE(decode_join_request(bytes));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CAPTURE(size);
    const auto request = decode_join_request(muster::byte_view{bytes}.first(size));
    REQUIRE_FALSE(request);
    CHECK(request.error() == errc::unexpected_end);
  }
}

TEST_CASE("relay 4: an id may be as long as the message", "[relay][join_request]") {
  const std::string room(100'000, 'r');
  JoinRequest request;
  request.game_id = "g";
  request.room_id = room;
  const auto bytes = encode_join_request(request);
  REQUIRE(bytes);
  CHECK(bytes->size() == 2 + 3 + room.size() + 3);
  const auto again = decode_join_request(*bytes);
  REQUIRE(again);
  CHECK(again->room_id == room);
}
