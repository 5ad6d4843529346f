// SPDX-License-Identifier: MIT
// What a client may send: the rules of fields, and the bounds.
#include "../lib/signal/client_message.hpp"
#include "../lib/signal/game_data.hpp"

#include "support/catch.hpp"
#include "support/heap_count.hpp"
#include "support/signal_messages.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace signal = muster::signal;
using muster::as_bytes;
using muster::as_text;
using muster::byte_view;
using muster::errc;
using nlohmann::json;

namespace {

std::optional<signal::ClientMessage> read(std::string_view text) {
  auto message = signal::read_client_message(as_bytes(text));
  if (!message) {
    CHECK(message.error() == errc::bad_syntax);
    return std::nullopt;
  }
  return std::move(*message);
}

template <class Message>
Message read_as(std::string_view text) {
  INFO(text);
  auto message = read(text);
  REQUIRE(message);
  REQUIRE(std::holds_alternative<Message>(*message));
  return std::get<Message>(*message);
}

constexpr std::string_view a = "0f0e0d0c-0b0a-4908-8706-050403020100";

std::string join_with(std::string_view member) {
  return R"({"type":"JoinRoom","data":{"game_name":"g","player_name":"p",)" + std::string{member} +
         "}}";
}

std::string operation(std::string_view inner) {
  return R"({"type":"RoomOperation","data":{"operation_id":")" + std::string{a} +
         R"(","operation":)" + std::string{inner} + "}}";
}

}  // namespace

TEST_CASE("signal: game data is a view of what was sent", "[signal]") {
  const std::string text = R"({"type":"GameData","data":{"data": [1.50,  "x\u0041"] ,"key":7}})";
  const auto message = read_as<signal::GameData>(text);
  CHECK(as_text(message.data) == R"([1.50,  "x\u0041"])");
  CHECK(as_text(message.data).data() == text.data() + text.find("[1.50"));
  CHECK_FALSE(message.delivery);
  CHECK(message.key == 7U);
}

TEST_CASE("signal: what stands behind the data of the common form is seen", "[signal]") {
  // The short way must not find a message where the long way finds none.
  for (const char* text : {
           R"({"type":"Ping","data":{}},"x":{"y":1})",
           R"({"type":"Ping","data":{}}})",
           R"({"type":"Ping","data":{})",
           R"({"type":"Ping","data":})",
           R"({"type":"Ping","data":{},"type":"Ping"})",
           R"({"type":"Ping","data":{},"data":{}})",
           R"({"type":"GameData","data":{"data":1},"data":{"data":2}})",
           R"({"type":"GameData","data":{"data":1,"data":2}})",
           R"({"type":"GameData","data":{"data":1,"key":1,"key":1}})",
           R"({"type":"GameData","data":{"data":[1,]}})",
           R"({"type":"GameData","data":{"data":01}})",
           R"({"type":"GameData","data":{"data":"\ud800"}})",
           R"({"type":"Ping","data":5})",
           R"({"type":"Ping","data":[]})",
           R"({"type":"Ping"}x)",
       }) {
    INFO(text);
    CHECK_FALSE(read(text));
  }
  CHECK(read(R"({"type":"Ping","data":{},"x":{"y":1}})"));
  CHECK(read(R"({"type":"GameData","data":{"data":1},"x":{}})"));
}

TEST_CASE("signal: names and words may be escaped", "[signal]") {
  const auto message = read_as<signal::GameData>(
      R"({"\u0074ype":"Game\u0044ata","da\u0074a":{"\u0064ata":1,"cl\u0061ss":"l\u0061test","key":1}})");
  CHECK(message.delivery == signal::DeliveryClass::latest);
  CHECK_FALSE(read(R"({"type":"Ping","\u0074ype":"Ping"})"));
  const auto status = read_as<signal::Reconnect>(
      R"({"type":"Reconnect","data":{"player_id":"\u0030f0e0d0c-0b0a-4908-8706-050403020100",)"
      R"("room_id":"0F0E0D0C-0B0A-4908-8706-050403020100","auth_token":"a\"b"}})");
  CHECK(test::text_of(status.player_id) == a);
  CHECK(status.player_id == status.room_id);
  CHECK(status.auth_token == "a\"b");
  // An escape does not make a word longer than the room for it.
  const std::string long_word = "\\u0041" + std::string(1000, 'x');
  CHECK_FALSE(read(R"({"type":")" + long_word + "\"}"));
}

TEST_CASE("signal: null is nothing where a request may leave out, and else a mistake", "[signal]") {
  const auto join = read_as<signal::JoinRoom>(join_with(
      R"("room_code":null,"max_players":null,"supports_authority":null,"relay_transport":null,"password":null)"));
  CHECK_FALSE(join.room_code);
  CHECK_FALSE(join.password);
  const auto authenticate = read_as<signal::Authenticate>(
      R"({"type":"Authenticate","data":{"app_id":"a","protocol_version":null,)"
      R"("supported_transports":null,"requested_capabilities":null}})");
  CHECK_FALSE(authenticate.protocol_version);
  CHECK_FALSE(authenticate.supported_transports);

  CHECK_FALSE(read(R"({"type":"JoinRoom","data":{"game_name":null,"player_name":"p"}})"));
  CHECK_FALSE(read(R"({"type":"GameData","data":{"data":1,"class":null}})"));
  CHECK_FALSE(read(R"({"type":"GameData","data":{"data":1,"key":null}})"));
  CHECK_FALSE(read(R"({"type":"Signal","data":{"to":")" + std::string{a} +
                   R"(","generation":null,"signal":1}})"));
  // The first clients of version 3 say nothing of plans.
  CHECK(read(R"({"type":"Signal","data":{"to":")" + std::string{a} + R"(","signal":1}})"));
  CHECK_FALSE(read(R"({"type":"JoinRoom","data":null})"));
  CHECK_FALSE(read(R"({"type":"JoinRoom"})"));
  CHECK_FALSE(read(R"({"type":null})"));
}

TEST_CASE("signal: a number is a whole one in its range, written plainly", "[signal]") {
  for (const char* number : {"0", "8", "255"}) {
    CHECK(read_as<signal::JoinRoom>(join_with(R"("max_players":)" + std::string{number}))
              .max_players == std::stoi(number));
  }
  for (const char* number : {"256", "-1", "-0", "1.0", "1e1", "1E0", "\"8\"", "true", "[]", "01",
                             "99999999999999999999"}) {
    INFO(number);
    CHECK_FALSE(read(join_with(R"("max_players":)" + std::string{number})));
  }
  CHECK(read_as<signal::Authenticate>(
            R"({"type":"Authenticate","data":{"app_id":"a","protocol_version":65535}})")
            .protocol_version == 65535);
  CHECK_FALSE(read(R"({"type":"Authenticate","data":{"app_id":"a","protocol_version":65536}})"));
}

TEST_CASE("signal: lists hold words of the vocabulary, and no more than there is room for",
          "[signal]") {
  const auto with = [](std::string_view member) {
    return R"({"type":"Authenticate","data":{"app_id":"a",)" + std::string{member} + "}}";
  };
  const auto message =
      read_as<signal::Authenticate>(with(R"("supported_transports":["webrtc","relay"])"));
  REQUIRE(message.supported_transports);
  CHECK(*message.supported_transports ==
        std::vector{signal::Transport::webrtc, signal::Transport::relay});
  CHECK_FALSE(read(with(R"("supported_transports":["smoke"])")));
  CHECK_FALSE(read(with(R"("supported_transports":"relay")")));
  CHECK_FALSE(read(with(R"("requested_capabilities":[1])")));

  const auto capabilities = [&with](std::size_t count) {
    std::string list;
    for (std::size_t i = 0; i < count; ++i) list += i == 0 ? R"("x")" : R"(,"x")";
    return with(R"("requested_capabilities":[)" + list + "]");
  };
  CHECK(read(capabilities(256)));
  CHECK_FALSE(read(capabilities(257)));
}

TEST_CASE("signal: a message is refused when it is nested too deeply", "[signal]") {
  const auto nested = [](std::size_t depth) {
    return R"({"type":"GameData","data":{"data":)" + std::string(depth, '[') +
           std::string(depth, ']') + "}}";
  };
  CHECK(read(nested(signal::max_message_depth - 2)));
  CHECK_FALSE(read(nested(signal::max_message_depth - 1)));
  CHECK_FALSE(read(nested(100'000)));
  // The other order is read in another way.
  const auto reversed = [](std::size_t depth) {
    return R"({"data":{"data":)" + std::string(depth, '[') + std::string(depth, ']') +
           R"(},"type":"GameData"})";
  };
  CHECK(read(reversed(signal::max_message_depth - 2)));
  CHECK_FALSE(read(reversed(signal::max_message_depth - 1)));
}

TEST_CASE("signal: moderation is an operation, and no message by itself", "[signal]") {
  const std::string player = R"("data":{"player_id":")" + std::string{a} + "\"}}";
  for (const char* type : {"KickPlayer", "BanPlayer", "UnbanPlayer", "TransferAuthority"}) {
    INFO(type);
    const std::string inner = R"({"type":")" + std::string{type} + "\"," + player;
    const auto message = read_as<signal::RoomOperation>(operation(inner));
    const json fields = test::ClientFields::of(message);
    CHECK(fields["data"]["operation"] == json::parse(inner));
    CHECK_FALSE(read(inner));
    CHECK_FALSE(read(operation(R"({"type":")" + std::string{type} + R"(","data":{}})")));
  }
  const auto password_of = [](std::string_view data) {
    const auto message = read_as<signal::RoomOperation>(
        operation(R"({"type":"SetRoomAccess","data":)" + std::string{data} + "}"));
    return std::get<signal::SetRoomAccess>(message.operation).password;
  };
  CHECK(password_of(R"({"password":"secret"})") == "secret");
  CHECK_FALSE(password_of(R"({"password":null})"));
  CHECK(read(operation(R"({"type":"RegenerateRoomCode"})")));
}

TEST_CASE("signal: only room operations can be numbered", "[signal]") {
  CHECK(read(operation(R"({"type":"LeaveRoom","data":null})")));
  CHECK(read(operation(R"({"data":{},"type":"LeaveRoom"})")));
  for (const char* inner : {R"({"type":"Ping"})", R"({"type":"RoomOperation","data":{}})", "null",
                            R"("LeaveRoom")", R"({"LeaveRoom":{}})"}) {
    INFO(inner);
    CHECK_FALSE(read(operation(inner)));
  }
  CHECK_FALSE(read(R"({"type":"RoomOperation","data":{"operation":{"type":"LeaveRoom"}}})"));
}

TEST_CASE("signal: what a player says of itself is shown to others without what is unknown",
          "[signal]") {
  const auto shown = [](std::string_view info) -> std::optional<std::string> {
    const auto message = read(R"({"type":"ProvideConnectionInfo","data":{"connection_info":)" +
                              std::string{info} + "}}");
    if (!message) return std::nullopt;
    const auto& provided = std::get<signal::ProvideConnectionInfo>(*message);
    CHECK(provided.size == info.size());
    return provided.info.json;
  };
  CHECK(shown(R"({"port":7, "x":[{}], "host":"h", "type":"direct"})") ==
        R"({"type":"direct","host":"h","port":7})");
  CHECK(
      shown(R"({"type":"relay","host":"h","port":7,"allocation_id":"a","token":"t"})") ==
      R"({"type":"relay","host":"h","port":7,"transport":"auto","allocation_id":"a","token":"t"})");
  CHECK(
      shown(R"({"type":"relay","host":"h","port":7,"allocation_id":"a","token":"t",)"
            R"("client_id":null})") ==
      R"({"type":"relay","host":"h","port":7,"transport":"auto","allocation_id":"a","token":"t"})");
  CHECK(shown(R"({"type":"webrtc","ice_candidates":[]})") ==
        R"({"type":"webrtc","sdp":null,"ice_candidates":[]})");
  CHECK(shown(R"({"type":"custom","data": null })") == R"({"type":"custom","data":null})");

  for (
      const char* info : {
          R"({"type":"direct","host":"h","port":65536})",
          R"({"type":"direct","host":"h","port":-1})",
          R"({"type":"direct","host":"h"})",
          R"({"type":"direct","type":"direct","host":"h","port":7})",
          R"({"type":"direct","host":"h","port":7,"port":8})",
          R"({"type":"relay","host":"h","port":7,"transport":"TCP","allocation_id":"a","token":"t"})",
          R"({"type":"relay","host":"h","port":7,"allocation_id":"a","token":"t","client_id":65536})",
          R"({"type":"webrtc"})",
          R"({"type":"webrtc","ice_candidates":[1]})",
          R"({"type":"custom"})",
          R"({"type":"carrier_pigeon"})",
          R"({"host":"h","port":7})",
          "null",
          "[]",
      }) {
    INFO(info);
    CHECK_FALSE(shown(info));
  }
}

TEST_CASE("signal: one can connect to an address or a name, and a port", "[signal]") {
  const auto is_usable = [](std::string host, std::uint16_t port = 1) {
    INFO(host);
    return signal::DirectEndpoint{std::move(host), port}.is_usable();
  };
  for (const char* host : {"203.0.113.9", "2001:db8::1", "::ffff:192.0.2.1", "example.com",
                           "Example.COM", "localhost", "a-b.c_d"}) {
    INFO(host);
    CHECK(is_usable(host));
    CHECK_FALSE(is_usable(host, 0));
  }
  for (const char* host : {"", "0.0.0.0", "::", "::ffff:0.0.0.0", "256.1.1.1", "1.2.3", "[::1]",
                           "a:81", "a/b", "a?b", "a#b", "u@a", "a b", "a..b", ".", "\xC3\xBC"}) {
    INFO(host);
    CHECK_FALSE(is_usable(host));
  }
  CHECK(is_usable(std::string(63, 'a') + "." + std::string(63, 'b') + "." + std::string(63, 'c') +
                  "." + std::string(61, 'd')));
  CHECK_FALSE(is_usable(std::string(63, 'a') + "." + std::string(63, 'b') + "." +
                        std::string(63, 'c') + "." + std::string(62, 'd')));
}

#if MUSTER_TEST_COUNTS_ALLOCATIONS

TEST_CASE("signal: game data and signals are read and sent on without asking the heap",
          "[signal][memory]") {
  const std::string data = R"({"pos":[1.5,2.25],"name":"tank \u0041"})";
  const std::string game_data =
      R"({"type":"GameData","data":{"data":)" + data + R"(,"class":"l\u0061test","key":7}})";
  const std::string reversed = R"({"data":{"data":)" + data + R"(},"type":"GameData"})";
  const std::string signal_text = R"({"type":"Signal","data":{"to":")" + std::string{a} +
                                  R"(","generation":")" + std::string{a} +
                                  R"(","signal":{"Offer":"v=0"}}})";
  const int before = test::allocations;
  std::size_t size = 0;
  for (const std::string* text : {&game_data, &reversed}) {
    const auto message = signal::read_client_message(as_bytes(*text));
    const auto* read = std::get_if<signal::GameData>(&*message);
    for (const auto kind : {muster::MessageKind::text, muster::MessageKind::binary}) {
      signal::GameDataStamp stamp;
      stamp.delivery = read->delivery;
      stamp.key = read->key;
      const signal::GameDataParts parts{kind, stamp, read->data, signal::Version::v3};
      for (const byte_view part : parts.parts()) size += part.size();
    }
  }
  const auto message = signal::read_client_message(as_bytes(signal_text));
  size += std::get_if<signal::Signal>(&*message)->signal.size();
  const int after = test::allocations;
  CHECK(after == before);
  CHECK(size > 4 * data.size());
}

#endif
