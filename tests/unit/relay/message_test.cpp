// SPDX-License-Identifier: MIT
// The ids of each direction, and the messages that the relay and its clients make and read.
#include <muster/relay/message.hpp>
#include <muster/relay/sync_filter.hpp>

#include "support/catch.hpp"
#include "support/vectors.hpp"

#include <array>
#include <cstddef>
#include <set>
#include <variant>

namespace relay = muster::relay;
using muster::byte_view;
using muster::errc;

namespace {

// The ids that a direction accepts; every other first byte must be errc::bad_value.
template <class Read>
std::set<int> accepted_ids(Read read) {
  std::set<int> ids;
  for (int id = 0; id < 256; ++id) {
    const std::array message{static_cast<std::byte>(id), std::byte{0}};
    const auto kind = read(byte_view{message});
    if (kind) {
      CHECK(static_cast<int>(*kind) == id);
      ids.insert(id);
    } else {
      CHECK(kind.error() == errc::bad_value);
    }
  }
  return ids;
}

}  // namespace

TEST_CASE("relay 2: each direction has its own ids and no others", "[relay][message]") {
  CHECK(accepted_ids(relay::read_to_host) == std::set{0, 1, 2, 5, 6});
  CHECK(accepted_ids(relay::read_from_client) == std::set{2, 3});
  CHECK(accepted_ids(relay::read_from_host) == std::set{0, 1, 2, 3, 4});
  CHECK(accepted_ids(relay::read_to_client) == std::set{2, 3, 4, 5, 6});
}

TEST_CASE("relay 5: an empty message has no id in any direction", "[relay][message]") {
  CHECK(relay::read_to_host({}).error() == errc::unexpected_end);
  CHECK(relay::read_from_client({}).error() == errc::unexpected_end);
  CHECK(relay::read_from_host({}).error() == errc::unexpected_end);
  CHECK(relay::read_to_client({}).error() == errc::unexpected_end);
}

TEST_CASE("relay defect 20: a kick that is too short names no player", "[relay][message]") {
  CHECK(relay::read_player_id(test::from_hex("01")).error() == errc::unexpected_end);
  CHECK(relay::read_player_id(test::from_hex("0100")).error() == errc::unexpected_end);
  CHECK(*relay::read_player_id(test::from_hex("010005")) == 5);
  CHECK(*relay::read_player_id(test::from_hex("01ff9bffff")) == relay::max_client_id);
}

TEST_CASE("relay 2: messages of an id and a player take three bytes", "[relay][message]") {
  CHECK(test::to_hex(relay::encode_new_client(1)) == "000001");
  CHECK(test::to_hex(relay::encode_client_disconnects(256)) == "010100");
  CHECK(test::to_hex(relay::encode_client_gets_kicked(65435)) == "01ff9b");
  CHECK(test::to_hex(relay::server_rpc_header(2)) == "020002");
}

TEST_CASE("relay 3.2: player 0 is the host", "[relay][message]") {
  CHECK(relay::HandshakeResponse{0, 7, 1}.is_host());
  CHECK_FALSE(relay::HandshakeResponse{1, 7, 1}.is_host());
}

TEST_CASE("relay 3.2: what follows the 13th byte is handed out as it is", "[relay][message]") {
  const auto message = test::from_hex(
      "06000100020000000000000003"
      "5258");
  const auto reply = relay::decode_handshake_reply(message);
  REQUIRE(reply);
  CHECK(std::get<relay::HandshakeResponse>(reply->outcome) == relay::HandshakeResponse{1, 2, 3});
  CHECK(test::to_hex(reply->trailer) == "5258");
}

TEST_CASE("relay 3.2: a SERVER_ERROR is a refusal with its text", "[relay][message]") {
  const auto message = relay::encode_server_error("Unknown game g.");
  const auto reply = relay::decode_handshake_reply(message);
  REQUIRE(reply);
  CHECK(std::get<relay::HandshakeRefusal>(reply->outcome).text == "Unknown game g.");
  CHECK(reply->trailer.empty());
}

TEST_CASE("relay: only a SERVER_ERROR has a text", "[relay][message]") {
  CHECK(relay::decode_server_error({}).error() == errc::unexpected_end);
  CHECK(relay::decode_server_error(test::from_hex("0641")).error() == errc::bad_value);
  CHECK(*relay::decode_server_error(test::from_hex("05")) == "");
}

TEST_CASE("relay 5.4: the sync filter has one row for each message", "[relay][sync]") {
  using relay::FromHost;
  using relay::sync_step;
  using relay::SyncStep;
  static_assert(sync_step(false, FromHost::delta_update) == SyncStep{false, false});
  static_assert(sync_step(true, FromHost::delta_update) == SyncStep{true, true});
  static_assert(sync_step(false, FromHost::full_update) == SyncStep{true, true});
  static_assert(sync_step(true, FromHost::full_update) == SyncStep{false, true});
  static_assert(sync_step(false, FromHost::reset) == SyncStep{true, true});
  static_assert(sync_step(true, FromHost::reset) == SyncStep{true, true});
  for (const bool is_synced : {false, true}) {
    CHECK(sync_step(is_synced, FromHost::client_gets_kicked) == SyncStep{false, is_synced});
    CHECK(sync_step(is_synced, FromHost::server_disconnects) == SyncStep{false, is_synced});
  }
}
