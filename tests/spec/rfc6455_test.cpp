// SPDX-License-Identifier: MIT
// RFC 6455 as a table of cases, grouped as in the Autobahn test suite; each runs in both roles,
// whole, byte by byte, and cut in two at every place.
#include <muster/websocket/close_code.hpp>
#include <muster/websocket/frame_codec.hpp>

#include "support/catch.hpp"
#include "support/frames.hpp"

#include <string>
#include <utility>
#include <vector>

using muster::errc;
using muster::websocket::FrameDecoder;
using muster::websocket::Limits;
using muster::websocket::Role;
using test::binary;
using test::closed;
using test::decode;
using test::Decoded;
using test::failure;
using test::LengthForm;
using test::ping;
using test::pong;
using test::text;
using test::WireFrame;

namespace {

constexpr unsigned text_frame = 0x81;
constexpr unsigned binary_frame = 0x82;
constexpr unsigned close_frame = 0x88;
constexpr unsigned ping_frame = 0x89;
constexpr unsigned pong_frame = 0x8A;
constexpr unsigned first_text = 0x01;
constexpr unsigned first_binary = 0x02;
constexpr unsigned middle = 0x00;
constexpr unsigned last = 0x80;

struct Case {
  std::string name;
  std::vector<WireFrame> frames;
  std::vector<Decoded> expected;
};

void check(const Case& c, const Limits& limits = {}) {
  CAPTURE(c.name);
  for (const Role role : {Role::server, Role::client}) {
    CAPTURE(static_cast<int>(role));
    const std::string stream = encode(c.frames, role);
    CHECK(decode(stream, role, limits) == c.expected);
    CHECK(decode(stream, role, limits, test::every_byte(stream.size())) == c.expected);
    // Long streams: only the cuts near the ends, where the headers are, and some between.
    const std::size_t step = stream.size() > 2000 ? 997 : 1;
    for (std::size_t cut = 1; cut < stream.size();) {
      if (decode(stream, role, limits, {cut}) != c.expected) {
        CAPTURE(cut);
        CHECK(decode(stream, role, limits, {cut}) == c.expected);
        break;
      }
      cut += cut < 40 || cut + 1040 > stream.size() ? 1 : step;
    }
  }
}

void check_all(const std::vector<Case>& cases, const Limits& limits = {}) {
  for (const Case& c : cases) check(c, limits);
}

std::string close_payload(unsigned code, std::string_view reason = {}) {
  return std::string{static_cast<char>(code >> 8U), static_cast<char>(code & 0xffU)} +
         std::string{reason};
}

}  // namespace

TEST_CASE("rfc6455 5.2: payloads of every length class arrive as they were sent",
          "[rfc6455][framing]") {
  for (const std::size_t size : {0U, 1U, 124U, 125U, 126U, 127U, 128U, 65535U, 65536U, 70001U}) {
    const std::string payload(size, '*');
    check({"text " + std::to_string(size), {{text_frame, payload}}, {text(payload)}});
    const std::string octets(size, '\xfe');
    check({"binary " + std::to_string(size), {{binary_frame, octets}}, {binary(octets)}});
  }
  std::vector<WireFrame> frames;
  std::vector<Decoded> expected;
  for (int i = 0; i < 20; ++i) {
    frames.push_back({text_frame, std::to_string(i)});
    expected.push_back(text(std::to_string(i)));
  }
  check({"twenty messages back to back", frames, expected});
}

TEST_CASE("rfc6455 5.2: a length that is not in its shortest form is refused",
          "[rfc6455][framing]") {
  for (const unsigned opcode : {text_frame, binary_frame}) {
    check_all({
        {"0 in two bytes", {{opcode, "", LengthForm::two_bytes}}, {failure(errc::bad_length)}},
        {"125 in two bytes",
         {{opcode, std::string(125, 'a'), LengthForm::two_bytes}},
         {failure(errc::bad_length)}},
        {"125 in eight bytes",
         {{opcode, std::string(125, 'a'), LengthForm::eight_bytes}},
         {failure(errc::bad_length)}},
        {"65535 in eight bytes",
         {{opcode, "", LengthForm::eight_bytes, 65535}},
         {failure(errc::bad_length)}},
        {"the longest length that can be written",
         {{opcode, "\xff\xff", LengthForm::eight_bytes, INT64_MAX}},
         {failure(errc::too_large, 1009)}},
    });
  }
  using namespace std::literals;
  const std::string server = "\x82\xff\x80\0\0\0\0\0\0\0\1\2\3\4"s;
  CHECK(decode(server, Role::server, Limits{}) == std::vector{failure(errc::bad_length)});
  const std::string client = "\x82\x7f\x80\0\0\0\0\x01\0\0"s;
  CHECK(decode(client, Role::client, Limits{}) == std::vector{failure(errc::bad_length)});
}

TEST_CASE("rfc6455 5.1: a server takes only masked frames, a client only unmasked ones",
          "[rfc6455][mask]") {
  for (const unsigned opcode : {text_frame, binary_frame, close_frame, ping_frame, pong_frame}) {
    check({"mask of the wrong role",
           {{text_frame, "before"}, {opcode, "ab", LengthForm::shortest, -1, true}},
           {text("before"), failure(errc::bad_mask)}});
  }
}

TEST_CASE("rfc6455 5.5.2: pings and pongs carry up to 125 bytes", "[rfc6455][control]") {
  const std::string most(125, '\xfe');
  check_all({
      {"empty ping", {{ping_frame, ""}}, {ping("")}},
      {"ping", {{ping_frame, "Hello"}}, {ping("Hello")}},
      {"ping that is no text", {{ping_frame, "\xff\xfe\xfd"}}, {ping("\xff\xfe\xfd")}},
      {"longest ping", {{ping_frame, most}}, {ping(most)}},
      {"ping too long", {{ping_frame, most + "x"}}, {failure(errc::bad_control_frame)}},
      {"pong too long", {{pong_frame, most + "x"}}, {failure(errc::bad_control_frame)}},
      {"unsolicited pong", {{pong_frame, "a"}, {ping_frame, "b"}}, {pong("a"), ping("b")}},
      {"short length in two bytes",
       {{ping_frame, "abc", LengthForm::two_bytes}},
       {failure(errc::bad_control_frame)}},
      {"ten pings", std::vector<WireFrame>(10, {ping_frame, "payload"}),
       std::vector<Decoded>(10, ping("payload"))},
  });
}

TEST_CASE("rfc6455 5.2: a reserved bit without an extension is refused", "[rfc6455][reserved]") {
  for (unsigned bits = 1; bits < 8; ++bits) {
    for (const unsigned frame :
         {text_frame, binary_frame, close_frame, ping_frame, pong_frame, first_text}) {
      check({"reserved bits " + std::to_string(bits),
             {{text_frame, "before"}, {frame | bits << 4U, ""}, {text_frame, "after"}},
             {text("before"), failure(errc::reserved_bits)}});
    }
  }
}

TEST_CASE("rfc6455 5.2: a reserved opcode is refused", "[rfc6455][opcode]") {
  for (const unsigned opcode : {3U, 4U, 5U, 6U, 7U, 11U, 12U, 13U, 14U, 15U}) {
    check({"opcode " + std::to_string(opcode),
           {{0x80U | opcode, "x"}, {ping_frame, ""}},
           {failure(errc::reserved_opcode)}});
    check({"opcode inside a message " + std::to_string(opcode),
           {{first_text, "x"}, {0x80U | opcode, ""}},
           {failure(errc::reserved_opcode)}});
  }
}

TEST_CASE("rfc6455 5.4: fragments are one message", "[rfc6455][fragments]") {
  check_all({
      {"two", {{first_text, "frag1"}, {last, "frag2"}}, {text("frag1frag2")}},
      {"three", {{first_binary, "a"}, {middle, "b"}, {last, "c"}}, {binary("abc")}},
      {"all empty", {{first_text, ""}, {middle, ""}, {last, ""}}, {text("")}},
      {"empty around", {{first_text, ""}, {middle, "mid"}, {last, ""}}, {text("mid")}},
      {"long pieces",
       {{first_binary, std::string(300, 'a')}, {last, std::string(70000, 'b')}},
       {binary(std::string(300, 'a') + std::string(70000, 'b'))}},
      {"two messages",
       {{first_text, "a"}, {last, "b"}, {first_binary, "c"}, {last, "d"}, {text_frame, "e"}},
       {text("ab"), binary("cd"), text("e")}},
      {"continuation without a start, final", {{last, "x"}}, {failure(errc::bad_continuation)}},
      {"continuation without a start", {{middle, "x"}}, {failure(errc::bad_continuation)}},
      {"continuation after a whole message",
       {{text_frame, "x"}, {last, "y"}},
       {text("x"), failure(errc::bad_continuation)}},
      {"a new message inside a message",
       {{first_text, "x"}, {text_frame, "y"}},
       {failure(errc::bad_continuation)}},
      {"a new fragmented message inside a message",
       {{first_text, "x"}, {first_binary, "y"}},
       {failure(errc::bad_continuation)}},
  });
  std::vector<WireFrame> frames{{first_binary, "a"}};
  for (int i = 0; i < 500; ++i) frames.push_back({middle, "a"});
  frames.push_back({last, "a"});
  check({"many fragments", frames, {binary(std::string(502, 'a'))}});
}

TEST_CASE("rfc6455 5.5: a ping between fragments is answered before the message ends",
          "[rfc6455][fragments][control]") {
  check_all({
      {"ping between",
       {{first_text, "frag1"}, {ping_frame, "hello"}, {last, "frag2"}},
       {ping("hello"), text("frag1frag2")}},
      {"several between",
       {{first_text, "a"},
        {ping_frame, "1"},
        {pong_frame, "2"},
        {middle, "b"},
        {ping_frame, ""},
        {last, "c"},
        {ping_frame, "3"}},
       {ping("1"), pong("2"), ping(""), text("abc"), ping("3")}},
      {"a close between", {{first_text, "a"}, {close_frame, ""}, {last, "b"}}, {closed(0)}},
      {"a fragmented ping", {{0x09, "a"}, {last, "b"}}, {failure(errc::bad_control_frame)}},
      {"a fragmented pong inside a message",
       {{first_text, "x"}, {0x0A, ""}},
       {failure(errc::bad_control_frame)}},
      {"a fragmented close", {{0x08, ""}}, {failure(errc::bad_control_frame)}},
  });
}

TEST_CASE("rfc6455 8.1: a text message is valid UTF-8, however it is fragmented",
          "[rfc6455][utf8]") {
  const std::string valid = "\xCE\xBA\xE1\xBD\xB9\xCF\x83\xF0\x90\x80\x80\xF4\x8F\xBF\xBF";
  for (std::size_t cut = 0; cut <= valid.size(); ++cut) {
    check({"valid, cut at " + std::to_string(cut),
           {{first_text, valid.substr(0, cut)}, {ping_frame, ""}, {last, valid.substr(cut)}},
           {ping(""), text(valid)}});
  }
  const std::string invalid[] = {"\x80",
                                 "\xC0\xAF",
                                 "\xC1\xBF",
                                 "\xE0\x80\xAF",
                                 "\xED\xA0\x80",
                                 "\xED\xBF\xBF",
                                 "\xF0\x80\x80\xAF",
                                 "\xF4\x90\x80\x80",
                                 "\xF5\x80\x80\x80",
                                 "\xFE",
                                 "\xFF",
                                 "\xC3\x41",
                                 "\xF8\x88\x80\x80\x80"};
  for (const std::string& damage : invalid) {
    const std::string whole = "caf\xC3\xA9 " + damage + "more";
    check({"invalid", {{text_frame, whole}}, {failure(errc::bad_utf8, 1007)}});
    for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
      check({"invalid, cut at " + std::to_string(cut),
             {{first_text, whole.substr(0, cut)}, {last, whole.substr(cut)}},
             {failure(errc::bad_utf8, 1007)}});
    }
  }
  for (const char* unfinished : {"\xC3", "\xE2\x82", "\xF0\x9F\x98"}) {
    check_all({
        {"ends inside a character", {{text_frame, unfinished}}, {failure(errc::bad_utf8, 1007)}},
        {"ends inside a character, fragmented",
         {{first_text, unfinished}, {last, ""}},
         {failure(errc::bad_utf8, 1007)}},
        {"a new message must not complete it",
         {{first_text, ""}, {last, unfinished}, {text_frame, "\x80"}},
         {failure(errc::bad_utf8, 1007)}},
        {"binary is not looked at", {{first_binary, unfinished}, {last, ""}}, {binary(unfinished)}},
    });
  }
}

TEST_CASE("rfc6455 8.1: a text is refused at the first byte that makes it impossible",
          "[rfc6455][utf8]") {
  for (const Role role : {Role::server, Role::client}) {
    for (const unsigned first : {text_frame, first_text}) {
      // The frame announces 100 bytes, of which the sixth cannot follow the fifth.
      const std::string stream =
          encode(WireFrame{first, "abcd\xED\xA0", LengthForm::shortest, 100}, role);
      const Limits limits;
      FrameDecoder decoder{role, limits};
      std::vector<Decoded> out;
      feed(decoder, std::string_view{stream}.substr(0, stream.size() - 1), out);
      CHECK(out.empty());
      feed(decoder, std::string_view{stream}.substr(stream.size() - 1), out);
      CHECK(out == std::vector{failure(errc::bad_utf8, 1007)});
    }
  }
}

TEST_CASE("rfc6455 7.4: a close carries nothing, or a code that may be sent and UTF-8",
          "[rfc6455][close]") {
  const std::string longest(123, 'r');
  check_all({
      {"empty", {{close_frame, ""}}, {closed(0)}},
      {"one byte",
       {{close_frame, "\x0c"}},
       {failure(errc::bad_close_code)}},  // half of an acceptable code
      {"code", {{close_frame, close_payload(1000)}}, {closed(1000)}},
      {"reason", {{close_frame, close_payload(1001, "bye")}}, {closed(1001, "bye")}},
      {"longest", {{close_frame, close_payload(1000, longest)}}, {closed(1000, longest)}},
      {"too long",
       {{close_frame, close_payload(1000, longest + "x")}},
       {failure(errc::bad_control_frame)}},
      {"reason is no UTF-8",
       {{close_frame, close_payload(1000, "\xCE\xBA\xE1\xBD\xB9\xED\xA0\x80")}},
       {failure(errc::bad_utf8, 1007)}},
      {"reason ends inside a character",
       {{close_frame, close_payload(1000, "\xE2\x82")}},
       {failure(errc::bad_utf8, 1007)}},
      {"what follows is ignored",
       {{close_frame, close_payload(1000)}, {ping_frame, ""}, {text_frame, "x"}, {close_frame, ""}},
       {closed(1000)}},
      {"garbage that follows is ignored", {{close_frame, ""}, {0xff, "x"}}, {closed(0)}},
      {"messages before it",
       {{text_frame, "a"}, {ping_frame, "b"}, {close_frame, close_payload(4999)}},
       {text("a"), ping("b"), closed(4999)}},
  });
}

TEST_CASE("rfc6455 7.4: every close code is either acceptable or a protocol error",
          "[rfc6455][close]") {
  const auto is_defined = [](unsigned code) {
    for (const unsigned good :
         {1000U, 1001U, 1002U, 1003U, 1007U, 1008U, 1009U, 1010U, 1011U, 1012U, 1013U, 1014U}) {
      if (code == good) return true;
    }
    return code >= 3000 && code < 5000;
  };
  std::vector<unsigned> wrong;
  const Limits limits;
  for (unsigned code = 0; code <= 0xffff; ++code) {
    const std::string stream = encode(WireFrame{close_frame, close_payload(code)}, Role::client);
    const Decoded expected =
        is_defined(code) ? closed(static_cast<std::uint16_t>(code)) : failure(errc::bad_close_code);
    if (decode(stream, Role::client, limits) != std::vector{expected}) wrong.push_back(code);
    if (muster::websocket::close_code::may_be_received(static_cast<std::uint16_t>(code)) !=
        is_defined(code)) {
      wrong.push_back(code);
    }
  }
  CHECK(wrong.empty());
  CHECK_FALSE(muster::websocket::close_code::may_be_sent(1010, true));
  CHECK(muster::websocket::close_code::may_be_sent(1010, false));
  CHECK_FALSE(muster::websocket::close_code::may_be_sent(1005, false));
}

TEST_CASE("rfc6455 10.4: a message of the limit is taken, one byte more is refused",
          "[rfc6455][limits]") {
  for (const std::size_t limit : {0U, 10U, 126U, 300U, 66000U}) {
    CAPTURE(limit);
    const std::string most(limit, 'm');
    const std::string half = most.substr(0, limit / 2);
    const std::string rest = most.substr(limit / 2);
    check_all(
        {
            {"the limit", {{text_frame, most}}, {text(most)}},
            {"one more", {{text_frame, most + "m"}}, {failure(errc::too_large, 1009)}},
            {"the limit in fragments",
             {{first_binary, half}, {middle, ""}, {middle, rest}, {last, ""}},
             {binary(most)}},
            {"one more in fragments",
             {{first_binary, half}, {middle, rest}, {last, "m"}},
             {failure(errc::too_large, 1009)}},
            {"the limit again and again",
             {{text_frame, most}, {first_text, most}, {last, ""}, {text_frame, most}},
             {text(most), text(most), text(most)}},
            {"control frames do not count",
             {{first_binary, most}, {ping_frame, std::string(125, 'p')}, {last, ""}},
             {ping(std::string(125, 'p')), binary(most)}},
        },
        {.max_message_bytes = limit, .max_frame_bytes = 1000000});
  }
  const Limits by_frame{.max_message_bytes = 1000, .max_frame_bytes = 100};
  check_all(
      {
          {"frames of the limit",
           {{first_binary, std::string(100, 'a')}, {last, std::string(100, 'a')}},
           {binary(std::string(200, 'a'))}},
          {"a frame above it",
           {{first_binary, std::string(100, 'a')}, {last, std::string(101, 'a')}},
           {failure(errc::too_large, 1009)}},
          {"an unfragmented frame above it",
           {{binary_frame, std::string(101, 'a')}},
           {failure(errc::too_large, 1009)}},
      },
      by_frame);
}

TEST_CASE("rfc6455 10.4: the limit holds from the header on, before any payload arrives",
          "[rfc6455][limits]") {
  const Limits limits{.max_message_bytes = 1000, .max_frame_bytes = 1000};
  for (const std::int64_t declared : {std::int64_t{1001}, std::int64_t{1} << 40, INT64_MAX}) {
    check({"declared " + std::to_string(declared),
           {{binary_frame, "", LengthForm::shortest, declared}},
           {failure(errc::too_large, 1009)}},
          limits);
    check({"declared by a continuation " + std::to_string(declared),
           {{first_binary, "a"}, {last, "", LengthForm::shortest, declared}},
           {failure(errc::too_large, 1009)}},
          limits);
  }
}
