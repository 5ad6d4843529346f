// SPDX-License-Identifier: MIT
// Challenges, the queue, tournaments, and what is told about them by HTTP.
#include "lobby_world.hpp"

#include <set>

using test::Json;
using test::LobbyWorld;
using test::Peer;
using namespace std::chrono_literals;

namespace {

using lobby_program::TournamentConfig;
using lobby_program::TournamentRun;

const std::string challenge = "/api/external-api/challenges/house-bot";
const std::string queue = "/api/external-api/matchmaking/";

// A short match of the house's bots is over in seconds.
LobbyWorld::Config quick() {
  LobbyWorld::Config config;
  config.dispatcher.game = "poker";
  config.dispatcher.rules.holdem.starting_stack = 200;
  config.dispatcher.rules.holdem.hands_per_level = 4;
  return config;
}

TournamentRun::Config tournament(TournamentConfig::Format format, std::size_t house_bots) {
  TournamentRun::Config config;
  config.tournament.format = format;
  config.bots = 0;
  config.house_bots = house_bots;
  return config;
}

}  // namespace

TEST_CASE("api: a challenge starts a match against the house", "[lobby]") {
  LobbyWorld world;
  Peer& ann = world.stay(world.bots[0]);
  const std::string& token = world.bots[0].token;
  const auto [status, answer] = world.request("POST", challenge, token);
  REQUIRE(status == 200);
  CHECK(answer["status"] == "dispatching");
  CHECK(answer["gateway_ws_url"].is_null());
  CHECK(answer["opponent"] == "house");
  CHECK(answer["opponent_bot_id"].is_null());
  CHECK(answer["rated"] == false);
  CHECK(answer["decision_timeout_ms"] == 30'000);
  const Json matched = ann.last("matched");
  CHECK(matched["match_id"] == answer["match_id"]);
  CHECK(matched["participant_id"] == answer["participant_id"]);

  Peer& seat = world.take_seat(matched, token);
  LobbyWorld::play(seat);
  REQUIRE(seat.count("turn_request") == 1);
  seat.say(LobbyWorld::first_action(seat.last("turn_request")));
  world.network.run_for(20s);
  CHECK(seat.last("match_end")["reason"] == "complete");
  CHECK(seat.closed == 1000);
  CHECK(world.dispatcher.stats().completed == 1);
}

TEST_CASE("api: a challenge that cannot be is refused with its code", "[lobby]") {
  LobbyWorld world;
  const std::string& token = world.bots[0].token;
  const auto code = [&](const std::string& with, const std::string& body = {}) {
    const auto [status, answer] = world.request("POST", challenge, with, body);
    CHECK(lobby_program::is_uuid(answer["request_id"].get<std::string>()));
    CHECK(!answer["message"].get<std::string>().empty());
    return std::to_string(status) + " " + answer["error_code"].get<std::string>();
  };
  CHECK(code("") == "401 UNAUTHORIZED");
  CHECK(code("cz_extbot_0123456789ABCDEFGHIJabcdefghij01") == "401 UNAUTHORIZED");
  CHECK(code(token) == "409 EXT_BOT_OFFLINE");
  world.stay(world.bots[0]);
  CHECK(code(token, "{bad") == "400 INVALID_BODY");
  CHECK(code(token, "[]") == "400 INVALID_BODY");
  CHECK(code(token, R"({"stake":1})") == "400 INVALID_BODY");
  CHECK(code(token, R"({"opponent":7})") == "400 INVALID_BODY");
  CHECK(code(token, R"({"opponent":"shark"})") == "400 EXTAPI_HOUSE_BOT_NOT_FOUND");
  CHECK(code(token, R"({"bot_id":")" + world.bots[1].bot.id + "\"}") == "403 NOT_YOUR_BOT");
  CHECK(world.matches.running() == 0);

  for (int i = 0; i < 4; ++i) {
    CHECK(world.request("POST", challenge, token, R"({"opponent":"house"})").first == 200);
  }
  CHECK(code(token) == "429 TOKEN_AT_CONCURRENT_MATCH_CAP");

  // Each token of a bot has a cap of its own.
  const std::string second = world.accounts.issue(world.bots[0].bot, world.entropy);
  CHECK(world.request("POST", challenge, second).first == 200);
  CHECK(world.matches.running() == 5);
}

TEST_CASE("api: the queue pairs who came first, and lets nobody wait for ever", "[lobby]") {
  LobbyWorld world;
  for (const test::TestBot& bot : world.bots) world.stay(bot);
  const auto ask = [&](std::size_t bot, const char* what) {
    const bool is_get = std::string_view{what} == "status";
    return world.request(is_get ? "GET" : "POST", queue + what, world.bots[bot].token).second;
  };
  CHECK(ask(0, "status")["status"] == "idle");
  CHECK(ask(0, "leave")["status"] == "not_queued");
  Json joined = ask(0, "join");
  CHECK(joined["status"] == "queued");
  CHECK(joined["position"] == 1);
  CHECK(joined["queue_ttl_seconds"] == 60);
  CHECK(joined["rated"] == true);
  CHECK(ask(0, "join")["position"] == 1);
  CHECK(world.matches.running() == 0);
  CHECK(ask(0, "leave")["status"] == "left");
  CHECK(ask(0, "status")["status"] == "idle");

  ask(0, "join");
  world.network.run_for(59s);
  CHECK(ask(0, "status")["waiting_seconds"] == 59);
  world.network.run_for(1s);
  CHECK(ask(0, "status")["status"] == "timed_out");
  CHECK(ask(0, "status")["status"] == "idle");

  ask(0, "join");
  CHECK(ask(1, "join")["status"] == "matched");
  CHECK(ask(0, "status")["status"] == "matched");
  CHECK(ask(2, "join")["position"] == 1);
  CHECK(world.matches.running() == 1);
}

TEST_CASE("api: who leaves the lobby leaves the queue", "[lobby]") {
  LobbyWorld world;
  Peer& ann = world.stay(world.bots[0]);
  world.stay(world.bots[1]);
  world.request("POST", queue + "join", world.bots[0].token);
  world.network.cut(*ann.connection);
  world.network.run_until_quiet();
  const Json answer = world.request("POST", queue + "join", world.bots[1].token).second;
  CHECK(answer["status"] == "queued");
  CHECK(answer["position"] == 1);
}

TEST_CASE("tournament: the house's bots play each format to its end", "[lobby]") {
  const auto [format, matches] = GENERATE(
      table<TournamentConfig::Format, std::uint64_t>({{TournamentConfig::Format::round_robin, 12},
                                                      {TournamentConfig::Format::swiss, 4},
                                                      {TournamentConfig::Format::elimination, 3}}));
  LobbyWorld world{quick()};
  bool is_over = false;
  world.dispatcher.run(tournament(format, 4), [&] { is_over = true; });
  CHECK(world.dispatcher.tournament()->table().empty());
  for (int minutes = 0; minutes < 240 && !is_over; ++minutes) world.network.run_for(60s);
  REQUIRE(is_over);
  CHECK(world.dispatcher.stats().tournament_matches >= matches);
  CHECK(world.dispatcher.stats().completed == world.dispatcher.stats().tournament_matches);
  CHECK(world.matches.running() == 0);

  const Json shown = world.request("GET", "/tournament.json").second;
  CHECK(shown["state"] == "over");
  CHECK(shown["played"] == world.dispatcher.stats().tournament_matches);
  REQUIRE(shown["standings"].size() == 4);
  std::int64_t net = 0;
  for (const Json& line : shown["standings"]) net += line["net"].get<std::int64_t>();
  CHECK(net == 0);
  const std::string table = world.dispatcher.tournament()->table();
  CHECK(std::count(table.begin(), table.end(), '\n') == 5);
}

TEST_CASE("tournament: the same seed gives the same table", "[lobby]") {
  const auto play = [](std::uint8_t seed) {
    LobbyWorld world{quick()};
    TournamentRun::Config config = tournament(TournamentConfig::Format::round_robin, 3);
    config.seed[0] = std::byte{seed};
    bool is_over = false;
    world.dispatcher.run(config, [&] { is_over = true; });
    for (int minutes = 0; minutes < 240 && !is_over; ++minutes) world.network.run_for(60s);
    REQUIRE(is_over);
    return world.dispatcher.tournament()->table();
  };
  const std::string table = play(1);
  CHECK(play(1) == table);
  CHECK(play(2) != table);
}

TEST_CASE("tournament: it begins when so many bots are online, and tells both of each match",
          "[lobby]") {
  LobbyWorld world;
  TournamentRun::Config config = tournament(TournamentConfig::Format::elimination, 0);
  config.bots = 2;
  bool is_over = false;
  world.dispatcher.run(config, [&] { is_over = true; });
  Peer& ann = world.stay(world.bots[0]);
  CHECK(ann.count("matched") == 0);
  CHECK(world.request("GET", "/tournament.json").second["gathered"] == 1);
  const auto denied = world.request("POST", queue + "join", world.bots[0].token);
  CHECK(denied.first == 403);
  CHECK(denied.second["error_code"] == "EXTAPI_MATCHMAKING_INELIGIBLE");

  Peer& bob = world.stay(world.bots[1]);
  REQUIRE(ann.count("matched") == 1);
  REQUIRE(bob.count("matched") == 1);
  CHECK(ann.last("matched")["rated"] == true);
  CHECK(!ann.last("matched").contains("decision_timeout_ms"));
  CHECK(ann.last("matched")["match_id"] == bob.last("matched")["match_id"]);

  // Who comes later does not take part.
  CHECK(world.stay(world.bots[2]).count("matched") == 0);

  // One does not come to the table: the other has won.
  world.take_seat(ann.last("matched"), world.bots[0].token);
  world.network.run_for(31s);
  CHECK(is_over);
  const Json standings = world.request("GET", "/results.json").second["standings"];
  REQUIRE(standings.size() == 2);
  CHECK(standings[0]["name"] == "Ann");
  CHECK(standings[0]["wins"] == 1);
  CHECK(standings[1]["wins"] == 0);
}

TEST_CASE("tournament: who stays away is withdrawn, so that it ends", "[lobby]") {
  LobbyWorld world;
  TournamentRun::Config config = tournament(TournamentConfig::Format::round_robin, 0);
  config.bots = 3;
  config.patience = 90s;
  bool is_over = false;
  world.dispatcher.run(config, [&] { is_over = true; });
  std::vector<Peer*> lobbies;
  for (const test::TestBot& bot : world.bots) {
    Peer& lobby = world.stay(bot);
    lobbies.push_back(&lobby);
    lobby.when_frame = [&world, &lobby, token = bot.token](const Json& frame) {
      if (frame["type"] == "ping") lobby.say({{"type", "pong"}});
    };
  }
  // All leave but one, who takes no seat.
  world.network.cut(*lobbies[0]->connection);
  world.network.cut(*lobbies[1]->connection);
  world.network.run_for(80s);
  CHECK(!is_over);
  world.network.run_for(60s);
  CHECK(is_over);
}

TEST_CASE("api: results are listed newest first, and a match as spectators may see it", "[lobby]") {
  LobbyWorld world;
  world.dispatcher.run(tournament(TournamentConfig::Format::round_robin, 2), [] {});
  world.network.run_for(1s);
  const Json shown = world.request("GET", "/tournament.json").second;
  REQUIRE(shown["matches"].size() == 1);
  const std::string id = shown["matches"][0]["id"];
  const auto [status, match] = world.request("GET", "/matches/" + id + ".json");
  REQUIRE(status == 200);
  CHECK(match["seats"].size() == 2);
  CHECK(match["state"]["board"].size() == 9);
  CHECK(!match["state"].contains("mark"));  // a seat's own
  CHECK(!match["actions"].empty());
  CHECK(match["actions"].size() <= 20);

  world.network.run_for(60s);
  const Json results = world.request("GET", "/results.json").second;
  REQUIRE(results["matches"].size() == 2);
  CHECK(results["matches"][1]["id"] == id);
  CHECK(results["matches"][0]["number"] == 2);
  CHECK(results["matches"][0]["status"] == "completed");
  CHECK(results["matches"][0]["players"].size() == 2);
  CHECK(world.request("GET", "/matches/" + id + ".json").first == 404);
}
