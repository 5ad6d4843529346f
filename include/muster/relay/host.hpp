// SPDX-License-Identifier: MIT
// A host's side of the relay protocol: the room's authority, and its game loop.
#pragma once

#include <muster/export.hpp>
#include <muster/relay/membership.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

namespace muster::relay {

/// Creates a room, and runs its game.
///
/// What the game wants to say is collected during a turn and leaves at its end, in this order:
/// kicks and bans; the reset, if there was one, which takes the place of the deltas before it; all
/// deltas as one message; if players arrived and no reset reached them, the whole state for them;
/// and last what is for some of them alone. Nothing is sent while nobody is there to hear it.
///
/// A turn is a pass of the loop: it ends in `advance`, which the loop calls at the end of a pass in
/// which there was something to say. Whoever uses verbs outside of the loop's calls ends the turn
/// with `end_turn`.
///
/// While the host is away, or the relay takes nothing more, its deltas and resets are dropped. The
/// first turn after that, with anybody in the room, sends the whole state as a RESET: so also those
/// hear it whom a relay takes for informed.
/// @threads one loop per host
class MUSTER_API Host final : public Membership {
 public:
  using Config = MemberConfig;

  /// What the game does. Calls come from the loop; views are valid during the call. A call may use
  /// every verb of the host, and must not destroy it. The host's own actions do not pass through
  /// here.
  class Handler : public Membership::Handler {
   public:
    /// The room is there.
    /// @param again   as the host that it was before, since a token was presented
    virtual void on_created(const HandshakeResponse& response, bool again, time_point now) = 0;

    /// A player is there who was not; once, however often the relay says it.
    virtual void on_arrival(std::uint16_t id, time_point now) = 0;

    /// A player who was there is gone.
    virtual void on_departure(std::uint16_t id, time_point now) = 0;

    /// An action of a player who is there. The payload is whatever that player sent.
    virtual void on_rpc(std::uint16_t id, byte_view payload, time_point now) = 0;

    /// The state as it is now, all deltas of this turn included. Called at the end of a turn, when
    /// somebody needs it; uses no verb.
    virtual std::vector<std::byte> full_state() = 0;

    /// A timer is due; it is not set any more.
    virtual void on_timer(std::uint16_t id, time_point now) { (void)id, (void)now; }

    /// With `Capability::member_events`: what became of a member, in front of the arrival or
    /// departure that it leads to; after a welcome, first of all who are there. Of spectators there
    /// is nothing else.
    virtual void on_member(const MemberEvent& event, time_point now) { (void)event, (void)now; }
  };

  struct Stats : Membership::Stats {
    std::uint64_t rpcs = 0;
    std::uint64_t rpcs_of_strangers = 0;  ///< of players who are not there; dropped
    std::uint64_t news_repeated = 0;      ///< arrivals of the present, departures of the absent
    std::uint64_t deltas = 0;             ///< DELTA_UPDATE messages sent
    std::uint64_t states = 0;             ///< FULL_UPDATE and RESET messages sent
    std::uint64_t states_too_large = 0;   ///< above `max_host_message`; not sent
    std::uint64_t resyncs = 0;            ///< states sent because updates had been lost
    std::uint64_t targeted = 0;           ///< TARGETED messages sent
    std::uint64_t targeted_lost = 0;      ///< that were accepted, and did not leave
  };

  /// The longest that a timer may take.
  static constexpr duration max_timer_delay = std::chrono::hours{24 * 365};

  /// @param config   valid
  Host(const Config& config, Dialer& dialer, Outbox& outbox, Entropy& entropy, Handler& handler);

  /// Adds changes to this turn's message.
  /// @param changes   one or more values of the game's encoding
  /// @error errc::bad_value     empty: between other deltas it could not be seen
  /// @error errc::too_large     above `max_host_message`
  /// @error errc::over_budget   this turn's deltas would be; end the turn, or reset
  /// @error errc::closed        it has ended, or terminates
  std::error_code delta(byte_view changes);

  /// Gives everybody a new state, and discards what this turn said before. Deltas may follow it.
  /// @error errc::too_large     above `max_host_message`
  /// @error errc::closed        it has ended, or terminates
  std::error_code reset(byte_view state);

  /// Removes a player or spectator at the end of the turn, or as soon as the host is back.
  /// `on_departure` follows when the relay has done it.
  /// @error errc::not_found     nobody of that id is there
  /// @error errc::closed        it has ended, or terminates
  std::error_code kick(std::uint16_t id);

  // With the extension. What is said while the host is away may find a relay without it, and is
  // dropped then.

  /// Sends a message to some players, spectators too, whether they have the state or not. It leaves
  /// at the end of the turn, behind all that the turn says to everybody; those that are not there,
  /// or do not have `Capability::targeted`, are passed over.
  ///
  /// What was on its way when a connection broke is lost, as are messages of a turn in which the
  /// relay takes nothing more (counted): no state contains them.
  /// @param players   may be empty: nothing is sent
  /// @param payload   may be empty
  /// @error errc::too_large     above `max_host_message`, the players included, or too many of them
  /// @error errc::over_budget   too much waits
  /// @error errc::wrong_state   away, or `Capability::targeted` is not granted
  /// @error errc::closed        it has ended, or terminates
  std::error_code send_to(std::span<const std::uint16_t> players, byte_view payload);

  /// The same, to everybody but these.
  std::error_code send_to_all_but(std::span<const std::uint16_t> players, byte_view payload);

  /// Says whether newcomers are admitted, whether the relay may list the room, and what is said
  /// about it. Leaves at the end of the turn, or as soon as the host is back; only the latest
  /// counts.
  /// @param metadata   at most `max_metadata_size` bytes
  /// @error errc::too_large     too much metadata
  /// @error errc::wrong_state   `Capability::room_info` is not granted
  /// @error errc::closed        it has ended, or terminates
  std::error_code set_info(bool is_open, bool is_listed, byte_view metadata);

  /// Removes a player or spectator like `kick`, and keeps its user or its address out for as long
  /// as the room lasts. For both, call it twice in one turn. One that is away can be banned too.
  /// @error errc::bad_value     the host's own id
  /// @error errc::wrong_state   the relay does not know the extension
  /// @error errc::closed        it has ended, or terminates
  std::error_code ban(std::uint16_t id, BanScope scope);

  /// Sets a timer, in place of the one of that id. It also fires while the host is away, never in
  /// the pass that set it, and not after the end.
  /// @param delay   0 to `max_timer_delay`
  /// @error errc::bad_value     a delay out of range
  /// @error errc::closed        it has ended, or terminates
  std::error_code set_timer(std::uint16_t id, duration delay, time_point now);

  /// @return false if it was not set
  bool cancel_timer(std::uint16_t id) noexcept;

  /// Sends what this turn has to say.
  void end_turn(time_point now);

  /// Ends the room for everybody: `on_end(left)` follows, at once if there is no connection.
  void terminate(time_point now) { depart(now); }

  /// Which players are there, the host not counted.
  [[nodiscard]] const std::set<std::uint16_t>& members() const noexcept { return members_; }

  /// Who watches; known with `Capability::member_events` alone.
  [[nodiscard]] const std::set<std::uint16_t>& spectators() const noexcept { return spectators_; }

  void advance(time_point now) override;
  [[nodiscard]] time_point next_deadline() const noexcept override;

  [[nodiscard]] Stats stats() const noexcept;

 private:
  struct Due {
    time_point at;
    std::uint64_t sequence;
    std::uint16_t id;
    friend bool operator<(const Due& a, const Due& b) noexcept {
      return a.at != b.at ? a.at < b.at : a.sequence < b.sequence;
    }
  };

  void welcomed(const HandshakeResponse& response, bool again, bool continues,
                time_point now) override;
  bool received(byte_view message, time_point now) override;
  void writable(time_point now) override;
  void parted(bool is_final) override;

  bool received_members(byte_view message, time_point now);
  void take_spectator(const MemberEvent& event);
  std::error_code target(bool all_but, std::span<const std::uint16_t> players, byte_view payload);
  void arrive(std::uint16_t id, time_point now);
  void depart_player(std::uint16_t id, time_point now);
  void fire_timers(time_point now);
  [[nodiscard]] bool has_to_speak() const noexcept;
  [[nodiscard]] bool has_audience() const noexcept {
    return !members_.empty() || !spectators_.empty();
  }
  void send_to_audience();
  bool send_kicks();
  bool send_info();
  void send_targeted();
  bool send_state(FromHost id, byte_view state);
  template <class Id>
  bool say(Id id, byte_view payload);
  void forget_turn() noexcept;

  Handler* handler_;
  Stats counts_;
  std::set<std::uint16_t> members_;
  std::set<std::uint16_t> spectators_;
  std::set<std::uint16_t> newcomers_;  // announced, and without a state of ours
  std::set<std::uint16_t> kicks_;
  std::map<std::uint16_t, std::uint8_t> bans_;  // their scopes
  std::vector<std::byte> deltas_;
  std::optional<std::vector<std::byte>> reset_;
  std::vector<std::vector<std::byte>> targeted_;  // without their ids
  std::size_t targeted_bytes_ = 0;
  std::optional<std::vector<std::byte>> info_;  // a ROOM_INFO that the relay was not told yet
  bool resync_ = false;                         // the players may have missed something
  bool blocked_ = false;                        // the connection's budget is full
  std::map<std::uint16_t, Due> timers_;
  std::set<Due> due_;
  std::uint64_t next_sequence_ = 0;
  time_point last_now_{};
};

}  // namespace muster::relay
