// SPDX-License-Identifier: MIT
// The runner of one match: seats, turns and their time, absences, and how it ends. No I/O.
#pragma once

#include "game.hpp"
#include "match_config.hpp"
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

/// How a match ended.
struct Outcome {
  enum class Status : std::uint8_t {
    completed,  ///< played out, or given up by a seat
    cancelled,  ///< not all seats came
    abandoned,  ///< everybody left: nobody has won
    failed      ///< the server gave it up
  };
  Status status = Status::completed;
  std::optional<std::size_t> forfeit{};  ///< the seat that gave it up, where one did
  std::vector<std::size_t> absent{};     ///< cancelled: seats that did not come
  GameResult result{};                   ///< of completed and abandoned matches
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
  struct Seat {
    std::string participant_id;
    std::string display_name;
  };

  /// Why a connection may not take a seat; the texts are the wire's, see `to_string`.
  enum class Admission : std::uint8_t {
    welcome,
    duplicate_participant,  ///< another connection has the seat
    budget_exhausted,       ///< all reconnects are used up
    grace_expired,          ///< it was away for too long, or the match is over
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
  bool is_started_ = false;
  std::string id_;
  std::unique_ptr<Game> game_;
  std::vector<Seat> seats_;
  std::uint32_t round_ = 0;
  std::optional<Outcome> outcome_;
  Json end_frame_;
  MatchRecord record_;
  Stats stats_;
};

/// The wire's name: "duplicate_participant" and so on.
[[nodiscard]] std::string_view to_string(Match::Admission admission) noexcept;

/// Runs a match again from what was recorded: the sink gets the same frames, byte for byte.
/// @param game    the same rules, not initialised
/// @return        how it ended; empty if the record stops before the end
std::optional<Outcome> replay(std::string id, const MatchConfig& config, std::unique_ptr<Game> game,
                              std::vector<Match::Seat> seats, const Seed& seed,
                              const MatchRecord& record, MatchSink& sink);

}  // namespace lobby_program
