// SPDX-License-Identifier: MIT
// WebSocket frames spelled out by hand, and what a decoder makes of a stream however it is cut.
#pragma once

#include <muster/websocket/frame_codec.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace test {

/// How a frame's length is written; `shortest` is what RFC 6455 demands.
enum class LengthForm { shortest, two_bytes, eight_bytes };

/// One frame. Written by code of its own and not by the library, so that a mistake there shows.
struct WireFrame {
  unsigned first = 0x82;  ///< FIN, the reserved bits and the opcode
  std::string payload{};
  LengthForm form = LengthForm::shortest;
  std::int64_t declared = -1;  ///< length to write in place of the payload's
  bool wrong_mask = false;     ///< masked where it must not be, and the other way round
};

inline std::string encode(const WireFrame& frame, muster::websocket::Role receiver) {
  const bool masked = (receiver == muster::websocket::Role::server) != frame.wrong_mask;
  const auto length = frame.declared < 0 ? std::uint64_t{frame.payload.size()}
                                         : static_cast<std::uint64_t>(frame.declared);
  std::string out;
  const auto put = [&out](std::uint64_t octet) { out += static_cast<char>(octet & 0xffU); };
  put(frame.first);
  const std::uint64_t mask_bit = masked ? 0x80 : 0;
  unsigned bytes = length < 126 ? 0 : length <= 0xffff ? 2 : 8;
  if (frame.form == LengthForm::two_bytes) bytes = 2;
  if (frame.form == LengthForm::eight_bytes) bytes = 8;
  put(mask_bit | (bytes == 0 ? length : bytes == 2 ? 126 : 127));
  for (unsigned i = bytes; i-- > 0;) put(length >> (8 * i));
  constexpr std::string_view key = "\x37\xfa\x21\x3d";  // RFC 6455 section 5.7
  if (masked) out += key;
  for (std::size_t i = 0; i < frame.payload.size(); ++i) {
    out += masked ? static_cast<char>(frame.payload[i] ^ key[i % 4]) : frame.payload[i];
  }
  return out;
}

inline std::string encode(const std::vector<WireFrame>& frames, muster::websocket::Role receiver) {
  std::string out;
  for (const WireFrame& frame : frames) out += encode(frame, receiver);
  return out;
}

/// A client's message, in one frame.
inline std::string text_frame(std::string text) {
  return encode(WireFrame{0x81, std::move(text)}, muster::websocket::Role::server);
}

/// A `DecodeEvent` that owns its payload.
struct Decoded {
  using Type = muster::websocket::DecodeEvent::Type;
  Type type = Type::none;
  std::string payload{};
  muster::MessageKind kind = muster::MessageKind::binary;
  std::uint16_t code = 0;
  muster::errc error{};

  friend bool operator==(const Decoded&, const Decoded&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Decoded& event) {
    out << '{' << static_cast<int>(event.type) << " kind " << static_cast<int>(event.kind)
        << " code " << event.code << " error " << muster::to_string(event.error) << " size "
        << event.payload.size();
    if (event.payload.size() <= 40) out << " \"" << event.payload << '"';
    return out << '}';
  }
};

inline Decoded text(std::string payload) {
  return {Decoded::Type::message, std::move(payload), muster::MessageKind::text};
}
inline Decoded binary(std::string payload) { return {Decoded::Type::message, std::move(payload)}; }
inline Decoded ping(std::string payload) { return {Decoded::Type::ping, std::move(payload)}; }
inline Decoded pong(std::string payload) { return {Decoded::Type::pong, std::move(payload)}; }
inline Decoded closed(std::uint16_t code, std::string reason = {}) {
  return {Decoded::Type::close, std::move(reason), muster::MessageKind::binary, code};
}
inline Decoded failure(muster::errc error, std::uint16_t answer = 1002) {
  return {Decoded::Type::error, {}, muster::MessageKind::binary, answer, error};
}

/// Feeds one piece to a decoder and appends what comes out.
inline void feed(muster::websocket::FrameDecoder& decoder, std::string_view piece,
                 std::vector<Decoded>& out) {
  // A block of exactly this size on the heap: a sanitizer sees every access beyond it.
  std::vector<std::byte> bytes(piece.size());
  std::transform(piece.begin(), piece.end(), bytes.begin(),
                 [](char c) { return static_cast<std::byte>(c); });
  muster::mutable_byte_view input{bytes};
  while (true) {
    const auto event = decoder.next(input);
    if (event.type == Decoded::Type::none) break;
    out.push_back({event.type, std::string{muster::as_text(event.payload)}, event.kind,
                   event.close_code, event.error});
  }
}

/// Decodes a stream that is cut at the positions named, in ascending order.
inline std::vector<Decoded> decode(std::string_view stream, muster::websocket::Role role,
                                   const muster::websocket::Limits& limits,
                                   const std::vector<std::size_t>& cuts = {}) {
  muster::websocket::FrameDecoder decoder{role, limits};
  std::vector<Decoded> out;
  std::size_t from = 0;
  for (const std::size_t cut : cuts) {
    feed(decoder, stream.substr(from, cut - from), out);
    from = cut;
  }
  feed(decoder, stream.substr(from), out);
  return out;
}

/// Every position, for feeding a stream byte by byte.
inline std::vector<std::size_t> every_byte(std::size_t size) {
  std::vector<std::size_t> cuts;
  for (std::size_t i = 1; i < size; ++i) cuts.push_back(i);
  return cuts;
}

}  // namespace test
