// SPDX-License-Identifier: MIT
// The fields of each message of version 2, written and read.
#include <muster/shard/v2_message.hpp>

#include <muster/utf8.hpp>
#include <muster/wire/postcard.hpp>

#include <cassert>

namespace muster::shard::v2 {
namespace {

using wire::ByteReader;
using wire::ByteWriter;
using wire::postcard::write_i64;
using wire::postcard::write_u64;

ByteWriter begin(MessageType type, std::vector<std::byte>& out) {
  ByteWriter writer{out};
  writer.u8(static_cast<std::uint8_t>(type));
  return writer;
}

// Runs a reader of varints, and refuses what it took when that was longer than need be: the last
// group of a shortest form is not zero.
template <class Read>
auto read_shortest(ByteReader& reader, Read read) noexcept {
  ByteReader before = reader;
  const auto value = read(reader);
  const byte_view taken = before.bytes(before.remaining() - reader.remaining());
  if (reader.ok() && taken.size() > 1 && taken.back() == std::byte{0}) {
    reader.fail(errc::bad_varint);
  }
  return value;
}

std::uint64_t number(ByteReader& reader) noexcept {
  return read_shortest(reader, wire::postcard::read_u64);
}

std::int64_t signed_number(ByteReader& reader) noexcept {
  return read_shortest(reader, wire::postcard::read_i64);
}

// A number from `least` to `most`.
std::uint64_t number_between(ByteReader& reader, std::uint64_t least, std::uint64_t most) noexcept {
  const std::uint64_t value = number(reader);
  if (reader.ok() && (value < least || value > most)) reader.fail(errc::bad_value);
  return value;
}

std::string_view text(ByteReader& reader, std::uint64_t size) noexcept {
  if (size > reader.remaining()) {
    reader.fail(errc::unexpected_end);
    return {};
  }
  const byte_view bytes = reader.bytes(static_cast<std::size_t>(size));
  if (!is_valid_utf8(bytes)) reader.fail(errc::bad_utf8);
  return as_text(bytes);
}

// The message, unless a field was wrong or something follows the last one.
template <class AnyMessage, class Message>
result<AnyMessage> finish(ByteReader& reader, const Message& message) noexcept {
  if (!reader.ok()) return reader.error();
  if (!reader.is_at_end()) return errc::bad_syntax;
  return AnyMessage{message};
}

Hello read_hello(ByteReader& reader) noexcept {
  Hello hello;
  (void)number_between(reader, protocol_version, protocol_version);
  hello.tick = number(reader);
  hello.rate_mhz = number(reader);
  hello.format =
      static_cast<Format>(number_between(reader, 0, static_cast<std::uint64_t>(Format::binary)));
  hello.sid = text(reader, number(reader));
  hello.max_message_bytes = number(reader);
  hello.max_inputs_per_second = number(reader);
  return hello;
}

}  // namespace

void encode(const Full& message, std::vector<std::byte>& out) {
  ByteWriter writer = begin(MessageType::full, out);
  write_u64(writer, message.tick);
  writer.bytes(message.payload);
}

void encode(const Delta& message, std::vector<std::byte>& out) {
  ByteWriter writer = begin(MessageType::delta, out);
  write_u64(writer, message.tick);
  write_u64(writer, message.base_tick);
  writer.bytes(message.payload);
}

void encode(const Unchanged& message, std::vector<std::byte>& out) {
  ByteWriter writer = begin(MessageType::unchanged, out);
  write_u64(writer, message.tick);
  write_u64(writer, message.base_tick);
}

void encode(const Event& message, std::vector<std::byte>& out) {
  ByteWriter writer = begin(MessageType::event, out);
  write_u64(writer, message.sequence);
  writer.bytes(message.payload);
}

void encode(const Hello& message, std::vector<std::byte>& out) {
  assert(is_valid_utf8(as_bytes(message.sid)));
  ByteWriter writer = begin(MessageType::hello, out);
  write_u64(writer, protocol_version);
  write_u64(writer, message.tick);
  write_u64(writer, message.rate_mhz);
  write_u64(writer, static_cast<std::uint64_t>(message.format));
  wire::postcard::write_string(writer, message.sid);
  write_u64(writer, message.max_message_bytes);
  write_u64(writer, message.max_inputs_per_second);
}

void encode(const Nack& message, std::vector<std::byte>& out) {
  ByteWriter writer = begin(MessageType::nack, out);
  write_u64(writer, message.client_seq);
  write_u64(writer, static_cast<std::uint64_t>(message.code));
}

void encode(const Bye& message, std::vector<std::byte>& out) {
  assert(is_valid_utf8(as_bytes(message.text)));
  ByteWriter writer = begin(MessageType::bye, out);
  write_u64(writer, message.code);
  writer.text(message.text);
}

void encode(const ClockReply& message, std::vector<std::byte>& out) {
  ByteWriter writer = begin(MessageType::clock_reply, out);
  write_u64(writer, message.t0);
  write_u64(writer, message.server_time_us);
  write_u64(writer, message.tick);
}

void encode(const InputAck& message, std::vector<std::byte>& out) {
  assert(!message.client_seq || *message.client_seq <= max_client_seq);
  ByteWriter writer = begin(MessageType::input_ack, out);
  write_u64(writer, message.tick);
  write_u64(writer, message.client_seq ? *message.client_seq + 1 : 0);
  write_i64(writer, message.margin_ms);
}

void encode(const Input& message, std::vector<std::byte>& out) {
  assert(message.client_seq <= max_client_seq);
  ByteWriter writer = begin(MessageType::input, out);
  write_u64(writer, message.client_seq);
  write_u64(writer, message.last_received_tick);
  write_u64(writer, message.target_tick);
  writer.bytes(message.payload);
}

void encode(const SnapshotAck& message, std::vector<std::byte>& out) {
  ByteWriter writer = begin(MessageType::snapshot_ack, out);
  write_u64(writer, message.tick);
}

void encode(const ClockQuery& message, std::vector<std::byte>& out) {
  ByteWriter writer = begin(MessageType::clock_query, out);
  write_u64(writer, message.t0);
}

void encode(const Interest& message, std::vector<std::byte>& out) {
  ByteWriter writer = begin(MessageType::interest, out);
  writer.bytes(message.parameters);
}

// Members of a braced list are evaluated in their order, so the fields are read as they stand.

result<ServerMessage> decode_server_message(byte_view message) noexcept {
  ByteReader in{message};
  const auto type = static_cast<MessageType>(in.u8());
  if (!in.ok()) return in.error();
  switch (type) {
    case MessageType::full:
      return finish<ServerMessage>(in, Full{number(in), in.rest()});
    case MessageType::delta:
      return finish<ServerMessage>(in, Delta{number(in), number(in), in.rest()});
    case MessageType::unchanged:
      return finish<ServerMessage>(in, Unchanged{number(in), number(in)});
    case MessageType::event:
      return finish<ServerMessage>(in, Event{number(in), in.rest()});
    case MessageType::hello:
      return finish<ServerMessage>(in, read_hello(in));
    case MessageType::nack:
      return finish<ServerMessage>(
          in, Nack{number(in), static_cast<NackCode>(number_between(in, 1, 7))});
    case MessageType::bye:
      return finish<ServerMessage>(
          in,
          Bye{static_cast<std::uint16_t>(number_between(in, 0, 0xFFFF)), text(in, in.remaining())});
    case MessageType::clock_reply:
      return finish<ServerMessage>(in, ClockReply{number(in), number(in), number(in)});
    case MessageType::input_ack: {
      InputAck ack{number(in), std::nullopt, 0};
      const std::uint64_t next = number(in);
      if (next > 0) ack.client_seq = next - 1;
      ack.margin_ms = signed_number(in);
      return finish<ServerMessage>(in, ack);
    }
    default:
      return errc::bad_value;
  }
}

result<ClientMessage> decode_client_message(byte_view message) noexcept {
  ByteReader in{message};
  const auto type = static_cast<MessageType>(in.u8());
  if (!in.ok()) return in.error();
  switch (type) {
    case MessageType::input:
      return finish<ClientMessage>(
          in, Input{number_between(in, 0, max_client_seq), number(in), number(in), in.rest()});
    case MessageType::snapshot_ack:
      return finish<ClientMessage>(in, SnapshotAck{number(in)});
    case MessageType::clock_query:
      return finish<ClientMessage>(in, ClockQuery{number(in)});
    case MessageType::interest:
      return finish<ClientMessage>(in, Interest{in.rest()});
    default:
      return errc::bad_value;
  }
}

}  // namespace muster::shard::v2
