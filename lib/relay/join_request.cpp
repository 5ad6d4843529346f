// SPDX-License-Identifier: MIT
// JoinRequest as postcard: five fields in order, then whatever the peer appended.
#include <muster/relay/join_request.hpp>

#include <muster/utf8.hpp>
#include <muster/wire/byte_reader.hpp>
#include <muster/wire/byte_writer.hpp>
#include <muster/wire/postcard.hpp>

namespace muster::relay {

namespace postcard = wire::postcard;

result<JoinRequest> decode_join_request(byte_view message) noexcept {
  wire::ByteReader reader{message};
  JoinRequest request;
  request.game_id = postcard::read_string(reader);
  request.room_id = postcard::read_string(reader);
  request.rule_variation = postcard::read_u16(reader);
  request.create_room = postcard::read_bool(reader);
  if (postcard::read_option(reader)) request.reconnect_token = postcard::read_u64(reader);
  request.trailer = reader.rest();
  if (!reader.ok()) return reader.error();
  return request;
}

result<std::vector<std::byte>> encode_join_request(const JoinRequest& request) {
  if (!is_valid_utf8(as_bytes(request.game_id)) || !is_valid_utf8(as_bytes(request.room_id))) {
    return errc::bad_utf8;
  }
  std::vector<std::byte> message;
  // Two lengths, the rule, the flag and the token take at most 10 + 10 + 3 + 1 + 11 bytes.
  message.reserve(35 + request.game_id.size() + request.room_id.size() + request.trailer.size());
  wire::ByteWriter writer{message};
  postcard::write_string(writer, request.game_id);
  postcard::write_string(writer, request.room_id);
  postcard::write_u16(writer, request.rule_variation);
  postcard::write_bool(writer, request.create_room);
  postcard::write_option(writer, request.reconnect_token.has_value());
  if (request.reconnect_token) postcard::write_u64(writer, *request.reconnect_token);
  writer.bytes(request.trailer);
  return message;
}

}  // namespace muster::relay
