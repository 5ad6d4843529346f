// SPDX-License-Identifier: MIT
#include <muster/signal/config.hpp>

#include <muster/bytes.hpp>
#include <muster/error.hpp>
#include <muster/utf8.hpp>

#include "config_fault.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace muster::signal {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// A length of time as the documentation has it.
std::string in_words(duration time) {
  if (time % seconds{1} == duration{0}) {
    return std::to_string(std::chrono::duration_cast<seconds>(time).count()) + " s";
  }
  return std::to_string(std::chrono::duration_cast<milliseconds>(time).count()) + " ms";
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool is_one_character(std::string_view text) {
  return !text.empty() && is_valid_utf8(as_bytes(text)) &&
         std::count_if(text.begin(), text.end(), [](char c) {
           return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
         }) == 1;
}

bool is_alphanumeric(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  });
}

// The part of a server's URL that says how to speak to it.
bool is_ice_url(std::string_view url) {
  constexpr std::array<std::string_view, 4> schemes{"stun:", "stuns:", "turn:", "turns:"};
  return url.size() <= 512 && is_valid_utf8(as_bytes(url)) && !has_control(url) &&
         std::any_of(schemes.begin(), schemes.end(), [url](std::string_view scheme) {
           return url.starts_with(scheme) && url.size() > scheme.size();
         });
}

bool are_ice_urls(const std::vector<std::string>& urls) {
  return urls.size() <= 16 && std::all_of(urls.begin(), urls.end(), is_ice_url);
}

// Keeps the first fault.
class Check {
 public:
  explicit Check(const Config& config) : config_(config) {}

  std::optional<ConfigFault> run() && {
    rooms();
    applications();
    rates();
    protocol();
    sizes();
    deadlines();
    plans();
    return std::move(fault_);
  }

 private:
  void must(bool holds, std::string_view field, std::string_view rule) {
    if (!holds && !fault_) fault_ = ConfigFault{field, std::string{rule}};
  }

  template <class Number>
  void range(std::string_view field, Number value, std::uint64_t least, std::uint64_t most) {
    if (value >= least && value <= most) return;
    must(false, field, "be from " + std::to_string(least) + " to " + std::to_string(most));
  }

  void time(std::string_view field, duration value, duration least, duration most,
            bool may_be_off = false) {
    if ((value >= least && value <= most) || (may_be_off && value == duration{0})) return;
    std::string rule = "be from " + in_words(least) + " to " + in_words(most);
    if (may_be_off && least > duration{0}) rule += ", or 0";
    must(false, field, rule);
  }

  // A text that clients are shown, or that names something.
  void text(std::string_view field, std::string_view value, std::size_t least, std::size_t most) {
    const bool holds = value.size() >= least && value.size() <= most &&
                       is_valid_utf8(as_bytes(value)) && !has_control(value);
    if (holds) return;
    must(false, field,
         "be a text of " + std::to_string(least) + " to " + std::to_string(most) +
             " bytes without control characters");
  }

  template <class Map>
  void names(std::string_view field, const Map& map) {
    for (const auto& entry : map) text(field, entry.first, 1, 256);
  }

  void rooms() {
    const Config& c = config_;
    range("max_players_limit", c.max_players_limit, 1, 255);
    range("default_max_players", c.default_max_players, 1, c.max_players_limit);
    range("max_rooms_per_game", c.max_rooms_per_game, 1, 1'000'000);
    range("max_rooms", c.max_rooms, 1, 1'000'000);
    time("empty_room_timeout", c.empty_room_timeout, seconds{1}, hours{24});
    time("inactive_room_timeout", c.inactive_room_timeout, seconds{1}, hours{24 * 7});
    range("room_code_length", c.room_code_length, 4, 32);
    must(c.room_code_prefix.size() < c.room_code_length && is_alphanumeric(c.room_code_prefix),
         "room_code_prefix", "be ASCII letters and digits, and fewer than room_code_length");
    range("max_game_name_length", c.max_game_name_length, 1, 1024);
    range("max_player_name_length", c.max_player_name_length, 1, 256);
    must(c.allowed_symbols.size() <= 256 &&
             std::all_of(c.allowed_symbols.begin(), c.allowed_symbols.end(), is_one_character),
         "allowed_symbols", "be up to 256 texts of one character each");
    if (c.additional_allowed_characters) {
      text("additional_allowed_characters", *c.additional_allowed_characters, 0, 1024);
    }
    text("default_relay_type", c.default_relay_type, 1, 256);
    names("game_relay_types", c.game_relay_types);
    for (const auto& [game, label] : c.game_relay_types) text("game_relay_types", label, 1, 256);
    time("reconnection_window", c.reconnection_window, seconds{1}, hours{24});
    range("event_buffer_size", c.event_buffer_size, 0, 65'536);
    if (c.max_spectators) range("max_spectators", *c.max_spectators, 0, 1'000'000);
  }

  void applications() {
    const Config& c = config_;
    std::vector<std::string_view> ids;
    for (const App& app : c.apps) {
      text("apps", app.id, 1, 256);
      text("apps", app.name, 0, 256);
      if (app.organization) text("apps", *app.organization, 0, 256);
      if (app.max_players_per_room) range("apps", *app.max_players_per_room, 1, 255);
      if (app.rate_limit_per_minute) range("apps", *app.rate_limit_per_minute, 1, 1'000'000);
      ids.push_back(app.id);
    }
    std::sort(ids.begin(), ids.end());
    must(std::adjacent_find(ids.begin(), ids.end()) == ids.end(), "apps",
         "name each application once");
    for (const std::string& origin : c.origins) {
      must(!origin.empty() && origin.size() <= 512 && !has_control(origin) &&
               origin.find(' ') == std::string::npos,
           "origins", "be origins such as https://game.example, or *");
    }
    must(!c.require_token_binding || c.token_binding, "require_token_binding",
         "be false without token_binding");
    must(!c.require_client_fingerprint || c.token_binding, "require_client_fingerprint",
         "be false without token_binding");
  }

  void rates() {
    const Config& c = config_;
    constexpr std::uint64_t most = 1'000'000'000;
    time("rate_window", c.rate_window, seconds{1}, hours{1});
    range("max_room_creations", c.max_room_creations, 0, most);
    range("max_join_attempts", c.max_join_attempts, 0, most);
    range("max_signals", c.max_signals, 0, most);
    range("max_signal_errors", c.max_signal_errors, 0, most);
    range("max_error_replies", c.max_error_replies, 0, most);
    range("max_relay_bytes", c.max_relay_bytes, 0, std::uint64_t{1} << 50);
  }

  void protocol() {
    const Config& c = config_;
    range("min_protocol_version", c.min_protocol_version, 2, 3);
    range("max_protocol_version", c.max_protocol_version, c.min_protocol_version, 3);
    names("minimum_sdk_versions", c.minimum_sdk_versions);
    names("recommended_sdk_versions", c.recommended_sdk_versions);
    names("capabilities", c.capabilities);
    names("sdk_notes", c.sdk_notes);
  }

  void sizes() {
    const Config& c = config_;
    constexpr std::uint64_t mebibyte = 1024 * 1024;
    range("max_message_size", c.max_message_size, 1024, 16 * mebibyte);
    range("max_signal_bytes", c.max_signal_bytes, 1, c.max_message_size);
    range("max_connection_info_bytes", c.max_connection_info_bytes, 1, c.max_message_size);
    // A message is relayed with what the protocol puts around it.
    range("max_outbound_message_size", c.max_outbound_message_size, c.max_message_size + 256,
          64 * mebibyte);
    range("max_connections", c.max_connections, 1, 10'000'000);
    range("max_connections_per_address", c.max_connections_per_address, 0, 10'000'000);
    range("send_queue_capacity", c.send_queue_capacity, 1, 65'000);
    range("send_queue_bytes", c.send_queue_bytes, 64 * 1024, std::uint64_t{1} << 32);
    range("control_queue_capacity", c.control_queue_capacity, 2, 4096);
  }

  void deadlines() {
    const Config& c = config_;
    time("authentication_timeout", c.authentication_timeout, seconds{5}, seconds{60});
    time("idle_timeout", c.idle_timeout, duration{0}, hours{24});
    time("ping_interval", c.ping_interval, duration{0}, hours{1});
    time("pong_timeout", c.pong_timeout, seconds{1}, hours{1});
    time("slow_consumer_timeout", c.slow_consumer_timeout, milliseconds{1}, minutes{10});
    // Who is slow to read is closed as that, and not for its silence.
    if (c.activity_timeout != duration{0} && c.activity_timeout <= c.slow_consumer_timeout) {
      must(false, "activity_timeout", "be longer than slow_consumer_timeout, or 0");
    }
    time("activity_timeout", c.activity_timeout, duration{0}, hours{24});
    time("max_sojourn", c.max_sojourn, milliseconds{100}, hours{1});
    time("drain_grace", c.drain_grace, duration{0}, hours{1});
    time("delivery_stats_interval", c.delivery_stats_interval, seconds{1}, hours{1}, true);
  }

  void plans() {
    const Config& c = config_;
    constexpr std::string_view urls =
        "be up to 16 URLs that begin with stun:, stuns:, turn: or turns:";
    names("game_topologies", c.game_topologies);
    must(c.ice_servers.size() <= 16, "ice_servers", "be up to 16 servers");
    for (const IceServerConfig& server : c.ice_servers) {
      must(!server.urls.empty() && are_ice_urls(server.urls), "ice_servers",
           "have 1 to 16 URLs each that begin with stun:, stuns:, turn: or turns:");
      if (server.username) text("ice_servers", *server.username, 0, 512);
      if (server.credential) text("ice_servers", *server.credential, 0, 512);
    }
    must(are_ice_urls(c.turn_urls), "turn_urls", urls);
    must(are_ice_urls(c.stun_urls), "stun_urls", urls);
    text("turn_secret", c.turn_secret, 0, 1024);
    must(!c.turn_enabled || !c.turn_secret.empty(), "turn_secret",
         "not be empty while turn_enabled");
    must(!c.turn_enabled || !c.turn_urls.empty(), "turn_urls", "not be empty while turn_enabled");
    time("turn_credential_ttl", c.turn_credential_ttl, minutes{1}, hours{24 * 7});
  }

  const Config& config_;
  std::optional<ConfigFault> fault_;
};

}  // namespace

std::optional<ConfigFault> find_fault(const Config& config) { return Check{config}.run(); }

std::error_code validate(const Config& config, std::string& problem) {
  const auto fault = find_fault(config);
  if (!fault) return {};
  problem = std::string{fault->field} + " must " + fault->must;
  return errc::invalid_config;
}

}  // namespace muster::signal
