// SPDX-License-Identifier: MIT
// Every vector of tests/data/relay_vectors.json that is about bytes. The counts are asserted, so
// that a section that is missing or renamed cannot pass as an empty loop.
#include <muster/relay/error_text.hpp>
#include <muster/relay/game_config.hpp>
#include <muster/relay/join_request.hpp>
#include <muster/relay/message.hpp>
#include <muster/relay/sync_filter.hpp>
#include <muster/wire/postcard.hpp>

#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace relay = muster::relay;
namespace error_text = muster::relay::error_text;
namespace postcard = muster::wire::postcard;
using muster::byte_view;
using muster::errc;
using nlohmann::json;
using test::from_hex;
using test::to_hex;

namespace {

const json& vectors() {
  static const json loaded = test::load_vectors("relay_vectors.json");
  return loaded;
}

std::string text_of(const json& vector, const char* key) {
  return vector.at(key).get<std::string>();
}
std::vector<std::byte> bytes_of(const json& vector, const char* key) {
  return from_hex(text_of(vector, key));
}
std::uint16_t u16_of(const json& vector, const char* key) {
  return vector.at(key).get<std::uint16_t>();
}

// Tokens are decimal strings, because a JSON number would lose bits in many readers.
std::uint64_t u64_of(const json& vector, const char* key) {
  return std::stoull(text_of(vector, key));
}

errc reason_of(const json& vector) {
  static const std::map<std::string, errc> reasons{{"UnexpectedEnd", errc::unexpected_end},
                                                   {"BadVarint", errc::bad_varint},
                                                   {"BadUtf8", errc::bad_utf8},
                                                   {"BadBool", errc::bad_bool},
                                                   {"BadOption", errc::bad_option}};
  return reasons.at(text_of(vector, "reason"));
}

// The fields of a vector; the strings live in the vector.
relay::JoinRequest request_of(const json& fields) {
  relay::JoinRequest request;
  request.game_id = fields.at("game_id").get_ref<const std::string&>();
  request.room_id = fields.at("room_id").get_ref<const std::string&>();
  request.rule_variation = u16_of(fields, "rule_variation");
  request.create_room = fields.at("create_room").get<bool>();
  if (!fields.at("reconnect_token").is_null())
    request.reconnect_token = u64_of(fields, "reconnect_token");
  return request;
}

void check_fields(const relay::JoinRequest& decoded, const json& fields) {
  const relay::JoinRequest expected = request_of(fields);
  CHECK(decoded.game_id == expected.game_id);
  CHECK(decoded.room_id == expected.room_id);
  CHECK(decoded.rule_variation == expected.rule_variation);
  CHECK(decoded.create_room == expected.create_room);
  CHECK(decoded.reconnect_token == expected.reconnect_token);
  CHECK(decoded.trailer.size() == fields.value("trailing_bytes_ignored", std::size_t{0}));
  if (fields.contains("reconnect_token_hex")) {
    const auto token = bytes_of(fields, "reconnect_token_hex");
    muster::wire::ByteReader reader{token};
    CHECK(decoded.reconnect_token == reader.u64_be());
  }
}

std::string canonical_hex(relay::JoinRequest request) {
  request.trailer = {};
  const auto encoded = relay::encode_join_request(request);
  REQUIRE(encoded);
  return to_hex(*encoded);
}

const json& join_requests(const char* group) { return vectors().at("join_request").at(group); }

}  // namespace

TEST_CASE("relay 4: canonical requests are decoded and encoded", "[relay][vectors]") {
  std::size_t seen = 0;
  for (const json& vector : join_requests("canonical")) {
    CAPTURE(text_of(vector, "name"));
    const auto bytes = bytes_of(vector, "hex");
    const auto request = relay::decode_join_request(bytes);
    REQUIRE(request);
    check_fields(*request, vector.at("fields"));
    CHECK(canonical_hex(request_of(vector.at("fields"))) == text_of(vector, "hex"));
    ++seen;
  }
  CHECK(seen == 129);
}

TEST_CASE("relay 4: over-long forms and trailing bytes are accepted", "[relay][vectors]") {
  std::set<std::string> canonical;
  for (const json& vector : join_requests("canonical")) canonical.insert(text_of(vector, "hex"));
  std::size_t seen = 0;
  for (const json& vector : join_requests("accepted_non_canonical")) {
    CAPTURE(text_of(vector, "name"));
    const auto bytes = bytes_of(vector, "hex");
    const auto request = relay::decode_join_request(bytes);
    REQUIRE(request);
    check_fields(*request, vector.at("fields"));
    const std::string again = canonical_hex(*request);
    CHECK(again == canonical_hex(request_of(vector.at("fields"))));
    CHECK(again.size() < text_of(vector, "hex").size());
    ++seen;
  }
  CHECK(seen == 10);
}

TEST_CASE("relay 4: malformed requests are refused for their reason, with one text",
          "[relay][vectors]") {
  std::size_t seen = 0;
  for (const json& vector : join_requests("rejected")) {
    CAPTURE(text_of(vector, "name"));
    const auto request = relay::decode_join_request(bytes_of(vector, "hex"));
    REQUIRE_FALSE(request);
    CHECK(request.error() == reason_of(vector));
    CHECK(to_hex(relay::encode_server_error(error_text::bad_join_request)) ==
          text_of(vector, "reply_hex"));
    ++seen;
  }
  CHECK(seen == 66);
}

TEST_CASE("relay 4: mutated requests get the verdict of the original", "[relay][vectors]") {
  std::size_t seen = 0;
  std::size_t accepted = 0;
  for (const json& vector : join_requests("mutated")) {
    CAPTURE(text_of(vector, "hex"));
    const auto bytes = bytes_of(vector, "hex");
    const auto request = relay::decode_join_request(bytes);
    REQUIRE(request.has_value() == vector.at("ok").get<bool>());
    if (request) {
      CHECK(canonical_hex(*request) == text_of(vector, "reencoded"));
      ++accepted;
    } else {
      CHECK(request.error() == reason_of(vector));
    }
    ++seen;
  }
  CHECK(seen == 400);
  CHECK(accepted > 0);
  CHECK(accepted < seen);
}

TEST_CASE("relay defect 29: rooms and games whose joined names are equal stay apart",
          "[relay][vectors]") {
  std::set<std::string> encoded;
  std::set<std::string> reference_keys;
  std::size_t seen = 0;
  for (const json& vector : join_requests("compound_key")) {
    relay::JoinRequest request;
    request.game_id = vector.at("game_id").get_ref<const std::string&>();
    request.room_id = vector.at("room_id").get_ref<const std::string&>();
    const auto bytes = relay::encode_join_request(request);
    REQUIRE(bytes);
    const auto decoded = relay::decode_join_request(*bytes);
    REQUIRE(decoded);
    CHECK(std::pair{decoded->game_id, decoded->room_id} ==
          std::pair{request.game_id, request.room_id});
    CHECK(std::string{request.room_id} + "#" + std::string{request.game_id} ==
          text_of(vector, "reference_key"));
    encoded.insert(to_hex(*bytes));
    reference_keys.insert(text_of(vector, "reference_key"));
    ++seen;
  }
  CHECK(seen == 5);
  CHECK(encoded.size() == seen);
  CHECK(reference_keys.size() < seen);  // the defect is in the data, so the test means something
}

TEST_CASE("relay 4: varints are encoded and decoded", "[relay][vectors]") {
  std::size_t seen = 0;
  for (const json& vector : vectors().at("varint")) {
    CAPTURE(text_of(vector, "hex"));
    const auto bytes = bytes_of(vector, "hex");
    std::vector<std::byte> out;
    muster::wire::ByteWriter writer{out};
    muster::wire::ByteReader reader{bytes};
    if (text_of(vector, "type") == "u16") {
      CHECK(postcard::read_u16(reader) == u16_of(vector, "value"));
      postcard::write_u16(writer, u16_of(vector, "value"));
    } else {
      REQUIRE(text_of(vector, "type") == "u64");
      CHECK(postcard::read_u64(reader) == u64_of(vector, "value"));
      postcard::write_u64(writer, u64_of(vector, "value"));
    }
    CHECK(reader.ok());
    CHECK(reader.is_at_end());
    CHECK(to_hex(out) == text_of(vector, "hex"));
    ++seen;
  }
  CHECK(seen == 23);
}

TEST_CASE("relay 3.2: handshake responses are encoded and decoded", "[relay][vectors]") {
  std::size_t seen = 0;
  for (const json& vector : vectors().at("handshake_response")) {
    CAPTURE(text_of(vector, "hex"));
    const relay::HandshakeResponse response{
        u16_of(vector, "player_id"), u16_of(vector, "rule_variation"), u64_of(vector, "token")};
    CHECK(to_hex(relay::encode_handshake_response(response)) == text_of(vector, "hex"));
    const auto reply = relay::decode_handshake_reply(bytes_of(vector, "hex"));
    REQUIRE(reply);
    CHECK(std::get<relay::HandshakeResponse>(reply->outcome) == response);
    CHECK(reply->trailer.empty());
    ++seen;
  }
  CHECK(seen == 8);
}

TEST_CASE("relay 3.2: a handshake response with a trailer is accepted", "[relay][vectors]") {
  std::size_t seen = 0;
  for (const json& vector : vectors().at("handshake_response_accepted_with_trailing")) {
    const auto bytes = bytes_of(vector, "hex");
    const auto reply = relay::decode_handshake_reply(bytes);
    REQUIRE(reply);
    CHECK(std::get<relay::HandshakeResponse>(reply->outcome) ==
          relay::HandshakeResponse{u16_of(vector, "player_id"), u16_of(vector, "rule_variation"),
                                   u64_of(vector, "token")});
    CHECK(reply->trailer.size() == bytes.size() - relay::handshake_response_size);
    ++seen;
  }
  CHECK(seen == 1);
}

TEST_CASE("relay 11: an older relay's response is the front of ours, and is refused",
          "[relay][vectors]") {
  std::size_t seen = 0;
  for (const json& vector : vectors().at("handshake_response_legacy_5_bytes")) {
    const auto ours = relay::encode_handshake_response(
        {u16_of(vector, "player_id"), u16_of(vector, "rule_variation"), 0});
    CHECK(to_hex(byte_view{ours}.first(5)) == text_of(vector, "hex"));
    const auto reply = relay::decode_handshake_reply(bytes_of(vector, "hex"));
    REQUIRE_FALSE(reply);
    CHECK(reply.error() == errc::unexpected_end);
    ++seen;
  }
  CHECK(seen == 3);
}

TEST_CASE("relay 3.2: what is no handshake response is refused", "[relay][vectors]") {
  std::size_t seen = 0;
  for (const json& vector : vectors().at("handshake_response_invalid_for_a_client")) {
    CAPTURE(text_of(vector, "why"));
    const auto bytes = bytes_of(vector, "hex");
    const auto reply = relay::decode_handshake_reply(bytes);
    REQUIRE_FALSE(reply);
    const bool is_cut_short = bytes.empty() || bytes[0] == std::byte{6};
    CHECK(reply.error() == (is_cut_short ? errc::unexpected_end : errc::bad_value));
    ++seen;
  }
  CHECK(seen == 7);
}

TEST_CASE("relay 2: messages are told apart by direction, and written", "[relay][vectors]") {
  std::size_t seen = 0;
  for (const json& vector : vectors().at("messages")) {
    const std::string name = text_of(vector, "name");
    const std::string direction = text_of(vector, "direction");
    const std::string hex = text_of(vector, "hex");
    CAPTURE(direction, name, hex);
    const auto bytes = from_hex(hex);
    std::size_t header = relay::message_id_size;
    if (direction == "relay->host") {
      const std::map<std::string, relay::ToHost> ids{
          {"NEW_CLIENT", relay::ToHost::new_client},
          {"CLIENT_DISCONNECTS", relay::ToHost::client_disconnects},
          {"SERVER_RPC", relay::ToHost::server_rpc}};
      const auto id = relay::read_to_host(bytes);
      REQUIRE(id);
      CHECK(*id == ids.at(name));
      const auto player_id = relay::read_player_id(bytes);
      REQUIRE(player_id);
      CHECK(*player_id == u16_of(vector, "player_id"));
      header = relay::player_message_size;
      if (*id == relay::ToHost::new_client)
        CHECK(to_hex(relay::encode_new_client(*player_id)) == hex);
      if (*id == relay::ToHost::client_disconnects) {
        CHECK(to_hex(relay::encode_client_disconnects(*player_id)) == hex);
      }
      if (*id == relay::ToHost::server_rpc) {
        CHECK(to_hex(relay::server_rpc_header(*player_id)) + text_of(vector, "payload") == hex);
      }
    } else if (direction == "client->relay") {
      const std::map<std::string, relay::FromClient> ids{
          {"SERVER_RPC", relay::FromClient::server_rpc},
          {"CLIENT_DISCONNECTS_SELF", relay::FromClient::client_disconnects_self}};
      const auto id = relay::read_from_client(bytes);
      REQUIRE(id);
      CHECK(*id == ids.at(name));
    } else if (direction == "host->relay") {
      const std::map<std::string, relay::FromHost> ids{
          {"SERVER_DISCONNECTS", relay::FromHost::server_disconnects},
          {"CLIENT_GETS_KICKED", relay::FromHost::client_gets_kicked},
          {"DELTA_UPDATE", relay::FromHost::delta_update},
          {"FULL_UPDATE", relay::FromHost::full_update},
          {"RESET", relay::FromHost::reset}};
      const auto id = relay::read_from_host(bytes);
      REQUIRE(id);
      CHECK(*id == ids.at(name));
      if (*id == relay::FromHost::client_gets_kicked) {
        const auto player_id = relay::read_player_id(bytes);
        REQUIRE(player_id);
        CHECK(*player_id == u16_of(vector, "player_id"));
        CHECK(hex.starts_with(to_hex(relay::encode_client_gets_kicked(*player_id))));
      }
    } else {
      REQUIRE(direction == "relay->client");
      const std::map<std::string, relay::ToClient> ids{
          {"DELTA_UPDATE", relay::ToClient::delta_update},
          {"FULL_UPDATE", relay::ToClient::full_update},
          {"RESET", relay::ToClient::reset}};
      const auto id = relay::read_to_client(bytes);
      REQUIRE(id);
      CHECK(*id == ids.at(name));
    }
    if (vector.contains("payload"))
      CHECK(to_hex(byte_view{bytes}.subspan(header)) == text_of(vector, "payload"));
    ++seen;
  }
  CHECK(seen == 22);
}

TEST_CASE("relay 5: messages that a peer must not send are refused", "[relay][vectors]") {
  // Which text answers which refusal is the service's business; here it is told apart by the error.
  const auto closing_text = [](errc error, std::string_view illegal) {
    return error == errc::unexpected_end ? error_text::empty_message : illegal;
  };
  std::size_t seen = 0;
  std::size_t short_kicks = 0;
  for (const json& vector : vectors().at("invalid_messages")) {
    CAPTURE(text_of(vector, "hex"));
    const auto bytes = bytes_of(vector, "hex");
    if (text_of(vector, "from") == "client") {
      const auto id = relay::read_from_client(bytes);
      REQUIRE_FALSE(id);
      CHECK(closing_text(id.error(), error_text::illegal_client_message) ==
            text_of(vector, "closing_text"));
    } else if (vector.contains("closing_text")) {
      const auto id = relay::read_from_host(bytes);
      REQUIRE_FALSE(id);
      CHECK(closing_text(id.error(), error_text::illegal_host_message) ==
            text_of(vector, "closing_text"));
    } else {
      const auto id = relay::read_from_host(bytes);
      REQUIRE(id);
      CHECK(*id == relay::FromHost::client_gets_kicked);
      CHECK_FALSE(relay::read_player_id(bytes));
      ++short_kicks;
    }
    ++seen;
  }
  CHECK(seen == 15);
  CHECK(short_kicks == 2);
}

TEST_CASE("relay 5.2: a client's id is put into its RPC", "[relay][vectors]") {
  std::size_t seen = 0;
  for (const json& vector : vectors().at("rpc_rewrite")) {
    const auto from_client = bytes_of(vector, "client_sends");
    REQUIRE(relay::read_from_client(from_client));
    const auto header = relay::server_rpc_header(u16_of(vector, "player_id"));
    const auto payload = byte_view{from_client}.subspan(relay::message_id_size);
    CHECK(to_hex(header) + to_hex(payload) == text_of(vector, "host_receives"));
    ++seen;
  }
  CHECK(seen == 6);
}

TEST_CASE("relay 9: every error text is the original's, byte for byte", "[relay][vectors]") {
  const std::set<std::string_view> fixed{error_text::initial_error,
                                         error_text::bad_join_request,
                                         error_text::host_left_during_handshake,
                                         error_text::invalid_token,
                                         error_text::host_already_connected,
                                         error_text::host_not_available,
                                         error_text::response_not_sent,
                                         error_text::connection_lost,
                                         error_text::empty_message,
                                         error_text::channel_closed,
                                         error_text::host_left,
                                         error_text::illegal_host_message,
                                         error_text::unknown_internal_command,
                                         error_text::host_write_failed,
                                         error_text::host_side_fault,
                                         error_text::client_left,
                                         error_text::illegal_client_message,
                                         error_text::broadcast_failed,
                                         error_text::kicked,
                                         error_text::host_gone,
                                         error_text::malformed_message,
                                         error_text::too_slow,
                                         error_text::illegal_message_for_client,
                                         error_text::client_write_failed,
                                         error_text::client_side_fault};
  std::set<std::string_view> used;
  std::size_t seen = 0;
  for (const json& vector : vectors().at("server_error")) {
    const std::string form = text_of(vector, "template");
    const json& args = vector.at("args");
    CAPTURE(form);
    std::string text;
    if (args.is_null()) {
      const auto known = fixed.find(form);
      REQUIRE(known != fixed.end());
      used.insert(*known);
      text = *known;
    } else if (form == "Unknown game {game}.") {
      text = error_text::unknown_game(text_of(args, "game"));
    } else if (form == "Room {room} does not exist for game {game}.") {
      text = error_text::no_such_room(text_of(args, "room"), text_of(args, "game"));
    } else if (form == "Room {room} already exists for game {game}.") {
      text = error_text::room_exists(text_of(args, "room"), text_of(args, "game"));
    } else if (form == "Room {room} no longer exists for game {game}.") {
      text = error_text::room_is_gone(text_of(args, "room"), text_of(args, "game"));
    } else if (form == "Room {room} exceeded max amount of players {max}.") {
      text = error_text::room_is_full(text_of(args, "room"), u16_of(args, "max"));
    } else {
      REQUIRE(form == "Room {room} run out of client ids.");
      text = error_text::out_of_client_ids(text_of(args, "room"));
    }
    CHECK(text == text_of(vector, "text"));
    CHECK(to_hex(relay::encode_server_error(text)) == text_of(vector, "hex"));
    const auto decoded = relay::decode_server_error(bytes_of(vector, "hex"));
    REQUIRE(decoded);
    CHECK(*decoded == text);
    ++seen;
  }
  CHECK(seen == 32);
  CHECK(used == fixed);  // no text of ours is missing from the vectors
}

TEST_CASE("relay 9: a damaged error text is shown with replacement characters",
          "[relay][vectors]") {
  std::size_t seen = 0;
  for (const json& vector : vectors().at("server_error_edge")) {
    const auto bytes = bytes_of(vector, "hex");
    const std::string expected = text_of(vector, vector.contains("text") ? "text" : "text_lossy");
    const auto decoded = relay::decode_server_error(bytes);
    REQUIRE(decoded);
    CHECK(*decoded == expected);
    const auto reply = relay::decode_handshake_reply(bytes);
    REQUIRE(reply);
    CHECK(std::get<relay::HandshakeRefusal>(reply->outcome).text == expected);
    ++seen;
  }
  CHECK(seen == 2);
}

TEST_CASE("relay 5.4: the sync filter delivers what the original delivers",
          "[relay][vectors][sync]") {
  std::size_t seen = 0;
  for (const json& vector : vectors().at("sync_filter")) {
    CAPTURE(vector.dump());
    json delivered = json::array();
    bool is_synced = false;
    for (const json& hex : vector.at("subscriber_joins_before")) {
      const auto id = relay::read_from_host(from_hex(hex.get<std::string>()));
      REQUIRE(id);
      const relay::SyncStep step = relay::sync_step(is_synced, *id);
      if (step.forward) delivered.push_back(hex);
      is_synced = step.is_synced;
    }
    CHECK(delivered == vector.at("delivered"));
    ++seen;
  }
  CHECK(seen == 7);
}

TEST_CASE("relay 8.1: game configs are accepted and refused as by the original",
          "[relay][vectors]") {
  std::size_t seen = 0;
  std::size_t refused = 0;
  for (const json& vector : vectors().at("game_config")) {
    const std::string text = text_of(vector, "text");
    CAPTURE(text);
    std::string problem;
    const auto config = relay::parse_game_config(text, problem);
    if (vector.value("error", false)) {
      REQUIRE_FALSE(config);
      CHECK_FALSE(problem.empty());
      ++refused;
    } else {
      REQUIRE(config);
      std::map<std::string, relay::GameRules, std::less<>> games;
      for (const auto& game : vector.at("games").items())
        games[game.key()] = {game.value().get<std::uint16_t>()};
      CHECK(config->games == games);
    }
    ++seen;
  }
  CHECK(seen == 12);
  CHECK(refused == 7);
}
