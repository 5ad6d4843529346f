// SPDX-License-Identifier: MIT
// The bytes of relay messages; all integers are big-endian.
#include <muster/relay/message.hpp>

#include <muster/utf8.hpp>
#include <muster/wire/byte_reader.hpp>
#include <muster/wire/byte_writer.hpp>

#include <initializer_list>

namespace muster::relay {
namespace {

template <class Direction>
result<Direction> read_id(byte_view message, std::initializer_list<Direction> known) noexcept {
  if (message.empty()) return errc::unexpected_end;
  for (const Direction id : known) {
    if (message[0] == static_cast<std::byte>(id)) return id;
  }
  return errc::bad_value;
}

template <class Direction>
PlayerMessage player_message(Direction id, std::uint16_t player_id) noexcept {
  return {static_cast<std::byte>(id), static_cast<std::byte>(player_id >> 8U),
          static_cast<std::byte>(player_id & 0xFFU)};
}

}  // namespace

result<ToHost> read_to_host(byte_view message) noexcept {
  return read_id(message, {ToHost::new_client, ToHost::client_disconnects, ToHost::server_rpc,
                           ToHost::server_error, ToHost::handshake_response});
}

result<FromClient> read_from_client(byte_view message) noexcept {
  return read_id(message, {FromClient::server_rpc, FromClient::client_disconnects_self});
}

result<FromHost> read_from_host(byte_view message) noexcept {
  return read_id(message, {FromHost::server_disconnects, FromHost::client_gets_kicked,
                           FromHost::delta_update, FromHost::full_update, FromHost::reset});
}

result<ToClient> read_to_client(byte_view message) noexcept {
  return read_id(message, {ToClient::delta_update, ToClient::full_update, ToClient::reset,
                           ToClient::server_error, ToClient::handshake_response});
}

result<std::uint16_t> read_player_id(byte_view message) noexcept {
  wire::ByteReader reader{message};
  reader.skip(message_id_size);
  const std::uint16_t player_id = reader.u16_be();
  if (!reader.ok()) return reader.error();
  return player_id;
}

PlayerMessage encode_new_client(std::uint16_t player_id) noexcept {
  return player_message(ToHost::new_client, player_id);
}

PlayerMessage encode_client_disconnects(std::uint16_t player_id) noexcept {
  return player_message(ToHost::client_disconnects, player_id);
}

PlayerMessage encode_client_gets_kicked(std::uint16_t player_id) noexcept {
  return player_message(FromHost::client_gets_kicked, player_id);
}

PlayerMessage server_rpc_header(std::uint16_t player_id) noexcept {
  return player_message(ToHost::server_rpc, player_id);
}

// Host and client share this id, so one function serves both directions.
static_assert(static_cast<int>(ToHost::server_error) == static_cast<int>(ToClient::server_error));
static_assert(static_cast<int>(ToHost::handshake_response) ==
              static_cast<int>(ToClient::handshake_response));

std::vector<std::byte> encode_server_error(std::string_view text) {
  std::vector<std::byte> message;
  message.reserve(message_id_size + text.size());
  wire::ByteWriter writer{message};
  writer.u8(static_cast<std::uint8_t>(ToClient::server_error));
  writer.text(text);
  return message;
}

result<std::string> decode_server_error(byte_view message) {
  const auto id = read_id(message, {ToClient::server_error});
  if (!id) return id.error();
  return replace_invalid_utf8(message.subspan(message_id_size));
}

std::array<std::byte, handshake_response_size> encode_handshake_response(
    const HandshakeResponse& response) noexcept {
  std::array<std::byte, handshake_response_size> message{};
  wire::ByteWriter writer{mutable_byte_view{message}};
  writer.u8(static_cast<std::uint8_t>(ToClient::handshake_response));
  writer.u16_be(response.player_id);
  writer.u16_be(response.rule_variation);
  writer.u64_be(response.token);
  return message;
}

result<HandshakeReply> decode_handshake_reply(byte_view message) {
  const auto id = read_id(message, {ToClient::server_error, ToClient::handshake_response});
  if (!id) return id.error();
  wire::ByteReader reader{message.subspan(message_id_size)};
  if (*id == ToClient::server_error) {
    return HandshakeReply{HandshakeRefusal{replace_invalid_utf8(reader.rest())}, {}};
  }
  HandshakeResponse response;
  response.player_id = reader.u16_be();
  response.rule_variation = reader.u16_be();
  response.token = reader.u64_be();
  const byte_view trailer = reader.rest();
  if (!reader.ok()) return reader.error();
  return HandshakeReply{response, trailer};
}

}  // namespace muster::relay
