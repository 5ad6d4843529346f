// SPDX-License-Identifier: MIT
// What a signaling service counts, by the families of the metrics it is shown as.
#pragma once

#include <muster/export.hpp>
#include <muster/signal/latency_histogram.hpp>

#include <cstdint>

namespace muster::signal {

/// Counters since the start; `active` ones go up and down. Plain numbers of one kind, so that those
/// of all loops are summed.
/// @source docs/protocol/signal.md, "Metrics"
struct MUSTER_API Stats {
  struct Connections {
    std::uint64_t total = 0;           ///< registered
    std::uint64_t active = 0;          ///< registered now
    std::uint64_t disconnections = 0;  ///< ended, for whatever reason
  };

  /// What became of one requested upgrade each.
  struct Upgrades {
    std::uint64_t attempts = 0;
    std::uint64_t accepted = 0;
    std::uint64_t rejected_origin = 0;
    std::uint64_t rejected_draining = 0;
    std::uint64_t rejected_token_binding_offer = 0;        ///< 400, 401
    std::uint64_t rejected_token_binding_negotiation = 0;  ///< 400
    std::uint64_t rejected_server_fault = 0;               ///< 500, 503
  };

  struct WebSocket {
    std::uint64_t messages_dropped = 0;           ///< of game data, whatever the class and reason
    std::uint64_t backpressure_events = 0;        ///< a recipient's queue was full
    std::uint64_t slow_consumer_disconnects = 0;  ///< closed with 4002
    std::uint64_t ping_timeouts = 0;              ///< closed with 4003, for want of a pong
    std::uint64_t ping_probes_skipped_activity = 0;    ///< due, but the peer had been heard
    std::uint64_t ping_probes_cancelled_activity = 0;  ///< sent, then the peer was heard otherwise
    std::uint64_t delivery_attempts = 0;               ///< messages meant for one recipient each
    std::uint64_t deliveries_enqueued = 0;             ///< of them: taken by the recipient's queue
    std::uint64_t deliveries_channel_closed = 0;       ///< of them: the recipient was closing
    std::uint64_t deliveries_canceled = 0;             ///< of them: given up while they waited
  };

  /// Game data of one class, once per recipient. At rest `attempted` is the sum of the others; what
  /// a class cannot be stays 0.
  struct Deliveries {
    std::uint64_t attempted = 0;
    std::uint64_t delivered = 0;
    std::uint64_t superseded = 0;          ///< latest: a newer one of its key came
    std::uint64_t dropped_full = 0;        ///< latest: no room
    std::uint64_t dropped = 0;             ///< volatile: no room
    std::uint64_t abandoned = 0;           ///< its connection ended first
    std::uint64_t unsupported_format = 0;  ///< the recipient's format cannot say it
  };

  struct Rooms {
    std::uint64_t active = 0;  ///< exist now
    std::uint64_t created = 0;
    std::uint64_t joined = 0;  ///< joins of players, the creator's too
    std::uint64_t deleted = 0;
    std::uint64_t cap_denials = 0;  ///< creations over `max_rooms_per_game` or another cap
  };

  struct Players {
    std::uint64_t active = 0;  ///< seated and connected now
    std::uint64_t joined = 0;
    std::uint64_t left = 0;  ///< of their own will, or for good when their window has passed
  };

  struct Spectators {
    std::uint64_t active = 0;  ///< now
    std::uint64_t joined = 0;
    std::uint64_t left = 0;
  };

  /// Requests refused for their rate, once each.
  struct RateLimit {
    std::uint64_t auth_rejections = 0;
    std::uint64_t room_creation_rejections = 0;
    std::uint64_t join_attempt_rejections = 0;
    std::uint64_t signal_rejections = 0;
    std::uint64_t signal_error_rejections = 0;     ///< told without detail
    std::uint64_t relay_bandwidth_rejections = 0;  ///< game data over `max_relay_bytes`

    [[nodiscard]] std::uint64_t rejections() const noexcept {
      return auth_rejections + room_creation_rejections + join_attempt_rejections +
             signal_rejections + signal_error_rejections + relay_bandwidth_rejections;
    }
  };

  struct Reconnection {
    std::uint64_t tokens_issued = 0;
    std::uint64_t validation_failures = 0;  ///< Reconnect requests refused
    std::uint64_t completions = 0;
    std::uint64_t events_buffered = 0;
    std::uint64_t events_evicted = 0;   ///< pushed out of a full buffer
    std::uint64_t sessions_active = 0;  ///< members that may come back now
  };

  struct Cleanup {
    std::uint64_t empty_rooms = 0;
    std::uint64_t inactive_rooms = 0;
    std::uint64_t expired_players = 0;  ///< that did not come back in time
  };

  struct Errors {
    std::uint64_t internal = 0;    ///< replies INTERNAL_ERROR
    std::uint64_t validation = 0;  ///< every other reply that refuses a message
    std::uint64_t websocket = 0;   ///< connections failed for what the peer sent

    [[nodiscard]] std::uint64_t total() const noexcept { return internal + validation + websocket; }
  };

  /// Session plans and what peers tell of their way to each other.
  struct Transports {
    std::uint64_t session_plans_emitted = 0;    ///< messages, once per recipient
    std::uint64_t session_replans_emitted = 0;  ///< of them: after the first plan of the room
    std::uint64_t session_plans_late_join = 0;  ///< of them: since somebody joined late
    std::uint64_t topology_mesh_selected = 0;   ///< rooms, at their start
    std::uint64_t topology_host_selected = 0;
    std::uint64_t topology_relay_selected = 0;
    std::uint64_t webrtc_selected = 0;
    std::uint64_t direct_selected = 0;
    std::uint64_t relay_selected = 0;
    std::uint64_t p2p_established = 0;  ///< reports of a first connection beside the relay
    std::uint64_t relay_fallback = 0;   ///< reports that it is gone
    std::uint64_t signals_relayed = 0;
    std::uint64_t turn_credentials_issued = 0;
    std::uint64_t status_fanout = 0;          ///< PeerTransportStatus messages, once per recipient
    std::uint64_t ice_pregather_emitted = 0;  ///< servers named with RoomJoined or Reconnected
  };

  Connections connections{};
  Upgrades upgrades{};
  WebSocket websocket{};
  Deliveries reliable{};
  Deliveries latest{};
  Deliveries volatile_{};
  Rooms rooms{};
  Players players{};
  Spectators spectators{};
  std::uint64_t game_data_messages = 0;  ///< accepted from their senders
  RateLimit rate_limit{};
  Reconnection reconnection{};
  Cleanup cleanup{};
  Errors errors{};
  Transports transport{};
  LatencyHistogram room_creation_latency{};  ///< from the request to its reply
  LatencyHistogram room_join_latency{};      ///< of those that created no room
  LatencyHistogram ping_rtt{};               ///< from a ping to its pong

  /// Adds what another loop has counted.
  void add(const Stats& more) noexcept;
};

}  // namespace muster::signal
