// SPDX-License-Identifier: MIT
// How often the decoder asks the heap for memory: counted, not taken from the decoder's own word.
#include <muster/websocket/frame_codec.hpp>

#include "support/catch.hpp"
#include "support/frames.hpp"
#include "support/heap_count.hpp"

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#if MUSTER_TEST_COUNTS_ALLOCATIONS

using muster::mutable_byte_view;
using muster::websocket::DecodeEvent;
using muster::websocket::FrameDecoder;
using muster::websocket::Limits;
using muster::websocket::Role;
using test::allocations;
using test::encode;
using test::live;

namespace {

struct Count {
  int events = 0;
  int allocations = 0;
  int live = 0;  // blocks that are held at the end and were not at the start
};

// Decodes in pieces of a given size, and counts what the decoder itself allocates.
Count run(FrameDecoder& decoder, const std::string& stream, std::size_t piece_size) {
  std::vector<std::byte> bytes(stream.size());
  for (std::size_t i = 0; i < stream.size(); ++i) bytes[i] = static_cast<std::byte>(stream[i]);
  mutable_byte_view rest{bytes};
  Count count{0, -allocations, -live};
  while (!rest.empty()) {
    mutable_byte_view input = rest.first(std::min(piece_size, rest.size()));
    rest = rest.subspan(input.size());
    while (decoder.next(input).type != DecodeEvent::Type::none) ++count.events;
  }
  count.allocations += allocations;
  count.live += live;
  return count;
}

}  // namespace

TEST_CASE("frame codec: whole messages and control frames are decoded without the heap",
          "[websocket][frame][memory]") {
  const Limits limits;
  for (const Role role : {Role::server, Role::client}) {
    std::string stream;
    for (int i = 0; i < 100; ++i) {
      stream += encode({{0x82, std::string(64, 'a')},
                        {0x81, "text"},
                        {0x89, "ping"},
                        {0x8A, ""},
                        {0x82, std::string(70000, 'b')}},
                       role);
    }
    FrameDecoder decoder{role, limits};
    const Count count = run(decoder, stream, stream.size());
    CHECK(count.events == 500);
    CHECK(count.allocations == 0);
  }
}

TEST_CASE("frame codec: a split message takes a state and a buffer, and gives both back",
          "[websocket][frame][memory]") {
  const Limits limits;
  const std::string stream =
      encode({{0x82, std::string(60, 'a')}, {0x82, std::string(60, 'b')}}, Role::server);
  FrameDecoder decoder{Role::server, limits};
  const Count count = run(decoder, stream, stream.size() / 2 + 10);  // cuts the second one
  CHECK(count.events == 2);
  CHECK(count.allocations == 2);
  CHECK(count.live == 0);
}

TEST_CASE("frame codec: control frames between fragments and empty fragments do not allocate",
          "[websocket][frame][memory]") {
  const Limits limits;
  FrameDecoder decoder{Role::server, limits};
  const std::string first = encode({{0x02, "first"}}, Role::server);
  CHECK(run(decoder, first, first.size()).allocations == 2);
  std::string stream;
  for (int i = 0; i < 1000; ++i) stream += encode({{0x89, "ping"}, {0x00, ""}}, Role::server);
  const Count count = run(decoder, stream, stream.size());
  CHECK(count.events == 1000);
  CHECK(count.allocations == 0);
}

TEST_CASE("frame codec: a close gives up the unfinished message at once",
          "[websocket][frame][memory]") {
  const Limits limits;
  FrameDecoder decoder{Role::server, limits};
  const std::string first = encode({{0x02, std::string(5000, 'a')}}, Role::server);
  CHECK(run(decoder, first, first.size()).live == 2);
  std::string close = encode({{0x88, ""}}, Role::server);
  mutable_byte_view input = std::as_writable_bytes(std::span{close});
  const int before = live;
  const DecodeEvent event = decoder.next(input);
  const int after = live;
  CHECK(event.type == DecodeEvent::Type::close);
  CHECK(after == before - 1);
}

TEST_CASE("frame codec: many small pieces of a message lead to few allocations",
          "[websocket][frame][memory]") {
  const Limits limits;
  FrameDecoder decoder{Role::server, limits};
  std::string stream = encode({{0x02, "x"}}, Role::server);
  for (int i = 0; i < 20000; ++i) stream += encode({{0x00, "x"}}, Role::server);
  stream += encode({{0x80, ""}}, Role::server);
  const Count count = run(decoder, stream, 1);
  CHECK(count.events == 1);
  CHECK(count.allocations < 12);
  CHECK(count.live == 0);
}

#endif
