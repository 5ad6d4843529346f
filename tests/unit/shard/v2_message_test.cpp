// SPDX-License-Identifier: MIT
// Version 2 of the shard protocol: byte for byte, there and back, and what is refused.
#include <muster/shard/v2_message.hpp>

#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace v2 = muster::shard::v2;
using muster::as_bytes;
using muster::as_text;
using muster::errc;
using muster::shard::Format;

namespace {

constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();

template <class Message>
std::string hex(const Message& message) {
  std::vector<std::byte> out;
  encode(message, out);
  return test::to_hex(out);
}

// The message that the bytes are; they must outlive it.
template <class Message>
Message from_server(const std::vector<std::byte>& bytes) {
  const auto message = v2::decode_server_message(bytes);
  REQUIRE(message);
  const auto* const wanted = std::get_if<Message>(&*message);
  REQUIRE(wanted != nullptr);
  return *wanted;
}

template <class Message>
Message from_client(const std::vector<std::byte>& bytes) {
  const auto message = v2::decode_client_message(bytes);
  REQUIRE(message);
  const auto* const wanted = std::get_if<Message>(&*message);
  REQUIRE(wanted != nullptr);
  return *wanted;
}

std::optional<errc> server_failure(std::string_view text) {
  const auto bytes = test::from_hex(text);
  const auto message = v2::decode_server_message(bytes);
  if (message) return std::nullopt;
  return message.error();
}

std::optional<errc> client_failure(std::string_view text) {
  const auto bytes = test::from_hex(text);
  const auto message = v2::decode_client_message(bytes);
  if (message) return std::nullopt;
  return message.error();
}

}  // namespace

TEST_CASE("shard v2: what a server sends, byte for byte", "[shard][v2]") {
  CHECK(hex(v2::Full{1, as_bytes("42")}) == "01013432");
  CHECK(hex(v2::Full{300, {}}) == "01ac02");
  CHECK(hex(v2::Delta{300, 298, as_bytes("x")}) == "02ac02aa0278");
  CHECK(hex(v2::Unchanged{127, 5}) == "037f05");
  CHECK(hex(v2::Event{128, as_bytes("hi")}) == "0480016869");
  CHECK(hex(v2::Hello{7, 20000, Format::msgpack, "p1", 65536, 120}) ==
        "050207a09c0101027031808004"
        "78");
  CHECK(hex(v2::Nack{9, v2::NackCode::queue_full}) == "060903");
  CHECK(hex(v2::Bye{1013, as_text(as_bytes("too slow"))}) == "07f507746f6f20736c6f77");
  CHECK(hex(v2::ClockReply{5, 1000000, 6}) == "0805c0843d06");
  CHECK(hex(v2::InputAck{20, 0, -1}) == "09140101");
  CHECK(hex(v2::InputAck{20, std::nullopt, 3}) == "09140006");
  CHECK(hex(v2::InputAck{1, v2::max_client_seq, 0}) == "0901ffffffffffffffffff0100");
}

TEST_CASE("shard v2: what a client sends, byte for byte", "[shard][v2]") {
  CHECK(hex(v2::Input{1, 41, 0, as_bytes("{}")}) == "810129007b7d");
  CHECK(hex(v2::SnapshotAck{300}) == "82ac02");
  CHECK(hex(v2::SnapshotAck{0}) == "8200");
  CHECK(hex(v2::ClockQuery{128}) == "838001");
  CHECK(hex(v2::Interest{as_bytes("zone")}) == "847a6f6e65");
}

TEST_CASE("shard v2: a message comes back as it was sent", "[shard][v2]") {
  for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{127},
                                     std::uint64_t{128}, std::uint64_t{1} << 32U, most - 1, most}) {
    CAPTURE(number);
    for (const std::string_view payload : {"", "x", "a longer payload \xFF"}) {
      std::vector<std::byte> out;
      encode(v2::Full{number, as_bytes(payload)}, out);
      const auto full = from_server<v2::Full>(out);
      CHECK(full.tick == number);
      CHECK(as_text(full.payload) == payload);

      out.clear();
      encode(v2::Delta{number, number / 2, as_bytes(payload)}, out);
      const auto delta = from_server<v2::Delta>(out);
      CHECK(delta.tick == number);
      CHECK(delta.base_tick == number / 2);
      CHECK(as_text(delta.payload) == payload);

      out.clear();
      encode(v2::Event{number, as_bytes(payload)}, out);
      const auto event = from_server<v2::Event>(out);
      CHECK(event.sequence == number);
      CHECK(as_text(event.payload) == payload);

      out.clear();
      encode(v2::Interest{as_bytes(payload)}, out);
      CHECK(as_text(from_client<v2::Interest>(out).parameters) == payload);

      if (number > v2::max_client_seq) continue;
      out.clear();
      encode(v2::Input{number, number / 2, number / 3, as_bytes(payload)}, out);
      const auto input = from_client<v2::Input>(out);
      CHECK(input.client_seq == number);
      CHECK(input.last_received_tick == number / 2);
      CHECK(input.target_tick == number / 3);
      CHECK(as_text(input.payload) == payload);

      out.clear();
      encode(v2::InputAck{number, number, -static_cast<std::int64_t>(number / 2)}, out);
      const auto ack = from_server<v2::InputAck>(out);
      CHECK(ack.tick == number);
      CHECK(ack.client_seq == number);
      CHECK(ack.margin_ms == -static_cast<std::int64_t>(number / 2));
    }
    std::vector<std::byte> out;
    encode(v2::ClockReply{number, number / 2, number / 3}, out);
    const auto clock = from_server<v2::ClockReply>(out);
    CHECK(clock.t0 == number);
    CHECK(clock.server_time_us == number / 2);
    CHECK(clock.tick == number / 3);

    out.clear();
    encode(v2::Hello{number, number / 2, Format::binary, "p\xC3\xA9", number / 3, number / 4}, out);
    const auto hello = from_server<v2::Hello>(out);
    CHECK(hello.tick == number);
    CHECK(hello.rate_mhz == number / 2);
    CHECK(hello.format == Format::binary);
    CHECK(hello.sid == "p\xC3\xA9");
    CHECK(hello.max_message_bytes == number / 3);
    CHECK(hello.max_inputs_per_second == number / 4);
  }
  for (const std::int64_t margin : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-64},
                                    std::int64_t{64}, std::numeric_limits<std::int64_t>::max()}) {
    std::vector<std::byte> out;
    encode(v2::InputAck{1, std::nullopt, margin}, out);
    const auto ack = from_server<v2::InputAck>(out);
    CHECK(ack.margin_ms == margin);
    CHECK_FALSE(ack.client_seq);
  }
  const auto bye = test::from_hex("07f107676f6f64");
  CHECK(from_server<v2::Bye>(bye).code == 1009);
  CHECK(from_server<v2::Bye>(bye).text == "good");
}

TEST_CASE("shard v2: a message that is cut off anywhere is refused", "[shard][v2]") {
  for (const std::string_view text :
       {"02ac02aa02", "037f05", "0480016869", "050207a09c010102703180800478", "060903",
        "0805c0843d06", "0901ffffffffffffffffff0100", "07f507"}) {
    const std::string whole{text};
    REQUIRE(server_failure(whole) == std::nullopt);
    const std::size_t fields_end = whole == "0480016869" ? 6 : whole.size();
    for (std::size_t size = 0; size < fields_end; size += 2) {
      CAPTURE(whole, size);
      CHECK(server_failure(whole.substr(0, size)) == errc::unexpected_end);
    }
  }
  for (const std::string_view text : {"81808001ac028001", "82ac02", "838001"}) {
    const std::string whole{text};
    REQUIRE(client_failure(whole) == std::nullopt);
    for (std::size_t size = 0; size < whole.size(); size += 2) {
      CAPTURE(whole, size);
      CHECK(client_failure(whole.substr(0, size)) == errc::unexpected_end);
    }
  }
}

TEST_CASE("shard v2: only the shortest form of an integer is taken", "[shard][v2]") {
  CHECK(server_failure("038000") == errc::bad_varint);
  CHECK(server_failure("03808000") == errc::bad_varint);
  CHECK(server_failure("03ffffffffffffffffff02") == errc::bad_varint);
  CHECK(server_failure("03ffffffffffffffffffff01") == errc::bad_varint);
  CHECK(server_failure("09140081"
                       "00") == errc::bad_varint);
  CHECK(server_failure("03ffffffffffffffffff0100") == std::nullopt);
  CHECK(client_failure("828000") == errc::bad_varint);
  CHECK(client_failure("81810001"
                       "00") == errc::bad_varint);
}

TEST_CASE("shard v2: unknown types, codes and versions are refused", "[shard][v2]") {
  for (const std::string_view text : {"00", "0a", "80", "8101000000", "ff"}) {
    CHECK(server_failure(text) == errc::bad_value);
  }
  for (const std::string_view text : {"00", "0101", "80", "85", "ff"}) {
    CHECK(client_failure(text) == errc::bad_value);
  }
  CHECK(server_failure("060900") == errc::bad_value);
  CHECK(server_failure("060908") == errc::bad_value);
  CHECK(server_failure("050307a09c010102703180800478") == errc::bad_value);
  CHECK(server_failure("050207a09c010302703180800478") == errc::bad_value);
  CHECK(server_failure("07808004") == errc::bad_value);
  // An input so numbered could not be acknowledged.
  CHECK(client_failure("81ffffffffffffffffff010000") == errc::bad_value);
  CHECK(client_failure("81feffffffffffffffff010000") == std::nullopt);
}

TEST_CASE("shard v2: nothing may follow the last field", "[shard][v2]") {
  for (const std::string_view text :
       {"037f0500", "06090300", "0805c0843d0600", "0914010100", "050207a09c01010270318080047800"}) {
    CHECK(server_failure(text) == errc::bad_syntax);
  }
  CHECK(client_failure("820000") == errc::bad_syntax);
  CHECK(client_failure("83800100") == errc::bad_syntax);
}

TEST_CASE("shard v2: texts are UTF-8 and end where the message does", "[shard][v2]") {
  CHECK(server_failure("07f507ff") == errc::bad_utf8);
  CHECK(server_failure("050207a09c010102ff31808004"
                       "78") == errc::bad_utf8);
  CHECK(server_failure("050207a09c0101ffffffffffffffffff01") == errc::unexpected_end);
}

TEST_CASE("shard v2: a payload may be appended behind the header", "[shard][v2]") {
  std::vector<std::byte> out;
  encode(v2::Delta{5, 4}, out);
  for (const std::byte octet : as_bytes("late")) out.push_back(octet);
  CHECK(as_text(from_server<v2::Delta>(out).payload) == "late");
}
