// SPDX-License-Identifier: MIT
// Shards on two loops in two threads, and subscribers who connect to either of them.
#include <muster/asio/loop_group.hpp>
#include <muster/mac.hpp>
#include <muster/placement.hpp>
#include <muster/shard/matchmaker.hpp>

#include "support/shard_players.hpp"
#include "support/socket_world.hpp"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

using namespace muster;
using namespace std::chrono_literals;
using muster::shard::AnyShard;
using muster::shard::Client;
using muster::shard::Guests;
using muster::shard::Parting;
using muster::shard::Shard;
using test::Board;
using test::BoardHandler;
using test::each_backend;
using test::RawClient;

namespace {

constexpr std::uint32_t loop_count = 2;

// Two loops with a front end and a listener each, on ports of their own, so that a test knows where
// it arrives.
struct ShardGroup {
  struct OnLoop {
    OnLoop(muster::asio::Loop& loop, std::uint64_t seed)
        : entropy(seed), service({}, registry, loop.outbox(), entropy) {
      service.set_authenticator(&tokens);
    }
    SeededEntropy entropy;
    test::TwoTokens tokens;
    shard::Registry registry;
    shard::Service service;
    std::unique_ptr<muster::asio::WebSocketServer> server;
  };

  explicit ShardGroup(test::Backend backend)
      : group(loop_count, test::LoopWorld::with({}, backend)), handover(group.make_handover()) {
    std::vector<shard::Service*> services;
    for (std::uint32_t i = 0; i < loop_count; ++i) {
      loops.push_back(std::make_unique<OnLoop>(group.loop(i), i + 1));
      services.push_back(&loops[i]->service);
    }
    for (std::uint32_t i = 0; i < loop_count; ++i) {
      OnLoop& on = *loops[i];
      on.service.join_loops(placement, i, services, group.make_post());
      on.server = std::make_unique<muster::asio::WebSocketServer>(
          group.loop(i), muster::asio::WebSocketServer::Config{}, on.entropy, on.service);
      on.server->join(handover, i);
      REQUIRE(!on.server->listen("127.0.0.1:0"));
    }
  }
  ~ShardGroup() { stop(); }
  void stop() {
    group.stop([this](std::size_t i, auto done) { loops[i]->server->drain(5s, done); });
  }

  // Before the loops run. An id that lives on that loop.
  std::string add(std::uint32_t loop, const AnyShard::Config& config) {
    for (;; ++last) {
      std::string id = "shard-" + std::to_string(last);
      if (placement.of(as_bytes(id)) != loop) continue;
      ++last;
      const time_point now = std::chrono::steady_clock::now();
      REQUIRE(loops[loop]->registry.insert(id, std::make_unique<Shard<Board>>(config, Board{}, now),
                                           now));
      return id;
    }
  }
  [[nodiscard]] std::string origin(std::uint32_t loop) const {
    return "ws://127.0.0.1:" + std::to_string(loops[loop]->server->port());
  }

  int last = 0;
  SeededEntropy entropy{9};
  Placement placement{entropy, loop_count};
  muster::asio::LoopGroup group;
  muster::asio::Handover handover;
  std::vector<std::unique_ptr<OnLoop>> loops;
};

// The loop of all clients.
struct Clients {
  struct Player {
    BoardHandler handler;
    std::optional<Client> client;
  };

  explicit Clients(test::Backend backend) : world(backend), dialer(world.loop, {}, world.entropy) {}
  ~Clients() {
    for (const auto& player : players) world.loop.remove(*player->client);
  }
  Player& join(const std::string& origin, const std::string& query, std::string_view token = {}) {
    Player& player = *players.emplace_back(std::make_unique<Player>());
    const Client::Config config{
        .dial = test::board_dial(origin, "/?v=2&format=binary&" + query, token),
        .reconnects = false};
    player.client.emplace(config, dialer, world.loop.outbox(), world.entropy, player.handler);
    world.loop.add(*player.client);
    REQUIRE(!player.client->start(world.loop.now()));
    return player;
  }
  template <class What>
  bool run_until_all(What what) {
    return world.run_until([&] {
      return std::all_of(players.begin(), players.end(),
                         [&](const auto& player) { return what(*player); });
    });
  }

  test::LoopWorld world;
  std::vector<std::unique_ptr<Player>> players;  // whom the dialer tells at its end
  muster::asio::WebSocketClient dialer;
};

// Makes the shard of a match on the loop where it lives. Used on loop 0.
struct MatchMaking final : muster::shard::MatchHandler {
  explicit MatchMaking(ShardGroup& group) : shards(group) {
    for (std::uint32_t i = 0; i < loop_count; ++i) {
      signers.push_back(std::make_unique<muster::shard::TicketSigner>(macs[i], key));
    }
    const muster::shard::Matchmaker::Config config{.modes = {{.name = "duel"}},
                                                   .pass_interval = 10ms};
    const time_point now = std::chrono::steady_clock::now();
    const std::chrono::sys_seconds unix_now{1'700'000'000s};
    matchmaker.emplace(config, key, entropy, mac, *this, now, unix_now);
    for (std::uint32_t i = 0; i < loop_count; ++i) {
      shard::Service& service = shards.loops[i]->service;
      service.accept_tickets(*signers[i], i == 0 ? &*matchmaker : nullptr, now, unix_now);
      service.matchmaker_on(0);
    }
    shards.loops[0]->service.serve_matches(*matchmaker);
  }
  bool on_match(const muster::shard::Match& match, time_point) override {
    const std::uint32_t home = shards.loops[0]->service.home_of(match.shard);
    return shards.group.make_post()(home, [this, home, id = match.shard](time_point now) {
      const AnyShard::Config config{.hz = 20, .max_subscribers = 2};
      auto made = std::make_unique<Shard<Board>>(config, Board{}, now);
      if (shards.loops[home]->registry.insert(id, std::move(made), now)) ++made_shards;
    });
  }

  ShardGroup& shards;
  SeededEntropy entropy{17};
  muster::shard::TicketSigner::Key key{std::byte{1}};
  WeakMac mac;
  WeakMac macs[loop_count];
  std::vector<std::unique_ptr<muster::shard::TicketSigner>> signers;
  std::optional<muster::shard::Matchmaker> matchmaker;
  std::atomic<int> made_shards = 0;
};

// The whole answer of a loop to one request.
std::string answer_of(test::LoopWorld& world, const ShardGroup& shards, std::uint32_t loop,
                      const std::string& request) {
  RawClient client{shards.loops[loop]->server->port()};
  world.clients.push_back(&client);
  client.send(request);
  const bool has_ended = world.run_until([&] { return client.is_at_end(); });
  std::erase(world.clients, &client);
  REQUIRE(has_ended);
  return client.input;
}

}  // namespace

TEST_CASE("socket shard loops: two hundred subscribers of eight shards, and who replaces whom",
          "[shard][handover]") {
  const test::Backend backend = each_backend();
  ShardGroup shards{backend};
  std::vector<std::string> ids;
  for (std::uint32_t i = 0; i < 8; ++i) {
    ids.push_back(shards.add(i % 2, {.hz = 20, .guests = Guests::named}));
  }
  shards.group.start();
  Clients clients{backend};
  constexpr std::size_t count = 200;
  const auto query = [&](std::size_t i) {
    return "shard=" + ids[i % 8] + "&sid=p" + std::to_string(i);
  };
  // Half of each shard's arrive on its own loop.
  const auto loop_of = [](std::size_t i) { return static_cast<std::uint32_t>(i / 8 % 2); };
  for (std::size_t i = 0; i < count; ++i) clients.join(shards.origin(loop_of(i)), query(i));
  REQUIRE(clients.run_until_all(
      [](const Clients::Player& player) { return player.client->tick() >= 2; }));
  for (std::size_t i = 0; i < count; ++i) {
    CHECK(clients.players[i]->client->sid() == "p" + std::to_string(i));
    REQUIRE(clients.players[i]->client->input(as_bytes(std::string_view{"3=q"})));
  }
  REQUIRE(clients.run_until_all([](const Clients::Player& player) {
    return player.handler.acked() == 1 && player.handler.board == "...q......";
  }));

  // Those who come again come by the other loop.
  for (std::size_t i = 0; i < 16; ++i) clients.join(shards.origin(1 - loop_of(i)), query(i));
  REQUIRE(clients.world.run_until([&] {
    return std::all_of(clients.players.begin(), clients.players.begin() + 16,
                       [](const auto& player) { return player->handler.ended.has_value(); }) &&
           std::all_of(clients.players.begin() + count, clients.players.end(),
                       [](const auto& player) { return player->client->tick() >= 2; });
  }));
  for (std::size_t i = 0; i < 16; ++i) {
    CHECK(clients.players[i]->handler.ended == Parting::replaced);
  }
  for (std::size_t i = 16; i < clients.players.size(); ++i) {
    CHECK_FALSE(clients.players[i]->handler.ended);
    CHECK(clients.players[i]->handler.is_in_order());
  }

  // All are told that it is over.
  std::thread stopper{[&shards] { shards.stop(); }};
  const bool have_ended = clients.run_until_all(
      [](const Clients::Player& player) { return player.handler.ended.has_value(); });
  stopper.join();
  REQUIRE(have_ended);
  for (std::size_t i = 16; i < clients.players.size(); ++i) {
    CHECK(clients.players[i]->handler.ended == Parting::server_away);
  }
  std::uint64_t given = 0;
  for (const auto& on : shards.loops) {
    given += on->service.stats().connections_given;
    CHECK(on->service.stats().unanswered == 0);
    on->registry.list([](std::string_view, const AnyShard& shard) {
      CHECK(shard.subscriber_count() == 0);
      return true;
    });
  }
  CHECK(given == count / 2 + 8);  // half of them, and half of those who replaced one
}

TEST_CASE("socket shard loops: what is refused is refused alike on both, before the upgrade",
          "[shard][handover]") {
  const test::Backend backend = each_backend();
  ShardGroup shards{backend};
  const std::string id = shards.add(1, {.hz = 20});
  const std::string full = shards.add(1, {.hz = 20, .max_subscribers = 1, .guests = Guests::named});
  const std::string taken = shards.add(
      1, {.hz = 20, .guests = Guests::named, .duplicates = muster::shard::Duplicates::reject});
  shards.group.start();
  Clients clients{backend};
  clients.join(shards.origin(0), "shard=" + full + "&sid=x");
  clients.join(shards.origin(0), "shard=" + taken + "&sid=x");
  clients.join(shards.origin(0), "shard=" + id, "tok-alice");
  REQUIRE(clients.run_until_all(
      [](const Clients::Player& player) { return player.client->tick() >= 1; }));
  const std::string alice = "Authorization: Bearer tok-alice\r\n";
  const auto upgrade = [](const std::string& query, const std::string& fields = {}) {
    return RawClient::upgrade_request("/?" + query, fields);
  };
  const auto plain = [](const std::string& line, const std::string& fields = {}) {
    return line + " HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n";
  };
  const std::vector<std::pair<std::string, std::string>> cases{
      {upgrade("sid=x"), "400 "},
      {upgrade("shard=" + id), "401 "},
      {upgrade("shard=" + id + "&sid=bob", alice), "403 "},
      {upgrade("shard=nowhere"), "404 "},
      {upgrade("shard=" + taken + "&sid=x"), "409 "},
      {upgrade("shard=" + full + "&sid=y"), "503 "},
      {plain("GET /api/shards/" + id), "401 "},
      {plain("GET /api/shards/" + full + "/connect?sid=z"), "429 "},
      {plain("GET /api/shards", alice), "403 "}};
  for (const auto& [request, status] : cases) {
    INFO(request);
    const std::string here = answer_of(clients.world, shards, 1, request);
    CHECK(here.starts_with("HTTP/1.1 " + status));
    CHECK(answer_of(clients.world, shards, 0, request) == here);
  }
}

TEST_CASE("socket shard loops: inputs by POST and streams of events reach shards of the other loop",
          "[shard][handover][stream]") {
  const test::Backend backend = each_backend();
  ShardGroup shards{backend};
  const std::string id = shards.add(1, {.hz = 20});
  shards.group.start();
  test::LoopWorld world{backend};
  const std::string fields = " HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer tok-alice\r\n";
  RawClient reader{shards.loops[0]->server->port()};
  world.clients.push_back(&reader);
  reader.send("GET /api/shards/" + id + "/connect" + fields + "\r\n");
  REQUIRE(world.run_until(
      [&] { return reader.body().find("data: \"..........\"") != std::string::npos; }));
  const std::string input = R"({"input":"2=z"})";
  const std::string posted =
      answer_of(world, shards, 0,
                "POST /api/shards/" + id + "/input" + fields +
                    "Content-Length: " + std::to_string(input.size()) + "\r\n\r\n" + input);
  CHECK(posted.ends_with(R"({"accepted":true,"seq":1})"));
  REQUIRE(world.run_until(
      [&] { return reader.body().find("data: \"..z.......\"") != std::string::npos; }));
  const std::string info = answer_of(world, shards, 0, "GET /api/shards/" + id + fields + "\r\n");
  CHECK(info.find(R"("subscribers":1)") != std::string::npos);
  world.clients.clear();
  reader.close();
  shards.stop();
  CHECK(shards.loops[0]->service.stats().connections_given == 1);
}

TEST_CASE("socket shard loops: players are matched, and meet in a shard of whichever loop",
          "[shard][match][handover]") {
  const test::Backend backend = each_backend();
  std::optional<MatchMaking> matches;  // outlives the services
  ShardGroup shards{backend};
  matches.emplace(shards);
  shards.group.start();
  Clients clients{backend};
  const auto fields = [](std::string_view token) {
    return " HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + std::string{token} + "\r\n";
  };
  // The first is alone for a while; both ask where the matchmaker is not.
  const std::string body = R"({"mode":"duel"})";
  for (int round = 0; round < 8; ++round) {
    for (const std::string_view token : {"tok-alice", "tok-bob"}) {
      const std::string answer = answer_of(clients.world, shards, 1,
                                           "POST /api/match" + fields(token) + "Content-Length: " +
                                               std::to_string(body.size()) + "\r\n\r\n" + body);
      CHECK(answer.find("\"status\":\"queued\"") != std::string::npos);
    }
    for (const std::string_view token : {"tok-alice", "tok-bob"}) {
      const std::string answer =
          answer_of(clients.world, shards, 1, "GET /api/match?wait=8" + fields(token) + "\r\n");
      const auto value = [&answer](const std::string& name) {
        const std::size_t at = answer.find("\"" + name + "\":\"");
        REQUIRE(at != std::string::npos);
        const std::size_t begin = at + name.size() + 4;
        return answer.substr(begin, answer.find('"', begin) - begin);
      };
      CHECK(value("status") == "matched");
      clients.join(shards.origin(round % 2), "shard=" + value("shard_id"), value("ticket"));
    }
    REQUIRE(clients.run_until_all(
        [](const Clients::Player& player) { return player.client->tick() >= 1; }));
  }
  shards.stop();
  CHECK(matches->made_shards == 8);
  CHECK(matches->matchmaker->stats().claimed == 16);
}
