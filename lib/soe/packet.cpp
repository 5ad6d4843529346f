// SPDX-License-Identifier: MIT
// Reading and writing packets that are made of fixed fields.
#include <muster/soe/crc32.hpp>
#include <muster/soe/op_code.hpp>
#include <muster/soe/packet.hpp>
#include <muster/wire/byte_reader.hpp>
#include <muster/wire/byte_writer.hpp>

namespace muster::soe {

namespace {

using wire::ByteReader;
using wire::ByteWriter;

bool has_op(ByteReader& reader, OpCode op) noexcept {
  return reader.u16_be() == static_cast<std::uint16_t>(op) && reader.ok();
}

void write_op(ByteWriter& writer, OpCode op) noexcept {
  writer.u16_be(static_cast<std::uint16_t>(op));
}

template <class Packet>
std::optional<Packet> if_complete(const ByteReader& reader, const Packet& packet) noexcept {
  return reader.ok() ? std::optional{packet} : std::nullopt;
}

// What we say to our like, behind everything else.
constexpr std::uint16_t window_mark = 0x6d75;  // "mu"

std::uint16_t read_window(ByteReader& reader) noexcept {
  return reader.remaining() == 4 && reader.u16_be() == window_mark ? reader.u16_be()
                                                                   : std::uint16_t{0};
}

void write_window(ByteWriter& writer, std::uint16_t window) {
  if (window == 0) return;
  writer.u16_be(window_mark);
  writer.u16_be(window);
}

std::size_t size_of(const ByteWriter& writer) noexcept { return writer.ok() ? writer.size() : 0; }

}  // namespace

std::optional<SessionRequest> SessionRequest::decode(byte_view datagram) noexcept {
  ByteReader reader{datagram};
  if (!has_op(reader, OpCode::session_request)) return std::nullopt;
  SessionRequest packet;
  packet.version = reader.u32_be();
  packet.session_id = reader.u32_be();
  packet.udp_length = reader.u32_be();
  const std::string_view text = as_text(reader.rest());
  const std::size_t end = text.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  packet.protocol = text.substr(0, end);
  ByteReader behind{as_bytes(text.substr(end + 1))};
  packet.receive_window = read_window(behind);
  return packet;
}

std::size_t SessionRequest::encode(mutable_byte_view out) const noexcept {
  if (protocol.find('\0') != std::string_view::npos) return 0;
  ByteWriter writer{out};
  write_op(writer, OpCode::session_request);
  writer.u32_be(version);
  writer.u32_be(session_id);
  writer.u32_be(udp_length);
  writer.text(protocol);
  writer.u8(0);
  write_window(writer, receive_window);
  return size_of(writer);
}

std::optional<SessionResponse> SessionResponse::decode(byte_view datagram) noexcept {
  ByteReader reader{datagram};
  if (!has_op(reader, OpCode::session_response)) return std::nullopt;
  SessionResponse packet;
  packet.session_id = reader.u32_be();
  packet.crc_seed = reader.u32_be();
  packet.crc_length = reader.u8();
  packet.compression = reader.u8() != 0;
  packet.unknown = reader.u8();
  packet.udp_length = reader.u32_be();
  packet.version = reader.u32_be();
  if (packet.crc_length > max_crc_length || !reader.ok()) return std::nullopt;
  packet.receive_window = read_window(reader);
  return if_complete(reader, packet);
}

std::size_t SessionResponse::encode(mutable_byte_view out) const noexcept {
  ByteWriter writer{out};
  write_op(writer, OpCode::session_response);
  writer.u32_be(session_id);
  writer.u32_be(crc_seed);
  writer.u8(crc_length);
  writer.u8(compression ? 1 : 0);
  writer.u8(unknown);
  writer.u32_be(udp_length);
  writer.u32_be(version);
  write_window(writer, receive_window);
  return size_of(writer);
}

std::optional<RemapConnection> RemapConnection::decode(byte_view datagram) noexcept {
  ByteReader reader{datagram};
  if (!has_op(reader, OpCode::remap_connection)) return std::nullopt;
  RemapConnection packet;
  packet.session_id = reader.u32_be();
  packet.crc_seed = reader.u32_be();
  return if_complete(reader, packet);
}

std::size_t RemapConnection::encode(mutable_byte_view out) const noexcept {
  ByteWriter writer{out};
  write_op(writer, OpCode::remap_connection);
  writer.u32_be(session_id);
  writer.u32_be(crc_seed);
  return size_of(writer);
}

std::optional<Disconnect> Disconnect::decode(byte_view body) noexcept {
  ByteReader reader{body};
  Disconnect packet;
  packet.session_id = reader.u32_be();
  if (reader.remaining() >= 2) packet.reason = to_disconnect_reason(reader.u16_be());
  return if_complete(reader, packet);
}

std::size_t Disconnect::encode(mutable_byte_view out) const noexcept {
  ByteWriter writer{out};
  writer.u32_be(session_id);
  writer.u16_be(static_cast<std::uint16_t>(reason));
  return size_of(writer);
}

std::optional<NetStatusRequest> NetStatusRequest::decode(byte_view body) noexcept {
  ByteReader reader{body};
  NetStatusRequest packet;
  packet.client_tick = reader.u16_be();
  packet.master_ping = reader.u32_be();
  packet.average_ping = reader.u32_be();
  packet.low_ping = reader.u32_be();
  packet.high_ping = reader.u32_be();
  packet.last_ping = reader.u32_be();
  packet.packets_sent = reader.u64_be();
  packet.packets_received = reader.u64_be();
  return if_complete(reader, packet);
}

std::size_t NetStatusRequest::encode(mutable_byte_view out) const noexcept {
  ByteWriter writer{out};
  writer.u16_be(client_tick);
  writer.u32_be(master_ping);
  writer.u32_be(average_ping);
  writer.u32_be(low_ping);
  writer.u32_be(high_ping);
  writer.u32_be(last_ping);
  writer.u64_be(packets_sent);
  writer.u64_be(packets_received);
  return size_of(writer);
}

std::optional<NetStatusResponse> NetStatusResponse::decode(byte_view body) noexcept {
  ByteReader reader{body};
  NetStatusResponse packet;
  packet.client_tick = reader.u16_be();
  packet.server_tick = reader.u32_be();
  packet.client_sent = reader.u64_be();
  packet.client_received = reader.u64_be();
  packet.server_sent = reader.u64_be();
  packet.server_received = reader.u64_be();
  return if_complete(reader, packet);
}

std::size_t NetStatusResponse::encode(mutable_byte_view out) const noexcept {
  ByteWriter writer{out};
  writer.u16_be(client_tick);
  writer.u32_be(server_tick);
  writer.u64_be(client_sent);
  writer.u64_be(client_received);
  writer.u64_be(server_sent);
  writer.u64_be(server_received);
  return size_of(writer);
}

}  // namespace muster::soe
