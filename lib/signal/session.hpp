// SPDX-License-Identifier: MIT
// What is kept of a connection, and of a member of a room.
#pragma once

#include <muster/connection.hpp>
#include <muster/room/room.hpp>
#include <muster/signal/config.hpp>
#include <muster/time.hpp>

#include "connection_info.hpp"
#include "delivery_lane.hpp"
#include "error_code.hpp"
#include "rate_bucket.hpp"
#include "server_message.hpp"
#include "token_binding.hpp"
#include "uuid.hpp"
#include "vocabulary.hpp"

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>

namespace muster::signal {

class GameRoom;
struct Seat;

/// What a connection has said that it can do.
struct Abilities {
  Version version = Version::v2;
  GameDataFormat format = GameDataFormat::json;
  std::uint8_t transports = 1;  ///< a bit for each Transport
  std::uint8_t topologies = 1;  ///< a bit for each Topology
  bool has_operation_ids = false;
  bool is_packed = false;  ///< every message is MessagePack, in muster's own subprotocol

  [[nodiscard]] constexpr bool is_v3() const noexcept { return version == Version::v3; }
  [[nodiscard]] constexpr bool reads_text_only() const noexcept {
    return !is_packed && format == GameDataFormat::json;
  }
  [[nodiscard]] bool has(Transport transport) const noexcept {
    return (transports >> static_cast<unsigned>(transport) & 1U) != 0;
  }
  [[nodiscard]] bool has(Topology topology) const noexcept {
    return (topologies >> static_cast<unsigned>(topology) & 1U) != 0;
  }
};

/// The audiences of a room: who gets the same bytes.
enum class Audience : std::uint8_t { v2_json, v2_binary, v3_json, v3_binary, v2_packed, v3_packed };
inline constexpr std::size_t audience_count = 6;

[[nodiscard]] constexpr Audience audience_of(const Abilities& abilities) noexcept {
  if (abilities.is_packed) return abilities.is_v3() ? Audience::v3_packed : Audience::v2_packed;
  const bool is_binary = abilities.format == GameDataFormat::message_pack;
  if (abilities.is_v3()) return is_binary ? Audience::v3_binary : Audience::v3_json;
  return is_binary ? Audience::v2_binary : Audience::v2_json;
}

/// How many messages of each class.
using ClassCounts = std::array<std::uint64_t, 3>;

/// What a connection keeps when it moves to another loop.
struct PortableSession {
  enum class Stage : std::uint8_t {
    opening,         ///< accepted, not open yet
    authenticating,  ///< nobody before it has authenticated
    ready,
    over,  ///< it is being closed, and in no room
  };

  Stage stage = Stage::opening;
  bool has_spoken = false;        // an application message came
  bool is_authenticated = false;  // an Authenticate was accepted
  Version endpoint = Version::v2;
  Abilities abilities{};
  Uuid player_id{};
  Uuid app_id{};            // whose rooms it sees
  std::uint32_t epoch = 0;  // of its latest membership
  std::optional<TokenBinding> binding{};

  // Delivery.
  DeliveryCounters counters{};  // losses as they were reported
  ClassCounts owed{};           // game data meant for it, in rooms that it has left
  std::uint64_t backpressure_events = 0;

  // Limits.
  RateBucket creations{};
  RateBucket joins{};
  RateBucket signals{};
  RateBucket signal_errors{};
  RateBucket error_replies{};
  RateBucket relayed{};
};

/// A connection, from its upgrade to its end.
struct Session : PortableSession {
  Connection* connection = nullptr;
  Address remote{};
  const App* app = nullptr;  // null: none is asked for

  // In a room.
  GameRoom* room = nullptr;
  Seat* seat = nullptr;

  // Delivery.
  std::unique_ptr<DeliveryLane> lane{};      // while it is behind
  time_point unwritten_since = no_deadline;  // of the oldest that was given to the connection
  std::uint32_t control_waiting = 0;         // messages of the room's own behind a backlog
  ClassCounts base{};                        // the room's counts when it came
  ClassCounts own{};                         // what it sent itself in that room
  RateBucket format_errors{};  // one a second, told to those who cannot read what it sends

  std::optional<CloseCode> doom{};  // to be closed, once nothing of it is on the stack
  bool is_counted = false;          // among the connections of its address
  bool was_replayed = false;        // its message comes again: it was checked on another loop

  // Deadlines.
  time_point deadline = no_deadline;   // of authenticating, or of a backlog
  time_point scheduled = no_deadline;  // under which the service keeps it
  time_point active_at{};
  std::list<Session*>::iterator activity{};  // its place, while `is_watched`
  bool is_watched = false;

  [[nodiscard]] inline bool is_playing() const noexcept;

  /// Whether anything may be sent to it.
  [[nodiscard]] bool takes() const noexcept {
    return (stage == Stage::authenticating || stage == Stage::ready) && !doom;
  }
};

/// A member of a room, player or spectator, over all of its connections.
struct Seat {
  Uuid player_id{};
  std::string name;
  std::string folded_name;  // unique among the players
  bool is_spectator = false;
  bool is_ready = false;
  bool was_authority = false;  // when it was lost
  UnixMilliseconds connected_at = 0;
  std::optional<ConnectionInfo> connection_info{};
  Abilities abilities{};
  Stamp stamp{};
  std::array<std::optional<bool>, 3> transport_status{};  // by Transport
  Session* session = nullptr;                             // null: it is absent
  Room::Member* member = nullptr;
  std::uint64_t missed_from = 0;  // the first event that it missed
};

bool Session::is_playing() const noexcept { return room != nullptr && !seat->is_spectator; }

}  // namespace muster::signal
