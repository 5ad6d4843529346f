// SPDX-License-Identifier: MIT
// Every vector of tests/data/signal_vectors.json that is about the form of messages. The counts are
// asserted, so that a section that is missing or renamed cannot pass as an empty loop.
#include "../lib/signal/app_id.hpp"
#include "../lib/signal/client_message.hpp"
#include "../lib/signal/error_code.hpp"
#include "../lib/signal/game_data.hpp"
#include "../lib/signal/msgpack.hpp"
#include "../lib/signal/room_code.hpp"
#include "../lib/signal/turn_credentials.hpp"

#include "support/catch.hpp"
#include "support/signal_messages.hpp"
#include "support/vectors.hpp"

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace signal = muster::signal;
using muster::as_bytes;
using muster::as_text;
using muster::byte_view;
using muster::MessageKind;
using nlohmann::json;

namespace {

const json& vectors() {
  static const json loaded = test::load_vectors("signal_vectors.json");
  return loaded;
}

signal::Version version_of(const json& vector) {
  return vector.at("protocol") == 3 ? signal::Version::v3 : signal::Version::v2;
}

// A request's null is the same as nothing; a payload's is a value, and so is a kind's.
json without_nulls(json message) {
  if (!message.contains("data")) return message;
  json& data = message["data"];
  for (auto member = data.begin(); member != data.end();) {
    const bool is_nothing = member->is_null() && member.key() != "data";
    member = is_nothing ? data.erase(member) : std::next(member);
  }
  if (data.contains("operation")) data["operation"] = without_nulls(data["operation"]);
  return message;
}

std::string joined(const signal::GameDataParts& parts) {
  std::string text;
  for (const byte_view part : parts.parts()) text += as_text(part);
  return text;
}

signal::GameDataStamp stamp_of(const json& fields) {
  signal::GameDataStamp stamp;
  stamp.from_player = test::uuid_of(fields.at("from_player"));
  stamp.seq = fields.value("seq", std::uint64_t{1});
  stamp.epoch = fields.value("epoch", 1U);
  if (fields.contains("class")) {
    stamp.delivery =
        signal::read_word<signal::DeliveryClass>(fields.at("class").get_ref<const std::string&>());
  }
  if (fields.contains("key")) stamp.key = fields.at("key").get<std::uint32_t>();
  return stamp;
}

}  // namespace

TEST_CASE("signal: each message of a client is read with all its fields", "[signal][vectors]") {
  std::size_t count = 0;
  for (const json& vector : vectors().at("messages")) {
    if (vector.at("direction") != "c2s") continue;
    ++count;
    INFO(vector.at("id"));
    const auto text = vector.at("json_text").get<std::string>();
    const auto message = signal::read_client_message(as_bytes(text));
    REQUIRE(message);
    CHECK(test::ClientFields::of(*message) == without_nulls(vector.at("json")));

    // The members in another order, and white space.
    json reversed = vector.at("json");
    const std::string type = reversed.at("type").dump();
    const std::string data = reversed.contains("data") ? reversed.at("data").dump(1) : "null";
    const std::string other = " { \"data\" :\n" + data + ",\t\"type\":" + type + "}\r\n";
    const auto again = signal::read_client_message(as_bytes(other));
    REQUIRE(again);
    CHECK(test::ClientFields::of(*again) == without_nulls(vector.at("json")));
  }
  CHECK(count == 38);
}

TEST_CASE("signal: each message of a server is written as the original writes it",
          "[signal][vectors]") {
  std::set<std::string> written;
  std::size_t count = 0;
  for (const json& vector : vectors().at("messages")) {
    if (vector.at("direction") != "s2c") continue;
    ++count;
    INFO(vector.at("id"));
    const auto type = vector.at("json").at("type").get<std::string>();
    if (type == "NewPeer") continue;  // a server of today sends SessionPlan
    const auto text = vector.at("json_text").get<std::string>();
    if (type == "GameData") {
      const json& data = vector.at("json").at("data");
      const std::string body = data.at("data").dump();
      const std::size_t at = text.find(R"("data":{"k")");  // whose members nlohmann sorts
      const std::string_view shown =
          at == std::string::npos ? std::string_view{body} : R"({"k":"input","f":1207})";
      const signal::GameDataParts parts{MessageKind::text, stamp_of(data), as_bytes(shown),
                                        version_of(vector)};
      CHECK(joined(parts) == text);
    } else {
      CHECK(test::ServerMessage{vector.at("json"), version_of(vector)}.text() == text);
    }
    written.insert(type);
  }
  CHECK(count == 55);
  CHECK(written.size() == 30);
}

TEST_CASE("signal: each message is MessagePack byte for byte as the original has it, and back",
          "[signal][vectors][msgpack]") {
  std::size_t count = 0;
  for (const json& vector : vectors().at("messages")) {
    ++count;
    INFO(vector.at("id"));
    const auto text = vector.at("json_text").get<std::string>();
    std::vector<std::byte> packed;
    REQUIRE_FALSE(signal::message_to_msgpack(as_bytes(text), packed));
    CHECK(test::to_hex(packed) == vector.at("msgpack_named_hex"));

    const auto given = test::from_hex(vector.at("msgpack_named_hex").get<std::string>());
    std::vector<std::byte> unpacked;
    REQUIRE_FALSE(signal::msgpack_to_message(given, unpacked));
    CHECK(as_text(unpacked) == text);
  }
  CHECK(count == 93);
}

TEST_CASE("signal: a challenge is written as the original writes it", "[signal][vectors]") {
  const json& challenge = vectors().at("token_binding_v2").at("challenge");
  CHECK(json::parse(test::ServerMessage{challenge, signal::Version::v2}.text()) == challenge);
}

TEST_CASE("signal: binary game data is written and read as the vectors have it",
          "[signal][vectors]") {
  std::size_t count = 0;
  for (const json& vector : vectors().at("binary_frames")) {
    ++count;
    INFO(vector.at("id"));
    const json& fields = vector.at("fields");
    const auto frame = test::from_hex(vector.at("frame_hex").get<std::string>());
    const auto message = signal::read_binary_game_data(frame, version_of(vector));
    REQUIRE(message);
    CHECK(test::text_of(message->from_player) == fields.at("from_player"));
    CHECK(message->encoding == signal::GameDataFormat::message_pack);
    CHECK(test::to_hex(message->payload) == fields.at("payload"));
    CHECK(message->seq == fields.value("seq", std::uint64_t{0}));
    CHECK(message->epoch == fields.value("epoch", 0U));

    if (vector.at("id") == "bin.v3.reordered") continue;  // decoders only
    const auto payload = test::from_hex(fields.at("payload").get<std::string>());
    const signal::GameDataParts parts{MessageKind::binary, stamp_of(fields), payload,
                                      version_of(vector)};
    CHECK(test::to_hex(as_bytes(joined(parts))) == vector.at("frame_hex"));
  }
  CHECK(count == 5);
}

TEST_CASE("signal: binary game data that is wrong in one thing is refused", "[signal][vectors]") {
  std::size_t count = 0;
  for (const json& vector : vectors().at("binary_frames_invalid")) {
    ++count;
    INFO(vector.at("id") << ": " << vector.at("reject_reason"));
    const auto frame = test::from_hex(vector.at("frame_hex").get<std::string>());
    CHECK_FALSE(signal::read_binary_game_data(frame, version_of(vector)));
  }
  CHECK(count == 15);
}

TEST_CASE("signal: a message that is malformed is refused", "[signal][vectors]") {
  std::size_t count = 0;
  for (const json& vector : vectors().at("client_input_cases")) {
    const auto id = vector.at("id").get<std::string>();
    if (!id.starts_with("parse.") && id != "roomop.upper") continue;
    ++count;
    INFO(id);
    const auto text = vector.at("input_text").get<std::string>();
    CHECK_FALSE(signal::read_client_message(as_bytes(text)));
  }
  CHECK(count == 20);
}

TEST_CASE("signal: a message that is refused for what it asks is well formed",
          "[signal][vectors]") {
  std::size_t count = 0;
  for (const json& vector : vectors().at("client_input_cases")) {
    const auto id = vector.at("id").get<std::string>();
    const auto text = vector.value("input_text", "");
    if (id.starts_with("parse.") || id == "roomop.upper" || !text.starts_with('{')) continue;
    ++count;
    INFO(id);
    CHECK(signal::read_client_message(as_bytes(text)));
  }
  CHECK(count == 58);
}

TEST_CASE("signal: what is unusual and still clear is read", "[signal][vectors]") {
  std::size_t count = 0;
  for (const json& vector : vectors().at("client_input_lenient")) {
    ++count;
    INFO(vector.at("id"));
    const auto text = vector.at("input_text").get<std::string>();
    const auto message = signal::read_client_message(as_bytes(text));
    REQUIRE(message);
    CHECK(test::ClientFields::of(*message).at("type") == vector.at("equals"));
  }
  CHECK(count == 5);
}

TEST_CASE("signal: of two peers the one with the smaller identifier offers", "[signal][vectors]") {
  std::size_t count = 0;
  for (const json& vector : vectors().at("glare")) {
    ++count;
    const bool is_smaller = test::uuid_of(vector.at("local")) < test::uuid_of(vector.at("remote"));
    CHECK(is_smaller == vector.at("initiates").get<bool>());
  }
  CHECK(count == 3);
}

TEST_CASE("signal: credentials for a TURN server are those that it makes itself",
          "[signal][vectors]") {
  const json& vector = vectors().at("turn_credentials");
  const signal::TurnCredentials credentials = signal::make_turn_credentials(
      vector.at("secret").get<std::string>(), vector.at("expiry").get<std::int64_t>(),
      test::uuid_of(vector.at("player")));
  CHECK(credentials.username == vector.at("username"));
  CHECK(credentials.credential == vector.at("credential"));
}

TEST_CASE("signal: an application's name stands for an identifier", "[signal][vectors]") {
  std::size_t count = 0;
  for (const json& vector : vectors().at("app_uuid")) {
    ++count;
    CHECK(test::text_of(signal::app_uuid(vector.at("app_id").get<std::string>())) ==
          vector.at("uuid"));
  }
  CHECK(count == 2);
}

TEST_CASE("signal: a room code is taken in upper case, or not at all", "[signal][vectors]") {
  const json& codes = vectors().at("room_code");
  const auto length = codes.at("length").get<std::size_t>();
  CHECK(codes.at("explicit_valid").size() == 3);
  for (const json& code : codes.at("explicit_valid")) {
    std::string upper = code.get<std::string>();
    for (char& c : upper) {
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    }
    CHECK(signal::normalize_room_code(code.get<std::string>(), length) == upper);
  }
  CHECK(codes.at("explicit_invalid").size() == 6);
  for (const json& code : codes.at("explicit_invalid")) {
    INFO(code);
    CHECK_FALSE(signal::normalize_room_code(code.get<std::string>(), length));
  }
}

TEST_CASE("signal: close codes have the original's numbers and reasons", "[signal][vectors]") {
  std::size_t count = 0;
  for (const json& vector : vectors().at("close_codes")) {
    const auto code = vector.at("code").get<std::uint16_t>();
    if (code == 1009) continue;  // the transport's, with a text of the service
    ++count;
    CHECK(std::string{to_string(static_cast<signal::CloseCode>(code))} == vector.at("reason"));
  }
  CHECK(count == 9);
}
