// SPDX-License-Identifier: MIT
// The protocol of lobby and gateways, without I/O and without a game.
#pragma once

#include <muster/connection.hpp>
#include <muster/dialer.hpp>
#include <muster/entropy.hpp>
#include <muster/export.hpp>
#include <muster/lobby/call.hpp>
#include <muster/lobby/config.hpp>
#include <muster/lobby/event.hpp>
#include <muster/lobby/match_result.hpp>
#include <muster/service.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace muster::lobby {

/// Keeps a connection to a lobby, plays the matches that the lobby hands out on connections of
/// their own, and brings both back when they are lost. `LobbyClient` is this with a typed game.
///
/// It owns no socket, thread or clock: a `Dialer` gives it connections, time comes with each call.
/// It must outlive the connections that it dialled.
/// @threads one loop per engine
/// @source  docs/protocol/lobby.md
class MUSTER_API Engine : public Service {
 public:
  /// Names a match for as long as the engine lives: 1, 2, 3 ...
  using MatchNumber = std::uint64_t;

  /// What the engine asks and tells. Calls come from the loop, from within the engine's own; they
  /// may call `answer`, `handler_failed`, `send` and `stop`, and must not destroy the engine.
  class Owner {
   public:
    virtual ~Owner() = default;

    /// A match is about to be played.
    /// @return false: there is no handler for it. It is declined, or ends the run without safe
    ///         mode.
    virtual bool on_attach(MatchNumber match, const MatchInfo& info) = 0;

    /// Something for the match's handler, in order. A turn waits for `answer`.
    virtual void on_call(MatchNumber match, Call&& call) = 0;

    /// What to do in a turn for which there is no answer. Of `legal`, which is not empty.
    virtual Action fallback(std::span<const std::string> legal) = 0;

    virtual void on_event(const Event& event, time_point now) {
      static_cast<void>(event), static_cast<void>(now);
    }

    /// The match is over for this bot: its last call has been made.
    virtual void on_result(MatchNumber match, const MatchResult& result, time_point now) = 0;

    /// No match is played any more, and none will be.
    virtual void on_stopped(StopReason reason, time_point now) = 0;
  };

  /// @param config   valid
  Engine(const Config& config, Dialer& dialer, Outbox& outbox, Entropy& entropy, Owner& owner);
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  ~Engine() override;

  /// Dials the lobby. To be called once.
  /// @error errc::wrong_state   it was called before
  std::error_code start(time_point now);

  /// Plays no new match, and those that it plays for `Config::drain_grace` more.
  void stop(time_point now);

  /// The handler's answer. One that comes late, or twice, is counted and has no effect.
  void answer(MatchNumber match, std::uint64_t turn, Action action, time_point now);

  /// The handler failed.
  /// @param turn   what it was asked; 0: in another call
  void handler_failed(MatchNumber match, std::uint64_t turn, std::string_view what, time_point now);

  /// Sends an action that no turn asked for, in games that have `Config::game_frame_types`.
  /// @param request_id   JSON, a string or a number
  /// @error errc::not_found     no such match
  /// @error errc::wrong_state   it has no connection at the moment
  /// @error errc::bad_value     `request_id` or the parameters are not what they should be
  /// @error errc::too_large     more than the server takes
  /// @error errc::over_budget   too much waits already
  std::error_code send(MatchNumber match, std::string_view request_id, const Action& action,
                       time_point now);

  enum class State : std::uint8_t {
    idle,            ///< not started
    connecting,      ///< the lobby was dialled
    authenticating,  ///< it has the token, and has not said hello
    ready,           ///< matches may come
    backoff,         ///< it was lost, and is dialled again later
    draining,        ///< it is over but for matches that are being played
    stopped,
  };
  [[nodiscard]] State state() const noexcept;
  [[nodiscard]] StopReason stop_reason() const noexcept;
  [[nodiscard]] std::size_t active_matches() const noexcept;

  struct Stats {
    std::uint64_t lobby_dials = 0;
    std::uint64_t gateway_dials = 0;
    std::uint64_t matches = 0;  ///< started
    std::uint64_t completed = 0;
    std::uint64_t abandoned = 0;
    std::uint64_t other_ends = 0;  ///< refused, ended elsewhere, cancelled, failed
    std::uint64_t turns = 0;       ///< answered
    std::uint64_t fallbacks = 0;   ///< of those: not by the handler
    std::uint64_t late_answers = 0;
    std::uint64_t frames = 0;            ///< received
    std::uint64_t malformed_frames = 0;  ///< of those
    std::uint64_t unknown_frames = 0;
    std::uint64_t frames_sent = 0;
  };
  [[nodiscard]] const Stats& stats() const noexcept;

  void on_open(Connection& connection, time_point now) override;
  void on_message(Connection& connection, const Message& message, time_point now) override;
  void on_close(Connection& connection, const CloseInfo& info, time_point now) override;
  void on_drain(time_point now) override { stop(now); }
  void advance(time_point now) override;
  [[nodiscard]] time_point next_deadline() const noexcept override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace muster::lobby
