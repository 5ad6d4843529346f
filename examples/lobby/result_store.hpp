// SPDX-License-Identifier: MIT
// Matches that are over, in a file, with all that a replay needs.
#pragma once

#include "game.hpp"
#include "match_config.hpp"
#include "seed.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct sqlite3;

namespace lobby_program {

/// A match as it is kept.
struct StoredMatch {
  struct Player {
    std::string bot_id{};  ///< empty: a bot of the house
    std::string name{};
    std::string participant_id{};
  };
  std::string id{};
  std::string occasion{};
  std::string game{};
  std::string status{};  ///< "completed", "cancelled", "abandoned" or "failed"
  WallTime started{};
  WallTime ended{};
  std::vector<Player> players{};  ///< by seat
  Seed seed{};
  Json rules{};   ///< of the game
  Json config{};  ///< of the match
  Json end{};     ///< the match_end frame, or null
  Json record{};  ///< all that came in
};

/// A SQLite file with a write-ahead log. A match is one row, written where it ends: the log is not
/// forced to the disk each time, so that a loop does not wait for it. What a crash of the machine
/// takes is the last matches, never the file.
/// @threads one
class ResultStore {
 public:
  ResultStore();
  ~ResultStore();
  ResultStore(const ResultStore&) = delete;
  ResultStore& operator=(const ResultStore&) = delete;

  /// @param path      made if it is missing; ":memory:" for tests
  /// @param problem   on failure, a sentence
  [[nodiscard]] bool open(const std::string& path, std::string& problem);

  /// @return   false: it could not be written; `last_error` says why
  bool insert(const StoredMatch& match);

  [[nodiscard]] std::optional<StoredMatch> find(std::string_view id);

  [[nodiscard]] std::uint64_t count();
  [[nodiscard]] const std::string& last_error() const noexcept { return error_; }

 private:
  struct Close {
    void operator()(sqlite3* database) const noexcept;
  };
  bool fail();

  std::unique_ptr<sqlite3, Close> database_;
  std::string error_;
};

}  // namespace lobby_program
