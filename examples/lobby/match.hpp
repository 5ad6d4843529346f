// SPDX-License-Identifier: MIT
// The runner of one match: seats, turns and their time, absences, and how it ends. No I/O.
#pragma once

#include "game.hpp"
#include "match_config.hpp"
#include "match_outcome.hpp"
#include "match_record.hpp"
#include "seed.hpp"

#include <muster/time.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lobby_program {

/// Where a match's output goes. Calls come from inside the match's own calls; they must not call
/// the match.
class MatchSink {
 public:
  virtual ~MatchSink() = default;

  /// One frame for the connection of a seat, which is attached.
  /// @param frame   JSON text, valid during the call only
  virtual void send(std::size_t seat, std::string_view frame) = 0;

  /// Close the connection of a seat once all that was sent to it is written. The seat counts as
  /// detached from here on; calling `Match::detach` for it is not needed.
  virtual void close(std::size_t seat, std::uint16_t code, std::string_view reason) = 0;
};

/// Runs one game between seats that connect, answer, and go away.
///
/// A connection is attached after its handshake: the server's hello has been sent, and the client's
/// has come. Everything after that is the match's: it writes all frames, reads all, and closes the
/// connections when it is over.
///
/// Frames for a seat that is away are counted and not kept: the sequence numbers that it sees have
/// a gap there. All chance comes from the seed, and all input is recorded, so a match can be run
/// again (`replay`).
/// @threads distinct objects: safe; shared objects: unsafe
class Match {
 public:
  /// Of what `MatchConfig::frames_per_second` may be.
  static constexpr std::size_t max_frames_per_second = 64;

  struct Seat {
    std::string participant_id;
    std::string display_name;
  };

  /// Why a connection may not take a seat; the texts are the wire's, see `to_string`.
  enum class Admission : std::uint8_t {
    welcome,
    duplicate_participant,  ///< another connection has the seat
    budget_exhausted,       ///< all reconnects are used up
    grace_expired,          ///< it was away for too long
    match_ended,            ///< it is over; a gateway closes with 4005
  };

  struct Stats {
    std::uint64_t frames_in = 0;
    std::uint64_t frames_out = 0;
    std::uint64_t missed = 0;        ///< frames for seats that were away
    std::uint64_t stale = 0;         ///< actions for a turn that is not open, or not the seat's
    std::uint64_t malformed = 0;     ///< no JSON object, or no frame that a client may send
    std::uint64_t rejected = 0;      ///< actions that the game refused
    std::uint64_t substituted = 0;   ///< turns that the match acted in
    std::uint64_t rate_limited = 0;  ///< frames and actions beyond the limits
    std::uint64_t reconnects = 0;
  };

  /// @param id      the match's, as frames say it
  /// @param game    not initialised
  /// @param seats   as many as the game is played by
  /// @param wall    the time of day that `now` is
  Match(std::string id, MatchConfig config, std::unique_ptr<Game> game, std::vector<Seat> seats,
        const Seed& seed, MatchSink& sink, muster::time_point now, WallTime wall);
  Match(const Match&) = delete;
  Match& operator=(const Match&) = delete;

  /// Whether a connection may take the seat now. A gateway that refuses sends an `error` frame with
  /// the code and closes with 4011.
  [[nodiscard]] Admission admission(std::size_t seat) const noexcept;

  /// A connection has finished its handshake. The match starts when all seats are attached. A seat
  /// that comes back is sent its open turn again, and nothing of what it missed.
  Admission attach(std::size_t seat, muster::time_point now);

  /// The connection of a seat is gone. Nothing happens if it is detached already.
  void detach(std::size_t seat, muster::time_point now);

  /// A text message from the connection of a seat. What cannot be read is counted, and is answered
  /// as the protocol says; nothing happens if the seat is detached.
  /// @param text   any bytes, any length
  void receive(std::size_t seat, std::string_view text, muster::time_point now);

  /// A binary message: never valid, the same as a text that is no JSON.
  void receive_binary(std::size_t seat, muster::time_point now) { receive(seat, {}, now); }

  /// The server gives the match up: all are told `server_error`.
  /// @param message   one sentence for the clients
  void fail(std::string_view message, muster::time_point now);

  void advance(muster::time_point now);
  [[nodiscard]] muster::time_point next_deadline() const noexcept;

  [[nodiscard]] bool is_started() const noexcept { return is_started_; }
  [[nodiscard]] bool is_over() const noexcept { return outcome_.has_value(); }

  /// Empty until it is over.
  [[nodiscard]] const std::optional<Outcome>& outcome() const noexcept { return outcome_; }

  /// The `match_end` frame of a seat without `seq`; empty until it is over, and for matches that
  /// were not played. For results pages and records.
  [[nodiscard]] const Json& end_frame() const noexcept { return end_frame_; }

  [[nodiscard]] const std::string& id() const noexcept { return id_; }
  [[nodiscard]] const Game& game() const noexcept { return *game_; }
  [[nodiscard]] const std::vector<Seat>& seats() const noexcept { return seats_; }
  [[nodiscard]] bool is_attached(std::size_t seat) const noexcept;

  /// From 1; 0 before the first.
  [[nodiscard]] std::uint32_t round() const noexcept { return round_; }
  [[nodiscard]] const MatchRecord& record() const noexcept { return record_; }
  [[nodiscard]] const Stats& stats() const noexcept { return stats_; }

 private:
  /// What is known of a seat beside its names. It survives reconnects.
  struct Player {
    bool is_attached = false;
    std::optional<muster::time_point> away_since{};  // once the match runs
    bool is_lost = false;                            // away for too long
    std::uint32_t drops = 0;
    std::uint32_t reconnects = 0;
    std::uint64_t seq = 0;              // of its last frame
    std::uint32_t substitutes = 0;      // in a row
    std::uint32_t invalid_actions = 0;  // in this round
    std::uint32_t violations = 0;
    std::array<muster::time_point, max_frames_per_second> arrivals{};  // a ring, of the last frames
    std::uint64_t frames_in = 0;
    std::vector<double> latencies_ms{};
    std::vector<std::string_view> errors{};
  };

  /// A seat's turn, from its request to its result.
  struct OpenTurn {
    Turn turn;
    std::string request_id;
    muster::time_point asked;     // when its clock began
    muster::time_point deadline;  // `no_deadline` while the clock stands still
    muster::duration left{0};     // then: what was left of it
  };

  /// The result of a turn, on its way to those who see it later.
  struct DelayedResult {
    muster::time_point due;
    Json frame;
    std::optional<std::size_t> except;  // who has it already
  };

  // Why a seat has given up, as `forfeit_reason` says it.
  static constexpr std::string_view disconnected = "disconnected";
  static constexpr std::string_view substitute_limit = "auto_substitute_limit";

  // Time and turns: match.cpp.
  void record(MatchInput::Kind kind, std::size_t seat, muster::time_point now,
              std::string_view text = {});
  void run_due(muster::time_point now);
  void start(muster::time_point now);
  void proceed(muster::time_point now);
  void open_turn(Turn turn, muster::time_point now);
  void act(const Action& action, bool is_substitute, muster::time_point now);
  void substitute(std::string_view error, muster::time_point now);
  void deliver_result(muster::time_point now);
  void leave(std::size_t seat, muster::time_point now);
  void wait_for(const Player& player, muster::time_point now);
  void lose(std::size_t seat, muster::time_point now);
  void close(std::size_t seat, std::uint16_t code, std::string_view reason, muster::time_point now);
  [[nodiscard]] bool may_return(const Player& player) const noexcept;
  [[nodiscard]] muster::time_point grace_deadline(const Player& player) const noexcept;

  // What clients send: match_input.cpp.
  [[nodiscard]] bool is_within_rate(Player& player, muster::time_point now) noexcept;
  [[nodiscard]] bool is_open_for(std::size_t seat) const noexcept;
  void take(std::size_t seat, const Json& frame, muster::time_point now);
  void take_action(std::size_t seat, const Json& frame, muster::time_point now);
  void reject(std::size_t seat, const std::string& reason, const Json& submitted,
              muster::time_point now);
  void violate(std::size_t seat, muster::time_point now);
  void note(std::size_t seat, std::string_view error);

  // How it ends: match_end.cpp.
  void finish(Outcome::Status status, muster::time_point now,
              std::optional<std::size_t> forfeit = {}, std::string_view why = {});
  void forfeit(std::size_t seat, std::string_view reason, muster::time_point now);
  void cancel(muster::time_point now);
  void end_short(const Json& frame, Outcome outcome, muster::time_point now);
  void end(Outcome outcome);
  [[nodiscard]] Json current_end_frame(const Outcome& outcome, std::string_view why) const;
  [[nodiscard]] Json draft_end_frame(const Outcome& outcome) const;

  // What it sends: match_frames.cpp.
  void send(std::size_t seat, const Json& frame, muster::time_point now);
  void send_all(const Json& frame, std::optional<std::size_t> except, muster::time_point now);
  void send_error(std::size_t seat, std::string_view code, std::string_view message,
                  muster::time_point now);
  [[nodiscard]] WallTime wall(muster::time_point time) const noexcept;
  [[nodiscard]] std::string draw_hex(std::size_t bytes);
  [[nodiscard]] std::string draw_round_id();
  [[nodiscard]] Json seats_frame(std::size_t self) const;
  [[nodiscard]] Json match_start_frame(std::size_t seat) const;
  [[nodiscard]] Json session_token_frame(muster::time_point now);
  [[nodiscard]] Json event_frame(const Event& event, std::size_t seat) const;
  [[nodiscard]] Json turn_request_frame(muster::time_point now) const;
  [[nodiscard]] Json reconnected_frame(std::size_t seat, muster::time_point now) const;

  std::string id_;
  MatchConfig config_;
  std::unique_ptr<Game> game_;
  std::vector<Seat> seats_;
  std::vector<Player> players_;
  SeedStream stream_;
  MatchSink* sink_;
  muster::time_point made_;
  WallTime wall_;  // at made_

  bool is_started_ = false;
  std::uint32_t round_ = 0;
  bool is_in_round_ = false;
  std::string round_id_;
  std::optional<OpenTurn> turn_;
  std::optional<DelayedResult> delayed_;
  muster::time_point next_ping_ = muster::no_deadline;
  std::optional<Outcome> outcome_;
  Json end_frame_;
  MatchRecord record_;
  Stats stats_;
};

/// The wire's name: "duplicate_participant" and so on.
[[nodiscard]] std::string_view to_string(Match::Admission admission) noexcept;

/// Runs a match again from what was recorded: the sink gets the same frames, byte for byte.
/// @param game    the same rules, not initialised
/// @return        how it ended; empty if the record stops before the end, or has other seats
std::optional<Outcome> replay(std::string id, const MatchConfig& config, std::unique_ptr<Game> game,
                              std::vector<Match::Seat> seats, const Seed& seed,
                              const MatchRecord& record, MatchSink& sink);

}  // namespace lobby_program
