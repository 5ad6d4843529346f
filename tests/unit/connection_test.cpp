// SPDX-License-Identifier: MIT
// One connection alone. The rules of the whole interface are in tests/spec/transport_*.
#include "support/catch.hpp"
#include "support/wire_connection.hpp"

using namespace muster;
using namespace muster::test;

TEST_CASE("connection: a budget outside its range is refused", "[connection]") {
  Loop loop;
  WireConnection& a = loop.connect();
  const Budget before = a.budget();
  CHECK_FALSE(a.set_budget({.bytes = 4095}));
  CHECK_FALSE(a.set_budget({.bytes = 0x80000001U}));
  CHECK_FALSE(a.set_budget({.frames = 7}));
  CHECK_FALSE(a.set_budget({.frames = 65001}));
  CHECK_FALSE(a.set_budget({.bytes = 4096, .reserve_bytes = 2049}));
  CHECK_FALSE(a.set_budget({.frames = 8, .reserve_frames = 5}));
  CHECK(a.budget() == before);
  const Budget smallest{.bytes = 4096, .frames = 8, .reserve_bytes = 2048, .reserve_frames = 4};
  CHECK(a.set_budget(smallest));
  CHECK(a.budget() == smallest);
}

TEST_CASE("connection: at most 255 budgets differ from the default", "[connection]") {
  Loop loop;
  WireConnection& a = loop.connect();
  for (std::uint32_t i = 0; i < 255; ++i) REQUIRE(a.set_budget({.bytes = 5000 + i}));
  CHECK_FALSE(a.set_budget({.bytes = 9999}));
  CHECK(a.set_budget({.bytes = 5000}));
}

TEST_CASE("connection: a long close text is cut where a character starts", "[connection]") {
  Loop loop;
  WireConnection& a = loop.connect();
  const auto wire = a.wire;
  std::string text(122, 't');
  text += "\xc3\xa9";  // the 123rd byte is half a character
  a.close(CloseReason::finished, 1000, text);
  loop.pass();
  CHECK(wire->finish_text == std::string(122, 't'));
  CHECK(wire->controls() == Payloads{"\x03\xe8" + std::string(122, 't')});
  CHECK(loop.service.closed.at(0).text == std::string(122, 't'));
}

TEST_CASE("connection: a close without a code is an empty close", "[connection]") {
  Loop loop;
  WireConnection& a = loop.connect();
  const auto wire = a.wire;
  a.close(CloseReason::finished, 0);
  loop.pass();
  CHECK(wire->bytes == std::string{"\x88\0", 2});
}

TEST_CASE("connection: parts are sent as one message, masked by a client with a key of its own",
          "[connection]") {
  Loop loop;
  WireConnection& a = loop.connect(Framing::client);
  const std::array<byte_view, 3> parts{as_bytes("one "), as_bytes("two "), as_bytes("three")};
  a.send(parts, MessageKind::text);
  a.send(parts, MessageKind::text);
  loop.pass();
  CHECK(a.wire->payloads() == Payloads{"one two three", "one two three"});
  const std::size_t half = a.wire->bytes.size() / 2;
  CHECK(a.wire->bytes.substr(0, half) != a.wire->bytes.substr(half));
}
