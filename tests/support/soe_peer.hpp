// SPDX-License-Identifier: MIT
// A peer of SOE sessions that a test plays by hand: it writes and reads single datagrams, good ones
// and bad ones.
#pragma once

#include <muster/bytes.hpp>
#include <muster/soe/crc32.hpp>
#include <muster/soe/length.hpp>
#include <muster/soe/op_code.hpp>
#include <muster/soe/packet.hpp>

#include "../lib/soe/deflate.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "support/soe_end.hpp"

namespace test {

class SoePeer {
 public:
  using OpCode = muster::soe::OpCode;

  /// What stands in a datagram behind its frame.
  struct Packet {
    std::uint16_t op = 0;
    Bytes body;
  };

  std::uint32_t session_id = 0x11223344;
  std::uint32_t crc_seed = 0;
  std::uint8_t crc_length = 2;
  bool compression = false;
  std::uint32_t udp_length = 512;
  std::uint16_t receive_window = 0;  ///< 0: not said
  std::uint32_t version = muster::soe::protocol_version;
  std::string protocol = "game";

  // Handshake.

  [[nodiscard]] Bytes request() const {
    return encoded(
        muster::soe::SessionRequest{version, session_id, udp_length, protocol, receive_window});
  }
  [[nodiscard]] Bytes response() const {
    return encoded(muster::soe::SessionResponse{.session_id = session_id,
                                                .crc_seed = crc_seed,
                                                .crc_length = crc_length,
                                                .compression = compression,
                                                .udp_length = udp_length,
                                                .version = version});
  }
  [[nodiscard]] Bytes remap() const {
    return encoded(muster::soe::RemapConnection{session_id, crc_seed});
  }

  /// Takes over what a server decided.
  void adopt(muster::byte_view response) {
    const auto read = muster::soe::SessionResponse::decode(response);
    if (!read) throw std::runtime_error("not a response");
    session_id = read->session_id;
    crc_seed = read->crc_seed;
    crc_length = read->crc_length;
    compression = read->compression;
  }

  /// Asks a server for a session and proves that it has the response. The server's words about it
  /// are taken.
  /// @return the server's name of the session
  muster::soe::SessionId join(SoeEnd& server, const muster::Address& from) {
    ask(server, from);
    server.receive(from, heartbeat());
    server.advance();
    if (server.events.empty() || server.events.front().kind != SoeEvent::Kind::opened) {
      throw std::runtime_error("the server did not open a session");
    }
    const muster::soe::SessionId session = server.events.front().session;
    server.events.clear();
    server.sent.clear();
    return session;
  }

  /// The first half of `join`.
  void ask(SoeEnd& server, const muster::Address& from) {
    server.advance();
    server.sent.clear();
    server.receive(from, request());
    server.advance();
    if (server.sent.empty()) throw std::runtime_error("the server did not answer");
    adopt(server.sent.back().bytes);
    server.sent.clear();
  }

  /// Lets a client ask this peer for a session, and grants it. The client's words about it are
  /// taken.
  muster::soe::SessionId serve(SoeEnd& client, const muster::Address& as) {
    const muster::soe::SessionId session = hear_request(client, as);
    client.receive(as, response());
    client.advance();
    if (!client.mux.is_open(session)) throw std::runtime_error("the client did not open");
    client.events.clear();
    client.sent.clear();
    return session;
  }

  /// The first half of `serve`.
  muster::soe::SessionId hear_request(SoeEnd& client, const muster::Address& as) {
    const auto session = client.mux.connect(as, protocol, client.now);
    client.advance();
    if (!session || client.sent.empty()) throw std::runtime_error("the client did not ask");
    const auto asked = muster::soe::SessionRequest::decode(client.sent.back().bytes);
    if (!asked) throw std::runtime_error("not a request");
    session_id = asked->session_id;
    client.sent.clear();
    return *session;
  }

  // Datagrams with a frame.

  [[nodiscard]] Bytes frame(std::uint16_t op, muster::byte_view body,
                            bool is_compressed = false) const {
    Bytes out{static_cast<std::byte>(op >> 8U), static_cast<std::byte>(op & 0xFFU)};
    if (compression) out.push_back(std::byte{is_compressed});
    out.insert(out.end(), body.begin(), body.end());
    return sealed(std::move(out));
  }
  [[nodiscard]] Bytes frame(OpCode op, muster::byte_view body = {}) const {
    return frame(static_cast<std::uint16_t>(op), body);
  }

  /// With a checksum at the end.
  [[nodiscard]] Bytes sealed(Bytes bytes) const {
    const std::uint32_t crc = muster::soe::SeededCrc{crc_seed}(bytes);
    bytes.resize(bytes.size() + crc_length);
    muster::soe::write_crc(bytes.data() + bytes.size() - crc_length, crc, crc_length);
    return bytes;
  }

  [[nodiscard]] static Bytes deflated(muster::byte_view body) {
    muster::soe::Deflater deflater{9};
    Bytes out(body.size() + 64);
    out.resize(deflater.deflate(body, out));
    return out;
  }

  [[nodiscard]] Bytes heartbeat() const { return frame(OpCode::heartbeat); }
  [[nodiscard]] Bytes unreliable(std::string_view message) const { return sealed(text(message)); }
  [[nodiscard]] Bytes reliable(unsigned sequence, std::string_view data,
                               unsigned channel = 0) const {
    return frame(muster::soe::op_of(OpCode::reliable_data, channel), numbered(sequence, data));
  }
  [[nodiscard]] Bytes fragment(unsigned sequence, muster::byte_view data,
                               unsigned channel = 0) const {
    return frame(muster::soe::op_of(OpCode::reliable_fragment, channel),
                 numbered(sequence, muster::as_text(data)));
  }
  /// A message's first fragment.
  [[nodiscard]] Bytes first_fragment(unsigned sequence, std::uint32_t length, std::string_view data,
                                     unsigned channel = 0) const {
    return fragment(sequence, join_bytes({number(length, 4), text(data)}), channel);
  }
  /// A message in fragments with so much of it each.
  [[nodiscard]] std::vector<Bytes> fragments(unsigned sequence, std::string_view message,
                                             std::size_t each) const {
    std::vector<Bytes> out{first_fragment(sequence, static_cast<std::uint32_t>(message.size()),
                                          message.substr(0, each))};
    while (message.size() > each) {
      message.remove_prefix(each);
      out.push_back(fragment(++sequence, muster::as_bytes(message.substr(0, each))));
    }
    return out;
  }
  [[nodiscard]] Bytes acknowledge(unsigned sequence, unsigned channel = 0) const {
    return frame(muster::soe::op_of(OpCode::acknowledge, channel), number(sequence, 2));
  }
  [[nodiscard]] Bytes acknowledge_all(unsigned sequence, unsigned channel = 0) const {
    return frame(muster::soe::op_of(OpCode::acknowledge_all, channel), number(sequence, 2));
  }
  [[nodiscard]] Bytes ordered(unsigned stamp, std::string_view data) const {
    return frame(OpCode::ordered, numbered(stamp, data));
  }
  [[nodiscard]] Bytes disconnect(std::uint32_t id, unsigned reason) const {
    return frame(OpCode::disconnect, join_bytes({number(id, 4), number(reason, 2)}));
  }
  [[nodiscard]] Bytes disconnect(unsigned reason) const { return disconnect(session_id, reason); }

  /// @param subs   each an op code and a body
  [[nodiscard]] Bytes multi(std::initializer_list<Bytes> subs) const {
    return frame(OpCode::multi_packet, multi_body(subs));
  }
  [[nodiscard]] static Bytes multi_body(std::initializer_list<Bytes> subs) {
    Bytes body;
    for (const Bytes& sub : subs) {
      std::array<std::byte, muster::soe::max_length_size> length{};
      const std::byte* const end =
          muster::soe::write_multi_length(length.data(), static_cast<std::uint32_t>(sub.size()));
      body.insert(body.end(), length.begin(), length.begin() + (end - length.data()));
      body.insert(body.end(), sub.begin(), sub.end());
    }
    return body;
  }
  [[nodiscard]] static Bytes sub(std::uint16_t op, muster::byte_view body = {}) {
    return join_bytes({number(op, 2), {body.begin(), body.end()}});
  }
  [[nodiscard]] static Bytes sub(OpCode op, muster::byte_view body = {}) {
    return sub(static_cast<std::uint16_t>(op), body);
  }
  [[nodiscard]] static Bytes sub_reliable(unsigned sequence, std::string_view data) {
    return sub(OpCode::reliable_data, numbered(sequence, data));
  }

  /// Messages that share a packet: what stands behind its sequence.
  [[nodiscard]] static std::string bundle(std::initializer_list<std::string_view> messages) {
    std::string out{"\x00\x19", 2};
    for (const std::string_view message : messages) {
      std::array<std::byte, muster::soe::max_length_size> length{};
      const std::byte* const end = muster::soe::write_bundle_length(
          length.data(), static_cast<std::uint32_t>(message.size()));
      out += muster::as_text({length.data(), end});
      out += message;
    }
    return out;
  }

  // Reading.

  /// The packets of a datagram that has a frame, those of a multi packet one by one; nothing if the
  /// checksum is wrong, or if it is compressed.
  [[nodiscard]] std::vector<Packet> read(muster::byte_view datagram) const {
    const std::size_t head = compression ? 3 : 2;
    if (datagram.size() < head + crc_length || datagram[0] != std::byte{0}) return {};
    const muster::byte_view whole = datagram.first(datagram.size() - crc_length);
    const std::uint32_t crc =
        muster::soe::SeededCrc{crc_seed}(whole)&muster::soe::crc_mask(crc_length);
    if (crc != muster::soe::read_crc(datagram.data() + whole.size(), crc_length)) return {};
    if (compression && datagram[2] != std::byte{0}) return {};
    const std::uint16_t op = two(datagram);
    muster::byte_view body = whole.subspan(head);
    if (op != static_cast<std::uint16_t>(OpCode::multi_packet)) {
      return {{op, {body.begin(), body.end()}}};
    }
    std::vector<Packet> packets;
    for (std::uint32_t size = 0; muster::soe::read_multi_length(body, size);) {
      if (size < 2 || size > body.size()) return {};
      packets.push_back({two(body), {body.begin() + 2, body.begin() + size}});
      body = body.subspan(size);
    }
    return packets;
  }

  /// All packets of what an end sent.
  [[nodiscard]] std::vector<Packet> read(const std::vector<SoeEnd::Sent>& sent) const {
    std::vector<Packet> packets;
    for (const SoeEnd::Sent& each : sent) {
      for (Packet& packet : read(each.bytes)) packets.push_back(std::move(packet));
    }
    return packets;
  }

  // Bytes.

  [[nodiscard]] static Bytes text(std::string_view characters) {
    const muster::byte_view view = muster::as_bytes(characters);
    return {view.begin(), view.end()};
  }
  /// Most significant byte first.
  [[nodiscard]] static Bytes number(std::uint64_t value, unsigned size) {
    Bytes bytes;
    for (unsigned shift = 8 * size; shift != 0;) {
      shift -= 8;
      bytes.push_back(static_cast<std::byte>(value >> shift));
    }
    return bytes;
  }
  [[nodiscard]] static Bytes join_bytes(std::initializer_list<Bytes> parts) {
    Bytes all;
    for (const Bytes& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
  }
  [[nodiscard]] static Bytes numbered(unsigned value, std::string_view data) {
    return join_bytes({number(value, 2), text(data)});
  }
  [[nodiscard]] static std::uint16_t two(muster::byte_view bytes) {
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[0]) << 8U |
                                      std::to_integer<unsigned>(bytes[1]));
  }

 private:
  template <class Handshake>
  [[nodiscard]] static Bytes encoded(const Handshake& packet) {
    Bytes out(128);
    out.resize(packet.encode(out));
    return out;
  }
};

}  // namespace test
