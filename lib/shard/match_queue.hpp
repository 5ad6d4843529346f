// SPDX-License-Identifier: MIT
// The parties that wait for one mode's matches, and the search for a group among them.
#pragma once

#include "team_packing.hpp"

#include <muster/shard/match_mode.hpp>
#include <muster/time.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace muster::shard {

class MatchQueue;
struct QueuedPlayer;

/// A party in a queue, or in a match that is being made.
struct QueuedParty {
  /// As a reach: no group is known.
  static constexpr std::uint64_t no_group = std::numeric_limits<std::uint64_t>::max();

  std::uint64_t number = 0;  ///< in the order of enqueueing
  time_point joined{};
  std::int32_t rating = 0;
  std::vector<QueuedPlayer*> players{};
  MatchQueue* queue = nullptr;
  bool is_queued = false;  ///< false: its match is being made

  /// No group around it lies within a smaller distance; and the time when its window is so wide.
  /// That others leave can only make it more, which is found out then.
  std::uint64_t reach = no_group;
  time_point ready = no_deadline;

  [[nodiscard]] std::uint16_t size() const noexcept {
    return static_cast<std::uint16_t>(players.size());
  }
};

class MatchQueue {
 public:
  MatchQueue(const MatchMode& mode, duration max_wait);

  [[nodiscard]] const MatchMode& mode() const noexcept { return mode_; }
  [[nodiscard]] std::size_t player_count() const noexcept { return player_count_; }

  /// The party keeps its number, so one that comes back has its old place.
  void insert(QueuedParty& party);
  void erase(QueuedParty& party);

  /// Players of parties with lower numbers.
  [[nodiscard]] std::size_t players_before(const QueuedParty& party) const;

  /// When there is something to search for: the earliest time that can be, if there is nothing now.
  [[nodiscard]] time_point next_search() const noexcept;

  /// Makes candidates of those around whom there may be a group since the last time.
  void collect(time_point now);

  /// The candidate that came first, which is none any more; null: there is none.
  [[nodiscard]] QueuedParty* take_candidate();

  struct Member {
    QueuedParty* party;
    std::uint16_t team;
  };

  /// A group around a party, if there is one within its window.
  [[nodiscard]] bool find_group(QueuedParty& anchor, time_point now, std::vector<Member>& out);

  /// Parties that were looked at.
  [[nodiscard]] std::uint64_t examined() const noexcept { return examined_; }

 private:
  // By rating, and then by number.
  using Key = std::pair<std::int64_t, std::uint64_t>;
  using ByRating = std::map<Key, QueuedParty*>;

  // Parties are counted by what their numbers have above these bits.
  static constexpr unsigned chunk_bits = 8;

  struct Near {
    std::uint64_t distance;
    QueuedParty* party;
  };

  [[nodiscard]] std::int64_t rating_of(const QueuedParty& party) const noexcept {
    return mode_.window ? party.rating : 0;
  }
  [[nodiscard]] Key key_of(const QueuedParty& party) const noexcept {
    return {rating_of(party), party.number};
  }
  [[nodiscard]] std::size_t group_size() const noexcept {
    return std::size_t{mode_.teams} * mode_.team_size;
  }
  [[nodiscard]] std::optional<duration> wait_for(std::uint64_t distance) const noexcept;
  [[nodiscard]] std::uint64_t nearest_arrival(std::int64_t rating) const;
  void gather(const QueuedParty& anchor);
  void gather_size(const ByRating& parties, const QueuedParty& anchor, std::size_t most);
  void schedule(QueuedParty& party, std::uint64_t reach);

  MatchMode mode_;
  duration max_wait_;
  std::int64_t widest_;  // the distance that no window exceeds
  TeamPacking packing_;
  std::size_t player_count_ = 0;
  std::map<std::uint64_t, QueuedParty*> by_number_;
  std::map<std::uint64_t, std::size_t> players_by_chunk_;
  std::vector<ByRating> by_size_;  // [0]: parties of one
  ByRating arrivals_;              // since the last `collect`
  std::set<std::uint64_t> candidates_;
  std::map<std::pair<time_point, std::uint64_t>, QueuedParty*> by_ready_;
  std::uint64_t examined_ = 0;
  std::vector<Near> near_;  // of one search
  std::vector<TeamPacking::Choice> choices_;
};

}  // namespace muster::shard
