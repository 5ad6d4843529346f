// SPDX-License-Identifier: MIT
// What is binary in a message, what is not, and what has no JSON.
#include "../lib/signal/msgpack.hpp"

#include <muster/error.hpp>

#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace signal = muster::signal;
using muster::as_bytes;
using muster::as_text;
using muster::errc;
using nlohmann::json;

namespace {

constexpr std::string_view uuid = "0f0e0d0c-0b0a-4908-8706-050403020100";

// The MessagePack of a message, seen by another library.
json packed(std::string_view text) {
  std::vector<std::byte> bytes;
  REQUIRE_FALSE(signal::message_to_msgpack(as_bytes(text), bytes));
  std::vector<std::uint8_t> octets;
  for (const std::byte octet : bytes) octets.push_back(std::to_integer<std::uint8_t>(octet));
  return json::from_msgpack(octets);
}

std::string back_and_forth(std::string_view text) {
  std::vector<std::byte> bytes;
  REQUIRE_FALSE(signal::message_to_msgpack(as_bytes(text), bytes));
  std::vector<std::byte> again;
  REQUIRE_FALSE(signal::msgpack_to_message(bytes, again));
  return std::string{as_text(again)};
}

std::string converted(std::string_view hex) {
  std::vector<std::byte> out;
  const std::error_code error = signal::binary_to_json(test::from_hex(hex), out);
  return error ? error.message() : std::string{as_text(out)};
}

std::string quoted(std::string_view text) { return "\"" + std::string{text} + "\""; }

}  // namespace

TEST_CASE("signal msgpack: identifiers are binary, and what belongs to the application is not",
          "[signal][msgpack]") {
  const std::string id = quoted(uuid);
  const std::string names = R"({"id":)" + id + R"(,"player_id":)" + id + R"(,"host":)" + id + "}";
  const json game_data = packed(R"({"type":"GameData","data":{"from_player":)" + id +
                                R"(,"data":)" + names + R"(,"seq":1}})");
  CHECK(game_data["data"]["from_player"].is_binary());
  CHECK(game_data["data"]["data"] == json::parse(names));

  const json signal_message = packed(R"({"type":"Signal","data":{"to":)" + id +
                                     R"(,"generation":)" + id + R"(,"signal":)" + names + "}}");
  CHECK(signal_message["data"]["to"].is_binary());
  CHECK(signal_message["data"]["generation"].is_binary());
  CHECK(signal_message["data"]["signal"] == json::parse(names));

  const json info = packed(R"({"type":"ProvideConnectionInfo","data":{"connection_info":)"
                           R"({"type":"custom","data":)" +
                           names + "}}}");
  CHECK(info["data"]["connection_info"]["data"] == json::parse(names));

  // A host is a peer in a plan, and a name in an endpoint.
  const json plan = packed(R"({"type":"SessionPlan","data":{"host":)" + id +
                           R"(,"direct_endpoint":{"host":)" + id + "}}}");
  CHECK(plan["data"]["host"].is_binary());
  CHECK(plan["data"]["direct_endpoint"]["host"] == uuid);

  // A token is no identifier, whatever it looks like.
  const json reconnect = packed(R"({"type":"Reconnect","data":{"auth_token":)" + id + "}}");
  CHECK(reconnect["data"]["auth_token"] == uuid);
}

TEST_CASE("signal msgpack: a text in the place of an identifier stays what it is",
          "[signal][msgpack]") {
  for (const char* value :
       {R"("no uuid")", R"("")", "7", "null", "[]", R"({"player_id":"x","data":[1.5]})"}) {
    const std::string text = R"({"type":"X","data":{"player_id":)" + std::string{value} + "}}";
    CHECK(back_and_forth(text) == text);
  }
}

TEST_CASE("signal msgpack: escapes make no difference", "[signal][msgpack]") {
  const json message = packed(R"({"type":"X","d\u0061ta":{"player\u005fid":"\u0030)" +
                              std::string{uuid.substr(1)} + R"("}})");
  CHECK(message["data"]["player_id"].is_binary());
  CHECK(back_and_forth(
            R"({"type":"X","data":{"player_id":"0F0E0D0C-0B0A-4908-8706-050403020100"}})") ==
        R"({"type":"X","data":{"player_id":)" + quoted(uuid) + "}}");
}

TEST_CASE("signal msgpack: binary is refused where no identifier stands", "[signal][msgpack]") {
  const auto error_of = [](std::string_view hex) {
    std::vector<std::byte> out;
    const std::error_code error = signal::msgpack_to_message(test::from_hex(hex), out);
    CHECK(out.empty());
    return error;
  };
  const std::string id = "c410" + test::to_hex(std::vector<std::byte>(16));
  const std::string type = "82a474797065a158a464617461";  // {"type":"X","data":
  std::vector<std::byte> out;
  // {"player_id": ...}, {"ready_players": [...]}
  CHECK_FALSE(
      signal::msgpack_to_message(test::from_hex(type + "81a9706c617965725f6964" + id), out));
  CHECK_FALSE(signal::msgpack_to_message(
      test::from_hex(type + "81ad72656164795f706c617965727391" + id), out));
  CHECK(error_of(type + "81a9706c617965725f6964c40101") == errc::bad_value);  // one byte
  CHECK(error_of(type + "81a16b" + id) == errc::bad_value);                   // another name
  CHECK(error_of(type + "81a46461746181a26964" + id) == errc::bad_value);     // in game data
  CHECK(error_of(type + "81" + id + "c0") == errc::bad_value);                // a name
  CHECK(error_of(id) == errc::bad_value);
}

TEST_CASE("signal msgpack: floats have 64 bits", "[signal][msgpack]") {
  std::vector<std::byte> out;
  REQUIRE_FALSE(signal::message_to_msgpack(as_bytes("[1.5,1.0,-0]"), out));
  CHECK(test::to_hex(out) == "93cb3ff8000000000000cb3ff0000000000000cb8000000000000000");
}

TEST_CASE("signal: binary game data becomes JSON where JSON has it", "[signal][msgpack]") {
  CHECK(converted("82a16bcd04b7a17690") == R"({"k":1207,"v":[]})");
  CHECK(converted("c0") == "null");
  CHECK(converted("ca3fc00000") == "1.5");
  const std::string lacking = muster::make_error_code(errc::bad_value).message();
  CHECK(converted("82a166cd04b7a2696ec4030102ff") == lacking);  // binary
  CHECK(converted("d40001") == lacking);                        // an extension
  CHECK(converted("d6ff00000000") == lacking);                  // a timestamp
  CHECK(converted("810102") == lacking);                        // a name that is a number
  CHECK(converted("ca7fc00000") == lacking);                    // NaN
  CHECK(converted("cb7ff0000000000000") == lacking);            // infinity
  CHECK(converted("c0c0") == muster::make_error_code(errc::bad_syntax).message());
  CHECK(converted("") == muster::make_error_code(errc::unexpected_end).message());
  std::string deep;
  for (int i = 0; i < 65; ++i) deep += "91";
  CHECK(converted(deep + "c0") == muster::make_error_code(errc::too_deep).message());
  CHECK(converted("dd7fffffff") == muster::make_error_code(errc::too_large).message());
}
