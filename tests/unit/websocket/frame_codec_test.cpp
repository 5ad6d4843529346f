// SPDX-License-Identifier: MIT
// Frame headers as they are written, and what the decoder costs in memory.
#include <muster/websocket/frame_codec.hpp>

#include "support/catch.hpp"
#include "support/frames.hpp"

#include <array>
#include <string>
#include <utility>
#include <vector>

using muster::mutable_byte_view;
using muster::websocket::DecodeEvent;
using muster::websocket::FrameDecoder;
using muster::websocket::Limits;
using muster::websocket::max_control_payload;
using muster::websocket::max_frame_header;
using muster::websocket::Opcode;
using muster::websocket::Role;
using muster::websocket::write_close_frame;
using test::Decoded;
using test::encode;
using test::WireFrame;
using Type = DecodeEvent::Type;

namespace {

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto view = muster::as_bytes(text);
  return {view.begin(), view.end()};
}

// The decoder's state and gathered bytes together, with what growing by doubling may add.
constexpr std::size_t state_bound = 512;

}  // namespace

TEST_CASE("frame codec: headers have the shortest length form", "[websocket][frame]") {
  using namespace std::literals;
  const std::pair<std::uint64_t, std::string> expected[] = {
      {0, "\x82\x00"s},
      {125, "\x82\x7d"s},
      {126, "\x82\x7e\x00\x7e"s},
      {65535, "\x82\x7e\xff\xff"s},
      {65536, "\x82\x7f\x00\x00\x00\x00\x00\x01\x00\x00"s},
      {0x0102030405060708, "\x82\x7f\x01\x02\x03\x04\x05\x06\x07\x08"s},
  };
  for (const auto& [size, header] : expected) {
    CAPTURE(size);
    std::array<std::byte, max_frame_header> out{};
    const std::size_t written = write_frame_header(out.data(), Opcode::binary, true, size);
    CHECK(muster::as_text(muster::byte_view{out}.first(written)) == header);
    const std::size_t masked =
        write_frame_header(out.data(), Opcode::binary, true, size, 0xabababab);
    CHECK(masked == written + 4);
    std::string with_mask = header + "\xab\xab\xab\xab";
    with_mask[1] = static_cast<char>(with_mask[1] | '\x80');
    CHECK(muster::as_text(muster::byte_view{out}.first(masked)) == with_mask);
  }
  std::array<std::byte, max_frame_header> out{};
  write_frame_header(out.data(), Opcode::text, false, 1);
  CHECK(out[0] == std::byte{0x01});
}

TEST_CASE("frame codec: what is written can be read by the other side", "[websocket][frame]") {
  for (const bool from_client : {true, false}) {
    const auto key = from_client ? std::optional<std::uint32_t>{0x3d21fa37} : std::nullopt;
    std::array<std::byte, max_frame_header + max_control_payload> out{};
    const auto read = [&](std::size_t size) {
      const Limits limits;
      std::vector<Decoded> events;
      FrameDecoder decoder{from_client ? Role::server : Role::client, limits};
      feed(decoder, muster::as_text(muster::byte_view{out}.first(size)), events);
      return events;
    };
    CHECK(read(write_control_frame(out.data(), Opcode::ping, muster::as_bytes("abcde"), key)) ==
          std::vector{test::ping("abcde")});
    CHECK(read(write_close_frame(out.data(), 0, "ignored", key)) == std::vector{test::closed(0)});
    CHECK(read(write_close_frame(out.data(), 4000, "why", key)) ==
          std::vector{test::closed(4000, "why")});
    // 62 characters of two bytes are 124 bytes; only 61 of them fit.
    std::string reason;
    for (int i = 0; i < 62; ++i) reason += "\xC3\xA9";
    CHECK(read(write_close_frame(out.data(), 1000, reason, key)) ==
          std::vector{test::closed(1000, reason.substr(0, 122))});
  }
}

TEST_CASE("frame codec: a whole message is handed out where it lies", "[websocket][frame]") {
  const Limits limits;
  for (const Role role : {Role::server, Role::client}) {
    FrameDecoder decoder{role, limits};
    auto bytes = bytes_of(
        encode({{0x82, std::string(64, 'a')}, {0x81, "text"}, {0x89, "ping"}, {0x88, ""}}, role));
    mutable_byte_view input{bytes};
    for (const Type expected : {Type::message, Type::message, Type::ping, Type::close}) {
      const DecodeEvent event = decoder.next(input);
      CHECK(event.type == expected);
      if (!event.payload.empty()) {
        CHECK(event.payload.data() > bytes.data());
        CHECK(event.payload.data() + event.payload.size() <= bytes.data() + bytes.size());
      }
      CHECK(decoder.memory() == 0);
    }
    CHECK(input.empty());
  }
}

TEST_CASE("frame codec: a control frame between fragments takes no memory of its own",
          "[websocket][frame][memory]") {
  const Limits limits;
  FrameDecoder decoder{Role::server, limits};
  std::vector<Decoded> out;
  feed(decoder, encode(WireFrame{0x02, std::string(1000, 'a')}, Role::server), out);
  const std::size_t before = decoder.memory();
  auto bytes = bytes_of(encode(WireFrame{0x89, std::string(125, 'p')}, Role::server));
  mutable_byte_view input{bytes};
  const DecodeEvent event = decoder.next(input);
  CHECK(event.type == Type::ping);
  CHECK(event.payload.data() == bytes.data() + 6);
  CHECK(decoder.memory() == before);
}

TEST_CASE("frame codec: memory is given back when a message is complete",
          "[websocket][frame][memory]") {
  const Limits limits;
  FrameDecoder decoder{Role::server, limits};
  std::vector<Decoded> out;
  const std::string stream =
      encode({{0x01, "a"}, {0x80, std::string(5000, 'b')}, {0x82, "c"}, {0x89, "d"}}, Role::server);
  for (std::size_t at = 0; at < stream.size(); ++at) {
    feed(decoder, std::string_view{stream}.substr(at, 1), out);
    if (!decoder.is_mid_message()) CHECK(decoder.memory() == 0);
  }
  CHECK(out.size() == 3);
  CHECK(decoder.memory() == 0);
}

TEST_CASE("frame codec: memory follows what was received, not what a header declares",
          "[websocket][frame][memory]") {
  const Limits limits{.max_message_bytes = std::size_t{1} << 40,
                      .max_frame_bytes = std::size_t{1} << 40};
  for (const unsigned first : {0x02U, 0x82U, 0x81U}) {
    const std::string stream = encode(WireFrame{first, std::string(10000, 'a'),
                                                test::LengthForm::shortest, std::int64_t{1} << 39},
                                      Role::server);
    FrameDecoder decoder{Role::server, limits};
    std::vector<Decoded> out;
    std::size_t received = 0;
    bool is_bounded = true;
    for (; received < stream.size(); ++received) {
      feed(decoder, std::string_view{stream}.substr(received, 1), out);
      if (decoder.memory() > state_bound + 2 * received) is_bounded = false;
    }
    CHECK(is_bounded);
    CHECK(out.empty());
  }
}

TEST_CASE("frame codec: a split message takes no more than its declared size",
          "[websocket][frame][memory]") {
  const Limits limits;
  const std::string stream = encode(WireFrame{0x82, std::string(9000, 'a')}, Role::server);
  FrameDecoder decoder{Role::server, limits};
  std::vector<Decoded> out;
  feed(decoder, std::string_view{stream}.substr(0, 8990), out);
  CHECK(decoder.memory() <= state_bound + 9000);
}

TEST_CASE("frame codec: empty fragments cost no memory", "[websocket][frame][memory]") {
  const Limits limits{.max_message_bytes = 100, .max_frame_bytes = 100};
  FrameDecoder decoder{Role::server, limits};
  std::vector<Decoded> out;
  feed(decoder, encode(WireFrame{0x02, "a"}, Role::server), out);
  const std::size_t before = decoder.memory();
  const std::string empty = encode(WireFrame{0x00, ""}, Role::server);
  for (int i = 0; i < 10000; ++i) feed(decoder, empty, out);
  CHECK(decoder.memory() == before);
  feed(decoder, encode(WireFrame{0x80, "b"}, Role::server), out);
  CHECK(out == std::vector{test::binary("ab")});
}

TEST_CASE("frame codec: small fragments are not copied again and again",
          "[websocket][frame][memory]") {
  const Limits limits;
  FrameDecoder decoder{Role::server, limits};
  std::vector<Decoded> out;
  const std::string piece = encode(WireFrame{0x00, "x"}, Role::server);
  feed(decoder, encode(WireFrame{0x02, "x"}, Role::server), out);
  int growths = 0;
  std::size_t memory = decoder.memory();
  for (int i = 0; i < 20000; ++i) {
    feed(decoder, piece, out);
    growths += decoder.memory() != memory ? 1 : 0;
    memory = decoder.memory();
  }
  CHECK(growths < 10);
}

TEST_CASE("frame codec: nothing is kept after an error or a close", "[websocket][frame][memory]") {
  const Limits limits;
  for (const WireFrame& end : {WireFrame{0x88, "\x03\xe8"}, WireFrame{0x83, ""}}) {
    for (const bool split : {false, true}) {
      FrameDecoder decoder{Role::server, limits};
      std::vector<Decoded> out;
      feed(decoder, encode(WireFrame{0x01, std::string(3000, 'a')}, Role::server), out);
      CHECK(decoder.memory() > 3000);
      const std::string last = encode(end, Role::server);
      feed(decoder, std::string_view{last}.substr(0, split ? 1 : last.size()), out);
      feed(decoder, std::string_view{last}.substr(split ? 1 : last.size()), out);
      CHECK(out.size() == 1);
      CHECK(decoder.is_ended());
      feed(decoder, "anything", out);
      CHECK(out.size() == 1);
      CHECK(decoder.memory() == 0);
    }
  }
}

TEST_CASE("frame codec: other limits hold from the next frame on", "[websocket][frame]") {
  const Limits wide;
  const Limits narrow{.max_message_bytes = 10, .max_frame_bytes = 10};
  FrameDecoder decoder{Role::server, wide};
  std::vector<Decoded> out;
  const std::string first = encode(WireFrame{0x82, std::string(500, 'a')}, Role::server);
  feed(decoder, std::string_view{first}.substr(0, 100), out);
  decoder.set_limits(narrow);
  feed(decoder, std::string_view{first}.substr(100), out);
  feed(decoder, encode(WireFrame{0x82, "0123456789x"}, Role::server), out);
  CHECK(out == std::vector{test::binary(std::string(500, 'a')),
                           test::failure(muster::errc::too_large, 1009)});
}

TEST_CASE("frame codec: a decoder can be moved inside a message", "[websocket][frame]") {
  const Limits limits;
  FrameDecoder decoder{Role::client, limits};
  std::vector<Decoded> out;
  feed(decoder, encode(WireFrame{0x01, "one "}, Role::client), out);
  FrameDecoder other{std::move(decoder)};
  feed(other, encode(WireFrame{0x80, "two"}, Role::client), out);
  CHECK(out == std::vector{test::text("one two")});
}
