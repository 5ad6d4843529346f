// SPDX-License-Identifier: MIT
// One room of the relay: a host that runs the game, its clients, and who gets what.
#pragma once

#include <muster/relay/ending.hpp>
#include <muster/relay/message.hpp>
#include <muster/room/room.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace muster::relay {

/// What all rooms of one relay count together.
struct RoomStats {
  EndingCounts endings{};
  std::uint64_t rpcs = 0;             ///< client messages forwarded to a host
  std::uint64_t rpcs_dropped = 0;     ///< client messages that a host over its budget did not get
  std::uint64_t updates = 0;          ///< host messages that somebody was to get
  std::uint64_t updates_dropped = 0;  ///< audiences that missed one, above the batch's bound
  std::uint64_t kicks_ignored = 0;  ///< kicks of nobody, of the host, or too short to name anybody
};

/// What a room is called: a pair, not one joined text, since either part may hold any character.
struct RoomName {
  std::string game_id;
  std::string room_id;
};

/// Sends last words and closes, as an ending says.
/// @param text   instead of the rule's text, when that names a room or a game
void end_connection(Connection& connection, Ending ending, EndingCounts& counts,
                    std::string_view text = {});

/// A host, its clients and the sync filter, which is two audiences: those that wait for the state,
/// and those that have it.
///
/// The room ends with its host's connection. `is_over` says so after every call; the owner then
/// destroys it.
/// @source docs/protocol/relay.md, "Routing" and "Sync filter"
class HostedRoom {
 public:
  HostedRoom(RoomName name, std::uint64_t instance, std::uint16_t rule_variation,
             FlushWindow window, Outbox& outbox, RoomStats& stats);

  /// Makes a connection the host, and welcomes it. To be called once, first.
  ///
  /// RPCs may fill half of the budget that it has. The other half is for the news of who came and
  /// went: no flood of RPCs keeps those from the host.
  void admit_host(Connection& connection, std::uint64_t token);

  /// Admits a client: the host hears of it first, and if it cannot, nothing has happened.
  /// @param max_players   the host counts as one; 0: no limit
  /// @error         errc::limit_reached   the room is full
  /// @error         errc::not_found       no player number is left
  /// @error         errc::over_budget     the host cannot be told
  result<std::uint32_t> admit_client(Connection& connection, std::uint64_t token,
                                     std::uint16_t max_players);

  /// A binary message of a member. May end the room.
  void receive(Room::Member& member, byte_view message);

  /// Closes a member's connection as an ending says, and removes the member. Who is too slow gets
  /// only the last words: what waits would delay them.
  void end_member(Room::Member& member, Ending ending);

  /// Removes a member, and tells those who have to know. Without its host the room is over.
  void drop_member(Room::Member& member);

  /// Closes everybody that is left.
  void end_all(Ending ending);

  [[nodiscard]] const RoomName& name() const noexcept { return name_; }
  [[nodiscard]] bool is_over() const noexcept { return host_ == nullptr; }

  /// The host counts.
  [[nodiscard]] std::size_t size() const noexcept { return roster_.size(); }
  [[nodiscard]] std::uint16_t rule_variation() const noexcept { return rule_variation_; }
  [[nodiscard]] std::uint64_t instance() const noexcept { return roster_.instance(); }

 private:
  void welcome(const Room::Member& member);
  void receive_from_host(byte_view message);
  void receive_from_client(Room::Member& member, byte_view message);
  void kick(byte_view message);
  [[nodiscard]] bool broadcast(Group& audience, byte_view message);
  [[nodiscard]] SendStatus tell_host(const PlayerMessage& news) noexcept;

  [[nodiscard]] Group& waiting() noexcept { return roster_.audience(0); }
  [[nodiscard]] Group& synced() noexcept { return roster_.audience(1); }

  RoomName name_;
  Room roster_;
  RoomStats* stats_;
  Room::Member* host_ = nullptr;
  Budget news_budget_;  // the host's whole budget
  Budget rpc_budget_;   // the same, with the part for news kept back
  std::uint16_t rule_variation_;
};

}  // namespace muster::relay
