// SPDX-License-Identifier: MIT
// What bots in a lobby count, and how it is shown.
#pragma once

#include "report.hpp"
#include "verdict.hpp"

#include <muster/lobby/event.hpp>
#include <muster/lobby/match_result.hpp>
#include <muster/time.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace bot_program {

/// How long handlers took. They write from their threads, the run reads from the loop's.
/// @threads safe
class SharedTimes {
 public:
  void record(muster::duration time) {
    const std::scoped_lock lock{mutex_};
    times_.record(static_cast<std::uint64_t>(
        std::max<std::int64_t>(std::chrono::nanoseconds{time}.count(), 0)));
  }

  /// What came since the last call.
  [[nodiscard]] Histogram take() {
    const std::scoped_lock lock{mutex_};
    return std::exchange(times_, {});
  }

 private:
  std::mutex mutex_;
  Histogram times_;
};

/// All that a run in a lobby counts.
struct LobbyTally {
  std::size_t bots = 0;
  std::size_t online = 0;   ///< bots whose lobby has said hello
  std::size_t running = 0;  ///< matches
  std::uint64_t completed = 0;
  std::uint64_t abandoned = 0;
  std::uint64_t other_ends = 0;  ///< refused, ended elsewhere, cancelled, failed
  std::uint64_t won = 0;
  std::uint64_t lost = 0;
  std::uint64_t drawn = 0;
  std::uint64_t turns = 0;      ///< answered
  std::uint64_t fallbacks = 0;  ///< of those: not by the strategy
  std::uint64_t lobby_reconnects = 0;
  std::uint64_t match_reconnects = 0;
  Histogram decisions;  ///< from the turn's arrival to its answer
  Histogram recent;     ///< since the last line
  Histogram there;      ///< to the handlers' threads; filled in at the end
  Histogram back;       ///< from there to the wire; filled in at the end

  void note(const muster::lobby::MatchResult& result, Verdict verdict) noexcept;

  /// Moves what is recent to the rest.
  void fold() noexcept;
};

/// A match that is being played.
struct MatchRow {
  std::string match_id;
  std::string bot;
  bool is_away = false;  ///< its connection is lost
  std::uint32_t turns = 0;
  std::uint32_t reconnects = 0;
  double seconds = 0;
};

/// One line, without a line break.
[[nodiscard]] std::string live_line(const LobbyTally& tally);

/// The same as a table for a terminal, several lines, the last without a line break.
/// @param rows   the matches that are shown; `tally.running` may be more
[[nodiscard]] std::string live_table(const LobbyTally& tally, std::span<const MatchRow> rows,
                                     double elapsed_seconds);

/// The table at the end, several lines.
[[nodiscard]] std::string summary(const LobbyTally& tally, std::uint64_t seed, double seconds);

/// Lines of the JSON log, without a line break. Texts must not hold a token any more.
/// @param bot   the bot's id, or its number
[[nodiscard]] std::string event_json(std::chrono::system_clock::time_point time,
                                     std::string_view bot, const muster::lobby::Event& event);
[[nodiscard]] std::string result_json(std::chrono::system_clock::time_point time,
                                      std::string_view bot,
                                      const muster::lobby::MatchResult& result, Verdict verdict);
[[nodiscard]] std::string stopped_json(std::chrono::system_clock::time_point time,
                                       std::string_view bot, muster::lobby::StopReason reason);
[[nodiscard]] std::string summary_json(std::chrono::system_clock::time_point time,
                                       const LobbyTally& tally, std::uint64_t seed, int status);

/// A stranger's text on one line: what a terminal could take for a command is a '?'.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace bot_program
