// SPDX-License-Identifier: MIT
#include "support/catch.hpp"

#include <muster/error.hpp>
#include <muster/signal/config_document.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

using muster::errc;
using muster::signal::Config;
using muster::signal::ConfigDocument;
using muster::signal::DesiredTopology;
using muster::signal::ServerSettings;
using namespace std::chrono_literals;

namespace {

struct Outcome {
  std::error_code error{};
  std::string problem{};
  Config config{};
  ServerSettings server{};
};

Outcome read(const ConfigDocument& document) {
  Outcome outcome;
  outcome.error = document.read(outcome.config, outcome.server, outcome.problem);
  return outcome;
}

Outcome read(const std::vector<std::string>& layers) {
  ConfigDocument document;
  Outcome outcome;
  for (const std::string& layer : layers) {
    outcome.error = document.add(layer, outcome.problem);
    if (outcome.error) return outcome;
  }
  return read(document);
}

// {"a": {"b": VALUE}} of "a.b".
nlohmann::json nested(std::string path, const nlohmann::json& value) {
  std::replace(path.begin(), path.end(), '.', '/');
  nlohmann::json document;
  document[nlohmann::json::json_pointer("/" + path)] = value;
  return document;
}

Outcome read_key(const std::string& path, const std::string& json) {
  return read({nested(path, nlohmann::json::parse(json)).dump()});
}

// The sentence about a key with that value.
std::string problem_of(const std::string& path, const std::string& json) {
  const Outcome outcome = read_key(path, json);
  CHECK(outcome.error == errc::invalid_config);
  return outcome.problem;
}

struct Variable {
  std::string_view name;
  std::string_view value;
};

Outcome read_variables(const std::vector<Variable>& variables) {
  ConfigDocument document;
  Outcome outcome;
  for (const Variable& variable : variables) {
    outcome.error = document.add_variable(variable.name, variable.value, outcome.problem);
    if (outcome.error) return outcome;
  }
  return read(document);
}

template <class Map>
typename Map::mapped_type get(const Map& map, const std::string& name) {
  const auto found = map.find(name);
  return found == map.end() ? typename Map::mapped_type{} : found->second;
}

struct Row {
  std::string path;
  std::string json;  // not the default
  std::function<bool(const Outcome&)> holds;
};

// Every key of the reference's document that does something here, and those of our own.
const std::vector<Row>& rows() {
  using O = Outcome;
  static const std::vector<Row> all{
      {"port", "4000", [](const O& o) { return o.server.port == 4000 && o.server.has_port; }},
      {"server.default_max_players", "9",
       [](const O& o) { return o.config.default_max_players == 9; }},
      {"server.ping_timeout", "40", [](const O& o) { return o.config.activity_timeout == 40s; }},
      {"server.max_rooms_per_game", "12",
       [](const O& o) { return o.config.max_rooms_per_game == 12; }},
      {"server.max_rooms", "13", [](const O& o) { return o.config.max_rooms == 13; }},
      {"server.empty_room_timeout", "14",
       [](const O& o) { return o.config.empty_room_timeout == 14s; }},
      {"server.inactive_room_timeout", "15",
       [](const O& o) { return o.config.inactive_room_timeout == 15s; }},
      {"server.enable_reconnection", "false",
       [](const O& o) { return !o.config.enable_reconnection; }},
      {"server.reconnection_window", "16",
       [](const O& o) { return o.config.reconnection_window == 16s; }},
      {"server.event_buffer_size", "0", [](const O& o) { return o.config.event_buffer_size == 0; }},
      {"server.reserve_seats", "false", [](const O& o) { return !o.config.reserve_seats; }},
      {"server.room_code_prefix", R"("EU")",
       [](const O& o) { return o.config.room_code_prefix == "EU"; }},
      {"server.drain_grace_secs", "0", [](const O& o) { return o.config.drain_grace == 0s; }},
      {"server.default_max_spectators", "17",
       [](const O& o) { return o.config.max_spectators == 17U; }},
      {"server.spectator_feed", "false", [](const O& o) { return !o.config.spectator_feed; }},
      {"rate_limit.max_room_creations", "18",
       [](const O& o) { return o.config.max_room_creations == 18; }},
      {"rate_limit.max_join_attempts", "19",
       [](const O& o) { return o.config.max_join_attempts == 19; }},
      {"rate_limit.time_window", "21", [](const O& o) { return o.config.rate_window == 21s; }},
      {"rate_limit.max_signals", "22", [](const O& o) { return o.config.max_signals == 22; }},
      {"rate_limit.max_signal_errors", "23",
       [](const O& o) { return o.config.max_signal_errors == 23; }},
      {"rate_limit.max_inbound_error_replies", "24",
       [](const O& o) { return o.config.max_error_replies == 24; }},
      {"rate_limit.max_relay_bytes", "5000000000",
       [](const O& o) { return o.config.max_relay_bytes == 5'000'000'000; }},
      {"protocol.max_game_name_length", "25",
       [](const O& o) { return o.config.max_game_name_length == 25; }},
      {"protocol.room_code_length", "8", [](const O& o) { return o.config.room_code_length == 8; }},
      {"protocol.max_player_name_length", "26",
       [](const O& o) { return o.config.max_player_name_length == 26; }},
      {"protocol.max_players_limit", "27",
       [](const O& o) { return o.config.max_players_limit == 27; }},
      {"protocol.enable_message_pack_game_data", "false",
       [](const O& o) { return !o.config.enable_message_pack_game_data; }},
      {"protocol.enable_full_message_pack", "false",
       [](const O& o) { return !o.config.enable_full_message_pack; }},
      {"protocol.enable_moderation", "true", [](const O& o) { return o.config.enable_moderation; }},
      {"protocol.min_protocol_version", "3",
       [](const O& o) { return o.config.min_protocol_version == 3; }},
      {"protocol.max_protocol_version", "2",
       [](const O& o) { return o.config.max_protocol_version == 2; }},
      {"protocol.sdk_compatibility.enforce", "true",
       [](const O& o) { return o.config.enforce_sdk_compatibility; }},
      {"protocol.sdk_compatibility.minimum_versions", R"({"unity":"2.0.0"})",
       [](const O& o) {
         return o.config.minimum_sdk_versions.size() == 1 &&
                get(o.config.minimum_sdk_versions, "unity") == "2.0.0";
       }},
      {"protocol.sdk_compatibility.recommended_versions", R"({"web":"3.0.0"})",
       [](const O& o) { return get(o.config.recommended_sdk_versions, "web") == "3.0.0"; }},
      {"protocol.sdk_compatibility.capabilities", R"({"_default":["a"],"web":["b","c"]})",
       [](const O& o) {
         return get(o.config.capabilities, "default") == std::vector<std::string>{"a"} &&
                get(o.config.capabilities, "web") == std::vector<std::string>{"b", "c"};
       }},
      {"protocol.sdk_compatibility.notes", R"({"unity":"soon"})",
       [](const O& o) { return get(o.config.sdk_notes, "unity") == "soon"; }},
      {"protocol.player_name_validation.allow_unicode_alphanumeric", "false",
       [](const O& o) { return !o.config.allow_unicode_alphanumeric; }},
      {"protocol.player_name_validation.allow_spaces", "false",
       [](const O& o) { return !o.config.allow_spaces; }},
      {"protocol.player_name_validation.allow_leading_trailing_whitespace", "true",
       [](const O& o) { return o.config.allow_leading_trailing_whitespace; }},
      {"protocol.player_name_validation.allowed_symbols", R"(["~"])",
       [](const O& o) { return o.config.allowed_symbols == std::vector<std::string>{"~"}; }},
      {"protocol.player_name_validation.additional_allowed_characters", R"("!?")",
       [](const O& o) { return o.config.additional_allowed_characters == "!?"; }},
      {"logging.dir", R"("/var/log/x")",
       [](const O& o) { return o.server.log_directory == "/var/log/x"; }},
      {"logging.filename", R"("x.log")",
       [](const O& o) { return o.server.log_filename == "x.log"; }},
      {"logging.level", R"("debug")", [](const O& o) { return o.server.log_level == "debug"; }},
      {"logging.enable_file_logging", "false",
       [](const O& o) { return !o.server.enable_file_logging; }},
      {"security.cors_origins", R"("https://a.example,https://b.example")",
       [](const O& o) {
         return o.config.origins ==
                std::vector<std::string>{"https://a.example", "https://b.example"};
       }},
      {"security.require_websocket_auth", "false",
       [](const O& o) { return !o.config.require_authentication; }},
      {"security.max_message_size", "131072",
       [](const O& o) { return o.config.max_message_size == 131'072; }},
      {"security.max_outbound_message_size", "1000000",
       [](const O& o) { return o.config.max_outbound_message_size == 1'000'000; }},
      {"security.max_signal_bytes", "28",
       [](const O& o) { return o.config.max_signal_bytes == 28; }},
      {"security.max_connection_info_bytes", "29",
       [](const O& o) { return o.config.max_connection_info_bytes == 29; }},
      {"security.max_connections_per_ip", "31",
       [](const O& o) { return o.config.max_connections_per_address == 31; }},
      {"security.max_connections", "32", [](const O& o) { return o.config.max_connections == 32; }},
      {"security.authorized_apps",
       R"([{"app_id":"g","app_name":"G","organization":"O","max_rooms":1,
            "max_players_per_room":2,"rate_limit_per_minute":3},
           {"app_id":"h","app_name":"H","organization":null,"max_rooms":null,
            "max_players_per_room":null,"rate_limit_per_minute":null}])",
       [](const O& o) {
         const auto& apps = o.config.apps;
         return apps.size() == 2 && apps[0].id == "g" && apps[0].name == "G" &&
                apps[0].organization == "O" && apps[0].max_rooms == 1U &&
                apps[0].max_players_per_room == 2 && apps[0].rate_limit_per_minute == 3U &&
                apps[1].id == "h" && !apps[1].max_rooms;
       }},
      {"security.transport.tls.certificate_path", R"("c.pem")",
       [](const O& o) { return o.server.certificate_path == "c.pem"; }},
      {"security.transport.tls.private_key_path", R"("k.pem")",
       [](const O& o) { return o.server.private_key_path == "k.pem"; }},
      {"security.transport.tls.client_ca_cert_path", R"("ca.pem")",
       [](const O& o) { return o.server.client_ca_path == "ca.pem"; }},
      {"security.transport.tls.client_auth", R"("optional")",
       [](const O& o) { return o.server.client_auth == ServerSettings::ClientAuth::optional; }},
      {"security.transport.token_binding.enabled", "true",
       [](const O& o) { return o.config.token_binding; }},
      {"session.default_topology", R"("mesh")",
       [](const O& o) { return o.config.default_topology == DesiredTopology::mesh; }},
      {"session.game_topology_mappings", R"({"chess":"host"})",
       [](const O& o) { return get(o.config.game_topologies, "chess") == DesiredTopology::host; }},
      {"session.enable_webrtc", "false", [](const O& o) { return !o.config.enable_webrtc; }},
      {"session.enable_direct", "false", [](const O& o) { return !o.config.enable_direct; }},
      {"session.enable_ice_pregather", "false",
       [](const O& o) { return !o.config.enable_ice_pregather; }},
      {"session.ice_servers", R"([{"urls":["stun:s.example"],"username":"u","credential":null}])",
       [](const O& o) {
         return o.config.ice_servers.size() == 1 &&
                o.config.ice_servers[0].urls == std::vector<std::string>{"stun:s.example"} &&
                o.config.ice_servers[0].username == "u";
       }},
      {"turn.urls", R"(["turn:t.example"])",
       [](const O& o) { return o.config.turn_urls.size() == 1; }},
      {"turn.stun_urls", R"(["stun:s.example","stuns:s.example"])",
       [](const O& o) { return o.config.stun_urls.size() == 2; }},
      {"turn.credential_ttl_secs", "61",
       [](const O& o) { return o.config.turn_credential_ttl == 61s; }},
      {"relay_types.default_relay_type", R"("mirror")",
       [](const O& o) { return o.config.default_relay_type == "mirror"; }},
      {"relay_types.game_relay_mappings", R"({"chess":"fishnet"})",
       [](const O& o) { return get(o.config.game_relay_types, "chess") == "fishnet"; }},
      {"websocket.auth_timeout_secs", "5",
       [](const O& o) { return o.config.authentication_timeout == 5s; }},
      {"websocket.http_header_read_timeout_secs", "11",
       [](const O& o) { return o.server.upgrade_timeout == 11s; }},
      {"websocket.idle_timeout_secs", "0", [](const O& o) { return o.config.idle_timeout == 0s; }},
      {"websocket.server_ping_interval_secs", "12",
       [](const O& o) { return o.config.ping_interval == 12s; }},
      {"websocket.pong_timeout_secs", "6", [](const O& o) { return o.config.pong_timeout == 6s; }},
      {"websocket.socket_send_buffer_bytes", "0",
       [](const O& o) { return o.server.socket_send_buffer_bytes == 0; }},
      {"websocket.send_queue_capacity", "33",
       [](const O& o) { return o.config.send_queue_capacity == 33; }},
      {"websocket.send_queue_bytes", "70000",
       [](const O& o) { return o.config.send_queue_bytes == 70'000; }},
      {"websocket.control_queue_capacity", "34",
       [](const O& o) { return o.config.control_queue_capacity == 34; }},
      {"websocket.slow_consumer_timeout_ms", "35",
       [](const O& o) { return o.config.slow_consumer_timeout == 35ms; }},
      {"websocket.max_sojourn_ms", "136", [](const O& o) { return o.config.max_sojourn == 136ms; }},
      {"websocket.delivery_stats_interval_secs", "37",
       [](const O& o) { return o.config.delivery_stats_interval == 37s; }},
  };
  return all;
}

// Those that are allowed only together with others.
const std::vector<std::string>& dependent_keys() {
  static const std::vector<std::string> keys{
      "security.require_metrics_auth",
      "security.metrics_auth_token",
      "security.transport.tls.enabled",
      "security.transport.token_binding.required",
      "security.transport.token_binding.require_client_fingerprint",
      "turn.enabled",
      "turn.static_auth_secret",
  };
  return keys;
}

constexpr const char* together = R"({
  "security": {
    "require_metrics_auth": true, "metrics_auth_token": "secret-of-metrics",
    "authorized_apps": [{"app_id": "a", "app_name": "A", "app_secret": "secret-of-app"}],
    "transport": {
      "tls": {"enabled": true, "certificate_path": "c", "private_key_path": "k",
              "client_auth": "require", "client_ca_cert_path": "ca"},
      "token_binding": {"enabled": true, "required": true, "require_client_fingerprint": true}
    }
  },
  "session": {"ice_servers": [{"urls": ["turn:t"], "credential": "secret-of-ice"}]},
  "turn": {"enabled": true, "static_auth_secret": "secret-of-turn", "urls": ["turn:t"]}
})";

}  // namespace

TEST_CASE("signal config: every key is read, and comes back as it was given", "[signal][config]") {
  for (const Row& row : rows()) {
    INFO(row.path);
    CHECK_FALSE(row.holds(read(std::vector<std::string>{})));

    const Outcome outcome = read_key(row.path, row.json);
    CHECK(outcome.problem.empty());
    REQUIRE_FALSE(outcome.error);
    CHECK(row.holds(outcome));

    const std::string printed = ConfigDocument::print(outcome.config, outcome.server);
    const auto document = nlohmann::json::parse(printed);
    const auto value = document.flatten();
    const auto expected = nested(row.path, nlohmann::json::parse(row.json)).flatten();
    for (const auto& [pointer, member] : expected.items()) {
      INFO(pointer);
      REQUIRE(value.contains(pointer));
      CHECK(value.at(pointer) == member);
    }
    CHECK(row.holds(read({printed})));
  }
}

TEST_CASE("signal config: the list of keys is complete", "[signal][config]") {
  std::set<std::string> tested(dependent_keys().begin(), dependent_keys().end());
  for (const Row& row : rows()) tested.insert(row.path);
  std::set<std::string> used;
  for (const ConfigDocument::KeyInfo& key : ConfigDocument::keys()) {
    if (key.is_used) used.insert(key.path);
  }
  CHECK(tested == used);
}

TEST_CASE("signal config: without a document the defaults of the reference hold",
          "[signal][config]") {
  const Outcome outcome = read(std::vector<std::string>{});
  REQUIRE_FALSE(outcome.error);
  const auto printed = nlohmann::json::parse(ConfigDocument::print(outcome.config, outcome.server));
  CHECK_FALSE(outcome.server.has_port);
  // Where ours differ, docs/protocol/signal.md says so: require_metrics_auth, logging.dir,
  // turn.stun_urls.
  const auto expected = nlohmann::json::parse(R"({
    "port": 3536,
    "server": {
      "default_max_players": 8, "ping_timeout": 30,
      "max_rooms_per_game": 1000, "empty_room_timeout": 300, "inactive_room_timeout": 3600,
      "enable_reconnection": true, "reconnection_window": 300, "event_buffer_size": 100,
      "room_code_prefix": null, "drain_grace_secs": 30, "default_max_spectators": null},
    "rate_limit": {
      "max_room_creations": 5, "max_join_attempts": 20, "time_window": 60, "max_signals": 600,
      "max_signal_errors": 60},
    "protocol": {
      "max_game_name_length": 64, "room_code_length": 6, "max_player_name_length": 32,
      "max_players_limit": 100, "enable_message_pack_game_data": true, "min_protocol_version": 2,
      "max_protocol_version": 3,
      "sdk_compatibility": {"enforce": false},
      "player_name_validation": {
        "allow_unicode_alphanumeric": true, "allow_spaces": true,
        "allow_leading_trailing_whitespace": false, "allowed_symbols": ["-", "_"],
        "additional_allowed_characters": null}},
    "logging": {"filename": "server.log", "level": null, "enable_file_logging": true},
    "security": {
      "cors_origins": "http://localhost:3000,http://localhost:5173",
      "require_websocket_auth": true, "metrics_auth_token": null, "max_message_size": 65536,
      "max_connections_per_ip": 24, "max_signal_bytes": 16384, "authorized_apps": [],
      "transport": {
        "tls": {"enabled": false, "certificate_path": null, "private_key_path": null,
                "client_ca_cert_path": null, "client_auth": "none"},
        "token_binding": {"enabled": false, "required": false,
                          "require_client_fingerprint": false}}},
    "session": {
      "default_topology": "relay", "game_topology_mappings": {}, "enable_webrtc": true,
      "enable_direct": true, "enable_ice_pregather": true, "ice_servers": []},
    "turn": {"enabled": false, "static_auth_secret": "", "urls": [], "credential_ttl_secs": 3600},
    "websocket": {
      "auth_timeout_secs": 10, "idle_timeout_secs": 300, "server_ping_interval_secs": 10,
      "pong_timeout_secs": 5, "socket_send_buffer_bytes": 65536, "send_queue_capacity": 1024,
      "control_queue_capacity": 128, "slow_consumer_timeout_ms": 5000, "max_sojourn_ms": 15000,
      "delivery_stats_interval_secs": 0},
    "relay_types": {"default_relay_type": "matchbox", "game_relay_mappings": {}}
  })");
  for (const auto& [section, members] : expected.items()) {
    if (!members.is_object()) {
      CHECK(printed[section] == members);
      continue;
    }
    for (const auto& [name, value] : members.items()) {
      INFO(section << "." << name);
      if (value.is_object() && !value.empty() && name != "transport") {
        for (const auto& [inner, inner_value] : value.items()) {
          CHECK(printed[section][name][inner] == inner_value);
        }
      } else {
        CHECK(printed[section][name] == value);
      }
    }
  }
  CHECK(printed["protocol"]["sdk_compatibility"]["minimum_versions"]["unity"] == "1.10.0");
  CHECK(printed["security"]["require_metrics_auth"] == false);
  CHECK(printed["logging"]["dir"].is_null());
  CHECK(printed["turn"]["stun_urls"] == nlohmann::json::array());
}

TEST_CASE("signal config: keys that are allowed together are read", "[signal][config]") {
  const Outcome outcome = read({together});
  CHECK(outcome.problem.empty());
  REQUIRE_FALSE(outcome.error);
  CHECK(outcome.server.require_metrics_auth);
  CHECK(outcome.server.metrics_auth_token == "secret-of-metrics");
  CHECK(outcome.server.tls_enabled);
  CHECK(outcome.config.require_token_binding);
  CHECK(outcome.config.require_client_fingerprint);
  CHECK(outcome.config.turn_enabled);
  CHECK(outcome.config.turn_secret == "secret-of-turn");
  CHECK(outcome.config.ice_servers.at(0).credential == "secret-of-ice");
}

TEST_CASE("signal config: what is printed has no secret, and is not taken for one",
          "[signal][config]") {
  const Outcome outcome = read({together});
  REQUIRE_FALSE(outcome.error);
  const std::string printed = ConfigDocument::print(outcome.config, outcome.server);
  CHECK(printed.find("secret-of") == std::string::npos);
  CHECK(printed.find("app_secret") == std::string::npos);
  CHECK(printed.find("<hidden>") != std::string::npos);

  const Outcome again = read({printed});
  CHECK(again.error == errc::invalid_config);
  CHECK(again.problem.find("must be the secret itself") != std::string::npos);
}

TEST_CASE("signal config: no error shows a value", "[signal][config]") {
  const std::vector<std::string> documents{
      R"({"turn": {"static_auth_secret": ["s3cret"]}})",
      R"({"security": {"metrics_auth_token": {"s3cret": 1}}})",
      R"({"security": {"authorized_apps": [{"app_id": "a", "app_secret": 12345}]}})",
      R"({"security": {"metrics_auth_token": "s3cret",, }})",
      R"({"security": {"metrics_auth_token": "s3cret\x"}})",
      R"({"logging": {"level": "s3cret"}})",
  };
  for (const std::string& document : documents) {
    const Outcome outcome = read({document});
    INFO(outcome.problem);
    CHECK(outcome.error);
    CHECK_FALSE(outcome.problem.empty());
    CHECK(outcome.problem.find("s3cret") == std::string::npos);
    CHECK(outcome.problem.find("12345") == std::string::npos);
  }
}

TEST_CASE("signal config: an unknown key is an error with its path", "[signal][config]") {
  CHECK(problem_of("sever.port", "1") == "sever is an unknown key");
  CHECK(problem_of("server.default_max_player", "1") ==
        "server.default_max_player is an unknown key");
  CHECK(problem_of("security.transport.tls.cert", "1") ==
        "security.transport.tls.cert is an unknown key");
  CHECK(problem_of("security.authorized_apps", R"([{"app_id":"a"},{"app_id":"b","x":1}])") ==
        R"(security.authorized_apps[1] has the unknown key "x")");
  CHECK(problem_of("session.ice_servers", R"([{"url":"stun:x"}])") ==
        R"(session.ice_servers[0] has the unknown key "url")");
  const Outcome strange = read({"{\"server\": {\"a\\nb\": 1}}"});
  CHECK(strange.problem == R"(server."a\nb" is an unknown key)");
}

TEST_CASE("signal config: a value of the wrong type is an error with its path",
          "[signal][config]") {
  // Every key: what no key takes.
  for (const ConfigDocument::KeyInfo& key : ConfigDocument::keys()) {
    INFO(key.path);
    CHECK(problem_of(key.path, "-1.5").starts_with(key.path));
    CHECK(problem_of(key.path, "[[]]").starts_with(key.path));
  }
  CHECK(problem_of("port", R"("3536")") == "port must be a whole number from 1 to 65535");
  CHECK(problem_of("port", "0") == "port must be a whole number from 1 to 65535");
  CHECK(problem_of("port", "null") == "port must be a whole number from 1 to 65535");
  CHECK(problem_of("server", "3") == "server must be an object");
  CHECK(problem_of("server.enable_reconnection", "1") ==
        "server.enable_reconnection must be true or false");
  CHECK(problem_of("server.default_max_spectators", R"("none")") ==
        "server.default_max_spectators must be a whole number from 0 to 4294967295, or null");
  CHECK(problem_of("session.default_topology", R"("star")") ==
        R"(session.default_topology must be "relay", "host" or "mesh")");
  CHECK(problem_of("session.game_topology_mappings", R"({"chess":"star"})") ==
        R"(session.game_topology_mappings["chess"] must be "relay", "host" or "mesh")");
  CHECK(problem_of("turn.urls", R"(["turn:t", 1])") == "turn.urls[1] must be a text");
  CHECK(problem_of("security.authorized_apps", R"([{"app_id":"a","max_rooms":-1}])") ==
        "security.authorized_apps[0].max_rooms must be a whole number from 0 to 4294967295, or "
        "null");
  CHECK(problem_of("security.authorized_apps", R"([{"app_name":"a"}])") ==
        "security.authorized_apps[0].app_id must be a text");
}

TEST_CASE("signal config: a value out of range is an error with its path", "[signal][config]") {
  const std::vector<std::pair<std::string, std::string>> wrong{
      {"server.default_max_players", "0"},
      {"server.default_max_players", "101"},
      {"server.ping_timeout", "5"},
      {"server.ping_timeout", "100000"},
      {"server.max_rooms_per_game", "0"},
      {"server.max_rooms", "0"},
      {"server.empty_room_timeout", "0"},
      {"server.inactive_room_timeout", "0"},
      {"server.reconnection_window", "0"},
      {"server.event_buffer_size", "65537"},
      {"server.room_code_prefix", R"("SIXSIX")"},
      {"server.room_code_prefix", R"("a-")"},
      {"server.drain_grace_secs", "3601"},
      {"rate_limit.time_window", "0"},
      {"protocol.max_game_name_length", "0"},
      {"protocol.room_code_length", "3"},
      {"protocol.max_player_name_length", "0"},
      {"protocol.min_protocol_version", "1"},
      {"protocol.max_protocol_version", "4"},
      {"protocol.player_name_validation.allowed_symbols", R"(["ab"])"},
      {"protocol.player_name_validation.allowed_symbols", R"([""])"},
      {"logging.filename", R"("../x")"},
      {"logging.filename", R"("")"},
      {"logging.level", R"("loud")"},
      {"security.cors_origins", R"("")"},
      {"security.cors_origins", R"("https://a.example,,")"},
      {"security.max_message_size", "1023"},
      {"security.max_outbound_message_size", "65536"},
      {"security.max_signal_bytes", "65537"},
      {"security.max_connection_info_bytes", "0"},
      {"security.max_connections", "0"},
      {"security.authorized_apps", R"([{"app_id":"a"},{"app_id":"a"}])"},
      {"security.authorized_apps", R"([{"app_id":"a\tb"}])"},
      {"security.authorized_apps", R"([{"app_id":"a","max_players_per_room":0}])"},
      {"security.transport.token_binding.require_client_fingerprint", "true"},
      {"session.ice_servers", R"([{"urls":[]}])"},
      {"session.ice_servers", R"([{"urls":["http://x"]}])"},
      {"turn.urls", R"(["stun"])"},
      {"turn.stun_urls", R"(["stun:"])"},
      {"turn.credential_ttl_secs", "59"},
      {"relay_types.default_relay_type", R"("")"},
      {"websocket.auth_timeout_secs", "4"},
      {"websocket.auth_timeout_secs", "61"},
      {"websocket.http_header_read_timeout_secs", "0"},
      {"websocket.idle_timeout_secs", "86401"},
      {"websocket.server_ping_interval_secs", "3601"},
      {"websocket.pong_timeout_secs", "0"},
      {"websocket.socket_send_buffer_bytes", "16777217"},
      {"websocket.send_queue_capacity", "0"},
      {"websocket.send_queue_bytes", "1"},
      {"websocket.control_queue_capacity", "1"},
      {"websocket.slow_consumer_timeout_ms", "0"},
      {"websocket.max_sojourn_ms", "99"},
      {"websocket.delivery_stats_interval_secs", "3601"},
  };
  for (const auto& [path, json] : wrong) {
    INFO(path << " = " << json);
    CHECK(problem_of(path, json).starts_with(path + " must "));
  }
  CHECK(problem_of("websocket.pong_timeout_secs", "0") ==
        "websocket.pong_timeout_secs must be from 1 s to 3600 s");
  // The one whose default does not fit any more.
  CHECK(problem_of("protocol.max_players_limit", "7") ==
        "server.default_max_players must be from 1 to 7");
}

TEST_CASE("signal config: what needs another key is refused without it", "[signal][config]") {
  const std::vector<std::pair<std::string, std::string>> cases{
      {R"({"security":{"require_metrics_auth":true}})", "security.metrics_auth_token"},
      {R"({"security":{"transport":{"tls":{"enabled":true}}}})",
       "security.transport.tls.certificate_path"},
      {R"({"security":{"transport":{"tls":{"enabled":true,"certificate_path":"c"}}}})",
       "security.transport.tls.private_key_path"},
      {R"({"security":{"transport":{"tls":{"enabled":true,"certificate_path":"c",
           "private_key_path":"k","client_auth":"require"}}}})",
       "security.transport.tls.client_ca_cert_path"},
      {R"({"security":{"transport":{"token_binding":{"enabled":true,"required":true}}}})",
       "security.transport.token_binding.required"},
      {R"({"security":{"transport":{"token_binding":{"required":true}}}})",
       "security.transport.token_binding.required"},
      {R"({"turn":{"enabled":true,"urls":["turn:t"]}})", "turn.static_auth_secret"},
      {R"({"turn":{"enabled":true,"static_auth_secret":"s"}})", "turn.urls"},
  };
  for (const auto& [document, path] : cases) {
    const Outcome outcome = read({document});
    INFO(document << ": " << outcome.problem);
    CHECK(outcome.error == errc::invalid_config);
    CHECK(outcome.problem.starts_with(path + " must "));
  }
}

TEST_CASE("signal config: later documents win, member by member", "[signal][config]") {
  const Outcome outcome = read({
      R"({"port": 1, "server": {"default_max_players": 2, "max_rooms": 3}})",
      R"({"server": {"default_max_players": 4}, "turn": {"stun_urls": ["stun:a", "stun:b"]}})",
      R"({"turn": {"stun_urls": ["stun:c"]}})",
  });
  REQUIRE_FALSE(outcome.error);
  CHECK(outcome.server.port == 1);
  CHECK(outcome.config.default_max_players == 4);
  CHECK(outcome.config.max_rooms == 3);
  CHECK(outcome.config.stun_urls == std::vector<std::string>{"stun:c"});
}

TEST_CASE("signal config: a later document can take back what an optional key says",
          "[signal][config]") {
  const Outcome outcome = read({
      R"({"server": {"room_code_prefix": "EU", "default_max_spectators": 3}})",
      R"({"server": {"room_code_prefix": null, "default_max_spectators": null}})",
  });
  REQUIRE_FALSE(outcome.error);
  CHECK(outcome.config.room_code_prefix.empty());
  CHECK_FALSE(outcome.config.max_spectators);
}

TEST_CASE("signal config: the names of both generations are known", "[signal][config]") {
  const Outcome outcome = read({
      R"({"security": {"require_websocket_auth": true, "authorized_apps": []}})",
      R"({"security": {"enforce_app_id_allowlist": false,
                       "allowed_apps": [{"app_id": "a", "app_name": "A"}]},
          "server": {"heartbeat_db_throttle_secs": 5}})",
  });
  CHECK(outcome.problem.empty());
  REQUIRE_FALSE(outcome.error);
  CHECK_FALSE(outcome.config.require_authentication);
  CHECK(outcome.config.apps.size() == 1);

  const Outcome both = read(
      {R"({"security": {"enforce_app_id_allowlist": false, "require_websocket_auth": true}})"});
  CHECK(both.error == errc::bad_syntax);
  CHECK(both.problem ==
        "security.enforce_app_id_allowlist is another name of require_websocket_auth; give one of "
        "them");
}

TEST_CASE("signal config: keys without effect here are checked, and have none",
          "[signal][config]") {
  const Outcome plain = read(std::vector<std::string>{});
  const Outcome outcome = read({R"({
    "server": {"heartbeat_throttle_secs": 10, "room_cleanup_interval": 61, "region_id": "eu"},
    "logging": {"rotation": "hourly", "format": "text"},
    "security": {"transport": {"token_binding": {"subprotocol": "signalfish.tokenbinding.v2",
                                                 "scheme": "server_nonce_hkdf_sha256"}}},
    "websocket": {"enable_batching": true, "batch_size": 3, "batch_interval_ms": 4},
    "auth": {"rate_limit_cache_cleanup_interval_secs": 1, "rate_limit_cache_retention_secs": 2,
             "rate_limit_cache_alert_rows": 3},
    "coordination": {"dedup_cache": {"capacity": 1, "ttl_secs": 2, "cleanup_interval_secs": 3},
                     "membership_snapshot_interval_secs": 4},
    "metrics": {"dashboard_cache_refresh_interval_secs": 1, "dashboard_cache_ttl_secs": 2,
                "dashboard_cache_history_window_secs": 3,
                "dashboard_cache_history_fields": ["active_rooms"]}
  })"});
  CHECK(outcome.problem.empty());
  REQUIRE_FALSE(outcome.error);
  CHECK(ConfigDocument::print(outcome.config, outcome.server) ==
        ConfigDocument::print(plain.config, plain.server));
}

TEST_CASE("signal config: what is no JSON object is refused with its line", "[signal][config]") {
  const auto error_of = [](const std::string& text) {
    ConfigDocument document;
    std::string problem;
    const auto error = document.add(text, problem);
    return std::pair{error, problem};
  };
  CHECK(error_of("{\n\"port\": 1,\n}") ==
        std::pair{make_error_code(errc::bad_syntax), std::string{"line 3 is not JSON"}});
  CHECK(error_of("").first == errc::bad_syntax);
  CHECK(error_of("[]").first == errc::bad_syntax);
  CHECK(error_of("{} {}").first == errc::bad_syntax);
  CHECK(error_of("{\"a\": \"\xff\"}").first == errc::bad_syntax);
  CHECK(error_of(R"({"port": 1, "port": 2})") ==
        std::pair{make_error_code(errc::bad_syntax),
                  std::string{R"(the document has the key "port" twice)"}});
  CHECK(error_of(R"({"a":[[[[[[[[1]]]]]]]]})").first == errc::too_deep);
  CHECK(error_of(R"({"a":[[[[[[[1]]]]]]]})").first == std::error_code{});
  CHECK(error_of("{\"a\": \"" + std::string(ConfigDocument::max_size, 'x') + "\"}").first ==
        errc::too_large);
}

TEST_CASE("signal config: a document that is refused leaves what was there", "[signal][config]") {
  ConfigDocument document;
  std::string problem;
  REQUIRE_FALSE(document.add(R"({"port": 7})", problem));
  CHECK(document.add(R"({"port": 8, "port": 9})", problem));
  CHECK(document.add(R"({"port": 8)", problem));
  CHECK(read(document).server.port == 7);
}

TEST_CASE("signal config: variables of the environment name keys by their path",
          "[signal][config]") {
  const Outcome outcome = read_variables({
      {"PORT", "4001"},
      {"LOGGING__LEVEL", "warn"},
      {"SECURITY__REQUIRE_METRICS_AUTH", "false"},
      {"SECURITY__REQUIRE_WEBSOCKET_AUTH", "false"},
      {"PROTOCOL__SDK_COMPATIBILITY__ENFORCE", "true"},
      {"WEBSOCKET__SEND_QUEUE_CAPACITY", "64"},
      {"WEBSOCKET__SLOW_CONSUMER_TIMEOUT_MS", "250"},
      {"SESSION__DEFAULT_TOPOLOGY", "mesh"},
      {"SECURITY__TRANSPORT__TLS__ENABLED", "true"},
      {"SECURITY__TRANSPORT__TLS__CERTIFICATE_PATH", "/c.pem"},
      {"SECURITY__TRANSPORT__TLS__PRIVATE_KEY_PATH", "/k.pem"},
      {"SECURITY__TRANSPORT__TLS__CLIENT_CA_CERT_PATH", "/ca.pem"},
      {"SECURITY__TRANSPORT__TLS__CLIENT_AUTH", "require"},
      {"SECURITY__TRANSPORT__TOKEN_BINDING__ENABLED", "true"},
      {"SECURITY__TRANSPORT__TOKEN_BINDING__REQUIRED", "true"},
      {"SECURITY__TRANSPORT__TOKEN_BINDING__REQUIRE_CLIENT_FINGERPRINT", "true"},
      {"SECURITY__AUTHORIZED_APPS", R"([{"app_id": "a", "app_name": "A", "app_secret": "s"}])"},
      {"SERVER__DEFAULT_MAX_SPECTATORS", "null"},
  });
  CHECK(outcome.problem.empty());
  REQUIRE_FALSE(outcome.error);
  CHECK(outcome.server.port == 4001);
  CHECK(outcome.server.log_level == "warn");
  CHECK_FALSE(outcome.config.require_authentication);
  CHECK(outcome.config.enforce_sdk_compatibility);
  CHECK(outcome.config.send_queue_capacity == 64);
  CHECK(outcome.config.slow_consumer_timeout == 250ms);
  CHECK(outcome.config.default_topology == DesiredTopology::mesh);
  CHECK(outcome.server.client_auth == ServerSettings::ClientAuth::require);
  CHECK(outcome.config.require_client_fingerprint);
  CHECK(outcome.config.apps.at(0).id == "a");
}

TEST_CASE("signal config: a variable of text stays a text, whatever it looks like",
          "[signal][config]") {
  const Outcome outcome = read_variables({
      {"SECURITY__METRICS_AUTH_TOKEN", "12345"},
      {"TURN__STATIC_AUTH_SECRET", "true"},
      {"SERVER__ROOM_CODE_PREFIX", "42"},
      {"LOGGING__FILENAME", "\"quoted.log\""},
  });
  CHECK(outcome.problem.empty());
  REQUIRE_FALSE(outcome.error);
  CHECK(outcome.server.metrics_auth_token == "12345");
  CHECK(outcome.config.turn_secret == "true");
  CHECK(outcome.config.room_code_prefix == "42");
  CHECK(outcome.server.log_filename == "quoted.log");
}

TEST_CASE("signal defect 13: a value with a comma stays a text, unless it is JSON",
          "[signal][config][defect]") {
  const Outcome text =
      read_variables({{"SECURITY__CORS_ORIGINS", "https://a.example,https://b.example"},
                      {"SECURITY__METRICS_AUTH_TOKEN", "one,two"},
                      {"RELAY_TYPES__DEFAULT_RELAY_TYPE", "a,b,c"}});
  CHECK(text.problem.empty());
  REQUIRE_FALSE(text.error);
  CHECK(text.config.origins == std::vector<std::string>{"https://a.example", "https://b.example"});
  CHECK(text.server.metrics_auth_token == "one,two");
  CHECK(text.config.default_relay_type == "a,b,c");

  const Outcome list = read_variables({{"TURN__URLS", R"(["turn:a", "turn:b"])"}});
  REQUIRE_FALSE(list.error);
  CHECK(list.config.turn_urls == std::vector<std::string>{"turn:a", "turn:b"});

  const Outcome no_list = read_variables({{"TURN__URLS", "turn:a,turn:b"}});
  CHECK(no_list.error == errc::invalid_config);
  CHECK(no_list.problem == "turn.urls must be a list of texts");
}

TEST_CASE("signal defect 13: one value of a wrong type refuses the start, and nothing else happens",
          "[signal][config][defect]") {
  ConfigDocument document;
  std::string problem;
  REQUIRE_FALSE(document.add(R"({"port": 4000, "server": {"default_max_players": 4}})", problem));
  REQUIRE_FALSE(document.add_variable("SERVER__MAX_ROOMS", "many", problem));
  Config config;
  config.default_max_players = 77;
  ServerSettings server;
  server.port = 78;
  CHECK(document.read(config, server, problem) == errc::invalid_config);
  CHECK(problem == "server.max_rooms must be a whole number from 0 to 4294967295");
  // Neither the document nor the defaults have taken the place of what was there.
  CHECK(config.default_max_players == 77);
  CHECK(server.port == 78);
}

TEST_CASE("signal config: what is not the name of a variable is refused", "[signal][config]") {
  ConfigDocument document;
  std::string problem;
  for (const std::string_view name :
       {"", "__PORT", "PORT__", "SERVER____PORT", "port", "A-B", "A__B__C__D__E__F__G__H"}) {
    INFO(name);
    problem.clear();
    CHECK(document.add_variable(name, "1", problem) == errc::bad_syntax);
    CHECK(problem.starts_with("SIGNAL_FISH__"));
  }
  CHECK(document.add_variable("PORT", "\xff", problem) == errc::bad_syntax);
  CHECK(document.add_variable("PORT", "[[[[[[[[[1]]]]]]]]]", problem) == errc::too_deep);
  CHECK(document.add_variable("PORT", std::string(ConfigDocument::max_size + 1, '1'), problem) ==
        errc::too_large);
  CHECK_FALSE(read(document).error);

  REQUIRE_FALSE(document.add_variable("SERVER__PORTS", "1", problem));
  CHECK(read(document).problem == "server.ports is an unknown key");
}

TEST_CASE("signal config: a variable below a plain value is an error with its path",
          "[signal][config]") {
  CHECK(read_variables({{"PORT", "1"}, {"PORT__X", "2"}}).problem ==
        "port must be a whole number from 1 to 65535");
}
