// SPDX-License-Identifier: MIT
// What a lobby client is told once.
#pragma once

#include <muster/connection.hpp>
#include <muster/export.hpp>
#include <muster/lobby/retry_policy.hpp>
#include <muster/lobby/token.hpp>
#include <muster/time.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace muster::lobby {

/// A bot's connection to its lobby, and how it plays its matches. The defaults are the protocol's.
struct Config {
  std::string url;  ///< the lobby's: wss://HOST[:PORT]/PATH; ws:// to this machine
  Token token;
  bool allow_insecure_lobby = false;  ///< ws:// to any host: the token goes in clear text

  RetryPolicy retry{};

  /// How many matches are played before it stops; none are started beyond. Nothing: no bound.
  std::optional<std::uint32_t> max_matches{};
  bool count_abandoned = false;  ///< a match that was given up counts as one played

  std::uint32_t max_concurrent_matches = 16;  ///< more are declined; 0: no bound

  /// An action that cannot be had from the handler (it fails, takes too long, answers with what is
  /// not legal) is replaced by the game's fallback. If this is off, a handler that fails ends the
  /// run.
  bool safe_mode = true;
  bool retry_handler_on_reject = false;  ///< ask it again, in place of the game's fallback

  /// A gateway that does not say which subprotocol it chose has not read the token.
  bool strict_subprotocol = true;

  /// How long matches may go on once it stops, 0 to 24 h; nothing: until they end.
  std::optional<duration> drain_grace = std::chrono::seconds{5};
  bool finish_matches_on_evict = false;  ///< those do not end with the lobby's connection

  duration connect_timeout = std::chrono::seconds{10};    ///< 100 ms to 10 min, to the 101
  duration hello_timeout = std::chrono::seconds{10};      ///< 100 ms to 10 min, of the lobby
  duration handshake_timeout = std::chrono::seconds{10};  ///< 100 ms to 10 min, of a gateway

  /// A lobby from which nothing came for so long is lost, 1 s to 1 h; 0: never. Only messages
  /// count, and the protocol's server sends one every 15 s.
  duration lobby_idle_timeout = std::chrono::seconds{40};

  /// A lobby session that held for so long, or brought a match, starts the attempts over. 0 to 1 h.
  duration stable_after = std::chrono::seconds{10};

  /// For how long after a drop a match is tried to be resumed, 0 to 1 h.
  duration reconnect_grace = std::chrono::seconds{30};
  std::uint32_t server_reconnect_budget = 3;  ///< resumptions of one match; 0: no bound of our own

  /// A turn is answered so much before its time is over, or a tenth of that time, whichever is
  /// more; but half of the time is always the handler's. 0 to 1 min.
  duration turn_margin = std::chrono::milliseconds{200};

  std::uint32_t max_malformed_frames = 32;   ///< in a row, then the connection is closed; 1 or more
  std::uint32_t max_rejection_replies = 4;   ///< answers to rejections of one request
  std::size_t max_frame = 16 * 1024 * 1024;  ///< bytes of a message, 4 KiB to 64 MiB

  /// What this side sends in a second, on one match's connection: 1 to 1000. More waits.
  std::uint32_t frames_per_second = 10;
  std::size_t max_queued_frames = 64;  ///< that wait; 1 to 4096

  std::string client_name = "muster";          ///< 1 to 64 bytes of ASCII
  std::string client_version = "0.1";          ///< 1 to 32 bytes of ASCII
  std::string user_agent = "muster/0.1";       ///< a header's value; some servers refuse none
  std::vector<std::string> supported_games{};  ///< told the gateway; empty: nothing is told

  /// Types of messages that are the game's own, outside the protocol: they go to the handler.
  std::vector<std::string> game_frame_types{};

  Budget budget{.bytes = 256 * 1024, .frames = 256};  ///< what may wait for one connection
};

/// @error errc::invalid_config   with a sentence about the first field that is wrong in `problem`;
///                               it never shows the token
[[nodiscard]] MUSTER_API std::error_code validate(const Config& config, std::string& problem);

}  // namespace muster::lobby
