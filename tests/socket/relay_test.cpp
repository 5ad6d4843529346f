// SPDX-License-Identifier: MIT
// Scenarios of docs/protocol/relay.md over real sockets, byte for byte.
#include "support/socket_world.hpp"
#include "support/vectors.hpp"

#include <muster/relay/error_text.hpp>
#include <muster/relay/join_request.hpp>
#include <muster/relay/service.hpp>

#include <optional>

using namespace muster;
using namespace std::chrono_literals;
using test::each_backend;
using test::RawClient;
using Messages = std::vector<std::string>;

namespace {

struct RelayWorld : test::LoopWorld {
  explicit RelayWorld(test::Backend backend, duration join_timeout = 10s)
      : LoopWorld(backend), relay(config(join_timeout), loop.outbox(), entropy, mac) {
    REQUIRE(!server.listen("127.0.0.1:0"));
    // What the relay draws as tokens: nothing else uses its entropy.
    SeededEntropy same{42};
    for (int i = 0; i < 6; ++i) (void)same.next_u64();  // what the relay keeps for itself
    for (auto& token : tokens) token = same.next_u64();
  }

  static relay::Service::Config config(duration join_timeout) {
    relay::Service::Config out;
    out.games.games = {{"trictrac", {}}, {"pair", {2}}};
    out.join_timeout = join_timeout;
    // Who is lost is gone: nobody here waits for a grace in real time.
    out.rooms.host_grace = out.rooms.player_grace = 0s;
    out.rooms.state_cache = 0;
    return out;
  }

  RawClient& connect() {
    RawClient& client = *owned.emplace_back(std::make_unique<RawClient>(server.port()));
    clients.push_back(&client);
    client.send(RawClient::upgrade_request());
    REQUIRE(run_until([&] { return client.is_upgraded(); }));
    return client;
  }

  RawClient& ask(std::string_view game, std::string_view room, unsigned rule, bool create) {
    const auto bytes = relay::encode_join_request(
        {game, room, static_cast<std::uint16_t>(rule), create, std::nullopt, {}});
    REQUIRE(bytes);
    RawClient& client = connect();
    client.send(RawClient::frame(as_text(*bytes)));
    REQUIRE(run_until([&] { return !client.frames().empty(); }));
    return client;
  }
  RawClient& create(std::string_view room = "room-42") { return ask("trictrac", room, 3, true); }
  RawClient& join(std::string_view room = "room-42") { return ask("trictrac", room, 9, false); }

  void send(RawClient& client, std::string_view hex) {
    const auto bytes = test::from_hex(hex);
    client.send(RawClient::frame(as_text(bytes)));
  }

  // What came, in hex, once it is that much.
  Messages heard(RawClient& client, std::size_t count) {
    INFO("messages so far: " << client.messages().size() << " of " << count);
    REQUIRE(run_until([&] { return client.messages().size() >= count; }));
    settle();
    Messages out;
    for (const auto& message : client.messages()) out.push_back(test::to_hex(as_bytes(message)));
    return out;
  }

  void expect_end(RawClient& client, relay::Ending ending, std::string_view text = {}) {
    INFO("ending " << relay::rule_of(ending).name);
    REQUIRE(run_until([&] { return client.close_code() != 0; }));
    CHECK(client.close_code() == relay::rule_of(ending).code);
    if (text.empty()) text = relay::rule_of(ending).text;
    REQUIRE_FALSE(client.messages().empty());
    CHECK(client.messages().back() == "\x05" + std::string{text});
    CHECK(relay.stats().endings[static_cast<std::size_t>(ending)] == 1);
    CHECK_FALSE(client.was_reset());
  }

  static std::string welcome(unsigned id, unsigned rule, std::uint64_t token) {
    std::string bytes{"\x06"};
    bytes += static_cast<char>(id >> 8U);
    bytes += static_cast<char>(id);
    bytes += static_cast<char>(rule >> 8U);
    bytes += static_cast<char>(rule);
    for (unsigned shift = 64; shift != 0; shift -= 8)
      bytes += static_cast<char>(token >> (shift - 8));
    return test::to_hex(as_bytes(bytes));
  }

  SeededEntropy entropy{42};
  std::array<std::uint64_t, 4> tokens{};
  SeededEntropy masks{1};
  WeakMac mac;
  relay::Service relay;
  muster::asio::WebSocketServer server{loop, {}, masks, relay};
  std::vector<std::unique_ptr<RawClient>> owned;
};

}  // namespace

TEST_CASE("socket relay: create then join", "[relay]") {
  RelayWorld world{each_backend()};
  RawClient& host = world.create();
  RawClient& client = world.join();
  CHECK(world.heard(host, 2) == Messages{RelayWorld::welcome(0, 3, world.tokens[0]), "000001"});
  CHECK(world.heard(client, 1) == Messages{RelayWorld::welcome(1, 3, world.tokens[1])});
  world.send(host, "03aa");
  CHECK(world.heard(client, 2) == Messages{RelayWorld::welcome(1, 3, world.tokens[1]), "03aa"});
  CHECK(host.messages().size() == 2);
  CHECK(world.relay.room_count() == 1);
  CHECK(world.relay.member_count() == 2);
}

TEST_CASE("socket relay: a client gets the state once, and changes only after it", "[relay]") {
  RelayWorld world{each_backend()};
  RawClient& host = world.create();
  RawClient& early = world.join();
  world.heard(host, 2);
  world.send(host, "02bb");  // a delta: nobody has the state
  world.send(host, "03aa");
  CHECK(world.heard(early, 2).back() == "03aa");
  RawClient& late = world.join();
  world.heard(host, 3);
  world.send(host, "02cc");
  CHECK(world.heard(early, 3).back() == "02cc");
  CHECK(late.messages().size() == 1);
  world.send(host, "03dd");  // for the newcomer alone
  world.send(host, "02ee");
  CHECK(world.heard(late, 3) ==
        Messages{RelayWorld::welcome(2, 3, world.tokens[2]), "03dd", "02ee"});
  world.send(host, "04ff");
  CHECK(world.heard(late, 4).back() == "04ff");
  CHECK(world.heard(early, 5) ==
        Messages{RelayWorld::welcome(1, 3, world.tokens[1]), "03aa", "02cc", "02ee", "04ff"});
}

TEST_CASE("socket relay: rpcs reach the host with the sender's id", "[relay]") {
  RelayWorld world{each_backend()};
  RawClient& host = world.create();
  RawClient& client = world.join();
  world.heard(host, 2);
  world.send(client, "02c0ffee");
  CHECK(world.heard(host, 3).back() == "020001c0ffee");
}

TEST_CASE("socket relay: a client that is kicked", "[relay]") {
  RelayWorld world{each_backend()};
  RawClient& host = world.create();
  RawClient& client = world.join();
  world.heard(host, 2);
  world.send(host, "010001");
  world.expect_end(client, relay::Ending::kicked);
  CHECK(world.heard(host, 3).back() == "010001");
  CHECK(world.relay.member_count() == 1);
}

TEST_CASE("socket relay: a client that leaves", "[relay]") {
  RelayWorld world{each_backend()};
  RawClient& host = world.create();
  RawClient& client = world.join();
  world.send(client, "03");
  CHECK(world.heard(host, 3) ==
        Messages{RelayWorld::welcome(0, 3, world.tokens[0]), "000001", "010001"});
  world.join().reset();
  world.clients.pop_back();
  CHECK(world.heard(host, 5).back() == "010002");
  CHECK(world.relay.member_count() == 1);
}

TEST_CASE("socket relay: the host is lost", "[relay]") {
  RelayWorld world{each_backend()};
  world.create().reset();
  world.clients.clear();
  REQUIRE(world.run_until([&] { return world.relay.room_count() == 0; }));
  RawClient& host = world.create();
  RawClient& client = world.join();
  world.heard(host, 2);
  host.reset();
  world.expect_end(client, relay::Ending::host_gone);
  CHECK(world.relay.room_count() == 0);
}

TEST_CASE("socket relay: an unknown game", "[relay]") {
  RelayWorld world{each_backend()};
  RawClient& client = world.ask("chess", "room-42", 0, true);
  world.expect_end(client, relay::Ending::unknown_game, relay::error_text::unknown_game("chess"));
}

TEST_CASE("socket relay: a connection that never says what it wants", "[relay]") {
  RelayWorld world{each_backend(), 100ms};
  RawClient& client = world.connect();
  world.expect_end(client, relay::Ending::handshake_failed);
  client.send(RawClient::close_frame());
  REQUIRE(world.run_until([&] { return client.is_at_end(); }));
}

TEST_CASE("socket relay: a drain ends everybody with the text for it", "[relay]") {
  RelayWorld world{each_backend()};
  RawClient& host = world.create();
  RawClient& client = world.join();
  world.heard(host, 2);
  bool done = false;
  world.server.drain(10s, [&] { done = true; });
  REQUIRE(world.run_until([&] { return host.close_code() != 0 && client.close_code() != 0; }));
  CHECK(host.close_code() == 1001);
  CHECK(client.close_code() == 1001);
  CHECK(client.messages().back() ==
        "\x05" + std::string{relay::rule_of(relay::Ending::relay_drains).text});
  for (RawClient* const peer : {&host, &client}) peer->send(RawClient::close_frame(1001));
  REQUIRE(world.run_until([&] { return done; }));
}
