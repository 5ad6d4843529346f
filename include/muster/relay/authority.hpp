// SPDX-License-Identifier: MIT
// Who decides in a room: the game, whether it runs in this process or behind a connection.
#pragma once

#include <muster/address.hpp>
#include <muster/bytes.hpp>
#include <muster/export.hpp>
#include <muster/relay/extension.hpp>
#include <muster/time.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace muster::relay {

class HostedRoom;

/// Why a player is not there any more.
enum class Departure : std::uint8_t {
  away,     ///< its connection is lost; it may come back with its token
  left,     ///< it said so, or cannot come back
  kicked,   ///< the authority removed it
  expired,  ///< it was away for too long; `away` was told before
};

[[nodiscard]] MUSTER_API std::string_view to_string(Departure departure) noexcept;

/// What is known of a player. Views are valid during the call.
struct PlayerInfo {
  std::uint16_t id = 0;
  std::uint16_t seat = no_seat;
  bool is_spectator = false;
  bool is_extended = false;  ///< it offered the extension
  std::string_view name{};   ///< its display name, which it chose itself; may be empty
  std::string_view user{};   ///< its account, as the authentication hook said; empty: anonymous
  Address remote{};
};

/// The game's side of a room.
///
/// A room has one authority at a time. One in this process is made by the application; a host
/// behind a connection is one of the library's own, which turns these calls into the messages of
/// docs/protocol/relay.md, and its messages into the verbs of `HostedRoom`.
///
/// Every verb of the room may be used in a call. What a verb causes, such as the departure of a
/// player that was kicked, is told when the call has returned. No call may destroy the service.
/// @threads the loop of the room
class MUSTER_API Authority {
 public:
  virtual ~Authority() = default;

  /// The room is this authority's from now on, with the players that are in it already. The room
  /// stays valid until `on_detached`.
  virtual void on_attached(HostedRoom& room, time_point now) { (void)room, (void)now; }

  /// The room is over, or another's. The last call.
  virtual void on_detached(time_point now) { (void)now; }

  /// Somebody new wants in, and there is a place.
  /// @param player    its id is the one that it would get
  /// @param refusal   the text that it is refused with; empty: "Server unexpectedly left during
  ///                  handshake", which asks for another attempt
  /// @return          false to refuse
  virtual bool on_admit(const PlayerInfo& player, std::string& refusal, time_point now) {
    (void)player, (void)refusal, (void)now;
    return true;
  }

  virtual void on_join(const PlayerInfo& player, time_point now) = 0;

  /// A player is there again, on a new connection, and without the state. It may not have been
  /// reported away: a new connection takes over from an old one that nobody knew to be dead.
  virtual void on_back(const PlayerInfo& player, time_point now) { on_join(player, now); }

  virtual void on_depart(const PlayerInfo& player, Departure why, time_point now) = 0;

  /// An action of a player who is there. The payload is whatever that player sent.
  virtual void on_rpc(const PlayerInfo& player, byte_view payload, time_point now) = 0;

  /// The state as it is now, for players who do not have it: a FULL_UPDATE's payload. Called when
  /// the room needs it; uses no verb.
  [[nodiscard]] virtual std::vector<std::byte> full_state() = 0;

  /// Asked in front of `full_state`, by an authority that has the state elsewhere (another thread,
  /// another language). Uses no verb.
  /// @return   true: `HostedRoom::full_update` follows later, and `full_state` is not called
  virtual bool on_state_wanted(time_point now) {
    (void)now;
    return false;
  }

  /// A timer is due; it is not set any more.
  virtual void on_timer(std::uint16_t id, time_point now) { (void)id, (void)now; }
};

}  // namespace muster::relay
