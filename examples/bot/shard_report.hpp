// SPDX-License-Identifier: MIT
// What a run against a shard counts, and how it is shown.
#pragma once

#include "report.hpp"

#include <cstdint>
#include <string>

namespace bot_program {

/// All that a run against a shard counts.
struct ShardTally {
  std::uint64_t connections = 0;
  std::uint64_t breaks = 0;     ///< connections that ended while they should have played
  std::uint64_t snapshots = 0;  ///< of all kinds
  std::uint64_t deltas = 0;
  std::uint64_t unchanged = 0;
  std::uint64_t skipped = 0;  ///< ticks between two snapshots that none came of
  std::uint64_t events = 0;
  std::uint64_t inputs = 0;  ///< sent
  std::uint64_t applied = 0;
  std::uint64_t refused = 0;  ///< by the server, with a reason
  std::uint64_t unsent = 0;   ///< the own queue was full
  std::uint64_t wrong = 0;    ///< messages that do not belong there, or make no sense
  std::uint64_t bytes = 0;    ///< received
  Histogram age;              ///< of snapshots when they came
  Histogram reply;            ///< from an input to the word that it was applied
  Histogram recent_age;       ///< since the last line
  Histogram recent_reply;

  /// Moves what is recent to the rest.
  void fold() noexcept;
  [[nodiscard]] bool is_clean() const noexcept {
    return wrong == 0 && breaks == 0 && refused == 0 && unsent == 0 && snapshots > 0;
  }
};

/// One line for the second that has passed, without a line break; forgets it.
[[nodiscard]] std::string live_line(ShardTally& tally, double elapsed_seconds, double line_seconds);

/// The table at the end, several lines.
[[nodiscard]] std::string summary(const ShardTally& tally, std::uint32_t players, double hz,
                                  double seconds);

/// The same as one line of JSON, without a line break.
[[nodiscard]] std::string json_line(const ShardTally& tally, std::uint32_t players, double hz,
                                    double seconds);

}  // namespace bot_program
