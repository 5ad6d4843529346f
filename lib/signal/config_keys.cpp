// SPDX-License-Identifier: MIT
// Which values a field of Config may have is in config.cpp; here is only of what type each is.
#include "config_keys.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace muster::signal {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::seconds;

Config& owner(Settings& settings, const Config*) { return settings.config; }
const Config& owner(const Settings& settings, const Config*) { return settings.config; }
ServerSettings& owner(Settings& settings, const ServerSettings*) { return settings.server; }
const ServerSettings& owner(const Settings& settings, const ServerSettings*) {
  return settings.server;
}

template <class Owner, class T, class Of>
auto& in(Of& settings, T Owner::*member) {
  return owner(settings, static_cast<const Owner*>(nullptr)).*member;
}

// A key of a member: how its value is read, and how it is written.
template <class Owner, class T, class Read, class Write>
ConfigKey key_of(std::string_view path, std::string_view field, T Owner::*member, Read read,
                 Write write) {
  ConfigKey key;
  key.path = path;
  key.field = field;
  key.set = [member, read](Settings& settings, const Json& value) -> std::string {
    return read(value, in(settings, member));
  };
  key.get = [member, write](const Settings& settings) -> Json {
    return write(in(settings, member));
  };
  return key;
}

// Keys of one kind each.

template <class Owner>
ConfigKey flag(std::string_view path, std::string_view field, bool Owner::*member) {
  return key_of(path, field, member, read_flag, write_value<bool>);
}

template <class Owner, class Number>
ConfigKey whole(std::string_view path, std::string_view field, Number Owner::*member) {
  return key_of(
      path, field, member, [](const Json& value, Number& out) { return read_whole(value, out); },
      write_value<Number>);
}

template <class Number>
ConfigKey whole_or_null(std::string_view path, std::string_view field,
                        std::optional<Number> Config::*member) {
  return key_of(path, field, member, read_optional_whole<Number>, write_optional<Number>);
}

template <class Unit, class Owner>
ConfigKey time_in(std::string_view path, std::string_view field, duration Owner::*member) {
  return key_of(
      path, field, member,
      [](const Json& value, duration& out) {
        std::uint64_t count = 0;
        std::string problem = read_whole(value, count, 1'000'000'000);
        if (problem.empty()) out = Unit{static_cast<typename Unit::rep>(count)};
        return problem;
      },
      [](duration time) { return Json(duration_cast<Unit>(time).count()); });
}

template <class Owner>
ConfigKey text(std::string_view path, std::string_view field, std::string Owner::*member) {
  ConfigKey key = key_of(path, field, member, read_text, write_value<std::string>);
  key.is_text = true;
  return key;
}

// Null and the empty text are the same here.
template <class Owner>
ConfigKey text_or_null(std::string_view path, std::string_view field, std::string Owner::*member) {
  ConfigKey key = key_of(
      path, field, member,
      [](const Json& value, std::string& out) -> std::string {
        if (value.is_null()) {
          out.clear();
          return {};
        }
        std::string problem = read_text(value, out);
        return problem.empty() ? problem : problem + ", or null";
      },
      [](const std::string& given) { return given.empty() ? Json() : Json(given); });
  key.is_text = true;
  return key;
}

template <class Owner>
ConfigKey text_or_null(std::string_view path, std::string_view field,
                       std::optional<std::string> Owner::*member) {
  ConfigKey key = key_of(
      path, field, member,
      [](const Json& value, std::optional<std::string>& out) {
        return read_optional(value, out, read_text);
      },
      write_optional<std::string>);
  key.is_text = true;
  return key;
}

ConfigKey texts(std::string_view path, std::string_view field,
                std::vector<std::string> Config::*member) {
  return key_of(path, field, member, read_texts, write_value<std::vector<std::string>>);
}

ConfigKey texts_by_name(std::string_view path, std::string_view field,
                        std::map<std::string, std::string> Config::*member) {
  return key_of(
      path, field, member,
      [](const Json& value, std::map<std::string, std::string>& out) {
        return read_map(value, out, read_text);
      },
      write_value<std::map<std::string, std::string>>);
}

template <class Owner, class Word>
ConfigKey word(std::string_view path, std::string_view field, Word Owner::*member,
               Words<Word> words) {
  ConfigKey key = key_of(
      path, field, member,
      [words](const Json& value, Word& out) { return read_word(value, out, words); },
      [words](Word given) { return write_word(given, words); });
  key.is_text = true;
  return key;
}

// Keys of the reference that have no meaning here, and are checked all the same.

ConfigKey unused(std::string_view path, std::function<std::string(const Json&)> read) {
  ConfigKey key;
  key.path = path;
  key.set = [read = std::move(read)](Settings&, const Json& value) { return read(value); };
  return key;
}

ConfigKey unused_flag(std::string_view path) {
  return unused(path, [](const Json& value) {
    bool flag = false;
    return read_flag(value, flag);
  });
}

ConfigKey unused_whole(std::string_view path) {
  return unused(path, [](const Json& value) {
    std::uint32_t number = 0;
    return read_whole(value, number);
  });
}

ConfigKey unused_text(std::string_view path) {
  ConfigKey key = unused(path, [](const Json& value) {
    std::string text;
    return read_text(value, text);
  });
  key.is_text = true;
  return key;
}

ConfigKey unused_word(std::string_view path, Words<int> words) {
  ConfigKey key = unused(path, [words = std::move(words)](const Json& value) {
    int chosen = 0;
    return read_word(value, chosen, words);
  });
  key.is_text = true;
  return key;
}

ConfigKey unused_texts(std::string_view path) {
  return unused(path, [](const Json& value) {
    std::vector<std::string> texts;
    return read_texts(value, texts);
  });
}

// What has a form of its own.

Words<DesiredTopology> topologies() {
  return {{"relay", DesiredTopology::relay},
          {"host", DesiredTopology::host},
          {"mesh", DesiredTopology::mesh}};
}

// The document calls what is for all platforms "_default".
constexpr std::string_view any_platform = "default";
constexpr std::string_view any_platform_key = "_default";

template <class T>
void rename(std::map<std::string, T>& map, std::string_view from, std::string_view to) {
  auto node = map.extract(std::string{from});
  if (node.empty()) return;
  node.key() = std::string{to};
  map.insert(std::move(node));
}

template <class T, class Read>
ConfigKey by_platform(std::string_view path, std::string_view field,
                      std::map<std::string, T> Config::*member, Read read) {
  return key_of(
      path, field, member,
      [read](const Json& value, std::map<std::string, T>& out) -> std::string {
        std::map<std::string, T> map;
        std::string problem = read_map(value, map, read);
        if (!problem.empty()) return problem;
        for (const auto& [platform, entry] : map) {
          if (platform.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") != std::string::npos ||
              platform == any_platform) {
            return "[" + in_quotes(platform) +
                   "] must be a platform in lower case, or \"_default\"";
          }
        }
        rename(map, any_platform_key, any_platform);
        out = std::move(map);
        return {};
      },
      [](std::map<std::string, T> map) {
        rename(map, any_platform, any_platform_key);
        return Json(map);
      });
}

// A port also tells that it was given.
ConfigKey port() {
  ConfigKey key = whole("port", "", &ServerSettings::port);
  key.set = [set = std::move(key.set)](Settings& settings, const Json& value) -> std::string {
    std::string problem = set(settings, value);
    if (!problem.empty() || settings.server.port == 0) {
      return " must be a whole number from 1 to 65535";
    }
    settings.server.has_port = true;
    return {};
  };
  return key;
}

ConfigKey log_level() {
  ConfigKey key = key_of(
      "logging.level", "", &ServerSettings::log_level,
      [](const Json& value, std::optional<std::string>& out) {
        return read_optional(value, out, [](const Json& name, std::string& level) {
          return read_word<std::string>(name, level,
                                        {{"trace", "trace"},
                                         {"debug", "debug"},
                                         {"info", "info"},
                                         {"warn", "warn"},
                                         {"error", "error"}});
        });
      },
      write_optional<std::string>);
  key.is_text = true;
  return key;
}

ConfigKey metrics_auth_token() {
  ConfigKey key = key_of(
      "security.metrics_auth_token", "", &ServerSettings::metrics_auth_token,
      [](const Json& value, std::optional<std::string>& out) {
        return read_optional(value, out, read_secret);
      },
      write_optional_secret);
  key.is_text = true;
  return key;
}

ConfigKey turn_secret() {
  ConfigKey key = key_of("turn.static_auth_secret", "turn_secret", &Config::turn_secret,
                         read_secret, write_secret);
  key.is_text = true;
  return key;
}

void add_rooms(std::vector<ConfigKey>& keys) {
  keys.insert(
      keys.end(),
      {whole("server.default_max_players", "default_max_players", &Config::default_max_players),
       time_in<seconds>("server.ping_timeout", "activity_timeout", &Config::activity_timeout),
       unused_whole("server.room_cleanup_interval"),
       whole("server.max_rooms_per_game", "max_rooms_per_game", &Config::max_rooms_per_game),
       whole("server.max_rooms", "max_rooms", &Config::max_rooms),
       time_in<seconds>("server.empty_room_timeout", "empty_room_timeout",
                        &Config::empty_room_timeout),
       time_in<seconds>("server.inactive_room_timeout", "inactive_room_timeout",
                        &Config::inactive_room_timeout),
       flag("server.enable_reconnection", "enable_reconnection", &Config::enable_reconnection),
       time_in<seconds>("server.reconnection_window", "reconnection_window",
                        &Config::reconnection_window),
       whole("server.event_buffer_size", "event_buffer_size", &Config::event_buffer_size),
       flag("server.reserve_seats", "reserve_seats", &Config::reserve_seats),
       unused_whole("server.heartbeat_throttle_secs"),
       unused_text("server.region_id"),
       text_or_null("server.room_code_prefix", "room_code_prefix", &Config::room_code_prefix),
       time_in<seconds>("server.drain_grace_secs", "drain_grace", &Config::drain_grace),
       whole_or_null("server.default_max_spectators", "max_spectators", &Config::max_spectators),
       flag("server.spectator_feed", "spectator_feed", &Config::spectator_feed),
       whole("rate_limit.max_room_creations", "max_room_creations", &Config::max_room_creations),
       whole("rate_limit.max_join_attempts", "max_join_attempts", &Config::max_join_attempts),
       time_in<seconds>("rate_limit.time_window", "rate_window", &Config::rate_window),
       whole("rate_limit.max_signals", "max_signals", &Config::max_signals),
       whole("rate_limit.max_signal_errors", "max_signal_errors", &Config::max_signal_errors),
       whole("rate_limit.max_inbound_error_replies", "max_error_replies",
             &Config::max_error_replies),
       whole("rate_limit.max_relay_bytes", "max_relay_bytes", &Config::max_relay_bytes)});
}

void add_protocol(std::vector<ConfigKey>& keys) {
  keys.insert(
      keys.end(),
      {whole("protocol.max_game_name_length", "max_game_name_length",
             &Config::max_game_name_length),
       whole("protocol.room_code_length", "room_code_length", &Config::room_code_length),
       whole("protocol.max_player_name_length", "max_player_name_length",
             &Config::max_player_name_length),
       whole("protocol.max_players_limit", "max_players_limit", &Config::max_players_limit),
       flag("protocol.enable_message_pack_game_data", "enable_message_pack_game_data",
            &Config::enable_message_pack_game_data),
       flag("protocol.enable_full_message_pack", "enable_full_message_pack",
            &Config::enable_full_message_pack),
       flag("protocol.enable_moderation", "enable_moderation", &Config::enable_moderation),
       whole("protocol.min_protocol_version", "min_protocol_version",
             &Config::min_protocol_version),
       whole("protocol.max_protocol_version", "max_protocol_version",
             &Config::max_protocol_version),
       flag("protocol.sdk_compatibility.enforce", "enforce_sdk_compatibility",
            &Config::enforce_sdk_compatibility),
       by_platform("protocol.sdk_compatibility.minimum_versions", "minimum_sdk_versions",
                   &Config::minimum_sdk_versions, read_text),
       by_platform("protocol.sdk_compatibility.recommended_versions", "recommended_sdk_versions",
                   &Config::recommended_sdk_versions, read_text),
       by_platform("protocol.sdk_compatibility.capabilities", "capabilities", &Config::capabilities,
                   read_texts),
       by_platform("protocol.sdk_compatibility.notes", "sdk_notes", &Config::sdk_notes, read_text),
       flag("protocol.player_name_validation.allow_unicode_alphanumeric",
            "allow_unicode_alphanumeric", &Config::allow_unicode_alphanumeric),
       flag("protocol.player_name_validation.allow_spaces", "allow_spaces", &Config::allow_spaces),
       flag("protocol.player_name_validation.allow_leading_trailing_whitespace",
            "allow_leading_trailing_whitespace", &Config::allow_leading_trailing_whitespace),
       texts("protocol.player_name_validation.allowed_symbols", "allowed_symbols",
             &Config::allowed_symbols),
       text_or_null("protocol.player_name_validation.additional_allowed_characters",
                    "additional_allowed_characters", &Config::additional_allowed_characters)});
}

void add_logging(std::vector<ConfigKey>& keys) {
  keys.insert(
      keys.end(),
      {text_or_null("logging.dir", "", &ServerSettings::log_directory),
       text("logging.filename", "", &ServerSettings::log_filename),
       unused_word("logging.rotation", {{"daily", 0}, {"hourly", 0}, {"never", 0}}), log_level(),
       flag("logging.enable_file_logging", "", &ServerSettings::enable_file_logging),
       unused_word("logging.format", {{"json", 0}, {"text", 0}})});
}

void add_security(std::vector<ConfigKey>& keys) {
  using ClientAuth = ServerSettings::ClientAuth;
  keys.insert(
      keys.end(),
      {key_of("security.cors_origins", "origins", &Config::origins, read_origins, write_origins),
       flag("security.require_websocket_auth", "require_authentication",
            &Config::require_authentication),
       flag("security.require_metrics_auth", "", &ServerSettings::require_metrics_auth),
       metrics_auth_token(),
       whole("security.max_message_size", "max_message_size", &Config::max_message_size),
       whole("security.max_outbound_message_size", "max_outbound_message_size",
             &Config::max_outbound_message_size),
       whole("security.max_signal_bytes", "max_signal_bytes", &Config::max_signal_bytes),
       whole("security.max_connection_info_bytes", "max_connection_info_bytes",
             &Config::max_connection_info_bytes),
       whole("security.max_connections_per_ip", "max_connections_per_address",
             &Config::max_connections_per_address),
       whole("security.max_connections", "max_connections", &Config::max_connections),
       key_of("security.authorized_apps", "apps", &Config::apps, read_apps, write_apps),
       flag("security.transport.tls.enabled", "", &ServerSettings::tls_enabled),
       text_or_null("security.transport.tls.certificate_path", "",
                    &ServerSettings::certificate_path),
       text_or_null("security.transport.tls.private_key_path", "",
                    &ServerSettings::private_key_path),
       text_or_null("security.transport.tls.client_ca_cert_path", "",
                    &ServerSettings::client_ca_path),
       word("security.transport.tls.client_auth", "", &ServerSettings::client_auth,
            Words<ClientAuth>{{"none", ClientAuth::none},
                              {"optional", ClientAuth::optional},
                              {"require", ClientAuth::require}}),
       flag("security.transport.token_binding.enabled", "token_binding", &Config::token_binding),
       flag("security.transport.token_binding.required", "require_token_binding",
            &Config::require_token_binding),
       flag("security.transport.token_binding.require_client_fingerprint",
            "require_client_fingerprint", &Config::require_client_fingerprint),
       unused_word("security.transport.token_binding.subprotocol",
                   {{"signalfish.tokenbinding.v2", 0}}),
       unused_word("security.transport.token_binding.scheme", {{"server_nonce_hkdf_sha256", 0}})});
}

void add_sessions(std::vector<ConfigKey>& keys) {
  using Topologies = std::map<std::string, DesiredTopology>;
  keys.insert(
      keys.end(),
      {word("session.default_topology", "default_topology", &Config::default_topology,
            topologies()),
       key_of(
           "session.game_topology_mappings", "game_topologies", &Config::game_topologies,
           [](const Json& value, Topologies& out) {
             return read_map(value, out, [](const Json& name, DesiredTopology& topology) {
               return read_word(name, topology, topologies());
             });
           },
           [](const Topologies& map) {
             Json object = Json::object();
             for (const auto& [game, topology] : map) {
               object[game] = write_word(topology, topologies());
             }
             return object;
           }),
       flag("session.enable_webrtc", "enable_webrtc", &Config::enable_webrtc),
       flag("session.enable_direct", "enable_direct", &Config::enable_direct),
       flag("session.enable_ice_pregather", "enable_ice_pregather", &Config::enable_ice_pregather),
       key_of("session.ice_servers", "ice_servers", &Config::ice_servers, read_ice_servers,
              write_ice_servers),
       flag("turn.enabled", "turn_enabled", &Config::turn_enabled), turn_secret(),
       texts("turn.urls", "turn_urls", &Config::turn_urls),
       texts("turn.stun_urls", "stun_urls", &Config::stun_urls),
       time_in<seconds>("turn.credential_ttl_secs", "turn_credential_ttl",
                        &Config::turn_credential_ttl),
       text("relay_types.default_relay_type", "default_relay_type", &Config::default_relay_type),
       texts_by_name("relay_types.game_relay_mappings", "game_relay_types",
                     &Config::game_relay_types)});
}

void add_websocket(std::vector<ConfigKey>& keys) {
  keys.insert(
      keys.end(),
      {unused_flag("websocket.enable_batching"), unused_whole("websocket.batch_size"),
       unused_whole("websocket.batch_interval_ms"),
       time_in<seconds>("websocket.auth_timeout_secs", "authentication_timeout",
                        &Config::authentication_timeout),
       time_in<seconds>("websocket.http_header_read_timeout_secs", "",
                        &ServerSettings::upgrade_timeout),
       time_in<seconds>("websocket.idle_timeout_secs", "idle_timeout", &Config::idle_timeout),
       time_in<seconds>("websocket.server_ping_interval_secs", "ping_interval",
                        &Config::ping_interval),
       time_in<seconds>("websocket.pong_timeout_secs", "pong_timeout", &Config::pong_timeout),
       whole("websocket.socket_send_buffer_bytes", "", &ServerSettings::socket_send_buffer_bytes),
       whole("websocket.send_queue_capacity", "send_queue_capacity", &Config::send_queue_capacity),
       whole("websocket.send_queue_bytes", "send_queue_bytes", &Config::send_queue_bytes),
       whole("websocket.control_queue_capacity", "control_queue_capacity",
             &Config::control_queue_capacity),
       time_in<milliseconds>("websocket.slow_consumer_timeout_ms", "slow_consumer_timeout",
                             &Config::slow_consumer_timeout),
       time_in<milliseconds>("websocket.max_sojourn_ms", "max_sojourn", &Config::max_sojourn),
       time_in<seconds>("websocket.delivery_stats_interval_secs", "delivery_stats_interval",
                        &Config::delivery_stats_interval)});
}

void add_unused(std::vector<ConfigKey>& keys) {
  keys.insert(keys.end(), {unused_whole("auth.rate_limit_cache_cleanup_interval_secs"),
                           unused_whole("auth.rate_limit_cache_retention_secs"),
                           unused_whole("auth.rate_limit_cache_alert_rows"),
                           unused_whole("coordination.dedup_cache.capacity"),
                           unused_whole("coordination.dedup_cache.ttl_secs"),
                           unused_whole("coordination.dedup_cache.cleanup_interval_secs"),
                           unused_whole("coordination.membership_snapshot_interval_secs"),
                           unused_whole("metrics.dashboard_cache_refresh_interval_secs"),
                           unused_whole("metrics.dashboard_cache_ttl_secs"),
                           unused_whole("metrics.dashboard_cache_history_window_secs"),
                           unused_texts("metrics.dashboard_cache_history_fields")});
}

}  // namespace

std::vector<ConfigKey> config_keys() {
  std::vector<ConfigKey> keys;
  keys.push_back(port());
  add_rooms(keys);
  add_protocol(keys);
  add_logging(keys);
  add_security(keys);
  add_sessions(keys);
  add_websocket(keys);
  add_unused(keys);
  return keys;
}

Settings document_defaults() {
  Settings settings;
  Config& config = settings.config;
  config.origins = {"http://localhost:3000", "http://localhost:5173"};
  config.minimum_sdk_versions = {
      {"unity", "1.10.0"}, {"godot", "0.9.0"}, {"godot-rust", "0.9.0"}, {"test", "1.0.0"}};
  config.recommended_sdk_versions = {{"unity", "1.12.0"}, {"godot-rust", "0.9.2"}};
  config.capabilities = {
      {std::string{any_platform}, {"reconnection", "spectator-mode", "rate-limits-v2"}},
      {"unity", {"relay-matchbox", "relay-mirror", "relay-fishnet"}}};
  return settings;
}

}  // namespace muster::signal
