// SPDX-License-Identifier: MIT
// A player's side of the relay protocol.
#pragma once

#include <muster/export.hpp>
#include <muster/relay/membership.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <system_error>
#include <vector>

namespace muster::relay {

/// A player in a room that somebody else hosts.
///
/// It sends actions to the host and hears the host's states and deltas. After every welcome, the
/// first too, no delta is handed out before a whole state: whatever was missed is in that state.
/// The exception is one that uses `Capability::sequence`, comes back, and is sent just the changes
/// that it missed: then `is_synced` is true in `on_joined`, and the deltas go on.
///
///     relay::Player player{{.url = "ws://127.0.0.1:8080/ws", .game_id = "chess", .room_id = "42"},
///                          dialer, loop.outbox(), entropy, handler};
///     loop.add(player);
///     player.start(loop.now());
///
/// @threads one loop per player
class MUSTER_API Player final : public Membership {
 public:
  using Config = MemberConfig;

  /// What the game does. Calls come from the loop; views are valid during the call. A call may use
  /// every verb of the player, and must not destroy it.
  class Handler : public Membership::Handler {
   public:
    /// In the room. Actions that waited are on their way already.
    /// @param again   as the player that it was before, since a token was presented
    virtual void on_joined(const HandshakeResponse& response, bool again, time_point now) = 0;

    /// The whole state; replaces what the game has.
    virtual void on_full(byte_view state, time_point now) = 0;

    /// Changes since the last state or delta: one or more values, one after the other, without a
    /// count.
    virtual void on_delta(byte_view changes, time_point now) = 0;

    /// A new state, for everybody; replaces what the game has.
    virtual void on_reset(byte_view state, time_point now) = 0;

    // With the extension, and what `capabilities` says was granted.

    /// A message of the host to this player, and perhaps to some others.
    virtual void on_targeted(byte_view payload, time_point now) { (void)payload, (void)now; }

    /// What became of a member; after a welcome, first of all who are there.
    virtual void on_member(const MemberEvent& event, time_point now) { (void)event, (void)now; }

    /// The host is away or here again, or it is another one.
    virtual void on_host_state(const HostState& state, time_point now) { (void)state, (void)now; }

    /// What the room says about itself.
    virtual void on_room_info(const RoomInfo& info, time_point now) { (void)info, (void)now; }

    /// The host is lost, and the room asks this player to go on as the host.
    /// @param remaining   for how long the offer stands
    /// @return            true: it will; `on_promoted` follows if nobody was faster
    virtual bool on_host_offer(duration remaining, time_point now) {
      (void)remaining, (void)now;
      return false;
    }

    /// It is the host now, and no player any more: `on_end(promoted)` follows when a `Host` has
    /// taken over that was started with this token, or after `join_timeout` without one.
    ///
    /// The state that the player has is the one that the host goes on with. It is sent to everybody
    /// as a reset.
    virtual void on_promoted(std::uint64_t token, time_point now) { (void)token, (void)now; }
  };

  struct Stats : Membership::Stats {
    std::uint64_t actions = 0;          ///< sent, or kept for the next welcome
    std::uint64_t actions_refused = 0;  ///< over a bound
    std::uint64_t deltas_unsynced = 0;  ///< came before a state, and were dropped
  };

  /// @param config   valid
  Player(const Config& config, Dialer& dialer, Outbox& outbox, Entropy& entropy, Handler& handler);

  /// Sends one action to the host. While the player is not in the room it is kept for the next
  /// welcome, within `max_away_actions` and `max_away_bytes`; order is kept.
  ///
  /// What was on its way when a connection broke is lost: a game that minds numbers its actions.
  /// @param payload   may be empty
  /// @error errc::too_large     above `max_client_message`, the id's byte included
  /// @error errc::over_budget   too much waits already
  /// @error errc::wrong_state   not started, or a spectator
  /// @error errc::closed        it has ended, or leaves
  std::error_code send_action(byte_view payload);

  /// Leaves for good: `on_end(left)` follows, at once if there is no connection.
  void leave(time_point now) { depart(now); }

  /// Whether it has the state, or deltas would be dropped.
  [[nodiscard]] bool is_synced() const noexcept { return is_synced_; }

  [[nodiscard]] Stats stats() const noexcept;

 private:
  void welcomed(const HandshakeResponse& response, bool again, bool continues,
                time_point now) override;
  bool received(byte_view message, time_point now) override;
  void writable(time_point now) override;
  void parted(bool is_final) override;
  [[nodiscard]] std::optional<std::uint64_t> known_sequence() const noexcept override;

  bool received_extended(Extended id, byte_view message, time_point now);
  bool take_offer(byte_view message, time_point now);
  bool take_place(byte_view message, time_point now);
  void took_state(bool is_change) noexcept;
  std::error_code keep(byte_view payload);
  void send_kept();

  Handler* handler_;
  Stats counts_;
  std::deque<std::vector<std::byte>> kept_;
  std::size_t kept_bytes_ = 0;
  bool is_synced_ = false;
  bool has_accepted_ = false;  // an offer, on the present connection

  // The number of the latest state, and how many changes came behind that.
  std::optional<std::uint64_t> state_number_;
  std::uint64_t changes_since_ = 0;
};

}  // namespace muster::relay
