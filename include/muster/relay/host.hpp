// SPDX-License-Identifier: MIT
// A host's side of the relay protocol: the room's authority, and its game loop.
#pragma once

#include <muster/relay/membership.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

namespace muster::relay {

/// Creates a room, and runs its game.
///
/// What the game wants to say is collected during a turn and leaves at its end, in this order:
/// kicks; the reset, if there was one, which takes the place of the deltas before it; all deltas as
/// one message; and last, if players arrived and no reset reached them, the whole state for them.
/// Nothing is sent while nobody is there to hear it.
///
/// A turn is a pass of the loop: it ends in `advance`, which the loop calls at the end of a pass in
/// which there was something to say. Whoever uses verbs outside of the loop's calls ends the turn
/// with `end_turn`.
///
/// While the host is away, or the relay takes nothing more, its deltas and resets are dropped. The
/// first turn after that, with anybody in the room, sends the whole state as a RESET: so also those
/// hear it whom a relay takes for informed.
/// @threads one loop per host
class Host final : public Membership {
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
  };

  struct Stats : Membership::Stats {
    std::uint64_t rpcs = 0;
    std::uint64_t rpcs_of_strangers = 0;  ///< of players who are not there; dropped
    std::uint64_t news_repeated = 0;      ///< arrivals of the present, departures of the absent
    std::uint64_t deltas = 0;             ///< DELTA_UPDATE messages sent
    std::uint64_t states = 0;             ///< FULL_UPDATE and RESET messages sent
    std::uint64_t states_too_large = 0;   ///< above `max_host_message`; not sent
    std::uint64_t resyncs = 0;            ///< states sent because updates had been lost
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

  /// Removes a player at the end of the turn, or as soon as the host is back. `on_departure`
  /// follows when the relay has done it.
  /// @error errc::not_found     nobody of that id is there
  /// @error errc::closed        it has ended, or terminates
  std::error_code kick(std::uint16_t id);

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

  /// Who is there, the host not counted.
  [[nodiscard]] const std::set<std::uint16_t>& members() const noexcept { return members_; }

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

  void welcomed(const HandshakeResponse& response, bool again, time_point now) override;
  bool received(byte_view message, time_point now) override;
  void writable(time_point now) override;
  void parted(bool is_final) override;

  void arrive(std::uint16_t id, time_point now);
  void depart_player(std::uint16_t id, time_point now);
  void fire_timers(time_point now);
  [[nodiscard]] bool has_to_speak() const noexcept;
  bool send_kicks();
  bool send_state(FromHost id, byte_view state);
  bool say(FromHost id, byte_view payload);
  void forget_turn() noexcept;

  Handler* handler_;
  Stats counts_;
  std::set<std::uint16_t> members_;
  std::set<std::uint16_t> newcomers_;  // announced, and without a state of ours
  std::set<std::uint16_t> kicks_;
  std::vector<std::byte> deltas_;
  std::optional<std::vector<std::byte>> reset_;
  bool resync_ = false;   // the players may have missed something
  bool blocked_ = false;  // the connection's budget is full
  std::map<std::uint16_t, Due> timers_;
  std::set<Due> due_;
  std::uint64_t next_sequence_ = 0;
  time_point last_now_{};
};

}  // namespace muster::relay
