// SPDX-License-Identifier: MIT
// Encoded messages.
#include <muster/frame.hpp>

#include "support/catch.hpp"
#include "support/wire_connection.hpp"

using namespace muster;
using namespace muster::test;

TEST_CASE("frame: the header has the shortest length form, at every border", "[frame]") {
  const auto [size, header] = GENERATE(table<std::size_t, std::size_t>(
      {{0, 2}, {1, 2}, {125, 2}, {126, 4}, {127, 4}, {65535, 4}, {65536, 10}, {70000, 10}}));
  const std::string content(size, 'f');
  for (const MessageKind kind : {MessageKind::text, MessageKind::binary}) {
    const Frame frame{Message{as_bytes(content), kind}};
    CHECK(frame.kind() == kind);
    CHECK(as_text(frame.payload()) == content);
    CHECK(frame.encoded().size() == header + size);
    const auto frames = decode_frames(as_text(frame.encoded()));
    REQUIRE(frames);
    REQUIRE(frames->size() == 1);
    CHECK(frames->front() == WireFrame{static_cast<unsigned>(kind), false, content});
  }
}

TEST_CASE("frame: parts become one message", "[frame]") {
  const std::array<byte_view, 4> parts{as_bytes("a"), byte_view{}, as_bytes("bc"), as_bytes("def")};
  const Frame frame{parts, MessageKind::binary};
  CHECK(as_text(frame.payload()) == "abcdef");
}

TEST_CASE("frame: copies share one allocation", "[frame]") {
  const Frame none;
  CHECK_FALSE(none);
  const Frame frame{text("x")};
  const Frame copy = frame;
  CHECK(copy.payload().data() == frame.payload().data());
  CHECK(frame.block().reference_count() == 2);
}
