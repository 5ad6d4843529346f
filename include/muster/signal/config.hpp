// SPDX-License-Identifier: MIT
// What a signaling service is told once.
#pragma once

#include <muster/export.hpp>
#include <muster/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace muster::signal {

/// How a game's members reach each other, as their session plan is to have it: `relay` by the
/// server alone, `host` with one member in the middle, `mesh` each with each.
enum class DesiredTopology : std::uint8_t { relay, host, mesh };

/// An application that may authenticate.
struct App {
  std::string id;    ///< 1 to 256 bytes without control characters; no secret
  std::string name;  ///< shown to its clients
  std::optional<std::string> organization{};
  std::optional<std::uint32_t> max_rooms{};              ///< of this application at once
  std::optional<std::uint8_t> max_players_per_room{};    ///< 1 to 255
  std::optional<std::uint32_t> rate_limit_per_minute{};  ///< authentications; none: 1000
};

/// A server that helps peers to find a way to each other.
struct IceServerConfig {
  std::vector<std::string> urls;
  std::optional<std::string> username{};
  std::optional<std::string> credential{};
};

/// Limits, deadlines and policies, with the protocol's defaults. A duration of 0 switches a
/// deadline off where it says so.
/// @source docs/protocol/signal.md, "Configuration"
struct Config {
  // Rooms.
  std::uint8_t default_max_players = 8;  ///< 1 to `max_players_limit`
  std::uint8_t max_players_limit = 100;  ///< 1 to 255
  std::uint32_t max_rooms_per_game = 1000;
  std::uint32_t max_rooms = 100'000;                            ///< of all games
  duration empty_room_timeout = std::chrono::seconds{300};      ///< 1 s to 24 h
  duration inactive_room_timeout = std::chrono::seconds{3600};  ///< 1 s to 7 days
  std::uint32_t room_code_length = 6;                           ///< 4 to 32
  std::string room_code_prefix{};                               ///< shorter than the length
  std::size_t max_game_name_length = 64;                        ///< bytes, 1 to 1024
  std::size_t max_player_name_length = 32;                      ///< characters, 1 to 256
  bool allow_unicode_alphanumeric = true;
  bool allow_spaces = true;
  bool allow_leading_trailing_whitespace = false;
  std::vector<std::string> allowed_symbols{"-", "_"};  ///< one character each
  std::optional<std::string> additional_allowed_characters{};
  std::string default_relay_type = "matchbox";            ///< a label for clients
  std::map<std::string, std::string> game_relay_types{};  ///< by game

  // Coming back.
  bool enable_reconnection = true;
  duration reconnection_window = std::chrono::seconds{300};  ///< 1 s to 24 h
  std::uint32_t event_buffer_size = 100;  ///< up to 65536; 0: nothing is replayed
  bool reserve_seats = true;              ///< who may come back keeps its place among `max_players`

  // Spectators.
  std::optional<std::uint32_t> max_spectators{};  ///< of a room
  bool spectator_feed = true;  ///< they see what players see; else only that they joined

  // Rates: token buckets of so many in `rate_window`, by player and by address.
  duration rate_window = std::chrono::seconds{60};  ///< 1 s to 1 h
  std::uint32_t max_room_creations = 5;             ///< 0: no limit, as for the others
  std::uint32_t max_join_attempts = 20;
  std::uint32_t max_signals = 600;
  std::uint32_t max_signal_errors = 60;
  std::uint32_t max_error_replies = 600;  ///< then the connection is closed with 4006
  std::uint64_t max_relay_bytes = 256ULL * 1024 * 1024;  ///< of game data from one sender

  // Protocol.
  bool enable_message_pack_game_data = true;
  bool enable_full_message_pack = true;    ///< answers the subprotocol of muster's own
  std::uint16_t min_protocol_version = 2;  ///< 2 or 3
  std::uint16_t max_protocol_version = 3;  ///< 2 or 3
  bool enforce_sdk_compatibility = false;
  std::map<std::string, std::string> minimum_sdk_versions{};       ///< by platform, lower case
  std::map<std::string, std::string> recommended_sdk_versions{};   ///< by platform, lower case
  std::map<std::string, std::vector<std::string>> capabilities{};  ///< by platform, or "default"
  std::map<std::string, std::string> sdk_notes{};                  ///< by platform
  /// Error codes that the published client of generation R7 does not know may be sent.
  bool enable_moderation = false;

  // Who may come in.
  bool require_authentication = true;  ///< only applications on the list, and first of all that
  std::vector<App> apps{};
  std::uint32_t max_connections_per_address = 24;  ///< 0: no limit
  std::uint32_t max_connections = 10'000;
  std::vector<std::string> origins{};  ///< compared whole; empty, or with "*": all
  bool token_binding = false;
  bool require_token_binding = false;
  bool require_client_fingerprint = false;

  // Sizes, in bytes.
  std::size_t max_message_size = 65'536;  ///< 1 KiB to 16 MiB, of what clients send
  std::size_t max_outbound_message_size = 8 * 1024 * 1024;  ///< up to 64 MiB
  std::size_t max_signal_bytes = 16'384;
  std::size_t max_connection_info_bytes = 8192;

  // Deadlines.
  duration authentication_timeout = std::chrono::seconds{10};        ///< 5 to 60 s
  duration idle_timeout = std::chrono::seconds{300};                 ///< up to 24 h; 0: off
  duration ping_interval = std::chrono::seconds{10};                 ///< up to 1 h; 0: off
  duration pong_timeout = std::chrono::seconds{5};                   ///< 1 s to 1 h
  duration activity_timeout = std::chrono::seconds{30};              ///< 0: off
  duration slow_consumer_timeout = std::chrono::milliseconds{5000};  ///< up to 10 min
  duration max_sojourn = std::chrono::milliseconds{15'000};          ///< 100 ms to 1 h
  duration drain_grace = std::chrono::seconds{30};                   ///< up to 1 h; 0: at once
  duration delivery_stats_interval{0};  ///< up to 1 h; 0: none are sent

  // What may wait for one recipient.
  std::uint32_t send_queue_capacity = 1024;         ///< game data, 1 to 65000
  std::size_t send_queue_bytes = 16 * 1024 * 1024;  ///< of it, at least 64 KiB
  std::uint32_t control_queue_capacity = 128;       ///< 2 to 4096

  // Session plans.
  DesiredTopology default_topology = DesiredTopology::relay;
  std::map<std::string, DesiredTopology> game_topologies{};
  bool enable_webrtc = true;
  bool enable_direct = true;
  bool enable_ice_pregather = true;
  std::vector<IceServerConfig> ice_servers{};
  bool turn_enabled = false;
  std::string turn_secret{};
  std::vector<std::string> turn_urls{};
  std::vector<std::string> stun_urls{};
  duration turn_credential_ttl = std::chrono::seconds{3600};  ///< 1 min to 7 days
};

/// @param problem   on failure, a sentence that names the field and what is allowed
/// @error errc::invalid_config
[[nodiscard]] MUSTER_API std::error_code validate(const Config& config, std::string& problem);

}  // namespace muster::signal
