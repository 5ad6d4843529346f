// SPDX-License-Identifier: MIT
// What a run counts, and how it is shown: a line per second, a table, a line of JSON.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace bot_program {

/// As printf, at most 1023 bytes.
[[gnu::format(printf, 1, 2)]] [[nodiscard]] std::string format(const char* pattern, ...);

/// Counts durations in slots whose width grows with the value, to about 3 %. Never allocates.
class Histogram {
 public:
  void record(std::uint64_t nanoseconds) noexcept;
  void add(const Histogram& other) noexcept;

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] std::uint64_t max() const noexcept { return max_; }

  /// A duration that the given share of all (0 to 1) does not exceed; 0 when there are none.
  [[nodiscard]] std::uint64_t quantile(double share) const noexcept;

 private:
  // Values below 32 have a slot each; above, every power of two has 32 of them.
  static constexpr unsigned slot_bits = 5;
  static constexpr std::size_t slots_per_octave = std::size_t{1} << slot_bits;

  static std::size_t slot_of(std::uint64_t value) noexcept;
  static std::uint64_t upper_edge(std::size_t slot) noexcept;

  std::array<std::uint64_t, slots_per_octave*(64 - slot_bits + 1)> slots_{};
  std::uint64_t count_ = 0;
  std::uint64_t max_ = 0;
};

/// What became of the payloads of one direction.
struct Flow {
  std::uint64_t expected = 0;   ///< filled in at the end
  std::uint64_t delivered = 0;  ///< arrived whole, each for the first time
  std::uint64_t lost = 0;       ///< a later one came, or the run ended, and this one did not come
  std::uint64_t repeated = 0;   ///< came again
  std::uint64_t reordered = 0;  ///< came after a later one
  std::uint64_t wrong = 0;      ///< not what was sent, or not for whom it was sent
  std::uint64_t refused = 0;    ///< never sent: the sender's own queue was full
  std::uint64_t bytes = 0;      ///< of delivered payloads
  Histogram latency;            ///< of the whole run
  Histogram recent;             ///< since the last line

  void deliver(std::size_t size, std::uint64_t nanoseconds) noexcept;

  /// Moves what is recent to the rest.
  void fold() noexcept;
  [[nodiscard]] bool is_clean() const noexcept {
    return lost == 0 && repeated == 0 && reordered == 0 && wrong == 0;
  }
};

/// Follows the numbers of one sender as one receiver gets them.
class Sequence {
 public:
  /// The number that must come next. What was skipped counts as lost.
  void restart(std::uint64_t next, Flow& flow);

  /// One payload came. True if it came for the first time.
  bool take(std::uint64_t number, Flow& flow);

  /// Everything up to `end`, exclusive, should have come.
  void finish(std::uint64_t end, Flow& flow);

  [[nodiscard]] bool is_started() const noexcept { return started_; }
  [[nodiscard]] std::uint64_t first() const noexcept { return first_; }
  [[nodiscard]] std::uint64_t next() const noexcept { return next_; }

 private:
  void skip_to(std::uint64_t number, Flow& flow);

  bool started_ = false;
  std::uint64_t first_ = 0;
  std::uint64_t next_ = 0;
  std::set<std::uint64_t> missing_;  // the newest of them: to tell a late one from a repeated one
};

/// All that a run counts.
struct Tally {
  Flow to_players;
  Flow to_host;
  std::uint64_t connections = 0;
  std::uint64_t reconnects = 0;
  std::uint64_t departures = 0;  ///< connections that a member lost while it should have played

  [[nodiscard]] bool is_clean() const noexcept {
    return to_players.is_clean() && to_host.is_clean();
  }
};

/// What a run was asked to do.
struct Plan {
  std::uint32_t rooms;
  std::uint32_t players;
  std::uint32_t size;
};

/// One line for the second that has passed, without a line break; forgets it.
[[nodiscard]] std::string live_line(Tally& tally, double elapsed_seconds, double line_seconds);

/// The table at the end, several lines.
[[nodiscard]] std::string summary(const Tally& tally, const Plan& plan, double seconds);

/// The same as one line of JSON, without a line break.
[[nodiscard]] std::string json_line(const Tally& tally, const Plan& plan, double seconds);

/// Writes lines; on a terminal what is live takes the place of what was before.
class Screen {
 public:
  explicit Screen(bool is_quiet) noexcept;
  [[nodiscard]] bool is_terminal() const noexcept { return is_terminal_; }

  /// @param text   one line or several, the last without a line break
  void live(std::string_view text);
  void print(std::string_view text);

  /// What is live remains where it is, and is not written over.
  void settle();

 private:
  bool is_quiet_;
  bool is_terminal_;
  bool has_live_text_ = false;
  std::ptrdiff_t live_breaks_ = 0;  // lines that the cursor is below the first
};

}  // namespace bot_program
