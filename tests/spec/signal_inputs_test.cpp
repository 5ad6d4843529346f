// SPDX-License-Identifier: MIT
// Every recorded input, in the situation that it is recorded for, and what is answered.
#include "support/catch.hpp"
#include "support/signal_world.hpp"
#include "support/vectors.hpp"

#include <functional>
#include <map>
#include <memory>
#include <string>

using namespace test;
using namespace std::chrono_literals;
using muster::signal::Config;
using nlohmann::json;

namespace {

// What a case needs: a world, and the client that is going to speak.
struct Scene {
  explicit Scene(const Config& config = SignalWorld::open_config()) : world(config) {}
  SignalWorld world;
  SignalClient* client = nullptr;
  std::string input;  // in place of the recorded one, where identifiers or sizes matter
};
using Setting = std::function<std::unique_ptr<Scene>()>;

json join_of(std::string_view name, std::string_view code = {}) {
  json data = {{"game_name", "tank-duel"}, {"player_name", name}};
  if (!code.empty()) data["room_code"] = code;
  return {{"type", "JoinRoom"}, {"data", data}};
}

std::unique_ptr<Scene> authenticated(const Config& config = SignalWorld::open_config()) {
  auto scene = std::make_unique<Scene>(config);
  scene->client = &scene->world.connect_v2();
  return scene;
}

std::unique_ptr<Scene> connected(const Config& config = SignalWorld::listed_config()) {
  auto scene = std::make_unique<Scene>(config);
  scene->client = &scene->world.connect();
  return scene;
}

std::unique_ptr<Scene> in_room(bool is_v3 = true) {
  auto scene = std::make_unique<Scene>();
  scene->client = is_v3 ? &scene->world.connect_mesh() : &scene->world.connect_v2();
  scene->world.join(*scene->client, "Ada");
  scene->client->take();
  return scene;
}

// Somebody else is in the room HK7T3W.
std::unique_ptr<Scene> with_room(const json& more = {},
                                 const Config& config = SignalWorld::open_config()) {
  auto scene = std::make_unique<Scene>(config);
  SignalClient& owner = scene->world.connect_v2();
  scene->world.join(owner, "ada", "HK7T3W", more);
  scene->client = &scene->world.connect_v2();
  return scene;
}

// The speaker is the second of two in a room.
std::unique_ptr<Scene> second(bool is_v3 = true, const json& more = {}) {
  auto scene = std::make_unique<Scene>();
  SignalClient& owner = scene->world.connect_mesh();
  scene->world.join(owner, "Bo", "HK7T3W", more);
  scene->client = is_v3 ? &scene->world.connect_mesh() : &scene->world.connect_v2();
  scene->world.join(*scene->client, "Ada", "HK7T3W");
  scene->client->take();
  return scene;
}

std::string signal_to(const std::string& target, const json& signal = 1) {
  return json{{"type", "Signal"},
              {"data",
               {{"to", target},
                {"generation", "5e5510ff-0000-4000-8000-00000000beef"},
                {"signal", signal}}}}
      .dump();
}

std::string reconnect_of(const SignalClient& lost, const std::string& token) {
  return json{
      {"type", "Reconnect"},
      {"data",
       {{"player_id", lost.player_id()}, {"room_id", lost.room_id()}, {"auth_token", token}}}}
      .dump();
}

const std::map<std::string, Setting>& settings() {
  static const std::map<std::string, Setting> all{
      {"auth.required.first", [] { return connected(); }},
      {"auth.unknown_app", [] { return connected(); }},
      {"auth.timeout",
       [] {
         auto scene = connected();
         scene->world.network.run_for(10s);
         return scene;
       }},
      {"auth.twice", [] { return authenticated(); }},
      {"auth.late",
       [] {
         auto scene = connected(SignalWorld::open_config());
         scene->client->send({{"type", "Ping"}});
         scene->world.settle();
         scene->client->take();
         return scene;
       }},
      {"auth.format_unsupported", [] { return connected(SignalWorld::open_config()); }},
      {"auth.version_low",
       [] {
         Config config = SignalWorld::listed_config();
         config.min_protocol_version = 3;
         return connected(config);
       }},
      {"auth.version_high", [] { return connected(SignalWorld::open_config()); }},
      {"auth.sdk_enforced",
       [] {
         Config config = SignalWorld::open_config();
         config.enforce_sdk_compatibility = true;
         config.minimum_sdk_versions = {{"unity", "1.10.0"}};
         return connected(config);
       }},
      {"join.full",
       [] {
         return with_room({{"max_players", 1}});
       }},
      {"join.name.taken", [] { return with_room(); }},
      {"join.twice", [] { return in_room(false); }},
      {"join.ratelimit.create",
       [] {
         Config config = SignalWorld::open_config();
         config.max_room_creations = 5;
         auto scene = authenticated(config);
         for (int i = 0; i < 5; ++i) {
           scene->client->send(join_of("Ada"));
           scene->client->send({{"type", "LeaveRoom"}});
         }
         scene->world.settle();
         CHECK(scene->client->count("RoomJoined") == 5);
         scene->client->take();
         return scene;
       }},
      {"join.ratelimit.join",
       [] {
         Config config = SignalWorld::open_config();
         config.max_join_attempts = 20;
         auto scene = with_room({}, config);
         for (int i = 0; i < 20; ++i) {
           scene->client->send(join_of("Bo", "HK7T3W"));
           scene->client->send({{"type", "LeaveRoom"}});
         }
         scene->world.settle();
         CHECK(scene->client->count("RoomJoined") == 20);
         scene->client->take();
         return scene;
       }},
      {"join.gamecap",
       [] {
         Config config = SignalWorld::open_config();
         config.max_rooms_per_game = 1;
         return with_room({}, config);
       }},
      {"join.drain",
       [] {
         auto scene = authenticated();
         scene->world.service.on_drain(scene->world.network.now());
         scene->world.settle();
         return scene;
       }},
      {"start.notready", [] { return in_room(); }},
      {"start.forbidden",
       [] {
         auto scene = second();
         for (auto& client : scene->world.clients) client->send({{"type", "PlayerReady"}});
         scene->world.settle();
         scene->client->take();
         return scene;
       }},
      {"start.again",
       [] {
         auto scene = in_room();
         scene->world.start_game({scene->client});
         scene->client->take();
         return scene;
       }},
      {"ready.finalized",
       [] {
         auto scene = in_room();
         scene->world.start_game({scene->client});
         scene->client->take();
         return scene;
       }},
      {"data.latest_nokey", [] { return in_room(); }},
      {"data.reliable_key", [] { return in_room(); }},
      {"data.class_on_v2", [] { return in_room(false); }},
      {"authority.unsupported",
       [] {
         auto scene = authenticated();
         scene->world.join(*scene->client, "Ada", {}, {{"supports_authority", false}});
         scene->client->take();
         return scene;
       }},
      {"authority.conflict", [] { return second(); }},
      {"authority.release_notheld", [] { return second(); }},
      {"reconnect.badtoken",
       [] {
         auto scene = in_room();
         const std::string input = reconnect_of(*scene->client, "bogus");
         scene->world.cut(*scene->client);
         scene->client = &scene->world.connect_v3();
         scene->input = input;
         return scene;
       }},
      {"reconnect.expired",
       [] {
         auto scene = in_room();
         const std::string input = reconnect_of(*scene->client, scene->client->token());
         scene->world.cut(*scene->client);
         scene->world.network.run_for(300s);
         scene->client = &scene->world.connect_v3();
         scene->input = input;
         return scene;
       }},
      {"signal.toolarge",
       [] {
         auto scene = second();
         scene->input = signal_to(scene->world.clients[0]->player_id(), std::string(16383, 's'));
         return scene;
       }},
      {"signal.noroom",
       [] {
         auto scene = std::make_unique<Scene>();
         scene->client = &scene->world.connect_mesh();
         return scene;
       }},
      {"signal.self",
       [] {
         auto scene = in_room();
         scene->input = signal_to(scene->client->player_id());
         return scene;
       }},
      {"signal.absent", [] { return in_room(); }},
      {"signal.cross",
       [] {
         auto scene = in_room();
         SignalClient& other = scene->world.connect_mesh();
         scene->world.join(other, "Bo");
         scene->input = signal_to(other.player_id());
         return scene;
       }},
      {"signal.notransport",
       [] {
         auto scene = std::make_unique<Scene>();
         SignalClient& other = scene->world.connect_mesh();
         scene->world.join(other, "Bo", "HK7T3W");
         scene->client = &scene->world.connect_v3();
         scene->world.join(*scene->client, "Ada", "HK7T3W");
         scene->client->take();
         scene->input = signal_to(other.player_id());
         return scene;
       }},
      {"signal.v2target",
       [] {
         auto scene = in_room();
         SignalClient& other = scene->world.connect_v2();
         scene->world.join(other, "Bo", scene->client->room_code());
         scene->client->take();
         scene->input = signal_to(other.player_id());
         return scene;
       }},
      {"roomop.notnegotiated", [] { return in_room(); }},
      {"roomop.upper",
       [] {
         auto scene = std::make_unique<Scene>();
         scene->client =
             &scene->world.connect_v3({{"requested_capabilities", {"room_operation_ids"}}});
         return scene;
       }},
      {"size.text",
       [] {
         auto scene = authenticated();
         scene->input = std::string(65'537, ' ');
         return scene;
       }},
      {"bin.json_negotiated", [] { return in_room(); }},
      {"bin.preauth", [] { return connected(); }},
  };
  return all;
}

bool names_code(const json& expected, const std::string& code) {
  const std::string codes = expected;
  return codes == code || codes.find(code + " or ") == 0 ||
         codes.find(" or " + code) != std::string::npos;
}

}  // namespace

TEST_CASE("signal inputs: every recorded one is answered as recorded", "[signal]") {
  const json vectors = load_vectors("signal_vectors.json");
  std::size_t run = 0;
  for (const json& recorded : vectors["client_input_cases"]) {
    const std::string id = recorded["id"];
    if (id == "size.frame") continue;  // what the transport does is tested on sockets
    INFO(id);
    const auto found = settings().find(id);
    const std::unique_ptr<Scene> scene =
        found == settings().end() ? authenticated() : found->second();
    SignalClient& client = *scene->client;
    const std::string input =
        scene->input.empty() ? std::string{recorded["input_text"]} : scene->input;
    if (id.starts_with("bin.")) {
      client.send_binary("01");
    } else if (id != "auth.timeout") {
      client.send_text(input);
    }
    scene->world.settle();
    ++run;

    const json& expect = recorded["expect"];
    const std::vector<json> heard = client.take();
    json wanted = json::array();
    if (expect.contains("replies_in_order")) {
      wanted = expect["replies_in_order"];
    } else {
      wanted.push_back({{"type", expect["reply"]}});
      for (const char* const field : {"error_code", "message", "granted", "room_code"}) {
        if (expect.contains(field)) wanted[0][field] = expect[field];
      }
    }
    REQUIRE(heard.size() >= wanted.size());
    if (wanted[0]["type"] != "RoomJoined") CHECK(heard.size() == wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      CHECK(heard[i]["type"] == wanted[i]["type"]);
      const json data = heard[i].value("data", json::object());
      for (const auto& [name, value] : wanted[i].items()) {
        if (name == "type") continue;
        INFO(name << " in " << data.dump());
        if (name == "error_code") {
          CHECK(names_code(value, data.value("error_code", "")));
        } else {
          CHECK(data.value(name, json{}) == value);
        }
      }
    }
    const bool closes = expect["closes"].is_boolean() && expect["closes"].get<bool>();
    CHECK(client.is_closed == closes);
    if (expect.contains("close_code")) CHECK(client.code == expect["close_code"]);
    if (expect.contains("close_reason")) CHECK(client.text == expect["close_reason"]);
  }
  CHECK(run == 83);
}

TEST_CASE("signal inputs: a version that is too low ends an open connection", "[signal]") {
  Config config = SignalWorld::open_config();
  config.min_protocol_version = 3;
  const auto scene = connected(config);
  scene->client->send("Authenticate", {{"app_id", "demo-app"}, {"protocol_version", 2}});
  scene->world.settle();
  CHECK(scene->client->take_types() == Types{"AuthenticationError"});
  CHECK(scene->client->is_closed);
}

TEST_CASE("signal inputs: nothing may follow a message, or come in it twice", "[signal]") {
  for (const char* const text :
       {R"({"type":"GameData","data":{"data":1},"type":"GameData"})",
        R"({"type":"GameData","data":{"data":1},"data":{"data":2}})",
        R"({"data":{"data":1},"type":"GameData","data":{"data":1}})",
        R"({"type":"GameData","data":{"data":1}}})", R"({"type":"GameData","data":{"data":1}}x)",
        R"({"type":"GameData","data":{"data":1,"data":2}})", R"({"type":"Ping","data":{}},)",
        R"({"type":"Ping","data":null}null})", R"({"type":"GameData","data":{"data":1}1})",
        R"({"type":"Ping"}{"type":"Ping"})", R"({"type":"GameData","data":{"data":01}})"}) {
    INFO(text);
    const auto scene = in_room();
    scene->client->send_text(text);
    scene->world.settle();
    CHECK(scene->client->last("Error")["data"]["message"] == "Invalid client message");
    CHECK_FALSE(scene->client->is_closed);
  }
}

TEST_CASE("signal inputs: a client of an old SDK may try again", "[signal]") {
  Config config = SignalWorld::open_config();
  config.enforce_sdk_compatibility = true;
  config.minimum_sdk_versions = {{"unity", "1.10.0"}};
  const auto scene = connected(config);
  SignalClient& client = *scene->client;
  for (const char* const version : {"1.9.9", "1.10", "x"}) {
    client.send("Authenticate",
                {{"app_id", "demo-app"}, {"platform", "Unity"}, {"sdk_version", version}});
    scene->world.settle();
    CHECK(client.last("AuthenticationError")["data"]["error_code"] == "SDK_VERSION_UNSUPPORTED");
  }
  client.send("Authenticate",
              {{"app_id", "demo-app"}, {"platform", "Unity"}, {"sdk_version", "1.10.0-beta"}});
  scene->world.settle();
  CHECK(client.count("AuthenticationError") == 3);
  CHECK(client.last("ProtocolInfo")["data"]["minimum_version"] == "1.10.0");
}

TEST_CASE("signal inputs: what would be larger than a client was promised ends it", "[signal]") {
  Config config = SignalWorld::open_config();
  config.max_message_size = 1024;
  config.max_signal_bytes = config.max_connection_info_bytes = 1024;
  config.max_outbound_message_size = 1280;
  SignalWorld world{config};
  std::vector<SignalClient*> players;
  for (int i = 0; i < 8; ++i) {
    players.push_back(&world.connect_v3());
    world.join(*players.back(), "Player number " + std::to_string(i), "HK7T3W");
  }
  CHECK(players[0]->count("RoomJoined") == 1);
  CHECK(players[7]->count("RoomJoined") == 0);
  CHECK(players[7]->code == 1009);
  CHECK(players[7]->text == "outbound_message_too_large");
  CHECK_FALSE(players[0]->is_closed);
}

TEST_CASE("signal inputs: what a newer client adds is ignored", "[signal]") {
  const json vectors = load_vectors("signal_vectors.json");
  for (const json& lenient : vectors["client_input_lenient"]) {
    INFO(lenient["id"]);
    const auto scene = std::make_unique<Scene>();
    SignalClient& client = scene->world.connect();
    client.send_text(std::string{lenient["input_text"]});
    scene->world.settle();
    const std::string meant = lenient["equals"];
    const Types wanted = meant == "Ping"           ? Types{"Pong"}
                         : meant == "Authenticate" ? Types{"Authenticated", "ProtocolInfo"}
                         : meant == "Reconnect"    ? Types{"ReconnectionFailed"}
                                                   : Types{};
    CHECK(client.take_types() == wanted);
  }
}

TEST_CASE("signal accountability: a recipient's checks tell the recorded breaches", "[signal]") {
  const json vectors = load_vectors("signal_vectors.json");
  CHECK(vectors["accountability"].size() == 13);
  for (const json& script : vectors["accountability"]) {
    INFO(script["id"]);
    SignalAuditor auditor;
    const std::string verdict = script["verdict"];
    std::size_t number = 0;
    std::optional<std::size_t> breach;
    for (const json& frame : script["frames"]) {
      if (!auditor.hear(frame).empty() && !breach) breach = number;
      ++number;
    }
    if (verdict.starts_with("ok")) {
      CHECK_FALSE(breach);
    } else {
      REQUIRE(breach);
      CHECK(verdict == "violation at frame " + std::to_string(*breach));
    }
  }
}
