// SPDX-License-Identifier: MIT
// Fuzzes the frame decoder: however a stream is cut, it must mean the same, and memory stays
// bounded.
//
// Byte 0: role (bit 0), limits (bits 1 and 2), how the stream is cut (the rest). Byte 1: seed of
// the cuts. What follows is the stream.
#include <muster/utf8.hpp>
#include <muster/websocket/close_code.hpp>
#include <muster/websocket/frame_codec.hpp>

#include "support/require.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace muster;
using namespace muster::websocket;
using Type = DecodeEvent::Type;
using test::require;

struct Event {
  Type type;
  MessageKind kind;
  std::uint16_t close_code;
  errc error;
  std::string payload;
  friend bool operator==(const Event&, const Event&) = default;
};

void check(const DecodeEvent& event, const Limits& limits) {
  switch (event.type) {
    case Type::message:
      require(event.payload.size() <= limits.max_message_bytes);
      require(event.kind == MessageKind::binary || is_valid_utf8(event.payload));
      break;
    case Type::ping:
    case Type::pong:
      require(event.payload.size() <= max_control_payload);
      break;
    case Type::close:
      require(event.close_code == 0 || close_code::may_be_received(event.close_code));
      require(event.payload.size() <= max_control_payload - 2 && is_valid_utf8(event.payload));
      break;
    case Type::error:
      require(event.error != errc{} && event.payload.empty());
      require(event.close_code == 1002 || event.close_code == 1007 || event.close_code == 1009);
      break;
    case Type::none:
      break;
  }
}

// Decodes in pieces, whose sizes `next_size` names.
template <class NextSize>
std::vector<Event> decode(byte_view stream, Role role, const Limits& limits, NextSize next_size) {
  FrameDecoder decoder{role, limits};
  std::vector<Event> events;
  std::size_t received = 0;
  while (received < stream.size()) {
    const std::size_t size = std::min<std::size_t>(next_size(), stream.size() - received);
    // A block of its own for each piece: nothing beyond it may be touched, nor kept.
    std::vector<std::byte> piece(stream.data() + received, stream.data() + received + size);
    received += size;
    mutable_byte_view input{piece};
    while (true) {
      const std::size_t before = input.size();
      const bool was_ended = decoder.is_ended();
      const DecodeEvent event = decoder.next(input);
      require(input.size() <= before);
      check(event, limits);
      if (event.type == Type::none) {
        require(input.empty());
        break;
      }
      require(!was_ended);
      require(decoder.is_ended() == (event.type == Type::close || event.type == Type::error));
      events.push_back({event.type, event.kind, event.close_code, event.error,
                        std::string{as_text(event.payload)}});
    }
    require(decoder.memory() <= 512 + 2 * received);
    require(decoder.is_mid_message() || decoder.memory() == 0);
  }
  return events;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const Role role = (data[0] & 1U) != 0 ? Role::server : Role::client;
  constexpr std::size_t bounds[] = {16, 300, 70000, std::size_t{1} << 62};
  const std::size_t bound = bounds[(data[0] >> 1U) & 3U];
  const Limits limits{.max_message_bytes = bound, .max_frame_bytes = bound};
  const std::size_t longest = std::size_t{1} << (data[0] >> 3U) % 12;
  std::uint32_t state = data[1] + 1U;
  const byte_view stream = std::as_bytes(std::span{data + 2, size - 2});

  const auto whole = decode(stream, role, limits, [&] { return stream.size(); });
  require(whole == decode(stream, role, limits, [] { return 1; }));
  require(whole == decode(stream, role, limits, [&] {
            state = state * 1664525U + 1013904223U;
            return 1 + (state >> 8U) % longest;
          }));
  return 0;
}
