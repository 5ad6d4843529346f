// SPDX-License-Identifier: MIT
// What an application may want to know of a relay's rooms: for records, logs and statistics.
#pragma once

#include <muster/export.hpp>
#include <muster/relay/authority.hpp>
#include <muster/relay/ending.hpp>
#include <muster/time.hpp>

#include <cstdint>
#include <string_view>

namespace muster::relay {

/// Which room. Views are valid during the call.
struct RoomFacts {
  std::uint64_t instance = 0;  ///< unlike that of any other room of this service
  std::string_view game_id{};
  std::string_view room_id{};
  std::uint16_t rule_variation = 0;
};

/// Hears what happens, after it has happened. A call must not block and must not use the service
/// or its rooms: what takes longer is for another thread. No token is ever told.
/// @threads the service's loop
class MUSTER_API Observer {
 public:
  virtual ~Observer() = default;

  /// @param host   null: the authority is in this process
  virtual void on_room_opened(const RoomFacts& room, const PlayerInfo* host, time_point now) {
    (void)room, (void)host, (void)now;
  }
  virtual void on_room_closed(const RoomFacts& room, Ending why, time_point now) {
    (void)room, (void)why, (void)now;
  }
  virtual void on_joined(const RoomFacts& room, const PlayerInfo& player, time_point now) {
    (void)room, (void)player, (void)now;
  }
  virtual void on_back(const RoomFacts& room, const PlayerInfo& player, time_point now) {
    (void)room, (void)player, (void)now;
  }
  virtual void on_departed(const RoomFacts& room, const PlayerInfo& player, Departure why,
                           time_point now) {
    (void)room, (void)player, (void)why, (void)now;
  }
  virtual void on_host_away(const RoomFacts& room, time_point now) { (void)room, (void)now; }

  /// @param is_another   not the one that was lost
  virtual void on_host_back(const RoomFacts& room, bool is_another, time_point now) {
    (void)room, (void)is_another, (void)now;
  }

  /// A connection was ended by the relay before it was in a room.
  virtual void on_refused(const Address& remote, Ending why, time_point now) {
    (void)remote, (void)why, (void)now;
  }
};

}  // namespace muster::relay
